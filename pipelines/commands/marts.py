"""Reading what was published."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    Config,
    settings_of,
)
from pipelines.settings import SettingsError

app = typer.Typer()


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="SQL over the views of the role's mart.")],
    role: Annotated[str, typer.Option(help="engineer, quality, analyst or practitioner.")],
    config: Config = DEFAULT_CONFIG,
    as_of: Annotated[str | None, typer.Option("--as-of", help="What was known at this time (ISO).")] = None,
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    to: Annotated[Path | None, typer.Option("--out", help="File to write to; parquet needs one.")] = None,
    who: Annotated[str | None, typer.Option(help="Who looks; the account if not given.")] = None,
    purpose: Annotated[str, typer.Option(help="What for; it is logged with the look.")] = "not stated",
) -> None:
    """Reads a published mart; the look is logged."""
    from pipelines.settings import utc_now
    from warehouse import query as querying
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import ROLES, load_keys
    from warehouse.store import Store

    if role not in ROLES:
        raise SettingsError(f"--role {role}: there is no such role; allowed are {', '.join(ROLES)}")
    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    querying.run(
        settings.marts_path,
        keys,
        role,
        sql,
        log=AccessLog(Store(settings.decisions_url), keys),
        who=who or account(),
        purpose=purpose,
        clock=utc_now,
        as_of=as_of,
        output=output,
        to=to,
    )

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
) -> None:
    """Reads a published mart."""
    from warehouse import query as querying
    from warehouse.keys import ROLES, load_keys

    if role not in ROLES:
        raise SettingsError(f"--role {role}: there is no such role; allowed are {', '.join(ROLES)}")
    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ)
    querying.run(settings.marts_path, keys, role, sql, as_of=as_of, output=output, to=to)

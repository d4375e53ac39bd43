"""Who looked at what and why, and the proof that the record of it is whole."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import DEFAULT_CONFIG, AsJson, Config, opened, out, plain, print_rows, settings_of
from pipelines.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="Who looked at what and why; proof that the record of it is whole.")


@app.command()
def looks(
    purpose: Annotated[str, typer.Option(help="What for; reading the log is a look as well, and logged.")],
    person: Annotated[
        list[str] | None, typer.Option(help="A person_id or record as marts show it; may be repeated.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Only looks of this one.")] = None,
    role: Annotated[str | None, typer.Option(help="Only looks of this role.")] = None,
    since: Annotated[str | None, typer.Option(help="Only looks from this day or moment (ISO, UTC).")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Every look through Tessera, newest first. With --person those that named them, and those that named nobody and may have."""
    from pipelines.settings import utc_now
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import MARTS, load_keys
    from warehouse.looks import looks, told
    from warehouse.store import Store

    if not purpose.strip():
        raise SettingsError("--purpose: say what for; it is logged with the look")
    if role is not None and role not in MARTS:
        raise SettingsError(f"--role {role}: there is no such role; allowed are {', '.join(MARTS)}")
    try:
        begin = None if since is None else dt.datetime.fromisoformat(since)
    except ValueError:
        raise SettingsError(
            f"--since {since}: not a date or time; write it as 2026-11-16 or 2026-11-16T08:30"
        ) from None
    if begin is not None and begin.tzinfo is not None:
        begin = begin.astimezone(dt.UTC).replace(tzinfo=None)
    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    log = AccessLog(Store(settings.decisions_url), keys)
    question = "audit looks" + "".join(f" --person {name}" for name in person or ())
    log.asked_of_store("audit", utc_now(), who=account(), purpose=purpose, question=question)
    rows = [told(look) for look in looks(log, keys, persons=person or (), who=who, role=role, since=begin)]
    if not as_json:
        rows = [{name: value for name, value in row.items() if name not in ("shown", "question")} for row in rows]
    print_rows(rows, as_json, empty="No such look.")


@app.command()
def heads(config: Config = DEFAULT_CONFIG) -> None:
    """How far each journal has come, to be written down where the data is not: JSON for audit verify --heads."""
    with opened(config) as line:
        found = {journal.name: head for journal in line.journals if (head := journal.head()) is not None}
    out.print_json(json.dumps({name: dataclasses.asdict(head) for name, head in found.items()}))


@app.command()
def verify(
    config: Config = DEFAULT_CONFIG,
    noted: Annotated[Path | None, typer.Option("--heads", help="Heads written down earlier, by audit heads.")] = None,
    as_json: AsJson = False,
) -> None:
    """Proves that no look, decision, waiver or verdict was changed, taken away or put in. Exit 1 if one was."""
    from pipelines.audit import prove
    from warehouse.journal import Head

    try:
        kept = {} if noted is None else {name: Head(**head) for name, head in json.loads(noted.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        raise SettingsError(f"--heads {noted}: no file of heads as tessera audit heads prints them") from None
    with opened(config) as line:
        proved, broken = prove(line.journals, line.landing, kept)
    if as_json:
        out.print_json(json.dumps({"proved": proved, "broken": broken}))
    else:
        for said in proved:
            out.print(f"[green]holds[/]  {plain(said)}")
        for said in broken:
            out.print(f"[red]broken[/] {plain(said)}")
    if broken:
        raise typer.Exit(1)

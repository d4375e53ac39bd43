"""The rights of the people whom the data is about."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import DEFAULT_CONFIG, Config, out, plain, settings_of
from pipelines.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="Rights of the people whom the data is about.")


class Form(StrEnum):
    html = "html"
    json = "json"


@app.command()
def export(
    person_id: Annotated[str, typer.Argument(help="The person, as in the view children.")],
    purpose: Annotated[str, typer.Option(help="Which request it answers; it is logged with the look.")],
    to: Annotated[Path, typer.Option("--out", help="File to write to, readable by you alone.")],
    form: Annotated[Form, typer.Option("--format", help="html to read and print, json for a program.")] = Form.html,
    release: Annotated[
        list[str] | None, typer.Option(help="event_id that is kept back by rule and was decided to be given.")
    ] = None,
    withhold: Annotated[list[str] | None, typer.Option(help="event_id that was decided to be kept back.")] = None,
    who: Annotated[str | None, typer.Option(help="Who puts it together; the account if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """All that is held of one person, for that person: every version, other people taken out; what is kept back is listed here only."""
    from pipelines.settings import today, utc_now
    from pipelines.subject_page import subject_page
    from warehouse import query as querying
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import load_keys
    from warehouse.looks import looks, told
    from warehouse.store import Store
    from warehouse.subject import disclosure

    if not purpose.strip():
        raise SettingsError('--purpose: say which request it answers, as in --purpose "subject access 2026/14"')
    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    log = AccessLog(Store(settings.decisions_url), keys)
    question = f"subject export {person_id}" + "".join(
        f" --{option} {event_id}"
        for option, given in (("release", release), ("withhold", withhold))
        for event_id in given or ()
    )
    con = querying.open_mart(settings.marts_path, keys, "practitioner")
    try:
        with querying.look(
            con, "practitioner", question, export=True, log=log, who=who or account(), purpose=purpose, clock=utc_now
        ) as shown:
            found = disclosure(con, person_id.strip(), release=release or (), withhold=withhold or ())
            named = {found.person_id, *(row["record_id"] for row in found.parts["links"])}
            shown.identifiers, shown.rows = named, 1 + sum(map(len, found.parts.values()))
            recipients = [
                {"role": look["role"], "what": look["action"], "day": look["at"].date()}
                for look in map(told, reversed(looks(log, keys, persons=named)))
                if look["shown"] is not None
            ]
            load_id = querying.rows(con, "SELECT load_id FROM mart.main.mart")[0]["load_id"]
            with querying.own_file(to, text=True) as file:
                if form is Form.html:
                    file.write(subject_page(found, recipients, on=today(settings), load_id=load_id))
                else:
                    said = {**found.parts, "recipients": recipients}
                    json.dump({"person_id": found.person_id, "load_id": load_id, **said}, file, default=str, indent=1)
    finally:
        con.close()
    counts = ", ".join(f"{len(rows):,} {part}" for part, rows in found.parts.items() if rows)
    out.print(f"{to}: {counts}.")
    if found.kept_back:
        out.print("Kept back, and not mentioned in the file:")
        for row in found.kept_back:
            out.print(f"  {row['event_id']}  {row['agency']}, {row['day']}: {plain(row['because'])}")
        out.print("  To give one all the same: --release EVENT_ID")
    out.print(
        f"The texts were searched for the names of {found.others} other people. They may tell of others, and of what could do harm: "
        "read all of it before it leaves, and keep an entry back with --withhold EVENT_ID."
    )

"""Reading what was published."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    out,
    plain,
    settings_of,
)
from pipelines.settings import SettingsError

if TYPE_CHECKING:
    from warehouse.picture import Picture

app = typer.Typer()


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="SQL over the views of the role's mart.")],
    role: Annotated[str, typer.Option(help="engineer, quality, analyst, practitioner or reviewer.")],
    config: Config = DEFAULT_CONFIG,
    as_of: Annotated[str | None, typer.Option("--as-of", help="What was known at this time (ISO).")] = None,
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet (not on a screen).")] = "table",
    who: Annotated[str | None, typer.Option(help="Who looks; the account if not given.")] = None,
    purpose: Annotated[str, typer.Option(help="What for; it is logged with the look.")] = "not stated",
) -> None:
    """Reads a published mart; the look is logged."""
    from pipelines.settings import utc_now
    from warehouse import query as querying
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import load_keys
    from warehouse.store import Store

    _check_role(role)
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
    )


@app.command()
def export(
    question: Annotated[str, typer.Argument(help="A view, or SQL over views that the policy lets leave.")],
    role: Annotated[str, typer.Option(help="engineer, quality or analyst; docs/roles.md says what of each may leave.")],
    to: Annotated[Path, typer.Option("--out", help="File to write, .csv or .parquet; its manifest is laid beside it.")],
    purpose: Annotated[str, typer.Option(help="What for; it is logged and stands in the manifest.")],
    recipient: Annotated[str, typer.Option("--for", help="Who receives it; likewise.")],
    config: Config = DEFAULT_CONFIG,
    who: Annotated[str | None, typer.Option(help="Who takes it; the account if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Writes what may leave the house to a file, with a manifest: who, why, for whom, load, rows, columns, checksum; logged."""
    from pipelines.settings import utc_now
    from warehouse.access import load_policy
    from warehouse.access_log import AccessLog, account
    from warehouse.export import export as take_out
    from warehouse.export import manifest_of
    from warehouse.keys import load_keys
    from warehouse.store import Store

    _check_role(role)
    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    manifest = take_out(
        settings.marts_path,
        keys,
        load_policy(),
        role,
        question,
        to,
        log=AccessLog(Store(settings.decisions_url), keys),
        who=who or account(),
        purpose=purpose,
        recipient=recipient,
        clock=utc_now,
    )
    if as_json:
        out.print_json(json.dumps(manifest))
    else:
        out.print(
            f"{plain(str(to))}: {manifest['rows']} rows of load {manifest['load_id']}, sha256 {manifest['sha256']}"
        )
        out.print(f"{plain(str(manifest_of(to)))} says what it is, who took it, for whom and why.")


def _check_role(role: str) -> None:
    from warehouse.keys import ROLES

    if role not in ROLES:
        raise SettingsError(f"--role {role}: there is no such role; allowed are {', '.join(ROLES)}")


@app.command()
def child(
    person_id: Annotated[str, typer.Argument(help="The person, as in the view children.")],
    purpose: Annotated[str, typer.Option(help="What for; it is logged with the look.")],
    config: Config = DEFAULT_CONFIG,
    as_of: Annotated[str | None, typer.Option("--as-of", help="What was known at this time (ISO).")] = None,
    who: Annotated[str | None, typer.Option(help="Who looks; the account if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """One child's whole picture, as a practitioner reads it; the look is logged."""
    from pipelines.settings import utc_now
    from warehouse import query as querying
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import load_keys
    from warehouse.picture import picture
    from warehouse.store import Store

    if not purpose.strip():
        raise SettingsError(
            '--purpose: say what for, as in --purpose "strategy discussion"; it is logged with the look'
        )
    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    con = querying.open_mart(settings.marts_path, keys, "practitioner", as_of)
    question = querying.worded(f"child {person_id}", as_of)
    log = AccessLog(Store(settings.decisions_url), keys)
    try:
        with querying.look(
            con, "practitioner", question, export=False, log=log, who=who or account(), purpose=purpose, clock=utc_now
        ) as shown:
            found = picture(con, person_id.strip(), as_known_now=as_of is None)
            shown.identifiers = {found.person_id, *(row["person_id"] for row in found.household)}
            shown.rows = max(1, len(found.timeline))
            if as_json:
                out.print_json(json.dumps(dataclasses.asdict(found), default=str))
            else:
                _print_picture(found, as_of)
    finally:
        con.close()


def _print_picture(found: Picture, as_of: str | None) -> None:
    child = found.child
    name = " ".join(word for word in (child.get("given_names"), child.get("family_name")) if word) or "name not known"
    born = f"born {child['birth_date']:%-d %B %Y}" if child.get("birth_date") else "birth date not known"
    out.print(f"[bold]{plain(name)}[/bold], {born}, {plain(found.person_id)}")
    if as_of is None:
        _print_now(found)
    else:
        out.print(f"As known at {plain(as_of)}: the chronology alone. Name and birth date are as chosen now.")
    out.print(f"\n[bold]Chronology[/bold], {len(found.timeline)} entries")
    for row in found.timeline:
        _print_entry(row)


def _print_now(found: Picture) -> None:
    out.print(
        f"\n[bold]Signals[/bold]{'' if found.signals else ': none of the rules of docs/signals.md is true tonight'}"
    )
    for row in found.signals:
        said = "" if row["useful"] is None else " (marked useful)" if row["useful"] else " (marked not useful)"
        out.print(
            f"  {row['raised_on']}  {row['rule'].replace('_', ' ')}: {plain(row['explanation'])}{said}  {row['signal_id']}"
        )
    out.print(f"\n[bold]What the agencies do not agree on[/bold]{'' if found.contradictions else ': nothing found'}")
    for row in found.contradictions:
        said = "; ".join(f"{one['agency']} says {one['value'] or 'a value that is withheld'}" for one in row["values"])
        out.print(f"  {row['attribute'].replace('_', ' ')}: {plain(said)}")
    out.print("\n[bold]Who was asked[/bold] (silence is not safety)")
    for row in found.coverage:
        searched = f", as of {row['searched_as_of']:%-d %B %Y}" if row["searched_as_of"] else ""
        behind = ", part of what it sends is missing or late" if row["is_stale"] else ""
        out.print(f"  {row['agency']}: {row['status'].replace('_', ' ')}{searched}{behind}")
    out.print(f"\n[bold]Open now[/bold]{'' if found.open_spans else ': nothing'}")
    for row in found.open_spans:
        since = f" since {row['started_on']}" if row["started_on"] else ""
        detail = f": {row['detail']}" if row["detail"] else ""
        out.print(f"  {row['agency']}  {row['kind'].replace('_', ' ')}{since}{plain(detail)}")
    out.print(f"\n[bold]Lives, or lived, with[/bold]{'' if found.household else ': nobody is known of'}")
    for row in found.household:
        born = f", born {row['birth_date']}" if row["birth_date"] else ""
        until = f", until {row['until']}" if row["until"] else ""
        how = ", ".join(basis.replace("_", " ") for basis in row["bases"])
        out.print(f"  {row['person_id']}  {plain(row['name'] or 'name not known')}, {row['role']}{born} ({how}{until})")


def _print_entry(row: dict[str, Any]) -> None:
    """One entry: when, at what age, who tells it, what kind of statement it is, and what was written, whole."""
    if row["gap_days"]:
        out.print(f"  … nothing is known of {row['gap_days']} days …")
    when = (
        f"{row['sorts_at']:%Y-%m-%d %H:%M}" if row["occurred_precision"] == "instant" else f"{row['sorts_at']:%Y-%m-%d}"
    )
    undated = "" if row["occurred_from"] else ", undated: when it was written down or came"
    age = f", aged {row['age']}" if row["age"] is not None else ""
    about = ", about the household" if row["about"] == "household" else ""
    withdrawn = f", WITHDRAWN {row['retracted_at']:%Y-%m-%d}" if row["retracted_at"] else ""
    kind = row["statement_kind"].replace("_", " ")
    out.print(
        f"  {when}{age}  [bold]{plain(row['agency'])}[/bold]  {plain(row['title'])} ({kind}{undated}{about}{withdrawn})"
    )
    for label, text in (
        ("", row["narrative"]),
        ("in the child's words: ", row["quoted_words"] if row["quoted_words"] != row["narrative"] else None),
        ("outcome: ", row["outcome"]),
        ("done: ", row["action_taken"]),
        ("then: ", f"{row['then_on']} {row['then_what']}" if row["then_what"] else None),
    ):
        if text:
            # Lines of a narrative stay beneath their entry: one that began at the margin would pass for an entry.
            out.print("\n".join(f"      {line}" for line in f"{label}{plain(text)}".splitlines()))

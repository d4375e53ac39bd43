"""Time limits and erasure: what is due, what is held, erasing it, and what was shared or refused."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    Night,
    night_of,
    opened,
    out,
    plain,
    print_rows,
    settings_of,
)
from pipelines.settings import SettingsError

app = typer.Typer(no_args_is_help=True)
retention_app = typer.Typer(no_args_is_help=True, help="How long what is kept of whom, and what is past it.")
holds_app = typer.Typer(no_args_is_help=True, help="Legal holds: what must not be erased, and why.")
erasures_app = typer.Typer(no_args_is_help=True, help="What was erased; letting it land again.")
disclosures_app = typer.Typer(no_args_is_help=True, help="What was shared on request, and what was refused, and why.")

Reason = Annotated[str, typer.Option(help="Why; it is kept with your name.")]
Author = Annotated[str, typer.Option(help="Who decides.")]
ForReal = Annotated[bool, typer.Option("--for-real", help="Do it. Without this only what would go is shown.")]


@app.command()
def erase(
    subject: Annotated[str, typer.Argument(help="person_id as in children, or record_id as in records.")],
    reason: Reason,
    author: Author,
    for_real: ForReal = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Shows what is held of a person or of one record; with --for-real takes it out of landing, core, marts and what people wrote."""
    _erase(config, [subject], reason, author, for_real, as_json)


def _erase(config: Path, subjects: list[str], reason: str, author: str, for_real: bool, as_json: bool) -> None:
    from pipelines import erasing

    settings = settings_of(config)
    with opened(config) as line:
        planned = erasing.plan(line, *subjects)
        number = erasing.take(line, planned, reason=reason, author=author) if for_real else None
    if number is not None:
        from pipelines.night import locked

        with locked(settings):
            erasing.carry_out(settings, dict(os.environ))
    if as_json:
        said = dataclasses.asdict(planned)
        del said["marks"]
        out.print_json(json.dumps({**said, "erasure_id": number}))
    else:
        _print_plan(planned, number)
    if planned.held_by and not for_real:
        raise typer.Exit(1)


def _print_plan(planned: Any, number: str | None) -> None:
    by_feed = Counter(record.partition(":")[0] for record in planned.records)
    rows = [
        {"received as": table, "rows that go": count, "rows emptied": planned.emptied.get(table, 0)}
        for table, count in sorted((dict.fromkeys(planned.emptied, 0) | planned.gone).items())
    ]
    print_rows(rows, False, empty="No received row.")
    out.print(
        f"{len(planned.records)} records ({', '.join(f'{count} {plain(feed)}' for feed, count in sorted(by_feed.items()))}) of "
        f"{len(planned.persons)} whole persons; {planned.quarantined} rows in quarantine. Rows that are about others as well stay for them."
    )
    if planned.backups:
        out.print("Backups hold them until they expire; putting one back erases them again:")
        for backup in planned.backups:
            out.print(f"  {plain(backup)}")
    if planned.held_by:
        out.print(f"[red]A legal hold stops it:[/] {', '.join(planned.held_by)} (tessera holds list).")
    elif number is None:
        out.print("Nothing was erased. With --for-real it is, and cannot be had back but from the agencies.")
    else:
        out.print(
            f"Erased: {number}. Their rows are refused when they are sent again, until tessera erasures lift {number}."
        )


@erasures_app.command("list")
def listed(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Every erasure: when, by whom, why, and whether its rows are still refused."""
    with opened(config) as line:
        rows = [
            {
                "erasure_id": erasure.erasure_id,
                "at": erasure.at,
                "status": erasure.status,
                "records": len(erasure.marks.records),
                "persons": ", ".join(erasure.persons),
                "author": erasure.author,
                "reason": erasure.reason,
            }
            for erasure in line.erasures.all()
        ]
    print_rows(rows, as_json, empty="Nothing was erased.")


@erasures_app.command()
def lift(
    erasure_id: Annotated[str, typer.Argument(help="As erasures list names it.")],
    reason: Reason,
    author: Author,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Lets rows of that person land again when they are sent. What went does not come back."""
    from pipelines.settings import utc_now

    with opened(config) as line:
        line.erasures.lift(erasure_id, reason=reason, author=author, at=utc_now())
    out.print(f"{erasure_id} is lifted: what the agencies send of them from now on lands.")


@holds_app.command()
def place(
    subject: Annotated[str, typer.Argument(help="person_id or record_id.")],
    reason: Reason,
    author: Author,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Holds a person with all their records, or one record: nothing of it is erased until the hold is lifted."""
    from pipelines.settings import utc_now

    with opened(config) as line:
        known = line.con.execute(
            "SELECT 1 FROM person WHERE person_id = $subject UNION ALL SELECT 1 FROM link WHERE record_id = $subject LIMIT 1",
            {"subject": subject},
        ).fetchone()
        if known is None:
            raise SettingsError(f"{subject}: no person and no record; see the views children and records")
        number = line.holds.place(subject, reason=reason, author=author, at=utc_now())
    out.print(f"{number}: {plain(subject)} is held.")


@holds_app.command("lift")
def lift_hold(
    hold_id: Annotated[str, typer.Argument(help="As holds list names it.")],
    reason: Reason,
    author: Author,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Lets go of a hold; what was due is due again."""
    from pipelines.settings import utc_now

    with opened(config) as line:
        line.holds.lift(hold_id, reason=reason, author=author, at=utc_now())
    out.print(f"{hold_id} is lifted.")


@holds_app.command("list")
def held(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Every hold ever placed, and whether it still holds."""
    with opened(config) as line:
        rows = [{name: value for name, value in hold.items() if name != "number"} for hold in line.holds.all()]
    print_rows(rows, as_json, empty="Nothing is held.")


@retention_app.command()
def rules(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """The periods of this deployment, where each is from and why."""
    rows = [
        {
            "rule": rule.name,
            "for": rule.records,
            "keep": rule.kept,
            "source": rule.source,
            "rationale": rule.rationale,
        }
        for rule in settings_of(config).periods()
    ]
    print_rows(rows, as_json)


@retention_app.command()
def due(
    persons: Annotated[bool, typer.Option("--persons", help="Name the records and persons; needs --purpose.")] = False,
    purpose: Annotated[str, typer.Option(help="What the names are for; it is logged.")] = "",
    date: Night = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """What is past its period and what a hold stops: counts by rule; with --persons who."""
    from pipelines.settings import utc_now
    from warehouse import retention
    from warehouse.access_log import account

    if persons and not purpose.strip():
        raise SettingsError("--purpose: say what the names are for; it is logged with the look")
    today = night_of(date, settings_of(config))
    with opened(config) as line:
        held = line.holds.subjects()
        if persons:
            line.access_log.asked_of_store(
                "retention", utc_now(), who=account(), purpose=purpose, question="retention due"
            )
            rows = [
                {**dataclasses.asdict(record), "held_by": ", ".join(record.held_by)}
                for record in retention.due(line.con, line.periods, today, held)
            ]
        else:
            rows = retention.reckoning(line.con, line.periods, today, held)
    print_rows(rows, as_json, empty="Nothing is due.")


@retention_app.command()
def apply(
    reason: Reason,
    author: Author,
    for_real: ForReal = False,
    date: Night = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Erases what is due and not held; without --for-real shows what would go."""
    from warehouse import retention

    today = night_of(date, settings_of(config))
    with opened(config) as line:
        found = retention.due(line.con, line.periods, today, line.holds.subjects())
    free = [record.record_id for record in found if not record.held_by]
    if len(free) < len(found):
        out.print(f"{len(found) - len(free)} of {len(found)} records that are due are held and stay.")
    if not free:
        out.print("Nothing is to be erased.")
        return
    _erase(config, free, reason, author, for_real, as_json)


class Outcome(StrEnum):
    shared = "shared"
    refused = "refused"


def _note(config: Path, outcome: Outcome, subject: str, asked_by: str, reason: str, author: str) -> None:
    from pipelines.settings import utc_now

    with opened(config) as line:
        number = line.disclosures.take(outcome, subject, asked_by=asked_by, reason=reason, author=author, at=utc_now())
    out.print(f"{number}: noted as {outcome}.")


AskedBy = Annotated[str, typer.Option(help="Who asked for it.")]
About = Annotated[str, typer.Argument(help="Whom it is about: person_id, or a word for it.")]


@disclosures_app.command()
def record(subject: About, asked_by: AskedBy, reason: Reason, author: Author, config: Config = DEFAULT_CONFIG) -> None:
    """Notes that something was shared, with whom and why."""
    _note(config, Outcome.shared, subject, asked_by, reason, author)


@disclosures_app.command()
def refuse(subject: About, asked_by: AskedBy, reason: Reason, author: Author, config: Config = DEFAULT_CONFIG) -> None:
    """Notes that sharing was refused, to whom and why."""
    _note(config, Outcome.refused, subject, asked_by, reason, author)


@disclosures_app.command("list")
def list_disclosures(
    purpose: Annotated[str, typer.Option(help="What for; it is logged.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """What was shared and what was refused, oldest first; reading it is logged."""
    from pipelines.settings import utc_now
    from warehouse.access_log import account

    with opened(config) as line:
        line.access_log.asked_of_store("audit", utc_now(), who=account(), purpose=purpose, question="disclosures list")
        rows = line.disclosures.all()
    print_rows(rows, as_json, empty="Nothing was noted.")

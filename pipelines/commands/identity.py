"""Why records are together, what changed, and what people decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    opened,
    out,
    plain,
    print_rows,
)
from pipelines.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="Why records are together; decisions of people.")
decisions_app = typer.Typer(no_args_is_help=True, help="Human decisions in bulk.")


@app.command("explain")
def identity_explain(
    who: Annotated[str, typer.Argument(help="A person_id, or a record: agency.feed:source_person_id.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Why each record of a person is there, and its nearest rival; without names or dates."""
    import linkage

    with opened(config) as line:
        try:
            found = linkage.explain(line.con, who)
        except KeyError:
            raise SettingsError(
                f"{who}: no such person or record; a record is written agency.feed:source_person_id"
            ) from None
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    out.print(f"{found['person_id']}: {len(found['records'])} record(s)")
    for record in found["records"]:
        out.print(f"  {plain(record['record_id'])}: {plain(record['in_words'])}")
        rival = record["nearest_rival"]
        if rival:
            out.print(
                f"    nearest rival: {plain(rival['record_id'])} of {rival['person_id']} ({plain(rival['evidence'])})"
            )
    for question in found.get("questions", []):
        pair = f"{question['record_id_a']} and {question['record_id_b']}"
        out.print(f"  for a person to decide: {plain(pair)}: {plain(question['reason'])}")


@app.command("history")
def identity_history(
    person: Annotated[str | None, typer.Argument(help="A person_id; the last load's changes if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """What happened to a person's identity, night by night, and why; or what changed last night."""
    with opened(config) as line:
        rows = line.warehouse.rows(
            "SELECT load_id, change, person_id, len(record_ids) AS records, reason FROM identity_change "
            "WHERE person_id = $who OR list_contains(other_person_ids, $who) "
            "OR ($who IS NULL AND load_id = (SELECT max(load_id) FROM night)) ORDER BY load_id, change, person_id",
            {"who": person},
        )
    print_rows(rows, as_json, empty="Nothing changed.")


@app.command("link")
def identity_link(record_a: str, record_b: str, reason: str, author: str, config: Config = DEFAULT_CONFIG) -> None:
    """Decides that two records are one person; the next night keeps to it."""
    _decide(config, "must_link", record_a, record_b, reason, author)


@app.command("unlink")
def identity_unlink(record_a: str, record_b: str, reason: str, author: str, config: Config = DEFAULT_CONFIG) -> None:
    """Decides that two records are two people; the next night keeps to it."""
    _decide(config, "cannot_link", record_a, record_b, reason, author)


def _decide(config: Path, kind: str, record_a: str, record_b: str, reason: str, author: str) -> None:
    from pipelines.settings import utc_now

    with opened(config) as line:
        for record in (record_a, record_b):
            if not line.con.execute("SELECT 1 FROM person_record WHERE record_id = ?", [record]).fetchone():
                raise SettingsError(f"{record}: no such record; write agency.feed:source_person_id")
        line.decisions.add(kind, record_a, record_b, reason, author, utc_now())
    out.print(f"decided: {kind.replace('_', ' ')}; it counts from the next night on")


@decisions_app.command("import")
def decisions_import(file: Path, config: Config = DEFAULT_CONFIG) -> None:
    """Adds decisions from a CSV file; all of them or none."""
    if not file.exists():
        raise SettingsError(f"{file} does not exist")
    with opened(config) as line:
        out.print(f"{line.decisions.import_csv(file)} decision(s) added; they count from the next night on")


@decisions_app.command("list")
def decisions_list(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Every decision ever taken."""
    with opened(config) as line:
        print_rows(line.decisions.all(), as_json, empty="No decision was taken yet.")

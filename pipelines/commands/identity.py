"""Why records are together, what changed, and what people decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

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
    """Why each record of a person is there: rule or weights, nearest rival, decisions. Old identifiers resolve; no names or dates."""
    import linkage
    from linkage.explain import picture

    with opened(config) as line:
        try:
            found = linkage.explain(
                line.con,
                who,
                sealed=line.sealed_records(),
                decisions=[d for d in line.decisions.listed() if d["status"] == "stands" and d["kind"] != "undo"],
                model_of=line.models().read,
            )
        except KeyError:
            raise SettingsError(
                f"{who}: no such person or record; a record is written agency.feed:source_person_id"
            ) from None
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    became = f" ({who} is carried on by it)" if who in found["carries_on"] else ""
    out.print(f"{found['person_id']}: {len(found['records'])} record(s){became}")
    for record in found["records"]:
        out.print(f"\n{plain(record['record_id'])}")
        out.print(f"  {plain(record['in_words'])}")
        if record["best_record_id"]:
            out.print(
                f"  beside {plain(record['best_record_id'])}, since load {record['since_load']}, model {record['model'] or 'not noted'}:"
            )
            for text in picture(record["weights"]):
                out.print(f"    {plain(text)}")
        rival = record["nearest_rival"]
        if rival:
            out.print(
                f"  nearest rival: {plain(rival['record_id'])} of {rival['person_id']} ({plain(rival['evidence'])})"
            )
            for text in picture(rival["weights"])[-1:]:
                out.print(f"    {plain(text.strip())}")
        for decision in record["decisions"]:
            other = decision["record_id_b" if decision["record_id_a"] == record["record_id"] else "record_id_a"]
            out.print(
                f"  decided {decision['decision_id']}: {decision['kind'].replace('_', ' ')} {plain(other)}, "
                f"by {plain(decision['author'])} on {decision['decided_at']:%Y-%m-%d}: {plain(decision['reason'])}"
            )
    for question in found["questions"]:
        pair = f"{question['record_id_a']} and {question['record_id_b']}"
        out.print(f"\nfor a person to decide: {plain(pair)}: {plain(question['reason'])}")


@app.command("history")
def identity_history(
    who: Annotated[
        str | None, typer.Argument(help="A person_id, old or new, or a record; what changed last night if none.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """What happened to a person's identity, night by night, and why; or what changed last night."""
    from linkage.explain import history, resolve
    from warehouse.seals import hide_sealed

    with opened(config) as line:
        hide_sealed(line.con, line.sealed_records())
        if who is None:
            rows = line.warehouse.rows(
                "SELECT load_id, change, person_id, other_person_ids, record_ids, reason FROM shown_identity_change "
                "WHERE load_id = (SELECT arg_max(load_id, load_seq) FROM night) ORDER BY change, person_id"
            )
        else:
            try:
                rows = history(line.con, resolve(line.con, who))
            except KeyError:
                raise SettingsError(
                    f"{who}: no such person or record; a record is written agency.feed:source_person_id"
                ) from None
    if as_json:
        out.print_json(json.dumps(rows, default=str))
        return
    for row in rows:
        row["records"] = len(row.pop("record_ids") or ())
        row["other_person_ids"] = ", ".join(row["other_person_ids"] or ())
    print_rows(rows, False, empty="Nothing changed.")


Reason = Annotated[str, typer.Option(help="Why, in words that others will read.")]
Author = Annotated[str, typer.Option(help="Who decides.")]
Record = Annotated[str, typer.Argument(help="agency.feed:source_person_id")]
Governance = Annotated[
    str | None,
    typer.Option("--governance", help="Who in information governance looks: seals are shown, and the look is logged."),
]


@app.command("link")
def identity_link(
    record_a: Record, record_b: Record, reason: Reason, author: Author, config: Config = DEFAULT_CONFIG
) -> None:
    """Decides that two records are one person; no night overturns it."""
    _decide(config, "must_link", record_a, record_b, reason, author)


@app.command("unlink")
def identity_unlink(
    record_a: Record, record_b: Record, reason: Reason, author: Author, config: Config = DEFAULT_CONFIG
) -> None:
    """Decides that two records are two people; no night overturns it."""
    _decide(config, "cannot_link", record_a, record_b, reason, author)


@app.command("seal")
def identity_seal(
    record_a: Record, record_b: Record, reason: Reason, author: Author, config: Config = DEFAULT_CONFIG
) -> None:
    """Keeps an old identity and a new one apart for good: never joined, asked about or shown together."""
    _decide(config, "seal", record_a, record_b, reason, author)


def _decide(config: Path, kind: str, record_a: str, record_b: str, reason: str, author: str) -> None:
    from pipelines.settings import utc_now

    with opened(config) as line:
        _known_records(line, record_a, record_b)
        _say(line.decisions.add(kind, record_a, record_b, reason, author, utc_now()))
        if kind == "cannot_link" and _linked(line, record_a, record_b):
            out.print(
                f"  they are one person now; who was shown that: tessera identity trace {plain(record_a)} {plain(record_b)}"
            )


def _known_records(line: Any, *records: str) -> None:
    for record in records:
        if not line.con.execute("SELECT 1 FROM person_record WHERE record_id = ?", [record]).fetchone():
            raise SettingsError(f"{record}: no such record; write agency.feed:source_person_id")


def _linked(line: Any, record_a: str, record_b: str) -> bool:
    found = line.con.execute(
        "SELECT count(DISTINCT person_id) FROM link WHERE unlinked_at IS NULL AND record_id IN (?, ?)",
        [record_a, record_b],
    ).fetchall()
    return bool(found[0][0] == 1)


@app.command("trace")
def identity_trace(
    record_a: Record,
    record_b: Record,
    governance: Governance = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Where two records were served as one person: publications, exports, queries, looks, broken glass. For when the link was wrong."""
    from pipelines.settings import utc_now
    from warehouse import publish
    from warehouse.seals import hide_sealed
    from warehouse.trace import together_sql, trace

    with opened(config) as line:
        _known_records(line, record_a, record_b)
        if governance:
            line.log_decisions_look(governance, f"trace {record_a} {record_b}")
        hide_sealed(line.con, line.sealed_records())
        links = "link" if governance else "shown_link"  # what a seal hides is there for governance alone
        found = trace(
            (record_a, record_b),
            line.warehouse.rows(together_sql(links), {"a": record_a, "b": record_b}),
            line.warehouse.rows("SELECT load_id, published_at FROM publication ORDER BY published_at, load_id"),
            log=line.access_log,
            keys=line.keys,
            uses=line.glass.all(utc_now()),
            kept=publish.kept(line.settings.marts_path),
        )
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    if not found["together"]:
        out.print("The two were never held to be one person.")
        return
    for stretch in found["together"]:
        until = f"until {stretch['until']}" if stretch["until"] else "and still are"
        out.print(f"One person, {stretch['person_id']}, from {stretch['since']} {until}")
    out.print("\nPublications that said so, to every role:")
    print_rows(found["publications"], False, empty="None.")
    out.print("\nLooks that showed it, or may have:")
    print_rows(found["looks"], False, empty="None.")
    out.print("\nGlass that was broken over that person meanwhile:")
    print_rows(found["glass"], False, empty="None.")


def _say(taken: Any) -> None:
    out.print(f"{taken.decision_id} taken; what stands counts from the next night on")
    for note in taken.notes:
        out.print(f"  {plain(note)}")


@decisions_app.command("undo")
def decisions_undo(
    decision: Annotated[str, typer.Argument(help="The decision's number, as in decisions list.")],
    reason: Reason,
    author: Author,
    governance: Governance = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Takes a decision back by another one; it stays to be read. An undoing can be undone too."""
    from pipelines.settings import utc_now

    with opened(config) as line:
        if governance:
            line.log_decisions_look(governance, f"undo {decision}")
        _say(line.decisions.undo(decision, reason, author, utc_now(), governance=governance is not None))


@decisions_app.command("import")
def decisions_import(file: Path, config: Config = DEFAULT_CONFIG) -> None:
    """Adds decisions from a CSV file; all of them or none."""
    if not file.exists():
        raise SettingsError(f"{file} does not exist")
    with opened(config) as line:
        added = line.decisions.import_csv(file)
    out.print(f"{len(added)} decision(s) added; they count from the next night on")
    for taken in added:
        for note in taken.notes:
            out.print(f"  {taken.decision_id}: {plain(note)}")


@decisions_app.command("list")
def decisions_list(governance: Governance = None, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Every decision ever taken and what became of it; seals for governance alone."""
    with opened(config) as line:
        if governance:
            line.log_decisions_look(governance, "list")
        rows = line.decisions.listed(governance=governance is not None)
    print_rows(rows, as_json, empty="No decision was taken yet.")

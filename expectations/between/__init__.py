"""What agencies must agree on: one YAML file a rule, with its examples, judged once people are linked.

A rule's SQL returns each row that was compared (`agency, feed, raw_row_id`), whether it `disagrees`, and in words with what
(`value`, which may hold dates and agencies and no name). It reads {records}, {events} and {spans}: what is current, of feeds that
are fresh, each with the person it stands with; and {today}. `sides` are agencies without any of which it cannot be asked: it is then
`not run`, with the reason. What must not live here: a rule of one feed (connectors/<agency>/standards).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from connectors.contract import Feed
from expectations import history
from expectations.verdict import Severity, Status, status_of

if TYPE_CHECKING:
    import duckdb

# Every name begins with it; the check of a feed leaves these alone.
PREFIX = "between."
SEVERITY: Severity = "warning"
_HARM = "wrong_account"
_WORDS = {"title", "why", "sides", "columns", "hint", "sql", "cases"}

_CURRENT = {
    "records": ("person_record", "death_date"),
    "events": ("event", "event_type, occurred_from::DATE AS happened_on"),
    "spans": ("span", "kind, started_on, ended_on"),
}


@dataclass(frozen=True)
class Between:
    """One thing that agencies must agree on."""

    name: str
    title: str
    why: str
    sides: tuple[str, ...]
    columns: tuple[str, ...]
    hint: str
    sql: str
    cases: tuple[Mapping[str, Any], ...]


@cache
def rules() -> tuple[Between, ...]:
    """All of them, in the order of their names."""
    return tuple(_rule(path) for path in sorted(Path(__file__).parent.glob("*.yaml")))


def _rule(path: Path) -> Between:
    said = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CBaseLoader)  # noqa: S506 - text stays as written
    if set(said) != _WORDS:
        raise ValueError(f"{path.name}: found {', '.join(sorted(said))}; a rule says {', '.join(sorted(_WORDS))}")
    sides, columns, cases = (tuple(said.pop(word)) for word in ("sides", "columns", "cases"))
    return Between(name=PREFIX + path.stem, sides=sides, columns=columns, cases=cases, **said)


@dataclass(frozen=True)
class NotAsked:
    """A rule of which nothing is known tonight, and why."""

    status: Status
    reason: str


def compare(con: duckdb.DuckDBPyConnection, *, load_id: str, today: dt.date) -> dict[str, NotAsked]:
    """Asks every rule; what was compared is in temp.compared. Not within a transaction: one that raises would end it."""
    fresh = {
        f"{agency}.{feed}"
        for agency, feed in con.execute(
            "SELECT agency, feed FROM quality_result WHERE load_id = ? AND expectation = 'not_stale' AND status = 'pass'",
            [load_id],
        ).fetchall()
    }
    con.execute(
        "CREATE OR REPLACE TEMP TABLE compared (expectation VARCHAR, agency VARCHAR, feed VARCHAR, raw_row_id VARCHAR, "
        "disagrees BOOLEAN, value VARCHAR, hint VARCHAR, columns VARCHAR)"
    )
    not_asked: dict[str, NotAsked] = {}
    for rule in rules():
        silent = [side for side in rule.sides if not any(name.startswith(f"{side}.") for name in fresh)]
        if silent:
            said = " and ".join(silent).replace("_", " ")
            not_asked[rule.name] = NotAsked("not_run", f"it compares with {said}, of which nothing recent has come")
            continue
        try:
            con.execute(
                f"INSERT INTO temp.compared SELECT $name, agency, feed, raw_row_id, bool_or(disagrees), min(value) FILTER (disagrees), "
                f"$hint, $columns FROM ({meaning(rule.sql, fresh, today)}) GROUP BY agency, feed, raw_row_id",
                {"name": rule.name, "hint": rule.hint, "columns": ", ".join(rule.columns)},
            )
        except Exception as error:
            # DuckDB's messages quote the data: only the kind of the fault may be told.
            not_asked[rule.name] = NotAsked("broken", f"{type(error).__name__} while judging {rule.name}; see its SQL")
    return not_asked


def tell(
    con: duckdb.DuckDBPyConnection, feeds: Sequence[Feed], not_asked: Mapping[str, NotAsked], *, load_id: str
) -> None:
    """Writes to each feed judged on this load what others say differently. Runs within the caller's transaction; again changes nothing."""
    judged = set(
        con.execute("SELECT DISTINCT agency, feed FROM quality_result WHERE load_id = ?", [load_id]).fetchall()
    )
    for feed in feeds:
        if (feed.agency, feed.name) in judged:
            _tell(con, feed, load_id, not_asked)
    con.execute("DROP TABLE temp.compared")


def meaning(sql: str, fresh: Iterable[str], today: dt.date) -> str:
    """A rule's SQL over the core."""
    names = ", ".join(f"'{name}'" for name in sorted(fresh)) or "NULL"
    for word, (table, columns) in _CURRENT.items():
        sql = sql.replace(
            f"{{{word}}}",
            f"(SELECT l.person_id, r.agency, r.feed, r.raw_row_id, {columns} FROM {table} r JOIN link l ON l.record_id = r.record_id "
            "WHERE r.superseded_at IS NULL AND l.unlinked_at IS NULL AND l.person_id IS NOT NULL "
            f"{'' if table == 'person_record' else 'AND r.retracted_at IS NULL '}AND r.agency || '.' || r.feed IN ({names}))",
        )
    return sql.replace("{today}", f"DATE '{today.isoformat()}'")


def _tell(con: duckdb.DuckDBPyConnection, feed: Feed, load_id: str, not_asked: Mapping[str, NotAsked]) -> None:
    of_feed = {"agency": feed.agency, "feed": feed.name}
    mine = f"starts_with(expectation, '{PREFIX}')"
    history.begin(con)
    con.execute(
        f"DELETE FROM quality_result WHERE load_id = $load_id AND agency = $agency AND feed = $feed AND {mine}",
        {**of_feed, "load_id": load_id},
    )
    counts = {
        name: (evaluated, failed)
        for name, evaluated, failed in con.execute(
            "SELECT expectation, count(*), count(*) FILTER (disagrees) FROM temp.compared WHERE agency = $agency AND feed = $feed "
            "GROUP BY expectation",
            of_feed,
        ).fetchall()
    }
    if any(failed for _, failed in counts.values()):
        rows = " UNION ALL ".join(
            f"SELECT raw_row_id, {history.ROW_KEY}, '{table.name}' AS table_name, load_id, file_id, row_number, "
            f'{_local_id(table.key)} AS local_id FROM raw."{feed.raw(table.name)}" WHERE raw_row_id IN (SELECT raw_row_id FROM failing)'
            for table in feed.tables
        )
        con.execute(
            f"""
            INSERT INTO temp.failing BY NAME
            WITH failing AS (SELECT * FROM temp.compared WHERE agency = $agency AND feed = $feed AND disagrees)
            SELECT $agency AS agency, $feed AS feed, r.table_name, f.expectation, r.row_key, '{SEVERITY}' AS severity, f.raw_row_id,
                   n.name AS source_file, r.row_number, r.local_id, f.columns AS column_name, f.value, f.hint
            FROM failing f JOIN ({rows}) r ON r.raw_row_id = f.raw_row_id
            LEFT JOIN (SELECT load_id, file_id, min(name) AS name FROM received_file WHERE agency = $agency AND feed = $feed
                       GROUP BY load_id, file_id) n ON n.load_id = r.load_id AND n.file_id = r.file_id
            """,
            of_feed,
        )
    for rule in rules():
        if rule.name not in counts and (feed.agency not in rule.sides or rule.name not in not_asked):
            # It speaks of nobody in this feed.
            continue
        evaluated, failed = counts.get(rule.name, (0, 0))
        why = not_asked.get(rule.name)
        said_so = f"{failed} of {evaluated} rows; expected: {rule.title}" if failed else None
        status, message = (why.status, why.reason) if why else (status_of(SEVERITY, failed), said_so)
        con.execute(
            "INSERT INTO quality_result (load_id, agency, feed, table_name, expectation, severity, harm, evaluated, failed, "
            "status, message) VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?)",
            [load_id, feed.agency, feed.name, rule.name, SEVERITY, _HARM, evaluated, failed, status, message],
        )
    said = con.execute(
        "SELECT DISTINCT expectation FROM quality_result WHERE load_id = $load_id AND agency = $agency AND feed = $feed",
        {**of_feed, "load_id": load_id},
    ).fetchall()
    # What the check of the feed found stands as it was recorded then.
    as_before = [name for (name,) in said if name not in not_asked]
    as_before += [rule.name for rule in rules() if rule.name not in not_asked]
    # What broke says nothing of rows judged before.
    broken = [name for name, why in not_asked.items() if why.status == "broken"]
    history.record(
        con,
        feed,
        load_id=load_id,
        tables=[table.name for table in feed.tables],
        as_before=as_before,
        doubtful=f"{mine} AND NOT list_contains($broken::VARCHAR[], expectation)",
        parameters={"broken": broken},
    )


def _local_id(key: Sequence[str]) -> str:
    columns = ", ".join(f'trim("{name}")' for name in key)
    return f"concat_ws('/', {columns})" if key else "source_key"

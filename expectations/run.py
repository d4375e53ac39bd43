"""Runs a feed's standards on DuckDB: a verdict for each, and every failing row, by its key, into quality_spell.

Cost follows what changed: Great Expectations is asked about the rows of this load alone, and not at all where nothing
is new; the failures of rows that stay current stand. A standard that is new, was changed, or broke last time is asked
about all current rows. So the results are those of judging everything, every night. A standard's SQL is run once: the rows
it finds are kept in memory, and Great Expectations is asked whether there are any. What holds each row of a table against
a condition, as columns' standards and many rules do, is found in one pass.
What must not live here: what Great Expectations needs inside (gx_duckdb.py), what is expected (suite.py).

No value of a person passes through Python: failing rows go from SELECT to INSERT, and of an exception only its class is
kept, since DuckDB's messages quote the data.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from connectors import reading
from connectors.contract import Feed, Table
from expectations import between, gx_duckdb, history, volume
from expectations.harm import harm_of
from expectations.rules import NEWEST, SCHEMA, Workings
from expectations.suite import BEATEN, CONDITIONS, VALUE, Standard, suite_for
from expectations.verdict import Verdict, status_of
from warehouse.quoting import literal, quoted
from warehouse.schema import Field, Relation

if TYPE_CHECKING:
    from warehouse.engine import Warehouse

# How far each standard has been judged, so that a night asks only about what it has not seen.
JUDGED = Relation(
    "quality_judged",
    "one row per feed and standard: how far it has been judged, by which definition",
    (
        Field("agency", "VARCHAR", "Agency"),
        Field("feed", "VARCHAR", "Feed within the agency"),
        Field("expectation", "VARCHAR", "Name of the standard"),
        Field("definition", "VARCHAR", "Fingerprint of the standard as it was then; empty if it broke"),
        Field("state", "VARCHAR", "Fingerprint of the tables it read, for a standard that must see everything"),
        Field("load_seq", "BIGINT", "Load up to which its rows were judged"),
    ),
)


# A rule that holds each row of one prepared table against a condition, and the words that would make it more than that.
_OF_ONE_TABLE = re.compile(
    rf"\s*SELECT\s+((?P<qualifier>\w+)\.)?raw_row_id\s+FROM\s+(?P<table>{re.escape(SCHEMA)}\.\"\w+\")"
    r"(\s+AS\s+(?P<alias>\w+))?\s+WHERE\s(?P<condition>.*)",
    re.DOTALL,
)
_MORE_THAN_A_CONDITION = re.compile(
    r"\b(SELECT|FROM|JOIN|UNION|INTERSECT|EXCEPT|GROUP|HAVING|QUALIFY|WINDOW|OVER|ORDER|LIMIT|OFFSET|SAMPLE)\b|;",
    re.IGNORECASE,
)

# From here on a second condition on every row takes less time than it takes to plan: DuckDB's row group.
_MANY_ROWS = 122_880


@dataclass(frozen=True)
class _TableState:
    """What a raw table holds: columns, current rows, the newest load among them, and a fingerprint of everything.

    `met` are those of suite.CONDITIONS that some row meets.
    """

    columns: frozenset[str]
    current: int
    newest: int
    fingerprint: str
    met: frozenset[str]


@dataclass(frozen=True)
class _Task:
    """One standard to be asked tonight, about current rows of loads from `since` on."""

    standard: Standard
    since: int
    # A rule's SELECT.
    sql: str = ""


def check_feed(
    warehouse: Warehouse,
    feed: Feed,
    *,
    load_id: str,
    load_seq: int,
    allow_test_nhs_numbers: bool,
    today: dt.date,
    options: Mapping[str, Any] | None = None,
    rules: Sequence[Standard] = (),
) -> list[Verdict]:
    """A verdict for every standard of the feed as of this load; results and failing rows are in the warehouse.

    `options` are the source's, of which the period and the rule book follow; `rules` are standards beyond the contract's
    and the books'. Must not be called within a transaction: all writing is one of its own. Doing it again for the same
    load changes nothing.
    """
    con = warehouse.con
    with ExitStack() as stack:
        con.execute(JUDGED.ddl())
        states = _table_states(con, feed)
        beaten = frozenset(name for name, state in states.items() if BEATEN in state.met)
        held = frozenset(_held_rows(con, feed))
        workings = stack.enter_context(Workings(con, feed, options or {}, today, frozenset(states), beaten, held))
        history.begin(con)
        stack.callback(con.execute, "DROP TABLE IF EXISTS temp.failing")
        return _check(warehouse, feed, load_id, load_seq, allow_test_nhs_numbers, workings, states, rules)


def _check(
    warehouse: Warehouse,
    feed: Feed,
    load_id: str,
    load_seq: int,
    allow_test_nhs_numbers: bool,
    workings: Workings,
    states: Mapping[str, _TableState],
    rules: Sequence[Standard],
) -> list[Verdict]:
    con = warehouse.con
    held = _held_rows(con, feed)
    of_books = workings.judged()
    tables = [table for table in feed.tables if table.name in states]
    standards = [standard for table in tables for standard in suite_for(feed, table)]
    standards += [rule for rule in rules if rule.table in states]
    standards += of_books.standards
    switched_off = {"allow_test_nhs_numbers"} if allow_test_nhs_numbers else set()
    standards = [standard for standard in standards if standard.off_when not in switched_off]
    _refuse_two_of_a_name(feed, [*standards, *(standard for standard, _ in of_books.not_run)])

    judged = _judged_so_far(con, feed)
    known = {standard.name: _state_read(standard, workings, states, held) for standard in standards}
    tasks: list[_Task] = []
    broken: dict[str, str] = {}
    for standard in standards:
        definition, state, seen = judged.get(standard.name, ("", "", 0))
        same = definition == standard.definition
        since = min(load_seq, seen + 1) if same and not standard.whole else 0
        if standard.rule is None and not _speaks_of_rows(standard.table, states, held):
            continue
        if (same and state == known[standard.name]) if standard.whole else states[standard.table].newest < since:
            continue
        if not standard.sql and str(standard.column).lower() not in states[standard.table].columns:
            broken[standard.name] = f"the raw table has no column {standard.column}"
            continue
        try:
            tasks.append(_task(feed, standard, since, workings))
        except KeyError as error:
            broken[standard.name] = f"it reads {error}, which this feed does not have"
        except Exception as error:
            broken[standard.name] = f"a table it reads could not be prepared ({type(error).__name__}); see its book"

    broken |= _judge(warehouse, feed, tasks, workings, states, held)
    with warehouse.transaction():
        verdicts = volume.judge(con, feed, tables, load_id=load_id, load_seq=load_seq, today=workings.today)
        doubtful, parameters = _doubtful(con, feed, standards, tasks, broken, judged, states, held, load_seq)
        as_before = [each.name for each in standards if judged.get(each.name, ("",))[0] == each.definition]
        history.record(
            con, feed, load_id=load_id, tables=states, as_before=as_before, doubtful=doubtful, parameters=parameters
        )
        verdicts = _verdicts(con, feed, standards, broken, states, held, workings) + verdicts
        verdicts += [
            Verdict(
                feed.id,
                standard.table,
                standard.name,
                standard.severity,
                0,
                0,
                "not_run",
                reason,
                harm_of(feed, standard),
            )
            for standard, reason in of_books.not_run
        ]
        _write_results(con, feed, load_id, verdicts)
        _write_judged(con, feed, standards, broken, known, load_seq)
    return verdicts


def _judge(
    warehouse: Warehouse,
    feed: Feed,
    tasks: Sequence[_Task],
    workings: Workings,
    states: Mapping[str, _TableState],
    held: Mapping[str, tuple[int, str]],
) -> dict[str, str]:
    """Fills temp.failing; returns why, for each standard that could not be run."""
    if not tasks:
        return {}
    broken = _find(warehouse, feed, [task for task in tasks if _can_fail(task.standard, states, held)], states)
    tasks = [task for task in tasks if task.standard.name not in broken]
    try:
        with gx_duckdb.Judge(warehouse.cursor) as judge:
            answers = judge.answers(
                _counts_found, [gx_duckdb.Question(task.standard.name, task.standard.severity) for task in tasks]
            )
    except gx_duckdb.GxChangedError as error:
        return {task.standard.name: str(error) for task in tasks}
    except Exception as error:
        reason = f"Great Expectations could not be started ({type(error).__name__})"
        return {task.standard.name: reason for task in tasks}
    unanswered = [name for name, answer in answers.items() if answer == "broken"]
    broken |= {name: f"Great Expectations could not run {name}" for name in unanswered}
    failing = [task for task in tasks if answers[task.standard.name] == "fail"]
    _keep_rows_found(warehouse.con, feed, failing, workings, states)
    kept = dict(warehouse.con.execute("SELECT expectation, count(*) FROM temp.failing GROUP BY expectation").fetchall())
    for name in (task.standard.name for task in failing):
        if not kept.get(name):
            broken[name] = f"{name} fails but points at no current row; see its SQL"
    return broken


def _find(
    warehouse: Warehouse, feed: Feed, tasks: Sequence[_Task], states: Mapping[str, _TableState]
) -> dict[str, str]:
    """Asks every standard once: the rows that fail go into the table `found`. Returns why, for each that raised."""
    warehouse.con.execute(
        f"CREATE TABLE {SCHEMA}.found (expectation VARCHAR, raw_row_id VARCHAR, column_name VARCHAR, value VARCHAR, "
        "hint VARCHAR)"
    )
    in_one_pass = _of_one_pass(feed, tasks, states)
    raised = warehouse.side_by_side([_finding_in_one_pass(rows, group) for rows, group in in_one_pass.items()])
    # One that raises takes the others of its pass down with it: those are asked one at a time.
    answered, again = set(), {}
    for (rows, group), error in zip(in_one_pass.items(), raised, strict=True):
        for task, condition in group:
            if error is None:
                answered.add(task.standard.name)
            else:
                again[task.standard.name] = _finding_in_one_pass(rows, [(task, condition)])
    alone = [task.standard.name for task in tasks if task.standard.name not in answered]
    rules = {task.standard.name: task.sql for task in tasks}
    # BY NAME: a rule gives the columns it has something to say in.
    raised = warehouse.side_by_side(
        [
            again.get(name)
            or f"INSERT INTO {SCHEMA}.found BY NAME SELECT {literal(name)} AS expectation, * FROM ({rules[name]}\n)"
            for name in alone
        ]
    )
    # DuckDB's messages quote the data: only the kind of the fault may be told.
    return {
        name: f"{type(error).__name__} while judging {name}; see its SQL"
        for name, error in zip(alone, raised, strict=True)
        if error is not None
    }


def _of_one_pass(
    feed: Feed, tasks: Iterable[_Task], states: Mapping[str, _TableState]
) -> dict[str, list[tuple[_Task, str]]]:
    """By the rows they judge, the standards that no more than hold each row against a condition, and what a failing row meets.

    They are those of columns, and rules that read one prepared table; DuckDB takes longer to plan one than to run it.
    """
    groups: dict[str, list[tuple[_Task, str]]] = {}
    columns: dict[tuple[str, int], list[_Task]] = {}
    for task in tasks:
        if not task.standard.sql:
            columns.setdefault((task.standard.table, task.since), []).append(task)
        elif (asked := _OF_ONE_TABLE.fullmatch(task.sql)) and not _MORE_THAN_A_CONDITION.search(asked["condition"]):
            alias = asked["alias"] or "judged"
            if asked["qualifier"] in (None, alias):
                groups.setdefault(f"{asked['table']} AS {alias}", []).append((task, asked["condition"]))
    for (table, _), of_one_scan in columns.items():
        groups[_values(feed, of_one_scan, many=states[table].current >= _MANY_ROWS)] = [
            (task, f"NOT ({_condition(task.standard)})") for task in of_one_scan
        ]
    return groups


def _finding_in_one_pass(rows: str, group: Sequence[tuple[_Task, str]]) -> str:
    """Rows that fail none of these go no further than the filter: of a clean table nothing is unnested."""
    names = ", ".join(literal(task.standard.name) for task, _ in group)
    conditions = ", ".join(f"({condition}\n) AS f{place}" for place, (_, condition) in enumerate(group, start=1))
    failed = " OR ".join(f"f{place}" for place in range(1, len(group) + 1))
    places = ", ".join(f"CASE WHEN f{place} THEN {place} END" for place in range(1, len(group) + 1))
    return (
        f"INSERT INTO {SCHEMA}.found (expectation, raw_row_id) SELECT ([{names}])[failed], raw_row_id FROM ("
        f"SELECT raw_row_id, unnest([{places}]) AS failed FROM (SELECT raw_row_id, {conditions} FROM {rows}) WHERE {failed}"
        ") WHERE failed IS NOT NULL"
    )


def _counts_found(names: Sequence[str]) -> str:
    asked = ", ".join(literal(name) for name in names)
    return f"SELECT expectation, count(*) FROM {SCHEMA}.found WHERE expectation IN ({asked}) GROUP BY expectation"


def _values(feed: Feed, tasks: Sequence[_Task], *, many: bool) -> str:
    """The rows to be judged: the columns that are spoken of, without surrounding space.

    Of many rows, those that hold at sight are left out: to tidy every text is half the work of judging it.
    """
    texts = {f"value of {column}": column for column in sorted({str(task.standard.column) for task in tasks})}
    doubtful = (f"NOT ({task.standard.at_sight.replace(VALUE, quoted(str(task.standard.column)))})" for task in tasks)
    rows = _window(tasks[0].since) + (f" AND ({' OR '.join(doubtful)})" if many else "")
    rows = f"{_raw(feed, tasks[0].standard.table)} WHERE {rows}"
    if many:  # each by itself, since as a list all would be read again wherever one is looked at
        told = ", ".join(f"tidy_each([{quoted(column)}])[1] AS {quoted(name)}" for name, column in texts.items())
        return f"(SELECT raw_row_id, {told} FROM {rows}) AS judged"
    return f"({reading.tidied(rows, texts, beside='raw_row_id')}) AS judged"


def _condition(standard: Standard) -> str:
    return standard.holds.replace(VALUE, quoted(f"value of {standard.column}"))


def _task(feed: Feed, standard: Standard, since: int, workings: Workings) -> _Task:
    if not standard.sql:
        return _Task(standard, since)
    table = feed.table(standard.table)
    rows = f"(SELECT * FROM {_raw(feed, table.name)} WHERE {_window(since)})"
    return _Task(standard, since, workings.sql(standard.sql, rows=rows, quarantine=_quarantine(feed, table)))


def _keep_rows_found(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    tasks: Sequence[_Task],
    workings: Workings,
    states: Mapping[str, _TableState],
) -> None:
    """The rows found, all standards at once, each with where it came from and what it holds.

    A row is one of the standard's tables that was judged, or one held back. Where a rule does not say which value fails, it
    is told from the columns that the standard speaks of.
    """
    if not tasks:
        return
    spoken_of = {
        table.name: [column.name for column in table.columns if column.name in said]
        for table in feed.tables
        for said in [
            {
                name
                for task in tasks
                if table.name in task.standard.tables
                for name in (task.standard.column or "").split(", ")
            }
        ]
    }
    asked = [
        (
            task.standard.name,
            table,
            task.standard.severity,
            task.standard.hint,
            *_places(spoken_of[table], task.standard),
            task.since,
        )
        for task in tasks
        for table in task.standard.tables
    ]
    con.execute(
        f"CREATE OR REPLACE TABLE {SCHEMA}.asked AS SELECT unnest($1::VARCHAR[]) AS expectation, "
        "unnest($2::VARCHAR[]) AS table_name, unnest($3::VARCHAR[]) AS severity, unnest($4::VARCHAR[]) AS hint, "
        "unnest($5::VARCHAR[][]) AS columns, unnest($6::INT[][]) AS places, unnest($7::BIGINT[]) AS since",
        [list(column) for column in zip(*asked, strict=True)],
    )
    tables = [feed.table(name) for name in dict.fromkeys(table for _, table, *_ in asked)]
    to_point_at = [
        _rows_to_point_at(table, spoken_of[table.name], _landed_rows(feed, table))
        for table in tables
        if _holds_rows(states.get(table.name))
    ]
    to_point_at += [
        _rows_to_point_at(table, spoken_of[table.name], workings.held_rows(table))
        for table in tables
        if table.name in workings.sees_held
    ]
    con.execute(
        f"""
        INSERT INTO temp.failing BY NAME
        WITH found AS (
            SELECT DISTINCT ON (expectation, raw_row_id) * FROM {SCHEMA}.found
            WHERE expectation IN (SELECT expectation FROM {SCHEMA}.asked)
            ORDER BY column_name, value
        ),
        named AS MATERIALIZED (SELECT DISTINCT raw_row_id FROM {SCHEMA}.found),
        pointed_at AS (
            {" ".join(f"{each} UNION ALL" for each in to_point_at)}
            SELECT quarantine_id, quarantine_id, table_name, load_id, {NEWEST}, file_id, row_number, NULL, NULL FROM quarantine
            WHERE agency = $agency AND feed = $feed AND released_load_id IS NULL
              AND quarantine_id IN (SELECT raw_row_id FROM named)
              AND NOT list_contains($told, table_name)
        ),
        f AS (
            SELECT found.* EXCLUDE (hint), coalesce(found.hint, asked.hint) AS hint, asked.severity,
                   if(held IS NULL, [], asked.columns) AS columns, asked.places, pointed_at.* EXCLUDE (raw_row_id)
            FROM found
            JOIN pointed_at ON pointed_at.raw_row_id = found.raw_row_id
            JOIN {SCHEMA}.asked ON asked.expectation = found.expectation AND asked.table_name = pointed_at.table_name
             AND pointed_at.load_seq >= asked.since
        )
        SELECT $agency AS agency, $feed AS feed, f.table_name, f.expectation, f.row_key, f.severity, f.raw_row_id,
               n.name AS source_file, f.row_number, f.local_id,
               coalesce(f.column_name, nullif(array_to_string(f.columns, ', '), '')) AS column_name,
               coalesce(f.value, CASE WHEN len(f.columns) = 1 THEN f.held[f.places[1]] ELSE nullif(array_to_string(list_transform(
                   f.columns, lambda name, place: name || ' ' || coalesce(f.held[f.places[place]], '(blank)')), ', '), '') END) AS value,
               f.hint
        FROM f
        LEFT JOIN (SELECT load_id, file_id, min(name) AS name FROM received_file WHERE agency = $agency AND feed = $feed
                   GROUP BY load_id, file_id) n ON n.load_id = f.load_id AND n.file_id = f.file_id
        """,
        {"agency": feed.agency, "feed": feed.name, "told": sorted(workings.sees_held)},
    )


def _holds_rows(state: _TableState | None) -> bool:
    """Whether a table has any row that a rule can find: current, or beaten by another of its own file."""
    return state is not None and (state.current > 0 or BEATEN in state.met)


def _places(spoken_of: Sequence[str], standard: Standard) -> tuple[list[str], list[int]]:
    """Which columns of a table a rule speaks of, and their places among those that any rule speaks of."""
    columns = [name for name in (standard.column or "").split(", ") if name in spoken_of]
    return columns, [spoken_of.index(name) + 1 for name in columns]


def _landed_rows(feed: Feed, table: Table) -> str:
    """Rows a rule can find that were landed: current or beaten by another of their own file."""
    return f"(SELECT *, {history.ROW_KEY} FROM {_raw(feed, table.name)} WHERE superseded_seq IS NULL OR superseded_seq = load_seq)"


def _rows_to_point_at(table: Table, spoken_of: Sequence[str], rows: str) -> str:
    """Rows a rule found, by where they came from; `held` is what they hold in the columns that are spoken of."""
    held = ", ".join(quoted(name.lower()) for name in spoken_of)
    return f"""
        SELECT raw_row_id, row_key, {literal(table.name)} AS table_name, load_id, load_seq, file_id, row_number,
               {_local_id(table)} AS local_id, tidy_each([{held}]::VARCHAR[]) AS held
        FROM {rows} WHERE raw_row_id IN (SELECT raw_row_id FROM named)
    """


def _doubtful(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    standards: Sequence[Standard],
    tasks: Sequence[_Task],
    broken: Mapping[str, str],
    judged: Mapping[str, tuple[str, str, int]],
    states: Mapping[str, _TableState],
    held: Mapping[str, tuple[int, str]],
    load_seq: int,
) -> tuple[str, dict[str, Any]]:
    """Of failures, those that stand only if they were found again: of standards no longer held, rows no longer current, and what
    was judged anew. A condition on open spells, and its parameters.
    """
    # What other agencies say differently is judged anew once people are linked.
    of_feed = f"NOT starts_with(expectation, '{between.PREFIX}')"
    failing = con.execute(
        f"SELECT DISTINCT table_name FROM quality_spell WHERE {history.OPEN} AND {of_feed}",
        {"agency": feed.agency, "feed": feed.name},
    ).fetchall()
    conditions = ["expectation NOT IN (SELECT unnest($names::VARCHAR[]))", "list_contains($silent, table_name)"]
    for table in states.keys() & {table for (table,) in failing}:
        seen = [
            judged[standard.name][2] for standard in standards if standard.table == table and standard.name in judged
        ]
        since = min(load_seq, min(seen, default=0) + 1)
        conditions.append(
            f"table_name = {literal(table)} AND raw_row_id IN "
            f"(SELECT raw_row_id FROM {_raw(feed, table)} WHERE superseded_seq >= {since})"
        )
    anew: dict[str, list[str]] = {}
    for task in tasks:
        standard = task.standard
        # What broke says nothing of rows judged before, unless the standard is no longer the one they were judged by.
        if standard.name not in broken or judged.get(standard.name, ("",))[0] not in ("", standard.definition):
            rows = f"(SELECT raw_row_id FROM {_raw(feed, standard.table)} WHERE load_seq >= {task.since})"
            anew.setdefault(f" AND raw_row_id IN {rows}" if task.since else "", []).append(standard.name)
    conditions += [
        f"expectation IN ({', '.join(literal(name) for name in names)}){rows}" for rows, names in anew.items()
    ]
    return f"{of_feed} AND (({') OR ('.join(conditions)}))", {
        "names": [standard.name for standard in standards],
        "silent": [table for table in states if not _speaks_of_rows(table, states, held)],
    }


def _verdicts(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    standards: Sequence[Standard],
    broken: Mapping[str, str],
    states: Mapping[str, _TableState],
    held: Mapping[str, tuple[int, str]],
    workings: Workings,
) -> list[Verdict]:
    """Of all current rows, from the failures that stand."""
    standing = dict(
        con.execute(
            f"SELECT expectation, count(*) FROM quality_spell WHERE {history.OPEN} GROUP BY expectation",
            {"agency": feed.agency, "feed": feed.name},
        ).fetchall()
    )
    verdicts = []
    for standard in standards:
        if standard.name in broken:
            reason = broken[standard.name]
            verdicts.append(
                Verdict(
                    feed.id,
                    standard.table,
                    standard.name,
                    standard.severity,
                    0,
                    0,
                    "broken",
                    reason,
                    harm_of(feed, standard),
                )
            )
            continue
        evaluated = (
            workings.evaluated(standard)
            if standard.rule
            else states[standard.table].current
            + (held.get(standard.table, (0,))[0] if standard.speaks_of_held_rows else 0)
        )
        failed = standing.get(standard.name, 0)
        message = "" if evaluated else "nothing received yet"
        status = status_of(standard.severity, failed)
        verdicts.append(
            Verdict(
                feed.id,
                standard.table,
                standard.name,
                standard.severity,
                evaluated,
                failed,
                status,
                message,
                harm_of(feed, standard),
            )
        )
    return verdicts


def _write_results(con: duckdb.DuckDBPyConnection, feed: Feed, load_id: str, verdicts: Sequence[Verdict]) -> None:
    # A night carried on after a kill checks again what it had checked; what was said once people were linked stands.
    con.execute(
        "DELETE FROM quality_result WHERE load_id = ? AND agency = ? AND feed = ? AND expectation <> ? AND NOT starts_with(expectation, ?)",
        [load_id, feed.agency, feed.name, volume.ONCE_LINKED, between.PREFIX],
    )
    columns = ("table", "expectation", "severity", "harm", "evaluated", "failed", "status", "message")
    con.execute(
        "INSERT INTO quality_result (load_id, agency, feed, table_name, expectation, severity, harm, evaluated, failed, "
        "status, message) SELECT ?, ?, ?, unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
        "unnest(?::BIGINT[]), unnest(?::BIGINT[]), unnest(?::VARCHAR[]), nullif(unnest(?::VARCHAR[]), '')",
        [load_id, feed.agency, feed.name, *([getattr(verdict, column) for verdict in verdicts] for column in columns)],
    )


def _write_judged(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    standards: Sequence[Standard],
    broken: Mapping[str, str],
    known: Mapping[str, str],
    load_seq: int,
) -> None:
    con.execute(f'DELETE FROM "{JUDGED.name}" WHERE agency = ? AND feed = ?', [feed.agency, feed.name])
    con.execute(
        f'INSERT INTO "{JUDGED.name}" SELECT ?, ?, unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), ?',
        [
            feed.agency,
            feed.name,
            [standard.name for standard in standards],
            ["" if standard.name in broken else standard.definition for standard in standards],
            [known[standard.name] for standard in standards],
            load_seq,
        ],
    )


def _table_states(con: duckdb.DuckDBPyConnection, feed: Feed) -> dict[str, _TableState]:
    """The feed's raw tables that exist."""
    present: dict[str, frozenset[str]] = {}
    for table in feed.tables:
        with suppress(duckdb.CatalogException):  # nothing of the feed ever landed
            described = con.execute(f"SELECT * FROM {_raw(feed, table.name)} LIMIT 0").description
            present[table.name] = frozenset(column[0].lower() for column in described or ())
    if not present:
        return {}
    met = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in CONDITIONS)
    rows = con.execute(
        " UNION ALL ".join(
            f"""
            SELECT {literal(table)}, count(*) FILTER (superseded_seq IS NULL),
                   coalesce(max(load_seq) FILTER (superseded_seq IS NULL), -1),
                   concat_ws('/', count(*), coalesce(max(load_seq), 0), coalesce(max(superseded_seq), 0),
                             coalesce(max(vanished_seq), 0), count(vanished_seq), count(superseded_seq)), [{met}]
            FROM {_raw(feed, table)}
            """
            for table in present
        )
    ).fetchall()
    return {
        table: _TableState(
            present[table],
            current,
            newest,
            fingerprint,
            frozenset(condition for condition, is_met in zip(CONDITIONS, told, strict=True) if is_met),
        )
        for table, current, newest, fingerprint, told in rows
    }


def _held_rows(con: duckdb.DuckDBPyConnection, feed: Feed) -> dict[str, tuple[int, str]]:
    """Rows in quarantine by table: how many, and a fingerprint of which."""
    rows = con.execute(
        "SELECT table_name, count(*), bit_xor(hash(quarantine_id))::VARCHAR FROM quarantine "
        "WHERE agency = ? AND feed = ? AND released_load_id IS NULL GROUP BY table_name",
        [feed.agency, feed.name],
    ).fetchall()
    return {table: (count, fingerprint) for table, count, fingerprint in rows}


def _judged_so_far(con: duckdb.DuckDBPyConnection, feed: Feed) -> dict[str, tuple[str, str, int]]:
    rows = con.execute(
        f'SELECT expectation, definition, state, load_seq FROM "{JUDGED.name}" WHERE agency = ? AND feed = ?',
        [feed.agency, feed.name],
    ).fetchall()
    return {name: (definition, state, load_seq) for name, definition, state, load_seq in rows}


def _speaks_of_rows(table: str, states: Mapping[str, _TableState], held: Mapping[str, tuple[int, str]]) -> bool:
    """Whether there is any row, current or held back, for a standard of this table to speak of."""
    return bool(states[table].current or held.get(table, (0,))[0])


def _can_fail(standard: Standard, states: Mapping[str, _TableState], held: Mapping[str, tuple[int, str]]) -> bool:
    """Whether there is any row at all that the standard could find; if not, to plan its SQL is wasted."""
    if standard.speaks_of_held_rows:
        return standard.table in held
    return not standard.possible_where or standard.possible_where in states[standard.table].met


def _state_read(
    standard: Standard, workings: Workings, states: Mapping[str, _TableState], held: Mapping[str, tuple[int, str]]
) -> str:
    """A fingerprint of all that a whole rule reads: while it is the same, so is the verdict."""
    if not standard.whole:
        return ""
    read = workings.reads(standard.sql)
    tables = {standard.table, *workings.tables_read(standard.sql)} & set(states)
    seen = [f"{name} {states[name].fingerprint}{workings.held_print(name)}" for name in sorted(tables)]
    seen += [f"held {held.get(standard.table, (0, ''))}"] if "quarantine" in read else []
    seen += [f"on {workings.today.isoformat()}"] if "today" in read else []
    return ", ".join(seen)


def _refuse_two_of_a_name(feed: Feed, standards: Sequence[Standard]) -> None:
    names = (standard.name for standard in standards)
    twice = sorted(name for name, often in Counter(names).items() if often > 1)
    if twice:
        raise ValueError(f"{feed.id}: more than one standard is called {', '.join(twice)}; give each its own name")


def _quarantine(feed: Feed, table: Table) -> str:
    return (
        f"(SELECT * FROM quarantine WHERE agency = {literal(feed.agency)} AND feed = {literal(feed.name)} "
        f"AND table_name = {literal(table.name)} AND released_load_id IS NULL)"
    )


def _window(since: int) -> str:
    """Current rows of loads from this one on."""
    return f"load_seq >= {int(since)} AND superseded_seq IS NULL"


def _local_id(table: Table) -> str:
    """The agency's own key of the row, as received."""
    return f"concat_ws('/', {', '.join(f'trim({quoted(name)})' for name in table.key)})" if table.key else "source_key"


def _raw(feed: Feed, table: str) -> str:
    return f"raw.{quoted(feed.raw(table))}"

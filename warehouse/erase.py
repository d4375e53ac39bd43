"""What is held of somebody, by which marks it is known, and taking it out: of rows that arrive and of the core.

A row that is the person's alone goes whole. A row that is about others as well stays for them, emptied of what tells of the person.
What lives here: SQL over raw tables, the common model and what was made of them. What must not: landing's files and the order in which an
erasure is carried out (pipelines/erasing.py), and any feed's meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from warehouse.erasures import Erasure, Marks, marks_of_column
from warehouse.land import RawTable, row_hash, source_key
from warehouse.quoting import literal, quoted
from warehouse.schema import COMMON_MODEL

_RECORD_COLUMNS = ("record_id", "record_id_a", "record_id_b", "other_record_id")
# Columns that say with which record another was compared.
_POINTERS = ("best_record_id", "rival_record_id")
_NOT_DESCRIBED = "not_described/%"


@dataclass(frozen=True)
class Erasable:
    """A raw table with what its contract says of its columns, all in lower case."""

    raw: RawTable
    identifying: frozenset[str]
    special: frozenset[str]
    pointing: frozenset[str]  # columns that hold keys of other rows
    references: frozenset[str]  # those of them that are JSON


@dataclass
class Found:
    """What is held of some records: the marks of their rows, how many rows by raw table go, and how many stay emptied.

    `along` are records of others that came with nothing else.
    """

    marks: Marks
    along: list[str] = field(default_factory=list)
    gone: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)


# Rows that arrive


def take_out(con: duckdb.DuckDBPyConnection, raw: RawTable, relation: str, scope: str, file_id: str) -> tuple[int, int]:
    """Takes rows of erased people out of a temporary table of received rows; empties what is shared. Returns how many rows of each kind.

    Needs Erasures.prepare() on this connection. Costs nothing where no erasure concerns the table.
    """
    if not concerned(con, raw):
        return 0, 0
    key, text = source_key(raw, literal(scope)), literal(raw.name)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE taken_out AS SELECT r._place AS place, s.emptied "
        f"FROM (SELECT *, rowid AS _place, {key} AS _key FROM {relation}) r "
        f"LEFT JOIN temp.erased_shared s ON s.raw = {text} AND s.mark = erasure_mark(_key) "
        f"WHERE s.mark IS NOT NULL OR {_is_erased(con, raw, '_key', literal(file_id))}"
    )
    _empty(con, raw, relation, "temp.taken_out", hashed=False)
    gone, emptied = con.execute(
        "SELECT count(*) FILTER (emptied IS NULL), count(*) FILTER (len(emptied) > 0) FROM temp.taken_out"
    ).fetchall()[0]
    con.execute(f"DELETE FROM {relation} WHERE rowid IN (SELECT place FROM temp.taken_out WHERE emptied IS NULL)")
    return int(gone), int(emptied)


def concerned(con: duckdb.DuckDBPyConnection, raw: RawTable) -> bool:
    """Whether any erasure that stands knows rows of this raw table."""
    (found,) = con.execute(
        "SELECT count(*) FROM (SELECT raw FROM temp.erased_row UNION ALL SELECT raw FROM temp.erased_value "
        "UNION ALL SELECT raw FROM temp.erased_place UNION ALL SELECT raw FROM temp.erased_shared) WHERE raw = ?",
        [raw.name],
    ).fetchall()[0]
    return bool(found)


def forget_staged(con: duckdb.DuckDBPyConnection, agency: str, feed: str) -> None:
    """Before load: nothing staged is said of an erased record, nor of a relationship with one."""
    (any_erased,) = con.execute("SELECT count(*) FROM temp.erased_record").fetchall()[0]
    for relation in COMMON_MODEL.values() if any_erased else ():
        columns = [name for name in _RECORD_COLUMNS if name in relation.names()]
        con.execute(
            f'DELETE FROM staged."{agency}_{feed}_{relation.name}" WHERE '
            + " OR ".join(f"erasure_mark({name}) IN (SELECT mark FROM temp.erased_record)" for name in columns)
        )


def _is_erased(con: duckdb.DuckDBPyConnection, raw: RawTable, key: str, file_id: str) -> str:
    """SQL: whether a row of the raw table is an erased person's."""
    text = literal(raw.name)
    conditions = [
        f"erasure_mark({key}) IN (SELECT mark FROM temp.erased_row WHERE raw = {text})",
        f"({key} IS NULL AND erasure_mark({file_id} || '/' || row_number) IN (SELECT mark FROM temp.erased_place WHERE raw = {text}))",
    ]
    for column, reference in con.execute(
        "SELECT DISTINCT column_name, reference FROM temp.erased_value WHERE raw = ? ORDER BY ALL", [raw.name]
    ).fetchall():
        if column in raw.columns:
            known = f"SELECT coalesce(list(mark), []) FROM temp.erased_value WHERE raw = {text} AND column_name = {literal(column)}"
            conditions.append(f"list_has_any({marks_of_column(column, reference=reference)}, ({known}))")
    return "coalesce(" + " OR ".join(f"coalesce({condition}, false)" for condition in conditions) + ", false)"


def _empty(con: duckdb.DuckDBPyConnection, raw: RawTable, relation: str, places: str, *, hashed: bool) -> None:
    """Empties the columns that `places` (place, emptied) names."""
    names = [*raw.columns, "extra"]
    for name in names:
        con.execute(
            f"UPDATE {relation} SET {quoted(name)} = NULL FROM {places} p WHERE {relation}.rowid = p.place "
            f"AND list_contains(p.emptied, {literal(name)})"
        )
    if hashed:
        con.execute(
            f"UPDATE {relation} SET row_hash = {row_hash(raw)} WHERE rowid IN (SELECT place FROM {places} WHERE emptied IS NOT NULL)"
        )


# What is held of somebody


def find(con: duckdb.DuckDBPyConnection, feeds: Mapping[str, Sequence[Erasable]], records: Sequence[str]) -> Found:
    """Everything that landed of these records and nothing of others; changes nothing. `feeds` are the raw tables there are, by feed id.

    Rows are the person's where something was made of them that is said of the person, where their owner is, and where they point at such
    a row.
    """
    found = Found(Marks(records=_marks_of(con, "SELECT unnest(?)", [list(records)])))
    for feed, tables in feeds.items():
        ours = [record for record in records if record.startswith(f"{feed}:")]
        if ours:
            _find_in_feed(con, feed, tables, ours, found)
    return found


def _find_in_feed(
    con: duckdb.DuckDBPyConnection, feed: str, tables: Sequence[Erasable], records: list[str], found: Found
) -> None:
    agency, _, name = feed.partition(".")
    union = " UNION ALL ".join(
        f"SELECT record_id, raw_row_id, source_key LIKE '{_NOT_DESCRIBED}' AS undescribed, '{relation}' AS said_in FROM \"{relation}\" "
        "WHERE agency = $agency AND feed = $feed"
        for relation in COMMON_MODEL
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE said AS SELECT DISTINCT record_id, raw_row_id, said_in, "
        f"list_contains($records, record_id) AS ours, substr(record_id, length($id) + 2) AS source_person_id "
        f"FROM ({union}) WHERE NOT undescribed",
        {"agency": agency, "feed": name, "records": records, "id": feed},
    )
    for table in tables:
        _mark_rows(con, table.raw, found.marks)
    for table in tables:
        owners = _owners(table.raw, tables)
        if table.raw.owner:
            column = owners.raw.key[0] if len(owners.raw.key) == 1 else owners.raw.owner
            values = _values(con, owners.raw, column) if column else []
            _add(found.marks.values, con, table.raw.name, table.raw.owner, values)
        for column in table.references:
            values = [
                f"{other.raw.table}/{value}".lower()
                for other in tables
                if len(other.raw.key) == 1
                for value in _values(con, other.raw, other.raw.key[0])
            ]
            _add(found.marks.references, con, table.raw.name, column, values)
    for _ in range(3):  # a row that points at a row that points at the person's
        _follow(con, tables, found.marks)
    _set_shared_apart(con, tables, found)


def _mark_rows(con: duckdb.DuckDBPyConnection, raw: RawTable, marks: Marks) -> None:
    """Rows from which something said of the person was made."""
    ours = "raw_row_id IN (SELECT raw_row_id FROM temp.said WHERE ours)"
    said = f"SELECT DISTINCT source_key FROM {raw.relation} WHERE {ours} AND source_key IS NOT NULL"
    if new := _marks_of(con, said):
        marks.rows.setdefault(raw.name, []).extend(new)


def _owners(raw: RawTable, tables: Sequence[Erasable]) -> Erasable:
    """The table whose key a row's owner column holds: as when rows vanish."""
    return next((table for table in tables if raw.owner and table.raw.key == (raw.owner,)), tables[0])


def _values(con: duckdb.DuckDBPyConnection, raw: RawTable, column: str) -> list[str]:
    """What a column holds in the rows that describe the person."""
    rows = con.execute(
        f"SELECT DISTINCT trim({quoted(column)}) FROM {raw.relation} WHERE raw_row_id IN "
        f"(SELECT raw_row_id FROM temp.said WHERE ours AND said_in = 'person_record') AND trim({quoted(column)}) <> ''"
    ).fetchall()
    return [value for (value,) in rows]


def _follow(con: duckdb.DuckDBPyConnection, tables: Sequence[Erasable], marks: Marks) -> None:
    """Rows without an owner whose column holds nothing but keys of another table, one of which is the person's."""
    for table in tables:
        if table.raw.owner or table.references:
            continue
        for column in table.pointing - set(table.raw.key):
            for other in tables:
                if other is table or len(other.raw.key) != 1 or other.raw.name not in {*marks.rows, *marks.values}:
                    continue
                key = other.raw.key[0]
                (stray, some) = con.execute(
                    f"SELECT count(*) FILTER (trim({quoted(column)}) NOT IN (SELECT trim({quoted(key)}) FROM {other.raw.relation} "
                    f"WHERE {quoted(key)} IS NOT NULL)), count({quoted(column)}) FROM {table.raw.relation}"
                ).fetchall()[0]
                if some and not stray:
                    known = f"erasure_mark(source_key) IN (SELECT unnest($rows)) OR {_by_values(marks.values.get(other.raw.name, {}))}"
                    values = con.execute(
                        f"SELECT DISTINCT trim({quoted(key)}) FROM {other.raw.relation} WHERE {known}",
                        {"rows": marks.rows.get(other.raw.name, [])},
                    ).fetchall()
                    _add(marks.values, con, table.raw.name, column, [value for (value,) in values])


def _by_values(columns: Mapping[str, Sequence[str]]) -> str:
    conditions = [
        f"erasure_mark(trim({quoted(column)})) IN ({', '.join(map(literal, found))})"
        for column, found in columns.items()
        if found
    ]
    return " OR ".join(conditions) or "false"


def _add(
    marks: dict[str, dict[str, list[str]]], con: duckdb.DuckDBPyConnection, raw: str, column: str, values: list[str]
) -> None:
    if values:
        known = marks.setdefault(raw, {}).setdefault(column, [])
        known.extend(mark for mark in _marks_of(con, "SELECT unnest(?)", [values]) if mark not in known)


def _set_shared_apart(con: duckdb.DuckDBPyConnection, tables: Sequence[Erasable], found: Found) -> None:
    """Rows of which something is said of others stay, emptied; all others are counted as gone.

    What belongs to the person goes whole, and with it records of others that came with nothing else, as a parent's on a pupil's file.
    """
    marks = found.marks
    con.execute(
        "CREATE OR REPLACE TEMP TABLE erasing (raw VARCHAR, source_key VARCHAR, raw_row_id VARCHAR, belongs BOOLEAN)"
    )
    for table in tables:
        raw = table.raw
        owned = [
            f"list_has_any({marks_of_column(column, reference=reference)}, [{', '.join(map(literal, known))}])"
            for by_column, reference in ((marks.values, False), (marks.references, True))
            for column, known in by_column.get(raw.name, {}).items()
        ]
        of_key = "source_key IN (SELECT source_person_id FROM temp.said WHERE ours)"
        told = f"erasure_mark(source_key) IN ({', '.join(map(literal, marks.rows.get(raw.name) or ['']))})"
        belongs = " OR ".join(f"coalesce({condition}, false)" for condition in (*owned, f"({told} AND {of_key})"))
        con.execute(
            f"INSERT INTO temp.erasing SELECT {literal(raw.name)}, source_key, raw_row_id, {belongs} AS theirs FROM {raw.relation} "
            f"WHERE source_key IS NOT NULL AND (theirs OR {told})"
        )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE along AS SELECT record_id FROM temp.said LEFT JOIN temp.erasing e USING (raw_row_id) WHERE NOT ours "
        "GROUP BY record_id HAVING bool_and(coalesce(e.belongs, false))"
    )
    found.along += [record for (record,) in con.execute("SELECT record_id FROM temp.along ORDER BY ALL").fetchall()]
    marks.records += _marks_of(con, "SELECT record_id FROM temp.along")
    for table in tables:
        raw = table.raw
        shared = con.execute(
            "SELECT DISTINCT source_key FROM temp.erasing JOIN (SELECT raw_row_id FROM temp.said ANTI JOIN temp.along USING (record_id) "
            "WHERE NOT ours) USING (raw_row_id) WHERE raw = ? ORDER BY ALL",
            [raw.name],
        ).fetchall()
        for (key,) in shared:
            (mark,) = _marks_of(con, "SELECT ?", [key])
            marks.shared.setdefault(raw.name, {})[mark] = _to_empty(con, table, key)
        gone, emptied = con.execute(
            "SELECT count(*) FILTER (NOT list_contains($shared, source_key)), count(*) FILTER (list_contains($shared, source_key)) "
            "FROM temp.erasing WHERE raw = $raw",
            {"shared": [key for (key,) in shared], "raw": raw.name},
        ).fetchall()[0]
        found.gone |= {raw.name: gone} if gone else {}
        found.emptied |= {raw.name: emptied} if emptied else {}


def _to_empty(con: duckdb.DuckDBPyConnection, table: Erasable, key: str) -> list[str]:
    """The columns of a shared row that are emptied.

    Of a row that is mainly the person's: all that identifies or tells, but what is others' own. Of any other row: what holds the
    person's names or numbers; what is written there is about somebody else and stays theirs.
    """
    names = [*table.raw.columns, "extra"]
    versions = con.execute(
        f"SELECT raw_row_id, {', '.join(map(quoted, names))} FROM {table.raw.relation} WHERE source_key = ?", [key]
    ).fetchall()
    people = con.execute(
        "SELECT DISTINCT ours, source_person_id, said_in FROM temp.said WHERE list_contains(?, raw_row_id)",
        [[version[0] for version in versions]],
    ).fetchall()
    owner = names.index(table.raw.owner) + 1 if table.raw.owner else None
    subjects = {key} | ({str(version[owner]).strip() for version in versions} if owner else set())
    mine = any(ours and person in subjects for ours, person, _ in people)
    others = any(not ours and person in subjects for ours, person, _ in people)
    told = any(ours and said_in in ("event", "span", "attendance") for ours, _, said_in in people)
    mainly_theirs = mine or (told and not others)
    words = {ours: _words(con, [version[0] for version in versions], ours=ours) for ours in (True, False)}
    emptied = set()
    for version in versions:
        for name, value in zip(names, version[1:], strict=True):
            if value is None or name in table.raw.key or (name in table.pointing and name not in table.identifying):
                continue
            if mainly_theirs:
                keeps = name in table.identifying and _holds(value, words[False])
                if (name in table.identifying or name in table.special or name == "extra") and not keeps:
                    emptied.add(name)
            elif (name in table.identifying or name == "extra") and _holds(value, words[True]):
                emptied.add(name)
    return sorted(emptied)


def _words(con: duckdb.DuckDBPyConnection, raw_row_ids: list[str], *, ours: bool) -> list[tuple[str, ...]]:
    """What tells of the people of some rows: whole names as words that must all be there, numbers."""
    rows = con.execute(
        "SELECT DISTINCT given_names, family_name, nhs_number, upn FROM person_record WHERE record_id IN "
        "(SELECT record_id FROM temp.said WHERE ours = ? AND list_contains(?, raw_row_id))",
        [ours, raw_row_ids],
    ).fetchall()
    found: list[tuple[str, ...]] = []
    for given, family, *numbers in rows:
        name = tuple(re.findall(r"[\w'’-]+", f"{given or ''} {family or ''}".lower()))
        if given and family:
            found.append(name)
        found += [(number.lower(),) for number in numbers if number]
    return found


def _holds(value: str, words: Iterable[tuple[str, ...]]) -> bool:
    said = set(re.findall(r"[\w'’-]+", value.lower()))
    return any(set(each) <= said for each in words)


def _marks_of(con: duckdb.DuckDBPyConnection, select: str, parameters: Any = None) -> list[str]:
    rows = con.execute(
        f"SELECT DISTINCT erasure_mark(said) FROM ({select}) t(said) ORDER BY ALL", parameters or []
    ).fetchall()
    return [mark for (mark,) in rows]


# The core


def erase(
    con: duckdb.DuckDBPyConnection, raws: Iterable[RawTable], erasures: Sequence[Erasure], forgotten: Iterable[str]
) -> None:
    """Takes what erasures name out of the core, within the caller's transaction; what is gone already stays gone.

    `forgotten` are tables that hold nothing but what the next load works out again. Needs Erasures.prepare().
    """
    con.execute("CREATE OR REPLACE TEMP TABLE gone_row (raw_row_id VARCHAR, source_key VARCHAR, raw VARCHAR)")
    present = _columns(con, "raw")
    for raw in raws:
        if raw.name in present and concerned(con, raw):
            _erase_raw(con, raw)
    main = _columns(con, "main")
    for table in set(forgotten) & main.keys():
        con.execute(f'DROP TABLE main."{table}"')
        del main[table]
    for table in _columns(con, "staged"):
        con.execute(f'DROP TABLE staged."{table}"')
    for table, columns in main.items():
        for column in set(_RECORD_COLUMNS) & set(columns):
            con.execute(
                f'DELETE FROM "{table}" WHERE erasure_mark("{column}") IN (SELECT mark FROM temp.erased_record)'
            )
        for column in set(_POINTERS) & set(columns):
            con.execute(
                f'UPDATE "{table}" SET "{column}" = NULL WHERE erasure_mark("{column}") IN (SELECT mark FROM temp.erased_record)'
            )
    con.execute("SET VARIABLE erased_marks = (SELECT coalesce(list(mark), []) FROM temp.erased_record)")
    con.execute(
        "UPDATE identity_change SET record_ids = list_filter(record_ids, lambda record: "
        "NOT list_contains(getvariable('erased_marks'), erasure_mark(record)))"
    )
    in_place = "erasure_mark(file_id || '/' || row_number) IN (SELECT mark FROM temp.erased_place)"
    # What fails of a row held back is known by the row's place in quarantine.
    con.execute(f"INSERT INTO temp.gone_row SELECT quarantine_id, NULL, '' FROM quarantine WHERE {in_place}")
    con.execute(
        "DELETE FROM quality_spell WHERE raw_row_id IN (SELECT raw_row_id FROM temp.gone_row) OR EXISTS (SELECT 1 FROM temp.gone_row g "
        "WHERE g.source_key = quality_spell.row_key AND g.raw = lower(concat_ws('_', agency, feed, table_name)))"
    )
    con.execute(
        "UPDATE received_file AS f SET quarantined = greatest(quarantined - q.n, 0), "
        "refused = coalesce(refused, 0) + least(quarantined, q.n) "
        f"FROM (SELECT agency, feed, file_id, count(*) AS n FROM quarantine WHERE {in_place} GROUP BY ALL) q "
        "WHERE (f.agency, f.feed, f.file_id) = (q.agency, q.feed, q.file_id)"
    )
    con.execute(
        "UPDATE feed_load AS l SET quarantined = f.quarantined, refused = f.refused FROM (SELECT load_id, agency, feed, "
        "sum(quarantined) AS quarantined, sum(refused) AS refused FROM received_file GROUP BY ALL HAVING sum(refused) > 0) f "
        "WHERE (l.load_id, l.agency, l.feed) = (f.load_id, f.agency, f.feed)"
    )
    con.execute(f"DELETE FROM quarantine WHERE {in_place}")
    leave_tombstones(con, erasures)


def _erase_raw(con: duckdb.DuckDBPyConnection, raw: RawTable) -> None:
    text = literal(raw.name)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE taken_out AS SELECT r.rowid AS place, s.emptied FROM {raw.relation} r "
        f"LEFT JOIN temp.erased_shared s ON s.raw = {text} AND s.mark = erasure_mark(source_key) "
        f"WHERE s.mark IS NOT NULL OR {_is_erased(con, raw, 'source_key', 'file_id')}"
    )
    con.execute(
        f"INSERT INTO temp.gone_row SELECT raw_row_id, source_key, {text} FROM {raw.relation} "
        "WHERE rowid IN (SELECT place FROM temp.taken_out)"
    )
    con.execute(
        "UPDATE received_file AS f SET erased = coalesce(erased, 0) + g.n "
        f"FROM (SELECT load_id, file_id, count(*) AS n FROM {raw.relation} "
        "WHERE rowid IN (SELECT place FROM temp.taken_out WHERE emptied IS NULL) GROUP BY ALL) g "
        "WHERE f.load_id = g.load_id AND f.file_id = g.file_id AND f.landed + f.superseded > 0"
    )
    _empty(con, raw, raw.relation, "temp.taken_out", hashed=True)
    con.execute(f"DELETE FROM {raw.relation} WHERE rowid IN (SELECT place FROM temp.taken_out WHERE emptied IS NULL)")


def leave_tombstones(con: duckdb.DuckDBPyConnection, erasures: Iterable[Erasure]) -> None:
    """The identifier of an erased person stays, with when it began and that it ended; nothing else does."""
    last = con.execute("SELECT load_id FROM night ORDER BY load_seq DESC LIMIT 1").fetchone()
    known = {load for (load,) in con.execute("SELECT load_id FROM night").fetchall()}
    for erasure in erasures:
        # In a core that was put back from before the erasure, it is the last load there is.
        load_id = erasure.load_id if erasure.load_id in known or last is None else last[0]
        for person_id, created in erasure.persons.items():
            con.execute("DELETE FROM person WHERE person_id = ?", [person_id])
            con.execute("DELETE FROM identity_change WHERE person_id = ?", [person_id])
            con.execute("DELETE FROM household WHERE person_id = ?", [person_id])
            con.execute("INSERT INTO person VALUES (?, ?, ?, NULL)", [person_id, created, load_id])
            con.execute(
                "INSERT INTO identity_change VALUES (?, 'erased', ?, [], [], 'All that was held of this person was erased')",
                [load_id, person_id],
            )


def _columns(con: duckdb.DuckDBPyConnection, schema: str) -> dict[str, list[str]]:
    rows = con.execute(
        "SELECT t.table_name, list(column_name) FROM duckdb_tables() t "
        "JOIN duckdb_columns() c USING (database_name, schema_name, table_name) "
        "WHERE database_name = current_database() AND schema_name = ? GROUP BY ALL ORDER BY ALL",
        [schema],
    ).fetchall()
    return dict(rows)

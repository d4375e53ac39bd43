"""What readers take and give: a readable landed file, and temporary tables of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, BinaryIO, Protocol

import duckdb
import pyarrow as pa

from connectors.contract import Feed, Table
from warehouse.quoting import quoted

_numbers = count(1)
BATCH = 50_000
# What is opened of something compressed is held in memory, and a few kilobytes can be made that open to more than any computer holds. A
# term's marks of a hundred thousand pupils are 1 GiB of text; what is more comes as it is, and is read as a stream.
LARGEST, MOST_FILES = 2 << 30, 10_000
HEADER_WITHIN = 10  # title rows above the header are common; more than this is not a table


class UnreadableFile(Exception):  # noqa: N818 - a file's state, read as a sentence where it is caught
    """A received file cannot be used as a whole. The message says where, what was found, what is allowed, the next step.

    It never holds a value of a row.
    """


class UnrecognisedFile(Exception):  # noqa: N818
    """A received file is none of the feed's; it is kept in landing and reported, and nothing fails because of it."""


class Transcoded(Protocol):
    """Where a reader may put text that it had to transcode, in memory, so that DuckDB can read it."""

    def __call__(self, name: str, content: bytes) -> str: ...


@dataclass(frozen=True)
class ReadableFile:
    """One landed file as a reader sees it: its name as sent, its bytes, and where DuckDB finds them.

    `table` names the contract table where the transport already knows it (a database table).
    """

    con: duckdb.DuckDBPyConnection
    name: str
    location: str
    open: Callable[[], BinaryIO]
    offer: Transcoded
    table: str | None = None


@dataclass(frozen=True)
class Parsed:
    """Rows of one contract table, in temporary table `relation`; `columns` are those the extract had, where it has a header."""

    table: Table
    relation: str
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def new_relation() -> str:
    return f"temp.received_{next(_numbers)}"


def columns_of(table: Table) -> list[str]:
    return [column.name.lower() for column in table.columns]


def create_received(con: duckdb.DuckDBPyConnection, table: Table) -> str:
    """An empty temporary table for rows of a contract table."""
    relation = new_relation()
    columns = "".join(f"{quoted(name)} VARCHAR, " for name in columns_of(table))
    con.execute(
        f"CREATE TEMP TABLE {relation.removeprefix('temp.')} (row_number BIGINT, {columns}"
        "extra VARCHAR, _problem VARCHAR, _content VARCHAR)"
    )
    return relation


class RowWriter:
    """Collects rows a streaming reader makes and hands them to DuckDB in batches."""

    def __init__(self, con: duckdb.DuckDBPyConnection, table: Table) -> None:
        self.table = table
        self.relation = create_received(con, table)
        self._con = con
        self._names = ["row_number", *columns_of(table), "extra", "_problem", "_content"]
        self._columns: list[list[Any]] = [[] for _ in self._names]

    def add(
        self,
        row_number: int,
        values: Sequence[str | None],
        extra: str | None,
        problem: str | None = None,
        content: str | None = None,
    ) -> None:
        for column, value in zip(self._columns, (row_number, *values, extra, problem, content), strict=True):
            column.append(value)
        if len(self._columns[0]) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if self._columns[0]:
            types = [pa.int64(), *[pa.string()] * (len(self._names) - 1)]
            batch = pa.table(
                [pa.array(column, type=type_) for column, type_ in zip(self._columns, types, strict=True)],
                names=self._names,
            )
            self._con.register("incoming_batch", batch)
            self._con.execute(f"INSERT INTO {self.relation} SELECT * FROM incoming_batch")
            self._con.unregister("incoming_batch")
            self._columns = [[] for _ in self._names]

    def parsed(self, columns: tuple[str, ...] = ()) -> Parsed:
        self.flush()
        return Parsed(self.table, self.relation, columns=columns)


def repeats_header(places: Sequence[int], most: int = 5) -> str:
    """What is noted of rows that are the header once more, by where they stand."""
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return f"row {', '.join(map(str, places[:most]))}{more}: the header once more; passed over"


def spelling(column: str) -> str:
    """A column's name as it is compared: `Session Date` and `session-date` are session_date."""
    return re.sub(r"[\s_-]+", "_", column.strip().lower())


def _found(table: Table, received: Mapping[str, str], spellings: Mapping[str, str]) -> dict[str, str]:
    """{received column: contract column}; a column of exactly that name goes before one that is only spelt like it."""
    found = {received[name]: name for name in columns_of(table) if name in received}
    for name in columns_of(table):
        column = spellings.get(spelling(name))
        if name not in received and column is not None:
            found.setdefault(column, name)
    return found


def recognise(feed: Feed, name: str, header: Iterable[str]) -> tuple[Table, Mapping[str, str]]:
    """Finds the contract table whose columns a header holds, whatever the file is called.

    Returns the table and {received column: contract column}. Raises UnreadableFile naming the missing columns of the
    table that it looks most like, UnrecognisedFile if it looks like none.
    """
    received = {column.strip().lower(): column for column in header if column.strip()}
    spellings = {spelling(name): column for name, column in received.items()}
    best: tuple[float, Table] | None = None
    nearest: tuple[float, Table, list[str]] | None = None
    for table in feed.tables:
        found = _found(table, received, spellings)
        needed = [column.name for column in table.columns if column.header == "required" or column.name in table.key]
        missing = [column for column in needed if column.lower() not in found.values()]
        matched = len(found)
        if not missing and matched:
            score = matched + matched / (1 + len(table.columns)) + (0.5 if table.name.lower() in name.lower() else 0)
            best = max(best, (score, table), key=lambda pair: pair[0]) if best else (score, table)
        share = (len(needed) - len(missing)) / max(1, len(needed))
        if nearest is None or share > nearest[0]:
            nearest = (share, table, missing)
    if best is not None:
        return best[1], _found(best[1], received, spellings)
    if nearest is not None and nearest[0] > 0.3:
        raise UnreadableFile(
            f"{name}: looks like {nearest[1].name} but lacks the column(s) {', '.join(nearest[2])}; "
            f"{len(received)} columns were found. Ask the agency to send them, or map the source in a mapping"
        )
    raise UnrecognisedFile(
        f"{name}: its columns are none of {feed.id}'s tables ({', '.join(table.name for table in feed.tables)}); it was kept and not used"
    )

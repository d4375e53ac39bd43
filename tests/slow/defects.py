"""Plants known defects in extracts of every format, one for each thing that a contract expects, and puts them right again.

Every defect carries a text of its own, so that a failing row can be told to be it, and where it says it is can be checked.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from connectors.contract import Column, Feed, Kind, Table
from expectations.suite import Standard, suite_for

PER_STANDARD = 3
_WRONG = {
    "is_a_known_code": "ZZ{}",
    "is_a_date": "the {} of May",
    "is_a_time": "at {} or so",
    "is_a_whole_number": "some {}",
    "is_a_number": "some {}",
    "is_an_nhs_number": "NHS {}",
    "is_a_upn": "UPN{}",
    "is_a_postcode": "NOWHERE {}",
}


@dataclass(frozen=True)
class Defect:
    """What was planted: the standard it offends, the text it carries, and what stood there before."""

    feed: str
    expectation: str
    text: str
    before: str


@dataclass
class Planted:
    """All of them; `keyless` maps a file and its row to the key that was taken from it."""

    defects: dict[str, Defect] = field(default_factory=dict)
    keyless: dict[tuple[str, int], dict[str, str]] = field(default_factory=dict)

    def text(self, what: str) -> str:
        return _WRONG[what].format(7000 + len(self.defects))

    def add(self, feed: Feed, standard: Standard, text: str, before: str) -> None:
        self.defects[text] = Defect(feed.id, standard.name, text, before)


class Cell:
    """A place in an extract that holds a text."""

    def __init__(self, before: str, put: Any) -> None:
        self.before, self.put = before, put


def plant(feed: Feed, folder: Path, planted: Planted) -> None:
    """Plants in every file of a feed below a folder; a database is one file."""
    offended: dict[str, int] = {}
    for path in [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file()):
        for table, cells, keys in _rows(feed, path):
            for standard in suite_for(feed, table):
                what = standard.name.rpartition(".")[2]
                if what not in _WRONG or standard.column is None or standard.severity == "critical":
                    continue
                column = table.column(standard.column)
                # What tells or orders rows is left alone: to change it is to send another row.
                told_by = {*table.key, table.version, table.owner}
                cell = cells.get(column.name)
                if column.name in told_by or cell is None or not cell.before.strip() or cell.before in planted.defects:
                    continue
                if offended.get(standard.name, 0) < PER_STANDARD:
                    offended[standard.name] = offended.get(standard.name, 0) + 1
                    text = planted.text(what)
                    planted.add(feed, standard, text, cell.before)
                    cell.put(text)
                    cell.before = text
            if keys is not None and f"{table.name} keyless" not in offended:
                offended[f"{table.name} keyless"] = 1
                keys(planted)


def _rows(feed: Feed, path: Path) -> Iterator[tuple[Table, dict[str, Cell], Any]]:
    readers = {".csv": _csv, ".sqlite": _sqlite, ".xml": _xml, ".json": _json, ".ndjson": _ndjson}
    if path.suffix in readers:
        yield from readers[path.suffix](feed, path)


def read_csv(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))


def write_csv(path: Path, rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue(), "utf-8")


def _csv(feed: Feed, path: Path) -> Iterator[tuple[Table, dict[str, Cell], Any]]:
    rows = read_csv(path)
    header = [name.strip().lower() for name in rows[0]]
    table = max(feed.tables, key=lambda table: len({name.lower() for name in table.names()} & set(header)))
    places = {
        column.name: header.index(column.name.lower()) for column in table.columns if column.name.lower() in header
    }
    key = [name for name in table.key if name in places]
    last = len(rows)
    for number, row in enumerate(rows[1:], start=2):
        cells = {
            name: Cell(row[place], lambda text, row=row, place=place: row.__setitem__(place, text))
            for name, place in places.items()
            if place < len(row)
        }
        # The last row loses its key, and has no other defect: nobody judges what is held back.
        if number == last and last > 3 and key and len(row) == len(header):

            def lose(planted: Planted, row: list[str] = row, number: int = number) -> None:
                planted.keyless[path.name, number] = {name: row[places[name]] for name in key}
                for name in key:
                    row[places[name]] = ""

            yield table, {}, lose
        else:
            yield table, cells, None
    write_csv(path, rows)


def _sqlite(feed: Feed, path: Path) -> Iterator[tuple[Table, dict[str, Cell], Any]]:
    with sqlite3.connect(path) as database:
        for table in feed.tables:
            known = {row[1].lower(): row[1] for row in database.execute(f'PRAGMA table_info("{table.name}")')}
            columns = [column.name for column in table.columns if column.name.lower() in known]
            if not columns:
                continue
            names = ", ".join(f'"{known[name.lower()]}"' for name in columns)
            for rowid, *values in database.execute(f'SELECT rowid, {names} FROM "{table.name}"').fetchall():

                def put(text: str, name: str, rowid: int = rowid, table: Table = table) -> None:
                    database.execute(f'UPDATE "{table.name}" SET "{name}" = ? WHERE rowid = ?', [text, rowid])

                yield (
                    table,
                    {
                        name: Cell(str(value), lambda text, name=name, put=put: put(text, name))
                        for name, value in zip(columns, values, strict=True)
                        if value is not None
                    },
                    None,
                )
    database.close()


def _xml(feed: Feed, path: Path) -> Iterator[tuple[Table, dict[str, Cell], Any]]:
    tree = etree.parse(path)
    for table in feed.tables:
        for element in tree.iter(table.element) if table.element else ():
            cells = {}
            for column in table.columns:
                where = column.path or column.name
                found = element.find(where) if where[0].isalpha() and "#" not in where else None
                if found is not None and found.text:
                    cells[column.name] = Cell(found.text, lambda text, found=found: setattr(found, "text", text))
            yield table, cells, None
    tree.write(path, xml_declaration=True, encoding="UTF-8")


def _json(feed: Feed, path: Path) -> Iterator[tuple[Table, dict[str, Cell], Any]]:
    said = json.loads(path.read_text("utf-8"))
    for entry in said:
        yield feed.tables[0], _fields(feed.tables[0], entry), None
    path.write_text(json.dumps(said, ensure_ascii=False), "utf-8")


def _ndjson(feed: Feed, path: Path) -> Iterator[tuple[Table, dict[str, Cell], Any]]:
    said = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    for entry in said:
        table = next((table for table in feed.tables if table.element == entry["resourceType"]), None)
        if table is not None:
            yield table, _fields(table, entry), None
    path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in said), "utf-8")


def _fields(table: Table, entry: dict[str, Any]) -> dict[str, Cell]:
    cells = {}
    for column in table.columns:
        holder, name = _holder(column, entry)
        if holder is not None and isinstance(holder.get(name), str) and column.kind is not Kind.JSON:
            cells[column.name] = Cell(
                holder[name], lambda text, holder=holder, name=name: holder.__setitem__(name, text)
            )
    return cells


def _holder(column: Column, entry: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    *above, name = (column.path or column.name).removeprefix("$.").split(".")
    holder: Any = entry
    for step in above:
        holder = holder.get(step) if isinstance(holder, dict) else None
    return (holder if isinstance(holder, dict) else None), name


def put_right(folder: Path, planted: Planted) -> None:
    """Replaces, in files that are no CSV, every text of a defect by what stood there before."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".csv"):
        if path.suffix == ".sqlite":
            _put_right_database(path, planted)
        elif path.suffix in (".xml", ".json", ".ndjson"):
            text = path.read_text("utf-8")
            for defect in planted.defects.values():
                text = text.replace(f">{defect.text}<", f">{defect.before}<").replace(
                    f'"{defect.text}"', f'"{defect.before}"'
                )
            path.write_text(text, "utf-8")


def _put_right_database(path: Path, planted: Planted) -> None:
    with sqlite3.connect(path) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for column in [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]:
                for (text,) in database.execute(f'SELECT DISTINCT "{column}" FROM "{table}"').fetchall():
                    if text in planted.defects:
                        database.execute(
                            f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" = ?',
                            [planted.defects[text].before, text],
                        )
    database.close()

"""Excel workbooks. Cells arrive as the text a careful person would have typed: dates in the column's declared format."""

from __future__ import annotations

import datetime as dt
import json
import re
import zipfile
import zlib
from dataclasses import replace
from typing import Any, BinaryIO

from connectors.contract import Column, Feed, Kind
from connectors.readers.received import (
    HEADER_WITHIN,
    LARGEST,
    MOST_FILES,
    Parsed,
    ReadableFile,
    RowWriter,
    UnreadableFile,
    UnrecognisedFile,
    columns_of,
    recognise,
    repeats_header,
)

_CONTENTS = "[Content_Types].xml"
_CHUNK = 1 << 20
# All that lies between the first cell of a sheet and its last is laid out in memory, whether it is filled or not: one word at the far end
# takes more than any computer has. Sixty columns of every row that a sheet can have.
MOST_CELLS = 1 << 26
_CELL_WITH_VALUE = re.compile(rb"""<(?:\w+:)?c\s(?:[^>]*?\s)?r=["']([A-Za-z]{1,3})([0-9]{1,7})["'](?:[^>]*[^>/])?>""")
_LONGEST_CELL_TAG = 200
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


def is_workbook(file: ReadableFile) -> bool:
    """Whether the bytes are a zip archive with the table of contents of an office document, or that and called a workbook.

    What is one does not hang on its name: the same bytes may come under two.
    """
    with file.open() as stream:
        if stream.read(4) != b"PK\x03\x04":
            return False
        try:
            return _CONTENTS in zipfile.ZipFile(stream).namelist() or _is_called_one(file)
        except (zipfile.BadZipFile, OSError, ValueError):
            return _is_called_one(file)


def _is_called_one(file: ReadableFile) -> bool:
    return file.name.lower().endswith((".xlsx", ".xlsm"))


def read(feed: Feed, file: ReadableFile) -> list[Parsed]:
    """Reads every sheet whose header is one of the feed's tables.

    A sheet that looks like one of them and lacks a column fails the file; any other is noted and not used. Where several
    sheets hold one table, the rows of the later go on counting where the earlier ended.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    with file.open() as stream:
        try:
            _check_opens_to_little(file, stream)
            stream.seek(0)
            workbook = CalamineWorkbook.from_filelike(stream)
            sheets = [
                (name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False))
                for name in workbook.sheet_names
            ]
        except (CalamineError, *_DAMAGED):
            raise UnreadableFile(
                f"{file.name}: is not a workbook that can be opened (damaged, encrypted or another format); ask for it again"
            ) from None
    found: list[Parsed] = []
    unused: list[UnrecognisedFile] = []
    counted: dict[str, int] = {}
    for sheet, rows in sheets:
        tables = tuple(table for table in feed.tables if table.element in (None, sheet))
        try:
            parsed = _read_sheet(replace(feed, tables=tables), file, sheet, rows, counted)
        except UnrecognisedFile as error:
            if any(_filled(row) for row in rows):
                unused.append(error)
        else:
            found.append(parsed)
            counted[parsed.table.name] = counted.get(parsed.table.name, 0) + len(rows)
    if not found:
        if unused:
            raise unused[0]
        raise UnreadableFile(f"{file.name}: the workbook has no sheet with rows; ask for it again")
    if unused:
        found[0] = replace(found[0], notes=(*found[0].notes, *(str(e).removeprefix(f"{file.name}, ") for e in unused)))
    return found


def _check_opens_to_little(file: ReadableFile, stream: BinaryIO) -> None:
    """Refuses a workbook that opens to more than memory holds. Opened a piece at a time: what it says of its own size is not believed."""
    left, cells = LARGEST, 0
    with zipfile.ZipFile(stream) as archive:
        if len(archive.infolist()) > MOST_FILES:
            raise UnreadableFile(
                f"{file.name}: the workbook has {len(archive.infolist()):,} parts; {MOST_FILES:,} are the most that are opened"
            )
        for part in archive.infolist():
            last_row, last_column, before = 0, 0, b""
            with archive.open(part) as inside:
                while piece := inside.read(_CHUNK):
                    left -= len(piece)
                    if left < 0:
                        raise UnreadableFile(
                            f"{file.name}: opens to more than {LARGEST >> 20:,} MiB, the most that is opened; "
                            "ask for it in parts, or as CSV"
                        )
                    found = _CELL_WITH_VALUE.findall(before + piece)
                    if found:
                        last_row = max(last_row, max(int(row) for _, row in found))
                        last_column = max(
                            last_column, *(_place(letters) for letters in {letters for letters, _ in found})
                        )
                    before = piece[-_LONGEST_CELL_TAG:]
            cells += last_row * last_column
            if cells > MOST_CELLS:
                raise UnreadableFile(
                    f"{file.name}: a sheet reaches {last_row:,} rows down and {last_column:,} columns across, and {MOST_CELLS:,} cells are "
                    "the most of a workbook; ask for it without what stands far from the rest"
                )


def _place(letters: bytes) -> int:
    """Which column a name such as AB is, from 1."""
    place = 0
    for letter in letters.upper():
        place = 26 * place + letter - 64
    return place


def _filled(cells: list[Any]) -> bool:
    return any(cell not in ("", None) for cell in cells)


def _read_sheet(feed: Feed, file: ReadableFile, sheet: str, rows: list[list[Any]], counted: dict[str, int]) -> Parsed:
    failure: Exception = UnrecognisedFile(f"{file.name}, sheet {sheet}: holds no header of {feed.id}")
    for index, row in enumerate(rows[:HEADER_WITHIN]):
        header = [str(cell).strip() for cell in row]
        if not any(header):
            continue
        try:
            table, matched = recognise(feed, f"{file.name}, sheet {sheet}", header)
        except (UnreadableFile, UnrecognisedFile) as error:
            failure = error if not isinstance(failure, UnreadableFile) else failure
            continue
        writer = RowWriter(file.con, table)
        columns = {column.name.lower(): column for column in table.columns}
        places = {matched[name]: place for place, name in reversed(list(enumerate(header))) if name in matched}
        unknown = _unknown(header, set(places.values()))
        before = counted.get(table.name, 0)
        again = []
        for number, cells in enumerate(rows[index + 1 :], start=before + index + 2):
            if cells == rows[index]:
                again.append(number)
            elif _filled(cells):
                values = [
                    _text(cells[places[name]], columns[name]) if name in places else None for name in columns_of(table)
                ]
                extra = {name: _text(cells[place], None) for place, name in unknown}
                writer.add(number, values, json.dumps(extra) if any(extra.values()) else None)
        notes = [f"sheet {sheet}: its rows are counted on from {before + 1}"] if before else []
        notes += [f"sheet {sheet}, {repeats_header(again)}"] if again else []
        return replace(writer.parsed(tuple(header)), notes=tuple(notes))
    raise failure


def _unknown(header: list[str], known: set[int]) -> list[tuple[int, str]]:
    """The other columns, each under a name of its own, so that none hides another."""
    names: dict[int, str] = {}
    for place, name in enumerate(header):
        if place not in known:
            own = name if name and name not in names.values() else f"{name} column {place + 1}".strip()
            names[place] = own
    return list(names.items())


def _text(cell: Any, column: Column | None) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime) and column is not None and column.kind is Kind.DATE and cell.time() == dt.time():
        cell = cell.date()
    if isinstance(cell, dt.date) and not isinstance(cell, dt.datetime) and column is not None and column.formats:
        return cell.strftime(column.formats[0])
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)

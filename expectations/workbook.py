"""The error pack as a workbook that an agency works in, and what it repaired in it.

Everything is text: nothing in it is a formula, and what is typed over a text stays one. What must not live here: which rows
go into a pack (pack.py), and putting any through again.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

from expectations.pack import ROW_COLUMNS, STANDARD_COLUMNS, WITHHELD, Pack, cells_of, groups
from warehouse.query import runs_as_formula

_HELD_ID, _HELD_ABOUT = "quarantine_id", ("quarantine_id", "row_number", "held back because", "as received")
_MOST_ROWS, _LONGEST_TEXT, _LONGEST_NAME = 1_000_000, 32_000, 31
_NOT_IN_A_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_WIDTHS = {
    "title": 50,
    "why": 50,
    "hint": 60,
    "value": 24,
    "rule": 30,
    "spell": 30,
    "source_file": 24,
    "as received": 40,
}


class WorkbookError(Exception):
    """A workbook cannot be used as a pack that came back; says where, what was found and what is allowed."""


def write(pack: Pack, file: BinaryIO) -> None:
    """Summary, one sheet a group of rules, one a table with rows held back."""
    from openpyxl import Workbook

    book = Workbook()
    summary = book.active
    assert summary is not None
    summary.title = "Summary"
    _fill_summary(summary, pack)
    taken = {"summary"}
    for name, rows in groups(pack).items():
        for part in range(0, len(rows), _MOST_ROWS):
            sheet = book.create_sheet(_sheet_name(name, taken))
            _fill(
                sheet, ROW_COLUMNS, [[row[column] for column in ROW_COLUMNS] for row in rows[part : part + _MOST_ROWS]]
            )
    for table, held in pack.held.items():
        columns = pack.feed.table(table).names()
        sheet = book.create_sheet(_sheet_name(f"Held back {table}", taken))
        _fill(
            sheet,
            (*_HELD_ABOUT, *columns),
            [
                [row.quarantine_id, row.row_number, row.reason, row.received, *(row.cells[name] for name in columns)]
                for row in held
            ],
            to_repair=len(_HELD_ABOUT),
        )
    with ZipFile(file, "w", ZIP_DEFLATED, allowZip64=True) as archive:
        _writer(book, archive).write_data()


def returned(path: Path) -> dict[str, dict[str, str]]:
    """The cells of every held-back row in a pack that came back, by quarantine_id and column in lower case.

    Raises WorkbookError where it is none.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    if not path.exists():
        raise WorkbookError(f"{path} does not exist; give the workbook that tessera quality pack made")
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (CalamineError, OSError, ValueError):
        raise WorkbookError(f"{path} is no workbook that opens; save it as .xlsx and give it again") from None
    found: dict[str, dict[str, str]] = {}
    for name, rows in sheets.items():
        header = [str(cell).strip() for cell in rows[0]] if rows else []
        if not header or header[0] != _HELD_ID:
            continue
        for number, row in enumerate(rows[1:], start=2):
            cells = dict(zip(header, (_as_typed(cell) for cell in row), strict=False))
            held = cells.pop(_HELD_ID, "").strip()
            if not held:
                if any(cells.values()):
                    raise WorkbookError(
                        f"{path.name}, sheet {name}, row {number}: {_HELD_ID} is empty; rows are repaired where they stand, "
                        "new ones come with the agency's next extract"
                    )
                continue
            if held in found:
                raise WorkbookError(f"{path.name}, sheet {name}, row {number}: {held} stands in it twice; keep one")
            found[held] = {column.lower(): text for column, text in cells.items() if column not in _HELD_ABOUT}
    if not found:
        raise WorkbookError(
            f"{path.name}: no sheet begins with the column {_HELD_ID}; give the workbook that tessera quality pack made"
        )
    return found


def repairs(content: str | None, cells: Mapping[str, str]) -> dict[str, str]:
    """The columns of a held-back row whose cell is not what the pack showed of it."""
    shown = cells_of(content, cells)
    return {
        column: text
        for column, text in cells.items()
        if text != WITHHELD and _comparable(text) != _comparable(_showable(shown[column]))
    }


def _fill_summary(sheet: Any, pack: Pack) -> None:
    counts = pack.counts
    lines: list[Sequence[Any]] = [
        ("Error pack", f"{pack.feed.id}: {pack.feed.title}"),
        ("For", pack.to),
        ("As of load", f"{pack.load_id}, {pack.date.isoformat()}"),
        ("Rows to put right", counts["to_put_right"]),
        ("Rows put right since the last load", counts["fixed_since_last_load"]),
        ("Rows waived", counts["waived"]),
        ("Rows held back", counts["held_back"]),
        ("Standards that could not run", counts["standards_that_could_not_run"]),
        ("What to do", "Put each row right in your own system and send the extract again; `wanted_by` says by when, worst first."),
        ("", "Rows in the sheets Held back never got in: put their cells right there and send this workbook back."),
        ("Confidential", "It holds what children's records say. Keep it as you keep them; delete it when it is worked through."),
        (),
    ]  # fmt: skip
    for line in lines:
        sheet.append([_cell(sheet, value) for value in line])
    header = sheet.max_row + 1
    for row in [STANDARD_COLUMNS, *([row[column] for column in STANDARD_COLUMNS] for row in pack.standards)]:
        sheet.append([_cell(sheet, value, bold=row is STANDARD_COLUMNS) for value in row])
    _widen(sheet, STANDARD_COLUMNS, least=34, first_only=True)
    sheet.freeze_panes = f"A{header + 1}"


def _fill(sheet: Any, columns: Sequence[str], rows: Iterable[Sequence[Any]], to_repair: int | None = None) -> None:
    sheet.append([_cell(sheet, name, bold=True) for name in columns])
    for row in rows:
        # A cell that is repaired is typed as text: a spreadsheet would make a number or date of it.
        repaired = range(to_repair, len(row)) if to_repair is not None else ()
        sheet.append([_cell(sheet, value, text=place in repaired) for place, value in enumerate(row)])
    _widen(sheet, columns, least=14)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _widen(sheet: Any, columns: Sequence[str], least: int, *, first_only: bool = False) -> None:
    from openpyxl.utils import get_column_letter

    for place, name in enumerate(columns, start=1):
        width = _WIDTHS.get(name, least if place == 1 or not first_only else 14)
        sheet.column_dimensions[get_column_letter(place)].width = width


def _cell(sheet: Any, value: Any, *, bold: bool = False, text: bool = False) -> Any:
    from openpyxl.cell import Cell
    from openpyxl.styles import Font

    if value is None:
        return None
    if isinstance(value, dt.date):
        value = value.isoformat()
    shown = _showable(value) if isinstance(value, str) else value
    cell = Cell(sheet, row=1, column=1, value=shown)
    if isinstance(shown, str):
        # Whatever it begins with, it is text: no formula, no error word.
        cell.data_type = "s"
        if runs_as_formula(shown):
            cell.quotePrefix = True
    if text:
        cell.number_format = "@"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _showable(text: str) -> str:
    """A text as a cell can hold it."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    return ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)[:_LONGEST_TEXT]


def _comparable(text: str) -> str:
    """Spreadsheets write line ends their own way, and drop space around a text."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _as_typed(cell: Any) -> str:
    """What was typed, where a spreadsheet made a number or a date of it."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        cell = cell.date()
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)


def _sheet_name(name: str, taken: set[str]) -> str:
    """A name that a sheet can have and no other sheet has."""
    plain = _NOT_IN_A_SHEET_NAME.sub(" ", name).strip("' ") or "Rows"
    number, candidate = 1, plain[:_LONGEST_NAME]
    while candidate.lower() in taken:
        number += 1
        candidate = f"{plain[: _LONGEST_NAME - len(str(number)) - 1]} {number}"
    taken.add(candidate.lower())
    return candidate


def _writer(book: Any, archive: ZipFile) -> Any:
    """openpyxl puts each sheet into a plain temporary file before it packs it; what a person's record says may not lie there."""
    from openpyxl.worksheet._writer import WorksheetWriter
    from openpyxl.writer.excel import ExcelWriter

    class InMemory(ExcelWriter):
        def write_worksheet(self, ws: Any) -> None:
            packed = BytesIO()
            writer = WorksheetWriter(ws, packed)
            writer.write()
            ws._rels = writer._rels
            self._archive.writestr(ws.path[1:], packed.getvalue())
            self.manifest.append(ws)

    return InMemory(book, archive)

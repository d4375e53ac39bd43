"""Parts delimited text into its rows, one by one, where the fast reader cannot: which are good, and what ails the others.

Slower than DuckDB by far, and exact: a quotation mark that never closes costs its own line and not those that follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# A row of four agencies' forms with a long narrative is some 50 kB; 4 MiB is no row but a broken file.
MAX_ROW = 4 * 1024 * 1024
_QUOTED = rb'"[^"]*(?:""[^"]*)*"'
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read: its number in the file, why, and what stands there."""

    number: int
    problem: str
    content: str


@dataclass(frozen=True)
class Split:
    """The good rows as bytes of a file without header, their numbers in order, and the bad rows."""

    rows: tuple[bytes, ...]
    numbers: tuple[int, ...]
    bad: tuple[BadRow, ...]

    @property
    def good(self) -> bytes:
        return b"\n".join((*self.rows, b"")) if self.rows else b""

    def without(self, places: Iterable[int]) -> Split:
        """The same, with the good rows of some places (from 1) held back too."""
        refused = {place - 1 for place in places}
        kept = [index for index in range(len(self.rows)) if index not in refused]
        more = tuple(
            BadRow(self.numbers[index], "cannot be read", shown(self.rows[index]))
            for index in sorted(refused)
            if index < len(self.rows)
        )
        return Split(tuple(self.rows[i] for i in kept), tuple(self.numbers[i] for i in kept), self.bad + more)


def shown(content: bytes) -> str:
    """Bytes as text; those that are none are written as \\x and two hex digits."""
    return content.decode("utf-8", "backslashreplace")


def split(content: bytes, delimiter: str, width: int, above: int = 0) -> Split:
    """Every row after the header, good or bad.

    The header is row 1, or stands below so many lines `above`; a line that is blank or of separators alone takes a number and is no row.
    Outside quotation marks every kind of line end ends a row.
    """
    sign = delimiter.encode()
    field = rb"(?>" + _QUOTED + rb'|(?!")[^' + re.escape(sign) + rb"\r\n]*)"
    record = re.compile(field + rb"(?:" + re.escape(sign) + field + rb")*")
    quoted = re.compile(rb"(?:\A|(?<=" + re.escape(sign) + rb"))" + _QUOTED)
    empty = re.compile(rb'(?:""|[ \t]|' + re.escape(sign) + rb")*")
    rows: list[bytes] = []
    numbers: list[int] = []
    bad: list[BadRow] = []
    position, number = 0, 0
    while position < len(content):
        number += 1
        found = record.match(content, position, position + MAX_ROW)
        stop = found.end() if found else position
        whole = found is not None and (stop == len(content) or content.startswith((b"\n", b"\r"), stop))
        after = _LINE_END.search(content, stop if whole else position)
        stop = after.start() if after else len(content)
        row = content[position:stop]
        position = after.end() if after else len(content)
        if number <= above + 1 or empty.fullmatch(row):
            continue
        problem = _problem(row, whole, quoted, sign, width)
        if problem is None:
            rows.append(row)
            numbers.append(number)
        else:
            bad.append(BadRow(number, problem, shown(row)))
    return Split(tuple(rows), tuple(numbers), tuple(bad))


def _problem(row: bytes, whole: bool, quoted: re.Pattern[bytes], delimiter: bytes, width: int) -> str | None:
    if len(row) >= MAX_ROW:
        return f"longer than {MAX_ROW // 1024 // 1024} MiB"
    if not whole:
        return "a quotation mark is opened and not closed, or stands inside a value"
    values = 1 + quoted.sub(b"", row).count(delimiter)
    if values < width:
        return "fewer values than the header has columns"
    if values > width and not (values == width + 1 and row.endswith(delimiter)):
        return "more values than the header has columns"
    try:
        row.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are no text in UTF-8"
    return None

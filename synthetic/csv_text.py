"""CSV as text. Python's csv module per cell is too slow for session marks; quoting follows the same rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SPECIAL = (",", '"', "\n", "\r")


def cell(value: str) -> str:
    """Quoted where the value needs it."""
    if any(char in value for char in _SPECIAL):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A header and rows, each ended by a line feed."""
    lines = [",".join(columns)]
    lines += [",".join([cell(value) for value in row]) for row in rows]
    return "\n".join(lines) + "\n"

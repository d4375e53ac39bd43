"""Tables on a screen too narrow for their columns: there cells stand below each other, and each needs the head of its column beside it.

What must not live here: how that looks (console.css), and what a table says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

_ROW_OR_CELL = re.compile(r"<tr(?=[ >])|<t[dh](?=[ >])( colspan)?")


def labelled(rows: Markup, head: Sequence[str]) -> Markup:
    """Rows of a table, each cell with the head of its column as `data-head`; one that spans several has none."""
    place = -1

    def label(found: re.Match[str]) -> str:
        nonlocal place
        place = -1 if found[0] == "<tr" else place + 1
        if not found[0].startswith("<td") or found[1] or place >= len(head):
            return found[0]
        return f'{found[0]} data-head="{escape(head[place])}"'

    return Markup(_ROW_OR_CELL.sub(label, rows))  # noqa: S704 - markup that was escaped already, and what is added is

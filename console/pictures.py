"""Small pictures drawn by the server as SVG: each has the same thing beside it as words or a table, for whoever does not see it.

What must not live here: what is drawn (a page reads it), and colours (console.css).
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT, _EDGE = 120, 30, 3


def trend(values: Sequence[float | None], said: str) -> Markup:
    """A line of values, oldest first, on a scale from nothing up; `said` is what it shows in words. Gaps stay gaps."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    top, step = max(max(known), 1), (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    points = [
        None if value is None else (_EDGE + place * step, _HEIGHT - _EDGE - value / top * (_HEIGHT - 2 * _EDGE))
        for place, value in enumerate(values)
    ]
    path, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        pen = "L"
    last = next(point for point in reversed(points) if point is not None)
    return Markup(
        '<svg class="trend" viewBox="0 0 {} {}" role="img" aria-label="{}"><path class="floor" d="M0 {} H{}"/>'
        '<path class="line" d="{}"/><circle class="last" cx="{:.1f}" cy="{:.1f}" r="2.5"/></svg>'
    ).format(_WIDTH, _HEIGHT, said, _HEIGHT - _EDGE, _WIDTH, " ".join(path), *last)

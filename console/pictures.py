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


def household(child: str, others: Sequence[tuple[str, str, bool]]) -> Markup:
    """A child and the people around it: (who, what they are to it, whether they live together now). The same is in a table beside it."""
    row, box, gap = 46, 250, 190
    height = max(len(others), 1) * row + 10
    middle = height / 2
    lives = sum(together for *_, together in others)
    drawn = [
        Markup(
            '<svg class="household" viewBox="0 0 {} {}" role="img" aria-label="{} and {} people around: {} live together now. '
            'The table says who.">'
        ).format(2 * box + gap, height, child, len(others), lives),
        _box(0, middle, box, child, "child"),
    ]
    for place, (who, what, together) in enumerate(others):
        at = place * row + row / 2 + 5
        drawn.append(
            Markup('<path class="{}" d="M{} {:.0f} L{} {:.0f}"/>').format(
                "tie together" if together else "tie", box, middle, box + gap, at
            )
        )
        drawn.append(
            Markup('<text class="what" x="{}" y="{:.0f}" text-anchor="end">{}</text>').format(
                box + gap - 6, at - 5, what
            )
        )
        drawn.append(_box(box + gap, at, box, who, "together" if together else "apart"))
    return Markup("").join([*drawn, Markup("</svg>")])


def _box(x: float, y: float, width: float, said: str, kind: str) -> Markup:
    # A name that is too long for its box is set smaller: cut short it might be taken for another's.
    size = min(15.0, (width - 16) / max(len(said), 1) * 1.8)
    return Markup(
        '<rect class="box {}" x="{}" y="{:.0f}" width="{}" height="34" rx="3"/>'
        '<text x="{}" y="{:.0f}" font-size="{:.1f}">{}</text>'
    ).format(kind, x + 1, y - 17, width - 2, x + 8, y + 5, size, said)

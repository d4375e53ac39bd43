"""A whole made-up night, every feed in its real format, beside DuckDB merely reading the same bytes."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from bench.isolated import run
from bench.results import Result, Row, seconds, times

TITLE = "A whole first night, all feeds"
LINKAGE = ("link", "identify")
_IMPORT = "import of Great Expectations"


def measure(work: Path, *, quick: bool) -> Result:
    repeats = 1 if quick else 3
    sizes = (50,) if quick else (2_000, 8_000)
    if not quick:  # a figure that nobody writes down needs no warm machine
        run("bench.deployment:make", out=work / "warm", children=50)
        run("bench.deployment:run_whole_night", world=work / "warm", data=work / "warm/data")
    measured = []
    for children in sizes:
        world = work / f"world{children}"
        run("bench.deployment:make", out=world, children=children)
        pairs = []
        for _ in range(repeats):  # side by side, so that a busy minute of the machine meets both
            floor = run("bench.floor:warm_and_read", folder=world / "night1", into=work / "floor.duckdb")
            pairs.append((run("bench.deployment:run_whole_night", world=world, data=world / "data"), floor))
        measured.append((children, pairs))
    rows, more = [], []
    for children, pairs in measured:
        rows += _rows(children, pairs)
        more.append(_words(children, pairs))
    if len(measured) > 1:
        rows.append(_marginal(measured))
    children, pairs = measured[0]
    outside, floor_wall = _seconds(pairs, outside=True), median(floor["wall"] for _, floor in pairs)
    return Result(
        "night",
        TITLE,
        [
            "Floor: bench/floor.py, in a process of its own just before each night. Counted: opening the warehouse, extract, land, check, "
            "conform, load and publish of all roles' marts; link and identify are shown apart. Process start and the import of Great "
            "Expectations, the same for any amount of data, are not counted in bytes/s and are shown among the words.",
            "A small night is mostly the planning of its some thousand statements; what a byte more costs is the last row.",
        ],
        f"{children:,} children: {outside:.1f} s outside linkage, {times(outside / floor_wall)} the floor, "
        f"{median(night['peak_mb'] for night, _ in pairs):,.0f} MB",
        rows,
        repeats,
        more,
    )


def _seconds(pairs: list[tuple[dict[str, Any], dict[str, Any]]], *, outside: bool, kind: str = "wall") -> float:
    left_out = (_IMPORT, *(LINKAGE if outside else ()))
    return median(sum(value for word, value in night[kind].items() if word not in left_out) for night, _ in pairs)


def _rows(children: int, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[Row]:
    size = pairs[0][1]["bytes"]
    floor = {kind: median(one[kind] for _, one in pairs) for kind in ("wall", "cpu")}
    rows = []
    for what, outside, target in (("outside linkage", True, "≤ 5×"), ("with linkage", False, "")):
        wall, cpu = (_seconds(pairs, outside=outside, kind=kind) for kind in ("wall", "cpu"))
        rows.append(
            Row(
                f"{children:,} children, {size / 1e6:.1f} MB, {pairs[0][0]['received']:,} rows: {what}",
                f"{size / wall / 1e6:.2f} MB/s, {seconds(wall, cpu)}",
                f"{size / floor['wall'] / 1e6:.1f} MB/s, {seconds(floor['wall'], floor['cpu'])}",
                f"{times(wall / floor['wall'])} the floor",
                target,
            )
        )
    peak, floor_peak = (median(side["peak_mb"] for side in sides) for sides in zip(*pairs, strict=True))
    rows.append(
        Row(f"{children:,} children: peak memory", f"{peak:,.0f} MB", f"{floor_peak:,.0f} MB", times(peak / floor_peak))
    )
    return rows


def _marginal(measured: list[Any]) -> Row:
    (_, small), (_, large) = measured[0], measured[-1]
    size = large[0][1]["bytes"] - small[0][1]["bytes"]
    ours = _seconds(large, outside=True) - _seconds(small, outside=True)
    floor = median(f["wall"] for _, f in large) - median(f["wall"] for _, f in small)
    return Row(
        f"what the further {size / 1e6:.0f} MB cost, outside linkage",
        f"{size / ours / 1e6:.2f} MB/s, {seconds(ours)}",
        f"{size / floor / 1e6:.1f} MB/s, {seconds(floor)}",
        f"{times(ours / floor)} the floor",
        "≤ 5×",
    )


def _words(children: int, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> tuple[str, list[str], list[list[str]]]:
    words = list(pairs[0][0]["wall"])
    middle = {
        kind: {word: median(night[kind].get(word, 0.0) for night, _ in pairs) for word in words}
        for kind in ("wall", "cpu")
    }
    total = sum(middle["wall"].values())
    return (
        f"{children:,} children, by word of the line (medians, all feeds together):",
        ["word", "seconds", "CPU seconds", "share"],
        [
            [
                word,
                f"{middle['wall'][word]:.2f}",
                f"{middle['cpu'][word]:.2f}",
                f"{100 * middle['wall'][word] / total:.0f} %",
            ]
            for word in words
        ],
    )

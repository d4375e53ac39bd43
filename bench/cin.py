"""The children in need census and all its rules, through extract → land → check, once and many times over in one document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench import peers
from bench.isolated import run
from bench.results import Result, Row, seconds, times

TITLE = "The children in need census with all its rules"
_TARGET = 20
_THIRD_PARTY = Path(__file__).parent.parent.parent / "shared/data/social_care/cin/fake_CIN_data.xml"
_WORDS = ("extract", "land", "check")


def measure(work: Path, *, quick: bool) -> Result:
    repeats, often = (1, 3) if quick else (3, 40)
    if _THIRD_PARTY.exists():
        source, origin = _THIRD_PARTY, "the third-party document fake_CIN_data.xml (332 children)"
    else:
        run("bench.deployment:make", out=work / "world", children=1_500)
        (source,) = (work / "world/night1/social_care/cin").glob("*.xml")
        origin = (
            "the synthetic document of a world of 1,500 children, for the third-party one is not beside this checkout"
        )
    rows: list[Row] = []
    headline = ""
    for copies in (1, often):
        folder = work / f"census{copies}"
        folder.mkdir(parents=True)
        _write(source, folder / "census.xml", copies)
        found = run("bench.cin:line", folder=folder, data=work / f"data{copies}", repeats=repeats)

        def ours(words: tuple[str, ...], nights: Any = found["nights"]) -> tuple[float, float]:
            return tuple(
                median(sum(night[kind][word] for word in words) for night in nights) for kind in ("wall", "cpu")
            )  # type: ignore[return-value]

        peer = peers.run("cin_validator", file=folder / "census.xml", rules="cin2025_26") if copies == 1 else None
        for what, words in (("check", ("check",)), ("extract + land + check", _WORDS)):
            wall, cpu = ours(words)
            rate = f"{found['rows'] / wall:,.0f} rows/s"
            row = Row(f"{what}, {found['rows']:,} rows", f"{rate}, {seconds(wall, cpu)}")
            if peer:
                kind = "rules_" if words == ("check",) else ""
                theirs = (peer[kind + "wall"], peer[kind + "cpu"])
                headline = f"{rate} = {times(theirs[0] / wall)} the peer on one small document; "
                row = replace(
                    row, against=seconds(*theirs), ratio=times(theirs[0] / wall), target=f"≥ {_TARGET}× the peer"
                )
            rows.append(row)
    headline += f"{rate} over {found['rows']:,} rows"
    return Result(
        "cin",
        TITLE,
        [
            f"Input: {origin}; as it is, and {often} times over in one document under other identifiers. Rows are those of our tables: the "
            "peer counts a child's characteristics as a row of their own, and so more of them in the same document. The peer reads the "
            "document and runs its rules; beside that, land keys, compares and accounts for every row and encrypts it, and check runs the "
            "column standards as well and keeps every failing row. Process start and imports not counted, one night for warming up.",
            "Peer: csc-validator-be-cin 0.1.13, one pandas function a rule, in an environment of its own (bench/peers/cin_validator.py), on the "
            "document as it is: beside *check* its rules alone, beside the whole its reading too. Ratios are of time. On the document many times "
            "over it takes minutes and is not run.",
        ],
        headline,
        rows,
        repeats,
    )


def _write(source: Path, target: Path, copies: int) -> None:
    """The document with its children `copies` times, each time under other identifiers."""
    head, _, rest = source.read_text(encoding="utf-8").partition("<Children>")
    children, _, tail = rest.rpartition("</Children>")
    with target.open("w", encoding="utf-8") as file:
        file.write(head + "<Children>")
        for copy in range(copies):
            file.write(children.replace("<LAchildID>", f"<LAchildID>{copy}X") if copy else children)
        file.write("</Children>" + tail)


def line(folder: str, data: str, repeats: int) -> dict[str, Any]:
    """Nights over the one document, each on a new warehouse; the first, for warming up, is not reported."""
    from bench.deployment import FIRST_NIGHT, Clock, import_great_expectations, opened, run_feeds
    from pipelines.settings import Settings

    import_great_expectations(Clock())
    nights, books = [], {"received": 0}
    for _ in range(1 + repeats):
        settings = Settings(
            base=Path(folder).parent,
            data_dir=Path(data),
            sources={"social_care.cin": {"from": folder, "collection_year": "2025/26"}},
            authority="201",
        )
        clock = Clock()
        with opened(settings) as opened_line:
            books = run_feeds(opened_line, FIRST_NIGHT, clock, _WORDS)
        nights.append(clock.found())
    return {"nights": nights[1:], "rows": books["received"]}

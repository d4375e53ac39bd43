"""The pupil file of the School Census through extract → land → check → conform."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import peers
from bench.isolated import run
from bench.results import Result, Row, seconds, times

if TYPE_CHECKING:
    from connectors.contract import Column

TITLE = "One School Census pupil file through extract → conform"
_TARGET = 100
_FILE = "2024_autumn_pupilonroll.csv"
_THIRD_PARTY = Path(__file__).parent.parent.parent / "shared/data/school/census" / _FILE
_WORDS = ("extract", "land", "check", "conform")


def measure(work: Path, *, quick: bool) -> Result:
    repeats = 3
    if _THIRD_PARTY.exists():
        source, origin = _THIRD_PARTY, "the third-party file 2024_autumn_pupilonroll.csv (9,088 × 64)"
    else:
        children = 1_500 if quick else 12_600
        run("bench.deployment:make", out=work / "world", children=children)
        source = work / "world/night1/school/census/2026_autumn_pupilonroll.csv"
        origin = f"the synthetic pupil file of a world of {children:,} children; the third-party file is not beside this checkout"
    folder = work / "census"
    folder.mkdir(parents=True)
    shutil.copy(source, folder / _FILE)
    found = run("bench.census:line", folder=folder, data=work / "data", repeats=repeats)
    floor = run("bench.census:floor", file=folder / _FILE, into=work / "floor.duckdb", repeats=repeats)
    rows = found["rows"]
    peer = run("bench.census:peer", file=folder / _FILE, lines=500 if quick else None)
    peer_rate = peer["rows"] / peer["wall"]
    peer_found = f"{peer_rate:,.0f} rows/s, {seconds(peer['wall'], peer['cpu'])} for {peer['rows']:,} rows"

    def ours(words: tuple[str, ...]) -> tuple[float, float]:
        return tuple(
            median(sum(night[kind][word] for word in words) for night in found["nights"]) for kind in ("wall", "cpu")
        )  # type: ignore[return-value]

    def row(what: str, words: tuple[str, ...], target: str = "") -> list[Row]:
        wall, cpu = ours(words)
        rate = rows / wall
        per_second = f"{rate:,.0f} rows/s, {seconds(wall, cpu)}"
        return [
            Row(what, per_second, peer_found, times(rate / peer_rate), target),
            Row(
                f"{what}, beside DuckDB reading",
                per_second,
                seconds(floor["wall"], floor["cpu"]),
                f"{times(wall / floor['wall'])} its time",
            ),
        ]

    cleaned = ("extract", "land", "conform")
    wall, _ = ours(cleaned)
    result_rows = row("extract + land + conform", cleaned, f"≥ {_TARGET}× the peer")
    result_rows += row("… with check (Great Expectations, already imported)", _WORDS)
    for word in _WORDS:
        wall_of, cpu_of = ours((word,))
        result_rows.append(Row(word, f"{rows / wall_of:,.0f} rows/s, {seconds(wall_of, cpu_of)}"))
    return Result(
        "census",
        TITLE,
        [
            f"Input: {origin}; {rows:,} rows, {found['bytes'] / 1e6:.1f} MB; {found['staged']:,} rows of the common model. Encrypted "
            "landing and core, every row keyed, compared, accounted for, checked against its contract and conformed; process start and "
            f"imports not counted, one night for warming up. Peak memory {found['peak_mb']:,.0f} MB.",
            "Peer: liiatools 0.2.0, the released engine of liia-tools-pipeline, cleaning the same file (bench/peers/liiatools.py): it parses, "
            "and cleans dates, categories and numbers; keys, history, encryption and conforming are ours alone. Floor: bench/floor.py.",
        ],
        f"{rows / wall:,.0f} rows/s = {times(rows / wall / peer_rate)} the peer, "
        f"{times(wall / floor['wall'])} DuckDB's time to read it",
        result_rows,
        repeats,
    )


def line(folder: str, data: str, repeats: int) -> dict[str, Any]:
    """Nights over the one file, each on a new warehouse; the first, for warming up, is not reported."""
    from bench.deployment import FIRST_NIGHT, Clock, import_great_expectations, opened, run_feeds
    from pipelines.settings import Settings

    import_great_expectations(Clock())
    nights, books, staged = [], {"received": 0}, 0
    for _ in range(1 + repeats):
        settings = Settings(
            base=Path(folder).parent,
            data_dir=Path(data),
            sources={"school.census": {"from": folder, "term": "autumn", "year": 2024}},
            authority="866",
        )
        clock = Clock()
        with opened(settings) as opened_line:
            books = run_feeds(opened_line, FIRST_NIGHT, clock, _WORDS)
            staged = opened_line.con.execute(
                "SELECT sum(estimated_size)::BIGINT FROM duckdb_tables() "
                "WHERE schema_name = 'staged' AND NOT ends_with(table_name, '_units')"
            ).fetchall()[0][0]
        nights.append(clock.found())
    size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return {"nights": nights[1:], "rows": books["received"], "staged": staged, "bytes": size}


def peer(file: str, lines: int | None) -> dict[str, Any]:
    """The peer's cleaning of the file (of its first lines, if so said), each column of the kind that our contract declares."""
    from connectors.school.census_tables import TABLES

    source = Path(file)
    text = source.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines:
        source = source.with_name("first_lines.csv")
        source.write_text("".join(text[: lines + 1]), encoding="utf-8")
    declared = {column.name: column for table in TABLES if table.name == "pupilonroll" for column in table.columns}
    kinds = {name: _cleaning(declared.get(name.lower())) for name in next(csv.reader(text))}
    return peers.run("liiatools", file=source, columns=kinds)


def _cleaning(column: Column | None) -> dict[str, Any]:
    """A column's entry in the peer's configuration."""
    from connectors.contract import Kind

    if column is not None and column.kind in (Kind.DATE, Kind.TIMESTAMP):
        return {"date": column.formats[0], "canbeblank": True}
    if column is not None and column.allowed:
        return {"category": [{"code": code} for code in column.allowed], "canbeblank": True}
    if column is not None and column.kind in (Kind.INTEGER, Kind.NUMBER):
        return {"numeric": "integer", "canbeblank": True}
    return {"string": "alphanumeric", "canbeblank": True}


def floor(file: str, into: str, repeats: int) -> dict[str, Any]:
    from bench.floor import read

    found = [read("", into, [file]) for _ in range(1 + repeats)][1:]
    return {kind: median(one[kind] for one in found) for kind in ("wall", "cpu")}

"""One looked-after return and all its rules, through extract → land → check, beside the validator of the return."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median
from typing import Any

from bench import peers
from bench.isolated import BenchFailed, run
from bench.results import Result, Row, seconds, times

TITLE = "One looked-after return with all its rules"
_TARGET = 10
_THIRD_PARTY = Path(__file__).parent.parent.parent / "shared/data/social_care/ssda903"
_FILES = (
    "ad1", "episodes", "header", "missing", "oc2", "oc3", "placed_for_adoption", "previous_permanence", "reviews", "uasc",
)  # fmt: skip
_WORDS = ("extract", "land", "check")


def measure(work: Path, *, quick: bool) -> Result:
    repeats = 1 if quick else 3
    if not _THIRD_PARTY.exists():
        raise BenchFailed(
            "ssda903: the peer's return (tests/fake_data of csc-validator-be-903) is not in shared/data beside this "
            "checkout; put it there, for the synthetic return has another form than the peer reads"
        )
    folder = work / "return"
    folder.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(_THIRD_PARTY / f"{name}.csv", folder)
    found = run("bench.ssda903:line", folder=folder, data=work / "data", repeats=repeats)
    peer = peers.run("lac_validator", folder=folder, rules="lac2025_26", ends_in="2023")
    rows: list[Row] = []
    headline = ""
    for what, words, theirs in (
        ("rules: check", ("check",), (peer["rules_wall"], peer["rules_cpu"])),
        ("reading and rules: extract + land + check", _WORDS, (peer["wall"], peer["cpu"])),
    ):
        wall, cpu = (
            median(sum(night[kind][word] for word in words) for night in found["nights"]) for kind in ("wall", "cpu")
        )
        target = f"≥ {_TARGET}× the peer" + (", ≥ 29,000 rows/s" if words == ("check",) else "")
        rows.append(
            Row(
                what,
                f"{found['rows'] / wall:,.0f} rows/s, {seconds(wall, cpu)}",
                f"{peer['rows'] / theirs[0]:,.0f} rows/s, {seconds(*theirs)}",
                times(theirs[0] / wall),
                target,
            )
        )
        headline = (
            f"{found['rows'] / wall:,.0f} rows/s = {times(theirs[0] / wall)} the peer, over {found['rows']:,} rows"
        )
    return Result(
        "ssda903",
        TITLE,
        [
            f"Input: the ten CSV files of the peer's made-up return; {found['rows']:,} rows. {found['run']:,} rules and "
            f"{found['columns']:,} standards of columns ran; {found['failing']:,} failing rows were kept, each with its place, value and hint. Land keys, compares and accounts for every "
            "row and encrypts it; the peer has none of that. Process start and imports not counted, one night for warming up. Peak memory "
            f"{found['peak_mb']:,.0f} MB.",
            "Peer: csc-validator-be-903 0.1.17, one pandas function a rule, in an environment of its own (bench/peers/lac_validator.py), on "
            f"the same files; of its rules {', '.join(peer['crashed'])} crash. Ratios are of time.",
        ],
        headline,
        rows,
        repeats,
    )


def line(folder: str, data: str, repeats: int) -> dict[str, Any]:
    """Nights over the one return, each on a new warehouse; the first, for warming up, is not reported."""
    from bench.deployment import FIRST_NIGHT, Clock, import_great_expectations, opened, run_feeds
    from pipelines.settings import Settings

    import_great_expectations(Clock())
    nights: list[Any] = []
    books, counted = {"received": 0}, (0, 0, 0)
    for _ in range(1 + repeats):
        settings = Settings(
            base=Path(folder).parent,
            data_dir=Path(data),
            sources={"social_care.ssda903": {"from": folder, "collection_year": "2022/23", "rules": "2025/26"}},
            authority="201",
        )
        clock = Clock()
        with opened(settings) as opened_line:
            books = run_feeds(opened_line, FIRST_NIGHT, clock, _WORDS)
            counted = opened_line.con.execute(
                "SELECT count(*) FILTER (starts_with(expectation, 'ssda903.') AND status <> 'not_run'), "
                "count(*) FILTER (NOT starts_with(expectation, 'ssda903.') AND status <> 'not_run'), "
                "(SELECT count(*) FROM quality_spell) FROM quality_result"
            ).fetchall()[0]
        nights.append(clock.found())
    run_, columns, failing = counted
    return {"nights": nights[1:], "rows": books["received"], "run": run_, "columns": columns, "failing": failing}

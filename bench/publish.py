"""All marts of a whole hub at once, one child's chronology, and the questions analysts begin with.

The core is that of bench/hub.py: twenty events a child, some of them corrected, a week of attendance marks, plans, households, a standard
failing on 300,000 rows. The floor is DuckDB copying the tables of the finished marts as they are, in the order in which they lie, into
new files under the same keys: no join, no sorting, no pseudonym, no history. The questions are those of docs/analysts.md.
A night's publication begins from the one before; what it is held against is publishing everything anew.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench import hub
from bench.isolated import run
from bench.results import Result, Row, seconds, times

TITLE = "Publishing all marts of a hub, one child's chronology, ten questions of analysts"
_QUESTIONS = Path(__file__).parent.parent / "docs/analysts.md"
_MEMORY = "5GB"
_CHILDREN = 100


def measure(work: Path, *, quick: bool, large: bool = False) -> Result:
    children = 150 if quick else 1_000_000 if large else 100_000
    repeats = 1 if quick else 3
    run("bench.hub:fill", folder=work, children=children)
    published = [run("bench.publish:publish", folder=work) for _ in range(repeats)]
    # Each from the one before; as many are kept as it takes for none of them to be made whole.
    nights = [
        run(
            "bench.publish:publish",
            folder=work,
            load_id=run("bench.hub:pass_a_night", folder=work, number=night)["load_id"],
            keep=repeats + 1,
        )
        for night in range(1, repeats + 1)
    ]
    floor = [run("bench.publish:copy", folder=work) for _ in range(repeats)]
    read = run("bench.publish:ask", folder=work, repeats=repeats)
    wall, cpu = (median(each[kind] for each in published) for kind in ("wall", "cpu"))
    floor_wall, floor_cpu = (median(each[kind] for each in floor) for kind in ("wall", "cpu"))
    night_wall, night_cpu = (median(each[kind] for each in nights) for kind in ("wall", "cpu"))
    peak = max(each["peak_mb"] for each in published)
    slowest = max(read["questions"].values())
    rows = [
        Row(
            f"publish, {children:,} children, {published[0]['events']:,} events",
            f"{seconds(wall, cpu)}, peak {peak:,.0f} MB",
            seconds(floor_wall, floor_cpu),
            f"{times(wall / floor_wall)} its time, {times(cpu / floor_cpu)} its CPU",
            "≤ 90 s and ≤ 6 GB at a million children" if large else "",
        ),
        Row(
            f"publish a night, one child in {hub.CHILDREN_WITH_NEWS} with news",
            f"{seconds(night_wall, night_cpu)}, peak {max(each['peak_mb'] for each in nights):,.0f} MB",
            seconds(wall, cpu),
            f"{times(night_wall / wall)} the time of all of it",
            "≤ 90 s and ≤ 6 GB at a million children" if large else "",
        ),
        Row(
            f"one child's chronology, {_CHILDREN} children",
            f"median {read['chronology_ms'][0]:.0f} ms, p95 {read['chronology_ms'][1]:.0f} ms",
            target="p95 ≤ 50 ms" if large else "",
        ),
        Row(
            f"{len(read['questions'])} questions of analysts, the slowest",
            seconds(slowest),
            target="≤ 2 s" if large else "",
        ),
    ]
    return Result(
        "publish",
        TITLE,
        [
            " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
            f"DuckDB was given {_MEMORY} of memory and all cores. Opening the core and process start are not counted.",
        ],
        f"{children:,} children: {seconds(wall, cpu)}, {times(cpu / floor_cpu)} the CPU of copying the marts, peak {peak:,.0f} MB; "
        f"chronology p95 {read['chronology_ms'][1]:.0f} ms, slowest question {slowest:.2f} s",
        rows,
        repeats,
        [
            (
                "By mart and question:",
                ["what", "seconds or size"],
                [[f"mart {role}", f"{size / 1e6:,.0f} MB"] for role, size in published[0]["bytes"].items()]
                + [[name, f"{took:.2f} s"] for name, took in read["questions"].items()],
            )
        ],
    )


def publish(folder: str, load_id: str = hub.LOAD, keep: int = 1) -> dict[str, Any]:
    """Every mart of the core, once; from the last ones where they are kept."""
    from warehouse import publish as publishing
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    place = Path(folder)
    keys = load_keys(place / "tessera.keys", {})
    with Warehouse(place / "core.duckdb", keys, memory_limit=_MEMORY) as warehouse:
        events = warehouse.con.execute("SELECT count(*) FROM event").fetchall()[0][0]
        wall, cpu = time.perf_counter(), time.process_time()
        published = publishing.publish(warehouse, place / "marts", keys, load_id=load_id, keep=keep, feeds=hub.feeds())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "wall": wall,
        "cpu": cpu,
        "events": events,
        "bytes": {role: file.bytes for role, file in published.files.items()},
    }


def copy(folder: str) -> dict[str, Any]:
    """The floor: each mart's tables into a new file under the mart's key."""
    from warehouse import engine
    from warehouse import publish as publishing
    from warehouse.keys import load_keys

    place = Path(folder)
    keys, marts = load_keys(place / "tessera.keys", {}), place / "marts"
    con = engine.connect(memory_limit=_MEMORY, temp_directory=place / "spill")
    took = {"wall": 0.0, "cpu": 0.0}
    current = publishing.current(marts)
    for role in current.files:
        into = place / "copied.duckdb"
        engine.attach(con, current.path(marts, role), "mart", keys.text(role), read_only=True)
        tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'mart'").fetchall()
        wall, cpu = time.perf_counter(), time.process_time()
        engine.attach(con, into, "copied", keys.text(role))
        con.execute("BEGIN")
        for (table,) in tables:
            con.execute(f'CREATE TABLE copied.main."{table}" AS FROM mart.main."{table}"')
        con.execute("COMMIT")
        con.execute("CHECKPOINT copied")
        took["wall"] += time.perf_counter() - wall
        took["cpu"] += time.process_time() - cpu
        con.execute("DETACH copied")
        con.execute("DETACH mart")
        into.unlink()
    con.close()
    return took


def ask(folder: str, repeats: int) -> dict[str, Any]:
    """Milliseconds of a child's chronology, median and p95, on one open connection; seconds of each question, median of the repeats."""
    from warehouse import query
    from warehouse.keys import load_keys

    place = Path(folder)
    keys = load_keys(place / "tessera.keys", {})
    con = query.open_mart(place / "marts", keys, "practitioner")
    asked = query.rows(con, "SELECT person_id FROM children ORDER BY hash(person_id) LIMIT $n", {"n": _CHILDREN})
    waits = sorted(
        1000 * _took(lambda: query.rows(con, "FROM chronology WHERE person_id = $person_id ORDER BY sorts_at", child))  # noqa: B023
        for child in asked
    )
    con.close()
    con = query.open_mart(place / "marts", keys, "analyst", memory_limit=_MEMORY)
    answers = {
        question: median(_took(lambda: query.rows(con, sql)) for _ in range(repeats))  # noqa: B023
        for question, sql in questions().items()
    }
    con.close()
    return {"chronology_ms": (median(waits), waits[len(waits) * 95 // 100 - 1]), "questions": answers}


def questions() -> dict[str, str]:
    """The questions of docs/analysts.md, each with its SQL."""
    return dict(re.findall(r"^(.+\?)\n\n```sql\n((?:.+\n)+)```", _QUESTIONS.read_text(encoding="utf-8"), re.M))


def _took(action: Any) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began

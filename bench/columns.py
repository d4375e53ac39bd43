"""One million rows held against thirty standards of columns: time and peak memory, beside DuckDB merely reading the same columns."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.isolated import run
from bench.results import Result, Row, seconds, times

if TYPE_CHECKING:
    from connectors.contract import Feed
    from warehouse.engine import Warehouse

TITLE = "A million rows and thirty standards of columns"
_DATE = dt.date(2026, 11, 16)


def measure(work: Path, *, quick: bool) -> Result:
    rows, repeats = (50_000, 1) if quick else (1_000_000, 3)
    run("bench.columns:make", folder=work, rows=rows)
    found = run("bench.columns:check", folder=work, repeats=repeats)
    floor = run("bench.columns:read", folder=work, repeats=repeats)
    (wall, cpu), (floor_wall, floor_cpu) = _middle(found["times"]), _middle(floor["times"])
    target = "≤ 3 s and ≤ 1 GB" if not quick else ""
    return Result(
        "columns",
        TITLE,
        [
            f"Input: {rows:,} made-up rows of {found['columns']} columns, landed and encrypted, none judged before; one value in 500 of "
            f"each column is wrong. Judged by {found['standards']} standards of columns, and by those of the table; "
            f"{found['failing']:,} failing values were kept, each with its place and hint. Process start and imports not counted, one run for "
            "warming up.",
            "Floor: DuckDB reading the same columns of the same encrypted table, every value hashed.",
        ],
        f"{rows / wall:,.0f} rows/s, {seconds(wall, cpu)}, peak {found['peak_mb']:,.0f} MB",
        [
            Row(
                f"check, {rows:,} rows × {found['standards']} standards",
                f"{seconds(wall, cpu)}, peak {found['peak_mb']:,.0f} MB",
                f"{seconds(floor_wall, floor_cpu)}, peak {floor['peak_mb']:,.0f} MB",
                times(wall / floor_wall),
                target,
            )
        ],
        repeats,
    )


def _middle(taken: list[dict[str, float]]) -> tuple[float, float]:
    return median(each["wall"] for each in taken), median(each["cpu"] for each in taken)


def make(folder: str, rows: int) -> None:
    """Lands the rows, in a process whose memory is not measured."""
    from connectors import reading
    from warehouse.engine import define
    from warehouse.schema import RAW_COLUMNS

    feed = _feed()
    (table,) = feed.tables
    with _opened(folder) as warehouse:
        define(warehouse.con, "reading", reading.definitions())
        columns = [f'"{column.name}" VARCHAR' for column in table.columns]
        columns += [f'"{kept.name}" {kept.type}' for kept in RAW_COLUMNS]
        warehouse.con.execute(f"CREATE TABLE raw.{feed.raw(table.name)} ({', '.join(columns)})")
        warehouse.con.execute("INSERT INTO night (load_id, load_seq, date) VALUES ('night-1', 1, ?)", [_DATE])
        # Wrong values stand at other rows in each column; the key is always there.
        values = [
            "i::VARCHAR AS c0",
            *(
                f"CASE WHEN (i * 7919 + {place} * 104729) % 500 = 0 THEN {wrong} ELSE {right} END AS {column.name}"
                for place, (column, (right, wrong)) in enumerate(
                    zip(table.columns[1:], _values()[1:], strict=True), start=1
                )
            ),
        ]
        warehouse.con.execute(
            f"INSERT INTO raw.{feed.raw(table.name)} BY NAME SELECT {', '.join(values)}, 'rows:1:f1:' || i AS raw_row_id, "
            "'night-1' AS load_id, 1 AS load_seq, 'f1' AS file_id, i AS row_number, '' AS scope, i::VARCHAR AS source_key, "
            "md5(i::VARCHAR) AS row_hash FROM range($rows) AS made (i)",
            {"rows": rows},
        )


def check(folder: str, repeats: int) -> dict[str, Any]:
    """Judges all rows as if for the first time; the first run, for warming up, is not reported."""
    from connectors import reading
    from expectations import gx_duckdb
    from expectations.run import check_feed
    from expectations.suite import suite_for
    from warehouse.engine import define

    gx_duckdb.load()
    feed, taken = _feed(), []
    with _opened(folder) as warehouse:
        define(warehouse.con, "reading", reading.definitions())
        for _ in range(1 + repeats):
            for table in ("quality_result", "quality_spell", "feed_measure"):
                warehouse.con.execute(f"DELETE FROM {table}")
            warehouse.con.execute("DROP TABLE IF EXISTS quality_judged")
            wall, cpu = time.perf_counter(), time.process_time()
            check_feed(warehouse, feed, load_id="night-1", load_seq=1, allow_test_nhs_numbers=False, today=_DATE)
            taken.append({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu})
        failing = warehouse.con.execute("SELECT count(*) FROM quality_spell").fetchall()[0][0]
    (table,) = feed.tables
    of_columns = [standard for standard in suite_for(feed, table) if not standard.sql]
    return {"times": taken[1:], "failing": failing, "standards": len(of_columns), "columns": len(table.columns)}


def read(folder: str, repeats: int) -> dict[str, Any]:
    """DuckDB reading every column of every row."""
    feed, taken = _feed(), []
    (table,) = feed.tables
    hashed = ", ".join(f'bit_xor(hash("{column.name}"))' for column in table.columns)
    with _opened(folder) as warehouse:
        for _ in range(1 + repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            warehouse.con.execute(f"SELECT {hashed} FROM raw.{feed.raw(table.name)}").fetchall()
            taken.append({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu})
    return {"times": taken[1:]}


def _opened(folder: str) -> Warehouse:
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    return Warehouse(Path(folder) / "core.duckdb", load_keys(Path(folder) / "keys", {}))


def _feed() -> Feed:
    """Thirty standards over columns of every kind that has one."""
    from connectors.contract import Column, Feed, Kind, Table

    kinds = [
        *[{"required": True}] * 5,
        *[{"allowed": ("A1", "A2", "B1", "B2", "C1", "C2")}] * 6,
        *[{"kind": Kind.DATE, "formats": ("%d/%m/%Y",)}] * 6,
        # an NHS number has two: that it is one, and that it is no test number
        *[{"kind": Kind.NHS_NUMBER}] * 2,
        *[{"kind": Kind.UPN}] * 2,
        *[{"kind": Kind.POSTCODE}] * 2,
        *[{"kind": Kind.INTEGER}] * 2,
        {"kind": Kind.NUMBER},
        *[{"kind": Kind.TIMESTAMP}] * 2,
    ]
    columns = tuple(Column(f"c{place}", "made up", **said) for place, said in enumerate(kinds))  # type: ignore[arg-type]
    table = Table("rows", "one row per number", key=("c0",), columns=columns)
    return Feed("bench", "columns", "Made-up rows", "csv", (table,), conform=lambda options: [], delivery="delta")


def _values() -> list[tuple[str, str]]:
    """Of each column in turn, SQL for a right value of row i and for a wrong one."""
    coded = ("list_extract(['A1', 'A2', 'B1', 'B2', 'C1', 'C2'], 1 + i % 6)", "'Z9'")
    dated = ("strftime(DATE '2008-01-01' + (i % 5000)::INT, '%d/%m/%Y')", "'2008-31-12'")
    return [
        *[("'name ' || i", "''")] * 5,
        *[coded] * 6,
        *[dated] * 6,
        *[("list_extract(['4010232137', '6541003238', '4505577104'], 1 + i % 3)", "'4010232138'")] * 2,
        *[("list_extract(['H801200001001', 'P207000016049'], 1 + i % 2)", "'Q207000016049'")] * 2,
        *[("list_extract(['LS1 4AP', 'SW1A 1AA', 'M1 1AE'], 1 + i % 3)", "'LS1'")] * 2,
        *[("(i % 100)::VARCHAR", "'many'")] * 2,
        ("(i % 100 / 4)::VARCHAR", "'half'"),
        *[("strftime(TIMESTAMP '2026-01-01' + to_minutes(i % 400000), '%Y-%m-%dT%H:%M:%S')", "'noon'")] * 2,
    ]

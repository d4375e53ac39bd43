"""Every declared feed's standards run, on a row that is all wrong and one that is all blank. A new agency joins in."""

import datetime as dt

import pytest

from connectors import reading
from connectors.registry import feeds
from connectors.rulebooks import rule_books
from expectations.run import check_feed
from expectations.suite import describe, suite_for
from warehouse.engine import Warehouse, define
from warehouse.keys import load_keys
from warehouse.land import RawTable, ensure_raw_tables

OPTIONS = {"collection_year": "2025/26", "term": "autumn", "year": 2025}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warehouse")
    with Warehouse(folder / "core.duckdb", load_keys(folder / "keys", {})) as warehouse:
        define(warehouse.con, "reading", reading.definitions())
        warehouse.con.execute("INSERT INTO night (load_id, load_seq, date) VALUES ('n1', 1, DATE '2025-03-01')")
        yield warehouse


@pytest.mark.parametrize("name", sorted(feeds()))
def test_no_standard_is_broken(warehouse, name):
    feed = feeds()[name]
    period = feed.period(OPTIONS)
    columns = {table.name: tuple(column.lower() for column in table.names()) for table in feed.tables}
    raws = [RawTable(feed.raw(name), name, of_table, ()) for name, of_table in columns.items()]
    ensure_raw_tables(warehouse.con, feed.id, raws)
    for table, raw in zip(feed.tables, raws, strict=True):
        for number, value in enumerate(("¬ 'wrong' % :x {y} \\", " "), start=2):
            row = {f'"{column}"': value for column in raw.columns} | {
                "raw_row_id": f"{table.name}:f:{number}",
                "load_id": "n1",
                "load_seq": 1,
                "file_id": "f",
                "row_number": number,
                "scope": period.scope if period else "",
                "source_key": str(number),
                "row_hash": str(number),
                "extra": '{"unheard of": 1}',
            }
            marks = ", ".join("?" for _ in row)
            warehouse.con.execute(f"INSERT INTO {raw.relation} ({', '.join(row)}) VALUES ({marks})", [*row.values()])
    verdicts = check_feed(
        warehouse, feed, load_id="n1", load_seq=1, allow_test_nhs_numbers=False, today=dt.date(2025, 3, 1), options=OPTIONS
    )  # fmt: skip
    assert [verdict for verdict in verdicts if verdict.status == "broken"] == []
    of_books = {rule.name for book in rule_books(feed) for rule in book.rules}
    # How many records find others is judged when people are linked.
    of_contract = {row["name"] for row in describe(feed)} - {"match_rate_as_usual"}
    assert {verdict.expectation for verdict in verdicts} == of_contract | of_books
    by_name = {verdict.expectation: verdict for verdict in verdicts}
    for table in feed.tables:
        for standard in suite_for(feed, table):
            if standard.column and not standard.name.endswith("is_not_a_test_number"):
                # The wrong value fails every standard of a column but presence, the blank one presence alone.
                assert by_name[standard.name].failed == 1, standard.name


def test_a_child_who_is_gone_is_reported_once_and_a_row_about_nobody_known_is_not_lost(toy, full_list) -> None:
    world = toy(full_list)
    world.send("child.csv", "upn,surname\nA,Ash\nB,Beech\n")
    world.send("visit.csv", "visit_id,upn,what\n1,A,x\n2,B,x\n3,B,y\n4,C,x\n")
    world.night()
    world.send("child.csv", "upn,surname\nA,Ash\n")
    world.send("visit.csv", "visit_id,upn,what\n1,A,x\n")
    world.night("2026-11-17")
    reported = world.rows(
        "SELECT expectation, value FROM quality_spell WHERE ended_load_id IS NULL AND expectation LIKE '%nobody_vanished' ORDER BY ALL"
    )
    assert reported == [
        {"expectation": "child.nobody_vanished", "value": "B"},
        {"expectation": "visit.nobody_vanished", "value": "C"},
    ]

"""What agencies say differently reaches the quality results of each, stands from night to night, and is fixed when they agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors import reading
from connectors.contract import Column, Feed, Table
from expectations import between
from expectations.run import check_feed
from warehouse.engine import Warehouse, define
from warehouse.keys import load_keys
from warehouse.schema import RAW_COLUMNS

RULE = "between.plan_unknown_to_council"
DAY = dt.date(2026, 11, 10)


def _feed(agency: str, name: str) -> Feed:
    table = Table("child", "one row per child", key=("id",), columns=(Column("id", "Child", required=True),))
    return Feed(agency, name, "Toy", "csv", (table,), conform=lambda options: [], delivery="delta")


FEEDS = [_feed("health", "fhir"), _feed("social_care", "ssd"), _feed("school", "census")]


class Core:
    """A core with one child whom the practice says to be on a plan."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse, self.con = warehouse, warehouse.con
        define(self.con, "reading", reading.definitions())
        for feed in FEEDS:
            kept = ", ".join(f'"{field.name}" {field.type}' for field in RAW_COLUMNS)
            self.con.execute(f"CREATE TABLE raw.{feed.raw('child')} (id VARCHAR, {kept})")
            self._insert(
                f"raw.{feed.raw('child')}", id="7", raw_row_id=f"{feed.agency} row", load_id="n1", load_seq=1, file_id="f",
                row_number=2, scope="", source_key="7", row_hash="x",
            )  # fmt: skip
            self._insert("link", record_id=f"{feed.agency} child", person_id="P")
        said = {"record_id": "health child", "agency": "health", "feed": "fhir", "raw_row_id": "health row"}
        self._insert("event", event_id="e", event_type="cpp_start", occurred_from=DAY, **said)

    def _insert(self, table: str, **values: Any) -> None:
        marks = ", ".join("?" for _ in values)
        self.con.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))

    def plan(self) -> None:
        said = {
            "record_id": "social_care child",
            "agency": "social_care",
            "feed": "ssd",
            "raw_row_id": "social_care row",
        }
        self._insert("span", span_id="s", kind="child_protection_plan", started_on=DAY, **said)

    def night(self, number: int, *, sent: tuple[str, ...] = ("health", "social_care", "school")) -> None:
        load_id, date = f"n{number}", DAY + dt.timedelta(number)
        self._insert("night", load_id=load_id, load_seq=number, date=date)
        for feed in FEEDS:
            if feed.agency in sent:
                self._insert(
                    "received_file", load_id=load_id, agency=feed.agency, feed=feed.name, file_id="f", name="f.csv", received=1,
                    extracted_at=date, status="landed",
                )  # fmt: skip
            check_feed(self.warehouse, feed, load_id=load_id, load_seq=number, allow_test_nhs_numbers=True, today=date)
        for _ in range(2):  # again changes nothing
            not_asked = between.compare(self.con, load_id=load_id, today=date)
            with self.warehouse.transaction() as con:
                between.tell(con, FEEDS, not_asked, load_id=load_id)

    def results(self, number: int) -> list[tuple[Any, ...]]:
        return self.con.execute(
            "SELECT agency, evaluated, failed, status FROM quality_result WHERE load_id = ? AND expectation = ? ORDER BY ALL",
            [f"n{number}", RULE],
        ).fetchall()

    def failures(self) -> list[tuple[Any, ...]]:
        return self.con.execute(
            "SELECT coalesce(sent_again_load_id, failing_since), agency, source_file, row_number, local_id, value FROM quality_spell "
            "WHERE ended_load_id IS NULL AND expectation = ?",
            [RULE],
        ).fetchall()


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with Warehouse(tmp_path / "core.duckdb", load_keys(tmp_path / "keys", {})) as warehouse:
        yield Core(warehouse)


def test_a_disagreement_is_a_failing_row_until_it_is_mended(core: Core) -> None:
    core.night(1)
    assert core.results(1) == [("health", 1, 1, "warn")]
    found = [("n1", "health", "f.csv", 2, "7", "told of here, and no plan is open at the council")]
    assert core.failures() == found
    core.night(2)
    assert core.failures() == found  # since the first night, although every feed was checked again
    core.plan()
    core.night(3)
    assert (core.results(3), core.failures()) == ([("health", 1, 0, "pass")], [])
    spells = core.con.execute(
        "SELECT failing_since, ended_load_id, ended FROM quality_spell WHERE expectation = ?", [RULE]
    )
    assert spells.fetchall() == [("n1", "n3", "repaired_elsewhere")]


def test_without_one_side_it_is_not_run_and_never_a_pass(core: Core) -> None:
    core.night(1, sent=("health", "school"))
    assert core.results(1) == [("health", 0, 0, "not_run"), ("social_care", 0, 0, "not_run")]
    assert core.failures() == []
    message = core.con.execute("SELECT DISTINCT message FROM quality_result WHERE expectation = ?", [RULE]).fetchall()
    assert message == [("it compares with social care, of which nothing recent has come",)]


def test_a_rule_that_raises_is_broken_and_quotes_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    (rule,) = (rule for rule in between.rules() if rule.name == RULE)
    broken = replace(
        rule, sql="SELECT agency, feed, raw_row_id, person_id::INT > 0 AS disagrees, '' AS value FROM {events}"
    )
    core.night(1)
    monkeypatch.setattr(between, "rules", lambda: (broken,))
    core.night(2)
    assert core.results(2) == [("health", 0, 0, "broken"), ("social_care", 0, 0, "broken")]
    assert len(core.failures()) == 1  # what broke says nothing of what was known
    message = core.con.execute(
        "SELECT DISTINCT message FROM quality_result WHERE expectation = ? AND load_id = 'n2'", [RULE]
    ).fetchall()
    assert message == [(f"ConversionException while judging {RULE}; see its SQL",)]

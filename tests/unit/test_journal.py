"""What people did cannot be changed, taken away or put in unseen."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from warehouse.access_log import AccessLog
from warehouse.decisions import Decisions
from warehouse.journal import Head, Journal
from warehouse.keys import STORES, Keys
from warehouse.store import Cipher, Store

NOW = dt.datetime(2026, 11, 16, 6, 0, 0, 123456)
ROWS = 6


def journal_in(folder: Path) -> Journal:
    return Journal(
        Store(f"sqlite:///{folder / 'decisions.sqlite'}"),
        "act",
        "act_id",
        sa.Column("said", sa.LargeBinary),
        sa.Column("on_day", sa.Date),
        sa.Column("at", sa.DateTime),
        sa.Column("useful", sa.Boolean),
        cipher=lambda _: Cipher(bytes(32)),
    )


def write(journal: Journal, number: int) -> None:
    journal.append([{"said": b"x%d" % number, "on_day": NOW.date(), "at": NOW, "useful": number % 2 == 0}])


@pytest.fixture
def written(tmp_path: Path) -> Journal:
    journal = journal_in(tmp_path)
    for number in range(ROWS):
        write(journal, number)
    return journal


def test_what_follows_from_the_rows_is_worked_out_once_after_each(written: Journal) -> None:
    asked: list[int] = []

    def number(row: sa.Row[tuple[object, ...]]) -> dict[str, object]:
        return {"number": row.act_id}

    def count(rows: Sequence[dict[str, object]]) -> int:
        asked.append(len(rows))
        return len(rows)

    assert [written.worked_out(number, count) for _ in range(3)] == [ROWS] * 3
    write(written, 99)
    assert [written.worked_out(number, count) for _ in range(2)] == [ROWS + 1] * 2
    assert asked == [ROWS, ROWS + 1]


def tamper(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "decisions.sqlite") as con:
        for statement in statements:
            con.execute(statement)
    con.close()


def test_what_was_written_is_proved_by_whoever_opens_the_store_later(written: Journal, tmp_path: Path) -> None:
    head = written.head()
    assert head is not None and (head.rows, head.newest) == (ROWS, ROWS)
    write(written, 99)
    assert journal_in(tmp_path).faults({"at noon": head}) == []


def test_a_row_is_opened_once_and_anew_after_an_erasure_or_a_cut(tmp_path: Path) -> None:
    journal, cipher, opened = journal_in(tmp_path), Cipher(bytes(32)), []

    def say(row: sa.Row[tuple[object, ...]]) -> dict[str, object]:
        opened.append(row.act_id)
        return {"number": row.act_id, "said": cipher.open(row.said)}

    def told() -> list[object]:
        return [row["said"] for row in journal.read(say)]

    assert told() == []
    journal.append([{"said": cipher.seal(word)} for word in ("one", "two")])
    assert told() == told() == ["one", "two"]
    journal_in(tmp_path).append([{"said": cipher.seal("three")}])  # another process
    assert told() == ["one", "two", "three"]
    assert opened == [1, 2, 3]
    for erased in ("two", "nobody"):  # the same row twice
        journal_in(tmp_path).reword(lambda text, erased=erased: "nobody" if text == erased == "two" else text + "!")  # type: ignore[misc]
    assert told() == ["one!!", "nobody!", "three!!"]
    tamper(tmp_path, "DELETE FROM act WHERE act_id = 2")
    assert told() == ["one!!", "three!!"]


@given(st.integers(1, ROWS), st.sampled_from(["said", "on_day", "at", "useful", "stamp"]))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_that_is_changed_is_found(tmp_path_factory: pytest.TempPathFactory, number: int, column: str) -> None:
    folder = tmp_path_factory.mktemp("changed")
    journal = journal_in(folder)
    for written in range(ROWS):
        write(journal, written)
    other = {"said": "x'41'", "on_day": "'2020-01-01'", "at": "'2020-01-01 00:00:00.000000'", "stamp": "x'42'"}
    tamper(folder, f"UPDATE act SET {column} = {other.get(column, f'NOT {column}')} WHERE act_id = {number}")
    assert any(f"row {number}:" in fault for fault in journal.faults({}))


@given(st.permutations(range(1, ROWS + 1)), st.integers(0, ROWS - 1))
@settings(max_examples=15, deadline=None)
def test_rows_taken_away_or_moved_are_found(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], gone: int
) -> None:
    assume(order != sorted(order) or gone > 0)
    folder = tmp_path_factory.mktemp("moved")
    journal = journal_in(folder)
    for number in range(ROWS):
        write(journal, number)
    head = journal.head()
    assert head is not None
    moved = [f"UPDATE act SET act_id = {100 + to} WHERE act_id = {number}" for number, to in enumerate(order, start=1)]
    tamper(folder, *moved, "UPDATE act SET act_id = act_id - 100", f"DELETE FROM act WHERE act_id <= {gone}")
    assert journal.faults({"at noon": head})


def test_rows_cut_off_at_the_end_show_against_a_head_noted_before(written: Journal, tmp_path: Path) -> None:
    head = written.head()
    assert head is not None
    tamper(tmp_path, f"DELETE FROM act WHERE act_id > {ROWS - 2}")
    assert written.faults({}) == [], "what is left is whole"
    (gone,) = written.faults({"at noon": head})
    assert gone == f"act: row {ROWS}, the last at noon, is gone"
    for number in range(2):
        write(written, 50 + number)
    (other,) = written.faults({"at noon": head})
    assert f"row {ROWS}: it is not the one" in other


def test_a_row_put_in_by_hand_is_found(written: Journal, tmp_path: Path) -> None:
    tamper(tmp_path, "INSERT INTO act (said) VALUES (x'41')")
    (put_in,) = written.faults({})
    assert f"row {ROWS + 1}: it was put in by something else" in put_in


def test_rows_of_a_version_without_stamps_are_held_from_the_first_stamp_on(written: Journal, tmp_path: Path) -> None:
    tamper(tmp_path, "UPDATE act SET stamp = NULL")
    assert written.faults({}) == []
    write(written, 7)
    assert written.faults({}) == []
    tamper(tmp_path, "UPDATE act SET said = x'41' WHERE act_id = 2")
    (found,) = written.faults({})
    assert f"row {ROWS + 1}: it was changed, or rows before it" in found


def test_many_at_once_write_one_chain(tmp_path: Path) -> None:
    journal_in(tmp_path).head()  # makes the table
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(journal_in(tmp_path), number), range(24)))
    journal = journal_in(tmp_path)
    assert journal.faults({}) == []
    assert journal.head() == Head(24, 24, journal.head().stamp)  # type: ignore[union-attr]


def test_another_key_proves_nothing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'decisions.sqlite'}")
    Decisions(store, bytes(32)).add("must_link", "health.fhir:A", "health.fhir:B", "spoke", "Ana", NOW)
    other = Decisions(Store(f"sqlite:///{tmp_path / 'decisions.sqlite'}"), b"1" * 32)
    assert len(other.journal.faults({})) == 1


def test_a_look_is_stamped_under_the_key_of_the_role_that_looked(tmp_path: Path) -> None:
    every = Keys({store: f"key of {store}" for store in STORES})
    analyst = Keys({"analyst": "key of analyst"})
    url = f"sqlite:///{tmp_path / 'decisions.sqlite'}"
    for keys, role in ((every, "practitioner"), (analyst, "analyst"), (every, "quality")):
        log = AccessLog(Store(url), keys)
        number = log.asked("query", role, NOW, load_id="1", version="1", who="Ana", purpose="x", question="SELECT 1")
        log.answered(number, role, NOW, shown=["p"], rows=1)
    assert AccessLog(Store(url), every).journal.faults({}) == []
    tamper(tmp_path, "UPDATE access SET rows = 0 WHERE access_id = 4")
    (fault,) = AccessLog(Store(url), every).journal.faults({})
    assert fault.startswith("access, row 4:")

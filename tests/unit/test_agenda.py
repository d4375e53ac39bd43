"""What a quality officer is told to do: by harm and not by count, one step a feed, broken standards to the data team."""

from __future__ import annotations

from typing import Any

from expectations import agenda
from expectations.agenda import Step


def standard(expectation: str, harm: str = "wrong_account", **more: Any) -> dict[str, Any]:
    table = expectation.partition(".")[0] if "." in expectation else ""
    row = {"feed": "toy.marks", "table_name": table, "expectation": expectation, "severity": "warning", "harm": harm}
    row |= {"status": "warn", "failed": 1, "new": 0, "still": 1, "fixed": 0, "waived": 0}
    row |= {"load_id": "2026-11-16.1", "new_since": "2026-11-16.1", "message": None, **more}
    return {"open": row["failed"] - row["waived"], "expected_by": None, "overdue": False, **row}


def test_one_row_held_back_comes_before_ten_thousand_old_codes() -> None:
    rows = [
        standard("mark.code.is_a_known_code", failed=10_000),
        standard("mark.rows_readable_and_keyed", "unseen"),
        standard("mark.extra", "untidy", severity="info", failed=50_000),
        standard("mark.dob.is_a_date", "wrong_child", failed=2),
        standard("mark.fine", "unseen", status="pass", failed=0),
    ]
    assert [row["expectation"] for row in agenda.worst_first(rows)] == [
        "mark.rows_readable_and_keyed", "mark.dob.is_a_date", "mark.code.is_a_known_code", "mark.extra",
    ]  # fmt: skip


def test_what_came_with_an_earlier_load_is_not_told_as_tonights() -> None:
    old = {"new_since": "2026-07-01.1", "still": 0}
    rows = [standard("mark.code", failed=9, new=9, **old), standard("mark.dob", "wrong_child", failed=2, new=0)]
    assert [step.because for step in agenda.steps(rows, {})] == [
        "wrong child: 2 rows, 0 new; wrong account: 9 rows, 9 new with load 2026-07-01.1"
    ]


def test_within_a_harm_severity_then_news_then_count() -> None:
    rows = [
        standard("mark.many", failed=9),
        standard("mark.news", failed=2, new=1),
        standard("mark.info", severity="info", failed=99, new=9),
    ]
    assert [row["expectation"] for row in agenda.worst_first(rows)] == ["mark.news", "mark.many", "mark.info"]


def test_each_feed_is_one_step_to_whom_it_concerns() -> None:
    rows = [
        standard("mark.code.is_a_known_code", failed=1_200, new=200, fixed=1),
        standard("mark.rows_readable_and_keyed", "unseen", failed=3),
        standard("child.nobody_vanished", "unseen", feed="toy.list", failed=2),
        standard("visit.nobody_vanished", "unseen", feed="toy.list", failed=5),
        standard("not_stale", "unseen", feed="toy.list", still=0, message="latest extract of 2026-11-01, 14 days ago"),
        standard("note.extra", "untidy", feed="toy.notes", severity="info"),
    ]
    assert agenda.steps(rows, {"toy.marks": "the register's desk"}) == [
        Step(
            "toy.list", "toy.list",
            "5 named before are missing now (visit, child); not_stale: latest extract of 2026-11-01, 14 days ago",
            "tessera quality pack toy.list --out toy.list.xlsx",
        ),
        Step(
            "the register's desk", "toy.marks", "3 rows held back; wrong account: 1,200 rows, 200 new; 1 row fixed",
            "tessera quality pack toy.marks --out toy.marks.xlsx",
        ),
    ]  # fmt: skip


def test_rows_that_agencies_do_not_agree_on_are_work_like_any_other() -> None:
    between = standard("between.death_in_one_feed", table_name="", failed=2, new=2, still=0, message="2 of 9 rows")
    assert agenda.steps([between], {}) == [
        Step(
            "toy.marks",
            "toy.marks",
            "wrong account: 2 rows, 2 new",
            "tessera quality pack toy.marks --out toy.marks.xlsx",
        )
    ]
    silent = standard("not_stale", still=0, message="14 days ago")
    assert agenda.steps([silent], {}) == [Step("toy.marks", "toy.marks", "not_stale: 14 days ago", "tessera sources")]


def test_what_could_not_run_is_no_failure_and_goes_to_the_data_team() -> None:
    rows = [standard("mark.a", status="broken", failed=0), standard("mark.b", status="not_run", failed=0)]
    assert agenda.worst_first(rows) == []
    assert agenda.steps(rows, {}) == [
        Step(
            "data team",
            "toy.marks",
            "1 standard could not run, so nothing is known: mark.a",
            "tessera quality toy.marks",
        )
    ]


def test_what_is_waived_is_no_work_and_what_was_promised_in_vain_comes_first() -> None:
    rows = [
        standard("mark.rows_readable_and_keyed", "unseen"),
        standard("mark.waived", "unseen", failed=4, waived=4),
        standard("mark.in_part", failed=5, waived=2),
        standard("mark.late", "untidy", expected_by="2026-11-10", overdue=True),
    ]
    assert [row["expectation"] for row in agenda.worst_first(rows)] == [
        "mark.late", "mark.rows_readable_and_keyed", "mark.in_part",
    ]  # fmt: skip
    assert agenda.worst_first(rows, waived_too=True)[-1]["expectation"] == "mark.waived"
    assert agenda.steps(rows, {})[0].because == (
        "promised by 2026-11-10 and still failing: mark.late, 1 row; 1 row held back; wrong account: 3 rows, 0 new; "
        "untidy: 1 row, 0 new; 2 rows waived"
    )

"""Safeguarding notes and missing person reports over several nights: changed, taken back, sent again, broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.police import missing
from connectors.school import attendance, incidents
from tests.integration.test_bad_input import books

NOTES = ",".join(incidents.INCIDENT.names()) + "\n"
STONE = (
    "SN-1,U801200018001,Stone,Ada,2014-10-22,2026-11-06T12:40:00,2026-11-06T13:15:00,teacher,Injury,fact,Seen,,open\n"
)
REED = (
    "SN-1,R801200024005,Reed,Bo,2013-03-04,2026-11-06T12:40:00,2026-11-06T13:15:00,teacher,Injury,unease,Felt,,open\n"
)
REPORTS = "misper_id,person,reported_at,last_seen_at,found_at,risk_level,reporter_role,status\n"
MISSING = 'MP-1,"Stone, Ada (22/10/2014)",2026-11-07T22:10:00+00:00,2026-11-06T23:30:00+00:00,,high,parent,open\n'
CURRENT = "SELECT {} FROM {} WHERE superseded_at IS NULL ORDER BY 1"


def test_one_note_about_two_pupils_is_told_of_each(toy: Callable[..., Any]) -> None:
    deployment = toy(incidents.FEED)
    deployment.send("notes.csv", NOTES + STONE + REED)
    assert books(deployment.night()) == (2, 2, 0, 0, 0)
    told = deployment.rows(CURRENT.format("record_id, statement_kind, narrative", "event"))
    assert [tuple(row.values()) for row in told] == [
        ("school.incidents:R801200024005", "unease", "Felt"),
        ("school.incidents:U801200018001", "fact", "Seen"),
    ]
    assert books(deployment.night("2026-11-17")) == (2, 0, 2, 0, 0)
    assert deployment.rows("SELECT count(*) AS n FROM event") == [{"n": 2}]


def test_a_note_in_error_is_taken_back_and_its_pupil_stays(toy: Callable[..., Any]) -> None:
    deployment = toy(incidents.FEED)
    deployment.send("notes.csv", NOTES + STONE + REED)
    deployment.night()
    deployment.clear()
    deployment.send("later.csv", NOTES + STONE.replace("open", "Entered in error"))
    deployment.night("2026-11-17")
    told = deployment.rows(CURRENT.format("record_id, retracted_at IS NOT NULL AS gone, retract_reason", "event"))
    assert [row["gone"] for row in told] == [False, True]
    assert "error" in told[1]["retract_reason"]
    people = deployment.rows(CURRENT.format("source_person_id, family_name", "person_record"))
    assert [row["family_name"] for row in people] == ["Reed", "Stone"]


def test_notes_without_words_or_upn(toy: Callable[..., Any]) -> None:
    deployment = toy(incidents.FEED)
    deployment.send("no_narrative.csv", NOTES.replace("narrative", "text") + STONE)
    deployment.send("no_upn.csv", NOTES + STONE.replace("U801200018001", "") + REED)
    entry = deployment.night()
    assert entry["status"] == "partial"
    assert "no_narrative.csv" in entry["message"] and "lacks the column(s) narrative" in entry["message"]
    assert books(entry) == (2, 1, 0, 0, 1)
    reason = deployment.rows("SELECT reason FROM quarantine")[0]["reason"]
    assert "no_upn.csv, row 2" in reason and "upn" in reason and "Stone" not in reason


def test_days_and_times_written_day_first_are_read_as_such(toy: Callable[..., Any]) -> None:
    deployment = toy(attendance.FEED)
    mark = "U801200018001,8012000,{},Ada,22/10/2014,{},AM,{},{}\n"
    header = ",".join(attendance.MARK.names()) + "\n"
    corrected = mark.format("Stone", "30/11/2026", "I", "01/12/2026 08:30")
    deployment.send(
        "marks.csv", header + corrected + mark.format("Stone", "30/11/2026", "N", "30/11/2026 09:10")
        + mark.format("Reed", "01/12/2026", "/", "01/12/2026 08:50"),
    )  # fmt: skip
    assert books(deployment.night("2026-12-02")) == (3, 2, 0, 1, 0)
    marks = deployment.rows(CURRENT.format("session_date, mark", "attendance"))
    assert [(row["session_date"].isoformat(), row["mark"]) for row in marks] == [
        ("2026-11-30", "I"),
        ("2026-12-01", "/"),
    ]
    pupil = deployment.rows(CURRENT.format("family_name, birth_date, flags", "person_record"))[0]
    assert (pupil["family_name"], pupil["birth_date"].isoformat(), pupil["flags"]) == ("Reed", "2014-10-22", [])
    assert (
        deployment.rows("SELECT expectation FROM quality_result WHERE status <> 'pass' AND expectation LIKE 'mark.%'")
        == []
    )


def test_a_report_goes_on_until_the_person_is_found(toy: Callable[..., Any]) -> None:
    deployment = toy(missing.FEED)
    deployment.send("missing.csv", REPORTS + MISSING)
    deployment.night()
    spans = CURRENT.format("started_on::VARCHAR AS started_on, ended_on::VARCHAR AS ended_on", "span")
    assert deployment.rows(spans) == [{"started_on": "2026-11-06", "ended_on": None}]
    deployment.clear()
    deployment.send("later.csv", REPORTS + MISSING.replace(",,high", ",2026-11-08T06:00:00+00:00,high"))
    assert books(deployment.night("2026-11-17")) == (1, 1, 0, 0, 0)
    assert deployment.rows(spans) == [{"started_on": "2026-11-06", "ended_on": "2026-11-08"}]
    kinds = deployment.rows(CURRENT.format("event_type", "event"))
    assert [row["event_type"] for row in kinds] == ["found", "missing_episode"]
    deployment.clear()
    deployment.send("error.csv", REPORTS + MISSING.replace("open", "entered_in_error"))
    deployment.night("2026-11-18")
    gone = deployment.rows(CURRENT.format("event_type, retracted_at IS NOT NULL AS gone", "event"))
    assert gone == [{"event_type": "found", "gone": True}, {"event_type": "missing_episode", "gone": True}]
    assert deployment.rows(CURRENT.format("family_name", "person_record")) == [{"family_name": "Stone"}]


def test_a_file_of_reports_without_its_number_fails_alone(toy: Callable[..., Any]) -> None:
    deployment = toy(missing.FEED)
    deployment.send("good.csv", REPORTS + MISSING)
    deployment.send("bad.csv", REPORTS.replace("misper_id", "report_no") + MISSING)
    entry = deployment.night()
    assert entry["status"] == "partial"
    assert "bad.csv" in entry["message"] and "misper_id" in entry["message"]
    assert books(entry) == (1, 1, 0, 0, 0)

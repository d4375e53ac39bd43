"""The story Tessera is there for. One child, four agencies, each with a piece that alone would worry nobody enough:

a hospital appointment that was missed; officers who could not follow up an explanation of bruising that did not satisfy them; an
agreement with the family that social care has down as kept, while school marks late arrivals and a child without breakfast; a visitor
who felt uneasy and could not say why.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.line import Line, open_line
from pipelines.night import run_night
from pipelines.settings import Settings
from warehouse import query as querying
from warehouse.picture import picture
from warehouse.signal_verdicts import SignalVerdictError

BEFORE, AFTER = "2026-11-16", "2026-11-17"

PATIENT = {
    "resourceType": "Patient",
    "id": "P-31",
    "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
    "name": [{"use": "official", "family": "Fenwick", "given": ["Maya"]}],
    "gender": "female",
    "birthDate": "2017-05-14",
    "address": [{"use": "home", "line": ["8 Tanyard Row"], "postalCode": "ZE98 7QT"}],
}
MISSED = {
    "resourceType": "Appointment",
    "id": "A-9",
    "status": "noshow",
    "serviceType": [{"text": "Community paediatrics"}],
    "start": "2026-10-21T09:00:00+01:00",
    "end": "2026-10-21T09:30:00+01:00",
    "participant": [{"actor": {"reference": "Patient/P-31"}, "status": "accepted"}],
}
NOTICE = {
    "ppn_id": "N-77",
    "child_index": "1",
    "child_surname": "FENWICK",
    "child_forenames": "MAYA",
    "child_dob": "14/05/2017",
    "child_sex": "F",
    "child_address": "8 Tanyard Row",
    "child_postcode": "ZE98 7QT",
    "incident_at": "2026-11-02T16:40:00+00:00",
    "submitted_at": "2026-11-02T21:05:00+00:00",
    "ppn_type": "CHILD",
    "child_present": "Y",
    "narrative": "Bruising seen to the upper arm. Said to be a fall; the explanation did not satisfy. "
    "Called away before it could be followed up.",
    "handling_code": "partners",
}
# On the eve, social care has the visit and the agreement; the visitor's own words are typed up a day later.
AGREEMENTS = "case_id,forename,surname,dob,postcode,upn,reviewed_on,agreement,visited_on,visitor_wrote\n"
REVIEWED = "C-5,Maya,Fenwick,2017-05-14,ZE98 7QT,U801200018001,2026-11-06,all steps kept,,\n"
UNEASE = "C-5,Maya,Fenwick,2017-05-14,ZE98 7QT,U801200018001,2026-11-06,all steps kept,2026-11-12,I came away uneasy and cannot say why.\n"
MAPPING = """
title: Family support agreements
grain: one row per family and child
key: [case_id]
person:
  source_person_id: case_id
  role: child
  given_names: forename
  family_name: surname
  birth_date: dob
  postcode: postcode
  upn: upn
events:
  - event_type: family_agreement_review
    statement_kind: professional_opinion
    occurred_from: reviewed_on
    title: {value: Review of what was agreed with the family}
    outcome: {column: agreement, map: {"all steps kept": kept, "some steps kept": partly_kept, "no step kept": not_kept}}
    only_if: reviewed_on
  - event_type: note
    statement_kind: unease
    occurred_from: visited_on
    title: {value: Note by a visitor}
    narrative: visitor_wrote
    reported_by_role: {value: family support worker}
    only_if: visitor_wrote
"""
NOTE = {
    "incident_id": "S-1",
    "upn": "U801200018001",
    "surname": "Fenwick",
    "forename": "Maya",
    "dob": "2017-05-14",
    "occurred_at": "2026-11-10T08:55:00",
    "recorded_at": "2026-11-10T09:20:00",
    "recorded_by_role": "class teacher",
    "categories": "Neglect; hunger",
    "statement_kind": "fact",
    "narrative": "Came without breakfast again and asked for toast.",
    "action": "Given toast",
    "status": "open",
}
LATE_DAYS = ("2026-11-03", "2026-11-04", "2026-11-05", "2026-11-09", "2026-11-10", "2026-11-11")


@dataclass
class Hub:
    """A deployment with four agencies' extracts in its inbox."""

    line: Line
    inbox: Path
    between: str = ""  # a moment after the first night and before the second

    def send(self, name: str, text: str) -> None:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def night(self, date: str) -> None:
        report = run_night(self.line, dt.date.fromisoformat(date))
        assert [entry for entry in report.feeds if entry["status"] not in ("loaded", "unchanged")] == []

    def practitioner(self, sql: str, as_of: str | None = None) -> list[dict[str, Any]]:
        con = querying.open_mart(self.line.settings.marts_path, self.line.keys, "practitioner", as_of)
        try:
            return querying.rows(con, sql)
        finally:
            con.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Two nights: on the first, what was known before the visitor's words and the school's note came in."""
    folder = tmp_path_factory.mktemp("hub")
    inbox = folder / "inbox"
    inbox.mkdir()
    (folder / "agreements.yaml").write_text(MAPPING, encoding="utf-8")
    settings = Settings(
        base=folder,
        data_dir=folder / "data",
        allow_test_nhs_numbers=True,
        sources={
            "health.fhir": {"from": "inbox/fhir/"},
            "police.ppn": {"from": "inbox/ppn/"},
            "social_care.agreements": {"from": "inbox/agreements/*.csv", "mapping": "agreements.yaml"},
            "school.attendance": {"from": "inbox/attendance/"},
            "school.incidents": {"from": "inbox/incidents/"},
        },
    )
    with open_line(settings, {}) as line:
        told = Hub(line, inbox)
        told.send("fhir/Patient.ndjson", json.dumps(PATIENT) + "\n")
        told.send("fhir/Appointment.ndjson", json.dumps(MISSED) + "\n")
        told.send("ppn/ppn.csv", table([NOTICE]))
        told.send("agreements/first.csv", AGREEMENTS + REVIEWED)
        told.send("attendance/marks.csv", marks())
        told.send("incidents/none.csv", table([NOTE], rows=False))
        told.night(BEFORE)
        told.between = (dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(seconds=1)).isoformat()
        told.send("agreements/second.csv", AGREEMENTS + UNEASE)
        told.send("incidents/note.csv", table([NOTE]))
        told.night(AFTER)
        yield told


def table(said: list[dict[str, str]], *, rows: bool = True) -> str:
    """CSV; only its header if there are no rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(said[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(said if rows else [])
    return text.getvalue()


def marks() -> str:
    """Two weeks of registers: present, but late on six mornings."""
    pupil = {
        "upn": "U801200018001",
        "laestab": "8012001",
        "surname": "Fenwick",
        "forename": "Maya",
        "dob": "2017-05-14",
    }
    days = [str(dt.date(2026, 11, 2) + dt.timedelta(days=n)) for n in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]
    return table(
        [
            {**pupil, "session_date": day, "session": session, "code": code, "recorded_at": f"{day}T13:30:00"}
            for day in days
            for session, code in (("AM", "L" if day in LATE_DAYS else "/"), ("PM", "\\"))
        ]
    )


def test_every_agency_is_speaking_of_one_child(hub: Hub) -> None:
    (child,) = hub.practitioner("SELECT given_names, family_name, birth_date, agencies, record_count FROM children")
    assert (child["given_names"], child["family_name"]) == ("Maya", "Fenwick")
    assert child["agencies"] == ["health", "police", "school", "social_care"]


def test_the_chronology_tells_it_in_order_and_says_what_kind_of_statement_each_is(hub: Hub) -> None:
    told = hub.practitioner(
        "SELECT occurred_from::DATE::VARCHAR AS day, agency, event_type, statement_kind FROM chronology "
        "WHERE retracted_at IS NULL ORDER BY sorts_at, event_id"
    )
    assert [tuple(row.values()) for row in told] == [
        ("2026-10-21", "health", "was_not_brought", "fact"),
        ("2026-11-02", "police", "ppn", "mixed"),
        ("2026-11-06", "social_care", "family_agreement_review", "professional_opinion"),
        ("2026-11-10", "school", "safeguarding_note", "fact"),
        ("2026-11-12", "social_care", "note", "unease"),
    ]


def test_the_contradiction_about_the_agreement_shows_who_says_what(hub: Hub) -> None:
    (found,) = hub.practitioner("FROM contradictions WHERE attribute = 'family_agreement'")
    assert [(said["agency"], said["value"]) for said in found["values"]] == [
        ("health", "one concern written down, 2026-10-21 to 2026-10-21"),
        ("police", "one concern written down, 2026-11-02 to 2026-11-02"),
        ("school", "late on 6 days, one concern written down, 2026-11-03 to 2026-11-11"),
        ("social_care", "kept at the review of 2026-11-06"),
    ]


def test_the_signals_cite_what_they_rest_on(hub: Hub) -> None:
    signals = {row["rule"]: row for row in hub.practitioner("FROM signals")}
    assert set(signals) == {"several_agencies", "contradicted"}
    cited = hub.practitioner(
        "SELECT s.rule, list_sort(list(c.agency || ': ' || c.event_type)) AS evidence FROM signals s, "
        "unnest(s.evidence) AS cited(event_id) JOIN chronology c USING (event_id) GROUP BY s.rule ORDER BY s.rule"
    )
    pieces = ["health: was_not_brought", "police: ppn", "school: safeguarding_note"]
    assert {row["rule"]: row["evidence"] for row in cited} == {
        "contradicted": [*pieces, "social_care: family_agreement_review"],
        "several_agencies": pieces,
    }
    assert str(signals["several_agencies"]["raised_on"]) == "2026-11-02"
    assert "health, police, school" in signals["several_agencies"]["explanation"]


def test_as_of_the_day_before_shows_only_what_was_known(hub: Hub) -> None:
    told = hub.practitioner("SELECT event_type FROM chronology ORDER BY sorts_at", as_of=hub.between)
    assert [row["event_type"] for row in told] == ["was_not_brought", "ppn", "family_agreement_review"]


def test_what_the_officers_wrote_and_what_the_visitor_felt_are_there_in_their_own_words(hub: Hub) -> None:
    words = {
        row["narrative"] for row in hub.practitioner("SELECT narrative FROM chronology WHERE narrative IS NOT NULL")
    }
    assert "I came away uneasy and cannot say why." in words
    assert any("the explanation did not satisfy" in text for text in words)


def test_the_picture_of_the_child_holds_all_of_it(hub: Hub) -> None:
    (child,) = hub.practitioner("SELECT person_id FROM children")
    con = querying.open_mart(hub.line.settings.marts_path, hub.line.keys, "practitioner")
    found = picture(con, child["person_id"])
    con.close()
    assert [(row["age"], row["polarity"]) for row in found.timeline] == [
        (9, "concern"),
        (9, "concern"),
        (9, "neutral"),
        (9, "concern"),
        (9, "neutral"),
    ]
    assert {row["agency"]: row["status"] for row in found.coverage} == dict.fromkeys(
        ("health", "police", "school", "social_care"), "found"
    )
    assert [row["attribute"] for row in found.contradictions] == ["family_agreement"]


def test_as_of_an_earlier_time_the_picture_is_the_chronology_of_then(hub: Hub) -> None:
    (child,) = hub.practitioner("SELECT person_id FROM children")
    con = querying.open_mart(hub.line.settings.marts_path, hub.line.keys, "practitioner", hub.between)
    found = picture(con, child["person_id"], as_known_now=False)
    con.close()
    assert [row["event_type"] for row in found.timeline] == ["was_not_brought", "ppn", "family_agreement_review"]
    assert found.signals == [] and found.contradictions == []


def test_nobody_has_a_picture_of_somebody_who_is_not_there(hub: Hub) -> None:
    con = querying.open_mart(hub.line.settings.marts_path, hub.line.keys, "practitioner")
    with pytest.raises(querying.QueryError, match="no person 'PNOBODY'"):
        picture(con, "PNOBODY")
    con.close()


@pytest.mark.slow
def test_a_signal_is_marked_and_the_rates_show(hub: Hub) -> None:
    signal = hub.practitioner("SELECT signal_id, rule FROM signals WHERE rule = 'several_agencies'")[0]
    said = {"author": "dana", "decided_at": dt.datetime(2026, 11, 18, 9, 0)}
    for useful, reason in ((False, "I knew all of it"), (True, "The bruising was news to us")):
        hub.line.signal_verdicts.take(signal["signal_id"], signal["rule"], useful=useful, reason=reason, **said)
    with pytest.raises(SignalVerdictError, match="reason"):
        hub.line.signal_verdicts.take(signal["signal_id"], signal["rule"], useful=True, reason=" ", **said)
    hub.night(AFTER)
    marked = hub.practitioner("SELECT rule, useful, useful_reason FROM signals ORDER BY rule")
    assert [tuple(row.values()) for row in marked] == [
        ("contradicted", None, None),
        ("several_agencies", True, "The bruising was news to us"),
    ]
    rates = hub.practitioner("SELECT rule, raised, marked_useful, marked_not_useful, share_useful FROM signal_rules")
    assert [row for row in rates if row["rule"] in ("several_agencies", "missing_often")] == [
        {"rule": "missing_often", "raised": 0, "marked_useful": 0, "marked_not_useful": 0, "share_useful": None},
        {"rule": "several_agencies", "raised": 1, "marked_useful": 1, "marked_not_useful": 0, "share_useful": 1.0},
    ]

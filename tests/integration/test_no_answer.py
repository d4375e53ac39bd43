"""A server's refusal in the place of records fails the file; an empty list, and a list beside a warning, do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.registry import feeds
from pipelines.verify import verify

NOTICE = {
    "encompass_id": "E1",
    "incident_at": "2026-11-14T22:10",
    "child": {"surname": "Zzcanary", "forenames": "Nova", "dob": "2016-04-04"},
}
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "security", "diagnostics": "no access to Zzcanary"}],
}


@pytest.mark.parametrize(
    ("feed", "document", "says"),
    [
        ("police.encompass", {"error": "of Zzcanary", "reports": []}, "says error and holds no record (its members: error, reports)"),
        ("police.encompass", {"errors": [{"code": 500}], "reports": []}, "says errors and holds no record"),
        ("police.encompass", {"success": False, "data": []}, "says success and holds no record"),
        ("police.encompass", {"status": "failed"}, "says status and holds no record"),
        ("police.encompass", {"Fault": {"code": "x"}}, "says Fault and holds no record"),
        ("police.encompass", OUTCOME, "an OperationOutcome (error: security) instead of records"),
        ("health.fhir", OUTCOME, "an OperationOutcome (error: security) instead of records"),
        ("health.fhir", {"resourceType": "OperationOutcome", "issue": "Zzcanary"}, "an OperationOutcome instead of records"),
    ],
)  # fmt: skip
def test_what_is_no_answer_fails_the_file(toy: Callable[..., Any], feed: str, document: Any, says: str) -> None:
    deployed = toy(feeds()[feed])
    deployed.send("a.json", json.dumps(document))
    books = deployed.night()
    assert (books["status"], books["received"]) == ("failed", 0)
    assert says in books["message"]
    assert "Zzcanary" not in books["message"]


@pytest.mark.parametrize(
    ("document", "received"),
    [
        ([], 0),
        ({"reports": []}, 0),
        ({"generated": "2026-11-16", "status": "complete", "errors": [], "error": None, "reports": []}, 0),
        ({"errors": [{"page": 3}], "reports": [NOTICE]}, 1),
        ({**NOTICE, "status": "failed"}, 1),
    ],
)
def test_what_is_one_does_not(toy: Callable[..., Any], document: Any, received: int) -> None:
    deployed = toy(feeds()["police.encompass"])
    deployed.send("a.json", json.dumps(document))
    books = deployed.night()
    assert (books["status"], books["landed"]) == ("loaded", received)


def test_resources_that_are_about_nobody_are_counted_and_hold_nothing_back(toy: Callable[..., Any]) -> None:
    deployed = toy(feeds()["health.fhir"])
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"family": "Zzcanary", "given": ["Nova"]}],
        "birthDate": "2016-04-04",
    }
    others = [{"resourceType": "Organization", "id": "o1"}, {"resourceType": "Organization", "id": "o2"}, OUTCOME]
    deleted = {"request": {"method": "DELETE", "url": "Patient/p9"}}
    entries = [{"resource": resource} for resource in [others[0], patient, *others[1:]]] + [deleted]
    deployed.send("page.json", json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries}))
    deployed.send("Organization.ndjson", "\n".join(map(json.dumps, others[:2])))
    books = deployed.night()
    assert (books["status"], books["received"], books["landed"], books["quarantined"]) == ("loaded", 2, 1, 1)
    assert "page.json: 1 OperationOutcome, 2 Organization: health.fhir reads Patient, " in books["message"]
    assert "Organization.ndjson: 2 Organization: " in books["message"]
    assert [row["row_number"] for row in deployed.rows("SELECT row_number FROM raw.health_fhir_patient")] == [2]
    held = deployed.rows("SELECT row_number, reason FROM quarantine")[0]
    assert held["row_number"] == 5 and "says that somebody was deleted" in held["reason"]


def bundle(*entries: dict[str, Any], **said: str) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "history", **said, "entry": list(entries)}


def visit(day: str, updated: str) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "meta": {"lastUpdated": updated},
        "status": "finished",
        "class": {"code": "EMER"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": day},
    }


def gone(when: str | None, url: str = "Encounter/e1", **more: Any) -> dict[str, Any]:
    response = {"response": {"status": "204", "lastModified": when}} if when else {}
    return {"request": {"method": "DELETE", "url": url}, **response, **more}


def test_a_deleted_resource_is_retracted_and_stays_so_until_a_later_version_comes(toy: Callable[..., Any]) -> None:
    deployed = toy(feeds()["health.fhir"])
    told = (
        "SELECT occurred_from::DATE::VARCHAR AS day, retracted_at IS NOT NULL AS retracted, retract_reason FROM event "
        "WHERE superseded_at IS NULL AND event_type = 'ed_attendance'"
    )
    first = visit("2026-11-01", "2026-11-02T08:00:00Z")
    deployed.send("1.json", json.dumps(bundle({"resource": first})))
    assert deployed.night()["landed"] == 1
    # An absolute address, and the server's last version beside it, which is no record any more.
    deletion = gone("2026-11-10T08:00:00Z", "https://fhir.example/Encounter/e1/_history/2", resource=first)
    deployed.send("2.json", json.dumps(bundle(deletion, {"resource": first})))
    books = deployed.night("2026-11-17")
    assert (books["status"], books["received"], books["landed"], books["quarantined"]) == ("loaded", 3, 1, 0)
    reason = "the agency deleted it, or tells it of something else"
    assert deployed.rows(told) == [{"day": "2026-11-01", "retracted": True, "retract_reason": reason}]
    assert deployed.rows("SELECT expectation FROM quality_result WHERE failed > 0 AND load_id LIKE '2026-11-17%'") == []
    # The same deletion and an older version, in other files.
    deployed.send("3.json", json.dumps([bundle(deletion)]))
    deployed.send("4.json", json.dumps(bundle({"resource": visit("2026-11-03", "2026-11-04T08:00:00Z")})))
    books = deployed.night("2026-11-18")
    assert (books["landed"], books["superseded"]) == (0, 1)
    assert [row["retracted"] for row in deployed.rows(told)] == [True]
    deployed.send("5.json", json.dumps(bundle({"resource": visit("2026-11-05", "2026-11-11T08:00:00Z")})))
    deployed.night("2026-11-19")
    assert {"day": "2026-11-05", "retracted": False, "retract_reason": None} in deployed.rows(told)
    assert not [fault for fault in verify(deployed.line)["broken"] if "mart" not in fault]


def test_bundles_line_by_line_and_within_each_other_are_opened(toy: Callable[..., Any]) -> None:
    """As a bulk export lists what is gone, and as a server answers a batch of searches."""
    deployed = toy(feeds()["health.fhir"])
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2016-04-04"}
    batch = bundle(
        {"resource": bundle({"resource": visit("2026-11-01", "2026-11-02T08:00:00Z")}, {"resource": patient})}
    )
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    lines = [
        batch,
        {**patient, "id": "p2"},
        empty,
        bundle(gone(None), timestamp="2026-11-03T08:00:00Z"),
        bundle(gone(None, "Flag?x=y")),
    ]
    deployed.send("a.ndjson", "\n".join(map(json.dumps, lines)))
    books = deployed.night()
    assert (books["received"], books["landed"], books["superseded"], books["quarantined"]) == (5, 3, 1, 1)
    assert deployed.rows("SELECT id, row_number FROM raw.health_fhir_patient ORDER BY 2") == [
        {"id": "p1", "row_number": 2},
        {"id": "p2", "row_number": 3},
    ]
    assert deployed.rows("SELECT count(*) AS n FROM event") == [{"n": 0}]


def test_what_is_no_json_spoils_itself_alone_whatever_stands_beside_it(toy: Callable[..., Any]) -> None:
    deployed = toy(feeds()["health.fhir"])
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Zzcanary"}], "birthDate": "2016-04-04"}
    practice = {"resourceType": "Organization", "id": "o1"}
    half = {**patient, "id": "p2", "name": [{"family": "Zz\ud800"}]}
    entries = [
        {"fullUrl": None, "resource": patient},
        {"fullUrl": "urn:uuid:1", "resource": half},
        {"resource": practice},
    ]
    deployed.send("a.json", json.dumps(bundle(*entries)))
    lines = [
        json.dumps(practice),
        '{"resourceType": "Patient", ',
        json.dumps(bundle({"resource": {**patient, "id": "p3"}})),
    ]
    deployed.send("b.ndjson", "\n".join(lines))
    books = deployed.night()
    assert (books["status"], books["landed"], books["quarantined"]) == ("loaded", 2, 2), books["message"]
    held = deployed.rows("SELECT reason, content FROM quarantine ORDER BY 1")
    assert ["not well-formed JSON" in row["reason"] for row in held] == [True, True]
    assert "ud800" in held[0]["content"] and held[1]["content"] == lines[1]


def test_a_night_of_nothing_that_is_read_is_a_quiet_one(toy: Callable[..., Any]) -> None:
    deployed = toy(feeds()["health.fhir"])
    deployed.send("a.ndjson", "\n".join(json.dumps({"resourceType": "Practitioner", "id": str(n)}) for n in (1, 2)))
    books = deployed.night()
    assert (books["status"], books["received"]) == ("loaded", 0)
    assert "2 Practitioner: health.fhir reads Patient, " in books["message"]


def test_lines_that_only_tell_of_a_servers_faults_are_no_answer(toy: Callable[..., Any]) -> None:
    deployed = toy(feeds()["health.fhir"])
    deployed.send("errors.ndjson", "\n".join([json.dumps(OUTCOME)] * 2))
    books = deployed.night()
    assert books["status"] == "failed"
    assert "an OperationOutcome (error: security) instead of records" in books["message"]
    assert "Zzcanary" not in books["message"]

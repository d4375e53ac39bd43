"""A server's refusal in the place of records fails the file; an empty list, and a list beside a warning, do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.registry import feeds

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
    deleted = {"request": {"method": "DELETE", "url": "Encounter/e1"}}
    entries = [{"resource": resource} for resource in [others[0], patient, *others[1:]]] + [deleted]
    deployed.send("page.json", json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries}))
    deployed.send("Organization.ndjson", "\n".join(map(json.dumps, others[:2])))
    books = deployed.night()
    assert (books["status"], books["received"], books["landed"], books["quarantined"]) == ("loaded", 2, 1, 1)
    assert "page.json: 1 OperationOutcome, 2 Organization: health.fhir reads Patient, " in books["message"]
    assert "Organization.ndjson: 2 Organization: " in books["message"]
    assert [row["row_number"] for row in deployed.rows("SELECT row_number FROM raw.health_fhir_patient")] == [2]
    held = deployed.rows("SELECT row_number, reason FROM quarantine")[0]
    assert held["row_number"] == 5 and "says that a record was deleted" in held["reason"]

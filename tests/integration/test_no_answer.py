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

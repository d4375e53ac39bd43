"""The policy file fails closed: what is not declared is not shown, and what is not understood stops publishing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from warehouse.access import POLICY_PATH, PolicyError, load_policy, policy_from
from warehouse.keys import BREAK_GLASS, MARTS

COLUMNS = {
    "visits": {
        "person_id": "VARCHAR",
        "seen_on": "DATE",
        "postcode": "VARCHAR",
        "title": "VARCHAR",
        "address_protected": "BOOLEAN",
    },
    "runs": {"load_id": "VARCHAR", "rows": "BIGINT"},
}


def declared(**views: Any) -> dict[str, Any]:
    """A small policy in which the analyst sees the views given, everybody else the runs."""
    nothing = {"purpose": "counts", "permissions": [], "views": {"runs": {"as_is": ["load_id"]}}}
    roles = {role: copy.deepcopy(nothing) for role in MARTS}
    roles["analyst"]["views"] = views or {"visits": {"pseudonym": ["person_id"], "birth_month": ["seen_on"]}}
    return {
        "common_value_min": 10,
        "aggregates": {"smallest_shown": 10, "rounded_to": 5},
        "protected_address": {"visits": {"hide": ["postcode"], "hide_postcodes": ["title"]}},
        "roles": roles,
    }


def test_the_shipped_policy_covers_every_role_and_lets_nobody_see_restricted_addresses() -> None:
    policy = load_policy()
    assert set(policy.roles) == set(MARTS)
    assert [name for name, role in policy.roles.items() if "protected_address" in role.permissions] == [BREAK_GLASS]


def test_a_column_that_is_not_named_is_not_shown() -> None:
    policy = policy_from(declared())
    policy.check(COLUMNS)
    assert list(policy.select_list("analyst", "visits", COLUMNS["visits"])) == ["person_id", "seen_on"]


def test_a_view_that_is_not_named_is_refused() -> None:
    with pytest.raises(PolicyError, match="has no view 'runs'"):
        policy_from(declared()).rows("analyst", "runs")


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ({"visit": {"as_is": ["person_id"]}}, "view 'visit' is unknown"),
        ({"visits": {"as_is": ["person"]}}, "column 'person' is unknown"),
        ({"visits": {"birth_month": ["title"]}}, "birth_month does not apply"),
        ({"visits": {"agencies_only": ["title"]}}, "agencies_only does not apply"),
        ({"runs": {"common_value": ["load_id"]}}, "common_value counts people"),
    ],
)
def test_what_no_view_or_column_is_stops_publishing(views: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        policy_from(declared(**views)).check(COLUMNS)


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ({"visits": {"pseudonim": ["person_id"]}}, "treatment 'pseudonim' is unknown"),
        ({"visits": {"as_is": ["person_id"], "pseudonym": ["person_id"]}}, "person_id is named twice"),
        ({"visits": {"as_is": "person_id"}}, "must be a list"),
        ({"visits": {}}, "names no column"),
        ({"visits": {"rows": "everything", "as_is": ["person_id"]}}, "rows 'everything' is unknown"),
    ],
)
def test_what_is_not_understood_is_refused(views: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        policy_from(declared(**views))


def test_an_address_must_be_protected_before_anybody_sees_it() -> None:
    said = declared(visits={"as_is": ["postcode"]})
    said["protected_address"] = {"visits": {"hide": ["title"]}}
    with pytest.raises(PolicyError, match="postcode is an address"):
        policy_from(said).check(COLUMNS)


def test_a_protected_view_must_say_who_is_protected() -> None:
    bare = {**COLUMNS, "visits": {name: type_ for name, type_ in COLUMNS["visits"].items() if name[0] != "a"}}
    with pytest.raises(PolicyError, match="address_protected"):
        policy_from(declared()).check(bare)


def test_the_permission_lifts_the_protection_and_nothing_else_does() -> None:
    said = declared(visits={"as_is": ["postcode", "title"]})
    hidden = policy_from(said).select_list("analyst", "visits", COLUMNS["visits"])
    assert all("address_protected IS DISTINCT FROM false" in sql for sql in hidden.values())
    said["roles"]["analyst"]["permissions"] = ["protected_address"]
    shown = policy_from(said).select_list("analyst", "visits", COLUMNS["visits"])
    assert shown == {"postcode": '"postcode"', "title": '"title"'}


@pytest.mark.parametrize("missing", MARTS)
def test_a_role_without_a_policy_stops_publishing(missing: str) -> None:
    said = declared()
    del said["roles"][missing]
    with pytest.raises(PolicyError, match="roles are"):
        policy_from(said)


def test_unknown_permissions_roles_and_settings_are_refused() -> None:
    for change in (
        lambda said: said["roles"]["analyst"].update(permissions=["everything"]),
        lambda said: said["roles"]["analyst"].update(view={}),
        lambda said: said["roles"].update(visitor=said["roles"]["analyst"]),
        lambda said: said.update(common_value_min=1),
        lambda said: said.update(extra=1),
    ):
        said = declared()
        change(said)
        with pytest.raises(PolicyError):
            policy_from(said)


def test_a_name_given_twice_is_refused_rather_than_the_last_one_kept(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY_PATH.read_text() + "\nroles: {}\n")
    with pytest.raises(PolicyError, match="given twice"):
        load_policy(path)
    path.write_text(yaml.safe_dump(["a list"]))
    with pytest.raises(PolicyError, match="expected names"):
        load_policy(path)
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "none.yaml")

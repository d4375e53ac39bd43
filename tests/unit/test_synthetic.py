"""The synthetic world: the same every time, well-formed where it should be, every trap planted, the truth complete."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from lxml import etree
from openpyxl import load_workbook

from synthetic.cast import CANARY
from synthetic.identifiers import is_nhs_number, is_temporary_upn, is_upn, nhs_check_digit, upn_letter
from synthetic.world import WorldSummary, make_world
from synthetic.write_police import PPN_COLUMNS
from synthetic.write_social_care import SSD_TABLES, SSDA903_FILES

PLANTED_ON_NIGHT_1 = (
    "twin triplet twin_similar_names sibling cousin_same_name namesake namesake_same_dob parent_same_name "
    "placeholder_baby placeholder_twin unborn placeholder_name given_missing family_missing given_initial_only "
    "dob_missing dob_age_only dob_0101 dob_is_incident_date dob_day_month_swapped dob_wrong_digit dob_of_relative "
    "dob_unparsable surname_changed old_surname_here hyphenated_surname surname_half surname_hyphenated_here "
    "double_surname given_family_swapped nickname transliteration known_by_middle_name known_by_middle_here one_name "
    "patronymic kaur_singh title_in_forename middle_in_forename marks_lost apostrophe_lost mc_spaced given_typo "
    "family_typo moved_house stale_address two_homes other_home_address pseudo_postcode postcode_missing "
    "postcode_typo postcode_untidy upn_temporary former_upn upn_mistyped nhs_mistyped nhs_untraced nhs_placeholder "
    "nhs_shared nhs_shared_twins nhs_shared_unrelated adopted_old adopted_new duplicate_patient "
    "duplicate_in_case_system pds_restricted sex_differs sex_unknown sex_old_code ethnicity_differs care_leaver uasc "
    "left_school story canary insufficient_evidence"
)
PLANTED_LATER = "resent_with_changed_key unborn_now_born upn_replaced nhs_traced dob_corrected baby_named newborn"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldSummary:
    """2,000 children and three nights, made once."""
    return make_world(tmp_path_factory.mktemp("world"), children=2_000, seed=1, nights=3)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(path), newline="")))


def text_of(path: Path) -> str:
    """Read as a correct reader would: UTF-8 with or without a mark, else Windows-1252."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def truth_of(world: WorldSummary) -> list[dict[str, str]]:
    return rows(world.out / "truth" / "records.csv")


def resources(folder: Path) -> Iterator[dict]:
    for path in sorted(folder.glob("*.ndjson")):
        yield from (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)


def ppn_rows(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted(folder.glob("*.csv")):
        yield from rows(path)
    for path in sorted(folder.glob("*.xlsx")):
        head, *body = load_workbook(path, read_only=True).active.iter_rows(values_only=True)
        yield from (dict(zip(head, map(str, row), strict=True)) for row in body)


@cache
def keys_in_files(night: Path) -> dict[str, set[str]]:
    """Every source_person_id that one night's files mention, read from the files alone."""
    found: dict[str, set[str]] = defaultdict(set)
    database = sqlite3.connect(night / "social_care" / "ssd.sqlite")
    found["social_care.ssd"] = {key for (key,) in database.execute("SELECT pers_person_id FROM ssd_person")}
    database.close()
    found["social_care.ssda903"] = {row["CHILD"] for row in rows(night / "social_care" / "ssda903" / "header.csv")}
    census = etree.parse(night / "social_care" / "cin" / "CIN_Census.xml")
    found["social_care.cin"] = {child.findtext("ChildIdentifiers/LAchildID") for child in census.iter("Child")}
    for path in (night / "school" / "census").glob("*onroll.csv"):
        if "_pupil" in path.name:
            found["school.census"] |= {row["NativeId"] for row in rows(path)}
    for path in (night / "school" / "ctf").glob("*.xml"):
        for pupil in etree.parse(path).iter("Pupil"):
            upn = pupil.findtext("UPN")
            found["school.ctf"].add(upn)
            found["school.ctf"] |= {f"{upn}/contact/{contact.findtext('Order')}" for contact in pupil.iter("Contact")}
    for path in (night / "school" / "attendance").glob("*.csv"):
        found["school.attendance"] |= {row["upn"] for row in rows(path)}
    for resource in resources(night / "health" / "fhir"):
        if resource["resourceType"] == "Patient":
            found["health.fhir"].add(resource["id"])
        elif resource["resourceType"] == "RelatedPerson":
            found["health.fhir"].add(f"RelatedPerson/{resource['id']}")
    adults: dict[str, list[str]] = defaultdict(list)
    for row in ppn_rows(night / "police" / "ppn"):
        found["police.ppn"].add(f"{row['ppn_id']}/{row['child_index']}")
        if row["adult_name"] not in ("", "None") and row["adult_name"] not in adults[row["ppn_id"]]:
            adults[row["ppn_id"]].append(row["adult_name"])
            found["police.ppn"].add(f"{row['ppn_id']}/adult/{len(adults[row['ppn_id']])}")
    for path in (night / "police" / "encompass").glob("*.json"):
        found["police.encompass"] |= {item["encompass_id"] for item in json.loads(path.read_text(encoding="utf-8"))}
    for path in (night / "police" / "missing").glob("*.csv"):
        found["police.missing"] |= {row["misper_id"] for row in rows(path)}
    for path in (night / "school" / "incidents").glob("*.csv"):
        found["school.incidents"] |= {row["upn"] for row in rows(path)}
    found["youth_justice.cases"] = {row["case_id"] for row in rows(night / "youth_justice" / "cases.csv")}
    return found


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    one = make_world(tmp_path / "one", children=250, seed=7, nights=2, broken=True)
    other = make_world(tmp_path / "other", children=250, seed=7, nights=2, broken=True)
    assert digest(one.out) == digest(other.out)
    assert digest(make_world(tmp_path / "seed", children=250, seed=8, nights=1).out / "night1") != digest(
        one.out / "night1"
    )


def test_the_first_night_does_not_depend_on_how_many_follow(tmp_path: Path) -> None:
    one = make_world(tmp_path / "one", children=300, seed=2, nights=1)
    three = make_world(tmp_path / "three", children=300, seed=2, nights=3)
    assert digest(one.out / "night1") == digest(three.out / "night1")


@pytest.mark.parametrize("children", [1, 2, 9, 60])
def test_a_small_world_is_a_world(tmp_path: Path, children: int) -> None:
    summary = make_world(tmp_path, children=children, seed=3, nights=3)
    assert summary.records["health.fhir"] >= 1
    assert len(summary.nights) == 3


def test_published_check_digits() -> None:
    assert nhs_check_digit("943476591") == "9"
    assert is_nhs_number("9434765919") and not is_nhs_number("9912003890")
    assert upn_letter("801200001001") == "H"
    assert is_upn("P207000016049") and not is_upn("Q207000016049")
    assert is_temporary_upn("G80120001701A") and not is_temporary_upn("H801200001001")


def test_identifiers_pass_their_checks_unless_the_truth_says_otherwise(world: WorldSummary) -> None:
    people = rows(world.out / "truth" / "people.csv")
    numbers = [person["nhs_number"] for person in people]
    assert all(is_nhs_number(number) and number[0] == "9" and len(set(number)) > 2 for number in numbers)
    assert len(set(numbers)) == len(numbers)
    upns = [upn for person in people for upn in (person["upn"], person["temporary_upn"]) if upn]
    assert all(map(is_upn, upns)) and len(set(upns)) == len(upns)
    assert all(is_temporary_upn(person["temporary_upn"]) for person in people if person["temporary_upn"])
    own = {person["simulant_id"]: person["nhs_number"] for person in people}
    record = {row["source_person_id"]: row for row in truth_of(world) if row["feed"] == "fhir"}
    for patient in resources(world.out / "night1" / "health" / "fhir"):
        if patient["resourceType"] == "Patient" and "value" in patient["identifier"][0]:
            row = record[patient["id"]]
            odd = {"nhs_shared", "nhs_mistyped", "nhs_placeholder"} & set(row["traps"].split(";"))
            assert odd or patient["identifier"][0]["value"] == own[row["simulant_id"]]


def test_every_trap_is_planted(world: WorldSummary) -> None:
    planted = f"{PLANTED_ON_NIGHT_1} {PLANTED_LATER}".split()
    assert [tag for tag in planted if not world.traps.get(tag)] == []


def test_every_file_key_has_its_truth_and_every_truth_its_file(world: WorldSummary) -> None:
    expected: dict[str, set[str]] = defaultdict(set)
    for row in truth_of(world):
        expected[f"{row['agency']}.{row['feed']}"].add(row["source_person_id"])
    found: dict[str, set[str]] = defaultdict(set)
    for number in range(1, 4):
        for feed, keys in keys_in_files(world.out / f"night{number}").items():
            found[feed] |= keys
    assert found.keys() == expected.keys()
    for feed in expected:
        assert found[feed] == expected[feed], feed


def test_records_are_first_seen_on_the_night_the_truth_says(world: WorldSummary) -> None:
    first = keys_in_files(world.out / "night1")
    for row in truth_of(world):
        known = row["source_person_id"] in first[f"{row['agency']}.{row['feed']}"]
        assert known == (row["night"] == "1"), row["source_person_id"]


def test_headings_are_those_of_the_standards(world: WorldSummary) -> None:
    night = world.out / "night1"
    database = sqlite3.connect(night / "social_care" / "ssd.sqlite")
    for table, columns in SSD_TABLES.items():
        assert tuple(row[1] for row in database.execute(f"PRAGMA table_info({table})")) == columns
    database.close()
    for name, columns in SSDA903_FILES.items():
        head = text_of(night / "social_care" / "ssda903" / f"{name}.csv").splitlines()[0].split(",")
        assert tuple(head[: len(columns)]) == columns
    needed = {"ppn_id", "child_index", "child_surname", "child_forenames", "incident_at", "ppn_type", "narrative"}
    assert needed <= set(PPN_COLUMNS)


def test_canary_is_in_every_feed_by_name(world: WorldSummary) -> None:
    special = json.loads((world.out / "truth" / "special.json").read_text(encoding="utf-8"))
    feeds = {key.split(":")[0] for key in special["canary"]["source_person_ids"]}
    assert len(feeds) == 12
    night = world.out / "night1"
    for folder in ("census", "ctf", "attendance"):
        assert any(CANARY in text_of(path) for path in (night / "school" / folder).iterdir())
    assert f"<Surname>{CANARY}</Surname><Forename>" in "".join(
        text_of(path) for path in (night / "school" / "ctf").iterdir()
    )
    assert any(CANARY in resource.get("valueString", "") for resource in resources(night / "health" / "fhir"))
    assert CANARY.encode() in (night / "social_care" / "ssd.sqlite").read_bytes()


def test_old_and_new_identity_of_an_adopted_child_share_no_identifier(world: WorldSummary) -> None:
    special = json.loads((world.out / "truth" / "special.json").read_text(encoding="utf-8"))
    people = {person["simulant_id"]: person for person in rows(world.out / "truth" / "people.csv")}
    old, new = (people[special[part]["simulant_id"]] for part in ("adopted_old", "adopted_new"))
    assert old["dob"] == new["dob"] and old["nhs_number"] != new["nhs_number"] and old["upn"] != new["upn"]
    adopted = {row["CHILD"] for row in rows(world.out / "night1" / "social_care" / "ssda903" / "ad1.csv")}
    assert {key.split(":")[1] for key in special["adopted_old"]["source_person_ids"] if "ssda903" in key} <= adopted


def test_a_restricted_patient_shows_no_address(world: WorldSummary) -> None:
    restricted = [
        patient
        for patient in resources(world.out / "night1" / "health" / "fhir")
        if patient["resourceType"] == "Patient" and patient["meta"]["security"][0]["code"] == "R"
    ]
    assert restricted
    assert not any({"address", "telecom", "generalPractitioner"} & patient.keys() for patient in restricted)


def test_multiple_births_share_a_birth_date_and_a_household(world: WorldSummary) -> None:
    sets: dict[str, list[dict[str, str]]] = defaultdict(list)
    people = [person for person in rows(world.out / "truth" / "people.csv") if person["role"] == "child"]
    for person in people:
        if person["multiple_birth_set"]:
            sets[person["multiple_birth_set"]].append(person)
    assert all(len({(one["dob"], one["household_id"]) for one in group}) == 1 for group in sets.values())
    assert 0.02 < sum(map(len, sets.values())) / len(people) < 0.045


def test_the_vanished_child_is_in_the_first_snapshot_only(world: WorldSummary) -> None:
    special = json.loads((world.out / "truth" / "special.json").read_text(encoding="utf-8"))
    key = next(key.split(":")[1] for key in special["vanished"]["source_person_ids"] if ".ssd:" in key)
    assert key in keys_in_files(world.out / "night1")["social_care.ssd"]
    assert key not in keys_in_files(world.out / "night2")["social_care.ssd"]


def test_every_later_night_changes_something_in_every_delta_feed(world: WorldSummary) -> None:
    changed = {(row["night"], f"{row['agency']}.{row['feed']}") for row in rows(world.out / "truth" / "changes.csv")}
    for night in ("2", "3"):
        for feed in (
            "health.fhir",
            "school.ctf",
            "school.attendance",
            "school.incidents",
            "police.ppn",
            "police.missing",
            "social_care.ssd",
            "youth_justice.cases",
        ):
            assert (night, feed) in changed
    expected = {row["expected"] for row in rows(world.out / "truth" / "events.csv")}
    assert expected == {"shown", "retracted", "absent"}


def test_a_patient_sent_again_unchanged_is_unchanged(world: WorldSummary) -> None:
    first = {item["id"]: item for item in resources(world.out / "night1" / "health" / "fhir")}
    second = {item["id"]: item for item in resources(world.out / "night2" / "health" / "fhir")}
    again = [
        row["source_person_id"]
        for row in rows(world.out / "truth" / "changes.csv")
        if row["change"] == "sent again unchanged" and row["feed"] == "fhir" and row["night"] == "2"
    ]
    assert again
    assert all(first[key] == second[key] for key in again)


def test_the_configuration_points_at_what_was_written(world: WorldSummary) -> None:
    config = yaml.safe_load((world.out / "tessera.yaml").read_text(encoding="utf-8"))
    assert config["allow_test_nhs_numbers"] is True and config["authority"] == "866"
    assert set(config["sources"]) == set(world.records)
    for source in config["sources"].values():
        place = source["from"].replace("${NIGHT:-night1}", "night1")
        assert list(world.out.glob(place.rstrip("/"))), place
        if "mapping" in source:
            mapping = yaml.safe_load((world.out / source["mapping"]).read_text(encoding="utf-8"))
            assert mapping["person"]["source_person_id"] == "case_id"


def test_a_broken_night_is_broken_where_the_truth_says(tmp_path: Path) -> None:
    summary = make_world(tmp_path, children=300, seed=5, nights=1, broken=True)
    bad = summary.out / "night2"
    with pytest.raises(etree.XMLSyntaxError):
        for path in sorted((bad / "school" / "ctf").glob("*.xml")):
            etree.parse(path)
    assert not (bad / "social_care" / "ssda903" / "header.csv").exists()
    assert next((bad / "police" / "ppn").glob("*.csv")).read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert next((bad / "police" / "encompass").glob("*.json")).stat().st_size == 0
    database = sqlite3.connect(bad / "social_care" / "ssd.sqlite")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert "ssd_cp_plans" not in tables and "ssd_person" in tables
    bundle = json.loads((bad / "health" / "fhir" / "Bundle.json").read_text(encoding="utf-8"))
    ids = [entry["resource"]["id"] for entry in bundle["entry"]]
    assert len(ids) > len(set(ids))

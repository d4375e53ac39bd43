"""Every role × view × column, proven by trying: each mart is opened with each key and all it holds is looked through."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_publish_story import AT_1, AT_2, CROWD, FEEDS, NIGHT_1, NIGHT_2, Story, tell
from warehouse import access, engine
from warehouse import publish as publishing
from warehouse import query as querying
from warehouse.access import load_policy
from warehouse.keys import BREAK_GLASS, MARTS, STORES

BOOKKEEPING = {"known_from", "known_to", "same_group", "same_by_time", "same_by_id"}

# Words of the story by what they are; none may be anywhere in a mart whose role may not see such a thing.
NAMES = ("Khan", "KHAN", "Amina", "Amína", "Amira", "Hart", "Maria", "Crowd3", "Granny")
NUMBERS = ("9000000009",)
POSTCODES = ("LS8 1AA", "ls81aa", "LS6 3CC", "LS1 4DD")
RESTRICTED = ("LS9", "LS7", "ls9  9zz")
RECORDS = ("health.fhir:h1", "social_care.ssd:s3", "social_care.ssda903:x1")
PERSONS = ("p-amina", "p-jo", "p-old", "p-crowd1", "hh-khan")
EVENTS = ("e-burn", "e-undated", "e-away", "s-home")
WORDS = ("Kettlewords", "Scald", "moved to", "do not tell", "Mrs Smith", "Not yet", "wrong patient")
EMBARGOED = ("Not yet", "e-secret")

FORBIDDEN = {
    "engineer": (*NAMES, *NUMBERS, *POSTCODES, *RESTRICTED, *RECORDS, *PERSONS, *EVENTS, *WORDS, "not a postcode"),
    "quality": (*NAMES[1:], *NUMBERS, *RESTRICTED, *PERSONS, *EVENTS, *WORDS),
    "analyst": (*NAMES, *NUMBERS, *POSTCODES, *RESTRICTED, *RECORDS, *PERSONS, *EVENTS, *WORDS, "not a postcode"),
    "practitioner": (*RESTRICTED, *EMBARGOED),
    "reviewer": ("Hart", "Crowd3", *RESTRICTED, *EVENTS, *WORDS),
    "governance": (*NAMES, *NUMBERS, *POSTCODES, *RESTRICTED, *EVENTS, *WORDS, "not a postcode"),
    # What is withheld, and nobody of whom nothing is.
    BREAK_GLASS: (
        "Khan",
        "KHAN",
        "Amina",
        "Crowd3",
        *NUMBERS,
        *POSTCODES,
        "p-amina",
        "p-crowd1",
        "Kettlewords",
        *EMBARGOED,
    ),
}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told = tell(tmp_path_factory.mktemp("matrix"))
    told.insert("publication", load_id=NIGHT_1, published_at=AT_1)
    told.publish()
    yield told
    told.warehouse.close()


def everything(story: Story, role: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables and views of a role's mart, histories included."""
    con = querying.open_mart(story.marts, story.keys, role)
    tables = querying.rows(con, "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'mart'")
    held = {row["table_name"]: querying.rows(con, f'FROM "{row["table_name"]}"') for row in tables}
    con.close()
    return held


@pytest.mark.parametrize(("role", "key_of"), itertools.product(MARTS, STORES))
def test_a_mart_opens_with_its_own_key_alone(story: Story, role: str, key_of: str) -> None:
    path = publishing.current(story.marts).path(story.marts, role)
    con = engine.connect()
    if role == key_of:
        engine.attach(con, path, "mart", story.keys.text(key_of), read_only=True)
        assert con.execute("SELECT role FROM mart.main.mart").fetchall() == [(role,)]
    else:
        with pytest.raises(engine.WarehouseError, match="the key does not open it") as refused:
            engine.attach(con, path, "mart", story.keys.text(key_of), read_only=True)
        assert story.keys.text(key_of) not in str(refused.value)
    con.close()


@pytest.mark.parametrize("role", MARTS)
def test_a_mart_has_the_views_and_columns_of_the_policy_and_no_others(story: Story, role: str) -> None:
    views = load_policy().role(role).views
    held = story.ask(
        role,
        "SELECT table_name, list(column_name) AS columns FROM information_schema.columns "
        "WHERE table_catalog = 'mart' GROUP BY table_name",
    )
    tables = {row["table_name"]: set(row["columns"]) for row in held}
    assert tables.pop("mart") == {"role", "load_id", "date", "schema_version"}
    for name in [name for name in tables if name.endswith("_history")]:
        assert tables.pop(name) - BOOKKEEPING == set(views[name.removesuffix("_history")].columns)
    assert tables == {name: set(view.columns) for name, view in views.items()}


@pytest.mark.parametrize("role", MARTS)
def test_asking_for_what_a_role_does_not_see_is_an_error(story: Story, role: str) -> None:
    views = load_policy().role(role).views
    con = querying.open_mart(story.marts, story.keys, role)
    for view in publishing.views():
        if view.name not in views:
            with pytest.raises(querying.QueryError, match="does not exist"):
                querying.rows(con, f'SELECT count(*) FROM "{view.name}"')
            continue
        hidden = set(view.meanings) - set(views[view.name].columns)  # every name there is in the warehouse
        for column in hidden:
            with pytest.raises(querying.QueryError, match="Binder Error"):
                querying.rows(con, f'SELECT t."{column}" FROM "{view.name}" AS t')
    con.close()


@pytest.mark.parametrize("role", MARTS)
def test_no_mart_holds_a_word_its_role_may_not_see(story: Story, role: str) -> None:
    published = {"event_types"}  # the same words wherever Tessera runs
    said = {name: repr(rows) for name, rows in everything(story, role).items() if name not in published}
    found = [(name, word) for name, text in said.items() for word in FORBIDDEN[role] if word in text]
    assert found == []


@pytest.mark.parametrize("role", MARTS)
def test_no_mart_file_holds_a_word_in_plain_bytes(story: Story, role: str) -> None:
    content = publishing.current(story.marts).path(story.marts, role).read_bytes()
    words = (*NAMES, *NUMBERS, *RECORDS, *WORDS, story.keys.pseudonym_salt("analyst"))
    # Among millions of encrypted bytes any four stand by chance, one time in a thousand; any five, one in a hundred thousand.
    assert [word for word in words if len(word) >= 5 and word.encode() in content] == []


def test_a_reviewer_sees_the_records_of_a_pair_to_decide_and_of_nobody_else(story: Story) -> None:
    pairs = story.ask("reviewer", "SELECT record_id_a, record_id_b FROM potential_matches")
    asked_about = {record for pair in pairs for record in pair.values()}
    assert asked_about == {"health.fhir:h1", "health.fhir:h2"}
    for view in ("records", "links"):
        assert {row["record_id"] for row in story.ask("reviewer", f"SELECT record_id FROM {view}")} == asked_about


def test_a_restricted_address_is_hidden_for_the_household_and_no_further(story: Story) -> None:
    rows = story.ask("practitioner", "SELECT person_id, postcode, address_protected FROM records")
    protected = {row["person_id"] for row in rows if row["address_protected"]}
    assert protected == {"p-jo", "p-mother"}
    assert all(row["postcode"] is None for row in rows if row["address_protected"])
    assert {row["postcode"] for row in rows if row["person_id"] == "p-uncle"} == {"LS6 3CC"}
    jo = story.ask("practitioner", "FROM contradictions WHERE person_id = 'p-jo'")[0]
    assert [(said["agency"], said["value"]) for said in jo["values"]] == [("health", None), ("social_care", None)]
    told = story.ask("practitioner", "SELECT narrative, quoted_words FROM chronology WHERE event_id = 'e-undated'")
    assert told == [{"narrative": "We moved to [postcode withheld], do not tell", "quoted_words": "do not tell"}]
    assert story.ask("practitioner", "SELECT detail FROM spans WHERE span_id = 's-home'") == [
        {"detail": "At [postcode withheld]"}
    ]


def test_quality_sees_values_but_not_those_of_a_restricted_address(story: Story) -> None:
    failures = story.ask("quality", 'SELECT local_id, "column", value FROM quality_failures ORDER BY row_number')
    assert failures == [
        {"local_id": "h3", "column": "postcode", "value": None},
        {"local_id": "h1", "column": "postcode", "value": "not a postcode"},
    ]
    held = story.ask("quality", "SELECT content FROM quarantine ORDER BY row_number")
    assert held == [{"content": None}, {"content": '{"postcode": "LS8 1AA"}'}]


def test_protection_reaches_along_every_tie_of_a_household(tmp_path: Path) -> None:
    story = tell(tmp_path)
    # A cousin shares a household with Jo's mother; a lodger has the cousin's address; a friend only their postcode.
    for person, record in (("p-cousin", "k1"), ("p-lodger", "k2"), ("p-friend", "k3"), ("p-aunt", "k4")):
        story.person_record(f"social_care.ssd:{record}", person, given_names=record, postcode="LS7 2BC")
    for person in ("p-mother", "p-cousin"):
        story.insert("household", household_id="hh-hart", person_id=person, basis="stated_family")
    for record, address in (("k1", "1 High Street"), ("k2", "1, high street"), ("k3", "2 High Street")):
        story.fact("person_address", f"social_care.ssd:{record}", kind="home", address=address, postcode="LS7 2BC")
    # An aunt is related to the friend and at one postcode with her; that alone protects nobody who is not reached.
    story.fact("relationship", "social_care.ssd:k4", other_record_id="social_care.ssd:k3", relationship="niece")
    story.publish()
    protected = story.ask("practitioner", "SELECT DISTINCT person_id FROM records WHERE address_protected")
    assert {row["person_id"] for row in protected} == {"p-jo", "p-mother", "p-cousin", "p-lodger"}
    # Had the lodger been said to be the aunt's brother, at one postcode, both she and the friend would be reached.
    story.fact("relationship", "social_care.ssd:k4", other_record_id="social_care.ssd:k2", relationship="brother")
    story.publish()
    protected = story.ask("practitioner", "SELECT DISTINCT person_id FROM records WHERE address_protected")
    assert {row["person_id"] for row in protected} == {"p-jo", "p-mother", "p-cousin", "p-lodger", "p-aunt", "p-friend"}
    story.warehouse.close()


def test_an_analyst_sees_coarse_values_under_pseudonyms_that_join(story: Story) -> None:
    children = story.ask("analyst", "FROM children")
    assert len(children) == 3 + CROWD
    assert {row["birth_date"].day for row in children} == {1}
    assert {row["postcode"] for row in children} == {"LS1", None}, "a district that few share is not shown"
    joined = story.ask("analyst", "SELECT count(*) AS n FROM chronology JOIN records USING (person_id, record_id)")
    assert joined == story.ask("practitioner", "SELECT count(*) AS n FROM chronology")
    amina = story.ask(
        "analyst", "SELECT same_as, count(*) AS n FROM chronology GROUP BY same_as ORDER BY n DESC LIMIT 1"
    )
    assert amina[0]["n"] == 2, "what belongs together does so under pseudonyms"
    agencies = story.ask("analyst", "SELECT \"values\" FROM contradictions WHERE attribute = 'postcode'")
    assert agencies == [{"values": [{"agency": "health"}, {"agency": "social_care"}]}]


def test_an_analyst_sees_only_common_words(story: Story) -> None:
    outcomes = story.ask("analyst", "SELECT outcome, count(*) AS n FROM chronology GROUP BY outcome ORDER BY n")
    assert {row["outcome"]: row["n"] for row in outcomes}["NFA"] == CROWD
    assert {row["outcome"] for row in outcomes} == {"NFA", None}
    assert story.ask("analyst", "SELECT DISTINCT detail FROM spans") == [{"detail": None}]


# What an analyst sees as it stands, of words: lists that Tessera publishes, never what somebody wrote.
FROM_LISTS = {
    "agencies", "agency", "alert", "area", "attribute", "basis", "birth_date_precision", "change",
    "child_present", "created_load_id", "event_type", "expectation", "feed", "first_seen_load", "flags",
    "group_name", "grouped_by", "harm", "how", "kind", "load_id", "mark", "meaning", "measure", "model_version",
    "nhs_number_status", "night_status", "occurred_precision", "onward_disclosure", "polarity",
    "retired_load_id", "role", "rule", "session", "severity", "sex", "source_code_system", "statement_kind",
    "status", "table_name", "topic", "usual_agency",
}  # fmt: skip


def test_an_analyst_sees_no_exact_value_that_few_share(story: Story) -> None:
    """Of every column of every view: a pseudonym, a word from a published list, or a value that enough people have."""
    policy = load_policy()
    for name, access_to in policy.role("analyst").views.items():
        described = {row["column_name"]: row["column_type"] for row in story.ask("analyst", f"DESCRIBE {name}")}
        for column, treatment in access_to.columns.items():
            if access.TREATMENTS[treatment].shared:
                rare = (
                    f"SELECT 1 FROM {name} WHERE {column} IS NOT NULL GROUP BY {column} "
                    f"HAVING count(DISTINCT person_id) < {policy.common_value_min}"
                )
                assert story.ask("analyst", rare) == [], (name, column)
            elif treatment == "as_is" and described[column].startswith("VARCHAR"):
                assert column in FROM_LISTS, (
                    f"{name}.{column}: is it from a list? Then say so here; else it needs a treatment"
                )


def test_the_analysts_mart_names_nobody_in_its_bytes_once_decrypted(story: Story, tmp_path: Path) -> None:
    path, plain = publishing.current(story.marts).path(story.marts, "analyst"), tmp_path / "plain.duckdb"
    con = engine.connect()
    con.execute("SET force_compression = 'uncompressed'")
    engine.attach(con, path, "mart", story.keys.text("analyst"), read_only=True)
    con.execute(f"ATTACH '{plain}' AS plain")
    con.execute("COPY FROM DATABASE mart TO plain")
    con.close()
    content = plain.read_bytes()
    assert b"was_not_brought" in content, "what is there would be found"
    published = repr(story.ask("analyst", "FROM event_types"))  # the same words wherever Tessera runs
    words = [word for word in FORBIDDEN["analyst"] if word not in published]
    assert len(words) > 20 and [word for word in words if word.encode() in content] == []


def test_an_analyst_sees_days_without_times(story: Story) -> None:
    dates = story.ask("analyst", "SELECT DISTINCT occurred_from FROM chronology WHERE occurred_from IS NOT NULL")
    assert all(row["occurred_from"].time() == dt.time() for row in dates)


def test_rows_stand_in_the_order_of_pseudonyms_not_of_true_identifiers(story: Story) -> None:
    order = [row["person_id"] for row in story.ask("analyst", "SELECT person_id FROM children ORDER BY rowid")]
    assert order == sorted(order)


def test_a_role_with_the_permission_sees_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.yaml"
    shipped = access.POLICY_PATH.read_text()
    assert shipped.count("permissions: []") == len(MARTS) - 1, "all but the mart behind the glass"
    head, practitioner = shipped.split("  practitioner:")
    path.write_text(
        head + "  practitioner:" + practitioner.replace("permissions: []", "permissions: [protected_address]", 1)
    )
    policy = access.load_policy(path)
    monkeypatch.setattr(publishing, "load_policy", lambda: policy)
    story = tell(tmp_path)
    story.publish()
    rows = story.ask(
        "practitioner", "SELECT record_id, postcode FROM records WHERE address_protected ORDER BY record_id"
    )
    assert [row["postcode"] for row in rows] == ["LS9 9ZZ", "LS7 2BB", "LS7 2BB"]
    assert "LS9 9ZZ" in story.ask("practitioner", "FROM chronology WHERE event_id = 'e-undated'")[0]["narrative"]
    story.warehouse.close()


def test_a_new_column_of_a_view_reaches_nobody_until_the_policy_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = publishing.views()
    grown = tuple(
        publishing.View(
            view.name, view.sql.replace("SELECT household_id", "SELECT 'canary' AS added, household_id"), view.grain,
            view.sorted_by, view.meanings,
        )
        for view in views
    )  # fmt: skip
    monkeypatch.setattr(publishing, "views", lambda: grown)
    story = tell(tmp_path)
    published = publishing.publish(story.warehouse, story.marts, story.keys, load_id=NIGHT_2, feeds=FEEDS)
    assert published.load_id == NIGHT_2
    assert set(story.ask("practitioner", "FROM households")[0]) == {
        "household_id", "person_id", "basis", "valid_from", "valid_to",
    }  # fmt: skip
    story.warehouse.close()


# Every cell of every row: what stands in the warehouse's view, passed through the policy by other code than publishing's.


@pytest.fixture(scope="module")
def unguarded(story: Story, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """All rows and columns of all views, histories where there are some, as no role ever sees them."""
    columns: dict[str, dict[str, str]] = {}

    class Noting(access.Policy):
        def check(self, views: Any) -> None:
            columns.update({view: dict(types) for view, types in views.items()})
            super().check(views)

    shipped, patch = load_policy(), pytest.MonkeyPatch()
    everything = access.RoleAccess("practitioner", "", frozenset({access.PROTECTED_ADDRESS}), {})
    try:
        patch.setattr(publishing, "load_policy", lambda: Noting(**vars(shipped)))
        aside = replace(story, marts=tmp_path_factory.mktemp("noted"))
        aside.publish()
        views = {
            view: access.ViewAccess({name: "as_is" for name in types if name not in BOOKKEEPING})
            for view, types in columns.items()
        }
        roles = {**shipped.roles, "practitioner": replace(everything, views=views)}
        patch.setattr(publishing, "load_policy", lambda: replace(shipped, roles=roles))
        # A mart knows of the publications before it: as it was when those that are looked at were built.
        story.warehouse.con.execute("DELETE FROM publication WHERE load_id = ?", [NIGHT_2])
        aside = replace(story, marts=tmp_path_factory.mktemp("unguarded"))
        aside.publish()
    finally:
        patch.undo()
    return whole_views(aside, "practitioner")


def whole_views(story: Story, role: str) -> dict[str, list[dict[str, Any]]]:
    """View -> its rows, of one that keeps history those of the past too."""
    held = everything(story, role)
    return {
        name.removesuffix("_history"): [
            {column: value for column, value in row.items() if column not in BOOKKEEPING} for row in rows
        ]
        for name, rows in held.items()
        if name != "mart" and f"{name}_history" not in held
    }


def visible(rule: str | None, row: dict[str, Any], to_decide: set[str]) -> bool:
    embargoed = row.get("embargo_until") is not None and row["embargo_until"] > AT_2.date()
    rules = {
        None: True,
        "not_embargoed": not embargoed,
        "to_be_decided": row.get("record_id") in to_decide,
        "withheld": row.get("address_protected") is not False,
        "withheld_and_not_embargoed": row.get("address_protected") is not False and not embargoed,
    }
    return rules[rule]


def protected(protection: str | None, row: dict[str, Any], value: Any) -> Any:
    if protection is None or row["address_protected"] is False or value is None:
        return value
    if protection == "hide_postcodes":
        return re.sub(r"(?i)\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b", "[postcode withheld]", value)
    if protection == "hide_in_values":
        return [{**said, "value": None} for said in value] if row["attribute"] == "postcode" else value
    return None


def treated(treatment: str, value: Any, salt: str) -> Any:
    if value is None or treatment in ("as_is", "common_value"):
        return value
    if treatment == "pseudonym":
        return (
            sorted(access.pseudonym(salt, one) for one in value)
            if isinstance(value, list)
            else access.pseudonym(salt, value)
        )
    if treatment == "birth_month":
        return value.replace(day=1)
    if treatment == "day":
        return dt.datetime.combine(value.date(), dt.time()) if isinstance(value, dt.datetime) else value
    if treatment == "district":
        whole = re.fullmatch(r"([A-Z]{1,2}\d[A-Z\d]?)\d[A-Z]{2}", value.upper().replace(" ", ""))
        return whole[1] if whole else None
    assert treatment == "agencies_only", f"{treatment} is new: say here what it does"
    return [{"agency": one["agency"]} for one in value]


MATRIX = [(role.name, view) for role in load_policy().roles.values() for view in role.views]


@pytest.mark.parametrize(("role", "view"), MATRIX)
def test_every_cell_of_every_row_is_what_the_policy_makes_of_it(
    story: Story, unguarded: dict[str, list[dict[str, Any]]], role: str, view: str
) -> None:
    policy = load_policy()
    may, salt = policy.role(role), story.keys.pseudonym_salt(role)
    said = may.views[view]
    to_decide = {row[side] for row in unguarded["potential_matches"] for side in ("record_id_a", "record_id_b")}
    rows = [row for row in unguarded[view] if visible(said.rows, row, to_decide)]
    hiding = {} if may.permissions else policy.protected.get(view, {})
    shared: dict[str, Counter[Any]] = {}
    for column, treatment in said.columns.items():
        if access.TREATMENTS[treatment].shared:
            people = {(treated(treatment, row[column], salt), row["person_id"]) for row in rows if row["person_id"]}
            shared[column] = Counter(value for value, _ in people)

    def cell(row: dict[str, Any], column: str) -> Any:
        treatment = said.columns[column]
        if column in shared and shared[column][treated(treatment, row[column], salt)] < policy.common_value_min:
            return None
        return treated(treatment, protected(hiding.get(column), row, row[column]), salt)

    expected = Counter(repr([cell(row, column) for column in sorted(said.columns)]) for row in rows)
    found = Counter(repr([row[column] for column in sorted(said.columns)]) for row in whole_views(story, role)[view])
    assert found == expected

"""Quality in the console over a school's notes: dates that a spreadsheet would run, and a row held back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.from_thread
import openpyxl
import pytest

from tests.console.conftest import Client, Desk, desk_over
from tests.integration.test_publish_story import AT_1, NIGHT_1, NIGHT_2, Story, tell

FEED, RULE = "school.incidents", "incident.dob.is_a_date"
HELD_RULE = "incident.rows_readable_and_keyed"
HELD = "school_incidents_incident:d:f:7"
FORMULA = '=HYPERLINK("http://x","y")'
BAD = 60  # rows of one standard: more than a page
RULE_PAGE = f"/quality/{FEED}/{RULE}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story of the console, and in it a school whose notes fail, and police reports that hold."""
    story = tell(tmp_path_factory.mktemp("quality"))
    school = {"agency": "school", "feed": "incidents"}
    row = "'SN-' || n AS row_key, 'school_incidents_incident:f:' || n AS raw_row_id, 'notes.csv' AS source_file, n AS row_number, "
    row += f"'pupil' || n AS local_id, 'dob' AS column_name, '{FORMULA}' AS value, 'write it as 2015-04-02' AS hint "
    with story.warehouse.transaction() as con:
        for night, failed in ((NIGHT_1, 0), (NIGHT_2, BAD)):
            story.insert(
                "feed_load", load_id=night, **school, started_at=AT_1, finished_at=AT_1, status="loaded", landed=BAD
            )
            for rule, harm, wrong in ((RULE, "wrong_child", failed), (HELD_RULE, "unseen", 1 if failed else 0)):
                story.insert(
                    "quality_result", load_id=night, **school, table_name="incident", expectation=rule, severity="warning",
                    harm=harm, evaluated=200, failed=wrong, status="warn" if wrong else "pass",
                )  # fmt: skip
        story.insert("received_file", load_id=NIGHT_2, **school, file_id="f", name="notes.csv", status="landed")
        story.insert(
            "quality_result", load_id=NIGHT_2, agency="police", feed="ppn", table_name="notice", harm="wrong_account",
            expectation="notice.ppn_type.is_a_known_code", severity="info", evaluated=9, failed=3, status="warn",
        )  # fmt: skip
        of_rule = f"'school' AS agency, 'incidents' AS feed, 'incident' AS table_name, '{RULE}' AS expectation, 'warning' AS severity"
        con.execute(
            f"INSERT INTO quality_spell BY NAME SELECT {of_rule}, {row}, '{NIGHT_2}' AS failing_since FROM range(100, {100 + BAD}) t(n)"
        )
        story.insert(
            "quarantine", quarantine_id=HELD, load_id=NIGHT_2, **school, table_name="incident", file_id="f", row_number=7,
            reason="no key", content=json.dumps({"upn": "", "forename": "Tamsin", "surname": "Hart\nagain"}),
        )  # fmt: skip
    story.publish()
    yield story
    story.warehouse.close()


def desk_at(story: Story, folder: Path, portal: anyio.from_thread.BlockingPortal) -> Desk:
    return desk_over(story, folder, portal, contacts={FEED: "The school office"})


@pytest.fixture(scope="module")
def office(
    told: Story, tmp_path_factory: pytest.TempPathFactory, portal: anyio.from_thread.BlockingPortal
) -> Iterator[Desk]:
    """For tests that look, and take no act."""
    desk = desk_at(told, tmp_path_factory.mktemp("office"), portal)
    yield desk
    desk.deployment.marts.close()


@pytest.fixture
def desk(told: Story, tmp_path: Path, portal: anyio.from_thread.BlockingPortal) -> Iterator[Desk]:
    desk = desk_at(told, tmp_path, portal)
    yield desk
    desk.deployment.marts.close()


def act(client: Client, on: str = RULE_PAGE, **said: str) -> Any:
    form = {"kind": "waive", "of": "whole", "until": "30/11/2026", "reason": "agreed by letter", **said}
    return client.post(on, form, on=on)


def acts(desk: Desk) -> list[tuple[str, str]]:
    return [(act["kind"], act["status"]) for act in desk.deployment.quality_acts.listed()]


def plain(html: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", html).split())


# Looking


def test_the_worst_for_a_child_comes_first_with_whom_to_ask(office: Desk) -> None:
    said = office.client("quality").get("/quality").text
    held, dob = (said.index(f"<code>{name}</code>") for name in (HELD_RULE, RULE))
    assert held < dob and "The school office" in said and "may stand under the wrong child" in said
    assert "/quality/held?feed=school.incidents" in said


def test_a_standard_is_explained_with_its_rows_page_by_page_and_each_look_is_noted(office: Desk) -> None:
    client, before = office.client("quality"), len(office.looks())
    first = client.get(RULE_PAGE)
    assert "How to put it right" in first.text and "Over 2 loads" in first.text and "<svg" in first.text
    assert f"Rows 1 to 50 of {BAD}" in first.text
    assert (
        f"of {BAD}" in client.get(f"{RULE_PAGE}?page=2").text
        and "Rows 51 to" in client.get(f"{RULE_PAGE}?page=99").text
    )
    look = office.looks()[before]
    assert look.question == f"quality: {FEED}: a standard and its rows" and len(look.shown) == 50


def test_what_is_asked_for_and_is_not_there_is_not_there(office: Desk) -> None:
    client = office.client("quality")
    for path in ("/quality/school.nothing", f"/quality/{FEED}/x' OR 1=1 --", "/quality/%3Cb%3E.x/y", "/quality/held/x"):
        answer = client.get(path)
        assert answer.status_code == 404 and "OR 1" not in answer.text, path
    for query_string in ("page=x", "page=-1", "page=99999999999999999999", "rows=nothing", "file=../../x"):
        assert client.get(f"{RULE_PAGE}?{query_string}").status_code == 200


def test_an_officer_of_one_agency_sees_and_changes_nothing_of_another(desk: Desk) -> None:
    desk.account("quality", name="police.only", agencies=("police",))
    given = act(desk.client("quality"))
    assert given.status_code == 303
    [taken] = desk.deployment.quality_acts.listed()
    client = desk.signed_in("police.only")
    start = client.get("/quality").text
    assert "police.ppn" in start and "school" not in start
    for path in (f"/quality/{FEED}", RULE_PAGE, f"/quality/held/{HELD}"):
        assert client.get(path).status_code == 404, path
    assert "incident" not in client.get(f"/quality/held?feed={FEED}").text
    for path, form in (
        (RULE_PAGE, {"kind": "waive", "of": "whole", "until": "2026-11-30", "reason": "x"}),
        (f"/quality/held/{HELD}", {"reason": "x"}),
        (f"/quality/{FEED}/pack", {"form": "csv", "purpose": "x"}),
        ("/quality/undo", {"act": taken["act_id"], "undo_reason": "x"}),
    ):
        assert client.post(path, form).status_code == 404, path
    assert acts(desk) == [("waive", "stands")]


# Acting


def test_a_waiver_counts_at_once_and_is_taken_back_to_be_read(desk: Desk) -> None:
    client = desk.client("quality")
    assert act(client).headers["location"] == RULE_PAGE
    said = plain(client.get(RULE_PAGE).text)
    assert "To put right (0)" in said and f"Waived ({BAD})" in said and "agreed by letter" in said
    number = desk.deployment.quality_acts.listed()[0]["act_id"]
    assert client.post("/quality/undo", {"act": number, "undo_reason": "a mistake"}, on=RULE_PAGE).status_code == 303
    assert acts(desk) == [("waive", "undone"), ("undo", "stands")]
    assert f"To put right ({BAD})" in plain(client.get(RULE_PAGE).text)


def test_a_promise_is_of_the_rows_that_were_ticked(desk: Desk) -> None:
    client = desk.client("quality")
    keys = re.findall(r'name="row-\d+" value="([^"]+)"', client.get(RULE_PAGE).text)[:2]
    assert act(client, kind="expect", of="rows", **{f"row-{n}": key for n, key in enumerate(keys)}).status_code == 303
    taken = desk.deployment.quality_acts.listed()
    assert [(one["kind"], one["row_key"]) for one in taken] == [("expect", key) for key in keys]
    answer = act(client, of="rows", **{"row-1": "no such row"})
    assert answer.status_code == 400 and "do not fail this standard any more" in answer.text


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"until": "soon"}, "must be a date"),
        ({"until": "2025-01-01"}, "is not between"),
        ({"reason": " "}, "Enter why"),
        ({"reason": "x" * 5_000}, "are the most"),
        ({"of": "rows"}, "Tick the rows"),
        ({"kind": "release"}, "Choose what is to be done"),
    ],
)
def test_an_act_that_says_too_little_is_explained_and_not_taken(
    office: Desk, said: dict[str, str], answer: str
) -> None:
    got = act(office.client("quality"), **said)
    assert got.status_code == 400 and answer in got.text and not acts(office)


# The pack


@pytest.mark.parametrize("form", ["xlsx", "csv", "json"])
def test_a_pack_runs_nothing_in_a_spreadsheet_and_is_kept_as_an_export(office: Desk, form: str) -> None:
    answer = office.client("quality").post(
        f"/quality/{FEED}/pack", {"form": form, "purpose": "for the school"}, on=f"/quality/{FEED}"
    )
    assert answer.headers["content-disposition"] == f'attachment; filename="{FEED}-{NIGHT_2}.{form}"'
    assert answer.headers["cache-control"] == "no-store"
    if form == "xlsx":
        cells = [cell for sheet in openpyxl.load_workbook(io.BytesIO(answer.content)) for row in sheet for cell in row]
        assert FORMULA in {cell.value for cell in cells} and not [cell for cell in cells if cell.data_type == "f"]
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert {row["value"] for row in rows if row["rule"] == RULE} == {f"'{FORMULA}"}
    else:
        assert json.loads(answer.text)["counts"]["held_back"] == 1
    look = office.looks()[-1]
    assert (look.action, look.purpose, look.who) == ("export", "for the school", "quality")


# Rows held back


def test_a_row_held_back_is_repaired_and_waits_for_the_next_night(desk: Desk) -> None:
    client, path = desk.client("quality"), f"/quality/held/{HELD}"
    page = client.get(path).text
    assert "Tamsin" in page and "says which row this is" in page
    places = {name: place for place, name in enumerate(desk.deployment.feeds[FEED].table("incident").names())}
    cells = {f"cell-{place}": "" for place in places.values()}
    cells |= {f"cell-{places['forename']}": "Tamsin", f"cell-{places['surname']}": "Hart\r\nagain"}
    key = {f"cell-{places[name]}": "7" for name in desk.deployment.feeds[FEED].table("incident").key}
    refused = client.post(path, {**cells, "reason": "no repair"}, on=path)
    assert refused.status_code == 400 and "held back again" in refused.text and not acts(desk)
    taken = client.post(path, {**cells, **key, "reason": "the school said so"}, on=path)
    assert taken.status_code == 303
    [act] = desk.deployment.quality_acts.listed()
    assert act["kind"] == "release" and set(act["repairs"].values()) == {"7"}
    assert "goes through with the next night" in client.get(path).text
    assert "goes through with the next night" in client.get("/quality/held").text
    assert client.post(path, {**cells, **key, "reason": "once more"}).status_code == 409 and len(acts(desk)) == 1


def test_a_row_that_names_a_restricted_address_is_neither_shown_nor_released_here(office: Desk) -> None:
    client, path = office.client("quality"), "/quality/held/health_fhir_patient:f:1"
    page = client.get(path).text
    assert "restricted" in page and "ls9" not in page
    assert client.post(path, {"reason": "x"}).status_code == 409 and not acts(office)


# Standards


def test_standards_are_found_by_words_and_by_feed_by_anybody_signed_in(office: Desk) -> None:
    for role in ("reviewer", "governance"):
        client = office.client(role)
        before = len(office.looks())
        assert "What agencies must agree on" in client.get("/standards").text
        found = client.get("/standards?q=birth date").text
        assert RULE in found and "/standards/school.incidents#incident" in found
        assert "Nothing is said with these words" in client.get("/standards?q=<script>").text
        assert "between." in client.get("/standards?feed=between").text
        dictionary = client.get("/standards/school.incidents").text
        assert "A row is known by" in dictionary and "Date of birth" in dictionary
        assert client.get("/standards/no.feed").status_code == 404
        assert len(office.looks()) == before


def test_a_standard_is_given_to_somebody_and_spoken_of(desk: Desk) -> None:
    desk.account("quality", name="bo.school", agencies=("school",))
    desk.account("quality", name="al.police", agencies=("police",))
    client = desk.client("quality")
    page = client.get(RULE_PAGE).text
    assert "bo.school</option>" in page and "al.police" not in page
    given = client.post(f"{RULE_PAGE}/tell", {"assigned_to": "bo.school", "words": "ring the practice"}, on=RULE_PAGE)
    assert given.status_code == 303
    client.post(f"{RULE_PAGE}/tell", {"assigned_to": "", "words": "they mend it on Monday"}, on=RULE_PAGE)
    client.post(f"{RULE_PAGE}/tell", {"assigned_to": "", "words": "<b>and</b> on Tuesday"}, on=RULE_PAGE)
    page = client.get(RULE_PAGE).text
    assert "given to bo.school" in page and "ring the practice" in page
    assert "they mend it on Monday" in page and "&lt;b&gt;and&lt;/b&gt; on Tuesday" in page
    assert "seen to by bo.school" in client.get("/quality").text
    acts = desk.deployment.quality_acts.listed()
    assert [(act["kind"], act["status"]) for act in acts] == [("assign", "stands"), *[("comment", "stands")] * 2]
    # To somebody who does not see it, or is nobody, and without a word: not taken.
    for said in (
        {"assigned_to": "al.police", "words": "w"},
        {"assigned_to": "nobody", "words": "w"},
        {"assigned_to": "", "words": ""},
    ):
        assert client.post(f"{RULE_PAGE}/tell", said, on=RULE_PAGE).status_code == 400
    assert desk.signed_in("al.police").post(f"{RULE_PAGE}/tell", {"assigned_to": "", "words": "w"}).status_code == 404
    again = client.post(f"{RULE_PAGE}/tell", {"assigned_to": "quality", "words": "bo is away"}, on=RULE_PAGE)
    assert again.status_code == 303 and "seen to by quality" in client.get("/quality").text
    number = desk.deployment.quality_acts.listed()[-1]["act_id"]
    client.post("/quality/undo", {"act": number, "undo_reason": "bo is back"}, on=RULE_PAGE)
    assert "seen to by bo.school" in client.get("/quality").text
    # What fails is counted as before.
    assert desk.deployment.quality_acts.journal.faults({}) == []

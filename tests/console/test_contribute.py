"""Contribute: an observation is asked for in the feed's own words, held against its standards, and kept for the next night."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest

from connectors.partners import observation
from expectations.one_row import failing
from tests.console.conftest import Client, Desk, desk_over
from tests.console.test_routes import HOSTILE
from tests.integration.test_publish_story import Story

FEED = observation.FEED.id
SAID = {
    "agency": "Little Acorns nursery",
    "observed_at": "27/2/2026 08:40",
    "by_role": "key worker",
    "child_given_names": "Amina",
    "child_family_name": "Quillfeather",
    "child_dob": "02/04/2015",
    "statement_kind": "child_voice",
    "category": "hunger",
    "narrative": 'She said: "no tea".\nShe looked away.',
}


@pytest.fixture
def desk(story: Story, portal: anyio.from_thread.BlockingPortal, tmp_path: Path) -> Iterator[Desk]:
    made = desk_over(story, tmp_path, portal, written_here=frozenset({FEED}))
    yield made
    made.deployment.marts.close()


@pytest.fixture
def client(desk: Desk) -> Client:
    return desk.client("contributor")


def send(client: Client, **changed: str) -> Any:
    return client.post("/contribute", {**SAID, **changed}, on="/contribute")


def kept(desk: Desk) -> list[dict[str, Any]]:
    return desk.deployment.observations.all()


def test_an_observation_is_kept_word_for_word_before_thanks_are_said(
    desk: Desk, client: Client, tmp_path: Path
) -> None:
    answer = send(client)
    assert answer.status_code == 303
    reference = answer.headers["location"].rpartition("/")[2]
    page = client.get(answer.headers["location"]).text
    assert reference in page and "Quillfeather" not in page
    (entry,) = kept(desk)
    assert entry["author"] == "contributor" and entry["feed"] == FEED
    assert entry["said"]["narrative"] == SAID["narrative"]
    assert entry["said"]["observed_at"] == "2026-02-27T08:40:00+00:00"
    assert entry["said"]["recorded_at"] == "2026-03-02T08:00:00+00:00"
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Quillfeather" not in on_disk and b"no tea" not in on_disk
    assert desk.deployment.observations.journal.faults({}) == []


def test_summer_time_is_told_from_winter_time(desk: Desk, client: Client) -> None:
    send(client, observed_at="1/7/2025 08:40")
    send(client, observed_at="1/7/2025")
    assert [entry["said"]["observed_at"] for entry in kept(desk)] == ["2025-07-01T08:40:00+01:00", "2025-07-01"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"narrative": ""}, "Enter an answer to: what you saw, heard or were told"),
        ({"by_role": " "}, "Enter an answer to: what you are to the child"),
        ({"statement_kind": ""}, "Enter an answer to: what kind of statement it is"),
        ({"observed_at": "3/3/2026 10:00"}, "has not come yet"),
        ({"child_given_names": "", "child_family_name": "", "child_dob": ""}, "Enter what you know of the child"),
        ({"narrative": "x" * 20_001}, "20,000 are the most"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_without_is_asked_for_and_nothing_typed_is_lost(
    desk: Desk, client: Client, wrong: dict[str, str], told: str
) -> None:
    answer = send(client, as_it_is="yes", **wrong)
    assert answer.status_code == 400 and told in answer.text
    assert "Little Acorns nursery" in answer.text and kept(desk) == []


@pytest.mark.parametrize(
    "wrong", [{"child_dob": "31/02/2011"}, {"child_postcode": "LS8"}, {"observed_at": "last week"}]
)
def test_what_a_standard_doubts_is_said_in_its_words_and_can_be_sent_as_it_is(
    desk: Desk, client: Client, wrong: dict[str, str]
) -> None:
    row = {**SAID, "observed_at": "2026-02-27", "recorded_at": "2026-03-02", "reference": "r", **wrong}
    (doubt,) = failing(desk.deployment.reading, observation.FEED, observation.OBSERVATION, row)
    answer = send(client, **wrong)
    assert answer.status_code == 400 and doubt.hint in answer.text and kept(desk) == []
    assert send(client, as_it_is="yes", **wrong).status_code == 303
    assert kept(desk)[0]["said"] | wrong == kept(desk)[0]["said"]


def test_hostile_text_is_kept_as_it_is_and_shown_as_text(desk: Desk, client: Client) -> None:
    for hostile in HOSTILE:
        answer = send(
            client, **dict.fromkeys(("agency", "category", "narrative", "context", "action"), hostile), child_dob="?"
        )
        assert answer.status_code in (400, 413) and "<script>alert" not in answer.text
    answer = send(client, narrative=HOSTILE[2], category=HOSTILE[2])
    assert answer.status_code == 303 and kept(desk)[0]["said"]["narrative"] == HOSTILE[2]
    ten_megabytes = client.request("POST", "/contribute", data={"form_token": "any", "narrative": "x" * 10_000_000})
    assert ten_megabytes.status_code == 413 and "64 kilobytes" in ten_megabytes.text
    assert len(kept(desk)) == 1


def test_nobody_sees_what_somebody_else_sent_nor_sends_it_twice(desk: Desk, client: Client) -> None:
    token = client.token("/contribute")
    first = client.request("POST", "/contribute", data={**SAID, "form_token": token})
    assert client.request("POST", "/contribute", data={**SAID, "form_token": token}).status_code == 409
    assert len(kept(desk)) == 1
    reference = first.headers["location"].rpartition("/")[2]
    other = desk.client("practitioner")
    assert other.get(f"/contribute/sent/{reference}").status_code == 404
    assert reference not in other.get("/contribute").text and reference in client.get("/contribute").text


def test_without_a_source_for_it_the_page_says_what_to_configure(shared_desk: Desk) -> None:
    answer = shared_desk.client("contributor").get("/contribute")
    assert answer.status_code == 404 and "partners.observation" in answer.text

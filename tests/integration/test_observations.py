"""What is written in the console lands with the next night like any feed: once, whole, whatever came between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from connectors.partners import observation
from connectors.transports import CONSOLE
from pipelines.settings import Settings
from tests.integration.test_bad_input import books

FEED = observation.FEED
SAID = {
    "agency": "Little Acorns nursery",
    "observed_at": "2026-11-09T08:40:00+00:00",
    "recorded_at": "2026-11-09T12:05:00+00:00",
    "by_role": "key worker",
    "child_given_names": "Ada",
    "child_family_name": "Stone",
    "child_dob": "22/10/2014",
    "statement_kind": "unease",
    "narrative": '=1+1; "the flat felt wrong",\nshe said',
}
CURRENT = "SELECT narrative, statement_kind, reported_by_role FROM event WHERE superseded_at IS NULL ORDER BY 1"


def from_console(toy: Callable[..., Any]) -> Any:
    deployment = toy(FEED)
    settings = deployment.line.settings
    deployment.line.settings = Settings.model_validate({"base": settings.base, "sources": {FEED.id: {"from": CONSOLE}}})
    return deployment


def write(deployment: Any, **changed: str) -> str:
    at = dt.datetime(2026, 11, 9, 12, 5)
    return str(deployment.line.observations.take(FEED.id, {**SAID, **changed}, author="a.khan", at=at))


def test_it_lands_once_word_for_word(toy: Callable[..., Any]) -> None:
    deployment = from_console(toy)
    assert deployment.night()["status"] == "nothing_sent"
    assert deployment.rows("SELECT expectation FROM quality_result WHERE failed > 0") == [], (
        "nobody had anything to say"
    )
    first = write(deployment)
    assert books(deployment.night("2026-11-17")) == (1, 1, 0, 0, 0)
    assert deployment.rows(CURRENT) == [
        {
            "narrative": SAID["narrative"],
            "statement_kind": "unease",
            "reported_by_role": "key worker, Little Acorns nursery",
        }
    ]
    assert deployment.rows("SELECT record_id FROM person_record") == [{"record_id": f"partners.observation:{first}"}]
    write(deployment, narrative="and again")
    assert books(deployment.night("2026-11-18")) == (1, 1, 0, 0, 0), "what a night has taken does not come again"
    assert deployment.night("2026-11-19")["status"] == "nothing_sent"
    assert [row["narrative"] for row in deployment.rows(CURRENT)] == [SAID["narrative"], "and again"]


def test_what_a_night_that_was_cut_off_had_taken_comes_with_the_next(toy: Callable[..., Any]) -> None:
    deployment = from_console(toy)
    write(deployment)
    line = deployment.line
    assert line.extract(line.open_night(dt.date(2026, 11, 16)), FEED.id) == 1  # and then killed, its core lost
    line.landing.discard_incoming()
    assert books(deployment.night("2026-11-17")) == (1, 1, 0, 0, 0)


def test_an_erasure_takes_a_name_out_of_what_was_written(toy: Callable[..., Any]) -> None:
    deployment = from_console(toy)
    write(deployment)
    observations = deployment.line.observations
    assert observations.journal in deployment.line.written
    observations.journal.reword(lambda text: text.replace("Stone", "[taken out]"))
    assert observations.all()[0]["said"]["child_family_name"] == "[taken out]"
    assert observations.journal.faults({}) == []

"""Rows of a return that landing holds back or finds twice: the rules speak of every row of the file, as it came."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from connectors.social_care import ssda903

OPTIONS = {"collection_year": "2025/26", "authority": "801"}
FEED = dataclasses.replace(
    ssda903.FEED, scope=lambda _: ssda903.scope(OPTIONS), period=lambda _: ssda903.period(OPTIONS), tables_for=None
)
HEADER = "CHILD,SEX,DOB,ETHNIC,UPN,MOTHER,MC_DOB\nA,M,14/05/2014,WBRI,UN3,,\nB,M,14/05/2014,WBRI,UN3,,\n"
REVIEWS = "CHILD,DOB,REVIEW,REVIEW_CODE\n"
FOUND = """
    SELECT row_number, local_id, value FROM quality_spell WHERE ended_load_id IS NULL AND expectation = 'ssda903.{}' ORDER BY row_number
"""


def test_rules_speak_of_a_row_without_its_date_and_of_both_rows_that_say_the_same(toy: Callable[..., Any]) -> None:
    deployment = toy(FEED)
    dates = iter(("2026-11-16", "2026-11-17", "2026-11-18"))

    def send(*rows: str) -> None:
        deployment.send("header.csv", HEADER)
        deployment.send("reviews.csv", REVIEWS + "".join(f"{row}\n" for row in rows))
        deployment.night(next(dates))

    def failing(rule: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in deployment.rows(FOUND.format(rule))]

    undated, unheard_of = "A,14/05/2014,,PN1", "A,14/05/2014,01/06/2025,PN9"
    good, nobodys = "B,14/05/2014,01/06/2025,PN1", ",14/05/2014,,PN1"
    send(undated, unheard_of, good, nobodys, unheard_of)
    # A row is wrong in what it says whether or not it says whom it is about.
    assert failing("166") == [(2, "A", None), (5, "", None)]
    assert [row for row, *_ in failing("167")] == [2, 3, 5, 6]

    send(good, unheard_of, unheard_of)
    assert failing("166") == [], "the row is not in the newest file, though it still waits in quarantine"
    assert [row for row, *_ in failing("167")] == [3, 6], "as they were first received"

    send(unheard_of, good)
    assert [row for row, *_ in failing("167")] == [6]

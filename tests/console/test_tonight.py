"""The pages of a night: what came, for those who run it and those who judge it."""

from __future__ import annotations

from tests.console.conftest import Desk


def test_each_feed_is_shown_with_its_books_and_what_fails(shared_desk: Desk) -> None:
    for role in ("engineer", "quality"):
        page = shared_desk.client(role).get("/tonight")
        assert page.status_code == 200
        for feed in ("health.fhir", "social_care.ssd", "police.ppn"):
            assert feed in page.text
        assert "1 night ago" in page.text  # police sent nothing on the second night
        assert "postcode is one" not in page.text and '<svg class="trend"' in page.text
    looks = [look for look in shared_desk.looks() if look.question == "console: tonight"]
    assert [look.role for look in looks] == ["engineer", "quality"] and looks[0].shown is None


def test_people_are_counted_for_engineers_alone(shared_desk: Desk) -> None:
    assert "for a person to decide" in shared_desk.client("engineer").get("/tonight").text
    assert "for a person to decide" not in shared_desk.client("quality").get("/tonight").text


def test_the_nights_of_one_feed(shared_desk: Desk) -> None:
    page = shared_desk.client("engineer").get("/tonight/health.fhir")
    assert page.status_code == 200 and "2 March 2026" in page.text and "1 March 2026" in page.text


def test_a_feed_that_is_not_there_is_not_found(shared_desk: Desk) -> None:
    for feed in ("health.none", "health", "'; DROP TABLE loads", "<script>"):
        page = shared_desk.client("engineer").get(f"/tonight/{feed}")
        assert page.status_code == 404 and feed not in page.text

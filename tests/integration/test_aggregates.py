"""What the published figures count: from events and spans in the core to a month, a thing, an area and a group."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.test_publish_story import Story, tell

MANY = 60  # so many that chance and rounding leave no doubt: by more than 20 a figure is moved once in ten thousand million draws


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Sixty girls of nine in LS8 and sixty of a restricted address beside those of the story, on the night of 2 March 2026."""
    told = tell(tmp_path_factory.mktemp("aggregates"))
    with told.warehouse.transaction():
        for number in range(2 * MANY):
            _child(told, number)
    told.publish()
    yield told
    told.warehouse.close()


def _child(story: Story, number: int) -> None:
    record = f"social_care.ssd:many{number}"
    restricted = number >= MANY
    story.person_record(
        record,
        f"p-many{number}",
        given_names=f"Many{number}",
        birth_date=dt.date(2016, 5, 5),
        sex="F",
        ethnicity="CHNE",
        postcode=f"LS8 1A{'BD'[restricted]}",
        address_protected=restricted,
    )
    dates = {"started_on": dt.date(2026, 1, 10), "ended_on": dt.date(2026, 2, 10)}
    story.fact("span", record, span_id=f"plan{number}", kind="child_protection_plan", **dates)
    # 45 working days after Friday 19 December are over on Friday 20 February; half of them are done on the Monday after.
    done = dt.datetime(2026, 2, 20 if number % 2 else 23)
    happened = [
        ("referral", dt.datetime(2026, 1, 8), 1),
        ("assessment_start", dt.datetime(2025, 12, 19), 1),
        ("assessment_complete", done, 4),
    ]
    for event_type, at, days in happened:
        story.fact(
            "event",
            record,
            event_id=f"{event_type}{number}",
            event_type=event_type,
            statement_kind="fact",
            occurred_from=at,
            occurred_precision="day",
            recorded_at=at + dt.timedelta(days=days),
        )


def figure(story: Story, measure: str, month: str, **where: str) -> Any:
    said = {"area": "all", "grouped_by": "all", "group_name": "all", "agencies": "social_care", **where}
    condition = " AND ".join(f"{name} = '{value}'" for name, value in said.items())
    found = story.ask(
        "analyst", f"FROM aggregates WHERE measure = '{measure}' AND month = '{month}-01' AND {condition}"
    )
    return found[0] if found else None


def near(figure: Any, count: int, column: str = "children") -> bool:
    return figure is not None and abs(figure[column] - count) <= 20


def test_caseload_is_what_is_open_when_a_month_ends(story: Story) -> None:
    assert near(figure(story, "child_protection_plan", "2026-01"), 2 * MANY)
    assert figure(story, "child_protection_plan", "2025-12") is None
    assert figure(story, "child_protection_plan", "2026-02") is None


def test_flow_is_what_begins_ends_or_happens_in_a_month(story: Story) -> None:
    assert near(figure(story, "child_protection_plan_started", "2026-01"), 2 * MANY)
    assert near(figure(story, "child_protection_plan_ended", "2026-02"), 2 * MANY)
    assert near(figure(story, "referral", "2026-01"), 2 * MANY)
    assert figure(story, "referral", "2026-02") is None


def test_a_child_counts_in_their_area_and_groups_and_one_of_a_restricted_address_in_no_area(story: Story) -> None:
    assert near(figure(story, "referral", "2026-01", area="LS8"), MANY)
    for grouped_by, group in (("sex", "female"), ("age_band", "5 to 9"), ("ethnicity", "Asian")):
        assert near(figure(story, "referral", "2026-01", grouped_by=grouped_by, group_name=group), 2 * MANY)
        assert near(figure(story, "referral", "2026-01", area="LS8", grouped_by=grouped_by, group_name=group), MANY)
    assert figure(story, "referral", "2026-01", grouped_by="sex", group_name="male")["children"] is None
    areas = story.ask("analyst", "SELECT DISTINCT area FROM aggregates WHERE measure = 'referral'")
    assert {row["area"] for row in areas} == {"all", "LS8"}


def test_timeliness_is_of_those_of_whom_it_was_done(story: Story) -> None:
    done = figure(story, "assessment_in_45_working_days", "2026-02")
    assert near(done, 2 * MANY, "of_children") and near(done, MANY) and 0.3 < done["share"] < 0.7
    written = figure(story, "recorded_by_next_working_day", "2026-01")
    assert near(written, 2 * MANY, "of_children") and near(written, 2 * MANY)
    late = figure(story, "recorded_by_next_working_day", "2026-02")
    assert late is None or late["children"] is None


def test_what_is_not_over_is_not_published_nor_what_is_more_than_a_year_and_a_month_ago(story: Story) -> None:
    months = story.ask("analyst", "SELECT min(month) AS first, max(month) AS last FROM aggregates")
    assert months[0]["last"] == dt.date(2026, 2, 1) and months[0]["first"] >= dt.date(2025, 2, 1)


def test_every_role_that_has_them_has_the_same_figures_and_so_has_a_second_publication(story: Story) -> None:
    before = story.ask("analyst", "FROM aggregates ORDER BY ALL")
    story.publish()
    assert story.ask("analyst", "FROM aggregates ORDER BY ALL") == before

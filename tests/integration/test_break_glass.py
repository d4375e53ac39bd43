"""Breaking the glass: told before it is seen, of one child, for one person, for a limited time; and whole in every other case."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.glass import break_glass, withheld
from pipelines.settings import Settings
from tests.conftest import Desk
from tests.integration.test_publish_story import AT_2, Story, tell
from warehouse.access import Policy, load_policy
from warehouse.access_log import AccessLog
from warehouse.break_glass import BreakGlass, BreakGlassError, Use
from warehouse.keys import BREAK_GLASS, MARTS
from warehouse.publish import PublishError
from warehouse.store import Store, StoreError

REASON = "father on the way to the address, ring 07700 900000"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told = tell(tmp_path_factory.mktemp("glass"))
    told.publish()
    yield told
    told.warehouse.close()


@dataclass
class Hub:
    """A deployment with a decisions store of its own, whose notices go to a desk."""

    story: Story
    settings: Settings
    policy: Policy = field(default_factory=load_policy)
    now: dt.datetime = AT_2

    def __post_init__(self) -> None:
        store = Store(self.settings.decisions_url)
        self.glass, self.log = BreakGlass(store, self.story.keys.raw("decisions")), AccessLog(store, self.story.keys)

    def open(self, person_id: str = "p-jo", **said: str) -> Use:
        asked = {"who": "ana", "role": "practitioner", "reason": REASON, **said}
        return break_glass(self.settings, self.policy, self.glass, person_id=person_id, clock=lambda: self.now, **asked)

    def see(self, who: str = "ana", person_id: str = "p-jo") -> dict[str, list[dict[str, Any]]]:
        return withheld(
            self.settings, self.policy, self.story.keys, self.glass, self.log,
            who=who, person_id=person_id, clock=lambda: self.now,
        )  # fmt: skip

    def states(self) -> list[str]:
        return [use.state for use in self.glass.all(self.now)]


@pytest.fixture
def hub(story: Story, tmp_path: Path, desk: Desk) -> Hub:
    return hub_of(story, tmp_path, {"webhook": desk.url})


def hub_of(story: Story, folder: Path, notify: dict[str, Any]) -> Hub:
    said = {"base": folder, "sources": {}, "data_dir": str(story.marts.parent), "notify": notify}
    said["decisions"] = f"sqlite:///{folder / 'decisions.sqlite'}"
    return Hub(story, Settings.model_validate(said))


def test_what_is_withheld_is_seen_of_the_child_it_was_broken_for(hub: Hub) -> None:
    assert hub.story.ask("practitioner", "SELECT postcode FROM children WHERE person_id = 'p-jo'") == [
        {"postcode": None}
    ]
    hub.open()
    seen = hub.see()
    assert seen["children"][0]["postcode"] == "LS9 9ZZ"
    assert "LS9 9ZZ" in next(row for row in seen["chronology"] if row["event_id"] == "e-undated")["narrative"]
    assert "LS9 9ZZ" in {row["said"] for row in seen["known_as"]}
    assert {row["person_id"] for rows in seen.values() for row in rows} == {"p-jo"}
    assert set(seen) == set(load_policy().role(BREAK_GLASS).views)


def test_governance_is_told_at_once_who_and_never_of_whom(hub: Hub, desk: Desk) -> None:
    use = hub.open()
    (notice,) = desk.notices
    assert (notice["break_glass"], notice["who"], notice["role"]) == (use.glass_id, "ana", "practitioner")
    assert notice["until"] == "2026-03-02T03:00:00Z"
    told = json.dumps(desk.notices)
    assert "p-jo" not in told and "father" not in told and "07700" not in told


def test_each_look_is_logged_with_the_reason(hub: Hub) -> None:
    use = hub.open()
    hub.see()
    (look,) = hub.log.looks(MARTS)
    assert (look.role, look.who, look.purpose, look.shown) == (BREAK_GLASS, "ana", REASON, frozenset({"p-jo"}))
    assert look.question == f"break-glass {use.glass_id}: child p-jo" and (look.rows or 0) > 0


def test_nobody_else_sees_it_nor_another_child(hub: Hub) -> None:
    hub.open()
    for who, person_id in (("bo", "p-jo"), ("ana", "p-mother"), ("ana", "p-jo' OR true --")):
        with pytest.raises(BreakGlassError, match="no glass is open"):
            hub.see(who, person_id)
    assert hub.log.looks(MARTS) == []


def test_its_time_ends(hub: Hub) -> None:
    hub.open()
    hub.now += dt.timedelta(minutes=59)
    assert hub.see()["children"]
    hub.now += dt.timedelta(minutes=1)
    with pytest.raises(BreakGlassError, match="its time is over"):
        hub.see()
    assert hub.states() == ["over"]


def test_a_clock_put_back_opens_nothing(hub: Hub) -> None:
    hub.open()
    hub.now -= dt.timedelta(minutes=1)
    with pytest.raises(BreakGlassError, match="no glass is open"):
        hub.see()


def test_it_is_closed_before(hub: Hub) -> None:
    use = hub.open()
    hub.glass.close(use.glass_id, who="dpo", at=hub.now)
    with pytest.raises(BreakGlassError, match="no glass is open"):
        hub.see()
    assert hub.states() == ["closed"]
    with pytest.raises(BreakGlassError, match="no glass that is open"):
        hub.glass.close(use.glass_id, who="dpo", at=hub.now)


@pytest.mark.parametrize("notify", [{}, {"webhook": "http://127.0.0.1:9/"}])
def test_where_nobody_can_be_told_it_stays_whole(story: Story, tmp_path: Path, notify: dict[str, Any]) -> None:
    hub = hub_of(story, tmp_path, notify)
    with pytest.raises(BreakGlassError, match="nobody could be told"):
        hub.open()
    with pytest.raises(BreakGlassError, match="no glass is open"):
        hub.see()
    assert hub.states() == ["not told"]


def test_killed_before_it_is_known_whether_anybody_was_told_it_stays_whole(hub: Hub) -> None:
    hub.glass.ask(hub.policy, who="ana", role="practitioner", person_id="p-jo", reason=REASON, at=hub.now)
    with pytest.raises(BreakGlassError, match="no glass is open"):
        hub.see()


@pytest.mark.parametrize("role", [role for role in MARTS if role != "practitioner"])
def test_a_role_that_the_policy_does_not_name_breaks_none(hub: Hub, desk: Desk, role: str) -> None:
    with pytest.raises(BreakGlassError, match="the policy lets"):
        hub.open(role=role)
    assert hub.states() == [] and desk.notices == []


def test_without_the_policy_naming_a_role_nobody_breaks_it(hub: Hub) -> None:
    closed = dataclasses.replace(hub.policy.role(BREAK_GLASS), opened_for=())
    hub.policy = dataclasses.replace(hub.policy, roles={**hub.policy.roles, BREAK_GLASS: closed})
    with pytest.raises(BreakGlassError, match="it lets nobody"):
        hub.open()


@pytest.mark.parametrize("missing", ["who", "reason"])
def test_without_a_name_or_a_reason_it_stays_whole(hub: Hub, missing: str) -> None:
    with pytest.raises(BreakGlassError, match=f"needs {missing}"):
        hub.open(**{missing: "  "})
    assert hub.states() == []


def test_what_cannot_be_noted_is_not_opened_and_nobody_is_told(story: Story, tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "decisions.sqlite").mkdir()
    with pytest.raises(StoreError):
        hub_of(story, tmp_path, {"webhook": desk.url}).open()
    assert desk.notices == []


def test_without_its_mart_nothing_is_shown(story: Story, tmp_path: Path, desk: Desk) -> None:
    hub = hub_of(story, tmp_path, {"webhook": desk.url})
    hub.settings = hub.settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    hub.open()
    with pytest.raises(PublishError, match="nothing is published"):
        hub.see()


def test_a_row_changed_taken_away_or_put_in_is_found(hub: Hub) -> None:
    hub.open()
    assert hub.glass.journal.faults({}) == []
    with hub.glass._store.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE break_glass SET until = '2027-01-01 00:00:00' WHERE what = 'asked'")
    assert "was changed" in hub.glass.journal.faults({})[0]


def test_who_whom_and_why_are_encrypted(hub: Hub, tmp_path: Path) -> None:
    hub.open("p-mother", who="ana.beresford")
    content = b"".join(path.read_bytes() for path in tmp_path.glob("decisions.sqlite*"))
    assert not any(word in content for word in (b"p-mother", b"father", b"ana.beresford"))

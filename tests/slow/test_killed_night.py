"""SIGKILL at any point of a night, then the night again: the same as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from synthetic.world import make_world
from tests.slow import killed_nights as kn

pytestmark = pytest.mark.slow

POINTS = 34
# The marts are built and switched in the last few of a night's calls, which evenly spread points would miss.
LAST_POINTS, LAST_SHARE = 8, 0.03
# A night that carries on from one kill to the next costs one night, not as many as there are kills. No two of its kills lie in one step:
# the second would have what the first left behind made anew. Marts are built in one step, the last: its kills are each a night's only one.
NIGHTS = 4


def kill_points(calls: list[int]) -> list[kn.Place]:
    places = [(step, call) for step, made in enumerate(calls) for call in range(1, made + 1)]
    spread = [point * (len(places) - 1) // (POINTS - 1) for point in range(POINTS)]
    last = int(len(places) * LAST_SHARE)
    return [
        places[n]
        for n in sorted({*spread, *(len(places) - last + p * last // LAST_POINTS for p in range(LAST_POINTS))})
    ]


@dataclass(frozen=True)
class Deployment:
    """A deployment after its first night, and what an undisturbed second night over changed extracts makes of it.

    `unpublished` is after a second night that was killed when all that was left to do was to publish.
    """

    world: Path
    first: Path
    unpublished: Path
    calls: list[int]
    expected: dict[str, str]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("killed")
    make_world(folder / "world", children=30, seed=11, nights=2)
    kn.known_before_forking(kn.settings_for(folder / "world", folder, "night2"))
    status, _ = kn.forked(lambda: kn.run(folder / "world", folder / "first", "night1"))
    assert status == 0
    shutil.copytree(folder / "first", folder / "undisturbed")
    status, calls = kn.forked(lambda: kn.run(folder / "world", folder / "undisturbed", "night2", kn.NOWHERE))
    assert status == 0
    assert calls is not None
    shutil.copytree(folder / "first", folder / "unpublished")
    status, _ = kn.forked(lambda: kn.run(folder / "world", folder / "unpublished", "night2", (len(calls) - 1, 1)))
    assert status == signal.SIGKILL
    expected = kn.contents(folder / "world", folder / "undisturbed")
    return Deployment(folder / "world", folder / "first", folder / "unpublished", calls, expected)


def killed_and_carried_on(deployment: Deployment, night: tuple[Path, list[kn.Place]]) -> str:
    """What went wrong or differs after kills at some places of a night, each carried on from; empty if nothing does."""
    world, (before, places) = deployment.world, night
    with tempfile.TemporaryDirectory(dir=world.parent) as folder:
        data = Path(folder) / "data"
        shutil.copytree(before, data)
        for place in places:
            killed, _ = kn.forked(partial(kn.run, world, data, "night2", place))
            if killed != signal.SIGKILL:
                return f"of kills at {places} the one at {place} did not come: status {killed}"
        if not kn.is_over(world, data, "night2"):
            again, _ = kn.forked(lambda: kn.run(world, data, "night2"))
            if again:
                return f"after kills at {places} the night does not run again"
        found = kn.contents(world, data)
    different = sorted(
        name for name in deployment.expected.keys() | found.keys() if deployment.expected.get(name) != found.get(name)
    )
    return f"after kills at {places} these differ: {', '.join(different)}" if different else ""


def test_a_killed_night_run_again_is_the_night_it_would_have_been(deployment: Deployment) -> None:
    points = kill_points(deployment.calls)
    assert len(points) >= 40
    publishing = len(deployment.calls) - 1
    earlier = [place for place in points if place[0] < publishing]
    nights = [(deployment.first, earlier[first::NIGHTS]) for first in range(NIGHTS)]
    assert all(len(places) == len(dict(places)) for _, places in nights), (
        "two kills of one night lie in one step: raise NIGHTS"
    )
    nights += [(deployment.unpublished, [place]) for place in points if place[0] == publishing]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        faults = pool.map(partial(killed_and_carried_on, deployment), nights, chunksize=1)
    assert [fault for fault in faults if fault] == []

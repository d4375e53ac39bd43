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


def kill_points(calls: int) -> list[int]:
    spread = [1 + point * (calls - 1) // (POINTS - 1) for point in range(POINTS)]
    last = int(calls * LAST_SHARE)
    return sorted({*spread, *(calls - last + point * last // LAST_POINTS for point in range(LAST_POINTS))})


@dataclass(frozen=True)
class Deployment:
    """A deployment after its first night, and what an undisturbed second night over changed extracts makes of it."""

    world: Path
    first: Path
    calls: int
    expected: dict[str, str]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("killed")
    make_world(folder / "world", children=30, seed=11, nights=2)
    kn.known_before_forking(kn.settings_for(folder / "world", folder, "night2"))
    status, _ = kn.forked(lambda: kn.run(folder / "world", folder / "first", "night1"))
    assert status == 0
    shutil.copytree(folder / "first", folder / "undisturbed")
    status, calls = kn.forked(lambda: kn.run(folder / "world", folder / "undisturbed", "night2", 0))
    assert status == 0
    assert calls is not None
    return Deployment(folder / "world", folder / "first", calls, kn.contents(folder / "world", folder / "undisturbed"))


def killed_and_carried_on(deployment: Deployment, kill_at: int) -> str:
    """What went wrong or differs after a kill at one call and the night again; empty if nothing does."""
    world = deployment.world
    with tempfile.TemporaryDirectory(dir=world.parent) as folder:
        data = Path(folder) / "data"
        shutil.copytree(deployment.first, data)
        killed, _ = kn.forked(lambda: kn.run(world, data, "night2", kill_at))
        if killed != signal.SIGKILL:
            return f"the night was to be killed at call {kill_at} of {deployment.calls}"
        if not kn.is_over(world, data, "night2"):
            again, _ = kn.forked(lambda: kn.run(world, data, "night2"))
            if again:
                return f"after a kill at call {kill_at} the night does not run again"
        found = kn.contents(world, data)
    different = sorted(
        name for name in deployment.expected.keys() | found.keys() if deployment.expected.get(name) != found.get(name)
    )
    return f"after a kill at call {kill_at} these differ: {', '.join(different)}" if different else ""


def test_a_killed_night_run_again_is_the_night_it_would_have_been(deployment: Deployment) -> None:
    points = kill_points(deployment.calls)
    assert len(points) >= 40
    with multiprocessing.get_context("fork").Pool(2) as pool:
        faults = pool.map(partial(killed_and_carried_on, deployment), points, chunksize=1)
    assert [fault for fault in faults if fault] == []

"""SIGKILL at any point of a night, then the night again: the same as if nothing had happened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.slow import killed_nights as kn

pytestmark = pytest.mark.slow

POINTS = 36
# The marts are built and switched in the last few of a night's calls, which evenly spread points would miss.
LAST_POINTS, LAST_SHARE = 8, 0.03


def kill_points(calls: int) -> list[int]:
    spread = [1 + point * (calls - 1) // (POINTS - 1) for point in range(POINTS)]
    last = int(calls * LAST_SHARE)
    return sorted({*spread, *(calls - last + point * last // LAST_POINTS for point in range(LAST_POINTS))})


@pytest.fixture(scope="module")
def first_night(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment after its first night; the nights that are killed are second nights over changed extracts."""
    data = tmp_path_factory.mktemp("first") / "data"
    status, _ = kn.forked(lambda: kn.run(small_world, data, "night1"))
    assert status == 0
    return data


def test_a_killed_night_run_again_is_the_night_it_would_have_been(
    small_world: Path, first_night: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = tmp_path_factory.mktemp("undisturbed") / "data"
    shutil.copytree(first_night, undisturbed)
    status, calls = kn.forked(lambda: kn.run(small_world, undisturbed, "night2"))
    assert status == 0
    assert calls is not None
    points = kill_points(calls)
    assert len(points) >= 40
    expected = kn.contents(small_world, undisturbed)
    differences: dict[int, list[str]] = {}
    for kill_at in points:
        data = tmp_path_factory.mktemp("killed") / "data"
        shutil.copytree(first_night, data)
        killed, _ = kn.forked(lambda data=data, kill_at=kill_at: kn.run(small_world, data, "night2", kill_at))
        assert killed == 9, f"the night was to be killed at call {kill_at} of {calls}"
        if not kn.is_over(small_world, data, "night2"):
            again, _ = kn.forked(lambda data=data: kn.run(small_world, data, "night2"))
            assert again == 0, f"after a kill at call {kill_at} the night does not run again"
        found = kn.contents(small_world, data)
        different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        if different:
            differences[kill_at] = different
        shutil.rmtree(data.parent)
    assert not differences

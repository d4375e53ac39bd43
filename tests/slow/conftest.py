"""A small synthetic world, made once for the slow tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthetic.world import make_world


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights of sixty children, in every format."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder, children=60, seed=11, nights=2)
    return folder

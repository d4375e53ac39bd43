"""Whoever holds the lock lets others go first."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.night import GIVES_WAY, locked
from pipelines.settings import load_settings


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="this system has no such number")
def test_whoever_holds_the_lock_gives_way(tmp_path: Path) -> None:
    config = tmp_path / "tessera.yaml"
    config.write_text("data_dir: data\nsources: {police.ppn: {from: x}}\n")

    def priority() -> int:
        with locked(load_settings(config, {})):
            return os.getpriority(os.PRIO_PROCESS, 0)

    with ThreadPoolExecutor(1) as pool:  # the number is a thread's on Linux, and this one ends with the test
        assert pool.submit(priority).result() >= GIVES_WAY

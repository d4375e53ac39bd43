"""A new key for the core, killed at every write: the old key or the new one opens it, and the next run finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.line import open_line
from pipelines.rekeying import rotate_core
from pipelines.settings import Settings
from warehouse.engine import WarehouseError, attach, connect
from warehouse.keys import KeyFileError, load_keys

# Kills the process just before its nth change of a name on disk: key file, core, key file.
KILLED = """
import os, pathlib, signal, sys
from pipelines.rekeying import rotate_core
from pipelines.settings import Settings
at, replace = int(sys.argv[2]), pathlib.Path.replace
def counted(self, target):
    global at
    at -= 1
    if at == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = counted
rotate_core(Settings.model_validate({"base": sys.argv[1], "sources": {}}), {})
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings.model_validate({"base": tmp_path, "sources": {}})
    with open_line(found, {}) as line:
        line.con.execute("INSERT INTO person VALUES ('P1', '2026-11-16.1', NULL, NULL)")
    return found


def persons(settings: Settings) -> list[tuple[str]]:
    with open_line(settings, {}) as line:
        return line.con.execute("SELECT person_id FROM person").fetchall()


def test_the_core_opens_with_the_new_key_alone(settings: Settings) -> None:
    old = load_keys(settings.keys_path, {}).text("core")
    rotate_core(settings, {})
    assert persons(settings) == [("P1",)]
    keys = load_keys(settings.keys_path, {})
    assert keys.text("core") != old and "core.next" not in keys.values
    con = connect()
    with pytest.raises(WarehouseError, match="the key does not open it"):
        attach(con, settings.core_path, "core", old, read_only=True)
    con.close()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_before_any_of_its_writes_it_opens_and_the_next_run_finishes(settings: Settings, at: int) -> None:
    old = load_keys(settings.keys_path, {}).text("core")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.base), str(at)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert persons(settings) == [("P1",)]
    rotate_core(settings, {})
    assert persons(settings) == [("P1",)]
    assert load_keys(settings.keys_path, {}).text("core") != old
    assert "core.next" not in settings.keys_path.read_text()


def test_a_key_from_the_environment_is_not_replaced(settings: Settings) -> None:
    with pytest.raises(KeyFileError, match="TESSERA_KEY_CORE"):
        rotate_core(settings, {"TESSERA_KEY_CORE": "x"})

"""A new key for the core, landing and a role, killed at every write: the old key or the new one opens it, and the next run finishes."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipelines.line import open_line
from pipelines.rekeying import rotate_core, rotate_landing, rotate_role
from pipelines.settings import Settings
from warehouse.access_log import AccessLog
from warehouse.engine import WarehouseError, attach, connect
from warehouse.keys import KeyFileError, begin_anew, load_keys
from warehouse.landing import CHUNK, LandedReader, Landing, LandingError
from warehouse.publish import damaged
from warehouse.query import open_mart, run
from warehouse.store import Store

# Has the process killed just before its nth change of a name on disk.
KILLED_BEFORE = """
import os, pathlib, shutil, signal, sys
from pipelines.settings import Settings

def killed_before(at):
    replace = pathlib.Path.replace
    def counted(self, target):
        nonlocal at
        at -= 1
        if at == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)
    pathlib.Path.replace = counted
"""

# The core's changes of a name: key file, core, key file.
KILLED = (
    KILLED_BEFORE
    + """
from pipelines.rekeying import rotate_core
killed_before(int(sys.argv[2]))
rotate_core(Settings.model_validate({"base": sys.argv[1], "sources": {}}), {})
"""
)


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


# Rotates landing's key in a child that is killed before its first change of a name on disk, its second, and so on to the end; each time
# reads all there is, finishes, and reads it again. Prints how often it was killed.
KILLED_AT_EACH = (
    KILLED_BEFORE
    + """
from pipelines.rekeying import rotate_landing
from warehouse.keys import load_keys
from warehouse.landing import Landing

def content(settings):
    landing = Landing(settings.landing_path, *load_keys(settings.keys_path, {}).raws("landing"))
    files = [path.name for path in settings.landing_path.glob("[0-9a-f][0-9a-f]/*")]
    return {
        "files": {name: landing.redacted(name) if landing.is_redacted(name) else landing.read(name) for name in sorted(files)},
        "ledger": landing.ledger("2"),
        "manifests": {of: landing.read_manifest(*of) for of in landing.manifests()},
    }

before, at, killed = content(Settings.model_validate({"base": sys.argv[1], "sources": {}})), 0, True
assert before["files"] and before["ledger"] and before["manifests"]
while killed:
    at += 1
    folder = pathlib.Path(sys.argv[2]) / str(at)
    shutil.copytree(sys.argv[1], folder)
    settings = Settings.model_validate({"base": folder, "sources": {}})
    child = os.fork()
    if child == 0:
        killed_before(at)
        rotate_landing(settings, {})
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert content(settings) == before
    rotate_landing(settings, {})
    assert content(settings) == before
    assert "landing.next" not in settings.keys_path.read_text()
    assert not list(settings.landing_path.rglob(".*"))
print(at - 1)
"""
)


@pytest.mark.skipif(os.name != "posix", reason="the child is made by fork")
def test_a_new_key_of_landing_killed_before_any_of_its_writes_loses_nothing(tmp_path: Path) -> None:
    settings = Settings.model_validate({"base": tmp_path / "one", "sources": {}})
    old = load_keys(settings.keys_path, {}).raw("landing")
    landing = Landing(settings.landing_path, old)
    landing.put([b"x" * (CHUNK + 1)])
    empty = landing.put([])
    landing.redact(landing.put([b"to be redacted"]).sha256, {"erasures": []}, {"rows": b"what is left"})
    landing.put_ledger("2", {"person": b"P1"})
    landing.write_manifest("1", "school.census", {"files": ["pupils.csv"]})
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH, str(tmp_path / "one"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    # The key file twice, three files, the ledger, the manifest.
    assert (done.returncode, done.stdout.strip()) == (0, "7"), done.stderr
    assert rotate_landing(settings, {}) == 5
    for key, opens in ((old, False), (load_keys(settings.keys_path, {}).raw("landing"), True)):
        assert LandedReader.opens(landing.path(empty.sha256), AESGCM(key)) is opens


def test_a_landed_file_that_no_key_opens_stops_the_change_and_keeps_both_keys(tmp_path: Path) -> None:
    settings = Settings.model_validate({"base": tmp_path, "sources": {}})
    landing = Landing(settings.landing_path, load_keys(settings.keys_path, {}).raw("landing"))
    kept, damaged = landing.put([b"whole"]), landing.path(landing.put([b"damaged"]).sha256)
    *whole, last = damaged.read_bytes()
    damaged.write_bytes(bytes([*whole, last ^ 1]))
    was = damaged.read_bytes()
    with pytest.raises(LandingError, match="does not open"):
        rotate_landing(settings, {})
    keys = load_keys(settings.keys_path, {})
    assert "landing.next" in keys.values and damaged.read_bytes() == was
    assert Landing(settings.landing_path, *keys.raws("landing")).read(kept.sha256) == b"whole"


def look_at_mart(settings: Settings) -> AccessLog:
    """Asks the engineer's mart one thing, logged; a log opened with the keys of now."""
    keys = load_keys(settings.keys_path, {})
    log = AccessLog(Store(settings.decisions_url), keys)
    arguments = {"log": log, "who": "A", "purpose": "night", "clock": lambda: dt.datetime(2026, 11, 16)}
    run(settings.marts_path, keys, "engineer", "SELECT load_id FROM mart", **arguments)
    return log


def test_a_new_key_of_a_role_opens_its_mart_and_what_it_looked_at_before_stays_proved(settings: Settings) -> None:
    with open_line(settings, {}) as line:
        night = line.open_night(dt.date(2026, 11, 16))
        line.publish(night)
        line.con.execute("UPDATE night SET status = 'published'")
    look_at_mart(settings)
    old = load_keys(settings.keys_path, {})
    # Killed once the key is in the key file: what is served still opens.
    begin_anew(settings.keys_path, {}, "engineer", data=settings.data_path)
    look_at_mart(settings)
    assert damaged(settings.marts_path, load_keys(settings.keys_path, {})) == []
    assert rotate_role(settings, {}, "engineer")
    with pytest.raises(WarehouseError, match="the key does not open it"):
        open_mart(settings.marts_path, old, "engineer")
    log = look_at_mart(settings)
    assert [look.question for look in log.looks(["engineer"])] == ["SELECT load_id FROM mart"] * 3
    assert log.journal.faults({}) == []
    assert (
        AccessLog(Store(settings.decisions_url), old).journal.faults({}) != []
    )  # the newest look is not proved by the old key
    now = load_keys(settings.keys_path, {})
    assert [old.text("engineer") in now.texts("engineer"), len(now.texts("engineer"))] == [True, 3]
    assert len(list((settings.marts_path / "engineer").iterdir())) == 1


def test_a_role_whose_night_is_not_finished_is_published_by_the_night(settings: Settings) -> None:
    with open_line(settings, {}) as line:
        line.open_night(dt.date(2026, 11, 16))
    assert not rotate_role(settings, {}, "analyst")

"""What becomes of a backup that is damaged, forged, of other keys, or one too many."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from pipelines.backup import BackupError, check, listed, make, restore
from pipelines.line import open_line
from pipelines.settings import Settings
from warehouse.keys import Keys, load_keys

NOW = dt.datetime(2026, 11, 16, 6)
YESTERDAY = NOW - dt.timedelta(days=1)


@pytest.fixture
def deployment(tmp_path: Path) -> Settings:
    """A deployment with one landed file and no night."""
    settings = Settings.model_validate({"base": tmp_path / "here", "sources": {}})
    with open_line(settings, {}) as line:
        line.landing.put([b"what an agency sent"])
    return settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def keys_of(settings: Settings) -> Keys:
    return load_keys(settings.keys_path, {})


def objects(folder: Path) -> set[str]:
    return {path.name for path in (folder / "objects").rglob("*") if path.is_file()}


def test_the_newest_backups_stay_and_what_only_others_needed_goes(deployment: Settings, folder: Path) -> None:
    make(deployment, {}, folder, now=YESTERDAY, keep=None)
    first = objects(folder)
    (deployment.landing_path / next(deployment.landing_path.rglob("*/*")).relative_to(deployment.landing_path)).unlink()
    with open_line(deployment, {}) as line:
        line.landing.put([b"what it sent the next day"])
    make(deployment, {}, folder, now=NOW, keep=1)
    (left,) = listed(folder)
    assert left.name == "2026-11-16T060000"
    assert not first <= objects(folder)
    assert check(folder, keys_of(deployment)).files == len(objects(folder))


def test_a_damaged_file_is_found_and_nothing_is_put_in_place(
    deployment: Settings, folder: Path, tmp_path: Path
) -> None:
    make(deployment, {}, folder, now=NOW, keep=None)
    landed = next(path for path in (folder / "objects").rglob("*") if path.is_file() and path.stat().st_size < 1000)
    *whole, last = landed.read_bytes()
    landed.write_bytes(bytes([*whole, last ^ 1]))
    with pytest.raises(BackupError, match="is not what was backed up"):
        check(folder, keys_of(deployment))
    there = Settings.model_validate(
        {"base": tmp_path / "there", "keys_file": str(deployment.keys_path.resolve()), "sources": {}}
    )
    with pytest.raises(BackupError, match="is not what was backed up"):
        restore(there, {}, folder)
    assert not there.core_path.exists() and not there.landing_path.exists()
    landed.unlink()
    with pytest.raises(BackupError, match="its bytes are gone"):
        check(folder, keys_of(deployment))


def test_a_list_that_was_changed_is_refused(deployment: Settings, folder: Path) -> None:
    made = make(deployment, {}, folder, now=NOW, keep=None)
    path = folder / "backups" / f"{made.name}.json"
    said = json.loads(path.read_text())
    said["files"].pop(next(name for name in said["files"] if name.startswith("landing")))
    path.write_text(json.dumps(said))
    with pytest.raises(BackupError, match="was changed"):
        check(folder, keys_of(deployment))
    path.write_text("{")
    with pytest.raises(BackupError, match="no list of a backup's files"):
        check(folder, keys_of(deployment))


def test_other_keys_are_named(deployment: Settings, folder: Path) -> None:
    make(deployment, {}, folder, now=NOW, keep=None)
    mine = keys_of(deployment)
    other = Keys({**mine.values, "landing": "another"})
    with pytest.raises(BackupError, match="under other keys of landing;"):
        check(folder, other)


def test_what_cannot_be_backed_up_is_said(deployment: Settings, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="would be lost with it"):
        make(deployment, {}, deployment.data_path / "backups", now=NOW, keep=None)
    with pytest.raises(BackupError, match="there is no backup in it"):
        check(folder, keys_of(deployment))
    make(deployment, {}, folder, now=NOW, keep=None)
    with pytest.raises(BackupError, match="there is no backup yesterday; there are 2026-11-16T060000"):
        check(folder, keys_of(deployment), "yesterday")
    deployment.core_path.unlink()
    with pytest.raises(BackupError, match="nothing was loaded yet"):
        make(deployment, {}, folder, now=NOW, keep=None)

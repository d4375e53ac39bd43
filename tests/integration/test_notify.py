"""Whatever ends a night, people are told, once, and no notice holds a value."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dagster as dg
import filelock
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.definitions import definitions
from pipelines.settings import load_settings
from tests.conftest import Desk

pytestmark = pytest.mark.slow

NOTICE = {
    "encompass_id": "E1",
    "incident_at": "2026-11-14T22:10",
    "child": {"surname": "Zzcanary", "forenames": "Nova", "dob": "2016-04-04"},
}


@pytest.fixture(scope="module")
def after_a_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment of one feed whose first night ended well."""
    folder = tmp_path_factory.mktemp("deployed")
    (folder / "inbox").mkdir()
    (folder / "inbox" / "a.json").write_text(json.dumps([NOTICE]))
    (folder / "tessera.yaml").write_text('sources:\n  police.encompass: {from: "inbox/"}\n')
    assert night(folder) == ""
    return folder


@pytest.fixture
def folder(after_a_night: Path, tmp_path: Path, desk: Desk) -> Path:
    """The same, telling the desk."""
    shutil.copytree(after_a_night, tmp_path / "deployed")
    with (tmp_path / "deployed" / "tessera.yaml").open("a") as settings:
        settings.write(f'notify: {{webhook: "{desk.url}"}}\n')
    return tmp_path / "deployed"


def night(folder: Path, date: str = "2026-11-16") -> str:
    """Runs one from the command line; returns what stopped it, if something did."""
    ran = CliRunner().invoke(app, ["nightly", "--config", str(folder / "tessera.yaml"), "--date", date, "--json"])
    return "" if ran.exit_code == 0 else str(ran.exception)


def told(desk: Desk, words: str) -> None:
    assert [notice["published"] for notice in desk.notices] == [False]
    assert words in desk.notices[0]["failing"][0]["message"]
    assert "Zzcanary" not in json.dumps(desk.notices)


def test_a_night_that_ends_well_tells_nobody(folder: Path, desk: Desk) -> None:
    assert night(folder, "2026-11-17") == ""
    assert desk.notices == []


def test_marts_that_cannot_be_written(folder: Path, desk: Desk) -> None:
    shutil.rmtree(folder / "data" / "marts")
    (folder / "data" / "marts").write_text("in the way")
    assert "stopped at publish" in night(folder, "2026-11-17")
    told(desk, "load 2026-11-17.1 stopped at publish")


def test_a_core_that_does_not_open(folder: Path, desk: Desk) -> None:
    keys = folder / "data" / "tessera.keys"
    keys.write_text(
        "\n".join(
            f"{line[:-9]}AAAAAAAA=" if line.startswith("core=") else line for line in keys.read_text().splitlines()
        )
    )
    assert night(folder)
    told(desk, "the key does not open it")


def test_keys_that_are_gone(folder: Path, desk: Desk) -> None:
    (folder / "data" / "tessera.keys").unlink()
    assert night(folder)
    told(desk, "the key file is gone")


def test_a_lock_that_another_holds(folder: Path, desk: Desk) -> None:
    with filelock.FileLock(folder / "data" / "tessera.lock"):
        assert "another run holds" in night(folder)
    told(desk, "another run holds")


def test_a_fault_of_ours_is_told_by_its_place_alone(folder: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("of Zzcanary")

    monkeypatch.setattr("pipelines.line.Line.open_night", broken)
    assert night(folder)
    told(desk, "an unexpected fault, RuntimeError at test_notify.py")


def test_dagster_tells_too_when_the_core_does_not_open(folder: Path, desk: Desk) -> None:
    (folder / "data" / "core.duckdb").write_bytes(b"no database" * 1000)
    config = folder / "tessera.yaml"
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(config, load_settings(config, {})).resolve_job_def("people")
        assert not job.execute_in_process(partition_key="2026-11-17", instance=instance, raise_on_error=False).success
    told(desk, "core.duckdb: the file is damaged")


def test_a_desk_that_does_not_answer_stops_nothing(folder: Path, desk: Desk) -> None:
    config = folder / "tessera.yaml"
    config.write_text(config.read_text().replace(desk.url, "no address"))
    (folder / "inbox" / "a.json").write_text("[{")
    assert night(folder) == "1"
    assert (folder / "data" / "marts" / "current").exists()

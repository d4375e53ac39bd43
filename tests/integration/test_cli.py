"""The command line as its users meet it: a small made-up world, its nights, what each role sees, and what goes wrong clearly."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import filelock
import pytest

from pipelines.cli import main
from pipelines.mart import Mart
from pipelines.night import NightLocked, locked
from pipelines.settings import SettingsError, load_settings
from synthetic.world import make_world
from warehouse import query
from warehouse.access_log import AccessLog
from warehouse.keys import MARTS, load_keys
from warehouse.store import Store

ROOT = Path(__file__).parents[2]
Ran = subprocess.CompletedProcess[str]


def tessera(folder: Path, *arguments: str, before: Callable[[], None] | None = None, night: str = "night1") -> Ran:
    """What a command answers, run in this process, which has long imported what most of a command's time goes to.

    Where something is to be done `before`, in a process of its own.
    """
    if before is not None:
        return in_own_process(folder, *arguments, before=before, night=night)
    said, complained, code = io.StringIO(), io.StringIO(), 0
    with (
        chdir(folder),
        redirect_stdout(said),
        redirect_stderr(complained),
        patch.dict(os.environ, NIGHT=night),
        patch.object(sys, "argv", ["tessera", *arguments]),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return Ran(arguments, code, said.getvalue(), complained.getvalue())


def in_own_process(
    folder: Path, *arguments: str, before: Callable[[], None] | None = None, night: str = "night1"
) -> Ran:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NIGHT": night},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of thirty children after its first night, run from the command line."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder, children=30, seed=5, nights=2)
    ran = tessera(folder, "nightly", "--date", "2026-11-16", "--truth", "truth/records.csv")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (folder / "printed.txt").write_text(ran.stdout)
    return folder


@pytest.fixture
def copied(world: Path, tmp_path: Path) -> Path:
    shutil.copytree(world, tmp_path / "world")
    return tmp_path / "world"


def marts(folder: Path) -> dict[str, list[str]]:
    """Every view of every mart, without what is the load's and not the data's; of standards, this load's results."""
    found: dict[str, list[str]] = {}
    keys = load_keys(folder / "data" / "tessera.keys", {})
    for role in MARTS:
        with query.open_mart(folder / "data" / "marts", keys, role) as con:
            for view in (row["name"] for row in query.rows(con, "SHOW TABLES")):
                if view not in ("mart", "loads", "received_files", "coverage", "publications") and not view.endswith(
                    "_history"
                ):
                    this_load = "WHERE load_id = (SELECT load_id FROM mart)" if view == "quality_results" else ""
                    rows = query.rows(con, f'SELECT * FROM "{view}" {this_load}')
                    found[f"{role}.{view}"] = sorted(
                        repr([(k, v) for k, v in row.items() if k != "load_id"]) for row in rows
                    )
    return found


def test_a_night_says_what_a_data_officer_needs(world: Path) -> None:
    printed = (world / "printed.txt").read_text()
    for words in (
        "received",
        "quarantined",
        "Standards failing",
        "People:",
        "left for a person",
        "precision",
        "recall",
        "practitioner",
    ):
        assert words in printed


def test_the_picture_of_a_child_needs_a_purpose_and_is_logged(copied: Path) -> None:
    several = "SELECT person_id FROM chronology WHERE contains(narrative, chr(10))"
    asked = f"SELECT person_id, given_names FROM children WHERE len(agencies) > 1 AND person_id IN ({several}) ORDER BY 1 LIMIT 1"
    ((child),) = json.loads(tessera(copied, "query", "--role", "practitioner", asked, "--format", "json").stdout)
    shown = tessera(copied, "child", child["person_id"], "--purpose", "strategy discussion", "--who", "dana")
    assert shown.returncode == 0, shown.stderr
    for heading in ("Signals", "do not agree on", "Who was asked", "Open now", "Lives, or lived, with", "Chronology"):
        assert heading in shown.stdout
    assert child["given_names"] in shown.stdout
    entries = shown.stdout.partition("\nChronology")[2].splitlines()[1:]
    assert any(line.startswith("      ") for line in entries) and not [
        line for line in entries if not line.startswith("  ")
    ]
    settings = load_settings(copied / "tessera.yaml", {**os.environ, "NIGHT": "night1"})
    keys = load_keys(settings.keys_path, {})
    (look,) = [
        look for look in AccessLog(Store(settings.decisions_url), keys).looks(["practitioner"]) if look.who == "dana"
    ]
    assert look.purpose == "strategy discussion"
    assert look.shown is not None and child["person_id"] in look.shown
    rules = json.loads(tessera(copied, "signals", "--json").stdout)
    assert {"several_agencies", "missing_often"} <= {rule["rule"] for rule in rules}
    nobody = tessera(copied, "signals", "mark", "G0", "--useful", "--reason", "x", "--author", "dana")
    assert nobody.returncode == 2
    assert "no signal 'G0' tonight" in nobody.stderr
    refused = tessera(copied, "child", child["person_id"], "--purpose", " ")
    assert refused.returncode != 0
    assert "--purpose" in refused.stderr and child["given_names"] not in refused.stdout


def test_python_asks_as_the_command_line_does(copied: Path) -> None:
    asked = "SELECT person_id, agencies FROM children WHERE sex = $sex ORDER BY ALL"
    with Mart("analyst", purpose="annual report", who="ayo", config=copied / "tessera.yaml") as mart:
        found = mart.ask(asked, {"sex": "F"})
        assert len(found) > 3 and list(found.columns) == ["person_id", "agencies"]
        with pytest.raises(query.QueryError, match="reaches the mart alone"):
            mart.ask("SELECT * FROM read_text('tessera.yaml')")
    settings = load_settings(copied / "tessera.yaml", {**os.environ, "NIGHT": "night1"})
    log = AccessLog(Store(settings.decisions_url), load_keys(settings.keys_path, {}))
    looks = [look for look in log.looks(["analyst"]) if look.who == "ayo"]
    assert [(look.purpose, look.rows) for look in looks] == [("annual report", len(found)), ("annual report", 0)]
    assert looks[0].shown == set(found.person_id) and "{'sex': 'F'}" in looks[0].question
    with pytest.raises(SettingsError, match="no role boss"):
        Mart("boss", purpose="annual report", config=copied / "tessera.yaml")


@pytest.mark.slow
def test_the_same_extracts_again_change_nothing(copied: Path) -> None:
    before = marts(copied)
    again = tessera(copied, "nightly", "--date", "2026-11-16", "--json")
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert report["people"]["changes"] == 0
    for feed in report["feeds"]:
        assert feed["landed"] == feed["superseded"] == 0
        assert feed["received"] == feed["unchanged"] + feed["quarantined"]
    after = marts(copied)
    changed = {name for name in before if before[name] != after.get(name)} - {
        "practitioner.identity_changes",
        "engineer.identity_changes",
    }
    assert not changed


@pytest.mark.slow
def test_a_night_for_a_date_before_the_last_says_so(copied: Path) -> None:
    ran = tessera(copied, "nightly", "--date", "2026-11-15")
    assert ran.returncode == 0, ran.stderr
    assert "stands for 2026-11-15, before load 2026-11-16.1" in ran.stdout


@pytest.mark.slow
def test_the_same_extracts_on_the_next_day_change_nothing_but_the_day(copied: Path) -> None:
    before = marts(copied)
    again = tessera(copied, "nightly", "--date", "2026-11-17", "--json")
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert report["people"]["changes"] == 0
    for feed in report["feeds"]:
        assert feed["received"] == feed["unchanged"] + feed["quarantined"], feed
    after = marts(copied)
    assert set(before) == set(after)
    by_the_day = {"practitioner.signals", "analyst.signals"}  # rules that look back from the night
    assert {name for name in before if before[name] != after[name]} - by_the_day == set()


@pytest.mark.slow
def test_each_command_answers(world: Path) -> None:
    assert "social_care.ssd" in tessera(world, "sources").stdout
    assert tessera(world, "quality").returncode == 0
    assert tessera(world, "quality", "police.ppn").returncode == 0
    assert tessera(world, "quarantine", "list").returncode == 0
    assert tessera(world, "verify").returncode == 0
    assert tessera(world, "identity", "history").returncode == 0
    record = json.loads(
        tessera(
            world, "query", "--role", "practitioner", "SELECT record_id FROM records LIMIT 1", "--format", "json"
        ).stdout
    )
    explained = tessera(world, "identity", "explain", record[0]["record_id"])
    assert explained.returncode == 0
    assert record[0]["record_id"] in explained.stdout
    evaluated = tessera(world, "linkage", "evaluate", "--truth", "truth/records.csv")
    assert "overall" in evaluated.stdout
    checked = tessera(world, "sources", "check", "youth_justice.cases")
    assert checked.returncode == 0
    assert "person_record" in checked.stdout


def test_a_role_sees_its_own_mart_and_no_name_where_none_belongs(world: Path) -> None:
    for role in ("engineer", "analyst"):
        for view in ("children", "records"):
            asked = tessera(world, "query", "--role", role, f"SELECT family_name FROM {view}")
            assert asked.returncode == 1
            assert "family_name" in asked.stderr or view in asked.stderr
    assert tessera(world, "query", "--role", "nobody", "SELECT 1").returncode == 2


@pytest.mark.parametrize("holds", [None, "agency,feed,who\n"], ids=["no file", "no truth"])
def test_a_truth_that_cannot_be_used_is_told_before_anything_runs(
    world: Path, tmp_path: Path, holds: str | None
) -> None:
    truth = tmp_path / "truth.csv"
    if holds is not None:
        truth.write_text(holds)
    with filelock.FileLock(world / "data" / "tessera.lock"):  # which a night that began would complain of
        ran = tessera(world, "nightly", "--date", "2026-11-17", "--truth", str(truth))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"--truth {truth}" in ran.stderr.replace("\n", "")
    assert "source_person_id" in ran.stderr


def test_a_second_night_says_who_holds_the_lock(copied: Path) -> None:
    with filelock.FileLock(copied / "data" / "tessera.lock"):
        (copied / "data" / "tessera.lock.json").write_text(
            json.dumps({"process": 4711, "host": "hub", "since": "2026-11-16 02:00:00"})
        )
        second = tessera(copied, "nightly")
    assert second.returncode == 1
    assert "process 4711 on hub since 2026-11-16 02:00:00" in second.stderr


@pytest.mark.slow
def test_a_lost_key_file_is_never_replaced_beside_data(copied: Path) -> None:
    keys = copied / "data" / "tessera.keys"
    good = keys.read_bytes()
    keys.unlink()
    for arguments in (("nightly", "--date", "2026-11-17"), ("query", "--role", "engineer", "SELECT 1"), ("rebuild",)):
        ran = tessera(copied, *arguments, night="night2")
        assert ran.returncode == 1
        assert "the key file is gone" in ran.stderr
        assert "landing, core.duckdb, marts" in ran.stderr
        assert not keys.exists()
    keys.write_bytes(good)
    keys.chmod(0o600)
    assert tessera(copied, "query", "--role", "engineer", "SELECT 1").returncode == 0


@pytest.mark.parametrize("note", [b"", b'{"process": 47', b"[]", b"\xff\xfe", None])
def test_a_lock_whose_note_says_nothing_still_holds(copied: Path, note: bytes | None) -> None:
    with filelock.FileLock(copied / "data" / "tessera.lock"):
        if note is not None:
            (copied / "data" / "tessera.lock.json").write_bytes(note)
        with (
            pytest.raises(NightLocked, match=r"process \? on \? since \? UTC"),
            locked(load_settings(copied / "tessera.yaml", {})),
        ):
            raise AssertionError("two held one lock")
    (copied / "data" / "tessera.lock.json").unlink(missing_ok=True)


@pytest.mark.slow
def test_rollback_serves_the_night_before(copied: Path) -> None:
    ran = tessera(copied, "nightly", "--date", "2026-11-17", night="night2")
    assert ran.returncode == 0
    assert "Look at the date" not in ran.stdout
    back = tessera(copied, "rollback")
    assert "2026-11-16.1" in back.stdout
    served = tessera(
        copied, "query", "--role", "practitioner", "SELECT max(load_id) AS load FROM loads", "--format", "json"
    )
    assert json.loads(served.stdout)[0]["load"] == "2026-11-16.1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("data_dir: data\nsources: {police.pnn: {from: x}}\n", "no such feed"),
        ("data_dir: data\nsources: {police.ppn: {}}\n", "from"),
        ("data_dir: data\nsources: {social_care.ssda903: {from: x}}\n", "collection_year"),
        ("data_dir: data\nsources: {social_care.ssda903: {from: x, collection_year: soon}}\n", "collection_year"),
        ("data_dir: ${NOWHERE}\nsources: {}\n", "NOWHERE"),
        ("data_dir: [\n", "line"),
        ("colour: blue\nsources: {}\n", "colour"),
    ],
)
def test_a_wrong_setting_is_named_with_exit_2(tmp_path: Path, change: str, says: str) -> None:
    (tmp_path / "tessera.yaml").write_text(change)
    ran = tessera(tmp_path, "nightly")
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_quality_tells_which_rules_were_not_run_and_why(world: Path) -> None:
    ran = tessera(world, "quality", "social_care.ssda903", "--json")
    assert ran.returncode == 0, ran.stderr
    reasons = {row["not_run_because"]: row["which"] for row in json.loads(ran.stdout)["not_run"]}
    of_last_year = next(which for reason, which in reasons.items() if "which never came" in reason)
    assert "ssda903.503A" in of_last_year.split(", ")
    assert "ssda903.503A" not in {row["expectation"] for row in json.loads(ran.stdout)["standards"]}
    printed = tessera(world, "quality")
    assert "not_run_because" in printed.stdout

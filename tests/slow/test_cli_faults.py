"""What goes wrong in a night, who looked, and copies: the command line over a world of two feeds."""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
from pathlib import Path

import pytest

from synthetic.world import make_world
from tests.conftest import Desk
from tests.integration.test_cli import marts, tessera
from warehouse.access_log import account

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def few_feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same world as two agencies send it in one feed each, after its first night: for what goes wrong in any night."""
    folder = tmp_path_factory.mktemp("few")
    make_world(folder, children=30, seed=5, nights=2)
    settings = (folder / "tessera.yaml").read_text().splitlines(keepends=True)
    kept = ("social_care.ssd:", "school.attendance:")
    settings = [line for line in settings if not line.startswith("  ") or line.strip().startswith(kept)]
    (folder / "tessera.yaml").write_text("".join(settings))
    ran = tessera(folder, "nightly", "--date", "2026-11-16")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture
def few(few_feeds: Path, tmp_path: Path) -> Path:
    shutil.copytree(few_feeds, tmp_path / "few")
    return tmp_path / "few"


def test_who_looked_at_a_child_is_told_and_nobody_can_change_it(few: Path) -> None:
    asked = "SELECT person_id FROM children ORDER BY person_id LIMIT 2"
    listed = tessera(few, "query", "--role", "practitioner", asked, "--format", "json", "--who", "eve")
    child = json.loads(listed.stdout)[1]["person_id"]
    tessera(few, "child", child, "--purpose", "strategy discussion", "--who", "dana")
    heads = tessera(few, "audit", "heads")
    (few / "heads.json").write_text(heads.stdout)
    told = json.loads(
        tessera(few, "audit", "looks", "--person", child, "--purpose", "her father asks", "--json").stdout
    )
    assert [(look["who"], look["purpose"]) for look in told] == [
        (account(), "her father asks"),
        ("dana", "strategy discussion"),
        ("eve", "not stated"),
    ]
    page = few / "of-the-child.html"
    given = tessera(few, "subject", "export", child, "--purpose", "subject access 14", "--out", str(page))
    assert given.returncode == 0, given.stderr
    assert "read all of it before it leaves" in given.stdout
    assert "What is held about you" in page.read_text()
    assert page.stat().st_mode & 0o077 == 0
    assert tessera(few, "audit", "verify", "--heads", "heads.json").returncode == 0
    with sqlite3.connect(few / "data" / "decisions.sqlite") as con:
        con.execute("DELETE FROM access WHERE access_id = (SELECT max(access_id) - 1 FROM access)")
    con.close()
    changed = tessera(few, "verify")
    assert changed.returncode == 1
    assert "access, row" in changed.stdout and "taken away" in changed.stdout
    with sqlite3.connect(few / "data" / "decisions.sqlite") as con:
        con.execute("DELETE FROM access WHERE access_id > 2")
    con.close()
    cut_off = tessera(few, "audit", "verify", "--heads", "heads.json")
    assert cut_off.returncode == 1
    assert "the last when its head was written down, is gone" in cut_off.stdout


def test_a_backup_is_proved_and_put_back(few: Path, tmp_path: Path) -> None:
    before, kept = marts(few), str(tmp_path / "backups")
    made = json.loads(tessera(few, "backup", "make", kept, "--json").stdout)
    again = json.loads(tessera(few, "backup", "make", kept, "--json").stdout)
    assert made["copied"] == made["size"] and again["files"] == made["files"]
    assert again["copied"] < made["copied"], "landed files are not copied twice"
    canary = json.loads(
        tessera(
            few,
            "query",
            "--role",
            "practitioner",
            "SELECT arg_max(family_name, length(family_name)) AS name FROM children",
            "--format",
            "json",
        ).stdout
    )[0]["name"].encode()
    assert len(canary) > 5
    assert not any(canary in path.read_bytes() for path in Path(kept).rglob("*") if path.is_file())
    assert "holds data" in tessera(few, "backup", "restore", kept).stderr
    (few / "data").rename(few / "lost")
    gone = tessera(few, "backup", "restore", kept)
    assert gone.returncode == 1 and "the key file is gone" in gone.stderr
    (few / "data").mkdir()
    shutil.copy2(few / "lost" / "tessera.keys", few / "data")
    back = tessera(few, "backup", "restore", kept)
    assert back.returncode == 0, back.stdout + back.stderr
    assert "rows are as they were written" in back.stdout
    assert marts(few) == before


def test_a_source_that_is_gone_fails_alone_and_the_last_good_data_stays(few: Path) -> None:
    (few / "night2" / "social_care" / "ssd.sqlite").unlink()
    ran = tessera(few, "nightly", "--date", "2026-11-17", night="night2")
    assert ran.returncode == 1
    assert "published" in ran.stdout
    assert "ssd.sqlite does not exist" in ran.stdout
    stale = tessera(
        few,
        "query",
        "--role",
        "practitioner",
        "SELECT count(*) AS n FROM records WHERE feed = 'ssd'",
        "--format",
        "json",
    )
    assert json.loads(stale.stdout)[0]["n"] > 0


def test_another_key_opens_nothing_and_says_so(few: Path) -> None:
    keys = few / "data" / "tessera.keys"
    good = keys.read_text()
    keys.write_text("\n".join(line[:-6] + "AAAAA=" if line.startswith("core=") else line for line in good.splitlines()))
    ran = tessera(few, "nightly", "--date", "2026-11-17", night="night2")
    assert ran.returncode == 1
    assert "the key does not open it" in ran.stderr
    assert tessera(few, "query", "--role", "practitioner", "SELECT count(*) FROM children").returncode == 0
    keys.chmod(0o644)
    assert "chmod 600" in tessera(few, "nightly").stderr


def test_a_full_disk_stops_the_night_and_running_again_carries_on(few: Path, desk: Desk) -> None:
    with (few / "tessera.yaml").open("a") as settings:
        settings.write(f'notify: {{webhook: "{desk.url}"}}\n')
    largest = max(path.stat().st_size for path in (few / "data").rglob("*") if path.is_file())
    full = tessera(
        few,
        "nightly",
        "--date",
        "2026-11-17",
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 8, largest // 8)),
        night="night2",
    )
    assert full.returncode == 1
    assert "disk is full" in full.stderr + full.stdout
    assert "Traceback" not in full.stderr
    assert [notice["published"] for notice in desk.notices] == [False]
    assert "disk is full" in desk.notices[0]["failing"][0]["message"]
    served = tessera(few, "query", "--role", "practitioner", "SELECT count(*) AS n FROM children", "--format", "json")
    assert json.loads(served.stdout)[0]["n"] > 0
    again = tessera(few, "nightly", "--date", "2026-11-17", night="night2")
    assert again.returncode == 0, again.stdout + again.stderr
    assert tessera(few, "verify", night="night2").returncode == 0

"""Readers of every role, while a whole night loads, publishes and is gone back from: no error, and every answer from one load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from warehouse.keys import ROLES

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
READERS = 20

READER = """
import json, pathlib, sys, time
from warehouse import query
from warehouse.keys import load_keys

folder, role = pathlib.Path(sys.argv[1]), sys.argv[2]
keys = load_keys(folder / "data" / "tessera.keys", {})
LOOKED_AT = ("children", "chronology", "links", "loads", "quality_failures", "records")  # of which each role has some
served, answers = {}, 0
until = time.monotonic() + 900
while not (folder / "stop").exists() and time.monotonic() < until:
    with query.open_mart(folder / "data" / "marts", keys, role) as con:
        views = [row["name"] for row in query.rows(con, "SHOW TABLES") if row["name"] in LOOKED_AT]
        asked = "SELECT " + ", ".join(f'(SELECT count(*) FROM "{view}") AS "{view}"' for view in views)
        load = query.rows(con, "SELECT load_id FROM mart")[0]["load_id"]
        for _ in range(3):
            counts = query.rows(con, asked)[0]
            assert query.rows(con, "SELECT load_id FROM mart")[0]["load_id"] == load
            if "loads" in views:  # a reviewer's mart has none
                assert query.rows(con, "SELECT max(load_id) AS newest FROM loads")[0]["newest"] <= load
            # What was published once is what is served, to whoever asks and however often.
            assert served.setdefault(load, counts) == counts
            answers += 1
    (folder / f"reading-{sys.argv[3]}").touch()
    time.sleep(8)  # a person reads what was found
print(json.dumps({"answers": answers, "served": served}))
"""


def tessera(folder: Path, *arguments: str, night: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NIGHT": night},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_twenty_readers_through_a_night_and_back(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(small_world, folder)
    (folder / "reader.py").write_text(READER)
    tessera(folder, "nightly", "--date", "2026-11-16", night="night1")
    readers = [
        subprocess.Popen(
            [sys.executable, str(folder / "reader.py"), str(folder), ROLES[number % len(ROLES)], str(number)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(READERS)
    ]  # fmt: skip
    try:
        until = time.monotonic() + 240
        while len(list(folder.glob("reading-*"))) < READERS and time.monotonic() < until:
            time.sleep(0.2)
        tessera(folder, "nightly", "--date", "2026-11-17", night="night2")
        time.sleep(12)
        tessera(folder, "rollback", night="night2")
        time.sleep(12)
    finally:
        (folder / "stop").touch()
        heard = [reader.communicate(timeout=120) for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * READERS, [err for _, err in heard if err][:1]
    found = [json.loads(out) for out, _ in heard]
    assert all(each["answers"] > 0 for each in found)
    nights = {"2026-11-16.1", "2026-11-17.1"}
    assert set().union(*(each["served"] for each in found)) == nights, "nobody lived through the switch"
    for role in ROLES:
        of_role = [found[number]["served"] for number in range(READERS) if ROLES[number % len(ROLES)] == role]
        for load in nights:
            counts = [served[load] for served in of_role if load in served]
            assert all(each == counts[0] for each in counts), (role, load)

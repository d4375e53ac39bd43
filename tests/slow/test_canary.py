"""The canary: a surname that is in every feed is in the practitioner's mart, and nowhere in plain bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CANARY = "ZZCANARYFELL"


def tessera(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def plain_hits(*folders: Path) -> list[Path]:
    spellings = [
        text.encode(code) for text in (CANARY, CANARY.lower(), CANARY.title()) for code in ("utf-8", "utf-16-le")
    ]
    return [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and any(spelling in path.read_bytes() for spelling in spellings)
    ]


def test_the_canary_is_found_by_the_right_role_and_in_no_plain_byte(small_world: Path, tmp_path: Path) -> None:
    data, temporary, dagster_home = tmp_path / "data", tmp_path / "tmp", tmp_path / "dagster"
    temporary.mkdir()
    dagster_home.mkdir()
    config = tmp_path / "tessera.yaml"
    text = (
        (small_world / "tessera.yaml")
        .read_text()
        .replace("data_dir: data", f"data_dir: {data}\nmemory_limit: 400MB\nthreads: 1")
    )
    config.write_text(
        text.replace('"${NIGHT', f'"{small_world}/${{NIGHT').replace("mappings/", f"{small_world}/mappings/")
    )
    environ = {"TMPDIR": str(temporary), "DAGSTER_HOME": str(dagster_home), "TESSERA_CONFIG": str(config)}
    for night in ("night1", "night2"):
        done = tessera("nightly", "--config", str(config), cwd=tmp_path, NIGHT=night, **environ)
        (tmp_path / f"{night}.log").write_text(done.stdout + done.stderr)
        assert "published" in done.stdout, done.stderr
    job = (
        "import dagster as dg; from pipelines.definitions import defs\n"
        "for name in ('feeds', 'people'):\n"
        "    defs.resolve_job_def(name).execute_in_process(partition_key='2026-11-18', raise_on_error=False,"
        " instance=dg.DagsterInstance.get())\n"
    )
    dagster = subprocess.run(
        [sys.executable, "-c", job],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NIGHT": "night2", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / "dagster.log").write_text(dagster.stdout + dagster.stderr)
    assert dagster.returncode == 0, dagster.stderr[-2000:]
    for command in (["quality"], ["sources"], ["quarantine", "list"], ["identity", "history"], ["verify"]):
        done = tessera(*command, "--config", str(config), cwd=tmp_path, NIGHT="night2", **environ)
        if command != ["quality"]:  # the quality officer is shown failing values
            (tmp_path / f"{command[0]}.log").write_text(done.stdout + done.stderr)
    sql = f"SELECT count(DISTINCT feed) AS n FROM records WHERE family_name ILIKE '%{CANARY}%'"
    asked = tessera(
        "query",
        "--config",
        str(config),
        "--role",
        "practitioner",
        "--format",
        "csv",
        sql,
        cwd=tmp_path,
        NIGHT="night2",
        **environ,
    )
    assert int(asked.stdout.split()[-1]) >= 6, asked.stdout + asked.stderr
    assert plain_hits(tmp_path) == []

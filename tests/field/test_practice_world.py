"""Three nights from four agencies that are not of our making; the third is broken in several ways. Its own script scores the links."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.field.nights import by_feed, proved, rows, run

pytestmark = pytest.mark.field

CONFIG = """
data_dir: {folder}/data
authority: "866"
allow_test_nhs_numbers: true
sources:
  social_care.ssd: {{from: "{folder}/${{NIGHT}}/social_care/ssd.sqlite"}}
  social_care.ssda903: {{from: "{folder}/${{NIGHT}}/social_care/ssda903/", collection_year: "2026/27"}}
  school.ctf: {{from: "{folder}/${{NIGHT}}/school/ctf/*.xml"}}
  school.attendance: {{from: "{folder}/${{NIGHT}}/school/attendance/*.csv"}}
  health.fhir: {{from: "{folder}/${{NIGHT}}/health/fhir/"}}
  police.ppn: {{from: "{folder}/${{NIGHT}}/police/ppn/"}}
  police.encompass: {{from: "{folder}/${{NIGHT}}/police/encompass/"}}
"""


@pytest.fixture(scope="module")
def world(field_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("practice")
    for night in (1, 2, 3):
        with zipfile.ZipFile(field_data / "practice_world" / f"night{night}.zip") as archive:
            archive.extractall(folder)
    (folder / "tessera.yaml").write_text(CONFIG.format(folder=folder))
    return folder


def scored(field_data: Path, export: list[dict[str, Any]], night: int) -> dict[str, Any]:
    """What the practice world's own evaluate.py says."""
    script = field_data / "practice_world" / "evaluate.py"
    spec = importlib.util.spec_from_file_location("practice_evaluate", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.evaluate(pd.DataFrame(export).astype(str), script.parent / "truth", night)
    return found


def test_three_nights_are_linked_and_the_broken_one_publishes_what_is_good(field_data: Path, world: Path) -> None:
    config = world / "tessera.yaml"
    for night in (1, 2):
        report = run(config, f"2026-11-{15 + night}", NIGHT=f"night{night}")
        assert report.published
        assert not report.failed, [feed["message"] for feed in report.feeds]
    gone = by_feed(report)["social_care.ssd"]
    assert gone["vanished"] == 1
    plans = rows(
        config,
        "practitioner",
        "SELECT * FROM spans WHERE kind = 'child_protection_plan' ORDER BY span_id",
        NIGHT="night2",
    )
    third = run(config, "2026-11-18", NIGHT="night3")
    feeds = by_feed(third)
    assert third.published
    assert {name: feed["status"] for name, feed in feeds.items()} == {
        "social_care.ssd": "partial",
        "social_care.ssda903": "failed",
        "school.ctf": "partial",
        "school.attendance": "loaded",
        "health.fhir": "loaded",
        "police.ppn": "loaded",
        "police.encompass": "failed",
    }
    assert "ssd_cp_plans is missing" in feeds["social_care.ssd"]["message"]
    assert "8665401_CTF_866LLLL_003.xml, line" in feeds["school.ctf"]["message"]
    assert "no bytes" in feeds["police.encompass"]["message"]
    assert "header" in feeds["social_care.ssda903"]["message"]
    after = rows(
        config,
        "practitioner",
        "SELECT * FROM spans WHERE kind = 'child_protection_plan' ORDER BY span_id",
        NIGHT="night3",
    )
    assert [(plan["span_id"], plan["ended_on"]) for plan in plans] == [
        (plan["span_id"], plan["ended_on"]) for plan in after
    ]
    export = rows(
        config, "practitioner", "SELECT agency, feed, source_person_id, person_id FROM records", NIGHT="night3"
    )
    score = scored(field_data, export, 3)
    assert score["records_missing_from_export"] == 0
    assert score["overall"]["precision"] >= 0.99, json.dumps(score["false_merges"])
    assert score["overall"]["recall"] >= 0.95
    assert score["false_merges"]["multiple_births"] == 0
    assert proved(config, NIGHT="night3") == []


def test_marks_corrected_later_are_the_current_ones(field_data: Path, world: Path) -> None:
    checks = pd.read_csv(
        field_data / "practice_world" / "truth" / "attendance_checks.csv", dtype=str, keep_default_na=False
    )
    marks = {
        (row["source"], str(row["session_date"]), row["session"]): row["mark"]
        for row in rows(
            world / "tessera.yaml",
            "practitioner",
            "SELECT r.source_person_id AS source, a.session_date, a.session, a.mark FROM attendance a "
            "JOIN records r USING (person_id) WHERE r.feed = 'attendance'",
            NIGHT="night3",
        )
    }
    wrong = [
        (check.upn, check.session_date)
        for check in checks.itertuples()
        if marks.get((check.upn, check.session_date, check.session)) != check.mark_after_night2
    ]
    assert not wrong

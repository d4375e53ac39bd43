"""Dagster's skin: the graph follows the configuration, a run does what the CLI does, and no value of a person is stored."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from connectors.registry import feeds
from connectors.rulebooks import read_book
from expectations import rules
from pipelines.cli import app
from pipelines.definitions import definitions
from pipelines.night import LEFT_OF_LOAD, RIGHT_OF_LOAD
from pipelines.settings import load_settings

ROOT = Path(__file__).parents[2]
NOTICE = {
    "encompass_id": "N-1",
    "incident_at": "2026-11-10T22:00:00+00:00",
    "child": {"surname": "ZZCANARYFELL", "forename": "Ada", "dob": "2015-03-04"},
    "child_present": True,
    "circumstances": "Ada ZZCANARYFELL was at home.",
    "sent_at": "2026-11-11T07:00:00+00:00",
}


@pytest.fixture
def deployed(tmp_path: Path) -> dg.Definitions:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.json").write_text(json.dumps([NOTICE]))
    (tmp_path / "tessera.yaml").write_text('data_dir: data\nsources:\n  police.encompass: {from: "inbox/"}\n')
    return definitions(tmp_path / "tessera.yaml", load_settings(tmp_path / "tessera.yaml", {}))


def run(deployed: dg.Definitions, job: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return deployed.resolve_job_def(job).execute_in_process(
        partition_key="2026-11-16", instance=instance, raise_on_error=False
    )


def test_every_configured_feed_has_the_straight_line() -> None:
    config = ROOT / "tessera.yaml"
    settings = load_settings(config, {})
    keys = {spec.key.to_user_string() for spec in definitions(config, settings).resolve_all_asset_specs()}
    assert set(settings.sources) >= {"police.ppn", "youth_justice.cases"}
    expected = {f"{step}/{name.replace('.', '/')}" for name in settings.sources for step in LEFT_OF_LOAD} | set(
        RIGHT_OF_LOAD
    )
    assert keys == expected


@pytest.mark.slow
def test_a_run_publishes_and_stores_counts_only(deployed: dg.Definitions, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        feeds_run = run(deployed, "feeds", instance)
        assert feeds_run.success
        assert {evaluation.check_name for evaluation in feeds_run.get_asset_check_evaluations()} == {
            "books_balance",
            "critical_standards",
            "standards",
            "no_check_broken",
        }
        assert run(deployed, "people", instance).success
        events = [str(event) for event in feeds_run.all_events]
    assert (tmp_path / "data" / "marts" / "current").exists()
    assert not any("ZZCANARYFELL" in event for event in events)
    stored = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert stored
    assert not any(b"ZZCANARYFELL" in path.read_bytes() for path in stored)


@pytest.mark.slow
def test_a_broken_feed_fails_its_run_and_the_people_job_still_publishes(
    deployed: dg.Definitions, tmp_path: Path
) -> None:
    (tmp_path / "inbox" / "a.json").write_text("[{")
    with dg.DagsterInstance.ephemeral() as instance:
        broken = run(deployed, "feeds", instance)
        assert not broken.success
        assert any(
            "a.json, line 1" in str(event.event_specific_data) for event in broken.all_events if event.is_failure
        )
        assert run(deployed, "people", instance).success


def test_the_night_is_scheduled_and_people_follow_feeds() -> None:
    config = ROOT / "tessera.yaml"
    deployed = definitions(config, load_settings(config, {}))
    schedule = deployed.resolve_schedule_def("nightly")
    assert schedule.cron_schedule == "0 2 * * *"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert deployed.resolve_sensor_def("after_feeds").default_status is dg.DefaultSensorStatus.RUNNING
    assert deployed.resolve_sensor_def("after_feeds_with_failures").default_status is dg.DefaultSensorStatus.RUNNING


RULE = """
title: {severity}
why: To see what becomes of a rule that cannot be run.
tables: [notice]
columns: [encompass_id]
severity: {severity}
hint: Mend the rule.
sql: SELECT raw_row_id FROM {{this_notice}} WHERE {sql}
cases: [{{given: {{}}, expect: []}}]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("severity", "succeeds"), [("warning", True), ("critical", False)])
def test_a_broken_rule_is_shown_everywhere_and_fails_the_night_only_if_critical(
    deployed: dg.Definitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, severity: str, succeeds: bool
) -> None:
    table = feeds()["police.encompass"].tables[0].name
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "book.yaml").write_text("{feed: police.encompass, title: Toy, source: ours}")
    for code, sql in (("broken", "encompass_id::INT > 0"), ("holds", "encompass_id IS NULL")):
        text = RULE.format(severity=severity, sql=sql).replace("notice", table)
        (folder / f"{code}.yaml").write_text(text)
    monkeypatch.setattr(rules, "rule_books", lambda feed: [read_book(folder)])
    with dg.DagsterInstance.ephemeral() as instance:
        ran = run(deployed, "feeds", instance)
        assert ran.success == succeeds
        checks = {each.check_name: each for each in ran.get_asset_check_evaluations()}
        assert not checks["no_check_broken"].passed
        assert checks["no_check_broken"].metadata["broken"].value == 1
        assert checks["critical_standards"].passed == succeeds
        assert run(deployed, "people", instance).success
    shown = CliRunner().invoke(app, ["quality", "--config", str(tmp_path / "tessera.yaml"), "--json"])
    found = json.loads(shown.stdout)
    broken = {row["expectation"]: row["message"] for row in found["broken"]}
    assert broken == {"toy.broken": "ConversionException while judging toy.broken; see its SQL"}
    assert not {"toy.broken", "toy.holds"} & {row["expectation"] for row in found["standards"]}
    assert found["next"][0]["to"] == "data team"

"""Extracts of other people's making: a 903 return, two school censuses, FHIR and PDS JSON, a notice. Both nights publish."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.field.nights import by_feed, proved, rows, run

pytestmark = pytest.mark.field

CONFIG = """
data_dir: {data}
allow_test_nhs_numbers: true
sources:
  social_care.ssda903: {{from: "{field}/social_care/ssda903/", collection_year: "2023/24", authority: "301"}}
  school.census: {{from: "{field}/school/census/${{CENSUS}}_*.csv", term: "${{TERM}}", year: ${{YEAR}}}}
  school.ctf: {{from: "{field}/school/ctf/"}}
  health.fhir: {{from: "{field}/health/pds_json/"}}
  police.ppn: {{from: "{field}/police/authored_ppn.csv"}}
  police.encompass: {{from: "{field}/police/authored_encompass.json"}}
"""
AUTUMN = {"CENSUS": "2024_autumn", "TERM": "autumn", "YEAR": "2024"}
SPRING = {"CENSUS": "2025_spring", "TERM": "spring", "YEAR": "2025"}


def test_both_nights_publish_and_the_books_balance(field_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "tessera.yaml"
    config.write_text(CONFIG.format(data=tmp_path / "data", field=field_data))
    first = run(config, "2025-01-20", **AUTUMN)
    assert first.published
    feeds = by_feed(first)
    assert {feed["status"] for feed in feeds.values()} == {"loaded"}
    assert feeds["social_care.ssda903"]["received"] >= 25_945
    children = rows(config, "practitioner", "SELECT count(*) AS n FROM records WHERE feed = 'ssda903'", **AUTUMN)
    assert children[0]["n"] >= 2_675
    second = run(config, "2025-05-20", **SPRING)
    assert second.published
    feeds = by_feed(second)
    assert "columns went from 64 to 44" in feeds["school.census"]["message"]
    assert feeds["social_care.ssda903"]["landed"] == 0
    assert feeds["school.census"]["status"] == "loaded"
    pupils = rows(config, "practitioner", "SELECT count(*) AS n FROM records WHERE feed = 'census'", **SPRING)[0]["n"]
    assert pupils >= 9_498
    restricted = rows(
        config,
        "practitioner",
        "SELECT count(*) AS n FROM children WHERE address_protected AND postcode IS NOT NULL",
        **SPRING,
    )  # fmt: skip
    assert restricted[0]["n"] == 0
    assert proved(config, **SPRING) == []


def test_synthea_lines_pass_without_harm(field_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "tessera.yaml"
    config.write_text(
        f'data_dir: {tmp_path / "data"}\nsources:\n  health.fhir: {{from: "{field_data}/health/bulk_ndjson/"}}\n'
    )
    report = run(config, "2026-11-16")
    feed = by_feed(report)["health.fhir"]
    assert report.published
    assert feed["status"] == "loaded"
    assert feed["received"] == feed["landed"] + feed["quarantined"]
    assert proved(config) == []

"""The rules of the looked-after return against an independent validator's counts on one return, rule by rule.

Where the two differ, docs/ssda903-agreement.md says by how much and why; a difference that is not there, or no longer is as
it says there, fails.
"""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from connectors.registry import feeds
from connectors.rulebooks import rule_books
from tests.field.nights import rows, run

pytestmark = pytest.mark.field

ROOT = Path(__file__).parents[2]
FILES = (
    "header", "episodes", "reviews", "uasc", "oc2", "oc3", "ad1", "placed_for_adoption_errors", "previous_permanence",
    "missing", "sw_episodes",
)  # fmt: skip
CONFIG = """
data_dir: data
sources:
  social_care.ssda903: {{from: "inbox/", collection_year: "2022/23", authority: "E09000027", rules: "2025/26"}}
"""


def explained() -> dict[str, tuple[str, str]]:
    """Rule to (their rows, ours), from the table of the page."""
    page = (ROOT / "docs" / "ssda903-agreement.md").read_text(encoding="utf-8")
    return {code: (theirs, ours) for code, theirs, ours in re.findall(r"\| `(\w+)` \| ([\w ]+) \| ([\w ]+) \|", page)}


def test_every_rule_counts_as_the_other_validator_or_the_page_says_why(field_data: Path, tmp_path: Path) -> None:
    folder = field_data / "social_care" / "ssda903"
    (tmp_path / "inbox").mkdir()
    for name in FILES:
        shutil.copy(folder / f"{name}.csv", tmp_path / "inbox")
    config = tmp_path / "tessera.yaml"
    config.write_text(CONFIG.format())
    assert run(config, "2026-11-10").published
    results = {
        row["code"]: (row["failed"], row["status"])
        for row in rows(
            config,
            "quality",
            "SELECT expectation[9:] AS code, failed, status FROM quality_results WHERE expectation LIKE 'ssda903.%'",
        )
    }
    assert set(results) == {
        rule.code
        for book in rule_books(feeds()["social_care.ssda903"])
        if book.name == "ssda903"
        for rule in book.rules
    }
    assert not [code for code, (_, status) in results.items() if status == "broken"]
    # The validator counts every failing row once for each column that the rule names.
    with (folder / "validation_rules_903.csv").open(encoding="utf-8") as file:
        columns = {row["code"]: len(row["fields"].split("|")) for row in csv.DictReader(file)}
    with (folder / "ORACLE_lac2025_26_rule_counts.csv").open(encoding="utf-8") as file:
        theirs = {row["rule_code"]: int(row["issues"]) // columns[row["rule_code"]] for row in csv.DictReader(file)}
    differ = {
        code: (str(theirs.get(code, 0)), str(results[code][0]) if results[code][1] != "not_run" else "not run")
        for code in columns
        if code in results and results[code][0] != theirs.get(code, 0)
    }
    assert set(columns) <= set(results), "a published rule is not declared"
    assert differ == explained()
    # Of the rules that need no more than is supplied, and that do not crash there, at least 97 % agree.
    crashes = {"231", "233"}
    not_supplied = {
        rule.code for book in rule_books(feeds()["social_care.ssda903"]) for rule in book.rules if rule.not_supplied
    }
    compared = set(differ) - crashes - not_supplied
    assert len(compared) <= 0.03 * len(set(results) - not_supplied)

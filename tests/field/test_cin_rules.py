"""The rules of the children in need census against an independent validator's counts on four returns, rule by rule.

Where the two differ, docs/cin-agreement.md says by how much and why; a difference that is not there, or no longer is as it
says there, fails.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.field.nights import rows, run

pytestmark = pytest.mark.field

ROOT = Path(__file__).parents[2]
RETURNS = ("fake_CIN_data.xml", "CIN_Census_2024.xml", "CIN_Census_2026.xml", "CIN_header_issues_100.xml")
CONFIG = """
data_dir: data
sources:
  social_care.cin: {from: "inbox/", collection_year: "2025/26", authority: "201"}
"""
# The validator counts a failing row once for each column that it points at, mostly one; and does not count what fails for a
# return as a whole.
CELLS = {
    ("4016", "cp_plan"): 2,
    ("8565", "cin_details"): 2,
    ("8565", "assessment"): 2,
    ("8565", "section47"): 2,
    ("8565", "cin_plan"): 2,
    ("8608", "assessment"): 2,
    ("8897Q", "assessment"): 2,
}
OF_THE_RETURN = {"100", "2883", "2886Q", "2887Q", "2888Q"}


def table_of(heading: str) -> list[tuple[str, ...]]:
    """The rows under a heading of the page, without what explains them."""
    page = (ROOT / "docs" / "cin-agreement.md").read_text(encoding="utf-8")
    part = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [re.split(r" *\| *", line.strip("| ")) for line in part.splitlines() if line.startswith("| `")]
    return [tuple(cell.strip("`") for cell in cells[:-1]) for cells in lines]


def judged(night: Path, file: Path) -> tuple[dict[str, str], Counter[str]]:
    """What became of every rule, and the cells that failed, over one return."""
    (night / "inbox").mkdir(parents=True)
    shutil.copy(file, night / "inbox")
    config = night / "tessera.yaml"
    config.write_text(CONFIG)
    assert run(config, "2026-11-10").published
    found = rows(
        config,
        "quality",
        "SELECT expectation[5:] AS code, status FROM quality_results WHERE expectation LIKE 'cin.%'",
    )
    failed = rows(
        config,
        "quality",
        "SELECT expectation[5:] AS code, table_name, count(*) AS n FROM quality_failures WHERE expectation LIKE 'cin.%' "
        "GROUP BY ALL",
    )
    cells: Counter[str] = Counter()
    for row in failed:
        cells[row["code"]] += row["n"] * CELLS.get((row["code"], row["table_name"]), 1)
    return {row["code"]: row["status"] for row in found}, cells


def test_every_rule_counts_as_the_other_validator_or_the_page_says_why(field_data: Path, tmp_path: Path) -> None:
    folder = field_data / "social_care" / "cin"
    with (folder / "validation_rules_cin.csv").open(encoding="utf-8") as file:
        published = {row["code"] for row in csv.DictReader(file)}
    theirs: dict[str, dict[str, int]] = {}
    with (folder / "ORACLE_cin2025_26_rule_counts.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            theirs.setdefault(Path(row["file"]).name, {})[row["rule_code"]] = int(row["issue_rows"])
    differ, of_the_return, ran = [], [], set()
    for name in RETURNS:
        status, cells = judged(tmp_path / name, folder / name)
        assert set(status) == published
        assert "broken" not in status.values()
        ran |= {code for code, said in status.items() if said != "not_run"}
        of_the_return += [(code, name) for code in OF_THE_RETURN if cells[code]]
        differ += [
            (code, name, str(theirs[name].get(code, 0)), str(cells[code]) if status[code] != "not_run" else "not run")
            for code in published - OF_THE_RETURN
            if cells[code] != theirs[name].get(code, 0)
        ]
    assert sorted(differ) == sorted(table_of("They differ"))
    said = table_of("About the return as a whole")
    assert sorted(of_the_return) == sorted((code, name) for code, name, ours in said if ours == "fails")
    # Between them, the returns hold something of nearly all that rules ask about.
    assert len(ran) >= 0.97 * len(published)
    assert len({code for code, *_ in differ}) <= 0.03 * len(published)

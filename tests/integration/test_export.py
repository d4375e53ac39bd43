"""What leaves the house: what the policy lets leave and nothing else, whole, private, with its manifest, and in the access log."""

from __future__ import annotations

import csv
import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml

from tests.integration.test_publish_story import AT_2, NIGHT_2, Story, tell
from warehouse.access import POLICY_PATH, PolicyError, load_policy, policy_from
from warehouse.access_log import AccessLog, Look
from warehouse.export import export, manifest_of
from warehouse.keys import MARTS
from warehouse.query import QueryError
from warehouse.store import Store, StoreError


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told = tell(tmp_path_factory.mktemp("export"))
    told.publish()
    yield told
    told.warehouse.close()


def log_of(story: Story, folder: Path) -> AccessLog:
    return AccessLog(Store(f"sqlite:///{folder / 'log.sqlite'}"), story.keys)


def taken(story: Story, folder: Path, role: str, question: str, name: str = "out.csv", **said: Any) -> dict[str, Any]:
    by_whom = {"who": "Ana Beresford", "purpose": "partnership board", "recipient": "the board", **said}
    log = log_of(story, folder)
    return export(
        story.marts, story.keys, load_policy(), role, question, folder / name, log=log, clock=lambda: AT_2, **by_whom
    )


def looks(story: Story, folder: Path) -> list[Look]:
    return log_of(story, folder).looks(MARTS)


def test_the_manifest_says_what_it_is_who_took_it_for_whom_and_why(story: Story, tmp_path: Path) -> None:
    question = "SELECT agency, feed, received FROM loads WHERE status = 'loaded' ORDER BY ALL"
    told = taken(story, tmp_path, "analyst", question)
    content = (tmp_path / "out.csv").read_bytes()
    assert json.loads(manifest_of(tmp_path / "out.csv").read_text()) == told
    assert told["sha256"] == hashlib.sha256(content).hexdigest() and told["bytes"] == len(content)
    assert told["rows"] == len(list(csv.reader(content.decode().splitlines()))) - 1 > 0
    assert told["columns"] == {"agency": "VARCHAR", "feed": "VARCHAR", "received": "BIGINT"}
    assert (told["question"], told["role"], told["load_id"], told["mart"]) == (question, "analyst", NIGHT_2, NIGHT_2)
    assert (told["who"], told["purpose"], told["for"]) == ("Ana Beresford", "partnership board", "the board")
    assert told["exported_at"] == "2026-03-02T02:00:00Z"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.glob("out.csv*"))
    (look,) = looks(story, tmp_path)
    assert (look.access_id, look.action, look.who, look.purpose) == (
        told["look"],
        "export",
        told["who"],
        told["purpose"],
    )
    assert look.rows == told["rows"] and look.file == f"out.csv sha256 {told['sha256']}"
    assert look.question == f"{question} (exported for the board)"


def test_a_view_is_exported_by_its_name_and_parquet_says_the_same(story: Story, tmp_path: Path) -> None:
    rows = [taken(story, tmp_path, "analyst", "event_types", name)["rows"] for name in ("types.csv", "types.parquet")]
    table = pyarrow.parquet.read_table(tmp_path / "types.parquet")
    with (tmp_path / "types.csv").open(encoding="utf-8", newline="") as file:
        header, *body = list(csv.reader(file))
    assert rows == [len(body), table.num_rows] and header == table.column_names
    assert [row[0] for row in body] == table.column("event_type").to_pylist()


def every_view() -> list[tuple[str, str]]:
    return [(role.name, view) for role in load_policy().roles.values() for view in role.views]


@pytest.mark.parametrize(("role", "view"), every_view())
def test_of_each_role_and_view_what_the_policy_says_leaves_and_nothing_else(
    story: Story, tmp_path: Path, role: str, view: str
) -> None:
    if view in load_policy().role(role).exports:
        assert taken(story, tmp_path, role, view)["role"] == role
        return
    with pytest.raises(QueryError, match="the policy lets") as refused:
        taken(story, tmp_path, role, view)
    assert "Did you mean" not in str(refused.value)
    assert not list(tmp_path.glob("*.csv*"))
    (look,) = looks(story, tmp_path)
    assert (look.action, look.rows, look.file) == ("export", 0, None), "the attempt is in the log"


def test_no_role_exports_people() -> None:
    for role in load_policy().roles.values():
        for view in role.exports:
            named = [
                column for column in role.views[view].columns if column.endswith(("person_id", "record_id", "local_id"))
            ]
            assert named == [], (role.name, view)


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM mart.main.children",
        "SELECT * FROM mart.children",
        "SELECT * FROM chronology_as_of(TIMESTAMP '2026-03-02')",
        "SELECT * FROM records_history",
        "SELECT count(*) FROM event_types JOIN children ON true",
        "ATTACH 'analyst.duckdb' AS mart",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY aggregates TO 'x.csv'",
        "SELECT 1; SELECT 2",
    ],
)
def test_no_question_reaches_around_the_policy(story: Story, tmp_path: Path, question: str) -> None:
    with pytest.raises(QueryError):
        taken(story, tmp_path, "analyst", question)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("missing", ["purpose", "recipient"])
def test_without_what_for_and_for_whom_nothing_leaves(story: Story, tmp_path: Path, missing: str) -> None:
    with pytest.raises(QueryError, match="say it"):
        taken(story, tmp_path, "analyst", "event_types", **{missing: " "})
    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_whole_and_with_its_manifest_or_not_at_all(story: Story, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="failed on a value"):
        taken(story, tmp_path, "analyst", "SELECT CAST(event_type AS INTEGER) FROM event_types")
    with pytest.raises(QueryError, match=r"ends in \.csv or \.parquet"):
        taken(story, tmp_path, "analyst", "event_types", "out.xlsx")
    with pytest.raises(QueryError, match="No such file or directory"):
        taken(story, tmp_path, "analyst", "event_types", "none/out.csv")
    (tmp_path / ".out.csv.manifest.json.unfinished").mkdir()
    with pytest.raises((QueryError, OSError)):
        taken(story, tmp_path, "analyst", "event_types")
    assert not list(tmp_path.glob("out.csv*"))


def test_what_cannot_be_logged_does_not_leave(story: Story, tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").mkdir()
    with pytest.raises(StoreError, match="cannot be opened or written"):
        taken(story, tmp_path, "analyst", "event_types")
    assert not (tmp_path / "out.csv").exists()


def test_a_cell_that_a_spreadsheet_would_run_is_defused(story: Story, tmp_path: Path) -> None:
    taken(story, tmp_path, "analyst", "SELECT '=1+1' AS said, '@x' AS \"+more\" FROM event_types LIMIT 1")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["said", "'+more"], ["'=1+1", "'@x"]]


def test_the_policy_exports_no_view_that_the_role_has_not() -> None:
    declared = yaml.safe_load(POLICY_PATH.read_text())
    declared["roles"]["analyst"]["exports"] = ["known_by"]
    with pytest.raises(PolicyError, match="'known_by' is unknown"):
        policy_from(declared)

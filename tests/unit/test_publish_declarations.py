"""Each mart view declares its grain, its order and its columns; the pointer survives damage with a clear message."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from warehouse import publish as publishing
from warehouse.access import load_policy
from warehouse.publish import PublishError, current, rollback


def pointer(folder: Path, *load_ids: str) -> None:
    said = [
        {
            "version": load_id,
            "load_id": load_id,
            "published_at": "2026-03-01T02:30:00Z",
            "files": {"analyst": {"file": f"analyst/{load_id}.duckdb", "sha256": "0", "bytes": 1}},
        }
        for load_id in load_ids
    ]
    folder.mkdir(exist_ok=True)
    (folder / "current").write_text(json.dumps({**said[0], "previous": said[1:]}))


def test_every_view_says_what_a_row_is_and_how_it_is_sorted() -> None:
    assert len(publishing.views()) >= 18
    for view in publishing.views():
        assert view.grain.startswith("one row per "), view.name
        assert view.sorted_by, view.name


def test_every_view_is_seen_by_somebody_and_every_column_shown_is_explained() -> None:
    views = {view.name: view for view in publishing.views()}
    seen = {view for role in load_policy().roles.values() for view in role.views}
    assert seen == set(views)
    unexplained = {
        f"{view}.{column}"
        for role in load_policy().roles.values()
        for view, access in role.views.items()
        for column in access.columns
        if column not in views[view].meanings
    }
    assert unexplained == set()


def test_touched_rows_are_told_by_a_record_or_a_person() -> None:
    """warehouse/touched.py finds records and persons, and nothing else."""
    replaced = {view.name: view.changes_with for view in publishing.views() if view.changes_with}
    assert set(replaced.values()) == {"record_id", "person_id"}
    policy = load_policy()
    for name, column in replaced.items():
        assert any(
            policy.tells_rows_apart(role, name, column) for role in policy.roles if name in policy.role(role).views
        ), name
    assert policy.tells_rows_apart("analyst", "chronology", "record_id"), "by its pseudonym"
    assert not policy.tells_rows_apart("reviewer", "records", "record_id"), (
        "which questions wait settles what is shown of it"
    )
    assert not policy.tells_rows_apart("analyst", "attendance", "school"), "left empty where few share it"


def test_no_view_depends_on_the_clock_or_on_chance() -> None:
    for path in (Path(publishing.__file__).parent / "sql").rglob("*.sql"):
        if path.parent.name in ("publish", "marts", "as_of"):
            clock = r"\b(now|today|current_date|current_timestamp|get_current_timestamp|random|uuid)\b\s*\("
            assert not re.search(clock, path.read_text(), re.IGNORECASE), path.name


def test_nothing_published_yet_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="nothing is published yet"):
        current(tmp_path)
    with pytest.raises(PublishError, match="nothing is published yet"):
        rollback(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"previous": [1]}', "\x00\x00"])
def test_a_damaged_pointer_is_said_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "current").write_text(content)
    with pytest.raises(PublishError, match="is damaged"):
        current(tmp_path)


def test_the_pointer_names_the_current_publication_and_those_before(tmp_path: Path) -> None:
    pointer(tmp_path, "3", "2", "1")
    publication = current(tmp_path)
    assert publication.load_id == "3"
    assert [each.load_id for each in publication.previous] == ["2", "1"]
    assert publication.path(tmp_path, "analyst") == tmp_path / "analyst" / "3.duckdb"
    with pytest.raises(PublishError, match="no mart for role 'visitor'; there are analyst"):
        publication.path(tmp_path, "visitor")


def test_rollback_needs_something_to_go_back_to(tmp_path: Path) -> None:
    pointer(tmp_path, "1")
    with pytest.raises(PublishError, match="the only publication kept"):
        rollback(tmp_path)
    pointer(tmp_path, "2", "1")
    with pytest.raises(PublishError, match=r"analyst/1.duckdb is missing"):
        rollback(tmp_path)
    assert current(tmp_path).load_id == "2"

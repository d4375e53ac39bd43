"""Over synthetic nights: every identity change says why in words a lay reader understands, and every identifier ever issued resolves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synthetic.world import make_world
from tests.integration.test_cli import tessera
from tests.unit.ledger_words import is_understood

pytestmark = pytest.mark.slow


def ask(folder: Path, sql: str) -> list[dict[str, Any]]:
    ran = tessera(folder, "query", "--role", "practitioner", sql, "--format", "json")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert isinstance(found, list)
    return found


def test_every_change_says_why_and_every_identifier_resolves(tmp_path: Path) -> None:
    make_world(tmp_path, children=60, seed=7, nights=3)
    for number in (1, 2, 3):
        ran = tessera(tmp_path, "nightly", "--date", f"2026-11-{15 + number}", night=f"night{number}")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        if number == 1:  # people have a hand in it, so that their changes are read too
            pair = ask(
                tmp_path,
                "SELECT min(record_id) AS a, max(record_id) AS b FROM links GROUP BY person_id"
                " HAVING count(*) > 1 ORDER BY person_id LIMIT 1",
            )[0]
            apart = ask(tmp_path, "SELECT record_id FROM links WHERE how = 'single' ORDER BY record_id LIMIT 2")
            because = ("--reason", "as told", "--author", "Ana")
            assert tessera(tmp_path, "identity", "unlink", pair["a"], pair["b"], *because).returncode == 0
            assert tessera(tmp_path, "identity", "link", *(row["record_id"] for row in apart), *because).returncode == 0
    changes = ask(tmp_path, "SELECT change, reason, person_id FROM identity_changes")
    assert {change["change"] for change in changes} == {"created", "merged", "split", "retired"}
    assert [change for change in changes if not is_understood(change["reason"])] == []

    issued = {
        row["person_id"]: row["resolves_to"] for row in ask(tmp_path, "SELECT person_id, resolves_to FROM persons")
    }
    assert {change["person_id"] for change in changes} <= issued.keys()
    current = {row["person_id"] for row in ask(tmp_path, "SELECT DISTINCT person_id FROM links")}
    assert set(issued.values()) <= current
    old = next(person for person, onward in issued.items() if person != onward)
    explained = tessera(tmp_path, "identity", "explain", old)
    assert explained.stdout.startswith(f"{issued[old]}: ")
    assert f"({old} is carried on by it)" in explained.stdout
    history = json.loads(tessera(tmp_path, "identity", "history", old, "--json").stdout)
    assert "merged" in {row["change"] for row in history}

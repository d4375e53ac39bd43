"""People decide on the command line: a link is undone and traced, a seal kept silent, a decision taken back, over real nights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synthetic.world import make_world
from tests.integration.test_cli import tessera


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deciding")
    make_world(folder, children=12, seed=5, nights=1)
    assert tessera(folder, "nightly", "--date", "2026-11-16").returncode == 0
    return folder


def read(folder: Path, *arguments: str) -> Any:
    ran = tessera(folder, *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def ask(folder: Path, sql: str, *options: str) -> list[dict[str, Any]]:
    found = read(folder, "query", "--role", "practitioner", sql, "--format", "json", *options)
    assert isinstance(found, list)
    return found


@pytest.mark.slow
def test_a_link_is_undone_traced_and_made_again(world: Path) -> None:
    pairs = ask(
        world,
        "SELECT person_id, min(record_id) AS a, max(record_id) AS b FROM links GROUP BY person_id"
        " HAVING count(DISTINCT split_part(record_id, '.', 1)) > 1 ORDER BY count(*), person_id LIMIT 2",
        "--purpose", "looking for two", "--who", "Ana",
    )  # fmt: skip
    (_, a, b), (_, c, d) = (pair.values() for pair in pairs)
    because = ("--reason", "two children", "--author", "Bo")
    undone = tessera(world, "identity", "unlink", a, b, *because)
    assert "tessera identity trace" in undone.stdout
    number = undone.stdout.split()[0]
    contradiction = tessera(world, "identity", "link", a, "health.fhir:nobody", *because)
    assert contradiction.returncode == 2
    assert tessera(world, "identity", "seal", c, d, "--reason", "adoption", "--author", "panel").returncode == 0

    given = ("--out", str(world / "figures.csv"), "--purpose", "board", "--for", "the board", "--who", "Cy", "--json")
    left = read(world, "export", "aggregates", "--role", "analyst", *given)

    traced = read(world, "identity", "trace", a, b, "--json")
    assert [row["load_id"] for row in traced["publications"]] == ["2026-11-16.1"]
    assert [(look["who"], look["purpose"], look["action"], look["file"]) for look in traced["looks"]] == [
        ("Ana", "looking for two", "query", None),
        ("Cy", "board", "export", f"figures.csv sha256 {left['sha256']}"),
    ]

    assert tessera(world, "nightly", "--date", "2026-11-16").returncode == 0
    now = {row["record_id"]: row["person_id"] for row in ask(world, "SELECT record_id, person_id FROM links")}
    assert now[a] != now[b]
    assert now[c] != now[d]
    over = read(world, "identity", "trace", a, b, "--json")
    assert over["together"][0]["until"], "the time is over"
    assert len(over["looks"]) == 2, "the look at the new night showed two people"

    listed = read(world, "decisions", "list", "--json")
    assert [entry["kind"] for entry in listed] == ["cannot_link"]
    told = read(world, "decisions", "list", "--governance", "DPO", "--json")
    assert [entry["kind"] for entry in told] == ["cannot_link", "seal"]
    assert read(world, "identity", "trace", c, d, "--json")["together"] == []
    for record, other in ((c, d), (d, c)):
        explained = tessera(world, "identity", "explain", record).stdout
        assert record in explained
        assert other not in explained
        assert now[other] not in explained

    again = tessera(world, "decisions", "undo", number, "--reason", "spoke to the school", "--author", "Ana")
    assert again.returncode == 0, again.stderr
    assert tessera(world, "nightly", "--date", "2026-11-16").returncode == 0
    after = {row["record_id"]: row["person_id"] for row in ask(world, "SELECT record_id, person_id FROM links")}
    assert after[a] == after[b]
    assert after[c] != after[d], "the seal stands"
    history = tessera(world, "identity", "history").stdout
    assert "merged" in history

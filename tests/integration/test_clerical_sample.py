"""A clerical sample from the draw to the night that says how good the links are: read side by side, decided blind, nobody sealed in it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from linkage.evaluate import read_truth
from pipelines.line import Line, open_line
from pipelines.night import run_night
from pipelines.settings import load_settings, utc_now
from synthetic.world import make_world
from tests.integration.test_cli import tessera
from warehouse import query

pytestmark = pytest.mark.slow

DAY = dt.date(2026, 11, 16)


def pairs_of(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["record_id_a"], row["record_id_b"]) for row in rows}


def seen(line: Line, role: str, sql: str) -> list[dict[str, Any]]:
    with query.open_mart(line.settings.marts_path, line.keys, role) as con:
        return query.rows(con, sql)


def test_a_sample_is_drawn_read_decided_and_the_night_says_how_good_the_links_are(tmp_path: Path) -> None:
    make_world(tmp_path, children=25, seed=5, nights=1)
    config = tmp_path / "tessera.yaml"
    kept = ("social_care.ssd:", "school.ctf:", "health.fhir:", "police.ppn:")
    words = config.read_text().splitlines(keepends=True)
    config.write_text("".join(word for word in words if not word.startswith("  ") or word.strip().startswith(kept)))
    settings = load_settings(config, {"NIGHT": "night1"})
    truth = read_truth(tmp_path / "truth" / "records.csv")
    who = dict(zip(truth.agency + "." + truth.feed + ":" + truth.source_person_id, truth.who, strict=True))

    too_early = tessera(tmp_path, "linkage", "sample", "draw")
    assert too_early.returncode == 2
    assert "run tessera nightly first" in too_early.stderr
    with open_line(settings, {}) as line:
        assert run_night(line, DAY).published
    none_yet = tessera(tmp_path, "linkage", "sample", "list")
    assert none_yet.returncode == 2
    assert "draw one with tessera linkage sample draw" in none_yet.stderr
    assert "from 1 to 5,000" in tessera(tmp_path, "linkage", "sample", "draw", "--pairs", "0").stderr
    assert "Sample 1: " in tessera(tmp_path, "linkage", "sample", "draw", "--pairs", "80").stdout
    waiting = json.loads(tessera(tmp_path, "linkage", "sample", "list", "--limit", "1000", "--json").stdout)
    assert set(waiting[0]) == {"sample", "load_id", "record_id_a", "record_id_b"}, "nothing of what the machine holds"

    with open_line(settings, {}) as line:
        assert run_night(line, DAY).people["measured"] == [], "nobody has answered yet"
        assert pairs_of(waiting) <= pairs_of(seen(line, "reviewer", "FROM review_pairs"))
        apart = next(pair for pair in waiting if who[pair["record_id_a"]] != who[pair["record_id_b"]])
        line.decisions.add("seal", apart["record_id_a"], apart["record_id_b"], "adoption", "panel", utc_now())
        hidden = line.records_of_seals()
        assert len(hidden) > 2, "all records of both, not the two that were named"
        left = line.questions_of_samples()
        assert not any(hidden & set(pair) for pair in pairs_of(left))
        for pair in left[:-1]:
            a, b = pair["record_id_a"], pair["record_id_b"]
            kind = "must_link" if who[a] == who[b] else "cannot_link"
            line.decisions.add(kind, a, b, "read both", "Bo", utc_now())
        report = run_night(line, DAY + dt.timedelta(days=1))
        assert {row["measure"] for row in report.people["measured"]} == {"precision", "recall"}
        for row in report.people["measured"]:
            assert row["basis"] == "1"
            assert 0 < row["low"] <= row["share"] <= row["high"] <= 1
        shown = pairs_of(seen(line, "reviewer", "FROM review_pairs"))
        queue = pairs_of(seen(line, "reviewer", "FROM potential_matches"))
        assert shown - queue <= pairs_of(left[-1:]), "what is answered or sealed is not shown"
        figures = seen(line, "analyst", "FROM linkage_quality")
        assert min(row["pairs"] for row in figures) >= 10
        assert line.samples.journal.faults({}) == []

    told = tessera(tmp_path, "linkage", "quality", "--json")
    assert {row["measure"] for row in json.loads(told.stdout)} == {"precision", "recall"}
    assert "--by colour" in tessera(tmp_path, "linkage", "quality", "--by", "colour").stderr
    anew = tessera(tmp_path, "linkage", "sample", "draw", "--pairs", "40")
    assert "1 pairs of sample 1 had no answer; they are no longer asked." in " ".join(anew.stdout.split())

"""Known defects of every kind in every feed: all are found where they are, nothing else is flagged, and what is repaired from
the pack is shown as fixed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.rulebooks import rule_books
from expectations import between
from pipelines.settings import Settings, load_settings
from tests.integration.test_quality_loop import ask, run
from tests.slow import rule_breaks
from tests.slow.defects import Planted, plant, put_right, read_csv, write_csv

pytestmark = pytest.mark.slow

FAILING = (
    "SELECT agency || '.' || feed AS feed, expectation, table_name, local_id, \"column\", value, address_protected "
    "FROM quality_failures ORDER BY ALL"
)


def deployment(world: Path, folder: Path) -> Settings:
    """A copy of a world's first night in a deployment of its own, CSV written as this test writes it."""
    shutil.copytree(world, folder, ignore=shutil.ignore_patterns("night2", "truth"))
    for path in (folder / "night1").rglob("*.csv"):
        write_csv(path, read_csv(path))
    return load_settings(folder / "tessera.yaml", {"NIGHT": "night1"})


def failing(folder: Path) -> Counter[tuple[Any, ...]]:
    return Counter(
        (row["feed"], row["expectation"], row["local_id"], row["column"], row["value"])
        for row in ask(folder, "quality", FAILING)
    )


def of_books(settings: Settings) -> set[tuple[str, str]]:
    """Rules look at several columns, rows and agencies at once: one defect may rightly offend many."""
    shared = {(name, rule.name) for name in settings.sources for rule in between.rules()}
    return shared | {
        (name, rule.name)
        for name in settings.sources
        for book in rule_books(settings.feed(name))
        for rule in book.rules
    }


def test_planted_defects_are_found_repaired_from_the_pack_and_shown_as_fixed(small_world: Path, tmp_path: Path) -> None:
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    deployment(small_world, clean)  # to compare files with; no night is run on it
    settings = deployment(small_world, dirty)
    planted = Planted()
    for name in settings.sources:
        plant(settings.feed(name), dirty / settings.sources[name].location.split("*")[0], planted)
    rule_breaks.add(clean / "night1", broken=False)
    rule_breaks.add(dirty / "night1", broken=True)
    kinds = {(defect.feed, defect.expectation.rpartition(".")[2]) for defect in planted.defects.values()}
    assert len(planted.defects) >= 500
    assert len(kinds) + len(planted.keyless) >= 40
    assert {defect.feed for defect in planted.defects.values()} == set(settings.sources)

    run(dirty, "nightly", "--date", "2026-11-16")
    found = failing(dirty)
    told = {(feed, expectation, value) for feed, expectation, _, _, value in found}
    assert [d for d in planted.defects.values() if (d.feed, d.expectation, d.text) not in told] == []
    assert of_breakers((row[1], row[2]) for row in found.elements()) == rule_breaks.expected()

    repaired = release_held_rows(dirty, settings, planted)
    assert repaired == len(planted.keyless)
    rule_breaks.put_right(dirty / "night1", of_breakers(repair_from_packs(dirty, settings, planted)))
    for path in (clean / "night1").rglob("*.csv"):
        assert path.read_bytes() == (dirty / path.relative_to(clean)).read_bytes(), "a pack leads to the very cell"
    run(dirty, "nightly", "--date", "2026-11-17")
    # What failed only for what was planted is what the repair ended: nothing but it, and nothing came with the repair.
    rules = of_books(settings)
    after = failing(dirty)
    ended = [row for row in found - after if (row[0], row[1]) not in rules]
    held = [row for row in ended if row[1].endswith(".rows_readable_and_keyed")]
    assert len(held) == len(planted.keyless)
    assert [row for row in ended if row not in held and row[4] not in planted.defects] == []
    # A cell may have been wrong before it was spoilt; and columns nobody knows are counted once per file, of which there is one more.
    before = {defect.before for defect in planted.defects.values()}
    came = [row for row in after - found if (row[0], row[1]) not in rules and row[4] not in before]
    assert [row for row in came if not row[1].endswith(".no_unknown_columns")] == []
    fixed = ask(
        dirty,
        "quality",
        "SELECT value, address_protected FROM quality_spells WHERE ended IN ('repaired', 'repaired_elsewhere')",
    )
    still = {(feed, expectation, value) for feed, expectation, _, _, value in after}
    healed = {text for text, d in planted.defects.items() if (d.feed, d.expectation, d.before) not in still}
    assert len(healed) >= 500
    # Once somebody's postcode is right, it may be seen that it is a restricted one: their values are shown to nobody then.
    withheld = sum(row["value"] is None and row["address_protected"] for row in fixed)
    assert len(healed - {row["value"] for row in fixed}) <= withheld
    assert of_breakers((row[1], row[2]) for row in after.elements()) == Counter()
    mended = ask(
        dirty,
        "quality",
        "SELECT expectation, local_id FROM quality_spells WHERE ended IN ('repaired', 'repaired_elsewhere')",
    )
    assert of_breakers((row["expectation"], row["local_id"]) for row in mended) == rule_breaks.expected()
    assert "broken" not in run(dirty, "verify")


def release_held_rows(folder: Path, settings: Settings, planted: Planted) -> int:
    """Fills in, in the workbook of each feed, the keys of the rows held back, and puts them through."""
    released = 0
    for name in settings.sources:
        path = folder / "pack.xlsx"
        run(folder, "quality", "pack", name, "--out", str(path))
        book = openpyxl.load_workbook(path)
        here = 0
        for sheet in [sheet for sheet in book if sheet.title.startswith("Held back")]:
            header = [cell.value for cell in sheet[1]]
            for row in sheet.iter_rows(min_row=2):
                file = str(row[2].value).partition(", row")[0]
                for column, value in planted.keyless.get((file, row[1].value), {}).items():
                    row[header.index(column)].value = value
                here += (file, row[1].value) in planted.keyless
        book.save(path)
        if here:
            run(folder, "quarantine", "release", "--from", str(path), "--reason", "r", "--author", "a", "--wait")
            released += here
    return released


def of_breakers(failing: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Of standards and whose rows fail them: how many rows of each child who breaks rules.

    What agencies say differently is left out: nobody but the council knows these children, and so that they were missing.
    """
    place = len(rule_breaks.CHILDREN) + 4
    return Counter(
        (name, key[:place])
        for name, key in failing
        if (key or "").startswith(rule_breaks.CHILDREN) and not name.startswith(between.PREFIX)
    )


def repair_from_packs(folder: Path, settings: Settings, planted: Planted) -> list[tuple[str, str]]:
    """In CSV by the place that the pack names, and nothing but it; elsewhere by the text it shows. Answers what the packs name."""
    named = []
    for name in settings.sources:
        path = folder / "pack.json"
        run(folder, "quality", "pack", name, "--out", str(path))
        for row in json.loads(path.read_text("utf-8"))["rows"]:
            named.append((row["rule"], row["local_id"]))
            defect = planted.defects.get(row["value"])
            files = [file for file in (folder / "night1").rglob(row["source_file"]) if file.suffix == ".csv"]
            if defect is None or not files:
                continue
            rows = read_csv(files[0])
            place = [title.strip().lower() for title in rows[0]].index(row["column"].lower())
            if rows[row["row_number"] - 1][place] == defect.text:
                rows[row["row_number"] - 1][place] = defect.before
                write_csv(files[0], rows)
    for (file, number), key in planted.keyless.items():
        path = next((folder / "night1").rglob(file))
        rows = read_csv(path)
        header = [title.strip().lower() for title in rows[0]]
        for column, value in key.items():
            rows[number - 1][header.index(column.lower())] = value
        write_csv(path, rows)
    put_right(folder / "night1", planted)
    return named

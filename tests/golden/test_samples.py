"""Every agency's sample, through the real line, becomes what its expected.yaml says. A new agency's folder is found by itself."""

from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.registry import agencies
from pipelines.line import open_line
from pipelines.night import run_feed
from pipelines.settings import Settings
from warehouse.schema import COMMON_MODEL

ROOT = Path(__file__).parents[2]
EXTRACTED = dt.datetime(2026, 11, 10, 5, 0, tzinfo=dt.UTC)


@cache
def expectations(folder: Path) -> dict[str, Any]:
    """What a folder's sample must become, by feed."""
    text = (folder / "expected.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=yaml.CSafeLoader))


def samples() -> list[tuple[str, Path]]:
    """(feed, folder) of every sample of every agency folder, and of the shipped mappings."""
    folders = [ROOT / "connectors" / name / "sample" for name in agencies()] + [ROOT / "mappings" / "sample"]
    return [
        (feed, folder) for folder in folders if (folder / "expected.yaml").exists() for feed in expectations(folder)
    ]


@pytest.mark.parametrize("agency", sorted(agencies()))
def test_an_agencys_folder_has_its_data_card_and_a_sample_of_every_feed(agency: str) -> None:
    folder = ROOT / "connectors" / agency
    assert (folder / "README.md").exists(), (
        f"connectors/{agency} has no README.md: the data card says what it is and whom to ask"
    )
    of_agency = {feed.id for feed in agencies()[agency].feeds}
    shown = {feed for feed, _ in samples()}
    assert of_agency <= shown, (
        f"connectors/{agency}/sample/expected.yaml says nothing of {', '.join(sorted(of_agency - shown))}"
    )


def as_sqlite(folder: Path, path: Path) -> None:
    """A database of the CSV files of a folder, one table a file, all text."""
    with sqlite3.connect(path) as database:
        for file in sorted(folder.glob("*.csv")):
            with file.open(newline="", encoding="utf-8-sig") as stream:
                header, *rows = csv.reader(stream)
            columns = ", ".join(f'"{name}" TEXT' for name in header)
            database.execute(f'CREATE TABLE "{file.stem}" ({columns})')
            places = ", ".join("?" * len(header))
            database.executemany(
                f'INSERT INTO "{file.stem}" VALUES ({places})', [[cell or None for cell in row] for row in rows]
            )


def deployment(feed: str, folder: Path, expected: dict[str, Any], into: Path) -> Settings:
    extract = folder / feed.partition(".")[2]
    inbox = into / "inbox"
    source: dict[str, Any] = dict(expected.get("options", {}))
    if "mapping" in source:
        source["mapping"] = str(ROOT / source["mapping"])
        inbox.mkdir()
        shutil.copy(next(folder.glob("*.csv")), inbox)
    else:
        shutil.copytree(extract, inbox)
    settings = Settings.model_validate(
        {"base": into, "sources": {feed: {"from": "inbox/", **source}}, "allow_test_nhs_numbers": True}
    )
    if settings.feed(feed).format == "sql":
        as_sqlite(inbox, into / "extract.sqlite")
        os.utime(into / "extract.sqlite", (EXTRACTED.timestamp(), EXTRACTED.timestamp()))
        settings.sources[feed].location = "extract.sqlite"
    for file in inbox.iterdir():
        os.utime(file, (EXTRACTED.timestamp(), EXTRACTED.timestamp()))
    return settings


def as_expected(value: Any) -> Any:
    """A value as a reader of the golden file writes it."""
    return str(value) if isinstance(value, dt.date | dt.datetime) else value


@pytest.mark.parametrize(("feed", "folder"), samples(), ids=[feed for feed, _ in samples()])
def test_a_sample_becomes_what_its_agency_says(
    feed: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = expectations(folder)[feed]
    monkeypatch.setattr("pipelines.line.utc_now", lambda: EXTRACTED.replace(tzinfo=None))
    with open_line(deployment(feed, folder, expected, tmp_path), {}) as line:
        night = line.open_night(EXTRACTED.date())
        done = run_feed(line, night, feed)
        books = line.warehouse.rows("SELECT status, message FROM feed_load")
        assert done, books
        for table, rows in expected.items():
            if table not in COMMON_MODEL:
                continue
            columns = sorted({column for row in rows for column in row})
            selected = ", ".join(f'"{column}"' for column in columns)
            found = line.warehouse.rows(f"SELECT {selected} FROM {table} WHERE superseded_at IS NULL")
            became = [
                {name: as_expected(value) for name, value in row.items() if value not in (None, [], False)}
                for row in found
            ]
            key = repr
            assert sorted(map(key, map(sorted_items, became))) == sorted(map(key, map(sorted_items, rows))), table


def sorted_items(row: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted((name, as_expected(value)) for name, value in row.items())

"""Readers know formats and no agency: landed bytes in, rows of text out, nothing coerced.

Every reader fills one temporary table per contract table: `row_number`, the contract's columns as text, `extra` (JSON of
columns the contract does not know), and for a row that could not be read `_problem` (why) and `_content` (as received).
"""

from __future__ import annotations

from connectors.contract import Feed
from connectors.readers import archive, csv, json, sql, xlsx, xml
from connectors.readers.received import Parsed, ReadableFile, UnreadableFile, UnrecognisedFile

__all__ = ["Parsed", "ReadableFile", "UnreadableFile", "UnrecognisedFile", "read", "suffixes"]

_SUFFIXES = {
    "csv": (".csv", ".txt", ".tsv"),
    "tabular": (".csv", ".txt", ".tsv", ".xlsx", ".xlsm"),
    "xml": (".xml",),
    "fhir": (".ndjson", ".json", ".jsonl"),
    "json": (".json", ".ndjson", ".jsonl"),
    "sql": (".sqlite", ".sqlite3", ".db"),
}

_COMPRESSED = (".gz", ".zip")


def suffixes(feed: Feed) -> tuple[str, ...]:
    """File endings that a folder of this feed is searched for."""
    return _SUFFIXES[feed.format] + (() if feed.format == "sql" else _COMPRESSED)


def read(feed: Feed, file: ReadableFile) -> list[Parsed]:
    """Reads one received file into temporary tables, one per contract table found in it.

    Raises UnreadableFile when the file as a whole cannot be used, UnrecognisedFile when it is none of the feed's.
    """
    if feed.format != "sql" and archive.is_archive(file):
        return archive.read(file, _SUFFIXES[feed.format], lambda inside: _read_plain(feed, inside))
    return _read_plain(feed, file)


def _read_plain(feed: Feed, file: ReadableFile) -> list[Parsed]:
    match feed.format:
        case "csv":
            return csv.read(feed, file)
        case "tabular":
            return xlsx.read(feed, file) if xlsx.is_workbook(file) else csv.read(feed, file)
        case "xml":
            return xml.read(feed, file)
        case "fhir" | "json":
            return json.read(feed, file)
        case "sql":
            return sql.read(feed, file)

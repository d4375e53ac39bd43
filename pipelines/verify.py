"""Proves that nothing received was lost, doubled or altered, and nothing that people did since."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.contract import Feed
from connectors.readers import Parsed, UnreadableFile, UnrecognisedFile
from pipelines import audit, landed
from pipelines.line import Line
from warehouse.land import row_hash
from warehouse.landing import LandingError


def verify(line: Line) -> dict[str, list[str]]:
    """Recounts every landed file and compares with the books. Returns what was proved and what is broken."""
    proved: list[str] = []
    broken: list[str] = []
    _books(line, proved, broken)
    _raw_rows(line, proved, broken)
    _landing(line, proved, broken)
    _marts(line, proved, broken)
    of_people, changed = audit.prove(line.journals, line.landing)
    proved += of_people
    broken += changed
    return {"proved": proved, "broken": broken}


def _books(line: Line, proved: list[str], broken: list[str]) -> None:
    wrong = line.warehouse.rows(
        "SELECT load_id, agency || '.' || feed AS feed, received, "
        "landed + unchanged + superseded + quarantined + coalesce(refused, 0) AS accounted FROM feed_load WHERE received <> accounted"
    )
    loads = line.con.execute("SELECT count(*) FROM feed_load").fetchall()[0][0]
    broken += [
        f"load {row['load_id']}, {row['feed']}: {row['received']} received, {row['accounted']} accounted for"
        for row in wrong
    ]
    if not wrong:
        proved.append(
            f"the books of {loads} feed loads balance: received = landed + unchanged + superseded + quarantined + refused"
        )


def _raw_rows(line: Line, proved: list[str], broken: list[str]) -> None:
    """Rows landed and kept as history stand in the raw tables, one each."""
    rows = 0
    for feed in line.feeds.values():
        union = " UNION ALL ".join(
            f'SELECT load_id, file_id FROM raw."{feed.raw(table.name)}"'
            for table in feed.tables
            if _exists(line, feed.raw(table.name))
        )
        if not union:
            continue
        wrong = line.warehouse.rows(
            f"""
            WITH stored AS (SELECT load_id, file_id, count(*) AS n FROM ({union}) GROUP BY ALL),
            booked AS (
                SELECT load_id, file_id, sum(landed + superseded - coalesce(erased, 0)) AS n FROM received_file
                WHERE agency = ? AND feed = ? AND file_id IS NOT NULL GROUP BY ALL
            )
            SELECT coalesce(stored.load_id, booked.load_id) AS load_id, coalesce(stored.n, 0) AS stored, coalesce(booked.n, 0) AS booked
            FROM stored FULL JOIN booked USING (load_id, file_id) WHERE coalesce(stored.n, 0) <> coalesce(booked.n, 0)
            """,
            [feed.agency, feed.name],
        )
        broken += [
            f"{feed.id}, load {r['load_id']}: {r['booked']} rows in the books, {r['stored']} in the warehouse"
            for r in wrong
        ]
        rows += line.con.execute(f"SELECT count(*) FROM ({union})").fetchall()[0][0]
    if not broken:
        proved.append(f"{rows:,} raw rows in the warehouse are those of the books, file by file")


def _exists(line: Line, table: str) -> bool:
    found = line.con.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'raw' AND table_name = ? AND database_name = 'core'", [table]
    ).fetchone()
    return found is not None


def _landing(line: Line, proved: list[str], broken: list[str]) -> None:
    """Every landed file opens, is what its address says, holds as many rows as the books say, and those that stand in the core."""
    files = line.warehouse.rows(
        "SELECT DISTINCT agency || '.' || feed AS feed, sha256, name, table_name, received, status FROM received_file "
        "WHERE sha256 IS NOT NULL AND status IN ('landed', 'unchanged') ORDER BY feed, name"
    )
    counted, before = 0, len(broken)
    for entry in files:
        if entry["feed"] not in line.feeds:
            continue
        try:
            digest = hashlib.sha256()
            with line.landing.open(entry["sha256"]) as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        except LandingError as error:
            broken.append(f"{entry['feed']}, {entry['name']}: {error}")
            continue
        if not line.landing.is_redacted(entry["sha256"]) and digest.hexdigest() != entry["sha256"]:
            broken.append(f"{entry['feed']}, {entry['name']}: the landed bytes are not those received")
            continue
        rows, altered = _recount(line, entry)
        broken += altered
        if rows != entry["received"]:
            broken.append(
                f"{entry['feed']}, {entry['name']}: {entry['received']} rows in the books, {rows} in the landed file"
            )
        counted += 1
    if len(broken) == before:
        proved.append(
            f"{counted} landed files open, are what their addresses say, hold the rows that the books say, and those "
            "that the warehouse has of them"
        )


def _recount(line: Line, entry: dict[str, Any]) -> tuple[int, list[str]]:
    """How many rows a landed file holds, and which rows in the warehouse are not those that were read from it."""
    feed = line.feeds[entry["feed"]]
    table = entry["table_name"] if feed.format == "sql" else None
    try:
        parsed = landed.read_landed(line, feed, entry["name"], entry["sha256"], table)
    except (UnreadableFile, UnrecognisedFile):
        return -1, []
    altered: list[str] = []
    rows = sum(landed.left_out(line.landing, entry["sha256"]).values())
    for name in dict.fromkeys(part.table.name for part in parsed):
        altered += _altered(line, feed, entry, [part for part in parsed if part.table.name == name])
    for part in parsed:
        rows += int(line.con.execute(f"SELECT count(*) FROM {part.relation}").fetchall()[0][0])
        line.con.execute(f"DROP TABLE {part.relation}")
    return rows, altered


def _altered(line: Line, feed: Feed, entry: dict[str, Any], parts: list[Parsed]) -> list[str]:
    """Raw rows of one table that say something else than the file they came in; read by another contract then, they cannot be compared."""
    raw = line.raw_table(feed, parts[0].table)
    if not _exists(line, raw.name):
        return []
    sent = " UNION ALL ".join(f"SELECT row_number, {row_hash(raw)} AS was FROM {part.relation}" for part in parts)
    found = line.warehouse.rows(
        f"""
        WITH sent AS ({sent}),
        received AS (
            SELECT DISTINCT load_id FROM received_file
            WHERE agency = $agency AND feed = $feed AND file_id = $file AND status = 'landed' AND reading = $reading
        ),
        kept AS (SELECT row_number, {row_hash(raw)} AS now FROM {raw.relation} SEMI JOIN received USING (load_id) WHERE file_id = $file)
        SELECT row_number FROM kept LEFT JOIN sent USING (row_number) WHERE was IS DISTINCT FROM now ORDER BY row_number
        """,
        {
            "agency": feed.agency,
            "feed": feed.name,
            "file": entry["sha256"][:16],
            "reading": landed.reading_of(feed),
        },
    )
    if not found:
        return []
    places = ", ".join(str(row["row_number"]) for row in found[:6]) + (" and others" if len(found) > 6 else "")
    return [
        f"{feed.id}, {entry['name']}: in the warehouse row(s) {places} of {raw.table} are not as they were received; run tessera rebuild"
    ]


def _marts(line: Line, proved: list[str], broken: list[str]) -> None:
    from warehouse.publish import PublishError, damaged

    try:
        faults = damaged(line.settings.marts_path, line.keys)
    except PublishError:
        proved.append("nothing was published yet")
        return
    broken += faults
    if not faults:
        proved.append("every published mart opens with its key and is as it was published")

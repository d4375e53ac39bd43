"""Erasing somebody, or one record: planned and shown first, then carried out everywhere, and carried on after a kill.

The order: the journal (from then on it is owed), what people wrote, landing, the core, the core's file written anew, the marts. What must
not live here: which rows are the person's (warehouse/erase.py), when something is due (retention.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.contract import Feed, Kind
from connectors.readers import UnreadableFile, UnrecognisedFile
from pipelines import landed
from pipelines.line import Line, open_line
from pipelines.rekeying import publish_anew, write_anew
from pipelines.settings import Settings, utc_now
from warehouse import erase, touched
from warehouse.engine import core_key
from warehouse.erasures import Erasure, ErasureError, Erasures, Marks
from warehouse.keys import load_keys
from warehouse.landing import LandingError
from warehouse.schema import Sensitivity
from warehouse.store import Store

_TOKEN = "[erased]"  # noqa: S105 - what stands where words were taken out
_WORD = r"[\w'’-]+"


@dataclass
class Plan:
    """What an erasure would take: opaque identifiers and counts, no value but the records' identifiers."""

    persons: dict[str, str]
    records: list[str]
    marks: Marks
    load_id: str
    gone: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    held_by: list[str] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(self.gone.values()) + self.quarantined


# Planning


def plan(line: Line, *subjects: str) -> Plan:
    """What is held of persons (by any identifier they ever had) or of single records. Changes nothing.

    Raises ErasureError where nothing is held of them, or a load is unfinished.
    """
    unfinished = line.unfinished()
    if unfinished is not None:
        raise ErasureError(f"load {unfinished} is not finished; run tessera nightly first, then erase")
    last = line.con.execute("SELECT load_id FROM night ORDER BY load_seq DESC LIMIT 1").fetchone()
    persons: dict[str, str] = {}
    records: list[str] = []
    for subject in subjects:
        of_subject, found_records = _whom(line, subject)
        if not found_records or last is None:
            raise ErasureError(
                f"{subject}: nothing is held under it; give a person_id as in the view children, or a record_id as in records"
            )
        persons |= of_subject
        records += [record for record in found_records if record not in records]
    assert last is not None
    found = erase.find(line.con, _erasables(line), records)
    records += found.along
    for person in _column(
        line,
        "SELECT person_id FROM link WHERE unlinked_at IS NULL GROUP BY person_id HAVING bool_and(list_contains(?, record_id)) ORDER BY ALL",
        [records],
    ):
        persons |= _ids_of(line, person)
    planned = Plan(persons, records, found.marks, last[0], found.gone, found.emptied)
    _quarantined(line, planned)
    held = line.holds.subjects()
    planned.held_by = sorted(
        {hold for name in (*persons, *identifiers_of(line, records), *records) for hold in held.get(name, [])}
    )
    planned.backups = known_backups(line.settings)
    return planned


def _whom(line: Line, subject: str) -> tuple[dict[str, str], list[str]]:
    """Persons that go with all their records, and the records."""
    current = line.con.execute(
        "SELECT coalesce(resolves_to, person_id) FROM person WHERE person_id = ?", [subject]
    ).fetchone()
    if current is not None:
        (person,) = current
        records = _column(
            line, "SELECT record_id FROM link WHERE person_id = ? AND unlinked_at IS NULL ORDER BY ALL", [person]
        )
        return _ids_of(line, person), records
    records = _column(line, "SELECT DISTINCT record_id FROM person_record WHERE record_id = ?", [subject])
    return {}, records


def _ids_of(line: Line, person: str) -> dict[str, str]:
    """Every identifier the person ever had, with the load that created it."""
    rows = line.con.execute(
        "SELECT person_id, created_load_id FROM person WHERE person_id = $person OR resolves_to = $person ORDER BY ALL",
        {"person": person},
    ).fetchall()
    return dict(rows)


def identifiers_of(line: Line, records: Sequence[str]) -> list[str]:
    """Every identifier of the persons of some records, past ones included: a hold could stand under each."""
    linked = _column(
        line, "SELECT person_id FROM link WHERE unlinked_at IS NULL AND list_contains(?, record_id)", [list(records)]
    )
    return sorted({identifier for person in linked for identifier in _ids_of(line, person)})


def _erasables(line: Line) -> dict[str, list[erase.Erasable]]:
    """Every raw table of a configured feed that is there."""
    present = set(
        _column(line, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw' AND database_name = 'core'")
    )
    return {
        name: [table for table in _tables(line, feed) if table.raw.name in present] for name, feed in line.feeds.items()
    }


def _tables(line: Line, feed: Feed) -> list[erase.Erasable]:
    def named(table: Any, keep: Callable[[Any], bool]) -> frozenset[str]:
        return frozenset(column.name.lower() for column in table.columns if keep(column))

    return [
        erase.Erasable(
            line.raw_table(feed, table),
            identifying=named(table, lambda column: column.sensitivity is Sensitivity.IDENTIFYING),
            special=named(table, lambda column: column.sensitivity is Sensitivity.SPECIAL),
            pointing=named(table, lambda column: column.sensitivity is Sensitivity.KEY),
            references=named(table, lambda column: column.sensitivity is Sensitivity.KEY and column.kind is Kind.JSON),
        )
        for table in feed.tables
    ]


def _quarantined(line: Line, planned: Plan) -> None:
    """Rows that could not be keyed, and say all of somebody's name or a number of theirs."""
    words = _words(line, planned.records)
    for place, agency, feed, table, content in line.con.execute(
        "SELECT file_id || '/' || row_number, agency, feed, table_name, content FROM quarantine ORDER BY quarantine_id"
    ).fetchall():
        if _tells_of(content or "", words):
            raw = f"{agency}_{feed}_{table}".lower()
            planned.marks.places.setdefault(raw, []).append(line.erasures.digest(place))
            planned.quarantined += 1


def _words(line: Line, records: Sequence[str]) -> list[tuple[str, ...]]:
    """What tells of somebody in a text: a whole name, as words that must all be there, or a number long enough to be theirs alone."""
    found: set[tuple[str, ...]] = set()
    for given, family in line.con.execute(
        "SELECT given_names, family_name FROM person_record WHERE list_contains($records, record_id) UNION "
        "SELECT given_names, family_name FROM person_name WHERE list_contains($records, record_id)",
        {"records": list(records)},
    ).fetchall():
        if given and family:
            found.add(tuple(re.findall(_WORD, f"{given} {family}".lower())))
    for number in _column(
        line,
        "SELECT unnest([nhs_number, upn, source_person_id]) FROM person_record WHERE list_contains($records, record_id) UNION "
        "SELECT value FROM person_identifier WHERE list_contains($records, record_id)",
        {"records": list(records)},
    ):
        if number and len(number) >= 6:
            found.add((number.lower(),))
    return sorted(found)


def _tells_of(text: str, words: Iterable[tuple[str, ...]]) -> bool:
    lowered = text.lower()
    said = set(re.findall(_WORD, lowered))
    return any(set(each) <= said or (len(each) == 1 and each[0] in lowered) for each in words)


# Carrying it out


def take(line: Line, planned: Plan, *, reason: str, author: str) -> str:
    """Notes the erasure; it is owed from here on. Returns its number. Raises ErasureError where a hold stops it."""
    if planned.held_by:
        raise ErasureError(
            f"a legal hold stops it: {', '.join(planned.held_by)} (tessera holds list). Nothing was erased; "
            "whoever placed it lifts it first"
        )
    return line.erasures.take(
        planned.persons, planned.load_id, planned.marks, reason=reason, author=author, at=utc_now()
    )


def carry_out(settings: Settings, environ: Mapping[str, str], say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Does what is left to do of every erasure that was taken; returns their numbers. The caller holds the lock.

    Killed at any moment, the next call does the rest; a night does so before it begins.
    """
    if not _is_owed(settings, environ):
        return []
    with open_line(settings, dict(environ)) as line:
        owed = [erasure for erasure in line.erasures.standing() if erasure.status == "pending"]
        line.heed_erasures()
        say("what people wrote")
        words = _words(line, _records_of(line, owed))
        _reword(line, owed, words)
        say("landing")
        _redact_landing(line, words)
        say("core")
        _erase_core(line, owed)
    _write_anew(settings, environ)
    with open_line(settings, dict(environ)) as line:
        say("marts")
        publish_anew(line)  # without the person
        for erasure in owed:
            line.erasures.done(erasure, utc_now())
        _tell_backups(line)
    return [erasure.erasure_id for erasure in owed]


def _is_owed(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Asked before every night and command that writes, and therefore without opening the core."""
    if not settings.core_path.exists():
        return False
    keys = load_keys(settings.keys_path, environ, data=settings.data_path)
    return Erasures(Store(settings.decisions_url), keys).owed()


def _records_of(line: Line, erasures: Sequence[Erasure]) -> list[str]:
    """The records, as far as the core still knows them: none once they are gone from it."""
    marks = {mark for erasure in erasures for mark in erasure.marks.records}
    return _column(
        line,
        "SELECT record_id FROM (SELECT record_id FROM link UNION SELECT record_id FROM person_record) "
        "WHERE list_contains($marks, erasure_mark(record_id)) ORDER BY ALL",
        {"marks": sorted(marks)},
    )


def _reword(line: Line, erasures: Sequence[Erasure], words: Sequence[tuple[str, ...]]) -> None:
    """In what people wrote, identifiers of the records become marks, and names and numbers of the person are taken out."""
    records = _records_of(line, erasures)
    if not records:
        return
    instead = {record: f"{record.partition(':')[0]}:erased-{line.erasures.digest(record)[:12]}" for record in records}
    parts = sorted({word for each in words for word in each}, key=len, reverse=True)
    taken = re.compile(rf"\b(?:{'|'.join(map(re.escape, parts))})\b", re.IGNORECASE) if parts else None

    def reworded(text: str) -> str:
        changed = text
        for record, mark in instead.items():
            changed = changed.replace(json.dumps(record)[1:-1], mark).replace(record, mark)
        if taken is not None and _tells_of(changed, words):
            changed = taken.sub(_TOKEN, changed)
        return changed

    for journal in line.written:
        journal.reword(reworded)
    with line.store.engine().connect() as connection:
        if connection.dialect.name == "sqlite":  # else the old bytes stay in free pages
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text("VACUUM"))
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))  # and in the log


def _redact_landing(line: Line, words: Sequence[tuple[str, ...]]) -> None:
    """Every landed file of a feed that is concerned, whichever load received it; what could not be read is searched as text."""
    files = line.warehouse.rows(
        "SELECT DISTINCT agency || '.' || feed AS feed, sha256, name, table_name, scope FROM received_file WHERE sha256 IS NOT NULL "
        "ORDER BY ALL"
    )
    for entry in files:
        feed = line.feeds.get(entry["feed"])
        if feed is None or not any(erase.concerned(line.con, line.raw_table(feed, table)) for table in feed.tables):
            continue
        table = entry["table_name"] if feed.format == "sql" else None
        try:
            parsed = landed.read_landed(line, feed, entry["name"], entry["sha256"], table)
        except (UnreadableFile, UnrecognisedFile):
            if not line.landing.is_redacted(entry["sha256"]) and _file_tells_of(line, entry["sha256"], words):
                landed.remove(line, entry["sha256"])
            continue
        except LandingError:  # lost or damaged: verify tells of it, and nothing can be taken out of it
            continue
        landed.take_out(line, feed, entry["sha256"], entry["scope"] or "", parsed)
        for part in parsed:
            line.con.execute(f"DROP TABLE {part.relation}")


def _file_tells_of(line: Line, sha256: str, words: Sequence[tuple[str, ...]]) -> bool:
    content = line.landing.read(sha256)
    return any(_tells_of(content.decode(code, errors="replace"), words) for code in ("utf-8", "utf-16-le"))


def _erase_core(line: Line, erasures: Sequence[Erasure]) -> None:
    from linkage.memory import REMEMBERED

    raws = [table.raw for tables in _erasables(line).values() for table in tables]
    with line.warehouse.transaction() as con:
        erase.erase(con, raws, erasures, REMEMBERED | touched.REMEMBERED)
    for (load_id,) in line.con.execute("SELECT load_id FROM night ORDER BY load_seq DESC LIMIT 1").fetchall():
        landed.keep_ledger(line, load_id)


def _write_anew(settings: Settings, environ: Mapping[str, str]) -> None:
    keys = load_keys(settings.keys_path, environ, data=settings.data_path)
    write_anew(settings, keys, core_key(settings.core_path, keys))
    (settings.data_path / "core.before-rebuild.duckdb").unlink(missing_ok=True)


# Backups


def note_backups(settings: Settings, folder: Path) -> None:
    """Remembers that backups lie there, so that an erasure can say which still hold somebody."""
    known = [*_folders(settings), folder.resolve()]
    path = settings.data_path / "backups.known"
    path.write_text(json.dumps(sorted({str(each) for each in known})))


def known_backups(settings: Settings) -> list[str]:
    """Backups that were made of this deployment and are still there, as folder/name."""
    return [
        f"{folder}/{path.stem}"
        for folder in _folders(settings)
        for path in sorted((folder / "backups").glob("*.json"))
        if not path.name.startswith(".")
    ]


def _folders(settings: Settings) -> list[Path]:
    path = settings.data_path / "backups.known"
    return [Path(folder) for folder in json.loads(path.read_text())] if path.exists() else []


def _tell_backups(line: Line) -> None:
    for folder in _folders(line.settings):
        if folder.is_dir():
            write_beside(line.erasures.sealed(), folder)


def write_beside(sealed: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Puts the journal of erasures, sealed, beside the backups of a folder: an older one that is put back is held to it."""
    if sealed:
        unfinished = folder / ".erasures.new"
        unfinished.write_text(json.dumps(sealed))
        unfinished.replace(folder / "erasures.json")


def take_over(line: Line, folder: Path) -> int:
    """After a restore: erasures that were taken since the backup are owed again. Returns how many."""
    path = folder / "erasures.json"
    return line.erasures.take_over(json.loads(path.read_text())) if path.exists() else 0


def _column(line: Line, sql: str, parameters: Any = None) -> list[Any]:
    return [row[0] for row in line.con.execute(sql, parameters or []).fetchall()]

"""One feed's landing: which files are new, what fails together, what a full delivery no longer holds, and the books of each file.

What must not live here: how a file is read (landed.py), and what becomes of its rows in a raw table (warehouse/land.py).
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from connectors.contract import Feed
from connectors.readers import Parsed, UnreadableFile, UnrecognisedFile
from pipelines import landed
from warehouse import land as landing_rows
from warehouse.land import Arrived, Books, RawTable
from warehouse.quality_acts import releases_waiting

if TYPE_CHECKING:
    from pipelines.line import Line, Night


class FeedLanding:
    """Landing one feed's manifest: which files are new, what fails together, what a full delivery no longer holds."""

    def __init__(self, line: Line, night: Night, feed: Feed, manifest: dict[str, Any]) -> None:
        self.line, self.night, self.feed, self.manifest = line, night, feed, manifest
        self.con = line.con
        self.scope = feed.scope({**line.options(feed.id), **manifest["options"]})
        self.reading = landed.reading_of(feed)
        self.raws = line.raw_tables(feed)
        self.con.execute("CREATE OR REPLACE TEMP TABLE seen (table_name VARCHAR, source_key VARCHAR)")
        # Tables of which this delivery speaks whole: read without fault, so that what is missing is missing.
        self.whole: set[str] = set()
        self.spoiled: set[str] = set()

    def run(self) -> None:
        """Lands every unit; a unit that fails leaves no row, and stops no other."""
        files = [entry for entry in self.manifest["files"] if not entry.get("unused")]
        for entry in self.manifest["files"]:
            if entry.get("unused"):
                self._note(entry, status="unused", message=entry["unused"])
        if self.feed.unit == "set":
            self._land_set(files)
        else:
            # Files that together say who is there are read together: an unread one would seem to hold nobody.
            together = self.feed.unit == "file" and self.feed.delivery == "full" and not self._as_last(files)
            for entry in files:
                self._land_one(entry, again=together)
        self._land_released()
        if files:
            self._missing_tables({entry["table"] for entry in files if entry["table"]})
        if self.feed.delivery == "full":
            self._mark_vanished()
        self._count_again()

    def _count_again(self) -> None:
        """What stands in the raw tables must be what the books say: rows that an engine lost would be lost in silence."""
        stored = sum(
            self.con.execute(
                f"SELECT count(*) FROM {raw.relation} WHERE load_seq = ?", [self.night.load_seq]
            ).fetchall()[0][0]
            for raw in self.raws.values()
        )
        books = self.line.books(self.night, self.feed.id)
        if stored != books.landed + books.superseded:
            raise landing_rows.UnbalancedBooksError(
                f"{self.feed.id}: {books.landed + books.superseded} rows were to be stored, {stored} stand in the warehouse"
            )

    # units

    def _land_one(self, entry: dict[str, Any], *, again: bool) -> None:
        known = None if again else self._known(entry)
        if known:
            self._note_unchanged(entry, known)
            return
        try:
            parsed = self._read(entry)
            self._refuse_empty(entry, parsed)
        except UnreadableFile as error:
            self.spoiled |= {entry["table"]} if entry["table"] else set(self.raws)
            self._note(entry, status="failed", message=str(error))
        except UnrecognisedFile as error:
            self._note(entry, status="unused", message=str(error))
        else:
            self._land(entry, parsed)

    def _as_last(self, files: list[dict[str, Any]]) -> bool:
        """Whether these are, file by file, what the last delivery was."""
        return bool(files) and all(self._known(entry) for entry in files) and self._same_set_as_last(files)

    def _land_set(self, files: list[dict[str, Any]]) -> None:
        """All files of the set or none: a return without its header says nothing that can be trusted."""
        if self._as_last(files):
            for entry in files:
                self._note_unchanged(entry, self._known(entry))
            return
        read_files, failures = [], []
        for entry in files:
            try:
                parsed = self._read(entry)
                self._refuse_empty(entry, parsed)
                read_files.append((entry, parsed))
            except UnreadableFile as error:
                failures.append((entry, str(error)))
            except UnrecognisedFile as error:
                self._note(entry, status="unused", message=str(error))
        present = {p.table.name for _, parsed in read_files for p in parsed}
        absent = [table.name for table in self.feed.tables if table.required and table.name not in present]
        if read_files and absent:
            failures.append(
                ({"name": absent[0], "table": absent[0]}, f"the set has no {', '.join(absent)}; without it nothing of the set was used. "
                 "Ask for the whole set again")
            )  # fmt: skip
        if failures:
            for entry, message in failures:
                self._note(entry, status="failed", message=message)
            for entry, _ in read_files:
                self._note(entry, status="held_back", message=f"{entry['name']}: held back with the rest of its set")
            return
        for entry, parsed in read_files:
            self._land(entry, parsed)
        for table in [table.name for table in self.feed.tables if table.name not in present] if read_files else ():
            if self._holds_rows(table):
                message = (
                    f"the set has no {table}, which it had before; the rows of then stay. Ask whether it was left out"
                )
                self._note({"name": table, "table": table}, status="unused", message=message)

    def _land_released(self) -> None:
        """Rows that a person put through again, with their repairs."""
        self._take_releases()
        waiting = self.con.execute(
            "SELECT DISTINCT table_name FROM quarantine WHERE released_by IS NOT NULL AND released_load_id IS NULL "
            "AND agency = ? AND feed = ?",
            [self.feed.agency, self.feed.name],
        ).fetchall()
        for table in [name for (name,) in waiting if name in self.raws]:
            raw = self.raws[table]
            columns = ", ".join(
                f'coalesce(repairs ->> \'$."{name}"\', CASE WHEN json_valid(content) THEN content ->> \'$."{name}"\' END) AS "{name}"'
                for name in raw.columns
            )
            self.con.execute(
                f"CREATE OR REPLACE TEMP TABLE released AS SELECT quarantine_id, file_id, row_number, {columns}, "
                "CASE WHEN json_valid(content) THEN content ->> '$.extra' END AS extra, "
                "NULL::VARCHAR AS _problem, content AS _content FROM quarantine WHERE released_by IS NOT NULL AND released_load_id IS NULL "
                "AND agency = ? AND feed = ? AND table_name = ?",
                [self.feed.agency, self.feed.name, table],
            )
            for (file_id,) in self.con.execute("SELECT DISTINCT file_id FROM temp.released").fetchall():
                self.con.execute(
                    "CREATE OR REPLACE TEMP TABLE released_here AS SELECT * EXCLUDE (quarantine_id, file_id) FROM temp.released "
                    "WHERE file_id = ?",
                    [file_id],
                )
                name = "released from quarantine"
                arrived = Arrived(
                    self.night.load_id, self.night.load_seq, self.feed.agency, self.feed.name, file_id, name, self.scope,
                    self.night.started_at,
                )  # fmt: skip
                books = landing_rows.land(self.con, raw, "temp.released_here", arrived)
                self.con.execute("INSERT INTO temp.seen SELECT ?, source_key FROM temp.disposed", [table])
                self._note(
                    {"name": name, "file_id": file_id},
                    status="released",
                    table=table,
                    message=f"{books.received} row(s) of {table} put through again from quarantine",
                    books=books,
                )
                self._hold_again(file_id, table)
            self.con.execute(
                "UPDATE quarantine SET released_load_id = ? WHERE released_by IS NOT NULL "
                "AND quarantine_id IN (SELECT quarantine_id FROM temp.released)",
                [self.night.load_id],
            )

    def _take_releases(self) -> None:
        """Notes in the core what people released without it, in the console, before this load began."""
        feed = self.feed.id
        last = self.con.execute(
            "SELECT max(night.started_at) FROM step JOIN night USING (load_id) "
            "WHERE subject = ? AND step = 'load' AND step.status = 'done' AND load_seq < ?",
            [feed, self.night.load_seq],
        ).fetchall()[0][0]
        taken = releases_waiting(self.line.quality_acts.listed(), feed, after=last, until=self.night.started_at)
        for row, act in taken.items():
            self.con.execute(
                "UPDATE quarantine SET released_by = ?, repairs = ? WHERE quarantine_id = ? AND agency = ? AND feed = ? "
                "AND released_by IS NULL",
                [act["author"], json.dumps(act["repairs"]), row, self.feed.agency, self.feed.name],
            )

    def _hold_again(self, file_id: str, table: str) -> None:
        """Released rows that still have no key stay in the list of those held back, and say that they were tried."""
        self.con.execute(
            "UPDATE quarantine AS q SET reason = q.reason || ' (put through in load ' || $load || ' by ' || q.released_by "
            "|| ', and still without its key)', released_by = NULL, repairs = NULL FROM temp.released r, temp.disposed d "
            "WHERE q.quarantine_id = r.quarantine_id AND r.file_id = $file AND q.table_name = $table "
            "AND d.row_number = r.row_number AND d.disposition = 'quarantined'",
            {"load": self.night.load_id, "file": file_id, "table": table},
        )

    def _missing_tables(self, present: set[str]) -> None:
        """In a database: a table that was there before, or has to be, and is not."""
        if self.feed.unit != "table" or not present:
            return
        for table in self.feed.tables:
            if table.name not in present and (table.required or self._holds_rows(table.name)):
                self.spoiled.add(table.name)
                self._note(
                    {"name": table.name, "table": table.name},
                    status="failed",
                    message=f"table {table.name} is missing from the database; its last good rows stay. Ask why it is not supplied",
                )

    def _mark_vanished(self) -> None:
        """Owners first, so that a row whose owner is still there can be told from one whose owner is gone."""
        whole = self.whole - self.spoiled
        for table in sorted(whole, key=lambda name: name != self._owners(name).table):
            owners = self._owners(table)
            self.con.execute(
                "CREATE OR REPLACE TEMP TABLE seen_here AS SELECT source_key, count(*) AS rows FROM temp.seen WHERE table_name = ? "
                "GROUP BY source_key",
                [table],
            )
            landing_rows.mark_vanished(
                self.con,
                self.raws[table],
                "temp.seen_here",
                self.scope,
                self.night.load_seq,
                None if owners.table in self.spoiled else owners,
            )

    def _owners(self, table: str) -> RawTable:
        """The table whose key a row's owner column holds: the one keyed by that very column, else the feed's first."""
        owner = self.raws[table].owner
        return next(
            (raw for raw in self.raws.values() if owner and raw.key == (owner,)), self.raws[self.feed.tables[0].name]
        )

    # one file

    def _read(self, entry: dict[str, Any]) -> list[Parsed]:
        if entry.get("failure"):
            raise UnreadableFile(entry["failure"])
        return landed.read_landed(self.line, self.feed, entry["name"], entry["sha256"], entry["table"])

    def _land(self, entry: dict[str, Any], parsed: list[Parsed]) -> None:
        total = Books()
        tables: list[str] = []
        notes: list[str] = []
        columns: list[str] = []
        refused = landed.take_out(self.line, self.feed, entry["sha256"], self.scope, parsed)
        for part in parsed:
            raw = self.raws[part.table.name]
            arrived = Arrived(
                self.night.load_id,
                self.night.load_seq,
                self.feed.agency,
                self.feed.name,
                entry["sha256"][:16],
                entry["name"],
                self.scope,
                dt.datetime.fromisoformat(entry["extracted_at"]),
            )
            books = landing_rows.land(self.con, raw, part.relation, arrived)
            if books.received:
                self.con.execute("INSERT INTO temp.seen SELECT ?, source_key FROM temp.disposed", [raw.table])
            unreadable = (
                books.quarantined
                and self.con.execute(f"SELECT count(*) FROM {part.relation} WHERE _problem IS NOT NULL").fetchall()[0][
                    0
                ]
            )
            (self.spoiled if unreadable or self._incremental(raw.table) else self.whole).add(raw.table)
            self.con.execute(f"DROP TABLE {part.relation}")
            total += books + Books(refused.get(raw.table, 0), refused=refused.get(raw.table, 0))
            tables.append(part.table.name)
            notes += part.notes
            columns += sorted({name.strip().lower() for name in part.columns if name.strip()})
        self._note(
            entry,
            status="landed",
            table=", ".join(tables) if len(tables) < 4 else f"{len(tables)} tables",
            message="; ".join(f"{entry['name']}: {note}" for note in notes),
            books=total,
            columns=columns,
        )

    def _refuse_empty(self, entry: dict[str, Any], parsed: list[Parsed]) -> None:
        """An empty delta is a good extract of no rows; an empty full one would say that everybody vanished."""
        if self.feed.delivery != "full":
            return
        for part in parsed:
            rows = self.con.execute(f"SELECT count(*) FROM {part.relation}").fetchall()[0][0]
            if (
                rows == 0
                and not self._incremental(part.table.name)
                and (part.table.required or self._holds_rows(part.table.name))
            ):
                raise UnreadableFile(
                    f"{entry['name']}: a full delivery of {part.table.name} without a row; at least one was expected. "
                    "Nothing was changed; ask whether the extract ran"
                )

    def _incremental(self, table: str) -> bool:
        """A table pulled by its change column is news only, and cannot tell who vanished."""
        return table in self.line.settings.sources[self.feed.id].change_columns

    def _holds_rows(self, table: str) -> bool:
        found = self.con.execute(
            f"SELECT 1 FROM {self.raws[table].relation} WHERE superseded_seq IS NULL AND vanished_seq IS NULL AND scope = ? LIMIT 1",
            [self.scope],
        ).fetchone()
        return found is not None

    def _drift(self, name: str, table: str | None, columns: list[str]) -> str | None:
        """How a header differs from the last one of its table: terms and releases add and drop columns, and it must be seen."""
        last = self.con.execute(
            "SELECT columns FROM received_file JOIN night USING (load_id) WHERE agency = ? AND feed = ? AND table_name = ? "
            "AND len(columns) > 0 AND load_id <> ? ORDER BY load_seq DESC LIMIT 1",
            [self.feed.agency, self.feed.name, table, self.night.load_id],
        ).fetchone()
        if last is None or set(last[0]) == set(columns):
            return None
        gone, new = sorted(set(last[0]) - set(columns)), sorted(set(columns) - set(last[0]))
        parts = [
            f"{len(names)} {what} ({_some(names)})" for names, what in ((gone, "no longer sent"), (new, "new")) if names
        ]
        return f"{name}: columns went from {len(last[0])} to {len(columns)}: {', '.join(parts)}"

    # files seen before

    def _known(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        """The same bytes landed before: for a delta at any time, for a full delivery only as its last word."""
        if "sha256" not in entry or self._incremental(entry["table"] or ""):
            return None
        last_of = "" if self.feed.delivery == "delta" else "AND name = $name"
        found = self.line.warehouse.rows(
            f"""
            SELECT sha256, table_name, received, quarantined, coalesce(refused, 0) + coalesce(erased, 0) AS left_out, reading
            FROM received_file JOIN night USING (load_id)
            WHERE agency = $agency AND feed = $feed AND scope = $scope AND received_file.status IN ('landed', 'unchanged') {last_of}
            {"AND sha256 = $sha256" if self.feed.delivery == "delta" else ""}
            ORDER BY load_seq DESC LIMIT 1
            """,
            {
                "agency": self.feed.agency,
                "feed": self.feed.name,
                "scope": self.scope,
                **({"sha256": entry["sha256"]} if self.feed.delivery == "delta" else {"name": entry["name"]}),
            },
        )
        if not found or found[0]["sha256"] != entry["sha256"] or found[0]["reading"] != self.reading:
            return None
        # What an erasure had left out is in it again: the erasure was lifted, and the bytes came once more.
        again = found[0]["left_out"] and not self.line.landing.is_redacted(entry["sha256"])
        return None if again else found[0]

    def _same_set_as_last(self, files: list[dict[str, Any]]) -> bool:
        last = self.con.execute(
            "SELECT list_sort(list(sha256)) FROM received_file f JOIN night USING (load_id) WHERE agency = $agency AND feed = $feed "
            "AND scope = $scope AND f.status IN ('landed', 'unchanged') AND sha256 IS NOT NULL "
            "GROUP BY load_seq ORDER BY load_seq DESC LIMIT 1",
            {"agency": self.feed.agency, "feed": self.feed.name, "scope": self.scope},
        ).fetchone()
        used = [entry["sha256"] for entry in files if "sha256" in entry and self._known(entry)]
        return last is not None and sorted(used) == last[0]

    # the books of a file

    def _note_unchanged(self, entry: dict[str, Any], known: dict[str, Any] | None) -> None:
        assert known is not None
        sha256, received, quarantined = entry["sha256"], known["received"], known["quarantined"]
        refused = sum(landed.left_out(self.line.landing, sha256).values())
        books = Books(received, 0, received - quarantined - refused, 0, quarantined, refused)
        self._note(entry, status="unchanged", table=known["table_name"], books=books)

    def _note(
        self,
        entry: dict[str, Any],
        *,
        status: str,
        table: str | None = None,
        message: str = "",
        books: Books | None = None,
        columns: list[str] | None = None,
    ) -> None:
        sha256 = entry.get("sha256")
        self.line.warehouse.insert(
            "received_file",
            {
                "load_id": self.night.load_id,
                "agency": self.feed.agency,
                "feed": self.feed.name,
                "file_id": entry.get("file_id") or (sha256 and sha256[:16]),
                "sha256": sha256,
                "name": entry["name"],
                "unit": self.feed.unit,
                "table_name": table or entry.get("table"),
                "scope": self.scope,
                "bytes": entry.get("size"),
                "reading": self.reading,
                "columns": columns,
                "drift": self._drift(entry["name"], table, columns) if columns else None,
                "extracted_at": entry.get("extracted_at"),
                **asdict(books or Books()),
                "status": status,
                "message": message,
            },
        )


def _some(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

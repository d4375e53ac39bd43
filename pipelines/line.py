"""The straight line: extract → land → check → conform → load for each feed, link → identify → publish for all.

One function a word. Each runs in one transaction and writes that it is done with it, so that a killed night carries on
where it stopped. The same functions stand behind the CLI, behind Dagster's assets, and in tests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from connectors import conform as conforming
from connectors import reading, transports
from connectors.contract import STALE_AFTER_DAYS, Feed, Table
from console.accounts import Accounts
from pipelines.feed_landing import FeedLanding
from pipelines.settings import Settings, utc_now
from warehouse import erase
from warehouse import land as landing_rows
from warehouse import load as loading
from warehouse.access_log import AccessLog
from warehouse.break_glass import BreakGlass
from warehouse.clerical_samples import ClericalSamples
from warehouse.decisions import Decisions
from warehouse.disclosures import Disclosures
from warehouse.engine import Warehouse, define
from warehouse.erasures import Erasures
from warehouse.holds import Holds
from warehouse.keys import Keys, load_keys
from warehouse.land import Books, RawTable
from warehouse.landing import Landing, LandingFileSystem
from warehouse.observations import Observations
from warehouse.publish import ConfiguredFeed, publish
from warehouse.quality_acts import QualityActs
from warehouse.review_passes import ReviewPasses
from warehouse.signal_verdicts import SignalVerdicts
from warehouse.store import Store

PEOPLE = "people"

# Bytes: how many rows have been received is known once they are read, and how many threads that takes before.
_SHORTEST_ROW = 50
# A night is called published before its marts are built, since they say so; killed in between, it was not.
_UNFINISHED = "(status = 'running' OR (status = 'published' AND load_id NOT IN (SELECT load_id FROM publication)))"


class FeedFailed(Exception):  # noqa: N818 - what happened to a feed
    """One feed cannot go on this night; its last good data stays. Others go on."""


@dataclass(frozen=True)
class Night:
    """One load: its id, its order, the date that is today in every rule, and its clock."""

    load_id: str
    load_seq: int
    date: dt.date
    started_at: dt.datetime

    def said(self) -> dict[str, Any]:
        """What a manifest says of its night, so that it can be run again from landing."""
        return {
            "load_seq": self.load_seq,
            "date": self.date.isoformat(),
            "started_at": self.started_at.isoformat(),
        }


class Line:
    """The straight line of one deployment, over one open warehouse."""

    def __init__(self, settings: Settings, keys: Keys, warehouse: Warehouse) -> None:
        self.keys, self.warehouse = keys, warehouse
        self.con = warehouse.con
        self.landing = Landing(settings.landing_path, *keys.raws("landing"))
        self.filesystem = LandingFileSystem(self.landing)
        self.con.register_filesystem(self.filesystem)
        self.store = Store(settings.decisions_url)
        self.decisions = Decisions(self.store, keys.raw("decisions"))
        self.quality_acts = QualityActs(self.store, keys.raw("decisions"))
        self.signal_verdicts = SignalVerdicts(self.store, keys.raw("decisions"))
        self.samples = ClericalSamples(self.store, keys.raw("decisions"))
        self.access_log = AccessLog(self.store, keys)
        passes = ReviewPasses(self.store, keys.raw("decisions"))
        self.erasures = Erasures(self.store, keys)
        self.holds = Holds(self.store, keys.raw("decisions"))
        self.disclosures = Disclosures(self.store, keys.raw("decisions"))
        self.observations = Observations(self.store, keys.raw("decisions"))
        self.glass = BreakGlass(self.store, keys.raw("decisions"))
        stores = (self.decisions, self.quality_acts, self.signal_verdicts, self.samples, passes, self.access_log)
        # What an erasure takes a person's name out of; accounts are those of staff.
        self.written = [
            store.journal for store in (*stores, self.holds, self.disclosures, self.observations, self.glass)
        ]
        accounts = Accounts(self.store, keys.raw("decisions"))
        self.journals = [*self.written, self.erasures.journal, accounts.journal, accounts.sign_ins]
        # Who is who, where somebody knows it; the links are measured against it, and nothing else is.
        self.truth: Path | None = None
        self.use(settings)
        with warehouse.transaction():
            define(self.con, "reading", reading.definitions())
        self.heed_erasures()

    def heed_erasures(self) -> None:
        """From here on rows of erased people are refused; to be called again when an erasure was taken or lifted."""
        standing = self.erasures.standing()
        self.erasures.prepare(self.con, standing)
        self.landing.standing = frozenset(erasure.erasure_id for erasure in standing)

    def use(self, settings: Settings) -> None:
        """Goes on with these sources and settings; a rebuild uses those of each night."""
        self.settings, self.feeds, self.periods = settings, settings.feeds(), settings.periods()

    # --- the night ---------------------------------------------------------------------------------------------

    def open_night(self, date: dt.date) -> Night:
        """The unfinished load of this date, else a new one. Unfinished loads of other dates are over."""
        with self.warehouse.transaction() as con:
            con.execute(f"UPDATE night SET status = 'interrupted' WHERE {_UNFINISHED} AND date <> ?", [date])
            running = con.execute(
                f"SELECT load_id, load_seq, date, started_at FROM night WHERE {_UNFINISHED} AND date = ?", [date]
            ).fetchone()
            if running is not None:
                return Night(*running)
            sequence = con.execute("SELECT coalesce(max(load_seq), 0) + 1 FROM night").fetchall()[0][0]
            of_date = con.execute("SELECT count(*) + 1 FROM night WHERE date = ?", [date]).fetchall()[0][0]
            night = Night(f"{date.isoformat()}.{of_date}", sequence, date, utc_now())
            self.begin(night)
        return night

    def unfinished(self) -> str | None:
        """The load that stopped before it was published, if there is one."""
        found = self.con.execute(f"SELECT load_id FROM night WHERE {_UNFINISHED}").fetchone()
        return None if found is None else str(found[0])

    def receive_nothing(self, night: Night, name: str) -> None:
        """Lets a feed go through the line without asking its source: for rows that are released from quarantine."""
        if self.landing.read_manifest(night.load_id, name) is None:
            options = self.settings.sources[name].options
            self.landing.write_manifest(night.load_id, name, {**night.said(), "options": options, "files": []})

    def begin(self, night: Night) -> None:
        """Writes that a night is running."""
        self.con.execute(
            "INSERT INTO night (load_id, load_seq, date, started_at, status) VALUES (?, ?, ?, ?, 'running')",
            [night.load_id, night.load_seq, night.date, night.started_at],
        )

    def _done(self, night: Night, subject: str, step: str) -> bool:
        found = self.con.execute(
            "SELECT 1 FROM step WHERE load_id = ? AND subject = ? AND step = ? AND status = 'done'",
            [night.load_id, subject, step],
        ).fetchone()
        return found is not None

    def _mark(self, night: Night, subject: str, step: str, status: str = "done", message: str = "") -> None:
        self.con.execute(
            "DELETE FROM step WHERE load_id = ? AND subject = ? AND step = ?", [night.load_id, subject, step]
        )
        self.con.execute(
            "INSERT INTO step VALUES (?, ?, ?, ?, ?, ?)", [night.load_id, subject, step, status, message, utc_now()]
        )

    @contextmanager
    def _step(self, night: Night, subject: str, step: str) -> Iterator[None]:
        """One word of the line: a transaction that ends with the note that it is done."""
        with self.warehouse.transaction():
            yield
            self._mark(night, subject, step)

    # --- left of load: each feed for itself ---------------------------------------------------------------------

    def extract(self, night: Night, name: str) -> int:
        """Takes a source's bytes into landing, before anything is parsed. Returns how many files or tables came.

        Raises FeedFailed when the source cannot be reached.
        """
        if self.landing.read_manifest(night.load_id, name) is not None:
            return len(self.landing.read_manifest(night.load_id, name)["files"])  # type: ignore[index]
        feed, source = self.feeds[name], self.settings.sources[name]
        try:
            found = transports.arrivals(
                feed,
                source.location,
                base=self.settings.base,
                now=night.started_at,
                since=self._watermarks(feed, source.change_columns),
                change_columns=source.change_columns,
                written=self._written(feed) if source.location == transports.CONSOLE else (),
            )
            files = [self._take(arrival) for arrival in found]
        except transports.SourceUnreachable as error:
            raise FeedFailed(str(error)) from None
        except OSError as error:
            raise FeedFailed(f"{name}: landing cannot be written ({error.strerror}); make room and run again") from None
        place = transports.place_fault(feed, source.location, self.settings.base)
        self.landing.write_manifest(
            night.load_id,
            name,
            {**night.said(), "options": source.options, "files": files, **({"place_fault": place} if place else {})},
        )
        return len(files)

    def _written(self, feed: Feed) -> list[transports.Arrival]:
        """What was written in the console and no load has taken, oldest first."""
        taken = self.con.execute(
            "SELECT DISTINCT name FROM received_file WHERE agency = ? AND feed = ? AND status IN ('landed', 'unchanged')",
            [feed.agency, feed.name],
        ).fetchall()
        return [
            transports.Arrival(
                delivery.name, partial(list, [delivery.content]), delivery.written_at.replace(microsecond=0)
            )
            for delivery in self.observations.deliveries(feed.id, {name for (name,) in taken})
        ]

    def _take(self, arrival: transports.Arrival) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "name": arrival.name,
            "extracted_at": arrival.extracted_at.isoformat(),
            "table": arrival.table,
        }
        if arrival.unused:
            return {**entry, "unused": arrival.unused}
        try:
            landed = self.landing.put(arrival.chunks())
        except transports.SourceUnreachable as error:
            return {**entry, "failure": str(error)}
        return {**entry, "sha256": landed.sha256, "size": landed.size}

    def _watermarks(self, feed: Feed, change_columns: dict[str, str]) -> dict[str, str]:
        """The greatest value of each table's change column that is already known."""
        if not change_columns:
            return {}
        with self.warehouse.transaction():
            raws = self.raw_tables(feed)
        found = {}
        for table, column in change_columns.items():
            raw = raws[table]
            inside = f'"{column.lower()}"' if column.lower() in raw.columns else f"extra ->> '$.\"{column}\"'"
            known = self.con.execute(f"SELECT max({inside}) FROM {raw.relation}").fetchall()[0][0]
            if known is not None:
                found[table] = known
        return found

    def land(self, night: Night, name: str) -> Books:
        """Reads what landed and accounts for every row of it. One transaction for the feed."""
        if self._done(night, name, "land"):
            return self.books(night, name)
        feed = self.feeds[name]
        manifest = self.landing.read_manifest(night.load_id, name)
        if manifest is None:
            raise FeedFailed(f"{name}: nothing was extracted in load {night.load_id}; run extract first")
        with self._as_large(name, manifest), self._step(night, name, "land"):
            FeedLanding(self, night, feed, manifest).run()
        return self.books(night, name)

    def check(self, night: Night, name: str) -> list[Any]:
        """Runs the feed's standards; returns the verdicts (counts only).

        Raises FeedFailed if a critical one fails or is broken.
        """
        from expectations.run import check_feed

        feed = self.feeds[name]
        with self._as_large(name):
            verdicts = check_feed(
                self.warehouse,
                feed,
                load_id=night.load_id,
                load_seq=night.load_seq,
                allow_test_nhs_numbers=self.settings.allow_test_nhs_numbers,
                today=night.date,
                options=self.options(name),
            )
        self._mark(night, name, "check")
        # A critical standard that could not run may not be taken for one that holds.
        critical = [v for v in verdicts if v.status == "fail" or (v.status == "broken" and v.severity == "critical")]
        if critical:
            raise FeedFailed(
                f"{name}: held back by {', '.join(v.expectation for v in critical)} (critical); "
                f"see tessera quality {name}. The last good data stays"
            )
        return verdicts

    def conform(self, night: Night, name: str) -> int:
        """Turns what changed into the common model, staged. Returns the number of staged rows."""
        if self._done(night, name, "load"):
            return 0
        feed = self.feeds[name]
        with self._as_large(name), self._step(night, name, "conform"):
            return conforming.conform(self.con, feed, self.options(name), self._loaded_seq(name))

    def _as_large(self, name: str, manifest: Mapping[str, Any] | None = None) -> AbstractContextManager[None]:
        """What landed in the feed's largest table, or is about to be landed, decides how many threads work on it."""
        feed = self.feeds[name]
        landed_rows = self.con.execute(
            "SELECT coalesce(max(rows), 0) FROM (SELECT sum(landed + superseded) AS rows FROM received_file "
            "WHERE agency = ? AND feed = ? GROUP BY table_name)",
            [feed.agency, feed.name],
        ).fetchall()[0][0]
        received = sum(file.get("size", 0) for file in manifest["files"]) if manifest else 0
        return self.warehouse.threads_for(max(landed_rows, received // _SHORTEST_ROW))

    def load(self, night: Night, name: str) -> Books:
        """Takes the staged rows into the core and closes the feed's books, which must balance."""
        if not self._done(night, name, "load"):
            feed = self.feeds[name]
            with self._as_large(name), self._step(night, name, "load"):
                erase.forget_staged(self.con, feed.agency, feed.name)
                loading.load(self.con, feed.agency, feed.name, night.load_id, night.started_at)
                self.close_books(night, name)
        return self.books(night, name)

    def options(self, name: str) -> dict[str, Any]:
        feed, source = self.feeds[name], self.settings.sources[name]
        defaults = {option.name: option.default for option in feed.options}
        return {**defaults, "authority": self.settings.authority, **source.options}

    def raw_table(self, feed: Feed, table: Table) -> RawTable:
        return RawTable(
            name=feed.raw(table.name),
            table=table.name,
            columns=tuple(column.lower() for column in table.names()),
            key=tuple(column.lower() for column in table.key),
            version=table.version.lower() if table.version else None,
            owner=table.owner.lower() if table.owner else None,
            withdraws=table.withdraws,
            as_it_came=feed.period is not Feed.period,
        )

    def raw_tables(self, feed: Feed) -> dict[str, RawTable]:
        """The feed's raw tables by their names in its contract, made where they are not there yet. Runs within a transaction."""
        raws = {table.name: self.raw_table(feed, table) for table in feed.tables}
        landing_rows.ensure_raw_tables(self.con, feed.id, raws.values())
        return raws

    def _loaded_seq(self, name: str) -> int:
        """The order of the last load in which this feed reached the common model."""
        return int(
            self.con.execute(
                "SELECT coalesce(max(load_seq), 0) FROM step JOIN night USING (load_id) "
                "WHERE subject = ? AND step = 'load' AND step.status = 'done'",
                [name],
            ).fetchall()[0][0]
        )

    # --- books ---------------------------------------------------------------------------------------------------

    def books(self, night: Night, name: str) -> Books:
        feed = self.feeds[name]
        found = self.con.execute(
            "SELECT coalesce(sum(received), 0)::BIGINT, coalesce(sum(landed), 0)::BIGINT, coalesce(sum(unchanged), 0)::BIGINT, "
            "coalesce(sum(superseded), 0)::BIGINT, coalesce(sum(quarantined), 0)::BIGINT, coalesce(sum(refused), 0)::BIGINT "
            "FROM received_file WHERE load_id = ? AND agency = ? AND feed = ?",
            [night.load_id, feed.agency, feed.name],
        ).fetchall()[0]
        return Books(*found)

    def close_books(self, night: Night, name: str, failure: str | None = None) -> None:
        """Writes the feed's line in the books of this load. Raises UnbalancedBooksError if rows are unaccounted for."""
        feed, books = self.feeds[name], self.books(night, name)
        if not books.balanced:
            raise landing_rows.UnbalancedBooksError(f"{name}: {books} in load {night.load_id}")
        files, failed, good, messages, drift = self.con.execute(
            "SELECT count(*) FILTER (status <> 'released'), count(*) FILTER (status IN ('failed', 'held_back')), "
            "count(*) FILTER (status IN ('landed', 'unchanged')), "
            "coalesce(string_agg(message, ' | ' ORDER BY name) FILTER (status <> 'held_back' AND message <> ''), ''), "
            "string_agg(drift, ' | ' ORDER BY name) FROM received_file WHERE load_id = ? AND agency = ? AND feed = ?",
            [night.load_id, feed.agency, feed.name],
        ).fetchall()[0]
        place = (self.landing.read_manifest(night.load_id, name) or {}).get("place_fault")
        # Files of which none could be used are no delivery, whatever each of them may be.
        status = (
            "failed"
            if failure or (files and not good)
            else "partial"
            if failed
            else "loaded"
            if files
            else "nothing_sent"
        )
        self.con.execute(
            "DELETE FROM feed_load WHERE load_id = ? AND agency = ? AND feed = ?",
            [night.load_id, feed.agency, feed.name],
        )
        self.warehouse.insert(
            "feed_load",
            {
                "load_id": night.load_id,
                "agency": feed.agency,
                "feed": feed.name,
                "started_at": night.started_at,
                "finished_at": utc_now(),
                **asdict(books),
                "vanished": self._vanished(feed, night),
                "files": files,
                "files_failed": failed,
                "status": status,
                "message": " | ".join(part for part in (failure, place, messages, drift) if part),
            },
        )

    def fail(self, night: Night, name: str, step: str, message: str) -> None:
        """Notes that a feed stopped; its last good data stays and is shown as stale."""
        with self.warehouse.transaction():
            self._mark(night, name, step, "failed", message)
            self.close_books(night, name, failure=message)

    def _vanished(self, feed: Feed, night: Night) -> int:
        raw = self.raw_tables(feed)[feed.tables[0].name]
        counted = self.con.execute(
            f"SELECT count(*) FROM {raw.relation} WHERE vanished_seq = ? AND superseded_seq IS DISTINCT FROM load_seq",
            [night.load_seq],
        )
        return int(counted.fetchall()[0][0])

    # --- right of load: all feeds together ----------------------------------------------------------------------

    def link(self, night: Night) -> Any:
        """Which records are about the same person: decisions, rules, the model; what is left goes to people."""
        import linkage
        from linkage.watch import note

        if not self._done(night, PEOPLE, "link"):
            linked_by = self._linked_by(night)
            settings = self.linkage_settings(linked_by.get("model"))
            with self.warehouse.as_large():
                linked = linkage.link(
                    self.con,
                    load_id=night.load_id,
                    today=night.date,
                    decisions=self.decisions_for_linkage(up_to=int(linked_by["decisions"])),
                    settings=settings,
                )
            with self.warehouse.transaction() as con:
                con.execute(
                    "UPDATE night SET model_version = ? WHERE load_id = ?", [settings.model.version, night.load_id]
                )
                note(con, night.load_id, linked.findings, linked.records)
                self._mark(night, PEOPLE, "link", message=linked.said())

    def _linked_by(self, night: Night) -> dict[str, Any]:
        """The newest decision and the version of the model that this night links by: landed, so that a rebuild links by no later ones."""
        manifest = self.landing.read_manifest(night.load_id, PEOPLE)
        if manifest is None:
            manifest = {
                **night.said(),
                "decisions": self.decisions.newest(),
                "sample": self.samples.newest(),
                "model": self.models().current_version(),
                # How far what people did had come: what is taken away later at the end of a journal shows against this.
                "journals": {
                    journal.name: asdict(head) for journal in self.journals if (head := journal.head()) is not None
                },
            }
            self.landing.write_manifest(night.load_id, PEOPLE, manifest)
        return manifest

    def identify(self, night: Night) -> Any:
        """Gives every person an identifier that lasts, writes what changed and why, and measures the links."""
        import linkage
        from expectations import between, volume
        from linkage.watch import watch

        if self._done(night, PEOPLE, "identify"):
            return
        with self.warehouse.as_large():
            linkage.identify(
                self.con,
                load_id=night.load_id,
                now=night.started_at,
                today=night.date,
                secret=self.keys.raw("identity"),
                settings=self.linkage_settings(),
            )
            not_asked = between.compare(self.con, load_id=night.load_id, today=night.date)
            with self.warehouse.transaction() as con:
                watch(con, night.load_id)
                self._measure(con, night)
                volume.judge_matches(con, list(self.feeds.values()), load_id=night.load_id, load_seq=night.load_seq)
                between.tell(con, list(self.feeds.values()), not_asked, load_id=night.load_id)
                self._mark(night, PEOPLE, "identify")

    def _measure(self, con: Any, night: Night) -> None:
        """How good the links are: by the newest sample that is answered, and by the truth if there is one."""
        from linkage import quality

        linked_by = self._linked_by(night)
        decisions = self.decisions.as_pairs(up_to=int(linked_by["decisions"]))
        for sample in range(int(linked_by.get("sample", 0)), 0, -1):
            rows = quality.from_sample(con, self.samples.of(sample), decisions, night.date)
            if rows:
                quality.keep(con, night.load_id, str(sample), rows)
                break
        if self.truth is not None:
            quality.keep(con, night.load_id, "truth", quality.from_truth(con, self.truth))

    def questions_of_samples(self) -> list[dict[str, Any]]:
        """The pairs of the newest sample that wait for an answer, in the order in which they are asked, and nothing else of them."""
        decided = {(pair["record_id_a"], pair["record_id_b"]) for pair in self.decisions.as_pairs()}
        hidden = self.records_of_seals()
        return [
            {name: pair[name] for name in ("sample", "load_id", "record_id_a", "record_id_b")}
            for pair in self.samples.of(self.samples.newest())
            if (pair["record_id_a"], pair["record_id_b"]) not in decided
            and not hidden & {pair["record_id_a"], pair["record_id_b"]}
        ]

    def records_of_seals(self) -> set[str]:
        """Every record of the people whom a seal keeps apart: a sample asks nothing of them, or two of its pairs could lead across."""
        sealed = sorted({record for pair in self.sealed_records() for record in pair})
        rows = self.warehouse.rows(
            "SELECT record_id FROM link WHERE person_id IN (SELECT person_id FROM link WHERE record_id IN (SELECT unnest(?)))",
            [sealed],
        )
        return {*sealed, *(row["record_id"] for row in rows)}

    def log_decisions_look(self, who: str, what: str) -> None:
        """Whoever looks at seals is noted before they do."""
        self.access_log.asked_of_store("decisions", utc_now(), who=who, purpose="governance", question=what)

    def decisions_for_linkage(self, up_to: int | None = None) -> list[tuple[Any, ...]]:
        """The decisions that count, those of re-keyed records included, as link() reads them."""
        import linkage

        return [
            tuple(decision[name] for name in linkage.DECISION_COLUMNS)
            for decision in linkage.carry_over(self.con, self.decisions.as_pairs(up_to=up_to))
        ]

    def sealed_records(self) -> list[tuple[str, str]]:
        """Pairs of records that nothing may show together, those they were re-keyed to included."""
        import linkage

        pairs = linkage.carry_over(self.con, self.decisions.as_pairs())
        return [(pair["record_id_a"], pair["record_id_b"]) for pair in pairs if pair["kind"] == "seal"]

    def models(self) -> Any:
        """The versions of the linkage model that this deployment keeps."""
        import linkage

        return linkage.Models(self.settings.models_path)

    def linkage_settings(self, version: str | None = None) -> Any:
        """What this deployment sets of the model, the current one if no version is given; everything else is the model's own."""
        import linkage

        wanted = self.settings.linkage
        models = self.models()
        chosen = models.read(version or models.current_version())
        model = replace(chosen, match_at=wanted.match, potential_at=wanted.potential)
        spark = linkage.SparkSettings(wanted.spark_master, wanted.spark_conf) if wanted.engine == "spark" else None
        return linkage.LinkageSettings(
            model=model, spark=spark, allow_test_nhs_numbers=self.settings.allow_test_nhs_numbers
        )

    def publish(self, night: Night, *, whole: bool = False) -> Any:
        """Makes every role's mart and switches to them at once; the night is over. `whole`: nothing is taken over from the last ones."""
        with self.warehouse.transaction() as con:
            con.execute(
                "UPDATE night SET status = 'published', finished_at = coalesce(finished_at, ?) WHERE load_id = ?",
                [utc_now(), night.load_id],
            )
        try:
            return publish(
                self.warehouse,
                self.settings.marts_path,
                self.keys,
                load_id=night.load_id,
                keep=self.settings.keep_marts,
                whole=whole,
                feeds=self.configured_feeds(),
                sealed=self.sealed_records(),
                acts=self.quality_acts.listed(),
                verdicts=self.signal_verdicts.all(),
                asked=[(pair["record_id_a"], pair["record_id_b"]) for pair in self.questions_of_samples()],
                periods=self.periods,
                held=self.holds.subjects(),
            )
        except BaseException:
            with self.warehouse.transaction() as con:
                con.execute(
                    "UPDATE night SET status = 'running', finished_at = NULL WHERE load_id = ?", [night.load_id]
                )
            raise

    def configured_feeds(self) -> list[ConfiguredFeed]:
        return [
            {"agency": feed.agency, "feed": feed.name, "expect_days": STALE_AFTER_DAYS[feed.expect], "configured": True}
            for feed in self.feeds.values()
        ]


@contextmanager
def open_line(settings: Settings, environ: dict[str, str]) -> Iterator[Line]:
    """Opens keys, warehouse and landing of a deployment, and closes them."""
    settings.data_path.mkdir(parents=True, exist_ok=True)
    keys = load_keys(settings.keys_path, environ, data=settings.data_path)
    with Warehouse(settings.core_path, keys, memory_limit=settings.memory_limit, threads=settings.threads) as warehouse:
        yield Line(settings, keys, warehouse)

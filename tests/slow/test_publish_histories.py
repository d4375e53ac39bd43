"""Random histories: marts that began as copies of the last ones hold what marts made whole of the same core hold, for every role."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from warehouse import engine, publish
from warehouse.engine import Warehouse
from warehouse.keys import MARTS, Keys, load_keys
from warehouse.retention import load_rules
from warehouse.schema import COMMON_MODEL

pytestmark = pytest.mark.slow

SEEDS, NIGHTS, PEOPLE = int(os.environ.get("TESSERA_HISTORIES", "4")), 6, 60
FIRST_DAY = dt.date(2026, 3, 1)
AGENCIES = ("health.fhir", "school.attendance", "social_care.ssd", "police.ppn", "police.missing")
FEEDS: list[publish.ConfiguredFeed] = [
    {"agency": name.split(".")[0], "feed": name.split(".")[1], "expect_days": 3, "configured": True}
    for name in AGENCIES
]
# Two feeds of the police tell of one child going missing; a child's day is told by both, so that who repeats whom is worked out.
EVENT_TYPES = ("missing", "missing_episode", "missing", "note", "referral", "family_agreement_review")


class Town:
    """A core in which something happens every night, written as load and identify write it: all of a night at the time it began."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng, self.numbers = random.Random(seed), count(1)
        self.keys = load_keys(folder / "keys", {})
        self.folder, self.warehouse = folder, Warehouse(folder / "core.duckdb", self.keys)
        self.con = self.warehouse.con
        self.day, self.seq = FIRST_DAY, 0
        self.sealed: list[tuple[str, str]] = []
        self.about_a_seal: tuple[str, ...] = ()
        self.held: list[str] = []  # record_ids
        self.people: list[str] = []
        self.begin_night()
        with self.warehouse.transaction():
            for _ in range(PEOPLE):
                self.somebody_new()
            for _ in range(3 * PEOPLE):
                self.something_happens()
            for _ in range(PEOPLE // 2):
                self.relate(*self.rng.sample(self.held, 2))
        # Two who were parted by an adoption, and their mother, of whom one agency says the one and another the other.
        one, other, mother, again = self.about_a_seal = tuple(self.rng.sample(self.held, 4))
        self.sealed = [(one, other)]
        self.link(again, self.people[0])
        self.link(mother, self.people[0])
        self.relate(mother, one)
        self.relate(again, other)

    @property
    def load_id(self) -> str:
        return f"{self.day}.1"

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.combine(self.day, dt.time(2))

    def begin_night(self, days: int = 1) -> None:
        self.day, self.seq = self.day + dt.timedelta(days=days), self.seq + 1
        self.put(
            "night", load_id=self.load_id, load_seq=self.seq, date=self.day, started_at=self.now, status="published"
        )
        for feed in FEEDS:
            self.put(
                "feed_load", load_id=self.load_id, agency=feed["agency"], feed=feed["feed"], status="loaded",
                started_at=self.now, finished_at=self.now, received=1, landed=1, unchanged=0, superseded=0, quarantined=0,
            )  # fmt: skip

    def put(self, table: str, **values: Any) -> None:
        names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
        self.con.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', list(values.values()))

    def fact(self, table: str, record: str, **values: Any) -> None:
        agency, feed = record.split(":")[0].split(".")
        lineage = {"agency": agency, "feed": feed, "source_key": record, "load_id": self.load_id, "loaded_at": self.now}
        self.put(
            table, record_id=record, extracted_at=self.now, raw_row_id=f"r:{next(self.numbers)}", **lineage, **values
        )

    def one_of(self, table: str) -> tuple[Any, dict[str, Any]] | None:
        """The place of a current row, and what it says."""
        rows = self.con.execute(f'SELECT rowid FROM "{table}" WHERE superseded_at IS NULL ORDER BY rowid').fetchall()
        if not rows:
            return None
        place = self.rng.choice(rows)[0]
        return place, self.warehouse.rows(f'SELECT * FROM "{table}" WHERE rowid = ?', [place])[0]

    def close(self, table: str, place: Any) -> None:
        self.con.execute(f'UPDATE "{table}" SET superseded_at = ? WHERE rowid = ?', [self.now, place])

    def correct(self, table: str, **said: Any) -> None:
        """A row is closed, and one that says something else opened."""
        if found := self.one_of(table):
            place, row = found
            self.close(table, place)
            self.put(table, **row | {"load_id": self.load_id, "loaded_at": self.now} | said)

    def link(self, record: str, person: str | None) -> None:
        """The record is about this person from now on; about nobody if there is none."""
        self.con.execute(
            "UPDATE link SET unlinked_at = ? WHERE record_id = ? AND unlinked_at IS NULL", [self.now, record]
        )
        if person:
            self.put(
                "link", record_id=record, person_id=person, how="probabilistic", match_probability=0.9, evidence="alike",
                decided_by="rule", load_id=self.load_id, linked_at=self.now,
                best_record_id=self.rng.choice(self.rng.choice([self.held, [*self.about_a_seal]]) or [None]),
            )  # fmt: skip

    def somebody_new(self) -> None:
        person = f"P{next(self.numbers):05d}"
        self.people.append(person)
        self.put("person", person_id=person, created_load_id=self.load_id)
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            self.record_of(person)
        if self.rng.random() < 0.3:
            self.put("household", household_id=f"H{self.rng.randrange(12)}", person_id=person, basis="same_address")

    def record_of(self, person: str | None) -> None:
        name = f"{self.rng.choice(AGENCIES)}:{next(self.numbers)}"
        self.describe(name)
        self.link(name, person)
        self.held.append(name)

    def describe(self, record: str) -> None:
        rng = self.rng
        self.fact(
            "person_record", record, source_person_id=record.split(":")[1], role=rng.choice(("child", "child", "adult")),
            given_names=rng.choice(("Ada", "Bo", "Cy")), family_name=rng.choice(("Khan", "Hart")), flags=[],
            birth_date=rng.choice((self.day.replace(year=2008) + dt.timedelta(days=rng.randrange(-3, 8)), dt.date(2015, 4, 2))),
            birth_date_precision="day", sex=rng.choice("MF"), postcode=rng.choice(("LS8 1AA", "LS9 2BB", "LS7 3CC", "LS6 4DD")),
            ethnicity=rng.choice(("WBRI", "AIND", "MWBC", "BCRB")), address_protected=rng.random() < 0.03,
            nhs_number=str(9000000000 + rng.randrange(60)),
        )  # fmt: skip
        if rng.random() < 0.5:
            self.fact(
                "person_address", record, kind="home", address=f"{rng.randrange(30)} Mill Lane", postcode="LS8 1AA",
                valid_to=rng.choice((None, self.day + dt.timedelta(days=rng.randrange(8)))), protected=rng.random() < 0.03,
            )  # fmt: skip
        if rng.random() < 0.3:
            self.fact("person_name", record, kind=rng.choice(("alias", "former")), given_names="Di", family_name="Lo")
        self.fact("person_identifier", record, scheme="upn", value=f"A{rng.randrange(60)}", status="stated")

    def relate(self, record: str, other: str) -> None:
        self.fact("relationship", record, other_record_id=other, relationship=self.rng.choice(("mother", "sibling")),
                  other_name="Somebody", same_household=self.rng.choice((True, False, None)))  # fmt: skip

    def tell(self, record: str) -> None:
        rng = self.rng
        undated = rng.random() < 0.3
        happened = dt.datetime.combine(FIRST_DAY - dt.timedelta(days=rng.randrange(3)), dt.time(rng.randrange(24)))
        self.fact(
            "event", record, event_id=f"U{rng.randrange(8)}" if undated else f"E{next(self.numbers)}",
            event_type=rng.choice(EVENT_TYPES), occurred_from=None if undated else happened,
            occurred_precision=None if undated else "instant", statement_kind="fact", title="Seen at LS8 1AA",
            narrative="Was late", outcome=rng.choice(("none", "kept", "advice", None)), reported_by_role=rng.choice(("nurse", "pc")),
            embargo_until=rng.choice((None, None, None, self.day + dt.timedelta(days=rng.randrange(6)))),
        )  # fmt: skip

    def something_happens(self) -> None:
        """One thing of those that a night can bring."""
        rng, record = self.rng, self.rng.choice(self.held)
        happening = rng.randrange(22)
        if happening in (0, 1, 2):
            self.tell(record)
        elif happening == 3:
            self.correct("event", outcome=rng.choice(("none", "kept", "advice")), embargo_until=None)
        elif happening == 4:
            self.correct("event", retracted_at=self.now, retract_reason="in error")
        elif happening == 5:
            self.fact(
                "span",
                record,
                span_id=f"S{next(self.numbers)}",
                kind="enrolment",
                started_on=FIRST_DAY,
                detail=rng.choice("xyz"),
            )
        elif happening == 6:
            self.correct("span", ended_on=self.day, detail=rng.choice("xyz"))
        elif happening == 7:
            self.fact("attendance", record, school=rng.choice("ABC"), session_date=self.day, session="AM", mark="/")
        elif happening == 8:
            self.correct("attendance", mark="L")
        elif happening == 9:
            self.relate(record, rng.choice(self.held))
        elif happening == 10:
            self.correct("relationship", relationship="father")
        elif happening == 11:  # described otherwise
            for table in ("person_record", "person_address"):
                self.con.execute(
                    f"UPDATE {table} SET superseded_at = ? WHERE record_id = ? AND superseded_at IS NULL",
                    [self.now, record],
                )
            self.describe(record)
        elif happening == 12:  # taken back whole
            for table in COMMON_MODEL:
                self.con.execute(
                    f"UPDATE {table} SET superseded_at = ? WHERE record_id = ? AND superseded_at IS NULL",
                    [self.now, record],
                )
            self.link(record, None)
        elif happening == 13:  # found to be about somebody else, or nobody
            self.link(record, rng.choice((None, *rng.sample(self.people, 3))))
        elif happening == 14:  # two persons are one
            one, other = rng.sample(self.people, 2)
            for (name,) in self.con.execute(
                "SELECT record_id FROM link WHERE person_id = ? AND unlinked_at IS NULL", [other]
            ).fetchall():
                self.link(name, one)
        elif happening == 15:
            self.somebody_new()
        elif happening == 16:  # no longer said, and nothing in its place
            table = rng.choice([name for name in COMMON_MODEL if name != "person_record"])
            if found := self.one_of(table):
                self.close(table, found[0])
        elif happening in (17, 18):  # one thing that is said of a person, and nothing else
            said: dict[str, dict[str, Any]] = {
                "person_record": {"postcode": "LS5 5EE", "address_protected": rng.random() < 0.2},
                "person_name": {"given_names": "Eve"},
                "person_address": {"postcode": "LS5 5EE"},
                "person_identifier": {"value": f"A{rng.randrange(60)}"},
            }
            table = rng.choice(sorted(said))
            self.correct(table, **said[table])
        elif happening == 19 and self.sealed:  # who is who about a seal
            self.link(rng.choice(self.about_a_seal), rng.choice(self.people[:4]))
        elif happening == 20:  # whom others are related to
            if found := self.one_of("relationship"):
                self.link(found[1]["other_record_id"], rng.choice((None, *self.people[:3])))
        else:
            self.record_of(rng.choice((None, rng.choice(self.people))))

    def pass_a_night(self) -> None:
        self.begin_night(days=self.rng.choice((1, 1, 2)))
        with self.warehouse.transaction():
            for _ in range(self.rng.choice((0, 2, 4, 8))):
                self.something_happens()

    def publish(self) -> publish.Publication:
        return _publish(self.warehouse, self.folder / "marts", self.keys, self.load_id, self.sealed)

    def publish_aside(self) -> Path:
        """All marts made whole, of a copy of the core, where nothing was published before."""
        self.con.execute("CHECKPOINT core")
        aside = self.folder / "aside"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        shutil.copyfile(self.folder / "core.duckdb", aside / "core.duckdb")
        with Warehouse(aside / "core.duckdb", self.keys) as warehouse:
            made = _publish(warehouse, aside / "marts", self.keys, self.load_id, self.sealed)
        assert made.whole_because
        return aside / "marts"


def _publish(
    warehouse: Warehouse, marts: Path, keys: Keys, load_id: str, sealed: list[tuple[str, str]]
) -> publish.Publication:
    return publish.publish(
        warehouse, marts, keys, load_id=load_id, keep=99, feeds=FEEDS, sealed=sealed, periods=load_rules()
    )


def differences(one: Path, other: Path, keys: Keys) -> list[str]:
    """What the marts of one publication have that those of the other have not: rows, columns, views, macros and what is said of them."""
    found = []
    for role in MARTS:
        con = engine.connect()
        for name, marts in (("one", one), ("other", other)):
            engine.attach(con, publish.current(marts).path(marts, role), name, keys.text(role), read_only=True)
        tables, told = ({name: _said(con, name) for name in ("one", "other")}, [])
        if tables["one"] != tables["other"]:
            told.append(f"{role}: what the file says of itself")
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'other'").fetchall():
            for mine, theirs in (("one", "other"), ("other", "one")):
                (rows,) = con.execute(
                    f'SELECT count(*) FROM (FROM {mine}.main."{table}" EXCEPT ALL FROM {theirs}.main."{table}")'
                ).fetchone() or (0,)
                if rows:
                    told.append(
                        f"{role}.{table}: {rows} row(s) only in {'the copy' if mine == 'one' else 'the one made whole'}"
                    )
        found += told
        con.close()
    return found


def _said(con: Any, name: str) -> list[Any]:
    return [
        con.execute(
            f"SELECT {columns} FROM duckdb_{kind}() WHERE database_name = ? AND NOT internal ORDER BY ALL", [name]
        ).fetchall()
        for kind, columns in (
            ("tables", "table_name, comment"),
            ("views", "view_name, sql, comment"),
            ("columns", "table_name, column_index, column_name, data_type, comment"),
            ("functions", "function_name, macro_definition, parameters"),
        )
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_began_as_a_copy_holds_what_is_made_whole(seed: int, tmp_path: Path) -> None:
    town = Town(tmp_path, seed)
    town.publish()
    copies = 0
    for _ in range(NIGHTS):
        town.pass_a_night()
        aside = town.publish_aside()
        published = town.publish()
        assert differences(tmp_path / "marts", aside, town.keys) == [], (
            f"on {town.load_id}, whole because: {published.whole_because}"
        )
        copies += not published.whole_because
    town.warehouse.close()
    assert copies > NIGHTS / 2, "most nights touch few, or this shows nothing"

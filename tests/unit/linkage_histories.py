"""Random histories of a small council, lived through twice: each night from what changed, and each night as a full run.

Nothing here is a test. The caps of linkage are set so low that a small council passes them, and comes back under them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import duckdb

from linkage import LinkageReport, LinkageSettings, link, run
from linkage.prepare import INPUTS
from tests.unit.linkage_world import NOW, SECRET, TODAY, add, empty_warehouse, nhs_number, upn
from warehouse.schema import COMMON_MODEL

SETTINGS = LinkageSettings(max_block=7, max_holders=4, max_component=9, constant_least=14)
FEEDS = ("health.fhir", "school.census", "social_care.ssd", "police.ppn")
FEEDS_OF_ADULTS = ("housing.tenants", "adults.cases")
GIVEN = (
    "Ruby",
    "Ruby Mae",
    "Leo",
    "Ella",
    "Elle",
    "Jim",
    "James",
    "Mohammed Ali",
    "Muhammad",
    "Baby",
    "Twin 1",
    "R",
    "Zqwx",
    None,
)
FAMILY = ("Patel", "Nowak", "Smith", "Smith-Jones", "Jones", "O'Brien", None)
DAYS = (
    date(2012, 3, 4),
    date(2012, 4, 3),
    date(2012, 3, 5),
    date(2012, 1, 1),
    date(2009, 7, 21),
    date(2026, 9, 2),
    date(2008, 11, 18),
    None,
)
GROWN_DAYS = (*(date(1950 + 3 * number, 5, 8) for number in range(9)), date(1974, 5, 18), date(1861, 12, 27), None)


def household(rng: random.Random, names: Iterator[int], number: int) -> list[dict[str, Any]]:
    """A few records of the children, or the adults, of one home; families share few values with each other, and their children many."""
    family, postcode = rng.choice(FAMILY), f"TS{number % 9} {number % 7}AA"
    children = [
        {"given": rng.choice(GIVEN), "family": family, "dob": rng.choice(DAYS), "sex": rng.choice("MF"), "postcode": postcode,
         "nhs": nhs_number(2 * number + child), "upn": upn(2 * number + child)}
        for child in range(rng.choice((1, 1, 2)))
    ]  # fmt: skip
    if number % 5 == 4:  # a home of adults
        grown = {"grown": True, "address": f"{number % 3} Mill Lane"}
        children = [
            child | grown | {"dob": GROWN_DAYS[(number + at) % len(GROWN_DAYS)]} for at, child in enumerate(children)
        ]
    return [record(rng, names, child, number) for child in children for _ in range(rng.choice((1, 2, 3)))]


def record(rng: random.Random, names: Iterator[int], child: dict[str, Any], number: int) -> dict[str, Any]:
    """One agency's record of a child, with what agencies get wrong."""
    feed = rng.choice(FEEDS)
    identifier = f"{rng.choice(('N/', ''))}{next(names)}" if feed == "police.ppn" else str(next(names))
    made = child | {"feed": feed, "id": identifier, "role": rng.choice(("child", "child", "unknown"))}
    if feed == "police.ppn" or rng.random() < 0.3:
        made |= {"nhs": None, "upn": None}
    if rng.random() < 0.6:
        made[rng.choice(("nhs", "upn"))] = None
    made["nhs_status"] = "01" if made["nhs"] and rng.random() < 0.5 else None
    if rng.random() < 0.1:
        made |= {
            "given": "Unborn",
            "dob": None,
            "expected": TODAY + timedelta(days=rng.randrange(-60, 60)),
            "nhs": None,
        }
    if "grown" in child:
        made |= {
            "feed": FEEDS_OF_ADULTS[FEEDS.index(feed) % 2],
            "role": "unknown",
            "given": child["given"],
            "dob": child["dob"],
        }
        made |= {"expected": None, "nhs": None, "upn": None, "nhs_status": None}
    return slip(rng, made, number) if rng.random() < 0.4 else made


def slip(rng: random.Random, made: dict[str, Any], number: int) -> dict[str, Any]:
    """The record with one thing in it said otherwise."""
    what = rng.choice(
        (
            "given",
            "family",
            "dob",
            "precision",
            "postcode",
            "nhs",
            "upn",
            "role",
            "also_known",
            "past_postcodes",
            "home",
            "alone",
        )
    )
    if what == "alone":  # one name, in the field of given names
        return made | {"given": made["family"], "family": None}
    value: Any = {
        "given": rng.choice(GIVEN),
        "family": rng.choice(FAMILY),
        "dob": rng.choice(DAYS),
        "precision": rng.choice(("month", "year", "age")),
        "postcode": f"TS{rng.randrange(9)} {rng.randrange(7)}AA",
        "nhs": nhs_number(rng.randrange(2 * number + 4)),
        "upn": upn(rng.randrange(2 * number + 4)),
        "role": rng.choice(("child", "adult", "unknown")),
        "also_known": [("alias", rng.choice(GIVEN), rng.choice(FAMILY))],
        "past_postcodes": [f"TS{rng.randrange(9)} {rng.randrange(7)}AA"],
        "home": "1 High Street",
    }[what]
    return made | {"address" if what == "home" else what: value}


def key(made: dict[str, Any]) -> str:
    return f"{made['feed']}:{made['id']}"


class Council:
    """What the sources say and what people have decided, as nights go by."""

    def __init__(self, seed: int, homes: int) -> None:
        self.rng = random.Random(seed)
        self.names: Iterator[int] = count(1)
        self.homes = homes
        records = [made for number in range(homes) for made in household(self.rng, self.names, number)]
        self.records = {key(made): made for made in records}
        self.decisions: list[tuple[str, str, str, str, str, datetime | None]] = []

    def pass_a_day(self, night: int) -> tuple[list[str], list[dict[str, Any]]]:
        """The records that are not what they were, and the records that take their place."""
        gone: set[str] = set()
        fresh: list[dict[str, Any]] = []
        for _ in range(self.rng.choice((0, 1, 2, 4))):
            happening = self.rng.choice(
                (
                    "add",
                    "join",
                    "correct",
                    "correct",
                    "retract",
                    "re-key",
                    "decide",
                    "decide",
                    "relate",
                    "crowd",
                    "again",
                )
            )
            old = self.rng.choice(sorted(self.records.keys() - gone))
            known = self.records[old]
            if happening == "add":
                fresh += household(self.rng, self.names, self.homes)
                self.homes += 1
            elif happening == "join":
                fresh.append(record(self.rng, self.names, known | {"also_known": ()}, self.homes))
            elif happening == "correct":
                gone.add(old)
                fresh.append(slip(self.rng, known, self.homes))
            elif happening == "retract":
                gone.add(old)
            elif happening == "re-key":
                gone.add(old)
                fresh.append(
                    known
                    | {
                        "id": str(next(self.names)),
                        "former_upn": known["upn"],
                        "upn": upn(500 + next(self.names) % 300),
                    }
                )
            elif happening == "relate":
                gone.add(old)
                fresh.append(
                    known
                    | {
                        "relations": [
                            (self.rng.choice(sorted(self.records)), self.rng.choice(("mother", "sibling")), True)
                        ]
                    }
                )
            elif happening == "again":  # a register has the child under two keys, and another one knows both homes
                register, other = self.rng.sample(FEEDS[:3], 2)
                moved = known | {"role": "child", "postcode": f"TS8{self.rng.randrange(9)} 5XY"}
                fresh += [
                    known | {"role": "child", "feed": register, "id": str(next(self.names))},
                    moved | {"feed": register, "id": str(next(self.names)), "nhs": None, "upn": None},
                    moved | {"feed": other, "id": str(next(self.names)), "past_postcodes": [known["postcode"]]},
                ]
            elif (
                happening == "crowd"
            ):  # a hostel: caps are passed, and not for ever, since its people are corrected and retracted
                fresh += [
                    record(self.rng, self.names, known | {"given": self.rng.choice(GIVEN)}, self.homes)
                    for _ in range(4)
                ]
            else:
                near = [
                    other
                    for other, made in sorted(self.records.items())
                    if made["postcode"] == known["postcode"] and other != old
                ]
                other = self.rng.choice(near or sorted(self.records.keys() - {old}))
                kind = self.rng.choice(("must_link", "must_link", "cannot_link", "seal"))
                self.decisions.append((kind, old, other, "reviewer", "as told", NOW + timedelta(days=night)))
        for old in gone:
            del self.records[old]
        fresh = [made for made in fresh if key(made) not in self.records]
        self.records |= {key(made): made for made in fresh}
        return sorted(gone), list({key(made): made for made in fresh}.values())


def apply(con: duckdb.DuckDBPyConnection, gone: list[str], fresh: list[dict[str, Any]]) -> None:
    for table in COMMON_MODEL:
        if gone:
            con.execute(
                f"UPDATE {table} SET superseded_at = ? WHERE superseded_at IS NULL AND record_id IN (SELECT unnest(?))",
                [NOW, gone],
            )
    add(con, fresh)


def left(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Everything that linking leaves for identify() and for people."""
    return {
        "linkage_cluster": con.execute("SELECT * EXCLUDE (applied) FROM linkage_cluster ORDER BY ALL").fetchall(),
        "linkage_question": con.execute("SELECT * FROM linkage_question ORDER BY ALL").fetchall(),
    }


def told(report: LinkageReport) -> dict[str, Any]:
    """What a report says of all records."""
    return {
        name: getattr(report, name)
        for name in ("records", "clusters", "potential_matches", "by_how", "by_rule", "findings")
    }


def live(
    seed: int, *, homes: int, nights: int
) -> Iterator[tuple[LinkageReport, dict[str, Any], dict[str, Any], duckdb.DuckDBPyConnection]]:
    """Each night after the first: its report, what it left, what a full run of the same records leaves that remembers nothing, and the
    warehouse, identified."""
    council = Council(seed, homes)
    con = empty_warehouse()
    con.execute("SET threads = 1")
    add(con, council.records.values())
    for number in range(1, nights + 2):
        if number > 1:
            apply(con, *council.pass_a_day(number))
        today = TODAY + timedelta(days=11 * number)
        ran = run(
            con,
            load_id=f"L{number}",
            now=NOW + timedelta(days=number),
            today=today,
            secret=SECRET,
            decisions=council.decisions,
            settings=SETTINGS,
        ).linkage
        if number > 1:
            con.execute("ATTACH ':memory:' AS afresh; USE afresh")
            for table in INPUTS:
                con.execute(f"CREATE VIEW {table} AS SELECT * FROM core.{table}")
            whole = link(con, load_id="again", today=today, decisions=council.decisions, settings=SETTINGS)
            full = left(con) | told(whole)
            con.execute("USE core; DETACH afresh")
            yield ran, left(con) | told(ran), full, con

"""Reports of missing people, as the force's own system holds them: who, since when, how grave, found where.

A report changes as it goes on and is sent again. Here: the reports and their file. Not here: notices (police.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

from synthetic.csv_text import csv_text
from synthetic.dirt import Occasion, Seen, see
from synthetic.places import AUTHORITY
from synthetic.police import SEX_WORDS, Police
from synthetic.population import Person
from synthetic.social_care import SocialCare, texts

COLUMNS = (
    "misper_id", "person", "surname", "forename", "dob", "sex", "address", "postcode", "reported_at", "last_seen_at",
    "found_at", "found_location", "risk_level", "risk_changes", "reporter_role", "circumstances", "looked_after",
    "placing_la", "cse_flag", "cce_flag", "harm_suffered", "prevention_interview_at", "iri_offered_at",
    "iri_completed_at", "status", "handling_code",
)  # fmt: skip
RISKS = ("high", "medium", "low", "no apparent risk")
REPORTED_FROM = 8


@dataclass(slots=True, eq=False)
class Report:
    """One report, as it stands tonight."""

    key: str
    person: Person
    seen: Seen
    reported: datetime
    last_seen: datetime | None
    found: datetime | None
    place: str
    risk: str
    changes: list[tuple[datetime, str]]
    reporter: str
    words: str
    looked_after: bool
    exploited: bool
    harm: str
    in_one_field: bool
    status: str
    handling: str
    offered: datetime | None = None
    sent: bool = False
    found_told: bool = False


class MissingPeople:
    """The reports of one force. `pending` are those sent tonight."""

    def __init__(self, police: Police, care: SocialCare, seed: int, today: date) -> None:
        self.police, self.care, self.today = police, care, today
        self.rng = Random(f"{seed}/missing")
        self.reports: list[Report] = []
        self.pending: list[Report] = []

    def open(self) -> None:
        """Two years of reports: children missing from care, those of whom a notice tells, and the canary."""
        for record in self.care.records.values():
            for _, day, back in record.missing:
                # The council's dates and the force's differ by a day now and then, as they do in life.
                told = day - timedelta(1) if self.rng.random() < 0.2 else day
                self.add(record.person, told, back, looked_after=True)
        for incident in self.police.incidents:
            if incident.kind == "missing" and incident.children:
                person, day = incident.children[0].person, incident.happened.date()
                if not person.due and person.age(day) >= REPORTED_FROM:
                    self.add(person, day, day + timedelta(1))
        canary = self.police.cast.canary
        if canary:
            self.add(canary, self.today - timedelta(20), self.today - timedelta(19))
        teenagers = [
            child
            for home in self.police.cast.police_households
            for child in home.children
            if not child.due and 12 <= child.age(self.today) <= 17
        ]
        for person in self.rng.sample(teenagers, min(len(teenagers), max(2, len(teenagers) // 12))):
            self.add(person, self.today - timedelta(1), None)

    def add(self, person: Person, day: date, back: date | None, *, looked_after: bool = False) -> Report:
        """A new report; `back` is when the person was found, None while missing."""
        rng, words = self.rng, texts()["missing"]
        reported = datetime.combine(day, time(rng.randrange(16, 24), rng.randrange(60)))
        seen = see(person, rng, Occasion("police", day, day), frozenset(), clean=person.id in self.police.cast.clean)
        grade = rng.choices(RISKS, (25, 50, 20, 5))[0]
        found = datetime.combine(back, time(rng.randrange(1, 12), rng.randrange(60))) if back else None
        changes = [(reported + timedelta(hours=2), rng.choice(RISKS[:2]))] if rng.random() < 0.3 else []
        report = Report(
            f"MP{day.year % 100}-{40000 + len(self.reports) * 7}",
            person,
            seen,
            reported,
            reported - timedelta(hours=rng.randrange(1, 9)) if rng.random() < 0.8 else None,
            found if found is None or found > reported else reported + timedelta(hours=3),
            rng.choice(words["found"]),
            grade,
            changes,
            "children's home" if looked_after else rng.choice(("parent", "parent", "school", "carer")),
            rng.choice(words["circumstances"]),
            looked_after,
            rng.random() < 0.12,
            "Cut hand, treated" if rng.random() < 0.05 else "N",
            rng.random() < 0.3,
            "closed" if found else "open",
            rng.choice(("partners", "mash_only", "")),
            found + timedelta(hours=20) if found and rng.random() < 0.8 else None,
        )
        self.reports.append(report)
        self.pending.append(report)
        return report

    def earlier(self, count: int, rng: Random, *, still_missing: bool = False) -> list[Report]:
        """Reports of earlier nights that still stand, of nobody who plays a part."""
        pool = [
            report
            for report in self.reports
            if report.sent
            and report not in self.pending
            and report.status != "entered_in_error"
            and report.person.id not in self.police.cast.clean
            and (report.found is None) == still_missing
        ]
        return rng.sample(pool, min(len(pool), count))


def write_missing(missing: MissingPeople, path: Path) -> None:
    """Tonight's reports in one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [_row(missing, report) for report in missing.pending]
    path.write_bytes(csv_text(COLUMNS, rows).encode("utf-8"))
    missing.police.truth.wrote(f"police/missing/{path.name}", len(rows))
    missing.pending = []


def _row(missing: MissingPeople, report: Report) -> tuple[str, ...]:
    seen, key = report.seen, report.key
    born = f"{seen.dob:%d/%m/%Y}" if seen.dob else seen.dob_text
    whole = f"{seen.family.upper()}, {seen.given}".strip(", ") + (f" ({born})" if seen.dob else "")
    apart = not report.in_one_field or seen.dob is None
    _tell(missing, report)
    return (
        key, "" if apart else whole, seen.family if apart else "", seen.given if apart else "", born if apart else "",
        SEX_WORDS[1]["MFU".index(seen.sex)], seen.address.first_line(), seen.postcode, _time(report.reported),
        _time(report.last_seen), _time(report.found), report.place if report.found else "", report.risk,
        "; ".join(f"{_time(when)} {grade}" for when, grade in report.changes), report.reporter, report.words,
        "Y" if report.looked_after else "N", AUTHORITY if report.looked_after else "",
        "Y" if report.exploited else "N", "N", report.harm if report.found else "",
        _time(report.found + timedelta(hours=4)) if report.found else "", _time(report.offered), "", report.status,
        report.handling,
    )  # fmt: skip


def _tell(missing: MissingPeople, report: Report) -> None:
    """The truth of a report: told once, found once, and whether it is taken back."""
    truth, key, seen = missing.police.truth, report.key, report.seen
    truth.record("police", "missing", key, report.person, seen.traps, insufficient=seen.insufficient())
    expected = "absent" if report.status == "entered_in_error" else "shown"
    if not report.sent:
        day = report.reported.date()
        truth.event("police", "missing", f"{key}/report", report.person, day, "missing_episode", "mixed", key, expected)
    elif report.status == "entered_in_error":
        truth.retract(f"{key}/report")
        truth.retract(f"{key}/found")
    if report.found and not report.found_told and report.status != "entered_in_error":
        kind = "fact" if report.harm == "N" else "mixed"
        truth.event("police", "missing", f"{key}/found", report.person, report.found.date(), "found", kind, key)
        report.found_told = True
    report.sent = True


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}+00:00" if moment else ""

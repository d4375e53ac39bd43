"""What school staff write down about pupils: safeguarding notes, seen, felt, told, or said by the child.

Here: the notes and their file. Not here: who the pupils are (school.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

from synthetic.csv_text import csv_text
from synthetic.places import AUTHORITY, School
from synthetic.population import Person
from synthetic.school import Pupil, Schools, is_school_day
from synthetic.social_care import texts

COLUMNS = (
    "incident_id", "upn", "surname", "forename", "dob", "occurred_at", "recorded_at", "recorded_by_role", "categories",
    "statement_kind", "narrative", "action", "status",
)  # fmt: skip
NOTED = 0.05
"""Share of pupils somebody has written about; invented."""
ROLES = ("class teacher", "designated safeguarding lead", "teaching assistant", "lunchtime supervisor", "school nurse")
CATEGORIES = ("Neglect", "Behaviour change", "Injury", "Attendance", "Domestic abuse", "Online safety", "Home visit")
ACTIONS = ("Passed to the safeguarding lead", "Spoke to the parent at the gate", "Referred to social care", "")
SPELT = {"child_voice": "Child voice", "professional_opinion": "Professional-opinion"}
"""How one vendor writes kinds of statement."""


@dataclass(slots=True, eq=False)
class Note:
    """One note about one or several pupils of a school."""

    key: str
    school: School
    pupils: list[Pupil]
    occurred: datetime | None
    recorded: datetime
    role: str
    categories: str
    kind: str
    text: str
    action: str
    status: str = "open"
    sent: bool = False


class Notes:
    """The notes of all schools. `pending` are those sent tonight."""

    def __init__(self, schools: Schools, seed: int, today: date) -> None:
        self.schools, self.today = schools, today
        self.rng = Random(f"{seed}/notes")
        self.notes: list[Note] = []
        self.pending: list[Note] = []

    def open(self) -> None:
        """A year of notes; the story and the canary are always among them."""
        cast = self.schools.cast
        wanted = {person.id for person in (cast.story, cast.canary) if person}
        for pupil in self.schools.pupils:
            if pupil.person.id in wanted or self.rng.random() < NOTED:
                for _ in range(self.rng.choices((1, 2, 4), (70, 22, 8))[0]):
                    self.add(pupil, self.today - timedelta(self.rng.randrange(2, 380)))
        if cast.story and cast.story.id in self.schools.by_person:
            self.add(self.schools.by_person[cast.story.id], self.today - timedelta(4), kind="unease")

    def add(self, pupil: Pupil, day: date, *, kind: str = "") -> Note:
        """A note; now and then about a brother or sister at the school too, undated, or written down days later."""
        rng, words = self.rng, texts()["note"]
        while not is_school_day(day):
            day -= timedelta(1)
        kind = kind or rng.choices(list(words), (30, 14, 16, 8, 18, 10, 4))[0]
        occurred = datetime.combine(day, time(rng.randrange(8, 16), rng.randrange(0, 60, 5)))
        late = (
            timedelta(days=rng.choice((1, 3, 9))) if rng.random() < 0.12 else timedelta(minutes=rng.randrange(20, 200))
        )
        pupils = [pupil]
        if rng.random() < 0.15:
            pupils += [
                other
                for child in pupil.person.household.children
                if (other := self.schools.by_person.get(child.id))
                and other is not pupil
                and other.school == pupil.school
            ][:1]
        note = Note(
            f"SN{pupil.school.estab}-{1000 + len(self.notes) * 3}",
            pupil.school,
            pupils,
            None if rng.random() < 0.03 else occurred,
            min(occurred + late, datetime.combine(self.today, time(5, 0))),
            rng.choice(ROLES),
            ";".join(rng.sample(CATEGORIES, rng.choice((0, 1, 1, 2)))),
            kind,
            rng.choice(words[kind]).format(child=pupil.seen.given or "The pupil"),
            rng.choice(ACTIONS),
            rng.choices(("open", "monitoring", "closed"), (30, 20, 50))[0],
        )
        if day >= self.today - timedelta(10):
            note.status = "open"
        self.notes.append(note)
        self.pending.append(note)
        return note

    def earlier(self, count: int, rng: Random, special: set[str]) -> list[Note]:
        """Notes of earlier nights that still stand, about pupils whose number has not changed since."""
        pool = [
            note
            for note in self.notes
            if note.sent
            and note not in self.pending
            and note.status != "entered_in_error"
            and not any(pupil.person.id in special or "upn_replaced" in pupil.seen.traps for pupil in note.pupils)
        ]
        return rng.sample(pool, min(len(pool), count))


def write_notes(notes: Notes, folder: Path) -> None:
    """Tonight's notes, one file per school's system; one vendor writes dates day first, in Windows-1252."""
    folder.mkdir(parents=True, exist_ok=True)
    by_school: dict[str, list[Note]] = {}
    for note in notes.pending:
        by_school.setdefault(note.school.estab, []).append(note)
    for estab, tonight in sorted(by_school.items()):
        vendor = int(estab) % 3 == 1
        rows = [row for note in tonight for row in _rows(notes, note, vendor)]
        text = csv_text(COLUMNS, rows)
        if vendor:
            text = text.replace("\n", "\r\n")
        path = folder / f"{AUTHORITY}{estab}_notes_{notes.today:%Y%m%d}.csv"
        path.write_bytes(text.encode("cp1252", "replace") if vendor else text.encode("utf-8-sig"))
        notes.schools.truth.wrote(f"school/incidents/{path.name}", len(rows))
    notes.pending = []


def _rows(notes: Notes, note: Note, vendor: bool) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for pupil in note.pupils:
        seen, born = pupil.seen, pupil.seen.dob
        rows.append(
            (
                note.key, seen.upn, seen.family, seen.given,
                (f"{born:%d/%m/%Y}" if vendor else born.isoformat()) if born else "",
                f"{note.occurred:%Y-%m-%dT%H:%M:00}" if note.occurred else "", f"{note.recorded:%Y-%m-%dT%H:%M:00}",
                note.role, note.categories, SPELT.get(note.kind, note.kind) if vendor else note.kind, note.text,
                note.action, note.status,
            )
        )  # fmt: skip
        _tell(notes, note, pupil)
    note.sent = True
    return rows


def _tell(notes: Notes, note: Note, pupil: Pupil) -> None:
    """The truth of a note: the first time it is sent, and whether it is taken back."""
    truth, upn = notes.schools.truth, pupil.seen.upn
    truth.record("school", "incidents", upn, pupil.person, pupil.seen.traps, insufficient=pupil.seen.insufficient())
    ref = f"{note.key}/{upn}"
    if not note.sent:
        expected = "absent" if note.status == "entered_in_error" else "shown"
        day = note.occurred.date() if note.occurred else None
        truth.event("school", "incidents", ref, pupil.person, day, "safeguarding_note", note.kind, upn, expected)
    elif note.status == "entered_in_error":
        truth.retract(ref)


def special_people(notes: Notes) -> set[str]:
    """People whose notes a later night leaves alone: they play a part."""
    cast = notes.schools.cast
    parts: tuple[Person | None, ...] = (cast.canary, cast.story, cast.vanished)
    return {person.id for person in parts if person} | cast.clean

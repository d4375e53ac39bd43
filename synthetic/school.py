"""What the schools' systems hold: pupils as each school knows them, their session marks, suspensions and special needs.

One system feeds census, CTF and attendance, so the three share a pupil's mistakes. Not here: file layouts
(write_school.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from synthetic.cast import Cast
from synthetic.dirt import Occasion, Seen, see
from synthetic.places import School
from synthetic.population import Person
from synthetic.social_care import texts
from synthetic.truth import Truth

WEEKS_ON_FIRST_NIGHT = 5
ABSENCE_RATES = (0.025, 0.13, 0.45)
ABSENCE_WEIGHTS = (88, 10, 2)
RUN_CODES = "I" * 52 + "O" * 14 + "N" * 10 + "C" * 6 + "G" * 6 + "RT" + "SXQ" + "EE"
SINGLE_CODES = "M" * 6 + "L" * 9 + "U" * 3 + "V" * 3 + "P" * 2 + "BWKDJ"
OTHER_CODES = ("C1", "C2", "J1", "Y1", "Y2", "Y3", "Y5", "Y6", "Y7", "K", "Q", "Z", "#")
EVENT_RUN = 10
"""Sessions of unexplained or unauthorised absence in a row that the truth lists as an event."""
SEN_TYPES = ("SPLD", "MLD", "SLD", "SEMH", "SLCN", "HI", "VI", "PD", "ASD", "OTH")


@dataclass(slots=True, eq=False)
class Pupil:
    """One pupil in one school's system."""

    person: Person
    school: School
    seen: Seen
    native_id: str
    entry: date
    last_codes: dict[date, tuple[str, str]] = field(default_factory=dict)
    on_roll: bool = True
    sen: str = "N"


class Schools:
    """All schools of the authority."""

    def __init__(self, cast: Cast, truth: Truth, seed: int, today: date) -> None:
        self.cast, self.truth, self.today = cast, truth, today
        self.rng = Random(f"{seed}/school")
        self.pupils: list[Pupil] = []
        self.leavers: list[Pupil] = []
        self.by_person: dict[str, Pupil] = {}
        self.ctf_due: list[Pupil] = []
        self._serial = 0

    def open(self) -> None:
        """Rolls as they stand on the first night; every pupil is in the first CTF."""
        for person in self.cast.in_school:
            self.add_pupil(person)
        by_school: dict[str, list[Pupil]] = {}
        for pupil in self.pupils:
            by_school.setdefault(pupil.school.estab, []).append(pupil)
        self.ctf_due = list(self.pupils)

    def add_pupil(self, person: Person, *, forced: frozenset[str] = frozenset()) -> Pupil:
        """A pupil joins the roll of the person's school."""
        rng, cast = self.rng, self.cast
        if person.school is None:
            raise ValueError("a pupil needs a school")
        planted = cast.mistakes("school", person)
        seen = see(person, rng, Occasion("school", self.today), planted | forced, clean=person.id in cast.clean)
        if "upn_temporary" in person.traps:
            seen.upn = person.temporary_upn
        elif person.temporary_upn:
            seen.former_upn = person.temporary_upn
        if not seen.family:
            seen.family = rng.choice((seen.given, ".", "XXX")) if "family_missing" not in seen.traps else ""
        entry = self._entry(person, rng)
        pupil = Pupil(person, person.school, seen, self._native_id(person.school), entry)
        pupil.sen = rng.choices("NKE", (83, 13, 4))[0]
        self.pupils.append(pupil)
        self.by_person[person.id] = pupil
        if person.former_school:
            left = Pupil(
                person,
                person.former_school,
                seen,
                self._native_id(person.former_school),
                entry - timedelta(700),
                on_roll=False,
            )
            self.leavers.append(left)
        return pupil

    def _native_id(self, school: School) -> str:
        self._serial += 1
        return f"{school.estab}{self._serial:06d}"

    def _entry(self, person: Person, rng: Random) -> date:
        autumn = date(self.today.year if self.today.month >= 9 else self.today.year - 1, 9, 1)
        first = person.dob.year + (4 if (person.dob.month, person.dob.day) <= (8, 31) else 5)
        if person.school and person.school.phase == "secondary":
            first += 7
        if person.former_school:
            return autumn + timedelta(rng.randrange(0, 20))
        return min(date(max(first, 2008), 9, 1), autumn)

    # Session marks

    def school_days(self, before: date, weeks: int = WEEKS_ON_FIRST_NIGHT) -> list[date]:
        """So many weeks of school days that end before a day, the half-term week left out."""
        days: list[date] = []
        day = before - timedelta(1)
        while len(days) < weeks * 5:
            if is_school_day(day):
                days.append(day)
            day -= timedelta(1)
        return days[::-1]

    def marks(self, pupil: Pupil, days: list[date], rng: Random) -> list[str]:
        """AM and PM codes of these days; a few pupils are hardly there, some are away a week at a time."""
        codes = ["/", "\\"] * len(days)
        person = pupil.person
        rate = rng.choices(ABSENCE_RATES, ABSENCE_WEIGHTS)[0]
        away = rate * len(days)
        runs = int(away / 2.2) + (rng.random() < (away / 2.2) % 1)
        for _ in range(runs):
            code = rng.choice(RUN_CODES)
            if person.origin == "traveller" and rng.random() < 0.3:
                code = "T"
            length = rng.choices((2, 4, 6, 10, 14), (34, 32, 18, 12, 4))[0]
            start = rng.randrange(0, len(codes), 2)
            for at in range(start, min(start + length, len(codes))):
                codes[at] = code
        if rng.random() < 0.35:
            codes[rng.randrange(len(codes))] = rng.choice(SINGLE_CODES)
        if rng.random() < 0.01:
            codes[rng.randrange(len(codes))] = rng.choice(OTHER_CODES)
        if person is self.cast.story and len(codes) >= 12:
            codes[-12:] = ["N"] * 12
        return codes

    def absence_events(self, pupil: Pupil, days: list[date], codes: list[str], upn: str) -> None:
        """Runs of N, O or U long enough to be an event; dated by their first day."""
        start: int | None = None
        for at, code in enumerate([*codes, "/"]):
            bad = code in ("N", "O", "U")
            if bad and start is None:
                start = at
            elif not bad and start is not None:
                if at - start >= EVENT_RUN:
                    first = days[start // 2]
                    ref = f"{upn}/{first.isoformat()}"
                    self.truth.event("school", "attendance", ref, pupil.person, first, "absence_run", "fact", upn)
                start = None

    def suspensions(self, rng: Random) -> list[tuple[Pupil, date, int, list[str], str]]:
        """Suspensions of the last two terms, and the odd permanent exclusion."""
        found = []
        for pupil in self.pupils:
            if pupil.person.age(self.today) >= 8 and rng.random() < 0.025:
                day = date(self.today.year, rng.choice((2, 3, 5, 6)), rng.randrange(2, 26))
                while day.weekday() > 4:
                    day += timedelta(1)
                if day < pupil.entry:
                    continue
                reasons = rng.sample(texts()["school"]["suspension_reasons"], rng.randrange(1, 3))
                found.append(
                    (pupil, day, rng.choice((1, 2, 4, 6, 10)), reasons, "PERM" if rng.random() < 0.05 else "SUSP")
                )
        return found


def is_school_day(day: date) -> bool:
    """Monday to Friday, without the week of the last Monday in October."""
    if day.weekday() > 4:
        return False
    last_monday = max(
        date(day.year, 10, number) for number in range(25, 32) if date(day.year, 10, number).weekday() == 0
    )
    return not last_monday <= day <= last_monday + timedelta(6)

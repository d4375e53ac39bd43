"""What the police write down: incidents at households, as protection notices and Encompass notifications.

One notice is about several children and adults, and every officer spells anew: each notice has mistakes of its own.
Not here: file layouts (write_police.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random

from synthetic.cast import CANARY, Cast
from synthetic.dirt import Occasion, Seen, see
from synthetic.names import without_marks
from synthetic.places import Address, School
from synthetic.population import Household, Person
from synthetic.school import is_school_day
from synthetic.social_care import texts
from synthetic.truth import Truth

FORCE = "59"
KINDS = ("DA", "concern_for_welfare", "missing", "CSE_CCE", "child")
KIND_WEIGHTS = (52, 26, 9, 5, 8)
ETHNIC_SELF_DEFINED = {
    "WBRI": "W1", "WIRI": "W2", "WIRT": "W3", "WROM": "W4", "WOTH": "W9", "MWBC": "M1", "MWBA": "M2", "MWAS": "M3",
    "MOTH": "M9", "AIND": "A1",
    "APKN": "A2", "ABAN": "A3", "CHNE": "A4", "AOTH": "A9", "BCRB": "B1", "BAFR": "B2", "BOTH": "B9", "OOTH": "O9",
    "REFU": "NS", "NOBT": "",
}  # fmt: skip
OBSERVED = {"W": "IC1", "M": "IC9", "A": "IC4", "B": "IC3", "O": "IC6", "N": "IC9", "": "IC7"}
SEX_WORDS = (("M", "F", "U"), ("Male", "Female", "Not Known"), ("m", "f", "u"))
NOTIFIED_FROM = 4
WRITTEN_AS_BABY_BELOW = 1
# How long before birth anybody can speak of an unborn child: a pregnancy, less the weeks before it is known.
KNOWN_BEFORE_BIRTH = timedelta(230)


@dataclass(slots=True, eq=False)
class NoticeChild:
    """One child on a notice, as this officer wrote them."""

    index: int
    person: Person
    seen: Seen
    present: str
    spoken_to: bool
    words: str
    school: School | None


@dataclass(slots=True, eq=False)
class Incident:
    """One incident and the notice about it."""

    ppn: str
    reference: str
    kind: str
    happened: datetime
    submitted: datetime
    household: Household
    place: Address
    children: list[NoticeChild] = field(default_factory=list)
    adults: list[tuple[Person, str, str]] = field(default_factory=list)
    narrative: str = ""
    grade: str = ""
    sex_words: int = 0
    powers: str = "N"
    encompass: list[tuple[str, NoticeChild, datetime]] = field(default_factory=list)
    officer: str = ""
    action: str = ""


class Police:
    """One force. `pending` are the incidents that will be sent tonight."""

    def __init__(self, cast: Cast, truth: Truth, seed: int, today: date) -> None:
        self.cast, self.truth, self.today = cast, truth, today
        self.rng = Random(f"{seed}/police")
        self.incidents: list[Incident] = []
        self.pending: list[Incident] = []
        self._serial = 0

    def open(self) -> None:
        """Two and a half years of incidents at the households police know."""
        specials = {person.household.id for person in (self.cast.canary, self.cast.story) if person}
        for household in self.cast.police_households:
            count = self.rng.choices((1, 2, 3, 4), (62, 22, 10, 6))[0]
            for _ in range(count):
                self.add_incident(household, self.today - timedelta(self.rng.randrange(2, 900)))
            if household.id in specials or household in self.cast.young_twins:
                self.add_incident(household, self.today - timedelta(self.rng.randrange(3, 12)), kind="DA")

    def add_incident(
        self,
        household: Household,
        day: date,
        *,
        kind: str = "",
        only: Person | None = None,
        forced: frozenset[str] = frozenset(),
    ) -> Incident:
        """An incident: the children there, the adults, sometimes a child of another home who was visiting."""
        rng, cast = self.rng, self.cast
        self._serial += 1
        happened = datetime.combine(day, time(rng.randrange(0, 24), rng.randrange(0, 60)))
        submitted = happened + timedelta(minutes=rng.randrange(50, 900))
        kind = kind or rng.choices(KINDS, KIND_WEIGHTS)[0]
        ppn = f"WP{day.year % 100}-{310000 + self._serial * 3}"
        incident = Incident(
            ppn, f"INC{700000 + self._serial * 11}", kind, happened, submitted, household, household.address(day)
        )
        incident.sex_words = rng.choices((0, 1, 2), (80, 14, 6))[0]
        incident.officer = f"PC{rng.randrange(1000, 9999)}"
        incident.grade = rng.choice(("standard", "standard", "medium", "medium", "high", "GREEN", "AMBER", "RED"))
        present = [child for child in household.children if child.dob <= day or _expected(child, day)]
        # An adopted child left this home; the family is still visited.
        present = [child for child in present if "adopted_old" not in child.traps or day < self.today - timedelta(400)]
        if kind in ("missing", "CSE_CCE", "child") and not only and len(present) > 1:
            older = [child for child in present if child.dob <= day - timedelta(365 * 9)] or present
            present = [rng.choice(older)]
        if only:
            present = [only]
        elif kind == "DA" and rng.random() < 0.06 and len(cast.police_households) > 3:
            visited = rng.choice(cast.police_households)
            present += [child for child in visited.children if child.dob <= day and child.household is not household][
                :1
            ]
        for child in present:
            self._add_child(incident, child, rng, forced)
        if not incident.children:
            return incident
        roles = ("victim", "suspect") if kind == "DA" else ("parent", "parent")
        people = [(adult, relation) for adult, relation in household.adults if relation != "aunt"][
            :2
        ] or household.adults[:1]
        incident.adults = [(adult, relation, role) for (adult, relation), role in zip(people, roles, strict=False)]
        carer = people[0][0] if people else None
        text = rng.choice(texts()["ppn"][kind])
        incident.narrative = text.format(
            child=without_marks(incident.children[0].seen.given) or "Child",
            carer=(without_marks(carer.given) if carer else "Carer"),
        )
        incident.action = rng.choice(texts()["ppn"]["adult_action"])
        incident.powers = "Y" if rng.random() < 0.02 else "N"
        if kind == "DA":
            self._notify(incident, rng)
        self.incidents.append(incident)
        self.queue(incident)
        return incident

    def queue(self, incident: Incident) -> None:
        self.pending.append(incident)

    def _add_child(self, incident: Incident, child: Person, rng: Random, forced: frozenset[str]) -> None:
        day = incident.happened.date()
        planted = self.cast.mistakes("police", child)
        seen = see(child, rng, Occasion("police", day, day), planted | forced, clean=child.id in self.cast.clean)
        self._name_placeholder(child, seen, day, rng)
        if not seen.family and "one_name" in seen.traps:
            seen.family = rng.choice(("", seen.given, "XX"))
        if rng.random() < 0.9 and not {"marks_lost"} & seen.traps and not (seen.given + seen.family).isascii():
            seen.given, seen.family = without_marks(seen.given), without_marks(seen.family)
            seen.traps.add("marks_lost")
        spoken = child.age(day) >= 3 and rng.random() < 0.5
        words = rng.choice(texts()["ppn"]["voice"]) if spoken and rng.random() < 0.7 else ""
        incident.children.append(
            NoticeChild(
                len(incident.children) + 1,
                child,
                seen,
                rng.choices(("Y", "N", "not_known"), (75, 20, 5))[0],
                spoken,
                words,
                child.school,
            )
        )

    def _name_placeholder(self, child: Person, seen: Seen, day: date, rng: Random) -> None:
        """Unborn, BABY, Twin 1: what is written when nobody asked or nobody knows."""
        clean = child.id in self.cast.clean
        if child.due:
            # There is no number before birth.
            seen.given, seen.middle, seen.dob, seen.sex, seen.nhs = (
                rng.choice(("UNBORN BABY", "UNBORN")),
                "",
                None,
                "U",
                "",
            )
            seen.traps = {"unborn"}
        elif not clean and child.age(day) < WRITTEN_AS_BABY_BELOW and rng.random() < 0.35:
            seen.given, seen.middle = (
                rng.choice(("BABY", "BABY BOY" if child.sex == "M" else "BABY GIRL", "INFANT")),
                "",
            )
            if rng.random() < 0.5:
                seen.dob = None
                seen.age = 0
            seen.traps.add("placeholder_baby")
        elif child.birth_set and child.age(day) < 4 and rng.random() < 0.5:
            together = [other for other in child.household.children if other.birth_set == child.birth_set]
            seen.given, seen.middle = f"{'TWIN' if len(together) == 2 else 'TRIPLET'} {together.index(child) + 1}", ""
            seen.traps.add("placeholder_twin")

    def _notify(self, incident: Incident, rng: Random) -> None:
        """Encompass: the school of each child is told before the next school day begins; a few are told late."""
        day = incident.happened.date()
        next_day = day + timedelta(1)
        while not is_school_day(next_day):
            next_day += timedelta(1)
        late = rng.random() < 0.05
        sent = datetime.combine(next_day, time(10 if late else 7, rng.randrange(60)))
        for child in incident.children:
            person = child.person
            if (
                child.school
                and person.age(day) >= NOTIFIED_FROM
                and not person.due
                and (day > self.today - timedelta(420) or person.family == CANARY)
            ):
                incident.encompass.append((f"OE-{incident.ppn[2:]}-{child.index}", child, sent))


def _expected(child: Person, day: date) -> bool:
    return bool(child.due) and day >= child.dob - KNOWN_BEFORE_BIRTH

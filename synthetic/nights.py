"""What differs from one night to the next: news, moves, corrections, retractions, things sent twice or re-keyed.

Every deliberate change is told to the truth with what it should lead to. Not here: files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from synthetic.cast import Cast
from synthetic.health import Health, Patient
from synthetic.missing import MissingPeople
from synthetic.notes import Notes
from synthetic.police import Incident, Police
from synthetic.population import Person, Population
from synthetic.school import Pupil, Schools
from synthetic.social_care import SocialCare, texts
from synthetic.truth import Truth
from synthetic.youth_justice import YouthJustice


@dataclass(slots=True)
class World:
    """All agencies, who exists, and the truth."""

    population: Population
    cast: Cast
    truth: Truth
    care: SocialCare
    health: Health
    schools: Schools
    police: Police
    youth_justice: YouthJustice
    notes: Notes
    missing: MissingPeople
    seed: int

    def set_today(self, today: date) -> None:
        for part in (
            self.population,
            self.care,
            self.health,
            self.schools,
            self.police,
            self.youth_justice,
            self.notes,
            self.missing,
        ):
            part.today = today

    def open(self) -> None:
        """The first night: everything each agency holds. Order matters, for identifiers are handed out as they come."""
        self.care.open()
        self.health.open()
        self.schools.open()
        self.police.open()
        self.youth_justice.open()
        self.notes.open()
        self.missing.open()
        tell_story(self)


def tell_story(world: World) -> None:
    """One child's autumn, told by four agencies that each hold one tile; and the canary's line in a narrative."""
    cast, today = world.cast, world.population.today
    rng = Random(f"{world.seed}/story")
    story = cast.story
    if story and story.id in world.health.by_person:
        patient = world.health.by_person[story.id]
        world.health.add_encounter(
            patient, today - timedelta(24), "EMER", "Bruising to upper arm, history changed between tellings"
        )
        world.health.add_appointment(patient, today - timedelta(17), status="noshow")
        world.health.add_appointment(patient, today - timedelta(6), status="noshow")
        world.health.add_note(patient, today - timedelta(15), rng.choice(texts()["health"]["note"]))
        record = world.care.by_person.get(story.id)
        if record:
            world.care.add_contact(
                record,
                today - timedelta(21),
                "2A",
                "School: same jumper all week, hungry by ten, flinches when a door bangs.",
            )
            world.care.add_contact(
                record, today - timedelta(9), "6", "Police notification, verbal argument, children upstairs.", nfa=True
            )
    canary = cast.canary
    if canary and canary.id in world.health.by_person:
        words = f"Grandmother of {canary.given} {canary.family} rang: she has not seen them since half-term."
        world.health.add_note(world.health.by_person[canary.id], today - timedelta(8), words)


class Night:
    """The changes of one later night."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.rng = Random(f"{world.seed}/night{number}")
        self.today = world.population.today
        self.touched: set[str] = set()
        self.corrections: list[tuple[Pupil, date, str, str]] = []

    def tell(self, feed: str, what: str, key: str, person: Person, before: str, after: str, expect: str) -> None:
        """Tells the truth of a deliberate change and what it should lead to."""
        agency, _, name = feed.partition(".")
        self.world.truth.change(agency, name, what, key, person, before, after, expect)

    def count(self, share: float, least: int = 1) -> int:
        return max(least, round(len(self.world.population.children) * share))

    def is_special(self, person: Person) -> bool:
        cast = self.world.cast
        return (
            person.id in cast.clean
            or bool(person.traps & {"adopted_old", "adopted_new", "unborn"})
            or person is cast.vanished
        )

    def patients(self, count: int, fits: Callable[[Patient], bool] = lambda patient: True) -> list[Patient]:
        """Children's patients not changed tonight yet."""
        pool = [
            patient
            for patient in self.world.health.by_person.values()
            if patient.person.role == "child"
            and patient.person.id not in self.touched
            and not self.is_special(patient.person)
            and fits(patient)
        ]
        chosen = self.rng.sample(pool, min(count, len(pool)))
        self.touched |= {patient.person.id for patient in chosen}
        return chosen

    def earlier_incidents(self, count: int, least: int = 1) -> list[Incident]:
        """Incidents of earlier nights that are not sent tonight yet."""
        waiting = {incident.ppn for incident in self.world.police.pending}
        pool = [
            incident
            for incident in self.world.police.incidents
            if len(incident.children) >= least
            and incident.ppn not in waiting
            and not any(self.is_special(child.person) for child in incident.children)
        ]
        return self.rng.sample(pool, min(len(pool), count))

    def resend_pupil(self, pupil: Pupil, what: str, before: str, after: str, expect: str = "same person") -> None:
        self.world.schools.ctf_due.append(pupil)
        self.tell("school.ctf", what, pupil.seen.upn, pupil.person, before, after, expect)

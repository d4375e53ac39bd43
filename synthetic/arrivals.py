"""Who is new tonight, and who is gone: births, new patients, families, pupils; the child no longer mentioned.

Part of a later night (nights.py). Not here: what changes about people already known (changes.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from synthetic.names import origins
from synthetic.nights import Night
from synthetic.population import enrol, school_year


def births_of_unborn(night: Night) -> None:
    """The first unborn child is born: social care edits its record, health opens one for a baby without a name."""
    if night.number != 2:
        return
    world = night.world
    for child, _mother in world.cast.unborn[:1] + world.cast.unborn[2::2]:
        child.dob = night.today - timedelta(1)
        child.due = None
        child.traps |= {"unborn_now_born"}
        child.traps.discard("unborn")
        record = world.care.by_person.get(child.id)
        if record:
            seen = record.seen
            seen.dob, seen.sex, seen.given, seen.nhs = child.dob, child.sex, "Baby", child.nhs
            seen.traps |= {"unborn_now_born", "placeholder_baby"}
            night.tell(
                "social_care.ssd",
                "unborn is born",
                record.key,
                child,
                "",
                child.dob.isoformat(),
                "same record, same person; no longer unborn",
            )
        patient = world.health.add_patient(child)
        if not patient.baby:
            world.health.name_baby(patient)
        patient.seen.nhs, patient.seen.nhs_status = child.nhs, "08"
        patient.seen.traps |= {"unborn_now_born"}
        world.health.pending["Patient"].pop()
        patient.updated = None
        world.health.send(patient)
        night.tell(
            "health.fhir",
            "new patient, was unborn",
            patient.key,
            child,
            "",
            "",
            "linked to the unborn child's record, never to the mother",
        )


def vanish(night: Night) -> None:
    """A child the council spoke of yesterday is not in today's snapshot."""
    if night.number != 2:
        return
    child = night.world.cast.vanished
    record = night.world.care.by_person.get(child.id) if child else None
    if child and record:
        record.gone = True
        night.tell(
            "social_care.ssd",
            "no longer in the snapshot",
            record.key,
            child,
            "",
            "",
            "alarm; what was known stays, marked as no longer supplied",
        )


def name_babies(night: Night) -> None:
    """Some babies get their names."""
    world = night.world
    babies = [
        patient
        for patient in world.health.by_person.values()
        if patient.baby and patient.person.id not in night.touched
    ]
    for patient in night.rng.sample(babies, min(len(babies), night.count(0.001))):
        before = f"{patient.seen.given} {patient.seen.family}"
        patient.baby = False
        patient.seen.given, patient.seen.family = patient.person.given, patient.person.family
        patient.seen.nhs, patient.seen.nhs_status = patient.person.nhs, "01"
        patient.seen.traps.add("baby_named")
        night.touched.add(patient.person.id)
        world.health.send(patient)
        night.tell(
            "health.fhir",
            "baby named",
            patient.key,
            patient.person,
            before,
            f"{patient.seen.given} {patient.seen.family}",
            "same person",
        )


def newborns(night: Night) -> None:
    world, population = night.world, night.world.population
    homes = [
        home
        for home in population.households
        if home.children and home.kind in ("two parents", "blended", "single mother") and len(home.children) < 4
    ]
    for home in night.rng.sample(homes, min(len(homes), night.count(0.0006))):
        elder = home.children[0]
        if night.is_special(elder) or not elder.mother:
            continue
        sex = night.rng.choice("MF")
        child = population.add_child(
            home,
            sex=sex,
            dob=night.today - timedelta(1),
            given=origins()[elder.origin].given(night.rng, sex),
            middle="",
            family=elder.family,
            origin=elder.origin,
            ethnic=elder.ethnic,
            mother=elder.mother,
            father=elder.father,
            traps={"sibling", "newborn"},
        )
        patient = world.health.add_patient(child)
        night.tell("health.fhir", "new patient, newborn", patient.key, child, "", "", "a new person")


def new_patients(night: Night) -> None:
    world = night.world
    pool = [
        child
        for child in world.population.children
        if child.id not in world.health.by_person
        and not child.due
        and not night.is_special(child)
        and child.id not in night.touched
    ]
    for child in night.rng.sample(pool, min(len(pool), night.count(0.001, 2))):
        night.touched.add(child.id)
        patient = world.health.add_patient(child)
        night.tell(
            "health.fhir",
            "new patient",
            patient.key,
            child,
            "",
            "",
            "a new record, linked to the child's others where there are any",
        )


def new_families(night: Night) -> None:
    """Families become known to social care; what is told about them may be years old."""
    world = night.world
    homes = [
        home
        for home in world.population.households
        if home.children
        and home.kind not in ("adoptive", "care leaver", "foster care")
        and not any(child.id in world.care.by_person for child in home.children)
    ]
    for home in night.rng.sample(homes, min(len(homes), night.count(0.001, 2))):
        children = [child for child in home.children if not child.due]
        world.care.add_family(home, children)
        for child in children:
            record = world.care.by_person[child.id]
            night.tell(
                "social_care.ssd", "new child", record.key, child, "", "", "a new record, linked to the child's others"
            )


def new_pupils(night: Night) -> None:
    """Children taught elsewhere join a school; some are given a temporary number until their own is found."""
    world = night.world
    pool = [
        child
        for child in world.population.children
        if child.school is None
        and 0 <= school_year(child.dob, night.today) <= 11
        and not night.is_special(child)
        and child.id not in world.schools.by_person
    ]
    for child in night.rng.sample(pool, min(len(pool), night.count(0.0008, 2))):
        own = child.upn
        enrol(world.population, night.rng, child)
        child.upn = own or child.upn
        child.former_school = None
        if child.school and night.rng.random() < 0.5:
            child.temporary_upn = world.population.issuer.upn(
                "866", child.school.estab, night.today.year, temporary=True
            )
            child.traps.add("upn_temporary")
        pupil = world.schools.add_pupil(child)
        pupil.entry = night.today - timedelta(1)
        world.schools.ctf_due.append(pupil)
        night.tell(
            "school.ctf", "new pupil", pupil.seen.upn, child, "", "", "a new record, linked to the child's others"
        )


ARRIVALS: tuple[Callable[[Night], None], ...] = (
    births_of_unborn,
    vanish,
    name_babies,
    newborns,
    new_patients,
    new_families,
    new_pupils,
)
"""In the order of the night."""

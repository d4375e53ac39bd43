"""What changes tonight about people already known: moves, surnames, corrected dates and numbers, restrictions.

Part of a later night (nights.py). Each change is told to the truth with what it should lead to.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from synthetic.identifiers import is_temporary_upn
from synthetic.names import origins
from synthetic.nights import Night
from synthetic.population import Stay


def moves(night: Night) -> None:
    """A family moves: health is told tonight, the council perhaps, the school later."""
    world = night.world
    for patient in night.patients(
        night.count(0.0012, 2),
        lambda p: bool(p.person.household.adults) and not p.person.second_home and not p.seen.protected,
    ):
        home = patient.person.household
        old = home.home
        day = night.today - timedelta(night.rng.randrange(1, 12))
        if home.stays[-1].since >= day:
            continue
        home.stays[-1].until = day
        home.stays.append(Stay(world.population.streets.dwelling(), day))
        for child in home.children:
            night.touched.add(child.id)
            child.traps.add("moved_house")
            other = world.health.by_person.get(child.id)
            if other:
                other.old_homes.append((other.seen.address, day))
                other.seen.address, other.seen.postcode, other.since = home.home, home.home.postcode, day
                other.seen.traps |= {"moved_house"}
                world.health.send(other)
                night.tell(
                    "health.fhir",
                    "address changed",
                    other.key,
                    child,
                    old.postcode,
                    home.home.postcode,
                    "same person, old address kept as history",
                )
            record = world.care.by_person.get(child.id)
            if record and not record.gone:
                if night.rng.random() < 0.5:
                    last = record.addresses[-1]
                    record.addresses[-1] = (last[0], last[1], last[2], day)
                    record.addresses.append((home.home, home.home.postcode, day, None))
                    record.seen.address, record.seen.postcode = home.home, home.home.postcode
                    night.tell(
                        "social_care.ssd",
                        "address changed",
                        record.key,
                        child,
                        old.postcode,
                        home.home.postcode,
                        "same person",
                    )
                else:
                    record.seen.traps.add("stale_address")
            pupil = world.schools.by_person.get(child.id)
            if pupil and night.rng.random() < 0.4:
                pupil.seen.address, pupil.seen.postcode = home.home, home.home.postcode
                night.resend_pupil(pupil, "address changed", old.postcode, home.home.postcode)
            elif pupil:
                pupil.seen.traps.add("stale_address")


def surname_changes(night: Night) -> None:
    """Health and school learn the new surname, social care goes on with the old one."""
    world = night.world
    for patient in night.patients(
        night.count(0.0008, 2),
        lambda p: bool(p.seen.family and p.person.family and not p.person.former_family and not p.baby),
    ):
        person, seen = patient.person, patient.seen
        new = origins()[person.origin].family(night.rng)
        if night.rng.random() < 0.4 and " " not in new + person.family and "-" not in new + person.family:
            new = f"{person.family}-{new}"
        if new == person.family:
            continue
        day = night.today - timedelta(2)
        patient.old_names.append((seen.given, seen.family, day))
        person.former_family, person.family, person.renamed_on = person.family, new, day
        person.traps.add("surname_changed")
        before, seen.family = seen.family, new
        seen.traps.add("surname_changed")
        world.health.send(patient)
        night.tell(
            "health.fhir", "surname changed", patient.key, person, before, new, "same person, old name kept as history"
        )
        record = world.care.by_person.get(person.id)
        if record:
            record.seen.traps.add("old_surname_here")
        pupil = world.schools.by_person.get(person.id)
        if pupil:
            pupil.seen.former_family, pupil.seen.family = pupil.seen.family, new
            pupil.seen.traps.add("surname_changed")
            night.resend_pupil(pupil, "surname changed", before, new)


def dob_corrections(night: Night) -> None:
    """Wrong birth dates are put right; one right one is spoilt, for corrections can be wrong too."""
    world = night.world
    wrong = {"dob_wrong_digit", "dob_day_month_swapped", "dob_missing", "dob_of_relative"}
    for patient in night.patients(night.count(0.0006), lambda p: bool(p.seen.traps & wrong)):
        before = patient.seen.dob.isoformat() if patient.seen.dob else ""
        patient.seen.dob, patient.seen.dob_text = patient.person.dob, ""
        patient.seen.traps.add("dob_corrected")
        world.health.send(patient)
        night.tell(
            "health.fhir",
            "date of birth corrected",
            patient.key,
            patient.person,
            before,
            patient.person.dob.isoformat(),
            "same record; linked anew if it was apart",
        )
    records = [
        record
        for record in world.care.records.values()
        if record.seen.traps & wrong and "dob_corrected" not in record.seen.traps and not record.gone
    ]
    for record in night.rng.sample(records, min(len(records), night.count(0.0004))):
        before = record.seen.dob.isoformat() if record.seen.dob else ""
        record.seen.dob = record.person.dob
        record.seen.traps.add("dob_corrected")
        night.tell(
            "social_care.ssd",
            "date of birth corrected",
            record.key,
            record.person,
            before,
            record.person.dob.isoformat(),
            "same record; 903 follows",
        )
    if night.number == 2:
        for patient in night.patients(
            1, lambda p: not p.seen.traps & wrong and p.person.dob.day < 27 and p.seen.dob is not None
        ):
            right = patient.person.dob
            patient.seen.dob = right + timedelta(1)
            patient.seen.traps.add("dob_wrong_digit")
            world.health.send(patient)
            night.tell(
                "health.fhir",
                "date of birth changed to a wrong one",
                patient.key,
                patient.person,
                right.isoformat(),
                patient.seen.dob.isoformat(),
                "still the same person, contradiction shown",
            )


def upn_replacements(night: Night) -> None:
    """The permanent UPN is found: a new source key, whose FormerUPN keeps the person."""
    world = night.world
    pupils = [pupil for pupil in world.schools.pupils if is_temporary_upn(pupil.seen.upn)]
    for pupil in night.rng.sample(pupils, min(len(pupils), night.count(0.0015, 2))):
        old, new = pupil.seen.upn, pupil.person.upn
        pupil.seen.upn, pupil.seen.former_upn = new, old
        pupil.seen.traps |= {"upn_replaced", "former_upn"}
        night.resend_pupil(pupil, "temporary UPN replaced", old, new, "a new key for the same person")


def number_corrections(night: Night) -> None:
    """NHS numbers traced, mended, or taken from the one of two children whose it was not."""
    world = night.world
    for patient in night.patients(
        night.count(0.002, 2),
        lambda p: p.seen.nhs_status != "01" and not p.baby and not p.seen.traps & {"unborn_now_born"},
    ):
        before = patient.seen.nhs
        patient.seen.nhs, patient.seen.nhs_status = patient.person.nhs, "01"
        patient.seen.traps |= {"nhs_corrected" if before and before != patient.person.nhs else "nhs_traced"}
        world.health.send(patient)
        what = "NHS number corrected" if before and before != patient.person.nhs else "NHS number added or traced"
        night.tell(
            "health.fhir",
            what,
            patient.key,
            patient.person,
            before,
            patient.person.nhs,
            "same record; links follow the number",
        )
    wanting = [
        record
        for record in world.care.records.values()
        if record.seen.nhs != record.person.nhs
        and record.person.role == "child"
        and not record.person.due
        and not record.gone
    ]
    for record in night.rng.sample(wanting, min(len(wanting), night.count(0.0015, 2))):
        before, record.seen.nhs = record.seen.nhs, record.person.nhs
        record.seen.traps.add("nhs_corrected" if before else "nhs_traced")
        what = "NHS number corrected" if before else "NHS number added"
        night.tell(
            "social_care.ssd",
            what,
            record.key,
            record.person,
            before,
            record.seen.nhs,
            "same record; links follow the number",
        )


def ethnicity_changes(night: Night) -> None:
    for patient in night.patients(
        night.count(0.0006), lambda p: p.seen.ethnic in ("NOBT", "REFU") or p.seen.ethnic != p.person.ethnic
    ):
        before, patient.seen.ethnic = patient.seen.ethnic, patient.person.ethnic
        night.world.health.send(patient)
        night.tell(
            "health.fhir", "ethnicity changed", patient.key, patient.person, before, patient.seen.ethnic, "same person"
        )


def restrictions(night: Night) -> None:
    """A family goes into hiding: from tonight its addresses must not be shown."""
    world = night.world
    if night.number != 2:
        return
    for patient in night.patients(1, lambda p: not p.seen.protected and len(p.person.household.children) > 1):
        for child in patient.person.household.children:
            other = world.health.by_person.get(child.id)
            if other:
                other.seen.protected = True
                other.seen.traps.add("pds_restricted")
                night.touched.add(child.id)
                world.cast.restricted.add(child.id)
                world.health.send(other)
                night.tell(
                    "health.fhir",
                    "record restricted",
                    other.key,
                    child,
                    "U",
                    "R",
                    "address protected for the child and the household everywhere",
                )


CHANGES: tuple[Callable[[Night], None], ...] = (
    moves,
    surname_changes,
    dob_corrections,
    upn_replacements,
    number_corrections,
    ethnicity_changes,
    restrictions,
)
"""In the order of the night."""

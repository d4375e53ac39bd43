"""What happens tonight, what is taken back, and what is merely sent again, unchanged or under another key.

Part of a later night (nights.py). Each is told to the truth with what it should lead to.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta

from synthetic.health import CONCERNS
from synthetic.nights import Night
from synthetic.notes import special_people
from synthetic.school import is_school_day
from synthetic.social_care import texts


def retractions(night: Night) -> None:
    """What had been sent turns out never to have been; and one thing arrives already in error."""
    world, health = night.world, night.world.health
    keys = {patient.key: patient for patient in health.by_person.values()}
    tonight = {resource["id"] for resources in health.pending.values() for resource in resources}
    wanted = world.cast.retraction if night.number == 2 else None
    if wanted and wanted.id in health.by_person:
        patient = health.by_person[wanted.id]
        if not any(
            res["resourceType"] == "Encounter" and res["subject"]["reference"].endswith(patient.key)
            for res in health.sent.values()
        ):
            health.add_encounter(patient, night.today - timedelta(40), "EMER")
    for kind in ("Encounter", "Condition", "Observation"):
        pool = [
            resource
            for resource in health.sent.values()
            if resource["resourceType"] == kind
            and resource["id"] not in tonight
            and resource.get("status") != "entered-in-error"
            and keys.get(resource["subject"]["reference"][8:]) is not None
            and not night.is_special(keys[resource["subject"]["reference"][8:]].person)
        ]
        mine = [
            res
            for res in pool
            if kind == "Encounter" and wanted and keys[res["subject"]["reference"][8:]].person is wanted
        ]
        for resource in (mine or night.rng.sample(pool, min(1, len(pool))))[:1]:
            again = dict(resource)
            if kind == "Condition":
                again["verificationStatus"] = {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                            "code": "entered-in-error",
                        }
                    ]
                }
                again.pop("clinicalStatus", None)
            else:
                again["status"] = "entered-in-error"
            again["meta"] = {"lastUpdated": f"{night.today - timedelta(1):%Y-%m-%d}T20:15:00+00:00"}
            health.queue(again)
            patient = keys[resource["subject"]["reference"][8:]]
            ref = f"{kind}/{resource['id']}"
            world.truth.retract(ref)
            night.tell(
                "health.fhir",
                "entered in error",
                patient.key,
                patient.person,
                ref,
                "",
                "stays with the time it was retracted",
            )
            if kind == "Encounter" and "retraction" not in world.truth.special:
                world.truth.special["retraction"] = {
                    "simulant_id": patient.person.id,
                    "source_ref": ref,
                    "source_person_ids": [f"health.fhir:{patient.key}"],
                }
    for patient in night.patients(1):
        resource = health.add_encounter(patient, night.today - timedelta(3), "EMER", status="entered-in-error")
        night.tell(
            "health.fhir",
            "arrives already in error",
            patient.key,
            patient.person,
            f"Encounter/{resource['id']}",
            "",
            "lands raw, makes no event",
        )


def new_and_late_events(night: Night) -> None:
    """Yesterday's attendances, a missed appointment, and an attendance of last winter that arrives only now."""
    world, health = night.world, night.world.health
    for patient in night.patients(night.count(0.003, 3)):
        health.add_encounter(patient, night.today - timedelta(1), night.rng.choice(("EMER", "EMER", "AMB")))
    for patient in night.patients(night.count(0.001, 2), lambda p: p.person.dob < night.today - timedelta(400)):
        resource = health.add_encounter(patient, night.today - timedelta(night.rng.randrange(150, 380)), "EMER")
        night.tell(
            "health.fhir",
            "old event arrives late",
            patient.key,
            patient.person,
            f"Encounter/{resource['id']}",
            "",
            "dated when it happened, learned tonight",
        )
    for patient in night.patients(2):
        health.add_note(patient, night.today - timedelta(1), night.rng.choice(texts()["health"]["note"]))
    for patient in night.patients(1, lambda p: p.person.id not in world.cast.looked_after):
        health.add_condition(patient, CONCERNS[0], night.today - timedelta(1), concern=True)
    tonight = {resource["id"] for resource in health.pending.get("Appointment", ())}
    booked = [
        res
        for res in health.sent.values()
        if res["resourceType"] == "Appointment" and res["status"] == "booked" and res["id"] not in tonight
    ]
    keys = {patient.key: patient for patient in health.by_person.values()}
    for resource in night.rng.sample(booked, min(len(booked), night.count(0.001, 2))):
        reference = resource["participant"][0]["actor"]["reference"][8:]
        if reference not in keys:
            continue
        patient = keys[reference]
        moved = f"{night.today - timedelta(1):%Y-%m-%d}" + resource["start"][10:]
        again = {**resource, "status": "noshow", "start": moved, "end": moved[:14] + "55:00+00:00"}
        health.queue(again)
        ref = f"Appointment/{resource['id']}"
        world.truth.event(
            "health", "fhir", ref, patient.person, night.today - timedelta(1), "was_not_brought", "fact", patient.key
        )
        night.tell(
            "health.fhir",
            "booked, then not brought",
            patient.key,
            patient.person,
            "booked",
            "noshow",
            "an event tonight",
        )


def resent_unchanged(night: Night) -> None:
    """The same version once more: nothing may change."""
    health = night.world.health
    for patient in night.patients(night.count(0.002, 3)):
        health.send(patient, again=True)
        night.tell("health.fhir", "sent again unchanged", patient.key, patient.person, "", "", "unchanged")
    for pupil in night.rng.sample(night.world.schools.pupils, min(len(night.world.schools.pupils), 2)):
        if pupil not in night.world.schools.ctf_due:
            night.resend_pupil(pupil, "sent again unchanged", "", "", "unchanged")
    for incident in night.earlier_incidents(2):
        night.world.police.queue(incident)
        child = incident.children[0]
        night.tell(
            "police.ppn", "sent again unchanged", f"{incident.ppn}/{child.index}", child.person, "", "", "unchanged"
        )


def resent_with_changed_key(night: Night) -> None:
    """The same patient under a new local number, the same notice under a new reference."""
    world = night.world
    pool = world.cast.resent_with_changed_key
    for _ in range(min(2, len(pool))):
        person = pool.pop(0)
        patient = world.health.by_person.get(person.id)
        if patient is None or person.id in night.touched:
            continue
        night.touched.add(person.id)
        old = patient.key
        patient.key = world.population.issuer.digits("WXT-", 8)
        patient.seen.traps = patient.seen.traps | {"resent_with_changed_key"}
        world.truth.records["health", "fhir", old].traps.add("resent_with_changed_key")
        patient.version, patient.updated = 1, None
        world.health.send(patient)
        night.tell(
            "health.fhir",
            "sent again with a changed key",
            patient.key,
            person,
            old,
            patient.key,
            "a second record of the same person",
        )
    for incident in night.earlier_incidents(1, least=2):
        old = incident.ppn
        for child in incident.children:
            child.seen.traps = child.seen.traps | {"resent_with_changed_key"}
            world.truth.records["police", "ppn", f"{old}/{child.index}"].traps.add("resent_with_changed_key")
        incident.ppn = f"WQ{old[2:]}"
        incident.encompass = []
        world.police.queue(incident)
        for child in incident.children:
            night.tell(
                "police.ppn",
                "sent again with a changed key",
                f"{incident.ppn}/{child.index}",
                child.person,
                f"{old}/{child.index}",
                f"{incident.ppn}/{child.index}",
                "a second record of the same person",
            )


def new_incidents(night: Night) -> None:
    """Last night's incidents, one of last spring found in a tray, one notice with more written on it."""
    world, police = night.world, night.world.police
    homes = [home for home in world.cast.police_households if home.children]
    fresh = [
        home for home in world.population.households if home.children and home.kind not in ("adoptive", "care leaver")
    ]
    for index in range(night.count(0.003, 3)):
        home = night.rng.choice(fresh if index % 2 else homes)
        if any(night.is_special(child) for child in home.children):
            continue
        police.add_incident(home, night.today - timedelta(1))
    if homes:
        home = night.rng.choice(homes)
        incident = police.add_incident(home, night.today - timedelta(night.rng.randrange(150, 300)))
        for child in incident.children[:1]:
            night.tell(
                "police.ppn",
                "old event arrives late",
                f"{incident.ppn}/{child.index}",
                child.person,
                "",
                incident.happened.date().isoformat(),
                "dated when it happened, learned tonight",
            )
    for incident in night.earlier_incidents(1):
        incident.narrative += " Update: neighbour has since given a statement."
        police.queue(incident)
        child = incident.children[0]
        night.tell(
            "police.ppn",
            "narrative added to",
            f"{incident.ppn}/{child.index}",
            child.person,
            "",
            "",
            "same record, newer text, older kept",
        )


def case_changes(night: Night) -> None:
    """Contacts, an enquiry, a plan that ends: the snapshot differs in a few rows."""
    world, care = night.world, night.world.care
    open_cases = [
        record
        for record in care.records.values()
        if record.person.role == "child"
        and not record.person.due
        and not record.gone
        and not night.is_special(record.person)
    ]
    for record in night.rng.sample(open_cases, min(len(open_cases), night.count(0.003, 3))):
        care.add_contact(
            record,
            night.today - timedelta(1),
            night.rng.choice(("2A", "3B", "6")),
            night.rng.choice(texts()["social_care"]["contact"]),
        )
    referred = [record for record in open_cases if record.referral]
    for record in night.rng.sample(referred, min(len(referred), 2)):
        care.add_enquiry(
            record,
            night.today - timedelta(1),
            record.referral,
            {"conference": False, "worker": "SW1101", "team": "Safeguarding 1", "plan": False, "category": "NEG"},
            night.rng,
        )
    plans = [row for row in care.tables.get("ssd_cp_plans", ()) if row["cppl_cp_plan_end_date"] is None]
    for row in night.rng.sample(plans, min(len(plans), 1)):
        record = care.records[str(row["cppl_person_id"])]
        if record.gone:
            continue
        row["cppl_cp_plan_end_date"] = (night.today - timedelta(1)).isoformat()
        ref = f"ssd_cp_plans/{row['cppl_cp_plan_id']}"
        world.truth.event(
            "social_care", "ssd", ref, record.person, night.today - timedelta(1), "cpp_end", "fact", record.key
        )
        night.tell(
            "social_care.ssd",
            "child protection plan ended",
            record.key,
            record.person,
            "",
            str(row["cppl_cp_plan_end_date"]),
            "the span closes",
        )
    voices = care.tables.get("ssd_voice_of_child", [])
    if voices and night.number == 3:
        row = voices[0]
        row["voch_plan_safe"] = "Disagree" if row["voch_plan_safe"] != "Disagree" else "Agree"


def attendance_corrections(night: Night) -> None:
    """No reason yet becomes a reason; an absence turns out to have been a late arrival."""
    day = night.today - timedelta(1)
    if not is_school_day(day):
        return
    schools = night.world.schools
    ordinary = [
        pupil
        for pupil in schools.pupils
        if not night.is_special(pupil.person) and "upn_replaced" not in pupil.seen.traps
    ]
    pool = [
        pupil for pupil in ordinary if any(code not in "/\\" for codes in pupil.last_codes.values() for code in codes)
    ]
    for pupil in night.rng.sample(pool, min(len(pool), night.count(0.004, 4))):
        when, codes = next(iter(pupil.last_codes.items()))
        half = "AM" if codes[0] not in "/\\" else "PM"
        before = codes[0] if half == "AM" else codes[1]
        after = {"N": "O", "O": "I", "I": "M"}.get(before, "I")
        night.corrections.append((pupil, when, half, after))
        key = f"{pupil.seen.upn}"
        night.tell(
            "school.attendance",
            f"mark of {when.isoformat()} {half} corrected",
            key,
            pupil.person,
            before,
            after,
            "the later mark is current, the earlier superseded",
        )
    for pupil in night.rng.sample(ordinary, min(len(ordinary), 2)):
        for when, codes in pupil.last_codes.items():
            night.corrections.append((pupil, when, "PM", codes[1]))
            night.tell(
                "school.attendance",
                f"mark of {when.isoformat()} PM sent again",
                pupil.seen.upn,
                pupil.person,
                codes[1],
                codes[1],
                "the same mark",
            )


def new_orders(night: Night) -> None:
    """A new order; and a case sent again with a telephone note added."""
    service = night.world.youth_justice
    pool = [
        child
        for child in night.world.population.children
        if 10 <= child.age(night.today) <= 17 and not night.is_special(child)
    ]
    for person in night.rng.sample(pool, min(len(pool), night.count(0.0006))):
        case = service.add_case(person, night.today - timedelta(1))
        night.tell(
            "youth_justice.cases", "new case", case.key, person, "", "", "a new record, linked to the child's others"
        )
    old = [
        case for case in service.cases if case not in service.pending and case.person.id not in night.world.cast.clean
    ]
    for case in night.rng.sample(old, min(len(old), 1)):
        case.note = f"{case.note} Rang on the day to say the bus was late.".strip()
        service.pending.append(case)
        night.tell("youth_justice.cases", "note added to", case.key, case.person, "", "", "same record")


def school_notes(night: Night) -> None:
    """Yesterday's notes, one sent again as it was, one settled, one taken back, one that arrives already in error."""
    notes = night.world.notes
    special = special_people(notes)
    ordinary = [pupil for pupil in night.world.schools.pupils if not night.is_special(pupil.person)]
    for pupil in night.rng.sample(ordinary, min(len(ordinary), night.count(0.002, 2))):
        notes.add(pupil, night.today - timedelta(1))
    if ordinary:
        note = notes.add(night.rng.choice(ordinary), night.today - timedelta(1))
        note.status = "entered_in_error"
        for pupil in note.pupils:
            night.tell(
                "school.incidents",
                "arrives already in error",
                pupil.seen.upn,
                pupil.person,
                note.key,
                "",
                "lands raw, makes no event",
            )
    for what, status, expect in (
        ("sent again unchanged", "", "unchanged"),
        ("note closed", "closed", "the same event, newer outcome, older kept"),
        ("entered in error", "entered_in_error", "stays with the time it was retracted"),
    ):
        for note in notes.earlier(1, night.rng, special):
            before, note.status = note.status, status or note.status
            notes.pending.append(note)
            for pupil in note.pupils:
                night.tell("school.incidents", what, pupil.seen.upn, pupil.person, before, note.status, expect)


def missing_reports(night: Night) -> None:
    """Somebody is found, somebody else goes missing, a report turns out to have been a mistake."""
    missing = night.world.missing
    for report in missing.earlier(2, night.rng, still_missing=True):
        report.found, report.status, report.place = (
            datetime.combine(night.today - timedelta(1), time(21, 40)),
            "closed",
            night.rng.choice(texts()["missing"]["found"]),
        )
        missing.pending.append(report)
        night.tell(
            "police.missing", "found", report.key, report.person, "", report.found.isoformat(), "the span closes"
        )
    older = [
        child
        for home in night.world.cast.police_households
        for child in home.children
        if not child.due and 11 <= child.age(night.today) <= 17 and not night.is_special(child)
    ]
    for person in night.rng.sample(older, min(len(older), night.count(0.0006, 2))):
        report = missing.add(person, night.today - timedelta(1), None)
        night.tell("police.missing", "new report", report.key, person, "", "", "a record of its own, linked")
    for what, status, expect in (
        ("sent again unchanged", "", "unchanged"),
        ("entered in error", "entered_in_error", "stays with the time it was retracted"),
    ):
        for report in missing.earlier(1, night.rng):
            before, report.status = report.status, status or report.status
            missing.pending.append(report)
            night.tell("police.missing", what, report.key, report.person, before, report.status, expect)


HAPPENINGS: tuple[Callable[[Night], None], ...] = (
    retractions,
    new_and_late_events,
    resent_unchanged,
    resent_with_changed_key,
    new_incidents,
    case_changes,
    attendance_corrections,
    new_orders,
    school_notes,
    missing_reports,
)
"""In the order of the night."""

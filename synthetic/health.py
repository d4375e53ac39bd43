"""The health trust's system: patients, relatives, and what happened to them, as FHIR R4 UK Core resources.

Here: what health holds and how each resource looks. Not here: which of it is sent on which night (nights.py), nor the
files (write_health.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from synthetic.cast import Cast
from synthetic.dirt import Occasion, Seen, see
from synthetic.population import Person
from synthetic.social_care import texts
from synthetic.truth import Truth

TRUST = "WXT"
ETHNIC_CATEGORY = {
    "WBRI": "A", "WIRI": "B", "WIRT": "C", "WROM": "C", "WOTH": "C", "MWBC": "D", "MWBA": "E", "MWAS": "F",
    "MOTH": "G", "AIND": "H", "APKN": "J",
    "ABAN": "K", "AOTH": "L", "BCRB": "M", "BAFR": "N", "BOTH": "P", "CHNE": "R", "OOTH": "S", "REFU": "Z",
    "NOBT": "99",
}  # fmt: skip
GENDER = {"M": "male", "F": "female", "U": "unknown"}
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
NHS_NUMBER_SYSTEM = "https://fhir.nhs.uk/Id/nhs-number"
STATUS_URL = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
STATUS_SYSTEM = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus"
ETHNIC_URL = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory"
ETHNIC_SYSTEM = "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland"
SNOMED = "http://snomed.info/sct"
RELATION_CODES = {"mother": "MTH", "father": "FTH", "stepfather": "STPFTH", "grandmother": "GRMTH", "aunt": "AUNT"}
CONCERNS = (
    ("836881000000105", "Child is cause for safeguarding concern"),
    ("1064961000000107", "Child in family is cause for concern"),
)
CONDITIONS = (
    ("195967001", "Asthma"),
    ("43116000", "Eczema"),
    ("406506008", "Attention deficit hyperactivity disorder"),
    ("84757009", "Epilepsy"),
)
PRACTICES = tuple(f"Y{number}" for number in range(90101, 90113))
ED_SHARE, OUTPATIENT_SHARE, ADMISSION_SHARE = 0.24, 0.10, 0.03
NO_SHOW_SHARE = 0.07
PHONE_SHARE = 0.75


@dataclass(slots=True, eq=False)
class Patient:
    """One record in the index. `names` and `homes` hold what it used to say, with the day it stopped."""

    key: str
    person: Person
    seen: Seen
    practice: str
    version: int = 1
    updated: datetime | None = None
    old_names: list[tuple[str, str, date]] = field(default_factory=list)
    old_homes: list[tuple[Any, date]] = field(default_factory=list)
    since: date | None = None
    style: int = 0
    relatives: list[dict] = field(default_factory=list)
    has_phone: bool = False
    baby: bool = False


class Health:
    """The trust. `pending` is what will be sent tonight, by resource type."""

    def __init__(self, cast: Cast, truth: Truth, seed: int, today: date) -> None:
        self.cast, self.truth, self.today = cast, truth, today
        self.rng = Random(f"{seed}/health")
        self.patients: dict[str, Patient] = {}
        self.by_person: dict[str, Patient] = {}
        self.pending: dict[str, list[dict]] = {}
        self.sent: dict[str, dict] = {}

    def open(self) -> None:
        """Everything health holds on the first night."""
        for person in self.cast.in_health:
            self.add_patient(person)
        for person in self.cast.duplicated_in_health:
            self.add_duplicate(person)
        mothers = {
            child.mother.id: child.mother
            for child in self.cast.in_health
            if child.mother and child.mother.household is child.household
        }
        expecting = {mother.id for _, mother in self.cast.unborn}
        for mother in mothers.values():
            if mother.id in expecting or self.rng.random() < 0.12:
                self.add_patient(mother)

    # Patients

    def add_patient(self, person: Person, *, forced: frozenset[str] = frozenset()) -> Patient:
        """A person becomes a patient, with relatives and a history of care if a child."""
        rng, cast, child = self.rng, self.cast, person.role == "child"
        occasion = Occasion("health", self.today)
        planted = cast.mistakes("health", person) if child else frozenset()
        seen = see(person, rng, occasion, planted | forced, clean=person.id in cast.clean or not child)
        shared = cast.shared_number.get(("health", person.id))
        if shared:
            seen.nhs, seen.nhs_status = shared[0].nhs, "01" if shared[0] is person else "02"
            seen.traps |= {"nhs_shared", shared[1]}
        patient = Patient(
            cast.population.issuer.digits(f"{TRUST}-", 8), person, seen, rng.choice(PRACTICES), style=rng.randrange(3)
        )
        patient.has_phone = rng.random() < PHONE_SHARE
        self._remember(patient)
        if person.id in cast.restricted:
            seen.protected = True
            seen.traps.add("pds_restricted")
        if child and self.today - timedelta(45) < person.dob and person.id not in cast.clean and rng.random() < 0.6:
            self.name_baby(patient)
        self._keep(patient)
        if child:
            self._add_relatives(patient)
            self._add_care(patient)
        return patient

    def _remember(self, patient: Patient) -> None:
        """Names and addresses of before, which a good index keeps."""
        person, seen = patient.person, patient.seen
        if seen.former_family and person.renamed_on:
            patient.old_names.append((seen.given, seen.former_family, person.renamed_on))
        stays = person.household.stays
        if len(stays) > 1 and seen.address is stays[-1].address:
            patient.since = stays[-1].since
            if self.rng.random() < 0.75:
                patient.old_homes.append((stays[-2].address, stays[-1].since))

    def name_baby(self, patient: Patient) -> None:
        """Not named yet: Baby, Baby Boy, Twin 1 with the mother's surname; the number is only days old."""
        rng, seen, person = self.rng, patient.seen, patient.person
        patient.baby = True
        mother = person.mother
        seen.family = mother.family if mother and mother.family else seen.family
        seen.middle = seen.known_as = ""
        together = [
            child for child in person.household.children if person.birth_set and child.birth_set == person.birth_set
        ]
        if together:
            seen.given = f"{'Twin' if len(together) == 2 else 'Triplet'} {together.index(person) + 1}"
            seen.traps.add("placeholder_twin")
        else:
            seen.given = rng.choice(
                (
                    "Baby",
                    "Baby",
                    "Baby Boy" if person.sex == "M" else "Baby Girl",
                    "Male Infant" if person.sex == "M" else "Female Infant",
                )
            )
            seen.traps.add("placeholder_baby")
        if rng.random() < 0.4:
            seen.nhs, seen.nhs_status = "", "08"

    def add_duplicate(self, person: Person) -> Patient:
        """The same person registered again at another site, with mistakes of its own and often no traced number."""
        seen = see(person, self.rng, Occasion("health", self.today))
        seen.traps.add("duplicate_patient")
        if self.rng.random() < 0.5:
            seen.nhs, seen.nhs_status = "", "04"
            seen.traps.add("nhs_untraced")
        if (
            not seen.traps & {"given_typo", "family_typo", "nickname", "transliteration", "stale_address"}
            and self.rng.random() < 0.5
        ):
            seen.middle, seen.postcode = "", seen.postcode.replace(" ", "")
        patient = Patient(
            self.cast.population.issuer.digits(f"{TRUST}-", 8),
            person,
            seen,
            self.rng.choice(PRACTICES),
            style=self.rng.randrange(3),
        )
        self.by_person.get(person.id, patient).seen.traps.add("duplicate_patient")
        self._keep(patient, first=False)
        return patient

    def _keep(self, patient: Patient, *, first: bool = True) -> None:
        self.patients[patient.key] = patient
        if first:
            self.by_person[patient.person.id] = patient
        self.send(patient)

    def send(self, patient: Patient, *, again: bool = False) -> None:
        """Queues the patient for tonight: as a new version unless the same one is sent again."""
        if patient.updated is not None and not again:
            patient.version += 1
        if not again or patient.updated is None:
            patient.updated = datetime.combine(self.today - timedelta(1), time(21, 5))
        resource = self.patient_resource(patient)
        self.queue(resource)
        self.truth.record(
            "health", "fhir", patient.key, patient.person, patient.seen.traps, insufficient=patient.seen.insufficient()
        )

    def queue(self, resource: dict) -> None:
        self.pending.setdefault(resource["resourceType"], []).append(resource)
        self.sent[resource["id"]] = resource

    def patient_resource(self, patient: Patient) -> dict:
        """R4 UK Core Patient. A restricted one carries no address, telephone or practice, as in the national index."""
        seen = patient.seen
        restricted = seen.protected
        resource: dict[str, Any] = {
            "resourceType": "Patient",
            "id": patient.key,
            "meta": {
                "versionId": str(patient.version),
                "lastUpdated": f"{patient.updated:%Y-%m-%dT%H:%M:%S}+00:00",
                "security": [
                    {
                        "system": CONFIDENTIALITY,
                        "code": "R" if restricted else "U",
                        "display": "restricted" if restricted else "unrestricted",
                    }
                ],
            },
            "identifier": [
                _nhs_identifier(seen),
                {"system": "https://fhir.wxt.example.nhs.uk/Id/mrn", "value": patient.key},
            ],
            "name": _names(patient),
            "gender": GENDER[seen.sex],
        }
        if seen.ethnic:
            coding = {"system": ETHNIC_SYSTEM, "code": ETHNIC_CATEGORY[seen.ethnic]}
            resource["extension"] = [{"url": ETHNIC_URL, "valueCodeableConcept": {"coding": [coding]}}]
        if seen.dob or seen.dob_text:
            resource["birthDate"] = seen.dob.isoformat() if seen.dob else seen.dob_text
        if not restricted:
            resource["address"] = _addresses(patient)
            if patient.has_phone and seen.phone:
                resource["telecom"] = [{"system": "phone", "value": seen.phone, "use": "mobile"}]
            resource["generalPractitioner"] = [
                {
                    "type": "Organization",
                    "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": patient.practice},
                }
            ]
        if patient.person.role == "child" and patient.style == 0 and patient.person.birth_set:
            resource["multipleBirthBoolean"] = True
        return resource

    def _add_relatives(self, patient: Patient) -> None:
        """Those at home whom the trust knows; parental responsibility is not said here."""
        for order, (adult, relation) in enumerate(patient.person.household.adults[:2], 1):
            if order == 2 and self.rng.random() < 0.35:
                continue
            resource = {
                "resourceType": "RelatedPerson",
                "id": f"{patient.key}-R{order}",
                "active": True,
                "patient": {"reference": f"Patient/{patient.key}"},
                "relationship": [
                    {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
                                "code": RELATION_CODES.get(relation, "GUARD"),
                            }
                        ]
                    }
                ],
                "name": [{"use": "usual", "given": [adult.given], "family": adult.family}],
                "gender": GENDER[adult.sex],
            }
            if self.rng.random() < 0.3:
                resource["birthDate"] = adult.dob.isoformat()
            if not patient.seen.protected and self.rng.random() < 0.4:
                resource["telecom"] = [{"system": "phone", "value": adult.household.phone, "use": "mobile"}]
            patient.relatives.append(resource)
            self.queue(resource)
            self.truth.record("health", "fhir", f"RelatedPerson/{patient.key}-R{order}", adult, {"related_person"})

    # Care

    def _add_care(self, patient: Patient) -> None:
        rng, person = self.rng, patient.person
        age = person.age(self.today)
        busy = 1.6 if age < 5 else 1.0
        while rng.random() < ED_SHARE * busy:
            self.add_encounter(patient, self._day(person, 700), "EMER")
            busy *= 0.6
        if rng.random() < OUTPATIENT_SHARE:
            self.add_encounter(patient, self._day(person, 700), "AMB")
        if rng.random() < ADMISSION_SHARE:
            self.add_encounter(patient, self._day(person, 700), "IMP")
        for _ in range(rng.choices((0, 1, 2, 3), (45, 35, 15, 5))[0]):
            self.add_appointment(patient, self._day(person, 500))
        if rng.random() < 0.06:
            self.add_appointment(patient, self.today + timedelta(rng.randrange(1, 60)), status="booked")
        if age < 5:
            for _ in range(rng.randrange(0, 3)):
                self.add_observation(patient, self._day(person, 900))
        if rng.random() < 0.09:
            self.add_condition(patient, rng.choice(CONDITIONS), self._day(person, 1500), concern=False)
        known = person.id in self.cast.looked_after
        if known and rng.random() < 0.8:
            self.add_flag(patient, "Looked after child", self.today - timedelta(rng.randrange(20, 300)))
        elif rng.random() < 0.015:
            self.add_condition(patient, rng.choice(CONCERNS), self._day(person, 600), concern=True)

    def _day(self, person: Person, window: int) -> date:
        """A day in the last so many, since birth."""
        window = min(window, max(1, (self.today - person.dob).days))
        return self.today - timedelta(self.rng.randrange(1, window + 1))

    def _id(self, prefix: str) -> str:
        return self.cast.population.issuer.digits(f"{prefix}-", 9)

    def _subject(self, patient: Patient) -> dict:
        return {"reference": f"Patient/{patient.key}"}

    def add_encounter(
        self, patient: Patient, day: date, kind: str, reason: str = "", *, status: str = "finished"
    ) -> dict:
        """An attendance (EMER), clinic (AMB), admission (IMP) or visit at home (HH)."""
        rng = self.rng
        start = datetime.combine(
            day, time(rng.randrange(0, 24) if kind == "EMER" else rng.randrange(9, 17), rng.choice((0, 5, 20, 35, 50)))
        )
        end = start + (timedelta(days=rng.randrange(1, 6)) if kind == "IMP" else timedelta(hours=rng.randrange(1, 6)))
        if not reason:
            reason = (
                rng.choice(texts()["health"]["ed"])
                if kind in ("EMER", "IMP")
                else rng.choice(texts()["health"]["outpatient"])
            )
        resource = {
            "resourceType": "Encounter",
            "id": self._id("ENC"),
            "meta": {"lastUpdated": f"{end:%Y-%m-%dT%H:%M:%S}+00:00"},
            "status": status,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": kind},
            "subject": self._subject(patient),
            "period": {"start": f"{start:%Y-%m-%dT%H:%M:%S}+00:00", "end": f"{end:%Y-%m-%dT%H:%M:%S}+00:00"},
            "reasonCode": [{"text": reason}],
        }
        self.queue(resource)
        what = {"EMER": "ed_attendance", "IMP": "admission", "HH": "hv_contact"}.get(kind, "outpatient_attendance")
        self._event(resource, patient, day, what, "fact", status)
        return resource

    def add_appointment(self, patient: Patient, day: date, *, status: str = "") -> dict:
        """Booked, fulfilled, cancelled, or not brought."""
        rng = self.rng
        status = status or (
            "noshow" if rng.random() < NO_SHOW_SHARE else rng.choices(("fulfilled", "cancelled"), (9, 1))[0]
        )
        start = datetime.combine(day, time(rng.randrange(9, 16), rng.choice((0, 10, 30, 40))))
        resource: dict[str, Any] = {
            "resourceType": "Appointment",
            "id": self._id("APP"),
            "status": status,
            "serviceType": [{"text": rng.choice(texts()["health"]["appointment"])}],
            "start": f"{start:%Y-%m-%dT%H:%M:%S}+00:00",
            "end": f"{start + timedelta(minutes=20):%Y-%m-%dT%H:%M:%S}+00:00",
            "participant": [
                {"actor": self._subject(patient), "status": "declined" if status == "noshow" else "accepted"}
            ],
        }
        what = "was_not_brought"
        if status == "cancelled":
            by, what = rng.choice((("pat", "cancelled_by_family"), ("prov", "cancelled_by_provider")))
            system = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"
            resource["cancelationReason"] = {"coding": [{"system": system, "code": by}]}
        self.queue(resource)
        if status in ("noshow", "cancelled"):
            self._event(resource, patient, day, what, "fact", status)
        return resource

    def add_observation(self, patient: Patient, day: date, *, status: str = "final") -> dict:
        """Weight or height of a small child."""
        weight = self.rng.random() < 0.6
        age = max(0, (day - patient.person.dob).days) / 365
        value = (
            round(3.4 + 2.3 * age + self.rng.random() * 2, 1)
            if weight
            else round(52 + 12 * age + self.rng.random() * 6, 1)
        )
        code = ("27113001", "Body weight") if weight else ("50373000", "Body height")
        unit = "kg" if weight else "cm"
        resource = {
            "resourceType": "Observation",
            "id": self._id("OBS"),
            "status": status,
            "code": {"coding": [{"system": SNOMED, "code": code[0], "display": code[1]}]},
            "subject": self._subject(patient),
            "effectiveDateTime": day.isoformat(),
            "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        }
        self.queue(resource)
        return resource

    def add_note(self, patient: Patient, day: date, text: str) -> dict:
        """What a health visitor noticed and wrote down: an observation in words."""
        resource = {
            "resourceType": "Observation",
            "id": self._id("OBS"),
            "status": "final",
            "code": {"text": "Health visitor note"},
            "subject": self._subject(patient),
            "effectiveDateTime": day.isoformat(),
            "valueString": text,
        }
        self.queue(resource)
        self._event(resource, patient, day, "note", "mixed", "final")
        return resource

    def add_condition(
        self, patient: Patient, code: tuple[str, str], day: date, *, concern: bool, status: str = "confirmed"
    ) -> dict:
        """A diagnosis, or the practice's code for a child who is cause for concern."""
        resource = {
            "resourceType": "Condition",
            "id": self._id("CON"),
            "clinicalStatus": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
            },
            "verificationStatus": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": status}]
            },
            "code": {"coding": [{"system": SNOMED, "code": code[0], "display": code[1]}]},
            "subject": self._subject(patient),
            "recordedDate": day.isoformat(),
        }
        self.queue(resource)
        if concern:
            self._event(resource, patient, day, "gp_concern_code", "professional_opinion", "final")
        return resource

    def add_flag(self, patient: Patient, what: str, since: date) -> dict:
        """Child Protection Information Sharing, as health sees it."""
        resource = {
            "resourceType": "Flag",
            "id": self._id("FLG"),
            "meta": {"profile": ["https://fhir.nhs.uk/England/StructureDefinition/PatientFlag"]},
            "status": "active",
            "category": [
                {"coding": [{"system": "https://fhir.nhs.uk/England/CodeSystem/PatientFlagCategory", "code": "CP-IS"}]}
            ],
            "code": {"coding": [{"system": SNOMED, "code": "224353004", "display": what}]},
            "subject": self._subject(patient),
            "period": {"start": since.isoformat()},
        }
        self.queue(resource)
        self._event(resource, patient, since, "cp_is_flag", "system_derived", "active")
        return resource

    def _event(self, resource: dict, patient: Patient, day: date, kind: str, statement: str, status: str) -> None:
        if patient.person.role != "child":
            return
        expected = "absent" if status == "entered-in-error" else "shown"
        ref = f"{resource['resourceType']}/{resource['id']}"
        self.truth.event("health", "fhir", ref, patient.person, day, kind, statement, patient.key, expected)


def _nhs_identifier(seen: Seen) -> dict:
    """The number with how far it was verified; where there is none, the status alone."""
    status = {
        "url": STATUS_URL,
        "valueCodeableConcept": {"coding": [{"system": STATUS_SYSTEM, "code": seen.nhs_status}]},
    }
    identifier: dict[str, Any] = {"system": NHS_NUMBER_SYSTEM, "extension": [status]}
    if seen.nhs:
        identifier["value"] = seen.nhs
    return identifier


def _names(patient: Patient) -> list[dict]:
    """Usual, official, nickname and old names. A person of one name has it where that clerk put it."""
    seen = patient.seen
    given = [*seen.given.split("\t"), *seen.middle.split()] if seen.given else []
    usual: dict[str, Any] = {"use": "usual"}
    if given:
        usual["given"] = given
    if seen.family:
        usual["family"] = seen.family
    elif given:
        if patient.style == 0:
            usual = {"use": "usual", "family": given[0]}
        elif patient.style == 1:
            usual["family"] = "XXX"
        usual["text"] = given[0]
    if patient.old_names:
        usual["period"] = {"start": patient.old_names[-1][2].isoformat()}
    names = [usual]
    if seen.known_as and given and seen.known_as != given[0]:
        if patient.style == 1:
            official = {**usual, "use": "official"}
            names = [{**usual, "given": [seen.known_as]}, official]
        elif patient.style == 2:
            names.append({"use": "nickname", "given": [seen.known_as]})
    for old_given, old_family, until in patient.old_names:
        names.append({"use": "old", "given": [old_given], "family": old_family, "period": {"end": until.isoformat()}})
    return names


def _addresses(patient: Patient) -> list[dict]:
    seen = patient.seen
    home: dict[str, Any] = {
        "use": "home",
        "line": [seen.address.first_line(), seen.address.locality],
        "city": seen.address.town,
    }
    if seen.postcode:
        home["postalCode"] = seen.postcode
    if patient.since:
        home["period"] = {"start": patient.since.isoformat()}
    if seen.postcode.startswith("ZZ99"):
        home = {"use": "home", "line": ["NO FIXED ABODE"], "postalCode": seen.postcode}
    homes = [home]
    for address, until in patient.old_homes:
        homes.append(
            {
                "use": "old",
                "line": [address.first_line()],
                "city": address.town,
                "postalCode": address.postcode,
                "period": {"end": until.isoformat()},
            }
        )
    if "two_homes" in seen.traps and patient.style == 2 and patient.person.second_home:
        second = patient.person.second_home
        homes.append({"use": "temp", "line": [second.first_line()], "city": second.town, "postalCode": second.postcode})
    return homes

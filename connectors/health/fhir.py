"""health.fhir: FHIR R4 (UK Core) resources as NDJSON or Bundles: the contract.

What the resources become is in fhir_people.py and fhir_events.py. Sources: docs/sources.md 5.1-5.4, 5.7, 5.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table
from connectors.health import fhir_events, fhir_people
from warehouse.schema import Sensitivity

_CODED, _IDENTIFYING, _SPECIAL, _KEY, _OPERATIONAL = (
    Sensitivity.CODED,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.KEY,
    Sensitivity.OPERATIONAL,
)

# An entry of a history, or of a bulk export's list of what is gone. People are not withdrawn by it: their tables do not know it.
_DELETED = "(extra ->> '$.request.method') = 'DELETE'"

_ID = Column(
    "id",
    "Logical id of the resource at the sending server",
    sensitivity=_KEY,
    required=True,
    severity="critical",
    hint="Every resource must carry its id, so that a later version can replace it",
)
_LAST_UPDATED = Column(
    "last_updated",
    "When the sending server last changed it (meta.lastUpdated)",
    Kind.TIMESTAMP,
    _OPERATIONAL,
    path="$.meta.lastUpdated",
)
_RESOURCE = (_ID, _LAST_UPDATED, Column("meta", "Version, profile, security labels", Kind.JSON, _OPERATIONAL))
_CATEGORY = Column("category", "Kind of statement", Kind.JSON)
_NOTE = Column("note", "Comments, as written", Kind.JSON, _SPECIAL)


def _subject(name: str = "subject") -> Column:
    return Column(
        name,
        "Reference to the patient",
        Kind.JSON,
        _KEY,
        required=True,
        hint="Without a reference to a Patient nobody can be told about this record; send Patient/<id>",
    )


def _status(*allowed: str, meaning: str = "State of the record") -> Column:
    return Column(
        "status",
        meaning,
        required=True,
        allowed=allowed,
        hint="A status outside FHIR R4's list cannot be understood; entered-in-error withdraws the record",
    )


_GENDER = Column("gender", "Administrative gender", allowed=("male", "female", "other", "unknown"))
_BIRTH_DATE = Column(
    "birth_date",
    "Date of birth (birthDate); may stop at the month or the year",
    Kind.DATE,
    _IDENTIFYING,
    path="$.birthDate",
)
_NAME = Column("name", "Names with use and period", Kind.JSON, _IDENTIFYING)
_ADDRESS = Column("address", "Addresses with use, period and UPRN; withheld where restricted", Kind.JSON, _IDENTIFYING)
_TELECOM = Column("telecom", "Telephone and e-mail; kept as received", Kind.JSON, _IDENTIFYING)
_IDENTIFIER = Column("identifier", "NHS number with its verification status, local numbers", Kind.JSON, _IDENTIFYING)
_EXTENSION = Column("extension", "Extensions: ethnic category and others", Kind.JSON, _SPECIAL)

PATIENT = Table(
    "patient",
    "one row per patient of the sending organisation: a child or an adult",
    key=("id",),
    version="last_updated",
    element="Patient",
    columns=(
        *_RESOURCE,
        Column("active", "Whether the record is in use; false after a merge", path="$.active"),
        _IDENTIFIER,
        _NAME,
        _GENDER,
        Column(
            _BIRTH_DATE.name,
            _BIRTH_DATE.meaning,
            Kind.DATE,
            _IDENTIFYING,
            required=True,
            path="$.birthDate",
            hint="A patient without a date of birth can hardly be recognised by another agency",
        ),
        Column(
            "deceased_date_time",
            "Date of death (deceasedDateTime)",
            Kind.TIMESTAMP,
            _IDENTIFYING,
            path="$.deceasedDateTime",
        ),
        Column(
            "deceased_boolean",
            "Died, date not said (deceasedBoolean)",
            allowed=("true", "false"),
            path="$.deceasedBoolean",
        ),
        Column(
            "multiple_birth_boolean",
            "Twin or other multiple birth",
            allowed=("true", "false"),
            path="$.multipleBirthBoolean",
        ),
        Column("multiple_birth_integer", "Place in a multiple birth", Kind.INTEGER, path="$.multipleBirthInteger"),
        _ADDRESS,
        _TELECOM,
        Column("contact", "Next of kin and other contacts", Kind.JSON, _IDENTIFYING),
        Column("general_practitioner", "Registered practice (ODS code)", Kind.JSON, path="$.generalPractitioner"),
        Column("link", "Other records of the same patient, after a merge", Kind.JSON, _KEY),
        _EXTENSION,
    ),
)

RELATED_PERSON = Table(
    "related_person",
    "one row per person related to a patient; parental responsibility is not coded in it",
    key=("id",),
    version="last_updated",
    element="RelatedPerson",
    columns=(
        *_RESOURCE,
        Column("active", "Whether the record is in use", path="$.active"),
        _subject("patient"),
        Column("relationship", "What they are to the patient (v3-RoleCode or the UK list)", Kind.JSON),
        _IDENTIFIER,
        _NAME,
        _GENDER,
        _BIRTH_DATE,
        _ADDRESS,
        _TELECOM,
        Column("period", "When the relationship holds", Kind.JSON),
        _EXTENSION,
    ),
)

ENCOUNTER = Table(
    "encounter",
    "one row per attendance, stay, clinic or home visit",
    key=("id",),
    version="last_updated",
    element="Encounter",
    withdraws=_DELETED,
    columns=(
        *_RESOURCE,
        _status(
            "planned",
            "arrived",
            "triaged",
            "in-progress",
            "onleave",
            "finished",
            "cancelled",
            "entered-in-error",
            "unknown",
        ),
        Column("class", "Setting: EMER, IMP, AMB, HH, VR...", Kind.JSON, required=True),
        Column("type", "Kind of encounter", Kind.JSON),
        Column("service_type", "Service that saw the patient", Kind.JSON, path="$.serviceType"),
        _subject(),
        Column("period_start", "Begun", Kind.TIMESTAMP, path="$.period.start", required=True),
        Column("period_end", "Ended", Kind.TIMESTAMP, path="$.period.end"),
        Column("reason_code", "Why they came, as coded or written", Kind.JSON, _SPECIAL, path="$.reasonCode"),
        Column("hospitalization", "Admission and discharge details", Kind.JSON, _SPECIAL),
        Column("location", "Where", Kind.JSON),
    ),
)

APPOINTMENT = Table(
    "appointment",
    "one row per appointment, whatever became of it",
    key=("id",),
    version="last_updated",
    element="Appointment",
    withdraws=_DELETED,
    columns=(
        *_RESOURCE,
        _status(
            "proposed",
            "pending",
            "booked",
            "arrived",
            "fulfilled",
            "cancelled",
            "noshow",
            "entered-in-error",
            "checked-in",
            "waitlist",
            meaning="What became of it; noshow is a child who was not brought",
        ),
        Column("cancelation_reason", "Why, and by whom, it was cancelled", Kind.JSON, path="$.cancelationReason"),
        Column("service_type", "Service", Kind.JSON, path="$.serviceType"),
        Column("appointment_type", "Kind of appointment", Kind.JSON, path="$.appointmentType"),
        Column("reason_code", "What for", Kind.JSON, _SPECIAL, path="$.reasonCode"),
        Column("description", "What for, in words", sensitivity=_SPECIAL),
        Column("comment", "Comment, as written", sensitivity=_SPECIAL),
        Column("starts_at", "Begins (start)", Kind.TIMESTAMP, path="$.start"),
        Column("ends_at", "Ends (end)", Kind.TIMESTAMP, path="$.end"),
        Column("participant", "Who takes part; the patient among them", Kind.JSON, _KEY, required=True),
    ),
)

CONDITION = Table(
    "condition",
    "one row per problem, diagnosis or recorded concern; GP safeguarding codes among them",
    key=("id",),
    version="last_updated",
    element="Condition",
    withdraws=_DELETED,
    columns=(
        *_RESOURCE,
        Column("clinical_status", "active, resolved...", Kind.JSON, _SPECIAL, path="$.clinicalStatus"),
        Column(
            "verification_status", "confirmed, refuted, entered-in-error...", Kind.JSON, path="$.verificationStatus"
        ),
        _CATEGORY,
        Column("code", "What (SNOMED CT)", Kind.JSON, _SPECIAL, required=True),
        _subject(),
        Column("onset_date_time", "Since (onsetDateTime)", Kind.TIMESTAMP, path="$.onsetDateTime"),
        Column("abatement_date_time", "Until (abatementDateTime)", Kind.TIMESTAMP, path="$.abatementDateTime"),
        Column("recorded_date", "When it was recorded (recordedDate)", Kind.TIMESTAMP, path="$.recordedDate"),
        _NOTE,
    ),
)

OBSERVATION = Table(
    "observation",
    "one row per thing measured, seen or asked",
    key=("id",),
    version="last_updated",
    element="Observation",
    withdraws=_DELETED,
    columns=(
        *_RESOURCE,
        _status(
            "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"
        ),
        _CATEGORY,
        Column("code", "What was observed (SNOMED CT, LOINC)", Kind.JSON, _SPECIAL, required=True),
        _subject(),
        Column("effective_date_time", "When it was so (effectiveDateTime)", Kind.TIMESTAMP, path="$.effectiveDateTime"),
        Column("effective_start", "Since (effectivePeriod.start)", Kind.TIMESTAMP, path="$.effectivePeriod.start"),
        Column("effective_end", "Until (effectivePeriod.end)", Kind.TIMESTAMP, path="$.effectivePeriod.end"),
        Column("issued", "When it was made available", Kind.TIMESTAMP),
        Column("value_quantity", "Value and unit", Kind.JSON, _SPECIAL, path="$.valueQuantity"),
        Column("value_codeable_concept", "Coded value", Kind.JSON, _SPECIAL, path="$.valueCodeableConcept"),
        Column("value_string", "Value in words", sensitivity=_SPECIAL, path="$.valueString"),
        Column("value_boolean", "Yes or no", sensitivity=_SPECIAL, path="$.valueBoolean"),
        Column("value_integer", "Count or score", Kind.INTEGER, _SPECIAL, path="$.valueInteger"),
        Column("value_date_time", "Value that is a date", Kind.TIMESTAMP, _SPECIAL, path="$.valueDateTime"),
        Column("component", "Parts of a composite observation", Kind.JSON, _SPECIAL),
        Column("interpretation", "High, low, normal", Kind.JSON, _SPECIAL),
        _NOTE,
    ),
)

FLAG = Table(
    "flag",
    "one row per flag on a patient's record: CP-IS, FGM, reasonable adjustment",
    key=("id",),
    version="last_updated",
    element="Flag",
    withdraws=_DELETED,
    columns=(
        *_RESOURCE,
        _status("active", "inactive", "entered-in-error"),
        _CATEGORY,
        Column("code", "What the flag says", Kind.JSON, _SPECIAL, required=True),
        _subject(),
        Column("period_start", "From", Kind.TIMESTAMP, path="$.period.start"),
        Column("period_end", "Until", Kind.TIMESTAMP, path="$.period.end"),
        Column("author", "Who raised it", Kind.JSON),
    ),
)

IMMUNIZATION = Table(
    "immunization",
    "one row per vaccination given or not given",
    key=("id",),
    version="last_updated",
    element="Immunization",
    withdraws=_DELETED,
    columns=(
        *_RESOURCE,
        _status("completed", "entered-in-error", "not-done"),
        Column("status_reason", "Why it was not given", Kind.JSON, _SPECIAL, path="$.statusReason"),
        Column("vaccine_code", "Vaccine", Kind.JSON, _SPECIAL, required=True, path="$.vaccineCode"),
        _subject("patient"),
        Column("occurrence_date_time", "When (occurrenceDateTime)", Kind.TIMESTAMP, path="$.occurrenceDateTime"),
        Column("recorded", "When it was recorded", Kind.TIMESTAMP),
    ),
)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """Patients and those related to them become person records; what happened to them becomes events and spans."""
    return [*fhir_people.outputs(), *fhir_events.outputs()]


FEED = Feed(
    agency="health",
    name="fhir",
    title="FHIR R4 (UK Core) resources from a trust, a child health system or PDS",
    format="fhir",
    tables=(PATIENT, RELATED_PERSON, ENCOUNTER, APPOINTMENT, CONDITION, OBSERVATION, FLAG, IMMUNIZATION),
    conform=conform,
    delivery="delta",
    expect="daily",
    unit="file",
)

"""The Common Transfer File: which elements make a row, which columns each has, what they mean.

What lives here: declarations only (CTF 25 with the element names of earlier versions that are still written; docs/sources.md
4.2). What must not: SQL and what the rows become (ctf.py). Elements not named here arrive in `extra`.
"""

from __future__ import annotations

from connectors.contract import Column, Kind, Table
from warehouse.schema import Sensitivity

_KEY, _CODED, _OPERATIONAL, _IDENTIFYING, _SPECIAL = (
    Sensitivity.KEY,
    Sensitivity.CODED,
    Sensitivity.OPERATIONAL,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
)

_TRUE_OR_FALSE = ("true", "false", "1", "0")
_SEX = ("M", "F", "U")
_SEN_PROVISION = ("N", "K", "E", "A", "P", "S")


def _of_the_file() -> tuple[Column, ...]:
    """What the header says of every row: a newer file's row replaces an older's, in whichever order they arrive."""
    return (
        Column(
            "written_at",
            "When the file was written",
            Kind.TIMESTAMP,
            _OPERATIONAL,
            path="/Header/DateTime",
            hint="Header/DateTime, as 2026-09-03T09:15:00",
        ),
        Column(
            "document_qualifier",
            "full: the file says all the school knows of these pupils; partial: it adds to what is known",
            sensitivity=_OPERATIONAL,
            allowed=("full", "partial"),
            path="/Header/DocumentQualifier",
        ),
    )


def _upn(path: str = "UPN") -> Column:
    return Column(
        "upn",
        "Unique pupil number of the pupil",
        Kind.UPN,
        _IDENTIFYING,
        required=True,
        path=path,
        hint="13 characters; the first is a check letter, a letter at the end makes it temporary",
    )


def _address(prefix: str, path: str, whose: str) -> tuple[Column, ...]:
    """Address columns of a person whose Address element is at `path`: BS7666 parts, or lines."""
    parts = {
        "saon": ("SAON", "flat or part of the building"),
        "paon": ("PAON", "house name or number"),
        "street": ("Street", "street"),
        "locality": ("Locality", "locality"),
        "town": ("Town", "town"),
        "administrative_area": ("AdministrativeArea", "administrative area"),
        "post_town": ("PostTown", "post town"),
        "uprn": ("UniquePropertyReferenceNumber", "unique property reference number"),
    }
    return (
        *(
            Column(
                f"{prefix}{name}",
                f"{whose}: {words}",
                sensitivity=_IDENTIFYING,
                path=f"{path}Address/BS7666Address/{element}",
            )
            for name, (element, words) in parts.items()
        ),
        *(
            Column(
                f"{prefix}address_line{line}",
                f"{whose}: address line {line}",
                sensitivity=_IDENTIFYING,
                path=f"{path}Address/AddressLines/AddressLine{line}",
            )
            for line in range(1, 6)
        ),
        Column(f"{prefix}postcode", f"{whose}: postcode", Kind.POSTCODE, _IDENTIFYING, path=f"{path}Address/PostCode"),
    )


PUPIL = Table(
    name="pupil",
    grain="one row per pupil the file is about",
    key=("upn",),
    version="written_at",
    element="Pupil",
    owner="upn",
    required=True,
    columns=(
        _upn(),
        Column("uln", "Unique learner number", sensitivity=_IDENTIFYING, path="UniqueLearnerNumber"),
        Column("uci", "Unique candidate identifier of examinations", sensitivity=_IDENTIFYING, path="UCI"),
        Column("surname", "Family name in law", sensitivity=_IDENTIFYING, required=True, path="Surname"),
        Column("forename", "Given name", sensitivity=_IDENTIFYING, required=True, path="Forename"),
        Column("dob", "Date of birth", Kind.DATE, _IDENTIFYING, required=True, path="DOB", hint="As 2014-10-22"),
        Column("sex", "Sex: M or F", allowed=_SEX, path="Sex"),
        Column("gender", "Sex, as files before the change of name have it", allowed=_SEX, path="Gender"),
        Column("former_upn", "UPN the pupil had before", Kind.UPN, _IDENTIFYING, path="BasicDetails/FormerUPN"),
        Column(
            "preferred_surname",
            "Family name the pupil is known by",
            sensitivity=_IDENTIFYING,
            path="BasicDetails/PreferredSurname",
        ),
        Column(
            "preferred_forename",
            "Given name the pupil is known by",
            sensitivity=_IDENTIFYING,
            path="BasicDetails/PreferredForename",
        ),
        Column("former_surname", "Family name before", sensitivity=_IDENTIFYING, path="BasicDetails/FormerSurname"),
        Column("former_forename", "Given name before", sensitivity=_IDENTIFYING, path="BasicDetails/FormerForename"),
        Column("middle_names", "Middle names", sensitivity=_IDENTIFYING, path="BasicDetails/MiddleNames"),
        Column("nc_year", "National curriculum year group", path="BasicDetails/NCyearActual"),
        Column("ethnicity", "Ethnicity, DfE code", sensitivity=_SPECIAL, path="BasicDetails/Ethnicity"),
        Column(
            "ethnicity_source",
            "Who said so: P parent, C pupil, S school, T former school, O other",
            allowed=("P", "C", "S", "T", "O"),
            path="BasicDetails/EthnicitySource",
        ),
        Column("languages", "Languages", Kind.JSON, _SPECIAL, path="BasicDetails/Languages"),
        Column(
            "enrol_status",
            "Enrolment: C only here, M main and S subsidiary of two, G guest, F college, O other provider",
            allowed=("C", "M", "S", "G", "F", "O"),
            path="BasicDetails/EnrolStatus",
        ),
        Column("medical_flag", "The school holds medical notes", sensitivity=_SPECIAL, path="BasicDetails/MedicalFlag"),
        Column("disabilities", "Disabilities", Kind.JSON, _SPECIAL, path="BasicDetails/Disabilities"),
        Column(
            "in_care",
            "The pupil is looked after by a council",
            sensitivity=_SPECIAL,
            allowed=_TRUE_OR_FALSE,
            path="LookedAfter/InCare",
        ),
        Column(
            "care_authority",
            "Council that looks after the pupil",
            sensitivity=_SPECIAL,
            path="LookedAfter/CareAuthority",
        ),
        Column("sen_needs", "Special educational needs", Kind.JSON, _SPECIAL, path="SENhistory/SENneeds"),
        *_address("", "", "Pupil"),
        Column("phones", "Telephone numbers", Kind.JSON, _IDENTIFYING, path="Phones"),
        Column("email", "E-mail address", sensitivity=_IDENTIFYING, path="Email"),
        Column("source_lea", "Local authority of the sending school", path="/Header/SourceSchool/LEA"),
        Column("source_estab", "Establishment number of the sending school", path="/Header/SourceSchool/Estab"),
        *_of_the_file(),
    ),
)

CONTACT = Table(
    name="contact",
    grain="one row per contact of a pupil: parents, carers and others, in order of whom to call first",
    key=("upn", "contact_order"),
    version="written_at",
    element="Contact",
    owner="upn",
    columns=(
        _upn("../../UPN"),
        Column("contact_order", "Whom to call first, 1 upwards", Kind.INTEGER, _KEY, required=True, path="Order"),
        Column("title", "Title", sensitivity=_IDENTIFYING, path="Title"),
        Column("surname", "Family name", sensitivity=_IDENTIFYING, required=True, path="Surname"),
        Column("forename", "Given name", sensitivity=_IDENTIFYING, path="Forename"),
        Column("middle_names", "Middle names", sensitivity=_IDENTIFYING, path="MiddleNames"),
        Column("sex", "Sex: M or F", allowed=_SEX, path="Sex"),
        Column("gender", "Sex, as files before the change of name have it", allowed=_SEX, path="Gender"),
        Column("relationship", "What the contact is to the pupil, DfE code such as MOT or FAT", path="Relationship"),
        Column(
            "responsibility",
            "Has parental responsibility",
            sensitivity=_SPECIAL,
            allowed=_TRUE_OR_FALSE,
            path="Responsibility",
        ),
        Column("address_as_pupil", "Lives at the pupil's address", allowed=_TRUE_OR_FALSE, path="AddressAsPupil"),
        *_address("", "", "Contact"),
        *_address("pupil_", "../../", "Pupil"),
        Column("phones", "Telephone numbers", Kind.JSON, _IDENTIFYING, path="Phones"),
        Column("email", "E-mail address", sensitivity=_IDENTIFYING, path="Email"),
        *_of_the_file(),
    ),
)

SCHOOL_HISTORY = Table(
    name="school_history",
    grain="one row per stay of a pupil at a school",
    key=("upn", "lea", "estab", "entry_date"),
    version="written_at",
    element="School",
    owner="upn",
    columns=(
        _upn("../../UPN"),
        Column("lea", "Local authority of the school", required=True, path="LEA"),
        Column("estab", "Establishment number of the school", required=True, path="Estab"),
        Column("school_name", "Name of the school", path="SchoolName"),
        Column("entry_date", "First day at the school", Kind.DATE, required=True, path="EntryDate"),
        Column("leaving_date", "Last day at the school", Kind.DATE, path="LeavingDate"),
        Column("leaving_reason", "Why the pupil left", path="LeavingReason"),
        *_of_the_file(),
    ),
)

SEN = Table(
    name="sen",
    grain="one row per change of a pupil's SEN provision",
    key=("upn", "start_date", "sen_provision"),
    version="written_at",
    element="SEN",
    owner="upn",
    columns=(
        _upn("../../UPN"),
        Column("start_date", "From when", Kind.DATE, required=True, path="StartDate"),
        Column("end_date", "Until when, where the file says", Kind.DATE, path="EndDate"),
        Column(
            "sen_provision",
            "N none, K SEN support, E EHC plan; A, P, S before 2014",
            sensitivity=_SPECIAL,
            required=True,
            allowed=_SEN_PROVISION,
            path="SENprovision",
        ),
        *_of_the_file(),
    ),
)

FREE_MEALS = Table(
    name="fsm",
    grain="one row per period of a pupil's free school meals",
    key=("upn", "start_date"),
    version="written_at",
    element="FSMinstance",
    owner="upn",
    columns=(
        _upn("../../UPN"),
        Column("start_date", "First day", Kind.DATE, required=True, path="FSMstartDate"),
        Column("end_date", "Last day", Kind.DATE, path="FSMendDate"),
        Column(
            "uk_country",
            "Country of the United Kingdom in which they were received",
            allowed=("ENG", "NIR", "SCT", "WLS"),
            path="UKcountry",
        ),
        *_of_the_file(),
    ),
)

ATTENDANCE_YEAR = Table(
    name="attendance_year",
    grain="one row per school year of a pupil at a school: how many sessions were attended",
    key=("upn", "school_year", "lea", "estab"),
    version="written_at",
    element="YearData",
    owner="upn",
    columns=(
        _upn("../../UPN"),
        Column("school_year", "Year in which the school year begins", Kind.INTEGER, required=True, path="Year"),
        Column("lea", "Local authority of the school", required=True, path="LEA"),
        Column("estab", "Establishment number of the school", required=True, path="Estab"),
        Column("school_name", "Name of the school", path="SchoolName"),
        Column("sessions_possible", "Sessions possible", Kind.INTEGER, path="SessionsPossible"),
        Column("sessions_attended", "Sessions attended", Kind.INTEGER, path="SessionsAttended"),
        Column("sessions_authorised", "Sessions missed with leave", Kind.INTEGER, path="SessionsAuthorised"),
        Column("sessions_unauthorised", "Sessions missed without leave", Kind.INTEGER, path="SessionsUnauthorised"),
        *_of_the_file(),
    ),
)

ATTENDANCE_MARKS = Table(
    name="attendance_marks",
    grain="one row per string of session marks of a pupil, beginning on one day",
    key=("upn", "start_date"),
    version="written_at",
    element="AttendSessions",
    owner="upn",
    columns=(
        _upn("../../../UPN"),
        Column("lea", "Local authority of the school", path="../LEA"),
        Column("estab", "Establishment number of the school", path="../Estab"),
        Column("start_date", "Day of the first mark", Kind.DATE, required=True, path="AttendanceStartDate"),
        Column("marks", "Marks, morning and afternoon in turn", sensitivity=_SPECIAL, path="AttendanceMarks"),
        *_of_the_file(),
    ),
)

TABLES = (PUPIL, CONTACT, SCHOOL_HISTORY, SEN, FREE_MEALS, ATTENDANCE_YEAR, ATTENDANCE_MARKS)

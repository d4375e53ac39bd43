"""Lays down what schools send: COLLECT tables of the census, a Common Transfer File per school, session marks.

Headings and elements of the three are here and nowhere else. Not here: what is in them (school.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

from synthetic.csv_text import cell, csv_text
from synthetic.places import AUTHORITY, School
from synthetic.population import school_year
from synthetic.school import SEN_TYPES, Pupil, Schools

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

CENSUS_TABLES: dict[str, tuple[str, ...]] = {
    "pupilonroll": (
        "pupilonrolltableid", "NativeId", "pupilonrollorderseqcolumn", "sourceid", "schoolcensustableid", "upn",
        "formerupn", "surname",
        "forename", "middlenames", "preferredsurname", "uniquelearnernumber", "formersurname", "dob",
        "hoursatsetting", "schoollunchtaken",
        "parttime", "entrydate", "topupfunding", "termlysessionspossible", "qualhrs", "nonqualhrs", "ftemp",
        "moveoffrollflag", "fundedhours",
        "missingaddress", "duplicatenotfunded", "summerhalfterm2sessionspossible", "yssa", "language", "classtype",
        "enrolstatus", "boarder",
        "senprovision", "ncyearactual", "mathsgcsehighestpriorattainment", "englishgcsehighestpriorattainment",
        "mathsgcsefundingexemption",
        "englishgcsefundingexemption", "plaa", "dafindicator", "extendedhours", "resourcedprovisionindicator",
        "senunitindicator",
        "servicechild", "englishgcsehighestpriorattainmentpreviousyear", "mathsgcsehighestpriorattainmentpreviousyear",
        "nonqualhrspreviousyear", "qualhrspreviousyear", "tlevelnonqualhrs", "tlevelqualhrs",
        "englishgcsepriorattainmentyear11",
        "mathsgcsepriorattainmentyear11", "sex", "eligibilitycode", "eyppr", "eyppbf",
    ),
    "pupilnolongeronroll": (
        "pupilnolongeronrolltableid", "NativeId", "pupilnolongeronrollorderseqcolumn", "sourceid",
        "schoolcensustableid", "upn", "formerupn",
        "surname", "forename", "middlenames", "uniquelearnernumber", "formersurname", "dob", "entrydate",
        "leavingdate", "parttime",
        "termlysessionspossible", "moveonrollflag", "missingaddress", "summerhalfterm2sessionspossible", "qualhrs",
        "nonqualhrs", "boarder",
        "language", "ncyearleaving", "mathsgcsehighestpriorattainment", "englishgcsehighestpriorattainment",
        "mathsgcsefundingexemption",
        "englishgcsefundingexemption", "englishgcsehighestpriorattainmentpreviousyear",
        "mathsgcsehighestpriorattainmentpreviousyear",
        "nonqualhrspreviousyear", "qualhrspreviousyear", "tlevelnonqualhrs", "tlevelqualhrs",
        "englishgcsepriorattainmentyear11",
        "mathsgcsepriorattainmentyear11", "sex",
    ),
    "addressesonroll": (
        "addressesonrolltableid", "NativeId", "addressesonrollorderseqcolumn", "sourceid", "pupilonrolltableid",
        "postcode", "saon", "paon",
        "street", "locality", "town", "administrativearea", "posttown", "addressline1", "addressline2",
        "addressline3", "addressline4",
        "addressline5", "uniquepropertyreferencenumber",
    ),
    "addressesoffroll": (
        "addressesoffrolltableid", "NativeId", "addressesoffrollorderseqcolumn", "sourceid",
        "pupilnolongeronrolltableid", "postcode",
        "uniquepropertyreferencenumber",
    ),
    "termlyexclusionsonroll": (
        "termlyexclusionsonrolltableid", "NativeId", "termlyexclusionsonrollorderseqcolumn", "sourceid",
        "pupilonrolltableid", "startdate",
        "sessions", "category", "senprovision", "reason1", "reason2", "reason3",
    ),
    "termlysessiondetailsonroll": (
        "termlysessiondetailsonrolltableid", "NativeId", "termlysessiondetailsonrollorderseqcolumn", "sourceid",
        "pupilonrolltableid",
        "attendancereason", "sessions",
    ),
    "senneeds": (
        "senneedstableid", "NativeId", "senneedsorderseqcolumn", "sourceid", "pupilonrolltableid", "sentyperank",
        "sentype",
    ),
    "school": (
        "schooltableid", "NativeId", "schoolorderseqcolumn", "sourceid", "schoolcensustableid", "schoolname",
        "email", "phoneno", "intake",
        "phase", "type", "highestncyeargroup", "governance", "lowestncyeargroup",
    ),
    "schoolcensus": (
        "schoolcensustableid", "NativeId", "schoolcensusorderseqcolumn", "sourceid", "name", "collection", "term",
        "year", "referencedate",
        "serialno", "sourcelevel", "estab", "softwarecode", "datetime", "release", "xversion", "lea", "urn",
    ),
}  # fmt: skip

LANGUAGES = {
    "polish": "POL", "romanian": "RMN", "ukrainian": "UKR", "portuguese": "POR", "pakistani": "URD",
    "bangladeshi": "BNG", "sikh": "PNJ",
    "indian_hindu": "GUJ", "tamil": "TAM", "somali": "SOM", "arabic": "ARA", "turkish": "TUR", "kurdish": "KUR",
    "chinese": "CHI",
    "vietnamese": "VIE", "eritrean": "TGR", "afghan": "PHA",
}  # fmt: skip
ATTENDANCE_COLUMNS = ("upn", "laestab", "surname", "forename", "dob", "session_date", "session", "code")
RELATIONSHIPS = {"mother": "MOT", "father": "FAT", "stepfather": "STP", "grandmother": "GRM", "aunt": "REL"}
YEAR_CODES = {-1: "N2", 0: "R"}


def census_day(today: date) -> date:
    """The first Thursday of October."""
    first = date(today.year if today.month >= 10 else today.year - 1, 10, 1)
    return first + timedelta((3 - first.weekday()) % 7)


def _stamp(day: date | None) -> str:
    return f"{day.year}-{MONTHS[day.month - 1]}-{day.day:02d} 00:00:00" if day else ""


# Census


def write_census(schools: Schools, folder: Path) -> None:
    """The autumn census as COLLECT gives it back: a file per table, keys between them, dates with a time of day."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, truth = Random(f"census/{len(schools.pupils)}"), schools.truth
    day = census_day(schools.today)
    rows: dict[str, list[dict[str, str]]] = {table: [] for table in CENSUS_TABLES}
    all_schools = {pupil.school.estab: pupil.school for pupil in (*schools.pupils, *schools.leavers)}
    for order, (estab, school) in enumerate(sorted(all_schools.items()), 1):
        rows["schoolcensus"].append(
            {
                "schoolcensustableid": f"sc{estab}", "NativeId": f"C{estab}",
                "schoolcensusorderseqcolumn": str(order), "sourceid": f"s{estab}",
                "name": "School Census", "collection": "SC", "term": "AUT", "year": str(day.year),
                "referencedate": _stamp(day),
                "serialno": "1", "sourcelevel": "L", "estab": estab, "softwarecode": "SYNTH",
                "datetime": _stamp(day + timedelta(20)),
                "release": "1", "xversion": "1", "lea": AUTHORITY, "urn": school.urn,
            }
        )  # fmt: skip
        rows["school"].append(
            {
                "schooltableid": f"sch{estab}", "NativeId": f"S{estab}", "schoolorderseqcolumn": "1",
                "sourceid": f"s{estab}",
                "schoolcensustableid": f"sc{estab}", "schoolname": school.name,
                "phase": "PS" if school.phase == "primary" else "SS", "intake": "COMP",
            }
        )  # fmt: skip
    for pupil in schools.pupils:
        _census_pupil(schools, pupil, rows, day, rng)
    for pupil in schools.leavers:
        _census_leaver(schools, pupil, rows, day)
    for serial, (pupil, start, sessions, reasons, category) in enumerate(schools.suspensions(rng), 1):
        table = f"ex{pupil.native_id}"
        first, second, third = [*reasons, "", "", ""][:3]
        rows["termlyexclusionsonroll"].append(
            {
                "termlyexclusionsonrolltableid": f"{table}-{serial}", "NativeId": pupil.native_id,
                "termlyexclusionsonrollorderseqcolumn": "1",
                "sourceid": f"s{pupil.school.estab}", "pupilonrolltableid": f"p{pupil.native_id}",
                "startdate": _stamp(start),
                "sessions": str(sessions), "category": category, "senprovision": pupil.sen, "reason1": first,
                "reason2": second, "reason3": third,
            }
        )  # fmt: skip
        kind = "permanent_exclusion" if category == "PERM" else "suspension"
        ref = f"termlyexclusionsonroll/{table}-{serial}"
        truth.event("school", "census", ref, pupil.person, start, kind, "fact", pupil.native_id)
    for table, columns in CENSUS_TABLES.items():
        text = csv_text(columns, ([row.get(column, "") for column in columns] for row in rows[table]))
        encoded = text.encode("cp1252", errors="strict") if table == "school" else text.encode("utf-8")
        (folder / f"{day.year}_autumn_{table}.csv").write_bytes(encoded)
        truth.wrote(f"school/census/{day.year}_autumn_{table}.csv", len(rows[table]))


def _census_pupil(
    schools: Schools, pupil: Pupil, rows: dict[str, list[dict[str, str]]], day: date, rng: Random
) -> None:
    seen, person, source = pupil.seen, pupil.person, f"s{pupil.school.estab}"
    table = f"p{pupil.native_id}"
    address, code, family, former = seen.address, seen.postcode, seen.family, seen.former_family
    traps = set(seen.traps)
    moved = person.household.stays[-1].since
    if moved > day and address is person.household.home:
        address = person.household.address(day)
        code = address.postcode
        traps.add("stale_address")
    if person.renamed_on and person.renamed_on > day and family == person.family:
        family, former = person.former_family, ""
        traps.add("old_surname_here")
    year = school_year(person.dob, schools.today)
    rows["pupilonroll"].append(
        {
            "pupilonrolltableid": table, "NativeId": pupil.native_id,
            "pupilonrollorderseqcolumn": str(len(rows["pupilonroll"]) + 1),
            "sourceid": source, "schoolcensustableid": f"sc{pupil.school.estab}", "upn": seen.upn,
            "formerupn": seen.former_upn,
            "surname": family, "forename": seen.given, "middlenames": seen.middle, "preferredsurname": family,
            "formersurname": former,
            "dob": _stamp(seen.dob), "sex": seen.sex, "entrydate": _stamp(pupil.entry), "parttime": "false",
            "schoollunchtaken": rng.choice(("true", "false")), "termlysessionspossible": "126", "enrolstatus": "C",
            "boarder": "N",
            "senprovision": pupil.sen, "ncyearactual": YEAR_CODES.get(year, str(year)),
            "language": LANGUAGES.get(person.origin, "ENG"),
            "classtype": "O", "plaa": "N", "servicechild": "N", "topupfunding": "true" if pupil.sen == "E" else "false",
        }
    )  # fmt: skip
    lines = rng.random() < 0.12
    row = {
        "addressesonrolltableid": f"a{pupil.native_id}", "NativeId": pupil.native_id,
        "addressesonrollorderseqcolumn": "1", "sourceid": source,
        "pupilonrolltableid": table, "postcode": code,
    }  # fmt: skip
    if lines:
        row |= {"addressline1": address.first_line(), "addressline2": address.locality, "addressline3": address.town}
    else:
        row |= {
            "saon": address.flat,
            "paon": address.number,
            "street": address.street,
            "locality": address.locality,
            "town": address.town,
        }
        row |= {"uniquepropertyreferencenumber": address.uprn if rng.random() < 0.7 else ""}
    rows["addressesonroll"].append(row)
    for order, (reason, least, most) in enumerate((("I", 0, 12), ("O", 0, 6), ("M", 0, 3)), 1):
        sessions = rng.randrange(least, most)
        if sessions:
            rows["termlysessiondetailsonroll"].append(
                {
                    "termlysessiondetailsonrolltableid": f"t{pupil.native_id}-{order}", "NativeId": pupil.native_id,
                    "termlysessiondetailsonrollorderseqcolumn": str(order), "sourceid": source,
                    "pupilonrolltableid": table,
                    "attendancereason": reason, "sessions": str(sessions),
                }
            )  # fmt: skip
    if pupil.sen != "N":
        for rank, kind in enumerate(rng.sample(SEN_TYPES, rng.randrange(1, 3)), 1):
            rows["senneeds"].append(
                {
                    "senneedstableid": f"n{pupil.native_id}-{rank}", "NativeId": pupil.native_id,
                    "senneedsorderseqcolumn": str(rank),
                    "sourceid": source, "pupilonrolltableid": table, "sentyperank": str(rank), "sentype": kind,
                }
            )  # fmt: skip
    schools.truth.record("school", "census", pupil.native_id, person, traps, insufficient=seen.insufficient())


def _census_leaver(schools: Schools, pupil: Pupil, rows: dict[str, list[dict[str, str]]], day: date) -> None:
    seen, source, table = pupil.seen, f"s{pupil.school.estab}", f"q{pupil.native_id}"
    left = date(day.year, 7, 21)
    rows["pupilnolongeronroll"].append(
        {
            "pupilnolongeronrolltableid": table, "NativeId": pupil.native_id,
            "pupilnolongeronrollorderseqcolumn": str(len(rows["pupilnolongeronroll"]) + 1), "sourceid": source,
            "schoolcensustableid": f"sc{pupil.school.estab}", "upn": seen.upn, "formerupn": seen.former_upn,
            "surname": seen.family,
            "forename": seen.given, "middlenames": seen.middle, "formersurname": seen.former_family,
            "dob": _stamp(seen.dob), "sex": seen.sex,
            "entrydate": _stamp(pupil.entry), "leavingdate": _stamp(left), "parttime": "false", "boarder": "N",
        }
    )  # fmt: skip
    stays = pupil.person.household.stays
    address = stays[-2].address if len(stays) > 1 else seen.address
    rows["addressesoffroll"].append(
        {
            "addressesoffrolltableid": f"b{pupil.native_id}", "NativeId": pupil.native_id,
            "addressesoffrollorderseqcolumn": "1",
            "sourceid": source, "pupilnolongeronrolltableid": table, "postcode": address.postcode,
            "uniquepropertyreferencenumber": address.uprn,
        }
    )  # fmt: skip
    schools.truth.record(
        "school",
        "census",
        pupil.native_id,
        pupil.person,
        seen.traps | {"left_school"},
        insufficient=seen.insufficient(),
    )


# Common Transfer File


def write_ctf(schools: Schools, folder: Path, serial: int) -> None:
    """One file for each school with pupils to send tonight."""
    folder.mkdir(parents=True, exist_ok=True)
    by_school: dict[str, list[Pupil]] = {}
    for pupil in schools.ctf_due:
        by_school.setdefault(pupil.school.estab, []).append(pupil)
    for estab, pupils in sorted(by_school.items()):
        school = pupils[0].school
        name = f"{school.laestab}_CTF_{AUTHORITY}LLLL_{serial:03d}.xml"
        text = _ctf(schools, school, pupils, "full" if serial == 1 else "partial")
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        schools.truth.wrote(f"school/ctf/{name}", len(pupils))
        del estab
    schools.ctf_due = []


def _ctf(schools: Schools, school: School, pupils: list[Pupil], qualifier: str) -> str:
    today = schools.today
    stamp = datetime.combine(today - timedelta(1), time(17, 40))
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CTfile>\n'
        "<Header><DocumentName>Common Transfer File</DocumentName><CTFversion>25.0</CTFversion>"
        f"<DateTime>{stamp:%Y-%m-%dT%H:%M:%S}</DateTime><DocumentQualifier>{qualifier}</DocumentQualifier><SupplierID>SYNTH</SupplierID>"
        f"<SourceSchool><LEA>{AUTHORITY}</LEA><Estab>{school.estab}</Estab><SchoolName>{escape(school.name)}</SchoolName>"
        f"<AcademicYear>{today.year if today.month >= 9 else today.year - 1}</AcademicYear></SourceSchool>"
        f"<DestSchool><LEA>{AUTHORITY}</LEA><Estab>LLLL</Estab></DestSchool></Header>\n<CTFpupilData>\n"
    )
    return head + "".join([_ctf_pupil(schools, pupil) for pupil in pupils]) + "</CTFpupilData>\n</CTfile>\n"


def _tag(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>" if value else ""


def _ctf_pupil(schools: Schools, pupil: Pupil) -> str:
    """One Pupil element. Elements without a value are left out, as suppliers do."""
    seen, person, today = pupil.seen, pupil.person, schools.today
    preferred = seen.known_as if seen.known_as != seen.given else ""
    year = school_year(person.dob, today)
    old_form = pupil.school.estab.endswith("7")
    parts = [
        "<Pupil>", _tag("UPN", seen.upn), _tag("Surname", seen.family), _tag("Forename", seen.given),
        _tag("DOB", seen.dob.isoformat() if seen.dob else ""), _tag("Gender" if old_form else "Sex", seen.sex),
        "<BasicDetails>", _tag("FormerUPN", seen.former_upn), _tag("PreferredForename", preferred),
        _tag("FormerSurname", seen.former_family), _tag("MiddleNames", seen.middle),
        _tag("NCyearActual", YEAR_CODES.get(year, str(year))), _tag("Ethnicity", seen.ethnic),
        "<EthnicitySource>P</EthnicitySource><EnrolStatus>C</EnrolStatus></BasicDetails>",
    ]  # fmt: skip
    in_care = (
        person.id in schools.cast.looked_after and "adopted_old" not in person.traps and int(pupil.native_id) % 10 != 3
    )
    authority = _tag("CareAuthority", AUTHORITY if in_care else "")
    parts.append(f"<LookedAfter><InCare>{'true' if in_care else 'false'}</InCare>{authority}</LookedAfter>")
    if pupil.sen != "N":
        since = f"<StartDate>{pupil.entry.isoformat()}</StartDate>"
        parts.append(f"<SENhistory><SEN>{since}<SENprovision>{pupil.sen}</SENprovision></SEN></SENhistory>")
    address = seen.address
    if int(pupil.native_id) % 11 == 0:
        lines = (
            _tag("AddressLine1", address.first_line())
            + _tag("AddressLine2", address.locality)
            + _tag("AddressLine3", address.town)
        )
        parts.append(f"<Address><AddressLines>{lines}</AddressLines>{_tag('PostCode', seen.postcode)}</Address>")
    else:
        parts += [
            "<Address><BS7666Address>", _tag("SAON", address.flat), _tag("PAON", address.number),
            _tag("Street", address.street),
            _tag("Locality", address.locality), _tag("Town", address.town),
            _tag("UniquePropertyReferenceNumber", address.uprn),
            "</BS7666Address>", _tag("PostCode", seen.postcode), "</Address>",
        ]  # fmt: skip
    parts.append(_contacts(schools, pupil))
    if int(pupil.native_id) % 40 == 0:
        parts.append(_last_year(pupil, today))
    parts += [
        f"<SchoolHistory><School><LEA>{AUTHORITY}</LEA><Estab>{pupil.school.estab}</Estab>",
        _tag("SchoolName", pupil.school.name),
        _tag("EntryDate", pupil.entry.isoformat()), "</School></SchoolHistory></Pupil>\n",
    ]  # fmt: skip
    schools.truth.record("school", "ctf", seen.upn, person, seen.traps, insufficient=seen.insufficient())
    return "".join(parts)


def _contacts(schools: Schools, pupil: Pupil) -> str:
    """Whom the school rings first, second, third."""
    household = pupil.person.household
    people = household.adults[:3]
    if not people:
        return ""
    parts = ["<Contacts>"]
    for order, (adult, relation) in enumerate(people, 1):
        phone = (
            f"<Phones><Phone><TelephoneType>M</TelephoneType><PhoneNo>{household.phone}</PhoneNo></Phone></Phones>"
            if order == 1
            else ""
        )
        responsible = "true" if relation in ("mother", "father") else "false"
        parts.append(
            f"<Contact><Order>{order}</Order><Title>{'Mrs' if adult.sex == 'F' else 'Mr'}</Title>"
            f"{_tag('Surname', adult.family or adult.given)}{_tag('Forename', adult.given)}<Gender>{adult.sex}</Gender>"
            f"<Relationship>{RELATIONSHIPS.get(relation, 'OTH')}</Relationship>"
            f"<Responsibility>{responsible}</Responsibility><AddressAsPupil>true</AddressAsPupil>{phone}</Contact>"
        )
        schools.truth.record("school", "ctf", f"{pupil.seen.upn}/contact/{order}", adult, {"contact"})
    return "".join(parts) + "</Contacts>"


def _last_year(pupil: Pupil, today: date) -> str:
    """A fortnight of marks of last summer: history that attendance files do not hold."""
    marks = "/\\" * 5 + "##" * 2 + "/\\" * 3 + "II/\\"
    return (
        f"<Attendance><YearData><Year>{today.year - 1}</Year><LEA>{AUTHORITY}</LEA><Estab>{pupil.school.estab}</Estab>"
        "<SessionsPossible>380</SessionsPossible><SessionsAuthorised>14</SessionsAuthorised><SessionsAttended>362</SessionsAttended>"
        f"<SessionsUnauthorised>4</SessionsUnauthorised><AttendSessions><AttendanceStartDate>{today.year}-07-06</AttendanceStartDate>"
        f"<AttendanceMarks>{marks}</AttendanceMarks></AttendSessions></YearData></Attendance>"
    )


# Attendance


def _pupil_cells(pupil: Pupil) -> str:
    """The first five columns, the same on every row of the pupil. Some schools export the name the child answers to."""
    seen = pupil.seen
    forename = seen.given
    if int(pupil.school.estab) % 3 == 0 and seen.known_as:
        forename = seen.known_as
    dob = seen.dob.isoformat() if seen.dob else ""
    return f"{seen.upn},{pupil.school.laestab},{cell(seen.family)},{cell(forename)},{dob},"


def _note_attendance(schools: Schools, pupil: Pupil) -> None:
    traps = pupil.seen.traps | (
        {"preferred_forename"} if int(pupil.school.estab) % 3 == 0 and pupil.seen.known_as else set()
    )
    schools.truth.record(
        "school", "attendance", pupil.seen.upn, pupil.person, traps, insufficient=pupil.seen.insufficient()
    )


def write_first_attendance(schools: Schools, folder: Path, rng: Random) -> None:
    """Five weeks of marks, one file per school; every other school says when each mark was made."""
    folder.mkdir(parents=True, exist_ok=True)
    days = schools.school_days(schools.today)
    spans = f"{days[0]:%Y%m%d}_{days[-1]:%Y%m%d}"
    plain = [f"{day.isoformat()},{half}," for day in days for half in ("AM", "PM")]
    made = [f",{day.isoformat()}T{'09:10' if half == 'AM' else '13:35'}:00" for day in days for half in ("AM", "PM")]
    usual = {False: _usual(plain, None), True: _usual(plain, made)}
    by_school: dict[str, list[Pupil]] = {}
    for pupil in schools.pupils:
        by_school.setdefault(pupil.school.estab, []).append(pupil)
    for estab, pupils in sorted(by_school.items()):
        stamped = int(estab) % 2 == 1
        columns = (*ATTENDANCE_COLUMNS, "recorded_at") if stamped else ATTENDANCE_COLUMNS
        lines = [",".join(columns)]
        for pupil in pupils:
            cells = _pupil_cells(pupil)
            codes = schools.marks(pupil, days, rng)
            present = usual[stamped]
            lines += [
                cells + (row if code in "/\\" else plain[at] + code + (made[at] if stamped else ""))
                for at, (row, code) in enumerate(zip(present, codes, strict=True))
            ]
            pupil.last_codes = {days[-1]: (codes[-2], codes[-1])}
            schools.absence_events(pupil, days, codes, pupil.seen.upn)
            _note_attendance(schools, pupil)
        # A register is opened twice now and then: the same session again, and the later line counts.
        twice = rng.sample(pupils, min(2, len(pupils)))
        lines += [
            _pupil_cells(pupil) + plain[4] + "M" + (f",{days[2].isoformat()}T11:00:00" if stamped else "")
            for pupil in twice
        ]
        name = f"{AUTHORITY}{estab}_attendance_{spans}.csv"
        _write_lines(schools, folder / name, lines, estab)


def _usual(plain: list[str], made: list[str] | None) -> list[str]:
    return [row + ("/", "\\")[at % 2] + (made[at] if made else "") for at, row in enumerate(plain)]


def _write_lines(schools: Schools, path: Path, lines: list[str], estab: str) -> None:
    """One school's system writes Windows line ends and a byte order mark."""
    windows = int(estab) % 4 == 3
    text = ("\r\n" if windows else "\n").join(lines) + ("\r\n" if windows else "\n")
    path.write_bytes(text.encode("utf-8-sig" if windows else "utf-8"))
    schools.truth.wrote(f"school/attendance/{path.name}", len(lines) - 1)


def write_daily_attendance(
    schools: Schools, folder: Path, day: date, corrections: Iterable[tuple[Pupil, date, str, str]], rng: Random
) -> None:
    """One day of marks for every school, and corrections of earlier ones in files of their own."""
    by_school: dict[str, list[Pupil]] = {}
    for pupil in schools.pupils:
        by_school.setdefault(pupil.school.estab, []).append(pupil)
    folder.mkdir(parents=True, exist_ok=True)
    for estab, pupils in sorted(by_school.items()):
        stamped = int(estab) % 2 == 1
        lines = [",".join((*ATTENDANCE_COLUMNS, "recorded_at") if stamped else ATTENDANCE_COLUMNS)]
        for pupil in pupils:
            cells, codes = _pupil_cells(pupil), schools.marks(pupil, [day], rng)
            pupil.last_codes = {day: (codes[0], codes[1])}
            for half, code, at in (("AM", codes[0], "09:10"), ("PM", codes[1], "13:35")):
                lines.append(
                    f"{cells}{day.isoformat()},{half},{code}" + (f",{day.isoformat()}T{at}:00" if stamped else "")
                )
            _note_attendance(schools, pupil)
        _write_lines(schools, folder / f"{AUTHORITY}{estab}_attendance_{day:%Y%m%d}.csv", lines, estab)
    fixed: dict[str, list[str]] = {}
    for pupil, when, half, code in corrections:
        stamp = f",{day.isoformat()}T15:50:00"
        fixed.setdefault(pupil.school.estab, []).append(f"{_pupil_cells(pupil)}{when.isoformat()},{half},{code}{stamp}")
    for estab, rows in sorted(fixed.items()):
        lines = [",".join((*ATTENDANCE_COLUMNS, "recorded_at")), *rows]
        _write_lines(schools, folder / f"{AUTHORITY}{estab}_corrections_{day:%Y%m%d}.csv", lines, estab)

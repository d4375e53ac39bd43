"""Lays down what the police send: public protection notices as CSV or XLSX, Encompass notifications as JSON.

Headings are here and nowhere else. Not here: what happened (police.py).
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from openpyxl import Workbook

from synthetic.csv_text import csv_text
from synthetic.names import without_marks
from synthetic.places import shortened
from synthetic.police import ETHNIC_SELF_DEFINED, FORCE, OBSERVED, SEX_WORDS, Incident, NoticeChild, Police
from synthetic.population import Person
from synthetic.social_care import texts
from synthetic.truth import Truth

PPN_COLUMNS = (
    "ppn_id", "force_code", "crime_ref", "incident_ref", "ppn_type", "submitted_at", "incident_at",
    "incident_address", "incident_postcode",
    "child_index", "child_surname", "child_forenames", "child_dob", "child_dob_known", "child_age_apparent",
    "child_sex",
    "child_ethnicity_self", "child_ethnicity_observed", "child_address", "child_postcode", "child_school",
    "child_nhs_number", "child_present",
    "child_seen", "child_spoken_to", "voice_of_child", "adult_role", "adult_name",
    "relationship_to_child", "officer_risk_grade",
    "secondary_risk_grade", "dash_grade", "consent_sought", "consent_given", "safeguarding_reason", "narrative",
    "immediate_action",
    "police_powers_used", "referral_kind", "oic_collar", "handling_code",
)  # fmt: skip
GRADES = {"GREEN": "standard", "AMBER": "medium", "RED": "high"}


def notice_rows(truth: Truth, incident: Incident) -> list[tuple[str, ...]]:
    """One row per child; the adults of the notice take turns beside them."""
    notice = _notice_cells(incident)
    rows: list[tuple[str, ...]] = []
    for position, child in enumerate(incident.children):
        cells = notice | _child_cells(incident, child)
        if incident.adults:
            cells |= _adult_cells(*incident.adults[position % len(incident.adults)])
        rows.append(tuple(cells.get(column, "") for column in PPN_COLUMNS))
        _note(truth, incident, child)
    for order, (adult, _, _) in enumerate(_named(incident), 1):
        truth.record("police", "ppn", f"{incident.ppn}/adult/{order}", adult, {"adult_on_notice"})
    return rows


def _notice_cells(incident: Incident) -> dict[str, str]:
    """What is the same on every row of a notice."""
    year = incident.happened.year % 100
    return {
        "ppn_id": incident.ppn,
        "force_code": FORCE,
        "crime_ref": f"{FORCE}/{incident.reference[3:]}/{year}" if incident.kind == "child" else "",
        "incident_ref": incident.reference,
        "ppn_type": incident.kind.replace("_CCE", "/CCE"),
        "submitted_at": f"{incident.submitted:%Y-%m-%dT%H:%M:%S}+00:00",
        "incident_at": f"{incident.happened:%Y-%m-%dT%H:%M:%S}+00:00",
        "incident_address": incident.place.first_line().upper(),
        "incident_postcode": incident.place.postcode,
        "officer_risk_grade": incident.grade,
        "secondary_risk_grade": GRADES.get(incident.grade, ""),
        "dash_grade": "medium" if incident.kind == "DA" else "",
        "consent_sought": "Y" if incident.adults else "N",
        "narrative": incident.narrative,
        "immediate_action": incident.action,
        "police_powers_used": incident.powers,
        "referral_kind": "formal_referral" if incident.grade in ("high", "RED") else "information_exchange",
        "oic_collar": incident.officer,
    }


def _child_cells(incident: Incident, child: NoticeChild) -> dict[str, str]:
    """The child as this officer wrote them, in capitals."""
    seen = child.seen
    ethnic = ETHNIC_SELF_DEFINED.get(seen.ethnic, "")
    both_names = f"{seen.given} {seen.middle}".strip()
    return {
        "child_index": str(child.index),
        "child_surname": _upper(seen.family),
        "child_forenames": _upper(both_names if child.index % 2 else seen.given),
        "child_dob": _dob(seen.dob, seen.dob_text, incident),
        "child_dob_known": "Y" if seen.dob else "N",
        "child_age_apparent": "" if seen.age is None else str(seen.age),
        "child_sex": SEX_WORDS[incident.sex_words]["MFU".index(seen.sex)],
        "child_ethnicity_self": ethnic,
        "child_ethnicity_observed": OBSERVED[ethnic[:1]],
        "child_address": f"{seen.address.number} {shortened(seen.address.street)}",
        "child_postcode": seen.postcode,
        "child_school": child.school.name if child.school and child.index % 3 else "",
        "child_nhs_number": seen.nhs,
        "child_present": child.present,
        "child_seen": "Y" if child.present == "Y" else "N",
        "child_spoken_to": "Y" if child.spoken_to else "N",
        "voice_of_child": child.words,
        "consent_given": "Y" if child.index % 2 else "N",
        "handling_code": "partners" if child.index % 2 else "mash_only",
    }


def _adult_cells(adult: Person, relation: str, role: str) -> dict[str, str]:
    """The adult beside a child."""
    return {
        "adult_role": role,
        "adult_name": _upper(f"{adult.given} {adult.family}".strip()),
        "relationship_to_child": relation,
    }


def _named(incident: Incident) -> list:
    """The adults that a row names, in order of appearance."""
    return incident.adults[: len(incident.children)]


def _note(truth: Truth, incident: Incident, child: NoticeChild) -> None:
    key = f"{incident.ppn}/{child.index}"
    role = "unborn as child" if child.person.due else ""
    first = ("police", "ppn", key) not in truth.records
    truth.record(
        "police", "ppn", key, child.person, child.seen.traps, insufficient=child.seen.insufficient(), role=role
    )
    if first:
        kind = "missing_episode" if incident.kind == "missing" else "ppn"
        if incident.kind == "DA" and child.present == "Y":
            kind = "da_incident_child_present"
        truth.event("police", "ppn", key, child.person, incident.happened.date(), kind, "mixed", key)
        if child.words:
            truth.event(
                "police", "ppn", key, child.person, incident.happened.date(), "voice_of_child", "child_voice", key
            )


def _upper(text: str) -> str:
    """Capitals, as typed; letters that the force's code page lacks have lost their marks."""
    capitals = text.upper()
    try:
        capitals.encode("cp1252")
    except UnicodeEncodeError:
        return without_marks(text).upper()
    return capitals


def _dob(dob: date | None, words: str, incident: Incident) -> str:
    if dob is None:
        return words
    return f"{dob:%d/%m/%Y}" if int(incident.ppn[-2:]) % 9 else dob.isoformat()


def write_ppn_csv(
    police: Police,
    incidents: Sequence[Incident],
    path: Path,
    *,
    encoding: str = "utf-8",
    windows: bool = False,
    extra: bool = False,
) -> None:
    """Notices as CSV; narratives may hold line breaks, some files an extra column or a blank last line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [row for incident in incidents for row in notice_rows(police.truth, incident)]
    columns = (*PPN_COLUMNS, "beat_code") if extra else PPN_COLUMNS
    text = csv_text(columns, [(*row, "WX07") for row in rows] if extra else rows)
    if extra:
        text += "\n"
    if windows:
        text = text.replace("\n", "\r\n")
    path.write_bytes(text.encode(encoding))
    police.truth.wrote(f"police/ppn/{path.name}", len(rows))


def write_ppn_xlsx(police: Police, incidents: Sequence[Incident], path: Path) -> None:
    """Notices as a workbook, birth dates and ages as Excel likes them: real dates and numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = Workbook()
    sheet = book.active
    sheet.title = "PPN"
    sheet.append(PPN_COLUMNS)
    born, age, index = (PPN_COLUMNS.index(name) for name in ("child_dob", "child_age_apparent", "child_index"))
    rows = [row for incident in incidents for row in notice_rows(police.truth, incident)]
    for row in rows:
        cells: list[object] = [value or None for value in row]
        if re.fullmatch(r"\d\d/\d\d/\d{4}", row[born]) and row[born][:2] not in ("00",) and row[born] != "31/02/2014":
            day, month, year = map(int, row[born].split("/"))
            cells[born] = datetime(year, month, day)
        cells[index] = int(row[index])
        cells[age] = int(row[age]) if row[age] else None
        sheet.append(cells)
        if cells[born]:
            sheet.cell(sheet.max_row, born + 1).number_format = "DD/MM/YYYY"
    stamp = datetime(2026, 1, 1)
    book.properties.created = book.properties.modified = stamp
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_without_clock(buffer.getvalue()))
    police.truth.wrote(f"police/ppn/{path.name}", len(rows))


def _without_clock(workbook: bytes) -> bytes:
    """The same workbook without the time of its making, so that equal worlds have equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2026-01-01T00:00:00Z", data)
            target.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def write_encompass(police: Police, incidents: Sequence[Incident], path: Path) -> None:
    """Notifications as a JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notifications = []
    for incident in incidents:
        for key, child, sent in incident.encompass:
            notifications.append(_notification(incident, key, child, sent))
            person, seen = child.person, child.seen
            first = ("police", "encompass", key) not in police.truth.records
            police.truth.record("police", "encompass", key, person, seen.traps, insufficient=seen.insufficient())
            if first:
                day = incident.happened.date()
                police.truth.event("police", "encompass", key, person, day, "encompass_notification", "mixed", key)
    path.write_text(json.dumps(notifications, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")
    police.truth.wrote(f"police/encompass/{path.name}", len(notifications))


def _notification(incident: Incident, key: str, child: NoticeChild, sent: datetime) -> dict:
    seen, school = child.seen, child.school
    voice: dict[str, object] = {"spoken_to": child.spoken_to}
    if child.spoken_to:
        voice |= {
            "what_said": child.words or None,
            "other_adult_present": incident.adults[0][1] if incident.adults else None,
        }
    notification = {
        "encompass_id": key,
        "police_ref": incident.reference,
        "incident_at": f"{incident.happened:%Y-%m-%dT%H:%M:%S}+00:00",
        "incident_location": f"{seen.address.first_line()}, {seen.postcode}".strip(", "),
        "child": {
            "surname": seen.family,
            "forename": seen.given,
            "dob": seen.dob.isoformat() if seen.dob else None,
        },
        "school_name": school.name if school else None,
        "child_present": child.present == "Y",
        "voice_of_child": voice,
        "circumstances": incident.narrative.split("\n")[0] if "high" in incident.grade else _circumstances(incident),
        "other_safeguarding_info": None,
        "sent_at": f"{sent:%Y-%m-%dT%H:%M:%S}+00:00",
    }
    if school and child.index % 2:
        notification["school_laestab"] = school.laestab
    return notification


def _circumstances(incident: Incident) -> str:
    options = texts()["encompass"]["circumstances"]
    return options[int(incident.ppn[-2:]) % len(options)]

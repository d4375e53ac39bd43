"""Lays down the children in need census: one XML document of the census year, told from the case system's rows.

Element names are here and nowhere else. Not here: what is in the records (social_care.py).
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from random import Random

from synthetic.places import AUTHORITY
from synthetic.social_care import CareRecord, SocialCare

Row = dict[str, str | None]
_PARTS = {
    "ssd_cin_episodes": "cine_person_id",
    "ssd_cin_assessments": "cina_person_id",
    "ssd_cin_plans": "cinp_person_id",
    "ssd_s47_enquiry": "s47e_person_id",
    "ssd_initial_cp_conference": "icpc_person_id",
    "ssd_cp_plans": "cppl_person_id",
    "ssd_disability": "disa_person_id",
}


def write_cin(care: SocialCare, path: Path, on: date) -> None:
    """This census year's children: whose case was open on or after 1 April, and those looked after in it."""
    start = date(on.year if on.month >= 4 else on.year - 1, 4, 1)
    rows = {table: _by_person(care, table, owner) for table, owner in _PARTS.items()}
    rows["factors"] = _by_person(care, "ssd_assessment_factors", "cinf_assessment_id")
    children = []
    for record in care.records.values():
        episodes = [] if record.gone else _episodes(record, rows, start)
        if episodes:
            children.append(_child(care, record, rows, episodes))
            _note(care, record, episodes)
    reference = date(start.year + 1, 3, 31)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<Message><Header><CollectionDetails><Collection>CIN</Collection>'
        f"<Year>{reference.year}</Year><ReferenceDate>{reference}</ReferenceDate></CollectionDetails><Source>"
        f"<SourceLevel>L</SourceLevel><LEA>{AUTHORITY}</LEA><SoftwareCode>made up</SoftwareCode><SerialNo>001</SerialNo>"
        f"<DateTime>{on}T04:30:00</DateTime></Source></Header>\n<Children>\n"
        + "\n".join(children)
        + "\n</Children></Message>\n",
        encoding="utf-8",
        newline="\n",
    )
    care.truth.wrote(f"social_care/cin/{path.name}", len(children))


def _by_person(care: SocialCare, table: str, owner: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in care.tables.get(table, ()):
        found.setdefault(str(row[owner]), []).append(row)
    return found


def _episodes(record: CareRecord, rows: dict[str, dict[str, list[Row]]], start: date) -> list[Row]:
    """The child's episodes of need in the year; a child in care without a referral has one from the day of coming in."""
    told = [
        row
        for row in rows["ssd_cin_episodes"].get(record.key, ())
        if not row["cine_close_date"] or row["cine_close_date"] >= start.isoformat()
    ]
    in_care = [episode for episode in record.episodes if episode.end is None or episode.end >= start]
    if told or not in_care:
        return told
    end = in_care[-1].end
    return [
        {
            "cine_referral_id": None,
            "cine_referral_date": record.episodes[0].start.isoformat(),
            "cine_referral_source_code": "5A",
            "cine_cin_primary_need_code": in_care[-1].need,
            "cine_close_date": end.isoformat() if end else None,
            "cine_close_reason": "RC7" if end else None,
            "cine_referral_nfa": "N",
        }
    ]


def _child(care: SocialCare, record: CareRecord, rows: dict[str, dict[str, list[Row]]], episodes: list[Row]) -> str:
    """One child; systems still write old codes here and there, and words between the elements."""
    seen, rng = record.seen, Random(f"cin/{record.key}")
    upn = care.shown_upn(record)
    # One system writes why there is no UPN with the next field's name behind it.
    number = f"<UPNunknown>{upn}</UPNunknown>PersonBirthDate" if upn.startswith("UN") else f"<UPN>{upn}</UPN>"
    former = record.person.temporary_upn
    number += f"<FormerUPN>{former}</FormerUPN>" if former and former != upn and rng.random() < 0.5 else ""
    born = f"<PersonBirthDate>{seen.dob}</PersonBirthDate>" if seen.dob else ""
    due = f"<ExpectedPersonBirthDate>{record.expected}</ExpectedPersonBirthDate>" if record.expected else ""
    sex = f"<Sex>{seen.sex}</Sex>"
    if record.sex_old_code:
        sex = f"<GenderCurrent>{'012'['UMF'.index(seen.sex)]}</GenderCurrent>"
    disabilities = "".join(
        f"<Disability>{row['disa_disability_code']}</Disability>" for row in rows["ssd_disability"].get(record.key, ())
    )
    if not disabilities and not record.expected:
        disabilities = "<Disability>NONE</Disability>"
    told = "".join(_episode(record, rows, row, rng) for row in episodes)
    return (
        f"<Child><ChildIdentifiers><LAchildID>{record.key}</LAchildID>{number}{born}{due}{sex}</ChildIdentifiers>"
        f"<ChildCharacteristics><Ethnicity>{seen.ethnic}</Ethnicity>"
        + (f"<Disabilities>{disabilities}</Disabilities>" if disabilities else "")
        + f"</ChildCharacteristics>{told}</Child>"
    )


def _episode(record: CareRecord, rows: dict[str, dict[str, list[Row]]], row: Row, rng: Random) -> str:
    def of(table: str, referral: str) -> list[Row]:
        wanted = row["cine_referral_id"]
        return [part for part in rows[table].get(record.key, ()) if wanted and part[referral] == wanted]

    nfa = row["cine_referral_nfa"] == "Y"
    conferences = {part["icpc_s47_enquiry_id"]: part for part in rows["ssd_initial_cp_conference"].get(record.key, ())}
    parts = [
        _element("CINreferralDate", row["cine_referral_date"]),
        _element("ReferralSource", row["cine_referral_source_code"]),
        _element("PrimaryNeedCode", row["cine_cin_primary_need_code"]),
        _element("CINclosureDate", row["cine_close_date"]),
        _element("ReasonForClosure", row["cine_close_reason"]),
    ]
    for part in of("ssd_cin_assessments", "cina_referral_id"):
        factors = [
            code
            for found in rows["factors"].get(str(part["cina_assessment_id"]), ())
            for code in json.loads(str(found["cinf_assessment_factors_json"]))
        ]
        # 18A was retired in 2025 and is still picked.
        factors = ["18A" if code == "18B" and rng.random() < 0.3 else code for code in factors]
        listed = "".join(_element("AssessmentFactors", code) for code in factors)
        parts.append(
            "<Assessments>"
            + _element("AssessmentActualStartDate", part["cina_assessment_start_date"])
            + _element("AssessmentAuthorisationDate", part["cina_assessment_auth_date"])
            + (f"<FactorsIdentifiedAtAssessment>{listed}</FactorsIdentifiedAtAssessment>" if listed else "")
            + "</Assessments>"
        )
    for part in of("ssd_cin_plans", "cinp_referral_id"):
        parts.append(
            "<CINPlanDates>"
            + _element("CINPlanStartDate", part["cinp_cin_plan_start_date"])
            + _element("CINPlanEndDate", part["cinp_cin_plan_end_date"])
            + "</CINPlanDates>"
        )
    for part in of("ssd_s47_enquiry", "s47e_referral_id"):
        conference = conferences.get(part["s47e_s47_enquiry_id"], {})
        parts.append(
            "<Section47>"
            + _element("S47ActualStartDate", part["s47e_s47_start_date"])
            + _element("InitialCPCtarget", conference.get("icpc_icpc_target_date"))
            + _element("DateOfInitialCPC", conference.get("icpc_icpc_date"))
            + _element("ICPCnotRequired", "false" if conference or not part["s47e_s47_end_date"] else "1")
            + "</Section47>"
        )
    parts.append(_element("ReferralNFA", ("1" if nfa else "0") if rng.random() < 0.2 else ("true" if nfa else "false")))
    for part in of("ssd_cp_plans", "cppl_referral_id"):
        parts.append(
            "<ChildProtectionPlans>"
            + _element("CPPstartDate", part["cppl_cp_plan_start_date"])
            + _element("CPPendDate", part["cppl_cp_plan_end_date"])
            + _element("InitialCategoryOfAbuse", part["cppl_cp_plan_initial_category"])
            + _element("LatestCategoryOfAbuse", part["cppl_cp_plan_latest_category"])
            + _element("NumberOfPreviousCPP", str(rng.choice((0, 0, 0, 1))))
            + "</ChildProtectionPlans>"
        )
    return f"<CINdetails>{''.join(parts)}</CINdetails>"


def _element(name: str, value: str | None) -> str:
    return f"<{name}>{value}</{name}>" if value else ""


def _note(care: SocialCare, record: CareRecord, episodes: list[Row]) -> None:
    seen, person, key = record.seen, record.person, record.key
    told = {name for name in seen.traps if name.startswith(("dob_", "sex_", "upn_", "unborn"))}
    role = "unborn as child" if person.due else ""
    care.truth.record("social_care", "cin", key, person, (seen.traps & person.traps) | told, role=role)
    if care.truth.night == 1:
        for row in episodes:
            day = date.fromisoformat(str(row["cine_referral_date"]))
            care.truth.event("social_care", "cin", f"referral/{key}/{day}", person, day, "referral", "fact", key)

"""Lays down what social care sends: the whole Standard Safeguarding Dataset as SQLite, and a set of SSDA903 files.

Headings of both are here and nowhere else. Not here: what is in the records (social_care.py).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from random import Random

from synthetic.csv_text import csv_text
from synthetic.places import Address
from synthetic.social_care import CareRecord, SocialCare

SSD_TABLES: dict[str, tuple[str, ...]] = {
    "ssd_person": (
        "pers_person_id", "pers_forename", "pers_surname", "pers_sex", "pers_gender", "pers_ethnicity", "pers_dob",
        "pers_common_child_id",
        "pers_legacy_id", "pers_upn_unknown", "pers_send_flag", "pers_expected_dob", "pers_death_date",
        "pers_is_mother", "pers_nationality",
    ),
    "ssd_family": ("fami_table_id", "fami_family_id", "fami_person_id"),
    "ssd_address": (
        "addr_table_id", "addr_address_json", "addr_person_id", "addr_address_type", "addr_address_start_date",
        "addr_address_end_date",
        "addr_address_postcode",
    ),
    "ssd_disability": ("disa_person_id", "disa_table_id", "disa_disability_code"),
    "ssd_mother": ("moth_table_id", "moth_person_id", "moth_childs_person_id", "moth_childs_dob"),
    "ssd_legal_status": (
        "lega_legal_status_id", "lega_person_id", "lega_legal_status", "lega_legal_status_start_date",
        "lega_legal_status_end_date",
    ),
    "ssd_contacts": (
        "cont_contact_id", "cont_person_id", "cont_contact_date", "cont_contact_source_code",
        "cont_contact_source_desc",
        "cont_contact_outcome_json",
    ),
    "ssd_cin_episodes": (
        "cine_referral_id", "cine_person_id", "cine_referral_date", "cine_cin_primary_need_code",
        "cine_referral_source_code",
        "cine_referral_source_desc", "cine_referral_outcome_json", "cine_referral_nfa", "cine_close_reason",
        "cine_close_date",
        "cine_referral_team", "cine_referral_worker_id",
    ),
    "ssd_cin_assessments": (
        "cina_assessment_id", "cina_person_id", "cina_referral_id", "cina_assessment_start_date",
        "cina_assessment_child_seen",
        "cina_assessment_auth_date", "cina_assessment_outcome_json", "cina_assessment_outcome_nfa",
        "cina_assessment_team",
        "cina_assessment_worker_id",
    ),
    "ssd_assessment_factors": ("cinf_table_id", "cinf_assessment_id", "cinf_assessment_factors_json"),
    "ssd_cin_plans": (
        "cinp_cin_plan_id", "cinp_referral_id", "cinp_person_id", "cinp_cin_plan_start_date",
        "cinp_cin_plan_end_date", "cinp_cin_plan_team",
        "cinp_cin_plan_worker_id",
    ),
    "ssd_s47_enquiry": (
        "s47e_s47_enquiry_id", "s47e_referral_id", "s47e_person_id", "s47e_s47_start_date", "s47e_s47_end_date",
        "s47e_s47_nfa",
        "s47e_s47_outcome_json", "s47e_s47_completed_by_worker_id", "s47e_s47_completed_by_team",
    ),
    "ssd_initial_cp_conference": (
        "icpc_icpc_id", "icpc_icpc_meeting_id", "icpc_s47_enquiry_id", "icpc_person_id", "icpc_cp_plan_id",
        "icpc_referral_id",
        "icpc_icpc_transfer_in", "icpc_icpc_target_date", "icpc_icpc_date", "icpc_icpc_outcome_cp_flag",
        "icpc_icpc_outcome_json",
        "icpc_icpc_team", "icpc_icpc_worker_id",
    ),
    "ssd_cp_plans": (
        "cppl_cp_plan_id", "cppl_referral_id", "cppl_icpc_id", "cppl_person_id", "cppl_cp_plan_start_date",
        "cppl_cp_plan_end_date",
        "cppl_cp_plan_initial_category", "cppl_cp_plan_ola", "cppl_cp_plan_latest_category",
    ),
    "ssd_cla_episodes": (
        "clae_cla_episode_id", "clae_person_id", "clae_cla_episode_start_date", "clae_cla_episode_start_reason",
        "clae_cla_primary_need_code",
        "clae_cla_episode_ceased_date", "clae_cla_episode_ceased_reason", "clae_cla_id", "clae_referral_id",
        "clae_cla_placement_id",
        "clae_entered_care_date", "clae_cla_last_iro_contact_date",
    ),
    "ssd_cla_placement": (
        "clap_cla_placement_id", "clap_cla_placement_start_date", "clap_cla_placement_type", "clap_cla_placement_urn",
        "clap_cla_placement_distance", "clap_cla_id", "clap_cla_placement_provider", "clap_cla_placement_postcode",
        "clap_cla_placement_end_date", "clap_cla_placement_change_reason", "clap_person_id",
    ),
    "ssd_missing": (
        "miss_table_id", "miss_person_id", "miss_missing_episode_start_date", "miss_missing_episode_type",
        "miss_missing_episode_end_date",
        "miss_missing_rhi_offered", "miss_missing_rhi_accepted",
    ),
    "ssd_voice_of_child": (
        "voch_table_id", "voch_person_id", "voch_explained_worries", "voch_story_help_understand",
        "voch_agree_worker", "voch_plan_safe",
        "voch_tablet_help_explain",
    ),
    "ssd_involvements": (
        "invo_involvements_id", "invo_professional_id", "invo_professional_role_id", "invo_professional_team",
        "invo_involvement_start_date",
        "invo_involvement_end_date", "invo_worker_change_reason", "invo_person_id", "invo_referral_id",
    ),
    "ssd_send": ("send_table_id", "send_upn", "send_uln", "send_upn_unknown", "send_person_id"),
    "ssd_linked_identifiers": (
        "link_table_id", "link_person_id", "link_identifier_type", "link_identifier_value", "link_valid_from_date",
        "link_valid_to_date",
    ),
    "ssd_version_log": (
        "version_number", "release_date", "description", "is_current", "created_at", "created_by", "impact_description",
    ),
}  # fmt: skip

PERSON_OF = {
    table: next((column for column in columns if column.endswith("_person_id") and "childs" not in column), "")
    for table, columns in SSD_TABLES.items()
}
"""The column of each table that says whose row it is."""

SSDA903_FILES: dict[str, tuple[str, ...]] = {
    "header": ("CHILD", "SEX", "DOB", "ETHNIC", "UPN", "MOTHER", "MC_DOB"),
    "episodes": (
        "CHILD", "DECOM", "RNE", "LS", "CIN", "PLACE", "PLACE_PROVIDER", "DEC", "REC", "REASON_PLACE_CHANGE",
        "HOME_POST", "PL_POST", "URN",
    ),
    "reviews": ("CHILD", "DOB", "REVIEW", "REVIEW_CODE"),
    "uasc": ("CHILD", "SEX", "DOB", "DUC"),
    "oc2": (
        "CHILD", "DOB", "SDQ_SCORE", "SDQ_REASON", "CONVICTED", "HEALTH_CHECK", "IMMUNISATIONS", "TEETH_CHECK",
        "HEALTH_ASSESSMENT",
        "SUBSTANCE_MISUSE", "INTERVENTION_RECEIVED", "INTERVENTION_OFFERED",
    ),
    "oc3": ("CHILD", "DOB", "IN_TOUCH", "ACTIV", "ACCOM"),
    "ad1": ("CHILD", "DOB", "DATE_INT", "DATE_MATCH", "FOSTER_CARE", "NB_ADOPTR", "SEX_ADOPTR", "LS_ADOPTR"),
    "prev_perm": ("CHILD", "DOB", "PREV_PERM", "LA_PERM", "DATE_PERM"),
    "missing": ("CHILD", "DOB", "MISSING", "MIS_START", "MIS_END"),
    "placed_for_adoption": ("CHILD", "DOB", "DATE_PLACED", "DATE_PLACED_CEASED", "REASON_PLACED_CEASED"),
    "sw_episodes": ("CHILD", "DOB", "SW_ID", "SW_DECOM", "SW_DEC", "SW_REASON"),
    "DoLo": ("CHILD", "DOB", "DOLO_START", "DOLO_END"),
}  # fmt: skip


def write_ssd(care: SocialCare, folder: Path, on: date, leave_out: Iterable[str] = ()) -> None:
    """The whole dataset as it stands tonight, every column text; tables in `leave_out` are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ssd.sqlite"
    path.unlink(missing_ok=True)
    gone = {record.key for record in care.records.values() if record.gone}
    rows = _rows(care, on)
    database = sqlite3.connect(path)
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        for table, columns in SSD_TABLES.items():
            if table in leave_out:
                continue
            key = columns[1] if table == "ssd_disability" else columns[0]
            types = ", ".join(
                f"{column} TEXT{' PRIMARY KEY' if column == key and table != 'ssd_version_log' else ''}"
                for column in columns
            )
            database.execute(f"CREATE TABLE {table} ({types})")
            owner = PERSON_OF[table]
            kept = [
                tuple(row.get(column) for column in columns)
                for row in rows.get(table, ())
                if row.get(owner) not in gone
            ]
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", kept)
            care.truth.wrote(f"social_care/ssd.sqlite#{table}", len(kept))
        database.commit()
    finally:
        database.close()
    for record in care.records.values():
        if not record.gone:
            seen, person = record.seen, record.person
            role = "unborn as child" if person.due else ""
            care.truth.record(
                "social_care", "ssd", record.key, person, seen.traps, insufficient=seen.insufficient(), role=role
            )


def _rows(care: SocialCare, on: date) -> dict[str, list[dict[str, str | None]]]:
    """Tables of the case system, and those that follow from the records."""
    tables = dict(care.tables)
    people, addresses, links, send = [], [], [], []
    mothers = {row["moth_person_id"] for row in care.tables.get("ssd_mother", ())}
    for record in care.records.values():
        seen, key = record.seen, record.key
        sex = {"M": "1", "F": "2"}.get(seen.sex, seen.sex) if record.sex_old_code else seen.sex
        people.append(
            {
                "pers_person_id": key,
                "pers_forename": seen.given or None,
                "pers_surname": seen.family or None,
                "pers_sex": sex,
                "pers_gender": sex if sex in "MF" else None,
                "pers_ethnicity": seen.ethnic,
                "pers_dob": seen.dob.isoformat() if seen.dob else None,
                "pers_common_child_id": seen.nhs or None,
                "pers_legacy_id": next(
                    (value for kind, value, _, _ in record.identifiers if kind == "Case Number"), None
                ),
                "pers_upn_unknown": None
                if seen.upn
                else care.shown_upn(record)
                if record.person.role == "child"
                else None,
                "pers_send_flag": "Y" if seen.upn and seen.upn[-1] in "37" else "N",
                "pers_expected_dob": record.expected.isoformat() if record.expected else None,
                "pers_death_date": None,
                "pers_is_mother": "Y" if key in mothers else "N",
                "pers_nationality": None,
            }
        )
        for order, (address, code, since, until) in enumerate(record.addresses, 1):
            addresses.append(
                {
                    "addr_table_id": f"A{key}-{order}",
                    "addr_address_json": _address_json(address),
                    "addr_person_id": key,
                    "addr_address_type": "HOME",
                    "addr_address_start_date": since.isoformat(),
                    "addr_address_end_date": until.isoformat() if until else None,
                    "addr_address_postcode": code or None,
                }
            )
        for order, (kind, value, since, until) in enumerate(record.identifiers, 1):
            links.append(
                {
                    "link_table_id": f"L{key}-{order}",
                    "link_person_id": key,
                    "link_identifier_type": kind,
                    "link_identifier_value": value,
                    "link_valid_from_date": since.isoformat(),
                    "link_valid_to_date": until.isoformat() if until else None,
                }
            )
        if seen.upn and seen.upn[-1] in "37":
            send.append(
                {
                    "send_table_id": f"SE{key}",
                    "send_upn": seen.upn,
                    "send_uln": None,
                    "send_upn_unknown": None,
                    "send_person_id": key,
                }
            )
    tables |= {"ssd_person": people, "ssd_address": addresses, "ssd_linked_identifiers": links, "ssd_send": send}
    tables["ssd_version_log"] = [
        {
            "version_number": "1.3.4",
            "release_date": "2026-07-01",
            "description": "Standard Safeguarding Dataset",
            "is_current": "1",
            "created_at": on.isoformat(),
            "created_by": "nightly",
            "impact_description": "",
        }
    ]
    return tables


def _address_json(address: Address) -> str:
    return json.dumps(
        {
            "ROOM": "", "FLOOR": "", "FLAT": address.flat, "BUILDING": "", "HOUSE": address.number,
            "STREET": address.street,
            "LOCALITY": address.locality, "TOWN": address.town, "UPRN": address.uprn, "EASTING": "", "NORTHING": "",
        }
    )  # fmt: skip


def write_ssda903(care: SocialCare, folder: Path, on: date, leave_out: Iterable[str] = ()) -> None:
    """This collection year's return: children with an episode open on or after 1 April."""
    start = date(on.year if on.month >= 4 else on.year - 1, 4, 1)
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[tuple[str, ...]]] = {name: [] for name in SSDA903_FILES}
    for record in care.records.values():
        if record.gone or not record.episodes:
            continue
        leaver = "care_leaver" in record.person.traps
        if leaver or any(episode.end is None or episode.end >= start for episode in record.episodes):
            _add_child(care, record, rows, start, on)
    if not rows["DoLo"] and rows["oc2"]:
        child, dob, *_ = rows["oc2"][0]
        rows["DoLo"].append((child, dob, _day(on - timedelta(60)), ""))
    for name, columns in SSDA903_FILES.items():
        if name in leave_out:
            continue
        # Vendors differ: a byte order mark here, Windows line ends there, a column nobody asked for.
        extra = name == "reviews"
        text = csv_text(
            (*columns, "SYSTEM_REF") if extra else columns, [(*row, "") if extra else row for row in rows[name]]
        )
        if name == "oc2":
            text = text.replace("\n", "\r\n")
        if name == "missing":
            text += "\n"
        (folder / f"{name}.csv").write_bytes(text.encode("utf-8-sig" if name == "sw_episodes" else "utf-8"))
        care.truth.wrote(f"social_care/ssda903/{name}.csv", len(rows[name]))


def _add_child(
    care: SocialCare, record: CareRecord, rows: dict[str, list[tuple[str, ...]]], start: date, on: date
) -> None:
    seen, person, key = record.seen, record.person, record.key
    rng = Random(f"903/{key}")
    dob = _day(seen.dob)
    traps = seen.traps & (person.traps | {name for name in seen.traps if name.startswith(("dob_", "sex_", "upn_"))})
    care.truth.record("social_care", "ssda903", key, person, traps)
    young_mother = seen.sex == "F" and person.age(on) >= 15 and rng.random() < 0.04
    rows["header"].append(
        (
            key,
            seen.sex,
            dob,
            seen.ethnic,
            care.shown_upn(record),
            "1" if young_mother else "0" if seen.sex == "F" else "",
            "",
        )
    )
    inside = [episode for episode in record.episodes if episode.end is None or episode.end >= start]
    for episode in inside:
        rows["episodes"].append(
            (
                key, _day(episode.start), episode.reason_new, episode.legal, episode.need, episode.place,
                episode.provider, _day(episode.end),
                episode.ceased, episode.change, episode.home, episode.placement, episode.urn,
            )
        )  # fmt: skip
        ref = f"episodes/{key}/{episode.start:%d/%m/%Y}"
        kind = "cla_start" if episode.reason_new == "S" else "placement_change"
        if care.truth.night == 1:
            care.truth.event("social_care", "ssda903", ref, person, episode.start, kind, "fact", key)
    for day, code in record.reviews:
        if day >= start:
            rows["reviews"].append((key, dob, _day(day), code))
    if "uasc" in person.traps and seen.dob:
        adult = _day(seen.dob.replace(year=seen.dob.year + 18))
        rows["uasc"].append((key, seen.sex, dob, adult))
    if inside and inside[-1].end is None and record.episodes[0].start <= on - timedelta(365):
        score = str(rng.randrange(0, 35)) if rng.random() < 0.7 else ""
        flags = ["1" if rng.random() < 0.85 else "0" for _ in range(4)]
        rows["oc2"].append(
            (key, dob, score, "" if score else rng.choice(("SDQ1", "SDQ2", "SDQ3")), "0", *flags, "0", "", "")
        )
    if "care_leaver" in person.traps:
        rows["oc3"].append(
            (
                key,
                dob,
                rng.choice(("YES", "YES", "YES", "NO", "REFU")),
                rng.choice(("F1", "F2", "P2", "G5", "F4", "0")),
                rng.choice(("D1", "B1", "V1", "Z2")),
            )
        )
    if "adopted_old" in person.traps:
        placed = record.episodes[-1].start
        rows["ad1"].append(
            (key, dob, _day(placed - timedelta(60)), _day(placed - timedelta(20)), "0", "2", "MF", "L11")
        )
        rows["placed_for_adoption"].append((key, dob, _day(placed), "", ""))
    if rng.random() < 0.06:
        rows["prev_perm"].append(
            (key, dob, rng.choice(("P1", "P2", "P3")), "866", _day(record.episodes[0].start - timedelta(400)))
        )
    for kind, day, back in record.missing:
        if back >= start:
            rows["missing"].append((key, dob, kind, _day(day), _day(back)))
            care_ref = f"missing/{key}/{day:%d/%m/%Y}"
            if care.truth.night == 1:
                care.truth.event("social_care", "ssda903", care_ref, person, day, "missing_from_care", "fact", key)
    if inside:
        rows["sw_episodes"].append(
            (key, dob, f"SW{rng.randrange(1101, 1161)}", _day(record.episodes[0].start), "", "FCONTA")
        )
        if rng.random() < 0.01 and person.age(on) >= 13:
            rows["DoLo"].append((key, dob, _day(max(start, inside[-1].start)), ""))


def _day(day: date | None) -> str:
    return f"{day:%d/%m/%Y}" if day else ""

"""Breaks a night after it has been written: what vendors, networks and well-meaning people do to files.

Only the last night of a world made with `broken=True` comes here; every other file is readable.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from synthetic.truth import Truth


def break_night(folder: Path, truth: Truth) -> None:
    """Each breakage is told to the truth."""
    told: list[tuple[str, str, str, str]] = []

    ctf = next(iter(sorted((folder / "school" / "ctf").glob("*.xml"))), None)
    if ctf:
        data = ctf.read_bytes()
        ctf.write_bytes(data[: len(data) * 2 // 3])
        told.append(("school", "ctf", f"{ctf.name} cut off in the middle", "that file quarantined, others land"))

    (folder / "social_care" / "ssda903" / "header.csv").unlink()
    told.append(("social_care", "ssda903", "set without header.csv", "the set fails, last good stays, marked stale"))

    for census in sorted((folder / "social_care" / "cin").glob("*.xml")):
        census.write_bytes(census.read_bytes()[: census.stat().st_size // 2])
        told.append(
            ("social_care", "cin", f"{census.name} cut off in the middle", "fails whole, nobody is taken as gone")
        )

    for ppn in sorted((folder / "police" / "ppn").glob("*.csv"))[:1]:
        ppn.write_bytes(ppn.read_bytes().decode("utf-8-sig").encode("utf-16"))
        told.append(("police", "ppn", f"{ppn.name} saved as UTF-16", "read right or refused whole, never read wrong"))

    for encompass in sorted((folder / "police" / "encompass").glob("*.json"))[:1]:
        encompass.write_bytes(b"")
        told.append(("police", "encompass", f"{encompass.name} of no bytes", "the file fails, others go on"))

    database = sqlite3.connect(folder / "social_care" / "ssd.sqlite")
    database.execute("DROP TABLE ssd_cp_plans")
    database.commit()
    database.close()
    told.append(
        ("social_care", "ssd", "table ssd_cp_plans missing", "that table fails alone; no plan is taken as ended")
    )

    _bundle(folder / "health" / "fhir")
    told.append(
        ("health", "fhir", "one Patient id twice in a Bundle with different names", "both land, one current, flagged")
    )

    marks = sorted((folder / "school" / "attendance").glob("*_attendance_*.csv"))
    if marks:
        lines = marks[0].read_text(encoding="utf-8-sig").splitlines()
        marks[0].write_text("\n".join([lines[0].replace("session_date", "date"), *lines[1:]]) + "\n", encoding="utf-8")
        told.append(("school", "attendance", f"{marks[0].name} with a heading renamed", "that file fails, others land"))

    for missing in sorted((folder / "police" / "missing").glob("*.csv")):
        missing.write_text(missing.read_text(encoding="utf-8").replace("misper_id", "report_no", 1), encoding="utf-8")
        told.append(("police", "missing", f"{missing.name} without misper_id", "that file fails, the last good stays"))

    for agency, feed, what, expect in told:
        truth.changes.append((truth.night, agency, feed, what, "", "", "", "", expect))


def _bundle(folder: Path) -> None:
    """The night's patients as one Bundle instead of NDJSON, the first of them twice with another surname."""
    path = folder / "Patient.ndjson"
    patients = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    path.unlink()
    if patients:
        twin = json.loads(json.dumps(patients[0]))
        twin["name"][0]["family"] = "Different"
        patients.append(twin)
    entries = [{"fullUrl": f"urn:uuid:{index:08d}", "resource": patient} for index, patient in enumerate(patients)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (folder / "Bundle.json").write_text(json.dumps(bundle, ensure_ascii=False), encoding="utf-8")

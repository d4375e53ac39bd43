"""Makes small warehouses for linkage tests: records as one-line dicts, or the practice world's flat file. Nothing here is a test."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from warehouse.schema import COMMON_MODEL, IDENTITY

TODAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 2, 0)
SECRET = b"a secret only tests know"
LA_CHILD_FEEDS = ("ssd", "ssda903", "cin", "annex_a")


def nhs_number(serial: int) -> str:
    """A valid number of the test range; about one serial in eleven has none and takes its neighbour's."""
    body = f"9{serial * 13 % 10**8:08d}"
    check = 11 - sum(int(digit) * weight for digit, weight in zip(body, range(10, 1, -1), strict=True)) % 11
    return nhs_number(serial + 1_000_000) if check == 10 else body + str(check % 11)


def upn(serial: int) -> str:
    """A valid permanent unique pupil number."""
    letters = "ABCDEFGHJKLMNPQRTUVWXYZ"
    body = f"866{2000 + serial // 1000:04d}20{serial % 1000:03d}"
    return letters[sum(int(digit) * weight for digit, weight in zip(body, range(2, 14), strict=True)) % 23] + body


def empty_warehouse() -> duckdb.DuckDBPyConnection:
    """A warehouse with the common model and identity tables, attached as `core` and in use."""
    con = duckdb.connect(config={"threads": 1})
    con.execute("ATTACH ':memory:' AS core; USE core")
    for relation in (*COMMON_MODEL.values(), *IDENTITY.values()):
        con.execute(relation.ddl())
    return con


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    columns = list(dict.fromkeys(column for row in rows for column in row))
    frame = pd.DataFrame({column: pd.Series([row.get(column) for row in rows], dtype=object) for column in columns})
    con.register("arriving_rows", frame)
    names = ", ".join(f'"{column}"' for column in columns)
    con.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM arriving_rows")
    con.unregister("arriving_rows")


def add(con: duckdb.DuckDBPyConnection, records: Iterable[dict[str, Any]]) -> None:
    """Adds records. Keys: feed ('police.ppn'), id, given, family, dob, precision, sex, postcode, address, nhs, nhs_status, upn,
    former_upn, role, expected, and lists also_known (kind, given, family), past_postcodes, relations (other record_id, relationship)."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in COMMON_MODEL}
    for record in records:
        agency, feed = record["feed"].split(".")
        record_id = f"{record['feed']}:{record['id']}"
        line = {
            "record_id": record_id,
            "agency": agency,
            "feed": feed,
            "source_key": record["id"],
            "load_id": "L1",
            "loaded_at": NOW,
        }
        tables["person_record"].append(
            line
            | {
                "source_person_id": record["id"],
                "role": record.get("role", "unknown"),
                "given_names": record.get("given"),
                "family_name": record.get("family"),
                "birth_date": record.get("dob"),
                "birth_date_precision": record.get("precision", "day" if record.get("dob") else "unknown"),
                "expected_birth_date": record.get("expected"),
                "sex": record.get("sex"),
                "nhs_number": record.get("nhs"),
                "nhs_number_status": record.get("nhs_status"),
                "upn": record.get("upn"),
                "postcode": record.get("postcode"),
            }
        )
        for kind, given, family in record.get("also_known", ()):
            tables["person_name"].append(line | {"kind": kind, "given_names": given, "family_name": family})
        if record.get("address"):
            tables["person_address"].append(
                line | {"kind": "home", "address": record["address"], "postcode": record.get("postcode")}
            )
        for postcode in record.get("past_postcodes", ()):
            tables["person_address"].append(line | {"kind": "previous", "postcode": postcode})
        schemes = [("nhs_number", "nhs"), ("upn", "upn"), ("former_upn", "former_upn")]
        identifiers = [(scheme, record[key]) for scheme, key in schemes if record.get(key)]
        if feed in LA_CHILD_FEEDS:
            identifiers.append(("la_child_id", record["id"]))
        for scheme, value in identifiers:
            verified = scheme == "nhs_number" and record.get("nhs_status") == "01"
            tables["person_identifier"].append(
                line | {"scheme": scheme, "value": value, "status": "verified" if verified else "stated"}
            )
        for other, relationship, same_household in record.get("relations", ()):
            tables["relationship"].append(
                line | {"other_record_id": other, "relationship": relationship, "same_household": same_household}
            )
    for name, rows in tables.items():
        _insert(con, name, rows)


def world(records: Iterable[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    """A warehouse holding these records."""
    con = empty_warehouse()
    add(con, records)
    return con


def practice_records(flat: Path) -> list[dict[str, Any]]:
    """The practice world's night 1 as its flat file has it: one given and family name, no former names, no past addresses."""
    frame = pd.read_csv(flat, dtype=str, keep_default_na=False)
    records = []
    for row in frame.to_dict("records"):
        records.append(
            {
                "feed": f"{row['agency']}.{row['feed']}",
                "id": row["source_person_id"],
                "given": row["given"] or None,
                "family": row["family"] or None,
                "dob": date.fromisoformat(row["dob"]) if row["dob"] else None,
                "sex": row["sex"] or None,
                "postcode": row["postcode"] or None,
                "address": row["address"] or None,
                "nhs": row["nhs"] or None,
                # The flat file does not say which numbers are traced; in these data the health service's own are.
                "nhs_status": "01" if row["nhs"] and row["agency"] == "health" else None,
                "upn": row["upn"] or None,
                "role": "child" if row["agency"] in ("school", "police") else "unknown",
            }
        )
    return records

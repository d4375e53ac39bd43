"""What leaves the house: an answer as a file, with a manifest that says what it is, who took it, for whom and why.

What lives here: what of a mart may leave, the file, its manifest, and the note of both in the access log. What must not: who may take
what (policy.yaml), and how a cell is written (query.py).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from warehouse import query as querying
from warehouse.access import Policy
from warehouse.access_log import AccessLog
from warehouse.keys import Keys
from warehouse.query import QueryError
from warehouse.quoting import quoted

FORMATS = ("csv", "parquet")

_A_NAME = re.compile(r"\w+")


def export(
    marts_dir: Path,
    keys: Keys,
    policy: Policy,
    role: str,
    question: str,
    to: Path,
    *,
    log: AccessLog,
    who: str,
    purpose: str,
    recipient: str,
    clock: Callable[[], dt.datetime],
) -> dict[str, Any]:
    """Writes the answer to a SELECT, or a whole view, to a file, its manifest beside it, and returns the manifest.

    Only views that the policy lets leave are within reach of the question. Raises QueryError for whatever is refused; the attempt is
    logged all the same. A file whose manifest cannot be written is taken away again.
    """
    form = _format_of(to)
    for name, said in (("--purpose", purpose), ("--for", recipient)):
        if not said.strip():
            raise QueryError(f"{name}: say it; what leaves is noted with what it is for and who receives it")
    sql = f"SELECT * FROM {quoted(question)}" if _A_NAME.fullmatch(question) else question
    con = querying.open_mart(marts_dir, keys, role)
    try:
        asked = f"{sql} (exported for {recipient})"
        with querying.look(con, role, asked, export=True, log=log, who=who, purpose=purpose, clock=clock) as shown:
            _keep_only(con, policy, role)
            relation = _ask(con, policy, role, sql)
            columns = dict(zip(relation.columns, map(str, relation.types), strict=True))
            querying.write(relation, form, to, shown)
            manifest = {
                "file": to.name,
                "format": form,
                "sha256": _sha256(to),
                "bytes": to.stat().st_size,
                "rows": shown.rows,
                "columns": columns,
                "question": sql,
                "role": role,
                "who": who,
                "purpose": purpose,
                "for": recipient,
                "exported_at": clock().isoformat(timespec="seconds") + "Z",
                "load_id": shown.load_id,
                "mart": shown.version,
                "look": shown.access_id,
                "figures": {"smallest_shown": policy.smallest_shown, "rounded_to": policy.rounded_to},
            }
            _write_manifest(to, manifest)
            shown.file = f"{to.name} sha256 {manifest['sha256']}"
            return manifest
    finally:
        con.close()


def manifest_of(path: Path) -> Path:
    """Where an exported file's manifest lies."""
    return path.with_name(f"{path.name}.manifest.json")


def _format_of(to: Path) -> str:
    form = to.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise QueryError(f"{to.name}: the name of an export ends in {' or '.join(f'.{each}' for each in FORMATS)}")
    return form


def _keep_only(con: duckdb.DuckDBPyConnection, policy: Policy, role: str) -> None:
    """Takes the mart away and leaves what may leave it: no question can reach around that, however it is written."""
    leaving = policy.role(role).exports
    if not leaving:
        may = [name for name, each in policy.roles.items() if each.exports]
        raise QueryError(
            f"the policy lets nothing leave {role}'s mart as a file; there are exports for {', '.join(may)}"
        )
    for view in leaving:
        con.execute(f"CREATE TABLE memory.main.{quoted(view)} AS FROM mart.main.{quoted(view)}")
    con.execute("USE memory")
    con.execute("DETACH mart")


def _ask(con: duckdb.DuckDBPyConnection, policy: Policy, role: str, sql: str) -> duckdb.DuckDBPyRelation:
    try:
        return querying.ask(con, sql)
    except QueryError as error:
        leaving = ", ".join(policy.role(role).exports)
        reason = str(error).splitlines()[0].rstrip("!")  # what DuckDB thinks was meant is not there to leave either
        raise QueryError(f"{reason}. Of {role}'s mart the policy lets leave: {leaving}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(to: Path, manifest: dict[str, Any]) -> None:
    try:
        with querying.own_file(manifest_of(to), text=True) as file:
            json.dump(manifest, file, indent=2, ensure_ascii=False)
            file.write("\n")
    except BaseException:
        to.unlink(missing_ok=True)
        raise

"""JSON objects: NDJSON lines, an array, an object that holds one array, or FHIR Bundles. DuckDB parses them all.

References inside a Bundle (urn:uuid) are resolved. A line that is no JSON, or an object that says no type, is handed on with its
problem and its content, and stops no other row. Resources of types that the feed does not use are counted and passed over. An entry that
deletes a resource is a row of the resource's table, where the table knows rows that withdraw; else it is handed on with its problem.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import replace
from typing import Any

import pyarrow as pa

from connectors.contract import Feed, Kind, Table
from connectors.readers.received import (
    Parsed,
    ReadableFile,
    UnreadableFile,
    create_received,
    new_relation,
)
from connectors.readers.rows import shown
from warehouse.quoting import literal

# One resource with a scanned letter inside can be some megabytes; more than this is not a record.
MAX_LINE = 32 * 1024 * 1024
# Members by which a server says that it has not answered, and values of those that say how it went.
_FAULTS = frozenset({"error", "errors", "exception", "exceptions", "fault", "faults"})
_OUTCOMES = {"success": (False,), "ok": (False,), "status": ("error", "fail", "failed", "failure")}
# What is a Bundle beyond doubt. To look for the word first costs nearly nothing; to look into every line costs as much as reading it.
_IS_BUNDLE = (
    "coalesce(contains(line, '\"Bundle\"') AND (line ->> '$.resourceType') = 'Bundle' "
    "AND coalesce(json_type(line, '$.entry'), 'ARRAY') = 'ARRAY', false)"
)
# Of an object that was only parted from others: whether it deletes one, and its text where it is no JSON.
_AS_YET = "false AS deletes, NULL::VARCHAR AS broken"
# Encounter/7, its version, or the same as an absolute address; an address with a search in it names no resource.
_NAMED = r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[^/?]+)?$"


def read(feed: Feed, file: ReadableFile) -> list[Parsed]:
    """Reads one file of objects into the tables of their types."""
    objects = new_relation()
    if _is_lines(file):
        _lines(file, objects)
    else:
        _document(feed, file, objects)
    # What is no JSON is kept where nothing looks into it: asked for a member, DuckDB would end the transaction, in whatever order
    # conditions stand.
    file.con.execute(f"UPDATE {objects} SET broken = line, line = NULL WHERE NOT ok")
    _open_bundles(file, objects)
    others = _pass_over_others(feed, file, objects)
    parsed = [_read_table(feed, file, objects, table) for table in feed.tables]
    _unusable(feed, file, objects, parsed[0])
    file.con.execute(f"DROP TABLE {objects}")
    counted = [(p, file.con.execute(f"SELECT count(*) FROM {p.relation}").fetchall()[0][0]) for p in parsed]
    found = [p for p, rows in counted if rows] or parsed[:1]
    return [replace(found[0], notes=others), *found[1:]]


def _open_bundles(file: ReadableFile, objects: str) -> None:
    """Puts what Bundles hold in their place, entry by entry, each with a number of its own; a Bundle can hold another.

    An entry without a resource is shown as it is, for it was received. One that deletes a resource is shown under the type, id and time
    of that.
    """
    named = f"regexp_extract(coalesce(entry ->> '$.request.url', ''), '{_NAMED}', ['type', 'id'])"
    deletion = (
        f"json_merge_patch(entry, json_object('resourceType', coalesce(nullif({named}.type, ''), entry ->> '$.resource.resourceType'), "
        f"'id', coalesce(nullif({named}.id, ''), entry ->> '$.resource.id'), "
        "'meta', json_object('lastUpdated', coalesce(entry ->> '$.response.lastModified', line ->> '$.timestamp', "
        "line ->> '$.meta.lastUpdated'))))"
    )
    while file.con.execute(f"SELECT 1 FROM {objects} WHERE {_IS_BUNDLE} LIMIT 1").fetchone() is not None:
        file.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {objects.removeprefix('temp.')} AS "
            "SELECT row_number() OVER (ORDER BY row_number, place) AS row_number, line, ok, deletes, broken FROM ("
            f"SELECT row_number, 0 AS place, line, ok, deletes, broken FROM {objects} WHERE NOT ({_IS_BUNDLE}) UNION ALL "
            "SELECT row_number, place, CASE WHEN deletes THEN "
            f"{deletion} WHEN json_type(entry, '$.resource') = 'OBJECT' THEN entry -> '$.resource' ELSE entry END::VARCHAR, "
            "true, deletes, NULL "
            "FROM (SELECT *, coalesce((entry ->> '$.request.method') = 'DELETE', false) AS deletes FROM ("
            "SELECT row_number, line, unnest(json_extract(line, '$.entry[*]')) AS entry, "
            f"generate_subscripts(json_extract(line, '$.entry[*]'), 1) AS place FROM {objects} WHERE {_IS_BUNDLE})))"
        )


def _pass_over_others(feed: Feed, file: ReadableFile, objects: str) -> tuple[str, ...]:
    """Takes out resources of types the feed has no table for, and says how many of which: a practice or a ward is no record of a child.

    Raises UnreadableFile if there is nothing else, and a server's fault among them.
    """
    elements = [table.element for table in feed.tables if table.element]
    if not elements:
        return ()
    other = (
        f"coalesce(regexp_full_match(line ->> '$.resourceType', '[A-Z][A-Za-z]{{2,40}}') "
        f"AND (line ->> '$.resourceType') NOT IN ('Bundle', {', '.join(literal(element) for element in elements)}), false)"
    )
    found = file.con.execute(
        f"SELECT line ->> '$.resourceType', count(*) FROM {objects} WHERE {other} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    if not found:
        return ()
    left = file.con.execute(f"SELECT 1 FROM {objects} WHERE NOT {other} LIMIT 1").fetchone()
    if left is None and "OperationOutcome" in dict(found):
        outcomes = f"SELECT line FROM {objects} WHERE (line ->> '$.resourceType') = 'OperationOutcome'"
        issues = [i for (line,) in file.con.execute(outcomes).fetchall() for i in _issues(json.loads(line))]
        if any(issue.get("severity") in ("error", "fatal") for issue in issues):
            raise _no_answer(file.name, issues)
    what = (
        ", ".join(f"{count:,} {kind}" for kind, count in found)
        + f": {feed.id} reads {', '.join(elements)}; kept and not used"
    )
    file.con.execute(f"DELETE FROM {objects} WHERE {other}")
    return (what,)


def _is_lines(file: ReadableFile) -> bool:
    """NDJSON: more than one line, of which the first is a whole object."""
    with file.open() as stream:
        start = stream.read(3)
        if not start:
            raise UnreadableFile(
                f"{file.name}: the file holds no bytes, not even an empty list; ask the agency to send it again"
            )
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise UnreadableFile(f"{file.name}: saved as UTF-16; JSON is UTF-8. Ask the agency to send it as UTF-8")
        stream.seek(3 if start == codecs.BOM_UTF8 else 0)
        first = stream.readline(MAX_LINE).strip()
        rest = stream.read(64).strip()
    if not first.startswith(b"{"):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        # A damaged first line among others that begin with an object is still one bad line of many.
        return rest.startswith(b"{") and not first.endswith((b"[", b":", b","))
    return bool(rest)


def _lines(file: ReadableFile, objects: str) -> None:
    file.con.execute(
        f"CREATE TEMP TABLE {objects.removeprefix('temp.')} AS "
        f"SELECT row_number, line, json_valid(line) AS ok, {_AS_YET} FROM ("
        f"  SELECT row_number() OVER () AS row_number, line FROM read_csv({literal(file.location)}, header = false, "
        f"  auto_detect = false, delim = chr(1), quote = '', escape = '', max_line_size = {MAX_LINE}, null_padding = true, "
        "  ignore_errors = true, store_rejects = true, columns = {'line': 'VARCHAR'})"
        ") WHERE trim(line, ' ' || chr(13) || chr(9)) <> ''"
    )
    rejected = file.con.execute("SELECT 1 FROM temp.reject_errors LIMIT 1").fetchone()
    file.con.execute("DROP TABLE temp.reject_errors")
    file.con.execute("DROP TABLE temp.reject_scans")
    if rejected:
        _line_by_line(file, objects)


def _line_by_line(file: ReadableFile, objects: str) -> None:
    """The same, for a file with lines that DuckDB will not take: too long for it, or bytes that are no text. They are shown."""
    file.con.execute(f"DELETE FROM {objects}")
    numbers: list[int] = []
    lines: list[str] = []
    with file.open() as stream:
        if stream.read(3) != codecs.BOM_UTF8:
            stream.seek(0)
        for number, line in enumerate(stream, start=1):
            if line.strip():
                numbers.append(number)
                lines.append(shown(line.rstrip(b"\r\n")))
    file.con.register("lines_shown", pa.table({"row_number": numbers, "line": lines}))
    file.con.execute(
        f"INSERT INTO {objects} SELECT row_number, line, json_valid(line) AND strlen(line) <= {MAX_LINE}, false, NULL FROM lines_shown"
    )
    file.con.unregister("lines_shown")


def _document(feed: Feed, file: ReadableFile, objects: str) -> None:
    with file.open() as stream:
        content = stream.read()
    try:
        text = content.decode("utf-8-sig")
        document = json.loads(text)
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{file.name}: byte {error.start} is no text in UTF-8; ask for it again as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise UnreadableFile(
            f"{file.name}, line {error.lineno}, column {error.colno}: not well-formed JSON; "
            "nothing of this file was used; ask the agency to send it again"
        ) from None
    except RecursionError:
        raise UnreadableFile(
            f"{file.name}: nested too deeply to be a record; ask the agency to send it again"
        ) from None
    except ValueError:  # Python counts at most some thousand digits
        raise UnreadableFile(
            f"{file.name}: holds a number of thousands of digits, which no record has; ask the agency to send it again"
        ) from None
    path = _path_to_rows(feed, file.name, document)
    if isinstance(document, dict):
        _refuse_no_answer(feed, file.name, document, path)
    if "urn:uuid:" in text and isinstance(document, dict):
        text = _resolved(text, document)
    if "\\ud" in text.lower() and not file.con.execute("SELECT json_valid(?)", [text]).fetchall()[0][0]:
        _object_by_object(file, objects, path, document)
        return
    rows = f"unnest(json_extract(?::JSON, {literal(path)}))" if path.endswith("]") else "?::JSON"
    file.con.execute(
        f"CREATE TEMP TABLE {objects.removeprefix('temp.')} AS "
        f"SELECT row_number() OVER () AS row_number, line::VARCHAR AS line, true AS ok, {_AS_YET} "
        f"FROM (SELECT {rows} AS line)",
        [text],
    )


def _object_by_object(file: ReadableFile, objects: str, path: str, document: Any) -> None:
    """The same, for a document in which half a character (a lone surrogate) stands: it spoils its own object alone."""
    found: Any = [document]
    if isinstance(document, dict) and document.get("resourceType") == "Bundle":
        found = [{**document, "entry": [entry]} for entry in document.get("entry", [])]
    elif path.endswith("]"):
        found = document if isinstance(document, list) else document[path.split('"')[1]]
    lines = pa.table({"row_number": range(1, len(found) + 1), "line": [json.dumps(one) for one in found]})
    file.con.register("objects_shown", lines)
    file.con.execute(
        f"CREATE TEMP TABLE {objects.removeprefix('temp.')} AS SELECT row_number, line, json_valid(line) AS ok, {_AS_YET} "
        "FROM objects_shown"
    )
    file.con.unregister("objects_shown")


def _path_to_rows(feed: Feed, name: str, document: Any) -> str:
    """Where in a document its rows are: a list, the one list in an object, or the object itself, which may be a Bundle.

    Empty lists beside one that is not do not hide it, and an object that has the key of a row is one, whatever lists it has.
    """
    if isinstance(document, list):
        return "$[*]"
    if isinstance(document, dict):
        if document.get("resourceType") == "Bundle":
            if not isinstance(document.get("entry", []), list):
                raise UnreadableFile(f"{name}: a Bundle whose entry is no list; ask the agency to send it again")
            return "$"
        lists = [
            key
            for key, value in document.items()
            if isinstance(value, list) and all(isinstance(v, dict) for v in value) and key.lower() not in _FAULTS
        ]
        filled = [key for key in lists if document[key]] or lists[:1]
        if len(filled) == 1 and not (_keys(feed) | {"id"}) & {key.lower() for key in document}:
            return f'$."{filled[0]}"[*]'
        return "$"
    raise UnreadableFile(f"{name}: holds neither an object nor a list of objects; ask the agency what it is")


def _refuse_no_answer(feed: Feed, name: str, document: dict[str, Any], path: str) -> None:
    """What a server says instead of records is no delivery of none: the file fails, and what was found is told, without values."""
    if document.get("resourceType") == "OperationOutcome":
        raise _no_answer(name, _issues(document))
    faults = [
        key
        for key, value in document.items()
        if (key.lower() in _FAULTS and value) or value in _OUTCOMES.get(key.lower(), ())
    ]
    holds_rows = '"' in path and bool(document[path.split('"')[1]])
    if faults and not holds_rows and not _keys(feed) & {key.lower() for key in document}:
        members = ", ".join(key for key in document if re.fullmatch(r"\w{1,40}", key))
        raise UnreadableFile(
            f"{name}: says {', '.join(faults)} and holds no record (its members: {members}); a list of records is expected, empty "
            "if there are none. The system that made it failed: have the extract run again"
        )


def _keys(feed: Feed) -> set[str]:
    """Members by which an object is known to be a row."""
    return {column.lower() for table in feed.tables for column in table.key} | {"resourcetype"}


def _issues(outcome: dict[str, Any]) -> list[dict[str, Any]]:
    return [issue for issue in outcome.get("issue") or [] if isinstance(issue, dict)]


def _no_answer(name: str, issues: list[dict[str, Any]]) -> UnreadableFile:
    codes = [f"{issue.get('severity')}: {issue.get('code')}" for issue in issues]
    coded = ", ".join(dict.fromkeys(code for code in codes if re.fullmatch(r"[a-z]+: [a-z-]+", code)))
    return UnreadableFile(
        f"{name}: an OperationOutcome{f' ({coded})' if coded else ''} instead of records; a Bundle or resources are expected. "
        "The server refused or failed: have the extract run again, or ask for what its account may read"
    )


def _resolved(text: str, bundle: dict[str, Any]) -> str:
    """Replaces urn:uuid references by Type/id of the entry they name."""
    names = {
        entry["fullUrl"]: f"{entry['resource'].get('resourceType')}/{entry['resource'].get('id')}"
        for entry in bundle.get("entry", [])
        if isinstance(entry, dict)
        and isinstance(entry.get("resource"), dict)
        and str(entry.get("fullUrl")).startswith("urn:uuid:")
    }
    return re.sub(r'"(urn:uuid:[^"]+)"', lambda match: json.dumps(names.get(match[1], match[1])), text)


def _read_table(feed: Feed, file: ReadableFile, objects: str, table: Table) -> Parsed:
    relation = create_received(file.con, table)
    scalars = [c for c in table.columns if c.kind is not Kind.JSON]
    nested = [c for c in table.columns if c.kind is Kind.JSON]
    paths = {column.name: column.path or f'$."{column.name}"' for column in table.columns}
    places = {column.name: f"scalars[{index}]" for index, column in enumerate(scalars, start=1)}
    places |= {column.name: f"nullif(nested[{index}]::VARCHAR, 'null')" for index, column in enumerate(nested, start=1)}
    selected = ", ".join(f"nullif({places[c.name]}, '')" for c in table.columns)
    known = {re.match(r'\$\."?([^".\[]+)', path)[1] for path in paths.values()} | {"resourceType"}  # type: ignore[index]
    without_known = json.dumps(dict.fromkeys(sorted(known)))
    of_type = (
        f"(line ->> '$.resourceType') = {literal(table.element)}" if table.element else "json_type(line) = 'OBJECT'"
    )
    if table.withdraws is None:
        of_type += " AND NOT deletes"
    scalar_list = ", ".join(literal(paths[c.name]) for c in scalars)
    nested_list = ", ".join(literal(paths[c.name]) for c in nested)
    file.con.execute(f"""
        INSERT INTO {relation}
        SELECT row_number, {selected}, nullif(json_merge_patch(line, {literal(without_known)})::VARCHAR, '{{}}'), NULL, NULL
        FROM (
            SELECT row_number, line,
                   {f"json_extract_string(line, [{scalar_list}])" if scalars else "[]"} AS scalars,
                   {f"json_extract(line, [{nested_list}])" if nested else "[]"} AS nested
            FROM {objects} WHERE {of_type}
        )
    """)
    return Parsed(table, relation)


def _unusable(feed: Feed, file: ReadableFile, objects: str, first: Parsed) -> None:
    """Lines that are no JSON, or of a type without a table, with their content, so that they can be quarantined whole."""
    elements = [table.element for table in feed.tables if table.element]
    withdrawing = [table.element for table in feed.tables if table.element and table.withdraws]
    listed = {True: ", ".join(map(literal, withdrawing)) or "NULL", False: ", ".join(map(literal, elements))}
    typed = (
        f"CASE WHEN deletes THEN coalesce((line ->> '$.resourceType') NOT IN ({listed[True]}), true) "
        f"ELSE coalesce(line ->> '$.resourceType', '') NOT IN ({listed[False]}) END"
        if elements
        else "json_type(line) <> 'OBJECT'"
    )
    file.con.execute(f"""
        INSERT INTO {first.relation} (row_number, _problem, _content)
        SELECT row_number, 'row ' || row_number || ': not well-formed JSON, or bytes that are no text in UTF-8, '
               || 'or longer than {MAX_LINE // 1024 // 1024} MiB; ask for it again or repair and release it', broken
        FROM {objects} WHERE NOT ok
    """)
    file.con.execute(f"""
        INSERT INTO {first.relation} (row_number, _problem, _content)
        SELECT row_number, 'row ' || row_number || CASE WHEN deletes
               THEN ': says that somebody was deleted, or not which record: nobody is taken out by that alone (a record out of use comes '
                    || 'with active false, a merge with its link)'
               ELSE ': not a kind of record this feed uses (' || {literal(", ".join(elements) or "objects")} || ')' END
               || '; kept, and nothing was read from it', line
        FROM {objects} WHERE line IS NOT NULL AND {typed}
    """)

"""Delimited text. DuckDB parses; this module decides encoding, delimiter and table, and numbers the rows.

Row numbers are those a person sees in a spreadsheet: the header is row 1. A row with too few or too many values, a quote
that never closes, or bytes that are no text is handed on with its problem and its content, and stops no other row.
"""

from __future__ import annotations

import codecs
import csv
import io

import duckdb

from connectors.contract import Feed
from connectors.readers.received import (
    Parsed,
    ReadableFile,
    UnreadableFile,
    columns_of,
    literal,
    new_relation,
    quoted,
    recognise,
)

# A row of four agencies' forms with a long narrative is some 50 kB; 4 MiB is no row but a broken file.
MAX_ROW = 4 * 1024 * 1024
_DELIMITERS = ",;\t|"
_PROBLEMS = {
    "MISSING COLUMNS": "fewer values than the header has columns",
    "TOO MANY COLUMNS": "more values than the header has columns",
    "UNQUOTED VALUE": "a quotation mark is opened and not closed, or stands inside a value",
    "INVALID ENCODING": "bytes that are no text in UTF-8",
    "LINE SIZE OVER MAXIMUM": f"longer than {MAX_ROW // 1024 // 1024} MiB",
    "CAST": "a value that could not be read",
}


def read(feed: Feed, file: ReadableFile) -> list[Parsed]:
    """Reads one delimited file into the table its header names."""
    location, notes, head = as_utf8(file)
    header, delimiter = _header(feed, file.name, head)
    table, matched = recognise(feed, file.name, header)
    relation = new_relation()
    rows = relation.removeprefix("temp.")
    positions = {matched[name]: index for index, name in reversed(list(enumerate(header))) if name in matched}
    known = set(positions.values())
    selected = "".join(
        f"{f'c{positions[name]}' if name in positions else 'NULL::VARCHAR'} AS {quoted(name)}, "
        for name in columns_of(table)
    )
    unknown = [(index, name) for index, name in enumerate(header) if index not in known]
    extra = (
        "json_object("
        + ", ".join(f"{literal(name or f'column {index + 1}')}, c{index}" for index, name in unknown)
        + ")::VARCHAR"
        if unknown
        else "NULL::VARCHAR"
    )
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(header)))
    file.con.execute(
        f"CREATE TEMP TABLE {rows} AS SELECT 1 + row_number() OVER () AS row_number, {selected}{extra} AS extra, "
        f"NULL::VARCHAR AS _problem, NULL::VARCHAR AS _content FROM read_csv({literal(location)}, "
        f"header = true, auto_detect = false, delim = {literal(delimiter)}, quote = '\"', escape = '\"', "
        f"max_line_size = {MAX_ROW}, store_rejects = true, rejects_table = '{rows}_rejects', "
        f"rejects_scan = '{rows}_scans', ignore_errors = true, columns = {{{columns}}})"
    )
    if file.con.execute(f"SELECT 1 FROM temp.{rows}_rejects LIMIT 1").fetchone():
        _place_rejected(file.con, rows)
    for name in (f"{rows}_rejects", f"{rows}_scans"):
        file.con.execute(f"DROP TABLE IF EXISTS temp.{name}")
    return [Parsed(table, relation, notes, tuple(header))]


def _place_rejected(con: duckdb.DuckDBPyConnection, rows: str) -> None:
    """Puts the rows that DuckDB rejected among the others, and gives every row its place in the file."""
    # A rejected row's line is its place in the file; the k-th good row stands as many places later as rows were rejected before it.
    con.execute(f"""
        UPDATE temp.{rows} AS r SET row_number = r.row_number + moved.shift
        FROM (
            WITH rejected AS (SELECT DISTINCT line FROM temp.{rows}_rejects),
            shifted AS (
                SELECT line - row_number() OVER (ORDER BY line) - 1 AS good_before, row_number() OVER (ORDER BY line) AS shift
                FROM rejected
            ),
            steps AS (SELECT good_before, max(shift) AS shift FROM shifted GROUP BY good_before)
            SELECT p.row_number, s.shift FROM temp.{rows} p ASOF JOIN steps s ON p.row_number - 1 > s.good_before
        ) moved
        WHERE moved.row_number = r.row_number
    """)
    cases = " ".join(f"WHEN {literal(kind)} THEN {literal(text)}" for kind, text in _PROBLEMS.items())
    con.execute(f"""
        INSERT INTO temp.{rows} (row_number, _problem, _content)
        SELECT line, 'row ' || line || ': ' || CASE any_value(error_type::VARCHAR) {cases} ELSE 'cannot be read' END
               || '; ask for the row again or repair it and release it', any_value(csv_line)
        FROM temp.{rows}_rejects GROUP BY line
    """)


def as_utf8(file: ReadableFile) -> tuple[str, tuple[str, ...], str]:
    """Where DuckDB can read the file as UTF-8, notes about its encoding, and the beginning of its text.

    UTF-8 stays where it is. UTF-16 is known by its byte order mark. Text with bytes outside UTF-8 and no well-formed
    multi-byte character is Windows-1252; where both occur the file is UTF-8 with damaged rows, which are held back.
    """
    with file.open() as stream:
        first = stream.read(4)
    if not first:
        raise UnreadableFile(
            f"{file.name}: the file holds no bytes, not even a header; ask the agency to send it again"
        )
    if first[:2] == b"PK":
        raise UnreadableFile(
            f"{file.name}: is a zip archive or a workbook, not text; ask for delimited text, or unpack it"
        )
    if first[:3] == b"\x1f\x8b\x08" or first[:4] == b"%PDF":
        raise UnreadableFile(f"{file.name}: is compressed or a PDF, not text; ask for delimited text")
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _transcoded(file, "utf-16", "saved as UTF-16; read as such")
    kind, mixed_newlines, longest = _scan(file)
    if longest > MAX_ROW * 4:
        raise UnreadableFile(
            f"{file.name}: a line of {longest // 1024 // 1024} MiB; rows are at most {MAX_ROW // 1024 // 1024} MiB. "
            "The file is damaged or not text with line ends; ask the agency to send it again"
        )
    if kind == "cp1252":
        return _transcoded(file, "cp1252", "not UTF-8; read as Windows-1252")
    if mixed_newlines or first[:3] == codecs.BOM_UTF8:
        with file.open() as stream:
            content = stream.read().removeprefix(codecs.BOM_UTF8)
        if mixed_newlines:
            content = content.replace(b"\r\n", b"\n")
        return (
            file.offer(f"text-{file.location.rpartition('/')[2]}", content),
            (),
            content[:65536].decode("utf-8", "replace"),
        )
    with file.open() as stream:
        return file.location, (), stream.read(65536).decode("utf-8", "replace")


def _transcoded(file: ReadableFile, encoding: str, note: str) -> tuple[str, tuple[str, ...], str]:
    with file.open() as stream:
        content = stream.read()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        # No `from`: the error holds the bytes of a row.
        raise UnreadableFile(
            f"{file.name}: byte {error.start} is no text in {encoding}; ask the agency to save it as UTF-8"
        ) from None
    text = text.replace("\r\n", "\n")
    return file.offer(f"text-{file.location.rpartition('/')[2]}", text.encode()), (note,), text[:65536]


def _scan(file: ReadableFile) -> tuple[str, bool, int]:
    """(utf-8 | cp1252, are line ends mixed, longest run without a line end), in one pass of constant memory."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    invalid = False
    crlf = lf = run = longest = multibyte = 0
    previous = b""
    with file.open() as stream:
        while chunk := stream.read(1 << 20):
            if not invalid:
                try:
                    text = decoder.decode(chunk)
                    multibyte += not text.isascii()
                except UnicodeDecodeError:
                    invalid = True
            if invalid:
                multibyte += _has_multibyte(chunk)
            crlf += chunk.count(b"\r\n") + (previous == b"\r" and chunk[:1] == b"\n")
            lf += chunk.count(b"\n")
            previous = chunk[-1:]
            first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
            if first < 0:
                run += len(chunk)
            else:
                longest = max(longest, run + first)
                run = len(chunk) - last
            longest = max(longest, run)
    return "cp1252" if invalid and not multibyte else "utf-8", 0 < crlf < lf, longest


def _has_multibyte(chunk: bytes) -> bool:
    """Whether bytes outside ASCII include a well-formed UTF-8 character (é as two bytes), which Windows-1252 text has not."""
    kept = chunk.decode("utf-8", "ignore")
    return not kept.isascii()


def _header(feed: Feed, name: str, head: str) -> tuple[list[str], str]:
    """The header row and the delimiter under which it names most of the feed's columns."""
    known = {column.name.lower() for table in feed.tables for column in table.columns}
    best: tuple[int, int, list[str], str] | None = None
    for delimiter in _DELIMITERS:
        try:
            row = next(csv.reader(io.StringIO(head, newline=None), delimiter=delimiter), [])
        except csv.Error:
            continue
        row = [cell.strip().lstrip("\ufeff") for cell in row]
        found = len(known & {cell.lower() for cell in row})
        if best is None or (found, len(row)) > best[:2]:
            best = (found, len(row), row, delimiter)
    if best is None or not any(best[2]):
        raise UnreadableFile(f"{name}: the first row is empty; a header row with column names is needed")
    return best[2], best[3]

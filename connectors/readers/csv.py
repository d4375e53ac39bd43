"""Delimited text. DuckDB parses; this module decides encoding, delimiter and table, and numbers the rows.

Row numbers are those a person sees in a spreadsheet: the header is row 1, or stands below a title. A row with too few
or too many values, a quote that never closes, or bytes that are no text is handed on with its problem and its
content, and stops no other row. A parser that meets such a row can lose its place and skip others unseen; what DuckDB
read is therefore counted against the file's lines, and where they differ the rows are parted here (rows.py) and
DuckDB is given the good ones alone.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import duckdb
import pyarrow as pa

from connectors.contract import Feed, Table
from connectors.readers.received import (
    HEADER_WITHIN,
    Parsed,
    ReadableFile,
    UnreadableFile,
    columns_of,
    new_relation,
    recognise,
    repeats_header,
    spelling,
)
from connectors.readers.rows import MAX_ROW, Split, split
from warehouse.quoting import literal, quoted

_DELIMITERS = ",;\t|"
_NOT_TEXT = frozenset(chr(code) for code in range(32)) - set("\t\n\r\f\x1c\x1d\x1e\x1f")


@dataclass(frozen=True)
class Text:
    """Text as DuckDB can read it: where, what was noted of its encoding, how it begins, its lines and how they end."""

    location: str
    notes: tuple[str, ...]
    head: str
    lines: _Lines
    quotes: bool
    content: Callable[[], bytes]


@dataclass(frozen=True)
class _Shape:
    """What a header says: the column expressions of the relation, how many columns, the delimiter, and how many lines stand above it."""

    selected: str
    header: list[str]
    delimiter: str
    above: int


def read(feed: Feed, file: ReadableFile) -> list[Parsed]:
    """Reads one delimited file into the table its header names."""
    text = as_utf8(file)
    header, delimiter, above = _header(feed, file.name, text.head)
    table, matched = recognise(feed, file.name, header)
    relation = new_relation()
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
    shape = _Shape(f"{selected}{extra} AS extra", header, delimiter, above)
    if not _whole(file.con, relation, text, shape):
        _row_by_row(file, relation, text, shape)
    _pass_over_empty(file.con, relation, table)
    again = _pass_over_headers(file.con, relation, table, {name: header[place] for name, place in positions.items()})
    return [Parsed(table, relation, (*text.notes, *again), tuple(header))]


def _pass_over_headers(
    con: duckdb.DuckDBPyConnection, relation: str, table: Table, header: dict[str, str]
) -> tuple[str, ...]:
    """A row that is the header once more, as where files were put behind each other, is nobody's record. Its number stays taken."""
    key = table.key[0].lower()
    # A file put behind another brings its byte order mark along.
    begins = f"{quoted(key)} IN ({literal(header[key])}, {literal(chr(0xFEFF) + header[key])})"
    if con.execute(f"SELECT 1 FROM {relation} WHERE {begins} LIMIT 1").fetchone() is None:
        return ()
    same = [f"trim({quoted(name)}, ' ' || chr(65279)) = {literal(cell)}" for name, cell in header.items()]
    places = con.execute(
        f"DELETE FROM {relation} WHERE _problem IS NULL AND {' AND '.join(same)} RETURNING row_number"
    ).fetchall()
    return (repeats_header(sorted(place for (place,) in places)),) if places else ()


def _pass_over_empty(con: duckdb.DuckDBPyConnection, relation: str, table: Table) -> None:
    """A line of separators alone, as spreadsheets leave below their last row, is a blank line. Its number stays taken."""
    key = quoted(table.key[0].lower())
    # A row without its key is seldom; to look for one costs a tenth of looking at every column.
    if con.execute(f"SELECT 1 FROM {relation} WHERE coalesce(trim({key}), '') = '' LIMIT 1").fetchone() is None:
        return
    empty = " AND ".join(f"coalesce(trim({quoted(name)}), '') = ''" for name in columns_of(table))
    con.execute(
        f"DELETE FROM {relation} WHERE _problem IS NULL AND {empty} "
        "AND coalesce(len(list_filter(extra ->> '$.*', value -> trim(value) <> '')), 0) = 0"
    )


def _fill(con: duckdb.DuckDBPyConnection, relation: str, location: str, shape: _Shape, skip: int) -> list[int]:
    """Reads good rows into the relation; returns the places of those that DuckDB would not take."""
    rows = relation.removeprefix("temp.")
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(shape.header)))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {rows} AS SELECT {shape.above + 1} + row_number() OVER () AS row_number, {shape.selected}, "
        f"NULL::VARCHAR AS _problem, NULL::VARCHAR AS _content FROM read_csv({literal(location)}, "
        f"header = {'true' if skip else 'false'}, skip = {shape.above if skip else 0}, "
        f"auto_detect = false, delim = {literal(shape.delimiter)}, quote = '\"', "
        f"escape = '\"', max_line_size = {MAX_ROW}, store_rejects = true, rejects_table = '{rows}_rejects', "
        f"rejects_scan = '{rows}_scans', ignore_errors = true, columns = {{{columns}}})"
    )
    rejected = [row[0] for row in con.execute(f"SELECT DISTINCT line FROM temp.{rows}_rejects ORDER BY 1").fetchall()]
    for name in (f"{rows}_rejects", f"{rows}_scans"):
        con.execute(f"DROP TABLE IF EXISTS temp.{name}")
    return rejected


def _whole(con: duckdb.DuckDBPyConnection, relation: str, text: Text, shape: _Shape) -> bool:
    """Whether DuckDB reads every line of the file into a row. What it does not reject it can still have skipped.

    Carriage returns among line feeds can be more than it bears, and what it cannot bear ends the transaction.
    """
    if text.lines.mixed or _fill(con, relation, text.location, shape, skip=1):
        return False
    rows = con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
    header = sum(name.count("\n") for name in shape.header)
    left = text.lines.count - (shape.above + 1 + header + rows)
    # A row takes at least one line: where there is a row for every line, none was skipped and none reached over two.
    return left == 0 or (text.quotes and left == _line_ends_within(con, relation, text.lines.end))


def _line_ends_within(con: duckdb.DuckDBPyConnection, relation: str, line_end: str) -> int:
    """Line ends inside quoted values: a row takes so many lines more than one. In `extra`, which is JSON, they are escaped."""
    names = [row[0] for row in con.execute(f"DESCRIBE {relation}").fetchall()][1:-3]
    sign, escaped = ("chr(10)", "\\n") if line_end == "\n" else ("chr(13)", "\\r")
    counts = [
        f"coalesce(sum(strlen({quoted(n)}) - strlen(replace({quoted(n)}, {sign}, ''))) FILTER (contains({quoted(n)}, {sign})), 0)"
        for n in names
    ]
    extra = "replace(extra, '\\\\', '')"
    counts.append(f"coalesce(sum(strlen({extra}) - strlen(replace({extra}, '{escaped}', ''))) // 2, 0)")
    return int(con.execute(f"SELECT {' + '.join(counts)} FROM {relation}").fetchall()[0][0])


def _row_by_row(file: ReadableFile, relation: str, text: Text, shape: _Shape) -> None:
    """Parts the rows here, gives DuckDB the good ones, and puts the others between them with their problem and content."""
    found = split(text.content(), shape.delimiter, len(shape.header), shape.above)
    for _ in range(3):
        location = file.offer(f"rows-{len(found.bad)}-{file.location.rpartition('/')[2]}", found.good)
        refused = _fill(file.con, relation, location, shape, skip=0)
        rows = file.con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
        if not refused and rows == len(found.numbers):
            break
        found = found.without(refused)
    else:
        raise UnreadableFile(
            f"{file.name}: {len(found.numbers)} rows could be told apart and {rows} read; nothing of it was used; "
            "ask the agency to save it again as CSV"
        )
    _place(file.con, relation, found, shape.above + 2)


def _place(con: duckdb.DuckDBPyConnection, relation: str, found: Split, first: int) -> None:
    """Gives every row its place in the file."""
    good = pa.table({"place": pa.array(range(first, len(found.numbers) + first), pa.int64()), "number": found.numbers})
    bad = pa.table({name: [getattr(row, name) for row in found.bad] for name in ("number", "problem", "content")})
    con.register("good_places", good)
    con.execute(f"UPDATE {relation} AS r SET row_number = g.number FROM good_places g WHERE g.place = r.row_number")
    con.unregister("good_places")
    if found.bad:
        con.register("bad_rows", bad)
        con.execute(
            f"INSERT INTO {relation} (row_number, _problem, _content) SELECT number, 'row ' || number || ': ' || problem "
            "|| '; ask for the row again or repair it and release it', content FROM bad_rows"
        )
        con.unregister("bad_rows")


def as_utf8(file: ReadableFile) -> Text:
    """The file as UTF-8.

    UTF-8 stays where it is. UTF-16 is known by its byte order mark, or by a header of which every other byte is nothing.
    Text with bytes outside UTF-8 and no well-formed multi-byte character is Windows-1252; where both occur the file is UTF-8
    with damaged rows, which are held back.
    """
    with file.open() as stream:
        first = stream.read(8)
    if not first:
        raise UnreadableFile(
            f"{file.name}: the file holds no bytes, not even a header; ask the agency to send it again"
        )
    if first[:2] == b"PK":
        raise UnreadableFile(
            f"{file.name}: is a workbook, or an archive in an archive, not text; ask for delimited text"
        )
    if first == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise UnreadableFile(
            f"{file.name}: is a workbook of before 2007 or one with a password; ask for it as .xlsx without a password, or as CSV"
        )
    if first[:3] == b"\x1f\x8b\x08" or first[:4] == b"%PDF":
        raise UnreadableFile(f"{file.name}: is a PDF, or an archive in an archive, not text; ask for delimited text")
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _transcoded(file, "utf-16", "saved as UTF-16; read as such")
    for encoding, zeros, letters in (("utf-16-le", first[1::2], first[::2]), ("utf-16-be", first[::2], first[1::2])):
        # Four letters of a header, a byte of nothing beside each: no other text begins so.
        if len(first) == 8 and not any(zeros) and all(0x20 <= letter < 0x7F for letter in letters):
            return _transcoded(file, encoding, "saved as UTF-16 without its mark; read as such")
    scanned = _scan(file)
    if scanned.longest > MAX_ROW * 4:
        raise UnreadableFile(
            f"{file.name}: a line of {scanned.longest // 1024 // 1024} MiB; rows are at most {MAX_ROW // 1024 // 1024} MiB. "
            "The file is damaged or not text with line ends; ask the agency to send it again"
        )
    if scanned.encoding == "cp1252":
        return _transcoded(file, "cp1252", "not UTF-8; read as Windows-1252")
    if scanned.lines.uneven or first[:3] == codecs.BOM_UTF8:
        with file.open() as stream:
            content = stream.read().removeprefix(codecs.BOM_UTF8)
        return _offered(file, content.replace(b"\r\n", b"\n") if scanned.lines.uneven else content, ())
    with file.open() as stream:
        head = stream.read(65536).decode("utf-8", "replace")

    def content_of_file() -> bytes:
        with file.open() as whole:
            return whole.read()

    return Text(file.location, (), head, scanned.lines, scanned.quotes, content_of_file)


def _offered(file: ReadableFile, content: bytes, notes: tuple[str, ...]) -> Text:
    """Text that had to be changed to be read, from memory."""
    lines = _Lines()
    lines.add(content)
    return Text(
        file.offer(f"text-{file.location.rpartition('/')[2]}", content),
        notes,
        content[:65536].decode("utf-8", "replace"),
        lines,
        b'"' in content,
        lambda: content,
    )


def _transcoded(file: ReadableFile, encoding: str, note: str) -> Text:
    with file.open() as stream:
        content = stream.read()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        # No `from`: the error holds the bytes of a row.
        raise UnreadableFile(
            f"{file.name}: byte {error.start} is no text in {encoding}; ask the agency to save it as UTF-8"
        ) from None
    return _offered(file, text.replace("\r\n", "\n").encode(), (note,))


class _Lines:
    """Counts lines up to the last that is not blank, whichever kind of line end there is."""

    def __init__(self) -> None:
        self._found = {b"\n": 0, b"\r": 0}
        self._trailing = {b"\n": 0, b"\r": 0}
        self._crlf = 0
        self._last = b""

    def add(self, chunk: bytes) -> None:
        self._crlf += chunk.count(b"\r\n") + (self._last == b"\r" and chunk[:1] == b"\n")
        self._last = chunk[-1:]
        blank = chunk[len(chunk.rstrip(b"\r\n")) :]
        for sign in self._found:
            self._found[sign] += chunk.count(sign)
            before = self._trailing[sign] if len(blank) == len(chunk) else 0
            self._trailing[sign] = before + blank.count(sign)

    @property
    def end(self) -> str:
        return "\n" if self._found[b"\n"] else "\r"

    @property
    def mixed(self) -> bool:
        """Whether there are line feeds, and carriage returns that stand alone."""
        return self._found[b"\n"] > 0 and self._crlf < self._found[b"\r"]

    @property
    def uneven(self) -> bool:
        """Whether some line feeds have a carriage return before them and some have not."""
        return 0 < self._crlf < self._found[b"\n"]

    @property
    def count(self) -> int:
        sign = self.end.encode()
        return self._found[sign] - self._trailing[sign] + 1


@dataclass(frozen=True)
class _Scanned:
    encoding: str
    longest: int
    lines: _Lines
    quotes: bool


def _scan(file: ReadableFile) -> _Scanned:
    """A file's encoding (utf-8 or cp1252), line ends, longest run without one, and lines: one pass of constant memory."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    lines = _Lines()
    invalid = quotes = False
    run = longest = multibyte = 0
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
            lines.add(chunk)
            quotes = quotes or b'"' in chunk
            first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
            if first < 0:
                run += len(chunk)
            else:
                longest = max(longest, run + first)
                run = len(chunk) - last
            longest = max(longest, run)
    encoding = "cp1252" if invalid and not multibyte else "utf-8"
    return _Scanned(encoding, longest, lines, quotes)


def _has_multibyte(chunk: bytes) -> bool:
    """Whether bytes outside ASCII include a well-formed UTF-8 character (é as two bytes), which Windows-1252 text has not."""
    kept = chunk.decode("utf-8", "ignore")
    return not kept.isascii()


def _header(feed: Feed, name: str, head: str) -> tuple[list[str], str, int]:
    """The header row, the delimiter under which it names most of the feed's columns, and how many lines stand above it.

    Reports begin with a title, and spreadsheets with `sep=;`: where the first row names no column, the header is the first that names two.
    """
    if not _NOT_TEXT.isdisjoint(head.partition("\n")[0]):
        raise UnreadableFile(
            f"{name}: its first line holds signs that no text has (NUL or control characters): it is no delimited text, "
            "or text in an encoding without its mark; ask the agency to save it as CSV in UTF-8"
        )
    known = {spelling(column.name) for table in feed.tables for column in table.columns}
    best: tuple[int, int, list[str], str, int] | None = None
    for delimiter in _DELIMITERS:
        reader, above = csv.reader(io.StringIO(head, newline=None), delimiter=delimiter), 0
        try:
            for cells in islice(reader, HEADER_WITHIN):
                row = [cell.strip().lstrip("\ufeff") for cell in cells]
                found = len(known & {spelling(cell) for cell in row})
                is_header = above == 0 or (found > 1 and best is not None and best[0] == 0)
                if is_header and (best is None or (found, len(row)) > best[:2]):
                    best = (found, len(row), row, delimiter, above)
                above = reader.line_num
        except csv.Error:
            continue
    if best is None or not any(best[2]):
        raise UnreadableFile(f"{name}: the first row is empty; a header row with column names is needed")
    return best[2], best[3], best[4]

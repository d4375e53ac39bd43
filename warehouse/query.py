"""Reading a published mart: one role, read-only, with nothing within reach of the SQL but that mart.

What lives here: opening a mart for questions, asking them as of a time, and writing answers in a safe form. What must
not: knowledge of a view, and who may see what (that was settled when the mart was built).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import duckdb

from warehouse import engine, publish
from warehouse.access_log import AccessLog
from warehouse.keys import Keys
from warehouse.quoting import literal

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "csv", "json", "parquet")

_BATCH = 10_000

# Columns that name a person or a record, whatever else a question calls them.
_NAMES_SOMEBODY = re.compile(r"(person|record)_ids?(_[ab])?$")
_OPENING_ATTEMPTS = 5

# A cell that begins so is taken for a formula by a spreadsheet (OWASP, CSV injection; full-width forms included).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# Errors about the question itself, whose messages speak of names and grammar. Others may quote a value.
_ABOUT_THE_QUESTION = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)


class QueryError(Exception):
    """The question cannot be answered; says why, never with a value from the mart."""


def query(
    marts_dir: Path, keys: Keys, role: str, sql: str, as_of: str | dt.date | dt.datetime | None = None
) -> duckdb.DuckDBPyRelation:
    """The answer to one SELECT over the role's current mart; with as_of, over what was known at that time.

    The relation is evaluated when it is read; write() keeps values out of its error messages.
    """
    return ask(open_mart(marts_dir, keys, role, as_of), sql)


@dataclass
class Shown:
    """The persons and records an answer names, gathered while it is written; None where it names none. `file`: what it was written to.

    Known from the beginning: the look's number, and the load and version of the mart that is read.
    """

    identifiers: set[str] | None = None
    rows: int = 0
    file: str | None = None
    access_id: int = 0
    load_id: str = ""
    version: str = ""


def run(
    marts_dir: Path,
    keys: Keys,
    role: str,
    sql: str,
    *,
    log: AccessLog,
    who: str,
    purpose: str,
    clock: Callable[[], dt.datetime],
    as_of: str | dt.date | dt.datetime | None = None,
    output: str = "table",
) -> int:
    """Asks and writes the answer to standard output; returns the number of rows. What cannot be logged is not shown."""
    _check_format(output)
    if output == "parquet" and sys.stdout.isatty():
        raise QueryError("parquet is not for a screen; send it on to a program, or use tessera export")
    con = open_mart(marts_dir, keys, role, as_of)
    try:
        relation = ask(con, sql)
        with look(con, role, worded(sql, as_of), export=False, log=log, who=who, purpose=purpose, clock=clock) as shown:
            return write(relation, output, sys.stdout, shown)
    finally:
        con.close()


def worded(sql: str, as_of: object = None, parameters: object = None) -> str:
    """A question as the access log keeps it: with what stood in its places, and as of when."""
    said = sql if parameters is None else f"{sql} ({parameters})"
    return said if as_of is None else f"{said} (as of {as_of})"


@contextmanager
def look(
    con: duckdb.DuckDBPyConnection,
    role: str,
    question: str,
    *,
    export: bool,
    log: AccessLog,
    who: str,
    purpose: str,
    clock: Callable[[], dt.datetime],
    of: tuple[str, str] | None = None,
) -> Iterator[Shown]:
    """Notes in the access log that something is looked at, before it is shown, and afterwards what was.

    `of`: the load and the version that `con` reads, where they are known already.
    """
    load_id, version = of or served(con)
    number = log.asked(
        "export" if export else "query",
        role,
        clock(),
        load_id=load_id,
        version=version,
        who=who,
        purpose=purpose,
        question=question,
    )
    shown = Shown(access_id=number, load_id=load_id, version=version)
    try:
        yield shown
    finally:
        told = shown.identifiers if shown.rows else ()
        log.answered(number, role, clock(), shown=told, rows=shown.rows, file=shown.file)


def served(con: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """The load and the version of the mart that a connection reads."""
    row = con.execute(
        "SELECT load_id, (SELECT path FROM duckdb_databases() WHERE database_name = 'mart') FROM mart.main.mart"
    ).fetchone()
    load_id, path = row or ("", "")
    return load_id, Path(path).stem


def open_mart(
    marts_dir: Path,
    keys: Keys,
    role: str,
    as_of: str | dt.date | dt.datetime | None = None,
    *,
    memory_limit: str = "",
    threads: int = 0,
) -> duckdb.DuckDBPyConnection:
    """A connection that can read the role's current mart and do nothing else; it keeps that load until it is closed."""
    moment = None if as_of is None else moment_of(as_of)
    known = keys.texts(role)
    con = engine.connect(
        temp_directory=Path(tempfile.gettempdir()) / f"tessera-query-{os.getpid()}",
        memory_limit=memory_limit,
        threads=threads,
    )
    try:
        _attach_current(con, marts_dir, role, known)
        con.execute("USE mart")
        if moment is not None:
            show_as_of(con, moment)
        con.execute("SET python_enable_replacements = false")  # a Python variable is no table
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
    except BaseException:
        con.close()
        raise
    return con


def rows(
    con: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None, shown: Shown | None = None
) -> list[dict[str, Any]]:
    """A small answer as dictionaries, on a connection made by open_mart(). `shown` learns whom it names.

    Executed at once: a relation is planned once to say its columns and again to be read, which is most of what a narrow question costs.
    """
    with _no_values_in_errors():
        _check_one_select(con, sql)
        con.execute(sql, parameters)
        names = [column[0] for column in con.description or ()]
        found = con.fetchall()
    if shown is not None and found:
        naming = [place for place, name in enumerate(names) if _NAMES_SOMEBODY.search(name)]
        _notice(shown, len(found), [[row[place] for row in found] for place in naming])
    return [dict(zip(names, row, strict=True)) for row in found]


def frame(con: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None, shown: Shown | None = None) -> pd.DataFrame:
    """An answer as a pandas frame, on a connection made by open_mart(). `shown` learns whom it names."""
    relation = ask(con, sql, parameters)
    with _no_values_in_errors():
        found = relation.df()
    if shown is not None and len(found):
        _notice(shown, len(found), [_values(found.iloc[:, place]) for place in _naming(relation)])
    return found


def ask(con: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None) -> duckdb.DuckDBPyRelation:
    """The answer to one SELECT on a connection made by open_mart()."""
    with _no_values_in_errors():
        _check_one_select(con, sql)
        relation = con.sql(sql, params=parameters)
    if relation is None:
        raise QueryError("that gives no rows to show; ask with a SELECT")
    return relation


def _check_one_select(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = con.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise QueryError(
            "one SELECT is answered at a time (also DESCRIBE, SUMMARIZE, SHOW TABLES, EXPLAIN); "
            "marts are read-only. PIVOT needs its columns listed: PIVOT … ON … IN (…)"
        )


def moment_of(as_of: str | dt.date | dt.datetime) -> dt.datetime:
    """A time in UTC without zone. A date alone means its end: what was known on 3 March includes that night's load."""
    try:
        if isinstance(as_of, str):
            text = as_of.strip()
            as_of = dt.date.fromisoformat(text) if len(text) <= 10 else dt.datetime.fromisoformat(text)
        if isinstance(as_of, dt.datetime):
            return as_of.astimezone(dt.UTC).replace(tzinfo=None) if as_of.tzinfo else as_of
        return dt.datetime.combine(as_of, dt.time.max)
    except ValueError as error:
        raise QueryError(
            f"{as_of!r} is not a time; write 2026-03-03 or 2026-03-03T14:30 (UTC unless it names its zone)"
        ) from error


def write(
    relation: duckdb.DuckDBPyRelation, form: str, target: TextIO | BinaryIO | Path | str, shown: Shown | None = None
) -> int:
    """Writes an answer as table, csv, json or parquet to a stream or a path; returns the number of rows. `shown` learns whom it names.

    A file appears only when it is whole, and for nobody but its owner: it holds what the mart holds, unencrypted.
    """
    _check_format(form)
    if not isinstance(target, (str, Path)):
        return _write_to(relation, form, target, shown)
    with own_file(Path(target), text=form != "parquet") as file:
        return _write_to(relation, form, file, shown)


@contextmanager
def own_file(final: Path, *, text: bool) -> Iterator[Any]:
    """A file that appears only when it is whole, and for nobody but its owner."""
    unfinished = final.with_name(f".{final.name}.unfinished")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") if text else os.fdopen(handle, "wb") as file:
            yield file
        unfinished.replace(final)
    except OSError as error:
        raise QueryError(f"{final}: {error.strerror}; nothing was written") from error
    finally:
        unfinished.unlink(missing_ok=True)


# Opening


def _attach_current(con: duckdb.DuckDBPyConnection, marts_dir: Path, role: str, known: tuple[str, ...]) -> None:
    """Attaches what the pointer names; between reading and opening, that may just have been replaced and removed."""
    for attempt in range(_OPENING_ATTEMPTS):
        path = publish.current(marts_dir).path(marts_dir, role)
        try:
            if path.exists():
                engine.attach(con, path, "mart", *known, read_only=True)
                return
        except engine.WarehouseError:
            if path.exists() or attempt == _OPENING_ATTEMPTS - 1:
                raise
    raise QueryError(f"{path} is missing; restore it from backup, run tessera rollback, or publish again")


def show_as_of(con: duckdb.DuckDBPyConnection, moment: dt.datetime) -> None:
    """Puts, under each public name, what was known then; a name without a history says so instead of showing now."""
    known = {
        name.removesuffix("_as_of")
        for (name,) in con.execute(
            "SELECT function_name FROM duckdb_functions() "
            "WHERE database_name = 'mart' AND function_type = 'table_macro' AND suffix(function_name, '_as_of')"
        ).fetchall()
    }
    public = [
        name
        for (name,) in con.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'mart' ORDER BY table_name"
        ).fetchall()
        if name != "mart" and not name.endswith("_history")
    ]
    for name in public:
        if name in known:
            select = f"SELECT * FROM \"{name}_as_of\"(TIMESTAMP '{moment.isoformat(sep=' ')}')"
        else:
            # In WHERE, which counting rows does not prune away as it would a column.
            select = f'SELECT * FROM mart.main."{name}" WHERE error({literal(_no_history(name, known))}) IS NOT NULL'
        con.execute(f'CREATE TEMP VIEW "{name}" AS {select}')


def _no_history(name: str, known: set[str]) -> str:
    return f"{name} is not kept as of a time; ask without --as-of, or ask {', '.join(sorted(known))}"


@contextmanager
def _no_values_in_errors() -> Iterator[None]:
    try:
        yield
        return
    except _ABOUT_THE_QUESTION as error:
        reason = str(error).split("\nLINE ")[0].strip()  # what follows repeats the question, which may name somebody
    except duckdb.PermissionException:
        reason = "a question reaches the mart alone, no files and no other database"
    except (duckdb.InvalidInputException, duckdb.OutOfMemoryException) as error:
        text = str(error)
        if "is not kept as of a time" in text:
            reason = text.removeprefix("Invalid Input Error: ")
        elif isinstance(error, duckdb.OutOfMemoryException):
            reason = "it needs more memory than there is; ask for fewer rows or columns"
        else:
            reason = f"it failed on a value ({type(error).__name__}); try TRY_CAST or a narrower WHERE"
    except duckdb.Error as error:
        reason = f"it failed on a value ({type(error).__name__}); try TRY_CAST or a narrower WHERE"
    raise QueryError(reason)


# Writing


def _check_format(form: str) -> None:
    if form not in FORMATS:
        raise QueryError(f"no format {form!r}; there are {', '.join(FORMATS)}")


def _write_to(relation: duckdb.DuckDBPyRelation, form: str, stream: Any, shown: Shown | None) -> int:
    shown = shown or Shown()
    if form == "parquet":
        return _write_parquet(relation, stream.buffer if isinstance(stream, io.TextIOWrapper) else stream, shown)
    writers = {"table": _write_table, "csv": _write_csv, "json": _write_json}
    return writers[form](relation, stream, shown)


def _each(relation: duckdb.DuckDBPyRelation, shown: Shown | None = None) -> Iterator[tuple[Any, ...]]:
    """The rows of an answer, from the first, a batch at a time."""
    with _no_values_in_errors():
        relation.execute()
    places = _naming(relation)
    while True:
        with _no_values_in_errors():
            batch = relation.fetchmany(_BATCH)
        if not batch:
            return
        if shown is not None:
            _notice(shown, len(batch), [[row[place] for row in batch] for place in places])
        yield from batch


def _naming(relation: duckdb.DuckDBPyRelation) -> list[int]:
    return [place for place, name in enumerate(relation.columns) if _NAMES_SOMEBODY.search(name)]


def _values(column: pd.Series) -> list[Any]:
    """Of a frame's column, which holds lists as arrays."""
    return [value.tolist() if hasattr(value, "tolist") else value for value in column]


def _notice(shown: Shown, rows: int, columns: list[list[Any]]) -> None:
    """Adds what a batch names. Lists hold several; in an answer without such a column nobody is named."""
    shown.rows += rows
    if columns:
        shown.identifiers = shown.identifiers or set()
    for column in columns:
        for value in column:
            values = value if isinstance(value, list) else [value]
            shown.identifiers |= {item for item in values if isinstance(item, str)}  # type: ignore[operator]


def _write_table(relation: duckdb.DuckDBPyRelation, stream: TextIO, shown: Shown) -> int:
    """Columns under each other; control characters, which could drive a terminal, are shown as they are written."""
    header = [_printable(column) for column in relation.columns]
    body = [[_printable(_plain(value)) for value in row] for row in _each(relation, shown)]
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    for line in (header, ["-" * width for width in widths], *body):
        stream.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
    return len(body)


def _write_csv(relation: duckdb.DuckDBPyRelation, stream: TextIO, shown: Shown) -> int:
    # The line end of RFC 4180, with which a lone carriage return within a cell is quoted too.
    writer, count = csv.writer(stream, lineterminator="\r\n"), 0
    writer.writerow([harmless(column) for column in relation.columns])
    for row in _each(relation, shown):
        writer.writerow([harmless(value) if isinstance(value, str) else _plain(value) for value in row])
        count += 1
    return count


def _write_json(relation: duckdb.DuckDBPyRelation, stream: TextIO, shown: Shown) -> int:
    names, count = relation.columns, 0
    stream.write("[")
    for row in _each(relation, shown):
        stream.write("\n" if count == 0 else ",\n")
        json.dump(dict(zip(names, row, strict=True)), stream, ensure_ascii=False, default=str)
        count += 1
    stream.write("\n]\n" if count else "]\n")
    return count


def _write_parquet(relation: duckdb.DuckDBPyRelation, stream: BinaryIO, shown: Shown) -> int:
    """By Arrow, because the connection itself may not touch files."""
    import pyarrow.parquet  # slow, and needed for this format alone

    count, places = 0, _naming(relation)
    with _no_values_in_errors():
        batches = relation.execute().to_arrow_reader(_BATCH)
        with pyarrow.parquet.ParquetWriter(stream, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                _notice(shown, batch.num_rows, [batch.column(place).to_pylist() for place in places])
                count += batch.num_rows
    return count


def _plain(value: Any) -> str:
    """Text of a value: empty for nothing, JSON for lists and structs, which is never taken for a formula."""
    if value is None:
        return ""
    if isinstance(value, (list, dict, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def harmless(text: str) -> str:
    """Text that a spreadsheet does not run as a formula."""
    return f"'{text}" if runs_as_formula(text) else text


def runs_as_formula(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula."""
    return text.startswith(_FORMULA_STARTS)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)

"""The only place where a connection to the warehouse is opened.

DuckDB runs in memory with the encrypted core attached: nothing person-level can reach the disk but through the
encrypted core, the encrypted marts, or DuckDB's temporary files, whose encryption is switched on before anything can spill.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

from warehouse import schema
from warehouse.keys import Keys, next_of

_FORBIDDEN_IN_KEY = "'"
_CHECKPOINT_AT = "256MB"
# DuckDB gives work to its threads by row group.
_ROW_GROUP = 122_880
# Binaries whose signature DuckDB has checked in this process: path, and what tells that the file is still the same.
_signature_checked: set[tuple[Path, int, int, int]] = set()


class WarehouseError(Exception):
    """The warehouse cannot be opened or written; says why and what to do."""


def connect(
    *, memory_limit: str = "", threads: int = 0, temp_directory: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that may attach encrypted files, spills only encrypted, and never reaches the network."""
    con = _connect_with_openssl()
    con.execute("SET temp_file_encryption = true")
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")
    if temp_directory is not None:
        con.execute(f"SET temp_directory = '{_quoted_path(temp_directory)}'")
    if memory_limit:
        con.execute("SET memory_limit = ?", [memory_limit])
    if threads:
        con.execute("SET threads = ?", [threads])
    return con


def attach(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    key: str,
    *former: str,
    read_only: bool = False,
    row_group: int = 0,
    logged: bool = True,
) -> None:
    """Attaches an encrypted DuckDB file; a wrong key, a lock and damage each give their own message.

    `former`: keys to try where `key` does not open it. `row_group`: rows to a group in a file that this makes, if not DuckDB's own number.
    Where it is not `logged`, only what a checkpoint wrote outlives a kill, and nothing is written twice.
    """
    if _FORBIDDEN_IN_KEY in key:
        raise WarehouseError("a key holds a quotation mark; use base64 text")
    options = f"ENCRYPTION_KEY '{key}'" + (", READ_ONLY" if read_only else "")
    options += f", ROW_GROUP_SIZE {row_group}" if row_group else ""
    options += "" if logged else ", RECOVERY_MODE NO_WAL_WRITES"
    try:
        con.execute(f"ATTACH '{_quoted_path(path)}' AS {name} ({options})")
    except duckdb.Error as error:
        message = str(error).lower()
        if "key" in message or "encrypt" in message or "decrypt" in message:
            if former:
                attach(con, path, name, *former, read_only=read_only, row_group=row_group, logged=logged)
                return
            reason = "the key does not open it; check the key file or TESSERA_KEY_…"
        elif "lock" in message:
            reason = "another process holds it open; wait for that night to finish"
        elif any(word in message for word in ("space", "too large", "quota")):
            reason = "the disk is full; make room and run again, nothing was lost"
        else:
            reason = "the file is damaged or not a DuckDB file; restore it from backup, or run tessera rebuild --switch"
        raise WarehouseError(f"{path}: {reason}") from None


def define(con: duckdb.DuckDBPyConnection, part: str, statements: Sequence[str]) -> bool:
    """Runs what defines a part of the current database, unless it has that part by just these words; whether it ran.

    A macro named after the part says by which words it has it: hundreds of definitions take longer to run again than a small
    command's own work does. To be called within a transaction.
    """
    words = hashlib.sha256("\0".join((duckdb.__version__, *statements)).encode()).hexdigest()
    with suppress(duckdb.CatalogException):  # there is no such macro where the part is not there yet
        if con.execute(f'SELECT "{part}_by"()').fetchone() == (words,):
            return False
    for statement in statements:
        con.execute(statement)
    con.execute(f"CREATE OR REPLACE MACRO \"{part}_by\"() AS '{words}'")
    return True


def columns_of(con: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """The names of a relation's columns. Asked of itself: for the catalogue's answer DuckDB describes all relations that there are."""
    return [str(column[0]) for column in con.execute(f"SELECT * FROM {relation} LIMIT 0").description or ()]


def core_key(path: Path, keys: Keys) -> str:
    """The key that opens the core: while it is being replaced, the next one as soon as the core is written under it."""
    if next_of("core") not in keys.values or not path.exists():
        return keys.text("core")
    con = connect()
    try:
        attach(con, path, "core", keys.text("core"), read_only=True)
    except WarehouseError as error:
        if "the key does not open it" not in str(error):
            raise
        return keys.text(next_of("core"))
    finally:
        con.close()
    return keys.text("core")


class Warehouse:
    """The encrypted core, opened for writing by one process. Marts are made by publish(), not here."""

    def __init__(self, path: Path, keys: Keys, *, memory_limit: str = "", threads: int = 0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.temp_directory = path.parent / "spill"
        self.con = connect(memory_limit=memory_limit, threads=threads, temp_directory=self.temp_directory)
        self.threads = int(self.con.execute("SELECT current_setting('threads')").fetchall()[0][0])
        attach(self.con, path, "core", core_key(path, keys))
        self.con.execute("USE core")
        # A night is many small transactions. They go to the encrypted log; its default of 16 MB would have them written twice.
        self.con.execute(f"SET checkpoint_threshold = '{_CHECKPOINT_AT}'")
        schemas = ("CREATE SCHEMA IF NOT EXISTS core.raw", "CREATE SCHEMA IF NOT EXISTS core.staged")
        tables = (relation.ddl() for relation in schema.RELATIONS.values())
        with self.transaction():
            if define(self.con, "tables", (*schemas, *tables)):
                self._follow_the_schema()

    def _follow_the_schema(self) -> None:
        """A core made by an earlier version learns the columns that the schema has gained since, and loses what it lost."""
        self.con.execute("DROP TABLE IF EXISTS quality_failure")
        for relation in schema.RELATIONS.values():
            present = columns_of(self.con, f'"{relation.name}"')
            for field in relation.fields:
                if field.name not in present:
                    self.con.execute(f'ALTER TABLE "{relation.name}" ADD COLUMN "{field.name}" {field.type}')

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A second connection to the same core; DuckDB's cursors do not inherit USE."""
        cursor = self.con.cursor()
        cursor.execute("USE core")
        return cursor

    def side_by_side(self, statements: Sequence[str]) -> list[Exception | None]:
        """Runs statements that need nothing of each other, as many at once as there are threads: what each raised, if it did.

        What it serves is many small statements, whose planning DuckDB does with one thread. Each is a transaction of its own. Not to be
        called within a transaction: the statements would not see what it wrote.
        """
        raised: list[Exception | None] = [None] * len(statements)
        waiting = iter(enumerate(statements))
        taking = threading.Lock()

        def work() -> None:
            with closing(self.cursor()) as cursor:
                while True:
                    with taking:
                        place, statement = next(waiting, (-1, ""))
                    if place < 0:
                        return
                    try:
                        cursor.execute(statement)
                    except Exception as error:
                        raised[place] = error

        workers = min(self.threads, len(statements))
        if workers > 1:
            with ThreadPoolExecutor(workers) as pool:
                for done in [pool.submit(work) for _ in range(workers)]:
                    done.result()
        elif workers:
            work()
        return raised

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing; a kill or an error inside leaves no trace."""
        self.con.execute("BEGIN")
        try:
            yield self.con
        except BaseException:
            with suppress(duckdb.Error):  # the engine may have ended it itself; what broke is what must be told
                self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")

    @contextmanager
    def threads_for(self, rows: int) -> Iterator[None]:
        """As many threads as there is work for: on less than a row group a second only waits, and that takes a fifth more processor time.

        Not to be entered within a transaction.
        """
        if rows >= _ROW_GROUP:
            yield
            return
        self.con.execute("SET threads = 1")
        try:
            yield
        finally:
            with suppress(duckdb.Error):  # as in close()
                self.con.execute("SET threads = ?", [self.threads])

    def as_large(self) -> AbstractContextManager[None]:
        """What works on everything: the common model's largest table decides how many threads do."""
        counts = " UNION ALL ".join(f'SELECT count(*) FROM core."{name}"' for name in schema.COMMON_MODEL)
        return self.threads_for(self.con.execute(f"SELECT max(rows) FROM ({counts}) counted (rows)").fetchall()[0][0])

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Adds one row to a table of the schema; columns left out are empty."""
        columns = ", ".join(f'"{name}"' for name in row)
        self.con.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join("?" * len(row))})', list(row.values()))

    def rows(self, sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        """A small result as dictionaries; never for person-level tables of any size."""
        cursor = self.con.execute(sql, parameters or [])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def close(self) -> None:
        try:
            # After a fault such as a full disk nothing can be detached any more.
            with suppress(duckdb.Error), self.as_large():
                self.con.execute("USE memory")
                self.con.execute("DETACH core")
        finally:
            self.con.close()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect_with_openssl() -> duckdb.DuckDBPyConnection:
    """Writing encrypted files needs OpenSSL, which DuckDB has in httpfs; the signed binary comes with a wheel.

    To check its signature DuckDB reads all of its 21 MB, which takes longer than all else a connection needs. A process that has
    seen that check pass does not ask for it again until the file is another. What the flag then allows, nobody can use: no
    extension is loaded by itself, and where a person's SQL runs none can be loaded at all (query.open_mart).
    """
    binary = _httpfs()
    about = None if binary is None else (binary, (found := binary.stat()).st_ino, found.st_size, found.st_mtime_ns)
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_unsigned_extensions": str(about in _signature_checked).lower(),
    }
    con = duckdb.connect(":memory:", config=config)
    try:
        con.execute("LOAD httpfs" if binary is None else f"LOAD '{_quoted_path(binary)}'")
    except duckdb.Error as error:
        raise WarehouseError(
            f"DuckDB's httpfs extension for version {duckdb.__version__} is needed to write encrypted files; "
            "install the package duckdb-extension-httpfs of that version, or run INSTALL httpfs once"
        ) from error
    if about is not None:
        _signature_checked.add(about)
    return con


@cache
def _httpfs() -> Path | None:
    """The binary of this DuckDB's version, if the wheel is installed."""
    spec = find_spec("duckdb_extension_httpfs")
    folders = spec.submodule_search_locations if spec else None
    binaries = sorted(Path(os.fspath(folders[0])).rglob("httpfs.duckdb_extension")) if folders else []
    matching = [path for path in binaries if duckdb.__version__ in str(path)] or binaries
    return matching[-1] if matching else None


def _quoted_path(path: Path) -> str:
    return str(path).replace("'", "''")

"""New keys: files are written anew under them; killed at any instant, either the old key or the new one opens each.

For the core and landing the new key stands in the key file beside the old one before anything is written under it, and takes its place once
everything is. A role's old key stays as a former one, since rows of the access log are proved by it. What must not live here: reading and
writing the key file (warehouse/keys.py), and how a landed file is encrypted (warehouse/landing.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipelines.line import Line, Night, open_line
from pipelines.settings import Settings
from warehouse import engine, keys
from warehouse.landing import Landing


def rotate_core(settings: Settings, environ: Mapping[str, str]) -> None:
    """Gives the core a new key, or finishes what a killed run began. The caller holds the lock; marts are served all the while.

    Raises KeyFileError where the key comes from the environment, WarehouseError where no key opens the core.
    """
    known = keys.prepare_next(settings.keys_path, environ, "core", data=settings.data_path)
    if settings.core_path.exists():
        if engine.core_key(settings.core_path, known) != known.text(keys.next_of("core")):
            write_anew(settings, known, known.text(keys.next_of("core")))
        (settings.data_path / "core.before-rebuild.duckdb").unlink(missing_ok=True)  # under the old key
    keys.take_next(settings.keys_path, "core")


def rotate_landing(settings: Settings, environ: Mapping[str, str]) -> int:
    """Gives landing a new key, or finishes what a killed run began; returns how many files were written anew. The caller holds the lock.

    Until it is finished everything lands under the new key, and what landed before is read with the one that opens it. Raises KeyFileError
    where the key comes from the environment, LandingError where no key opens a file; both keys are kept then.
    """
    known = keys.prepare_next(settings.keys_path, environ, "landing", data=settings.data_path)
    written = Landing(settings.landing_path, *known.raws("landing")).write_anew()
    if os.name == "posix":  # the names of thousands of files must outlive a power cut before the old key may go
        os.sync()
    keys.take_next(settings.keys_path, "landing")
    return written


def rotate_role(settings: Settings, environ: Mapping[str, str], role: str) -> bool:
    """Gives a role's mart a new key; returns whether marts were published under it. The caller holds the lock; killed, it can be run again.

    The former key is kept: until the mart is published anew it opens what is served, and what the role looked at stays written under it.
    A night that is not finished publishes itself, under the new key. Raises KeyFileError where the key comes from the environment.
    """
    keys.begin_anew(settings.keys_path, environ, role, data=settings.data_path)
    with open_line(settings, dict(environ)) as line:
        last = line.con.execute("SELECT status FROM night ORDER BY load_seq DESC LIMIT 1").fetchone()
        finished = last == ("published",)
        if finished:
            publish_anew(line)
    return finished


def publish_anew(line: Line) -> None:
    """The marts of the last load, and none of those published before."""
    last = line.warehouse.rows("SELECT load_id, load_seq, date, started_at FROM night ORDER BY load_seq DESC LIMIT 1")
    if last:
        line.settings = line.settings.model_copy(update={"keep_marts": 1})
        line.publish(Night(**last[0]))


def write_anew(settings: Settings, known: keys.Keys, key: str) -> None:
    """The core's file with nothing but what is in it, under `key`: DuckDB leaves the bytes of deleted rows in free blocks."""
    fresh = settings.core_path.with_name("core.anew.duckdb")
    fresh.unlink(missing_ok=True)
    con = engine.connect(temp_directory=settings.data_path / "spill")
    try:
        engine.attach(con, settings.core_path, "core", engine.core_key(settings.core_path, known))
        con.execute("CHECKPOINT core")
        engine.attach(con, fresh, "anew", key)
        con.execute("COPY FROM DATABASE core TO anew")
        con.execute("CHECKPOINT anew")
    finally:
        con.close()
    (settings.data_path / "core.duckdb.wal").unlink(missing_ok=True)
    fresh.replace(settings.core_path)
    if os.name == "posix":  # the name must outlive a power cut before the old key may go
        handle = os.open(settings.data_path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

"""Recomputes the core from landing, decisions and code, night by night, beside the one in use, and says what differs.

The core is a function of these three. What rows people released from quarantine, and repaired, is taken from the core in
use, if that opens. What must not live here: how a night is run (night.py, line.py).
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from pipelines import landed
from pipelines.line import PEOPLE, Line, Night
from pipelines.night import run_feed
from pipelines.settings import Settings, utc_now
from warehouse import publish, touched
from warehouse.engine import Warehouse, WarehouseError, attach, connect, core_key
from warehouse.keys import Keys, load_keys
from warehouse.landing import Landing
from warehouse.schema import RELATIONS

# What the clock of the machine says, not the night: it is no part of what landing, decisions and code give.
_CLOCKS = {"finished_at", "published_at"}
# Books of what was served and of steps; a source that could not be reached left nothing to recompute from.
# Nor is a truth, by which the links were measured, among what landed.
_NOT_COMPARED = {"publication", "step", "night", "linkage_quality", *touched.REMEMBERED}
# What a load counted.
_COUNTS = {"received_file", "feed_load", "quality_result", "feed_measure"}
# How far each standard was judged, which begins anew after an erasure; and measures, which say how they stand to those of the load before.
_STALE = {"quality_judged", "linkage_measure"}


@dataclass
class Rebuilt:
    """What was recomputed and how it compares with the core in use; counts and names, never a value."""

    nights: int
    rows: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    compared: bool = True
    switched: bool = False


class RebuildError(Exception):
    """The core cannot be recomputed; says why and what to do. The core in use is untouched."""


def rebuild(
    settings: Settings,
    environ: dict[str, str],
    *,
    switch: bool,
    say: Callable[[str, str], None] = lambda night, step: None,
) -> Rebuilt:
    """Recomputes every night into a core of its own and compares; with `switch` it becomes the core and is published.

    Raises RebuildError where landing holds no night.
    """
    keys = load_keys(settings.keys_path, environ, data=settings.data_path)
    nights = list(_nights(Landing(settings.landing_path, *keys.raws("landing"))))
    if not nights:
        raise RebuildError(f"{settings.landing_path}: no night has landed; there is nothing to rebuild from")
    folder = settings.data_path / "rebuilding"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        fresh = folder / "core.duckdb"
        found = Rebuilt(len(nights))
        releases, published = _of_core_in_use(settings, keys)
        found.compared = releases is not None
        erased_after = None
        with _line(settings, keys, fresh) as line:
            for night, manifests in nights:
                _run(line, settings, night, manifests, releases or [], found, say)
                if landed.take_ledger(line, night.load_id):
                    erased_after = night.load_id
            # What was served, and when, is history that nothing can be recomputed from; a wrong link is traced by it.
            if published:
                line.con.executemany("INSERT INTO publication (load_id, published_at) VALUES (?, ?)", published)
            found.rows = sum(line.con.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in RELATIONS)
        if found.compared:
            found.differing = _differences(settings.core_path, fresh, keys, erased_after)
        if switch:
            _switch(settings, keys, fresh, nights[-1][0])
            found.switched = True
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _nights(landing: Landing) -> Iterator[tuple[Night, dict[str, dict[str, Any]]]]:
    """Every landed night in order, with what each feed and the linking of people were given."""
    by_load: dict[str, dict[str, dict[str, Any]]] = {}
    for load_id, subject in landing.manifests():
        manifest = landing.read_manifest(load_id, subject)
        assert manifest is not None
        by_load.setdefault(load_id, {})[subject] = manifest
    for load_id, manifests in sorted(by_load.items(), key=lambda item: min(m["load_seq"] for m in item[1].values())):
        said = next(iter(manifests.values()))
        yield (
            Night(
                load_id,
                said["load_seq"],
                dt.date.fromisoformat(said["date"]),
                dt.datetime.fromisoformat(said["started_at"]),
            ),
            manifests,
        )


@contextmanager
def _line(settings: Settings, keys: Keys, core: Path) -> Iterator[Line]:
    with Warehouse(core, keys, memory_limit=settings.memory_limit, threads=settings.threads) as warehouse:
        yield Line(settings, keys, warehouse)


def _run(
    line: Line,
    settings: Settings,
    night: Night,
    manifests: dict[str, dict[str, Any]],
    releases: list[dict[str, Any]],
    found: Rebuilt,
    say: Callable[[str, str], None],
) -> None:
    """One landed night again, from its manifests alone: no source is asked."""
    sources = {
        name: source.model_copy(update=manifests[name]["options"]) if name in manifests else source
        for name, source in settings.sources.items()
    }
    line.use(settings.model_copy(update={"sources": sources}))
    line.begin(night)
    for release in releases:
        if release["released_load_id"] == night.load_id:
            line.con.execute(
                "UPDATE quarantine SET released_by = ?, repairs = ? WHERE quarantine_id = ?",
                [release["released_by"], release["repairs"], release["quarantine_id"]],
            )
    for name in manifests.keys() - {PEOPLE} - line.feeds.keys():
        found.left_out.append(f"{name} of load {night.load_id} is landed but no longer configured")
    for name in line.feeds:
        if name in manifests:
            run_feed(line, night, name, lambda _, step, name=name: say(f"{night.load_id} {name}", step))  # type: ignore[misc]
    if PEOPLE in manifests:
        for step in ("link", "identify"):
            say(night.load_id, step)
            getattr(line, step)(night)
    line.con.execute(
        "UPDATE night SET status = 'published', finished_at = ? WHERE load_id = ?", [utc_now(), night.load_id]
    )


def _of_core_in_use(settings: Settings, keys: Keys) -> tuple[list[dict[str, Any]] | None, list[list[Any]]]:
    """Rows that people released, and every publication (load, when). Where the core is gone or does not open there are no
    releases (None), and the publications are those whose marts are kept."""
    if settings.core_path.exists():
        with suppress(WarehouseError, duckdb.Error), Warehouse(settings.core_path, keys) as warehouse:
            releases = warehouse.rows(
                "SELECT quarantine_id, released_by, repairs, released_load_id FROM quarantine WHERE released_by IS NOT NULL"
            )
            published = warehouse.rows("SELECT load_id, published_at FROM publication ORDER BY published_at, load_id")
            return releases, [list(row.values()) for row in published]
    with suppress(publish.PublishError):
        now = publish.current(settings.marts_path)
        return None, [[each.load_id, each.published_at.removesuffix("Z")] for each in (*now.previous[::-1], now)]
    return None, []


def _differences(in_use: Path, fresh: Path, keys: Keys, erased_after: str | None) -> dict[str, int]:
    """Per table, how many rows are in one of the two cores only. Counts of loads up to `erased_after` are left out: then somebody was
    counted who is there no more."""
    from linkage.memory import REMEMBERED

    con = connect()
    try:
        attach(con, in_use, "in_use", core_key(in_use, keys), read_only=True)
        attach(con, fresh, "fresh", core_key(fresh, keys), read_only=True)
        tables = con.execute(
            "SELECT schema_name, table_name, list(DISTINCT database_name) FROM duckdb_tables() "
            "WHERE schema_name IN ('main', 'raw') AND database_name IN ('in_use', 'fresh') GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        differing = {}
        for schema, table, where in tables:
            # What one linked load leaves for the next is numbered by the order of loads, and begins anew with new code.
            if table in _NOT_COMPARED or table in REMEMBERED or (erased_after and table in _STALE):
                continue
            if len(where) == 1:
                rows = con.execute(f'SELECT count(*) FROM {where[0]}."{schema}"."{table}"').fetchall()[0][0]
            else:
                columns = ", ".join(
                    f'"{name}"'
                    for (name,) in con.execute(
                        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'fresh' AND schema_name = ? "
                        "AND table_name = ? AND NOT list_contains(?, column_name) ORDER BY column_index",
                        [schema, table, sorted(_CLOCKS)],
                    ).fetchall()
                )
                nights = "in_use.main.night WHERE"
                later = f"WHERE load_id IN (SELECT load_id FROM {nights} load_seq > (SELECT load_seq FROM {nights} load_id = $load))"
                counted = later if erased_after and schema == "main" and table in _COUNTS else ""
                given = {"load": erased_after} if counted else None
                one, other = (
                    f'SELECT {columns} FROM {core}."{schema}"."{table}" {counted}' for core in ("in_use", "fresh")
                )
                rows = con.execute(
                    f"SELECT (SELECT count(*) FROM ({one} EXCEPT ALL {other})) + (SELECT count(*) FROM ({other} EXCEPT ALL {one}))",
                    given,
                ).fetchall()[0][0]
            if rows:
                differing[f"{schema}.{table}" if schema != "main" else table] = int(rows)
        return differing
    finally:
        con.close()


def _switch(settings: Settings, keys: Keys, fresh: Path, last: Night) -> None:
    """The rebuilt core takes the place of the one in use, which is kept beside it, and its last load is published."""
    if settings.core_path.exists():
        settings.core_path.replace(settings.core_path.with_name("core.before-rebuild.duckdb"))
    fresh.replace(settings.core_path)
    with _line(settings, keys, settings.core_path) as line:
        line.publish(last)

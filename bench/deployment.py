"""Opens a deployment over a made-up world and runs its words one at a time, each timed. The bench's only door to the product."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.line import Line, open_line
from pipelines.night import LEFT_OF_LOAD, RIGHT_OF_LOAD
from pipelines.settings import Settings, load_settings

FIRST_NIGHT = dt.date(2026, 11, 16)
LINKAGE = ("link", "identify")


class Clock:
    """Wall and CPU seconds by word of the line, added up."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def time(self, word: str, action: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return action()
        finally:
            self.wall[word] = self.wall.get(word, 0.0) + time.perf_counter() - wall
            self.cpu[word] = self.cpu.get(word, 0.0) + time.process_time() - cpu

    def found(self) -> dict[str, Any]:
        return {"wall": self.wall, "cpu": self.cpu}


def make(out: str, children: int, seed: int = 7, nights: int = 1) -> None:
    """Writes a made-up world."""
    from synthetic.world import make_world

    make_world(Path(out), children=children, seed=seed, nights=nights)


@contextmanager
def opened(settings: Settings, *, fresh: bool = True) -> Iterator[Line]:
    """A line over these settings, with nothing landed yet if `fresh`."""
    if fresh:
        shutil.rmtree(settings.data_path, ignore_errors=True)
    with open_line(settings, dict(os.environ)) as line:
        yield line


def settings_of(world: str, night: int, data: str) -> Settings:
    settings = load_settings(Path(world) / "tessera.yaml", {**os.environ, "NIGHT": f"night{night}"})
    return settings.model_copy(update={"data_dir": Path(data)})


def run_feeds(line: Line, date: dt.date, clock: Clock, words: tuple[str, ...] = LEFT_OF_LOAD) -> dict[str, int]:
    """Left of load, every feed; returns the books added up. A feed that fails ends the measurement."""
    night = line.open_night(date)
    books = {"received": 0, "landed": 0}
    for name in line.feeds:
        for word in words:
            clock.time(word, lambda name=name, word=word: getattr(line, word)(night, name))  # type: ignore[misc]
        found = line.books(night, name)
        books["received"] += found.received
        books["landed"] += found.landed
    return books


def run_people(line: Line, date: dt.date, clock: Clock) -> None:
    """Right of load. A word that fails ends the measurement."""
    night = line.open_night(date)
    for word in RIGHT_OF_LOAD:
        clock.time(word, lambda word=word: getattr(line, word)(night))  # type: ignore[misc]


def import_great_expectations(clock: Clock) -> None:
    """Counted apart: it is the same for any amount of data."""
    from expectations import gx_duckdb

    clock.time("import of Great Expectations", gx_duckdb.load)


def run_whole_night(world: str, data: str, night: int = 1, keep: bool = False) -> dict[str, Any]:
    """One night in this process, each word timed. `keep` goes on from what data holds."""
    clock = Clock()
    settings = settings_of(world, night, data)
    import_great_expectations(clock)
    wall = time.perf_counter()
    date = FIRST_NIGHT + dt.timedelta(night - 1)
    with opened(settings, fresh=not keep) as line:
        clock.wall["open"] = time.perf_counter() - wall
        clock.cpu["open"] = 0.0
        books = run_feeds(line, date, clock)
        run_people(line, date, clock)
        rows = line.con.execute(
            "SELECT coalesce(sum(estimated_size), 0)::BIGINT FROM duckdb_tables() WHERE database_name = 'core' AND schema_name = 'raw'"
        ).fetchall()[0][0]
    return {**clock.found(), **books, "raw_rows": rows}

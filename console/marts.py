"""Published marts, kept open between requests: opening one takes a tenth of a second, a cursor on it a thousandth.

What lives here: which version a request reads. A request keeps the version it began with; the next sees what was published since. What
must not: a question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from warehouse import publish
from warehouse import query as querying
from warehouse.keys import Keys

# Of each role's mart: what is sorted and joined here is one child's or one feed's, not everybody's.
_MEMORY = "80MB"
# A request is a thread already. A second one for a question of some milliseconds waits longer than it works, and takes another's turn.
_THREADS = 1


Once = Callable[[str, Callable[[], Any]], Any]


@dataclass
class _Open:
    version: Path
    con: duckdb.DuckDBPyConnection
    readers: int = 0
    replaced: bool = False
    worked_out: dict[str, Any] = field(default_factory=dict)
    working_out: threading.Lock = field(default_factory=threading.Lock)

    def once(self, name: str, work_out: Callable[[], Any]) -> Any:
        """What is the same for everybody as long as this version is served, worked out when it is first asked for."""
        with self.working_out:
            if name not in self.worked_out:
                self.worked_out[name] = work_out()
            return self.worked_out[name]


class Marts:
    """The marts of one deployment, for as many threads as ask."""

    def __init__(self, marts_dir: Path, keys: Keys) -> None:
        self._dir, self._keys = marts_dir, keys
        self._open: dict[str, _Open] = {}
        self._turn = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}

    def night(self) -> publish.Publication:
        """What is published at this moment."""
        return publish.current(self._dir)

    @contextmanager
    def reading(self, role: str, as_of: str | None = None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Once]]:
        """A connection to the role's current mart, as of a time if one is given, and what was worked out of it.

        Raises PublishError, WarehouseError, QueryError.
        """
        mart = self._take(role)
        cursor = mart.con.cursor()
        try:
            cursor.execute("USE mart")
            if as_of is not None:
                querying.show_as_of(cursor, querying.moment_of(as_of))
            yield cursor, mart.once
        finally:
            cursor.close()
            with self._turn:
                mart.readers -= 1
                if mart.replaced and not mart.readers:
                    mart.con.close()

    def close(self) -> None:
        with self._turn:
            for mart in self._open.values():
                mart.con.close()
            self._open.clear()

    def _take(self, role: str) -> _Open:
        """The role's mart. What was published since is opened by whoever asks first; meanwhile the others read on in the one before it."""
        published = publish.current(self._dir).path(self._dir, role)
        opening = self._opening.setdefault(role, threading.Lock())
        with self._turn:
            mart = self._open.get(role)
            if mart is not None and (mart.version == published or opening.locked()):
                mart.readers += 1
                return mart
        with opening:
            with self._turn:
                mart = self._open.get(role)
                if mart is not None and mart.version == published:
                    mart.readers += 1
                    return mart
            new = _Open(
                published, querying.open_mart(self._dir, self._keys, role, memory_limit=_MEMORY, threads=_THREADS)
            )
            with self._turn:
                if mart is not None:
                    mart.replaced = True
                    if not mart.readers:
                        mart.con.close()
                self._open[role] = new
                new.readers += 1
                return new

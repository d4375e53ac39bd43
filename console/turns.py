"""How many pages of one session are worked out at once: the others wait for their turn, and do not take everybody else's meanwhile.

A request waits here before it has a thread, of which there are some forty for all. What must not live here: who may (gate.py), and how many
looks an hour are told of (pace.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

# A browser opens some pages in windows of their own; nobody reads four that load at once. So many more are kept waiting, then refused.
AT_ONCE, MOST_WAITING = 4, 20


class TooManyAtOnce(Exception):  # noqa: N818 - what happened
    """A session asks for more pages at once than are kept waiting for it."""


@dataclass
class _Line:
    turn: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(AT_ONCE))
    requests: int = 0


class Turns:
    """The lines of all sessions that wait for something; of the others nothing is kept."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def of(self, session: str) -> AsyncIterator[None]:
        """The turn of one request. `session`: what its browser holds, whether it is one or not. Raises TooManyAtOnce."""
        line = self._lines.setdefault(session, _Line())
        if line.requests >= AT_ONCE + MOST_WAITING:
            raise TooManyAtOnce
        line.requests += 1
        try:
            async with line.turn:
                yield
        finally:
            line.requests -= 1
            if not line.requests:
                del self._lines[session]

"""Which accounts open more in an hour than anybody reads. They are told of, not stopped: who needs a child's story at night must have it.

Counted in the console's process and kept nowhere: what was looked at is in the access log. What must not live here: what a look is
(visit.py).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import defaultdict, deque

_WITHIN = dt.timedelta(hours=1)
# Looks in an hour, one after the other without a pause: at children by name, one every twelve seconds, in which nobody reads one; at all
# else, where a reviewer answers a pair by one key and sees the next, one every second.
AT_CHILDREN, AT_ALL_ELSE = 300, 3_600


class Pace:
    """The looks of the last hour, by account."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._taken: dict[str, deque[dt.datetime]] = defaultdict(deque)
        self._told: dict[str, dt.datetime] = {}

    def is_news(self, account: str, at: dt.datetime, most: int) -> bool:
        """Counts one look; whether it is the first within an hour of more than `most` of them."""
        with self._turn:
            taken = self._taken[account]
            while taken and taken[0] <= at - _WITHIN:
                taken.popleft()
            taken.append(at)
            while len(taken) > AT_ALL_ELSE + 1:
                taken.popleft()
            if len(taken) <= most or (account in self._told and self._told[account] > at - _WITHIN):
                return False
            self._told[account] = at
            return True

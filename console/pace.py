"""Which accounts open more in an hour than anybody reads. They are told of, not stopped: who needs a child's story at night must have it.

Counted in the console's process and kept nowhere: what was looked at is in the access log. What must not live here: what a look is
(visit.py).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque

_WITHIN = dt.timedelta(hours=1)
# Looks in an hour, one after the other without a pause: at children by name, one every twelve seconds, in which nobody reads one; at all
# else, where a reviewer answers a pair by one key and sees the next, one every second.
AT_CHILDREN, AT_ALL_ELSE = 300, 3_600


class Pace:
    """The last looks of each account: of each limit as many as may be within an hour, and one more."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._taken: dict[tuple[str, int], deque[dt.datetime]] = {}
        self._told: dict[tuple[str, int], dt.datetime] = {}

    def is_news(self, account: str, at: dt.datetime, most: int) -> bool:
        """Counts one look among those with the limit `most`; whether they are more now, which was not said within the hour."""
        who = (account, most)
        with self._turn:
            taken = self._taken.setdefault(who, deque(maxlen=most + 1))
            taken.append(at)
            too_many = len(taken) > most and taken[0] > at - _WITHIN
            if not too_many or (who in self._told and self._told[who] > at - _WITHIN):
                return False
            self._told[who] = at
            return True

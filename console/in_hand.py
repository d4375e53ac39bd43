"""Which pair each reviewer has before them, so that colleagues who work through one list at once are handed different ones.

Kept in the console's process and nowhere else: after a new start two may be handed the same pair once, and the later answer is not taken.
What must not live here: the order of a list, and whether an answer may be taken (areas/review.py).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable

# Whoever has not answered by then is taken to have gone away; the pair is handed to the next.
_FOR = dt.timedelta(minutes=10)


class InHand:
    """By account the pair it was shown last, and when. Answering needs no word: who answers is shown another, or none waits for it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._held: dict[str, tuple[str, dt.datetime]] = {}

    def holds(self, account: str, key: str, at: dt.datetime) -> None:
        """Notes that this pair lies before the account."""
        with self._turn:
            self._held[account] = key, at

    def hand(self, account: str, keys: Iterable[str], at: dt.datetime) -> str | None:
        """The first of these pairs that lies before nobody else, which the account holds from now on; the first of all where each does."""
        with self._turn:
            others = {key for who, (key, since) in self._held.items() if who != account and since > at - _FOR}
            waiting = list(keys)
            chosen = next((key for key in waiting if key not in others), waiting[0] if waiting else None)
            if chosen is not None:
                self._held[account] = chosen, at
            return chosen

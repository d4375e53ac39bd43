"""The proof that nobody changed what people did: over the journals of the decisions store.

What lives here: holding journals against the heads noted at each night. What must not: stamping (warehouse/journal.py), choosing looks
(warehouse/looks.py) and what became of a link that was served (warehouse/trace.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from warehouse.journal import Head, Journal
from warehouse.landing import Landing


def prove(
    journals: Iterable[Journal], landing: Landing, kept: Mapping[str, Head] | None = None
) -> tuple[list[str], list[str]]:
    """What was proved of the journals and what is broken, in words; `kept` are heads that somebody noted elsewhere."""
    noted: dict[str, dict[str, Head]] = {}
    for load_id, subject in landing.manifests():
        for name, head in ((landing.read_manifest(load_id, subject) or {}).get("journals") or {}).items():
            noted.setdefault(name, {})[f"when load {load_id} was linked"] = Head(**head)
    for name, head in (kept or {}).items():
        noted.setdefault(name, {})["when its head was written down"] = head
    proved, broken = [], []
    for journal in journals:
        faults = journal.faults(noted.get(journal.name, {}))
        broken += faults
        if not faults:
            head, reworded = journal.head(), journal.reworded()
            proved.append(
                f"{journal.name}: {head.rows if head else 0} rows are as they were written, none taken away or put in"
                + (f"; out of {reworded} of them erasures took words" if reworded else "")
            )
    return proved, broken

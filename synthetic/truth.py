"""The truth, kept aside: whose record each record is, what happened, and what was changed on purpose.

Agencies report here as they write; write_truth.py lays it down. The pipeline never reads any of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from synthetic.population import Person

RECORD_COLUMNS = (
    "agency", "feed", "source_person_id", "night", "simulant_id", "household_id", "role", "ethnic_group",
    "name_origin", "sex",
    "is_multiple_birth", "multiple_birth_set", "traps", "insufficient_evidence",
)  # fmt: skip
EVENT_COLUMNS = (
    "agency", "feed", "source_ref", "simulant_id", "occurred_on", "event_type", "statement_kind", "night",
    "source_person_id", "expected",
)  # fmt: skip
CHANGE_COLUMNS = ("night", "agency", "feed", "change", "source_person_id", "simulant_id", "before", "after", "expect")


@dataclass(slots=True)
class TruthRecord:
    """Whose record (agency, feed, source_person_id) is; traps gather over the nights."""

    agency: str
    feed: str
    source_person_id: str
    night: int
    person: Person
    role: str
    traps: set[str]
    insufficient: bool


@dataclass(slots=True)
class Truth:
    """Everything a test may want to know afterwards."""

    night: int = 1
    records: dict[tuple[str, str, str], TruthRecord] = field(default_factory=dict)
    events: list[tuple] = field(default_factory=list)
    changes: list[tuple] = field(default_factory=list)
    special: dict[str, object] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def record(
        self,
        agency: str,
        feed: str,
        key: str,
        person: Person,
        traps: set[str],
        *,
        insufficient: bool = False,
        role: str = "",
    ) -> None:
        """A record was written tonight; the first night counts, traps add up, and more evidence later is evidence."""
        known = self.records.get((agency, feed, key))
        if known is None:
            self.records[agency, feed, key] = TruthRecord(
                agency, feed, key, self.night, person, role or person.role, set(traps), insufficient
            )
        else:
            known.traps |= traps
            known.insufficient = known.insufficient and insufficient

    def event(
        self,
        agency: str,
        feed: str,
        ref: str,
        person: Person,
        on: date | None,
        kind: str,
        statement: str,
        key: str,
        expected: str = "shown",
    ) -> None:
        """Something a chronology should hold. `expected`: shown, retracted, or absent (it arrives already in error)."""
        day = on.isoformat() if on else ""
        self.events.append((agency, feed, ref, person.id, day, kind, statement, self.night, key, expected))

    def retract(self, ref: str) -> None:
        """What had been expected is expected with the time of its retraction."""
        self.events = [(*row[:-1], "retracted") if row[2] == ref else row for row in self.events]

    def change(
        self,
        agency: str,
        feed: str,
        what: str,
        key: str,
        person: Person,
        before: str = "",
        after: str = "",
        expect: str = "",
    ) -> None:
        """Something tonight differs on purpose from what was sent before."""
        self.changes.append((self.night, agency, feed, what, key, person.id, before, after, expect))

    def wrote(self, path: str, rows: int) -> None:
        """A file of tonight and how many rows or resources it holds."""
        self.rows[f"night{self.night}/{path}"] = rows

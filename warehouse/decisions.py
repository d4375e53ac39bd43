"""Human decisions: kept outside the warehouse, append-only, so that they outlive every rebuild and retraining and always win.

A decision is about two records: must link, cannot link, or seal. It is never changed; another decision undoes it, and that one can be
undone as well. What lives here: taking decisions, refusing those that contradict what stands, and which of them count. What must not:
what becomes of the records (linkage), and who may see a seal but for `listed()`.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from warehouse.journal import Journal
from warehouse.store import Cipher, Store, in_force

KINDS = ("must_link", "cannot_link", "seal")
UNDO = "undo"
COLUMNS = (
    "kind", "agency_a", "feed_a", "source_person_id_a", "agency_b", "feed_b", "source_person_id_b", "reason", "author", "decided_at",
)  # fmt: skip


class DecisionError(Exception):
    """A decision cannot be taken: says which row and column, what is allowed, the next step."""


class DecidedMeanwhile(DecisionError):  # noqa: N818 - what happened
    """Another decision counts for the pair than the one that was known of."""


@dataclass(frozen=True)
class Taken:
    """One decision that was taken: its number, and what whoever took it should know."""

    decision_id: str
    notes: tuple[str, ...] = ()


class Decisions:
    """The decisions of one deployment."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        self.journal = Journal(
            store,
            "decision",
            "decision_id",
            sa.Column("kind", sa.String(20), nullable=False),
            sa.Column("record_a", sa.LargeBinary, nullable=False),
            sa.Column("record_b", sa.LargeBinary, nullable=False),
            sa.Column("reason", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            sa.Column("decided_at", sa.DateTime, nullable=False),
            sa.Column("undoes", sa.Integer),
            cipher=lambda _: self._cipher,
        )
        self._table = self.journal.table

    def add(
        self,
        kind: str,
        record_a: str,
        record_b: str,
        reason: str,
        author: str,
        decided_at: dt.datetime,
        *,
        known: str | None = None,
    ) -> Taken:
        """Takes one decision. A later one on the same pair counts instead of an earlier one, which stays to be read.

        `known`: what stood on the pair (`stands_on`) when its author read it; DecidedMeanwhile where that is something else now. Raises
        DecisionError where it contradicts decisions that stand on other pairs.
        """
        entry = {"kind": kind, "reason": reason, "author": author, "decided_at": decided_at}
        entry |= {"record_id_a": min(record_a, record_b), "record_id_b": max(record_a, record_b)}
        notes: list[str] = []

        def weighed() -> None:
            if known is not None and known != self.stands_on(record_a, record_b):
                raise DecidedMeanwhile("the pair was decided meanwhile; read it again")
            notes.extend(_weigh(entry, self.journal.worked_out(self._opened, _standing_of)))

        return Taken(self._take([entry], provided=weighed)[0], tuple(notes))

    def stands_on(self, record_a: str, record_b: str) -> str:
        """The number of the decision that counts for a pair; '' for none, and for a seal, of which nothing is said."""
        entry = self.counting().get((min(record_a, record_b), max(record_a, record_b)))
        return str(entry["decision_id"]) if entry and entry["kind"] != "seal" else ""

    def undo(
        self, decision_id: str, reason: str, author: str, decided_at: dt.datetime, *, governance: bool = False
    ) -> Taken:
        """Takes back a decision, or the taking back of one. Seals are for governance; to others they are not there."""
        _asked_for(reason, author)
        every = self.all()
        standing = {entry["decision_id"] for entry in in_force(every, "decision_id")}
        by_number = {entry["decision_id"]: entry for entry in every}
        found = by_number.get(decision_id)
        if found is None or (not governance and _speaks_of_a_seal(found, by_number)):
            raise DecisionError(f"no decision {decision_id}; see tessera decisions list")
        if decision_id not in standing:
            raise DecisionError(f"{decision_id} was undone already; see tessera decisions list")
        entry = {**found, "kind": UNDO, "reason": reason, "author": author, "decided_at": decided_at}
        taken = self._take([entry], undoes=found["number"])[0]
        again = [
            other["decision_id"]
            for other in self.as_pairs()
            if _pair(other) == _pair(found) and other["decision_id"] not in (decision_id, taken)
        ]
        notes = (f"{again[0]} on the same two records counts again",) if again and found["kind"] != UNDO else ()
        return Taken(taken, notes)

    def all(self) -> list[dict[str, Any]]:
        """Every decision ever taken, oldest first, whatever became of it."""
        return sorted(self.journal.read(self._opened), key=_in_time)

    def _opened(self, row: sa.Row[Any]) -> dict[str, Any]:
        return {
            "number": row.decision_id,
            "decision_id": self._cipher.public_number("D", row.decision_id),
            "kind": row.kind,
            "record_id_a": self._cipher.open(row.record_a),
            "record_id_b": self._cipher.open(row.record_b),
            "reason": self._cipher.open(row.reason),
            "author": self._cipher.open(row.author),
            "decided_at": row.decided_at,
            "undoes": None if row.undoes is None else self._cipher.public_number("D", row.undoes),
        }

    def listed(self, *, governance: bool = False) -> list[dict[str, Any]]:
        """Every decision with what became of it. What speaks of a seal is there for governance alone."""
        found = self.journal.worked_out(self._opened, _told_to_governance if governance else _told)
        return [dict(entry) for entry in found]

    def as_pairs(self, *, up_to: int | None = None) -> list[dict[str, Any]]:
        """The decision that counts for each pair of records: the latest that stands; a seal outranks all others.

        `up_to` leaves out decisions taken after the one of that number.
        """
        known = [entry for entry in self.all() if up_to is None or entry["number"] <= up_to]
        return list(_counting(_standing(known)).values())

    def counting(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """As as_pairs(), each under its pair. Worked out when a decision is taken and the same for everybody: it is not to be changed."""
        return self.journal.worked_out(self._opened, _counting_of)

    def newest(self) -> int:
        """The number of the decision that was taken last; 0 where there is none."""
        return max((entry["number"] for entry in self.all()), default=0)

    def sealed_pairs(self) -> list[tuple[str, str]]:
        """Pairs of records that nothing may show together."""
        return [_pair(entry) for entry in self.as_pairs() if entry["kind"] == "seal"]

    def answers(self) -> list[dict[str, Any]]:
        """Each author's last word on a pair, undone ones left out: what agreement between reviewers is measured on."""
        return [dict(entry) for entry in self.journal.worked_out(self._opened, _answers)]

    def import_csv(self, path: Path) -> list[Taken]:
        """Takes the decisions of a CSV file (COLUMNS) that are not known yet; all of them or none."""
        every = self.all()
        known = {(entry["kind"], *_pair(entry), entry["decided_at"]) for entry in every}
        standing, new, notes = _standing(every), [], []
        for number, entry in _read_csv(path):
            if (entry["kind"], *_pair(entry), entry["decided_at"]) in known:
                continue
            entry["decision_id"] = f"row {number}"
            try:
                notes.append(_weigh(entry, standing))
            except DecisionError as error:
                raise DecisionError(f"{path.name}, row {number}: {error}. Nothing was added") from None
            new.append(entry)
            standing.append(entry)
        numbers = self._take(new)
        return [Taken(number, note) for number, note in zip(numbers, notes, strict=True)]

    def _take(
        self, entries: Sequence[dict[str, Any]], undoes: int | None = None, provided: Callable[[], None] | None = None
    ) -> list[str]:
        rows = [
            {
                "kind": entry["kind"],
                "record_a": self._cipher.seal(entry["record_id_a"]),
                "record_b": self._cipher.seal(entry["record_id_b"]),
                "reason": self._cipher.seal(entry["reason"]),
                "author": self._cipher.seal(entry["author"]),
                "decided_at": entry["decided_at"],
                "undoes": undoes,
            }
            for entry in entries
        ]
        return [self._cipher.public_number("D", number) for number in self.journal.append(rows, provided)]


def _read_csv(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise DecisionError(f"{path.name}: column(s) {', '.join(missing)} missing; needed are {', '.join(COLUMNS)}")
        for number, row in enumerate(reader, start=2):
            try:
                decided_at = dt.datetime.fromisoformat(row["decided_at"])
            except ValueError:
                raise DecisionError(f"{path.name}, row {number}, decided_at: not an ISO date and time") from None
            if row["kind"] not in KINDS:
                raise DecisionError(f"{path.name}, row {number}, kind: allowed are {', '.join(KINDS)}")
            if decided_at.tzinfo is not None:
                decided_at = decided_at.astimezone(dt.UTC).replace(tzinfo=None)
            records = sorted(f"{row[f'agency_{s}']}.{row[f'feed_{s}']}:{row[f'source_person_id_{s}']}" for s in "ab")
            said = {name: row[name] for name in ("kind", "reason", "author")}
            yield number, {**said, "decided_at": decided_at, "record_id_a": records[0], "record_id_b": records[1]}


# What counts


def _pair(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["record_id_a"], entry["record_id_b"]


def _in_time(entry: Mapping[str, Any]) -> tuple[dt.datetime, int]:
    return entry["decided_at"], entry["number"]


def _standing(every: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in in_force(every, "decision_id") if entry["kind"] != UNDO]


def _counting(standing: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    counting: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in standing:
        if entry["kind"] == "seal" or counting.get(_pair(entry), {}).get("kind") != "seal":
            counting[_pair(entry)] = entry
    return counting


# What follows from all of them, as they lie in the journal


def _standing_of(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return _standing(sorted(rows, key=_in_time))


def _counting_of(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return _counting(_standing_of(rows))


def _answers(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    last: dict[tuple[str, tuple[str, str]], dict[str, Any]] = {}
    for entry in _standing_of(rows):
        if entry["kind"] != "seal":
            last[entry["author"], _pair(entry)] = entry
    return list(last.values())


def _told(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return _what_became_of(rows, governance=False)


def _told_to_governance(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return _what_became_of(rows, governance=True)


def _what_became_of(rows: Sequence[dict[str, Any]], *, governance: bool) -> list[dict[str, Any]]:
    every = sorted(rows, key=_in_time)
    holding = {entry["decision_id"] for entry in in_force(every, "decision_id")}
    standing = _standing(every)
    counting = {entry["decision_id"] for entry in _counting(standing).values()}
    sealed = {_pair(entry) for entry in standing if entry["kind"] == "seal"}
    by_number = {entry["decision_id"]: entry for entry in every}
    shown = []
    for entry in every:
        if not governance and _speaks_of_a_seal(entry, by_number):
            continue
        # To everybody else a decision that a seal outranks stands as it was taken.
        hidden = not governance and _pair(entry) in sealed
        if entry["decision_id"] not in holding:
            status = "undone"
        elif entry["kind"] == UNDO or entry["decision_id"] in counting or hidden:
            status = "stands"
        else:
            status = "outranked by a seal" if _pair(entry) in sealed else "replaced by a later one"
        shown.append({name: value for name, value in entry.items() if name != "number"} | {"status": status})
    return shown


def _speaks_of_a_seal(entry: dict[str, Any], by_number: Mapping[str, dict[str, Any]]) -> bool:
    """A seal, its undoing, the undoing of that."""
    while entry["undoes"]:
        entry = by_number[entry["undoes"]]
    return bool(entry["kind"] == "seal")


# What may be decided


def _asked_for(reason: str, author: str) -> None:
    if not reason.strip() or not author.strip():
        raise DecisionError("a decision needs a reason and an author")


def _weigh(entry: dict[str, Any], standing: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """What whoever takes this decision should know. Raises DecisionError where it cannot be taken."""
    if entry["kind"] not in KINDS:
        raise DecisionError(f"kind is {entry['kind']!r}; allowed are {', '.join(KINDS)}")
    if entry["record_id_a"] == entry["record_id_b"]:
        raise DecisionError("a decision is about two records; the same one was given twice")
    _asked_for(entry["reason"], entry["author"])
    # Of seals nothing is said: a decision against one is taken, and has no effect.
    counting = [other for other in _counting(standing).values() if other["kind"] != "seal"]
    others = [other for other in counting if _pair(other) != _pair(entry)]
    against = _contradicted(entry, others)
    if against and entry["kind"] != "seal":
        meaning = (
            "decisions that stand already hold the two records to be one person"
            if entry["kind"] == "cannot_link"
            else "with decisions that stand it would make one person of two records that were held apart"
        )
        raise DecisionError(
            f"it contradicts {', '.join(against)}: {meaning}. Look at them (tessera decisions list); undo the wrong one first "
            "(tessera decisions undo), or do not take this one"
        )
    notes = []
    if against:
        notes.append(f"the seal outranks {', '.join(against)}, which hold the two to be one person; undo what is wrong")
    for other in counting:
        if _pair(other) == _pair(entry) and other["kind"] != entry["kind"] and entry["kind"] != "seal":
            notes.append(
                f"it replaces {other['decision_id']}, which says the opposite of the same two records; that one stays to be read"
            )
    return tuple(notes)


def _contradicted(entry: dict[str, Any], others: Sequence[dict[str, Any]]) -> list[str]:
    """The decisions that, followed from record to record, say the opposite."""
    tied: dict[str, list[tuple[str, str]]] = {}
    for other in others:
        if other["kind"] == "must_link":
            a, b = _pair(other)
            tied.setdefault(a, []).append((b, other["decision_id"]))
            tied.setdefault(b, []).append((a, other["decision_id"]))
    from_a, from_b = (_reached(record, tied) for record in _pair(entry))
    if entry["kind"] != "must_link":
        return from_a.get(entry["record_id_b"], [])
    for other in others:
        if other["kind"] == "cannot_link":
            x, y = _pair(other)
            if y in from_a and x in from_b:
                x, y = y, x
            if x in from_a and y in from_b:
                return [*from_a[x], other["decision_id"], *from_b[y]]
    return []


def _reached(record: str, tied: dict[str, list[tuple[str, str]]]) -> dict[str, list[str]]:
    """The records held to be one person with this one, each with the decisions that lead to it."""
    found: dict[str, list[str]] = {record: []}
    queue = deque([record])
    while queue:
        here = queue.popleft()
        for there, decision in tied.get(here, ()):
            if there not in found:
                found[there] = [*found[here], decision]
                queue.append(there)
    return found

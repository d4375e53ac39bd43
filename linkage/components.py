"""Connected components and best-first clustering over numbered records.

What lives here: arithmetic on arrays of record numbers. What must not: SQL, names of comparisons, and anything about a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


def components(size: int, a: Numbers, b: Numbers) -> Numbers:
    """For each of `size` records the smallest record it is connected to. Order of the edges does not matter."""
    label = np.arange(size, dtype=np.int64)
    while len(a):
        la, lb = label[a], label[b]
        apart = la != lb
        if not apart.any():
            break
        a, b, la, lb = a[apart], b[apart], la[apart], lb[apart]
        low, high = np.minimum(la, lb), np.maximum(la, lb)
        np.minimum.at(label, high, low)
        while True:  # pointer jumping: everybody points at a root
            jumped = label[label]
            if (jumped == label).all():
                break
            label = jumped
    return label


def best_first(
    members: Iterable[int],
    edges: Iterable[tuple[int, int, int]],
    *,
    decided: Iterable[tuple[int, int]] = (),
    lasting: Iterable[tuple[int, int]] = (),
    soft: Iterable[tuple[int, int]] = (),
    support: Iterable[tuple[int, int]] = (),
    contested: Iterable[tuple[int, int]] = (),
    claims: Mapping[tuple[int, int], float] | None = None,
    margin: float = 0.0,
) -> list[tuple[int, int]]:
    """The edges (a, b, tier), best first, that are used when no cluster may hold a vetoed pair.

    Tier -1 is a person's decision: only another person's no (`decided`) stands against it. Tiers 0 and 1 are numbers: `lasting` vetoes
    hold against them, `soft` ones do not (one wrong birth date must not break what a number says). Below, soft vetoes hold unless more
    pairs of `support` than of `soft` lie between the two clusters: then the odd one out is the error. A `contested` pair counts with the
    soft vetoes unless the edge's claim is better by more than the margin: what is contested does not meet by way of a pair no better.
    A record that has no company yet and is refused by its best is not given to a rival of that company instead: of two people of one
    name nobody can tell whose it is.
    """
    parent = {member: member for member in members}
    inside = {member: {member} for member in parent}
    decided_with: dict[int, set[int]] = {}
    hard_with: dict[int, set[int]] = {}
    soft_with: dict[int, set[int]] = {}
    support_with: dict[int, set[int]] = {}
    contested_with: dict[int, set[int]] = {}
    claims = claims or {}
    for pairs, table in (
        (decided, decided_with),
        (decided, hard_with),
        (lasting, hard_with),
        (soft, soft_with),
        (support, support_with),
        (contested, contested_with),
    ):
        for a, b in pairs:
            table.setdefault(a, set()).add(b)
            table.setdefault(b, set()).add(a)

    def pairs_between(table: dict[int, set[int]], left: set[int], right: set[int]) -> int:
        return sum(len(table[member] & left) for member in right if member in table)

    def unbeaten(claim: float, left: set[int], right: set[int]) -> int:
        """Contested pairs between the clusters that a claim does not beat."""
        return sum(
            claims.get((min(member, other), max(member, other)), 0.0) >= claim - margin
            for member in right
            for other in contested_with.get(member, set()) & left
        )

    def root(member: int) -> int:
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    spurned: dict[int, set[int]] = {}

    def refuse(x: int, y: int) -> None:
        for lonely, company in ((x, y), (y, x)):
            if len(inside[lonely]) == 1:
                spurned.setdefault(lonely, set()).update(inside[company])

    def rivals(lonely: int, company: int) -> bool:
        refused_by = spurned.get(lonely, set())
        return len(inside[lonely]) == 1 and not hard_with.get(company, set()).isdisjoint(refused_by)

    used = []
    for a, b, tier in edges:
        x, y = root(a), root(b)
        if x == y:
            continue
        if len(inside[x]) < len(inside[y]):
            x, y = y, x
        if not (hard_with if tier >= 0 else decided_with).get(y, set()).isdisjoint(inside[x]):
            refuse(x, y)
            continue
        if tier > 1:
            if rivals(x, y) or rivals(y, x):
                continue
            against = pairs_between(soft_with, inside[x], inside[y])
            against += unbeaten(claims.get((a, b), 0.0), inside[x], inside[y])
            if against and against >= pairs_between(support_with, inside[x], inside[y]):
                continue
        parent[y] = x
        inside[x] |= inside.pop(y)
        for table in (decided_with, hard_with):
            if y in table:
                table.setdefault(x, set()).update(table.pop(y))
        used.append((a, b))
    return used

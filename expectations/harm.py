"""What a failing standard can do to a child, worked out from what is declared of its columns, never from how many rows fail.

What must not live here: how many rows fail, and an agency's name. Why this order: docs/quality.md.
"""

from __future__ import annotations

from connectors.contract import Feed
from expectations.suite import Standard
from expectations.verdict import Harm
from warehouse.schema import Sensitivity

# By the last word of a standard's name: those of whole tables, which no column speaks for.
_OF_TABLES: dict[str, Harm] = {
    "rows_readable_and_keyed": "unseen",
    "nobody_vanished": "unseen",
    "one_row_per_key": "wrong_account",
    "no_unknown_columns": "untidy",
}


def harm_of(feed: Feed, standard: Standard) -> Harm:
    """The worst that its failing can do. A critical standard keeps the whole feed from being seen."""
    if standard.severity == "critical":
        return "unseen"
    known = _OF_TABLES.get(standard.name.rpartition(".")[2])
    if known is not None and standard.rule is None:
        return known
    sensitivities = _sensitivities(feed, standard)
    # The key of a row points at whom it is about; in a rule it only says where to look.
    tells_who = {Sensitivity.IDENTIFYING} if standard.rule else {Sensitivity.IDENTIFYING, Sensitivity.KEY}
    if sensitivities & tells_who:
        return "wrong_child"
    return "untidy" if sensitivities == {Sensitivity.OPERATIONAL} else "wrong_account"


def _sensitivities(feed: Feed, standard: Standard) -> set[Sensitivity]:
    if standard.rule is None:
        return {standard.sensitivity}
    return {
        column.sensitivity
        for name in standard.tables
        for column in feed.table(name).columns
        if column.name in standard.rule.columns
    }

"""Whether the ledger speaks in sentences that docs/linkage.md explains to a lay reader. Nothing here is a test."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import duckdb

from linkage.link import RULE_WORDS
from linkage.model import DEFAULT_MODEL

PAGE = Path(__file__).parents[2] / "docs" / "linkage.md"
HEADING = "### What the ledger says"


@cache
def sentences() -> tuple[str, ...]:
    """The sentences of the page's table; a number is written N, and … stands for evidence."""
    table = PAGE.read_text(encoding="utf-8").split(HEADING, 1)[1].split("\n#", 1)[0]
    return tuple(re.findall(r"^\| “(.+?)” \|", table, re.MULTILINE))


def _is_evidence(text: str) -> bool:
    """A rule in words, then what was found to speak for it and against it; or an end that has no rule."""
    if text in (RULE_WORDS["must_link"], "the record follows its person"):
        return True
    for rule in RULE_WORDS.values():
        found = re.fullmatch(re.escape(rule) + "(?:: (?P<for>[^;]+))?(?:; against: (?P<against>[^;]+))?", text)
        if found:
            return all(
                found[side] is None or _consists_of_levels(found[side], speaks_for=side == "for")
                for side in ("for", "against")
            )
    return False


def _consists_of_levels(text: str, *, speaks_for: bool) -> bool:
    """The words of comparisons, each at most once and in the model's order, with commas between."""
    for comparison in DEFAULT_MODEL.comparisons:
        for level in sorted(comparison.levels, key=lambda level: -len(level.words)):
            if (level.weight > 0) is speaks_for and (text == level.words or text.startswith(f"{level.words}, ")):
                text = text.removeprefix(level.words).removeprefix(", ")
                break
    return not text


def is_understood(reason: str | None) -> bool:
    """Whether a reason is one of the sentences, whole, with evidence where the sentence leaves room for it and nowhere else."""
    for sentence in sentences():
        pattern = re.sub(r"\bN\b", r"\\d+", re.escape(sentence)).replace("…", "(?P<evidence>.+)")
        found = re.fullmatch(pattern, reason or "")
        if found and ("…" not in sentence or _is_evidence(found["evidence"])):
            return True
    return False


def not_understood(con: duckdb.DuckDBPyConnection) -> list[str | None]:
    """The reasons in the ledger that no documented sentence explains."""
    reasons = con.execute("SELECT DISTINCT reason FROM identity_change").fetchall()
    return [reason for (reason,) in reasons if not is_understood(reason)]

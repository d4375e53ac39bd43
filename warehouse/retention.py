"""When what one source says of one person is due to go: declared periods (retention.yaml) held against the core.

What lives here: reading the periods, and asking the core which records are past theirs and which of those a hold stops. What must not:
erasing (pipelines/erasing.py), placing holds (holds.py), and a period in code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

RETENTION_PATH = Path(__file__).with_name("retention.yaml")
_PERIODS = {
    "until_age": "until the age of {}",
    "after_death": "{} years after a death",
    "after_last_news": "at least {} years after the last news",
    "forever": "for ever",
}
_NO_RULE = "no rule"
_WORDS = {"agency", "feeds", "with_spans", "keep", "replaces", "source", "rationale"}


class RetentionError(Exception):
    """A file of retention periods cannot be used; names the rule and what is allowed. Nothing is due then."""


@dataclass(frozen=True)
class Rule:
    """One period: for records of an agency, of some feeds or with some kinds of span only; `replaces` another where both are for one."""

    name: str
    agency: str
    feeds: tuple[str, ...]
    with_spans: tuple[str, ...]
    keep: dict[str, Any]
    replaces: str | None
    source: str
    rationale: str

    @property
    def kept(self) -> str:
        """The period in words."""
        return "; ".join(words.format(self.keep[word]) for word, words in _PERIODS.items() if word in self.keep)

    @property
    def records(self) -> str:
        """What it is for, in words: the agency, its feeds and kinds of span where it names some."""
        return " ".join([self.agency, *self.feeds, *(f"[{kind}]" for kind in self.with_spans)])


@dataclass(frozen=True)
class Due:
    """A record that is past its period: by which rule, since when, and the holds that stop it."""

    record_id: str
    person_id: str
    rule: str
    due_on: dt.date
    held_by: tuple[str, ...] = ()


def load_rules(own: Path | None = None) -> tuple[Rule, ...]:
    """The shipped rules, those of a deployment's own file in the place of others of their name. Raises RetentionError."""
    rules = _read(RETENTION_PATH)
    if own is not None:
        rules |= _read(own)
    for rule in rules.values():
        if rule.replaces is not None and rule.replaces not in rules:
            raise RetentionError(
                f"retention: {rule.name}: replaces {rule.replaces!r}, which is no rule; there are {', '.join(rules)}"
            )
    return tuple(rules.values())


def _read(path: Path) -> dict[str, Rule]:
    try:
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))["rules"]
        return {name: _rule(name, said) for name, said in declared.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise RetentionError(
            f"{path}: it cannot be read as `rules:` with a name each (see warehouse/retention.yaml)"
        ) from None


def _rule(name: str, said: dict[str, Any]) -> Rule:
    for word in said:
        if word not in _WORDS:
            raise RetentionError(f"retention: {name}: {word!r} is unknown; there are {', '.join(sorted(_WORDS))}")
    keep = said.get("keep") or {}
    for word, years in keep.items():
        fits = (
            years is True if word == "forever" else isinstance(years, int) and not isinstance(years, bool) and years > 0
        )
        if word not in _PERIODS or not fits:
            raise RetentionError(
                f"retention: {name}: keep says {word}; allowed are whole years of {', '.join(list(_PERIODS)[:3])}, or forever: true"
            )
    if not keep or not all(said.get(word) for word in ("agency", "source", "rationale")):
        raise RetentionError(f"retention: {name}: needs agency, keep, source and rationale")
    return Rule(
        name, said["agency"], tuple(said.get("feeds", ())), tuple(said.get("with_spans", ())), dict(keep), said.get("replaces"),
        said["source"], said["rationale"],
    )  # fmt: skip


# A person_id of any time, or a record_id, with the numbers of the holds on it: Holds.subjects().
Held = Mapping[str, Sequence[str]]


def due(con: duckdb.DuckDBPyConnection, rules: tuple[Rule, ...], today: dt.date, held: Held) -> list[Due]:
    """Records past their period on that day, longest due first."""
    _reckon(con, rules, today, held)
    rows = con.execute(
        "SELECT record_id, coalesce(person_id, ''), rule, due_on, held_by FROM temp.kept_until WHERE due_on <= ? "
        "ORDER BY due_on, record_id",
        [today],
    ).fetchall()
    return [Due(record, person, rule, due_on, tuple(held_by or ())) for record, person, rule, due_on, held_by in rows]


def reckoning(
    con: duckdb.DuckDBPyConnection, rules: tuple[Rule, ...], today: dt.date, held: Held
) -> list[dict[str, Any]]:
    """Per rule, and for records without one: how many it decides on, are due, of those held, and due within a year; counts only."""
    make_table(con, rules, today, held)
    cursor = con.execute(
        "SELECT rule, records, due, held, within_a_year FROM temp.retention_reckoned WHERE records > 0 ORDER BY rule"
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def make_table(con: duckdb.DuckDBPyConnection, rules: Iterable[Rule], today: dt.date, held: Held) -> None:
    """Writes what comes of each rule into the temporary table retention_reckoned, rules that decide on no record included."""
    _reckon(con, rules, today, held)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE retention_reckoned AS
        WITH counted AS (
            SELECT
                coalesce(rule, '{_NO_RULE}') AS rule, count(*) AS records, count(*) FILTER (due_on <= $today) AS due,
                count(*) FILTER (due_on <= $today AND held_by IS NOT NULL) AS held,
                count(*) FILTER (due_on > $today AND due_on <= $today + INTERVAL 1 YEAR) AS within_a_year
            FROM temp.kept_until GROUP BY ALL
        )
        SELECT
            rule, r.applies_to, r.kept, r.source, r.rationale, coalesce(c.records, 0) AS records, coalesce(c.due, 0) AS due,
            coalesce(c.held, 0) AS held, coalesce(c.within_a_year, 0) AS within_a_year
        FROM temp.retention_rule AS r FULL JOIN counted AS c USING (rule)
        """,
        {"today": today},
    )


def _reckon(con: duckdb.DuckDBPyConnection, rules: Iterable[Rule], today: dt.date, held: Held) -> None:
    """temp.kept_until: every record with the rule that decides on it, the day on which it is due, empty for never, and what holds it."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE retention_rule (rule VARCHAR, agency VARCHAR, feeds VARCHAR[], with_spans VARCHAR[], "
        "until_age INTEGER, after_death INTEGER, after_last_news INTEGER, forever BOOLEAN, replaces VARCHAR, "
        "applies_to VARCHAR, kept VARCHAR, source VARCHAR, rationale VARCHAR)"
    )
    for rule in rules:
        con.execute(
            "INSERT INTO temp.retention_rule VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                rule.name,
                rule.agency,
                list(rule.feeds),
                list(rule.with_spans),
                *(rule.keep.get(word) for word in _PERIODS),
                rule.replaces,
                rule.records,
                rule.kept,
                rule.source,
                rule.rationale,
            ],
        )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE held_subject AS SELECT unnest(?::VARCHAR[]) AS subject, unnest(?::VARCHAR[][]) AS holds",
        [list(held), [list(holds) for holds in held.values()]],
    )
    sql = (Path(__file__).with_name("sql") / "retention" / "kept_until.sql").read_text(encoding="utf-8")
    con.execute(f"CREATE OR REPLACE TEMP TABLE kept_until AS {sql}", {"today": today})

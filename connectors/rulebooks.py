"""Finds and reads the rule books of agencies. Nothing lists them: a folder connectors/<agency>/standards/<book>/ is one.

A rule is one YAML file, named by its code, with its examples; every value in it is text as written. What must not live
here: running a rule (expectations/), an agency's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from connectors.contract import Feed, Rule, RuleBook, RuleCase

_HERE = Path(__file__).parent
_BOOK = {"feed", "title", "source"}
_RULE = {"title", "why", "tables", "columns", "severity", "hint", "since", "until", "needs", "sql", "cases"}
_NEEDED = {"title", "why", "tables", "columns", "hint", "sql", "cases"}
# A rule that cannot be run for want of what nobody supplies says so in the place of its SQL and examples.
_NOT_SUPPLIED = "not_supplied"
_RUN_BY = {"sql", "cases", "needs"}
_CASE = {"given", "last_year", "options", "expect"}
_SEVERITIES = ("critical", "warning", "info")


class RuleBookError(ValueError):
    """A rule or its book is not written as one; says which file, what was found and what is allowed."""


def rule_books(feed: Feed) -> list[RuleBook]:
    """The books that judge this feed, in the order of their names."""
    return list(_books(feed.agency, feed.id))


def book_year(text: str) -> int:
    """2025 for "2025/26": the year in which a rule book's year begins."""
    found = re.fullmatch(r"(20\d\d)/(\d\d)", text)
    if found is None or (int(found[1]) + 1) % 100 != int(found[2]):
        raise RuleBookError(f'a year of rules is written such as "2025/26", in quotation marks; found {text!r}')
    return int(found[1])


def in_words(year: int) -> str:
    """ "2025/26" for 2025."""
    return f"{year}/{(year + 1) % 100:02}"


@cache
def _books(agency: str, feed_id: str) -> tuple[RuleBook, ...]:
    folders = [file.parent for file in sorted((_HERE / agency / "standards").glob("*/book.yaml"))]
    return tuple(read_book(folder) for folder in folders if _about(folder)["feed"] == feed_id)


def _about(folder: Path) -> dict[str, Any]:
    return _read(folder / "book.yaml", allowed=_BOOK, needed=_BOOK)


def read_book(folder: Path) -> RuleBook:
    """One folder of rules."""
    said = _about(folder)
    return RuleBook(
        name=folder.name,
        feed=said["feed"],
        title=said["title"],
        source=said["source"],
        prepared={file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("prepared/*.sql"))},
        rules=tuple(_rule(folder.name, file) for file in sorted(folder.glob("*.yaml")) if file.name != "book.yaml"),
    )


def _rule(book: str, path: Path) -> Rule:
    said = _read(path, allowed=_RULE | {_NOT_SUPPLIED}, needed=_NEEDED - {"sql", "cases"})
    runs = {"sql", "cases"} if _NOT_SUPPLIED not in said else set()
    if (missing := runs - set(said)) or (not runs and _RUN_BY & set(said)):
        raise RuleBookError(
            f"{path.name}: {', '.join(sorted(missing))} is missing; or say not_supplied, and what is not"
            if missing
            else f"{path.name}: {', '.join(sorted(_RUN_BY & set(said)))} beside not_supplied; a rule is run or it is not"
        )
    severity = said.get("severity", "warning")
    if severity not in _SEVERITIES:
        raise RuleBookError(f"{path.name}: severity is {severity!r}; allowed: {', '.join(_SEVERITIES)}")
    tables = tuple(said["tables"])
    return Rule(
        book=book,
        code=path.stem,
        title=said["title"],
        why=said["why"],
        tables=tables,
        columns=tuple(said["columns"]),
        sql=said.get("sql", ""),
        hint=said["hint"],
        severity=severity,
        since=_year(path, said.get("since")),
        until=_year(path, said.get("until")),
        # What a rule finds rows in it needs, unless it says otherwise.
        needs=tuple(said.get("needs", tables)),
        cases=tuple(_case(path, tables, case) for case in said.get("cases", ())),
        not_supplied=said.get(_NOT_SUPPLIED, ""),
    )


def _case(path: Path, tables: tuple[str, ...], said: Mapping[str, Any]) -> RuleCase:
    unknown = set(said) - _CASE
    if unknown:
        raise RuleBookError(
            f"{path.name}: a case has {', '.join(sorted(unknown))}; allowed: {', '.join(sorted(_CASE))}"
        )
    return RuleCase(
        given={table: tuple(rows) for table, rows in said.get("given", {}).items()},
        last_year={table: tuple(rows) for table, rows in said.get("last_year", {}).items()},
        options=said.get("options", {}),
        expect=tuple(row if " " in row else f"{tables[0]} {row}" for row in said["expect"]),
    )


def _year(path: Path, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return book_year(text)
    except RuleBookError as error:
        raise RuleBookError(f"{path.name}: {error}") from None


def _read(path: Path, *, allowed: set[str], needed: set[str]) -> dict[str, Any]:
    try:
        # BaseLoader: every value stays the text that was written; 01 is no number and NO no falsehood.
        said = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CBaseLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RuleBookError(f"{path.name}{f', line {mark.line + 1}' if mark else ''}: not well-formed YAML") from None
    if not isinstance(said, dict):
        raise RuleBookError(f"{path.name}: expected {', '.join(sorted(needed))}")
    unknown, missing = set(said) - allowed, needed - set(said)
    if unknown or missing:
        raise RuleBookError(
            f"{path.name}: {', '.join(sorted(unknown | missing))} "
            f"{'is not a word of it' if unknown else 'is missing'}; allowed: {', '.join(sorted(allowed))}"
        )
    return said

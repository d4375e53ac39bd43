"""The published words for what happened: warehouse/taxonomy.csv says what each means; the feeds' SQL says who tells it.

A feed's event types are read out of the SELECTs that it declares, so that nobody keeps a second list of them. What must
not live here: an agency's name, and anything that runs a feed's SQL.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import duckdb

from connectors.contract import Feed
from warehouse.schema import TAXONOMY_PATH

_PLACE = re.compile(r"\{(\w+)\}")
_CHOOSING = {"coalesce": 0, "if": 1, "nullif": 0, "ifnull": 0}  # functions that hand on an argument, and from which one


class EventType(NamedTuple):
    """A word of the published list: what it means, and whether such an event as such is a concern, protective or neutral."""

    meaning: str
    polarity: str


@cache
def event_types() -> dict[str, EventType]:
    """The published list, in its order."""
    with TAXONOMY_PATH.open(newline="", encoding="utf-8") as file:
        return {row["event_type"]: EventType(row["meaning"], row["polarity"]) for row in csv.DictReader(file)}


def told_by(feed: Feed) -> set[str]:
    """The event types that a feed can tell, as literals in its outputs' SQL. The SQL is parsed, never run."""
    options = {option.name: option.default for option in feed.options}
    found: set[str] = set()
    with duckdb.connect() as con:
        for output in feed.outputs(options):
            if output.table == "event":
                found |= _literals(con, output.sql, "event_type")
    return found


def _literals(con: duckdb.DuckDBPyConnection, sql: str, column: str) -> set[str]:
    """The constants that a column of a SELECT may hold, followed through CASE, coalesce and names of other columns."""
    answer = con.execute("SELECT json_serialize_sql(?::VARCHAR)", [_PLACE.sub(r"place_\1", sql)]).fetchall()[0][0]
    tree = json.loads(answer)
    if tree["error"]:
        raise ValueError(f"an output's SQL does not parse: {tree['error_message']}")
    named: dict[str, list[Any]] = {}
    for name, expression in _named_expressions(tree):
        named.setdefault(name, []).append(expression)
    found: set[str] = set()
    waiting, followed = [column], set()
    while waiting:
        name = waiting.pop()
        if name in followed:
            continue
        followed.add(name)
        for expression in named.get(name, []):
            constants, names = _results(expression)
            found |= constants
            waiting += names
    return found


def _named_expressions(node: Any) -> Iterator[tuple[str, Any]]:
    """Every expression of a SELECT with its name, and every column of a VALUES list with the name it is given."""
    if isinstance(node, list):
        for part in node:
            yield from _named_expressions(part)
        return
    if not isinstance(node, dict):
        return
    for expression in node.get("select_list") or []:
        if expression.get("alias"):
            yield expression["alias"], expression
    columns = node.get("aliases") or node.get("column_name_alias") or []
    if columns:
        for row in _rows(node):
            yield from zip(columns, row, strict=False)
    for part in node.values():
        yield from _named_expressions(part)


def _rows(node: Any) -> Iterator[list[Any]]:
    """The rows of the VALUES lists below a node."""
    if isinstance(node, dict):
        if node.get("type") == "EXPRESSION_LIST" and "values" in node:
            yield from node["values"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _rows(part)


def _results(expression: Any) -> tuple[set[str], list[str]]:
    """(constants, names of other columns) that an expression may result in."""
    kind = expression.get("class")
    parts: list[Any] = []
    if kind == "CONSTANT":
        value = expression["value"]
        return ({value["value"]} if not value["is_null"] and isinstance(value["value"], str) else set()), []
    if kind == "COLUMN_REF":
        return set(), [expression["column_names"][-1]]
    if kind == "CASE":
        parts = [check["then_expr"] for check in expression["case_checks"]] + [expression["else_expr"]]
    elif kind == "CAST":
        parts = [expression["child"]]
    elif kind == "FUNCTION" and expression["function_name"] in _CHOOSING:
        parts = expression["children"][_CHOOSING[expression["function_name"]] :]
        parts = parts[:1] if expression["function_name"] == "nullif" else parts
    elif kind == "OPERATOR" and expression["type"] == "OPERATOR_COALESCE":
        parts = expression["children"]
    constants: set[str] = set()
    names: list[str] = []
    for part in parts:
        if part is not None:
            more, others = _results(part)
            constants |= more
            names += others
    return constants, names

"""Who sees what: reads the declared policy (policy.yaml) and turns it into the columns and rows of each role's mart.

What lives here: the meaning of each treatment, and the checks that make the policy fail closed. What must not: a role,
view or column by name (they are declared in policy.yaml), and anything that opens a file other than the policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from warehouse.keys import MARTS
from warehouse.quoting import quoted

POLICY_PATH = Path(__file__).with_name("policy.yaml")

PROTECTED_ADDRESS = "protected_address"  # the permission to see restricted addresses
PERMISSIONS = frozenset({PROTECTED_ADDRESS})

# Columns of these names are addresses wherever they turn up: a view that has one must say how it is protected.
_ADDRESS_COLUMNS = frozenset({"postcode", "address", "uprn"})

# A view's SQL says in this column whose address is restricted.
_PROTECTED_FLAG = "address_protected"

# Rows a role may see, by the name that the policy gives the rule.
_ROW_RULES: Mapping[str, str] = {
    # "Not to be shown outside the originator before": on the night's date, never the clock of the reader.
    "not_embargoed": "(embargo_until IS NULL OR embargo_until <= (SELECT date FROM published_night))",
    # What a role without the permission is not shown: for the mart of those who break the glass.
    "withheld": "(address_protected IS DISTINCT FROM false)",
    "withheld_and_not_embargoed": "(address_protected IS DISTINCT FROM false AND "
    "(embargo_until IS NULL OR embargo_until <= (SELECT date FROM published_night)))",
    # Only what a question is about: the records of pairs that wait for a person's answer.
    "to_be_decided": "(record_id IN (SELECT unnest([record_id_a, record_id_b]) FROM mart_potential_matches))",
}

# Of these, the rules that look at nothing but the row, and the night's date.
_RULES_OF_A_ROW = frozenset({None, "not_embargoed", "withheld", "withheld_and_not_embargoed"})

_POSTCODE_IN_TEXT = r"\b[A-Z]{1,2}[0-9][A-Z0-9]?\s*[0-9][A-Z]{2}\b"
_WHOLE_POSTCODE = "^([A-Z]{1,2}[0-9][A-Z0-9]?)[0-9][A-Z]{2}$"


class PolicyError(Exception):
    """The policy cannot be read, or names what does not exist; nothing is published with it."""


@dataclass(frozen=True)
class Treatment:
    """What becomes of a column's value. `sql` turns the quoted column (and its type) into an expression.

    `shared`: what comes of it is shown where enough people share it alone; select_list() wraps it, because how many do is a matter
    of the whole view. `one_to_one`: two values stay two.
    """

    meaning: str
    accepts: Callable[[str], bool]
    sql: Callable[[str, str], str]
    shared: bool = False
    one_to_one: bool = False


def _is_text(type_: str) -> bool:
    return type_ == "VARCHAR"


def _is_date(type_: str) -> bool:
    return type_ in ("DATE", "TIMESTAMP")


TREATMENTS: Mapping[str, Treatment] = {
    "as_is": Treatment("", lambda _: True, lambda value, _: value, one_to_one=True),
    "pseudonym": Treatment(
        "pseudonym of this mart",
        lambda type_: type_ in ("VARCHAR", "VARCHAR[]"),
        lambda value, type_: (
            _pseudonym(value)
            if _is_text(type_)
            else f"list_sort(list_transform({value}, lambda item: {_pseudonym('item')}))"
        ),
        one_to_one=True,
    ),
    "birth_month": Treatment(
        "first of the month", _is_date, lambda value, type_: f"CAST(date_trunc('month', {value}) AS {type_})"
    ),
    "day": Treatment("day only", _is_date, lambda value, type_: f"CAST(date_trunc('day', {value}) AS {type_})"),
    "district": Treatment(
        "postcode district, empty where few share it",
        _is_text,
        lambda value, _: f"nullif(regexp_extract(replace(upper({value}), ' ', ''), '{_WHOLE_POSTCODE}', 1), '')",
        shared=True,
    ),
    "common_value": Treatment("empty where few share it", _is_text, lambda value, _: value, shared=True),
    "agencies_only": Treatment(
        "agencies only",
        lambda type_: type_.startswith("STRUCT(agency VARCHAR") and type_.endswith("[]"),
        lambda value, _: f"list_transform({value}, lambda item: struct_pack(agency := item.agency))",
    ),
}


def _pseudonym(value: str) -> str:
    """Keyed on both sides, so that nothing can be appended to a known hash; the key is a session variable, not text.

    Half the key on each side is the whole key, and fits most identifiers into two blocks of SHA-256 instead of three.
    """
    salt = "getvariable('pseudonym_salt')"
    return f"('a' || left(sha256(left({salt}, 32) || {value} || substr({salt}, 33)), 20))"


def pseudonym(salt: str, value: str) -> str:
    """What a mart with this salt shows instead of an identifier; as _pseudonym() in SQL."""
    return "a" + hashlib.sha256(f"{salt[:32]}{value}{salt[32:]}".encode()).hexdigest()[:20]


def _hide(column: str) -> str:
    return f"if({_PROTECTED_FLAG} IS DISTINCT FROM false, NULL, {column})"


def _hide_postcodes(column: str) -> str:
    masked = f"regexp_replace({column}, '{_POSTCODE_IN_TEXT}', '[postcode withheld]', 'gi')"
    return f"if({_PROTECTED_FLAG} IS DISTINCT FROM false, {masked}, {column})"


def _hide_in_values(column: str) -> str:
    emptied = f"list_transform({column}, lambda item: struct_update(item, value := CAST(NULL AS VARCHAR)))"
    return f"if(attribute = 'postcode' AND {_PROTECTED_FLAG} IS DISTINCT FROM false, {emptied}, {column})"


_PROTECTIONS: Mapping[str, Callable[[str], str]] = {
    "hide": _hide,
    "hide_postcodes": _hide_postcodes,
    "hide_in_values": _hide_in_values,
}


@dataclass(frozen=True)
class ViewAccess:
    """What one role sees of one view: treatment by column, and the name of the rule for its rows."""

    columns: Mapping[str, str]
    rows: str | None = None


@dataclass(frozen=True)
class RoleAccess:
    """What one role sees; a view that is not here it does not see."""

    name: str
    purpose: str
    permissions: frozenset[str]
    views: Mapping[str, ViewAccess]
    asks_purpose: bool = False  # nobody looks without saying what for
    exports: tuple[str, ...] = ()  # views of which a file may leave the house
    opened_for: tuple[str, ...] = ()  # roles that may break the glass over this mart, and for how long each time
    minutes: int = 0


@dataclass(frozen=True)
class Policy:
    """The declared policy; made by load_policy(), which refuses what it does not understand."""

    roles: Mapping[str, RoleAccess]
    protected: Mapping[str, Mapping[str, str]]  # view -> column -> protection
    common_value_min: int
    smallest_shown: int  # of published figures; smaller ones are left empty
    rounded_to: int

    def role(self, name: str) -> RoleAccess:
        if name not in self.roles:
            raise PolicyError(f"no role {name!r}; the policy knows {', '.join(sorted(self.roles))}")
        return self.roles[name]

    def check(self, views: Mapping[str, Mapping[str, str]]) -> None:
        """Raises unless every view and column named exists with a fitting type; `views` is view -> column -> type."""
        for view, columns in self.protected.items():
            _known(view, views, f"{PROTECTED_ADDRESS}: view")
            for column in (*columns, _PROTECTED_FLAG):
                _known(column, views[view], f"{PROTECTED_ADDRESS}: {view}: column")
        for role in self.roles.values():
            for view, access in role.views.items():
                _known(view, views, f"{role.name}: view")
                for column, treatment in access.columns.items():
                    _known(column, views[view], f"{role.name}: {view}: column")
                    if not TREATMENTS[treatment].accepts(views[view][column]):
                        raise PolicyError(
                            f"policy: {role.name}: {view}.{column} is {views[view][column]}, "
                            f"which {treatment} does not apply to"
                        )
                    if TREATMENTS[treatment].shared:
                        _known("person_id", views[view], f"{role.name}: {view}: {treatment} counts people: column")
                    if column in _ADDRESS_COLUMNS and column not in self.protected.get(view, {}):
                        raise PolicyError(
                            f"policy: {role.name}: {view}.{column} is an address; "
                            f"say under {PROTECTED_ADDRESS} what becomes of a restricted one"
                        )

    def select_list(self, role: str, view: str, types: Mapping[str, str]) -> dict[str, str]:
        """Column -> SQL expression, in the view's order of columns, for what the role may see.

        Expressions for what must be shared look into a table common_value(column_name, value); see common_values().
        """
        access, chosen = self._access(role, view), {}
        for column, type_ in types.items():
            if column not in access.columns:
                continue
            treatment = TREATMENTS[access.columns[column]]
            chosen[column] = treatment.sql(self._protect(role, view, column), type_)
            if treatment.shared:
                common = f"SELECT value FROM common_value WHERE column_name = '{column}'"
                chosen[column] = f"if({treatment.sql(quoted(column), type_)} IN ({common}), {chosen[column]}, NULL)"
        return chosen

    def common_values(self, role: str, view: str, source: str) -> str | None:
        """A SELECT of (column_name, value) that enough people share, if the role sees any column so."""
        columns = self.shared(role, view)
        if not columns:
            return None
        counted = " UNION ALL ".join(
            f"SELECT '{column}' AS column_name, {quoted(column)} AS value FROM source "
            f"WHERE {quoted(column)} IS NOT NULL "
            f"GROUP BY {quoted(column)} HAVING count(DISTINCT person_id) >= {self.common_value_min}"
            for column in columns
        )
        read = ", ".join(("person_id", *(f"{value} AS {quoted(column)}" for column, value in columns.items())))
        return f"WITH source AS MATERIALIZED (SELECT {read} FROM {source} WHERE {self.rows(role, view)}) {counted}"

    def shared(self, role: str, view: str) -> dict[str, str]:
        """Column -> SQL of what is compared, for columns of which the role sees only what enough people share."""
        columns = {name: TREATMENTS[said] for name, said in self._access(role, view).columns.items()}
        return {name: said.sql(quoted(name), "VARCHAR") for name, said in columns.items() if said.shared}

    def tells_rows_apart(self, role: str, view: str, column: str) -> bool:
        """Whether the role's rows can be told by this column, and whether it sees one is settled by that row alone."""
        access = self._access(role, view)
        one_to_one = column in access.columns and TREATMENTS[access.columns[column]].one_to_one
        return one_to_one and access.rows in _RULES_OF_A_ROW and column not in self.protected.get(view, {})

    def rows(self, role: str, view: str) -> str:
        """The condition on rows that the role may see."""
        rule = self._access(role, view).rows
        return _ROW_RULES[rule] if rule else "true"

    def note(self, role: str, view: str, column: str) -> str:
        """What the mart's comment adds to a column's meaning."""
        return TREATMENTS[self._access(role, view).columns[column]].meaning

    def _access(self, role: str, view: str) -> ViewAccess:
        views = self.role(role).views
        if view not in views:
            raise PolicyError(f"{role} has no view {view!r}; it has {', '.join(sorted(views))}")
        return views[view]

    def _protect(self, role: str, view: str, column: str) -> str:
        protection = self.protected.get(view, {}).get(column)
        if protection is None or PROTECTED_ADDRESS in self.role(role).permissions:
            return quoted(column)
        return _PROTECTIONS[protection](quoted(column))


def load_policy(path: Path = POLICY_PATH) -> Policy:
    """The policy of a file; raises PolicyError on any word it does not know."""
    try:
        declared = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError(f"{path}: the policy cannot be read: {error}") from error
    return policy_from(declared)


def policy_from(declared: Any) -> Policy:
    """The policy as declared; see load_policy()."""
    top = _mapping(declared, "policy")
    _only(top, {"common_value_min", "aggregates", PROTECTED_ADDRESS, "roles"}, "policy")
    minimum = _whole_number(top, "common_value_min", 2, "policy")
    figures = _mapping(top.get("aggregates"), "aggregates")
    _only(figures, {"smallest_shown", "rounded_to"}, "aggregates")
    smallest, step = (
        _whole_number(figures, name, 3, "policy: aggregates") for name in ("smallest_shown", "rounded_to")
    )
    protected = {
        view: _by_column(_mapping(rules, view), _PROTECTIONS, f"{PROTECTED_ADDRESS}: {view}")
        for view, rules in _mapping(top.get(PROTECTED_ADDRESS), PROTECTED_ADDRESS).items()
    }
    roles = {name: _role(name, said) for name, said in _mapping(top.get("roles"), "roles").items()}
    if set(roles) != set(MARTS):
        raise PolicyError(f"policy: roles are {', '.join(sorted(roles))}; keys exist for {', '.join(sorted(MARTS))}")
    return Policy(roles, protected, minimum, smallest, step)


def _role(name: str, said: Any) -> RoleAccess:
    role = _mapping(said, name)
    _only(role, {"purpose", "permissions", "asks_purpose", "exports", "opened_for", "minutes", "views"}, name)
    asks_purpose = role.get("asks_purpose", False)
    if not isinstance(asks_purpose, bool):
        raise PolicyError(f"policy: {name}: asks_purpose is true or false")
    permissions = role.get("permissions") or []
    for permission in permissions:
        _known(permission, PERMISSIONS, f"{name}: permission")
    views = {}
    for view, declared in _mapping(role.get("views"), f"{name}: views").items():
        columns = dict(_mapping(declared, f"{name}: {view}"))
        rows = columns.pop("rows", None)
        if rows is not None:
            _known(rows, _ROW_RULES, f"{name}: {view}: rows")
        views[view] = ViewAccess(_by_column(columns, TREATMENTS, f"{name}: {view}"), rows)
    exports = role.get("exports") or []
    if not isinstance(exports, list):
        raise PolicyError(f"policy: {name}: exports must be a list of views")
    for view in exports:
        _known(view, views, f"{name}: exports: view")
    opened_for = role.get("opened_for") or []
    if not isinstance(opened_for, list):
        raise PolicyError(f"policy: {name}: opened_for must be a list of roles")
    for other in opened_for:
        _known(other, set(MARTS) - {name}, f"{name}: opened_for: role")
    minutes = _whole_number(role, "minutes", 1, f"policy: {name}") if opened_for else 0
    return RoleAccess(
        name,
        str(role.get("purpose", "")),
        frozenset(permissions),
        views,
        asks_purpose,
        tuple(exports),
        tuple(opened_for),
        minutes,
    )


def _by_column(declared: Mapping[str, Any], allowed: Iterable[str], where: str) -> dict[str, str]:
    """{treatment: [column]} as {column: treatment}; a column has one treatment."""
    chosen: dict[str, str] = {}
    for treatment, columns in declared.items():
        _known(treatment, allowed, f"{where}: treatment")
        if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
            raise PolicyError(f"policy: {where}: {treatment} must be a list of columns")
        for column in columns:
            if column in chosen:
                raise PolicyError(f"policy: {where}: {column} is named twice")
            chosen[column] = treatment
    if not chosen:
        raise PolicyError(f"policy: {where}: names no column; leave the view out")
    return chosen


def _whole_number(declared: Mapping[str, Any], name: str, at_least: int, where: str) -> int:
    value = declared.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise PolicyError(f"{where}: {name} must be a whole number of at least {at_least}")
    return value


def _known(name: Any, allowed: Iterable[str], what: str) -> None:
    if name not in (known := set(allowed)):
        raise PolicyError(f"policy: {what} {name!r} is unknown; there are {', '.join(sorted(known))}")


def _only(declared: Mapping[str, Any], allowed: set[str], where: str) -> None:
    for name in declared:
        _known(name, allowed, f"{where}:")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"policy: {where}: expected names with what they stand for")
    return value


class _StrictLoader(yaml.CSafeLoader):
    """Refuses a name given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.YAMLError(f"{name!r} is given twice")
        return super().construct_mapping(node, deep)

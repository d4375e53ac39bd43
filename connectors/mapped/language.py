"""The mapping language: what a mapping may say, checked whole before a night relies on it.

Every fault is told with the file, the place in the YAML, what was found and what is allowed. README.md beside this file
is the manual. Not here: how a mapping becomes a feed (mapping.py).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from connectors.contract import Kind
from connectors.reading import crosswalks
from warehouse.schema import RAW_COLUMNS, Sensitivity

MANUAL = "connectors/mapped/README.md"

# Names of columns that Tessera itself puts beside the received ones.
RESERVED = frozenset(
    {field.name for field in RAW_COLUMNS}
    | {"_newest_hash", "_place", "content", "current_hash", "current_version", "disposition", "problem"}
    | {"is_newest", "is_retracted", "lineage", "told_of"}
)
# Directives that both strptime and DuckDB read.
_DIRECTIVES = frozenset("aAbBdfgHIjmMpSyYzZ-%")
_TIME = re.compile(r"%-?[HIMSfgp]")


class MappingError(Exception):
    """A mapping cannot be used; every fault is listed with its place, what was found and what is allowed."""


def _refuse(message: str) -> PydanticCustomError:
    return PydanticCustomError("mapping", "{reason}", {"reason": message})


# --- Values ----------------------------------------------------------------------------------------------------------


class Value(BaseModel):
    """Where a value comes from: a column, several columns joined, or a constant; and how it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    column: str | None = None
    columns: tuple[str, ...] = ()
    join: str = " "
    value: str | None = None
    format: tuple[str, ...] = ()
    map: dict[str, str] | None = None
    crosswalk: str | None = None

    @field_validator("column", mode="after")
    @classmethod
    def _column(cls, name: str | None) -> str | None:
        return None if name is None else column_name(name)

    @field_validator("columns", mode="after")
    @classmethod
    def _columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(column_name(name) for name in names)

    @field_validator("format", mode="before")
    @classmethod
    def _formats(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @field_validator("format", mode="after")
    @classmethod
    def _known_directives(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for text in formats:
            unknown = [sign for sign in re.findall(r"%(.)", text) if sign not in _DIRECTIVES]
            if "%" not in text or unknown or text.endswith("%"):
                raise _refuse('allowed are date formats such as "%d/%m/%Y" or "%Y-%m-%d %H:%M"')
        return formats

    @field_validator("map", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        """Codes are text: 1 is the code "1". Yes and no without quotation marks are truth values to YAML: refused."""
        if not isinstance(given, dict):
            return given
        if any(isinstance(part, bool) or part is None for pair in given.items() for part in pair):
            raise _refuse('put codes such as "Yes", "No", "On" and "Off" in quotation marks')
        return {str(code): str(meaning) for code, meaning in given.items()}

    @field_validator("value", mode="before")
    @classmethod
    def _constant(cls, given: Any) -> Any:
        return str(given) if isinstance(given, int | float) and not isinstance(given, bool) else given

    @field_validator("crosswalk", mode="after")
    @classmethod
    def _known_crosswalk(cls, name: str | None) -> str | None:
        if name is not None and name not in crosswalks():
            raise _refuse(f"no such crosswalk; there are {', '.join(sorted(crosswalks()))}")
        return name

    @model_validator(mode="after")
    def _one_origin(self) -> Value:
        origins = [self.column is not None, bool(self.columns), self.value is not None]
        if sum(origins) != 1:
            raise _refuse("exactly one of column, columns and value says where it comes from")
        if self.column is None and (self.format or self.map or self.crosswalk):
            raise _refuse("format, map and crosswalk read one column; give column")
        if sum([bool(self.format), self.map is not None, self.crosswalk is not None]) > 1:
            raise _refuse("only one of format, map and crosswalk can be given")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it needs."""
        return self.columns or ((self.column,) if self.column else ())


def column_name(name: str) -> str:
    """A received column's name, as recognised: without case, without space around it."""
    name = name.strip()
    if not name or any(sign in name for sign in '{}"\n\r\t'):
        raise _refuse("a column is named by the text of its header, without braces, double quotes or line ends")
    if name.lower() in RESERVED:
        raise _refuse(f"the column name {name} is used by Tessera itself; have the source send it under another name")
    return name


def _form(given: Any, meaning: str) -> Any:
    if isinstance(given, str):
        return {meaning: given}
    if not isinstance(given, dict | Value):
        raise _refuse("allowed are a word, or a form such as {column: ...}, {columns: [...]} or {value: ...}")
    return given


def _from_column(given: Any) -> Any:
    return _form(given, "column")


def _from_constant(given: Any) -> Any:
    return _form(given, "value")


def _is_text(value: Value) -> Value:
    if value.format:
        raise _refuse("format is for dates; this is text. Allowed: a column name, or column, columns, value, map")
    return value


def _is_date(value: Value) -> Value:
    if value.column is None or value.map or value.crosswalk:
        raise _refuse('this is a date: allowed are a column name (ISO dates) or {column: ..., format: "%d/%m/%Y"}')
    return value


def _is_day(value: Value) -> Value:
    _is_date(value)
    if any(_TIME.search(text) for text in value.format):
        raise _refuse('this is a day without a time: allowed is a format such as "%d/%m/%Y"')
    return value


def _is_flag(value: Value) -> Value:
    if value.format or value.crosswalk or value.columns:
        raise _refuse('this is yes or no: allowed are a column name or {column: ..., map: {"code": "Y"}}')
    if value.map and set(value.map.values()) - {"Y", "N"}:
        raise _refuse('this is yes or no: a map leads to "Y" or "N"')
    return value


def _one_of(*allowed: str) -> Callable[[Value], Value]:
    """A word of the common model: given as it is, or reached by a map."""

    def check(value: Value) -> Value:
        words = ", ".join(allowed)
        if value.value is not None and value.value not in allowed:
            raise _refuse(f"allowed: {words}; or {{column: ..., map: {{...}}}} that leads to them")
        if value.value is None and value.map is None:
            raise _refuse(f"allowed: {words}; or {{column: ..., map: {{...}}}} that leads to them")
        if value.map and set(value.map.values()) - set(allowed):
            raise _refuse(f"the map leads to a word that is not allowed; allowed: {words}")
        return value

    return check


def _is_word(value: Value) -> Value:
    """A word that Tessera does not list but that must look like one: event types, kinds, schemes."""
    words = [value.value] if value.value is not None else list((value.map or {}).values())
    if not words or not all(re.fullmatch(r"[a-z][a-z0-9_]*", word) for word in words if word is not None):
        raise _refuse("allowed is a word in lower case such as order_made; or {column: ..., map: {...}} to such words")
    return value


def _leads_to(crosswalk: str, kind: str) -> Callable[[Value], Value]:
    """A coded value whose map must lead to the codes of the common model."""

    def check(value: Value) -> Value:
        allowed = sorted({*crosswalks()[crosswalk].values()} | ({"I"} if kind == "sex" else set()))
        if value.format or value.columns or value.value is not None:
            raise _refuse(f"a {kind} stands in one column; allowed: a column name, or column with map or crosswalk")
        if value.map and set(value.map.values()) - set(allowed):
            raise _refuse(f"the map leads to an unknown {kind}; allowed: {', '.join(allowed)}")
        if value.crosswalk and not value.crosswalk.startswith(f"{kind}_"):
            names = ", ".join(sorted(name for name in crosswalks() if name.startswith(f"{kind}_")))
            raise _refuse(f"allowed crosswalks for {kind}: {names}")
        return value

    return check


Text = Annotated[Value, BeforeValidator(_from_column), AfterValidator(_is_text)]
Day = Annotated[Value, BeforeValidator(_from_column), AfterValidator(_is_day)]
Moment = Annotated[Value, BeforeValidator(_from_column), AfterValidator(_is_date)]
Flag = Annotated[Value, BeforeValidator(_from_column), AfterValidator(_is_flag)]
Sex = Annotated[Value, BeforeValidator(_from_column), AfterValidator(_leads_to("sex_dfe", "sex"))]
Ethnicity = Annotated[Value, BeforeValidator(_from_column), AfterValidator(_leads_to("ethnicity_dfe", "ethnicity"))]
Word = Annotated[Value, BeforeValidator(_from_constant), AfterValidator(_is_word)]
Role = Annotated[Value, BeforeValidator(_from_constant), AfterValidator(_one_of("child", "adult", "unknown"))]
StatementKind = Annotated[
    Value,
    BeforeValidator(_from_constant),
    AfterValidator(
        _one_of(
            "fact",
            "professional_opinion",
            "unease",
            "allegation",
            "child_voice",
            "third_party",
            "mixed",
            "system_derived",
        )
    ),
]
NameKind = Annotated[
    Value,
    BeforeValidator(_from_constant),
    AfterValidator(_one_of("current", "preferred", "former", "alias", "middle")),
]
AddressKind = Annotated[
    Value,
    BeforeValidator(_from_constant),
    AfterValidator(_one_of("home", "previous", "placement", "temporary", "incident", "no_fixed_abode")),
]
IdentifierStatus = Annotated[
    Value, BeforeValidator(_from_constant), AfterValidator(_one_of("verified", "stated", "temporary"))
]
Disclosure = Annotated[
    Value, BeforeValidator(_from_constant), AfterValidator(_one_of("mash_only", "partners", "school", "none"))
]


# --- Blocks ----------------------------------------------------------------------------------------------------------


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    parameters: ClassVar[frozenset[str]] = frozenset()

    def values(self) -> dict[str, Value]:
        """What the block says, by word, in the order of the language."""
        return {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Value)}


class Person(_Block):
    """Who the row is about: the words of person_record."""

    source_person_id: Text
    role: Role = Value(value="unknown")
    given_names: Text | None = None
    family_name: Text | None = None
    previous_given_names: Text | None = None
    previous_family_name: Text | None = None
    birth_date: Day | None = None
    expected_birth_date: Day | None = None
    death_date: Day | None = None
    sex: Sex | None = None
    ethnicity: Ethnicity | None = None
    nhs_number: Text | None = None
    nhs_number_status: Text | None = None
    upn: Text | None = None
    address: Text | None = None
    postcode: Text | None = None
    uprn: Text | None = None
    address_protected: Flag | None = None
    phone: Text | None = None

    @field_validator("source_person_id", mode="after")
    @classmethod
    def _from_columns(cls, value: Value) -> Value:
        if not value.reads or value.map or value.crosswalk:
            raise _refuse("allowed: a column name, or {columns: [...], join: '/'}")
        return value


class Name(_Block):
    """A further name."""

    kind: NameKind
    given_names: Text | None = None
    family_name: Text | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


class Address(_Block):
    """A further address."""

    kind: AddressKind
    address: Text | None = None
    postcode: Text | None = None
    uprn: Text | None = None
    protected: Flag | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


class Identifier(_Block):
    """A further identifier."""

    scheme: Word
    value: Text
    status: IdentifierStatus = Value(value="stated")
    valid_from: Day | None = None
    valid_to: Day | None = None


class Relationship(_Block):
    """Who somebody else is to the person: by the source's identifier of the other, or by name."""

    relationship: Word
    other_source_person_id: Text | None = None
    other_name: Text | None = None
    source_code: Text | None = None
    same_household: Flag | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Relationship:
        if self.other_source_person_id is None and self.other_name is None:
            raise _refuse("one of other_source_person_id and other_name says who the other is")
        return self


def _names(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


class _Happening(_Block):
    """An event or a span; it is told when `only_if` columns all hold something, else when any of its columns does."""

    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    only_if: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()

    @field_validator("only_if", mode="after")
    @classmethod
    def _columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(column_name(name) for name in names)

    def reads(self) -> set[str]:
        return {column for value in self.values().values() for column in value.reads} | set(self.only_if)


class Event(_Happening):
    """Something that happened or was said."""

    event_type: Word
    statement_kind: StatementKind = Value(value="mixed")
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    recorded_at: Moment | None = None
    title: Text | None = None
    narrative: Text | None = None
    quoted_words: Text | None = None
    reported_by_role: Text | None = None
    subject_role: Text | None = None
    child_present: Flag | None = None
    outcome: Text | None = None
    action_taken: Text | None = None
    risk_scheme: Text | None = None
    risk_value: Text | None = None
    source_code: Text | None = None
    source_code_system: Text | None = None
    handling_code: Text | None = None
    onward_disclosure: Disclosure | None = None
    embargo_until: Day | None = None


class Span(_Happening):
    """Something with a start and an end."""

    kind: Word
    started_on: Day | None = None
    ended_on: Day | None = None
    detail: Text | None = None
    source_code: Text | None = None


class DescribedColumn(BaseModel):
    """What is known of a received column beyond its use."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    meaning: str = ""
    kind: Kind | None = None
    sensitivity: Sensitivity | None = None
    allowed: tuple[str, ...] | None = None
    required: bool = False
    optional: bool = False
    hint: str = ""

    @field_validator("allowed", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        return [str(code) for code in given] if isinstance(given, list) else given


class Mapping_(BaseModel):  # noqa: N801 - Mapping is the abstract class
    """A whole mapping: one received table."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    grain: str = Field(min_length=1)
    key: Annotated[tuple[str, ...], BeforeValidator(_names), Field(min_length=1)]
    person: Person
    title: str | None = None
    table: str | None = None
    sheet: str | None = None
    version: str | None = None
    delivery: Literal["full", "delta"] = "delta"
    expect: Literal["daily", "weekly", "termly", "yearly"] = "daily"
    unit: Literal["file", "set", "table"] | None = None
    names: tuple[Name, ...] = ()
    addresses: tuple[Address, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    events: tuple[Event, ...] = ()
    spans: tuple[Span, ...] = ()
    columns: dict[str, DescribedColumn] = {}

    @field_validator("key", mode="after")
    @classmethod
    def _key(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(column_name(name) for name in names)

    @field_validator("version", mode="after")
    @classmethod
    def _version(cls, name: str | None) -> str | None:
        return None if name is None else column_name(name)

    @field_validator("table", mode="after")
    @classmethod
    def _table(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise _refuse("allowed is the name of one table or view of the database, without schema or quotation marks")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Mapping_:
        if self.table and self.sheet:
            raise _refuse("table is for databases and sheet for workbooks; give one of them")
        if self.unit == "table" and not self.table:
            raise _refuse("unit: table is for databases; give table, or unit file or set")
        used = {name.lower() for name in self.used_columns()}
        stray = sorted(name for name in self.columns if name.strip().lower() not in used)
        if stray:
            raise _refuse(f"columns describes {', '.join(stray)}, which the mapping does not use; leave it out")
        labels = [(type(block).__name__, block.name) for block in (*self.events, *self.spans) if block.name]
        if len(labels) != len(set(labels)):
            raise _refuse("two events or two spans have the same name; names must differ, they make identifiers stable")
        return self

    def blocks(self) -> tuple[_Block, ...]:
        return (
            self.person,
            *self.names,
            *self.addresses,
            *self.identifiers,
            *self.relationships,
            *self.events,
            *self.spans,
        )

    def used_columns(self) -> list[str]:
        """Every column the mapping names, in order of appearance, once (names do not differ by case alone)."""
        found: dict[str, str] = {}
        for name in self.key:
            found.setdefault(name.lower(), name)
        for block in self.blocks():
            for value in block.values().values():
                for name in value.reads:
                    found.setdefault(name.lower(), name)
            if isinstance(block, _Happening):
                for name in block.only_if:
                    found.setdefault(name.lower(), name)
        if self.version:
            found.setdefault(self.version.lower(), self.version)
        return list(found.values())


# --- Reading and telling faults --------------------------------------------------------------------------------------


class UniqueKeys(yaml.SafeLoader):
    """YAML in which a word given twice is a fault, not the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if isinstance(name, Hashable):  # what is not is refused below
                if name in seen:
                    raise yaml.MarkedYAMLError(problem=f"{name!r} is given twice", problem_mark=key.start_mark)
                seen.add(name)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> Mapping_:
    """Reads and checks a mapping. Raises MappingError with every fault."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError:
        raise MappingError(f"{path}: there is no such mapping; check `mapping:` in tessera.yaml") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path}: is not text in UTF-8; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "broken"
        raise MappingError(f"{path}{place}: not well-formed YAML ({problem})") from None
    if not isinstance(document, dict):
        raise MappingError(f"{path}: expected a mapping with grain, key and person; see {MANUAL}")
    if "query" in document:
        raise MappingError(
            f"{path}: query: a query is not read from here; create a view with it in the database and name the view "
            "in table, so that the database's owner sees what leaves it"
        )
    try:
        return Mapping_.model_validate(document)
    except ValidationError as error:
        faults = dict.fromkeys(f"{path}: {_fault(fault, document)}" for fault in error.errors())
        raise MappingError("\n".join([*faults, f"The language is in {MANUAL}"])) from None


def _fault(fault: ErrorDetails, document: Mapping[str, Any]) -> str:
    """One fault as a sentence: place, what is wrong, what was found, what is allowed."""
    place = _place(fault["loc"])
    if fault["type"] == "missing":
        return f"{place} is missing; {_meaning(fault['loc'])}"
    if fault["type"] == "extra_forbidden":
        word, allowed = str(fault["loc"][-1]), _allowed(fault["loc"])
        near = difflib.get_close_matches(word, allowed, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"{place} is no word of the language; allowed here: {', '.join(allowed)}{meant}"
    message = fault["msg"][0].lower() + fault["msg"][1:]
    found = f"; found {_short(_at(document, fault['loc']))}" if fault["loc"] else ""
    return f"{place}: {message}{found}"


def _place(loc: Iterable[str | int]) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the mapping"


def _at(document: Any, loc: Iterable[str | int]) -> Any:
    """What stands at a place of the document, as far as the place exists there."""
    for part in loc:
        if isinstance(document, list):
            document = dict(enumerate(document))
        if not isinstance(document, dict) or part not in document:
            break
        document = document[part]
    return document


def _short(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= 80 else text[:77] + "..."


_BLOCKS: dict[str, type[BaseModel]] = {
    "person": Person,
    "names": Name,
    "addresses": Address,
    "identifiers": Identifier,
    "relationships": Relationship,
    "events": Event,
    "spans": Span,
    "columns": DescribedColumn,
}


def _allowed(loc: tuple[str | int, ...]) -> list[str]:
    """The words allowed where a word that is not was found."""
    words = [part for part in loc[:-1] if isinstance(part, str)]
    if not words:
        return list(Mapping_.model_fields)
    if len(words) == 1 or words[0] == "columns":
        return list(_BLOCKS[words[0]].model_fields)
    return list(Value.model_fields)


_MEANINGS = {
    "grain": "say in words what one row is, such as: one row per young person",
    "key": "name the column or columns that tell one row from another",
    "person": "say who the row is about; source_person_id at least",
    "source_person_id": "name the column with the source's own identifier of the person",
    "event_type": "give a word such as order_made",
    "kind": "give the kind",
    "scheme": "give the kind of identifier, such as pnc",
    "value": "name the column that holds the identifier",
    "relationship": "say what the other is to the person, such as mother",
}


def _meaning(loc: tuple[str | int, ...]) -> str:
    return _MEANINGS.get(str(loc[-1]), "it is needed")

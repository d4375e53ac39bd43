"""A mapping becomes a feed: its contract, and the SELECTs that turn its rows into the common model.

Names of columns are quoted and constants escaped here and nowhere else; what a row holds never becomes SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table, read_as
from connectors.mapped.language import (
    Address,
    DescribedColumn,
    Event,
    Identifier,
    Mapping_,
    MappingError,
    Name,
    Person,
    Relationship,
    Span,
    Value,
    read_mapping,
)
from warehouse.schema import Sensitivity

_I, _K, _S, _C, _O = (
    Sensitivity.IDENTIFYING,
    Sensitivity.KEY,
    Sensitivity.SPECIAL,
    Sensitivity.CODED,
    Sensitivity.OPERATIONAL,
)
_TIME = re.compile(r"%-?[HIMSfgp]")


def feed_from_mapping(feed_id: str, path: Path) -> Feed:
    """The feed that a mapping declares. Raises MappingError naming every fault in it."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", feed_id):
        raise MappingError(f"{feed_id!r} is no name of a source; allowed is agency.feed in lower case")
    mapping = read_mapping(path)
    agency, name = feed_id.split(".")
    table = _table(path, mapping, mapping.table or name)
    outputs = _outputs(mapping, table)

    def conform(options: Mapping[str, Any]) -> list[Output]:
        return outputs

    return Feed(
        agency=agency,
        name=name,
        title=mapping.title or f"{feed_id}, by the mapping {path.name}",
        format="sql" if mapping.table else "tabular",
        tables=(table,),
        conform=conform,
        delivery=mapping.delivery,
        expect=mapping.expect,
        unit=mapping.unit or ("table" if mapping.table else "file"),
    )


# --- SQL fragments ---------------------------------------------------------------------------------------------------


def quoted(column: str) -> str:
    """A received column as SQL; raw tables hold names in lower case."""
    return '"' + column.lower().replace('"', '""') + '"'


def literal(text: str) -> str:
    """A constant as SQL. A brace is put together, so that no constant is taken for one of the framework's places."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("{")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(123) || ".join(parts) + ")"


def _received(column: str) -> str:
    return f"tidy({quoted(column)})"


def _mapped(value: Value) -> str:
    """The meaning of a code; NULL for a code the map does not know."""
    assert value.column is not None and value.map is not None
    keys = ", ".join(literal(code.strip().upper()) for code in value.map)
    meanings = ", ".join(literal(meaning) for meaning in value.map.values())
    return f"map_extract_value(MAP([{keys}], [{meanings}]), upper({_received(value.column)}))"


def _crosswalked(value: Value, crosswalk: str) -> str:
    assert value.column is not None
    return f"as_{crosswalk}({quoted(value.column)})"


def text(value: Value | None) -> str:
    """A value as text; a code that map or crosswalk does not know stays as it was received."""
    if value is None:
        return "NULL::VARCHAR"
    if value.value is not None:
        return literal(value.value)
    if value.columns:
        return f"nullif(concat_ws({literal(value.join)}, {', '.join(_received(name) for name in value.columns)}), '')"
    assert value.column is not None
    if value.map is not None:
        return f"coalesce({_mapped(value)}, {_received(value.column)})"
    if value.crosswalk is not None:
        return f"coalesce({_crosswalked(value, value.crosswalk)}, {_received(value.column)})"
    return _received(value.column)


def word(value: Value, otherwise: str) -> str:
    """A word of the common model; what the map does not know is `otherwise`, and fails the column's standard."""
    return literal(value.value) if value.value is not None else f"coalesce({_mapped(value)}, {literal(otherwise)})"


def day(value: Value | None) -> str:
    """A value as a date: by its formats, else ISO."""
    if value is None:
        return "NULL::DATE"
    assert value.column is not None
    if value.format:
        return f"read_date_as({quoted(value.column)}, {_formats(value)})"
    return f"read_partial_date({quoted(value.column)})"


def day_precision(value: Value | None) -> str:
    if value is None:
        return "'unknown'"
    assert value.column is not None
    if value.format:
        return f"CASE WHEN {day(value)} IS NULL THEN 'unknown' ELSE 'day' END"
    return f"partial_date_precision({quoted(value.column)})"


def moment(value: Value | None) -> str:
    """A value as a timestamp: by its formats, else ISO."""
    if value is None:
        return "NULL::TIMESTAMP"
    assert value.column is not None
    if value.format:
        read = f"try_strptime({_received(value.column)}, {_formats(value)})"
        return f"CASE WHEN year({read}) BETWEEN 1880 AND 2100 THEN {read}::TIMESTAMP END"
    return f"read_instant({quoted(value.column)})"


def moment_precision(value: Value | None) -> str:
    if value is None:
        return "'unknown'"
    assert value.column is not None
    if not value.format:
        return f"instant_precision({quoted(value.column)})"
    exact = "instant" if any(_TIME.search(form) for form in value.format) else "day"
    return f"CASE WHEN {moment(value)} IS NULL THEN 'unknown' ELSE '{exact}' END"


def flag(value: Value | None) -> str:
    """A value as yes or no."""
    if value is None:
        return "NULL::BOOLEAN"
    if value.value is not None:
        return f"read_flag({literal(value.value)})"
    assert value.column is not None
    return f"read_flag({_mapped(value) if value.map is not None else quoted(value.column)})"


def _formats(value: Value) -> str:
    return "[" + ", ".join(literal(form) for form in read_as(value.format)) + "]"


# --- The contract ----------------------------------------------------------------------------------------------------

_USES: dict[str, tuple[Kind, Sensitivity]] = {
    "source_person_id": (Kind.TEXT, _K),
    "other_source_person_id": (Kind.TEXT, _K),
    "role": (Kind.TEXT, _C),
    "sex": (Kind.TEXT, _C),
    "ethnicity": (Kind.TEXT, _S),
    "nhs_number": (Kind.NHS_NUMBER, _I),
    "nhs_number_status": (Kind.TEXT, _C),
    "upn": (Kind.UPN, _I),
    "postcode": (Kind.POSTCODE, _I),
    "birth_date": (Kind.DATE, _I),
    "expected_birth_date": (Kind.DATE, _I),
    "death_date": (Kind.DATE, _I),
    "address_protected": (Kind.TEXT, _C),
    "protected": (Kind.TEXT, _C),
    "same_household": (Kind.TEXT, _C),
    "child_present": (Kind.TEXT, _C),
    "valid_from": (Kind.DATE, _C),
    "valid_to": (Kind.DATE, _C),
    "occurred_from": (Kind.TIMESTAMP, _C),
    "occurred_to": (Kind.TIMESTAMP, _C),
    "recorded_at": (Kind.TIMESTAMP, _O),
    "started_on": (Kind.DATE, _C),
    "ended_on": (Kind.DATE, _C),
    "embargo_until": (Kind.DATE, _C),
    "event_type": (Kind.TEXT, _C),
    "statement_kind": (Kind.TEXT, _C),
    "kind": (Kind.TEXT, _C),
    "scheme": (Kind.TEXT, _C),
    "relationship": (Kind.TEXT, _C),
    "source_code": (Kind.TEXT, _C),
    "source_code_system": (Kind.TEXT, _O),
    "onward_disclosure": (Kind.TEXT, _C),
    "handling_code": (Kind.TEXT, _C),
    "reported_by_role": (Kind.TEXT, _C),
    "subject_role": (Kind.TEXT, _C),
    "risk_scheme": (Kind.TEXT, _C),
}
_IDENTIFYING_WORDS = frozenset(
    {
        "given_names",
        "family_name",
        "previous_given_names",
        "previous_family_name",
        "address",
        "uprn",
        "phone",
        "value",
        "other_name",
    }
)
# When a column serves two purposes, the more sensitive one counts.
_ORDER = (_O, _C, _K, _I, _S)


def _table(path: Path, mapping: Mapping_, name: str) -> Table:
    described = {column.strip().lower(): about for column, about in mapping.columns.items()}
    columns = tuple(
        _column(path, mapping, column, described.get(column.lower(), DescribedColumn()))
        for column in mapping.used_columns()
    )
    person = mapping.person.source_person_id
    return Table(
        name.lower(),
        mapping.grain,
        mapping.key,
        columns,
        version=mapping.version,
        element=mapping.sheet,
        owner=person.column,
        required=True,
    )


def _column(path: Path, mapping: Mapping_, name: str, about: DescribedColumn) -> Column:
    """A column of the contract: what the mapping says of it, else what follows from its use."""
    uses = [
        (use, value)
        for block in mapping.blocks()
        for use, value in block.values().items()
        if name.lower() in {column.lower() for column in value.reads}
    ]
    formats = list(dict.fromkeys(value.format for _, value in uses if value.format))
    if len(formats) > 1:
        found = " and ".join(", ".join(given) for given in formats)
        raise MappingError(f"{path}: the column {name} is read by different date formats, {found}; give one list")
    kinds = [_USES.get(use, (Kind.TEXT, _S))[0] for use, value in uses if value.column]
    is_time = any(_TIME.search(form) for given in formats for form in given)
    kind = next((kind for kind in kinds if kind is not Kind.TEXT), Kind.TEXT)
    if kind is Kind.TIMESTAMP and formats and not is_time:
        kind = Kind.DATE
    codes = [code for _, value in uses if value.map for code in value.map]
    needed = (*mapping.key, *mapping.person.source_person_id.reads)
    is_key = name.lower() in {column.lower() for column in needed}
    return Column(
        name,
        about.meaning or f"Read as {', '.join(dict.fromkeys(use for use, _ in uses)) or 'key'}",
        about.kind or kind,
        about.sensitivity or _sensitivity((use for use, _ in uses), is_key),
        required=about.required or is_key,
        header="optional" if about.optional and not is_key else "required",
        allowed=about.allowed or (tuple(dict.fromkeys(codes)) or None),
        formats=formats[0] if formats else (),
        hint=about.hint or (f"One of {', '.join(dict.fromkeys(codes))}; or add it to {path.name}." if codes else ""),
    )


def _sensitivity(uses: Iterable[str], is_key: bool) -> Sensitivity:
    found = [_I if use in _IDENTIFYING_WORDS else _USES.get(use, (Kind.TEXT, _S))[1] for use in uses]
    return max([*found, *([_K] if is_key else [])] or [_S], key=_ORDER.index)


# --- The outputs -----------------------------------------------------------------------------------------------------


def _outputs(mapping: Mapping_, table: Table) -> list[Output]:
    """Every output. Facts about the person are told per person, since many rows may tell of one; others per row."""
    person = mapping.person
    columns = tuple(name.lower() for name in person.source_person_id.reads)
    per_person = None if set(columns) == {name.lower() for name in mapping.key} else columns
    told = [
        ("person_record", _person_record(person)),
        *(("person_name", sql) for sql in _own_names(person)),
        *(("person_name", _name(person, block)) for block in mapping.names),
        *(("person_address", sql) for sql in _own_address(person)),
        *(("person_address", _address(person, block)) for block in mapping.addresses),
        *(("person_identifier", sql) for sql in _own_identifiers(person)),
        *(("person_identifier", _identifier(person, block)) for block in mapping.identifiers),
    ]
    happened = [
        *(("relationship", _relationship(person, block)) for block in mapping.relationships),
        *(("event", _event(person, block, ref)) for block, ref in _labelled(mapping.events)),
        *(("span", _span(person, block, ref)) for block, ref in _labelled(mapping.spans)),
    ]
    return [Output(name, table.name, sql, per_person) for name, sql in told] + [
        Output(name, table.name, sql) for name, sql in happened
    ]


def _person_id(person: Person) -> str:
    """Of several columns all must hold something: half an identifier could be somebody else's."""
    value = person.source_person_id
    between = f" || {literal(value.join)} || "
    return between.join(_received(column) for column in value.reads)


def _select(person: Person, columns: Mapping[str, str], where: str = "true", *, qualify: str = "") -> str:
    """One SELECT over the rows of a unit; `is_newest` marks the last row received about each person."""
    listed = ",\n    ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"""
WITH told AS (
    SELECT
        *,
        {_person_id(person)} AS told_of,
        row_number() OVER newest = 1 AS is_newest
    FROM {{rows}}
    WINDOW newest AS (PARTITION BY {_person_id(person)} ORDER BY extracted_at DESC, row_number DESC)
)
SELECT
    told_of AS source_person_id,
    {listed},
    lineage
FROM told
WHERE told_of IS NOT NULL AND ({where}){qualify}
"""


def _person_record(person: Person) -> str:
    columns: dict[str, str] = {
        "role": word(person.role, "unknown"),
        "given_names": text(person.given_names),
        "family_name": text(person.family_name),
        "birth_date": day(person.birth_date),
        "birth_date_precision": day_precision(person.birth_date),
        "birth_date_text": f"CASE WHEN {day(person.birth_date)} IS NULL THEN {text_received(person.birth_date)} END",
        "expected_birth_date": day(person.expected_birth_date),
        "death_date": day(person.death_date),
        "sex": _sex(person),
        "sex_source_code": text_received(person.sex),
        "ethnicity": _ethnicity(person),
        "ethnicity_source_code": text_received(person.ethnicity),
        "nhs_number": _nhs_number(person),
        "nhs_number_status": text(person.nhs_number_status),
        "upn": f"compact({text(person.upn)})",
        "postcode": f"read_postcode({text(person.postcode)})",
        "address_protected": flag(person.address_protected),
        "flags": _flags(person),
    }
    return _select(person, columns, "is_newest")


def text_received(value: Value | None) -> str:
    """A column as it was received, whatever is made of it."""
    return "NULL::VARCHAR" if value is None or value.column is None else _received(value.column)


def _sex(person: Person) -> str:
    """By the map or crosswalk; without one only letters and words that cannot be mistaken are read."""
    value = person.sex
    if value is None:
        return "NULL::VARCHAR"
    if value.map is not None:
        return _mapped(value)
    if value.crosswalk is not None:
        return _crosswalked(value, value.crosswalk)
    return (
        f"CASE upper({text(value)}) WHEN 'M' THEN 'M' WHEN 'MALE' THEN 'M' WHEN 'F' THEN 'F' WHEN 'FEMALE' THEN 'F'"
        " WHEN 'U' THEN 'U' WHEN 'I' THEN 'I' END"
    )


def _ethnicity(person: Person) -> str:
    value = person.ethnicity
    if value is None:
        return "NULL::VARCHAR"
    return _mapped(value) if value.map is not None else _crosswalked(value, value.crosswalk or "ethnicity_dfe")


def _nhs_number(person: Person) -> str:
    return f"replace(compact({text(person.nhs_number)}), '-', '')"


def _flags(person: Person) -> str:
    """What of the person could not be understood. A role, sex or ethnicity without an entry in its map is unmapped."""
    found: list[str] = []
    for field, read in (("sex", _sex(person)), ("ethnicity", _ethnicity(person))):
        if getattr(person, field) is not None:
            received = text_received(getattr(person, field))
            found.append(f"CASE WHEN {received} IS NOT NULL AND {read} IS NULL THEN 'unmapped_{field}' END")
    if person.role.map is not None:
        received = text_received(person.role)
        found.append(f"CASE WHEN {received} IS NOT NULL AND {_mapped(person.role)} IS NULL THEN 'unmapped_role' END")
    others = {
        "given_names", "family_name", "previous_given_names", "previous_family_name", "nhs_number", "upn", "address",
        "postcode", "uprn", "phone", "nhs_number_status",
    }  # fmt: skip
    for field, value in person.values().items():
        if field in others and value.map is not None:
            received = text_received(value)
            found.append(f"CASE WHEN {received} IS NOT NULL AND {_mapped(value)} IS NULL THEN 'unmapped_{field}' END")
    if person.birth_date is not None:
        received = text_received(person.birth_date)
        expected = text_received(person.expected_birth_date)
        found.append(
            f"CASE WHEN {received} IS NOT NULL AND {day(person.birth_date)} IS NULL THEN 'bad_birth_date'"
            f" WHEN {received} IS NULL AND {expected} IS NULL THEN 'no_birth_date' END"
        )
        found.append(
            f"CASE WHEN {day(person.birth_date)} = DATE '1900-01-01' OR {day(person.birth_date)} > extracted_at::DATE"
            " THEN 'implausible_birth_date' END"
        )
    if person.nhs_number is not None:
        number = text(person.nhs_number)
        found.append(
            f"CASE WHEN NOT is_nhs_number({number}) THEN 'invalid_nhs_number'"
            f" WHEN is_test_nhs_number({number}) THEN 'test_nhs_number' END"
        )
    if person.upn is not None:
        found.append(f"CASE WHEN NOT is_upn({text(person.upn)}) THEN 'invalid_upn' END")
    if person.postcode is not None:
        code = text(person.postcode)
        found.append(
            f"CASE WHEN NOT is_postcode({code}) THEN 'bad_postcode'"
            f" WHEN is_pseudo_postcode({code}) THEN 'pseudo_postcode' END"
        )
    if not found:
        return "[]::VARCHAR[]"
    listed = ",\n        ".join(found)
    return f"list_filter([\n        {listed}\n    ], lambda flag: flag IS NOT NULL)"


def _unlike_newest(*expressions: str) -> str:
    """Of older rows only what differs from the newest is told again."""
    together = f"row({', '.join(expressions)})"
    return (
        f"\nQUALIFY is_newest OR {together} IS DISTINCT FROM"
        f" first_value({together}) OVER (PARTITION BY told_of ORDER BY is_newest DESC)"
    )


def _own_names(person: Person) -> list[str]:
    given, family = text(person.given_names), text(person.family_name)
    found = []
    if person.given_names or person.family_name:
        columns = {
            "kind": "CASE WHEN is_newest THEN 'current' ELSE 'alias' END",
            "given_names": given,
            "family_name": family,
        }
        where = f"{given} IS NOT NULL OR {family} IS NOT NULL"
        found.append(_select(person, columns, where, qualify=_unlike_newest(given, family)))
    if person.previous_given_names or person.previous_family_name:
        former = [value for value in (person.previous_given_names, person.previous_family_name) if value]
        columns = {
            "kind": "'former'",
            "given_names": text(person.previous_given_names) if person.previous_given_names else given,
            "family_name": text(person.previous_family_name) if person.previous_family_name else family,
        }
        found.append(_select(person, columns, " OR ".join(f"{text(value)} IS NOT NULL" for value in former)))
    return found


def _own_address(person: Person) -> list[str]:
    if not (person.address or person.postcode or person.uprn):
        return []
    address, code = text(person.address), f"read_postcode({text(person.postcode)})"
    columns = {
        "kind": (
            f"CASE WHEN is_pseudo_postcode({text(person.postcode)}) THEN 'no_fixed_abode'"
            " WHEN is_newest THEN 'home' ELSE 'previous' END"
        ),
        "address": address,
        "postcode": code,
        "uprn": f"nullif(ltrim({text(person.uprn)}, '0'), '')",
        "protected": flag(person.address_protected),
    }
    where = f"{address} IS NOT NULL OR {code} IS NOT NULL OR {text(person.uprn)} IS NOT NULL"
    return [_select(person, columns, where, qualify=_unlike_newest(address, code))]


def _own_identifiers(person: Person) -> list[str]:
    found = []
    if person.nhs_number:
        status = (
            f"CASE WHEN NOT is_nhs_number({text(person.nhs_number)}) THEN 'invalid'"
            f" WHEN is_test_nhs_number({text(person.nhs_number)}) THEN 'test'"
            f" WHEN {text(person.nhs_number_status)} = '01' THEN 'verified' ELSE 'stated' END"
        )
        number = _nhs_number(person)
        columns = {"scheme": "'nhs_number'", "value": number, "status": status}
        found.append(_select(person, columns, f"{number} IS NOT NULL"))
    if person.upn:
        upn = f"compact({text(person.upn)})"
        columns = {"scheme": "'upn'", "value": upn, "status": f"upn_status({text(person.upn)})"}
        found.append(_select(person, columns, f"{upn} IS NOT NULL"))
    if person.phone:
        phone = f"compact({text(person.phone)})"
        found.append(
            _select(person, {"scheme": "'phone'", "value": phone, "status": "'stated'"}, f"{phone} IS NOT NULL")
        )
    return found


def _valid(block: Name | Address | Identifier | Relationship) -> dict[str, str]:
    return {"valid_from": day(block.valid_from), "valid_to": day(block.valid_to)}


def _name(person: Person, block: Name) -> str:
    given, family = text(block.given_names), text(block.family_name)
    columns = {"kind": word(block.kind, "alias"), "given_names": given, "family_name": family, **_valid(block)}
    return _select(person, columns, f"{given} IS NOT NULL OR {family} IS NOT NULL")


def _address(person: Person, block: Address) -> str:
    address, code = text(block.address), text(block.postcode)
    columns = {
        "kind": (
            f"CASE WHEN is_pseudo_postcode({code}) THEN 'no_fixed_abode' ELSE {word(block.kind, 'temporary')} END"
        ),
        "address": address,
        "postcode": f"read_postcode({code})",
        "uprn": f"nullif(ltrim({text(block.uprn)}, '0'), '')",
        "protected": flag(block.protected),
        **_valid(block),
    }
    return _select(person, columns, f"{address} IS NOT NULL OR {code} IS NOT NULL OR {text(block.uprn)} IS NOT NULL")


def _identifier(person: Person, block: Identifier) -> str:
    """Numbers that carry a check digit are checked, whatever the mapping says of them."""
    given, scheme, stated = text(block.value), word(block.scheme, "other"), word(block.status, "stated")
    columns = {
        "scheme": scheme,
        "value": f"compact({given})",
        "status": (
            f"CASE WHEN {scheme} = 'nhs_number' AND NOT is_nhs_number({given}) THEN 'invalid'"
            f" WHEN {scheme} = 'nhs_number' AND is_test_nhs_number({given}) THEN 'test'"
            f" WHEN {scheme} IN ('upn', 'former_upn') THEN upn_status({given}) ELSE {stated} END"
        ),
        **_valid(block),
    }
    return _select(person, columns, f"{given} IS NOT NULL")


def _relationship(person: Person, block: Relationship) -> str:
    other, name = text(block.other_source_person_id), text(block.other_name)
    columns = {
        "other_record_id": f"'{{feed}}:' || {other}",
        "other_name": name,
        "relationship": word(block.relationship, "other"),
        "source_code": text(block.source_code) if block.source_code else text_received(block.relationship),
        "same_household": flag(block.same_household),
        **_valid(block),
    }
    return _select(person, columns, f"{other} IS NOT NULL OR {name} IS NOT NULL")


def _labelled(blocks: Iterable[Any]) -> list[tuple[Any, str]]:
    """Events and spans with a label that stays when the YAML is put in another order: their name, else their type."""
    found: list[tuple[Any, str]] = []
    for block in blocks:
        kind = block.event_type if isinstance(block, Event) else block.kind
        label = block.name or kind.value or "coded"
        again = sum(1 for _, known in found if known.split("#")[0] == label)
        found.append((block, f"{label}#{again + 1}" if again else label))
    return found


def _told_when(block: Event | Span) -> str:
    """`only_if` columns all hold something; without it, any column of the block does."""
    if block.only_if:
        return " AND ".join(f"told({quoted(column)}) IS NOT NULL" for column in block.only_if)
    columns = sorted({column.lower() for column in block.reads()})
    return " OR ".join(f"told({quoted(column)}) IS NOT NULL" for column in columns) or "true"


def _event(person: Person, block: Event, ref: str) -> str:
    spoken = (block.event_type.value or "note").replace("_", " ")
    title = literal(spoken[0].upper() + spoken[1:])
    columns = {
        "ref": literal(ref),
        "event_type": word(block.event_type, "note"),
        "statement_kind": word(block.statement_kind, "mixed"),
        "occurred_from": moment(block.occurred_from),
        "occurred_to": moment(block.occurred_to),
        "occurred_precision": moment_precision(block.occurred_from),
        "recorded_at": moment(block.recorded_at),
        "title": f"coalesce({text(block.title)}, {title})",
        "narrative": text(block.narrative),
        "quoted_words": _quoted_words(block),
        "reported_by_role": text(block.reported_by_role),
        "subject_role": text(block.subject_role),
        "child_present": f"CASE {flag(block.child_present)} WHEN true THEN 'Y' WHEN false THEN 'N' END",
        "outcome": text(block.outcome),
        "action_taken": text(block.action_taken),
        "risk_scheme": text(block.risk_scheme),
        "risk_value": text(block.risk_value),
        "source_code": text(block.source_code) if block.source_code else text_received(block.event_type),
        "source_code_system": text(block.source_code_system),
        "handling_code": text(block.handling_code),
        "onward_disclosure": word(block.onward_disclosure, "mash_only") if block.onward_disclosure else "NULL::VARCHAR",
        "embargo_until": day(block.embargo_until),
    }
    return _select(person, columns, _told_when(block))


def _quoted_words(block: Event) -> str:
    """What the mapping says, else the narrative of an event that it declares to be the child's voice."""
    if block.quoted_words is not None or block.narrative is None:
        return text(block.quoted_words)
    return f"CASE WHEN {word(block.statement_kind, 'mixed')} = 'child_voice' THEN {text(block.narrative)} END"


def _span(person: Person, block: Span, ref: str) -> str:
    columns = {
        "ref": literal(ref),
        "kind": word(block.kind, "other"),
        "started_on": day(block.started_on),
        "ended_on": day(block.ended_on),
        "detail": text(block.detail),
        "source_code": text(block.source_code) if block.source_code else text_received(block.kind),
        "valid_from": day(block.started_on),
        "valid_to": day(block.ended_on),
    }
    return _select(person, columns, _told_when(block))

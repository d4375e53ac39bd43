"""SQL fragments that read FHIR data types out of JSON text: lists, CodeableConcept, Reference, Period, extensions.

Every fragment gives NULL for what is not there or not of the expected shape; none of them can fail on a row. An
argument is an SQL expression, never a received value. Sources: docs/sources.md 5.2, hl7.org/fhir/R4/datatypes.
"""

from __future__ import annotations

V3_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SNOMED = "http://snomed.info/sct"


def items(column: str) -> str:
    """A JSON array as a list of JSON values."""
    return f"json_extract(TRY_CAST({column} AS JSON), '$[*]')"


def member(column: str, path: str) -> str:
    """One scalar below a JSON text, as text; `path` without the leading `$.`."""
    return f"json_extract_string(TRY_CAST({column} AS JSON), '$.{path}')"


def extension(extensions: str, name: str) -> str:
    """The first extension whose URL ends with a name, whatever the release or version it was published under."""
    return f"list_filter({extensions}, lambda e: regexp_matches(e ->> '$.url', '{name}(-[0-9.]+)?$'))[1]"


def label(concept: str) -> str:
    """What a CodeableConcept or Coding says to a reader: its text, else a display, else its code."""
    return (
        f"coalesce(tidy({concept} ->> '$.text'), tidy({concept} ->> '$.coding[0].display'), "
        f"tidy({concept} ->> '$.display'), tidy({concept} ->> '$.coding[0].code'), tidy({concept} ->> '$.code'))"
    )


def concept(column: str) -> str:
    """The label of a column that holds one CodeableConcept."""
    return label(f"TRY_CAST({column} AS JSON)")


def concepts(column: str) -> str:
    """The labels of a column that holds a list of CodeableConcepts, joined."""
    return f"nullif(array_to_string(list_transform({items(column)}, lambda c: {label('c')}), '; '), '')"


def codes(column: str) -> str:
    """Every code of a column that holds one CodeableConcept."""
    return f"json_extract_string(TRY_CAST({column} AS JSON), '$.coding[*].code')"


def notes(column: str) -> str:
    """The texts of a list of Annotations, whole, one paragraph each."""
    return f"tidy(array_to_string(list_transform({items(column)}, lambda n: n ->> '$.text'), chr(10) || chr(10)))"


def patient_in(reference: str) -> str:
    """The Patient.id in the text of a reference: Patient/x, an absolute URL with or without a version, urn:uuid:x."""
    return (
        f"coalesce(nullif(regexp_extract({reference}, '(?:^|/)Patient/([^/?#|]+)', 1), ''), "
        f"nullif(regexp_extract({reference}, '^urn:uuid:(.+)$', 1), ''))"
    )


def patient_of(column: str) -> str:
    """The Patient.id a Reference points at. A reference by NHS number alone is PDS's, whose ids are NHS numbers."""
    system, number = member(column, "identifier.system"), member(column, "identifier.value")
    by_number = f"CASE WHEN {system} ILIKE '%/Id/nhs-number' THEN {number} END"
    return f"coalesce({patient_in(member(column, 'reference'))}, {by_number})"

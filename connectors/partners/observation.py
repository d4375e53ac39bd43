"""partners.observation: what a professional without a system saw, heard or worries about, on one page.

The columns' meanings and hints are also what the form in the console asks and says. What an observer calls it (seen, felt, told,
said by the child) is kept as it is said; nothing is filtered by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Output, Table
from warehouse.schema import Sensitivity

_KEY, _IDENTIFYING, _SPECIAL, _OPERATIONAL = (
    Sensitivity.KEY,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.OPERATIONAL,
)

STATEMENT_KINDS = ("fact", "professional_opinion", "unease", "allegation", "child_voice", "third_party", "mixed")

OBSERVATION = Table(
    name="observation",
    grain="one row per observation and child it is about",
    key=("reference",),
    required=True,
    columns=(
        Column(
            "reference",
            "Number of the observation",
            sensitivity=_KEY,
            required=True,
            header="required",
            hint="Given by Tessera; it stays with the observation",
        ),
        Column("agency", "Where you work", required=True, hint="As Little Acorns nursery, Swindon housing office"),
        Column(
            "observed_at",
            "When it happened, or when you noticed it",
            Kind.TIMESTAMP,
            required=True,
            hint="Date and time, as 2026-11-09T14:30; a day alone, 2026-11-09, where the hour is not known",
            day_first=True,
        ),
        Column("recorded_at", "When it was written down", Kind.TIMESTAMP, _OPERATIONAL, required=True, day_first=True),
        Column(
            "by_role",
            "What you are to the child, never a name",
            required=True,
            header="required",
            hint="As nursery key worker, housing officer, football coach",
        ),
        Column("child_given_names", "The child's given names", sensitivity=_IDENTIFYING, required=True),
        Column("child_family_name", "The child's family name", sensitivity=_IDENTIFYING, required=True),
        Column(
            "child_dob",
            "The child's date of birth",
            Kind.DATE,
            _IDENTIFYING,
            required=True,
            day_first=True,
            hint="As 22/10/2014. Without it the observation may not find the child",
        ),
        Column("child_postcode", "Postcode of the child's home", Kind.POSTCODE, _IDENTIFYING, hint="As LS1 4AP"),
        Column(
            "statement_kind",
            "What kind of statement it is",
            required=True,
            header="required",
            allowed=STATEMENT_KINDS,
            any_spelling=True,
            hint="A feeling is a statement of its own kind, and as welcome as a fact",
        ),
        Column("category", "What it is about", sensitivity=_SPECIAL, hint="In a word or two, as hunger, injury, home"),
        Column(
            "narrative",
            "What you saw, heard or were told",
            sensitivity=_SPECIAL,
            required=True,
            header="required",
            hint="In your words, or in the child's own. Say what you saw before what you make of it",
        ),
        Column("context", "Where it was, and who else was there", sensitivity=_SPECIAL),
        Column("action", "What you did about it", sensitivity=_SPECIAL),
    ),
)

_SAID = """
WITH said AS (
    SELECT lineage, extracted_at, tidy(reference) AS source_person_id, tidy(agency) AS place, tidy(by_role) AS role,
           read_office_instant(observed_at) AS occurred_from, office_instant_precision(observed_at) AS occurred_precision,
           read_office_instant(recorded_at) AS recorded_at, tidy(child_given_names) AS given_names,
           tidy(child_family_name) AS family_name, tidy(child_dob) AS birth_text,
           read_office_date(birth_text) AS born_on,
           tidy(child_postcode) AS postcode, regexp_replace(lower(tidy(statement_kind)), '[ -]+', '_', 'g') AS kind,
           tidy(category) AS category, tidy(narrative) AS narrative, tidy(context) AS context, tidy(action) AS action
    FROM {rows}
)"""

_PERSON_RECORD = (
    _SAID
    + """
SELECT lineage, source_person_id, 'child' AS role, given_names, family_name, born_on AS birth_date,
       if(born_on IS NULL, 'unknown', 'day') AS birth_date_precision, if(born_on IS NULL, birth_text, NULL) AS birth_date_text,
       read_postcode(postcode) AS postcode, recorded_at,
       list_filter([
           CASE WHEN birth_text IS NULL THEN 'no_birth_date' WHEN born_on IS NULL THEN 'bad_birth_date' END,
           CASE WHEN born_on > extracted_at::DATE THEN 'birth_date_in_future' END,
           CASE WHEN NOT is_postcode(postcode) THEN 'bad_postcode' END
       ], flag -> flag IS NOT NULL) AS flags
FROM said"""
)

_PERSON_NAME = (
    _SAID
    + """
SELECT lineage, source_person_id, 'current' AS kind, given_names, family_name, recorded_at
FROM said
WHERE given_names IS NOT NULL OR family_name IS NOT NULL"""
)

_PERSON_ADDRESS = (
    _SAID
    + """
SELECT lineage, source_person_id, 'home' AS kind, read_postcode(postcode) AS postcode, recorded_at
FROM said
WHERE postcode IS NOT NULL"""
)

# What was written stays word for word; where it was and who was there follows it.
_EVENT = (
    _SAID
    + f"""
SELECT lineage, source_person_id, 'observation' AS ref, if(kind = 'child_voice', 'voice_of_child', 'note') AS event_type,
       category AS source_code, occurred_from, occurred_precision,
       CASE WHEN kind IN ({", ".join(f"'{kind}'" for kind in STATEMENT_KINDS)}) THEN kind ELSE 'mixed' END AS statement_kind,
       concat_ws(': ', 'Observation of a partner', category) AS title,
       concat_ws(chr(10), narrative, 'Where, and who was there: ' || context) AS narrative,
       if(kind = 'child_voice', narrative, NULL) AS quoted_words, concat_ws(', ', role, place) AS reported_by_role,
       'subject' AS subject_role, action AS action_taken, recorded_at
FROM said"""
)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """An observation becomes an event, word for word; the child it names a record of its own, which linkage finds the person of."""
    return [
        Output("person_record", "observation", _PERSON_RECORD),
        Output("person_name", "observation", _PERSON_NAME),
        Output("person_address", "observation", _PERSON_ADDRESS),
        Output("event", "observation", _EVENT),
    ]


FEED = Feed(
    agency="partners",
    name="observation",
    title="Observations of professionals without a system",
    format="csv",
    tables=(OBSERVATION,),
    conform=conform,
    delivery="delta",
    expect="as_it_happens",
    unit="file",
)

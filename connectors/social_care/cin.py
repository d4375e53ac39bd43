"""The children in need census: one XML document of a census year, 1 April to 31 March, with no name and no address.

A census tells every child referred, assessed or planned for in its year, whole; what runs on is told again next year.
Things are therefore read over all years, as the newest census that tells of them has them. A part of an episode has no
identifier of its own: it is known by the child and its date, the numbers by which it stands in the document change.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from connectors.contract import Feed, Option, Output, Period
from connectors.social_care import codes
from connectors.social_care.cin_tables import TABLES
from connectors.social_care.codes import in_words
from connectors.social_care.said import Event, Span, coded_list, events, iso, spans


class CensusYearError(ValueError):
    """The census year of a source is not written as one."""


def period(options: Mapping[str, Any]) -> Period | None:
    """The census year, where the source names it; without it the newest document stands for all that is known."""
    given = options.get("collection_year")
    if given is None:
        return None
    found = re.fullmatch(r"(20\d\d)/(\d\d)", str(given))
    if found is None or (int(found[1]) + 1) % 100 != int(found[2]):
        raise CensusYearError(
            f"social_care.cin: collection_year is {given!r}; allowed is a year from April to March such as "
            '"2025/26", in quotation marks. Correct it in tessera.yaml'
        )
    year = int(found[1])
    return Period(
        year=year,
        starts=dt.date(year, 4, 1),
        ends=dt.date(year + 1, 3, 31),
        scope=f"{year}/{(year + 1) % 100:02}",
        before=f"{year - 1}/{year % 100:02}",
    )


def scope(options: Mapping[str, Any]) -> str:
    """A census speaks for its year alone."""
    said = period(options)
    return said.scope if said else ""


# --- Reading over the years ------------------------------------------------------------------------------------------

_WHOLE_CHILD = ("lachildid",)


def _named(column: str) -> str:
    """SQL of a part of a key: one day is one day, whether a census writes it with midnight or without."""
    return (
        f"coalesce(read_iso_date({column})::VARCHAR, tidy({column}))" if column.endswith("date") else f"tidy({column})"
    )


def _newest(*key: str) -> str:
    """SQL: each thing once, as the newest census tells it. Two things of one key in one census stay two (`nth`)."""
    by = ", ".join(_named(column) for column in key)
    return (
        "SELECT * FROM ("
        f"SELECT *, row_number() OVER (PARTITION BY scope, {by} ORDER BY lineage.raw_row_id) AS nth FROM {{rows}}) "
        f"QUALIFY row_number() OVER (PARTITION BY {by}, nth ORDER BY scope DESC, lineage.raw_row_id DESC) = 1"
    )


def _ref(what: str, *key: str) -> str:
    named = ", ".join(_named(column) for column in key)
    return f"concat_ws('/', '{what}', {named}, CASE WHEN nth > 1 THEN nth::VARCHAR END)"


def _known(*key: str) -> dict[str, Any]:
    return {"source": _newest("lachildid", *key), "unit": _WHOLE_CHILD}


def _need(column: str) -> str:
    return f"coalesce(as_need({column}), tidy({column}))"


def _abuse(column: str) -> str:
    return f"coalesce(as_abuse_category({column}), tidy({column}))"


# --- Who they are ----------------------------------------------------------------------------------------------------

# One row a child, the newest census's; in a census that tells of a child twice, the later.
_ONE_CHILD = (
    "SELECT * FROM {rows} "
    "QUALIFY row_number() OVER (PARTITION BY tidy(lachildid) ORDER BY scope DESC, lineage.raw_row_id DESC) = 1"
)

PERSON = Output(
    "person_record",
    "child",
    f"""
    WITH told AS ({_ONE_CHILD})
    SELECT
        tidy(lachildid) AS source_person_id,
        'child' AS role,
        read_iso_date(personbirthdate) AS birth_date,
        CASE WHEN read_iso_date(personbirthdate) IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision,
        CASE WHEN read_iso_date(personbirthdate) IS NULL THEN tidy(personbirthdate) END AS birth_date_text,
        read_iso_date(expectedpersonbirthdate) AS expected_birth_date,
        read_iso_date(persondeathdate) AS death_date,
        as_sex_dfe(coalesce(tidy(sex), tidy(gendercurrent))) AS sex,
        coalesce(tidy(sex), tidy(gendercurrent)) AS sex_source_code,
        as_ethnicity_dfe(ethnicity) AS ethnicity,
        tidy(ethnicity) AS ethnicity_source_code,
        compact(tidy(upn)) AS upn,
        list_filter([
            CASE WHEN tidy(personbirthdate) IS NOT NULL AND read_iso_date(personbirthdate) IS NULL THEN 'bad_birth_date'
                WHEN tidy(personbirthdate) IS NULL AND tidy(expectedpersonbirthdate) IS NULL THEN 'no_birth_date' END,
            CASE WHEN read_iso_date(personbirthdate) = DATE '1900-01-01'
                OR read_iso_date(personbirthdate) > extracted_at::DATE THEN 'implausible_birth_date' END,
            CASE WHEN coalesce(tidy(sex), tidy(gendercurrent)) IS NOT NULL
                AND as_sex_dfe(coalesce(tidy(sex), tidy(gendercurrent))) IS NULL THEN 'unmapped_sex' END,
            CASE WHEN tidy(ethnicity) IS NOT NULL AND as_ethnicity_dfe(ethnicity) IS NULL
                THEN 'unmapped_ethnicity' END,
            CASE WHEN NOT is_upn(tidy(upn)) THEN 'invalid_upn' END
        ], lambda flag: flag IS NOT NULL) AS flags,
        lineage
    FROM told
    """,
    unit=_WHOLE_CHILD,
)

# A UPN that an older census had and the newest no longer gives is a former one, as is what the census calls so.
IDENTIFIERS = Output(
    "person_identifier",
    "child",
    """
    WITH told AS (
        SELECT
            tidy(lachildid) AS source_person_id,
            compact(tidy(lachildid)) AS la_child_id,
            compact(tidy(upn)) AS upn,
            compact(tidy(formerupn)) AS former_upn,
            row_number() OVER (PARTITION BY tidy(lachildid) ORDER BY scope DESC, lineage.raw_row_id DESC) = 1 AS is_newest,
            lineage
        FROM {rows}
    ),
    said AS (
        SELECT source_person_id, 'la_child_id' AS scheme, la_child_id AS value, 'stated' AS status, lineage
        FROM told
        WHERE is_newest
        UNION ALL BY NAME
        SELECT source_person_id, 'upn' AS scheme, upn AS value, upn_status(upn) AS status, lineage
        FROM told
        WHERE is_newest AND upn IS NOT NULL
        UNION ALL BY NAME
        SELECT source_person_id, 'former_upn' AS scheme, former_upn AS value, upn_status(former_upn) AS status, lineage
        FROM told
        WHERE former_upn IS NOT NULL
        UNION ALL BY NAME
        SELECT older.source_person_id, 'former_upn' AS scheme, older.upn AS value, upn_status(older.upn) AS status,
            older.lineage
        FROM told AS older
        JOIN told AS newest ON newest.source_person_id = older.source_person_id AND newest.is_newest
        WHERE NOT older.is_newest AND older.upn IS DISTINCT FROM newest.upn AND older.upn IS NOT NULL
    )
    SELECT source_person_id, scheme, value, status, arg_max(lineage, lineage.raw_row_id) AS lineage
    FROM said
    GROUP BY source_person_id, scheme, value, status
    """,
    unit=_WHOLE_CHILD,
)

DEATHS = events(
    "child",
    "lachildid",
    Event(
        "death",
        iso("persondeathdate"),
        ref="'child/death'",
        title="'Died'",
        where="tidy(persondeathdate) IS NOT NULL",
    ),
    source=_ONE_CHILD,
    unit=_WHOLE_CHILD,
)

DISABILITIES = spans(
    "disability",
    "lachildid",
    Span(
        "disability",
        "NULL::DATE",
        "NULL::DATE",
        ref=_ref("disability", "disability"),
        detail=in_words("disability", codes.DISABILITY),
        source_code="disability",
        where="upper(tidy(disability)) <> 'NONE' AND nth = 1",
    ),
    **_known("disability"),
)

# --- Episodes of need ------------------------------------------------------------------------------------------------

_SOURCE = "coalesce(as_referral_source(referralsource), tidy(referralsource))"
_IS_NFA = "read_flag(referralnfa)"
EPISODES = events(
    "cin_details",
    "lachildid",
    Event(
        "referral",
        iso("cinreferraldate"),
        ref=_ref("referral", "cinreferraldate"),
        title=f"concat_ws(': ', 'Referral' || coalesce(' from ' || {_SOURCE}, ''), {_need('primaryneedcode')})",
        columns={
            "source_code": "tidy(referralsource)",
            "source_code_system": "'DfE CIN referral source'",
            "outcome": f"CASE WHEN {_IS_NFA} THEN 'no further action' END",
            "reported_by_role": _SOURCE,
        },
    ),
    Event(
        "icpc",
        iso("dateofinitialcpc"),
        ref=_ref("referral/icpc", "cinreferraldate"),
        title="'Initial child protection conference'",
        where="tidy(dateofinitialcpc) IS NOT NULL",
    ),
    Event(
        "case_closed",
        iso("cinclosuredate"),
        ref=_ref("referral/closed", "cinreferraldate"),
        title=f"concat_ws(': ', 'Case closed', {in_words('reasonforclosure', codes.CLOSURE)})",
        where="tidy(cinclosuredate) IS NOT NULL",
        columns={
            "source_code": "tidy(reasonforclosure)",
            "source_code_system": "'DfE CIN reason for closure'",
            "outcome": in_words("reasonforclosure", codes.CLOSURE),
        },
    ),
    **_known("cinreferraldate"),
)
# A referral that led nowhere began no time of need.
EPISODE_SPANS = spans(
    "cin_details",
    "lachildid",
    Span(
        "cin_episode",
        "read_iso_date(cinreferraldate)",
        "read_iso_date(cinclosuredate)",
        ref=_ref("referral", "cinreferraldate"),
        detail=_need("primaryneedcode"),
        source_code="primaryneedcode",
        where=f"{_IS_NFA} IS DISTINCT FROM true",
    ),
    **_known("cinreferraldate"),
)

_FACTORS = coded_list("assessmentfactors", codes.ASSESSMENT_FACTORS)
ASSESSMENTS = events(
    "assessment",
    "lachildid",
    Event(
        "assessment_start",
        iso("assessmentactualstartdate"),
        ref=_ref("assessment/start", "assessmentactualstartdate"),
        title="'Assessment began'",
    ),
    Event(
        "assessment_complete",
        iso("assessmentauthorisationdate"),
        ref=_ref("assessment/complete", "assessmentactualstartdate"),
        title=f"concat_ws(': ', 'Assessment complete', {_FACTORS})",
        where="tidy(assessmentauthorisationdate) IS NOT NULL",
        statement_kind="professional_opinion",
        columns={"narrative": f"'Factors found: ' || {_FACTORS}", "reported_by_role": "'social worker'"},
    ),
    **_known("assessmentactualstartdate"),
)

CIN_PLANS = events(
    "cin_plan",
    "lachildid",
    Event(
        "cin_plan_start",
        iso("cinplanstartdate"),
        ref=_ref("cin_plan/start", "cinplanstartdate"),
        title="'Child in need plan began'",
    ),
    Event(
        "cin_plan_end",
        iso("cinplanenddate"),
        ref=_ref("cin_plan/end", "cinplanstartdate"),
        title="'Child in need plan ended'",
        where="tidy(cinplanenddate) IS NOT NULL",
    ),
    **_known("cinplanstartdate"),
)
CIN_PLAN_SPANS = spans(
    "cin_plan",
    "lachildid",
    Span(
        "child_in_need_plan",
        "read_iso_date(cinplanstartdate)",
        "read_iso_date(cinplanenddate)",
        ref=_ref("cin_plan", "cinplanstartdate"),
        detail="'child in need plan'",
    ),
    **_known("cinplanstartdate"),
)

ENQUIRIES = events(
    "section47",
    "lachildid",
    Event(
        "strategy_discussion",
        iso("s47actualstartdate"),
        ref=_ref("section47", "s47actualstartdate"),
        title="'Section 47 enquiry began'",
        columns={"outcome": "CASE WHEN read_flag(icpcnotrequired) THEN 'no conference needed' END"},
    ),
    Event(
        "icpc",
        iso("dateofinitialcpc"),
        ref=_ref("section47/icpc", "s47actualstartdate"),
        title="'Initial child protection conference'",
        where="tidy(dateofinitialcpc) IS NOT NULL",
    ),
    **_known("s47actualstartdate"),
)

_ABUSE_CODES = "'DfE CIN category of abuse'"
PLANS = events(
    "cp_plan",
    "lachildid",
    Event(
        "cpp_start",
        iso("cppstartdate"),
        ref=_ref("cp_plan/start", "cppstartdate"),
        title=f"concat_ws(': ', 'Child protection plan began', {_abuse('initialcategoryofabuse')})",
        columns={
            "source_code": "tidy(initialcategoryofabuse)",
            "source_code_system": _ABUSE_CODES,
            "narrative": "'Child protection plans before: ' || nullif(tidy(numberofpreviouscpp), '0')",
        },
    ),
    Event(
        "cpp_end",
        iso("cppenddate"),
        ref=_ref("cp_plan/end", "cppstartdate"),
        title=f"concat_ws(': ', 'Child protection plan ended', {_abuse('latestcategoryofabuse')})",
        where="tidy(cppenddate) IS NOT NULL",
        columns={"source_code": "tidy(latestcategoryofabuse)", "source_code_system": _ABUSE_CODES},
    ),
    **_known("cppstartdate"),
)
PLAN_SPANS = spans(
    "cp_plan",
    "lachildid",
    Span(
        "child_protection_plan",
        "read_iso_date(cppstartdate)",
        "read_iso_date(cppenddate)",
        ref=_ref("cp_plan", "cppstartdate"),
        detail=f"coalesce({_abuse('latestcategoryofabuse')}, {_abuse('initialcategoryofabuse')})",
        source_code="coalesce(tidy(latestcategoryofabuse), initialcategoryofabuse)",
    ),
    **_known("cppstartdate"),
)
REVIEWS = events(
    "cp_review",
    "lachildid",
    Event(
        "cpp_review",
        iso("cppreviewdate"),
        ref=_ref("cp_review", "cppreviewdate"),
        title="'Child protection review'",
        where="tidy(cppreviewdate) IS NOT NULL",
    ),
    **_known("cppreviewdate"),
)

_STEPS = {
    "ppstartdate": "Decided to begin pre-proceedings",
    "lbpsentdate": "Letter before proceedings sent",
    "initialppmeetingdate": "First pre-proceedings meeting",
    "stepdecisiondate": "Decided to step down or to go to court",
    "courtappdate": "Applied to court",
    "letterinitcpdate": "Care proceedings: letter of issue sent",
}
_FGDM = (
    "CASE WHEN read_flag(fgdmmeetingfac) THEN 'family group decision making meeting held'"
    " WHEN read_flag(fgdmmeetingoffer) THEN 'family group decision making meeting offered' END"
)
PROCEEDINGS = events(
    "pre_proceedings",
    "lachildid",
    *(
        Event(
            "pre_proceedings",
            iso(column),
            ref=_ref(f"pre_proceedings/{column}", "ppstartdate"),
            title=f"'{title}'",
            where=f"tidy({column}) IS NOT NULL",
            columns={"source_code": f"'{column}'"}
            | ({"outcome": "tidy(ppoutcome)"} if column == "stepdecisiondate" else {})
            | ({"action_taken": _FGDM} if column == "ppstartdate" else {}),
        )
        for column, title in _STEPS.items()
    ),
    **_known("ppstartdate"),
)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """Every output of the census, whatever its year."""
    return [
        PERSON,
        IDENTIFIERS,
        DEATHS,
        DISABILITIES,
        EPISODES,
        EPISODE_SPANS,
        ASSESSMENTS,
        CIN_PLANS,
        CIN_PLAN_SPANS,
        ENQUIRIES,
        PLANS,
        PLAN_SPANS,
        REVIEWS,
        PROCEEDINGS,
    ]


FEED = Feed(
    agency="social_care",
    name="cin",
    title="Children in need census",
    format="xml",
    tables=TABLES,
    conform=conform,
    delivery="full",
    expect="yearly",
    unit="file",
    options=(
        Option("collection_year", 'Census year from April to March, in quotation marks, such as "2025/26"'),
        Option("authority", "LA code of the council, such as 801; by default the deployment's"),
        Option("rules", "Version of the DfE's validation rules to check against; by default the census year's"),
    ),
    scope=scope,
    period=period,
)

"""The children looked-after return (SSDA903): a year's set of CSV files (docs/sources.md 3.2), known by their columns.

A return speaks for one collection year, 1 April to 31 March. An episode that runs on is told again in the next year's
return, so people, episodes and what else has a date of its own are read over all years: the newest return that tells of
them is believed. Lists of codes change with the year. Dates are DD/MM/YYYY.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from connectors.contract import Column, Feed, Kind, Option, Output, Period, Table
from connectors.social_care import codes
from connectors.social_care.codes import in_words
from connectors.social_care.said import Event, Span, When, british, events, spans, zz_date
from warehouse.schema import Sensitivity

_O, _K, _I, _S, _C = (
    Sensitivity.OPERATIONAL,
    Sensitivity.KEY,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.CODED,
)
_DAY = ("%d/%m/%Y",)
_LATEST_YEAR = 2026


class CollectionYearError(ValueError):
    """The collection year of a source is not written as one."""


def collection_year(options: Mapping[str, Any]) -> int:
    """The year in which the collection year begins: 2025 for 2025/26."""
    given = str(options.get("collection_year", ""))
    found = re.fullmatch(r"(20\d\d)/(\d\d)", given)
    if found is None or (int(found[1]) + 1) % 100 != int(found[2]):
        raise CollectionYearError(
            f"social_care.ssda903: collection_year is {given!r}; allowed is a year from April to March such as "
            '"2025/26", in quotation marks. Correct it in tessera.yaml'
        )
    return int(found[1])


def period(options: Mapping[str, Any]) -> Period:
    """A return speaks for its collection year alone, 1 April to 31 March."""
    year = collection_year(options)
    return Period(
        year=year,
        starts=dt.date(year, 4, 1),
        ends=dt.date(year + 1, 3, 31),
        scope=f"{year}/{(year + 1) % 100:02}",
        before=f"{year - 1}/{year % 100:02}",
    )


def scope(options: Mapping[str, Any]) -> str:
    return period(options).scope


# --- The contract, by collection year --------------------------------------------------------------------------------


def _child() -> Column:
    return Column(
        "CHILD", "The council's own identifier of the child, the same in every return", sensitivity=_K, required=True,
        header="required", hint="Every row names its child; look up the identifier in the case system.",
    )  # fmt: skip


def _dob() -> Column:
    return Column(
        "DOB", "Date of birth", Kind.DATE, _I, formats=_DAY,
        hint="DD/MM/YYYY with four digits for the year, the same in every file of the return (rule 102).",
    )  # fmt: skip


def _date(
    name: str, meaning: str, *, required: bool = False, header: bool = False, sensitivity: Sensitivity = _C
) -> Column:
    return Column(
        name, meaning, Kind.DATE, sensitivity, required, "required" if header else "optional", formats=_DAY,
        hint="DD/MM/YYYY with four digits for the year.",
    )  # fmt: skip


def _code(
    name: str,
    meaning: str,
    allowed: tuple[str, ...] | None,
    *,
    required: bool = False,
    header: bool = False,
    sensitivity: Sensitivity = _C,
) -> Column:
    return Column(
        name, meaning, sensitivity=sensitivity, required=required, header="required" if header else "optional",
        allowed=allowed, hint=f"One of {', '.join(allowed)}." if allowed else "",
    )  # fmt: skip


def _sex(year: int) -> tuple[str, ...]:
    return codes.SEX if year >= 2024 else ("1", "2")


def _place(year: int) -> tuple[str, ...]:
    """Placement codes in force: H5 and P2 go and K3 comes in 2024/25; Z1 is split in 2025/26 (rule 146)."""
    places = ["A3", "A4", "A5", "A6", "K1", "K2", "P1", "P3", "R1", "R2", "R3", "R5", "S1"]
    places += ["T0", "T1", "T2", "T3", "T4", "U1", "U2", "U3", "U4", "U5", "U6"]
    places += ["K3"] if year >= 2024 else ["H5", "P2"]
    places += ["Z11", "Z12", "Z13", "Z14"] if year >= 2025 else ["Z1"]
    return tuple(places)


def _ceased(year: int) -> tuple[str, ...]:
    """Reasons for an episode to end: special guardianship is told apart by four codes from 2018/19."""
    reasons = ["X1", "E11", "E12", "E2", "E3", "E4A", "E4B", "E13", "E41", "E5", "E6", "E7", "E9", "E14", "E15"]
    return (*reasons, "E16", "E17", "E8", *(("E45", "E46", "E47", "E48") if year >= 2018 else ("E43", "E44")))


def _activity(year: int) -> tuple[str, ...]:
    work = ("F4", "P4", "F5", "P5") if year >= 2021 else ("F3", "P3")
    return ("F1", "P1", "F2", "P2", *work, "G4", "G5", "G6", "0")


def _tables(year: int) -> tuple[Table, ...]:
    """The files of a return. A file that came only later (SWEpisodes 2023/24, DoLo 2026/27) is read in any year."""
    place_changes = tuple(code for code in codes.PLACE_CHANGE if year >= 2018 or code != "CUSTOD")
    flag = codes.ZERO_ONE
    return (
        Table(
            "header", "one row per child looked after in the year", ("CHILD",),
            (
                _child(),
                _code("SEX", "Sex", _sex(year), required=True),
                Column("DOB", "Date of birth", Kind.DATE, _I, True, formats=_DAY, hint="DD/MM/YYYY (rule 102)."),
                _code("ETHNIC", "Ethnicity, DfE main code", codes.ETHNICITY, required=True, header=True,
                      sensitivity=_S),
                Column("UPN", "Unique pupil number, or UN1 to UN7 for why there is none", sensitivity=_I, required=True,
                       header="required", hint="A UPN with a right check letter, or UN1 to UN7 (rule 168)."),
                _code("MOTHER", "The child is a mother", flag, sensitivity=_S),
                _date("MC_DOB", "Date of birth of the child's own child", sensitivity=_I),
                _code("UASC", "Came to this country alone; told in returns written as XML", flag, sensitivity=_S),
            ),
            owner="CHILD", required=True,
        ),
        Table(
            "episodes", "one row per episode: a stretch with one legal status and placement", ("CHILD", "DECOM"),
            (
                _child(),
                _date("DECOM", "Began", required=True, header=True),
                _code("RNE", "Why a new episode", tuple(codes.EPISODE_REASON), required=True, header=True),
                _code("LS", "Legal status", codes.LEGAL_STATUS, required=True, header=True),
                _code("CIN", "Main need", codes.NEED, required=True, sensitivity=_S),
                _code("PLACE", "Kind of placement", _place(year), required=True, header=True),
                _code("PLACE_PROVIDER", "Who provides the placement", tuple(codes.PROVIDER)),
                _date("DEC", "Ended"),
                _code("REC", "Why it ended; X1 when the next begins the same day", _ceased(year), sensitivity=_S),
                _code("REASON_PLACE_CHANGE", "Why the placement ended", place_changes, sensitivity=_S),
                Column("HOME_POST", "Postcode of the home the child came from", Kind.POSTCODE, _I),
                Column("PL_POST", "Postcode of the placement", Kind.POSTCODE, _I),
                Column("URN", "Ofsted's number of the home or agency", sensitivity=_K),
                # What the Department works out of the postcodes; there only where the return comes back from it.
                Column("PL_LA", "Council of the placement"),
                Column("PL_LOCATION", "In or out of the council's own area", allowed=("IN", "OUT")),
                Column("PL_DISTANCE", "Miles from home", Kind.NUMBER),
            ),
            owner="CHILD",
        ),
        Table(
            "reviews", "one row per review of a looked-after child", ("CHILD", "REVIEW"),
            (
                _child(),
                _dob(),
                _date("REVIEW", "Held", required=True, header=True),
                _code("REVIEW_CODE", "How the child took part", codes.PARTICIPATION, required=True, header=True),
            ),
            owner="CHILD",
        ),
        Table(
            "uasc", "one row per unaccompanied child seeking asylum", ("CHILD",),
            (
                _child(),
                _code("SEX", "Sex", _sex(year)),
                _dob(),
                _date("DUC", "When the child stopped being unaccompanied", header=True),
            ),
            owner="CHILD",
        ),
        Table(
            "oc2", "one row per child looked after for twelve months: health and offending in the year", ("CHILD",),
            (
                _child(),
                _dob(),
                Column("SDQ_SCORE", "Strengths and difficulties score, 0 to 40", Kind.INTEGER, _S, header="required"),
                _code("SDQ_REASON", "Why there is no score", codes.SDQ_REASON),
                _code("CONVICTED", "Convicted or cautioned in the year", flag, sensitivity=_S),
                _code("HEALTH_CHECK", "Child health checks up to date (under five)", flag, sensitivity=_S),
                _code("IMMUNISATIONS", "Immunisations up to date", flag, sensitivity=_S),
                _code("TEETH_CHECK", "Teeth checked", flag, sensitivity=_S),
                _code("HEALTH_ASSESSMENT", "Health assessed", flag, sensitivity=_S),
                _code("SUBSTANCE_MISUSE", "Found to misuse substances", flag, sensitivity=_S),
                _code("INTERVENTION_RECEIVED", "Received help for it", flag, sensitivity=_S),
                _code("INTERVENTION_OFFERED", "Was offered help for it", flag, sensitivity=_S),
            ),
            owner="CHILD",
        ),
        Table(
            "oc3", "one row per care leaver with a birthday in the year", ("CHILD",),
            (
                _child(),
                _dob(),
                _code("IN_TOUCH", "In touch", tuple(codes.IN_TOUCH), required=True, header=True),
                _code("ACTIV", "What the young person does", _activity(year), header=True, sensitivity=_S),
                _code("ACCOM", "Accommodation", tuple(codes.ACCOMMODATION), header=True, sensitivity=_S),
            ),
            owner="CHILD",
        ),
        Table(
            "ad1", "one row per child adopted in the year", ("CHILD",),
            (
                _child(),
                _dob(),
                _date("DATE_INT", "Decided that adoption is best", header=True),
                _date("DATE_MATCH", "Matched with adopters", header=True),
                _code("FOSTER_CARE", "Adopted by the foster carer", flag, sensitivity=_S),
                Column("NB_ADOPTR", "Adopters", Kind.INTEGER, _S),
                _code("SEX_ADOPTR", "Sex of the adopters", ("M1", "F1", "MM", "FF", "MF"), sensitivity=_S),
                _code("LS_ADOPTR", "Legal status of the adopters", ("L0", "L11", "L12", "L2", "L3", "L4"),
                      sensitivity=_S),
            ),
            owner="CHILD",
        ),
        Table(
            "placed_adoption", "one row per child and decision or placement for adoption", ("CHILD", "DATE_PLACED"),
            (
                _child(),
                _dob(),
                _date("DATE_PLACED", "Decided that the child should be placed for adoption", required=True,
                      header=True),
                _date("DATE_PLACED_CEASED", "When that no longer held", header=True),
                _code("REASON_PLACED_CEASED", "Why that no longer held", tuple(codes.NOT_PLACED), sensitivity=_S),
            ),
            owner="CHILD",
        ),
        Table(
            "prev_perm", "one row per child: permanence found before coming (back) into care", ("CHILD",),
            (
                _child(),
                _dob(),
                _code("PREV_PERM", "Kind of permanence; Z1 for none", (*codes.PREVIOUS_PERMANENCE, "Z1"), header=True,
                      sensitivity=_S),
                Column("LA_PERM", "Council that had arranged it"),
                Column("DATE_PERM", "Date of the order; day or month may be zz, not known",
                       hint="DD/MM/YYYY, zz/MM/YYYY or zz/zz/YYYY."),
            ),
            owner="CHILD",
        ),
        Table(
            "missing", "one row per time a child was missing or away without leave", ("CHILD", "MIS_START"),
            (
                _child(),
                _dob(),
                _code("MISSING", "M missing, A away without authorisation", tuple(codes.MISSING), required=True,
                      header=True),
                _date("MIS_START", "From", required=True, header=True),
                _date("MIS_END", "Until"),
            ),
            owner="CHILD",
        ),
        Table(
            "sw_episodes", "one row per child and social worker", ("CHILD", "SW_ID", "SW_DECOM"),
            (
                _child(),
                _dob(),
                Column("SW_ID", "The social worker's registration", sensitivity=_K, required=True, header="required"),
                _date("SW_DECOM", "From", required=True, header=True),
                _date("SW_DEC", "Until"),
                _code("SW_REASON", "Why the worker changed", tuple(codes.WORKER_CHANGE)),
            ),
            owner="CHILD",
        ),
        Table(
            "dolo", "one row per order that deprives a child of liberty", ("CHILD", "DOLO_START"),
            (
                _child(),
                _dob(),
                _date("DOLO_START", "From", required=True, header=True),
                _date("DOLO_END", "Until"),
            ),
            owner="CHILD",
        ),
    )  # fmt: skip


# --- Reading over the years ------------------------------------------------------------------------------------------


def _newest(*key: str) -> str:
    """SQL: each thing once, as the newest return tells it."""
    by = ", ".join(f"tidy({column})" for column in key)
    return (
        "SELECT * FROM {rows} "
        f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY scope DESC, lineage.raw_row_id DESC) = 1"
    )


def _on(column: str) -> str:
    return f"read_date_as({column}, '%d/%m/%Y')"


def _ref(table: str, *key: str) -> str:
    return f"concat_ws('/', '{table}', {', '.join(f'tidy({column})' for column in key)})"


# What is told once a year happened some time within it: from 1 April to 31 March, or to the day of the extract.
_IN_YEAR = When("(left(scope, 4) || '-04-01')::TIMESTAMP", "'year'")
_YEAR_ENDS = "least(((left(scope, 4)::INTEGER + 1)::VARCHAR || '-03-31')::TIMESTAMP, date_trunc('day', extracted_at))"


# --- Who they are ----------------------------------------------------------------------------------------------------

# A child of a looked-after child has no identifier of its own here; its birth date and its mother are all that is told.
_OWN_CHILD = "tidy(child) || '/child/1'"
_HAS_CHILD = f"{_on('mc_dob')} IS NOT NULL AND read_flag(mother) IS DISTINCT FROM false"

PERSON = Output(
    "person_record",
    "header",
    f"""
    WITH told AS ({_newest("child")})
    SELECT
        tidy(child) AS source_person_id,
        'child' AS role,
        {_on("dob")} AS birth_date,
        CASE WHEN {_on("dob")} IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision,
        CASE WHEN {_on("dob")} IS NULL THEN tidy(dob) END AS birth_date_text,
        as_sex_dfe(sex) AS sex,
        tidy(sex) AS sex_source_code,
        as_ethnicity_dfe(ethnic) AS ethnicity,
        tidy(ethnic) AS ethnicity_source_code,
        CASE WHEN NOT regexp_full_match(compact(upn), 'UN[0-9]') THEN compact(upn) END AS upn,
        list_filter([
            CASE WHEN tidy(sex) IS NOT NULL AND as_sex_dfe(sex) IS NULL THEN 'unmapped_sex' END,
            CASE WHEN tidy(ethnic) IS NOT NULL AND as_ethnicity_dfe(ethnic) IS NULL THEN 'unmapped_ethnicity' END,
            CASE WHEN tidy(dob) IS NULL THEN 'no_birth_date' WHEN {_on("dob")} IS NULL THEN 'bad_birth_date' END,
            CASE WHEN {_on("dob")} = DATE '1900-01-01' OR {_on("dob")} > extracted_at::DATE
                THEN 'implausible_birth_date' END,
            CASE WHEN NOT is_upn(tidy(upn)) AND NOT regexp_full_match(compact(upn), 'UN[0-9]') THEN 'invalid_upn' END
        ], lambda flag: flag IS NOT NULL) AS flags,
        lineage
    FROM told
    UNION ALL BY NAME
    SELECT
        {_OWN_CHILD} AS source_person_id,
        'child' AS role,
        {_on("mc_dob")} AS birth_date,
        'day' AS birth_date_precision,
        ['no_name'] AS flags,
        lineage
    FROM told
    WHERE {_HAS_CHILD}
    """,
    unit=("child",),
)

RELATIONSHIPS = Output(
    "relationship",
    "header",
    f"""
    WITH told AS ({_newest("child")})
    SELECT
        {_OWN_CHILD} AS source_person_id,
        '{{feed}}:' || tidy(child) AS other_record_id,
        CASE WHEN as_sex_dfe(sex) = 'M' THEN 'father' ELSE 'mother' END AS relationship,
        'MC_DOB' AS source_code,
        lineage
    FROM told
    WHERE {_HAS_CHILD}
    UNION ALL BY NAME
    SELECT
        tidy(child) AS source_person_id,
        '{{feed}}:' || {_OWN_CHILD} AS other_record_id,
        'child' AS relationship,
        'MC_DOB' AS source_code,
        lineage
    FROM told
    WHERE {_HAS_CHILD}
    """,
    unit=("child",),
)

# The UPN of an older return that the newest no longer gives is a former one.
IDENTIFIERS = Output(
    "person_identifier",
    "header",
    """
    WITH told AS (
        SELECT
            tidy(child) AS source_person_id,
            compact(child) AS la_child_id,
            CASE WHEN NOT regexp_full_match(compact(upn), 'UN[0-9]') THEN compact(upn) END AS upn,
            row_number() OVER (PARTITION BY tidy(child) ORDER BY scope DESC, lineage.raw_row_id DESC) = 1 AS is_newest,
            lineage
        FROM {rows}
    )
    SELECT source_person_id, 'la_child_id' AS scheme, la_child_id AS value, 'stated' AS status, lineage
    FROM told
    WHERE is_newest
    UNION ALL BY NAME
    SELECT source_person_id, 'upn' AS scheme, upn AS value, upn_status(upn) AS status, lineage
    FROM told
    WHERE is_newest AND upn IS NOT NULL
    UNION ALL BY NAME
    SELECT older.source_person_id, 'former_upn' AS scheme, older.upn AS value, upn_status(older.upn) AS status,
        older.lineage
    FROM told AS older
    JOIN told AS newest ON newest.source_person_id = older.source_person_id AND newest.is_newest
    WHERE NOT older.is_newest AND older.upn IS DISTINCT FROM newest.upn AND older.upn IS NOT NULL
    """,
    unit=("child",),
)

OWN_CHILDREN = events(
    "header",
    "child",
    Event(
        "became_parent",
        british("mc_dob"),
        ref=_ref("header", "child") + " || '/own_child'",
        title="'Has a child of their own'",
        where="read_flag(mother) OR tidy(mc_dob) IS NOT NULL",
        columns={"source_code": "tidy(mother)", "source_code_system": "'SSDA903 MOTHER'"},
    ),
    source=_newest("child"),
    unit=("child",),
)

# --- Episodes --------------------------------------------------------------------------------------------------------

# Each episode with what came before it, and numbered stretches: times in care, placements, legal statuses. A stretch
# begins where the return says so, and where what it is about differs from the episode before.
_EPISODES = f"""
    WITH episode AS (
        SELECT
            * REPLACE (upper(tidy(rne)) AS rne, upper(tidy(rec)) AS rec),
            {_on("decom")} AS began,
            {_on("dec")} AS ended,
            coalesce(as_placement(place), tidy(place)) AS placement,
            coalesce(as_legal_status(ls), tidy(ls)) AS legal,
            coalesce(as_need(cin), tidy(cin)) AS need,
            coalesce(as_care_ends(rec), tidy(rec)) AS ends,
            upper(tidy(place)) IN ('A3', 'A4', 'A5', 'A6') AS is_adoptive
        FROM ({_newest("child", "decom")})
    ),
    compared AS (
        SELECT
            *,
            lag(reason_place_change) OVER in_order AS change_reason,
            lag(is_adoptive) OVER in_order AS was_adoptive,
            rne = 'S' OR lag(decom) OVER in_order IS NULL OR lag(rec) OVER in_order <> 'X1' AS enters,
            rne IN ('S', 'P', 'T', 'B', 'U') OR place IS DISTINCT FROM lag(place) OVER in_order AS moves,
            rne IN ('S', 'L', 'B', 'U') OR ls IS DISTINCT FROM lag(ls) OVER in_order AS changes
        FROM episode
        WINDOW in_order AS (PARTITION BY tidy(child) ORDER BY began NULLS LAST, decom)
    )
    SELECT
        *,
        count(*) FILTER (WHERE coalesce(enters, false)) OVER so_far AS spell,
        count(*) FILTER (WHERE coalesce(enters, false) OR coalesce(moves, true)) OVER so_far AS place_run,
        count(*) FILTER (WHERE coalesce(enters, false) OR coalesce(changes, true)) OVER so_far AS legal_run
    FROM compared
    WINDOW so_far AS (PARTITION BY tidy(child) ORDER BY began NULLS LAST, decom ROWS UNBOUNDED PRECEDING)"""

_EPISODE_CODE = {"source_code": "rne", "source_code_system": "'SSDA903 RNE'"}
EPISODES = events(
    "episodes",
    "child",
    Event(
        "cla_start",
        british("decom"),
        ref=_ref("episodes", "child", "decom"),
        title="concat_ws(': ', 'Started to be looked after', nullif(concat_ws('; ', legal, placement, need), ''))",
        where="rne = 'S'",
        columns=_EPISODE_CODE,
    ),
    Event(
        "placement_change",
        british("decom"),
        ref=_ref("episodes", "child", "decom"),
        title="concat_ws(': ', 'Placement changed', placement)",
        where="rne IN ('P', 'T', 'B', 'U')",
        columns={
            **_EPISODE_CODE,
            "narrative": (
                f"concat_ws(chr(10), {in_words('rne', codes.EPISODE_REASON)}, "
                f"'Reason: ' || {in_words('change_reason', codes.PLACE_CHANGE)})"
            ),
        },
    ),
    Event(
        "legal_status_change",
        british("decom"),
        ref=_ref("episodes", "child", "decom"),
        title="concat_ws(': ', 'Legal status', legal)",
        where="rne IN ('L', 'B', 'U')",
        columns=_EPISODE_CODE,
    ),
    Event(
        "cla_end",
        british("dec"),
        ref=_ref("episodes", "child", "decom"),
        title="'Stopped being looked after: ' || ends",
        where="rec <> 'X1'",
        columns={"source_code": "rec", "source_code_system": "'SSDA903 REC'", "outcome": "ends"},
    ),
    Event(
        "placed_for_adoption",
        british("decom"),
        ref=_ref("episodes", "child", "decom"),
        title="'Placed for adoption'",
        where="is_adoptive AND was_adoptive IS DISTINCT FROM true",
        columns={"source_code": "tidy(place)", "source_code_system": "'SSDA903 PLACE'", "narrative": "placement"},
    ),
    # An adoption begins a new identity; the two must not be linked in sight of everybody (an ending by adoption only proposes a seal).
    Event(
        "adopted",
        british("dec"),
        ref=_ref("episodes", "child", "decom"),
        title="'Adopted'",
        where="rec IN ('E11', 'E12')",
        columns={"source_code": "rec", "source_code_system": "'SSDA903 REC'", "outcome": "ends"},
    ),
    Event(
        "death",
        british("dec"),
        ref=_ref("episodes", "child", "decom"),
        title="'Died while looked after'",
        where="rec = 'E2'",
        columns={"source_code": "rec", "source_code_system": "'SSDA903 REC'"},
    ),
    source=_EPISODES,
    unit=("child",),
)

# A stretch lasts from its first episode to the end of its last, and is open while that is. A return holds only the
# episodes of its year: a time in care whose S episode it lacks began before, nobody here knows when.
EPISODE_SPANS = Output(
    "span",
    "episodes",
    f"""
    WITH told AS (
        {_EPISODES}
    ),
    stretch AS (
        SELECT
            tidy(child) AS person,
            'looked_after' AS kind,
            min(began) FILTER (WHERE rne = 'S') AS started_on,
            last(CASE WHEN rec <> 'X1' THEN ended END ORDER BY began NULLS LAST, decom) AS ended_on,
            first(tidy(decom) ORDER BY began NULLS LAST, decom) AS first_day,
            concat_ws('; ', last(legal ORDER BY began NULLS LAST, decom), last(need ORDER BY began NULLS LAST, decom),
                CASE WHEN NOT bool_or(coalesce(rne = 'S', false))
                    THEN 'since before ' || min(began)::VARCHAR END) AS detail,
            last(ls ORDER BY began NULLS LAST, decom) AS source_code,
            last(lineage ORDER BY began NULLS LAST, decom) AS lineage
        FROM told
        GROUP BY person, spell
        UNION ALL BY NAME
        SELECT
            tidy(child) AS person,
            'placement' AS kind,
            min(began) AS started_on,
            last(ended ORDER BY began NULLS LAST, decom) AS ended_on,
            first(tidy(decom) ORDER BY began NULLS LAST, decom) AS first_day,
            concat_ws(', ', last(placement ORDER BY began NULLS LAST, decom),
                last({in_words("place_provider", codes.PROVIDER)} ORDER BY began NULLS LAST, decom),
                'ended: ' || last({in_words("reason_place_change", codes.PLACE_CHANGE)}
                    ORDER BY began NULLS LAST, decom)) AS detail,
            last(place ORDER BY began NULLS LAST, decom) AS source_code,
            last(lineage ORDER BY began NULLS LAST, decom) AS lineage
        FROM told
        GROUP BY person, place_run
        UNION ALL BY NAME
        SELECT
            tidy(child) AS person,
            'legal_status' AS kind,
            min(began) AS started_on,
            last(ended ORDER BY began NULLS LAST, decom) AS ended_on,
            first(tidy(decom) ORDER BY began NULLS LAST, decom) AS first_day,
            last(legal ORDER BY began NULLS LAST, decom) AS detail,
            last(ls ORDER BY began NULLS LAST, decom) AS source_code,
            last(lineage ORDER BY began NULLS LAST, decom) AS lineage
        FROM told
        GROUP BY person, legal_run
    )
    SELECT
        person AS source_person_id,
        'episodes/' || person || '/' || first_day AS ref,
        kind,
        started_on,
        ended_on,
        nullif(detail, '') AS detail,
        tidy(source_code) AS source_code,
        started_on AS valid_from,
        ended_on AS valid_to,
        lineage
    FROM stretch
    """,
    unit=("child",),
)

# The home is the one the child came from: nobody says that the child lives there during the episode.
ADDRESSES = Output(
    "person_address",
    "episodes",
    f"""
    WITH told AS ({_newest("child", "decom")}),
    address AS (
        SELECT
            tidy(child) AS person,
            CASE WHEN is_pseudo_postcode(tidy(home_post)) THEN 'no_fixed_abode' ELSE 'home' END AS kind,
            read_postcode(tidy(home_post)) AS postcode,
            {_on("decom")} AS began,
            {_on("dec")} AS ended,
            decom,
            lineage
        FROM told
        UNION ALL BY NAME
        SELECT
            tidy(child) AS person,
            'placement' AS kind,
            read_postcode(tidy(pl_post)) AS postcode,
            {_on("decom")} AS began,
            {_on("dec")} AS ended,
            decom,
            lineage
        FROM told
    )
    SELECT
        person AS source_person_id,
        kind,
        postcode,
        min(began) AS valid_from,
        last(ended ORDER BY began NULLS LAST, decom) AS valid_to,
        last(lineage ORDER BY began NULLS LAST, decom) AS lineage
    FROM address
    WHERE postcode IS NOT NULL
    GROUP BY person, kind, postcode
    """,
    unit=("child",),
)

# --- The other files -------------------------------------------------------------------------------------------------

# PN1 to PN4: the child was in the room; PN0 is a child under four, of whom the code says nothing.
REVIEWS = events(
    "reviews",
    "child",
    Event(
        "cla_review",
        british("review"),
        ref=_ref("reviews", "child", "review"),
        title=(
            "concat_ws(': ', 'Looked-after review', coalesce(as_review_participation(review_code), tidy(review_code)))"
        ),
        columns={
            "source_code": "tidy(review_code)",
            "source_code_system": "'SSDA903 REVIEW_CODE'",
            "child_present": (
                "CASE WHEN upper(tidy(review_code)) IN ('PN1', 'PN2', 'PN3', 'PN4') THEN 'Y'"
                " WHEN upper(tidy(review_code)) IN ('PN5', 'PN6', 'PN7') THEN 'N' ELSE 'NK' END"
            ),
        },
    ),
    source=_newest("child", "review"),
    unit=("child", "review"),
)

MISSING = events(
    "missing",
    "child",
    Event(
        "missing_from_care",
        british("mis_start"),
        ref=_ref("missing", "child", "mis_start"),
        title=(
            "CASE WHEN upper(tidy(missing)) = 'A' THEN 'Away from placement without authorisation' ELSE 'Missing' END"
        ),
        columns={
            "source_code": "tidy(missing)",
            "source_code_system": "'SSDA903 MISSING'",
            "occurred_to": british("mis_end").read,
        },
    ),
    source=_newest("child", "mis_start"),
    unit=("child", "mis_start"),
)
MISSING_SPANS = spans(
    "missing",
    "child",
    Span(
        "missing",
        _on("mis_start"),
        _on("mis_end"),
        ref=_ref("missing", "child", "mis_start"),
        detail=in_words("missing", codes.MISSING),
        source_code="missing",
    ),
    source=_newest("child", "mis_start"),
    unit=("child", "mis_start"),
)

UNACCOMPANIED = spans(
    "uasc",
    "child",
    Span(
        "unaccompanied_asylum_seeker",
        "NULL::DATE",
        _on("duc"),
        ref=_ref("uasc", "child"),
        detail="'unaccompanied child seeking asylum'",
    ),
    source=_newest("child"),
    unit=("child",),
)


def _yes_no(column: str, words: str) -> str:
    return f"'{words}: ' || CASE read_flag({column}) WHEN true THEN 'yes' WHEN false THEN 'no' ELSE tidy({column}) END"


_HEALTH = ", ".join(
    (
        _yes_no("health_check", "Child health checks up to date"),
        _yes_no("immunisations", "Immunisations up to date"),
        _yes_no("teeth_check", "Teeth checked"),
        _yes_no("health_assessment", "Health assessed"),
    )
)
YEARS_OF_HEALTH = events(
    "oc2",
    "child",
    Event(
        "health_check",
        _IN_YEAR,
        ref=_ref("oc2", "child", "scope") + " || '/health'",
        title="'Health checks of a looked-after child in ' || scope",
        where=f"concat_ws('', {_HEALTH}) <> ''",
        columns={"occurred_to": _YEAR_ENDS, "narrative": f"concat_ws(chr(10), {_HEALTH})"},
    ),
    Event(
        "sdq",
        _IN_YEAR,
        ref=_ref("oc2", "child", "scope") + " || '/sdq'",
        title=(
            "CASE WHEN tidy(sdq_score) IS NOT NULL"
            " THEN 'Strengths and difficulties questionnaire: score ' || tidy(sdq_score)"
            " ELSE concat_ws(': ', 'Strengths and difficulties questionnaire: no score', tidy(sdq_reason)) END"
        ),
        where="tidy(sdq_score) IS NOT NULL OR tidy(sdq_reason) IS NOT NULL",
        columns={
            "occurred_to": _YEAR_ENDS,
            "source_code": "tidy(sdq_reason)",
            "risk_scheme": "CASE WHEN tidy(sdq_score) IS NOT NULL THEN 'SDQ total difficulties, 0 to 40' END",
            "risk_value": "tidy(sdq_score)",
        },
    ),
    Event(
        "conviction",
        _IN_YEAR,
        ref=_ref("oc2", "child", "scope") + " || '/conviction'",
        title="'Convicted or cautioned in ' || scope",
        where="read_flag(convicted)",
        columns={"occurred_to": _YEAR_ENDS},
    ),
    Event(
        "substance_misuse",
        _IN_YEAR,
        ref=_ref("oc2", "child", "scope") + " || '/substance_misuse'",
        title="'Substance misuse found in ' || scope",
        where="read_flag(substance_misuse)",
        statement_kind="professional_opinion",
        columns={
            "occurred_to": _YEAR_ENDS,
            "action_taken": (
                "CASE WHEN read_flag(intervention_received) THEN 'help received'"
                " WHEN read_flag(intervention_offered) THEN 'help offered, not received'"
                " WHEN NOT read_flag(intervention_received) THEN 'no help received' END"
            ),
        },
    ),
)

CARE_LEAVERS = events(
    "oc3",
    "child",
    Event(
        "care_leaver_contact",
        _IN_YEAR,
        ref=_ref("oc3", "child", "scope"),
        title=f"concat_ws(': ', 'Care leaver in ' || scope, {in_words('in_touch', codes.IN_TOUCH)})",
        columns={
            "occurred_to": _YEAR_ENDS,
            "source_code": "tidy(in_touch)",
            "source_code_system": "'SSDA903 IN_TOUCH'",
            "narrative": (
                f"concat_ws(chr(10), 'Accommodation: ' || {in_words('accom', codes.ACCOMMODATION)}, "
                f"'Activity: ' || {in_words('activ', codes.ACTIVITY)})"
            ),
        },
    ),
)

_ADOPTERS = (
    "nullif(concat_ws(chr(10), CASE WHEN read_flag(foster_care) THEN 'Adopted by the foster carer' END, "
    "'Adopters: ' || tidy(nb_adoptr)), '')"
)
ADOPTIONS = events(
    "ad1",
    "child",
    Event(
        "adoption_decision",
        british("date_int"),
        ref=_ref("ad1", "child") + " || '/decision'",
        title="'Decision that adoption is best'",
        where="tidy(date_int) IS NOT NULL",
    ),
    Event(
        "adoption_match",
        british("date_match"),
        ref=_ref("ad1", "child") + " || '/match'",
        title="'Matched with adopters'",
        where="tidy(date_match) IS NOT NULL",
        columns={"narrative": _ADOPTERS},
    ),
    source=_newest("child"),
    unit=("child",),
)

# DATE_PLACED is when it was decided (rule 1003); when the child moved there the episodes say, by placements A3 to A6.
ADOPTION_DECISIONS = events(
    "placed_adoption",
    "child",
    Event(
        "adoption_decision",
        british("date_placed"),
        ref=_ref("placed_adoption", "child", "date_placed"),
        title="'Decision that the child should be placed for adoption'",
    ),
    Event(
        "adoption_decision_reversed",
        british("date_placed_ceased"),
        ref=_ref("placed_adoption", "child", "date_placed"),
        title=(
            "concat_ws(': ', 'Decision for adoption no longer held', "
            f"{in_words('reason_placed_ceased', codes.NOT_PLACED)})"
        ),
        where="tidy(date_placed_ceased) IS NOT NULL",
        columns={"source_code": "tidy(reason_placed_ceased)", "source_code_system": "'SSDA903 REASON_PLACED_CEASED'"},
    ),
    source=_newest("child", "date_placed"),
    unit=("child", "date_placed"),
)

PREVIOUS_PERMANENCE = events(
    "prev_perm",
    "child",
    Event(
        "previous_permanence",
        zz_date("date_perm", "%d/%m/%Y"),
        ref=_ref("prev_perm", "child"),
        title=(
            f"concat_ws(': ', 'Had found permanence before care', {in_words('prev_perm', codes.PREVIOUS_PERMANENCE)})"
        ),
        where="upper(tidy(prev_perm)) <> 'Z1'",
        columns={
            "source_code": "tidy(prev_perm)",
            "source_code_system": "'SSDA903 PREV_PERM'",
            "narrative": "'Council: ' || tidy(la_perm)",
        },
    ),
    source=_newest("child"),
    unit=("child",),
)

# The reason stands with the worker who left; the change it explains is the next worker's beginning.
SOCIAL_WORKERS = events(
    "sw_episodes",
    "child",
    Event(
        "social_worker_change",
        british("sw_decom"),
        ref=_ref("sw_episodes", "child", "sw_id", "sw_decom"),
        title="CASE WHEN is_first THEN 'Social worker allocated' ELSE 'Social worker changed' END",
        columns={
            "source_code": "tidy(reason_before)",
            "source_code_system": "'SSDA903 SW_REASON'",
            "narrative": f"'Reason: ' || {in_words('reason_before', codes.WORKER_CHANGE)}",
        },
    ),
    source=f"""
    SELECT *, lag(sw_reason) OVER in_order AS reason_before, lag(sw_decom) OVER in_order IS NULL AS is_first
    FROM ({_newest("child", "sw_id", "sw_decom")})
    WINDOW in_order AS (PARTITION BY tidy(child) ORDER BY {_on("sw_decom")} NULLS LAST, sw_id)""",
    unit=("child",),
)

DEPRIVATIONS = events(
    "dolo",
    "child",
    Event(
        "dolo",
        british("dolo_start"),
        ref=_ref("dolo", "child", "dolo_start"),
        title="'Deprived of liberty by order'",
        columns={"occurred_to": british("dolo_end").read},
    ),
    source=_newest("child", "dolo_start"),
    unit=("child", "dolo_start"),
)
DEPRIVATION_SPANS = spans(
    "dolo",
    "child",
    Span(
        "dolo",
        _on("dolo_start"),
        _on("dolo_end"),
        ref=_ref("dolo", "child", "dolo_start"),
        detail="'deprivation of liberty order'",
    ),
    source=_newest("child", "dolo_start"),
    unit=("child", "dolo_start"),
)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """Every output of the return; the year decides which codes are in force, not how they are read."""
    return [
        PERSON,
        RELATIONSHIPS,
        IDENTIFIERS,
        OWN_CHILDREN,
        EPISODES,
        EPISODE_SPANS,
        ADDRESSES,
        REVIEWS,
        MISSING,
        MISSING_SPANS,
        UNACCOMPANIED,
        YEARS_OF_HEALTH,
        CARE_LEAVERS,
        ADOPTIONS,
        ADOPTION_DECISIONS,
        PREVIOUS_PERMANENCE,
        SOCIAL_WORKERS,
        DEPRIVATIONS,
        DEPRIVATION_SPANS,
    ]


FEED = Feed(
    agency="social_care",
    name="ssda903",
    title="Children looked-after return (SSDA903)",
    format="csv",
    tables=_tables(_LATEST_YEAR),
    conform=conform,
    delivery="full",
    expect="yearly",
    unit="set",
    options=(
        Option("collection_year", 'Collection year from April to March, in quotation marks, such as "2025/26"', True),
        Option("authority", "LA code of the council, such as 801; by default the deployment's"),
        Option("rules", "Version of the DfE's validation rules to check against; by default the collection year's"),
    ),
    scope=scope,
    period=period,
    tables_for=lambda options: _tables(collection_year(options)),
    any_case=True,
)

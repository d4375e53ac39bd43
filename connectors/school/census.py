"""School Census, the tables COLLECT exports each term: who is on which roll, and what the school says of them.

A delivery is a term's whole set of tables. The same pupil comes again every term, so what is said of a pupil is worked
out over all terms that are known. The SQL below is written once and driven by either table of pupils: every fact is
given by the one pupil row that owns it (its raw_row_id), so two drivers never say it twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors import reading
from connectors.contract import Feed, Lookup, Option, Output
from connectors.school.census_tables import DATE_FORMATS, TABLES

_TERMS = ("autumn", "spring", "summer")
_DATES = "[" + ", ".join(f"'{date_format}'" for date_format in DATE_FORMATS) + "]"

# NativeId should be the pupil's id in the school's system. In some exports it is a code of the school (8 values for
# 9,088 pupils in the third-party sample); then the pupil row's own id stands for the pupil. Not all rows need differ:
# a pupil who moved between two schools is in both tables.
_NATIVE_ID_IDENTIFIES = 0.9

_OF_BOTH = (
    "nativeid", "schoolcensustableid", "upn", "formerupn", "uniquelearnernumber", "surname", "forename", "middlenames", "preferredsurname",
    "formersurname", "dob", "sex", "ethnicity", "language", "entrydate", "boarder", "termlysessionspossible",
    "summerhalfterm2sessionspossible",
)  # fmt: skip
_OF_ONE = {
    "pupilonroll": ("enrolstatus", "senprovision", "youngcarer", "plaa", "servicechild"),
    "pupilnolongeronroll": ("leavingdate",),
}


def _texts(table: str, **under_another_name: str) -> str:
    """What one of the two tables of pupils says, tidied."""
    same = {name: name for name in (*_OF_BOTH, *_OF_ONE[table])}
    texts = {"table_id": f"{table}tableid", **same, **under_another_name}
    return reading.tidied(f"{{raw_{table}}}", texts, beside="raw_row_id, scope")


# The pupils of all terms, with who they are. `recency` 1 is the row whose details are the person's: on roll before no
# longer on roll, then the latest census day. Census days: first Thursday of October, third Thursday of January, third
# Thursday of May (DfE school census guide), unless the return says its reference date. The census says as of when it
# holds, not when a dated event was written down: such events have no recorded_at.
_PERSON = f"""
    WITH pupil AS (
        SELECT *, true AS on_roll FROM ({_texts("pupilonroll", ncyear="ncyearactual")})
        UNION ALL BY NAME
        SELECT *, false AS on_roll FROM ({_texts("pupilnolongeronroll", ncyear="ncyearleaving")})
    ),
    delivery AS (
        SELECT scope, count(DISTINCT nativeid) >= {_NATIVE_ID_IDENTIFIES} * count(*) AS native_id_identifies,
               split_part(scope, '-', 2) AS term,
               make_date(split_part(scope, '-', 1)::INT,
                         CASE term WHEN 'autumn' THEN 10 WHEN 'spring' THEN 1 ELSE 5 END, 1) AS month_begins,
               month_begins + ((11 - isodow(month_begins)) % 7 + CASE term WHEN 'autumn' THEN 0 ELSE 14 END)::INT
                   AS usual_day
        FROM pupil GROUP BY scope
    ),
    census_return AS (
        SELECT scope, tidy(schoolcensustableid) AS schoolcensustableid, any_value(tidy(lea) || tidy(estab)) AS school,
               any_value(read_date_as(referencedate, {_DATES})) AS reference_day
        FROM {{raw_schoolcensus}} GROUP BY ALL
    ),
    placed AS (
        SELECT p.* REPLACE (
                   compact(p.upn) AS upn, compact(p.formerupn) AS formerupn,
                   compact(p.uniquelearnernumber) AS uniquelearnernumber
               ),
               read_date_as(p.dob, {_DATES}) AS born, upn_status(p.upn) AS upn_is,
               CASE WHEN d.native_id_identifies THEN coalesce(p.nativeid, p.table_id) ELSE p.table_id END
                   AS source_person_id,
               coalesce(c.school, CASE WHEN NOT d.native_id_identifies THEN p.nativeid END) AS school,
               coalesce(c.reference_day, d.usual_day) AS census_day,
               read_date_as(p.entrydate, {_DATES}) AS entered, read_date_as(p.leavingdate, {_DATES}) AS departed
        FROM pupil p
        JOIN delivery d ON d.scope = p.scope
        LEFT JOIN census_return c ON c.scope = p.scope AND c.schoolcensustableid = p.schoolcensustableid
    )
    SELECT *, row_number() OVER (
        PARTITION BY source_person_id
        ORDER BY on_roll DESC, census_day DESC, entered DESC NULLS LAST, raw_row_id DESC
    ) AS recency
    FROM placed"""

_ADDRESS_LINES = (
    "tidy(saon), tidy(paon), tidy(street), tidy(locality), tidy(town), tidy(administrativearea), tidy(posttown), "
    "tidy(addressline1), tidy(addressline2), tidy(addressline3), tidy(addressline4), tidy(addressline5)"
)

# The addresses of a pupil: those of the latest term that gives any are where the pupil lives (a pupil with two homes
# has both), others are previous ones. UPRN: tools that read it as a number leave 100012345678.0 behind; -1 is none.
_LIVED = f"""
    WITH given AS (
        SELECT raw_row_id, extracted_at, scope, true AS on_roll, pupilonrolltableid AS table_id,
               addressesonrollorderseqcolumn AS place, concat_ws(', ', {_ADDRESS_LINES}) AS lines, postcode,
               uniquepropertyreferencenumber AS uprn
        FROM {{raw_addressesonroll}}
        UNION ALL
        SELECT raw_row_id, extracted_at, scope, true, pupilonrolltableid, addressesorderseqcolumn,
               concat_ws(', ', {_ADDRESS_LINES}), postcode, uniquepropertyreferencenumber
        FROM {{raw_addresses}}
        UNION ALL
        SELECT raw_row_id, extracted_at, scope, false, pupilnolongeronrolltableid, addressesoffrollorderseqcolumn,
               '', postcode, uniquepropertyreferencenumber
        FROM {{raw_addressesoffroll}}
    )
    SELECT p.source_person_id, p.census_day, g.raw_row_id, g.extracted_at, nullif(g.lines, '') AS address,
           read_postcode(g.postcode) AS postcode,
           ltrim(regexp_extract(tidy(g.uprn), '^([0-9]+)([.]0+)?$', 1), '0') AS uprn,
           dense_rank() OVER (
               PARTITION BY p.source_person_id ORDER BY p.census_day DESC, p.on_roll DESC
           ) AS term_rank,
           row_number() OVER (
               PARTITION BY p.source_person_id
               ORDER BY p.census_day DESC, p.on_roll DESC, try_cast(g.place AS INT), g.raw_row_id
           ) AS rank
    FROM given g
    JOIN {{person}} p ON p.scope = g.scope AND p.on_roll = g.on_roll AND p.table_id = tidy(g.table_id)
    WHERE g.lines <> '' OR tidy(g.postcode) IS NOT NULL OR tidy(g.uprn) IS NOT NULL"""

# Ethnicity is collected in spring only: the latest term that gives one counts.
_PERSON_RECORD = """
    WITH latest_ethnicity AS (
        SELECT source_person_id, arg_min(ethnicity, recency) AS ethnicity
        FROM {person} WHERE ethnicity IS NOT NULL GROUP BY source_person_id
    )
    SELECT r.lineage, p.source_person_id, 'child' AS role,
           p.forename AS given_names, p.surname AS family_name, p.born AS birth_date,
           CASE WHEN p.born IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision,
           CASE WHEN p.born IS NULL THEN p.dob END AS birth_date_text,
           as_sex_dfe(left(p.sex, 1)) AS sex, p.sex AS sex_source_code,
           as_ethnicity_dfe(e.ethnicity) AS ethnicity, e.ethnicity AS ethnicity_source_code,
           p.upn, h.postcode,
           list_filter([
               CASE WHEN p.dob IS NULL THEN 'no_birth_date' WHEN p.born IS NULL THEN 'bad_birth_date' END,
               CASE WHEN p.sex IS NOT NULL AND as_sex_dfe(left(p.sex, 1)) IS NULL THEN 'unmapped_sex' END,
               CASE WHEN e.ethnicity IS NOT NULL AND as_ethnicity_dfe(e.ethnicity) IS NULL
                    THEN 'unmapped_ethnicity' END,
               CASE WHEN p.upn_is = 'invalid' THEN 'invalid_upn' END,
               CASE WHEN is_pseudo_postcode(h.postcode) THEN 'pseudo_postcode'
                    WHEN NOT is_postcode(h.postcode) THEN 'bad_postcode' END
           ], x -> x IS NOT NULL) AS flags,
           p.census_day AS recorded_at
    FROM {person} p
    JOIN {lineages} r ON r.raw_row_id = p.raw_row_id
    LEFT JOIN {lived} h ON h.source_person_id = p.source_person_id AND h.rank = 1
    LEFT JOIN latest_ethnicity e ON e.source_person_id = p.source_person_id
    WHERE p.recency = 1"""

# A name of another term that differs is a former one, or, where the pupil has since left, one known by later.
_NAMES = """
    WITH said AS (
        SELECT source_person_id, raw_row_id, recency, census_day, 'current' AS kind, forename AS given_names,
               surname AS family_name
        FROM {person}
        UNION ALL
        SELECT source_person_id, raw_row_id, recency, census_day, 'preferred', forename, preferredsurname
        FROM {person} WHERE preferredsurname IS NOT NULL
        UNION ALL
        SELECT source_person_id, raw_row_id, recency, census_day, 'former', forename, formersurname
        FROM {person} WHERE formersurname IS NOT NULL
        UNION ALL
        SELECT source_person_id, raw_row_id, recency, census_day, 'middle', middlenames, surname
        FROM {person} WHERE middlenames IS NOT NULL
    ),
    distinctly AS (
        SELECT source_person_id, kind, min(recency) AS recency
        FROM said WHERE given_names IS NOT NULL OR family_name IS NOT NULL
        GROUP BY source_person_id, kind, lower(given_names), lower(family_name)
    )
    SELECT r.lineage, d.source_person_id, d.given_names, d.family_name,
           CASE WHEN d.kind <> 'current' OR d.recency = 1 THEN d.kind
                WHEN d.census_day > p.census_day THEN 'alias' ELSE 'former' END AS kind
    FROM distinctly
    JOIN said d USING (source_person_id, kind, recency)
    JOIN {person} p ON p.source_person_id = d.source_person_id AND p.recency = 1
    JOIN {lineages} r ON r.raw_row_id = d.raw_row_id
    WHERE d.kind <> 'preferred' OR lower(d.family_name) IS DISTINCT FROM lower(p.surname)"""

# ULN: ten digits, the weighted sum (10 to 1) modulo 11 is 10, docs/sources.md 1.1.
_IDENTIFIERS = """
    WITH claimed AS (
        SELECT source_person_id, recency, 'upn' AS scheme, upn AS value FROM {person} WHERE upn IS NOT NULL
        UNION ALL
        SELECT source_person_id, recency, 'former_upn', formerupn FROM {person} WHERE formerupn IS NOT NULL
        UNION ALL
        SELECT source_person_id, recency, 'uln', uniquelearnernumber FROM {person} WHERE uniquelearnernumber IS NOT NULL
    ),
    distinctly AS (
        SELECT source_person_id, scheme, value, min(recency) AS recency
        FROM claimed GROUP BY source_person_id, scheme, value
    )
    SELECT r.lineage, d.source_person_id, d.scheme, d.value,
           CASE WHEN d.scheme = 'upn' THEN p.upn_is
                WHEN d.scheme = 'former_upn' THEN upn_status(d.value)
                WHEN length(d.value) = 10 AND regexp_full_match(d.value, '[1-9][0-9]+')
                     AND list_sum(list_transform(
                             range(1, 11), i -> (11 - i) * try_cast(substr(d.value, i, 1) AS INT)
                         )) % 11 = 10
                THEN 'stated' ELSE 'invalid' END AS status
    FROM distinctly d
    JOIN {person} p USING (source_person_id, recency)
    JOIN {lineages} r ON r.raw_row_id = p.raw_row_id"""

# Driven by the pupil, because a new term makes an earlier home a previous one; the lineage is the address's own row.
_PERSON_ADDRESSES = """
    WITH distinctly AS (
        SELECT * FROM {lived}
        QUALIFY row_number() OVER (PARTITION BY source_person_id, lower(address), postcode ORDER BY rank) = 1
    )
    SELECT struct_pack(source_key := r.lineage.source_key, raw_row_id := d.raw_row_id, extracted_at := d.extracted_at)
               AS lineage,
           d.source_person_id, CASE WHEN d.term_rank = 1 THEN 'home' ELSE 'previous' END AS kind, d.address,
           d.postcode, nullif(d.uprn, '') AS uprn, d.census_day AS recorded_at
    FROM distinctly d
    JOIN {person} p ON p.source_person_id = d.source_person_id AND p.recency = 1
    JOIN {lineages} r ON r.raw_row_id = p.raw_row_id"""

# One stay of a pupil at a school: told by the latest row that speaks of it, and of one term by the row that says the
# pupil left. A stay that only a row on roll tells is open as of that census day.
_STAY = """
    SELECT source_person_id, raw_row_id, school, entered, departed, on_roll, census_day, ncyear, enrolstatus,
           row_number() OVER (
               PARTITION BY source_person_id, school, entered ORDER BY census_day DESC, on_roll, raw_row_id DESC
           ) AS telling,
           row_number() OVER (PARTITION BY source_person_id, school, entered ORDER BY recency) AS entry_telling
    FROM {person}"""

_ENROLMENTS = """
    SELECT r.lineage, s.source_person_id, 'enrolment' AS kind, s.entered AS started_on, s.departed AS ended_on,
           concat_ws(
               ', ',
               CASE WHEN s.on_roll THEN 'On roll at the census of ' || strftime(s.census_day, '%-d %B %Y')
                    ELSE 'Left, said the census of ' || strftime(s.census_day, '%-d %B %Y') END,
               'school ' || s.school,
               'year ' || s.ncyear,
               CASE upper(s.enrolstatus) WHEN 'M' THEN 'main of two schools' WHEN 'S' THEN 'second of two schools'
                    WHEN 'F' THEN 'at college' WHEN 'O' THEN 'at another provider' END
           ) AS detail,
           upper(s.enrolstatus) AS source_code,
           concat_ws('/', s.source_person_id, coalesce(s.school, '-'), coalesce(s.entered::VARCHAR, 'unknown')) AS ref,
           s.census_day AS recorded_at
    FROM {stay} s
    JOIN {lineages} r ON r.raw_row_id = s.raw_row_id
    WHERE s.telling = 1"""

_ENROLLED = """
    SELECT r.lineage, s.source_person_id, 'enrolled' AS event_type, s.entered AS occurred_from,
           'day' AS occurred_precision, 'fact' AS statement_kind,
           concat_ws(' ', 'Joined', coalesce('school ' || s.school, 'a school')) AS title,
           concat_ws('/', s.source_person_id, coalesce(s.school, '-'), s.entered::VARCHAR) AS ref
    FROM {stay} s
    JOIN {lineages} r ON r.raw_row_id = s.raw_row_id
    WHERE s.entry_telling = 1 AND s.entered IS NOT NULL"""

_LEFT = """
    WITH leaving AS (
        SELECT * FROM {person} WHERE departed IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY source_person_id, school, departed ORDER BY recency) = 1
    )
    SELECT r.lineage, s.source_person_id, 'left' AS event_type, s.departed AS occurred_from,
           'day' AS occurred_precision, 'fact' AS statement_kind,
           concat_ws(' ', 'Left', coalesce('school ' || s.school, 'a school')) AS title,
           concat_ws('/', s.source_person_id, coalesce(s.school, '-'), s.departed::VARCHAR) AS ref
    FROM leaving s
    JOIN {lineages} r ON r.raw_row_id = s.raw_row_id"""

# What the census says of a pupil each term without a date becomes a span over the census days on which it was said: it
# starts on the first of them and, once something else is said, ends on the last. The code for "no" ends a span and
# makes none; so does English as first language.
_STATES = """
    WITH meaning(column_name, code, kind, words) AS (
        VALUES
            ('senprovision', 'K', 'sen_provision', 'SEN support'),
            ('senprovision', 'E', 'sen_provision', 'Education, health and care plan'),
            ('senprovision', 'S', 'sen_provision', 'Statement of special educational needs'),
            ('senprovision', 'A', 'sen_provision', 'School action'),
            ('senprovision', 'P', 'sen_provision', 'School action plus'),
            ('youngcarer', 'P', 'young_carer', 'Young carer, says the parent or guardian'),
            ('youngcarer', 'S', 'young_carer', 'Young carer, says the school'),
            ('plaa', 'A', 'previously_looked_after', 'Looked after before, then adopted'),
            ('plaa', 'G', 'previously_looked_after', 'Looked after before, then special guardianship order'),
            ('plaa', 'R', 'previously_looked_after', 'Looked after before, then residence order'),
            ('plaa', 'C', 'previously_looked_after', 'Looked after before, then child arrangements order'),
            ('plaa', 'O', 'previously_looked_after', 'Adopted from care abroad'),
            ('servicechild', 'Y', 'service_child', 'Child of a member of the armed forces'),
            ('servicechild', 'YES', 'service_child', 'Child of a member of the armed forces'),
            ('boarder', 'B', 'boarder', 'Boards at school'),
            ('boarder', '6', 'boarder', 'Boards at school, up to six nights a week'),
            ('boarder', '7', 'boarder', 'Boards at school, seven nights a week')
    ),
    coded AS (
        SELECT source_person_id, raw_row_id, recency, census_day, column_name, upper(code) AS code
        FROM (
            FROM (
                SELECT source_person_id, raw_row_id, recency, census_day, senprovision, youngcarer, plaa, servicechild,
                       boarder, language
                FROM {person} WHERE on_roll
            )
            UNPIVOT (code FOR column_name IN (senprovision, youngcarer, plaa, servicechild, boarder, language))
        )
    ),
    -- Most pupils are never anything but "no" and "English": they have no history to work out.
    remarkable AS (
        SELECT DISTINCT c.source_person_id, c.column_name
        FROM coded c LEFT JOIN meaning m ON m.column_name = c.column_name AND m.code = c.code
        WHERE m.code IS NOT NULL OR (c.column_name = 'language' AND c.code NOT IN ('ENG', 'ENB'))
    ),
    told AS (
        SELECT * FROM coded SEMI JOIN remarkable USING (source_person_id, column_name)
        QUALIFY row_number() OVER (PARTITION BY source_person_id, column_name, census_day ORDER BY recency) = 1
    ),
    turned AS (
        SELECT *, code IS DISTINCT FROM lag(code) OVER (
            PARTITION BY source_person_id, column_name ORDER BY census_day
        ) AS turns
        FROM told
    ),
    stretched AS (
        SELECT *, count(*) FILTER (turns) OVER (
                   PARTITION BY source_person_id, column_name ORDER BY census_day
               ) AS stretch,
               max(census_day) OVER (PARTITION BY source_person_id, column_name) AS last_told
        FROM turned
    ),
    state AS (
        SELECT source_person_id, column_name, code, stretch, min(census_day) AS since,
               CASE WHEN max(census_day) < any_value(last_told) THEN max(census_day) END AS until,
               arg_min(raw_row_id, recency) AS raw_row_id
        FROM stretched GROUP BY source_person_id, column_name, code, stretch
    )
    SELECT r.lineage, s.source_person_id, coalesce(m.kind, 'first_language') AS kind, s.since AS started_on,
           s.until AS ended_on, coalesce(m.words, 'First language ' || s.code || ' (DfE code)') AS detail,
           s.code AS source_code, concat_ws('/', s.source_person_id, s.column_name, s.code, s.since::VARCHAR) AS ref
    FROM state s
    JOIN {lineages} r ON r.raw_row_id = s.raw_row_id
    LEFT JOIN meaning m ON m.column_name = s.column_name AND m.code = s.code
    WHERE m.code IS NOT NULL OR (s.column_name = 'language' AND s.code NOT IN ('ENG', 'ENB'))"""

# The same period comes again every term; the latest term knows whether it ended.
_FREE_MEALS = f"""
    WITH period AS (
        SELECT raw_row_id, extracted_at, scope, pupilonrolltableid AS table_id, fsmstartdate, fsmenddate, ukcountry
        FROM {{raw_fsmperiod}}
        UNION ALL
        SELECT raw_row_id, extracted_at, scope, pupilonrolltableid, fsmstartdate, fsmenddate, ukcountry
        FROM {{raw_fsmperiodsonroll}}
    ),
    latest AS (
        SELECT p.source_person_id, p.census_day, f.raw_row_id, f.extracted_at, tidy(f.ukcountry) AS country,
               read_date_as(f.fsmstartdate, {_DATES}) AS began, read_date_as(f.fsmenddate, {_DATES}) AS ended
        FROM period f
        JOIN {{person}} p ON p.on_roll AND p.scope = f.scope AND p.table_id = tidy(f.table_id)
        QUALIFY row_number() OVER (
            PARTITION BY p.source_person_id, began ORDER BY p.census_day DESC, f.raw_row_id DESC
        ) = 1
    )
    SELECT struct_pack(source_key := r.lineage.source_key, raw_row_id := l.raw_row_id, extracted_at := l.extracted_at)
               AS lineage,
           l.source_person_id, 'free_school_meals' AS kind, l.began AS started_on, l.ended AS ended_on,
           'Free school meals' AS detail, l.country AS source_code,
           concat_ws('/', l.source_person_id, 'fsm', coalesce(l.began::VARCHAR, 'unknown')) AS ref,
           l.census_day AS recorded_at
    FROM latest l
    JOIN {{person}} p ON p.source_person_id = l.source_person_id AND p.recency = 1
    JOIN {{lineages}} r ON r.raw_row_id = p.raw_row_id"""

_EXCLUSION_REASONS = {
    "PP": "physical assault against a pupil",
    "PA": "physical assault against an adult",
    "VP": "verbal abuse or threatening behaviour against a pupil",
    "VA": "verbal abuse or threatening behaviour against an adult",
    "OW": "use or threat of use of an offensive weapon or prohibited item",
    "BU": "bullying",
    "RA": "racist abuse",
    "LG": "abuse against sexual orientation or gender identity",
    "DS": "abuse relating to disability",
    "SM": "sexual misconduct",
    "DA": "drug and alcohol related",
    "DM": "damage",
    "TH": "theft",
    "DB": "persistent disruptive behaviour",
    "MT": "inappropriate use of social media or online technology",
    "PH": "wilful and repeated transgression of protective measures in place to protect public health",
    "OT": "other (old code)",
}  # docs/sources.md 4.4


def _map(words: Mapping[str, str]) -> str:
    """An SQL map from code to words."""
    keys, values = (", ".join(f"'{text}'" for text in texts) for texts in (words, words.values()))
    return f"MAP([{keys}], [{values}])"


def _exclusions(on_roll: bool) -> Output:
    """One event per suspension or exclusion. A session is half a day; permanent exclusions have no length."""
    roll, pupil = _roll(on_roll)
    sql = f"""
    WITH told AS (
        SELECT r.*, tidy(r.{pupil}) AS table_id, upper(tidy(r.category)) AS code,
               try_cast(tidy(r.sessions) AS DOUBLE) AS half_days,
               array_to_string(list_transform(
                   list_filter([tidy(reason1), tidy(reason2), tidy(reason3)], x -> x IS NOT NULL),
                   x -> coalesce(map_extract_value({_map(_EXCLUSION_REASONS)}, upper(x)), x)
               ), '; ') AS reasons
        FROM {{rows}} r
    )
    SELECT t.lineage, coalesce(p.source_person_id, t.table_id) AS source_person_id,
           CASE t.code WHEN 'PERM' THEN 'permanent_exclusion' ELSE 'suspension' END AS event_type,
           t.code AS source_code, 'DfE exclusion category' AS source_code_system,
           read_date_as(t.startdate, {_DATES}) AS occurred_from,
           CASE WHEN read_date_as(t.startdate, {_DATES}) IS NULL THEN 'unknown' ELSE 'day' END AS occurred_precision,
           'fact' AS statement_kind,
           concat_ws(
               '',
               CASE t.code WHEN 'PERM' THEN 'Permanently excluded from school' WHEN 'LNCH' THEN 'Excluded at lunchtimes'
                    WHEN 'SUSP' THEN 'Suspended from school' WHEN 'FIXD' THEN 'Suspended from school'
                    ELSE 'Suspension or exclusion' END,
               CASE WHEN t.half_days > 0 AND t.code IS DISTINCT FROM 'PERM'
                    THEN ' for ' || printf('%g', t.half_days / 2) || ' school days' END,
               ': ' || nullif(t.reasons, '')
           ) AS title,
           t.lineage.source_key AS ref
    FROM told t
    LEFT JOIN {{person}} p ON {"" if on_roll else "NOT "}p.on_roll AND p.scope = t.scope AND p.table_id = t.table_id"""
    return Output("event", f"termlyexclusions{roll}", sql)


# Persistent absence is missing a tenth of the possible sessions, severe absence half of them (DfE).
_PERSISTENT, _SEVERE = 0.1, 0.5


def _absences(details: str, possible: str, period: str, on_roll: bool) -> Output:
    """One event per pupil and term who missed a tenth or more; the counts themselves are no events.

    Undated: the census says how often, not when; the term looked back on lies before the census day.
    """
    roll, pupil = _roll(on_roll)
    sql = f"""
    WITH counted AS (
        SELECT arg_min(r.lineage, r.row_number) AS lineage, r.scope, tidy(r.{pupil}) AS table_id,
               sum(try_cast(tidy(r.sessions) AS DOUBLE)) FILTER (
                   as_attendance_meaning(r.attendancereason) IN ('authorised', 'unauthorised')) AS missed,
               coalesce(sum(try_cast(tidy(r.sessions) AS DOUBLE)) FILTER (
                   as_attendance_meaning(r.attendancereason) = 'unauthorised'), 0) AS unauthorised
        FROM {{rows}} r GROUP BY r.scope, tidy(r.{pupil})
    )
    SELECT c.lineage, p.source_person_id,
           CASE WHEN c.missed >= {_SEVERE} * try_cast(p.{possible} AS DOUBLE) THEN 'severe_absence'
                ELSE 'persistent_absence' END AS event_type,
           'unknown' AS occurred_precision, 'system_derived' AS statement_kind,
           printf('Missed %.0f of %.0f school sessions in {period} (%.0f unauthorised), census of ',
                  c.missed, try_cast(p.{possible} AS DOUBLE), c.unauthorised)
               || strftime(p.census_day, '%-d %B %Y') AS title,
           p.census_day AS recorded_at, concat_ws('/', c.scope, c.table_id, '{details}') AS ref
    FROM counted c
    JOIN {{person}} p ON {"" if on_roll else "NOT "}p.on_roll AND p.scope = c.scope AND p.table_id = c.table_id
    WHERE c.missed >= {_PERSISTENT} * try_cast(p.{possible} AS DOUBLE)"""
    return Output("event", f"{details}{roll}", sql, unit=("scope", pupil))


_SEN_TYPES = {
    "SPLD": "specific learning difficulty",
    "MLD": "moderate learning difficulty",
    "SLD": "severe learning difficulty",
    "PMLD": "profound and multiple learning difficulty",
    "SEMH": "social, emotional and mental health",
    "SLCN": "speech, language and communication",
    "HI": "hearing impairment",
    "VI": "vision impairment",
    "MSI": "multi-sensory impairment",
    "PD": "physical disability",
    "ASD": "autistic spectrum disorder",
    "DS": "Down syndrome",
    "OTH": "other",
    "NSA": "no specialist assessment of the kind yet",
}  # docs/sources.md 2.5


def _sen_needs() -> Output:
    """Each need is a span over the census days on which it was said, as with the other states of a pupil."""
    sql = f"""
    WITH need AS (
        SELECT r.lineage, coalesce(p.source_person_id, tidy(r.pupilonrolltableid)) AS source_person_id, p.census_day,
               coalesce(upper(tidy(r.sentype)), 'not given') AS code,
               try_cast(try_cast(tidy(r.sentyperank) AS DOUBLE) AS INT) AS place
        FROM {{rows}} r
        LEFT JOIN {{person}} p ON p.on_roll AND p.scope = r.scope AND p.table_id = tidy(r.pupilonrolltableid)
    ),
    told AS (SELECT *, max(census_day) OVER (PARTITION BY source_person_id) AS last_told FROM need)
    SELECT arg_max(lineage, census_day) AS lineage, source_person_id, 'sen_need' AS kind, min(census_day) AS started_on,
           CASE WHEN max(census_day) < any_value(last_told) THEN max(census_day) END AS ended_on,
           'Special educational need: ' || coalesce(map_extract_value({_map(_SEN_TYPES)}, code), code)
               || CASE arg_max(place, census_day) WHEN 1 THEN ' (main need)' ELSE '' END AS detail,
           code AS source_code, concat_ws('/', source_person_id, code) AS ref
    FROM told GROUP BY source_person_id, code"""
    return Output("span", "senneeds", sql, unit=("pupilonrolltableid",))


def _alternative_provision(on_roll: bool) -> Output:
    """One span per placement the school arranged elsewhere; the latest term knows whether it ended."""
    roll, pupil = _roll(on_roll)
    sql = f"""
    WITH placement AS (
        SELECT r.*, coalesce(p.source_person_id, tidy(r.{pupil})) AS source_person_id, p.census_day,
               coalesce(tidy(r.urn), tidy(r.ukprn), tidy(r.companynumber), '-') AS place,
               read_date_as(r.entrydate, {_DATES}) AS began, read_date_as(r.leavingdate, {_DATES}) AS ended
        FROM {{rows}} r
        LEFT JOIN {{person}} p
          ON {"" if on_roll else "NOT "}p.on_roll AND p.scope = r.scope AND p.table_id = tidy(r.{pupil})
        QUALIFY row_number() OVER (
            PARTITION BY coalesce(p.source_person_id, tidy(r.{pupil})), place, began
            ORDER BY p.census_day DESC, r.row_number DESC
        ) = 1
    )
    SELECT lineage, source_person_id, 'alternative_provision' AS kind, began AS started_on, ended AS ended_on,
           concat_ws(
               ', ', 'Placed elsewhere by the school', 'place ' || nullif(place, '-'), 'kind ' || tidy(apsettingtype),
               'reason ' || tidy(placementreason), tidy(apsessionsperweek) || ' sessions a week'
           ) AS detail,
           upper(tidy(placementreason)) AS source_code, census_day AS recorded_at,
           concat_ws('/', source_person_id, place, coalesce(began::VARCHAR, 'unknown')) AS ref
    FROM placement"""
    return Output("span", f"schoolarrangedapdetail{roll}", sql, unit=(pupil,))


def _roll(on_roll: bool) -> tuple[str, str]:
    """How tables of pupils on roll, or no longer on roll, end, and their column that names the pupil's row."""
    return ("onroll", "pupilonrolltableid") if on_roll else ("offroll", "pupilnolongeronrolltableid")


def _of_every_pupil(table: str, sql: str) -> Iterator[Output]:
    """An output driven by both tables of pupils.

    The unit must hold all rows of a person, or two terms would speak for one person. Rows with one NativeId are one
    person, or one school where it holds a code of the school; rows without NativeId are one person by the row's id.
    """
    for reads, own_id in (("pupilonroll", "pupilonrolltableid"), ("pupilnolongeronroll", "pupilnolongeronrolltableid")):
        yield Output(table, reads, sql, unit=("nativeid",), where="nativeid IS NOT NULL")
        yield Output(table, reads, sql, unit=(own_id,), where="nativeid IS NULL")


def conform(options: Mapping[str, Any]) -> list[Output | Lookup]:
    """What a term's tables become. Tables not read here (funding, classes, post-16 learning…) stay in raw."""
    outputs: list[Output | Lookup] = [
        Lookup("person", _PERSON),
        Lookup("lived", _LIVED),
        Lookup("stay", _STAY),
        *_of_every_pupil("person_record", _PERSON_RECORD),
        *_of_every_pupil("person_name", _NAMES),
        *_of_every_pupil("person_identifier", _IDENTIFIERS),
        *_of_every_pupil("person_address", _PERSON_ADDRESSES),
        *_of_every_pupil("span", _ENROLMENTS),
        *_of_every_pupil("span", _STATES),
        *_of_every_pupil("span", _FREE_MEALS),
        *_of_every_pupil("event", _ENROLLED),
        *_of_every_pupil("event", _LEFT),
        _sen_needs(),
    ]
    for on_roll in (True, False):
        outputs += [
            _exclusions(on_roll),
            _absences("termlysessiondetails", "termlysessionspossible", "the previous term", on_roll),
            _absences(
                "summerhalfterm2sessiondetails",
                "summerhalfterm2sessionspossible",
                "the second half of the summer term",
                on_roll,
            ),
            _alternative_provision(on_roll),
        ]
    return outputs


def scope(options: Mapping[str, Any]) -> str:
    """The delivery a set speaks for: year and term of its census day, such as 2024-autumn."""
    year, term = str(options.get("year", "")), str(options.get("term", "")).lower()
    if term not in _TERMS or not (year.isdecimal() and len(year) == 4):
        raise ValueError(
            f"school.census needs term ({', '.join(_TERMS)}) and year (of the census day, four digits); "
            f"found term {term!r}, year {year!r}"
        )
    return f"{year}-{term}"


FEED = Feed(
    agency="school",
    name="census",
    title="School Census (COLLECT tables of one term)",
    format="csv",
    tables=TABLES,
    conform=conform,
    delivery="full",
    expect="termly",
    unit="set",
    options=(
        Option("term", "Term of the census: autumn, spring or summer", required=True),
        Option("year", "Year of the census day, such as 2024 for autumn 2024", required=True),
    ),
    scope=scope,
)

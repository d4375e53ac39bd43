"""The Standard Safeguarding Dataset (docs/sources.md 3.5): what a council's case system says, by SQL, whole every night.

What lives here: what its tables become in the common model. Which columns they have is ssd_tables.py.
Dates are ISO; codes are those of the DfE returns. The dataset has no column for when something was written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Feed, Output
from connectors.social_care import codes
from connectors.social_care.codes import in_words
from connectors.social_care.said import (
    UNDATED,
    Event,
    Span,
    coded_list,
    comments,
    events,
    flags_in_words,
    iso,
    spans,
    zz_date,
)
from connectors.social_care.ssd_tables import TABLES
from warehouse.quoting import literal

# --- Who they are ---------------------------------------------------------------------------------------------------

# Mothers of known children are in ssd_person too. One of age is an adult; one under 18 is a child first; one without a
# birth date may be either. Everybody else is a child or care leaver: who would be 25 or more has a mistyped birth date.
PERSON = Output(
    "person_record",
    "ssd_person",
    """
    SELECT
        tidy(pers_person_id) AS source_person_id,
        CASE
            WHEN read_flag(pers_is_mother) AND read_iso_date(pers_dob) <= extracted_at::DATE - INTERVAL 18 YEAR
                THEN 'adult'
            WHEN read_flag(pers_is_mother) AND read_iso_date(pers_dob) IS NULL THEN 'unknown'
            ELSE 'child'
        END AS role,
        tidy(pers_forename) AS given_names,
        tidy(pers_surname) AS family_name,
        read_iso_date(pers_dob) AS birth_date,
        CASE WHEN read_iso_date(pers_dob) IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision,
        CASE WHEN read_iso_date(pers_dob) IS NULL THEN tidy(pers_dob) END AS birth_date_text,
        read_iso_date(pers_expected_dob) AS expected_birth_date,
        read_iso_date(pers_death_date) AS death_date,
        as_sex_dfe(pers_sex) AS sex,
        tidy(pers_sex) AS sex_source_code,
        as_ethnicity_dfe(pers_ethnicity) AS ethnicity,
        tidy(pers_ethnicity) AS ethnicity_source_code,
        replace(compact(pers_common_child_id), '-', '') AS nhs_number,
        list_filter([
            CASE WHEN tidy(pers_sex) IS NOT NULL AND as_sex_dfe(pers_sex) IS NULL THEN 'unmapped_sex' END,
            CASE WHEN tidy(pers_ethnicity) IS NOT NULL AND as_ethnicity_dfe(pers_ethnicity) IS NULL
                THEN 'unmapped_ethnicity' END,
            CASE WHEN tidy(pers_dob) IS NOT NULL AND read_iso_date(pers_dob) IS NULL THEN 'bad_birth_date' END,
            CASE WHEN tidy(pers_dob) IS NULL AND tidy(pers_expected_dob) IS NULL THEN 'no_birth_date' END,
            CASE
                WHEN read_iso_date(pers_dob) = DATE '1900-01-01' OR read_iso_date(pers_dob) > extracted_at::DATE
                    THEN 'implausible_birth_date'
                WHEN read_iso_date(pers_dob) <= extracted_at::DATE - INTERVAL 25 YEAR
                    AND read_flag(pers_is_mother) IS DISTINCT FROM true THEN 'implausible_birth_date'
            END,
            CASE WHEN NOT is_nhs_number(tidy(pers_common_child_id)) THEN 'invalid_nhs_number' END,
            CASE WHEN is_nhs_number(tidy(pers_common_child_id)) AND is_test_nhs_number(tidy(pers_common_child_id))
                THEN 'test_nhs_number' END
        ], lambda flag: flag IS NOT NULL) AS flags,
        lineage
    FROM {rows}
    """,
)

NAME = Output(
    "person_name",
    "ssd_person",
    """
    SELECT
        tidy(pers_person_id) AS source_person_id,
        'current' AS kind,
        tidy(pers_forename) AS given_names,
        tidy(pers_surname) AS family_name,
        lineage
    FROM {rows}
    WHERE tidy(pers_forename) IS NOT NULL OR tidy(pers_surname) IS NOT NULL
    """,
)

_NHS_STATUS = """CASE
                    WHEN NOT is_nhs_number(tidy({column})) THEN 'invalid'
                    WHEN is_test_nhs_number(tidy({column})) THEN 'test'
                    ELSE 'stated'
                END"""


def _nhs_status(column: str) -> str:
    return _NHS_STATUS.replace("{column}", column)


# The LA child ID is one space of ids within a council: 903, CIN and Annex A carry the same one.
IDENTIFIERS = Output(
    "person_identifier",
    "ssd_person",
    f"""
    SELECT source_person_id, given.scheme AS scheme, given.value AS value, given.status AS status, lineage
    FROM (
        SELECT
            tidy(pers_person_id) AS source_person_id,
            unnest([
                struct_pack(scheme := 'la_child_id', value := compact(pers_person_id), status := 'stated'),
                struct_pack(scheme := 'legacy_la_child_id', value := compact(pers_legacy_id), status := 'stated'),
                struct_pack(
                    scheme := 'nhs_number',
                    value := replace(compact(pers_common_child_id), '-', ''),
                    status := {_nhs_status("pers_common_child_id")}
                )
            ]) AS given,
            lineage
        FROM {{rows}}
    )
    WHERE given.value IS NOT NULL
    """,
)

# Types are free text in the dataset. One we do not know keeps its name as its scheme.
LINKED_IDENTIFIERS = Output(
    "person_identifier",
    "ssd_linked_identifiers",
    f"""
    SELECT
        tidy(link_person_id) AS source_person_id,
        scheme,
        replace(compact(link_identifier_value), '-', '') AS value,
        CASE scheme
            WHEN 'upn' THEN upn_status(link_identifier_value)
            WHEN 'former_upn' THEN upn_status(link_identifier_value)
            WHEN 'nhs_number' THEN {_nhs_status("link_identifier_value")}
            ELSE 'stated'
        END AS status,
        read_iso_date(link_valid_from_date) AS valid_from,
        read_iso_date(link_valid_to_date) AS valid_to,
        lineage
    FROM (
        SELECT
            *,
            CASE
                WHEN link_identifier_type ILIKE '%pupil%' OR compact(link_identifier_type) LIKE '%UPN%'
                    THEN CASE
                        WHEN regexp_matches(link_identifier_type, '(?i)former|previous|old') THEN 'former_upn'
                        ELSE 'upn'
                    END
                WHEN link_identifier_type ILIKE '%nhs%' THEN 'nhs_number'
                WHEN link_identifier_type ILIKE '%learner%' OR compact(link_identifier_type) = 'ULN' THEN 'uln'
                WHEN link_identifier_type ILIKE '%national insurance%' THEN 'nino'
                WHEN link_identifier_type ILIKE '%home office%' THEN 'home_office'
                WHEN link_identifier_type ILIKE '%case number%' AND link_identifier_type NOT ILIKE '%court%'
                    THEN 'legacy_la_child_id'
                ELSE coalesce(regexp_replace(lower(tidy(link_identifier_type)), '[^a-z0-9]+', '_', 'g'), 'unnamed')
            END AS scheme
        FROM {{rows}}
    )
    WHERE tidy(link_person_id) IS NOT NULL
        AND compact(link_identifier_value) IS NOT NULL
        AND NOT (scheme IN ('upn', 'former_upn') AND regexp_full_match(compact(link_identifier_value), 'UN[0-9]'))
    """,
)

SEND_IDENTIFIERS = Output(
    "person_identifier",
    "ssd_send",
    """
    SELECT source_person_id, given.scheme AS scheme, given.value AS value, given.status AS status, lineage
    FROM (
        SELECT
            tidy(send_person_id) AS source_person_id,
            unnest([
                struct_pack(scheme := 'upn', value := compact(send_upn), status := upn_status(send_upn)),
                struct_pack(scheme := 'uln', value := compact(send_uln), status := 'stated')
            ]) AS given,
            lineage
        FROM {rows}
    )
    WHERE source_person_id IS NOT NULL
        AND given.value IS NOT NULL
        AND NOT regexp_full_match(given.value, 'UN[0-9]')
    """,
)


def _part(*names: str) -> str:
    """SQL: one part of the address, whatever case and name the council's script gave it."""
    paths = ", ".join(
        f"tidy(json_extract_string(parts, '$.{spelling}'))" for name in names for spelling in (name, name.lower())
    )
    return f"coalesce({paths})"


# Number and street belong together; a bare flat number needs its word. A text that is no JSON is the address itself.
ADDRESSES = Output(
    "person_address",
    "ssd_address",
    f"""
    SELECT
        source_person_id,
        CASE
            WHEN is_pseudo_postcode(tidy(addr_address_postcode)) OR address ILIKE '%no fixed abode%'
                THEN 'no_fixed_abode'
            WHEN addr_address_type ILIKE '%plac%' THEN 'placement'
            WHEN addr_address_type ILIKE '%temp%' THEN 'temporary'
            WHEN addr_address_type ILIKE '%prev%' OR addr_address_type ILIKE '%former%' THEN 'previous'
            WHEN valid_to <= extracted_at::DATE THEN 'previous'
            ELSE 'home'
        END AS kind,
        address,
        read_postcode(tidy(addr_address_postcode)) AS postcode,
        nullif(ltrim(uprn, '0'), '') AS uprn,
        valid_from,
        valid_to,
        lineage
    FROM (
        SELECT
            *,
            CASE WHEN parts IS NULL THEN tidy(addr_address_json) ELSE nullif(concat_ws(', ',
                {_part("ROOM")},
                {_part("FLOOR")},
                regexp_replace({_part("FLAT")}, '^([0-9]+[A-Za-z]?)$', 'Flat \\1'),
                {_part("BUILDING")},
                nullif(concat_ws(' ', {_part("HOUSE", "HOUSE_NUM", "HOUSE_NUMBER")}, {_part("STREET")}), ''),
                {_part("LOCALITY")},
                {_part("TOWN")},
                {_part("COUNTY")}
            ), '') END AS address,
            {_part("UPRN")} AS uprn
        FROM (
            SELECT
                tidy(addr_person_id) AS source_person_id,
                addr_address_type,
                addr_address_json,
                addr_address_postcode,
                TRY_CAST(addr_address_json AS JSON) AS parts,
                read_iso_date(addr_address_start_date) AS valid_from,
                read_iso_date(addr_address_end_date) AS valid_to,
                extracted_at,
                lineage
            FROM {{rows}}
            WHERE tidy(addr_person_id) IS NOT NULL
        )
    )
    WHERE address IS NOT NULL OR tidy(addr_address_postcode) IS NOT NULL
    """,
)

PLACEMENT_ADDRESSES = Output(
    "person_address",
    "ssd_cla_placement",
    """
    SELECT
        tidy(clap_person_id) AS source_person_id,
        'placement' AS kind,
        read_postcode(tidy(clap_cla_placement_postcode)) AS postcode,
        read_iso_date(clap_cla_placement_start_date) AS valid_from,
        read_iso_date(clap_cla_placement_end_date) AS valid_to,
        lineage
    FROM {rows}
    WHERE tidy(clap_person_id) IS NOT NULL AND tidy(clap_cla_placement_postcode) IS NOT NULL
    """,
)

# Told from both sides, so that each of the two finds the other.
MOTHERS = Output(
    "relationship",
    "ssd_mother",
    """
    SELECT
        tidy(moth_childs_person_id) AS source_person_id,
        '{feed}:' || tidy(moth_person_id) AS other_record_id,
        'mother' AS relationship,
        'ssd_mother' AS source_code,
        lineage
    FROM {rows}
    WHERE tidy(moth_childs_person_id) IS NOT NULL AND tidy(moth_person_id) IS NOT NULL
    UNION ALL BY NAME
    SELECT
        tidy(moth_person_id) AS source_person_id,
        '{feed}:' || tidy(moth_childs_person_id) AS other_record_id,
        'child' AS relationship,
        'ssd_mother' AS source_code,
        lineage
    FROM {rows}
    WHERE tidy(moth_childs_person_id) IS NOT NULL AND tidy(moth_person_id) IS NOT NULL
    """,
)

# A family says who belongs together, not how, nor that they share a home. A "family" of more than thirty is a default
# value of the case system, and its pairs would be noise by the thousand: its rows stay in the raw table.
FAMILIES = Output(
    "relationship",
    "ssd_family",
    """
    WITH member AS (
        SELECT DISTINCT ON (family, person) family, person, lineage
        FROM (SELECT tidy(fami_family_id) AS family, tidy(fami_person_id) AS person, row_number, lineage FROM {rows})
        WHERE family IS NOT NULL AND person IS NOT NULL
        ORDER BY family, person, row_number
    )
    SELECT
        one.person AS source_person_id,
        '{feed}:' || other.person AS other_record_id,
        'family_member' AS relationship,
        one.family AS source_code,
        one.lineage AS lineage
    FROM member AS one
    JOIN member AS other ON other.family = one.family AND other.person <> one.person
    WHERE one.family IN (SELECT family FROM member GROUP BY family HAVING count(*) <= 30)
    """,
    unit=("fami_family_id",),
)

DEATHS = events(
    "ssd_person",
    "pers_person_id",
    Event(
        "death",
        iso("pers_death_date"),
        ref="'ssd_person/' || tidy(pers_person_id) || '/death'",
        title="'Died'",
        where="tidy(pers_death_date) IS NOT NULL",
    ),
)

DISABILITIES = spans(
    "ssd_disability",
    "disa_person_id",
    Span(
        "disability",
        "NULL::DATE",
        "NULL::DATE",
        ref="'ssd_disability/' || tidy(disa_table_id)",
        detail=in_words("disa_disability_code", codes.DISABILITY),
        source_code="disa_disability_code",
        where="tidy(disa_disability_code) IS NOT NULL",
    ),
)

IMMIGRATION = spans(
    "ssd_immigration_status",
    "immi_person_id",
    Span(
        "immigration_status",
        "read_iso_date(immi_immigration_status_start_date)",
        "read_iso_date(immi_immigration_status_end_date)",
        ref="'ssd_immigration_status/' || tidy(immi_immigration_status_id)",
        detail="tidy(immi_immigration_status)",
        source_code="immi_immigration_status",
    ),
)

# Answers may be from a scale or in the child's own words; both are the child's. The dataset does not say when.
_ANSWERS = {
    "voch_explained_worries": "My worker explained what they are worried about",
    "voch_story_help_understand": "Telling my story helped me understand",
    "voch_agree_worker": "I agree with my worker about what needs to change",
    "voch_plan_safe": "My plan helps to keep me safe",
    "voch_tablet_help_explain": "Using the tablet helped me explain",
}
_VOICE = "concat_ws(chr(10), {})".format(
    ", ".join(f"{literal(question + ': ')} || told({column})" for column, question in _ANSWERS.items())
)
VOICES = events(
    "ssd_voice_of_child",
    "voch_person_id",
    Event(
        "voice_of_child",
        UNDATED,
        ref="'ssd_voice_of_child/' || tidy(voch_table_id)",
        title="'The child''s own answers about the help they get'",
        where=f"{_VOICE} <> ''",
        statement_kind="child_voice",
        columns={"narrative": _VOICE, "quoted_words": _VOICE, "subject_role": "'subject'"},
    ),
)

# --- The front door --------------------------------------------------------------------------------------------------


_SOURCES = {"1C": "the person themselves", "9": "somebody anonymous", "10": "somebody not known"}


def _from_source(code: str, description: str) -> str:
    named = " ".join(f"WHEN {literal(key)} THEN {literal(words)}" for key, words in _SOURCES.items())
    known = f"as_referral_source({code}), tidy({description}), tidy({code}), 'somebody not named'"
    return f"CASE upper(tidy({code})) {named} ELSE coalesce({known}) END"


# Family, neighbours and the anonymous speak about others: third party. Whether a professional told what they saw or
# what they think the dataset does not say: mixed.
CONTACTS = events(
    "ssd_contacts",
    "cont_person_id",
    Event(
        "contact",
        iso("cont_contact_date"),
        ref="'ssd_contacts/' || tidy(cont_contact_id)",
        title=f"'Contact from ' || {_from_source('cont_contact_source_code', 'cont_contact_source_desc')}",
        statement_kind_sql=(
            "CASE WHEN upper(tidy(cont_contact_source_code)) IN ('1A', '1B', '1D', '9')"
            " THEN 'third_party' ELSE 'mixed' END"
        ),
        columns={
            "source_code": "tidy(cont_contact_source_code)",
            "source_code_system": "'DfE CIN referral source'",
            "narrative": comments("cont_contact_outcome_json"),
            "outcome": flags_in_words("cont_contact_outcome_json"),
            "reported_by_role": _from_source("cont_contact_source_code", "cont_contact_source_desc"),
        },
    ),
)

EARLY_HELP = events(
    "ssd_early_help_episodes",
    "earl_person_id",
    Event(
        "early_help",
        iso("earl_episode_start_date"),
        ref="'ssd_early_help_episodes/' || tidy(earl_episode_id)",
        title="concat_ws(': ', 'Early help', tidy(earl_episode_reason))",
        columns={
            "occurred_to": iso("earl_episode_end_date").read,
            "outcome": "tidy(earl_episode_end_reason)",
            "reported_by_role": "tidy(earl_episode_organisation)",
        },
    ),
)
EARLY_HELP_SPANS = spans(
    "ssd_early_help_episodes",
    "earl_person_id",
    Span(
        "early_help",
        "read_iso_date(earl_episode_start_date)",
        "read_iso_date(earl_episode_end_date)",
        ref="'ssd_early_help_episodes/' || tidy(earl_episode_id)",
        detail="nullif(concat_ws(', ', tidy(earl_episode_reason), tidy(earl_episode_organisation)), '')",
    ),
)

_NFA = "CASE WHEN read_flag({}) THEN 'no further action' END"


def _outcome(json_column: str, nfa: str) -> str:
    """SQL: the outcome flags in words; the column for no further action counts as one of them."""
    return f"coalesce({flags_in_words(json_column)}, {_NFA.format(nfa)})"


REFERRALS = events(
    "ssd_cin_episodes",
    "cine_person_id",
    Event(
        "referral",
        iso("cine_referral_date"),
        ref="'ssd_cin_episodes/' || tidy(cine_referral_id)",
        title=(
            f"concat_ws(': ', 'Referral from ' || "
            f"{_from_source('cine_referral_source_code', 'cine_referral_source_desc')}"
            ", coalesce(as_need(cine_cin_primary_need_code), tidy(cine_cin_primary_need_code)))"
        ),
        columns={
            "source_code": "tidy(cine_referral_source_code)",
            "source_code_system": "'DfE CIN referral source'",
            "narrative": comments("cine_referral_outcome_json"),
            "outcome": _outcome("cine_referral_outcome_json", "cine_referral_nfa"),
            "reported_by_role": _from_source("cine_referral_source_code", "cine_referral_source_desc"),
        },
    ),
    Event(
        "case_closed",
        iso("cine_close_date"),
        ref="'ssd_cin_episodes/' || tidy(cine_referral_id) || '/closed'",
        title=f"concat_ws(': ', 'Case closed', {in_words('cine_close_reason', codes.CLOSURE)})",
        where="read_iso_date(cine_close_date) IS NOT NULL",
        columns={
            "source_code": "tidy(cine_close_reason)",
            "source_code_system": "'DfE CIN reason for closure'",
            "outcome": in_words("cine_close_reason", codes.CLOSURE),
        },
    ),
)
CIN_EPISODES = spans(
    "ssd_cin_episodes",
    "cine_person_id",
    Span(
        "cin_episode",
        "read_iso_date(cine_referral_date)",
        "read_iso_date(cine_close_date)",
        ref="'ssd_cin_episodes/' || tidy(cine_referral_id)",
        detail="coalesce(as_need(cine_cin_primary_need_code), tidy(cine_cin_primary_need_code))",
        source_code="cine_cin_primary_need_code",
    ),
)

_CHILD_PRESENT = "CASE read_flag({}) WHEN true THEN 'Y' WHEN false THEN 'N' ELSE 'NK' END"

# Factors stand in a table of their own that names the assessment, not the child.
_FACTORS = coded_list("cinf_assessment_factors_json", codes.ASSESSMENT_FACTORS)
_ASSESSMENTS = f"""
    SELECT assessment.*, found.factors AS factors
    FROM {{rows}} AS assessment
    LEFT JOIN (
        SELECT
            tidy(cinf_assessment_id) AS assessment_id,
            string_agg({_FACTORS}, ', ' ORDER BY cinf_table_id) AS factors
        FROM {{raw_ssd_assessment_factors}}
        GROUP BY ALL
    ) AS found ON found.assessment_id = tidy(assessment.cina_assessment_id)"""
ASSESSMENTS = events(
    "ssd_cin_assessments",
    "cina_person_id",
    Event(
        "assessment_start",
        iso("cina_assessment_start_date"),
        ref="'ssd_cin_assessments/' || tidy(cina_assessment_id) || '/start'",
        title="'Assessment began'",
        columns={"child_present": _CHILD_PRESENT.format("cina_assessment_child_seen")},
    ),
    Event(
        "assessment_complete",
        iso("cina_assessment_auth_date"),
        ref="'ssd_cin_assessments/' || tidy(cina_assessment_id) || '/complete'",
        title="concat_ws(': ', 'Assessment complete', factors)",
        where="read_iso_date(cina_assessment_auth_date) IS NOT NULL",
        statement_kind="professional_opinion",
        columns={
            "narrative": (
                "nullif(concat_ws(chr(10), 'Factors found: ' || factors, "
                f"{comments('cina_assessment_outcome_json')}), '')"
            ),
            "outcome": _outcome("cina_assessment_outcome_json", "cina_assessment_outcome_nfa"),
            "child_present": _CHILD_PRESENT.format("cina_assessment_child_seen"),
            "reported_by_role": "'social worker'",
        },
    ),
    source=_ASSESSMENTS,
)

CIN_PLANS = events(
    "ssd_cin_plans",
    "cinp_person_id",
    Event(
        "cin_plan_start",
        iso("cinp_cin_plan_start_date"),
        ref="'ssd_cin_plans/' || tidy(cinp_cin_plan_id) || '/start'",
        title="'Child in need plan began'",
    ),
    Event(
        "cin_plan_end",
        iso("cinp_cin_plan_end_date"),
        ref="'ssd_cin_plans/' || tidy(cinp_cin_plan_id) || '/end'",
        title="'Child in need plan ended'",
        where="read_iso_date(cinp_cin_plan_end_date) IS NOT NULL",
    ),
)
CIN_PLAN_SPANS = spans(
    "ssd_cin_plans",
    "cinp_person_id",
    Span(
        "child_in_need_plan",
        "read_iso_date(cinp_cin_plan_start_date)",
        "read_iso_date(cinp_cin_plan_end_date)",
        ref="'ssd_cin_plans/' || tidy(cinp_cin_plan_id)",
        detail="'child in need plan'",
    ),
)


def _visits(table: str, prefix: str, key: str, person: str, title: str, *, bedroom: bool) -> Output:
    """Visits of the three kinds differ in their prefix alone; who was seen is the point of them."""
    seen = {
        f"{prefix}_visit_seen": ("child seen", "child not seen"),
        f"{prefix}_visit_seen_alone": ("seen alone", "not seen alone"),
    } | ({f"{prefix}_visit_bedroom": ("bedroom seen", "bedroom not seen")} if bedroom else {})
    words = ", ".join(
        f"CASE read_flag({column}) WHEN true THEN '{yes}' WHEN false THEN '{no}' END"
        for column, (yes, no) in seen.items()
    )
    return events(
        table,
        person,
        Event(
            "visit",
            iso(f"{prefix}_visit_date"),
            ref=f"'{table}/' || tidy({key})",
            title=f"concat_ws(': ', '{title}', nullif(concat_ws(', ', {words}), ''))",
            columns={
                "child_present": _CHILD_PRESENT.format(f"{prefix}_visit_seen"),
                "reported_by_role": "'social worker'",
            },
        ),
    )


CIN_VISITS = _visits(
    "ssd_cin_visits", "cinv_cin", "cinv_cin_visit_id", "cinv_person_id", "Child in need visit", bedroom=True
)

# --- Protection ------------------------------------------------------------------------------------------------------

ENQUIRIES = events(
    "ssd_s47_enquiry",
    "s47e_person_id",
    Event(
        "strategy_discussion",
        iso("s47e_s47_start_date"),
        ref="'ssd_s47_enquiry/' || tidy(s47e_s47_enquiry_id)",
        title="'Strategy discussion, section 47 enquiry began'",
        columns={
            "occurred_to": iso("s47e_s47_end_date").read,
            "narrative": comments("s47e_s47_outcome_json"),
            "outcome": _outcome("s47e_s47_outcome_json", "s47e_s47_nfa"),
        },
    ),
)
ENQUIRY_SPANS = spans(
    "ssd_s47_enquiry",
    "s47e_person_id",
    Span(
        "section_47_enquiry",
        "read_iso_date(s47e_s47_start_date)",
        "read_iso_date(s47e_s47_end_date)",
        ref="'ssd_s47_enquiry/' || tidy(s47e_s47_enquiry_id)",
        detail=_outcome("s47e_s47_outcome_json", "s47e_s47_nfa"),
    ),
)

_CONFERENCE_RESULT = (
    "CASE read_flag(icpc_icpc_outcome_cp_flag)"
    " WHEN true THEN 'child protection plan' WHEN false THEN 'no child protection plan' END"
)
CONFERENCES = events(
    "ssd_initial_cp_conference",
    "icpc_person_id",
    Event(
        "icpc",
        iso("icpc_icpc_date"),
        ref="'ssd_initial_cp_conference/' || tidy(icpc_icpc_id)",
        title=(
            "concat_ws(': ', CASE"
            " WHEN tidy(icpc_icpc_date) IS NULL THEN 'Initial child protection conference not yet held'"
            " WHEN read_flag(icpc_icpc_transfer_in) THEN 'Child protection conference on moving here'"
            f" ELSE 'Initial child protection conference' END, {_CONFERENCE_RESULT})"
        ),
        columns={
            "narrative": comments("icpc_icpc_outcome_json"),
            "outcome": f"coalesce({flags_in_words('icpc_icpc_outcome_json')}, {_CONFERENCE_RESULT})",
        },
    ),
)


def _abuse(column: str) -> str:
    return f"coalesce(as_abuse_category({column}), tidy({column}))"


_ELSEWHERE = "CASE WHEN read_flag(cppl_cp_plan_ola) THEN 'held by another council' END"
PLANS = events(
    "ssd_cp_plans",
    "cppl_person_id",
    Event(
        "cpp_start",
        iso("cppl_cp_plan_start_date"),
        ref="'ssd_cp_plans/' || tidy(cppl_cp_plan_id) || '/start'",
        title=(
            "concat_ws(', ', concat_ws(': ', 'Child protection plan began', "
            f"{_abuse('cppl_cp_plan_initial_category')}), {_ELSEWHERE})"
        ),
        columns={
            "source_code": "tidy(cppl_cp_plan_initial_category)",
            "source_code_system": "'DfE CIN category of abuse'",
        },
    ),
    Event(
        "cpp_end",
        iso("cppl_cp_plan_end_date"),
        ref="'ssd_cp_plans/' || tidy(cppl_cp_plan_id) || '/end'",
        title=f"concat_ws(': ', 'Child protection plan ended', {_abuse('cppl_cp_plan_latest_category')})",
        where="read_iso_date(cppl_cp_plan_end_date) IS NOT NULL",
        columns={
            "source_code": "tidy(cppl_cp_plan_latest_category)",
            "source_code_system": "'DfE CIN category of abuse'",
        },
    ),
)
PLAN_SPANS = spans(
    "ssd_cp_plans",
    "cppl_person_id",
    Span(
        "child_protection_plan",
        "read_iso_date(cppl_cp_plan_start_date)",
        "read_iso_date(cppl_cp_plan_end_date)",
        ref="'ssd_cp_plans/' || tidy(cppl_cp_plan_id)",
        detail=(
            f"nullif(concat_ws(', ', coalesce({_abuse('cppl_cp_plan_latest_category')}, "
            f"{_abuse('cppl_cp_plan_initial_category')}), {_ELSEWHERE}), '')"
        ),
        source_code="coalesce(tidy(cppl_cp_plan_latest_category), cppl_cp_plan_initial_category)",
    ),
)

CP_VISITS = _visits(
    "ssd_cp_visits", "cppv_cp", "cppv_cp_visit_id", "cppv_person_id", "Child protection visit", bedroom=True
)


def _took_part(column: str) -> str:
    return f"coalesce(as_review_participation({column}), tidy({column}))"


# PN1 to PN4: the child was in the room; PN0 is a child under four, of whom the code says nothing.
_AT_REVIEW = (
    "CASE WHEN upper(tidy({0})) IN ('PN1', 'PN2', 'PN3', 'PN4') THEN 'Y'"
    " WHEN upper(tidy({0})) IN ('PN5', 'PN6', 'PN7') THEN 'N' ELSE 'NK' END"
)
CP_REVIEWS = events(
    "ssd_cp_reviews",
    "cppr_person_id",
    Event(
        "cpp_review",
        iso("cppr_cp_review_date"),
        ref="'ssd_cp_reviews/' || tidy(cppr_cp_review_id)",
        title=f"concat_ws(': ', 'Child protection review', {_took_part('cppr_cp_review_participation')})",
        where="tidy(cppr_cp_review_date) IS NOT NULL",
        columns={
            "source_code": "tidy(cppr_cp_review_participation)",
            "source_code_system": "'DfE review participation'",
            "child_present": _AT_REVIEW.format("cppr_cp_review_participation"),
            "outcome": (
                "nullif(concat_ws(', ', CASE read_flag(cppr_cp_review_outcome_continue_cp)"
                " WHEN true THEN 'plan goes on' WHEN false THEN 'plan to end' END,"
                " CASE WHEN NOT read_flag(cppr_cp_review_quorate) THEN 'not quorate' END), '')"
            ),
        },
    ),
)

_PROCEEDINGS = {
    "prep_pre_pro_decision_date": ("decision", "Decision to begin pre-proceedings", "prep_legal_gateway_outcome"),
    "prep_pre_pro_letter_date": ("letter", "Letter before proceedings sent", "NULL"),
    "prep_initial_pre_pro_meeting_date": ("meeting", "First pre-proceedings meeting", "NULL"),
    "prep_agree_stepdown_issue_date": ("outcome", "Pre-proceedings: agreed what comes next", "prep_pre_pro_outcome"),
    "prep_care_pro_letter_date": ("issue", "Care proceedings: letter of issue sent", "prep_proc_short_notice_reason"),
}
PROCEEDINGS = events(
    "ssd_pre_proceedings",
    "prep_person_id",
    *(
        Event(
            "pre_proceedings",
            iso(column),
            ref=f"'ssd_pre_proceedings/' || tidy(prep_table_id) || '/{step}'",
            title=f"concat_ws(': ', {literal(title)}, tidy({words}))",
            where=f"tidy({column}) IS NOT NULL",
            columns={"source_code": literal(column), "outcome": f"tidy({words})"},
        )
        for column, (step, title, words) in _PROCEEDINGS.items()
    ),
)

# --- Looked after ----------------------------------------------------------------------------------------------------

# What kind of placement it is stands in another table. The episode says that and why it changed.
_EPISODES = """
    SELECT episode.*, placement.kind AS placement_kind
    FROM {rows} AS episode
    LEFT JOIN (
        SELECT
            tidy(clap_cla_placement_id) AS placement_id,
            max(coalesce(as_placement(clap_cla_placement_type), tidy(clap_cla_placement_type))) AS kind
        FROM {raw_ssd_cla_placement}
        GROUP BY ALL
    ) AS placement ON placement.placement_id = tidy(episode.clae_cla_placement_id)"""
_EPISODE_REASON = in_words("clae_cla_episode_start_reason", codes.EPISODE_REASON)
_ENDED = "coalesce(as_care_ends(clae_cla_episode_ceased_reason), tidy(clae_cla_episode_ceased_reason))"
EPISODES = events(
    "ssd_cla_episodes",
    "clae_person_id",
    Event(
        "cla_start",
        iso("clae_cla_episode_start_date"),
        ref="'ssd_cla_episodes/' || tidy(clae_cla_episode_id) || '/start'",
        title=(
            "concat_ws(': ', 'Started to be looked after', nullif(concat_ws('; ', placement_kind,"
            " coalesce(as_need(clae_cla_primary_need_code), tidy(clae_cla_primary_need_code))), ''))"
        ),
        where="upper(tidy(clae_cla_episode_start_reason)) = 'S'",
        columns={
            "source_code": "tidy(clae_cla_episode_start_reason)",
            "source_code_system": "'SSDA903 RNE'",
        },
    ),
    Event(
        "placement_change",
        iso("clae_cla_episode_start_date"),
        ref="'ssd_cla_episodes/' || tidy(clae_cla_episode_id) || '/start'",
        title="concat_ws(': ', 'Placement changed', placement_kind)",
        where="upper(tidy(clae_cla_episode_start_reason)) IN ('P', 'T', 'B', 'U')",
        columns={
            "source_code": "tidy(clae_cla_episode_start_reason)",
            "source_code_system": "'SSDA903 RNE'",
            "narrative": _EPISODE_REASON,
        },
    ),
    # A change of legal status alone; what it changed to stands in ssd_legal_status.
    Event(
        "legal_status_change",
        iso("clae_cla_episode_start_date"),
        ref="'ssd_cla_episodes/' || tidy(clae_cla_episode_id) || '/start'",
        title="'Legal status changed'",
        where="upper(tidy(clae_cla_episode_start_reason)) = 'L'",
        columns={
            "source_code": "tidy(clae_cla_episode_start_reason)",
            "source_code_system": "'SSDA903 RNE'",
        },
    ),
    Event(
        "cla_end",
        iso("clae_cla_episode_ceased_date"),
        ref="'ssd_cla_episodes/' || tidy(clae_cla_episode_id) || '/end'",
        title=f"'Stopped being looked after: ' || {_ENDED}",
        where="upper(tidy(clae_cla_episode_ceased_reason)) <> 'X1'",
        columns={
            "source_code": "tidy(clae_cla_episode_ceased_reason)",
            "source_code_system": "'SSDA903 REC'",
            "outcome": _ENDED,
        },
    ),
    source=_EPISODES,
)

# One span for the whole time in care. It is open while its last episode is, and after X1: the next one is to come.
LOOKED_AFTER = Output(
    "span",
    "ssd_cla_episodes",
    """
    WITH episode AS (
        SELECT
            tidy(clae_person_id) AS person,
            coalesce(tidy(clae_cla_id), 'entered ' || tidy(clae_entered_care_date), 'unnumbered') AS spell,
            read_iso_date(clae_cla_episode_start_date) AS started,
            upper(tidy(clae_cla_episode_start_reason)) = 'S' AS is_first,
            read_iso_date(clae_cla_episode_ceased_date) AS ceased,
            upper(tidy(clae_cla_episode_ceased_reason)) AS ceased_reason,
            read_iso_date(clae_entered_care_date) AS entered,
            tidy(clae_cla_primary_need_code) AS need,
            lineage
        FROM {rows}
        WHERE tidy(clae_person_id) IS NOT NULL
    ),
    spell AS (
        SELECT
            person,
            spell,
            coalesce(min(entered), min(started) FILTER (WHERE is_first)) AS began,
            last(CASE WHEN ceased_reason <> 'X1' THEN ceased END ORDER BY started, ceased NULLS LAST) AS ended,
            last(need ORDER BY started, ceased NULLS LAST) AS need,
            last(lineage ORDER BY started, ceased NULLS LAST) AS lineage
        FROM episode
        GROUP BY person, spell
    )
    SELECT
        person AS source_person_id,
        'looked_after/' || spell AS ref,
        'looked_after' AS kind,
        began AS started_on,
        ended AS ended_on,
        coalesce(as_need(need), need) AS detail,
        need AS source_code,
        began AS valid_from,
        ended AS valid_to,
        lineage
    FROM spell
    """,
    unit=("clae_person_id",),
)

PLACEMENTS = spans(
    "ssd_cla_placement",
    "clap_person_id",
    Span(
        "placement",
        "read_iso_date(clap_cla_placement_start_date)",
        "read_iso_date(clap_cla_placement_end_date)",
        ref="'ssd_cla_placement/' || tidy(clap_cla_placement_id)",
        detail=(
            "nullif(concat_ws(', ', coalesce(as_placement(clap_cla_placement_type), tidy(clap_cla_placement_type)), "
            f"{in_words('clap_cla_placement_provider', codes.PROVIDER)}, "
            f"'ended: ' || {in_words('clap_cla_placement_change_reason', codes.PLACE_CHANGE)}), '')"
        ),
        source_code="clap_cla_placement_type",
    ),
)

LEGAL_STATUSES = events(
    "ssd_legal_status",
    "lega_person_id",
    Event(
        "legal_status_change",
        iso("lega_legal_status_start_date"),
        ref="'ssd_legal_status/' || tidy(lega_legal_status_id)",
        title="concat_ws(': ', 'Legal status', coalesce(as_legal_status(lega_legal_status), tidy(lega_legal_status)))",
        columns={"source_code": "tidy(lega_legal_status)", "source_code_system": "'SSDA903 LS'"},
    ),
)
LEGAL_STATUS_SPANS = spans(
    "ssd_legal_status",
    "lega_person_id",
    Span(
        "legal_status",
        "read_iso_date(lega_legal_status_start_date)",
        "read_iso_date(lega_legal_status_end_date)",
        ref="'ssd_legal_status/' || tidy(lega_legal_status_id)",
        detail="coalesce(as_legal_status(lega_legal_status), tidy(lega_legal_status))",
        source_code="lega_legal_status",
    ),
)

# A review names the time in care, and that names the child.
CLA_REVIEWS = events(
    "ssd_cla_reviews",
    "person",
    Event(
        "cla_review",
        iso("clar_cla_review_date"),
        ref="'ssd_cla_reviews/' || tidy(clar_cla_review_id)",
        title=f"concat_ws(': ', 'Looked-after review', {_took_part('clar_cla_review_participation')})",
        where="tidy(clar_cla_review_date) IS NOT NULL AND read_flag(clar_cla_review_cancelled) IS DISTINCT FROM true",
        columns={
            "source_code": "tidy(clar_cla_review_participation)",
            "source_code_system": "'DfE review participation'",
            "child_present": _AT_REVIEW.format("clar_cla_review_participation"),
        },
    ),
    source="""
    SELECT review.*, spell.person AS person
    FROM {rows} AS review
    JOIN (
        SELECT tidy(clae_cla_id) AS cla_id, min(tidy(clae_person_id)) AS person
        FROM {raw_ssd_cla_episodes}
        GROUP BY ALL
        HAVING count(DISTINCT tidy(clae_person_id)) = 1
    ) AS spell ON spell.cla_id = tidy(review.clar_cla_id)""",
)

CLA_VISITS = _visits(
    "ssd_cla_visits", "clav_cla", "clav_cla_visit_id", "clav_person_id", "Looked-after visit", bedroom=False
)

CONVICTIONS = events(
    "ssd_cla_convictions",
    "clac_person_id",
    Event(
        "conviction",
        iso("clac_cla_conviction_date"),
        ref="'ssd_cla_convictions/' || tidy(clac_cla_conviction_id)",
        title="concat_ws(': ', 'Convicted', tidy(clac_cla_conviction_offence))",
    ),
)

HEALTH_CHECKS = events(
    "ssd_cla_health",
    "clah_person_id",
    Event(
        "health_check",
        iso("clah_health_check_date"),
        ref="'ssd_cla_health/' || tidy(clah_health_check_id)",
        title="concat_ws(': ', coalesce(tidy(clah_health_check_type), 'Health check'), tidy(clah_health_check_status))",
        columns={"source_code": "tidy(clah_health_check_type)", "outcome": "tidy(clah_health_check_status)"},
    ),
)

IMMUNISATIONS = events(
    "ssd_cla_immunisations",
    "clai_person_id",
    Event(
        "immunisation_status",
        iso("clai_immunisations_status_date"),
        ref="'ssd_cla_immunisations/' || tidy(clai_person_id)",
        title=f"'Looked after: ' || {in_words('clai_immunisations_status', codes.IMMUNISATION)}",
        where="tidy(clai_immunisations_status) IS NOT NULL",
        columns={"source_code": "tidy(clai_immunisations_status)"},
    ),
)

SUBSTANCE_MISUSE = events(
    "ssd_cla_substance_misuse",
    "clas_person_id",
    Event(
        "substance_misuse",
        iso("clas_substance_misuse_date"),
        ref="'ssd_cla_substance_misuse/' || tidy(clas_substance_misuse_id)",
        title="concat_ws(': ', 'Substance misuse', tidy(clas_substance_misused))",
        statement_kind="professional_opinion",
        columns={
            "action_taken": (
                "CASE read_flag(clas_intervention_received) WHEN true THEN 'help received'"
                " WHEN false THEN 'no help received' END"
            )
        },
    ),
)

PREVIOUS_PERMANENCE = events(
    "ssd_cla_previous_permanence",
    "lapp_person_id",
    Event(
        "previous_permanence",
        zz_date("lapp_previous_permanence_order_date", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y"),
        ref="'ssd_cla_previous_permanence/' || tidy(lapp_table_id)",
        title=(
            "concat_ws(': ', 'Had found permanence before care', "
            f"{in_words('lapp_previous_permanence_option', codes.PREVIOUS_PERMANENCE)})"
        ),
        where="upper(tidy(lapp_previous_permanence_option)) IS DISTINCT FROM 'Z1'",
        columns={
            "source_code": "tidy(lapp_previous_permanence_option)",
            "source_code_system": "'SSDA903 PREV_PERM'",
            "narrative": "'Council: ' || tidy(lapp_previous_permanence_la)",
        },
    ),
)

CARE_PLANS = spans(
    "ssd_cla_care_plan",
    "lacp_person_id",
    Span(
        "care_plan",
        "read_iso_date(lacp_cla_care_plan_start_date)",
        "read_iso_date(lacp_cla_care_plan_end_date)",
        ref="'ssd_cla_care_plan/' || tidy(lacp_table_id)",
        detail=(
            f"nullif(concat_ws('; ', {flags_in_words('lacp_cla_care_plan_json')}, "
            f"{comments('lacp_cla_care_plan_json')}), '')"
        ),
    ),
)

SDQ = events(
    "ssd_sdq_scores",
    "csdq_person_id",
    Event(
        "sdq",
        iso("csdq_sdq_completed_date"),
        ref="'ssd_sdq_scores/' || tidy(csdq_table_id)",
        title=(
            "CASE WHEN tidy(csdq_sdq_score) IS NOT NULL"
            " THEN 'Strengths and difficulties questionnaire: score ' || tidy(csdq_sdq_score)"
            " ELSE concat_ws(': ', 'Strengths and difficulties questionnaire: no score', tidy(csdq_sdq_reason)) END"
        ),
        columns={
            "source_code": "tidy(csdq_sdq_reason)",
            "risk_scheme": "CASE WHEN tidy(csdq_sdq_score) IS NOT NULL THEN 'SDQ total difficulties, 0 to 40' END",
            "risk_value": "tidy(csdq_sdq_score)",
        },
    ),
)

# The same word as in the 903, whose Missing file tells the same episodes.
MISSING = events(
    "ssd_missing",
    "miss_person_id",
    Event(
        "missing_from_care",
        iso("miss_missing_episode_start_date"),
        ref="'ssd_missing/' || tidy(miss_table_id)",
        title=(
            "CASE WHEN upper(tidy(miss_missing_episode_type)) = 'A' THEN 'Away from placement without authorisation'"
            " ELSE 'Missing' END"
        ),
        columns={
            "source_code": "tidy(miss_missing_episode_type)",
            "source_code_system": "'SSDA903 MISSING'",
            "occurred_to": iso("miss_missing_episode_end_date").read,
            "action_taken": (
                "CASE WHEN NOT read_flag(miss_missing_rhi_offered) THEN 'no return home interview offered'"
                " WHEN read_flag(miss_missing_rhi_accepted) THEN 'return home interview offered and accepted'"
                " WHEN NOT read_flag(miss_missing_rhi_accepted) THEN 'return home interview offered, not accepted'"
                " WHEN read_flag(miss_missing_rhi_offered) THEN 'return home interview offered' END"
            ),
        },
    ),
)
MISSING_SPANS = spans(
    "ssd_missing",
    "miss_person_id",
    Span(
        "missing",
        "read_iso_date(miss_missing_episode_start_date)",
        "read_iso_date(miss_missing_episode_end_date)",
        ref="'ssd_missing/' || tidy(miss_table_id)",
        detail=in_words("miss_missing_episode_type", codes.MISSING),
        source_code="miss_missing_episode_type",
    ),
)

CARE_LEAVERS = events(
    "ssd_care_leavers",
    "clea_person_id",
    Event(
        "care_leaver_contact",
        iso("clea_care_leaver_latest_contact"),
        ref="'ssd_care_leavers/' || tidy(clea_table_id)",
        title=f"concat_ws(': ', 'Care leaver', {in_words('clea_care_leaver_in_touch', codes.IN_TOUCH)})",
        columns={
            "source_code": "tidy(clea_care_leaver_in_touch)",
            "source_code_system": "'SSDA903 IN_TOUCH'",
            "narrative": (
                "nullif(concat_ws(chr(10), "
                f"'Accommodation: ' || {in_words('clea_care_leaver_accommodation', codes.ACCOMMODATION)}, "
                "CASE read_flag(clea_care_leaver_accom_suitable) WHEN true THEN 'Accommodation suitable: yes'"
                " WHEN false THEN 'Accommodation suitable: no' END, "
                f"'Activity: ' || {in_words('clea_care_leaver_activity', codes.ACTIVITY)}, "
                "'Eligibility: ' || tidy(clea_care_leaver_eligibility), "
                "'Pathway plan reviewed: ' || tidy(clea_pathway_plan_review_date)), '')"
            ),
        },
    ),
)

_PERMANENCE = {
    "perm_adm_decision_date": ("adoption_decision", "Decision that the child should be placed for adoption"),
    "perm_ffa_cp_decision_date": ("adoption_decision", "Decision for fostering for adoption or concurrent planning"),
    "perm_placement_order_date": ("placement_order", "Placement order made"),
    "perm_matched_date": ("adoption_match", "Matched with adopters"),
    "perm_placed_ffa_cp_date": ("placed_for_adoption", "Placed for fostering for adoption or concurrent planning"),
    "perm_placed_for_adoption_date": ("placed_for_adoption", "Placed for adoption"),
    "perm_placed_foster_carer_date": ("permanence", "Placed with these carers as foster carers"),
}
PERMANENCE = events(
    "ssd_permanence",
    "perm_person_id",
    *(
        Event(
            kind,
            iso(column),
            ref=f"'ssd_permanence/' || tidy(perm_table_id) || '/{column.removeprefix('perm_')}'",
            title=literal(title),
            where=f"tidy({column}) IS NOT NULL",
        )
        for column, (kind, title) in _PERMANENCE.items()
    ),
    Event(
        "adoption_decision_reversed",
        iso("perm_decision_reversed_date"),
        ref="'ssd_permanence/' || tidy(perm_table_id) || '/decision_reversed_date'",
        title=(
            "concat_ws(': ', 'Decision for adoption reversed', "
            f"{in_words('perm_decision_reversed_reason', codes.NOT_PLACED)})"
        ),
        where="tidy(perm_decision_reversed_date) IS NOT NULL",
        columns={"source_code": "tidy(perm_decision_reversed_reason)"},
    ),
    Event(
        "permanence_order",
        iso("perm_permanence_order_date"),
        ref="'ssd_permanence/' || tidy(perm_table_id) || '/permanence_order_date'",
        title="concat_ws(': ', 'Order for permanence', tidy(perm_permanence_order_type))",
        where="tidy(perm_permanence_order_date) IS NOT NULL",
        columns={"source_code": "tidy(perm_permanence_order_type)"},
    ),
)

# --- Special educational needs ---------------------------------------------------------------------------------------

# These tables know the person only through each other: plan → request → ssd_send.
_REQUEST_OF = """
        SELECT tidy(request.ehcr_ehcp_request_id) AS request_id, min(tidy(send.send_person_id)) AS person
        FROM {raw_ssd_ehcp_requests} AS request
        JOIN {raw_ssd_send} AS send ON tidy(send.send_table_id) = tidy(request.ehcr_send_table_id)
        GROUP BY ALL"""

EHCP_REQUESTS = events(
    "ssd_ehcp_requests",
    "person",
    Event(
        "ehcp_request",
        iso("ehcr_ehcp_req_date"),
        ref="'ssd_ehcp_requests/' || tidy(ehcr_ehcp_request_id)",
        title="'Education, health and care plan requested'",
        columns={
            "outcome": (
                f"nullif(concat_ws(' on ', coalesce({in_words('ehcr_ehcp_req_outcome', codes.DECIDED)},"
                " CASE WHEN tidy(ehcr_ehcp_req_outcome_date) IS NOT NULL THEN 'decided' END),"
                " tidy(ehcr_ehcp_req_outcome_date)), '')"
            )
        },
    ),
    source="""
    SELECT request.*, send.person AS person
    FROM {rows} AS request
    JOIN (
        SELECT tidy(send_table_id) AS send_id, min(tidy(send_person_id)) AS person FROM {raw_ssd_send} GROUP BY ALL
    ) AS send ON send.send_id = tidy(request.ehcr_send_table_id)""",
)

EHCP_ASSESSMENTS = events(
    "ssd_ehcp_assessment",
    "person",
    Event(
        "ehcp_assessment",
        iso("ehca_ehcp_assessment_outcome_date"),
        ref="'ssd_ehcp_assessment/' || tidy(ehca_ehcp_assessment_id)",
        title="'Education, health and care assessment decided'",
        where="tidy(ehca_ehcp_assessment_outcome_date) IS NOT NULL",
        columns={
            "outcome": in_words("ehca_ehcp_assessment_outcome", codes.DECIDED),
            "narrative": "'Exception from the time limit: ' || tidy(ehca_ehcp_assessment_exceptions)",
        },
    ),
    source=f"""
    SELECT assessment.*, requested.person AS person
    FROM {{rows}} AS assessment
    JOIN ({_REQUEST_OF}
    ) AS requested ON requested.request_id = tidy(assessment.ehca_ehcp_request_id)""",
)

_PLAN_OF_CHILD = f"""
    SELECT plan.*, requested.person AS person
    FROM {{rows}} AS plan
    JOIN (
        SELECT tidy(ehca_ehcp_assessment_id) AS assessment_id, min(tidy(ehca_ehcp_request_id)) AS request_id
        FROM {{raw_ssd_ehcp_assessment}}
        GROUP BY ALL
    ) AS assessment ON assessment.assessment_id = tidy(plan.ehcn_ehcp_asmt_id)
    JOIN ({_REQUEST_OF}
    ) AS requested USING (request_id)"""
EHCP_PLANS = events(
    "ssd_ehcp_named_plan",
    "person",
    Event(
        "ehcp_start",
        iso("ehcn_named_plan_start_date"),
        ref="'ssd_ehcp_named_plan/' || tidy(ehcn_named_plan_id) || '/start'",
        title="'Education, health and care plan began'",
    ),
    Event(
        "ehcp_end",
        iso("ehcn_named_plan_ceased_date"),
        ref="'ssd_ehcp_named_plan/' || tidy(ehcn_named_plan_id) || '/end'",
        title="concat_ws(': ', 'Education, health and care plan ended', tidy(ehcn_named_plan_ceased_reason))",
        where="read_iso_date(ehcn_named_plan_ceased_date) IS NOT NULL",
        columns={"outcome": "tidy(ehcn_named_plan_ceased_reason)"},
    ),
    source=_PLAN_OF_CHILD,
)
EHCP_PLAN_SPANS = spans(
    "ssd_ehcp_named_plan",
    "person",
    Span(
        "education_health_care_plan",
        "read_iso_date(ehcn_named_plan_start_date)",
        "read_iso_date(ehcn_named_plan_ceased_date)",
        ref="'ssd_ehcp_named_plan/' || tidy(ehcn_named_plan_id)",
        detail="'education, health and care plan'",
    ),
    source=_PLAN_OF_CHILD,
)

EHCP_REVIEWS = events(
    "ssd_ehcp_active_plans",
    "person",
    Event(
        "ehcp_review",
        iso("ehcp_active_ehcp_last_review_date"),
        ref="'ssd_ehcp_active_plans/' || tidy(ehcp_active_ehcp_id)",
        title="'Education, health and care plan reviewed'",
        where="tidy(ehcp_active_ehcp_last_review_date) IS NOT NULL",
    ),
    source=f"""
    SELECT plan.*, requested.person AS person
    FROM {{rows}} AS plan
    JOIN ({_REQUEST_OF}
    ) AS requested ON requested.request_id = tidy(plan.ehcp_ehcp_request_id)""",
)

SEN_NEEDS = spans(
    "ssd_sen_need",
    "person",
    Span(
        "sen_need",
        "NULL::DATE",
        "NULL::DATE",
        ref="'ssd_sen_need/' || tidy(senn_table_id)",
        detail="concat_ws(', rank ', tidy(senn_active_ehcp_need_type), tidy(senn_active_ehcp_need_rank))",
        source_code="senn_active_ehcp_need_type",
        where="tidy(senn_active_ehcp_need_type) IS NOT NULL",
    ),
    source=f"""
    SELECT need.*, requested.person AS person
    FROM {{rows}} AS need
    JOIN (
        SELECT tidy(ehcp_active_ehcp_id) AS plan_id, min(tidy(ehcp_ehcp_request_id)) AS request_id
        FROM {{raw_ssd_ehcp_active_plans}}
        GROUP BY ALL
    ) AS plan ON plan.plan_id = tidy(need.senn_active_ehcp_id)
    JOIN ({_REQUEST_OF}
    ) AS requested USING (request_id)""",
)

# --- Who works with them ---------------------------------------------------------------------------------------------

# Every involvement is a span; only that of the worker who holds the case is an event.
_ROLE = "coalesce(lower(tidy(invo_professional_role_id)), 'professional')"
INVOLVEMENTS = events(
    "ssd_involvements",
    "invo_person_id",
    Event(
        "social_worker_change",
        iso("invo_involvement_start_date"),
        ref="'ssd_involvements/' || tidy(invo_involvements_id)",
        title=f"concat_ws(', ', 'New ' || {_ROLE}, tidy(invo_professional_team))",
        where=f"{_ROLE} LIKE '%worker%'",
        columns={
            "source_code": "tidy(invo_worker_change_reason)",
            "source_code_system": "'SSDA903 SW_REASON'",
            "narrative": (
                f"'The worker changed later: ' || {in_words('invo_worker_change_reason', codes.WORKER_CHANGE)}"
            ),
        },
    ),
)
INVOLVEMENT_SPANS = spans(
    "ssd_involvements",
    "invo_person_id",
    Span(
        "involvement",
        "read_iso_date(invo_involvement_start_date)",
        "read_iso_date(invo_involvement_end_date)",
        ref="'ssd_involvements/' || tidy(invo_involvements_id)",
        detail=f"concat_ws(', ', {_ROLE}, tidy(invo_professional_team))",
        source_code="invo_professional_role_id",
    ),
)


def conform(options: Mapping[str, Any]) -> list[Output]:
    """Every output of the dataset; it has no options that would change them."""
    return [
        PERSON,
        NAME,
        IDENTIFIERS,
        LINKED_IDENTIFIERS,
        SEND_IDENTIFIERS,
        ADDRESSES,
        PLACEMENT_ADDRESSES,
        MOTHERS,
        FAMILIES,
        DEATHS,
        DISABILITIES,
        IMMIGRATION,
        VOICES,
        CONTACTS,
        EARLY_HELP,
        EARLY_HELP_SPANS,
        REFERRALS,
        CIN_EPISODES,
        ASSESSMENTS,
        CIN_PLANS,
        CIN_PLAN_SPANS,
        CIN_VISITS,
        ENQUIRIES,
        ENQUIRY_SPANS,
        CONFERENCES,
        PLANS,
        PLAN_SPANS,
        CP_VISITS,
        CP_REVIEWS,
        PROCEEDINGS,
        EPISODES,
        LOOKED_AFTER,
        PLACEMENTS,
        LEGAL_STATUSES,
        LEGAL_STATUS_SPANS,
        CLA_REVIEWS,
        CLA_VISITS,
        CONVICTIONS,
        HEALTH_CHECKS,
        IMMUNISATIONS,
        SUBSTANCE_MISUSE,
        PREVIOUS_PERMANENCE,
        CARE_PLANS,
        SDQ,
        MISSING,
        MISSING_SPANS,
        CARE_LEAVERS,
        PERMANENCE,
        EHCP_REQUESTS,
        EHCP_ASSESSMENTS,
        EHCP_PLANS,
        EHCP_PLAN_SPANS,
        EHCP_REVIEWS,
        SEN_NEEDS,
        INVOLVEMENTS,
        INVOLVEMENT_SPANS,
    ]


FEED = Feed(
    agency="social_care",
    name="ssd",
    title="Standard Safeguarding Dataset, from the case management system",
    format="sql",
    tables=TABLES,
    conform=conform,
    delivery="full",
    expect="daily",
    unit="table",
)

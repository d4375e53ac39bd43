"""The Standard Safeguarding Dataset in a council's database: 48 tables, 359 columns (docs/sources.md 3.5).

Field names are the dataset's; meanings are our own words. Only declarations live here; what becomes of rows is ssd.py.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.contract import Column, Kind, Table
from connectors.social_care import codes
from warehouse.schema import Sensitivity

_O, _K, _I, _S, _C = (
    Sensitivity.OPERATIONAL,
    Sensitivity.KEY,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.CODED,
)


def _id(name: str, meaning: str) -> Column:
    """The identifier of the row: without it the row cannot be kept apart from others."""
    return Column(
        name, meaning, sensitivity=_K, required=True, header="required", severity="critical",
        hint="Every row needs its own identifier; run the dataset script again.",
    )  # fmt: skip


def _owner(name: str, meaning: str = "Whose row it is: pers_person_id") -> Column:
    return Column(
        name, meaning, sensitivity=_K, required=True, header="required",
        hint="Must be a pers_person_id of ssd_person; a row without one cannot be shown for any child.",
    )  # fmt: skip


def _ref(name: str, meaning: str) -> Column:
    return Column(name, meaning, sensitivity=_K)


def _date(name: str, meaning: str, *, required: bool = False, sensitivity: Sensitivity = _C) -> Column:
    return Column(
        name,
        meaning,
        Kind.DATE,
        sensitivity,
        required=required,
        hint="An ISO date, such as 2026-03-31." if required else "An ISO date, such as 2026-03-31, or nothing.",
    )


def _code(name: str, meaning: str, allowed: tuple[str, ...] | None = None, sensitivity: Sensitivity = _C) -> Column:
    hint = f"One of {', '.join(allowed)}." if allowed else ""
    return Column(name, meaning, sensitivity=sensitivity, allowed=allowed, hint=hint)


def _flag(name: str, meaning: str, sensitivity: Sensitivity = _C) -> Column:
    return _code(name, meaning, codes.YES_NO, sensitivity)


def _words(name: str, meaning: str, sensitivity: Sensitivity = _S) -> Column:
    return Column(name, meaning, sensitivity=sensitivity)


def _json(name: str, meaning: str, sensitivity: Sensitivity = _S) -> Column:
    return Column(name, meaning, Kind.JSON, sensitivity)


def _count(name: str, meaning: str, sensitivity: Sensitivity = _C) -> Column:
    return Column(name, meaning, Kind.INTEGER, sensitivity, hint="A whole number, or nothing.")


def _table(name: str, grain: str, *columns: Column, key: tuple[str, ...] = (), required: bool = False) -> Table:
    """A table of the dataset: its key is its identifier column, its owner the column that names a person.

    Without a column in which every row needs a value, a day on which something began, the whole table is not taken: it would replace
    the days that are known.
    """
    needed = [column.name for column in columns if column.header == "required"]
    owners = [name for name in needed if name.endswith("_person_id")]
    return Table(
        name,
        grain,
        key or tuple(name for name in needed if name not in owners),
        tuple(replace(column, header="required") if column.required else column for column in columns),
        owner=owners[0] if owners else None,
        required=required,
    )


_PEOPLE = (
    _table(
        "ssd_person", "one row per person known to children's social care: children, care leavers and mothers",
        _owner("pers_person_id", "The council's own identifier of the person (LA child ID), never reused"),
        _words("pers_forename", "Given names", _I),
        _words("pers_surname", "Family name", _I),
        _code("pers_sex", "Sex", codes.SEX),
        _code("pers_gender", "Gender as the person states it", sensitivity=_S),
        _code("pers_ethnicity", "Ethnicity, DfE main code", codes.ETHNICITY, _S),
        _date("pers_dob", "Date of birth", sensitivity=_I),
        Column("pers_common_child_id", "Consistent identifier of the child: the NHS number", Kind.NHS_NUMBER, _I,
               hint="Ten digits with a right check digit; look it up again, do not correct it by hand."),
        _ref("pers_legacy_id", "Identifier in the case system before this one"),
        _code("pers_upn_unknown", "Why there is no UPN", codes.UPN_UNKNOWN),
        _flag("pers_send_flag", "Has special educational needs or a disability", _S),
        _date("pers_expected_dob", "Expected date of birth of an unborn child", sensitivity=_I),
        _date("pers_death_date", "Date of death", sensitivity=_I),
        _flag("pers_is_mother", "Is the mother of a child known to social care", _S),
        _code("pers_nationality", "Nationality", sensitivity=_S),
        key=("pers_person_id",), required=True,
    ),
    _table(
        "ssd_family", "one row per person and family",
        _id("fami_table_id", "Row"),
        _ref("fami_family_id", "Family: the people who share it are recorded as one family"),
        _owner("fami_person_id"),
    ),
    _table(
        "ssd_address", "one row per address a person has or had",
        _id("addr_table_id", "Row"),
        _json("addr_address_json", "Parts of the address: room, floor, flat, building, house, street, town, UPRN", _I),
        _owner("addr_person_id"),
        _code("addr_address_type", "Kind of address as the case system names it, such as HOME"),
        _date("addr_address_start_date", "Lived there from"),
        _date("addr_address_end_date", "Lived there until"),
        Column("addr_address_postcode", "Postcode; ZZ99 means no fixed abode or not known", Kind.POSTCODE, _I),
    ),
    _table(
        "ssd_disability", "one row per person and disability",
        _owner("disa_person_id"),
        _id("disa_table_id", "Row"),
        _code("disa_disability_code", "Kind of disability", tuple(codes.DISABILITY), _S),
    ),
    _table(
        "ssd_immigration_status", "one row per immigration status a person has or had",
        _owner("immi_person_id"),
        _id("immi_immigration_status_id", "Row"),
        _code("immi_immigration_status", "Immigration status", sensitivity=_S),
        _date("immi_immigration_status_start_date", "From"),
        _date("immi_immigration_status_end_date", "Until"),
    ),
    _table(
        "ssd_mother", "one row per mother and child",
        _id("moth_table_id", "Row"),
        _ref("moth_person_id", "The mother: pers_person_id"),
        _owner("moth_childs_person_id", "The child: pers_person_id"),
        _date("moth_childs_dob", "The child's date of birth", sensitivity=_I),
    ),
    _table(
        "ssd_linked_identifiers", "one row per identifier another system knows a person by",
        _id("link_table_id", "Row"),
        _owner("link_person_id"),
        _code("link_identifier_type", "Kind of identifier, such as Unique Pupil Number"),
        _words("link_identifier_value", "The identifier", _I),
        _date("link_valid_from_date", "Valid from"),
        _date("link_valid_to_date", "Valid until"),
    ),
    _table(
        "ssd_voice_of_child", "one row per set of answers a child gave about the help they get",
        _id("voch_table_id", "Row"),
        _owner("voch_person_id"),
        _words("voch_explained_worries", "The worker explained the worries about me"),
        _words("voch_story_help_understand", "Telling my story helped me understand"),
        _words("voch_agree_worker", "I agree with my worker about what needs to change"),
        _words("voch_plan_safe", "The plan helps keep me safe"),
        _words("voch_tablet_help_explain", "Using the tablet helped me explain"),
    ),
)  # fmt: skip

_FRONT_DOOR = (
    _table(
        "ssd_contacts", "one row per contact about one person: somebody told social care something",
        _id("cont_contact_id", "Contact"),
        _owner("cont_person_id"),
        _date("cont_contact_date", "When contact was made", required=True),
        _code("cont_contact_source_code", "Who made contact", codes.REFERRAL_SOURCE),
        _words("cont_contact_source_desc", "Who made contact, in the case system's words", _C),
        _json("cont_contact_outcome_json", "Outcomes as flags, and comments"),
    ),
    _table(
        "ssd_early_help_episodes", "one row per episode of early help",
        _id("earl_episode_id", "Episode"),
        _owner("earl_person_id"),
        _date("earl_episode_start_date", "Began", required=True),
        _date("earl_episode_end_date", "Ended"),
        _words("earl_episode_reason", "Why it began"),
        _words("earl_episode_end_reason", "Why it ended"),
        _words("earl_episode_organisation", "Who leads it", _C),
        _ref("earl_episode_worker_id", "Worker"),
    ),
    _table(
        "ssd_cin_episodes", "one row per referral and the episode of need that follows it",
        _id("cine_referral_id", "Referral"),
        _owner("cine_person_id"),
        _date("cine_referral_date", "Received", required=True),
        _code("cine_cin_primary_need_code", "Main need", codes.NEED_OR_NONE, _S),
        _code("cine_referral_source_code", "Who referred", codes.REFERRAL_SOURCE),
        _words("cine_referral_source_desc", "Who referred, in the case system's words", _C),
        _json("cine_referral_outcome_json", "Outcomes as flags, and comments"),
        _flag("cine_referral_nfa", "No further action"),
        _code("cine_close_reason", "Why the episode closed", tuple(codes.CLOSURE)),
        _date("cine_close_date", "Closed"),
        _code("cine_referral_team", "Team", sensitivity=_O),
        _ref("cine_referral_worker_id", "Worker"),
    ),
    _table(
        "ssd_cin_assessments", "one row per assessment of a child in need",
        _id("cina_assessment_id", "Assessment"),
        _owner("cina_person_id"),
        _ref("cina_referral_id", "The referral it follows"),
        _date("cina_assessment_start_date", "Began", required=True),
        _flag("cina_assessment_child_seen", "The child was seen"),
        _date("cina_assessment_auth_date", "Authorised, that is complete"),
        _json("cina_assessment_outcome_json", "Outcomes as flags, and comments"),
        _flag("cina_assessment_outcome_nfa", "No further action"),
        _code("cina_assessment_team", "Team", sensitivity=_O),
        _ref("cina_assessment_worker_id", "Worker"),
    ),
    _table(
        "ssd_assessment_factors", "one row per assessment with the factors found in it",
        _id("cinf_table_id", "Row"),
        _ref("cinf_assessment_id", "The assessment"),
        _json("cinf_assessment_factors_json", "Factors: a list of codes, or flags by code"),
    ),
    _table(
        "ssd_cin_plans", "one row per child in need plan",
        _id("cinp_cin_plan_id", "Plan"),
        _ref("cinp_referral_id", "The referral it follows"),
        _owner("cinp_person_id"),
        _date("cinp_cin_plan_start_date", "Began", required=True),
        _date("cinp_cin_plan_end_date", "Ended"),
        _code("cinp_cin_plan_team", "Team", sensitivity=_O),
        _ref("cinp_cin_plan_worker_id", "Worker"),
    ),
    _table(
        "ssd_cin_visits", "one row per visit to a child in need",
        _id("cinv_cin_visit_id", "Visit"),
        _owner("cinv_person_id"),
        _date("cinv_cin_visit_date", "Visited", required=True),
        _flag("cinv_cin_visit_seen", "The child was seen"),
        _flag("cinv_cin_visit_seen_alone", "The child was seen alone"),
        _flag("cinv_cin_visit_bedroom", "The child's bedroom was seen"),
    ),
)  # fmt: skip

_PROTECTION = (
    _table(
        "ssd_s47_enquiry", "one row per section 47 enquiry about a child",
        _id("s47e_s47_enquiry_id", "Enquiry"),
        _ref("s47e_referral_id", "The referral it follows"),
        _owner("s47e_person_id"),
        _date("s47e_s47_start_date", "Began, with the strategy discussion", required=True),
        _date("s47e_s47_end_date", "Ended"),
        _flag("s47e_s47_nfa", "No further action"),
        _json("s47e_s47_outcome_json", "Outcomes as flags, and comments"),
        _ref("s47e_s47_completed_by_worker_id", "Worker"),
        _code("s47e_s47_completed_by_team", "Team", sensitivity=_O),
    ),
    _table(
        "ssd_initial_cp_conference", "one row per child and initial child protection conference",
        _id("icpc_icpc_id", "Conference"),
        _ref("icpc_icpc_meeting_id", "Meeting; brothers and sisters share one"),
        _ref("icpc_s47_enquiry_id", "The enquiry it follows"),
        _owner("icpc_person_id"),
        _ref("icpc_cp_plan_id", "The plan it led to"),
        _ref("icpc_referral_id", "The referral it follows"),
        _flag("icpc_icpc_transfer_in", "The child moved here with a plan"),
        _date("icpc_icpc_target_date", "Was due"),
        _date("icpc_icpc_date", "Held"),
        _flag("icpc_icpc_outcome_cp_flag", "It led to a child protection plan"),
        _json("icpc_icpc_outcome_json", "Outcomes as flags, and comments"),
        _code("icpc_icpc_team", "Team", sensitivity=_O),
        _ref("icpc_icpc_worker_id", "Worker"),
    ),
    _table(
        "ssd_cp_plans", "one row per child protection plan",
        _id("cppl_cp_plan_id", "Plan"),
        _ref("cppl_referral_id", "The referral it follows"),
        _ref("cppl_icpc_id", "The conference that made it"),
        _owner("cppl_person_id"),
        _date("cppl_cp_plan_start_date", "Began", required=True),
        _date("cppl_cp_plan_end_date", "Ended"),
        _code("cppl_cp_plan_initial_category", "Category of abuse at first", codes.ABUSE, _S),
        _flag("cppl_cp_plan_ola", "Another council holds the plan"),
        _code("cppl_cp_plan_latest_category", "Category of abuse now", codes.ABUSE, _S),
    ),
    _table(
        "ssd_cp_visits", "one row per visit to a child with a child protection plan",
        _id("cppv_cp_visit_id", "Visit"),
        _owner("cppv_person_id"),
        _ref("cppv_cp_plan_id", "The plan"),
        _date("cppv_cp_visit_date", "Visited", required=True),
        _flag("cppv_cp_visit_seen", "The child was seen"),
        _flag("cppv_cp_visit_seen_alone", "The child was seen alone"),
        _flag("cppv_cp_visit_bedroom", "The child's bedroom was seen"),
    ),
    _table(
        "ssd_cp_reviews", "one row per review conference of a child protection plan",
        _id("cppr_cp_review_id", "Review"),
        _owner("cppr_person_id"),
        _ref("cppr_cp_plan_id", "The plan"),
        _date("cppr_cp_review_due", "Was due"),
        _date("cppr_cp_review_date", "Held"),
        _ref("cppr_cp_review_meeting_id", "Meeting; brothers and sisters share one"),
        _flag("cppr_cp_review_outcome_continue_cp", "The plan goes on"),
        _flag("cppr_cp_review_quorate", "Enough of those needed were there"),
        _code("cppr_cp_review_participation", "How the child took part", codes.PARTICIPATION),
    ),
    _table(
        "ssd_pre_proceedings", "one row per child and set of pre-proceedings under the public law outline",
        _id("prep_table_id", "Row"),
        _owner("prep_person_id"),
        _ref("prep_plo_family_id", "Family in the proceedings"),
        _date("prep_pre_pro_decision_date", "Decided to begin pre-proceedings"),
        _date("prep_initial_pre_pro_meeting_date", "First meeting"),
        _words("prep_pre_pro_outcome", "What came of pre-proceedings"),
        _date("prep_agree_stepdown_issue_date", "Agreed to step down or to issue"),
        _count("prep_cp_plans_referral_period", "Child protection plans in this referral"),
        _words("prep_legal_gateway_outcome", "What the legal gateway meeting decided"),
        _count("prep_prev_pre_proc_child", "Earlier pre-proceedings of this child"),
        _count("prep_prev_care_proc_child", "Earlier care proceedings of this child"),
        _date("prep_pre_pro_letter_date", "Letter before proceedings sent"),
        _date("prep_care_pro_letter_date", "Letter of issue of care proceedings sent"),
        _count("prep_pre_pro_meetings_num", "Meetings held"),
        _code("prep_pre_pro_parents_legal_rep", "Parents had a lawyer at the meetings"),
        _code("prep_parents_legal_rep_point_of_issue", "Parents had a lawyer when proceedings began"),
        _ref("prep_court_reference", "Court's own reference"),
        _count("prep_care_proc_court_hearings", "Hearings"),
        _code("prep_care_proc_short_notice", "Begun at short notice"),
        _words("prep_proc_short_notice_reason", "Why at short notice"),
        _code("prep_la_inital_plan_approved", "The council's first care plan was approved"),
        _words("prep_la_initial_care_plan", "The council's first care plan"),
        _code("prep_la_final_plan_approved", "The council's last care plan was approved"),
        _words("prep_la_final_care_plan", "The council's last care plan"),
    ),
)  # fmt: skip

_LOOKED_AFTER = (
    _table(
        "ssd_cla_episodes", "one row per episode of being looked after: a stretch with one legal status and placement",
        _id("clae_cla_episode_id", "Episode"),
        _owner("clae_person_id"),
        _date("clae_cla_episode_start_date", "Began", required=True),
        _code("clae_cla_episode_start_reason", "Why a new episode", tuple(codes.EPISODE_REASON)),
        _code("clae_cla_primary_need_code", "Main need", codes.NEED, _S),
        _date("clae_cla_episode_ceased_date", "Ended"),
        _code("clae_cla_episode_ceased_reason", "Why it ended; X1 when the next begins the same day"),
        _ref("clae_cla_id", "The whole time in care this episode belongs to"),
        _ref("clae_referral_id", "The referral it follows"),
        _ref("clae_cla_placement_id", "The placement"),
        _date("clae_entered_care_date", "When the child came into care"),
        _date("clae_cla_last_iro_contact_date", "Last contact with the independent reviewing officer"),
    ),
    _table(
        "ssd_cla_placement", "one row per placement of a looked-after child",
        _id("clap_cla_placement_id", "Placement"),
        _date("clap_cla_placement_start_date", "Began", required=True),
        _code("clap_cla_placement_type", "Kind of placement"),
        _ref("clap_cla_placement_urn", "Ofsted's number of the home or agency"),
        Column("clap_cla_placement_distance", "Miles from home", Kind.NUMBER, _C),
        _ref("clap_cla_id", "The whole time in care it belongs to"),
        _code("clap_cla_placement_provider", "Who provides it", tuple(codes.PROVIDER)),
        Column("clap_cla_placement_postcode", "Postcode of the placement", Kind.POSTCODE, _I),
        _date("clap_cla_placement_end_date", "Ended"),
        _code("clap_cla_placement_change_reason", "Why it ended", tuple(codes.PLACE_CHANGE), _S),
        _owner("clap_person_id"),
    ),
    _table(
        "ssd_legal_status", "one row per legal status of a looked-after child",
        _id("lega_legal_status_id", "Row"),
        _owner("lega_person_id"),
        _code("lega_legal_status", "Legal status", codes.LEGAL_STATUS),
        _date("lega_legal_status_start_date", "From", required=True),
        _date("lega_legal_status_end_date", "Until"),
    ),
    _table(
        "ssd_cla_reviews", "one row per review of a looked-after child",
        _id("clar_cla_review_id", "Review"),
        _ref("clar_cla_id", "The whole time in care; it leads to the child"),
        _date("clar_cla_review_due_date", "Was due"),
        _date("clar_cla_review_date", "Held"),
        _flag("clar_cla_review_cancelled", "Cancelled"),
        _code("clar_cla_review_participation", "How the child took part", codes.PARTICIPATION),
    ),
    _table(
        "ssd_cla_visits", "one row per visit to a looked-after child",
        _id("clav_cla_visit_id", "Visit"),
        _ref("clav_cla_id", "The whole time in care"),
        _owner("clav_person_id"),
        _date("clav_cla_visit_date", "Visited", required=True),
        _flag("clav_cla_visit_seen", "The child was seen"),
        _flag("clav_cla_visit_seen_alone", "The child was seen alone"),
    ),
    _table(
        "ssd_cla_convictions", "one row per conviction of a looked-after child",
        _id("clac_cla_conviction_id", "Conviction"),
        _owner("clac_person_id"),
        _date("clac_cla_conviction_date", "Convicted"),
        _words("clac_cla_conviction_offence", "Offence"),
    ),
    _table(
        "ssd_cla_health", "one row per health check of a looked-after child",
        _id("clah_health_check_id", "Check"),
        _owner("clah_person_id"),
        _code("clah_health_check_type", "Kind of check: health or dental", sensitivity=_S),
        _date("clah_health_check_date", "Date"),
        _code("clah_health_check_status", "What came of it", sensitivity=_S),
    ),
    _table(
        "ssd_cla_immunisations", "one row per looked-after child",
        _owner("clai_person_id"),
        _code("clai_immunisations_status", "Up to date", codes.YES_NO, _S),
        _date("clai_immunisations_status_date", "As of"),
        key=("clai_person_id",),
    ),
    _table(
        "ssd_cla_substance_misuse", "one row per finding that a looked-after child misuses substances",
        _id("clas_substance_misuse_id", "Row"),
        _owner("clas_person_id"),
        _date("clas_substance_misuse_date", "Found"),
        _code("clas_substance_misused", "Substance", sensitivity=_S),
        _flag("clas_intervention_received", "Help was received", _S),
    ),
    _table(
        "ssd_cla_previous_permanence", "one row per child who had found permanence before coming (back) into care",
        _id("lapp_table_id", "Row"),
        _owner("lapp_person_id"),
        _words("lapp_previous_permanence_order_date", "Date of the order; day or month may be zz, not known", _C),
        _code("lapp_previous_permanence_option", "Kind of permanence", (*codes.PREVIOUS_PERMANENCE, "Z1"), _S),
        _code("lapp_previous_permanence_la", "Council that had arranged it"),
    ),
    _table(
        "ssd_cla_care_plan", "one row per care plan of a looked-after child",
        _id("lacp_table_id", "Row"),
        _owner("lacp_person_id"),
        _date("lacp_cla_care_plan_start_date", "From"),
        _date("lacp_cla_care_plan_end_date", "Until"),
        _json("lacp_cla_care_plan_json", "What the plan aims at, as flags"),
    ),
    _table(
        "ssd_sdq_scores", "one row per strengths and difficulties questionnaire",
        _id("csdq_table_id", "Row"),
        _owner("csdq_person_id"),
        _date("csdq_sdq_completed_date", "Completed"),
        _code("csdq_sdq_reason", "Why there is no score", codes.SDQ_REASON),
        _count("csdq_sdq_score", "Score, 0 to 40", _S),
    ),
    _table(
        "ssd_missing", "one row per time a child was missing or away without leave",
        _id("miss_table_id", "Row"),
        _owner("miss_person_id"),
        _date("miss_missing_episode_start_date", "From", required=True),
        _code("miss_missing_episode_type", "M missing, A away without authorisation", tuple(codes.MISSING)),
        _date("miss_missing_episode_end_date", "Until"),
        _flag("miss_missing_rhi_offered", "A return home interview was offered"),
        _flag("miss_missing_rhi_accepted", "The child accepted it"),
    ),
    _table(
        "ssd_care_leavers", "one row per care leaver",
        _id("clea_table_id", "Row"),
        _owner("clea_person_id"),
        _code("clea_care_leaver_eligibility", "Which care leaver's rights"),
        _code("clea_care_leaver_in_touch", "In touch", tuple(codes.IN_TOUCH)),
        _date("clea_care_leaver_latest_contact", "Last contact"),
        _code("clea_care_leaver_accommodation", "Accommodation", sensitivity=_S),
        _code("clea_care_leaver_accom_suitable", "Accommodation is suitable", sensitivity=_S),
        _code("clea_care_leaver_activity", "What the young person does", sensitivity=_S),
        _date("clea_pathway_plan_review_date", "Pathway plan reviewed"),
        _words("clea_care_leaver_personal_advisor", "Personal adviser", _I),
        _code("clea_care_leaver_allocated_team", "Team", sensitivity=_O),
        _ref("clea_care_leaver_worker_id", "Worker"),
    ),
    _table(
        "ssd_permanence", "one row per child and plan for permanence",
        _id("perm_table_id", "Row"),
        _owner("perm_person_id"),
        _ref("perm_cla_id", "The whole time in care"),
        _date("perm_adm_decision_date", "Decided that the child should be adopted"),
        _date("perm_ffa_cp_decision_date", "Decided on fostering for adoption or concurrent planning"),
        _date("perm_placement_order_date", "Placement order"),
        _date("perm_placed_for_adoption_date", "Placed for adoption"),
        _date("perm_matched_date", "Matched with adopters"),
        _flag("perm_adopted_by_carer_flag", "Adopted by the foster carer", _S),
        _date("perm_placed_ffa_cp_date", "Placed for fostering for adoption or concurrent planning"),
        _date("perm_decision_reversed_date", "Decision for adoption reversed"),
        _date("perm_placed_foster_carer_date", "Placed with the carers as foster carers"),
        _flag("perm_part_of_sibling_group", "One of a group of brothers and sisters", _S),
        _count("perm_siblings_placed_together", "Brothers and sisters placed together", _S),
        _count("perm_siblings_placed_apart", "Brothers and sisters placed apart", _S),
        _ref("perm_placement_provider_urn", "Ofsted's number of the agency"),
        _code("perm_decision_reversed_reason", "Why reversed", tuple(codes.NOT_PLACED), _S),
        _date("perm_permanence_order_date", "Order for permanence"),
        _code("perm_permanence_order_type", "Kind of order", sensitivity=_S),
        _ref("perm_adoption_worker_id", "Worker"),
        _code("perm_adopter_sex", "Sex of the adopters", sensitivity=_S),
        _code("perm_adopter_legal_status", "Legal status of the adopters", sensitivity=_S),
        _count("perm_number_of_adopters", "Adopters"),
    ),
)  # fmt: skip

_EDUCATION = (
    _table(
        "ssd_send", "one row per person known to the special educational needs service",
        _id("send_table_id", "Row"),
        Column("send_upn", "Unique pupil number", Kind.UPN, _I),
        _words("send_uln", "Unique learner number", _I),
        _code("send_upn_unknown", "Why there is no UPN", codes.UPN_UNKNOWN),
        _owner("send_person_id"),
    ),
    _table(
        "ssd_ehcp_requests", "one row per request for an education, health and care plan",
        _id("ehcr_ehcp_request_id", "Request"),
        _ref("ehcr_send_table_id", "Row of ssd_send; it leads to the person"),
        _date("ehcr_ehcp_req_date", "Requested"),
        _date("ehcr_ehcp_req_outcome_date", "Decided"),
        _code("ehcr_ehcp_req_outcome", "Decision"),
    ),
    _table(
        "ssd_ehcp_assessment", "one row per assessment for an education, health and care plan",
        _id("ehca_ehcp_assessment_id", "Assessment"),
        _ref("ehca_ehcp_request_id", "The request"),
        _date("ehca_ehcp_assessment_outcome_date", "Decided"),
        _code("ehca_ehcp_assessment_outcome", "Decision"),
        _code("ehca_ehcp_assessment_exceptions", "Exception from the time limit"),
    ),
    _table(
        "ssd_ehcp_named_plan", "one row per education, health and care plan that names a school",
        _id("ehcn_named_plan_id", "Plan"),
        _ref("ehcn_ehcp_asmt_id", "The assessment"),
        _date("ehcn_named_plan_start_date", "Began"),
        _date("ehcn_named_plan_ceased_date", "Ended"),
        _code("ehcn_named_plan_ceased_reason", "Why it ended"),
    ),
    _table(
        "ssd_ehcp_active_plans", "one row per education, health and care plan in force",
        _id("ehcp_active_ehcp_id", "Plan"),
        _ref("ehcp_ehcp_request_id", "The request"),
        _date("ehcp_active_ehcp_last_review_date", "Last reviewed"),
    ),
    _table(
        "ssd_sen_need", "one row per plan in force and kind of need",
        _id("senn_table_id", "Row"),
        _ref("senn_active_ehcp_id", "The plan"),
        _code("senn_active_ehcp_need_type", "Kind of need", sensitivity=_S),
        _code("senn_active_ehcp_need_rank", "First, second... need"),
    ),
)  # fmt: skip

_WORKERS = (
    _table(
        "ssd_involvements", "one row per professional's involvement with a person",
        _id("invo_involvements_id", "Involvement"),
        _ref("invo_professional_id", "Professional"),
        _code("invo_professional_role_id", "Role"),
        _code("invo_professional_team", "Team", sensitivity=_O),
        _date("invo_involvement_start_date", "From"),
        _date("invo_involvement_end_date", "Until"),
        _code("invo_worker_change_reason", "Why the worker changed"),
        _owner("invo_person_id"),
        _ref("invo_referral_id", "The referral"),
    ),
)  # fmt: skip

# About the council, its staff and its systems, not about a child: landed and checked like the rest, never conformed.
# ssd_api_data_staging is a copy of the other tables on their way to the DfE, so its facts would be there twice;
# ssd_s251_finance has columns that the standard keeps free; what a professional is called is nobody else's business.
_NOT_CONFORMED = (
    _table(
        "ssd_professionals", "one row per professional",
        _id("prof_professional_id", "Professional"),
        _ref("prof_staff_id", "Staff number"),
        _words("prof_professional_name", "Name", _I),
        _words("prof_social_worker_registration_no", "Registration with Social Work England", _I),
        _code("prof_professional_job_title", "Job", sensitivity=_O),
        _count("prof_professional_caseload", "Cases held", _O),
        _code("prof_professional_department", "Department", sensitivity=_O),
        Column("prof_full_time_equivalency", "Share of full time worked", Kind.NUMBER, _O),
        _flag("prof_agency_worker_flag", "Comes from an agency", _O),
    ),
    _table(
        "ssd_department", "one row per team",
        _id("dept_team_id", "Team"),
        _code("dept_team_name", "Name", sensitivity=_O),
        _code("dept_team_parent_id", "Team above", sensitivity=_O),
        _code("dept_team_parent_name", "Name of the team above", sensitivity=_O),
    ),
    _table(
        "ssd_s251_finance", "one row per placement, for the financial return; the standard keeps its columns free",
        _id("s251_table_id", "Row"),
        _ref("s251_cla_placement_id", "Placement"),
        _code("s251_placeholder_1", "Kept free by the standard", sensitivity=_O),
        _code("s251_placeholder_2", "Kept free by the standard", sensitivity=_O),
        _code("s251_placeholder_3", "Kept free by the standard", sensitivity=_O),
        _code("s251_placeholder_4", "Kept free by the standard", sensitivity=_O),
    ),
    _table(
        "ssd_version_log", "one row per version of the dataset's definition",
        _id("version_number", "Version"),
        _date("release_date", "Released", sensitivity=_O),
        _words("description", "What it is", _O),
        _code("is_current", "In force", sensitivity=_O),
        Column("created_at", "Logged", Kind.TIMESTAMP, _O),
        _words("created_by", "Who logged it", _O),
        _words("impact_description", "What changed", _O),
    ),
    _table(
        "ssd_api_data_staging", "one row per person on the way to the DfE",
        _id("id", "Row"),
        _ref("person_id", "pers_person_id"),
        _json("json_payload", "The whole record as sent, which the other tables hold too"),
        _code("current_hash", "Hash of the payload", sensitivity=_O),
        _code("previous_hash", "Hash of the payload before", sensitivity=_O),
        _code("submission_status", "How far it got", sensitivity=_O),
        Column("submission_timestamp", "Sent", Kind.TIMESTAMP, _O),
        _words("api_response", "What the DfE answered", _O),
        _code("row_state", "New, changed, unchanged or deleted", sensitivity=_O),
        Column("last_updated", "Changed", Kind.TIMESTAMP, _O),
    ),
)  # fmt: skip

TABLES = _PEOPLE + _FRONT_DOOR + _PROTECTION + _LOOKED_AFTER + _EDUCATION + _WORKERS + _NOT_CONFORMED

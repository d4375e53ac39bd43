"""The children in need census: which elements make a row, which columns each has, what they mean (docs/sources.md 3.3).

What lives here: declarations only, named as the census names its elements. What must not: SQL and what the rows become
(cin.py), and the validation rules (standards/cin/). Elements not named here arrive in `extra`.
"""

from __future__ import annotations

from connectors.contract import Column, Kind, Table
from connectors.social_care import codes
from warehouse.schema import Sensitivity

_K, _I, _S, _C, _O = (
    Sensitivity.KEY,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
    Sensitivity.CODED,
    Sensitivity.OPERATIONAL,
)
# Old returns write 0 and 1, newer ones false and true; a schema that allows both gets both.
TRUE_OR_FALSE = ("true", "false", "1", "0")


def _child(path: str) -> Column:
    return Column(
        "LAchildID", "The council's own identifier of the child, the same in every return", sensitivity=_K,
        required=True, severity="critical", path=path,
        hint="Every child has one; look up the identifier in the case system.",
    )  # fmt: skip


def _number(name: str, of: str, path: str) -> Column:
    return Column(name, f"Which {of} it is, counted as they stand in the return", Kind.INTEGER, _O, path=path)


def _date(
    name: str, meaning: str, *, required: bool = False, path: str | None = None, sensitivity: Sensitivity = _C
) -> Column:
    return Column(
        name, meaning, Kind.DATE, sensitivity, required, formats=("%Y-%m-%d",), path=path, hint="As 2026-03-31.",
    )  # fmt: skip


def _code(
    name: str,
    meaning: str,
    allowed: tuple[str, ...],
    *,
    required: bool = False,
    path: str | None = None,
    sensitivity: Sensitivity = _C,
) -> Column:
    return Column(
        name, meaning, sensitivity=sensitivity, required=required, allowed=allowed, path=path,
        hint=f"One of {', '.join(allowed)}.",
    )  # fmt: skip


def _module(of: str, own: str) -> tuple[Column, ...]:
    """What every part of a CIN episode says of where it belongs: the child, the episode, and its own number there."""
    return (
        _child("../../ChildIdentifiers/LAchildID"),
        _number("CINdetailsNo", "episode of the child", "../#"),
        _number(own, of, "#"),
    )


CHILD = Table(
    "child",
    "one row per child of the census",
    ("LAchildID",),
    element="Child",
    owner="LAchildID",
    required=True,
    columns=(
        _child("ChildIdentifiers/LAchildID"),
        _number("ChildNo", "record of the child", "#"),
        Column(
            "UPN", "Unique pupil number", Kind.UPN, _I, path="ChildIdentifiers/UPN",
            hint="13 characters, the first a check letter; without one, say why in UPNunknown.",
        ),
        Column("FormerUPN", "UPN the child had before", Kind.UPN, _I, path="ChildIdentifiers/FormerUPN"),
        _code("UPNunknown", "Why there is no UPN", codes.UPN_UNKNOWN, path="ChildIdentifiers/UPNunknown"),
        _date("PersonBirthDate", "Date of birth", path="ChildIdentifiers/PersonBirthDate", sensitivity=_I),
        _date(
            "ExpectedPersonBirthDate", "Expected date of birth of an unborn child",
            path="ChildIdentifiers/ExpectedPersonBirthDate", sensitivity=_I,
        ),
        _code("Sex", "Sex, from the census of 2025", codes.SEX, path="ChildIdentifiers/Sex"),
        _code(
            "GenderCurrent", "Sex, as the census had it up to 2024: 1 male, 2 female, 0 not recorded or unborn, "
            "9 indeterminate", ("0", "1", "2", "9"), path="ChildIdentifiers/GenderCurrent",
        ),
        _date("PersonDeathDate", "Date of death", path="ChildIdentifiers/PersonDeathDate", sensitivity=_I),
        _code(
            "Ethnicity", "Ethnicity, DfE main code", codes.ETHNICITY, required=True,
            path="ChildCharacteristics/Ethnicity", sensitivity=_S,
        ),
        Column("Year", "Year in which the census ends, of the header", Kind.INTEGER, _O,
               path="/Header/CollectionDetails/Year"),
        _date("ReferenceDate", "Last day of the census year, of the header",
              path="/Header/CollectionDetails/ReferenceDate", sensitivity=_O),
        Column("LEA", "Number of the council, of the header", sensitivity=_O, path="/Header/Source/LEA"),
    ),
)  # fmt: skip

DISABILITY = Table(
    "disability",
    "one row per disability of a child, NONE for none",
    ("LAchildID", "DisabilityNo"),
    element="Disability",
    owner="LAchildID",
    columns=(
        _child("../../../ChildIdentifiers/LAchildID"),
        _number("DisabilityNo", "disability of the child", "#"),
        _code("Disability", "Kind of disability", tuple(codes.DISABILITY), required=True, path=".", sensitivity=_S),
    ),
)

CIN_DETAILS = Table(
    "cin_details",
    "one row per episode of need: a referral and what came of it",
    ("LAchildID", "CINdetailsNo"),
    element="CINdetails",
    owner="LAchildID",
    columns=(
        _child("../ChildIdentifiers/LAchildID"),
        _number("CINdetailsNo", "episode of the child", "#"),
        _date("CINreferralDate", "Referred", required=True),
        _code("ReferralSource", "Who referred", codes.REFERRAL_SOURCE, required=True),
        _code("PrimaryNeedCode", "Main need", codes.NEED_OR_NONE, sensitivity=_S),
        _date("CINclosureDate", "Closed"),
        _code("ReasonForClosure", "Why it was closed", tuple(codes.CLOSURE), sensitivity=_S),
        _date("DateOfInitialCPC", "Initial child protection conference, where no enquiry of this episode led to it"),
        _code("ReferralNFA", "The referral led to no further action", TRUE_OR_FALSE, required=True),
    ),
)

ASSESSMENT = Table(
    "assessment",
    "one row per assessment of an episode",
    ("LAchildID", "CINdetailsNo", "AssessmentNo"),
    element="Assessments",
    owner="LAchildID",
    columns=(
        *_module("assessment of the episode", "AssessmentNo"),
        _date("AssessmentActualStartDate", "Began", required=True),
        _date("AssessmentInternalReviewDate", "Reviewed within the team"),
        _date("AssessmentAuthorisationDate", "Authorised: complete"),
        Column(
            "AssessmentFactors", "Codes of what the assessment found, as a JSON list", Kind.JSON, _S,
            path="FactorsIdentifiedAtAssessment/AssessmentFactors",
            hint="Codes 1A to 24A of the census; 21 alone where nothing was found.",
        ),
    ),
)  # fmt: skip

CIN_PLAN = Table(
    "cin_plan",
    "one row per child in need plan of an episode",
    ("LAchildID", "CINdetailsNo", "CINPlanNo"),
    element="CINPlanDates",
    owner="LAchildID",
    columns=(
        *_module("plan of the episode", "CINPlanNo"),
        _date("CINPlanStartDate", "Began", required=True),
        _date("CINPlanEndDate", "Ended"),
    ),
)

SECTION_47 = Table(
    "section47",
    "one row per section 47 enquiry of an episode",
    ("LAchildID", "CINdetailsNo", "Section47No"),
    element="Section47",
    owner="LAchildID",
    columns=(
        *_module("enquiry of the episode", "Section47No"),
        _date("S47ActualStartDate", "Began", required=True),
        _date("InitialCPCtarget", "Day by which the conference should be held"),
        _date("DateOfInitialCPC", "Initial child protection conference held"),
        _code("ICPCnotRequired", "No conference was needed", TRUE_OR_FALSE, required=True),
    ),
)

CP_PLAN = Table(
    "cp_plan",
    "one row per child protection plan of an episode",
    ("LAchildID", "CINdetailsNo", "CPPNo"),
    element="ChildProtectionPlans",
    owner="LAchildID",
    columns=(
        *_module("child protection plan of the episode", "CPPNo"),
        _date("CPPstartDate", "Began", required=True),
        _date("CPPendDate", "Ended"),
        _code("InitialCategoryOfAbuse", "Kind of harm at the beginning", codes.ABUSE, required=True, sensitivity=_S),
        _code("LatestCategoryOfAbuse", "Kind of harm as last decided", codes.ABUSE, required=True, sensitivity=_S),
        Column("NumberOfPreviousCPP", "Child protection plans before this one", Kind.INTEGER, _S, required=True,
               hint="A whole number, 0 for none."),
    ),
)  # fmt: skip

CP_REVIEW = Table(
    "cp_review",
    "one row per review of a child protection plan",
    ("LAchildID", "CINdetailsNo", "CPPNo", "CPPreviewNo"),
    element="CPPreviewDate",
    owner="LAchildID",
    columns=(
        _child("../../../../ChildIdentifiers/LAchildID"),
        _number("CINdetailsNo", "episode of the child", "../../../#"),
        _number("CPPNo", "child protection plan of the episode", "../../#"),
        _number("CPPreviewNo", "review of the plan", "#"),
        _date("CPPreviewDate", "Held", required=True, path="."),
    ),
)

PRE_PROCEEDINGS = Table(
    "pre_proceedings",
    "one row per time before care proceedings, with family group decision making, of an episode (census of 2027 on)",
    ("LAchildID", "CINdetailsNo", "PreProceedingsNo"),
    element="PreProceedingsandFGDM",
    owner="LAchildID",
    columns=(
        *_module("time before proceedings of the episode", "PreProceedingsNo"),
        _date("PPStartDate", "Decided to begin pre-proceedings"),
        _date("LBPSentDate", "Letter before proceedings sent"),
        _code("FGDMMeetingOffer", "A family group decision making meeting was offered", TRUE_OR_FALSE),
        _code("FGDMMeetingFac", "The meeting took place", TRUE_OR_FALSE),
        _date("InitialPPMeetingDate", "First meeting"),
        Column("ReviewMeetingsCount", "Review meetings held", Kind.INTEGER),
        _date("StepDecisionDate", "Decided to step down or to go to court"),
        Column("PPOutcome", "What came of it, as coded", sensitivity=_S),
        _date("CourtAppDate", "Applied to court"),
        _date("LetterInitCPDate", "Letter of issue of care proceedings"),
    ),
)

TABLES = (
    CHILD, DISABILITY, CIN_DETAILS, ASSESSMENT, CIN_PLAN, SECTION_47, CP_PLAN, CP_REVIEW, PRE_PROCEEDINGS,
)  # fmt: skip

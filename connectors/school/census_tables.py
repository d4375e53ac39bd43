"""The tables of the School Census as COLLECT exports them: which there are, which columns each has, what they mean.

What lives here: declarations only (DfE school census 2026, all three terms; docs/sources.md 4.1). What must
not: SQL and what the rows become (census.py). A column that only one term sends is declared for all: the header is
optional, and what a delivery does not hold is empty. Columns of earlier years (such as termlysessionsauthorised) are
not declared; they arrive in `extra`.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.contract import Column, Kind, Table
from connectors.school.census_codes import CODES
from warehouse.schema import Sensitivity

# COLLECT writes 2024-Oct-16 00:00:00; exports that went through another tool are ISO.
DATE_FORMATS = ("%Y-%b-%d %H:%M:%S", "%Y-%b-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")

# table: (what one row is, its columns). Every table also has its own id, NativeId, a sequence number and sourceid.
_TABLES: dict[str, tuple[str, str]] = {
    "pupilonroll": (
        "one row per pupil on the roll of a school on census day (every term)",
        "schoolcensustableid upn formerupn surname forename middlenames preferredsurname uniquelearnernumber "
        "formersurname dob hoursatsetting schoollunchtaken parttime entrydate topupfunding "
        "termlysessionspossible qualhrs nonqualhrs ftemp moveoffrollflag fundedhours missingaddress "
        "duplicatenotfunded summerhalfterm2sessionspossible yssa language classtype enrolstatus boarder "
        "senprovision ncyearactual mathsgcsehighestpriorattainment englishgcsehighestpriorattainment "
        "mathsgcsefundingexemption englishgcsefundingexemption plaa dafindicator extendedhours "
        "resourcedprovisionindicator senunitindicator servicechild "
        "englishgcsehighestpriorattainmentpreviousyear mathsgcsehighestpriorattainmentpreviousyear "
        "nonqualhrspreviousyear qualhrspreviousyear tlevelnonqualhrs tlevelqualhrs "
        "englishgcsepriorattainmentyear11 mathsgcsepriorattainmentyear11 sex eligibilitycode eyppr eyppbf "
        "unitcontacttime ethnicity youngcarer expandedhours",
    ),
    "pupilnolongeronroll": (
        "one row per pupil who left a school in the period the census looks back on (every term)",
        "schoolcensustableid upn formerupn surname forename middlenames preferredsurname uniquelearnernumber "
        "formersurname dob entrydate leavingdate parttime termlysessionspossible moveonrollflag "
        "missingaddress summerhalfterm2sessionspossible qualhrs nonqualhrs boarder language ncyearleaving "
        "mathsgcsehighestpriorattainment englishgcsehighestpriorattainment mathsgcsefundingexemption "
        "englishgcsefundingexemption englishgcsehighestpriorattainmentpreviousyear "
        "mathsgcsehighestpriorattainmentpreviousyear nonqualhrspreviousyear qualhrspreviousyear "
        "tlevelnonqualhrs tlevelqualhrs englishgcsepriorattainmentyear11 mathsgcsepriorattainmentyear11 sex "
        "ethnicity",
    ),
    "schoolcensus": (
        "one row per return: which school, term and reference date it speaks for (every term)",
        "name collection term year referencedate serialno sourcelevel estab softwarecode datetime release "
        "xversion lea urn",
    ),
    "school": (
        "one row per school: its own details and totals (every term)",
        "schoolcensustableid schoolname email phoneno intake phase type highestncyeargroup governance "
        "lowestncyeargroup maxdaypupils maxboarders minmaleage maxmaleage minfemaleage maxfemaleage "
        "infantslodged infantswithdrawn infantsheard infantsupheld infantsrejected parttimenotin privatestudy "
        "pupilsatotherschool workexperience fecollege freemealstaken childmothers teenmotherplaces "
        "childcareplaces accommodation secondaryheard secondarylodged secondaryrejected secondaryupheld "
        "secondarywithdrawn",
    ),
    "addresses": (
        "one row per address of a pupil on roll (spring and summer)",
        "pupilonrolltableid postcode saon paon street locality town administrativearea posttown addressline1 "
        "addressline2 addressline3 addressline4 addressline5 uniquepropertyreferencenumber",
    ),
    "addressesonroll": (
        "one row per address of a pupil on roll (autumn)",
        "pupilonrolltableid postcode saon paon street locality town administrativearea posttown addressline1 "
        "addressline2 addressline3 addressline4 addressline5 uniquepropertyreferencenumber",
    ),
    "addressesoffroll": (
        "one row per address of a pupil no longer on roll (postcode and UPRN only) (autumn)",
        "pupilnolongeronrolltableid postcode uniquepropertyreferencenumber",
    ),
    "termlyexclusionsonroll": (
        "one row per suspension or exclusion of a pupil on roll (every term)",
        "pupilonrolltableid startdate sessions category senprovision reason1 reason2 reason3",
    ),
    "termlyexclusionsoffroll": (
        "one row per suspension or exclusion of a pupil no longer on roll (every term)",
        "pupilnolongeronrolltableid startdate sessions category senprovision reason1 reason2 reason3",
    ),
    "termlysessiondetailsonroll": (
        "one row per attendance code and pupil on roll: sessions in the previous term (every term)",
        "pupilonrolltableid attendancereason sessions",
    ),
    "termlysessiondetailsoffroll": (
        "one row per attendance code and pupil no longer on roll: sessions in the previous term (every term)",
        "pupilnolongeronrolltableid attendancereason sessions",
    ),
    "summerhalfterm2sessiondetailsonroll": (
        "one row per attendance code and pupil on roll: sessions, second half of summer term (autumn)",
        "pupilonrolltableid attendancereason sessions",
    ),
    "summerhalfterm2sessiondetailsoffroll": (
        "one row per attendance code and pupil no longer on roll: sessions, second half of summer term (autumn)",
        "pupilnolongeronrolltableid attendancereason sessions",
    ),
    "senneeds": (
        "one row per special educational need of a pupil on roll, ranked (spring)",
        "pupilonrolltableid sentyperank sentype",
    ),
    "fsmperiod": (
        "one row per period of free school meals of a pupil on roll (spring and summer)",
        "pupilonrolltableid fsmstartdate fsmenddate ukcountry",
    ),
    "fsmperiodsonroll": (
        "one row per period of free school meals of a pupil on roll (autumn)",
        "pupilonrolltableid fsmstartdate fsmenddate ukcountry",
    ),
    "schoolarrangedapdetailonroll": (
        "one row per placement elsewhere that the school arranged for a pupil on roll (every term)",
        "pupilonrolltableid urn ukprn entrydate leavingdate apsessionsperweek apsettingtype placementreason "
        "senprovisionentry senprovisionleaving apattendancepattern applacementpostcode companynumber",
    ),
    "schoolarrangedapdetailoffroll": (
        "one row per placement elsewhere that the school had arranged for a pupil no longer on roll (every term)",
        "pupilnolongeronrolltableid urn ukprn entrydate leavingdate apsessionsperweek apsettingtype "
        "placementreason senprovisionentry senprovisionleaving apattendancepattern applacementpostcode "
        "companynumber",
    ),
    "approvisiondetailonroll": (
        "one row per admission of a pupil on roll to alternative provision: from where and why (every term)",
        "pupilonrolltableid prevurn apreason senprovisionentry",
    ),
    "approvisiondetailoffroll": (
        "one row per admission of a pupil no longer on roll to alternative provision: from where and why (every term)",
        "pupilnolongeronrolltableid prevurn apreason senprovisionentry",
    ),
    "learningaimsoffroll": (
        "one row per post-16 learning aim of a pupil no longer on roll (autumn)",
        "learningstartdate learningplannedenddate learningactualenddate coreaim partnerukprn "
        "learningaimstatus learningaimwithdrawalreason scc qn programmeaimsoffrolltableid progtype",
    ),
    "learningaimsonroll": (
        "one row per post-16 learning aim of a pupil on roll (autumn)",
        "coreaim partnerukprn learningstartdate learningplannedenddate learningactualenddate "
        "learningaimwithdrawalreason learningaimstatus scc qn progtype programmeaimsonrolltableid",
    ),
    "programmeaimsonroll": (
        "one row per post-16 programme of a pupil on roll (autumn)",
        "pupilonrolltableid qn progtype programmestartdate programmeplannedenddate programmeactualenddate "
        "programmeaimstatus programmeaimwithdrawalreason",
    ),
    "workplaceentityoffroll": (
        "one row per work placement within a learning aim of a pupil no longer on roll (autumn)",
        "learningaimsoffrolltableid wpstartdate wpenddate wphours wpmode",
    ),
    "workplaceentityonroll": (
        "one row per work placement within a learning aim of a pupil on roll (autumn)",
        "learningaimsonrolltableid wpstartdate wpenddate wphours wpmode",
    ),
    "learnerfamoffroll": (
        "one row per funding and monitoring code of a post-16 pupil no longer on roll (every term)",
        "pupilnolongeronrolltableid learnerfamtype learnerfamcode",
    ),
    "learnerfamonroll": (
        "one row per funding and monitoring code of a post-16 pupil on roll (every term)",
        "pupilonrolltableid learnerfamtype learnerfamcode",
    ),
    "programmeaimsoffroll": (
        "one row per post-16 programme of a pupil no longer on roll (autumn)",
        "pupilnolongeronrolltableid qn programmestartdate programmeplannedenddate programmeactualenddate "
        "programmeaimstatus programmeaimwithdrawalreason progtype",
    ),
    "childcare": (
        "one row per kind of childcare a school offers (spring)",
        "schooltableid openingtime closingtime noofchildcareplaces childcarewksopen onsite "
        "childcaresignposting typeofchildcare childcareprovider otherschools childcareplacesavailability "
        "childcarebefore8am childcarecovers8amto6pm childcareuntil6pm holidaychildcareproviderhours",
    ),
    "classes": (
        "one row per class taught in the selected hour of census day (spring)",
        "schooltableid exceptiona exceptionb exceptionc exceptiond exceptione exceptionf classname teachers "
        "nonteachers homepupils guestpupils exceptiong exceptionh classactivity yeargroup category keystage "
        "ppateachers",
    ),
    "learnersupportoffroll": (
        "one row per kind of learner support of a post-16 pupil no longer on roll (spring and summer)",
        "pupilnolongeronrolltableid supportcode",
    ),
    "learnersupportonroll": (
        "one row per kind of learner support of a post-16 pupil on roll (spring and summer)",
        "pupilonrolltableid supportcode",
    ),
    "provisions": (
        "one row per kind of special provision a special school is approved for (spring)",
        "schooltableid specialschooltype",
    ),
    "fundingbasisitems": (
        "one row per basis of early years funding of a pupil on roll (spring and summer)",
        "pupilonrolltableid fundingbasis",
    ),
}


class _Meaning(NamedTuple):
    """What a column holds: words, kind, how much it says about a person."""

    words: str
    kind: Kind = Kind.TEXT
    sensitivity: Sensitivity = Sensitivity.CODED


_OPERATIONAL, _KEY, _IDENTIFYING, _SPECIAL = (
    Sensitivity.OPERATIONAL,
    Sensitivity.KEY,
    Sensitivity.IDENTIFYING,
    Sensitivity.SPECIAL,
)


def _date(words: str, sensitivity: Sensitivity = Sensitivity.CODED) -> _Meaning:
    return _Meaning(words, Kind.DATE, sensitivity)


def _count(words: str, sensitivity: Sensitivity = Sensitivity.OPERATIONAL) -> _Meaning:
    return _Meaning(words, Kind.INTEGER, sensitivity)


def _hours(words: str) -> _Meaning:
    return _Meaning(words, Kind.NUMBER)


def _key(words: str) -> _Meaning:
    return _Meaning(words, Kind.TEXT, _KEY)


def _identifying(words: str, kind: Kind = Kind.TEXT) -> _Meaning:
    return _Meaning(words, kind, _IDENTIFYING)


def _special(words: str) -> _Meaning:
    return _Meaning(words, Kind.TEXT, _SPECIAL)


def _about_school(words: str) -> _Meaning:
    return _Meaning(words, Kind.TEXT, _OPERATIONAL)


# column, or table.column where one name means two things: its meaning
_COLUMNS: dict[str, _Meaning] = {
    # whose row it is
    "pupilonrolltableid": _key("Row of the pupil on roll that this belongs to"),
    "pupilnolongeronrolltableid": _key("Row of the pupil no longer on roll that this belongs to"),
    "schoolcensustableid": _key("Row of the return that this belongs to"),
    "schooltableid": _key("Row of the school that this belongs to"),
    "learningaimsonrolltableid": _key("Row of the learning aim that this belongs to"),
    "learningaimsoffrolltableid": _key("Row of the learning aim that this belongs to"),
    "programmeaimsonrolltableid": _key("Row of the programme that this belongs to"),
    "programmeaimsoffrolltableid": _key("Row of the programme that this belongs to"),
    # who the pupil is
    "upn": _identifying("Unique pupil number", Kind.UPN),
    "formerupn": _identifying("Unique pupil number the pupil had before", Kind.UPN),
    "uniquelearnernumber": _identifying("Unique learner number, ten digits, from age 14"),
    "surname": _identifying("Family name in law"),
    "forename": _identifying("Given name"),
    "middlenames": _identifying("Middle names"),
    "preferredsurname": _identifying("Family name the pupil is known by"),
    "formersurname": _identifying("Family name the pupil had before"),
    "dob": _date("Date of birth", _IDENTIFYING),
    "sex": _Meaning("Sex: M or F"),
    "ethnicity": _special("Ethnicity, DfE main or extended code (spring only)"),
    "language": _special("First language, DfE code"),
    # the pupil at the school
    "entrydate": _date("Day the pupil joined the school"),
    "leavingdate": _date("Day the pupil left the school"),
    "schoolarrangedapdetailonroll.entrydate": _date("First day of the placement"),
    "schoolarrangedapdetailoffroll.entrydate": _date("First day of the placement"),
    "schoolarrangedapdetailonroll.leavingdate": _date("Last day of the placement"),
    "schoolarrangedapdetailoffroll.leavingdate": _date("Last day of the placement"),
    "ncyearactual": _Meaning("National curriculum year group"),
    "ncyearleaving": _Meaning("National curriculum year group on leaving"),
    "enrolstatus": _Meaning("Enrolment: C only here, M main and S subsidiary of two, F college, O other provider"),
    "parttime": _Meaning("Attends part time"),
    "boarder": _Meaning("Boarding: B boards, 6 up to six nights a week, 7 seven nights, N does not"),
    "classtype": _Meaning("Class: N nursery, O other"),
    "moveonrollflag": _Meaning("COLLECT moved the row to the pupils on roll"),
    "moveoffrollflag": _Meaning("COLLECT moved the row to the pupils no longer on roll"),
    "missingaddress": _Meaning("No address is known for the pupil"),
    "duplicatenotfunded": _Meaning("A duplicate enrolment that is not funded"),
    "senprovision": _special("SEN provision: N none, K SEN support, E EHC plan; A, P, S before 2014"),
    "senunitindicator": _special("Member of a SEN unit"),
    "resourcedprovisionindicator": _special("Has a place in resourced SEN provision"),
    "sentype": _special("Kind of special educational need"),
    "sentyperank": _Meaning("Rank of the need, 1 being the main one", Kind.INTEGER),
    "youngcarer": _special("Young carer: P says the parent or guardian, S says the school, N not declared"),
    "plaa": _special(
        "Looked after before: N no, A adopted, G special guardianship, R residence order, "
        "C child arrangements order, O adopted from care abroad"
    ),
    "servicechild": _special("Child of a member of the armed forces: Y, N, U unknown, R refused"),
    "yssa": _Meaning("Youth support services agreement: Yes, No, UNS not sought, SNR sought without reply"),
    "schoollunchtaken": _Meaning("Took a school lunch on census day"),
    "ftemp": _Meaning("In full-time employment (post 16)"),
    "topupfunding": _special("The council pays high-needs top-up funding"),
    "termlysessionspossible": _count("Sessions the pupil could have attended in the previous term"),
    "summerhalfterm2sessionspossible": _count("Sessions possible in the second half of the summer term"),
    "attendancereason": _special("National attendance code the sessions were marked with"),
    "sessions": _count("Sessions: half days the suspension lasts", _SPECIAL),
    "termlysessiondetailsonroll.sessions": _count("Sessions marked with this code", _SPECIAL),
    "termlysessiondetailsoffroll.sessions": _count("Sessions marked with this code", _SPECIAL),
    "summerhalfterm2sessiondetailsonroll.sessions": _count("Sessions marked with this code", _SPECIAL),
    "summerhalfterm2sessiondetailsoffroll.sessions": _count("Sessions marked with this code", _SPECIAL),
    # suspensions and exclusions
    "startdate": _date("First day of the suspension or exclusion"),
    "category": _special("SUSP suspended (formerly FIXD), PERM excluded for good, LNCH excluded at lunchtimes"),
    "reason1": _special("First reason"),
    "reason2": _special("Second reason"),
    "reason3": _special("Third reason"),
    # early years
    "hoursatsetting": _hours("Hours a week at the setting"),
    "fundedhours": _hours("Hours a week funded as early education"),
    "extendedhours": _hours("Hours a week funded beyond the universal entitlement"),
    "expandedhours": _hours("Hours a week under the expanded entitlement for younger children"),
    "unitcontacttime": _count("Hours a week in the unit (infants)"),
    "eligibilitycode": _Meaning("Code of the working parents' entitlement, eleven digits"),
    "dafindicator": _special("Has disability access funding"),
    "eyppr": _special("Receives the early years pupil premium"),
    "eyppbf": _special("Why: RE economic, RO other than economic, RB both, RU not known"),
    "fundingbasis": _special("Why a two year old is funded: ECO economic, HSD disability, LAA looked after"),
    # free school meals
    "fsmstartdate": _date("First day of free school meals"),
    "fsmenddate": _date("Last day of free school meals"),
    "ukcountry": _Meaning("Country of the United Kingdom in which they were received"),
    # addresses
    "postcode": _identifying("Postcode", Kind.POSTCODE),
    "saon": _identifying("Flat or part of the building"),
    "paon": _identifying("House name or number"),
    "street": _identifying("Street"),
    "locality": _identifying("Locality"),
    "town": _identifying("Town"),
    "administrativearea": _identifying("Administrative area"),
    "posttown": _identifying("Post town"),
    **{f"addressline{line}": _identifying(f"Address line {line}") for line in range(1, 6)},
    "uniquepropertyreferencenumber": _identifying("Unique property reference number, up to 12 digits", Kind.INTEGER),
    # alternative provision
    "prevurn": _Meaning("Reference number (URN) of the school the pupil came from"),
    "apreason": _special("Why the pupil came to alternative provision, such as PEX permanently excluded"),
    "senprovisionentry": _special("SEN provision on joining"),
    "senprovisionleaving": _special("SEN provision on leaving"),
    "urn": _Meaning("Reference number (URN) of the school"),
    "schoolarrangedapdetailonroll.urn": _Meaning("Reference number (URN) of the place, where it is a school"),
    "schoolarrangedapdetailoffroll.urn": _Meaning("Reference number (URN) of the place, where it is a school"),
    "ukprn": _Meaning("Provider reference number of the place"),
    "companynumber": _Meaning("Company number of the place"),
    "apsessionsperweek": _count("Sessions a week at the place"),
    "apsettingtype": _Meaning("Kind of place: NFE further education, OOT one-to-one tuition, WBP work based, OTH"),
    "placementreason": _special("Why the school placed the pupil there"),
    "apattendancepattern": _Meaning("FT full time, PT part time"),
    "applacementpostcode": _identifying("Postcode of the place", Kind.POSTCODE),
    # post-16 learning
    "learningstartdate": _date("First day of the learning aim"),
    "learningplannedenddate": _date("Planned last day of the learning aim"),
    "learningactualenddate": _date("Last day of the learning aim"),
    "learningaimstatus": _Meaning("State of the aim: 1 continuing, 2 completed, 3 withdrawn, 4 transferred"),
    "learningaimwithdrawalreason": _Meaning("Why the pupil withdrew from the aim"),
    "coreaim": _Meaning("The main aim of the study programme"),
    "partnerukprn": _Meaning("Provider reference number of the partner that teaches it"),
    "scc": _Meaning("Subject classification code"),
    "qn": _Meaning("Qualification number"),
    "progtype": _Meaning("Kind of programme: 30 and 31 T level programmes, 01 other"),
    "programmestartdate": _date("First day of the programme"),
    "programmeplannedenddate": _date("Planned last day of the programme"),
    "programmeactualenddate": _date("Last day of the programme"),
    "programmeaimstatus": _Meaning("State of the programme: 1 continuing, 2 completed, 3 withdrawn, 4 transferred"),
    "programmeaimwithdrawalreason": _Meaning("Why the pupil withdrew from the programme"),
    "wpstartdate": _date("First day of the work placement"),
    "wpenddate": _date("Last day of the work placement"),
    "wphours": _count("Hours of the work placement"),
    "wpmode": _Meaning("Work placement: 1 internal, 2 external"),
    "learnerfamtype": _Meaning("Funding and monitoring: NLM learning monitoring, EMH English and MMH maths condition"),
    "learnerfamcode": _Meaning("Funding and monitoring code of that type"),
    "supportcode": _special("Kind of learner support received"),
    "qualhrs": _count("Planned hours of qualifications this year"),
    "nonqualhrs": _count("Planned hours other than qualifications this year"),
    "qualhrspreviousyear": _count("Planned hours of qualifications last year"),
    "nonqualhrspreviousyear": _count("Planned hours other than qualifications last year"),
    "tlevelqualhrs": _count("Planned hours of T level qualifications"),
    "tlevelnonqualhrs": _count("Planned hours of a T level other than qualifications"),
    **{
        column: _Meaning(words.format(subject=subject))
        for subject, prefix in (("Maths", "maths"), ("English", "english"))
        for column, words in {
            f"{prefix}gcsehighestpriorattainment": "{subject}: best GCSE grade so far",
            f"{prefix}gcsehighestpriorattainmentpreviousyear": "{subject}: best GCSE grade so far, as of last year",
            f"{prefix}gcsepriorattainmentyear11": "{subject}: attainment by the end of year 11",
            f"{prefix}gcsefundingexemption": "{subject}: why the pupil need not study it to be funded",
        }.items()
    },
    # the return and the school
    "name": _about_school("Name of the collection"),
    "collection": _about_school("Code of the collection, SC"),
    "term": _about_school("Term: AUT, SPR or SUM"),
    "year": _count("Year of the census day"),
    "referencedate": _Meaning("Census day", Kind.DATE, _OPERATIONAL),
    "serialno": _count("Serial number of the return"),
    "sourcelevel": _about_school("Who sent it: S the school, L the council"),
    "softwarecode": _about_school("System the return came from"),
    "datetime": _Meaning("When the return was made", Kind.DATE, _OPERATIONAL),
    "release": _about_school("Release of that system"),
    "xversion": _about_school("Version of the transformation"),
    "lea": _about_school("Local authority code, three digits"),
    "estab": _about_school("Establishment number, four digits"),
    "schoolname": _about_school("Name of the school"),
    "email": _about_school("E-mail address of the school"),
    "phoneno": _about_school("Telephone number of the school"),
    "intake": _about_school("Whom it admits: COMP comprehensive, SEL1-4 selective, SPEC special, HOSP hospital"),
    "phase": _about_school("Phase of education of the school"),
    "type": _about_school("Type of establishment, two digits"),
    "governance": _about_school("Who governs the school, such as VA voluntary aided or CA academy"),
    "accommodation": _about_school("Whether pupils board: D day, B boarding, H hospital"),
    "highestncyeargroup": _about_school("Highest year group of the school"),
    "lowestncyeargroup": _about_school("Lowest year group of the school"),
    "maxdaypupils": _count("Most day pupils the school is approved for"),
    "maxboarders": _count("Most boarders the school is approved for"),
    "minmaleage": _count("Lowest age of boys"),
    "maxmaleage": _count("Highest age of boys"),
    "minfemaleage": _count("Lowest age of girls"),
    "maxfemaleage": _count("Highest age of girls"),
    **{
        f"{phase}{step}": _count(f"Admission appeals {words}, {phase} classes")
        for phase in ("infants", "secondary")
        for step, words in {
            "lodged": "lodged",
            "withdrawn": "withdrawn",
            "heard": "heard",
            "upheld": "upheld",
            "rejected": "rejected",
        }.items()
    },
    "parttimenotin": _count("Part-time pupils not in school in the selected hour"),
    "privatestudy": _count("Pupils in private study in the selected hour"),
    "pupilsatotherschool": _count("Pupils at another school in the selected hour"),
    "workexperience": _count("Pupils on work experience in the selected hour"),
    "fecollege": _count("Pupils at college in the selected hour"),
    "freemealstaken": _count("Free school meals taken on census day"),
    "childmothers": _about_school("Provides for pupils who are mothers"),
    "teenmotherplaces": _count("Places for pupils who are mothers"),
    "childcareplaces": _about_school("Provides childcare for the children of pupils"),
    "specialschooltype": _about_school("Kind of special need the school is approved for"),
    "classname": _about_school("Name of the class"),
    "teachers": _count("Teachers in the class"),
    "nonteachers": _count("Other adults in the class"),
    "ppateachers": _about_school("Teachers covering planning time"),
    "homepupils": _count("Pupils of the school in the class"),
    "guestpupils": _count("Pupils of other schools in the class"),
    **{f"exception{x}": _count(f"Pupils who are infant class size exception {x.upper()}") for x in "abcdefgh"},
    "classactivity": _about_school("What the class was doing"),
    "yeargroup": _about_school("Year group of the class"),
    "classes.category": _about_school("Kind of class"),
    "keystage": _about_school("Key stage of the class"),
    "openingtime": _about_school("Childcare opens, HH:MM"),
    "closingtime": _about_school("Childcare closes, HH:MM"),
    "noofchildcareplaces": _count("Childcare places"),
    "childcarewksopen": _count("Weeks a year the childcare is open"),
    "onsite": _about_school("The childcare is on the school's site"),
    "childcaresignposting": _about_school("The school points parents to childcare elsewhere"),
    "typeofchildcare": _about_school("Kind of childcare: B before school, A after school, H holidays, U under fives"),
    "childcareprovider": _about_school("Who provides the childcare"),
    "otherschools": _about_school("Children of other schools may use it"),
    "childcareplacesavailability": _about_school("Places are known"),
    "childcarebefore8am": _about_school("Open before 8 am"),
    "childcarecovers8amto6pm": _about_school("Covers 8 am to 6 pm"),
    "childcareuntil6pm": _about_school("Open until 6 pm"),
    "holidaychildcareproviderhours": _about_school("Open in the holidays for the same hours"),
}

_PUPIL_TABLES = ("pupilonroll", "pupilnolongeronroll")
# Without these a table of pupils is of no use for finding out who they are; every other column may be missing.
_NEEDED_OF_A_PUPIL = ("upn", "surname", "forename", "dob")
_NO_CODES = ("classes.category",)


def _column(table: str, name: str) -> Column:
    """One column of one table, from its meaning and code list."""
    qualified = f"{table}.{name}"
    meaning = _COLUMNS.get(qualified) or _COLUMNS[name]
    needed = table in _PUPIL_TABLES and name in _NEEDED_OF_A_PUPIL
    return Column(
        name,
        meaning.words,
        meaning.kind,
        meaning.sensitivity,
        required=needed,
        header="required" if needed else "optional",
        allowed=None if qualified in _NO_CODES else CODES.get(name),
        formats=DATE_FORMATS if meaning.kind is Kind.DATE else (),
        hint="Dates as COLLECT writes them, 2024-Oct-16 00:00:00" if meaning.kind is Kind.DATE else "",
    )


def _table(name: str) -> Table:
    grain, columns = _TABLES[name]
    own_id = f"{name}tableid"
    names = columns.split()
    first = Column(own_id, "This row's own id", sensitivity=_KEY, required=True, header="required")
    common = (
        Column("nativeid", "Id in the school's own system; in some exports a code of the school", sensitivity=_KEY),
        Column(f"{name}orderseqcolumn", "Place among its siblings", sensitivity=_OPERATIONAL),
        Column("sourceid", "Row of the source file, as COLLECT numbered it", sensitivity=_KEY),
    )
    parent = names[0] if names[0].startswith("pupil") else None
    return Table(
        name,
        grain,
        key=(own_id,),
        columns=(first, *common, *(_column(name, column) for column in names)),
        owner=parent or (own_id if name in _PUPIL_TABLES else None),
        required=name == "pupilonroll",
    )


TABLES: tuple[Table, ...] = tuple(_table(name) for name in _TABLES)

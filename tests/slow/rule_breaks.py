"""Children of two returns who break rules of their books, each one or a few by one cell, and who break none once that is put right.

They stand behind all others, and nothing else is wrong with them: what fails of theirs is what is said here, and nothing more.
What each break offends was read off the published rules. What must not live here: breaks of columns (defects.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

# No made-up child has an identifier that begins so.
CHILDREN = "9900"
_CSV = {
    "header": {"CHILD": "", "SEX": "F", "DOB": "14/05/2014", "ETHNIC": "WBRI", "UPN": "UN3", "MOTHER": "0", "MC_DOB": ""},
    "episodes": {
        "CHILD": "", "DECOM": "04/05/2026", "RNE": "S", "LS": "C2", "CIN": "N1", "PLACE": "U4", "PLACE_PROVIDER": "PR1", "DEC": "",
        "REC": "", "REASON_PLACE_CHANGE": "", "HOME_POST": "WX13 8XF", "PL_POST": "WX8 8PT", "URN": "SC040001",
    },
    "reviews": {"CHILD": "", "DOB": "14/05/2014", "REVIEW": "28/05/2026", "REVIEW_CODE": "PN1", "SYSTEM_REF": ""},
    "missing": {"CHILD": "", "DOB": "14/05/2014", "MISSING": "M", "MIS_START": "17/08/2026", "MIS_END": "19/08/2026"},
}  # fmt: skip
_XML = (
    "<Child><ChildIdentifiers><LAchildID>{child}</LAchildID>{upn}<PersonBirthDate>{born}</PersonBirthDate><Sex>F</Sex>"
    "</ChildIdentifiers><ChildCharacteristics><Ethnicity>WBRI</Ethnicity><Disabilities><Disability>NONE</Disability></Disabilities>"
    "</ChildCharacteristics><CINdetails><CINreferralDate>2026-06-01</CINreferralDate><ReferralSource>6</ReferralSource>{closed}{need}"
    "<Assessments><AssessmentActualStartDate>{began}</AssessmentActualStartDate><AssessmentAuthorisationDate>{signed}"
    "</AssessmentAuthorisationDate><FactorsIdentifiedAtAssessment><AssessmentFactors>10A</AssessmentFactors>"
    "</FactorsIdentifiedAtAssessment></Assessments><ReferralNFA>{nothing_done}</ReferralNFA></CINdetails></Child>\n"
)
_RIGHT = {
    "upn": "<UPNunknown>UN3</UPNunknown>", "born": "2014-05-14", "closed": "", "need": "<PrimaryNeedCode>N5</PrimaryNeedCode>",
    "began": "2026-06-02", "signed": "2026-07-01", "nothing_done": "false",
}  # fmt: skip
# The cell, what stands there, and how many rows fail each rule.
_OF_903: tuple[tuple[str, str, str, dict[str, int]], ...] = (
    ("header", "UPN", "UN9", {"168": 1}),
    ("header", "MC_DOB", "01/01/2025", {"612": 1}),
    ("episodes", "REC", "X1", {"148": 1, "388": 1}),
    ("episodes", "DEC", "01/05/2026", {"148": 1, "356": 1, "577": 1, "578": 1, "581": 1}),
    ("episodes", "PLACE_PROVIDER", "", {"526": 1}),
    ("episodes", "PL_POST", "", {"392b": 1}),
    ("episodes", "URN", "", {"218": 1}),
    ("episodes", "PLACE", "P1", {"222": 1, "527": 1}),
    ("missing", "MIS_END", "16/08/2026", {"567": 1}),
    ("missing", "MIS_END", "19/08/2027", {"571": 1}),
)
_OF_CIN: tuple[tuple[str, str, dict[str, int]], ...] = (
    ("upn", "", {"8770Q": 1}),
    ("born", "2027-05-14", {"8520": 1, "8606": 2}),
    ("closed", "<CINclosureDate>2026-09-01</CINclosureDate>", {"8805": 1}),
    ("closed", "<ReasonForClosure>RC1</ReasonForClosure>", {"8810": 1}),
    ("began", "2026-05-20", {"1103": 2}),
    ("signed", "2026-05-30", {"8608": 1}),
    ("need", "", {"8610": 1}),
    ("nothing_done", "true", {"8831": 2}),
)


def expected() -> Counter[tuple[str, str]]:
    """How many rows of each child fail each rule while the breaks stand."""
    said = [("ssda903", _child(place), rules) for place, (*_, rules) in enumerate(_OF_903)]
    said += [("cin", _child(place), rules) for place, (*_, rules) in enumerate(_OF_CIN)]
    return Counter({(f"{book}.{rule}", child): rows for book, child, rules in said for rule, rows in rules.items()})


def add(night: Path, *, broken: bool) -> None:
    """Writes the children behind those of a night's two returns."""
    returns = night / "social_care"
    for table, right in _CSV.items():
        with (returns / "ssda903" / f"{table}.csv").open("a", encoding="utf-8") as file:
            file.writelines(_line(place, table, right, broken=broken) for place in range(len(_OF_903)))
    (census,) = (returns / "cin").glob("*.xml")
    head, end, tail = census.read_text("utf-8").rpartition("</Children>")
    census.write_text(
        head + "".join(_element(place, broken=broken) for place in range(len(_OF_CIN))) + end + tail, "utf-8"
    )


def put_right(night: Path, failing: Mapping[tuple[str, str], int]) -> None:
    """Mends the children whom the packs name, and no other."""
    named = {child for _, child in failing}
    for table, right in _CSV.items():
        path = night / "social_care/ssda903" / f"{table}.csv"
        text = path.read_text("utf-8")
        for place in (place for place in range(len(_OF_903)) if _child(place) in named):
            text = text.replace(_line(place, table, right, broken=True), _line(place, table, right, broken=False))
        path.write_text(text, "utf-8")
    (census,) = (night / "social_care/cin").glob("*.xml")
    text = census.read_text("utf-8")
    for place in (place for place in range(len(_OF_CIN)) if _child(place) in named):
        text = text.replace(_element(place, broken=True), _element(place, broken=False))
    census.write_text(text, "utf-8")


def _child(place: int) -> str:
    return f"{CHILDREN}{place:04d}"


def _line(place: int, table: str, right: Mapping[str, str], *, broken: bool) -> str:
    of_table, column, text, _ = _OF_903[place]
    wrong = {column: text} if broken and of_table == table else {}
    return ",".join((right | {"CHILD": _child(place)} | wrong).values()) + "\n"


def _element(place: int, *, broken: bool) -> str:
    word, text, _ = _OF_CIN[place]
    return _XML.format(child=_child(place), **(_RIGHT | ({word: text} if broken else {})))

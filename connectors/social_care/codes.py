"""Code lists of children's social care, and the words practitioners use for them.

Lists that other agencies also read (need, legal status, placement...) have their words in connectors/crosswalks.csv and
stand here only as codes in force; lists that nobody else sends have their words here. Labels marked `memory` in
docs/sources.md 13.5 are to be checked against the DfE guide of the year. Not here: anything about a table.
"""

from __future__ import annotations

from collections.abc import Mapping

from warehouse.quoting import literal

YES_NO = ("Y", "N")
ZERO_ONE = ("0", "1")
SEX = ("M", "F", "U")
ETHNICITY = (
    "WBRI", "WIRI", "WOTH", "WIRT", "WROM", "MWBC", "MWBA", "MWAS", "MOTH", "AIND", "APKN", "ABAN", "AOTH", "BCRB",
    "BAFR", "BOTH", "CHNE", "OOTH", "REFU", "NOBT",
)  # fmt: skip
NEED = ("N1", "N2", "N3", "N4", "N5", "N6", "N7", "N8")
NEED_OR_NONE = (*NEED, "N9", "N0")
ABUSE = ("NEG", "PHY", "SAB", "EMO", "MUL")
REFERRAL_SOURCE = (
    "1A", "1B", "1C", "1D", "2A", "2B", "3A", "3B", "3C", "3D", "3E", "3F", "4", "5A", "5B", "5C", "5D", "6", "7", "8",
    "9", "10",
)  # fmt: skip
LEGAL_STATUS = ("C1", "C2", "D1", "E1", "V2", "V3", "V4", "L1", "L2", "L3", "J1", "J2", "J3")
PARTICIPATION = ("PN0", "PN1", "PN2", "PN3", "PN4", "PN5", "PN6", "PN7")
UPN_UNKNOWN = ("UN1", "UN2", "UN3", "UN4", "UN5", "UN6", "UN7")
SDQ_REASON = ("SDQ1", "SDQ2", "SDQ3", "SDQ4", "SDQ5")

CLOSURE = {
    "RC1": "adopted",
    "RC2": "died",
    "RC3": "child arrangements order",
    "RC4": "special guardianship order",
    "RC5": "moved to another council",
    "RC6": "moved to adult services",
    "RC7": "no longer in need, or other reason",
    "RC8": "closed after assessment, no further action",
    "RC9": "closed after assessment, to early help",
}
EPISODE_REASON = {
    "S": "started to be looked after",
    "L": "change of legal status only",
    "P": "change of placement and carer",
    "T": "change of placement, same carer",
    "B": "change of legal status, placement and carer",
    "U": "change of legal status and placement, same carer",
}
PROVIDER = {
    "PR0": "parent",
    "PR1": "own provision",
    "PR2": "another council",
    "PR3": "other public provision",
    "PR4": "private provision",
    "PR5": "voluntary provision",
}
PLACE_CHANGE = {
    "CARPL": "change in the care plan",
    "CLOSE": "provision closed",
    "ALLEG": "allegation (section 47)",
    "STAND": "concern about standards of care",
    "APPRR": "approval removed",
    "CREQB": "carer asked, because of the child's behaviour",
    "CREQO": "carer asked, other reason",
    "CHILD": "child asked",
    "LAREQ": "council asked",
    "PLACE": "change of what the placement provides",
    "CUSTOD": "custody",
    "OTHER": "other",
}
MISSING = {"M": "missing", "A": "away from placement without authorisation"}
PREVIOUS_PERMANENCE = {
    "P1": "adoption",
    "P2": "special guardianship order",
    "P3": "residence or child arrangements order",
    "P4": "permanence of unknown kind",
}
NOT_PLACED = {
    "RD1": "the child's needs changed",
    "RD2": "the court made no placement order",
    "RD3": "no adopters could be found",
    "RD4": "other",
}
WORKER_CHANGE = {
    "MANAGE": "manager's decision",
    "FCONTA": "moved on from first contact",
    "LEFTRL": "worker left the role",
    "ORGRST": "reorganisation",
    "TSPROC": "transfer between teams",
    "ABSENC": "worker absent",
    "CHCHAN": "child asked",
    "PCCHAN": "parent or carer asked",
    "SWDIED": "worker died",
    "OTHERS": "other",
}
IN_TOUCH = {
    "YES": "in touch",
    "NO": "not in touch",
    "DIED": "died",
    "REFU": "refuses contact",
    "NREQ": "services no longer needed",
    "RHOM": "returned home",
}
ACTIVITY = {
    "F1": "in higher education full time",
    "P1": "in higher education part time",
    "F2": "in other education full time",
    "P2": "in other education part time",
    "F3": "in training or work full time",
    "P3": "in training or work part time",
    "F4": "in training or apprenticeship full time",
    "P4": "in training or apprenticeship part time",
    "F5": "in work full time",
    "P5": "in work part time",
    "G4": "not in education, work or training: illness or disability",
    "G5": "not in education, work or training: other circumstances",
    "G6": "not in education, work or training: pregnancy or parenting",
    "0": "activity not known",
}
_ACCOMMODATION = {
    "B": "with parents or relatives",
    "C": "community home",
    "D": "semi-independent, with support",
    "E": "supported lodgings",
    "G": "abroad",
    "H": "deported",
    "K": "ordinary lodgings",
    "R": "not known",
    "S": "no fixed abode",
    "T": "foyer",
    "U": "independent living",
    "V": "emergency accommodation",
    "W": "bed and breakfast",
    "X": "in custody",
    "Y": "other",
    "Z": "with former foster carers",
}
ACCOMMODATION = {
    f"{letter}{suitable}": f"{words}, {'suitable' if suitable == 1 else 'unsuitable'}"
    for letter, words in _ACCOMMODATION.items()
    for suitable in (1, 2)
} | {"0": "not known"}
DISABILITY = {
    "NONE": "no disability",
    "MOB": "mobility",
    "HAND": "hand function",
    "PC": "personal care",
    "INC": "incontinence",
    "COMM": "communication",
    "LD": "learning",
    "HEAR": "hearing",
    "VIS": "vision",
    "BEH": "behaviour",
    "CON": "consciousness",
    "AUT": "autism",
    "DDA": "other disability in law",
}
# Retired factors (18A, 19A) still arrive and are read like their successors (docs/sources.md 3.3).
ASSESSMENT_FACTORS = {
    "1A": "alcohol misuse by the child",
    "1B": "alcohol misuse by a parent",
    "1C": "alcohol misuse by another person at home",
    "2A": "drug misuse by the child",
    "2B": "drug misuse by a parent",
    "2C": "drug misuse by another person at home",
    "3A": "domestic abuse of the child",
    "3B": "domestic abuse of a parent",
    "3C": "domestic abuse of another person at home",
    "4A": "mental health of the child",
    "4B": "mental health of a parent",
    "4C": "mental health of another person at home",
    "5A": "learning disability of the child",
    "5B": "learning disability of a parent",
    "5C": "learning disability of another person at home",
    "6A": "physical disability or illness of the child",
    "6B": "physical disability or illness of a parent",
    "6C": "physical disability or illness of another person at home",
    "7A": "young carer",
    "8B": "private fostering",
    "8C": "private fostering",
    "8D": "private fostering",
    "8E": "private fostering",
    "8F": "private fostering",
    "9A": "unaccompanied asylum seeker",
    "10A": "going missing",
    "11A": "child sexual exploitation",
    "12A": "trafficking",
    "13A": "gangs",
    "14A": "socially unacceptable behaviour",
    "15A": "self-harm",
    "16A": "neglect",
    "17A": "emotional abuse",
    "18A": "physical abuse",
    "18B": "physical abuse by a child",
    "18C": "physical abuse by an adult",
    "19A": "sexual abuse",
    "19B": "sexual abuse by a child",
    "19C": "sexual abuse by an adult",
    "20": "other",
    "21": "no factors",
    "22A": "female genital mutilation",
    "23A": "abuse linked to faith or belief",
    "24A": "child criminal exploitation",
}
DECIDED = {"Y": "agreed", "N": "not agreed"}
IMMUNISATION = {"Y": "immunisations up to date", "N": "immunisations not up to date"}


def in_words(expression: str, words: Mapping[str, str]) -> str:
    """SQL: the words for a code, the code itself where the list does not know it, NULL for nothing."""
    keys, values = ", ".join(map(literal, words)), ", ".join(map(literal, words.values()))
    return f"coalesce(map_extract_value(MAP([{keys}], [{values}]), upper(tidy({expression}))), tidy({expression}))"

"""Who exists: households, children and adults with names, birth dates, homes and identifiers, as they truly are.

Here: the truth. Not here: what any agency wrote down (seeing.py and the agencies), nor the mistakes in it (dirt.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Any, TypeVar

from synthetic.identifiers import Issuer
from synthetic.names import Origin, feminine, look_alikes, origins
from synthetic.places import AUTHORITY, OTHER_AUTHORITIES, Address, School, Streets, schools

# The shape of the population. Proportions are plausible for an English council, not measured from one.
HOUSEHOLD_KINDS = {
    "two parents": 0.50,
    "single mother": 0.215,
    "single father": 0.025,
    "blended": 0.09,
    "shared custody": 0.07,
    "grandparents": 0.025,
    "three generations": 0.045,
    "kinship carer": 0.03,
}
CHILDREN_PER_HOUSEHOLD: dict[int, float] = {1: 0.42, 2: 0.36, 3: 0.14, 4: 0.055, 5: 0.025}
CHILDREN_PER_TRAVELLER_HOUSEHOLD: dict[int, float] = {1: 0.12, 2: 0.22, 3: 0.28, 4: 0.22, 5: 0.16}
CHILDREN_IN_MULTIPLE_BIRTHS = 0.032
TWINS_WITH_SIMILAR_NAMES = 0.4
MIXED_HOUSEHOLDS = 0.07
MOVED_IN_TWO_YEARS = 0.15
SURNAME_CHANGED = 0.02
HYPHENATED_IF_UNMARRIED = 0.16
KNOWN_BY_MIDDLE_NAME = 0.02
KNOWN_AS_SOMETHING_ELSE = 0.06
NOT_IN_A_LOCAL_SCHOOL = 0.04
UPN_FROM_ELSEWHERE = 0.08
TEMPORARY_UPN = 0.012
FORMER_TEMPORARY_UPN = 0.01
CARE_LEAVERS = 0.003

ETHNIC_GROUPS = {
    "WBRI": "White British",
    "WIRI": "White Irish",
    "WIRT": "Irish Traveller",
    "WROM": "Roma",
    "WOTH": "Other White",
    "MWBC": "Mixed",
    "MWBA": "Mixed",
    "MWAS": "Mixed",
    "MOTH": "Mixed",
    "AIND": "Indian",
    "APKN": "Pakistani",
    "ABAN": "Bangladeshi",
    "CHNE": "Chinese",
    "AOTH": "Other Asian",
    "BCRB": "Black Caribbean",
    "BAFR": "Black African",
    "BOTH": "Other Black",
    "OOTH": "Any other",
}
MIXED_WITH_WHITE = {
    "BCRB": "MWBC",
    "BAFR": "MWBA",
    "APKN": "MWAS",
    "ABAN": "MWAS",
    "AIND": "MWAS",
    "CHNE": "MWAS",
    "AOTH": "MWAS",
}


Drawn = TypeVar("Drawn")


@dataclass(slots=True)
class Stay:
    """A household at an address for a while; the last stay has no end."""

    address: Address
    since: date
    until: date | None = None


@dataclass(slots=True, eq=False)
class Person:
    """One invented person. `traps` are properties of the person that make linking hard, wherever they are recorded."""

    id: str
    role: str
    sex: str
    dob: date
    given: str
    middle: str
    family: str
    origin: str
    ethnic: str
    household: Household
    nhs: str = ""
    known_as: str = ""
    former_family: str = ""
    renamed_on: date | None = None
    second_home: Address | None = None
    mother: Person | None = None
    father: Person | None = None
    birth_set: str = ""
    school: School | None = None
    former_school: School | None = None
    upn: str = ""
    temporary_upn: str = ""
    traps: set[str] = field(default_factory=set)
    mother_family: str = ""
    due: date | None = None

    def age(self, on: date) -> int:
        return on.year - self.dob.year - ((on.month, on.day) < (self.dob.month, self.dob.day))


@dataclass(slots=True, eq=False)
class Household:
    """People under one roof. `adults` carry what each is to the children."""

    id: str
    kind: str
    stays: list[Stay]
    adults: list[tuple[Person, str]] = field(default_factory=list)
    children: list[Person] = field(default_factory=list)
    phone: str = ""
    area: int = 0

    def address(self, on: date) -> Address:
        """Where they lived on that day."""
        for stay in reversed(self.stays):
            if stay.since <= on:
                return stay.address
        return self.stays[0].address

    @property
    def home(self) -> Address:
        return self.stays[-1].address


@dataclass(slots=True, eq=False)
class Population:
    """Everybody, and the issuers that number those still to come."""

    today: date
    households: list[Household]
    children: list[Person]
    adults: list[Person]
    primaries: list[School]
    secondaries: list[School]
    streets: Streets
    issuer: Issuer

    def everybody(self) -> list[Person]:
        return self.children + self.adults

    def add_household(self, kind: str, address: Address, since: date) -> Household:
        household = Household(
            f"H{len(self.households) + 1:06d}", kind, [Stay(address, since)], area=len(self.households)
        )
        self.households.append(household)
        return household

    def add_child(self, household: Household, **facts: Any) -> Person:
        child = Person(
            id=f"C{len(self.children) + 1:06d}",
            role="child",
            household=household,
            nhs=self.issuer.nhs_number(),
            **facts,
        )
        self.children.append(child)
        household.children.append(child)
        return child

    def add_adult(self, household: Household, relation: str, **facts: Any) -> Person:
        """An adult of a household, and what they are to its children."""
        adult = Person(
            id=f"A{len(self.adults) + 1:06d}", role="adult", nhs=self.issuer.nhs_number(), household=household, **facts
        )
        self.adults.append(adult)
        household.adults.append((adult, relation))
        return adult


def school_year(dob: date, today: date) -> int:
    """National curriculum year, reception being 0; below 0 is too young."""
    start = today.year if today.month >= 9 else today.year - 1
    return start - dob.year - 5 + ((dob.month, dob.day) <= (8, 31))


def make_population(children: int, seed: int, today: date) -> Population:
    """`children` children under 18 with their households; the same for the same arguments."""
    rng = Random(f"{seed}/population")
    primaries, secondaries = schools(children)
    streets = Streets(rng, children)
    population = Population(today, [], [], [], primaries, secondaries, streets, Issuer(rng))
    lists = list(origins().values())
    weights = [origin.weight for origin in lists]
    multiple_births = max(4, round(children * CHILDREN_IN_MULTIPLE_BIRTHS / 2.06)) if children >= 40 else 1
    made_births = 0
    while len(population.children) < children:
        origin = rng.choices(lists, weights)[0]
        other = rng.choices(lists, weights)[0] if rng.random() < MIXED_HOUSEHOLDS else origin
        room = children - len(population.children)
        births = _birth_dates(rng, origin, today, room)
        # Spread the multiple births over the whole making, so that every slice of the population has its share.
        due = made_births < multiple_births * (len(population.children) + 1) / children
        if due and room >= 3:
            # Triplets are one multiple birth in sixteen, the third one first, so that a small world has them.
            births = _with_multiple_birth(rng, births, 3 if made_births % 16 == 2 else 2)
            made_births += 1
        _make_household(population, rng, origin, other, births[:room])
    _give_schools(population, rng)
    _add_care_leavers(population, rng, max(2, round(children * CARE_LEAVERS)), lists, weights)
    return population


def _draw(rng: Random, shares: dict[Drawn, float]) -> Drawn:
    return rng.choices(list(shares), list(shares.values()))[0]


def _birth_dates(rng: Random, origin: Origin, today: date, room: int) -> list[tuple[date, int]]:
    """Birth dates of one mother's children, eldest first, each with the number born together."""
    shares = CHILDREN_PER_TRAVELLER_HOUSEHOLD if origin.custom == "traveller" else CHILDREN_PER_HOUSEHOLD
    count = min(_draw(rng, shares), room)
    span = 18 * 365
    while True:
        days = sorted((rng.randrange(3, span) for _ in range(count)), reverse=True)
        if all(older - younger > 330 for older, younger in pairwise(days)):
            return [(today - timedelta(day), 1) for day in days]


def _with_multiple_birth(rng: Random, births: list[tuple[date, int]], together: int) -> list[tuple[date, int]]:
    """The same, one of the births being of several children together."""
    index = rng.randrange(len(births))
    births[index] = (births[index][0], together)
    return births


def _make_household(
    population: Population, rng: Random, origin: Origin, other: Origin, births: list[tuple[date, int]]
) -> None:
    today = population.today
    kind = _draw(rng, HOUSEHOLD_KINDS)
    since = today - timedelta(rng.randrange(800, 4000))
    household = population.add_household(kind, population.streets.dwelling(), since)
    moved = MOVED_IN_TWO_YEARS * (3 if origin.custom == "traveller" else 1)
    if rng.random() < moved:
        day = today - timedelta(rng.randrange(12, 700))
        household.stays[-1].until = day
        household.stays.append(Stay(population.streets.dwelling(), day))
    household.phone = f"07700 900{rng.randrange(1000):03d}"  # the range Ofcom keeps free for drama
    mother, father = _make_adults(population, rng, household, origin, other, births[0][0])
    families = _Families(rng, origin, mother, father)
    ethnic = _ethnic(rng, origin, other)
    used: set[str] = set()
    for dob, together in births:
        group: list[Person] = []
        for _ in range(together):
            sex = rng.choice("MF") if not group or rng.random() < 0.4 else group[0].sex
            given, middle, known_as = _given_names(rng, origin, sex, used, father)
            if group and rng.random() < TWINS_WITH_SIMILAR_NAMES:
                names = (origin.girls if sex == "F" else origin.boys).names
                twin = group[0].given
                alike = [name for name in look_alikes(names).get(twin, ()) if name not in used]
                alike = alike or [name for name in names if name[0] == twin[0] and name not in used]
                if group[0].sex == sex and alike:
                    given, known_as = rng.choice(alike), ""
                    group[0].traps.add("twin_similar_names")
            used.add(given)
            child = population.add_child(
                household,
                sex=sex,
                dob=dob,
                given=given,
                middle=middle,
                family=families.of_child(sex),
                origin=origin.name,
                ethnic=ethnic,
                known_as=known_as,
                mother=mother,
                father=father,
                mother_family=mother.family if mother else "",
            )
            _tag_by_custom(child, origin)
            group.append(child)
        if together > 1:
            for child in group:
                child.birth_set = f"B{group[0].id[1:]}"
                child.traps.add("twin" if together == 2 else "triplet")
                if "twin_similar_names" in group[0].traps:
                    child.traps.add("twin_similar_names")
    _tag_household(population, rng, household)


def _tag_by_custom(child: Person, origin: Origin) -> None:
    if not child.family:
        child.traps.add("one_name")
    if origin.custom == "patronymic":
        child.traps.add("patronymic")
    if origin.custom == "sikh" and child.family in ("Singh", "Kaur"):
        child.traps.add("kaur_singh")
    if " " in child.family:
        child.traps.add("double_surname")
    if "-" in child.family and not child.family.startswith(("Al-", "El-")):
        child.traps.add("hyphenated_surname")
    if child.known_as and child.known_as == child.middle:
        child.traps.add("known_by_middle_name")


def _tag_household(population: Population, rng: Random, household: Household) -> None:
    """Properties that siblings share: several children, two homes, a move, a changed surname."""
    children, today = household.children, population.today
    new_family = ""
    if household.kind in ("blended", "single mother") and rng.random() < SURNAME_CHANGED * 5:
        new_family = household.adults[0][0].family if household.adults else ""
    father = children[0].father
    other_home = father.household.home if household.kind == "shared custody" and father else None
    for child in children:
        if len(children) > 1:
            child.traps.add("sibling")
        if len(household.stays) > 1:
            child.traps.add("moved_house")
        if other_home:
            child.second_home = other_home
            child.traps.add("two_homes")
        if new_family and child.family and new_family != child.family:
            child.former_family, child.family = child.family, new_family
            child.renamed_on = today - timedelta(rng.randrange(40, 900))
            child.traps.add("surname_changed")
        if child.father and child.father.given == child.given and child.father.family == child.family:
            child.traps.add("parent_same_name")


class _Families:
    """How the children of one household come by their surnames."""

    def __init__(self, rng: Random, origin: Origin, mother: Person | None, father: Person | None) -> None:
        self._rng, self._origin = rng, origin
        self._father = father.family if father else ""
        self._mother = mother.family if mother else ""
        base = self._father or self._mother or origin.family(rng)
        if (
            self._mother
            and self._father
            and self._mother != self._father
            and origin.custom in ("plain", "west_african")
        ):
            draw = rng.random()
            both = draw < HYPHENATED_IF_UNMARRIED and " " not in base and "-" not in base + self._mother
            base = f"{self._mother}-{self._father}" if both else self._mother if draw < 0.6 else self._father
        self._base = base
        self._none = origin.custom == "one_name" and rng.random() < 0.45

    def of_child(self, sex: str) -> str:
        rng, custom = self._rng, self._origin.custom
        if custom == "slavic":
            return feminine(self._base) if sex == "F" and rng.random() < 0.9 else self._base
        if custom == "double" and self._mother and self._father and " " not in self._mother + self._father:
            return (
                f"{self._mother} {self._father}"
                if self._origin.name == "portuguese"
                else f"{self._father} {self._mother}"
            )
        if custom == "sikh" and self._base in ("Singh", "Kaur"):
            return "Kaur" if sex == "F" else "Singh"
        if custom == "muslim_south_asian" and sex == "F" and rng.random() < 0.18:
            return rng.choice(("Bibi", "Begum", "Khatun", "Parveen"))
        if self._none:
            return ""
        return self._base


def _given_names(rng: Random, origin: Origin, sex: str, used: set[str], father: Person | None) -> tuple[str, str, str]:
    """Given and middle names and what the child is called if it is something else."""
    given = origin.given(rng, sex)
    for _ in range(20):
        if given not in used:
            break
        given = origin.given(rng, sex)
    middle = origin.given(rng, sex) if rng.random() < 0.62 else ""
    known_as = ""
    custom = origin.custom
    if custom in ("patronymic", "arabic") and father:
        middle = father.given
    elif custom == "sikh":
        middle = "Kaur" if sex == "F" else "Singh"
    elif custom == "vietnamese":
        middle = "Thị" if sex == "F" else "Văn"
    elif custom == "chinese":
        middle = ""
        if rng.random() < 0.5:
            known_as = origins()["british"].given(rng, sex)
    elif custom == "one_name":
        middle = ""
    elif custom == "muslim_south_asian" and sex == "M" and given in ("Muhammad", "Mohammed", "Mohammad", "Md", "Abdul"):
        middle = next(name for name in (origin.given(rng, sex) for _ in range(99)) if name not in (*used, given))
        known_as = middle
    elif (
        father
        and sex == "M"
        and custom in ("plain", "traveller")
        and rng.random() < (0.2 if custom == "traveller" else 0.02)
    ):
        given = father.given if father.given not in used else given
    if middle == given:
        middle = ""
    if not known_as and middle and custom in ("plain", "west_african") and rng.random() < KNOWN_BY_MIDDLE_NAME:
        known_as = middle
    return given, middle, known_as


def _make_adults(
    population: Population, rng: Random, household: Household, origin: Origin, other: Origin, eldest: date
) -> tuple[Person | None, Person | None]:
    """Parents and carers. Returned are mother and father, also where they live elsewhere; None where nobody knows."""
    kind = household.kind
    mother_dob = eldest - timedelta(rng.randrange(18 * 365, 38 * 365))
    father_dob = eldest - timedelta(rng.randrange(19 * 365, 44 * 365))
    family = origin.family(rng)
    married = origin.custom in ("plain", "slavic", "west_african") and rng.random() < 0.55
    father_is_home = kind in ("two parents", "single father", "three generations")
    mother_is_home = kind not in ("single father", "grandparents", "kinship carer")

    def adult(at_home: bool, relation: str, sex: str, dob: date, part: Origin, surname: str) -> Person:
        return population.add_adult(
            household if at_home else population.add_household("elsewhere", population.streets.dwelling(), eldest),
            relation,
            sex=sex,
            dob=dob,
            given=part.given(rng, sex),
            middle=part.given(rng, sex) if rng.random() < 0.4 else "",
            family=surname,
            origin=part.name,
            ethnic=part.ethnic,
        )

    def surname_of(part: Origin, sex: str) -> str:
        if part.custom == "sikh" and rng.random() < 0.5:
            return "Kaur" if sex == "F" else "Singh"
        if part.custom == "muslim_south_asian" and sex == "F" and rng.random() < 0.5:
            return rng.choice(("Bibi", "Begum", "Khatun", "Akhtar", "Kausar", "Parveen"))
        drawn = part.family(rng)
        return feminine(drawn) if sex == "F" and part.custom == "slavic" else drawn

    father = (
        adult(father_is_home, "father", "M", father_dob, origin, family)
        if kind != "single mother" or rng.random() < 0.5
        else None
    )
    own = surname_of(other, "F")
    taken = feminine(family) if origin.custom == "slavic" else family
    mother = adult(mother_is_home, "mother", "F", mother_dob, other, taken if married and father else own)
    if kind == "blended":
        step = surname_of(origin, "M")
        partner = adult(True, "stepfather", "M", father_dob, origin, step)
        if rng.random() < 0.5:
            mother.family = partner.family
    if kind in ("grandparents", "three generations"):
        older = mother_dob - timedelta(rng.randrange(20 * 365, 32 * 365))
        adult(True, "grandmother", "F", older, other, surname_of(other, "F"))
    if kind == "kinship carer":
        adult(True, "aunt", "F", mother_dob, other, surname_of(other, "F"))
    return mother, father


def _ethnic(rng: Random, origin: Origin, other: Origin) -> str:
    codes = {origin.ethnic, other.ethnic}
    if len(codes) == 1:
        return origin.ethnic
    rest = codes - {"WBRI", "WIRI", "WOTH"}
    if len(rest) == 1 and len(codes) == 2:
        return MIXED_WITH_WHITE.get(next(iter(rest)), "MOTH")
    return "MOTH" if rest else rng.choice(sorted(codes))


def _give_schools(population: Population, rng: Random) -> None:
    """A school and a UPN for those of school age; siblings go together, a few are taught elsewhere."""
    for household in population.households:
        elsewhere = rng.random() < NOT_IN_A_LOCAL_SCHOOL
        foreign_start = rng.random() < UPN_FROM_ELSEWHERE
        for child in household.children:
            year = school_year(child.dob, population.today)
            if year < 0 or year > 13 or (year > 11 and rng.random() < 0.4):
                continue
            enrol(population, rng, child, foreign_start=foreign_start)
            if elsewhere:
                child.school = None


def enrol(population: Population, rng: Random, child: Person, *, foreign_start: bool = False) -> None:
    """A place at the local school and the UPN that came with the first one."""
    year = school_year(child.dob, population.today)
    area = child.household.area
    primary = population.primaries[area * 7919 % len(population.primaries)]
    secondary = population.secondaries[area * 7919 % len(population.secondaries)]
    child.school = primary if year <= 6 else secondary
    if rng.random() < 0.03:
        rest = [
            school
            for school in (population.primaries if year <= 6 else population.secondaries)
            if school is not child.school
        ]
        child.former_school = rng.choice(rest) if rest else None
    started = max(population.today.year - max(year, 0) - (population.today.month < 9), 2000)
    if foreign_start and year > 0:
        authority, estab = rng.choice(OTHER_AUTHORITIES), f"{rng.randrange(2001, 3999)}"
    else:
        authority, estab = AUTHORITY, primary.estab
    draw = rng.random()
    child.upn = population.issuer.upn(authority, estab, started)
    if draw < TEMPORARY_UPN + FORMER_TEMPORARY_UPN:
        child.temporary_upn = population.issuer.upn(
            AUTHORITY, child.school.estab, population.today.year, temporary=True
        )
        child.traps.add("upn_temporary" if draw < TEMPORARY_UPN else "former_upn")


def _add_care_leavers(
    population: Population, rng: Random, count: int, lists: list[Origin], weights: list[float]
) -> None:
    """Young people of 18 to 20 who left care; the words of the hub count them as children until 25."""
    for _ in range(count):
        origin = rng.choices(lists, weights)[0]
        sex = rng.choice("MF")
        household = population.add_household(
            "care leaver", population.streets.dwelling(), population.today - timedelta(200)
        )
        given, middle, known_as = _given_names(rng, origin, sex, set(), None)
        population.add_child(
            household,
            sex=sex,
            dob=population.today - timedelta(rng.randrange(18 * 365 + 10, 20 * 365 + 300)),
            given=given,
            middle=middle,
            family=origin.family(rng),
            origin=origin.name,
            ethnic=origin.ethnic,
            known_as=known_as,
            traps={"care_leaver"},
        )

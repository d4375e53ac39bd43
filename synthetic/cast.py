"""Who is known to which agency, and who plays a part: every trap that a linkage must pass is given to somebody here.

Chance alone would leave some traps out of a small world; this makes sure that each is there, spread over agencies.
Not here: how often mistakes happen by themselves (dirt.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from synthetic.dirt import AGENCIES, LEVELS, MISTAKES, Occasion, as_it_is
from synthetic.names import origins
from synthetic.population import Household, Person, Population, enrol, school_year

CANARY = "ZZCANARYFELL"
"""A surname nobody has: found in a log, an error message or an unencrypted file, it is a leak."""
# A mother who bore a child within these days cannot be expecting another that anybody knows of.
BETWEEN_BIRTHS = timedelta(330)

# Share of children known to each agency. Social care and police know households rather than single children, and more
# of them than in life, so that a small world holds enough of everything.
KNOWN_TO_HEALTH = 0.97
HOUSEHOLDS_KNOWN_TO_SOCIAL_CARE = 0.16
HOUSEHOLDS_KNOWN_TO_POLICE = 0.11
LOOKED_AFTER = 0.17
KNOWN_TO_YOUTH_JUSTICE = 0.035


@dataclass(slots=True)
class Cast:
    """The parts, settled before anybody writes anything down."""

    population: Population
    in_health: list[Person] = field(default_factory=list)
    in_school: list[Person] = field(default_factory=list)
    in_care_system: list[Person] = field(default_factory=list)
    looked_after: set[str] = field(default_factory=set)
    police_households: list[Household] = field(default_factory=list)
    in_youth_justice: list[Person] = field(default_factory=list)
    forced: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    clean: set[str] = field(default_factory=set)
    duplicated_in_health: list[Person] = field(default_factory=list)
    duplicated_in_care_system: set[str] = field(default_factory=set)
    young_twins: list[Household] = field(default_factory=list)
    restricted: set[str] = field(default_factory=set)
    shared_number: dict[tuple[str, str], tuple[Person, str]] = field(default_factory=dict)
    unborn: list[tuple[Person, Person]] = field(default_factory=list)
    adopted: list[tuple[Person, Person]] = field(default_factory=list)
    resent_with_changed_key: list[Person] = field(default_factory=list)
    canary: Person | None = None
    story: Person | None = None
    vanished: Person | None = None
    retraction: Person | None = None

    def mistakes(self, agency: str, person: Person) -> frozenset[str]:
        """Mistakes this agency must make about this person, taken once: later records about them have none forced."""
        return frozenset(self.forced.pop((agency, person.id), ()))


def cast(population: Population, seed: int) -> Cast:
    """Settles who is known to whom and hands out every part."""
    rng = Random(f"{seed}/cast")
    parts = Cast(population)
    _make_namesakes(population, rng)
    _give_parts(parts, rng)
    _settle_coverage(parts, rng)
    _plant_mistakes(parts, rng)
    return parts


def _count(population: Population, share: float, least: int = 1) -> int:
    return max(least, round(len(population.children) * share))


def _plain(person: Person) -> bool:
    """Nobody's trap yet, so that a part can be given without hiding another."""
    return not person.traps - {"sibling", "moved_house"} and not person.former_family


def _make_namesakes(population: Population, rng: Random) -> None:
    """Cousins of one name, unrelated children of one name, and such on one birth date."""
    pools: dict[tuple[str, str], list[Person]] = {}
    for child in population.children:
        if child.family and not child.traps & {
            "twin",
            "triplet",
            "care_leaver",
            "hyphenated_surname",
            "double_surname",
            "one_name",
        }:
            pools.setdefault((child.origin, child.sex), []).append(child)
    big = sorted((pool for pool in pools.values() if len(pool) > 6), key=len, reverse=True)
    if not big:
        return
    taken: set[str] = set()

    def pair(fits: Callable[[Person, Person], bool]) -> tuple[Person, Person] | None:
        for _ in range(400):
            pool = rng.choices(big, [len(pool) for pool in big])[0]
            one, other = rng.sample(pool, 2)
            if (
                one.household is not other.household
                and not {one.household.id, other.household.id} & taken
                and fits(one, other)
            ):
                taken.update((one.household.id, other.household.id))
                return one, other
        return None

    def same_year(one: Person, other: Person) -> bool:
        return school_year(one.dob, population.today) == school_year(other.dob, population.today)

    def years_apart(one: Person, other: Person) -> bool:
        return 200 < abs((one.dob - other.dob).days) < 2200

    for tag, share, same_day in (
        ("cousin_same_name", 0.002, False),
        ("namesake", 0.0015, False),
        ("namesake_same_dob", 0.0015, True),
    ):
        for _ in range(_count(population, share, 2)):
            found = pair(same_year if same_day else years_apart)
            if not found:
                continue
            one, other = found
            old = other.family
            for child in other.household.children if tag == "cousin_same_name" else [other]:
                if child.family == old:
                    child.family = one.family
            other.given, other.known_as = one.given, ""
            other.traps.discard("known_by_middle_name")
            if same_day:
                other.dob = one.dob
                other.middle = "" if rng.random() < 0.5 else other.middle
            one.traps.add(tag)
            other.traps.add(tag)


def _give_parts(parts: Cast, rng: Random) -> None:
    population, today = parts.population, parts.population.today
    children = [child for child in population.children if "care_leaver" not in child.traps]
    order = rng.sample(children, len(children))
    used: set[str] = set()

    def pick(fits: Callable[[Person], bool]) -> Person | None:
        for child in order:
            if child.household.id not in used and fits(child):
                used.add(child.household.id)
                return child
        return None

    def years(child: Person) -> int:
        return child.age(today)

    parts.canary = pick(
        lambda c: bool(
            c.school and c.mother and c.mother.household is c.household and 12 <= years(c) <= 15 and _plain(c)
        )
    )
    parts.story = pick(
        lambda c: bool(
            c.school and c.mother and c.mother.household is c.household and 5 <= years(c) <= 10 and _plain(c)
        )
    )
    parts.vanished = pick(lambda c: 3 <= years(c) <= 16 and _plain(c))
    parts.retraction = pick(lambda c: years(c) >= 1 and _plain(c))
    if parts.canary:
        parts.canary.family = CANARY
        parts.canary.traps.add("canary")
        if parts.canary.mother:
            parts.canary.mother.family = CANARY
    if parts.story:
        parts.story.traps.add("story")
    for special in (parts.canary, parts.story):
        if special:
            parts.clean.add(special.id)
            special.household.stays = special.household.stays[-1:]
            for child in special.household.children:
                child.traps.discard("moved_house")
    for _ in range(_count(population, 0.0005)):
        old = pick(lambda c: c.school is None and school_year(c.dob, today) == -1 and _plain(c))
        if old:
            parts.adopted.append((old, _adopt(population, rng, old)))
    for _ in range(_count(population, 0.001, 2)):
        mother_of = pick(
            lambda c: bool(
                c.mother
                and c.mother.household is c.household
                and c.mother.age(today) < 40
                and not any(s.mother is c.mother and today - s.dob < BETWEEN_BIRTHS for s in c.household.children)
                and _plain(c)
            )
        )
        if mother_of and mother_of.mother:
            parts.unborn.append((_expect(population, rng, mother_of), mother_of.mother))


def _adopt(population: Population, rng: Random, old: Person) -> Person:
    """The same child with a new name, number and family: on purpose another simulant, never to be joined."""
    origin = origins()[old.origin]
    home = population.add_household("adoptive", population.streets.dwelling(), old.dob + timedelta(900))
    family = origins()["british"].family(rng)
    for sex, relation in (("F", "mother"), ("M", "father")):
        population.add_adult(
            home,
            relation,
            sex=sex,
            dob=population.today - timedelta(rng.randrange(32 * 365, 48 * 365)),
            given=origins()["british"].given(rng, sex),
            middle="",
            family=family,
            origin="british",
            ethnic="WBRI",
        )
    new = population.add_child(
        home,
        sex=old.sex,
        dob=old.dob,
        given=old.given,
        middle=origin.given(rng, old.sex),
        family=family,
        origin=old.origin,
        ethnic=old.ethnic,
        traps={"adopted_new"},
        mother=home.adults[0][0],
        father=home.adults[1][0],
    )
    # Old enough for a nursery class, so that school holds the new identity alone.
    enrol(population, rng, new)
    new.temporary_upn = ""
    new.traps = {"adopted_new"}
    old.traps.add("adopted_old")
    return new


def _expect(population: Population, rng: Random, sibling: Person) -> Person:
    """An unborn brother or sister; born, if at all, on night 2."""
    due = population.today + timedelta(rng.randrange(1, 70))
    mother = sibling.mother
    child = population.add_child(
        sibling.household,
        sex=rng.choice("MF"),
        dob=due,
        due=due,
        given=origins()[sibling.origin].given(rng, "F"),
        middle="",
        family=sibling.family or (mother.family if mother else ""),
        origin=sibling.origin,
        ethnic=sibling.ethnic,
        mother=mother,
        father=sibling.father,
        traps={"unborn", "sibling"},
    )
    child.given = origins()[sibling.origin].given(rng, child.sex)
    return child


def _settle_coverage(parts: Cast, rng: Random) -> None:
    population = parts.population
    unborn = {child.id for child, _ in parts.unborn}
    born = [child for child in population.children if child.id not in unborn]
    specials = [person for person in (parts.canary, parts.story, parts.vanished, parts.retraction) if person]
    special_ids = {person.id for person in specials}
    new_identities = {new.id for _, new in parts.adopted}
    old_identities = {old.id for old, _ in parts.adopted}
    kept = special_ids | new_identities | old_identities
    parts.in_health = [child for child in born if child.id in kept or rng.random() < KNOWN_TO_HEALTH]
    parts.in_school = [child for child in born if child.school]
    homes = [home for home in population.households if home.children and home.kind not in ("adoptive", "care leaver")]
    must = {person.household.id for person in (parts.canary, parts.story, parts.vanished) if person}
    must |= {child.household.id for child, _ in parts.unborn} | {old.household.id for old, _ in parts.adopted}
    twins = [home for home in homes if any(child.birth_set for child in home.children)]
    # The youngest first: they are the ones written down as Twin 1 and Twin 2.
    twins.sort(key=lambda home: max(child.dob for child in home.children if child.birth_set), reverse=True)
    parts.young_twins = twins[: _count(population, 0.002, 3)]
    must |= {home.id for home in parts.young_twins}
    for home in homes:
        if home.id in must or rng.random() < HOUSEHOLDS_KNOWN_TO_SOCIAL_CARE:
            parts.in_care_system += [
                child for child in home.children if home.id in must or child.id in special_ids or rng.random() < 0.88
            ]
        if home.id in must or rng.random() < HOUSEHOLDS_KNOWN_TO_POLICE:
            parts.police_households.append(home)
    leavers = [child for child in born if "care_leaver" in child.traps]
    parts.in_care_system += leavers
    for child in parts.in_care_system:
        if "unborn" not in child.traps and rng.random() < LOOKED_AFTER:
            parts.looked_after.add(child.id)
    parts.looked_after |= old_identities | {child.id for child in leavers}
    parts.looked_after -= {person.id for person in (parts.story, parts.vanished) if person}
    if parts.canary:
        parts.looked_after.add(parts.canary.id)
    _add_unaccompanied(parts, rng)
    teenagers = [child for child in born if 10 <= child.age(population.today) <= 17]
    parts.in_youth_justice = [
        child
        for child in teenagers
        if child is parts.canary or (rng.random() < KNOWN_TO_YOUTH_JUSTICE and child is not parts.story)
    ]
    ordinary = [child for child in parts.in_health if child.id not in kept]
    parts.duplicated_in_health = rng.sample(ordinary, min(len(ordinary), _count(population, 0.008, 3)))
    twice = [child.id for child in parts.in_care_system if child.id not in kept and not child.due]
    parts.duplicated_in_care_system = set(rng.sample(twice, min(len(twice), _count(population, 0.001, 2))))
    for home in rng.sample(homes, min(len(homes), _count(population, 0.004, 2))):
        if home.id not in must:
            parts.restricted |= {child.id for child in home.children} | {adult.id for adult, _ in home.adults}
    _share_numbers(parts, rng)
    parts.resent_with_changed_key = rng.sample(ordinary, min(len(ordinary), 40))


def _add_unaccompanied(parts: Cast, rng: Random) -> None:
    """Young people who came alone; their birth date was set to the first of January."""
    today = parts.population.today
    for _ in range(_count(parts.population, 0.0015, 2)):
        origin = origins()[rng.choice(("afghan", "eritrean", "kurdish", "vietnamese"))]
        home = parts.population.add_household(
            "foster care", parts.population.streets.dwelling(), today - timedelta(rng.randrange(60, 500))
        )
        child = parts.population.add_child(
            home,
            sex="M" if rng.random() < 0.85 else "F",
            dob=date(today.year - rng.randrange(15, 18), 1, 1),
            given="",
            middle="",
            family=origin.family(rng),
            origin=origin.name,
            ethnic=origin.ethnic,
            traps={"uasc", "dob_0101"},
        )
        child.given = origin.given(rng, child.sex)
        if child.age(today) >= 18:
            child.dob = child.dob.replace(year=child.dob.year + 1)
        parts.in_health.append(child)
        parts.in_care_system.append(child)
        parts.looked_after.add(child.id)


def _share_numbers(parts: Cast, rng: Random) -> None:
    """One NHS number typed on two children: twins, and people who have nothing to do with each other."""

    def share(agency: str, one: Person, other: Person, tag: str) -> None:
        for person in (one, other):
            parts.shared_number[agency, person.id] = (one, tag)

    for agency, known in (("social_care", parts.in_care_system), ("health", parts.in_health)):
        sets: dict[str, list[Person]] = {}
        plain = []
        for child in known:
            if child.birth_set:
                sets.setdefault(child.birth_set, []).append(child)
            elif _plain(child) and child.id not in parts.clean and child.id not in parts.restricted:
                plain.append(child)
        pairs = [twins[:2] for twins in sets.values() if len(twins) >= 2]
        for one, other in pairs[: _count(parts.population, 0.0007, 1)]:
            share(agency, one, other, "nhs_shared_twins")
        for _ in range(min(_count(parts.population, 0.0007, 1), len(plain) // 2)):
            one, other = rng.sample(plain, 2)
            if one.household is not other.household:
                share(agency, one, other, "nhs_shared_unrelated")


def _plant_mistakes(parts: Cast, rng: Random) -> None:
    """Each mistake at least twice in each agency that makes it at all, on somebody who can carry it."""
    today = parts.population.today
    police_children = [
        child for home in parts.police_households for child in home.children if "unborn" not in child.traps
    ]
    known: dict[str, Iterable[Person]] = {
        "health": parts.in_health,
        "school": parts.in_school,
        "social_care": parts.in_care_system,
        "police": police_children,
        "youth_justice": parts.in_youth_justice,
    }
    parted = (
        {old.id for old, _ in parts.adopted} | {new.id for _, new in parts.adopted} | parts.clean | parts.restricted
    )
    parted |= {person_id for _, person_id in parts.shared_number}
    for column, agency in enumerate(AGENCIES):
        pool = [
            child
            for child in known[agency]
            if child.id not in parted and child is not parts.vanished and "unborn" not in child.traps
        ]
        rng.shuffle(pool)
        least = 1 if agency == "youth_justice" else _count(parts.population, 0.0005, 2)
        for mistake, shares in LEVELS.items():
            if not shares[column] or shares[column] >= 0.9:
                continue
            planted = 0
            for child in pool:
                if planted == least:
                    break
                if (agency, child.id) in parts.forced:
                    continue
                trial = as_it_is(child, today)
                if MISTAKES[mistake](trial, child, Random(child.id), Occasion(agency, today, today)):
                    parts.forced[agency, child.id] = {mistake}
                    planted += 1

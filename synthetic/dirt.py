"""The mistakes agencies make when they write a person down, and how often each agency makes them.

One function per mistake: it changes what was seen and answers whether it did. The name of the function is the tag that
the truth carries. Not here: which child must carry which mistake (traps.py), nor the files (write_*.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from synthetic.identifiers import PLACEHOLDER_NHS_NUMBERS, PSEUDO_POSTCODES, is_nhs_number
from synthetic.names import nicknames, placeholders, transliterations, without_marks
from synthetic.places import Address
from synthetic.population import ETHNIC_GROUPS, Person

AGENCIES = ("health", "school", "social_care", "police", "youth_justice")

# Share of the records that could carry a mistake and do, one column per agency of AGENCIES. Police is worst: typed at
# night, at the door, from what people say. Health is best: traced against a national index. Shares are for eligible
# records only (a nickname needs a name that has one), which is why some look high. None was measured anywhere; tests
# must not depend on them.
LEVELS: dict[str, tuple[float, float, float, float, float]] = {
    # names
    "old_surname_here": (0.20, 0.25, 0.35, 0.45, 0.40),
    "surname_half": (0.03, 0.05, 0.08, 0.22, 0.15),
    "surname_hyphenated_here": (0.004, 0.006, 0.008, 0.010, 0.010),
    "nickname": (0.03, 0.06, 0.08, 0.16, 0.12),
    "known_by_middle_here": (0.10, 0.35, 0.35, 0.60, 0.50),
    "transliteration": (0.05, 0.08, 0.15, 0.35, 0.20),
    "marks_lost": (0.60, 0.25, 0.55, 0.90, 0.70),
    "apostrophe_lost": (0.20, 0.15, 0.25, 0.60, 0.30),
    "mc_spaced": (0.04, 0.04, 0.08, 0.20, 0.10),
    "given_typo": (0.008, 0.012, 0.020, 0.055, 0.025),
    "family_typo": (0.008, 0.012, 0.020, 0.060, 0.025),
    "middle_in_forename": (0.0, 0.02, 0.05, 0.25, 0.10),
    "given_initial_only": (0.001, 0.0, 0.003, 0.020, 0.003),
    "given_family_swapped": (0.003, 0.004, 0.008, 0.025, 0.010),
    "title_in_forename": (0.001, 0.003, 0.006, 0.025, 0.006),
    "given_missing": (0.001, 0.0, 0.002, 0.008, 0.0),
    "family_missing": (0.001, 0.0, 0.002, 0.008, 0.0),
    "placeholder_name": (0.001, 0.0, 0.002, 0.010, 0.0),
    # birth date: at most one of these in a record
    "dob_day_month_swapped": (0.004, 0.004, 0.012, 0.050, 0.015),
    "dob_wrong_digit": (0.005, 0.006, 0.012, 0.040, 0.020),
    "dob_0101": (0.001, 0.001, 0.006, 0.020, 0.010),
    "dob_of_relative": (0.001, 0.001, 0.003, 0.010, 0.003),
    "dob_is_incident_date": (0.0, 0.0, 0.0, 0.010, 0.0),
    "dob_missing": (0.001, 0.0, 0.008, 0.040, 0.005),
    "dob_age_only": (0.0, 0.0, 0.0, 0.035, 0.0),
    "dob_unparsable": (0.001, 0.0, 0.0, 0.008, 0.004),
    # sex and ethnicity
    "sex_differs": (0.002, 0.002, 0.004, 0.012, 0.005),
    "sex_unknown": (0.002, 0.0, 0.004, 0.020, 0.005),
    "ethnicity_differs": (0.04, 0.03, 0.06, 0.10, 0.06),
    "ethnicity_not_recorded": (0.06, 0.05, 0.06, 0.20, 0.06),
    # addresses
    "stale_address": (0.22, 0.14, 0.30, 0.25, 0.30),
    "other_home_address": (0.20, 0.20, 0.30, 0.45, 0.35),
    "pseudo_postcode": (0.004, 0.002, 0.008, 0.015, 0.010),
    "postcode_missing": (0.006, 0.008, 0.030, 0.120, 0.040),
    "postcode_typo": (0.006, 0.010, 0.020, 0.040, 0.030),
    "postcode_untidy": (0.010, 0.080, 0.060, 0.150, 0.080),
    # identifiers
    "nhs_missing": (0.010, 1.0, 0.280, 0.970, 0.550),
    "nhs_mistyped": (0.002, 0.0, 0.010, 0.050, 0.020),
    "nhs_untraced": (0.030, 0.0, 0.0, 0.0, 0.0),
    "nhs_placeholder": (0.001, 0.0, 0.006, 0.010, 0.006),
    "upn_missing": (1.0, 0.0, 0.280, 1.0, 1.0),
    "upn_mistyped": (0.0, 0.0, 0.012, 0.0, 0.0),
}

KEYBOARD = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k",
    "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb",
    "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip
SOUNDS = (
    ("ph", "f"),
    ("ie", "ei"),
    ("ei", "ie"),
    ("ck", "k"),
    ("ee", "ea"),
    ("y", "ie"),
    ("sh", "ch"),
    ("tt", "t"),
    ("nn", "n"),
    ("ll", "l"),
)


@dataclass(slots=True)
class Seen:
    """What one agency wrote down about one person. `dob_text` stands where the date could not be a date."""

    given: str
    middle: str
    family: str
    known_as: str
    former_family: str
    dob: date | None
    sex: str
    nhs: str
    nhs_status: str
    upn: str
    former_upn: str
    address: Address
    postcode: str
    ethnic: str
    phone: str
    dob_text: str = ""
    age: int | None = None
    protected: bool = False
    traps: set[str] = field(default_factory=set)

    def insufficient(self) -> bool:
        """Too little for anybody to say who it is: no own identifier, and no name with a birth date or an address."""
        if self.upn or (is_nhs_number(self.nhs) and not self.traps & {"nhs_placeholder", "nhs_mistyped", "nhs_shared"}):
            return False
        poor_name = {
            "given_missing",
            "placeholder_name",
            "placeholder_baby",
            "placeholder_twin",
            "unborn",
            "given_initial_only",
        }
        if not self.given or self.traps & poor_name:
            return True
        poor_dob = {
            "dob_missing",
            "dob_age_only",
            "dob_0101",
            "dob_is_incident_date",
            "dob_of_relative",
            "dob_unparsable",
        }
        return bool(self.dob is None or self.traps & poor_dob) and (
            not self.family or self.postcode[:4] in ("", "ZZ99")
        )


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and where something was written down."""

    agency: str
    on: date
    happened: date | None = None


Mistake = Callable[[Seen, Person, Random, Occasion], bool]


def typo(rng: Random, text: str) -> str:
    """One slip of finger or ear: neighbour key, letter lost, doubled or transposed, or another spelling of a sound."""
    if len(text) < 3:
        return text
    kind = rng.randrange(5)
    if kind == 4:
        fitting = [(sound, other) for sound, other in SOUNDS if sound in text[1:].lower()]
        if fitting:
            sound, other = rng.choice(fitting)
            return text[0] + text[1:].lower().replace(sound, other, 1)
        kind = 0
    at = rng.randrange(1, len(text) - 1)
    if kind == 0:
        near = KEYBOARD.get(text[at].lower(), "e")
        return text[:at] + rng.choice(near) + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[: at + 1] + text[at:]
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return swapped if swapped != text else text[:at] + text[at + 1 :]


def mistyped_digits(rng: Random, text: str) -> str:
    """Two neighbouring digits transposed, or one replaced; always different, mostly failing its check."""
    places = [
        at
        for at in range(1, len(text) - 1)
        if text[at].isdecimal() and text[at + 1].isdecimal() and text[at] != text[at + 1]
    ]
    if places and rng.random() < 0.6:
        at = rng.choice(places)
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    at = rng.choice([place for place in range(1, len(text)) if text[place].isdecimal()])
    return text[:at] + str((int(text[at]) + rng.randrange(1, 10)) % 10) + text[at + 1 :]


# Names


def old_surname_here(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not person.former_family:
        return False
    seen.family, seen.former_family = person.former_family, ""
    return True


def surname_half(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    parts = seen.family.replace("-", " ").split()
    if len(parts) < 2 or parts[0].lower() in ("al", "el", "da", "dos", "dela", "ó"):
        return False
    seen.family = rng.choice(parts)
    return True


def surname_hyphenated_here(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    other = person.mother_family
    if not other or not seen.family or other in seen.family or " " in seen.family + other or "-" in seen.family + other:
        return False
    seen.family = rng.choice((f"{seen.family}-{other}", f"{other}-{seen.family}", f"{other} {seen.family}"))
    return True


def nickname(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    options = nicknames().get(seen.given)
    if not options:
        return False
    seen.given = rng.choice(options)
    return True


def known_by_middle_here(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not person.known_as or person.known_as == seen.given:
        return False
    seen.given = person.known_as
    if seen.middle == person.known_as:
        seen.middle = ""
    return True


def transliteration(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    table = transliterations()
    given, family = table.get(seen.given), table.get(seen.family)
    if person.origin == "british" or not (given or family):
        return False
    if given and (not family or rng.random() < 0.6):
        seen.given = rng.choice(given)
    elif family:
        seen.family = rng.choice(family)
    return True


def marks_lost(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    before = seen.given + seen.middle + seen.family + seen.known_as
    if before.isascii():
        return False
    seen.given, seen.middle, seen.family, seen.known_as, seen.former_family = map(
        without_marks, (seen.given, seen.middle, seen.family, seen.known_as, seen.former_family)
    )
    return seen.given + seen.middle + seen.family + seen.known_as != before


def apostrophe_lost(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if "'" not in seen.family:
        return False
    seen.family = seen.family.replace("'", rng.choice(("", " ")))
    return True


def mc_spaced(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    for prefix in ("Mc", "Mac"):
        rest = seen.family[len(prefix) :]
        if seen.family.startswith(prefix) and rest[:1].isupper():
            seen.family = f"{prefix} {rest}"
            return True
    return False


def given_typo(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    before = seen.given
    seen.given = typo(rng, seen.given)
    return seen.given != before


def family_typo(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    before = seen.family
    seen.family = typo(rng, seen.family)
    return seen.family != before


def middle_in_forename(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not seen.middle:
        return False
    seen.given, seen.middle = f"{seen.given} {seen.middle}", ""
    return True


def given_initial_only(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if len(seen.given) < 2:
        return False
    seen.given, seen.middle = seen.given[0], ""
    return True


def given_family_swapped(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not seen.family or not seen.given:
        return False
    seen.given, seen.family = seen.family, seen.given
    return True


def title_in_forename(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not seen.given:
        return False
    title = rng.choice(placeholders("titles"))
    seen.given = f"{title}. {seen.given}" if rng.random() < 0.2 else f"{title} {seen.given}"
    return True


def given_missing(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.given, seen.middle, seen.known_as = "", "", ""
    return True


def family_missing(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    before = seen.family
    seen.family = ""
    return bool(before)


def placeholder_name(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.given, seen.middle, seen.known_as = rng.choice(("Unknown", "Not Known", "NFN", "Child", "Unk")), "", ""
    if rng.random() < 0.3:
        seen.family = rng.choice(placeholders("family"))
    return True


# Birth dates


def dob_day_month_swapped(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    dob = person.dob
    if dob.day > 12 or dob.day == dob.month:
        return False
    seen.dob = date(dob.year, dob.day, dob.month)
    return seen.dob <= occasion.on


def dob_wrong_digit(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    dob, shift = person.dob, rng.choice((-1, 1))
    part = rng.randrange(4)
    try:
        wrong = (
            dob.replace(year=dob.year + shift)
            if part == 0
            else dob.replace(month=dob.month + shift)
            if part == 1
            else dob.replace(day=dob.day + shift * rng.choice((1, 10)))
        )
    except ValueError:
        wrong = dob + timedelta(1)
    if wrong > occasion.on:
        return False
    seen.dob = wrong
    return True


def dob_0101(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.dob = date(person.dob.year, 1, 1)
    return seen.dob != person.dob


def dob_of_relative(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    household = person.household
    relatives = [child for child in household.children if child.dob != person.dob] + [
        adult for adult, _ in household.adults[:1]
    ]
    if not relatives:
        return False
    seen.dob = rng.choice(relatives).dob
    return True


def dob_is_incident_date(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    """The date of the arrest or the call typed where the birth date goes, sometimes with the year put back."""
    if not occasion.happened:
        return False
    seen.dob = occasion.happened
    return True


def dob_missing(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.dob = None
    return True


def dob_age_only(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.dob = None
    seen.age = max(0, person.age(occasion.happened or occasion.on) + rng.choice((0, 0, 0, -1, 1)))
    return True


def dob_unparsable(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    """Not a whole date: health may legally send a month or a year, others write what they know."""
    dob = person.dob
    seen.dob_text = (
        f"{dob:%Y-%m}"
        if occasion.agency == "health"
        else rng.choice((f"00/00/{dob.year}", f"approx {dob.year}", "not known", "31/02/2014"))
    )
    seen.dob = None
    return True


# Sex and ethnicity


def sex_differs(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.sex = "F" if person.sex == "M" else "M"
    return True


def sex_unknown(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.sex = "U"
    return True


def ethnicity_differs(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.ethnic = rng.choice([code for code in ETHNIC_GROUPS if code != person.ethnic])
    return True


def ethnicity_not_recorded(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.ethnic = rng.choice(("NOBT", "NOBT", "REFU"))
    return True


# Addresses


def stale_address(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    stays = person.household.stays
    if len(stays) < 2:
        return False
    seen.address = stays[-2].address
    seen.postcode = seen.address.postcode
    return True


def other_home_address(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not person.second_home:
        return False
    seen.address = person.second_home
    seen.postcode = seen.address.postcode
    return True


def pseudo_postcode(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.postcode = rng.choice(PSEUDO_POSTCODES)
    return True


def postcode_missing(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.postcode = ""
    return True


def postcode_typo(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    outward, _, inward = seen.postcode.partition(" ")
    if not inward or outward == "ZZ99":
        return False
    spelt = rng.randrange(3)
    if spelt == 0:
        seen.postcode = f"{outward} {inward[0]}{inward[2]}{inward[1]}"
    elif spelt == 1:
        seen.postcode = f"{outward} {(int(inward[0]) + rng.randrange(1, 9)) % 10}{inward[1:]}"
    else:
        seen.postcode = f"{outward} {inward}".replace("1", "I", 1).replace("0", "O", 1)
    return seen.postcode != f"{outward} {inward}"


def postcode_untidy(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not seen.postcode:
        return False
    plain = seen.postcode
    seen.postcode = rng.choice(
        (plain.replace(" ", ""), plain.lower(), plain.replace(" ", "  "), f"{plain} ", plain.replace(" ", "").lower())
    )
    return True


# Identifiers


def nhs_missing(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.nhs, seen.nhs_status = "", "07" if rng.random() < 0.5 else "03"
    return True


def nhs_mistyped(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not seen.nhs:
        return False
    seen.nhs, seen.nhs_status = mistyped_digits(rng, seen.nhs), "02"
    return True


def nhs_untraced(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not seen.nhs:
        return False
    seen.nhs_status = rng.choice(("02", "02", "04", "05", "06"))
    return True


def nhs_placeholder(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.nhs, seen.nhs_status = rng.choice(PLACEHOLDER_NHS_NUMBERS[:2] * 3 + PLACEHOLDER_NHS_NUMBERS), "02"
    return True


def upn_missing(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    seen.upn = seen.former_upn = ""
    return True


def upn_mistyped(seen: Seen, person: Person, rng: Random, occasion: Occasion) -> bool:
    if not seen.upn:
        return False
    seen.upn = mistyped_digits(rng, seen.upn)
    return True


MISTAKES: dict[str, Mistake] = {name: globals()[name] for name in LEVELS}
BIRTH_DATE_MISTAKES = frozenset(name for name in LEVELS if name.startswith("dob_"))
ABSENCE = frozenset({"nhs_missing", "upn_missing", "ethnicity_not_recorded"})
"""Not a trap: much of the world simply does not hold it."""
SHARES: dict[str, tuple[tuple[str, float], ...]] = {
    agency: tuple((name, shares[column]) for name, shares in LEVELS.items() if shares[column])
    for column, agency in enumerate(AGENCIES)
}


def as_it_is(person: Person, on: date) -> Seen:
    """The person without any mistake, as of that day."""
    address = person.household.address(on)
    renamed = person.renamed_on is not None and on >= person.renamed_on
    known = bool(person.former_family) and not renamed
    return Seen(
        given=person.given,
        middle=person.middle,
        family=person.former_family if known else person.family,
        known_as=person.known_as,
        former_family=person.former_family if renamed else "",
        dob=person.dob,
        sex=person.sex,
        nhs=person.nhs,
        nhs_status="01",
        upn=person.upn,
        former_upn="",
        address=address,
        postcode=address.postcode,
        ethnic=person.ethnic,
        phone=person.household.phone,
        traps=set(person.traps),
    )


def see(
    person: Person, rng: Random, occasion: Occasion, forced: frozenset[str] = frozenset(), *, clean: bool = False
) -> Seen:
    """What the agency writes down; `forced` mistakes are made for certain, `clean` leaves out the others."""
    seen = as_it_is(person, occasion.on)
    dob_spoilt = False
    draw = rng.random
    forced_dob = bool(forced & BIRTH_DATE_MISTAKES)
    for name, share in SHARES[occasion.agency]:
        must = name in forced
        if not must and ((clean and name not in ABSENCE) or draw() >= share):
            continue
        if name in BIRTH_DATE_MISTAKES:
            if dob_spoilt or (forced_dob and not must):
                continue
            if MISTAKES[name](seen, person, rng, occasion):
                dob_spoilt = True
                seen.traps.add(name)
            else:
                seen.dob = person.dob
        elif MISTAKES[name](seen, person, rng, occasion) and name not in ABSENCE:
            seen.traps.add(name)
    for name in forced:
        if name not in seen.traps and name in MISTAKES and name not in dict(SHARES[occasion.agency]):
            MISTAKES[name](seen, person, rng, occasion)
            seen.traps.add(name)
    return seen

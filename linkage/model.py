"""The linkage model on one screen, as data: what is compared, what each agreement is worth, when a machine may decide.

What lives here: named blocking rules, named comparisons with their m and u, thresholds, caps, and the reason for each constant.
What must not: SQL that moves rows, and any number that was found by trying values against a truth file. m is how often two records
of one person show a level; u how often two records of different people do. Both are argued for below; train.py gives a
new version with rates counted on a deployment's own records. Nights never train.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Level:
    """One degree of agreement. `words` is what a reader sees; `sql` is over columns named x_l and x_r, '' being all the rest."""

    name: str
    words: str
    sql: str
    m: float
    u: float
    frequency_of: str = ""  # column whose value's own frequency replaces u: agreeing on a rare name says more

    @property
    def weight(self) -> float:
        """Bits of evidence: positive speaks for one person, negative against."""
        return math.log2(self.m / self.u)


@dataclass(frozen=True)
class Comparison:
    """One attribute compared. Levels are tried in order; where `missing` holds nothing is said either way."""

    name: str
    missing: str
    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        # A score is told apart by its weight (link.py), so no two levels may weigh the same, nor nothing.
        weights = {round(level.weight, 9) for level in self.levels} | {0.0}
        if len(weights) <= len(self.levels):
            raise ValueError(f"comparison {self.name}: two levels have the same weight, or one weighs nothing")

    def code(self, level: str) -> int:
        """Splink's number for a level: 0 is the last, missing is -1."""
        names = [entry.name for entry in self.levels]
        return len(names) - 1 - names.index(level)

    def level(self, name: str) -> Level:
        return next(entry for entry in self.levels if entry.name == name)


@dataclass(frozen=True)
class BlockingRule:
    """Which pairs are looked at at all. `sql` gives (rid, key); records that share a key are compared."""

    name: str
    words: str
    sql: str


# --- Comparisons ------------------------------------------------------------------------------------------------------------------
# Given name, birth date and numbers are about a person. Surname, postcode and address are about a household: siblings share them.

# Who has one name only is written in either field, twice, or with a filler.
_ONE_NAME = "coalesce((given_l IS NULL AND family_l = given_r) OR (given_r IS NULL AND family_r = given_l), false)"

# The same, misspelt. Beside a surname of its own, Jonas is not the Jones of whom only a surname is known.
_ONE_NAME_NEAR = "coalesce({}, {}, false)".format(
    *(
        f"(given_{x} IS NULL AND (family_{y} IS NULL OR family_{y} = given_{y})"
        f" AND least(length(family_{x}), length(given_{y})) >= 4 AND damerau_levenshtein(family_{x}, given_{y}) <= 1)"
        for x, y in ("lr", "rl")
    )
)

# An adult's one name, in the field of given names, that is the other's surname. Not a child's: its twin at home bears the same surname.
_SURNAME_ALONE = (
    "coalesce(grown_l AND grown_r AND given_l <> given_r"
    " AND ((family_l IS NULL AND given_l = family_r) OR (family_r IS NULL AND given_r = family_l)), false)"
)

GIVEN_NAME = Comparison(
    "given",
    f"((given_l IS NULL OR given_r IS NULL) AND NOT {_ONE_NAME} AND NOT {_ONE_NAME_NEAR}) OR {_SURNAME_ALONE}",
    (
        # Four in five pairs of records of one child write the first name alike; u is the chance of a shared first name, replaced by
        # the frequency of the name itself (Mohammed 2 %, Saoirse .01 %).
        Level("exact", "same given name", "given_l = given_r", 0.80, 0.004, "given"),
        # Middle name or known-by name that a source states: one child in twenty somewhere. What one side states the other must not
        # contradict: Eshal Khadija and Iqra Eshal are sisters, of whom one bears the other's name, sooner than one child. Nor may an
        # initial: M Wyatt is Marty Wyatt, J Wyatt is his brother.
        Level(
            "known_by",
            "a given name the other is known by",
            "(list_contains(given_set_l, given_r) OR list_contains(given_set_r, given_l))"
            " AND (list_has_all(given_set_l, given_set_r) OR list_has_all(given_set_r, given_set_l)"
            " OR (list_contains(given_set_l, given_r) AND list_contains(given_set_r, given_l)))"
            " AND list_has_all(list_transform(given_set_l, lambda name: left(name, 1)), given_initials_r)"
            " AND list_has_all(list_transform(given_set_r, lambda name: left(name, 1)), given_initials_l)",
            0.05,
            0.004,
        ),
        # A short form or another spelling, which nobody states: that Ava and Evie are forms of one name does not make twins one child.
        Level(
            "variant",
            "forms or spellings of one given name",
            "list_has_any(given_group_l, given_group_r) OR given_sound_l = given_sound_r",
            0.04,
            0.0045,
        ),
        # One slip of the keyboard, or a name cut short (Don, Donovan). Names as near as this by chance (Mia, Mya) are about one pair in a
        # hundred.
        Level(
            "similar",
            "nearly the same given name",
            "jaro_winkler_similarity(given_l, given_r) >= 0.9 OR"
            " (length(given_l) >= 4 AND length(given_r) >= 4 AND damerau_levenshtein(given_l, given_r) <= 1) OR"
            " (least(length(given_l), length(given_r)) >= 3 AND (starts_with(given_l, given_r) OR starts_with(given_r, given_l)))",
            0.05,
            0.01,
        ),
        # Given and family name in each other's field.
        Level(
            "swapped",
            "given name and surname swapped",
            "list_contains(family_set_l, given_r) AND list_contains(family_set_r, given_l)",
            0.009,
            0.00004,
        ),
        Level(
            "swapped_near",
            "given name and surname swapped, and one of them spelt differently",
            "jaro_winkler_similarity(given_l, family_r) >= 0.9 AND jaro_winkler_similarity(given_r, family_l) >= 0.9",
            0.002,
            0.00004,
        ),
        # m is of pairs where one side has one name only; u is a bearer of a common such name, who is also known by it as a surname.
        Level("one_name", "one name only, in either field", _ONE_NAME, 0.3, 0.01),
        # One of two spellings is a slip; two people's single names are as near as this about once in eighty.
        Level("one_name_near", "one name only, in either field, and spelt differently", _ONE_NAME_NEAR, 0.03, 0.012),
        Level(
            "initial",
            "an initial that fits the given name",
            "least(length(given_l), length(given_r)) = 1 AND left(given_l, 1) = left(given_r, 1)",
            0.008,
            0.004,  # few records hold an initial only; one in twelve of them fits by chance
        ),
        # A name typed on the wrong keys keeps its length and some of its letters.
        Level(
            "garbled",
            "given names distantly alike",
            "jaro_winkler_similarity(given_l, given_r) >= 0.7"
            " OR damerau_levenshtein(given_l, given_r) <= 0.6 * least(length(given_l), length(given_r))",
            0.02,
            0.07,
        ),
        Level("different", "different given names", "", 0.02, 0.9),
    ),
)

# Second names that are a child's own: sql/prepare.sql leaves out those that children of one surname share.
SECOND_NAME = Comparison(
    "second",
    "len(given_second_l) = 0 OR len(given_second_r) = 0",
    (
        # Who writes a second name at all seldom writes another one. That two children share one by chance is one in fifty for the
        # commonest (Rose, James) and less for the rest; within a home parents avoid it.
        Level("exact", "same second name", "list_has_any(given_second_l, given_second_r)", 0.88, 0.02),
        Level(
            "similar",
            "nearly the same second name",
            "jaro_winkler_similarity(given_second_l[1], given_second_r[1]) >= 0.9",
            0.04,
            0.01,
        ),
        # One name of several may be dropped on each side, and a known-by name may be taken for a second one.
        Level("different", "different second names", "", 0.08, 0.97),
    ),
)

FAMILY_NAME = Comparison(
    "family",
    f"(family_l IS NULL OR family_r IS NULL) AND NOT {_SURNAME_ALONE}",
    (
        Level("exact", "same surname", "family_l = family_r", 0.82, 0.002, "family"),
        # A former or other known surname, or one part of a compound one.
        Level(
            "known",
            "a surname both are known by",
            "list_has_any(family_set_l, family_set_r)",
            0.08,
            0.004,
        ),
        # One slip, or another romanisation of it (surnames.csv): Zhang and Cheung are one name, and two families as often as not.
        Level(
            "similar",
            "nearly the same surname, or spellings of one",
            "jaro_winkler_similarity(family_l, family_r) >= 0.9 OR list_has_any(family_group_l, family_group_r) OR"
            " (length(family_l) >= 4 AND length(family_r) >= 4 AND damerau_levenshtein(family_l, family_r) <= 1)",
            0.04,
            0.006,
        ),
        # The other half of a swap, which the given name has counted already.
        Level(
            "crossed",
            "the surname stands in the given name of the other",
            "list_contains(given_set_l, family_r) OR list_contains(given_set_r, family_l)",
            0.01,
            0.004,
        ),
        # m is of pairs where one side has one name only, as for given names; u that of a surname, as above.
        Level("alone", "one name only, which is the surname of the other", _SURNAME_ALONE, 0.3, 0.002),
        # ALSPAC found surnames of one child to disagree in 18 % of records: not much is held against a different surname.
        Level("different", "different surnames", "", 0.06, 0.988),
    ),
)

BIRTH_DATE = Comparison(
    "birth",
    # A date copied from a relative, or the date of the incident, is no date unless both sides have the same. Nor is 1811 beside a date of
    # living memory: it was mistyped.
    "birth_l IS NULL OR birth_r IS NULL OR past_l <> past_r OR ((birth_doubtful_l OR birth_doubtful_r) AND birth_l <> birth_r)",
    (
        # Childhood has about 6,500 days.
        Level(
            "exact", "same date of birth", "precision_l = 3 AND precision_r = 3 AND birth_l = birth_r", 0.93, 1 / 6500
        ),
        Level(
            "swapped",
            "day and month of birth swapped",
            "precision_l = 3 AND precision_r = 3 AND birth_swap_l = birth_r",
            0.01,
            0.4 / 6500,  # only days up to 12 can be swapped: two dates in five
        ),
        # About 20 dates are one digit away from a given one, or the day before or after, which is what clocks in another zone make.
        Level(
            "slip",
            "one digit of the birth date differs",
            "precision_l = 3 AND precision_r = 3"
            " AND (damerau_levenshtein(birth_text_l, birth_text_r) = 1 OR abs(date_diff('day', birth_l, birth_r)) = 1)",
            0.03,
            20 / 6500,
        ),
        # One side knows no more than a month or year; m is of pairs where that is so, hence not small.
        Level(
            "partial_month",
            "same month of birth, the day is not known",
            "least(precision_l, precision_r) = 2 AND left(birth_text_l, 6) = left(birth_text_r, 6)",
            0.90,
            1 / 216,
        ),
        Level(
            "partial_year",
            "same year of birth, the day is not known",
            "least(precision_l, precision_r) <= 1 AND abs(year(birth_l) - year(birth_r)) <= age_slack_l + age_slack_r",
            0.90,
            1 / 14,
        ),
        # Two of day, month and year agree: 1 in 6,500 x (30 + 12 + 18) dates.
        Level(
            "near",
            "two parts of the birth date agree",
            "precision_l = 3 AND precision_r = 3 AND"
            " (CAST(year(birth_l) = year(birth_r) AS INT) + CAST(month(birth_l) = month(birth_r) AS INT)"
            " + CAST(day(birth_l) = day(birth_r) AS INT)) = 2",
            0.012,
            60 / 6500,
        ),
        Level("different", "different dates of birth", "", 0.012, 0.97),
    ),
)

# An adult's date is one of 75 years, not of 18: what agrees by chance does so four times less often (docs/decisions/0021). Weighed beside
# the date itself, which is a child's above.
ADULT_BIRTH = Comparison(
    "adult_birth",
    f"NOT grown_l OR NOT grown_r OR {BIRTH_DATE.missing} OR NOT coalesce("
    + " OR ".join(
        f"({BIRTH_DATE.level(name).sql})" for name in ("exact", "swapped", "slip", "partial_month", "partial_year")
    )
    + ", false)",
    (
        Level(
            "day",
            "one of the many days on which adults were born",
            "precision_l = 3 AND precision_r = 3",
            0.96,
            0.96 * 6500 / 27000,
        ),
        Level("part", "one of the many years in which adults were born", "", 0.96, 0.96 * 18 / 75),
    ),
)

SEX = Comparison(
    "sex",
    "sex_l IS NULL OR sex_r IS NULL",
    (
        # Held to what it means: an error of the keyboard, one in a hundred. EM on twins would learn one half.
        Level("same", "same sex", "sex_l = sex_r", 0.99, 0.5),
        Level("different", "different sex", "", 0.01, 0.5),
    ),
)

# Household evidence. u is deliberately far above the share of people in one postcode: those who share it with a child are mostly that
# child's brothers and sisters, so it may support, and never carry, a decision.
POSTCODE = Comparison(
    "postcode",
    "len(postcodes_l) = 0 OR len(postcodes_r) = 0",
    (
        Level("same", "same postcode", "postcode_l = postcode_r", 0.70, 0.01),
        Level("known", "a postcode both have lived at", "list_has_any(postcodes_l, postcodes_r)", 0.10, 0.005),
        Level("near", "nearly the same postcode", "damerau_levenshtein(postcode_l, postcode_r) <= 1", 0.05, 0.01),
        Level("different", "different postcodes", "", 0.15, 0.97),
    ),
)

# Between adults only. For a child the house says what the postcode has said: its twin lives there. Two adults of one house are a couple,
# friends, or parents and grown children, whom birth dates and given names tell apart (docs/decisions/0015).
ADDRESS = Comparison(
    "address",
    "NOT grown_l OR NOT grown_r OR len(houses_l) = 0 OR len(houses_r) = 0",
    (
        Level(
            "same",
            "same house and street",
            "list_has_any(houses_l, houses_r) OR (list_has_any(house_numbers_l, house_numbers_r)"
            " AND (jaro_winkler_similarity(houses_l[1], houses_r[1]) >= 0.9"
            " OR (postcode_l = postcode_r AND list_has_any(house_words_l, house_words_r))))",
            0.75,
            # A house is one of some fifteen of its postcode, for which .01 was taken: a tenth of that, as if one in ten were shared.
            0.001,
        ),
        Level(
            "street",
            "same street",
            "jaro_winkler_similarity(houses_l[1], houses_r[1]) >= 0.9"
            " OR list_has_any(list_transform(houses_l, lambda house: split_part(house, ' ', 2)),"
            " list_transform(houses_r, lambda house: split_part(house, ' ', 2)))",
            0.10,
            0.01,
        ),
        # About one person in ten moves within a year, and not every register is told at once.
        Level("different", "different addresses", "", 0.15, 0.98),
    ),
)

# Numbers. Ten digits with a check digit agree by chance about once in 100,000 pairs that are compared (clerks copy a sibling's).
NHS_NUMBER = Comparison(
    "nhs",
    "len(nhs_l) = 0 OR len(nhs_r) = 0",
    (
        Level("same", "same NHS number", "list_has_any(nhs_l, nhs_r)", 0.96, 0.00001),
        # Disagreement is held to what it means. Verified on both sides, one child does not have two (but for a change on adoption,
        # which must not be linked). EM had learnt .21 here, taking twins for one person.
        Level("verified_differ", "verified NHS numbers differ", "nhs_verified_l AND nhs_verified_r", 0.002, 0.9999),
        Level("different", "different NHS numbers", "", 0.03, 0.9999),
    ),
)

UPN = Comparison(
    "upn",
    "len(upn_l) = 0 OR len(upn_r) = 0",
    (
        Level("same", "same unique pupil number", "list_has_any(upn_l, upn_r)", 0.96, 0.00001),
        # A second permanent number is issued in error for one pupil in fifty.
        Level("different", "different unique pupil numbers", "", 0.02, 0.9999),
    ),
)

# --- Blocking rules ---------------------------------------------------------------------------------------------------------------
# Views of prepare.py: person(rid, ...), name_token(rid, token), home(rid, postcode), number(rid, space, value).

BLOCKING_RULES = (
    BlockingRule("number", "same number", "SELECT rid, hash(space, value) FROM number"),
    BlockingRule(
        "birth_name",
        "same birth date, day and month either way, and any name in common",
        "SELECT rid, hash('bn', birth_key, token) FROM person JOIN name_token USING (rid) WHERE birth_key IS NOT NULL",
    ),
    BlockingRule(
        "birth_postcode",
        "same birth date and any postcode in common",
        "SELECT rid, hash('bp', birth_key, home.postcode) FROM person JOIN home USING (rid) WHERE birth_key IS NOT NULL",
    ),
    BlockingRule(
        "given_postcode",
        "same given name in any form and any postcode in common",
        "SELECT rid, hash('gp', token, home.postcode) FROM name_token JOIN home USING (rid) WHERE kind = 'given'",
    ),
    BlockingRule(
        "full_name_year",
        "same given name in any form, any surname in common, same year of birth",
        "SELECT g.rid, hash('ny', g.token, f.token, year(birth)) FROM name_token g JOIN name_token f ON f.rid = g.rid"
        " JOIN person ON person.rid = g.rid WHERE g.kind = 'given' AND f.kind = 'family' AND birth IS NOT NULL",
    ),
    BlockingRule(
        "surname_postcode_initial",
        "same surname, postcode and initial",
        "SELECT rid, hash('si', token, home.postcode, left(given, 1)) FROM person JOIN name_token USING (rid)"
        " JOIN home USING (rid) WHERE kind = 'family' AND given IS NOT NULL",
    ),
    BlockingRule(
        "names_crossed_postcode",
        "given name and surname in either field, and any postcode in common",
        "SELECT rid, hash('nc', least(given, family), greatest(given, family), home.postcode) FROM person JOIN home USING (rid)"
        " WHERE given IS NOT NULL AND family IS NOT NULL",
    ),
    BlockingRule(
        "full_name_grown",
        "same given name in any form and any surname in common, both grown up",
        "SELECT g.rid, hash('fn', g.token, f.token) FROM name_token g JOIN name_token f ON f.rid = g.rid"
        " JOIN person ON person.rid = g.rid WHERE g.kind = 'given' AND f.kind = 'family' AND grown",
    ),
    BlockingRule(
        "name_house",
        "any name in common, and house and street, of adults and of whoever has no date of birth",
        "SELECT rid, hash('nh', token, unnest(houses)) FROM person JOIN name_token USING (rid) WHERE grown OR birth IS NULL",
    ),
    BlockingRule(
        "house_postcode",
        "house number and postcode, of adults and of whoever has no date of birth",
        "SELECT rid, hash('hp', unnest(house_numbers), home.postcode) FROM person JOIN home USING (rid) WHERE grown OR birth IS NULL",
    ),
    BlockingRule(
        "birth_house",
        "same birth date and house number, of adults",
        "SELECT rid, hash('bh', birth_key, unnest(house_numbers)) FROM person WHERE grown AND birth_key IS NOT NULL",
    ),
    BlockingRule(
        "unborn",
        "an unborn child's surname or mother, and any postcode in common",
        "SELECT rid, hash('ub', token, home.postcode) FROM expecting JOIN home USING (rid)",
    ),
)


@dataclass(frozen=True)
class Model:
    """A version of the model. Scores of two nights compare only within one version."""

    version: str
    comparisons: tuple[Comparison, ...]
    blocking: tuple[BlockingRule, ...]
    # DfE's own matcher (docs/sources.md 7.1): match at .95, potential match from .85.
    match_at: float = 0.95
    potential_at: float = 0.85
    # A rarer name than this in the data is more often a misspelling than a rare name: no more evidence is taken from it.
    rarest: float = 0.0001
    # How many records one person has, about: four agencies, most children in two or three. Sets the prior: of all pairs of N records,
    # (k - 1) / N are one person.
    records_per_person: float = 3.0
    # Two people compete for a record when the evidence for them is nearer than this: a factor of 8 in the odds. Where a rule works on
    # thin evidence (no date, garbled name) a factor of 64 is asked.
    contest_bits: float = 3.0
    thin_contest_bits: float = 6.0

    def comparison(self, name: str) -> Comparison:
        return next(entry for entry in self.comparisons if entry.name == name)

    def frequent(self) -> list[str]:
        """The columns whose values weigh by how common they are."""
        return sorted({level.frequency_of for comparison in self.comparisons for level in comparison.levels} - {""})

    def prior(self, records: int) -> float:
        """Probability that two random records are one person; N rounded up to a power of two, so that nights compare."""
        size = 2 ** math.ceil(math.log2(max(records, 1024)))
        return (self.records_per_person - 1) / size

    def words(self, comparison: str, code: int) -> str | None:
        """The level a score code stands for, in words; nothing for a missing value."""
        levels = self.comparison(comparison).levels
        return levels[len(levels) - 1 - code].words if code >= 0 else None

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Model:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        comparisons = tuple(
            Comparison(entry["name"], entry["missing"], tuple(Level(**level) for level in entry["levels"]))
            for entry in content.pop("comparisons")
        )
        blocking = tuple(BlockingRule(**entry) for entry in content.pop("blocking"))
        # What is compared now and was not when the version was made weighs as shipped: the rules (sql/judge.sql) ask for it.
        known = {comparison.name for comparison in comparisons}
        comparisons += tuple(comparison for comparison in DEFAULT_MODEL.comparisons if comparison.name not in known)
        return Model(comparisons=comparisons, blocking=blocking, **content)


DEFAULT_MODEL = Model(
    version="tessera-1",
    comparisons=(
        GIVEN_NAME,
        SECOND_NAME,
        FAMILY_NAME,
        BIRTH_DATE,
        ADULT_BIRTH,
        SEX,
        POSTCODE,
        ADDRESS,
        NHS_NUMBER,
        UPN,
    ),
    blocking=BLOCKING_RULES,
)


class SparkError(Exception):
    """Pairs could not be scored on Spark; says why and what to do, never a value. Nothing of the load is published."""


@dataclass(frozen=True)
class SparkSettings:
    """Where the cluster is, and what is said to it beside what is always said."""

    master: str = "local[*]"
    conf: Mapping[str, str] = field(default_factory=dict)

    @property
    def local(self) -> bool:
        return self.master.startswith("local")


@dataclass(frozen=True)
class LinkageSettings:
    """What a deployment may set. Everything else is the model."""

    model: Model = DEFAULT_MODEL
    # Where pairs are scored if not in this process.
    spark: SparkSettings | None = None
    # NHS numbers 9... are never issued; made-up data use them.
    allow_test_nhs_numbers: bool = True
    # Identifier schemes that mean one person wherever they are issued. former_upn and upn are one space of numbers.
    national_schemes: tuple[tuple[str, str], ...] = (
        ("nhs_number", "nhs"),
        ("upn", "upn"),
        ("former_upn", "upn"),
        ("uln", "uln"),
    )
    # Schemes that mean one person within the agency that issues them: by definition, whatever else the records say.
    definitional_schemes: tuple[str, ...] = ("la_child_id",)
    # Nobody who is alive was born before; 1 January 1900 is what systems write for nothing.
    earliest_birth: date = date(1900, 1, 2)
    # More records than this on one blocking key: the key says nothing (a school class is 30, twins and their records a dozen).
    max_block: int = 100
    # More records than this on one identifier are not one child's.
    max_holders: int = 60
    # A component of records larger than this is not one child's either; its probable links are left to people.
    max_component: int = 400
    # More people than this at an address: a hostel, a hospital, a children's home, not a household.
    max_household: int = 15
    # One value on a larger share of the records than this (and on more than `constant_least`) is a default of some system, not a fact.
    # Mohammed is 2 to 3 % of given names and one day of birth .015 % of children.
    constant_share: dict[str, float] = field(
        default_factory=lambda: {"given": 0.2, "family": 0.2, "birth": 0.01, "postcode": 0.05}
    )
    constant_least: int = 500

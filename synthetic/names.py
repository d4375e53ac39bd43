"""Names of many origins and the customs by which families give them; and the ways one name is written.

Here: drawing a name, and its nicknames, transliterations and look-alikes. The lists are in names.toml.
Not here: which mistakes an agency makes (dirt.py), or who is related to whom (population.py).
"""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random

RANK_OFFSET = 12
"""Names are drawn with weight 1 / (rank + offset): common names are common, but do not drown the list."""

LETTERS_WITHOUT_MARKS = str.maketrans({"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "ø": "o", "ß": "ss"})


def without_marks(text: str) -> str:
    """Diacritics dropped, as systems without them do."""
    plain = unicodedata.normalize("NFKD", text.translate(LETTERS_WITHOUT_MARKS))
    return "".join(char for char in plain if not unicodedata.combining(char))


@dataclass(frozen=True)
class NameList:
    """Names from common to rare."""

    names: tuple[str, ...]
    weights: tuple[float, ...] = field(repr=False)

    @classmethod
    def read(cls, text: str) -> NameList:
        names = tuple(dict.fromkeys(word.replace("_", " ") for word in text.split()))
        return cls(names, tuple(accumulate(1 / (rank + RANK_OFFSET) for rank in range(len(names)))))

    def draw(self, rng: Random) -> str:
        return rng.choices(self.names, cum_weights=self.weights)[0]


@dataclass(frozen=True)
class Origin:
    """One naming tradition as it is found in an English council."""

    name: str
    weight: float
    custom: str
    ethnic: str
    boys: NameList
    girls: NameList
    families: NameList

    def given(self, rng: Random, sex: str) -> str:
        return (self.girls if sex == "F" else self.boys).draw(rng)

    def family(self, rng: Random) -> str:
        return self.families.draw(rng)


@cache
def _file() -> dict:
    return tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))


@cache
def origins() -> dict[str, Origin]:
    """Every origin of names.toml, by name."""
    return {
        name: Origin(
            name,
            part["weight"],
            part["custom"],
            part["ethnic"],
            NameList.read(part["boys"]),
            NameList.read(part["girls"]),
            NameList.read(part["families"]),
        )
        for name, part in _file().items()
        if "boys" in part
    }


@cache
def nicknames() -> dict[str, tuple[str, ...]]:
    """What each given name may be replaced by, in both directions."""
    found: dict[str, list[str]] = {}
    for pair in _file()["nicknames"]["pairs"].split():
        full, short = pair.split(":")
        found.setdefault(full, []).append(short)
        found.setdefault(short, []).append(full)
    return {name: tuple(others) for name, others in found.items()}


@cache
def transliterations() -> dict[str, tuple[str, ...]]:
    """Other Latin spellings of the same name."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _file()["transliterations"]["groups"].split():
        group = [word.replace("_", " ") for word in line.split("/")]
        for name in group:
            found[name] = (*found.get(name, ()), *(other for other in group if other != name))
    return found


@cache
def placeholders(kind: str) -> tuple[str, ...]:
    """Words typed where a name should be: kind is `given`, `family` or `titles`."""
    return tuple(word.replace("_", " ") for word in _file()["placeholders"][kind].split())


@cache
def look_alikes(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """For each name those one or two letters away: what twins are called, and what a tired clerk mixes up."""
    plain = {name: without_marks(name).lower() for name in names}
    return {
        name: tuple(other for other in names if other != name and _close(plain[name], plain[other])) for name in names
    }


def _close(one: str, other: str) -> bool:
    """At most two letters apart and alike at one end."""
    if abs(len(one) - len(other)) > 1 or (one[:2] != other[:2] and one[-3:] != other[-3:]):
        return False
    previous = list(range(len(other) + 1))
    for row, char in enumerate(one, 1):
        current = [row]
        for column, letter in enumerate(other, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (char != letter)))
        previous = current
    return previous[-1] <= 2


def feminine(family: str) -> str:
    """The form a daughter carries where surnames have gender."""
    for ending, form in (("ski", "ska"), ("cki", "cka"), ("dzki", "dzka"), ("skyi", "ska")):
        if family.endswith(ending):
            return family[: -len(ending)] + form
    return family

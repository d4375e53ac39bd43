"""Where people live and go to school: streets, postcodes, schools of a council that does not exist (places.toml).

Not here: who lives there.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from synthetic.identifiers import postcode

AUTHORITY = "866"
OTHER_AUTHORITIES = ("865", "803", "916", "330")
HOMES_PER_STREET = 14


@cache
def words() -> dict:
    """places.toml."""
    return tomllib.loads(Path(__file__).with_name("places.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Address:
    """One dwelling."""

    flat: str
    number: str
    street: str
    locality: str
    town: str
    postcode: str
    uprn: str

    def first_line(self) -> str:
        house = f"{self.number} {self.street}"
        return f"{self.flat}, {house}" if self.flat else house


@dataclass(frozen=True, slots=True)
class School:
    """One school; `estab` are the last four digits of its LAESTAB."""

    estab: str
    name: str
    phase: str
    urn: str

    @property
    def laestab(self) -> str:
        return AUTHORITY + self.estab


class Streets:
    """Hands out dwellings; a street has one postcode, a block of flats shares one number."""

    def __init__(self, rng: Random, dwellings: int) -> None:
        text = words()
        heads, kinds = text["heads"].split(), text["kinds"].split()
        count = max(12, dwellings // HOMES_PER_STREET)
        self._rng = rng
        self._streets: list[tuple[str, str, str, str]] = []
        self._used: set[tuple[int, str, str]] = set()
        self._serial = 0
        codes: set[str] = set()
        while len(self._streets) < count:
            code = postcode(rng, text["postcode_area"], rng.randrange(1, 20))
            if code not in codes:
                codes.add(code)
                self._streets.append(
                    (
                        f"{rng.choice(heads)} {rng.choice(kinds)}",
                        rng.choice(text["localities"]),
                        rng.choice(text["towns"]),
                        code,
                    )
                )

    def dwelling(self) -> Address:
        """A home nobody has been given yet."""
        rng = self._rng
        while True:
            index = rng.randrange(len(self._streets))
            flat = f"{rng.choice(words()['flats'])} {rng.randrange(1, 25)}" if rng.random() < 0.18 else ""
            number = str(rng.randrange(1, 20) * 4 if flat else rng.randrange(1, 160))
            if rng.random() < 0.03:
                number += rng.choice("AB")
            if (index, flat, number) not in self._used:
                self._used.add((index, flat, number))
                self._serial += 1
                street, locality, town, code = self._streets[index]
                return Address(flat, number, street, locality, town, code, f"10099{self._serial:07d}")


def shortened(street: str) -> str:
    """`Kiln Road` as `Kiln Rd`."""
    head, _, kind = street.rpartition(" ")
    return f"{head} {words()['shortened'].get(kind, kind)}"


def schools(children: int) -> tuple[list[School], list[School]]:
    """Primary and secondary schools for so many children."""
    text = words()
    primary_count = max(3, round(children * 0.38 / 240))
    secondary_count = max(2, round(children * 0.27 / 900))
    return (
        [_school(text["primary_names"].split(), index, 2000, "Primary") for index in range(primary_count)],
        [_school(text["secondary_names"].split(), index, 4000, "") for index in range(secondary_count)],
    )


def _school(names: list[str], index: int, first: int, phase: str) -> School:
    name = names[index % len(names)].replace("_", " ")
    again = f" {index // len(names) + 1}" if index >= len(names) else ""
    kind = "primary" if phase else "secondary"
    return School(
        f"{first + 3 + index * 7 % 997 + (index // 997)}",
        f"{name}{again} {phase}".strip(),
        kind,
        f"{140000 + first + index}",
    )

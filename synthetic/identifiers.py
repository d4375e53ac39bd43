"""Identifiers with their check digits: NHS numbers, UPNs, LAESTABs, postcodes, local keys.

NHS numbers are drawn from the 9... range, which is never issued. Nothing here knows a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
POSTCODE_INWARD = "ABDEFGHJLNPQRSTUWXYZ"

PSEUDO_POSTCODES = ("ZZ99 3VZ", "ZZ99 3WZ", "ZZ99 3CZ")
"""No fixed abode, not known, England not otherwise stated."""

PLACEHOLDER_NHS_NUMBERS = ("9999999999", "0123456789", "0000000000", "1111111111")
"""What systems demand when there is no number; the first two even pass the check digit."""


def nhs_check_digit(nine: str) -> str | None:
    """The tenth digit, or None where no valid number starts with these nine."""
    check = 11 - sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
    return None if check == 10 else "0" if check == 11 else str(check)


def is_nhs_number(text: str) -> bool:
    """Ten digits whose modulus 11 check agrees."""
    return len(text) == 10 and text.isdecimal() and nhs_check_digit(text[:9]) == text[9]


def upn_letter(rest: str) -> str:
    """The leading check letter for the other twelve characters; a trailing letter marks a temporary UPN."""
    values = (UPN_LETTERS.index(char) if char.isalpha() else int(char) for char in rest)
    return UPN_LETTERS[sum(value * weight for value, weight in zip(values, range(2, 14), strict=True)) % 23]


def is_upn(text: str) -> bool:
    """Thirteen characters whose modulus 23 letter agrees."""
    body = text[1:]
    plain = len(text) == 13 and body[:-1].isdecimal() and (body[-1].isdecimal() or body[-1] in UPN_LETTERS)
    return plain and upn_letter(body) == text[0]


def is_temporary_upn(text: str) -> bool:
    return is_upn(text) and text[-1].isalpha()


class Issuer:
    """Hands out identifiers, never the same one twice."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._taken: set[str] = set()
        self._serials: dict[tuple[str, str, int], Iterator[int]] = {}

    def nhs_number(self) -> str:
        """A number in the 9... range; repeated digits are left to those who type placeholders."""
        while True:
            nine = f"9{self._rng.randrange(10**8):08d}"
            check = nhs_check_digit(nine)
            number = nine + (check or "")
            if check and number not in self._taken and len(set(number)) > 2:
                self._taken.add(number)
                return number

    def upn(self, authority: str, estab: str, year: int, *, temporary: bool = False) -> str:
        """The next serial of a school and year; a temporary one ends in a letter."""
        serials = self._serials.setdefault((authority, estab, year), iter(range(1, 10**6)))
        while True:
            serial = next(serials)
            tail = f"{serial % 100:02d}{UPN_LETTERS[serial % 23]}" if temporary else f"{serial % 1000:03d}"
            rest = f"{authority}{estab}{(year + serial // 1000) % 100:02d}{tail}"
            upn = upn_letter(rest) + rest
            if upn not in self._taken:
                self._taken.add(upn)
                return upn

    def digits(self, prefix: str, length: int) -> str:
        """A local key: prefix and so many digits, in no order that means anything."""
        while True:
            key = f"{prefix}{self._rng.randrange(10 ** (length - 1), 10**length)}"
            if key not in self._taken:
                self._taken.add(key)
                return key


def postcode(rng: Random, area: str, district: int) -> str:
    """A well-formed postcode of the invented area."""
    return f"{area}{district} {rng.randrange(1, 10)}{rng.choice(POSTCODE_INWARD)}{rng.choice(POSTCODE_INWARD)}"

"""How received text is read: worked examples of the standards, and values that must not be guessed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import reading
from warehouse.engine import define

READ: dict[str, Any] = {
    "is_nhs_number('943 476 5919')": True,  # docs/sources.md 1.1
    "is_nhs_number('9000000009')": True,
    "is_nhs_number('9912003890')": False,  # UK Core's own example has a wrong check digit
    "is_nhs_number('1111111111')": False,  # passes modulus 11, and is nobody's
    "is_nhs_number('0000000000')": False,
    "is_nhs_number('-9999999999')": False,
    "is_nhs_number('94347659190')": False,
    "is_nhs_number('ninety')": False,
    "is_nhs_number(NULL)": None,
    "is_upn('H801200001001')": True,
    "is_upn('P207000016049')": True,
    "is_upn('Q207000016049')": False,  # two vendors' worked example, arithmetically wrong
    "is_upn('g80120001701a')": True,
    "is_upn('UN1')": False,
    "upn_status('G80120001701A')": "temporary",
    "upn_status('H801200001001')": "stated",
    "upn_status('I801200001001')": "invalid",
    "read_postcode(' sn6 01ab ')": "SN60 1AB",
    "read_postcode('m11ae')": "M1 1AE",
    "read_postcode('SN6 01AB')": "SN60 1AB",
    "is_postcode('GIR 0AA')": True,
    "is_postcode('SW1A 1AA')": True,
    "is_postcode(' sw1a1aa')": True,
    "is_postcode('AZ1 1AA')": False,
    "is_postcode('SW1A 11A')": False,
    "is_postcode('ZZ99 3VZ')": True,
    "is_postcode('ABC')": False,
    "is_postcode('')": None,
    "is_pseudo_postcode('zz993vz')": True,
    "read_date_as('22/10/2014', ['%d/%m/%Y'])": dt.date(2014, 10, 22),
    "read_date_as('31/02/2014', ['%d/%m/%Y'])": None,
    "read_date_as('31/12/1879', ['%d/%m/%Y'])": None,
    "read_date_as('01/01/1880', ['%d/%m/%Y'])": dt.date(1880, 1, 1),
    "read_date_as('31/12/2100', ['%d/%m/%Y'])": dt.date(2100, 12, 31),
    "read_date_as('01/01/2101', ['%d/%m/%Y'])": None,
    "is_date_as('31/12/2100', ['%d/%m/%Y'])": True,
    "is_date_as('01/01/2101', ['%d/%m/%Y'])": False,
    "read_date_as('22/10/14', ['%d/%m/%Y'])": None,  # two-digit years are invalid (903 rule 102)
    "read_date_as('45567', ['%d/%m/%Y', '%Y-%m-%d'])": None,  # an Excel serial is shown, never guessed
    "read_date_as('2024-Oct-16 00:00:00', ['%Y-%b-%d %H:%M:%S'])": dt.date(2024, 10, 16),
    "read_iso_date('2014-10-22T10:00:00Z')": dt.date(2014, 10, 22),
    "read_partial_date('2014-10')": dt.date(2014, 10, 1),
    "partial_date_precision('2014')": "year",
    "read_instant('2026-07-29T22:32:00+01:00')": dt.datetime(2026, 7, 29, 21, 32),
    "read_instant('2026-07-29 22:32')": dt.datetime(2026, 7, 29, 22, 32),
    "read_instant('2026-13-29T22:32:00Z')": None,
    "instant_precision('2026-07-29')": "day",
    "read_office_date('22/10/2014')": dt.date(2014, 10, 22),
    "read_office_date('2014-10-22 00:00:00')": dt.date(2014, 10, 22),
    "read_office_date('22/10/2014 00:00:00')": dt.date(2014, 10, 22),
    "read_office_date('10/22/2014')": None,
    "read_office_instant('29/07/2026 22:32')": dt.datetime(2026, 7, 29, 22, 32),
    "read_office_instant('29-07-2026 22:32:10')": dt.datetime(2026, 7, 29, 22, 32, 10),
    "read_office_instant('2026-07-29T22:32:00+01:00')": dt.datetime(2026, 7, 29, 21, 32),
    "read_office_instant('29/07/26 22:32')": None,  # not the year 26
    "is_office_instant('29/07/26 22:32')": False,
    "is_office_instant(' ')": None,
    "office_instant_precision('29/07/2026 22:32')": "instant",
    "office_instant_precision('29-07-2026')": "day",
    "office_instant_precision('2026-07')": "month",
    "told(' - ')": None,
    "told('NULL')": None,
    "told('n/a')": None,
    "told('- no injuries')": "- no injuries",
    "as_sex_dfe('2')": "F",
    "as_sex_dfe('Z')": None,
    "as_ethnicity_nhs('99')": "NOBT",
    "is_number('+-1')": False,
    "is_number('nan')": False,
    "is_number('3.5')": True,
    "is_integer('7.0')": True,
    "read_flag('b) No')": False,
    "read_nhs_number('943 476 5919' || chr(160))": "9434765919",
    "read_upn(chr(160) || 'a 801200018001' || chr(160))": None,
    "read_upn(chr(160) || 'U801 2000 18001')": "U801200018001",
}

UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        define(connection, "reading", reading.definitions())
        yield connection


@pytest.mark.parametrize(("expression", "value"), READ.items(), ids=READ)
def test_a_value_is_read_as_its_standard_says(con: duckdb.DuckDBPyConnection, expression: str, value: Any) -> None:
    assert con.execute(f"SELECT {expression}").fetchall()[0][0] == value


@given(st.integers(0, 999_999_999), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_nhs_numbers_have_the_check_digit_of_the_standard(body: int, last: int) -> None:
    digits = f"{body:09d}"
    check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
    valid = (check % 11) == last and check != 10 and len(set(digits + str(last))) > 1
    assert _one(f"is_nhs_number('{digits}{last}')") is valid


@given(st.sampled_from(UPN_LETTERS), st.integers(0, 99_999_999_999), st.sampled_from("0123456789" + UPN_LETTERS))
@settings(max_examples=150, deadline=None)
def test_upns_have_the_check_letter_of_the_standard(letter: str, body: int, last: str) -> None:
    text = f"{body:011d}{last}"
    values = [UPN_LETTERS.index(sign) if sign.isalpha() else int(sign) for sign in text]
    valid = letter == UPN_LETTERS[sum(value * weight for value, weight in zip(values, range(2, 14), strict=True)) % 23]
    assert _one(f"is_upn('{letter}{text}')") is valid


@given(st.text(st.sampled_from("aé \t\n\r\f\xa0\u2003"), max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_column_is_tidied_as_a_value_is(con: duckdb.DuckDBPyConnection, said: str) -> None:
    one, column = con.execute("SELECT tidy(said), tidy_each([said])[1] FROM (SELECT ? AS said)", [said]).fetchall()[0]
    assert one == column == (said.strip(" \t\n\r\xa0") or None)


_SHARED: list[duckdb.DuckDBPyConnection] = []


def _one(expression: str) -> Any:
    if not _SHARED:
        _SHARED.append(duckdb.connect())
        define(_SHARED[0], "reading", reading.definitions())
    return _SHARED[0].execute(f"SELECT {expression}").fetchall()[0][0]

"""Parting delimited text into rows: what ails one row costs no other."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.readers.rows import MAX_ROW, split


def parted(text: bytes, width: int = 3, delimiter: str = ",") -> tuple[list[int], list[tuple[int, str]]]:
    found = split(text, delimiter, width)
    return list(found.numbers), [(row.number, row.content) for row in found.bad]


def test_a_quotation_mark_never_closed_costs_its_own_line() -> None:
    assert parted(b'a,b,c\n1,2,3\n"4,5,6\n7,"8, 8",9\n') == ([2, 4], [(3, '"4,5,6')])


def test_a_closed_value_over_several_lines_is_one_row() -> None:
    assert parted(b'a,b,c\r\n1,"2\r\n\r\n2",3\r\n4,5,"6"\r\n') == ([2, 3], [])


def test_a_quotation_mark_inside_a_value_is_text() -> None:
    assert parted(b'a,b,c\n1,5" pipe,3\n1,x "y, z" w,3\n') == ([2], [(3, '1,x "y, z" w,3')])


def test_blank_lines_take_a_number_and_are_no_row() -> None:
    assert parted(b"a,b,c\n\n1,2,3\n\n\n4,5,6\n\n") == ([3, 6], [])
    assert parted(b'a,b,c\n1,2,3\n,,\n,\n"","",\n,,4\n",",,\n') == ([2, 6, 7], [])


def test_rows_of_another_width_and_bytes_that_are_no_text_are_shown_as_received() -> None:
    assert parted(b"a,b,c\n1,2\n1,2,3,4\n1,\xff\xe9,3\n1,2,3,\n") == (
        [5],
        [(2, "1,2"), (3, "1,2,3,4"), (4, "1,\\xff\\xe9,3")],
    )


def test_a_row_too_long_is_kept_whole() -> None:
    numbers, bad = parted(b"a,b,c\n1," + b"x" * MAX_ROW + b",3\n4,5,6\n")
    assert numbers == [3]
    assert len(bad[0][1]) == MAX_ROW + 4


TABLE = st.lists(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6), min_size=3, max_size=3),
    max_size=8,
)


@given(TABLE, st.sampled_from(["\n", "\r\n"]), st.sampled_from([",", ";", "\t"]))
@settings(max_examples=200, deadline=None)
def test_what_a_careful_writer_writes_has_no_bad_row(rows: list[list[str]], line_end: str, delimiter: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow("abc")
    writer.writerows(rows)
    found = split(text.getvalue().encode(), delimiter, 3)
    assert found.bad == ()
    said = [number for number, row in enumerate(rows, start=2) if "".join(row).strip(f' "\t{delimiter}')]
    assert set(said) <= set(found.numbers) <= set(range(2, len(rows) + 2))

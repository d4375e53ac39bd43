"""What a broken file gets: a message with file, row or column and the next step; nothing lost; the others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.contract import Feed

HEADER = "upn,surname,session_date,code\n"
GOOD = HEADER + "A1,Stone,2026-11-16,/\nB2,Reed,2026-11-16,O\n"


def books(entry: dict[str, Any]) -> tuple[int, ...]:
    return tuple(entry[name] for name in ("received", "landed", "unchanged", "superseded", "quarantined"))


BROKEN = {
    "no bytes": (b"", "holds no bytes"),
    "required column missing": ("upn,surname,code\nA1,Stone,/\n", "session_date"),
    "one line of 20 MiB": (HEADER.encode() + b"x" * (20 << 20), "a line of 20 MiB"),
    "pdf": (b"%PDF-1.7 ...", "PDF"),
}


@pytest.mark.parametrize(("content", "says"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_used_fails_alone(toy: Callable[..., Any], content: str | bytes, says: str) -> None:
    deployment = toy()
    deployment.send("bad.csv", content)
    deployment.send("good.csv", GOOD)
    entry = deployment.night()
    assert entry["status"] == "partial"
    assert "bad.csv" in entry["message"]
    assert says in entry["message"]
    assert books(entry) == (2, 2, 0, 0, 0)


ENCODINGS = {
    "utf-8": GOOD.replace("Stone", "Zoë").encode(),
    "utf-8 with a mark": GOOD.replace("Stone", "Zoë").encode("utf-8-sig"),
    "utf-16": GOOD.replace("Stone", "Zoë").encode("utf-16"),
    "utf-16 big end first": b"\xfe\xff" + GOOD.replace("Stone", "Zoë").encode("utf-16-be"),
    "utf-16 without its mark": GOOD.replace("Stone", "Zoë").encode("utf-16-le"),
    "utf-16 big end first without its mark": GOOD.replace("Stone", "Zoë").encode("utf-16-be"),
    "files behind each other": (GOOD.replace("Stone", "Zoë").replace("B2", f"\ufeff{HEADER}B2") + HEADER).encode(),
    "windows-1252": GOOD.replace("Stone", "Zoë").encode("cp1252"),
    "crlf": GOOD.replace("Stone", "Zoë").replace("\n", "\r\n").encode(),
    "cr alone": GOOD.replace("Stone", "Zoë").replace("\n", "\r").encode(),
    "mixed line ends": GOOD.replace("Stone", "Zoë").replace("\n", "\r\n", 1).encode(),
    "semicolons": GOOD.replace("Stone", "Zoë").replace(",", ";").encode(),
    "tabs": GOOD.replace("Stone", "Zoë").replace(",", "\t").encode(),
    "blank lines": (GOOD.replace("Stone", "Zoë") + "\n\n").encode(),
    "separators below the last row": (GOOD.replace("Stone", "Zoë") + ',,,\n"","",,\n\n').encode(),
    "a column without heading": GOOD.replace("Stone", "Zoë")
    .replace("\n", ",\n")
    .replace("O,\n", "O,\n,,,,\n")
    .encode(),
    "a title above": ("Marks of the week\n\n" + GOOD.replace("Stone", "Zoë")).encode(),
    "the separator above": b"sep=;\r\n" + GOOD.replace("Stone", "Zoë").replace(",", ";").replace("\n", "\r\n").encode(),
    "headings with spaces": GOOD.replace("Stone", "Zoë").replace("session_date", "Session Date").encode(),
    "capital headings": GOOD.replace("Stone", "Zoë").replace("surname", " SURNAME ").encode(),
}


@pytest.mark.parametrize("content", ENCODINGS.values(), ids=ENCODINGS)
def test_the_ways_offices_save_text_are_read_alike(toy: Callable[..., Any], content: bytes) -> None:
    deployment = toy()
    deployment.send("marks.csv", content)
    assert books(deployment.night()) == (2, 2, 0, 0, 0)
    found = deployment.rows("SELECT family_name FROM person_record WHERE superseded_at IS NULL ORDER BY 1")
    assert [row["family_name"] for row in found] == ["Reed", "Zoë"]


def test_a_row_that_holds_anything_is_no_blank_line(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", HEADER.replace("\n", ",remark\n") + "A1,Stone,2026-11-16,/,\n,,,,see below\n,,,,\n")
    assert books(deployment.night()) == (2, 1, 0, 0, 1)


def test_a_header_once_more_is_told_and_takes_a_number(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD + HEADER + "upn,Stone,2026-11-16,/\n")
    entry = deployment.night()
    assert books(entry) == (3, 3, 0, 0, 0)
    assert "marks.csv: row 4: the header once more; passed over" in entry["message"]
    assert deployment.rows("SELECT row_number FROM raw.toy_marks_mark WHERE upn = 'upn'") == [{"row_number": 5}]


def test_rows_that_cannot_be_read_or_keyed_are_held_back_whole_with_their_row(toy: Callable[..., Any]) -> None:
    deployment = toy()
    lines = [
        HEADER.strip(),
        "A1,Stone,2026-11-16,/",
        "too,few",
        ",No Key,2026-11-16,/",
        '"B2","Line\nbreak",2026-11-16,O',
        "C3,a,b,c,d,e",
        "D4,Last,2026-11-16,/",
    ]
    deployment.send("marks.csv", "\n".join(lines))
    assert books(deployment.night()) == (6, 3, 0, 0, 3)
    held = deployment.rows("SELECT row_number, reason, content FROM quarantine ORDER BY row_number")
    assert [row["row_number"] for row in held] == [3, 4, 6]
    assert all("marks.csv, row" in row["reason"] for row in held)
    assert held[0]["content"] == "too,few"
    landed = deployment.rows("SELECT upn, row_number FROM raw.toy_marks_mark ORDER BY row_number")
    assert [(row["upn"], row["row_number"]) for row in landed] == [("A1", 2), ("B2", 5), ("D4", 7)]


def test_bytes_that_are_no_text_hold_back_their_row_alone(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send(
        "marks.csv",
        HEADER.encode() + "A1,Zoë,2026-11-16,/\n".encode() + b"B2,Re\xffd,2026-11-16,O\nC3,Ash,2026-11-16,/\n",
    )
    assert books(deployment.night()) == (3, 2, 0, 0, 1)
    assert "no text in UTF-8" in deployment.rows("SELECT reason FROM quarantine")[0]["reason"]


def test_sql_and_formulas_in_a_name_are_text(toy: Callable[..., Any]) -> None:
    deployment = toy()
    name = "=cmd|' /C calc'!A0'); DROP TABLE person_record; --"
    deployment.send("marks.csv", HEADER + f'A1,"{name}",2026-11-16,/\n')
    deployment.night()
    assert deployment.rows("SELECT family_name FROM person_record")[0]["family_name"] == name


def test_an_unknown_column_is_kept(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", "upn,surname,session_date,code,mood\nA1,Stone,2026-11-16,/,calm\n")
    assert deployment.night()["status"] == "loaded"
    assert deployment.rows("SELECT extra ->> 'mood' AS mood FROM raw.toy_marks_mark")[0]["mood"] == "calm"


def test_a_key_sent_twice_is_one_current_row_and_one_of_history(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD + "A1,Stone,2026-11-16,N\nA1,Stone,2026-11-16,/\nA1,Stone,2026-11-16,/\n")
    assert books(deployment.night()) == (5, 2, 2, 1, 0)
    marks = deployment.rows("SELECT mark FROM attendance WHERE superseded_at IS NULL ORDER BY record_id")
    assert [row["mark"] for row in marks] == ["/", "O"]


def test_a_set_without_its_header_table_lands_nothing(toy: Callable[..., Any], full_list: Feed) -> None:
    deployment = toy(full_list)
    deployment.send("children.csv", "upn,surname\nA1,Stone\nB2,Reed\n")
    deployment.send("visits.csv", "visit_id,upn,what\nV1,A1,seen\n")
    assert books(deployment.night()) == (3, 3, 0, 0, 0)
    (deployment.inbox / "children.csv").unlink()
    deployment.send("visits.csv", "visit_id,upn,what\nV9,B2,seen\n")
    entry = deployment.night("2026-11-17")
    assert entry["status"] == "failed"
    assert "child" in entry["message"]
    assert (
        deployment.rows("SELECT count(*) AS n FROM event WHERE retracted_at IS NOT NULL OR superseded_at IS NOT NULL")[
            0
        ]["n"]
        == 0
    )


def test_an_empty_full_delivery_says_nothing_about_anybody(toy: Callable[..., Any], full_list: Feed) -> None:
    deployment = toy(full_list)
    deployment.send("children.csv", "upn,surname\nA1,Stone\n")
    deployment.night()
    deployment.send("children.csv", "upn,surname\n")
    entry = deployment.night("2026-11-17")
    assert entry["status"] == "failed"
    assert "without a row" in entry["message"]
    assert entry["vanished"] == 0


def marks(count: int) -> list[str]:
    return [f"P{number},Stone,2026-11-16,/" for number in range(count)]


@pytest.mark.slow
def test_a_quotation_mark_never_closed_swallows_no_row_of_a_long_file(toy: Callable[..., Any]) -> None:
    deployment, rows = toy(), marks(60_000)
    rows[8] = '"' + rows[8]
    deployment.send("marks.csv", HEADER + "\n".join(rows) + "\n")
    assert books(deployment.night()) == (60_000, 59_999, 0, 0, 1)
    held = deployment.rows("SELECT row_number, content FROM quarantine")
    assert held == [{"row_number": 10, "content": rows[8]}]
    last = deployment.rows("SELECT row_number FROM raw.toy_marks_mark WHERE upn = 'P59999'")
    assert last == [{"row_number": 60_001}]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_paragraphs_in_a_value_are_no_lost_rows(toy: Callable[..., Any], line_end: str) -> None:
    deployment = toy()
    rows = [
        "upn,surname,session_date,code,mood",
        f'A1,"Ash{line_end}{line_end}Elm",2026-11-16,/,"calm{line_end}\\n"',
        'B2,"O"" Reed",2026-11-16,O,',
    ]
    deployment.send("marks.csv", line_end.join(rows) + line_end * 3)
    assert books(deployment.night()) == (2, 2, 0, 0, 0)
    landed = deployment.rows("SELECT row_number, surname FROM raw.toy_marks_mark ORDER BY row_number")
    assert landed == [
        {"row_number": 2, "surname": f"Ash{line_end}{line_end}Elm"},
        {"row_number": 3, "surname": 'O" Reed'},
    ]


@pytest.mark.parametrize("row", ['"C3","Line\nbreak",2026-11-16,O\n', ""], ids=["read as one", "row by row"])
def test_a_row_number_counts_the_lines_of_a_title(toy: Callable[..., Any], row: str) -> None:
    deployment = toy()
    title = '"Marks, of the week",,,\nA school,,,\n'
    bad = "" if row else "too,few\n"
    deployment.send("marks.csv", title + GOOD + row + bad)
    assert books(deployment.night()) == (3, 2 + bool(row), 0, 0, bool(bad))
    landed = deployment.rows("SELECT upn, row_number FROM raw.toy_marks_mark ORDER BY row_number")
    assert [tuple(found.values()) for found in landed][:2] == [("A1", 4), ("B2", 5)]
    assert [held["row_number"] for held in deployment.rows("SELECT row_number FROM quarantine")] == ([6] if bad else [])


def test_a_row_number_counts_the_blank_lines_before_it(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", HEADER + "\n\nA1,Stone,2026-11-16,/\n\nB2,Reed,2026-11-16,O\n")
    deployment.night()
    landed = deployment.rows("SELECT upn, row_number FROM raw.toy_marks_mark ORDER BY row_number")
    assert [(row["upn"], row["row_number"]) for row in landed] == [("A1", 4), ("B2", 6)]


def test_a_carriage_return_among_line_feeds_ends_a_row(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send(
        "marks.csv", HEADER.strip() + "\rA1,Stone,2026-11-16,/\nB2,Reed,2026-11-16,O\nC3,A\rsh,2026-11-16,/\n"
    )
    assert books(deployment.night()) == (4, 2, 0, 0, 2)


def test_bytes_that_are_no_text_are_shown_as_they_came(toy: Callable[..., Any]) -> None:
    deployment = toy()
    deployment.send("marks.csv", HEADER.encode() + "A1,Zoë,2026-11-16,/\n".encode() + b"B2,Re\xe9\x92d,2026-11-16,O\n")
    deployment.night()
    assert deployment.rows("SELECT content FROM quarantine")[0]["content"] == "B2,Re\\xe9\\x92d,2026-11-16,O"


NO_TEXT = {
    "workbook with a password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4000), "without a password"),
    "utf-32": (GOOD.encode("utf-32-le"), "UTF-8"),
    "noise": (bytes(range(256)) * 20, "is no text"),
}


@pytest.mark.parametrize(("content", "says"), NO_TEXT.values(), ids=NO_TEXT)
def test_what_is_no_text_fails_and_is_not_merely_unused(toy: Callable[..., Any], content: bytes, says: str) -> None:
    deployment = toy()
    deployment.send("marks.csv", content)
    entry = deployment.night()
    assert entry["status"] == "failed"
    assert says in entry["message"]

"""What is wrong with a delivery as a whole: files left out, unread or unwanted, sheets, databases, and rows put through again."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import itertools
import json
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import pipelines.line
from connectors import transports
from connectors.contract import Feed
from connectors.readers.received import UnreadableFile, recognise
from connectors.social_care.ssd import FEED as SSD
from pipelines.settings import Settings
from pipelines.verify import verify
from tests.conftest import CHILDREN_LIST, MARKS, Toy
from warehouse.quarantine import QuarantineError, release

HEADER = ["upn", "surname", "session_date", "code"]
GOOD = "upn,surname,session_date,code\nA1,Stone,2026-11-16,/\nB2,Reed,2026-11-16,O\n"
Deployment = Callable[..., Toy]


def books(entry: dict[str, Any]) -> tuple[int, ...]:
    return tuple(entry[name] for name in ("received", "landed", "unchanged", "superseded", "quarantined"))


def holds(toy: Toy) -> bool:
    return not [fault for fault in verify(toy.line)["broken"] if "mart" not in fault]


def workbook(**sheets: list[list[object]]) -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(content)
    return content.getvalue()


WORKBOOKS = replace(MARKS, format="tabular")
OBJECTS = replace(MARKS, format="json")
DATABASE = replace(MARKS, format="sql", unit="table")


# workbooks


def test_every_row_of_every_sheet_has_a_place_of_its_own(toy: Deployment) -> None:
    deployment = toy(WORKBOOKS)
    first = [HEADER, ["A1", "Stone", "2026-11-16", "/"], [None, "No key", "2026-11-16", "/"]]
    second = [HEADER, ["B2", "Reed", "2026-11-16", "O"], [None, "Nor here", "2026-11-16", "/"]]
    deployment.send("marks.xlsx", workbook(one=first, two=second))
    assert books(deployment.night()) == (4, 2, 0, 0, 2)
    held = deployment.rows("SELECT row_number, content ->> 'surname' AS surname FROM quarantine ORDER BY row_number")
    assert held == [{"row_number": 3, "surname": "No key"}, {"row_number": 6, "surname": "Nor here"}]
    assert deployment.rows("SELECT count(DISTINCT raw_row_id) AS n FROM raw.toy_marks_mark") == [{"n": 2}]
    assert holds(deployment)


def test_a_workbook_is_known_by_its_bytes_under_any_name(toy: Deployment) -> None:
    deployment = toy(WORKBOOKS)
    book = workbook(one=[HEADER, ["A1", "Stone", "2026-11-16", "/"]])
    deployment.send("a.xlsx", book)
    deployment.send("b.csv", book)
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("loaded", (2, 1, 1, 0, 0))
    deployment.send("c.csv", workbook(one=[HEADER, ["B2", "Reed", "2026-11-16", "/"]]))
    assert deployment.night("2026-11-17")["landed"] == 1
    assert holds(deployment)


def test_a_sheet_that_lacks_a_column_fails_its_file(toy: Deployment) -> None:
    deployment = toy(WORKBOOKS)
    good = [HEADER, ["A1", "Stone", "2026-11-16", "/"]]
    deployment.send("marks.xlsx", workbook(one=good, two=[["upn", "surname", "code"], ["B2", "Reed", "O"]]))
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("failed", (0, 0, 0, 0, 0))
    assert "sheet two" in entry["message"]
    assert "session_date" in entry["message"]


def test_a_sheet_of_something_else_is_named(toy: Deployment) -> None:
    deployment = toy(WORKBOOKS)
    good = [HEADER, ["A1", "Stone", "2026-11-16", "/"]]
    deployment.send("marks.xlsx", workbook(one=good, legend=[["sign", "means"], ["/", "present"]]))
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("loaded", (1, 1, 0, 0, 0))
    assert "sheet legend" in entry["message"]


def test_a_column_twice_is_kept_twice(toy: Deployment) -> None:
    deployment = toy(WORKBOOKS)
    deployment.send("marks.xlsx", workbook(one=[[*HEADER, "code"], ["A1", "Stone", "2026-11-16", "/", "N"]]))
    deployment.night()
    landed = deployment.rows("SELECT code, extra FROM raw.toy_marks_mark")
    assert landed[0]["code"] == "/"
    assert list(json.loads(str(landed[0]["extra"])).values()) == ["N"]


def test_a_header_on_every_page_is_nobodys_record(toy: Deployment) -> None:
    deployment = toy(WORKBOOKS)
    page = [HEADER, ["A1", "Stone", "2026-11-16", "/"], HEADER, ["B2", "Reed", "2026-11-16", "O"]]
    deployment.send("marks.xlsx", workbook(one=page))
    entry = deployment.night()
    assert books(entry) == (2, 2, 0, 0, 0)
    assert "sheet one, row 3: the header once more" in str(entry["message"])


# archives


def packed(**files: str | bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, holds_ in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), holds_)
    return content.getvalue()


def test_compressed_files_are_read_as_those_they_hold(toy: Deployment) -> None:
    deployment = toy()
    head = GOOD.splitlines(keepends=True)[0]
    content = packed(
        b_dot_csv=(head + "B2,Ré,2026-11-16,O\ntoo,few\n").encode("cp1252"),
        a_dot_csv=head + "A1,Stone,2026-11-16,/\n",
        north__c_dot_CSV=head + "C3,Ash,2026-11-16,/\n",
        notes_dot_pdf="%PDF",
        _dot_DS_Store="x",
    )
    deployment.send("week.zip", content.replace(b"north/", b"nor\xfch/"))  # as systems write names that are not ASCII
    deployment.send("friday.csv.gz", gzip.compress((head + "D4,Elm,2026-11-16,/\n").encode()))
    deployment.send("monday.csv", packed(x_dot_csv=head + "E5,Oak,2026-11-16,/\n"))
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("loaded", (6, 5, 0, 0, 1))
    landed = deployment.rows("SELECT upn, row_number FROM raw.toy_marks_mark WHERE upn < 'D' ORDER BY 1")
    assert [tuple(row.values()) for row in landed] == [("A1", 2), ("B2", 4), ("C3", 7)]
    held = deployment.rows("SELECT row_number, reason FROM quarantine")[0]
    assert held["row_number"] == 5
    assert str(held["reason"]).startswith("week.zip, b.csv, row 3: fewer values")
    said = str(entry["message"])
    assert "week.zip: b.csv: not UTF-8; read as Windows-1252; week.zip: b.csv: its rows are counted on from 3" in said
    assert "week.zip: notes.pdf: not used" in said and "DS_Store" not in said
    assert holds(deployment)


def test_a_set_may_come_as_one_archive(toy: Deployment) -> None:
    deployment = toy(CHILDREN_LIST)
    visits = "visit_id,upn,what\nV1,A1,seen\n"
    deployment.send("list.zip", packed(children_dot_csv="upn,surname\nA1,Stone\n", visits_dot_csv=visits))
    assert books(deployment.night()) == (2, 2, 0, 0, 0)
    deployment.send("list.zip", packed(children_dot_csv="upn,surname\nA1,Stone\nB2,Reed\n", visits_dot_csv=visits))
    entry = deployment.night("2026-11-17")
    assert (books(entry), entry["vanished"]) == ((3, 1, 2, 0, 0), 0)


WITH_A_PASSWORD = bytearray(packed(marks_dot_csv=GOOD))
for _signature, _place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
    WITH_A_PASSWORD[WITH_A_PASSWORD.index(_signature) + _place] |= 1
UNUSABLE = {
    "a password": (bytes(WITH_A_PASSWORD), "is a zip archive with a password"),
    "cut off": (packed(marks_dot_csv=GOOD)[:-30], "cannot be opened"),
    "gzip cut off": (gzip.compress(GOOD.encode())[:-9], "cannot be opened"),
    "nothing inside": (packed(), "holds no file that ends in .csv"),
    "a column missing": (packed(marks_dot_csv="upn,surname,code\nA1,Stone,/\n"), "bad.zip/marks.csv: looks like mark"),
    "an archive inside": (packed(marks_dot_csv=packed(marks_dot_csv=GOOD)), "an archive in an archive"),
    "more than is opened": (packed(marks_dot_csv=GOOD * 40), "opens to more than"),
    "gzip of more than is opened": (gzip.compress(GOOD.encode() * 40), "opens to more than"),
}


@pytest.mark.parametrize(("content", "says"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_archive_that_cannot_be_used_fails_alone(
    toy: Deployment, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    monkeypatch.setattr("connectors.readers.archive.LARGEST", 1 << 10)
    deployment = toy()
    deployment.send("bad.zip", content)
    deployment.send("good.csv", GOOD)
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("partial", (2, 2, 0, 0, 0))
    assert says in str(entry["message"])


def far_cell(place: str) -> bytes:
    """A workbook of good rows with one word far from them."""
    book = openpyxl.load_workbook(io.BytesIO(workbook(one=[HEADER, ["A1", "Stone", "2026-11-16", "/"]])))
    book["one"][place] = "x"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def formatted_to_the_end() -> bytes:
    """A workbook of good rows of which the last cell that a sheet can have is coloured, and empty."""
    book = openpyxl.load_workbook(io.BytesIO(workbook(one=[HEADER, ["A1", "Stone", "2026-11-16", "/"]])))
    book["one"]["XFD1048576"].fill = openpyxl.styles.PatternFill("solid", fgColor="FFCC00")
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_a_workbook_that_opens_to_more_than_memory_holds_fails_alone(
    toy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = toy(WORKBOOKS)
    deployment.send("far.xlsx", far_cell("XFD1048576"))  # 17,000,000,000 cells: the process would end at once
    deployment.send("near.xlsx", far_cell("AB60"))
    deployment.send("coloured.xlsx", formatted_to_the_end())
    entry = deployment.night()
    assert "far.xlsx: a sheet reaches 1,048,576 rows down and 16,384 columns across" in str(entry["message"])
    assert entry["status"] == "partial" and "near.xlsx" not in str(entry["message"])
    monkeypatch.setattr("connectors.readers.xlsx.LARGEST", 1 << 10)
    deployment.send("large.xlsx", workbook(one=[HEADER, *([["B2", "Reed", "2026-11-16", "/"]] * 40)]))
    entry = deployment.night("2026-11-17")
    assert "large.xlsx: opens to more than" in str(entry["message"])


@pytest.mark.parametrize(("name", "reader"), [("many.zip", "archive"), ("many.xlsx", "xlsx")])
def test_what_holds_more_files_than_are_opened_fails_alone(
    toy: Deployment, monkeypatch: pytest.MonkeyPatch, name: str, reader: str
) -> None:
    monkeypatch.setattr(f"connectors.readers.{reader}.MOST_FILES", 3)
    deployment = toy(WORKBOOKS)
    many = packed(**{f"n{number}_dot_csv": GOOD for number in range(4)})
    deployment.send(name, many if reader == "archive" else workbook(one=[HEADER]))
    deployment.send("good.csv", GOOD)
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("partial", (2, 2, 0, 0, 0))
    assert name in str(entry["message"]) and "3 are the most that are opened" in str(entry["message"])


# JSON


def objects(*rows: object) -> str:
    return json.dumps(list(rows))


MARK = {"upn": "A1", "surname": "Stone", "session_date": "2026-11-16", "code": "/"}


def test_where_a_document_keeps_its_rows(toy: Deployment) -> None:
    deployment = toy(OBJECTS)
    deployment.send("1.json", json.dumps({"warnings": [], "marks": [MARK], "pages": []}))
    # An object that has the key of a row is one, whatever lists it has.
    deployment.send("2.json", json.dumps({**MARK, "upn": "B2", "seen_by": [{"role": "teacher"}]}))
    deployment.send("3.json", json.dumps({"marks": [], "warnings": []}))
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("loaded", (2, 2, 0, 0, 0))


def test_a_number_longer_than_any_fails_its_file_alone(toy: Deployment) -> None:
    deployment = toy(OBJECTS)
    deployment.send("1.json", objects(MARK))
    deployment.send("2.json", '[{"upn": ' + "9" * 5000 + "}]")
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("partial", (1, 1, 0, 0, 0))
    assert "2.json: holds a number of thousands of digits" in str(entry["message"])


def test_half_a_character_spoils_its_own_object_alone(toy: Deployment) -> None:
    deployment = toy(OBJECTS)
    deployment.send("marks.json", objects(MARK, {**MARK, "upn": "B2", "surname": "Re\ud800d"}))
    assert books(deployment.night()) == (2, 1, 0, 0, 1)
    assert "ud800" in str(deployment.rows("SELECT content FROM quarantine")[0]["content"])


def test_a_line_of_bytes_that_are_no_text_is_shown(toy: Deployment) -> None:
    deployment = toy(OBJECTS)
    lines = [json.dumps({**MARK, "upn": upn}).encode() for upn in ("A1", "B2", "C3", "D4")]
    deployment.send(
        "marks.ndjson", b"\n\n".join([lines[0][:30], lines[1], lines[2].replace(b"Stone", b"St\xffne"), lines[3]])
    )
    assert books(deployment.night()) == (4, 2, 0, 0, 2)
    held = deployment.rows("SELECT row_number, content FROM quarantine ORDER BY 1")
    assert [row["row_number"] for row in held] == [1, 5]
    assert "St\\xffne" in str(held[1]["content"])


# databases


@pytest.fixture
def database(toy: Deployment, tmp_path: Path) -> tuple[Toy, Path]:
    deployment, path = toy(DATABASE), tmp_path / "marks.sqlite"
    deployment.line.settings = Settings.model_validate(
        {"base": tmp_path, "sources": {DATABASE.id: {"from": path.name, "change_columns": {"mark": "session_date"}}}}
    )
    return deployment, path


def execute(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_database_without_any_of_the_tables_fails(database: tuple[Toy, Path]) -> None:
    deployment, path = database
    execute(path, "CREATE TABLE other (a)")
    entry = deployment.night()
    assert entry["status"] == "failed"
    assert "none of its 1 tables" in str(entry["message"])


def test_rows_of_the_last_known_moment_and_unstamped_rows_are_pulled_too(database: tuple[Toy, Path]) -> None:
    deployment, path = database
    execute(
        path,
        "CREATE TABLE mark (upn, surname, session_date, code)",
        "INSERT INTO mark VALUES ('A1', 'S', '2026-11-16', '/')",
    )
    assert books(deployment.night()) == (1, 1, 0, 0, 0)
    execute(path, "INSERT INTO mark VALUES ('B2', 'R', '2026-11-16', 'O'), (NULL, 'T', NULL, 'O')")
    assert books(deployment.night("2026-11-17")) == (3, 1, 1, 0, 1)


def test_one_value_that_is_no_text_costs_no_table(database: tuple[Toy, Path]) -> None:
    deployment, path = database
    execute(
        path,
        "CREATE TABLE mark (upn, surname, session_date, code)",
        "INSERT INTO mark VALUES ('A1', CAST(x'53ff' AS TEXT), '2026-11-16', '/'), ('B2', 'R', '2026-11-16', 'O')",
    )
    assert books(deployment.night()) == (2, 2, 0, 0, 0)
    assert deployment.rows("SELECT surname FROM raw.toy_marks_mark WHERE upn = 'A1'") == [{"surname": "S\\xff"}]


# folders


def test_files_of_which_none_is_the_feeds_are_no_good_delivery(toy: Deployment) -> None:
    deployment = toy()
    deployment.send("marks.csv", "sign,means\n/,present\n")
    deployment.send("marks.doc", "x")
    entry = deployment.night()
    assert entry["status"] == "failed"
    assert "marks.csv" in str(entry["message"])
    assert "marks.doc: not used" in str(entry["message"])


@pytest.mark.parametrize("place", ["", "*.csv"], ids=["folder", "glob"])
def test_what_systems_keep_beside_files_is_no_delivery(tmp_path: Path, place: str) -> None:
    for name in ("marks.csv", "~$marks.csv", ".marks.csv"):
        (tmp_path / name).write_text(GOOD)
    found = transports.arrivals(MARKS, str(tmp_path / place), base=tmp_path, now=dt.datetime(2026, 11, 16))
    assert [arrival.name for arrival in found] == ["marks.csv"]


def test_what_has_a_files_name_and_cannot_be_read_is_told(toy: Deployment) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD)
    (deployment.inbox / "folder.csv").mkdir()
    (deployment.inbox / "broken.csv").symlink_to(deployment.inbox / "nowhere.csv")
    entry = deployment.night()
    assert (entry["status"], books(entry)) == ("partial", (2, 2, 0, 0, 0))
    assert "folder.csv: cannot be read" in str(entry["message"])
    assert "broken.csv: cannot be read" in str(entry["message"])


def test_a_file_that_grows_while_it_is_read_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text(GOOD)
    (arrival,) = transports.arrivals(MARKS, "marks.csv", base=tmp_path, now=dt.datetime(2026, 11, 16))
    chunks = iter(arrival.chunks())
    next(chunks)
    path.write_text(GOOD + "C3,Ash,2026-11-16,/\n")
    with pytest.raises(transports.SourceUnreachable, match="changed while it was read"):
        list(chunks)


# full deliveries in several files


LISTS = replace(CHILDREN_LIST, unit="file")


def children(*upns: str) -> str:
    return "upn,surname\n" + "".join(f"{upn},Stone\n" for upn in upns)


@pytest.fixture
def lists(toy: Deployment) -> Toy:
    deployment = toy(LISTS)
    deployment.send("east.csv", children("A1", "A2"))
    deployment.send("west.csv", children("B1", "B2"))
    assert books(deployment.night()) == (4, 4, 0, 0, 0)
    return deployment


def test_a_file_sent_again_unchanged_beside_a_changed_one_still_speaks(lists: Toy) -> None:
    lists.send("west.csv", children("B1", "B2", "B3"))
    entry = lists.night("2026-11-17")
    assert (books(entry), entry["vanished"]) == ((5, 1, 4, 0, 0), 0)


def test_children_of_a_file_that_cannot_be_read_have_not_vanished(lists: Toy) -> None:
    lists.send("west.csv", b"PK\x03\x04")
    lists.send("east.csv", children("A1"))
    entry = lists.night("2026-11-17")
    assert (entry["status"], entry["vanished"]) == ("partial", 0)


def test_the_last_word_is_the_last_load_whatever_its_date(toy: Deployment, full_list: Feed) -> None:
    deployment = toy(full_list)
    first, second = children("A1", "A2"), children("A1", "A2").replace("Stone", "Reed")
    for date, content in (("2026-11-16", first), ("2026-11-10", second), ("2026-11-17", first)):
        deployment.send("children.csv", content)
        assert deployment.night(date)["landed"] == 2, date
    names = deployment.rows("SELECT DISTINCT family_name FROM person_record WHERE superseded_at IS NULL")
    assert names == [{"family_name": "Stone"}]


def test_a_table_left_out_of_a_set_is_named_and_stays(toy: Deployment, full_list: Feed) -> None:
    deployment = toy(full_list)
    deployment.send("children.csv", children("A1"))
    deployment.send("visits.csv", "visit_id,upn,what\nV1,A1,seen\n")
    deployment.night()
    (deployment.inbox / "visits.csv").unlink()
    deployment.send("children.csv", children("A1", "A2"))
    assert "no visit" in str(deployment.night("2026-11-17")["message"])
    assert deployment.rows("SELECT count(*) AS n FROM event WHERE superseded_at IS NULL") == [{"n": 1}]


# rows put through again


def test_a_row_released_without_its_key_is_held_again_and_not_lost(toy: Deployment) -> None:
    deployment = toy()
    deployment.send("marks.csv", "upn,surname,session_date,code,mood\n,Stone,2026-11-16,/,calm\n")
    deployment.night()
    held = deployment.rows("SELECT * FROM quarantine")[0]
    assert json.loads(str(held["content"]))["extra"] == {"mood": "calm"}
    release(deployment.line.warehouse, str(held["quarantine_id"]), by="Officer", repairs={})
    assert books(deployment.night("2026-11-17"))[-1] == 2
    again = deployment.rows("SELECT * FROM quarantine WHERE released_load_id IS NULL AND released_by IS NULL")
    assert [row["quarantine_id"] for row in again] == [held["quarantine_id"]]
    assert "by Officer, and still without its key" in str(again[0]["reason"])
    release(deployment.line.warehouse, str(held["quarantine_id"]), by="Officer", repairs={"upn": "A1"})
    deployment.night("2026-11-18")
    landed = deployment.rows("SELECT upn, surname, extra ->> 'mood' AS mood FROM raw.toy_marks_mark")
    assert landed == [{"upn": "A1", "surname": "Stone", "mood": "calm"}]
    assert holds(deployment)


def test_what_was_released_while_nobody_could_reach_the_core_goes_through_once_with_the_next_night(
    toy: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = itertools.count()
    monkeypatch.setattr(
        "pipelines.line.utc_now", lambda: dt.datetime(2026, 11, 16, 2, 0) + dt.timedelta(minutes=next(minutes))
    )
    deployment = toy()
    deployment.send("marks.csv", "upn,surname,session_date,code\n,Stone,2026-11-16,/\n,Reed,2026-11-16,/\n")
    deployment.night()
    stone, reed = (
        row["quarantine_id"] for row in deployment.rows("SELECT quarantine_id FROM quarantine ORDER BY row_number")
    )
    deployment.clear()
    name = deployment.feed.id
    deployment.line.quality_acts.release(
        {str(stone): (name, {"upn": "A1"}), str(reed): (name, {})},
        reason="said so",
        author="Officer",
        decided_at=pipelines.line.utc_now(),
    )
    assert books(deployment.night("2026-11-17"))[0] == 2
    assert deployment.rows("SELECT upn, surname FROM raw.toy_marks_mark") == [{"upn": "A1", "surname": "Stone"}]
    assert deployment.rows("SELECT released_by FROM quarantine ORDER BY row_number") == [
        {"released_by": "Officer"},
        {"released_by": None},
    ]
    assert books(deployment.night("2026-11-18"))[0] == 0, "what was tried and held back again waits for another release"
    assert holds(deployment)


def test_a_row_released_into_a_full_delivery_does_not_vanish_with_the_same_night(
    toy: Deployment, full_list: Feed
) -> None:
    deployment = toy(full_list)
    deployment.send("children.csv", "upn,surname\nA1,Stone\n,Reed\n")
    deployment.night()
    held = deployment.rows("SELECT quarantine_id FROM quarantine")[0]
    release(deployment.line.warehouse, str(held["quarantine_id"]), by="Officer", repairs={"upn": "B2"})
    deployment.send("children.csv", "upn,surname\nA1,Stone\n,Reed\nC3,Ash\n")
    assert deployment.night("2026-11-17")["vanished"] == 0


def test_a_repair_names_a_column_even_of_a_row_that_could_not_be_read(toy: Deployment) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD + "too,few\n")
    deployment.night()
    held = deployment.rows("SELECT quarantine_id FROM quarantine")[0]
    with pytest.raises(QuarantineError, match="no column"):
        release(deployment.line.warehouse, str(held["quarantine_id"]), by="Officer", repairs={"upm": "A1"})


def test_a_source_whose_folder_is_not_there_is_told_from_one_that_sent_nothing(toy: Callable[..., Any]) -> None:
    deployed = toy()
    assert (deployed.night()["status"], deployed.night()["message"]) == ("nothing_sent", "")
    deployed.inbox.rmdir()
    books = deployed.night("2026-11-17")
    assert books["status"] == "nothing_sent"
    assert f"sources.toy.marks.from: {deployed.inbox} does not exist" in books["message"]


def test_a_folder_in_the_inbox_is_not_passed_over_in_silence(toy: Callable[..., Any]) -> None:
    deployed = toy()
    (deployed.inbox / "empty").mkdir()
    assert deployed.night()["message"] == ""
    (deployed.inbox / "from the north").mkdir()
    (deployed.inbox / "from the north" / "marks.csv").write_text(GOOD)
    books = deployed.night("2026-11-17")
    assert books["status"] == "nothing_sent"
    assert f"{deployed.inbox} holds from the north/, which is not looked into; let from end in **/*" in books["message"]
    deployed.send("today.csv", GOOD)
    everywhere = f"{deployed.inbox}/**/*"
    found = transports.arrivals(deployed.feed, everywhere, base=deployed.inbox, now=dt.datetime(2026, 11, 17))
    assert sorted(arrival.name for arrival in found) == ["marks.csv", "today.csv"]
    assert transports.place_fault(deployed.feed, everywhere, deployed.inbox) is None


def test_a_table_that_lacks_the_day_on_which_things_began_replaces_none_that_has_it() -> None:
    plans = next(table for table in SSD.tables if table.name == "ssd_cp_plans")
    sent = [name for name in plans.names() if name != "cppl_cp_plan_end_date"]
    assert recognise(SSD, "ssd_cp_plans", sent)[0].key == ("cppl_cp_plan_id",)
    with pytest.raises(UnreadableFile, match=r"lacks the column\(s\) cppl_cp_plan_start_date"):
        recognise(SSD, "ssd_cp_plans", [name.replace("plan_start", "start") for name in sent])


# what was changed afterwards


@pytest.mark.parametrize("column", ["surname", "code", "session_date"])
def test_verify_names_the_row_that_was_changed_in_the_core_and_never_its_value(toy: Deployment, column: str) -> None:
    deployment = toy()
    deployment.send("marks.csv", GOOD)
    deployment.night()
    assert holds(deployment)
    raw = deployment.line.raw_table(MARKS, MARKS.tables[0]).relation
    # Whoever can write to the core can make the fingerprint in the row fit.
    deployment.line.con.execute(f"UPDATE {raw} SET {column} = 'forged', row_hash = md5('forged') WHERE upn = 'B2'")
    (told,) = [fault for fault in verify(deployment.line)["broken"] if "as they were received" in fault]
    assert "row(s) 3 of mark" in told and "forged" not in told and "Reed" not in told

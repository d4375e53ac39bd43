"""From a failure to its repair: the pack an agency gets, what it repairs there put through again, waivers and promises."""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet import _writer
from typer.testing import CliRunner

from expectations import workbook
from expectations.pack import gather
from pipelines.cli import app
from pipelines.settings import SettingsError, load_settings
from warehouse import query
from warehouse.access_log import AccessLog
from warehouse.keys import load_keys
from warehouse.quality_acts import QualityActError
from warehouse.quarantine import QuarantineError
from warehouse.store import Store

SAMPLES = Path(__file__).parents[2] / "connectors"
HELD = "incident.rows_readable_and_keyed"
BAD_DOB = "incident.dob.is_a_date"
FORMULA = '=HYPERLINK("http://x","y")'

Run = Callable[..., str]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notes of a school and reports of the police after one night; one note has no pupil number, one a formula for a name."""
    folder = tmp_path_factory.mktemp("loop")
    for agency, feed in (("school", "incidents"), ("police", "missing")):
        shutil.copytree(SAMPLES / agency / "sample" / feed, folder / "inbox" / feed)
    notes = next((folder / "inbox" / "incidents").glob("*.csv"))
    formula = '"=HYPERLINK(""http://x"",""y"")"'
    notes.write_text(
        notes.read_text("utf-8")
        + f"SN-7,U801200018001,Oakhurst,Tamsin,{formula},2026-11-06,2026-11-06T09:00:00,tutor,,fact,Late,,open\n",
        "utf-8",
    )
    (folder / "tessera.yaml").write_text(
        "data_dir: data\nsources:\n  school.incidents: {from: inbox/incidents/, contact: The school office}\n"
        "  police.missing: {from: inbox/missing/}\n"
    )
    run(folder, "nightly", "--date", "2026-11-16")
    return folder


@pytest.fixture
def folder(first_night: Path, tmp_path: Path) -> Path:
    shutil.copytree(first_night, tmp_path / "loop")
    return tmp_path / "loop"


def run(folder: Path, *arguments: str, exit_code: int = 0) -> str:
    ran = CliRunner().invoke(app, [*arguments, "--config", str(folder / "tessera.yaml")])
    assert ran.exit_code == exit_code, f"{ran.output}\n{ran.exception!r}"
    return ran.output


def refused(folder: Path, *arguments: str) -> Exception:
    ran = CliRunner().invoke(app, [*arguments, "--config", str(folder / "tessera.yaml")])
    assert isinstance(ran.exception, SettingsError | QualityActError | QuarantineError | workbook.WorkbookError), (
        ran.output
    )
    return ran.exception


def ask(folder: Path, role: str, sql: str) -> list[dict[str, Any]]:
    with query.open_mart(folder / "data" / "marts", load_keys(folder / "data" / "tessera.keys", {}), role) as con:
        return query.rows(con, sql)


def shown(folder: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """What `tessera quality` shows as failing, by standard."""
    found = json.loads(run(folder, "quality", "--json", *arguments))
    return {row["expectation"]: row for row in found["standards"]}


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    book = openpyxl.load_workbook(path)
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book}


def by_name(rows: list[list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_the_pack_holds_every_failing_row_of_its_feed_and_none_of_another(folder: Path) -> None:
    pack = folder / "incidents.xlsx"
    run(folder, "quality", "pack", "school.incidents", "--out", str(pack))
    failing = ask(folder, "quality", "SELECT expectation, row_number FROM quality_failures WHERE feed = 'incidents'")
    found = sheets(pack)
    listed = [row for name, rows in found.items() if name == "incident" for row in by_name(rows)]
    assert sorted((row["rule"], row["row_number"]) for row in listed) == sorted(
        (row["expectation"], row["row_number"]) for row in failing
    )
    wrong = next(row for row in listed if row["rule"] == BAD_DOB and row["row_number"] == 6)
    assert (wrong["local_id"], wrong["column"], wrong["value"], wrong["spell"]) == (
        "SN-4/A801200020004", "dob", "2011-02-30", "new",
    )  # fmt: skip
    assert wrong["title"].startswith("dob is a date written")
    assert wrong["hint"] == "As 2014-10-22 or 22/10/2014"
    said = {row[0]: row[1] for row in found["Summary"] if row[0]}
    assert said["For"] == "The school office"
    assert said["Rows held back"] == 1
    wanted = {row[1]: row[12] for row in found["Summary"] if row[1] in (HELD, BAD_DOB)}
    assert wanted == {HELD: "2026-11-19", BAD_DOB: "2026-11-23"}
    assert "misper" not in str(found)


def test_the_pack_is_its_owners_alone_runs_no_formula_and_is_logged(folder: Path) -> None:
    paths = [folder / f"pack.{form}" for form in ("xlsx", "csv", "json")]
    for path in paths:
        run(
            folder,
            "quality",
            "pack",
            "school.incidents",
            "--out",
            str(path),
            "--who",
            "Ash",
            "--purpose",
            "to the school",
        )
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 3
    cells = [cell for sheet in openpyxl.load_workbook(paths[0]) for row in sheet.iter_rows() for cell in row]
    assert {cell.value: (cell.data_type, cell.quotePrefix) for cell in cells if cell.value == FORMULA} == {
        FORMULA: ("s", True)
    }
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    with paths[1].open(newline="", encoding="utf-8") as file:
        values = [row["value"] for row in csv.DictReader(file) if row["rule"] == BAD_DOB]
    assert f"'{FORMULA}" in values
    whole = json.loads(paths[2].read_text("utf-8"))
    assert [row["value"] for row in whole["rows"] if row["rule"] == BAD_DOB] == ["2011-02-30", FORMULA]
    assert whole["counts"]["held_back"] == len(whole["held_back"]) == 1
    settings = load_settings(folder / "tessera.yaml", {})
    looks = AccessLog(Store(settings.decisions_url), load_keys(settings.keys_path, {})).looks(["quality"])
    assert [(look.action, look.who, look.purpose, look.question) for look in looks] == [
        ("export", "Ash", "to the school", "quality pack school.incidents")
    ] * 3
    assert all(look.rows for look in looks)
    assert not _writer.ALL_TEMP_FILES, "a sheet lay in a plain temporary file"


def test_a_pack_is_written_in_forms_it_knows_of_feeds_that_are_configured(folder: Path) -> None:
    assert "it is written as" not in str(refused(folder, "quality", "pack", "school.census", "--out", "x.xlsx"))
    assert ".xlsx, .csv, .json" in str(refused(folder, "quality", "pack", "school.incidents", "--out", "x.pdf"))


def repair(pack: Path, **cells: Any) -> None:
    """What an agency does: opens the workbook, types over cells of the row held back, saves it."""
    book = openpyxl.load_workbook(pack)
    sheet = book["Held back incident"]
    header = [cell.value for cell in sheet[1]]
    for column, value in cells.items():
        sheet.cell(2, header.index(column) + 1).value = value
    book.save(pack)


def test_a_row_repaired_in_the_pack_goes_through_alone_and_stands_in_the_chronology(folder: Path) -> None:
    pack = folder / "incidents.xlsx"
    run(folder, "quality", "pack", "school.incidents", "--out", str(pack))
    release = (
        "quarantine",
        "release",
        "--from",
        str(pack),
        "--reason",
        "school looked it up",
        "--author",
        "Ash",
        "--date",
        "2026-11-17",
    )
    assert "nothing was released" in run(folder, *release)
    repair(pack, upn="R801200024005", recorded_at=dt.datetime(2026, 11, 5))
    before = ask(folder, "practitioner", "SELECT count(*) AS n FROM chronology")[0]["n"]
    # The sources are gone: nothing is read again.
    shutil.rmtree(folder / "inbox")
    said = run(folder, *release)
    assert "1 received = 1 landed + 0 unchanged + 0 superseded + 0 quarantined" in said
    events = ask(folder, "practitioner", "SELECT narrative FROM chronology")
    assert len(events) == before + 1
    assert "No UPN known yet." in [event["narrative"] for event in events]
    held = ask(folder, "quality", "SELECT content, released_by, released_load_id FROM quarantine")
    assert [(row["released_by"], row["released_load_id"]) for row in held] == [("Ash", "2026-11-17.1")]
    assert json.loads(held[0]["content"])["upn"] in (None, ""), "what was received stays as it was"
    assert HELD not in shown(folder)
    log = json.loads(run(folder, "quality", "log", "--json"))
    assert [(act["kind"], act["author"], act["reason"], act["repaired"]) for act in log] == [
        ("release", "Ash", "school looked it up", "upn, recorded_at")
    ]
    assert "holds" in run(folder, "verify")
    assert "same" in run(folder, "rebuild")
    assert ask(folder, "quality", "SELECT status, received, landed FROM loads WHERE load_id = '2026-11-17.1'") == [
        {"status": "nothing_sent", "received": 1, "landed": 1}
    ]
    assert "left alone" in run(folder, *release)
    run(folder, "quality", "pack", "school.incidents", "--out", str(pack))
    fixed = [row["spell"] for row in by_name(sheets(pack)["incident"]) if row["rule"] == HELD]
    assert fixed == ["fixed (released); failed since 2026-11-16.1"]


def test_what_is_no_pack_is_refused_and_releases_nothing(folder: Path) -> None:
    pack = folder / "incidents.xlsx"
    run(folder, "quality", "pack", "school.incidents", "--out", str(pack))
    repair(pack, quarantine_id="incident:nowhere:9", upn="R801200024005")
    said = ("--reason", "r", "--author", "a")
    assert "no such row" in str(refused(folder, "quarantine", "release", "--from", str(pack), *said))
    (folder / "incident.xlsx").write_text("no workbook")
    assert "no workbook that opens" in str(
        refused(folder, "quarantine", "release", "--from", str(folder / "incident.xlsx"), *said)
    )
    assert "one row" in str(refused(folder, "quarantine", "release", *said))
    assert ask(folder, "quality", "SELECT count(*) AS n FROM quarantine WHERE released_by IS NULL") == [{"n": 1}]


def test_every_feed_is_told_how_many_of_its_records_find_others_and_the_same_again_is_no_history(folder: Path) -> None:
    sql = "SELECT feed, status, message FROM quality_results WHERE expectation = 'match_rate_as_usual' AND load_id = '{}' ORDER BY feed"
    first = ask(folder, "quality", sql.format("2026-11-16.1"))
    needs = "5 earlier deliveries are needed to know what is usual; 0 are known"
    assert first == [{"feed": feed, "status": "not_run", "message": needs} for feed in ("incidents", "missing")]
    assert "with load" not in run(folder, "quality", "--json")
    night(folder, "2026-11-17")
    assert ask(folder, "quality", sql.format("2026-11-17.1")) == first
    said = [step["because"] for step in json.loads(run(folder, "quality", "--json"))["next"]]
    assert [because for because in said if "2 new with load 2026-11-16.1" in because], said


def test_a_waiver_is_shown_and_not_counted_until_it_expires(folder: Path) -> None:
    said = ("--reason", "old system", "--author", "Ash")
    row = "SN-4/A801200020004"
    before = shown(folder)[BAD_DOB]
    assert (before["failed"], before["open"], before["waived"]) == (2, 2, 0)
    run(folder, "quality", "waive", BAD_DOB, "--row", row, "--until", "2026-11-17", *said)
    part = shown(folder)[BAD_DOB]
    assert (part["failed"], part["open"], part["waived"]) == (2, 1, 1)
    run(folder, "quality", "waive", BAD_DOB, "--until", "2026-11-17", *said)
    assert BAD_DOB not in shown(folder)
    night(folder, "2026-11-17")
    mart = "SELECT failed, waived, open FROM quality_standards WHERE expectation = 'incident.dob.is_a_date'"
    assert ask(folder, "quality", mart) == [{"failed": 2, "waived": 2, "open": 0}]
    failures = "SELECT DISTINCT waived_until FROM quality_failures WHERE expectation = 'incident.dob.is_a_date'"
    assert ask(folder, "quality", failures) == [{"waived_until": dt.date(2026, 11, 17)}]
    night(folder, "2026-11-18")
    assert ask(folder, "quality", mart) == [{"failed": 2, "waived": 0, "open": 2}]
    assert shown(folder)[BAD_DOB]["open"] == 2


def test_a_promise_that_was_not_kept_comes_before_all_else(folder: Path) -> None:
    said = ("--reason", "they mend it", "--author", "Ash")
    late = "incident.statement_kind.is_a_known_code"
    assert next(iter(shown(folder))) != late
    run(folder, "quality", "expect", late, "--by", "2026-11-16", *said)
    assert shown(folder)[late]["overdue"] is False
    night(folder, "2026-11-17")
    assert next(iter(shown(folder))) == late
    first = json.loads(run(folder, "quality", "--json"))["next"][0]
    assert first["because"].startswith(f"promised by 2026-11-16 and still failing: {late}")
    number = json.loads(run(folder, "quality", "log", "--json"))[0]["act_id"]
    run(folder, "quality", "undo", number, *said)
    assert next(iter(shown(folder))) != late
    assert ask(folder, "quality", "SELECT count(*) AS n FROM quality_acts") == [{"n": 1}], "as of the night"
    assert [act["status"] for act in json.loads(run(folder, "quality", "log", "--json"))] == ["undone", "stands"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("waive", "incident.nothing", "--until", "2026-12-01"), "no standard of that name"),
        (("waive", "not_stale", "--until", "2026-12-01"), "police.missing, school.incidents"),
        (("waive", BAD_DOB, "--until", "2028-12-01"), "within a year"),
        (("waive", BAD_DOB, "--until", "soon"), "not a date"),
        (("waive", BAD_DOB, "--until", "2026-12-01", "--row", "SN-1/X"), "no row of that key"),
        (("expect", BAD_DOB, "--by", "2026-11-01"), "not between"),
        (("undo", "Q-AAAA"), "no act Q-AAAA"),
    ],
)
def test_an_act_that_cannot_be_taken_says_why(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in str(refused(folder, "quality", *arguments, "--reason", "r", "--author", "a"))
    assert run(folder, "quality", "log") == "Nobody did anything yet.\n"


def night(folder: Path, date: str) -> None:
    run(folder, "nightly", "--date", date)


def test_what_a_pack_may_not_show_it_does_not_and_a_cell_left_alone_repairs_nothing(folder: Path) -> None:
    with query.open_mart(folder / "data" / "marts", load_keys(folder / "data" / "tessera.keys", {}), "quality") as con:
        con.execute(
            "CREATE TEMP VIEW quarantine AS SELECT * REPLACE (NULL AS content, true AS address_protected) FROM mart.main.quarantine"
        )
        con.execute(
            "CREATE TEMP VIEW quality_failures AS SELECT * REPLACE (true AS address_protected) FROM mart.main.quality_failures"
        )
        feed = load_settings(folder / "tessera.yaml", {}).feed("school.incidents")
        made = gather(lambda sql, parameters: query.rows(con, sql, parameters), feed, "The school office")
    written = BytesIO()
    workbook.write(made, written)
    path = folder / "withheld.xlsx"
    path.write_bytes(written.getvalue())
    assert {row["value"] for row in by_name(sheets(path)["incident"])} == {"(withheld: restricted address)"}
    cells = next(iter(workbook.returned(path).values()))
    received = json.dumps({"upn": None, "surname": "Fenwick", "narrative": "two\nlines"})
    assert workbook.repairs(received, cells) == {}
    assert workbook.repairs(received, {**cells, "upn": "R801200024005"}) == {"upn": "R801200024005"}
    assert workbook.repairs(received, {"narrative": "two\r\nlines ", "surname": "Fenwick", "upn": ""}) == {}

"""A canary that must be gone from every byte, and others who must stay: erasure, holds, retention, and what comes after."""

from __future__ import annotations

import datetime as dt
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from pipelines import erasing
from pipelines.backup import make, restore
from pipelines.line import Line, open_line
from pipelines.night import run_night
from pipelines.rebuild import rebuild
from pipelines.settings import Settings, load_settings
from pipelines.verify import verify
from tests.unit.linkage_world import world
from warehouse import query, retention
from warehouse.erasures import ErasureError

CANARY = ("Zzelda", "Quorne", "9000000017", "clinic-zz17")
MAPPING = """
grain: one row per child
key: [id]
person: {source_person_id: id, given_names: forename, family_name: surname, birth_date: {column: dob, format: "%Y-%m-%d"}, nhs_number: nhs,
         postcode: home}
events:
  - {event_type: contact, occurred_from: {column: seen, format: "%Y-%m-%d"}, title: what, narrative: note, statement_kind: fact}
"""
HEADER = "id,forename,surname,dob,nhs,home,seen,what,note\n"
OTHERS = [
    "clinic-br18,Bertram,Quorne,2015-05-02,9000000025,WX1 1AA,2026-10-02,Seen,Came with his sister\n",
    "clinic-ot19,Otto,Vale,2014-01-09,9000000033,WX9 4BB,2026-10-03,Seen,Well\n",
]
HERS = "clinic-zz17,Zzelda,Quorne,2013-03-01,9000000017,WX1 1AA,2026-10-01,Seen,Zzelda was quiet\n"
KEYLESS = ",Zzelda,Quorne,2013-03-01,,WX1 1AA,2026-10-01,Seen,No number\n"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two agencies that know the canary, her brother and another child; one row about her without a key; a decision that names her."""
    folder = tmp_path_factory.mktemp("erasure")
    (folder / "mapping.yaml").write_text(MAPPING)
    (folder / "tessera.yaml").write_text(
        "data_dir: data\nallow_test_nhs_numbers: true\nsources:\n"
        + "".join(
            f"  {name}: {{from: {name}/, mapping: mapping.yaml, delivery: full}}\n"
            for name in ("clinic.list", "hostel.list")
        )
    )
    deliver(folder, [HERS, *OTHERS, KEYLESS])
    night(folder, 16)
    with open_line(settings_of(folder), {}) as line:
        line.decisions.add(
            "must_link", "clinic.list:clinic-zz17", "hostel.list:hostel-zz17", "Zzelda Quorne told us herself", "R. Viewer",
            dt.datetime(2026, 11, 16),
        )  # fmt: skip
        line.decisions.add(
            "cannot_link",
            "clinic.list:clinic-br18",
            "clinic.list:clinic-ot19",
            "two boys",
            "R. Viewer",
            dt.datetime(2026, 11, 16),
        )
    return folder


@pytest.fixture
def copied(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lived, tmp_path / "lived"))


def deliver(folder: Path, rows: list[str]) -> None:
    for agency in ("clinic", "hostel"):
        inbox = folder / f"{agency}.list"
        inbox.mkdir(exist_ok=True)
        (inbox / "list.csv").write_text(HEADER + "".join(rows).replace("clinic-", f"{agency}-"))


def settings_of(folder: Path) -> Settings:
    return load_settings(folder / "tessera.yaml", {})


def night(folder: Path, day: int) -> dict[str, dict[str, int]]:
    settings = settings_of(folder)
    erasing.carry_out(settings, {})
    with open_line(settings, {}) as line:
        report = run_night(line, dt.date(2026, 11, day))
        assert report.published
        return {
            row["feed"]: row
            for row in line.warehouse.rows(
                "SELECT agency || '.' || feed AS feed, received, landed, unchanged, superseded, quarantined, refused, status "
                "FROM feed_load WHERE load_id = ?",
                [report.load_id],
            )
        }


def person_of(line: Line, record: str) -> str:
    return str(
        line.con.execute("SELECT person_id FROM link WHERE record_id = ? AND unlinked_at IS NULL", [record]).fetchall()[
            0
        ][0]
    )


def erase(folder: Path, subject: str) -> erasing.Plan:
    with open_line(settings_of(folder), {}) as line:
        planned = erasing.plan(line, subject)
        erasing.take(line, planned, reason="Her wish", author="D. P. Officer")
    erasing.carry_out(settings_of(folder), {})
    return planned


def said(folder: Path) -> str:
    """All that is held, decrypted: landing, core, marts and what people wrote."""
    settings = settings_of(folder)
    with open_line(settings, {}) as line:
        every = [path.name for path in settings.landing_path.glob("??/*") if not path.name.startswith(".")]
        texts = [
            repr(line.landing.redacted(sha) if line.landing.is_redacted(sha) else line.landing.read(sha))
            for sha in every
        ]
        for sha in every:
            if line.landing.is_redacted(sha):
                for content in line.landing.redacted(sha)[1].values():
                    texts.append(repr(pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()))
        texts += [repr(line.landing.read_manifest(*name)) for name in line.landing.manifests()]
        for schema, table in line.con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'core'"
        ).fetchall():
            texts += [
                row for (row,) in line.con.execute(f'SELECT t::VARCHAR FROM core."{schema}"."{table}" t').fetchall()
            ]
        texts += [repr(line.decisions.all()), repr(line.holds.all())]
        for role in ("engineer", "quality", "analyst", "practitioner", "reviewer"):
            con = query.open_mart(settings.marts_path, line.keys, role)
            for (name,) in con.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = 'mart'"
            ).fetchall():
                texts += [row for (row,) in con.execute(f'SELECT t::VARCHAR FROM mart.main."{name}" t').fetchall()]
            con.close()
    return "\n".join(texts).lower()


@pytest.mark.slow
def test_the_canary_goes_everywhere_and_her_brother_stays(copied: Path) -> None:
    for word in CANARY:
        assert word.lower() in said(copied)
    with open_line(settings_of(copied), {}) as line:
        her, brother = person_of(line, "clinic.list:clinic-zz17"), person_of(line, "clinic.list:clinic-br18")
        assert her == person_of(line, "hostel.list:hostel-zz17") != brother
    planned = erase(copied, her)
    assert (len(planned.records), planned.rows, planned.quarantined, planned.emptied) == (2, 4, 2, {})
    left = said(copied)
    for word in ("Zzelda", "9000000017", "clinic-zz17", "hostel-zz17", "quiet", "2013-03-01"):
        assert word.lower() not in left, word
    for word in ("Bertram", "Quorne", "9000000025", "came with his sister", "Otto", "two boys", her.lower()):
        assert word.lower() in left, word
    with open_line(settings_of(copied), {}) as line:
        assert line.warehouse.rows("SELECT retired_load_id, resolves_to FROM person WHERE person_id = ?", [her]) == [
            {"retired_load_id": "2026-11-16.1", "resolves_to": None}
        ]
        assert line.warehouse.rows("SELECT change, record_ids FROM identity_change WHERE person_id = ?", [her]) == [
            {"change": "erased", "record_ids": []}
        ]
        assert person_of(line, "clinic.list:clinic-br18") == brother
        proved = verify(line)
        assert proved["broken"] == []
        files = {path.name for path in line.settings.marts_path.glob("*/*.duckdb")}
        assert files == {"2026-11-16.1-2.duckdb"}  # those published before went
        assert any("out of 1 of them erasures took words" in text for text in proved["proved"])


@pytest.mark.slow
def test_a_later_delivery_of_her_is_refused_and_counted_until_it_is_lifted(copied: Path) -> None:
    planned = erase(copied, "clinic.list:clinic-zz17")
    assert planned.records == ["clinic.list:clinic-zz17"] and planned.persons == {}
    books = night(copied, 17)  # the same bytes again
    assert {name: books["clinic.list"][name] for name in ("received", "unchanged", "refused", "quarantined", "status")} == {
        "received": 4, "unchanged": 2, "refused": 2, "quarantined": 0, "status": "loaded",
    }  # fmt: skip
    deliver(
        copied,
        [HERS.replace("quiet", "loud"), *OTHERS, "clinic-ne20,Nele,Vale,2012-02-02,,WX9 4BB,2026-11-01,Seen,New\n"],
    )
    books = night(copied, 18)
    assert {name: books["clinic.list"][name] for name in ("received", "landed", "unchanged", "refused")} == {
        "received": 4, "landed": 1, "unchanged": 2, "refused": 1,
    }  # fmt: skip
    assert books["hostel.list"]["refused"] == 0
    with open_line(settings_of(copied), {}) as line:
        assert verify(line)["broken"] == []
        assert not line.warehouse.rows("SELECT * FROM person_record WHERE record_id = 'clinic.list:clinic-zz17'")
        assert line.warehouse.rows("SELECT * FROM person_record WHERE record_id = 'hostel.list:hostel-zz17'")
    assert rebuild(settings_of(copied), {}, switch=False).differing == {}
    with open_line(settings_of(copied), {}) as line:
        (erasure,) = line.erasures.all()
        line.erasures.lift(
            erasure.erasure_id, reason="She came back", author="D. P. Officer", at=dt.datetime(2026, 11, 19)
        )
    assert night(copied, 19)["clinic.list"]["landed"] == 1
    with open_line(settings_of(copied), {}) as line:
        assert line.warehouse.rows("SELECT * FROM person_record WHERE record_id = 'clinic.list:clinic-zz17'")
        assert verify(line)["broken"] == []


@pytest.mark.slow
def test_a_hold_stops_it_and_an_unknown_person_is_told(copied: Path) -> None:
    with open_line(settings_of(copied), {}) as line:
        her = person_of(line, "clinic.list:clinic-zz17")
        hold = line.holds.place(her, reason="Inquiry", author="Counsel", at=dt.datetime(2026, 11, 16))
        for subject in (her, "hostel.list:hostel-zz17"):
            planned = erasing.plan(line, subject)
            assert planned.held_by == [hold]
            with pytest.raises(ErasureError, match="legal hold stops it"):
                erasing.take(line, planned, reason="Her wish", author="D. P. Officer")
        assert erasing.carry_out(settings_of(copied), {}) == [] and line.erasures.all() == []
        line.holds.lift(hold, reason="Inquiry closed", author="Counsel", at=dt.datetime(2026, 11, 17))
        assert erasing.plan(line, her).held_by == []
        with pytest.raises(ErasureError, match="nothing is held"):
            erasing.plan(line, "P-NOBODY")
        with pytest.raises(ErasureError, match="reason and an author"):
            erasing.take(line, erasing.plan(line, her), reason=" ", author="D. P. Officer")


@pytest.mark.slow
def test_what_is_due_follows_the_declared_periods(copied: Path) -> None:
    own = copied / "retention.yaml"
    rule = "agency: clinic, source: Test, rationale: Test"
    own.write_text(f"rules:\n  clinic: {{{rule}, keep: {{until_age: 12}}}}\n")
    with open_line(settings_of(copied), {}) as line:
        declared = retention.load_rules(own)
        due = retention.due(line.con, declared, dt.date(2026, 11, 16), {})
        assert [(found.record_id, found.rule, found.due_on) for found in due] == [
            ("clinic.list:clinic-zz17", "clinic", dt.date(2025, 3, 1)),
            ("clinic.list:clinic-ot19", "clinic", dt.date(2026, 1, 9)),
        ]
        counts = retention.reckoning(line.con, declared, dt.date(2026, 11, 16), {})
        assert [(row["rule"], row["records"], row["due"], row["within_a_year"]) for row in counts] == [
            ("clinic", 3, 2, 1),
            ("no rule", 3, 0, 0),
        ]
        # The last news is of October, later than the birthday.
        own.write_text(f"rules:\n  clinic: {{{rule}, keep: {{until_age: 12, after_last_news: 1}}}}\n")
        assert retention.due(line.con, retention.load_rules(own), dt.date(2026, 11, 16), {}) == []
    own.write_text(f"rules:\n  clinic: {{{rule}, keep: {{until_age: soon}}}}\n")
    with pytest.raises(retention.RetentionError, match="clinic: keep says until_age"):
        retention.load_rules(own)
    settings = settings_of(copied).model_copy(update={"retention": own})
    with pytest.raises(retention.RetentionError, match="clinic"), open_line(settings, {}):
        pass


def test_a_parent_is_not_due_at_the_age_at_which_a_child_is() -> None:
    born = {"kid": dt.date(2000, 5, 1), "mum": dt.date(1980, 5, 1)}
    con = world([{"feed": "health.fhir", "id": who, "dob": date} for who, date in born.items()])
    con.execute("INSERT INTO event (event_id, record_id, occurred_from) VALUES ('e', 'health.fhir:kid', '2012-01-01')")
    due = retention.due(con, retention.load_rules(), dt.date(2026, 11, 16), {})
    assert [(found.record_id, found.due_on) for found in due] == [("health.fhir:kid", dt.date(2025, 5, 1))]


def test_a_hold_is_on_a_record_or_on_its_person_under_any_identifier_they_had() -> None:
    con = world([{"feed": "health.fhir", "id": who, "dob": dt.date(2000, 5, 1)} for who in ("a", "b", "c", "free")])
    con.execute(
        "INSERT INTO event (event_id, record_id, occurred_from) SELECT record_id, record_id, '2012-01-01' FROM person_record"
    )
    con.execute("INSERT INTO person (person_id, resolves_to) VALUES ('P-B', NULL), ('P-C', NULL), ('P-OLD', 'P-C')")
    con.execute("INSERT INTO link (person_id, record_id) VALUES ('P-B', 'health.fhir:b'), ('P-C', 'health.fhir:c')")
    held = {"health.fhir:a": ["H-1"], "P-B": ["H-2"], "P-OLD": ["H-3", "H-2"], "P-C": ["H-3"], "P-NOBODY": ["H-4"]}
    due = retention.due(con, retention.load_rules(), dt.date(2026, 11, 16), held)
    assert {found.record_id[-1]: found.held_by for found in due if found.held_by} == {
        "a": ("H-1",),
        "b": ("H-2",),
        "c": ("H-2", "H-3"),
    }
    counts = retention.reckoning(con, retention.load_rules(), dt.date(2026, 11, 16), held)
    assert [(row["rule"], row["due"], row["held"]) for row in counts] == [("health", 4, 3)]


def test_every_shipped_period_has_a_source_and_a_rationale() -> None:
    rules = retention.load_rules()
    assert {rule.agency for rule in rules} == {"social_care", "school", "health", "police", "partners", "youth_justice"}
    assert all(rule.source and rule.rationale and rule.keep for rule in rules)


@pytest.mark.slow
def test_what_is_left_of_a_workbook_has_the_rows_of_every_sheet(copied: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheets = [book.active, book.create_sheet("more")]
    for sheet, rows in zip(sheets, ([HERS, OTHERS[0]], [OTHERS[1]]), strict=True):
        for row in (HEADER, *rows):
            sheet.append(row.strip().split(","))
    (copied / "clinic.list" / "list.csv").unlink()
    book.save(copied / "clinic.list" / "list.xlsx")
    assert night(copied, 17)["clinic.list"]["received"] == 3
    with open_line(settings_of(copied), {}) as line:
        her = person_of(line, "clinic.list:clinic-zz17")
    erase(copied, her)
    left = said(copied)
    assert "zzelda" not in left and "bertram" in left and "otto" in left
    with open_line(settings_of(copied), {}) as line:
        assert verify(line)["broken"] == []


@pytest.mark.slow
def test_a_backup_of_before_does_not_bring_her_back(copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    made = make(settings_of(copied), {}, folder, now=dt.datetime(2026, 11, 16, 6), keep=None)
    with open_line(settings_of(copied), {}) as line:
        her = person_of(line, "clinic.list:clinic-zz17")
        assert erasing.plan(line, her).backups == [f"{folder.resolve()}/{made.name}"]
    erase(copied, her)
    key = (copied / "data" / "tessera.keys").read_bytes()
    shutil.rmtree(copied / "data")
    (copied / "data").mkdir()
    (copied / "data" / "tessera.keys").write_bytes(key)
    (copied / "data" / "tessera.keys").chmod(0o600)
    _, proved = restore(settings_of(copied), {}, folder)
    assert proved["broken"] == []
    left = said(copied)
    assert "zzelda" not in left and "bertram" in left


@pytest.mark.slow
@pytest.mark.parametrize("at", ["what people wrote", "landing", "core", "marts"])
def test_killed_anywhere_the_next_run_does_the_rest(copied: Path, at: str) -> None:
    with open_line(settings_of(copied), {}) as line:
        erasing.take(
            line,
            erasing.plan(line, person_of(line, "clinic.list:clinic-zz17")),
            reason="Her wish",
            author="D. P. Officer",
        )
    script = (
        "import os, signal, sys; from pathlib import Path; from pipelines import erasing; from pipelines.settings import load_settings\n"
        "def say(step):\n    if step == sys.argv[2]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "erasing.carry_out(load_settings(Path(sys.argv[1]), {}), {}, say)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(copied / "tessera.yaml"), at],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(erasing.carry_out(settings_of(copied), {})) == 1
    assert "zzelda" not in said(copied)
    assert erasing.carry_out(settings_of(copied), {}) == []

"""Standards run on the real encrypted warehouse: verdicts, failing rows, what stands, what broke, what stays secret."""

import datetime as dt
import logging

import duckdb
import pytest

from connectors import reading
from connectors.contract import Column, Feed, Kind, Table
from connectors.rulebooks import RuleBookError, read_book
from expectations import gx_duckdb, rules, run
from expectations.run import check_feed
from expectations.suite import Standard
from warehouse.engine import Warehouse, define
from warehouse.keys import load_keys
from warehouse.schema import RAW_COLUMNS, Sensitivity

CHILD = Table(
    "child",
    "one row per child",
    key=("child_id",),
    columns=(
        Column("child_id", "Child", required=True, severity="critical"),
        Column("surname", "Surname", sensitivity=Sensitivity.IDENTIFYING, required=True),
        Column("dob", "Date of birth", Kind.DATE, Sensitivity.IDENTIFYING, formats=("%d/%m/%Y",)),
        Column("sex", "Sex", allowed=("M", "F"), severity="info"),
        Column("nhs", "NHS number", Kind.NHS_NUMBER, Sensitivity.IDENTIFYING),
    ),
)
FEED = Feed("council", "toy", "A small feed", "csv", (CHILD,), conform=lambda options: [], delivery="full")
CANARY = "Canarywharf"


class World:
    """A warehouse and the little of landing that these tests need."""

    def __init__(self, warehouse):
        self.warehouse = warehouse
        self.con = warehouse.con
        self.load_seq = 0
        define(self.con, "reading", reading.definitions())
        for feed in (FEED,):
            for table in feed.tables:
                columns = [f'"{column.name}" VARCHAR' for column in table.columns]
                columns += [f'"{kept.name}" {kept.type}' for kept in RAW_COLUMNS]
                self.con.execute(f"CREATE TABLE raw.{feed.raw(table.name)} ({', '.join(columns)})")

    @property
    def load_id(self):
        return f"night-{self.load_seq}"

    def night(self, rows=(), *, date=dt.date(2025, 3, 1), file="children.csv"):
        """A new load; a row has received values, `extra` and `losing` (it is beaten by another of its own file)."""
        self.load_seq += 1
        date = date + dt.timedelta(days=self.load_seq)
        self.con.execute(
            "INSERT INTO night (load_id, load_seq, date) VALUES (?, ?, ?)", [self.load_id, self.load_seq, date]
        )
        if rows:
            self.con.execute(
                "INSERT INTO received_file (load_id, agency, feed, file_id, name, table_name, received, extracted_at, "
                "status) VALUES (?, 'council', 'toy', ?, ?, 'child', ?, ?, 'landed')",
                [self.load_id, f"f{self.load_seq}", file, len(rows), date],
            )
        for number, row in enumerate(rows, start=2):
            self._land(number, dict(row), date)

    def _land(self, number, row, date):
        losing, extra = row.pop("losing", False), row.pop("extra", None)
        if not losing:
            self.con.execute(
                "UPDATE raw.council_toy_child SET superseded_seq = ? WHERE source_key = ? AND superseded_seq IS NULL",
                [self.load_seq, row["child_id"]],
            )
        file_id = f"f{self.load_seq}"
        kept = {
            "raw_row_id": f"child:{file_id}:{number}",
            "load_id": self.load_id,
            "load_seq": self.load_seq,
            "file_id": file_id,
            "row_number": number,
            "scope": "",
            "source_key": row["child_id"],
            "row_hash": repr(row),
            "extracted_at": date,
            "superseded_seq": self.load_seq if losing else None,
            "extra": extra,
        }
        values = {**row, **kept}
        marks = ", ".join("?" for _ in values)
        self.con.execute(
            f"INSERT INTO raw.council_toy_child ({', '.join(values)}) VALUES ({marks})", list(values.values())
        )

    def check(self, feed=FEED, *, allow=True, rules=(), today=dt.date(2025, 3, 2), options=None):
        verdicts = check_feed(
            self.warehouse, feed, load_id=self.load_id, load_seq=self.load_seq,
            allow_test_nhs_numbers=allow, today=today, options=options, rules=rules,
        )  # fmt: skip
        return {verdict.expectation: verdict for verdict in verdicts}

    def failures(self, expectation=None):
        return self.con.execute(
            "SELECT expectation, source_file, row_number, local_id, column_name, value FROM quality_spell "
            "WHERE ended_load_id IS NULL AND (? IS NULL OR expectation = ?) ORDER BY ALL",
            [expectation, expectation],
        ).fetchall()

    def everything(self):
        return [
            self.con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
            for table in ("quality_spell", "quality_result", "quality_judged")
        ]


@pytest.fixture
def world(tmp_path):
    with Warehouse(tmp_path / "core.duckdb", load_keys(tmp_path / "keys", {})) as warehouse:
        yield World(warehouse)


def child(child_id, surname="Smith", dob="01/02/2015", sex="F", nhs="9434765919", **more):
    return {"child_id": child_id, "surname": surname, "dob": dob, "sex": sex, "nhs": nhs, **more}


DIRTY = [
    child("1"),
    child("2", surname="  ", dob="31/02/2015"),
    child("3", sex="Q", nhs="943 476 5918"),
    child("4", dob=" 03/04/2015 ", sex=None, nhs=""),
]


def test_verdicts_and_every_failing_row(world):
    world.night(DIRTY)
    verdicts = world.check()
    assert {name: (v.evaluated, v.failed, v.status) for name, v in verdicts.items()} == {
        "child.child_id.is_present": (4, 0, "pass"),
        "child.surname.is_present": (4, 1, "warn"),
        "child.dob.is_a_date": (4, 1, "warn"),
        "child.sex.is_a_known_code": (4, 1, "warn"),
        "child.nhs.is_an_nhs_number": (4, 1, "warn"),
        "child.rows_readable_and_keyed": (4, 0, "pass"),
        "child.one_row_per_key": (4, 0, "pass"),
        "child.no_unknown_columns": (4, 0, "pass"),
        "child.nobody_vanished": (4, 0, "pass"),
        "row_count_as_usual": (0, 0, "not_run"),
        "code_mix_as_usual": (0, 0, "not_run"),
        "not_stale": (1, 0, "pass"),
    }
    assert world.failures() == [
        ("child.dob.is_a_date", "children.csv", 3, "2", "dob", "31/02/2015"),
        ("child.nhs.is_an_nhs_number", "children.csv", 4, "3", "nhs", "943 476 5918"),
        ("child.sex.is_a_known_code", "children.csv", 4, "3", "sex", "Q"),
        ("child.surname.is_present", "children.csv", 3, "2", "surname", None),
    ]
    stored = world.warehouse.rows("SELECT * FROM quality_result WHERE expectation = 'child.dob.is_a_date'")
    assert stored == [
        {
            "load_id": "night-1", "agency": "council", "feed": "toy", "table_name": "child",
            "expectation": "child.dob.is_a_date",
            "severity": "warning", "harm": "wrong_child", "evaluated": 4, "failed": 1, "status": "warn",
                "message": None,
        }
    ]  # fmt: skip


def test_a_critical_standard_with_failures_fails(world):
    world.night([child("1"), child("2")])
    strict = Standard.from_sql("strict", "Strict", "child", "SELECT raw_row_id FROM {rows}", severity="critical")
    verdict = world.check(rules=[strict])["strict"]
    assert (verdict.status, verdict.failed) == ("fail", 2)


def test_a_night_without_news_says_the_same_and_does_not_ask_gx(world, monkeypatch):
    world.night(DIRTY)
    before = world.check()
    failures = world.failures()

    def refuse(*args):
        raise AssertionError("Great Expectations was asked about rows it has judged")

    monkeypatch.setattr(gx_duckdb, "load", refuse)
    world.night()
    assert world.check() == before
    assert world.failures() == failures


def test_only_new_rows_are_judged_and_a_correction_lifts_its_failures(world):
    world.night(DIRTY)
    world.check()
    world.night([child("2", dob="28/02/2015"), child("5", dob="x")], file="corrections.csv")
    verdicts = world.check()
    assert (verdicts["child.dob.is_a_date"].evaluated, verdicts["child.dob.is_a_date"].failed) == (5, 1)
    assert verdicts["child.surname.is_present"].status == "pass"
    assert world.failures("child.dob.is_a_date") == [("child.dob.is_a_date", "corrections.csv", 3, "5", "dob", "x")]
    # A failure keeps the night on which it was found.
    found = world.con.execute("SELECT expectation, failing_since FROM quality_spell ORDER BY 1").fetchall()
    assert ("child.sex.is_a_known_code", "night-1") in found and ("child.dob.is_a_date", "night-2") in found


def test_again_for_the_same_load_changes_nothing(world):
    world.night(DIRTY)
    world.check()
    world.night([child("5", dob="x"), child("6", extra='{"new": "1"}')])
    world.check()
    before = world.everything()
    world.check()
    assert world.everything() == before


def test_rows_of_a_load_that_was_never_checked_are_judged_by_the_next(world):
    world.night([child("1")])
    world.check()
    world.night([child("2", dob="x")])
    world.night([child("3", dob="y")])
    assert world.check()["child.dob.is_a_date"].failed == 2


def test_a_changed_or_new_standard_is_asked_about_every_current_row(world):
    world.night(DIRTY)
    world.check()
    columns = tuple(
        Column("sex", "Sex", allowed=("M", "F", "Q"), severity="critical") if column.name == "sex" else column
        for column in CHILD.columns
    )
    columns += (Column("ward", "Never received", required=True),)
    world.con.execute("ALTER TABLE raw.council_toy_child ADD COLUMN ward VARCHAR")
    changed = Feed(
        "council", "toy", "T", "csv", (Table("child", "c", ("child_id",), columns),), conform=lambda options: []
    )
    world.night()
    verdicts = world.check(changed)
    assert verdicts["child.sex.is_a_known_code"].status == "pass"
    assert verdicts["child.ward.is_present"].failed == 4
    assert world.failures("child.sex.is_a_known_code") == []
    # And back: what is no longer a standard leaves no failures behind.
    world.night()
    assert world.check()["child.sex.is_a_known_code"].failed == 1
    assert world.failures("child.ward.is_present") == []


def test_test_numbers_are_flagged_unless_allowed(world):
    world.night([child("1")])
    name = "child.nhs.is_not_a_test_number"
    assert world.check(allow=False)[name].failed == 1
    assert name not in world.check(allow=True)
    assert world.failures(name) == []


def test_two_rows_of_one_key_in_a_file(world):
    world.night([child("1", surname="Old", losing=True), child("2"), child("1", surname="New")])
    assert world.check()["child.one_row_per_key"].failed == 1
    assert world.failures("child.one_row_per_key") == [
        ("child.one_row_per_key", "children.csv", 4, "1", "child_id", "rows 2 and 4"),
    ]
    world.night([child("1", surname="Newest")])
    assert world.check()["child.one_row_per_key"].status == "pass"


def test_unknown_columns_are_counted_once_per_file(world):
    world.night([child("1", extra='{"b": "x", "a": "y"}'), child("2", extra='{"c": "z"}'), child("3")])
    verdict = world.check()["child.no_unknown_columns"]
    assert (verdict.failed, verdict.severity, verdict.status) == (1, "info", "warn")
    assert world.failures("child.no_unknown_columns")[0][-1] == "[a, b, c]"


def test_who_vanished_is_named_and_forgotten_when_back(world):
    world.night([child("1"), child("2")])
    world.check()
    world.night()
    world.con.execute("UPDATE raw.council_toy_child SET vanished_seq = 2 WHERE child_id = '2'")
    assert world.check()["child.nobody_vanished"].failed == 1
    assert world.failures() == [("child.nobody_vanished", "children.csv", 3, "2", "child_id", "2")]
    world.night()
    assert world.check()["child.nobody_vanished"].failed == 1
    world.con.execute("UPDATE raw.council_toy_child SET vanished_seq = NULL")
    assert world.check()["child.nobody_vanished"].status == "pass"
    assert world.failures() == []


def test_quarantined_rows_are_failures_until_released(world):
    world.night([child("1")])
    held = (
        "INSERT INTO quarantine (quarantine_id, load_id, agency, feed, table_name, file_id, row_number, reason) VALUES "
    )
    world.con.execute(held + "('child:f1:9', 'night-1', 'council', 'toy', 'child', 'f1', 9, 'row 9: the key is empty')")
    verdict = world.check()["child.rows_readable_and_keyed"]
    assert (verdict.evaluated, verdict.failed, verdict.status) == (2, 1, "warn")
    rows = world.warehouse.rows("SELECT raw_row_id, source_file, row_number, local_id, value, hint FROM quality_spell")
    assert rows == [
        {"raw_row_id": "child:f1:9", "source_file": "children.csv", "row_number": 9, "local_id": None, "value": None,
         "hint": "row 9: the key is empty"}
    ]  # fmt: skip
    world.night()
    world.con.execute("UPDATE quarantine SET released_load_id = 'night-2'")
    assert world.check()["child.rows_readable_and_keyed"].status == "pass"
    assert world.failures() == []


BROKEN = [
    Standard.from_sql(
        "raises", "Raises", "child", "SELECT raw_row_id FROM {rows} WHERE surname::INT > 0", severity="critical"
    ),
    Standard.from_sql("no_table", "No table", "child", "SELECT raw_row_id FROM nowhere"),
    Standard.from_sql("no_feed", "No feed", "child", "SELECT raw_row_id FROM {raw_nowhere}"),
    Standard.from_sql(
        "no_words", "Unknown word", "child", "SELECT {'a': 1}, 'x{3}', raw_row_id FROM {rows} WHERE {nope}"
    ),
    Standard.from_sql("nobody", "Points at nothing", "child", "SELECT 'x' AS raw_row_id FROM {rows}"),
]


def test_a_check_that_raises_is_broken_and_no_value_gets_out(world, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    world.night([child("1", surname=CANARY, dob=CANARY, sex=CANARY)])
    verdicts = world.check(rules=BROKEN)
    for rule in BROKEN:
        verdict = verdicts[rule.name]
        assert (verdict.status, verdict.evaluated, verdict.failed) == ("broken", 0, 0), rule.name
        assert verdict.message
    assert verdicts["raises"].message == "ConversionException while judging raises; see its SQL"
    # The others were judged all the same.
    assert verdicts["child.dob.is_a_date"].failed == 1
    output = capfd.readouterr()
    results = world.con.execute("SELECT * FROM quality_result").fetchall()
    assert CANARY not in caplog.text + output.out + output.err + str(verdicts) + str(results)
    # And is asked again about everything once it is mended, though nothing new came.
    world.night()
    mended = Standard.from_sql("raises", "Raises", "child", "SELECT raw_row_id FROM {rows} WHERE surname <> ''")
    assert world.check(rules=[mended])["raises"].failed == 1


def test_what_broke_tonight_is_made_up_for_tomorrow(world, monkeypatch):
    world.night([child("1")])
    world.check()
    world.night([child("2", dob="x")])
    with monkeypatch.context() as patch:

        def gone():
            raise gx_duckdb.GxChangedError("Great Expectations changed")

        patch.setattr(gx_duckdb, "load", gone)
        verdicts = world.check()
        assert verdicts["child.dob.is_a_date"].status == "broken"
        assert verdicts["not_stale"].status == "pass"
    world.night()
    assert world.check()["child.dob.is_a_date"].failed == 1


def test_an_error_while_writing_leaves_no_trace(world, monkeypatch):
    world.night(DIRTY)
    before_any = world.con.execute("SELECT count(*) FROM quality_spell").fetchall()
    from expectations import run

    def fail(*args):
        raise duckdb.IOException("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run, "_write_judged", fail)
        with pytest.raises(duckdb.IOException):
            world.check()
    assert world.con.execute("SELECT count(*) FROM quality_spell").fetchall() == before_any
    assert world.check()["child.dob.is_a_date"].failed == 1


def test_a_column_that_the_raw_table_lacks_breaks_only_its_own_standard(world):
    columns = (*CHILD.columns, Column("ward", "Ward", required=True))
    feed = Feed(
        "council", "toy", "T", "csv", (Table("child", "c", ("child_id",), columns),), conform=lambda options: []
    )
    world.night(DIRTY)
    verdicts = world.check(feed)
    assert verdicts["child.ward.is_present"].status == "broken"
    assert verdicts["child.dob.is_a_date"].failed == 1


def test_a_table_never_received_says_so(world):
    verdict = world.check()["child.dob.is_a_date"]
    assert (verdict.evaluated, verdict.message) == (0, "nothing received yet")


def test_two_standards_of_one_name_are_refused(world):
    with pytest.raises(ValueError, match=r"child\.dob\.is_a_date"):
        world.check(rules=[Standard.from_sql("child.dob.is_a_date", "D", "child", "SELECT raw_row_id FROM {rows}")])


def deliver(world, rows):
    """A full delivery: what it does not hold has vanished."""
    world.night(rows)
    kept = [row["child_id"] for row in rows]
    world.con.execute(
        "UPDATE raw.council_toy_child SET vanished_seq = CASE WHEN list_contains(?, source_key) THEN NULL ELSE ? END "
        "WHERE superseded_seq IS NULL",
        [kept, world.load_seq],
    )
    return world.check()


@pytest.mark.slow
def test_volume_and_silence(world):
    for number in range(5):
        verdict = deliver(world, [child(str(i)) for i in range(100 + number)])["row_count_as_usual"]
        assert (verdict.status, verdict.message) == (
            "not_run",
            f"5 earlier deliveries are needed to know what is usual; {number} are known",
        )
    assert deliver(world, [child(str(i)) for i in range(110)])["row_count_as_usual"].status == "pass"
    verdict = deliver(world, [child(str(i)) for i in range(60)])["row_count_as_usual"]
    assert (verdict.status, verdict.evaluated, verdict.failed) == ("warn", 1, 1)
    assert verdict.message == "child: 60 rows; usually 68 to 137"
    assert verdict.table == ""
    # Nothing sent: the last delivery is still the unusual one, and in time it becomes stale.
    world.night()
    again = world.check(today=dt.date(2025, 3, 10))
    assert again["row_count_as_usual"] == verdict
    assert again["not_stale"].status == "pass"
    stale = world.check(today=dt.date(2025, 3, 22))["not_stale"]
    assert (stale.status, stale.message) == ("warn", "latest extract of 2025-03-08, 14 days ago; expected daily")


@pytest.mark.slow
def test_a_mix_of_codes_that_jumps_is_told_without_a_value_beyond_the_list(world):
    for number in range(6):
        mixed = [child(str(i), sex="M" if i % 2 else "F") for i in range(100 + number)]
        assert deliver(world, mixed)["code_mix_as_usual"].failed == 0
    spoilt = [child(str(i), sex=CANARY if i % 2 else "F") for i in range(106)]
    verdict = deliver(world, spoilt)["code_mix_as_usual"]
    assert (verdict.status, verdict.evaluated, verdict.failed) == ("warn", 1, 1)
    assert verdict.message.startswith("child.sex (not in the list): 50.0%; usually 0.0% to ")
    kept = world.con.execute("SELECT DISTINCT code FROM feed_measure WHERE measure = 'code' ORDER BY code").fetchall()
    assert kept == [("(not in the list)",), ("F",), ("M",)]


def test_results_equal_those_of_judging_everything(world, tmp_path):
    """Nights of news, corrections and silence give what one look at the current rows gives."""
    world.night(DIRTY)
    world.check()
    world.night([child("2", dob="28/02/2015"), child("5", dob="x", extra='{"n": 1}')])
    world.check()
    world.night([child("5", nhs="1234567890"), child("1", sex="Z")])
    world.night([child("6", surname=None), child("3")])
    incremental = world.check(), world.failures()
    world.con.execute("DELETE FROM quality_judged")
    world.con.execute("DELETE FROM quality_spell")
    assert (world.check(), world.failures()) == incremental


def test_a_table_that_becomes_empty_leaves_no_failures_behind(world):
    world.night([child("1", dob="x")])
    world.check()
    assert len(world.failures()) == 1
    world.night()
    world.con.execute("UPDATE raw.council_toy_child SET superseded_seq = 2, vanished_seq = 2")
    assert world.check()["child.dob.is_a_date"].evaluated == 0
    assert world.failures() == []


RULE = """
title: A child has a surname
why: Without a name nobody can be found.
tables: [child]
columns: [surname, sex]
hint: Write the surname.
sql: SELECT raw_row_id FROM {this_child} WHERE surname IS NULL
cases: [{given: {child: [{child_id: '1'}, {child_id: '2', surname: S}]}, expect: [1]}]
"""


def book(folder, **rules):
    """A feed like FEED with a rule book of its own, read from YAML as an agency's is."""
    (folder / "prepared").mkdir(parents=True)
    (folder / "book.yaml").write_text("{feed: council.toy, title: Toy rules, source: ours}")
    (folder / "prepared" / "impossible.sql").write_text("SELECT surname::INT AS n, raw_row_id FROM {this_child}")
    for code, text in rules.items():
        (folder / f"{code}.yaml").write_text(text)
    return read_book(folder)


def test_rules_of_a_book_run_are_not_run_or_break_each_for_itself(world, tmp_path, monkeypatch):
    toy = book(
        tmp_path / "toy",
        present=RULE,
        later=RULE.replace("tables:", "since: 2026/27\ntables:"),
        gone=RULE.replace("tables:", "until: 2024/25\ntables:"),
        yearly=RULE.replace("hint:", "needs: [last_year]\nhint:"),
        columned=RULE.replace("hint:", "needs: [child, child.nhs]\nhint:"),
        broken=RULE.replace("{this_child}", "{impossible}").replace("tables:", "severity: critical\ntables:"),
    )
    monkeypatch.setattr(rules, "rule_books", lambda feed: [toy])
    world.night([child("1", surname=CANARY, nhs=None), child("2", surname=None, sex="F", nhs=" ")])
    verdicts = world.check(options={"rules": "2025/26"})
    assert {name: (v.status, v.evaluated, v.failed) for name, v in verdicts.items() if name.startswith("toy.")} == {
        "toy.present": ("warn", 2, 1),
        "toy.later": ("not_run", 0, 0),
        "toy.gone": ("not_run", 0, 0),
        "toy.yearly": ("not_run", 0, 0),
        "toy.columned": ("not_run", 0, 0),
        "toy.broken": ("broken", 0, 0),
    }
    assert verdicts["toy.later"].message == "in force from 2026/27; the rule book is that of 2025/26"
    assert "last year" in verdicts["toy.yearly"].message
    assert verdicts["toy.columned"].message == "it needs the column nhs of child, in which the delivery has no value"
    assert CANARY not in str(verdicts)
    assert world.failures("toy.present") == [
        ("toy.present", "children.csv", 3, "2", "surname, sex", "surname (blank), sex F")
    ]
    # Nothing new: nothing is asked, and the same is said. Another year's book is another set of rules.
    world.night()
    again = world.check(options={"rules": "2025/26"})
    assert again["toy.present"].failed == 1 and again["toy.later"].status == "not_run"
    next_year = world.check(options={"rules": "2026/27"})
    assert next_year["toy.later"].status == "warn"
    assert world.check(options={"rules": "2025/26"})["toy.later"].status == "not_run"
    assert world.failures("toy.later") == []


def test_conditions_asked_in_one_pass_break_each_for_itself(world, tmp_path, monkeypatch):
    """One that raises takes none of those down that are asked of the same rows; what each finds is what it finds alone."""
    asked = {
        "blank": "SELECT raw_row_id FROM {this_child} WHERE surname IS NULL",
        "named": "SELECT c.raw_row_id FROM {this_child} AS c WHERE c.surname IS NOT NULL -- whoever it is",
        "raises": "SELECT raw_row_id FROM {this_child} WHERE surname::INT > 0",
        "typo": "SELECT raw_row_id FROM {this_child} WHERE surnme IS NULL",
        "either": "SELECT raw_row_id FROM {this_child} WHERE sex = 'M' OR sex = 'F'",
        "nested": "SELECT raw_row_id FROM {this_child} WHERE child_id IN (SELECT max(child_id) FROM {this_child})",
    }
    select = "SELECT raw_row_id FROM {this_child} WHERE surname IS NULL"
    toy = book(tmp_path / "toy", **{code: RULE.replace(select, sql) for code, sql in asked.items()})
    monkeypatch.setattr(rules, "rule_books", lambda feed: [toy])
    world.night([child("1", surname=CANARY, sex="F"), child("2", surname=None, sex="F"), child("3", sex="?")])
    verdicts = world.check(rules=(Standard.from_sql("sums", "Sums", "child", "SELECT 1 / 0 FROM {rows}"),))
    found = {code: (verdicts[f"toy.{code}"].status, verdicts[f"toy.{code}"].failed) for code in asked}
    assert found == {
        "blank": ("warn", 1), "named": ("warn", 2), "raises": ("broken", 0), "typo": ("broken", 0), "either": ("warn", 2),
        "nested": ("warn", 1),
    }  # fmt: skip
    assert CANARY not in verdicts["toy.raises"].message
    assert verdicts["child.surname.is_present"].failed == 1


def test_many_rows_are_judged_as_few_are(world, monkeypatch):
    """Of many, those that hold at sight are not read."""
    world.night([
        child("1", surname="  ", dob=" 01/02/2010 ", sex="F\u00a0"), child("2", surname="\tA", dob="31/02/2010", nhs="\t9434765919"),
        child("3", nhs=" 943 476 5918"), child("4", dob="\u00a0", sex=" ", surname=None),
    ])  # fmt: skip
    world.check(allow=False)
    few = world.everything()
    for table in ("quality_spell", "quality_result", "quality_judged"):
        world.con.execute(f"DELETE FROM {table}")
    monkeypatch.setattr(run, "_MANY_ROWS", 1)
    world.check(allow=False)
    assert world.everything() == few
    assert len(world.failures()) == 8


def test_a_rule_that_needs_a_table_which_never_came_is_not_run(world, tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "rule_books", lambda feed: [book(tmp_path / "toy", present=RULE)])
    verdict = world.check()["toy.present"]
    assert (verdict.status, verdict.message) == (
        "not_run",
        "it needs the table child, of which the delivery holds no row",
    )


def test_a_rule_that_needs_what_nobody_supplies_says_so_and_never_passes(world, tmp_path, monkeypatch):
    register = RULE[: RULE.index("sql:")] + "not_supplied: a register of homes\n"
    monkeypatch.setattr(rules, "rule_books", lambda feed: [book(tmp_path / "toy", registered=register)])
    world.night([{"child_id": "1", "surname": "Ash"}])
    verdict = world.check()["toy.registered"]
    assert (verdict.status, verdict.evaluated) == ("not_run", 0)
    assert verdict.message == "it needs a register of homes, which Tessera is not supplied with"


def test_statements_side_by_side_all_run_and_tell_which_of_them_raised(world):
    world.con.execute("CREATE TABLE memory.taken (number INTEGER)")
    statements = [f"INSERT INTO memory.taken SELECT {number}" for number in range(40)]
    statements[7] = "INSERT INTO memory.taken SELECT no_such_column"
    raised = world.warehouse.side_by_side(statements)
    assert [place for place, error in enumerate(raised) if error is not None] == [7]
    assert isinstance(raised[7], duckdb.BinderException)
    taken = world.con.execute("SELECT number FROM memory.taken ORDER BY number").fetchall()
    assert taken == [(number,) for number in range(40) if number != 7]
    assert world.warehouse.side_by_side([]) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE.replace("sql:", "not_supplied: a list\nsql:"), r"rule\.yaml: cases.*sql beside not_supplied"),
        (RULE[: RULE.index("sql:")], r"rule\.yaml: cases, sql is missing; or say not_supplied"),
        (RULE.replace("why:", "whim:"), r"rule\.yaml: .*whim"),
        (RULE.replace("hint: Write the surname.\n", ""), r"rule\.yaml: hint is missing"),
        (RULE.replace("tables:", "severity: awful\ntables:"), r"rule\.yaml: severity is 'awful'; allowed: critical"),
        (RULE.replace("tables:", "since: 2025\ntables:"), r"rule\.yaml: .*\"2025/26\""),
        ("title: [", r"rule\.yaml, line \d+: not well-formed"),
    ],
)
def test_a_rule_not_written_as_one_is_refused_with_its_file(tmp_path, text, said):
    with pytest.raises(RuleBookError, match=said):
        book(tmp_path / "toy", rule=text)

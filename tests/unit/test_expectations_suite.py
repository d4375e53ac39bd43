"""From a contract to standards: names, what each means, and how text must read to meet it."""

from dataclasses import replace

import duckdb
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from connectors import reading
from connectors.contract import Column, Feed, Kind, Table
from expectations.suite import VALUE, Standard, _of_column, describe, suite_for
from warehouse.engine import define
from warehouse.schema import Sensitivity

NOTICE = Table(
    "ppn",
    "one row per child named in a notice",
    key=("ppn_id", "child_index"),
    columns=(
        Column("ppn_id", "Notice", required=True, severity="critical"),
        Column("child_index", "Which child"),
        Column(
            "child_dob",
            "Date of birth",
            Kind.DATE,
            Sensitivity.IDENTIFYING,
            formats=("%d/%m/%Y",),
            hint="Ask the officer.",
        ),
        Column("incident_at", "When", Kind.TIMESTAMP),
        Column("risk", "Grade", allowed=("S", "M", "it's H"), severity="info"),
        Column("nhs", "NHS number", Kind.NHS_NUMBER, Sensitivity.IDENTIFYING),
        Column("raw", "Anything", Kind.JSON),
    ),
)
FEED = Feed("police", "ppn", "Notices", "csv", (NOTICE,), conform=lambda options: [])


def test_each_constraint_becomes_one_standard_named_for_what_it_says():
    standards = suite_for(FEED, NOTICE)
    assert [standard.name for standard in standards] == [
        "ppn.ppn_id.is_present",
        "ppn.child_dob.is_a_date",
        "ppn.incident_at.is_a_time",
        "ppn.risk.is_a_known_code",
        "ppn.nhs.is_an_nhs_number",
        "ppn.nhs.is_not_a_test_number",
        "ppn.rows_readable_and_keyed",
        "ppn.one_row_per_key",
        "ppn.no_unknown_columns",
    ]
    by_name = {standard.name: standard for standard in standards}
    present = by_name["ppn.ppn_id.is_present"]
    assert (present.holds, present.severity) == ("{value} IS NOT NULL", "critical")
    assert present.hint == "Fill in ppn_id: Notice."
    dob = by_name["ppn.child_dob.is_a_date"]
    assert dob.title == "child_dob is a date written DD/MM/YYYY"
    assert dob.hint == "Ask the officer."
    assert dob.sensitivity is Sensitivity.IDENTIFYING
    risk = by_name["ppn.risk.is_a_known_code"]
    assert risk.holds == "list_contains(['S', 'M', 'it''s H']::VARCHAR[], {value})"
    assert risk.hint == "Use one of: S, M, it's H."


def test_only_a_full_delivery_can_tell_who_vanished_and_says_it_once_per_child():
    child = Table("child", "one row per child", ("id",), (Column("id", "Child"),))
    plan = Table(
        "plan", "one row per plan", ("id", "start"), (Column("id", "Child"), Column("start", "From")), owner="id"
    )
    visit = Table(
        "visit", "one row per visit", ("visit",), (Column("visit", "Visit"), Column("who", "Child")), owner="who"
    )
    full = Feed("council", "full", "Full", "csv", (child, plan, visit), conform=lambda options: [], delivery="full")
    vanished = [s.name for table in full.tables for s in suite_for(full, table) if s.name.endswith("nobody_vanished")]
    assert vanished == ["child.nobody_vanished", "plan.nobody_vanished", "visit.nobody_vanished"]
    beyond = {s.name: "NOT IN" in s.sql for table in full.tables for s in suite_for(full, table)}
    assert [beyond[name] for name in vanished] == [False, True, True], "of children the table of children speaks"


def test_names_are_unique_and_the_dictionary_lists_them_all():
    described = describe(FEED)
    names = [row["name"] for row in described]
    assert len(set(names)) == len(names)
    assert names[-4:] == ["row_count_as_usual", "code_mix_as_usual", "match_rate_as_usual", "not_stale"]
    assert set(described[0]) == {"name", "title", "table", "column", "severity", "hint"}
    assert all(row["title"] and row["hint"] for row in described)
    as_it_happens = [row["name"] for row in describe(replace(FEED, expect="as_it_happens"))]
    assert as_it_happens == names[:-1], "silence of what is sent as it happens is no sign of anything"


def test_a_definition_changes_with_what_is_expected_and_with_nothing_else():
    def definition(column):
        return next(iter(suite_for(FEED, Table("t", "row", ("k",), (column,))))).definition

    codes = Column("a", "A", allowed=("1", "2"))
    assert definition(codes) == definition(Column("a", "Said otherwise", allowed=("1", "2")))
    assert definition(codes) != definition(Column("a", "A", allowed=("1", "2", "3")))
    assert definition(codes) != definition(Column("a", "A", allowed=("1", "2"), severity="critical"))


@pytest.mark.parametrize(
    ("kind", "formats", "good", "bad"),
    [
        (Kind.DATE, ("%d/%m/%Y",), ["29/02/2016", " 1/2/2016 "], ["30/02/2016", "2016-02-29", "01/01/1066", "42401"]),
        (Kind.DATE, (), ["2016-02-29", "2016-02", "2016"], ["29/02/2016", "2016-02-30", "abcd-01-01"]),
        (Kind.TIMESTAMP, (), ["2016-02-29T10:15:00Z", "2016-02-29 10:15"], ["10:15", "2016-02-29T25:00:00"]),
        (Kind.INTEGER, (), ["12", "-3"], ["1.5", "twelve"]),
        (Kind.NUMBER, (), ["1.5", "-3"], ["1,5", "x"]),
        (Kind.NHS_NUMBER, (), ["943 476 5919", "9434765919"], ["9434765918", "943476591", "0000000000", "Smith"]),
        (Kind.UPN, (), ["H801200001001"], ["A801200001001", "Smith"]),
        (Kind.POSTCODE, (), ["LS1 4AP", "ls14ap", "ZZ99 3VZ"], ["LS1", "12345"]),
    ],
)
def test_how_text_must_read(kind, formats, good, bad):
    con = duckdb.connect()
    define(con, "reading", reading.definitions())
    table = Table("t", "row", ("k",), (Column("a", "A", kind, formats=formats),))
    standard = next(s for s in suite_for(FEED, table) if s.column == "a")
    con.execute("CREATE TABLE t AS SELECT unnest(?) AS a", [[*good, *bad, "", "  ", None]])
    failing = con.execute(
        f"SELECT a FROM (SELECT a, tidy(a) AS v FROM t) WHERE NOT ({standard.holds.replace(VALUE, 'v')})"
    ).fetchall()
    assert [value for (value,) in failing] == bad


def test_a_rule_sees_everything_again_if_it_looks_beyond_its_rows():
    def rule(sql):
        return Standard.from_sql("r", "R", "ppn", sql)

    assert not rule("SELECT raw_row_id FROM {rows} WHERE ppn_id > 'x{3}'").whole
    assert rule("SELECT raw_row_id FROM {rows} JOIN {raw_other} USING (k)").whole
    assert rule("SELECT raw_row_id FROM {rows} WHERE try_cast(a AS DATE) > {today}").whole


EVERY_KIND = Table(
    "t",
    "one row",
    key=("id",),
    columns=(
        Column("id", "Key", required=True),
        Column("code", "Code", allowed=("M", "F", "it's H")),
        Column("day", "Day", Kind.DATE, formats=("%d/%m/%Y", "%Y-%m-%d")),
        Column("iso", "Day", Kind.DATE),
        Column("at", "Time", Kind.TIMESTAMP),
        Column("minute", "Time", Kind.TIMESTAMP, formats=("%d/%m/%Y %H:%M",)),
        *(Column(kind.name.lower(), "Value", kind)
          for kind in (Kind.INTEGER, Kind.NUMBER, Kind.NHS_NUMBER, Kind.UPN, Kind.POSTCODE)),
    ),
)  # fmt: skip
_AS_RECEIVED = st.one_of(
    st.text("0123456789-/ :.TZ\t\u00a0MFLS'AH", max_size=20),
    st.datetimes().map(lambda at: at.isoformat()),
    st.dates().map(lambda day: f"{day:%d/%m/%Y}"),
    st.sampled_from(["4010232137", "9434765919", "H801200001001", "LS1 4AP", "M", "12", "1.5", "2026-02-30T10:00"]),
)
_AROUND = st.text(" \t\n\r\u00a0", max_size=2)


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        define(connection, "reading", reading.definitions())
        connection.execute("CREATE TABLE received (value VARCHAR)")
        yield connection


@given(values=st.lists(st.tuples(_AROUND, _AS_RECEIVED, _AROUND).map("".join), min_size=20, max_size=60))
@example(
    values=["", " ", "\u00a0", "\t9434765919", "-9", "~", "é", "\x0c", " M", "2026-01-01T24:00", "2026-01-01T10:00 UTC"]
)
# Not shrunk: every example is some tens of expressions for DuckDB to plan, and the failing standard is named.
@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_what_holds_at_sight_holds(con, values):
    """Only so may rows that hold at sight be left unread."""
    con.execute("DELETE FROM received")
    con.execute("INSERT INTO received SELECT unnest(?)", [[None, *values]])
    missed = ", ".join(
        f"list(value) FILTER (NOT ({standard.holds.replace(VALUE, 'text')}) AND NOT ({standard.at_sight.replace(VALUE, 'value')}) "
        f'IS NOT TRUE) AS "{standard.name}"'
        for standard in suite_for(FEED, EVERY_KIND)
        if standard.holds
    )
    found = con.execute(f"SELECT {missed} FROM (SELECT value, tidy(value) AS text FROM received)").fetch_arrow_table()
    assert found.to_pylist() == [dict.fromkeys(found.column_names)]


def test_words_of_a_layout_that_is_nobodys_standard_pass_in_any_spelling() -> None:
    column = Column("kind", "Kind", allowed=("child_voice", "fact"), any_spelling=True)
    table = Table("note", "one row per note", key=("id",), columns=(Column("id", "Note"), column))
    (known,) = (s for s in _of_column(table, column) if s.name == "note.kind.is_a_known_code")
    (strict,) = _of_column(table, replace(column, any_spelling=False))
    with duckdb.connect() as con:
        passes = {
            said: [
                con.execute(f"SELECT {s.holds.replace(VALUE, '?')}", [said]).fetchall()[0][0] for s in (known, strict)
            ]
            for said in ("child_voice", "Child voice", "FACT", "hunch")
        }
    assert passes == {
        "child_voice": [True, True],
        "Child voice": [True, False],
        "FACT": [True, False],
        "hunch": [False, False],
    }

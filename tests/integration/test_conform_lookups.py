"""What outputs look up: worked out once, found through other lookups, and news there makes units be worked out again."""

from dataclasses import replace

import pytest

from connectors import reading
from connectors.conform import ConformError, Lookups, conform
from connectors.contract import Column, Feed, Lookup, Output, Table
from warehouse.engine import Warehouse, define
from warehouse.keys import load_keys
from warehouse.land import RawTable, ensure_raw_tables

CHILD = Table("child", "one row per child", key=("id",), columns=(Column("id", "Child"), Column("team", "Team")))
TEAM = Table("team", "one row per team", key=("team",), columns=(Column("team", "Team"), Column("name", "Its name")))
STEPS = [
    Lookup("named", "SELECT team, upper(name) AS name FROM {raw_team}"),
    Lookup("placed", "SELECT c.id, n.name FROM {raw_child} c JOIN {named} n ON n.team = c.team"),
    Output(
        "person_record",
        "child",
        "SELECT r.lineage, r.id AS source_person_id, p.name AS given_names FROM {rows} r LEFT JOIN {placed} p ON p.id = r.id",
        where="id <> 'nobody'",
    ),
]
FEED = Feed("council", "toy", "A small feed", "csv", (CHILD, TEAM), conform=lambda options: STEPS, delivery="full")


@pytest.fixture
def con(tmp_path):
    with Warehouse(tmp_path / "core.duckdb", load_keys(tmp_path / "keys", {})) as warehouse:
        define(warehouse.con, "reading", reading.definitions())
        raws = [RawTable(FEED.raw(table.name), table.name, table.names(), table.key) for table in FEED.tables]
        ensure_raw_tables(warehouse.con, FEED.id, raws)
        yield warehouse.con


def receive(con, table, load_seq, *rows):
    for row in rows:
        con.execute(
            f"UPDATE raw.council_toy_{table} SET superseded_seq = ? WHERE source_key = ? AND superseded_seq IS NULL",
            [load_seq, row[0]],
        )
        con.execute(
            f"INSERT INTO raw.council_toy_{table} BY NAME SELECT ? AS {FEED.table(table).names()[0]}, ? AS "
            f"{FEED.table(table).names()[1]}, ? AS source_key, ? AS load_seq, ? AS raw_row_id",
            [*row, row[0], load_seq, f"{table}:{load_seq}:{row[0]}"],
        )


def staged(con, loaded_seq):
    conform(con, FEED, {}, loaded_seq)
    return con.execute(
        "SELECT source_person_id, given_names FROM staged.council_toy_person_record ORDER BY ALL"
    ).fetchall()


def test_a_lookup_of_a_lookup_is_read_and_rows_outside_the_condition_are_no_unit(con):
    receive(con, "child", 1, ("1", "north"), ("nobody", "north"))
    receive(con, "team", 1, ("north", "North team"))
    assert staged(con, 0) == [("1", "NORTH TEAM")]
    assert con.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'lookup_%'").fetchone() == (0,)


def test_news_in_a_table_that_is_read_only_by_way_of_lookups_makes_every_unit_be_worked_out_again(con):
    receive(con, "child", 1, ("1", "north"))
    receive(con, "team", 1, ("north", "North team"))
    assert staged(con, 1) == []
    receive(con, "team", 2, ("north", "Northern team"))
    assert staged(con, 1) == [("1", "NORTHERN TEAM")]


def test_the_tables_that_some_sql_reads_are_found_through_lookups(con):
    lookups = Lookups(con, FEED, FEED.lookups({}), 0)
    assert lookups.tables_read("SELECT * FROM {rows}") == []
    assert lookups.tables_read("SELECT * FROM {named}") == ["team"]
    assert lookups.tables_read("SELECT * FROM {placed}") == ["child", "team"]


def test_a_lookup_that_fails_is_named(con):
    lookups = Lookups(con, FEED, [Lookup("wrong", "SELECT colour FROM {raw_team}")], 0)
    with pytest.raises(ConformError, match=r"council\.toy: the lookup wrong fails: BinderException"):
        lookups.place("SELECT * FROM {wrong}")


RECORD = "SELECT lineage, id AS source_person_id"


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (
            Output("person_record", "child", f"{RECORD}, 'x' AS rol FROM {{rows}}"),
            r"gives the unknown column\(s\) rol; it gives lineage, source_person_id and any of role, ",
        ),
        (
            Output("event", "child", "SELECT id AS source_person_id, 'note' AS event_type FROM {rows}"),
            r"lacks lineage, ref; it gives lineage, source_person_id, ref and any of",
        ),
        (
            Output("relationship", "child", f"{RECORD}, team AS other_person FROM {{rows}}"),
            r"any of other_record_id, other_name,",
        ),
        (
            Output("person_record", "children", RECORD),
            r"reads children, which is no table of the feed; there are child, team",
        ),
        (
            Output("person_record", "child", RECORD, unit=("nobody",)),
            r"the unit of the output person_record names nobody, no column of child",
        ),
        (
            Output("person_record", "child", f"{RECORD}, team AS birth_date FROM {{rows}}"),
            r"ConversionException: a received value does not fit its column; read it by the macros",
        ),
    ],
)
def test_an_output_that_does_not_fit_says_what_would(con, output, says):
    receive(con, "child", 1, ("c1", "no date"))
    with pytest.raises(ConformError, match=says) as told:
        conform(con, replace(FEED, conform=lambda options: [output]), {}, 0)
    assert "no date" not in str(told.value)

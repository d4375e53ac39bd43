"""Questions to a mart: read-only, nothing else within reach, as of a time, and answers in a safe form."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest

from tests.integration.test_publish_story import AT_1, AT_2, NIGHT_2, Story, tell
from warehouse import publish as publishing
from warehouse import query as querying
from warehouse.access import load_policy, pseudonym
from warehouse.access_log import AccessLog
from warehouse.keys import ROLES
from warehouse.query import QueryError
from warehouse.store import Store, StoreError


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told = tell(tmp_path_factory.mktemp("query"))
    told.publish()
    yield told
    told.warehouse.close()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO households VALUES (1)",
        "CREATE TABLE mine AS SELECT 1",
        "CREATE TEMP TABLE mine AS SELECT 1",
        "DROP VIEW records",
        "COPY households TO 'out.csv'",
        "EXPORT DATABASE 'out'",
        "ATTACH ':memory:' AS other",
        "DETACH mart",
        "USE memory",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "CALL pragma_version()",
        "LOAD httpfs",
        "INSTALL excel",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_nothing_but_one_select_is_answered(story: Story, sql: str) -> None:
    with pytest.raises(QueryError, match="one SELECT is answered at a time"):
        story.ask("practitioner", sql)


def test_no_extension_can_be_loaded_where_somebodys_sql_runs(story: Story, tmp_path: Path) -> None:
    """Not even by a way past the check of the statement: a process no longer checks signatures once it has seen one pass."""
    (tmp_path / "own.duckdb_extension").write_bytes(b"of somebody")
    con = querying.open_mart(story.marts, story.keys, "practitioner")
    with pytest.raises(duckdb.PermissionException, match="disabled through configuration"):
        con.execute(f"LOAD '{tmp_path / 'own.duckdb_extension'}'")
    con.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_blob('{keys}')",
        "SELECT * FROM '{keys}'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM story",
        "SELECT * FROM core.main.person_record",
    ],
)
def test_a_question_reaches_no_file_no_other_database_and_no_variable(story: Story, sql: str) -> None:
    with pytest.raises(QueryError):
        story.ask("practitioner", sql.format(keys=story.marts.parent / "keys"))


def test_the_key_is_nowhere_to_be_asked_for(story: Story) -> None:
    for sql in ("FROM duckdb_databases()", "FROM duckdb_settings()", "FROM duckdb_variables()"):
        assert story.keys.text("practitioner") not in repr(story.ask("practitioner", sql))


@pytest.mark.parametrize("sql", ["DESCRIBE children", "SUMMARIZE households", "SHOW TABLES", "EXPLAIN FROM children"])
def test_a_mart_can_be_explored(story: Story, sql: str) -> None:
    assert story.ask("analyst", sql)


def test_an_error_tells_of_the_question_never_of_a_value(story: Story) -> None:
    with pytest.raises(QueryError, match='"nam" not found') as wrong:
        story.ask("practitioner", "SELECT nam FROM children WHERE family_name = 'Khan'")
    assert "Khan" not in str(wrong.value)
    with pytest.raises(QueryError, match="failed on a value \\(ConversionException\\)") as failed:
        story.ask("practitioner", "SELECT CAST(family_name AS INTEGER) FROM children")
    assert not any(name in str(failed.value) for name in ("Khan", "Hart", "Many"))
    assert failed.value.__cause__ is None


def test_values_are_bound_not_spliced(story: Story) -> None:
    con = querying.open_mart(story.marts, story.keys, "practitioner")
    found = querying.rows(con, "SELECT person_id FROM children WHERE given_names = ?", ["Jo' OR true --"])
    assert found == []
    con.close()


def test_query_gives_a_relation_that_outlives_its_connection(story: Story) -> None:
    relation = querying.query(story.marts, story.keys, "engineer", "SELECT load_id FROM mart")
    assert relation.fetchall() == [(NIGHT_2,)]


# As of a time


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-03-03", dt.datetime(2026, 3, 3, 23, 59, 59, 999999)),
        ("2026-03-03T14:30", dt.datetime(2026, 3, 3, 14, 30)),
        ("2026-07-03 14:30:00+01:00", dt.datetime(2026, 7, 3, 13, 30)),
        (dt.date(2026, 3, 3), dt.datetime(2026, 3, 3, 23, 59, 59, 999999)),
        (dt.datetime(2026, 3, 3), dt.datetime(2026, 3, 3)),
    ],
)
def test_a_time_is_utc_and_a_date_means_its_end(said: Any, moment: dt.datetime) -> None:
    assert querying.moment_of(said) == moment


@pytest.mark.parametrize("said", ["yesterday", "03/03/2026", "2026-13-01", ""])
def test_what_is_not_a_time_is_refused(said: str) -> None:
    with pytest.raises(QueryError, match="is not a time"):
        querying.moment_of(said)


def test_before_the_first_night_nothing_was_known(story: Story) -> None:
    for view in ("records", "chronology", "links", "spans", "attendance", "relationships", "loads"):
        assert story.ask("practitioner", f"SELECT count(*) AS n FROM {view}", "2026-02-28") == [{"n": 0}]


def test_as_of_now_is_the_same_as_now(story: Story) -> None:
    for role in ("practitioner", "analyst"):
        for view in ("records", "chronology", "links", "spans", "attendance", "relationships", "identity_changes"):
            now = sorted(map(repr, story.ask(role, f"FROM {view}")))
            assert sorted(map(repr, story.ask(role, f"FROM {view}", "2026-03-02"))) == now


def test_facts_are_as_they_were_known(story: Story) -> None:
    def amina(as_of: str) -> dict[str, Any]:
        rows = story.ask("practitioner", "FROM chronology WHERE person_id = 'p-amina'", as_of)
        return {row["event_id"]: row for row in rows}

    before, after = amina("2026-03-01"), amina("2026-03-02")
    assert before["e-burn"]["narrative"] == "Kettlewords as first told"
    assert after["e-burn"]["narrative"] == "Kettlewords as corrected"
    assert (before["e-missed"]["retracted_at"], after["e-missed"]["retracted_at"]) == (None, AT_2)
    record = "SELECT birth_date FROM records WHERE record_id = 'social_care.ssd:s1'"
    assert story.ask("practitioner", record, "2026-03-01") == [{"birth_date": dt.date(2015, 4, 2)}]
    assert story.ask("practitioner", record) == [{"birth_date": dt.date(2015, 4, 3)}]


def test_links_are_as_they_were_known_and_carry_their_facts(story: Story) -> None:
    link = "SELECT person_id FROM links WHERE record_id = 'social_care.ssda903:x1'"
    event = "SELECT person_id, same_as FROM chronology WHERE event_id = 'e-away-903'"
    assert story.ask("practitioner", link, "2026-03-01") == [{"person_id": "p-amira"}]
    assert story.ask("practitioner", link, "2026-03-02") == [{"person_id": "p-amina"}]
    assert story.ask("practitioner", event, "2026-03-01") == [{"person_id": "p-amira", "same_as": "e-away-903"}]
    same = "SELECT same_as FROM chronology WHERE event_id = 'e-away-ssd'"
    assert story.ask("practitioner", same, "2026-03-01") == [{"same_as": "e-away-ssd"}]
    assert story.ask("practitioner", same, "2026-03-02") == [{"same_as": "e-away-903"}]


def test_at_no_time_is_a_record_missing_or_twice(story: Story) -> None:
    for minutes in (0, 1, 25, 60 * 24, 60 * 24 + 10, 60 * 24 + 30):
        moment = AT_1 + dt.timedelta(minutes=minutes)
        counts = story.ask(
            "practitioner", "SELECT count(*) AS n, count(DISTINCT record_id) AS records FROM records", moment
        )[0]
        assert counts["n"] == counts["records"] == 23, minutes


def test_a_record_that_is_unlinked_stays_with_nobody(tmp_path: Path) -> None:
    story = tell(tmp_path)
    story.warehouse.con.execute(
        "UPDATE link SET unlinked_at = ? WHERE record_id = 'social_care.ssd:s2'", [AT_2 + dt.timedelta(minutes=20)]
    )
    story.publish()
    now = "SELECT person_id FROM records WHERE record_id = 'social_care.ssd:s2'"
    assert story.ask("practitioner", now) == [{"person_id": None}]
    assert story.ask("practitioner", now, "2026-03-01") == [{"person_id": "p-amira"}]
    story.warehouse.close()


def test_the_macros_give_the_same_without_tesseras_help(story: Story) -> None:
    path = publishing.current(story.marts).path(story.marts, "practitioner")
    con = duckdb.connect()
    con.execute(f"ATTACH '{path}' AS any_name (ENCRYPTION_KEY '{story.keys.text('practitioner')}', READ_ONLY)")
    con.execute("USE any_name")
    found = con.execute(
        "SELECT narrative FROM chronology_as_of(TIMESTAMP '2026-03-01 12:00') WHERE event_id = 'e-burn'"
    ).fetchall()
    assert found == [("Kettlewords as first told",)]
    con.close()


def test_a_view_without_history_says_so_instead_of_showing_now(story: Story) -> None:
    for sql in (
        "FROM children",
        "SELECT count(*) FROM children",
        "SELECT count(*) FROM coverage JOIN records USING (person_id)",
    ):
        with pytest.raises(QueryError, match=r"(children|coverage) is not kept as of a time; .*chronology"):
            story.ask("practitioner", sql, "2026-03-01")


def test_every_view_is_either_as_of_or_says_it_is_not(story: Story) -> None:
    for role in load_policy().roles.values():
        for view in role.views:
            try:
                story.ask(role.name, f'SELECT count(*) FROM "{view}"', "2026-03-01")
            except QueryError as error:
                assert "is not kept as of a time" in str(error)


# Writing

DANGEROUS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "plain", "", "O'Neil", "a=b", 'say "hi", you\nthere']


@pytest.fixture
def answer() -> duckdb.DuckDBPyRelation:
    con = duckdb.connect()
    con.execute("CREATE TABLE said (number INTEGER, text VARCHAR, list VARCHAR[], day DATE)")
    for number, text in enumerate(DANGEROUS, start=-3):
        con.execute("INSERT INTO said VALUES (?, ?, ?, ?)", [number, text, [text], dt.date(2026, 3, 1)])
    return con.sql('SELECT *, NULL AS "=none" FROM said ORDER BY number')


def test_csv_runs_no_formula_and_loses_nothing(answer: duckdb.DuckDBPyRelation) -> None:
    stream = io.StringIO(newline="")
    assert querying.write(answer, "csv", stream) == len(DANGEROUS)
    stream.seek(0)
    header, *body = list(csv.reader(stream))
    assert header == ["number", "text", "list", "day", "'=none"]
    for row, text in zip(body, DANGEROUS, strict=True):
        assert row[1] == (f"'{text}" if text and text[0] in "=+-@\t\r＝" else text)
        assert json.loads(row[2]) == [text]
    assert body[0][0] == "-3", "a number is no formula"
    assert body[0][4] == ""


def test_json_and_parquet_say_the_same(answer: duckdb.DuckDBPyRelation, tmp_path: Path) -> None:
    stream = io.StringIO()
    querying.write(answer, "json", stream)
    assert [row["text"] for row in json.loads(stream.getvalue())] == DANGEROUS
    assert querying.write(answer, "parquet", tmp_path / "said.parquet") == len(DANGEROUS)
    assert pyarrow.parquet.read_table(tmp_path / "said.parquet").column("text").to_pylist() == DANGEROUS
    empty = io.StringIO()
    querying.write(answer.filter("false"), "json", empty)
    assert json.loads(empty.getvalue()) == []


def test_a_table_cannot_drive_a_terminal(tmp_path: Path) -> None:
    stream = io.StringIO()
    querying.write(duckdb.connect().sql("SELECT chr(27) || '[2J' AS said, 1 AS number"), "table", stream)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().splitlines() == ["said     number", "-------  ------", "\\x1b[2J  1"]


def log_of(story: Story, folder: Path) -> AccessLog:
    return AccessLog(Store(f"sqlite:///{folder / 'log.sqlite'}"), story.keys)


def asked(story: Story, folder: Path, role: str, sql: str, **options: Any) -> int:
    log = log_of(story, folder)
    return querying.run(
        story.marts,
        story.keys,
        role,
        sql,
        log=log,
        who="Ana Beresford",
        purpose="enquiry 7",
        clock=lambda: AT_2,
        **options,
    )


def test_a_look_is_logged_with_whom_it_named(story: Story, tmp_path: Path) -> None:
    asked(story, tmp_path, "practitioner", "SELECT person_id, agencies FROM children WHERE given_names LIKE 'Am%'")
    asked(story, tmp_path, "practitioner", "SELECT given_names FROM children", as_of=None)
    asked(story, tmp_path, "practitioner", "SELECT other_person_ids FROM identity_changes", output="csv")
    asked(story, tmp_path, "analyst", "SELECT record_id FROM records", output="parquet")
    with pytest.raises(QueryError):
        asked(story, tmp_path, "practitioner", "SELECT CAST(given_names AS INTEGER) FROM children")
    first, unnamed, listed, pseudonyms, failed = log_of(story, tmp_path).looks(ROLES)
    assert (first.who, first.purpose, first.role, first.action) == (
        "Ana Beresford",
        "enquiry 7",
        "practitioner",
        "query",
    )
    assert (first.load_id, first.version, first.rows) == (NIGHT_2, NIGHT_2, 2)
    assert first.shown == {"p-amina", "p-amira"}
    assert unnamed.shown is None, "a question that names nobody may have been about anybody"
    assert "p-old" in (listed.shown or ())
    assert pseudonym(story.keys.pseudonym_salt("analyst"), "health.fhir:h1") in (pseudonyms.shown or ())
    assert (failed.shown, failed.rows) == (frozenset(), 0)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("log.sqlite*"))
    assert not any(word in content for word in (b"p-amina", b"Ana Beresford", b"enquiry", b"given_names"))


def test_what_cannot_be_logged_is_not_shown(story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.sqlite").mkdir()
    with pytest.raises(StoreError, match="cannot be opened or written"):
        asked(story, tmp_path, "engineer", "SELECT role FROM mart")
    assert capsys.readouterr().out == ""


def test_answers_go_to_standard_output(story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(story, tmp_path, "engineer", "SELECT role FROM mart", output="json") == 1
    assert json.loads(capsys.readouterr().out) == [{"role": "engineer"}]
    with pytest.raises(QueryError, match="no format 'xml'"):
        asked(story, tmp_path, "engineer", "SELECT role FROM mart", output="xml")

"""What expectations/gx_duckdb.py leans on inside Great Expectations. Red here after an upgrade: adapt that module."""

import logging
import socket

import duckdb
import pytest

from expectations import gx_duckdb
from expectations.gx_duckdb import Judge, Question


@pytest.fixture(scope="module")
def con():
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE child AS SELECT * FROM "
        "(VALUES (1, 'Canarywharf', 'M'), (2, NULL, 'F'), (3, 'Smith', 'X')) t(n, name, sex)"
    )
    return con


def question(name, expectation, **arguments):
    return Question(name, expectation, arguments, "warning")


PRESENT = "expect_column_values_to_not_be_null"
IN_SET = "expect_column_values_to_be_in_set"
READ = "expect_column_values_to_read"
RULE = "expect_rule_to_find_no_rows"


def test_persisted_dialects_are_where_we_patch_them():
    gx_duckdb.load()
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    assert [d.value for d in engine._PERSISTED_CONNECTION_DIALECTS][-1] == "duckdb"
    assert "duckdb" in engine._PERSISTED_CONNECTION_DIALECTS
    gx_duckdb._keep_duckdb_connections()
    assert [d.value for d in engine._PERSISTED_CONNECTION_DIALECTS].count("duckdb") == 1


def test_without_the_patch_nothing_is_judged(con, monkeypatch):
    """The day this passes unpatched the patch can go."""
    gx_duckdb.load()
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    unpatched = tuple(d for d in engine._PERSISTED_CONNECTION_DIALECTS if d.value != "duckdb")
    monkeypatch.setattr(engine, "_PERSISTED_CONNECTION_DIALECTS", unpatched)
    with Judge(con.cursor) as judge:
        assert judge.answers("SELECT * FROM child", [question("a", PRESENT, column="sex")]) == {"a": "broken"}


def test_each_kind_of_expectation_passes_and_fails(con):
    with Judge(con.cursor) as judge:
        answers = judge.answers(
            "SELECT * FROM child",
            [
                question("sex present", PRESENT, column="sex"),
                question("name present", PRESENT, column="name"),
                question("sex known", IN_SET, column="sex", value_set=["M", "F", "X"]),
                question("sex coded", IN_SET, column="sex", value_set=["M", "F"]),
                # Percent, colon, quote and brace must reach DuckDB as they are.
                question("name reads", READ, column="name", reads="{value} NOT LIKE '%:b''{3}'"),
                question("name short", READ, column="name", reads="length({value}) < 6"),
                question("rule finds", RULE, rule="a %s", found="SELECT 'a %s' AS rule FROM child -- a comment"),
                question("rule finds nothing", RULE, rule="b", found="SELECT 'a %s' AS rule FROM child -- a comment"),
            ],
        )
    assert answers == {
        "sex present": "pass",
        "name present": "fail",
        "sex known": "pass",
        "sex coded": "fail",
        "name reads": "pass",
        "name short": "fail",
        "rule finds": "fail",
        "rule finds nothing": "pass",
    }


def test_one_that_raises_is_broken_and_takes_no_other_down(con):
    with Judge(con.cursor) as judge:
        answers = judge.answers(
            "SELECT * FROM child",
            [
                question("present", PRESENT, column="name"),
                question("raises", READ, column="name", reads="{value}::INT > 0"),
                question("no such macro", READ, column="name", reads="no_such_macro({value})"),
                question("no such column", PRESENT, column="nope"),
                question("no such table", RULE, rule="a", found="SELECT rule FROM nope"),
                question("coded", IN_SET, column="sex", value_set=["M", "F", "X"]),
            ],
        )
    assert answers == {
        "present": "fail",
        "raises": "broken",
        "no such macro": "broken",
        "no such column": "broken",
        "no such table": "broken",
        "coded": "pass",
    }


def test_a_query_that_raises_breaks_all(con):
    with Judge(con.cursor) as judge:
        assert judge.answers("SELECT * FROM nope", [question("a", PRESENT, column="name")]) == {"a": "broken"}


def test_boolean_only_results_and_logs_hold_no_value(con, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    loaded = gx_duckdb.load()
    seen = []
    from great_expectations.datasource.fluent.interfaces import Batch

    kept = Batch.validate

    def validate(self, *args, **kwargs):
        seen.append(kept(self, *args, **kwargs))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch, Judge(con.cursor) as judge:
        patch.setattr(Batch, "validate", validate)
        judge.answers("SELECT * FROM child", [question("short", READ, column="name", reads="length({value}) < 6")])
        assert "Canarywharf" not in str(seen[-1].to_json_dict())
        judge.answers("SELECT * FROM child", [question("raises", READ, column="name", reads="{value}::INT > 0")])
        # GX itself quotes the data when something raises: the reason why no result and no log of its is kept.
        assert "Canarywharf" in str(seen[-1].to_json_dict())
    output = capfd.readouterr()
    assert "Canarywharf" not in caplog.text + output.out + output.err
    assert output.out == "" and "Calculating Metrics" not in output.err
    assert loaded is gx_duckdb.load()


def test_telemetry_is_off_and_nothing_leaves_the_machine(con, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with Judge(con.cursor) as judge:
        assert judge._source.data_context.config.analytics_enabled is False
        assert judge._source.data_context.get_docs_sites_urls() == []
        judge.answers("SELECT * FROM child", [question("present", PRESENT, column="name")])


def test_the_connection_ends_with_the_judge():
    con = duckdb.connect()
    con.execute("ATTACH ':memory:' AS core; USE core; CREATE TABLE t AS SELECT 1 AS a")
    handed = []

    def cursor():
        handed.append(con.cursor())
        handed[-1].execute("USE core")
        return handed[-1]

    with Judge(cursor) as judge:
        assert judge.answers("SELECT * FROM t", [question("a", PRESENT, column="a")]) == {"a": "pass"}
    for closed in handed:
        with pytest.raises(duckdb.ConnectionException):
            closed.execute("SELECT 1")
    con.execute("USE memory; DETACH core")

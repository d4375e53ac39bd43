"""What expectations/gx_duckdb.py leans on inside Great Expectations. Red here after an upgrade: adapt that module."""

import logging
import socket
import subprocess
import sys

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


NAMES = {
    "sex present": "sex IS NOT NULL",
    "name present": "name IS NOT NULL",
    "sex known": "sex IN ('M', 'F', 'X')",
    # Percent, colon, quote and brace must reach DuckDB as they are.
    "name reads": "name NOT LIKE '%:b''{3}'",
    "name short": "length(name) < 6",
    "a %s:b '{0}'": "n > 0 -- a comment",
    "raises": "name::INT > 0",
    "no such macro": "no_such_macro(name)",
    "no such column": "nope IS NOT NULL",
}


def counts(names):
    return " UNION ALL ".join(
        f"SELECT '{name.replace(chr(39), chr(39) * 2)}', count(*) FROM child WHERE NOT ({NAMES[name]}\n)"
        for name in names
    )


def questions(*names):
    return [Question(name, "warning") for name in names]


def test_each_standard_passes_or_fails(con):
    asked = ["sex present", "name present", "sex known", "name reads", "name short", "a %s:b '{0}'"]
    with Judge(con.cursor) as judge:
        answers = judge.answers(counts, questions(*asked))
    assert answers == {
        "sex present": "pass",
        "name present": "fail",
        "sex known": "pass",
        "name reads": "pass",
        "name short": "fail",
        "a %s:b '{0}'": "pass",
    }


def test_a_standard_without_a_count_has_no_failing_row(con):
    with Judge(con.cursor) as judge:
        answers = judge.answers(lambda names: "SELECT 'b', 2", questions("a", "b"))
    assert answers == {"a": "pass", "b": "fail"}


def test_one_that_raises_is_broken_and_takes_no_other_down(con):
    with Judge(con.cursor) as judge:
        answers = judge.answers(
            counts, questions("name present", "raises", "no such macro", "no such column", "sex known")
        )
    assert answers == {
        "name present": "fail",
        "raises": "broken",
        "no such macro": "broken",
        "no such column": "broken",
        "sex known": "pass",
    }


def test_counts_that_cannot_be_stated_break_all(con):
    with Judge(con.cursor) as judge:
        assert judge.answers(lambda names: "SELECT * FROM nope", questions("a")) == {"a": "broken"}
        assert judge.answers(lambda names: NAMES["nobody"], questions("a")) == {"a": "broken"}


@pytest.fixture
def seen(monkeypatch):
    """What Great Expectations answers, result by result."""
    gx_duckdb.load()
    from great_expectations.datasource.fluent.interfaces import Batch

    kept, results = Batch.validate, []

    def validate(self, *args, **kwargs):
        results.append(kept(self, *args, **kwargs))
        return results[-1]

    monkeypatch.setattr(Batch, "validate", validate)
    return results


def test_severities_reach_great_expectations(con, seen):
    with Judge(con.cursor) as judge:
        judge.answers(counts, [Question("name short", "info"), Question("name present", "critical")])
    assert seen[-1].get_max_severity_failure().value == "critical"


def test_boolean_only_results_and_logs_hold_no_value(con, seen, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    loaded = gx_duckdb.load()
    with Judge(con.cursor) as judge:
        judge.answers(counts, questions("name short"))
        assert "Canarywharf" not in str(seen[-1].to_json_dict())
        judge.answers(counts, questions("raises"))
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
        judge.answers(counts, questions("name present"))


def test_the_connection_ends_with_the_judge():
    con = duckdb.connect()
    con.execute("ATTACH ':memory:' AS core; USE core; CREATE TABLE t AS SELECT 1 AS a")
    handed = []

    def cursor():
        handed.append(con.cursor())
        handed[-1].execute("USE core")
        return handed[-1]

    with Judge(cursor) as judge:
        assert judge.answers(lambda names: "SELECT 'a', count(*) FROM t WHERE a IS NULL", questions("a")) == {
            "a": "pass"
        }
    for closed in handed:
        with pytest.raises(duckdb.ConnectionException):
            closed.execute("SELECT 1")
    con.execute("USE memory; DETACH core")


def test_a_module_that_nobody_uses_is_not_loaded_and_works_when_somebody_does():
    gx_duckdb._leave_until_used("wsgiref", "validate")
    assert "PartialIteratorWrapper" not in object.__getattribute__(sys.modules["wsgiref.validate"], "__dict__")
    from wsgiref import validate

    assert validate.check_status("200 OK") is None
    assert "PartialIteratorWrapper" in vars(validate)


def test_spark_is_not_taken_in_where_it_is_installed(tmp_path):
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").write_text("raise SystemExit('Spark was taken in')")
    loads = "from expectations import gx_duckdb; gx_duckdb.load(); import sys; sys.exit('pyspark' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {loads}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

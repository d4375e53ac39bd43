"""The one module that knows what Great Expectations is like inside: GX 1.24 on an encrypted DuckDB connection.

It asks GX for verdicts only (BOOLEAN_ONLY): a person's value never enters a GX object that outlives the question, and
GX's own loggers, which write exceptions with the data in them, are silenced. Failing rows are found by run.py in SQL.
What must not live here: feeds, standards, anything of Tessera's but a way to make a cursor.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import duckdb

Answer = Literal["pass", "fail", "broken"]
_LOCK = threading.Lock()
_LOADED: _Loaded | None = None


class GxChangedError(Exception):
    """This release of Great Expectations no longer has something this module leans on."""


@dataclass(frozen=True)
class Question:
    """One expectation to be judged: its GX type and arguments, under a name of ours."""

    name: str
    expectation: str
    arguments: dict[str, Any]
    severity: str


@dataclass(frozen=True)
class _Loaded:
    """Great Expectations, patched and with our two expectations registered."""

    gx: Any
    configuration: Any
    connection_wrapper: Any


class Judge:
    """Great Expectations on one DuckDB; use as a context manager, its connections end with it."""

    def __init__(self, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._cursor = cursor
        self._loaded = load()
        self._source: Any = None
        self._assets = 0
        self._handed: list[duckdb.DuckDBPyConnection] = []

    def __enter__(self) -> Judge:
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        # No Data Docs (their pages call the network), no telemetry, no progress bars in captured output.
        context = self._loaded.gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
                analytics_enabled=False,
                progress_bars=ProgressBarsConfig(globally=False),
            ),
        )
        # An ephemeral context writes itself out as YAML, to memory, whenever an asset is added: 15 ms each for nothing.
        context.variables.save = lambda: None
        self._source = context.data_sources.add_sql(
            "tessera",
            connection_string="duckdb:///:memory:",
            # One failing statement must not abort the transaction of all that come after it.
            kwargs={"creator": self._connect, "isolation_level": "AUTOCOMMIT"},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # GX keeps more than one engine and closes none of their connections; an open one would hold the core attached.
        while self._handed:
            self._handed.pop().close()

    def answers(self, query: str, questions: Iterable[Question]) -> dict[str, Answer]:
        """GX's verdict on each question about the rows of a query. A question that could not be run is `broken`.

        GX computes a suite's numbers in one query, so one question that raises takes the others down with it:
        those are asked again, one at a time.
        """
        asked = list(questions)
        answers = self._ask(query, asked)
        broken = [question for question in asked if answers[question.name] == "broken"]
        if len(asked) > 1:
            for question in broken:
                answers.update(self._ask(query, [question]))
        return answers

    def _ask(self, query: str, questions: list[Question]) -> dict[str, Answer]:
        self._assets += 1
        name = f"rows {self._assets}"
        try:
            asset = self._source.add_query_asset(name, query=query)
            batch = asset.get_batch(asset.build_batch_request())
            suite = self._loaded.gx.ExpectationSuite(
                name=name, expectations=[self._expectation(question) for question in questions]
            )
            results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
            answers = {result.expectation_config.meta["standard"]: _answer(result) for result in results}
        except Exception:
            # Whatever it says may hold data; what broke is found out by asking in SQL (run.py).
            answers = {}
        # Nothing is passed by omission.
        return {question.name: answers.get(question.name, "broken") for question in questions}

    def _expectation(self, question: Question) -> Any:
        return self._loaded.configuration(
            type=question.expectation,
            kwargs=question.arguments,
            meta={"standard": question.name},
            severity=question.severity,
        ).to_domain_obj()

    def _connect(self) -> Any:
        self._handed.append(self._cursor())
        return self._loaded.connection_wrapper(self._handed[-1])


def load() -> _Loaded:
    """Imports Great Expectations (5-12 s cold), once per process, telemetry off and DuckDB made known to it."""
    global _LOADED
    with _LOCK:
        if _LOADED is None:
            os.environ["GX_ANALYTICS_ENABLED"] = "False"
            # GX logs exceptions with statement and values; nothing it has to say is ours to keep.
            logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
            try:
                import great_expectations as gx
                from duckdb_sqlalchemy import ConnectionWrapper
                from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

                _keep_duckdb_connections()
                _register_expectations()
            except (ImportError, AttributeError, TypeError) as error:
                raise GxChangedError(
                    f"Great Expectations changed what Tessera leans on ({type(error).__name__}: {error}); "
                    "run tests/integration/test_expectations_gx.py and see expectations/gx_duckdb.py"
                ) from error
            logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
            _LOADED = _Loaded(gx, ExpectationConfiguration, ConnectionWrapper)
    return _LOADED


def start_loading() -> threading.Thread:
    """Imports Great Expectations beside other work (reading and landing), so that checking need not wait for it."""

    def quietly() -> None:
        # A failure comes up again, with its message, where it is needed.
        with suppress(GxChangedError):
            load()

    thread = threading.Thread(target=quietly, name="load-great-expectations", daemon=True)
    thread.start()
    return thread


class _DuckDB(str):
    """A dialect name as GX compares them: by equality and by `.value`."""

    __slots__ = ()

    @property
    def value(self) -> str:
        return str(self)


def _keep_duckdb_connections() -> None:
    """Without this GX closes a DuckDB connection before fetching: every expectation says 'list index out of range'."""
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    dialects = engine._PERSISTED_CONNECTION_DIALECTS
    if not any(dialect.value == "duckdb" for dialect in dialects):
        engine._PERSISTED_CONNECTION_DIALECTS = (*dialects, _DuckDB("duckdb"))  # type: ignore[assignment]


def _register_expectations() -> None:
    """Two expectations of our own; defining a class registers it with GX under its name in snake case."""
    import sqlalchemy as sa
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation
    from great_expectations.expectations.expectation_configuration import parse_result_format
    from great_expectations.expectations.metrics import ColumnMapMetricProvider, column_condition_partial
    from great_expectations.expectations.metrics.metric_provider import metric_value
    from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
    from great_expectations.validator.metric_configuration import MetricConfiguration
    from great_expectations.validator.validator import ValidationDependencies

    class ColumnValuesRead(ColumnMapMetricProvider):
        """A condition on the value, as SQL: GX has no regular expressions or check digits on DuckDB."""

        condition_metric_name = "column_values.read"
        condition_value_keys = ("reads",)

        @column_condition_partial(engine=SqlAlchemyExecutionEngine)
        def _sqlalchemy(cls, column: Any, reads: str, **kwargs: Any) -> Any:  # noqa: N805
            quoted = '"' + str(column.name).replace('"', '""') + '"'
            return sa.literal_column(f"({reads.replace('{value}', quoted)})", sa.Boolean)

    class ExpectColumnValuesToRead(ColumnMapExpectation):
        """Expect every value that is there to meet a condition."""

        reads: str
        map_metric = "column_values.read"
        success_keys = ("reads",)

    class RowsFound(TableMetricProvider):
        """How many rows each rule found: one query for all rules. GX's own query metric would fetch persons' values."""

        metric_name = "rules.rows_found"
        value_keys = ("found",)

        @metric_value(engine=SqlAlchemyExecutionEngine)
        def _sqlalchemy(
            cls,  # noqa: N805
            execution_engine: Any,
            metric_domain_kwargs: Any,
            metric_value_kwargs: Any,
            metrics: Any,
            runtime_configuration: Any,
        ) -> dict[str, int]:
            with execution_engine.get_connection() as connection:
                counted = connection.exec_driver_sql(
                    f"SELECT rule, count(*) FROM ({metric_value_kwargs['found']}\n) GROUP BY rule"
                )
                return {rule: int(rows) for rule, rows in counted.fetchall()}

    class ExpectRuleToFindNoRows(BatchExpectation):
        """Expect a rule to have found none: `found` is a SELECT of (rule) for every row that any rule found."""

        rule: str
        found: str
        metric_dependencies = ("rules.rows_found",)
        success_keys = ("found",)
        domain_keys = ("batch_id",)

        def get_validation_dependencies(self, execution_engine: Any = None, runtime_configuration: Any = None) -> Any:
            """The one metric, said directly: GX would work out the same from some twenty copies of each expectation."""
            counted = MetricConfiguration(
                "rules.rows_found",
                metric_domain_kwargs={"batch_id": self.batch_id},
                metric_value_kwargs={"found": self.found},
            )
            return ValidationDependencies({counted.metric_name: counted}, parse_result_format("BOOLEAN_ONLY"))

        def _validate(self, metrics: Any, runtime_configuration: Any = None, execution_engine: Any = None) -> Any:
            return {"success": metrics["rules.rows_found"].get(self.rule, 0) == 0}


def _answer(result: Any) -> Answer:
    """GX reports what raised as a failure; that is `broken`, whatever `success` says."""
    info = result.exception_info or {}
    raised = info.get("raised_exception", False) or any(
        isinstance(metric, dict) and metric.get("raised_exception", True) for metric in info.values()
    )
    if raised or result.success is None:
        return "broken"
    return "pass" if result.success else "fail"

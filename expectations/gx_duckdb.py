"""The one module that knows what Great Expectations is like inside: GX 1.24 on an encrypted DuckDB connection.

It asks GX for verdicts only (BOOLEAN_ONLY): a person's value never enters a GX object that outlives the question, and
GX's own loggers, which write exceptions with the data in them, are silenced. Failing rows are found by run.py in SQL.
What must not live here: feeds, standards, anything of Tessera's but a way to make a cursor.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
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


# What each suite being judged asks of DuckDB. By name, because GX copies an expectation's arguments some twenty times.
_COUNTS: dict[str, str] = {}


@dataclass(frozen=True)
class Question:
    """One standard to be judged."""

    name: str
    severity: str


@dataclass(frozen=True)
class _Loaded:
    """Great Expectations, with our expectation registered."""

    gx: Any
    context: Any
    expectation: Any
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
        self._source = self._loaded.context.data_sources.add_sql(
            f"tessera {id(self)}",
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
        self._loaded.context.data_sources.delete(self._source.name)

    def answers(self, counts: Callable[[Sequence[str]], str], questions: Iterable[Question]) -> dict[str, Answer]:
        """GX's verdict on each standard. One that could not be run is `broken`.

        `counts` gives, for names of standards, the SELECT of (standard, failing rows); a standard without a row has none
        failing. One that raises takes the others of its query down with it: those are asked again, one at a time.
        """
        asked = list(questions)
        answers = self._ask(counts, asked)
        broken = [question for question in asked if answers[question.name] == "broken"]
        if len(asked) > 1:
            for question in broken:
                answers.update(self._ask(counts, [question]))
        return answers

    def _ask(self, counts: Callable[[Sequence[str]], str], questions: list[Question]) -> dict[str, Answer]:
        self._assets += 1
        name = f"{id(self)} {self._assets}"
        try:
            _COUNTS[name] = counts([question.name for question in questions])
            asset = self._source.add_query_asset(name, query="SELECT 1 AS counted_elsewhere")
            batch = asset.get_batch(asset.build_batch_request())
            suite = self._loaded.gx.ExpectationSuite(
                name=name,
                expectations=[
                    self._loaded.expectation(
                        standard=question.name,
                        counts=name,
                        meta={"standard": question.name},
                        severity=question.severity,
                    )
                    for question in questions
                ],
            )
            results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
            answers = {result.expectation_config.meta["standard"]: _answer(result) for result in results}
        except Exception:
            # Whatever it says may hold data; what broke is found out by asking in SQL (run.py).
            answers = {}
        finally:
            _COUNTS.pop(name, None)
        # Nothing is passed by omission.
        return {question.name: answers.get(question.name, "broken") for question in questions}

    def _connect(self) -> Any:
        self._handed.append(self._cursor())
        return self._loaded.connection_wrapper(self._handed[-1])


def load() -> _Loaded:
    """Imports Great Expectations (4-9 s cold), once per process, telemetry off and our expectation made known to it."""
    global _LOADED
    with _LOCK:
        if _LOADED is None:
            os.environ["GX_ANALYTICS_ENABLED"] = "False"
            # GX logs exceptions with statement and values; nothing it has to say is ours to keep.
            logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
            try:
                _leave_until_used("scipy", "stats")
                with _as_if_absent("pyspark"):
                    import great_expectations as gx
                from duckdb_sqlalchemy import ConnectionWrapper

                expectation = _register_expectation()
            except (ImportError, AttributeError, TypeError) as error:
                raise GxChangedError(
                    f"Great Expectations changed what Tessera leans on ({type(error).__name__}: {error}); "
                    "run tests/integration/test_expectations_gx.py and see expectations/gx_duckdb.py"
                ) from error
            logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
            _LOADED = _Loaded(gx, _context(gx), expectation, ConnectionWrapper)
    return _LOADED


def _context(gx: Any) -> Any:
    """One for the process: to make one takes as long as to judge thirty standards."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # No Data Docs (their pages call the network), no telemetry, no progress bars in captured output.
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
    # An ephemeral context writes itself out as YAML, to memory, whenever an asset is added: 15 ms each for nothing.
    context.variables.save = lambda: None
    return context


def _leave_until_used(package: str, module: str) -> None:
    """Has a module of a package loaded when something of it is asked for. GX imports scipy's statistics, a quarter of all that its own
    import takes, for expectations on distributions, of which there are none here."""
    name = f"{package}.{module}"
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    left = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(left)
    setattr(sys.modules[package], module, left)  # else the import system looks into it, and so loads it


@contextmanager
def _as_if_absent(package: str) -> Iterator[None]:
    """GX takes in Spark wherever it is installed (linkage can use it), for data that nobody gives it here: seconds for nothing, and in a
    process without a main module of its own Spark then ends the process."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


def start_loading() -> threading.Thread:
    """Imports Great Expectations beside other work (reading and landing), so that checking need not wait for it."""

    def quietly() -> None:
        # A failure comes up again, with its message, where it is needed.
        with suppress(GxChangedError):
            load()

    thread = threading.Thread(target=quietly, name="load-great-expectations", daemon=True)
    thread.start()
    return thread


def _register_expectation() -> Any:
    """One expectation of our own; defining a class registers it with GX under its name in snake case."""
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.expectation import BatchExpectation
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
        parse_result_format,
    )
    from great_expectations.expectations.metrics.metric_provider import metric_value
    from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
    from great_expectations.validator.metric_configuration import MetricConfiguration
    from great_expectations.validator.validator import ValidationDependencies

    class StandardsFailingRows(TableMetricProvider):
        """How many rows fail each standard: one query for a whole suite. GX's own metrics would fetch persons' values."""

        metric_name = "standards.failing_rows"
        value_keys = ("counts",)

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
                counted = connection.exec_driver_sql(_COUNTS[metric_value_kwargs["counts"]])
                return {standard: int(rows) for standard, rows in counted.fetchall()}

    class Configuration(ExpectationConfiguration):
        """What GX passes about. It would copy each a dozen times and build the expectation anew from it thrice: 2 ms a standard."""

        expectation: Any = None

        def __deepcopy__(self, memo: Any) -> Configuration:
            return self

        def to_domain_obj(self) -> Any:
            self.expectation.batch_id = self.kwargs.get("batch_id")
            return self.expectation

    class ExpectNoRowToFail(BatchExpectation):
        """Expect no row to fail a standard."""

        standard: str
        counts: str
        metric_dependencies = ("standards.failing_rows",)
        success_keys = ("counts",)
        domain_keys = ("batch_id",)

        @property
        def configuration(self) -> Any:
            said = Configuration(
                type="expect_no_row_to_fail",
                kwargs={"standard": self.standard, "counts": self.counts},
                meta=self.meta,
                severity=self.severity,
            )
            said.expectation = self
            return said

        def get_validation_dependencies(self, execution_engine: Any = None, runtime_configuration: Any = None) -> Any:
            """The one metric, said directly: GX would work out the same from some twenty copies of each expectation."""
            counted = MetricConfiguration(
                "standards.failing_rows",
                metric_domain_kwargs={"batch_id": self.batch_id},
                metric_value_kwargs={"counts": self.counts},
            )
            return ValidationDependencies({counted.metric_name: counted}, parse_result_format("BOOLEAN_ONLY"))

        def _validate(self, metrics: Any, runtime_configuration: Any = None, execution_engine: Any = None) -> Any:
            return {"success": metrics["standards.failing_rows"].get(self.standard, 0) == 0}

    return ExpectNoRowToFail


def _answer(result: Any) -> Answer:
    """GX reports what raised as a failure; that is `broken`, whatever `success` says."""
    info = result.exception_info or {}
    raised = info.get("raised_exception", False) or any(
        isinstance(metric, dict) and metric.get("raised_exception", True) for metric in info.values()
    )
    if raised or result.success is None:
        return "broken"
    return "pass" if result.success else "fail"

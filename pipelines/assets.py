"""Dagster's skin over the straight line: one factory makes the assets and checks of every configured feed.

An asset returns counts only: what an asset returns, Dagster stores (metadata, logs), so no row and no value may pass
through here. All assets share one pool, because the core has one writer.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from connectors.contract import STALE_AFTER_DAYS, Feed
from pipelines.erasing import carry_out
from pipelines.line import FeedFailed, Line, Night, open_line
from pipelines.night import LEFT_OF_LOAD, RIGHT_OF_LOAD, fault, locked
from pipelines.settings import Settings, load_settings

POOL = "duckdb_writer"


class Deployment(dg.ConfigurableResource):
    """Opens the line of one tessera.yaml, locked for writing, for the length of a step."""

    config: str = "tessera.yaml"

    @contextmanager
    def line(self) -> Iterator[Line]:
        settings = load_settings(Path(self.config), os.environ)
        with locked(settings):
            carry_out(settings, os.environ)  # what a killed erasure still owes
            with open_line(settings, dict(os.environ)) as line:
                yield line


def nights(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition is one night."""
    return dg.DailyPartitionsDefinition(start_date="2026-01-01", timezone=settings.timezone, end_offset=1)


def feed_assets(feed: Feed, partitions: dg.PartitionsDefinition) -> Sequence[dg.AssetsDefinition]:
    """The five assets of one feed, one a word, and the checks of its standards."""
    return [_feed_asset(feed, step, partitions) for step in LEFT_OF_LOAD]


def _key(step: str, feed: Feed) -> dg.AssetKey:
    return dg.AssetKey([step, feed.agency, feed.name])


def _feed_asset(feed: Feed, step: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    before = LEFT_OF_LOAD.index(step) - 1
    checks = (
        [
            dg.AssetCheckSpec("critical_standards", asset=_key(step, feed), blocking=True),
            dg.AssetCheckSpec("standards", asset=_key(step, feed)),
            dg.AssetCheckSpec("no_check_broken", asset=_key(step, feed)),
        ]
        if step == "check"
        else [dg.AssetCheckSpec("books_balance", asset=_key(step, feed), blocking=True)]
        if step == "land"
        else []
    )

    @dg.asset(
        key=_key(step, feed),
        deps=[_key(LEFT_OF_LOAD[before], feed)] if before >= 0 else [],
        partitions_def=partitions,
        group_name=feed.agency,
        pool=POOL,
        description=f"{feed.title}: {step}",
        check_specs=checks,
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)
        if step == "extract"
        else None,
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(days=allowed))
        if step == "load" and (allowed := STALE_AFTER_DAYS[feed.expect]) is not None
        else None,
    )
    def run(
        context: dg.AssetExecutionContext, deployment: Deployment
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        with deployment.line() as line:
            night = line.open_night(dt.date.fromisoformat(context.partition_key))
            try:
                yield from _RUN[step](line, night, feed)
            except FeedFailed as error:
                line.fail(night, feed.id, step, str(error))
                raise dg.Failure(str(error), allow_retries=step == "extract") from None
            except dg.Failure:
                raise
            except Exception as error:
                message = f"{feed.id} stopped at {step}: {fault(error)}"
                line.fail(night, feed.id, step, message)
                # No `from`: the cause's own words could hold a value, and Dagster stores them.
                raise dg.Failure(message, allow_retries=False) from None

    return run


Results = Iterator[dg.AssetCheckResult | dg.MaterializeResult]


def _extract(line: Line, night: Night, feed: Feed) -> Results:
    yield dg.MaterializeResult(metadata={"files": line.extract(night, feed.id), "load": night.load_id})


def _land(line: Line, night: Night, feed: Feed) -> Results:
    books = line.land(night, feed.id)
    counts = {name: getattr(books, name) for name in ("received", "landed", "unchanged", "superseded", "quarantined")}
    yield dg.AssetCheckResult(check_name="books_balance", passed=books.balanced, metadata=counts)
    yield dg.MaterializeResult(metadata=counts)


def _check(line: Line, night: Night, feed: Feed) -> Results:
    held_back: str | None = None
    try:
        line.check(night, feed.id)
    except FeedFailed as error:
        held_back = str(error)
    found = line.warehouse.rows(
        "SELECT status, count(*) AS standards, sum(failed)::BIGINT AS rows FROM quality_result "
        "WHERE load_id = ? AND agency = ? AND feed = ? GROUP BY status",
        [night.load_id, feed.agency, feed.name],
    )
    counts = {row["status"]: row["standards"] for row in found}
    metadata = {f"standards_{status}": number for status, number in counts.items()}
    metadata["failing_rows"] = sum(row["rows"] or 0 for row in found if row["status"] != "pass")
    yield dg.AssetCheckResult(
        check_name="critical_standards", passed=held_back is None, metadata={"fail": counts.get("fail", 0)}
    )
    yield dg.AssetCheckResult(
        check_name="standards", passed=not counts.get("warn"), severity=dg.AssetCheckSeverity.WARN, metadata=metadata
    )
    yield dg.AssetCheckResult(
        check_name="no_check_broken",
        passed=not counts.get("broken"),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"broken": counts.get("broken", 0)},
    )
    if held_back is not None:
        line.fail(night, feed.id, "check", held_back)
    yield dg.MaterializeResult(metadata=metadata)


def _conform(line: Line, night: Night, feed: Feed) -> Results:
    yield dg.MaterializeResult(metadata={"staged_rows": line.conform(night, feed.id)})


def _load(line: Line, night: Night, feed: Feed) -> Results:
    books = line.load(night, feed.id)
    status = line.warehouse.rows(
        "SELECT status, vanished, message FROM feed_load WHERE load_id = ? AND agency = ? AND feed = ?",
        [night.load_id, feed.agency, feed.name],
    )[0]
    yield dg.MaterializeResult(
        metadata={
            "landed": books.landed,
            "unchanged": books.unchanged,
            "vanished": status["vanished"],
            "status": status["status"],
        }
    )
    if status["status"] in ("failed", "partial"):
        raise dg.Failure(status["message"], allow_retries=False)


_RUN: dict[str, Callable[[Line, Night, Feed], Results]] = {
    "extract": _extract,
    "land": _land,
    "check": _check,
    "conform": _conform,
    "load": _load,
}


def people_assets(partitions: dg.PartitionsDefinition) -> Sequence[dg.AssetsDefinition]:
    """link → identify → publish, for all feeds together. They run whether or not every feed did well."""
    return [_people_asset(step, partitions) for step in RIGHT_OF_LOAD]


def _people_asset(step: str, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    before = RIGHT_OF_LOAD.index(step) - 1

    @dg.asset(
        key=dg.AssetKey(step),
        deps=[dg.AssetKey(RIGHT_OF_LOAD[before])] if before >= 0 else [],
        partitions_def=partitions,
        group_name="people",
        pool=POOL,
        description=step,
    )
    def run(context: dg.AssetExecutionContext, deployment: Deployment) -> dg.MaterializeResult:
        with deployment.line() as line:
            night = line.open_night(dt.date.fromisoformat(context.partition_key))
            try:
                getattr(line, step)(night)
            except Exception as error:
                raise dg.Failure(
                    f"{step}: {fault(error)}; the last published marts are still served", allow_retries=False
                ) from None
            counts = line.warehouse.rows(
                "SELECT (SELECT count(*) FROM person WHERE retired_load_id IS NULL) AS people, "
                "(SELECT count(*) FROM potential_match) AS to_review, "
                "(SELECT count(*) FROM identity_change WHERE load_id = ?) AS identity_changes",
                [night.load_id],
            )[0]
        return dg.MaterializeResult(metadata=counts)

    return run

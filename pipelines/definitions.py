"""What Dagster loads: assets of every configured feed, two jobs, the 02:00 schedule, sensors and hooks.

The night is two jobs: `feeds` (left of load; each feed for itself) and `people` (link, identify, publish), which a sensor
starts when `feeds` has ended, well or badly, because a failing feed must not keep the others from being published.
"""

import os
from pathlib import Path
from types import SimpleNamespace

import dagster as dg

from connectors import transports
from pipelines import faults
from pipelines.assets import Deployment, feed_assets, nights, people_assets
from pipelines.notify import notify
from pipelines.settings import Settings, load_settings, today, utc_now


def definitions(config: Path, settings: Settings) -> dg.Definitions:
    """Everything Dagster knows of one deployment."""
    partitions = nights(settings)
    assets = [asset for feed in settings.feeds().values() for asset in feed_assets(feed, partitions)]
    people = list(people_assets(partitions))

    @dg.failure_hook(name="tell_people")
    def tell_people(context: dg.HookContext) -> None:
        error = context.op_exception
        # A Failure's words are ours; of any other fault (the core does not open) only what may be said of it is.
        message = str(error) if isinstance(error, dg.Failure) or error is None else faults.said(error)
        failing = [{"feed": context.op.name, "status": "failed", "message": message}]
        notify(settings.notify, SimpleNamespace(load_id=context.run_id[:8], published=False, feeds=failing))

    feeds_job = dg.define_asset_job(
        "feeds", selection=dg.AssetSelection.assets(*assets), partitions_def=partitions, hooks={tell_people}
    )
    people_job = dg.define_asset_job(
        "people", selection=dg.AssetSelection.assets(*people), partitions_def=partitions, hooks={tell_people}
    )

    @dg.schedule(
        job=feeds_job,
        cron_schedule=settings.schedule,
        execution_timezone=settings.timezone,
        name="nightly",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        night = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(run_key=f"feeds-{night}", partition_key=night)

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=[feeds_job],
        request_job=people_job,
        name="after_feeds",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def after_feeds(context: dg.RunStatusSensorContext) -> dg.RunRequest:
        return _people_request(context.dagster_run)

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.FAILURE,
        monitored_jobs=[feeds_job],
        request_job=people_job,
        name="after_feeds_with_failures",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def after_feeds_with_failures(context: dg.RunStatusSensorContext) -> dg.RunRequest:
        return _people_request(context.dagster_run)

    @dg.sensor(job=feeds_job, name="files_arriving", minimum_interval_seconds=300)
    def files_arriving(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """A night for the files that came since the last look. The cursor is a fingerprint of names and times, no content."""
        seen = _fingerprint(settings)
        if seen == context.cursor:
            return dg.SkipReason("no new files")
        night = today(settings).isoformat()
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"files-{seen}", partition_key=night)], cursor=seen)

    return dg.Definitions(
        assets=[*assets, *people],
        jobs=[feeds_job, people_job],
        schedules=[nightly],
        sensors=[after_feeds, after_feeds_with_failures, files_arriving],
        resources={"deployment": Deployment(config=str(config))},
        executor=dg.in_process_executor,
    )


def _people_request(run: dg.DagsterRun) -> dg.RunRequest:
    night = run.tags["dagster/partition"]
    return dg.RunRequest(run_key=f"people-{run.run_id}", partition_key=night)


def _fingerprint(settings: Settings) -> str:
    """What lies in the file sources, as one hash; databases are asked by the schedule."""
    import hashlib

    digest = hashlib.sha256()
    for name, feed in settings.feeds().items():
        source = settings.sources[name]
        if feed.format != "sql" and not source.location.startswith(("http://", "https://")):
            try:
                found = transports.arrivals(feed, source.location, base=settings.base, now=utc_now())
            except transports.SourceUnreachable:
                continue
            for arrival in found:
                digest.update(f"{name}/{arrival.name}/{arrival.extracted_at.isoformat()};".encode())
    return digest.hexdigest()[:24]


def _from_environment() -> dg.Definitions:
    config = Path(os.environ.get("TESSERA_CONFIG", "tessera.yaml")).absolute()
    return definitions(config, load_settings(config, os.environ))


defs = _from_environment()

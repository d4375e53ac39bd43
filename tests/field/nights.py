"""Runs nights over third-party extracts as the command line does, and reads what was published."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from pipelines.line import open_line
from pipelines.night import NightReport, run_night
from pipelines.settings import load_settings
from pipelines.verify import verify
from warehouse import query
from warehouse.keys import load_keys


def run(config: Path, date: str, **environ: str) -> NightReport:
    settings = load_settings(config, environ)
    with open_line(settings, {}) as line:
        return run_night(line, dt.date.fromisoformat(date))


def proved(config: Path, **environ: str) -> list[str]:
    """What verify finds broken: nothing, if all is well."""
    with open_line(load_settings(config, environ), {}) as line:
        return verify(line)["broken"]


def rows(config: Path, role: str, sql: str, **environ: str) -> list[dict[str, Any]]:
    settings = load_settings(config, environ)
    with query.open_mart(settings.marts_path, load_keys(settings.keys_path, {}), role) as con:
        return query.rows(con, sql)


def by_feed(report: NightReport) -> dict[str, dict[str, Any]]:
    return {feed["feed"]: feed for feed in report.feeds}

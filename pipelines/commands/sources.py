"""What is configured; dry-run one source."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    night_of,
    out,
    plain,
    print_rows,
    settings_of,
)
from pipelines.settings import SettingsError

app = typer.Typer(invoke_without_command=True, help="What is configured; dry-run one source.")


@app.callback()
def sources(context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What is configured, and what each source is expected to send."""
    context.obj = config
    if context.invoked_subcommand:
        return
    from connectors.transports import place_fault, shown

    settings = settings_of(config)
    rows = [
        {
            "feed": name,
            "title": feed.title,
            "from": shown(settings.sources[name].location),
            "delivery": feed.delivery,
            "expect": feed.expect,
            "tables": len(feed.tables),
            "fault": place_fault(feed, settings.sources[name].location, settings.base),
        }
        for name, feed in settings.feeds().items()
    ]
    print_rows(rows, as_json)


@app.command("check")
def sources_check(
    context: typer.Context,
    feed: Annotated[str, typer.Argument(help="agency.feed")],
    config: Annotated[Path | None, typer.Option("--config", help="The deployment's settings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reads one source as a night would, shows what it would become, and keeps nothing."""
    from connectors.taxonomy import event_types
    from pipelines.line import open_line
    from pipelines.night import run_feed
    from warehouse.schema import COMMON_MODEL

    settings = settings_of(config or context.obj)
    if feed not in settings.sources:
        raise SettingsError(f"{feed}: not configured; there are {', '.join(settings.sources)}")
    with tempfile.TemporaryDirectory() as folder:
        trial = settings.model_copy(
            update={
                "data_dir": Path(folder),
                "keys_file": None,
                "decisions": None,
                "sources": {feed: settings.sources[feed]},
            }
        )
        with open_line(trial, {}) as line:
            night = line.open_night(night_of(None, trial))
            good = run_feed(line, night, feed)
            files = line.warehouse.rows(
                "SELECT name, table_name, status, received, landed, superseded, quarantined, message FROM received_file ORDER BY name"
            )
            becomes = [
                {"becomes": name, "rows": line.con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]}
                for name in COMMON_MODEL
            ]
            failing = line.warehouse.rows(
                "SELECT expectation, severity, failed, evaluated, status FROM quality_result "
                "WHERE status NOT IN ('pass', 'not_run') ORDER BY failed DESC"
            )
            held_up = line.warehouse.rows(
                "SELECT expectation, source_file, row_number, column_name, hint FROM quality_spell "
                "ORDER BY source_file, row_number, expectation LIMIT 20"
            )
            unlisted = sorted(
                {row["event_type"] for row in line.warehouse.rows("SELECT DISTINCT event_type FROM event")}
                - set(event_types())
            )
            message = line.warehouse.rows("SELECT status, message FROM feed_load")
    if as_json:
        out.print_json(
            json.dumps(
                {
                    "files": files,
                    "becomes": becomes,
                    "failing": failing,
                    "rows": held_up,
                    "unlisted_event_types": unlisted,
                    "feed": message,
                },
                default=str,
            )
        )
    else:
        print_rows(files, False, empty="No file came.")
        print_rows([row for row in becomes if row["rows"]], False, empty="It becomes nothing.")
        print_rows(failing, False, empty="No standard fails.")
        if held_up:
            print_rows(held_up, False)
        if unlisted:
            out.print(f"Event types beyond the published list (docs/event-types.md): {plain(', '.join(unlisted))}.")
        print_rows(message, False)
    if not good or message[0]["status"] in ("failed", "partial"):
        raise typer.Exit(1)

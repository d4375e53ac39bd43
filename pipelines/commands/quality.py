"""Standards that fail, rows held back, and how they are mended."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    opened,
    out,
    print_rows,
    settings_of,
)
from pipelines.settings import SettingsError

app = typer.Typer()
quarantine_app = typer.Typer(no_args_is_help=True, help="Rows held back, why, and putting them through again.")


@app.command()
def quality(
    feed: Annotated[str | None, typer.Argument(help="agency.feed; all if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
    rows: Annotated[int, typer.Option(help="How many failing rows to show for a feed.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Standards that fail, worst first, and those not run, with the reason; with a feed, its failing rows and how to mend them."""
    from warehouse import query as querying
    from warehouse.keys import load_keys

    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ)
    of_feed = "($1 IS NULL OR agency || '.' || feed = $1)"
    with querying.open_mart(settings.marts_path, keys, "quality") as con:
        failing = querying.rows(
            con,
            "SELECT agency || '.' || feed AS feed, expectation, severity, status, failed, evaluated, "
            "CASE WHEN status = 'broken' THEN message END AS why_broken "
            f"FROM quality_results WHERE status NOT IN ('pass', 'not_run') AND {of_feed} "
            "ORDER BY list_position(['critical', 'warning', 'info'], severity), status = 'broken' DESC, failed DESC, 1, 2",
            [feed],
        )
        not_run = querying.rows(
            con,
            "SELECT agency || '.' || feed AS feed, message AS not_run_because, count(*) AS standards, "
            "string_agg(expectation, ', ' ORDER BY expectation) AS which "
            f"FROM quality_results WHERE status = 'not_run' AND {of_feed} GROUP BY ALL ORDER BY 1, 3 DESC, 2",
            [feed],
        )
        examples = (
            querying.rows(
                con,
                'SELECT expectation, source_file, row_number, local_id, "column", value, hint FROM quality_failures '
                "WHERE agency || '.' || feed = ? ORDER BY expectation, source_file, row_number LIMIT ?",
                [feed, rows],
            )
            if feed
            else []
        )
    if as_json:
        out.print_json(json.dumps({"standards": failing, "not_run": not_run, "rows": examples}, default=str))
        return
    print_rows(failing, False, empty="Every standard that was run holds." if not_run else "Every standard holds.")
    if not_run:
        print_rows([{name: row[name] for name in row if feed or name != "which"} for row in not_run], False)
    if examples:
        print_rows(examples, False)


@quarantine_app.command("list")
def quarantine_list(
    feed: Annotated[str | None, typer.Argument(help="agency.feed")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Rows held back and why; without their content."""
    with opened(config) as line:
        held = line.warehouse.rows(
            "SELECT quarantine_id, agency || '.' || feed AS feed, load_id, row_number, reason FROM quarantine "
            "WHERE released_load_id IS NULL AND (? IS NULL OR agency || '.' || feed = ?) ORDER BY feed, quarantine_id",
            [feed, feed],
        )
    print_rows(held, as_json, empty="Nothing is held back.")


@quarantine_app.command("show")
def quarantine_show(quarantine_id: str, config: Config = DEFAULT_CONFIG) -> None:
    """One held-back row, as it was received."""
    with opened(config) as line:
        held = line.warehouse.rows("SELECT * FROM quarantine WHERE quarantine_id = ?", [quarantine_id])
    if not held:
        raise SettingsError(f"{quarantine_id}: no such row; see tessera quarantine list")
    out.print_json(json.dumps(held[0], default=str))


@quarantine_app.command("release")
def quarantine_release(
    quarantine_id: str,
    by: Annotated[str, typer.Option(help="Who releases it.")],
    value: Annotated[list[str] | None, typer.Option("--set", help="COLUMN=VALUE, to repair it.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Puts one row through again, repaired if need be; the next night takes it up."""
    from warehouse.quarantine import release

    repairs = dict(pair.partition("=")[::2] for pair in value or [])
    with opened(config) as line:
        release(line.warehouse, quarantine_id, by=by, repairs=repairs)
    out.print(f"{quarantine_id} goes through the next night; run tessera nightly")

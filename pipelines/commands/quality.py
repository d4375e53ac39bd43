"""Standards that fail, rows held back, and how they are mended."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    config_option,
    opened,
    out,
    print_rows,
    print_steps,
    settings_of,
)
from pipelines.settings import Settings, SettingsError

Who = Annotated[str | None, typer.Option(help="Who looks; the account if not given.")]
Purpose = Annotated[str, typer.Option(help="What for; it is logged with the look.")]

# What fits on a screen beside the steps.
_WORST_SHOWN = 12


class _ShowByDefault(TyperGroup):
    """`tessera quality` and `tessera quality FEED` show what fails; other words are commands of their own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowByDefault,
    help="What fails, worst first and what to do about it. `tessera quality FEED` is `quality show FEED`.",
)
quarantine_app = typer.Typer(no_args_is_help=True, help="Rows held back, why, and putting them through again.")

_STANDARDS = (
    "SELECT agency || '.' || feed AS feed, table_name, expectation, severity, harm, status, evaluated, failed, new, still, "
    "fixed, failing_since, message FROM quality_standards WHERE $1 IS NULL OR agency || '.' || feed = $1"
)
_SHOWN = ("feed", "expectation", "severity", "harm", "failed", "new", "still", "fixed", "failing_since")


@app.command()
def show(
    feed: Annotated[str | None, typer.Argument(help="agency.feed; all if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
    rows: Annotated[int, typer.Option(help="How many failing rows to show for a feed.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Every failing standard, not the worst alone.")] = False,
    who: Who = None,
    purpose: Purpose = "not stated",
    as_json: AsJson = False,
) -> None:
    """What to send back, standards that fail worst first, those broken and those not run; with a feed, its failing rows."""
    from expectations import agenda

    settings = settings_of(config)
    if feed is not None and feed not in settings.sources:
        raise SettingsError(f"{feed}: not configured; there are {', '.join(settings.sources)}")
    with _mart(settings) as con:
        standards = _rows(con, _STANDARDS, [feed])
        worst = [row["expectation"] for row in agenda.worst_first(standards)]
        examples = _examples(con, settings, feed, worst, rows, who, purpose) if feed else []
    found = {
        "next": [step.__dict__ for step in agenda.steps(standards, settings.contacts())],
        "standards": [
            {name: row[name] for name in (*_SHOWN, "status", "evaluated")} for row in agenda.worst_first(standards)
        ],
        "broken": [
            {name: row[name] for name in ("feed", "expectation", "severity", "message")}
            for row in agenda.broken(standards)
        ],
        "not_run": _not_run(standards),
        "rows": examples,
    }
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    _print(found, feed, everything, at=config_option(config))


def _mart(settings: Settings) -> AbstractContextManager[Any]:
    """The quality mart, read-only."""
    from warehouse.keys import load_keys
    from warehouse.query import open_mart

    return open_mart(settings.marts_path, load_keys(settings.keys_path, os.environ), "quality")


def _rows(con: Any, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
    from warehouse.query import rows

    return rows(con, sql, parameters)


def _examples(
    con: Any, settings: Settings, feed: str, worst: list[str], rows: int, who: str | None, purpose: str
) -> list[dict[str, Any]]:
    """Failing rows with what they hold, by standard, worst first: a look that is logged."""
    with _look(con, settings, f"quality {feed}", who, purpose) as shown:
        found = _rows(
            con,
            'SELECT expectation, state, failing_since, source_file, row_number, local_id, "column", value, hint '
            "FROM quality_failures WHERE agency || '.' || feed = ? "
            "ORDER BY list_position(?, expectation), state, source_file, row_number LIMIT ?",
            [feed, worst, rows],
        )
        shown.rows = len(found)
    return found


def _look(con: Any, settings: Settings, question: str, who: str | None, purpose: str) -> AbstractContextManager[Any]:
    from pipelines.settings import utc_now
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import load_keys
    from warehouse.query import look
    from warehouse.store import Store

    log = AccessLog(Store(settings.decisions_url), load_keys(settings.keys_path, os.environ))
    return look(con, "quality", question, export=False, log=log, who=who or account(), purpose=purpose, clock=utc_now)


def _not_run(standards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Standards that had not what they need, by feed and reason, most first."""
    why: dict[tuple[str, str], list[str]] = {}
    for row in standards:
        if row["status"] == "not_run":
            why.setdefault((row["feed"], row["message"]), []).append(row["expectation"])
    found = [
        {"feed": feed, "not_run_because": reason, "standards": len(names), "which": ", ".join(names)}
        for (feed, reason), names in why.items()
    ]
    return sorted(found, key=lambda row: -int(row["standards"]))


def _print(found: dict[str, list[dict[str, Any]]], feed: str | None, everything: bool, at: str) -> None:
    """One screen: what to do, then why."""
    print_steps(found["next"], at)
    shown = found["standards"] if everything or feed else found["standards"][:_WORST_SHOWN]
    if found["standards"]:
        out.print()
        print_rows([{name: row[name] for name in row if name not in ("status", "evaluated")} for row in shown], False)
        if len(found["standards"]) > len(shown):
            out.print(f"{len(found['standards']) - len(shown)} more fail: tessera quality --all")
    if found["broken"]:
        out.print("\nBroken: these could not run, which says nothing of the data.")
        print_rows(found["broken"], False)
    if found["not_run"]:
        out.print("\nNot run, which is not a pass:")
        print_rows([{name: row[name] for name in row if feed or name != "which"} for row in found["not_run"]], False)
    if found["rows"]:
        out.print()
        print_rows(found["rows"], False)


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

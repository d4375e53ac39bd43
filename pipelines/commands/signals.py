"""Signals: which rules are true of whom, what people make of them, and whether a rule is worth its noise."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    out,
    plain,
    print_rows,
    settings_of,
)
from pipelines.settings import Settings, SettingsError, utc_now

app = typer.Typer(
    invoke_without_command=True, help="What the rules of docs/signals.md find, and what people make of it."
)


@app.callback()
def show(context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Each rule: how often it is true tonight, and how often those who marked its signals found them useful."""
    if context.invoked_subcommand is not None:
        return
    rules = _looked_at(settings_of(config), "FROM signal_rules ORDER BY rule", "which rules are useful", "not stated")
    print_rows(rules, as_json)


@app.command()
def mark(
    signal: Annotated[str, typer.Argument(help="signal_id, as in the view signals and in tessera child.")],
    useful: Annotated[bool, typer.Option("--useful/--not-useful", help="Whether it helped.")],
    reason: Annotated[str, typer.Option(help="Why, in words that others will read; no names.")],
    author: Annotated[str, typer.Option(help="Who says so.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Notes whether a signal was useful; the last word counts, and shows from the next publication."""
    settings = settings_of(config)
    found = _looked_at(
        settings,
        "SELECT rule FROM signals WHERE signal_id = $signal",
        f"signal {signal}",
        "marking it",
        {"signal": signal},
    )
    if not found:
        raise SettingsError(f"no signal {signal!r} tonight; the view signals lists them")
    _verdicts(settings).take(
        signal, found[0]["rule"], useful=useful, reason=reason, author=author, decided_at=utc_now()
    )
    out.print(f"{plain(signal)} ({found[0]['rule']}): noted as {'useful' if useful else 'not useful'}.")


@app.command()
def log(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What people said of signals, oldest first."""
    print_rows(_verdicts(settings_of(config)).all(), as_json, empty="Nobody marked a signal yet.")


def _verdicts(settings: Settings) -> Any:
    from warehouse.keys import load_keys
    from warehouse.signal_verdicts import SignalVerdicts
    from warehouse.store import Store

    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)  # before the store makes a file
    return SignalVerdicts(Store(settings.decisions_url), keys.raw("decisions"))


def _looked_at(
    settings: Settings, sql: str, question: str, purpose: str, parameters: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """A small answer from the practitioner's mart; the look is logged."""
    from warehouse import query as querying
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import load_keys
    from warehouse.store import Store

    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    con = querying.open_mart(settings.marts_path, keys, "practitioner")
    log_of_looks = AccessLog(Store(settings.decisions_url), keys)
    try:
        with querying.look(
            con, "practitioner", question, export=False, log=log_of_looks, who=account(), purpose=purpose, clock=utc_now
        ) as shown:
            found = querying.rows(con, sql, parameters)
            shown.rows = len(found)
            return found
    finally:
        con.close()

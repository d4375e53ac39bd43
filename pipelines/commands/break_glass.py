"""Breaking the glass: opening it for one child, reading what is withheld, closing it, and every use of it."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.terminal import DEFAULT_CONFIG, AsJson, Config, out, plain, print_rows, settings_of
from pipelines.settings import SettingsError

app = typer.Typer(
    no_args_is_help=True, help="Seeing of one child what a role withholds: by name, with reason, for a time."
)

Child = Annotated[str, typer.Argument(help="person_id as in children.")]


def _deployment(config: Path) -> Any:
    from warehouse.access_log import AccessLog
    from warehouse.break_glass import BreakGlass
    from warehouse.keys import load_keys
    from warehouse.store import Store

    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    store = Store(settings.decisions_url)
    return settings, keys, BreakGlass(store, keys.raw("decisions")), AccessLog(store, keys)


@app.command("open")
def open_glass(
    person_id: Child,
    reason: Annotated[str, typer.Option(help="Why it must be seen now; governance reads it.")],
    role: Annotated[str, typer.Option(help="The role that you have.")] = "practitioner",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Notes it under your account, tells governance, and opens it for the time that the policy says."""
    from pipelines.glass import break_glass
    from pipelines.settings import utc_now
    from warehouse.access import load_policy
    from warehouse.access_log import account

    settings, _, glass, _ = _deployment(config)
    use = break_glass(
        settings, load_policy(), glass, who=account(), role=role, person_id=person_id, reason=reason, clock=utc_now
    )
    out.print(
        f"{use.glass_id}: open for {plain(use.who)} until {use.until:%Y-%m-%d %H:%M} UTC; governance has been told."
    )
    out.print(f"  tessera break-glass show {plain(person_id)}")


@app.command()
def show(person_id: Child, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What is withheld of the child, while the glass that you broke for them is open; each look is logged."""
    from pipelines.glass import withheld
    from pipelines.settings import utc_now
    from warehouse.access import load_policy
    from warehouse.access_log import account

    settings, keys, glass, log = _deployment(config)
    found = withheld(settings, load_policy(), keys, glass, log, who=account(), person_id=person_id, clock=utc_now)
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    if not any(found.values()):
        out.print("Nothing is withheld of this person.")
    for view, rows in found.items():
        if rows:
            out.print(f"\n[bold]{view}[/bold]")
            print_rows(rows, False, empty="")


@app.command()
def close(
    glass_id: Annotated[str, typer.Argument(help="As break-glass list names it.")], config: Config = DEFAULT_CONFIG
) -> None:
    """Ends it before its time is over."""
    from pipelines.settings import utc_now
    from warehouse.access_log import account

    _, _, glass, _ = _deployment(config)
    glass.close(glass_id, who=account(), at=utc_now())
    out.print(f"{glass_id} is closed.")


@app.command("list")
def uses(
    purpose: Annotated[str, typer.Option(help="What for; reading it is logged.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Every use of it, newest first: who, whom, why, when, and whether it is open."""
    from pipelines.settings import utc_now
    from warehouse.access_log import account

    if not purpose.strip():
        raise SettingsError("--purpose: say what for; it is logged with the look")
    _, _, glass, log = _deployment(config)
    log.asked_of_store("audit", utc_now(), who=account(), purpose=purpose, question="break-glass list")
    rows = [dataclasses.asdict(use) for use in glass.all(utc_now())[::-1]]
    print_rows(
        [{name: value for name, value in row.items() if name != "number"} for row in rows],
        as_json,
        empty="No glass was broken.",
    )

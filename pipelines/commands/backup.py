"""Copies of a deployment: making them, proving them, putting one back."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import DEFAULT_CONFIG, AsJson, Config, out, plain, print_rows, settings_of

app = typer.Typer(no_args_is_help=True, help="Copies of the deployment, proved and put back; keys are never in one.")
Folder = Annotated[Path, typer.Argument(help="Folder of the backups, on another disk than the data.")]
Name = Annotated[str | None, typer.Option("--backup", help="Which, as backup list names it; the newest if not given.")]


@app.command()
def make(
    folder: Folder,
    keep: Annotated[
        int | None, typer.Option(min=1, help="How many backups stay in the folder; all if not given.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Backs up landing, core, decisions and models while no night runs; what an earlier backup there has is not copied again."""
    from pipelines.backup import make as back_up
    from pipelines.settings import utc_now

    settings = settings_of(config)
    made = back_up(settings, dict(os.environ), folder, now=utc_now(), keep=keep)
    if as_json:
        out.print_json(json.dumps(dataclasses.asdict(made)))
        return
    out.print(
        f"Backup {made.name} of load {plain(made.load_id)}: {made.files:,} files of {made.size:,} bytes, {made.copied:,} copied now. "
        "The keys are not in it: keep them elsewhere."
    )
    if not made.decisions:
        out.print("The decisions store is a database of its own and not in it: back that up as well.")


@app.command("list")
def listed(folder: Folder, as_json: AsJson = False) -> None:
    """The backups of a folder, oldest first."""
    from pipelines.backup import listed as found

    rows = [dataclasses.asdict(backup) for backup in found(folder)]
    print_rows([{k: v for k, v in row.items() if k != "copied"} for row in rows], as_json, empty="No backup is in it.")


@app.command()
def check(folder: Folder, name: Name = None, config: Config = DEFAULT_CONFIG) -> None:
    """Proves that a backup is whole and that the keys of this deployment open it. Exit 1 if not."""
    from pipelines.backup import check as prove
    from warehouse.keys import load_keys

    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    found = prove(folder, keys, name)
    out.print(
        f"[green]holds[/]  backup {found.name} of load {plain(found.load_id)}: {found.files:,} files are as written"
    )


@app.command()
def restore(folder: Folder, name: Name = None, config: Config = DEFAULT_CONFIG) -> None:
    """Puts a backup into an empty data directory, proves it as tessera verify does, and serves its last load."""
    from pipelines.backup import restore as put_back

    found, proved = put_back(settings_of(config), dict(os.environ), folder, name)
    for said in proved["proved"]:
        out.print(f"[green]holds[/]  {plain(said)}")
    for said in proved["broken"]:
        out.print(f"[red]broken[/] {plain(said)}")
    if proved["broken"]:
        out.print(
            "It was put back and is not served. See what is broken; tessera rebuild --switch makes the core anew from landing."
        )
        raise typer.Exit(1)
    out.print(f"Backup {found.name} of load {plain(found.load_id)} is in place.")
    if not found.decisions:
        out.print("The decisions store was not in it: restore that database as well.")

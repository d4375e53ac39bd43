"""Keys of stores: giving one a new key."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from pipelines.commands.terminal import DEFAULT_CONFIG, Config, out, settings_of

app = typer.Typer(no_args_is_help=True, help="The keys of stores.")


class Rotatable(StrEnum):
    core = "core"
    landing = "landing"


@app.callback()
def _group() -> None:
    """Keeps `rotate` a command of its own, of which there will be more."""


@app.command()
def rotate(
    store: Annotated[Rotatable, typer.Option(help="Whose key is replaced.")], config: Config = DEFAULT_CONFIG
) -> None:
    """Writes the core, or all that landed, anew under a new key while marts are served. Killed, run it again: till then both are kept."""
    from pipelines.night import locked
    from pipelines.rekeying import rotate_core, rotate_landing

    settings = settings_of(config)
    with locked(settings):
        if store is Rotatable.core:
            rotate_core(settings, dict(os.environ))
        else:
            written = rotate_landing(settings, dict(os.environ))
            out.print(f"{written:,} landed files and manifests were written anew.")
    out.print(
        f"{store} has a new key. Keep a copy of the key file where the data is not; backups made before open with the old one alone: "
        "keep that as long as they are kept."
    )

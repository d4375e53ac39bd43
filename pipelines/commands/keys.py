"""Keys of stores and roles: giving one a new key."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pipelines.commands.terminal import DEFAULT_CONFIG, Config, out, settings_of
from pipelines.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="The keys of stores and roles.")


@app.callback()
def _group() -> None:
    """Keeps `rotate` a command of its own, of which there will be more."""


@app.command()
def rotate(
    store: Annotated[str, typer.Option(help="Whose key is replaced: core, landing or a role.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes the core, what landed or the marts anew, one under a new key, while marts are served. Killed, run it again."""
    from pipelines.night import locked
    from pipelines.rekeying import rotate_core, rotate_landing, rotate_role
    from warehouse.keys import MARTS

    allowed = ("core", "landing", *MARTS)
    if store not in allowed:
        raise SettingsError(f"--store {store}: its key is not replaced by this; allowed are {', '.join(allowed)}")
    settings, environ = settings_of(config), dict(os.environ)
    with locked(settings):
        if store == "core":
            rotate_core(settings, environ)
        elif store == "landing":
            written = rotate_landing(settings, environ)
            out.print(f"{written:,} landed files and manifests were written anew.")
        elif rotate_role(settings, environ, store):
            out.print("The marts were published under it, and none of those before are kept. Restart the console.")
        else:
            out.print(
                "Nothing was published: the last night is not finished. What is served opens with the former key till then."
            )
    out.print(
        f"{store} has a new key. Keep a copy of the key file where the data is not, and the one before as long as backups made under it."
    )

"""The pages that are generated from the declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import (
    out,
)
from pipelines.settings import SettingsError

app = typer.Typer()


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Fail if a generated page is not current.")] = False,
) -> None:
    """Writes the generated pages of docs/ from the declarations."""
    from pipelines.docs import write_docs

    stale = write_docs(Path(__file__).parents[2] / "docs", check=check)
    if check and stale:
        raise SettingsError(f"not current: {', '.join(stale)}; run: make docs")
    out.print(f"docs: {len(stale)} page(s) written" if not check else "docs: current")

"""How every command meets the terminal: options they share, the deployment they open, rows and errors they print.

What must not live here: a command.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.settings import Settings, SettingsError, load_settings, today

# Not on a terminal (a log, a pipe), tables keep their columns whole.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Config = Annotated[Path, typer.Option("--config", help="The deployment's settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Night = Annotated[str | None, typer.Option("--date", help="The night, YYYY-MM-DD; today if not given.")]
DEFAULT_CONFIG = Path("tessera.yaml")


def plain(text: object) -> str:
    """Text that rich must not read as markup."""
    return escape(str(text))


def settings_of(config: Path) -> Settings:
    return load_settings(config, os.environ)


@contextmanager
def opened(config: Path) -> Iterator[Any]:
    """The line of a deployment, locked for writing."""
    from pipelines.erasing import carry_out
    from pipelines.line import open_line
    from pipelines.night import locked

    settings = settings_of(config)
    with locked(settings):
        carry_out(settings, os.environ)  # what a killed erasure still owes
        with open_line(settings, dict(os.environ)) as line:
            yield line


def night_of(text: str | None, settings: Settings) -> dt.date:
    """The night that --date names; today's where it names none."""
    if text is None:
        return today(settings)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--date {text}: not a date; write it as 2026-11-16") from None


def truth_of(path: Path) -> Path:
    """The file that --truth names, once it is seen to be a truth: before anything runs that is to be measured against it."""
    from linkage.evaluate import TruthError, read_truth

    if not path.exists():
        raise SettingsError(
            f"--truth {path}: does not exist; a truth is a CSV of agency, feed, source_person_id, and in true_person_id who it "
            "truly is. Correct the path, or leave --truth out"
        )
    try:
        read_truth(path)
    except TruthError as error:
        raise SettingsError(f"--truth {path}: {error}") from None
    return path


def print_rows(rows: list[dict[str, Any]], as_json: bool, *, empty: str = "Nothing.") -> None:
    if as_json:
        out.print_json(json.dumps(rows, default=str))
        return
    if not rows:
        out.print(empty)
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*["" if value is None else plain(value) for value in row.values()])
    out.print(table)


def config_option(config: Path) -> str:
    """What a command that is printed for copying must say of the deployment."""
    return "" if config == DEFAULT_CONFIG else f" --config {config}"


def print_steps(steps: list[dict[str, Any]], at: str, most: int | None = None) -> None:
    """What a quality officer does next, each step with the command that begins it."""
    out.print("What to send back, worst for a child first:" if steps else "Nothing to send back.")
    for number, step in enumerate(steps[:most], start=1):
        out.print(f"{number:3}. {plain(step['feed'])} → {plain(step['to'])}: {plain(step['because'])}")
        out.print(f"     {plain(step['command'])}{plain(at)}")
    if most is not None and len(steps) > most:
        out.print(f"     and {len(steps) - most} more: tessera quality{plain(at)}")

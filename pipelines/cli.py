"""The command line, `tessera`: its commands put together, and what it answers when something breaks.

Exit 0: done. Exit 1: a load or a check failed, or a store does not open. Exit 2: usage or configuration.
"""

from __future__ import annotations

import gc
import logging
import sys

import typer

from pipelines.commands import (
    audit,
    backup,
    break_glass,
    console,
    documents,
    identity,
    keys,
    linkage,
    marts,
    nights,
    quality,
    rights,
    signals,
    sources,
    subject,
)
from pipelines.commands.terminal import err, plain
from pipelines.settings import SettingsError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__.splitlines()[0]
)
for area in (nights, marts, rights, documents):
    app.add_typer(area.app)
for name, group in (
    ("sources", sources.app),
    ("quality", quality.app),
    ("quarantine", quality.quarantine_app),
    ("identity", identity.app),
    ("decisions", identity.decisions_app),
    ("linkage", linkage.app),
    ("signals", signals.app),
    ("audit", audit.app),
    ("subject", subject.app),
    ("retention", rights.retention_app),
    ("holds", rights.holds_app),
    ("erasures", rights.erasures_app),
    ("disclosures", rights.disclosures_app),
    ("break-glass", break_glass.app),
    ("backup", backup.app),
    ("keys", keys.app),
    ("console", console.app),
):
    app.add_typer(group, name=name)


# A night imports some 600,000 objects that live to its end and then mostly arranges SQL. With Python's own thresholds a tenth of
# its time goes into walking through them for garbage, of which there is little.
GARBAGE_THRESHOLDS = (50_000, 20, 50)


def main() -> None:
    """The entry point: faults that a user can mend become one clear message and an exit code, never a traceback."""
    logging.getLogger().setLevel(logging.WARNING)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    from pipelines import faults

    try:
        app()
    except SystemExit:  # how every command ends; what comes next would load all of Tessera to see that it is no fault
        raise
    except SettingsError as error:
        err.print(f"[red]configuration:[/] {plain(error)}")
        sys.exit(2)
    except faults.expected() as error:
        err.print(f"[red]failed:[/] {plain(error)}")
        sys.exit(1)
    except Exception as error:
        err.print(f"[red]failed:[/] {plain(faults.said(error))}. Nothing half done is served; please report it")
        sys.exit(1)


if __name__ == "__main__":
    main()

"""How good the links are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    opened,
    out,
    print_rows,
)
from pipelines.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="How good the links are.")


@app.command("evaluate")
def linkage_evaluate(
    truth: Annotated[Path, typer.Option(help="CSV: agency, feed, source_person_id and who it truly is.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Precision and recall of the links against a truth, overall and by subgroup."""
    from linkage import evaluate

    if not truth.exists():
        raise SettingsError(f"--truth {truth} does not exist")
    with opened(config) as line:
        found = evaluate(line.con, truth)
    if as_json:
        out.print_json(json.dumps(found.to_dict(), default=str))
        return
    scores = {"overall": found.overall, "across agencies": found.across_agencies}
    scores |= {f"agencies {pair}": score for pair, score in found.by_agency_pair.items()}
    scores |= {f"{column} {value}": score for column, by in found.by_subgroup.items() for value, score in by.items()}
    scores |= {f"trap {trap}": score for trap, score in found.by_trap.items()}
    print_rows(
        [
            {
                "of": name,
                "precision": f"{score.precision:.4f}",
                "recall": f"{score.recall:.4f}",
                "true pairs": score.true_pairs,
                "missed": score.missed,
                "false": score.linked_pairs - score.correct,
            }
            for name, score in scores.items()
        ],
        False,
    )
    out.print(
        f"False pairs by kind: {found.false_merges or 'none'}. Records of the truth not in the warehouse: {found.missing or 'none'}."
    )

"""Lays down what health sends: one NDJSON file per resource type, one resource a line.

Not here: what the resources say (health.py).
"""

from __future__ import annotations

import json
from pathlib import Path

from synthetic.health import Health

RESOURCE_TYPES = ("Patient", "RelatedPerson", "Encounter", "Appointment", "Condition", "Observation", "Flag")


def write_fhir(health: Health, folder: Path) -> None:
    """Tonight's resources; a type with nothing to send has no file, except that Patient is always there."""
    folder.mkdir(parents=True, exist_ok=True)
    dumps = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode
    for kind in RESOURCE_TYPES:
        resources = health.pending.get(kind, [])
        if not resources and kind != "Patient":
            continue
        text = "".join([dumps(resource) + "\n" for resource in resources])
        # Exports end in different ways; a blank last line is not a resource.
        (folder / f"{kind}.ndjson").write_text(
            text + ("\n" if kind == "Encounter" else ""), encoding="utf-8", newline="\n"
        )
        health.truth.wrote(f"health/fhir/{kind}.ndjson", len(resources))
    health.pending = {}

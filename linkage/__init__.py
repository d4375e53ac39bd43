"""Which records are about the same child: a clean room that knows the common model and no agency.

prepare reads names, dates and numbers as a clerk does; model holds the evidence and its weight on one screen; link decides which
records belong together, and what is left to people; identity gives them an identifier that lasts and keeps the ledger;
households says who lives together; evaluate measures; explain says why; train fits a version of the model, and models keeps
them; spark has a cluster score the pairs. What must not live here: a feed's or an agency's name,
a person's value in a message, and, but for that cluster, anything that opens a connection.
"""

from __future__ import annotations

from linkage.evaluate import Evaluation, evaluate
from linkage.explain import explain
from linkage.heirs import carry_over
from linkage.identity import IdentityReport, identify
from linkage.link import DECISION_COLUMNS, LinkageReport, link
from linkage.model import DEFAULT_MODEL, LinkageSettings, Model, SparkError, SparkSettings
from linkage.models import ModelError, Models
from linkage.night import NightReport, run
from linkage.train import TrainingError, train
from linkage.whatif import WhatIf, whatif

__all__ = [
    "DECISION_COLUMNS",
    "DEFAULT_MODEL",
    "Evaluation",
    "IdentityReport",
    "LinkageReport",
    "LinkageSettings",
    "Model",
    "ModelError",
    "Models",
    "NightReport",
    "SparkError",
    "SparkSettings",
    "TrainingError",
    "WhatIf",
    "carry_over",
    "evaluate",
    "explain",
    "identify",
    "link",
    "run",
    "train",
    "whatif",
]

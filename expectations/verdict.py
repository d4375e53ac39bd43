"""What may leave expectations/: counts and names. What must not live here: anything a person's record says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["critical", "warning", "info"]
# What failing can do to a child, worst first (docs/quality.md argues for the order).
Harm = Literal["unseen", "wrong_child", "wrong_account", "untidy"]
HARMS: tuple[Harm, ...] = get_args(Harm)
Status = Literal["pass", "warn", "fail", "broken", "not_run"]


@dataclass(frozen=True)
class Verdict:
    """What one standard says of one feed tonight; `table` is empty where it speaks of the whole feed."""

    feed: str
    table: str
    expectation: str
    severity: Severity
    evaluated: int
    failed: int
    status: Status
    message: str = ""
    harm: Harm = "wrong_account"


def status_of(severity: Severity, failed: int) -> Status:
    """A failing critical standard fails, any other warns. `broken` and `not_run` are never decided here: they say nothing
    of the data.
    """
    if failed == 0:
        return "pass"
    return "fail" if severity == "critical" else "warn"

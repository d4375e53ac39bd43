"""SECURITY.md answers every line of the standard once, and what it calls met has an answer that is there to be looked at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \| (.+) \|$", PAGE, re.MULTILINE)
PROOFS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


def test_each_line_is_answered_once_in_order() -> None:
    numbers = [tuple(map(int, number.split("."))) for number, *_ in LINES]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 253, "ASVS 5.0 has 253 requirements of levels 1 and 2"
    assert {state for _, _, state, _ in LINES} == {"met", "in part", "not met", "does not apply"}


def test_the_counts_are_those_of_the_lines() -> None:
    said = re.search(r"(\d+) are met, (\d+) in part, (\d+) not; (\d+) do not apply", PAGE)
    assert said is not None
    states = [state for _, _, state, _ in LINES]
    assert [int(count) for count in said.groups()] == [
        states.count(state) for state in ("met", "in part", "not met", "does not apply")
    ]


@pytest.mark.parametrize(("path", "test"), PROOFS)
def test_a_proof_is_there(path: str, test: str) -> None:
    found = (ROOT / path).read_text(encoding="utf-8")
    assert not test or f"def {test}(" in found

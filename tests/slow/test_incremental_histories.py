"""Random histories: what nights of changes leave is what one full run leaves, and the ledger leads to the present."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.ledger_words import not_understood
from tests.unit.linkage_histories import live
from tests.unit.test_identity import replay

pytestmark = pytest.mark.slow

# Every night of a council ends one history that began with it: 10 councils of 8 nights; TESSERA_COUNCILS=25 makes it 200.
COUNCILS, NIGHTS = int(os.environ.get("TESSERA_COUNCILS", "10")), 8


def test_nights_of_changes_leave_what_a_full_run_leaves() -> None:
    spared = []

    @settings(
        max_examples=COUNCILS,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 50_000))
    def council(seed: int) -> None:
        issued: set[str] = set()
        for ran, left, full, con in live(seed, homes=16, nights=NIGHTS):
            for part, said in full.items():
                assert left[part] == said, f"{part}, full because: {ran.full_because or 'it was not'}"
            replay(con)
            assert not_understood(con) == []
            persons = {row[0] for row in con.execute("SELECT person_id FROM person").fetchall()}
            assert issued <= persons, "an identifier is never forgotten"
            issued |= persons
            spared.append(0 if ran.full_because else 1 - ran.decided / ran.records)

    council()
    assert len(spared) >= COUNCILS * NIGHTS
    assert sum(spared) / len(spared) > 0.5, "most of a council is not decided again, or this shows nothing"

"""What waivers and promises leave of what fails: the SQL beside the rule in plain words, on every mixture of acts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import quality_acts

TONIGHT = dt.date(2026, 3, 2)
SQL = Path(quality_acts.__file__).with_name("sql") / "publish"
ROWS = ("r1", "r2", "r3")
CON = duckdb.connect(config={"threads": 1})

acts = st.lists(
    st.tuples(
        st.sampled_from(["waive", "expect"]),
        st.sampled_from([None, *ROWS]),
        st.integers(-2, 2).map(lambda days: TONIGHT + dt.timedelta(days=days)),
    ),
    max_size=5,
)


def latest(kind: str, row: str | None, taken: list[tuple[str, str | None, dt.date]]) -> dt.date | None:
    """Of one kind and subject the latest day; a waiver that is over counts no more."""
    days = [
        until for what, key, until in taken if (what, key) == (kind, row) and (kind == "expect" or until >= TONIGHT)
    ]
    return max(days, default=None)


@settings(max_examples=60, deadline=None)
@given(acts)
def test_a_row_is_waived_by_itself_or_with_its_standard_and_its_own_promise_goes_first(
    taken: list[tuple[str, str | None, dt.date]],
) -> None:
    whole = {kind: latest(kind, None, taken) for kind in ("waive", "expect")}
    expected_rows = {}
    for row in ROWS:
        waivers = [day for day in (latest("waive", row, taken), whole["waive"]) if day]
        expected_rows[row] = (max(waivers, default=None), latest("expect", row, taken) or whole["expect"])
    left = [promise for waived, promise in expected_rows.values() if waived is None]
    promises = [promise for promise in left if promise]

    con = CON
    con.execute(f"CREATE OR REPLACE TABLE published_night AS SELECT DATE '{TONIGHT}' AS date")
    con.execute(
        "CREATE OR REPLACE TABLE failing_spell AS SELECT 'school' AS agency, 'census' AS feed, 'one' AS expectation, "
        "unnest(?) AS row_key, 'raw ' || row_key AS raw_row_id, NULL::VARCHAR AS ended_load_id",
        [list(ROWS)],
    )
    quality_acts.make_table(
        con,
        [
            {"act_id": f"Q-{place}", "kind": kind, "feed": "school.census", "expectation": "one", "row_key": row, "until": until}
            | {"reason": "because", "author": "a", "decided_at": dt.datetime(2026, 3, 1), "status": "stands"}
            for place, (kind, row, until) in enumerate(taken)
        ],
    )  # fmt: skip
    for name in ("treated_failure", "treated_standard"):
        con.execute(f"CREATE OR REPLACE TABLE {name} AS {(SQL / f'{name}.sql').read_text(encoding='utf-8')}")
    found = con.execute(
        "SELECT row_key, greatest(t.waived_until, s.waived_until), coalesce(t.expected_by, s.promised_by) FROM failing_spell "
        "LEFT JOIN treated_failure t USING (raw_row_id) LEFT JOIN treated_standard s ON s.expectation = failing_spell.expectation"
    ).fetchall()
    assert {row: (waived, promised) for row, waived, promised in found} == expected_rows
    standard = con.execute("SELECT waived, waived_until, expected_by FROM treated_standard").fetchone()
    if standard is None:
        assert not taken
        return
    assert standard[1] == whole["waive"]
    if whole["waive"] is None:
        assert standard[0] == sum(waived is not None for waived, _ in expected_rows.values())
    # Where nothing that is promised is left, the promise of the whole is still told.
    assert standard[2] == min(promises, default=whole["expect"])

"""Linking and identifying a hundred thousand and a million person records, beside Splink alone on the same records."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.isolated import run
from bench.results import Result, Row, seconds, times

TITLE = "link + identify, beside Splink alone"
_THRESHOLD = 0.95


def measure(work: Path, *, quick: bool) -> Result:
    sizes = (20_000, 100_000) if quick else (100_000, 1_000_000)
    repeats = 1 if quick else 3
    rows, headline, counts = [], "", []
    for records in sizes:
        core = work / f"{records}/core.duckdb"
        core.parent.mkdir(parents=True)
        made = run("bench.people:make", core=core, records=records)
        ours, peers = [], []
        for _ in range(repeats):
            copy = work / "again"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(core.parent, copy)
            peers.append(run("bench.linkage:splink_alone", core=copy / core.name))
            ours.append(run("bench.linkage:tessera", core=copy / core.name))
        found, peer = _middle(ours), _middle(peers)
        whole, trained = found["link"] + found["identify"], peer["train"] + peer["link"]
        label = f"{made['records']:,} records"
        rows += [
            Row(
                f"{label}: link + identify (clusters, IDs, ledger, households)",
                f"{seconds(whole, found['cpu'])}: link {found['link']:.2f}, identify {found['identify']:.2f}",
                f"{seconds(trained, peer['cpu'])}: train {peer['train']:.2f}, predict + cluster {peer['link']:.2f}",
                times(whole / trained),
                "≤ 1.3× at 1 M records",
            ),
            Row(
                f"{label}: the same, beside predict + cluster alone",
                seconds(whole),
                seconds(peer["link"]),
                times(whole / peer["link"]),
            ),
            Row(
                f"{label}: peak memory",
                f"{found['peak_mb']:,.0f} MB",
                f"{peer['peak_mb']:,.0f} MB",
                times(found["peak_mb"] / peer["peak_mb"]),
            ),
        ]
        counts.append(
            f"{label} of {made['persons']:,} people: Tessera found {found['people']:,.0f}, Splink {peer['people']:,.0f} (bench/people.py "
            "is made for speed, not to judge either; see tessera linkage evaluate)."
        )
        headline = f"{label}: {whole:.1f} s, {times(whole / trained)} Splink alone, {found['peak_mb']:,.0f} MB"
    return Result(
        "linkage",
        TITLE,
        [
            "Input: made-up person records (bench/people.py), current rows of person_record, person_identifier and person_address in an "
            "encrypted core; nothing linked before, so that every person is new. Splink alone: the same rows read from the same core, "
            "Splink's own comparisons of names, birth date, postcode, sex and NHS number, its u and m estimated as its manual says, four "
            f"blocking rules, predict and cluster at {_THRESHOLD}; no identifiers that last, no ledger, no rules.",
            *counts,
        ],
        headline,
        rows,
        repeats,
    )


def _middle(found: list[dict[str, Any]]) -> dict[str, float]:
    return {name: median(one[name] for one in found) for name in found[0]}


def tessera(core: str) -> dict[str, Any]:
    """link() and identify() over a core that nothing was linked in."""
    import linkage
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    path, today = Path(core), dt.date(2026, 11, 16)
    keys = load_keys(path.with_name("tessera.keys"), {})
    with Warehouse(path, keys) as warehouse:
        cpu, start = time.process_time(), time.perf_counter()
        linkage.link(warehouse.con, load_id="bench", today=today)
        linked = time.perf_counter()
        linkage.identify(
            warehouse.con, load_id="bench", now=dt.datetime(2026, 11, 16, 2), today=today, secret=keys.raw("identity")
        )
        identified = time.perf_counter()
        people = warehouse.con.execute("SELECT count(*) FROM person WHERE retired_load_id IS NULL").fetchall()[0][0]
        cpu = time.process_time() - cpu
    return {"link": linked - start, "identify": identified - linked, "cpu": cpu, "people": people}


def splink_alone(core: str) -> dict[str, Any]:
    """What a careful user of Splink would write, on the same rows."""
    import logging

    import splink.comparison_library as compare
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    from warehouse.engine import attach, connect
    from warehouse.keys import load_keys

    logging.getLogger("splink").setLevel(logging.ERROR)
    path = Path(core)
    con = connect()
    attach(con, path, "core", load_keys(path.with_name("tessera.keys"), {}).text("core"), read_only=True)
    cpu, start = time.process_time(), time.perf_counter()
    con.execute(
        "CREATE TABLE records AS SELECT record_id AS unique_id, lower(given_names) AS given, lower(family_name) AS family, birth_date, "
        "postcode, sex, nhs_number FROM core.person_record WHERE superseded_at IS NULL"
    )
    api = DuckDBAPI(connection=con)
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            compare.JaroWinklerAtThresholds("given", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            compare.JaroWinklerAtThresholds("family", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            compare.DateOfBirthComparison("birth_date", input_is_string=False),
            compare.ExactMatch("postcode"),
            compare.ExactMatch("sex"),
            compare.ExactMatch("nhs_number"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("nhs_number"),
            block_on("birth_date", "family"),
            block_on("birth_date", "given"),
            block_on("family", "given", "postcode"),
        ],
    )
    linker = Linker(api.register("records", dataset_display_name="records_rows"), settings)
    linker.training.estimate_probability_two_random_records_match([block_on("nhs_number")], recall=0.3)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("birth_date", "family"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("given", "family", "postcode"))
    trained = time.perf_counter()
    scored = linker.inference.predict(threshold_match_probability=_THRESHOLD)
    clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(
        scored, threshold_match_probability=_THRESHOLD
    )
    people = con.execute(f"SELECT count(DISTINCT cluster_id) FROM {clustered.physical_name}").fetchall()[0][0]
    return {
        "train": trained - start,
        "link": time.perf_counter() - trained,
        "cpu": time.process_time() - cpu,
        "people": people,
    }

"""Linking and identifying a hundred thousand and a million person records, and a night of one in a hundred more, beside Splink alone.

Splink alone is measured twice. With the same settings: our comparisons, weights and blocking keys, given to it ready made, so that
it pays for neither reading nor keys; it blocks, scores and clusters, and knows no rule, veto, question, identifier or ledger. That is
the floor. And as a careful user would write it: Splink's own comparisons and training. `--large` adds five million.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench import peers
from bench.isolated import run
from bench.results import Result, Row, seconds, times

TITLE = "link + identify, a full run and a night, beside Splink alone"
_THRESHOLD = 0.95
_REPEATS = {100_000: 3}
# The targets.
_MEMORY = {20_000: "2GB", 100_000: "2GB", 1_000_000: "2GB", 5_000_000: "6GB"}
_RECORDLINKAGE_UP_TO = 100_000


def measure(work: Path, *, quick: bool, large: bool = False) -> Result:
    sizes = [20_000] if quick else [100_000, 1_000_000]
    if large:
        sizes.append(5_000_000)
    rows: list[Row] = []
    counts: list[str] = []
    headline = ""
    for records in sizes:
        headline = _measure(work / str(records), records, rows, counts)
    return Result(
        "linkage",
        TITLE,
        [
            "Input: made-up person records (bench/people.py), current rows of person_record, person_identifier and person_address in an "
            "encrypted core; first nothing is linked before, so that every person is new; then a night brings one record in a hundred "
            "more, of people known and new, and links, identifies and writes the ledger. The limit of DuckDB's memory is that of the target.",
            " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
            "recordlinkage (a peer's environment, bench/peers): index by birth date, compare names by Jaro-Winkler, postcode and sex, ECM; no "
            "clusters. 100,000 records: medians of 3; more: once.",
            *counts,
        ],
        headline,
        rows,
        1,
    )


def _measure(work: Path, records: int, rows: list[Row], counts: list[str]) -> str:
    later = records // 100
    core = work / "core.duckdb"
    core.parent.mkdir(parents=True)
    made = run("bench.people:make", core=core, records=records, later=later)
    found: dict[str, list[dict[str, Any]]] = {"full": [], "night": [], "same": [], "careful": []}
    memory = _MEMORY[records]
    for _ in range(_REPEATS.get(records, 1)):
        copy = work / "again"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(core.parent, copy, ignore=shutil.ignore_patterns("again"))
        again = copy / core.name
        found["same"].append(run("bench.linkage:splink_with_our_settings", core=again))
        found["careful"].append(run("bench.linkage:splink_alone", core=again))
        found["full"].append(run("bench.linkage:tessera", core=again, load_id="bench1", memory=memory))
        run("bench.people:arrive", core=again, records=records, later=later)
        found["night"].append(run("bench.linkage:tessera", core=again, load_id="bench2", memory=memory))
    full, night, same, careful = (_middle(found[name]) for name in ("full", "night", "same", "careful"))
    whole, whole_night = full["link"] + full["identify"], night["link"] + night["identify"]
    floor, trained = same["predict"] + same["cluster"], careful["train"] + careful["link"]
    label, delta = f"{made['records']:,} records", f"{later:,} more"
    rows += [
        Row(
            f"{label}: link + identify (clusters, IDs, ledger, households)",
            f"{seconds(whole, full['cpu'])}: link {full['link']:.2f}, identify {full['identify']:.2f}",
            f"Splink, same settings: {seconds(floor, same['cpu'])}: block and score {same['predict']:.2f}, cluster {same['cluster']:.2f}",
            times(whole / floor),
            "≤ 1.3× at 1 M records",
        ),
        Row(
            f"{label}: the same",
            seconds(whole, full["cpu"]),
            f"Splink, careful user: {seconds(trained, careful['cpu'])}: train {careful['train']:.2f}, "
            f"predict + cluster {careful['link']:.2f}",
            times(whole / trained),
        ),
        Row(
            f"{label}: peak memory",
            f"{full['peak_mb']:,.0f} MB",
            f"Splink, careful user: {careful['peak_mb']:,.0f} MB",
            times(full["peak_mb"] / careful["peak_mb"]),
            "≤ 2 GB at 1 M, ≤ 6 GB at 5 M",
        ),
        Row(
            f"{label} and {delta}: a night",
            f"{seconds(whole_night, night['cpu'])}: link {night['link']:.2f}, identify {night['identify']:.2f}; {night['decided']:,.0f} "
            f"records decided; {night['peak_mb']:,.0f} MB",
            f"our full run: {seconds(whole)}",
            times(whole_night / whole),
            "≤ 0.25×, and ≤ 3 s at 1 M",
        ),
        Row(
            f"{label} and {delta}: a night, beside Splink anew",
            seconds(whole_night),
            f"Splink, same settings: {seconds(floor)}",
            times(whole_night / floor),
        ),
    ]
    if records <= _RECORDLINKAGE_UP_TO:  # a million are more pairs than its memory holds
        table = work / "rows.csv"
        run("bench.linkage:write_rows", core=core, into=table)
        other = peers.run("recordlinkage_ecm", rows=table)
        rows.append(
            Row(
                f"{label}: the same as at first",
                seconds(whole, full["cpu"]),
                f"recordlinkage: {seconds(other['wall'], other['cpu'])}, {other['pairs']:,} pairs",
                times(whole / other["wall"]),
            )
        )
    counts.append(
        f"{label} of {made['persons']:,} people: Tessera found {full['people']:,.0f}, Splink with the same settings {same['people']:,.0f}, "
        f"a careful user's {careful['people']:,.0f} (made for speed, not to judge either; see tessera linkage evaluate)."
    )
    return f"{label}: {whole:.1f} s, {times(whole / floor)} Splink alone, {full['peak_mb']:,.0f} MB; night {whole_night:.1f} s"


def _middle(found: list[dict[str, Any]]) -> dict[str, float]:
    return {name: median(one[name] for one in found) for name in found[0]}


def tessera(core: str, load_id: str, memory: str) -> dict[str, Any]:
    """link() and identify() over a core, within so much memory."""
    import linkage
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    path, today = Path(core), dt.date(2026, 11, 16)
    keys = load_keys(path.with_name("tessera.keys"), {})
    with Warehouse(path, keys, memory_limit=memory) as warehouse:
        cpu, start = time.process_time(), time.perf_counter()
        report = linkage.link(warehouse.con, load_id=load_id, today=today)
        linked = time.perf_counter()
        linkage.identify(
            warehouse.con, load_id=load_id, now=dt.datetime(2026, 11, 16, 2), today=today, secret=keys.raw("identity")
        )
        identified = time.perf_counter()
        people = warehouse.con.execute("SELECT count(*) FROM person WHERE retired_load_id IS NULL").fetchall()[0][0]
        cpu = time.process_time() - cpu
    return {
        "link": linked - start,
        "identify": identified - linked,
        "cpu": cpu,
        "people": people,
        "decided": report.decided,
    }


def splink_with_our_settings(core: str) -> dict[str, Any]:
    """The floor: Splink blocks, scores and clusters by our model; what it reads and blocks on is given, and not timed."""
    import logging

    from splink import DuckDBAPI, Linker, block_on

    from linkage.link import INPUT_COLUMNS, _splink_settings
    from linkage.model import LinkageSettings
    from linkage.prepare import fill_frequencies, prepare, scratch
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    logging.getLogger("splink").setLevel(logging.ERROR)
    path, settings = Path(core), LinkageSettings()
    model, rules = settings.model, range(len(settings.model.blocking))
    with (
        Warehouse(path, load_keys(path.with_name("tessera.keys"), {})) as warehouse,
        scratch(warehouse.con) as cursor,
    ):
        records = prepare(cursor, settings, dt.date(2026, 11, 16))
        fill_frequencies(cursor, model)
        keys = " UNION ALL ".join(
            f"SELECT DISTINCT k.rid, {number} AS rule, k.key FROM ({model.blocking[number].sql}) k(rid, key) SEMI JOIN linkable USING (rid)"
            for number in rules
        )
        lists = ", ".join(f"list(key) FILTER (rule = {number}) AS key_{number}" for number in rules)
        cursor.execute(
            f"CREATE TABLE keyed AS WITH keys AS MATERIALIZED ({keys}), few AS (SELECT rule, key FROM keys GROUP BY ALL "
            f"HAVING count(*) BETWEEN 2 AND {settings.max_block}) SELECT rid, {lists} FROM keys SEMI JOIN few USING (rule, key) GROUP BY rid"
        )
        wanted = ", ".join((*INPUT_COLUMNS, *(f"key_{number}" for number in rules)))
        cursor.execute(f"CREATE TABLE linkage_input AS SELECT {wanted} FROM person LEFT JOIN keyed USING (rid)")
        cursor.execute("DROP TABLE keyed; DROP TABLE person; DROP TABLE look; DROP TABLE known; DROP TABLE name_token")
        cpu, start = time.process_time(), time.perf_counter()
        api = DuckDBAPI(connection=cursor)
        blocking = [
            block_on(f"key_{number}", arrays_to_explode=[f"key_{number}"]).get_blocking_rule("duckdb").as_dict()
            for number in rules
        ]
        linker = Linker(
            api.register("linkage_input", dataset_display_name="linkage_input_rows"),
            _splink_settings(model, model.prior(records)) | {"blocking_rules_to_generate_predictions": blocking},
            log_level=None,
            validate_settings=False,
        )
        for column in model.frequent():
            linker.table_management.register_term_frequency_lookup(
                api.register(f"frequency_{column}", dataset_display_name=f"frequency_{column}_rows"), column
            )
        scored = linker.inference.predict(warning_mode="never")
        predicted = time.perf_counter()
        clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(
            scored, threshold_match_probability=_THRESHOLD
        )
        done, cpu = time.perf_counter(), time.process_time() - cpu
        people = cursor.execute(f"SELECT count(DISTINCT cluster_id) FROM {clustered.physical_name}").fetchall()[0][0]
    return {"predict": predicted - start, "cluster": done - predicted, "cpu": cpu, "people": people}


def write_rows(core: str, into: str) -> dict[str, Any]:
    """The made-up rows as a table that a peer's environment can read: these people do not exist."""
    from warehouse.engine import attach, connect
    from warehouse.keys import load_keys

    path = Path(core)
    con = connect()
    attach(con, path, "core", load_keys(path.with_name("tessera.keys"), {}).text("core"), read_only=True)
    con.execute(
        "COPY (SELECT lower(given_names) AS given, lower(family_name) AS family, birth_date, postcode, sex FROM core.person_record "
        f"WHERE superseded_at IS NULL) TO '{into}' (HEADER)"
    )
    return {}


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

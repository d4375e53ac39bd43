"""Decides which records are about the same person, and which pairs are left to people.

What lives here: candidate pairs, Splink's scores, rules, vetoes and clustering, in that order. What must not: identifiers of persons
and their history (identity.py), and any agency. Result: `linkage_cluster` and `linkage_question` in the caller's database, written in
one transaction; the same records decided twice give the same tables, whether all at once or night by night (memory.py).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
import numpy as np
import pandas as pd

from linkage.components import Numbers, best_first, components
from linkage.memory import BeyondReachError, Memory
from linkage.model import Comparison, LinkageSettings, Model
from linkage.prepare import Finding, find, find_by_feed, prepare, scratch, sql_steps
from linkage.reached import contents

if TYPE_CHECKING:
    from splink import SettingsCreator

log = logging.getLogger(__name__)

DECISION_COLUMNS = ("kind", "record_id_a", "record_id_b", "author", "reason", "decided_at")
Decisions: TypeAlias = pd.DataFrame | Iterable[tuple[str, str, str, str, str, datetime | None]] | None

# What the comparisons of the model read.
INPUT_COLUMNS = (
    *(
        "rid",
        "given",
        "given_set",
        "given_initials",
        "given_second",
        "given_group",
        "given_sound",
        "family",
        "family_set",
        "family_group",
    ),
    *("birth", "birth_text", "birth_swap", "birth_doubtful", "precision", "age_slack"),
    *("past", "grown", "houses", "house_numbers", "house_words"),
    *("sex", "postcode", "postcodes", "nhs", "nhs_verified", "upn"),
)

STAGING = {
    "linkage_cluster": """
        CREATE TABLE IF NOT EXISTS linkage_cluster (
            record_id VARCHAR, cluster_id VARCHAR, how VARCHAR, match_probability DOUBLE, evidence VARCHAR, best_record_id VARCHAR,
            decided_by VARCHAR, rival_record_id VARCHAR, rival_probability DOUBLE, rival_evidence VARCHAR,
            set_apart VARCHAR, model VARCHAR, rule VARCHAR, levels VARCHAR, bits DOUBLE, prior_bits DOUBLE, rival_levels VARCHAR,
            rival_bits DOUBLE, applied BOOLEAN)""",
    "linkage_question": """
        CREATE TABLE IF NOT EXISTS linkage_question (
            record_id_a VARCHAR, record_id_b VARCHAR, match_probability DOUBLE, reason VARCHAR, model VARCHAR, levels VARCHAR, bits DOUBLE,
            prior_bits DOUBLE)""",
}

# Why a pair is left to a person, in words.
QUESTIONS = {
    "contested": "two people have nearly equal claims to one record: brothers, sisters or twins may be meant",
    "number_conflict": "the same number stands on records whose names or birth dates differ",
    "doubtful": "probably the same person, but not surely enough to decide without one",
    "moved_and_renamed": "same given name and birth date, but neither surname nor address agrees",
    "near_names": "given names nearly alike, both of them real names, with one birth date in one household: one child or twins",
    "other_name": "same birth date and household, different given names: a child known by another name, or twins",
    "far_birth": "same full name and address, birth dates years apart",
    "odd_name": "same birth date and household, but the given names differ and one of them is unusual",
    "half_swapped": "same birth date and home, and a given name here is a surname there: one child, or two who share a name",
    "nameless_twin": "no given name yet; birth date and household agree, and a twin may be meant",
    "nameless_home": "no name at all; birth date and home agree",
    "namesakes": "two records of one register, same full name and birth date at two homes: namesakes, or one child who moved",
    "second_key": "two records of one register, same surname and birth date, and the given name of one is a second name of the other:"
    " one child registered twice, or twins",
    "namesakes_apart": "same full name and birth date, but different numbers and no home in common: namesakes, or one child who moved",
    "near_variants": "forms of one given name on records that hold different numbers: one child or twins",
    "year_moved": "same full name, the birth date is known only in part, and no address in common",
    "near_birth": "same full name, birth dates that nearly agree, and no address in common",
    "unborn_maybe": "an unborn child and a child born when it was due; surname, mother, home or a number does not agree",
    "no_birth_known_by": "same home and surname, no birth date in common, and the given name of one is another name of the other",
    "no_birth_parent": "full name and home agree, but one has no birth date: a child, or a parent of the same name",
    "no_birth_moved": "same full name, no birth date, and no address in common",
    "crowd": "more records hang together here than one person can have",
    "blocked": "the evidence says one person, but another record of that person speaks against it",
}
RULE_WORDS = {
    "same_key": "the key by which the agency knows the person",
    "number": "same number, and neither name nor birth date contradicts it",
    "number_and_names": "same number and full name; the birth dates differ",
    "number_and_birth": "same number and birth date; a garbled given name",
    "number_near_name": "same number and birth date, given names nearly alike, nobody else competes",
    "local_number": "same number within the agency, and name and birth date agree",
    "model": "name and birth date agree",
    "partial_birth": "full name, home and what is known of the birth date agree, nobody else competes",
    "no_birth": "full name and home agree, no birth date, nobody else competes",
    "wrong_birth": "full name and home agree, the birth date is wrong on one side, nobody else competes",
    "variant_name": "birth date and household agree, the given names are forms of one name, nobody else competes",
    "nameless": "birth date, surname and home agree, no given name yet, nobody else was born that day",
    "unborn": "an unborn child of this home and of this surname or mother, and a child born when it was due; nobody else competes",
    "garbled_name": "birth date, surname and home agree, the given name is garbled, nobody else competes",
    "second_name": "birth date, home and a second name agree, the first names do not, nobody else competes",
    "witnessed": "one register holds the child under two keys, and a register of another agency has one child who is both",
    "grown": "grown up, and all that is known together leaves no doubt: nobody else competes",
    "full_name": "first, second and family name and the year of birth agree, nobody else competes",
    "must_link": "decided by a person",
}


@dataclass
class LinkageReport:
    """Counts of one night, and what was found odd about the input: no values."""

    load_id: str
    model: str
    # Why all records were decided and not only those that a change reaches; empty when it was only those.
    full_because: str = ""
    records: int = 0
    # Of this night: records decided and pairs compared. Everything below is of all records.
    decided: int = 0
    compared: int = 0
    clusters: int = 0
    potential_matches: int = 0
    by_how: dict[str, int] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def said(self) -> str:
        """What was done, and why, for the load's log."""
        how = (
            f"full run, because {self.full_because}"
            if self.full_because
            else "what changed and what hangs together with it"
        )
        return f"{how}: {self.decided} of {self.records} records decided, {self.compared} pairs compared"


def link(
    con: duckdb.DuckDBPyConnection,
    *,
    load_id: str,
    today: date,
    decisions: Decisions = None,
    settings: LinkageSettings | None = None,
) -> LinkageReport:
    """Clusters the current records and stages the result for identify(); writes nothing else."""
    settings = settings or LinkageSettings()
    try:
        report = _link(con, load_id, today, decisions, settings)
    except BeyondReachError as beyond:
        report = _link(con, load_id, today, decisions, settings, because=str(beyond))
    log.info("load %s: %s", load_id, report.said())
    return report


def _link(
    con: duckdb.DuckDBPyConnection,
    load_id: str,
    today: date,
    decisions: Decisions,
    settings: LinkageSettings,
    because: str = "",
) -> LinkageReport:
    report = LinkageReport(load_id=load_id, model=settings.model.version)
    with scratch(con) as cursor:
        report.records = contents(cursor)
        _decided(cursor, decisions)
        memory = Memory(con, cursor, settings, today, report.records, because)
        report.full_because = memory.why
        prepare(cursor, settings, today, records=report.records, common=not memory.why)
        memory.take_stock()
        report.findings = find(cursor, settings, report.records, "known" if memory.why else "now_known")
        report.findings += find_by_feed(con, settings, report.records)
        cursor.execute("""
            CREATE TABLE decision_pair AS
            SELECT x.rid AS a, y.rid AS b, kind, author, reason
            FROM decided JOIN record x ON x.record_id = one JOIN record y ON y.record_id = other
        """)
        _candidates(cursor, settings, memory, report)
        _score(cursor, settings, report)
        _judge(cursor, settings.model, memory)
        _cluster(cursor, settings, memory, report)
        _results(cursor, settings.model, report.records)
        _write(con, cursor, memory, report)
    return report


def _candidates(
    cursor: duckdb.DuckDBPyConnection, settings: LinkageSettings, memory: Memory, report: LinkageReport
) -> None:
    """`pair`: records that share a blocking key. Never two people of one notice, nor a stated adult and a stated child.

    Where a run is not full, one of the two is among the changed records.
    """
    memory.reach_numbers()
    _blocks(cursor, settings.model, memory)
    if not memory.why and memory.reach_keys():
        memory.reach_numbers()
        cursor.execute("DROP TABLE block_key; DROP TABLE block")
        _blocks(cursor, settings.model, memory)
    memory.hold_to_reach()
    cursor.execute(
        f"CREATE TABLE full_key AS SELECT rule, key, records FROM block WHERE records > {settings.max_block}"
        + ("" if memory.why else " UNION ALL SELECT * FROM full_elsewhere")
    )
    crowded = cursor.execute(
        "SELECT rule, count(*), CAST(sum(records) AS BIGINT) FROM full_key GROUP BY rule ORDER BY rule"
    ).fetchall()
    for number, keys, records in crowded:
        words = settings.model.blocking[number].words
        report.findings.append(
            Finding(
                words,
                records,
                f"{keys} key(s) of '{words}' are each on more than {settings.max_block} records; not compared",
            )
        )
    met = (
        "SELECT DISTINCT x.rid AS a, y.rid AS b FROM kept x JOIN kept y ON x.key = y.key AND x.rid < y.rid"
        if memory.why
        else "SELECT DISTINCT least(x.rid, y.rid) AS a, greatest(x.rid, y.rid) AS b"
        " FROM (SELECT * FROM kept SEMI JOIN dirty USING (rid)) x JOIN kept y ON x.key = y.key AND x.rid <> y.rid"
    )
    cursor.execute(
        f"""CREATE TABLE linkage_pair AS
        WITH kept AS (SELECT k.rid, k.key FROM block_key k SEMI JOIN block b
                      ON b.rule = k.rule AND b.key = k.key AND b.records <= {settings.max_block}),
        met AS ({met})
        SELECT '0' AS match_key, a AS join_key_l, b AS join_key_r
        FROM met JOIN person l ON l.rid = a JOIN person r ON r.rid = b
        WHERE (l.notice IS DISTINCT FROM r.notice OR l.notice IS NULL) AND coalesce(l.stated_role = r.stated_role, true)"""
    )
    cursor.execute("DROP TABLE block; DROP TABLE name_token; DROP TABLE home; DROP TABLE expecting")


def _blocks(cursor: duckdb.DuckDBPyConnection, model: Model, memory: Memory) -> None:
    """`block_key`: the keys of each record, and `block`: how many records a key has; only the keys a change reaches if not full."""
    cursor.execute("CREATE TABLE block_key (rid BIGINT, rule UTINYINT, key UBIGINT)")
    if not memory.why:
        cursor.execute(
            "CREATE OR REPLACE TABLE reached_key AS SELECT rule, key FROM kept_full_key ANTI JOIN full_elsewhere USING (rule, key)"
        )
    for number, rule in enumerate(model.blocking):
        keys = f"SELECT DISTINCT k.rid, {number}::UTINYINT AS rule, k.key FROM ({rule.sql}) k(rid, key) SEMI JOIN linkable USING (rid)"
        if not memory.why:
            cursor.execute(f"INSERT INTO reached_key SELECT rule, key FROM ({keys}) SEMI JOIN dirty USING (rid)")
            keys = f"SELECT * FROM ({keys}) SEMI JOIN reached_key USING (rule, key) ANTI JOIN full_elsewhere USING (rule, key)"
        cursor.execute(f"INSERT INTO block_key {keys}")
    cursor.execute(
        "CREATE TABLE block AS SELECT rule, key, count(*) AS records FROM block_key GROUP BY rule, key HAVING count(*) > 1"
    )


@lru_cache(maxsize=4)
def _parsed_settings(model: Model, prior: float) -> SettingsCreator:
    """Splink's settings, whose hundred conditions it parses once in a process: more work than scoring the pairs of a small council."""
    from splink import SettingsCreator
    from splink.internals.settings import Settings

    said = _splink_settings(model, prior)
    parsed = SettingsCreator(**said).get_settings("duckdb")

    class Parsed(SettingsCreator):
        def get_settings(self, sql_dialect_str: str) -> Settings:
            return parsed

    return Parsed(**said)


def _splink_settings(model: Model, prior: float) -> dict[str, Any]:
    comparisons = []
    for comparison in model.comparisons:
        levels: list[dict[str, object]] = [
            {"sql_condition": comparison.missing, "label_for_charts": "missing", "is_null_level": True}
        ]
        for level in comparison.levels:
            entry: dict[str, object] = {
                "sql_condition": level.sql or "ELSE",
                "label_for_charts": level.words,
                "m_probability": level.m,
                "u_probability": level.u,
            }
            if level.frequency_of:
                entry |= {
                    "tf_adjustment_column": level.frequency_of,
                    "tf_adjustment_weight": 1.0,
                    "tf_minimum_u_value": model.rarest,
                }
            levels.append(entry)
        comparisons.append(
            {
                "output_column_name": comparison.name,
                "comparison_levels": levels,
                "comparison_description": comparison.name,
            }
        )
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "rid",
        "probability_two_random_records_match": prior,
        "comparisons": comparisons,
        "blocking_rules_to_generate_predictions": [],
        # Splink hands on the level of agreement only together with both sides' names and dates. The weights of the parts say the same.
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": True,
    }


_BILLIONTHS = "CAST(round({} * 1e9) AS BIGINT)"


def _billionths(bits: float) -> int:
    return round(bits * 1e9)


def _predict(cursor: duckdb.DuckDBPyConnection, settings: LinkageSettings, prior: float) -> str:
    """Splink's prediction of `linkage_pair`, in this process or on a Spark cluster; the name of its table."""
    # Imported where it is used: half a second that `tessera --help` should not pay.
    from splink import DuckDBAPI, Linker, SettingsCreator

    model = settings.model
    if settings.spark is not None:
        from linkage import spark

        said = SettingsCreator(**spark.said_to_spark(_splink_settings(model, prior)))
        frequencies = {column: f"frequency_{column}" for column in model.frequent()}
        return spark.predict(cursor, "linkage_input", "linkage_pair", frequencies, said, settings.spark)
    api = DuckDBAPI(connection=cursor)
    linker = Linker(
        api.register("linkage_input", dataset_display_name="linkage_input_rows"),
        _parsed_settings(model, prior),
        log_level=None,
        validate_settings=False,
    )
    linker.table_management.register_blocked_pairs_for_predict(
        api.register("linkage_pair", dataset_display_name="linkage_pair_rows")
    )
    for column in model.frequent():
        linker.table_management.register_term_frequency_lookup(
            api.register(f"frequency_{column}", dataset_display_name=f"frequency_{column}_rows"), column
        )
    return linker.inference.predict(warning_mode="never").physical_name


def _score(cursor: duckdb.DuckDBPyConnection, settings: LinkageSettings, report: LinkageReport) -> None:
    """`scored`: Splink's weight for each pair, and each comparison's level by its code."""
    model = settings.model
    (report.compared,) = cursor.execute("SELECT count(*) FROM linkage_pair").fetchone() or (0,)
    names = [comparison.name for comparison in model.comparisons]
    if report.compared:
        # Splink finds columns by the bare name of a table, in every attached database: the names must be nobody else's. It picks the
        # records of the pairs by itself.
        cursor.execute(f"CREATE VIEW linkage_input AS SELECT {', '.join(INPUT_COLUMNS)} FROM person")
        splink_log = logging.getLogger("splink")
        before = splink_log.level
        splink_log.setLevel(logging.ERROR)
        try:
            scored = _predict(cursor, settings, model.prior(report.records))
        finally:
            splink_log.setLevel(before)
        codes = []
        for comparison in model.comparisons:
            cases = " ".join(
                f"WHEN {_billionths(level.weight)} THEN {comparison.code(level.name)}" for level in comparison.levels
            )
            weight = _BILLIONTHS.format(f"mw_{comparison.name}")
            codes.append(f"CAST(CASE {weight} {cases} ELSE -1 END AS TINYINT) AS code_{comparison.name}")
        # Splink's sum again, in whole billionths of a bit: floating point sums depend on the order that the engine happens to choose,
        # and a pair must weigh the same to the last digit whichever night it is compared in.
        parts = [f"mw_{name}" for name in names]
        parts += [f"mw_tf_adj_{entry.name}" for entry in model.comparisons if any(x.frequency_of for x in entry.levels)]
        prior = model.prior(report.records)
        bits = " + ".join(
            [str(_billionths(math.log2(prior / (1 - prior)))), *(_BILLIONTHS.format(part) for part in parts)]
        )
        cursor.execute(
            f"CREATE TABLE scored AS SELECT rid_l AS a, rid_r AS b, {bits} AS weight, {', '.join(codes)} FROM {scored}"
        )
        cursor.execute(f"DROP TABLE {scored}")
    else:
        empty = ", ".join(f"0 AS code_{name}" for name in names)
        cursor.execute(
            f"CREATE TABLE scored AS SELECT rid AS a, rid AS b, 0 AS weight, {empty} FROM person WHERE false"
        )


def _judge(cursor: duckdb.DuckDBPyConnection, model: Model, memory: Memory) -> None:
    """`judged`: the pairs worth anything among the records that are decided tonight, those compared before included."""
    cursor.execute("CREATE VIEW compared_side AS SELECT a AS rid FROM scored UNION SELECT b FROM scored")
    places = {
        "number": "number" if memory.why else "(SELECT * FROM number SEMI JOIN compared_side USING (rid))",
        "match_at": str(model.match_at),
        "potential_at": str(model.potential_at),
        "weight_nhs": str(_billionths(model.comparison("nhs").level("same").weight)),
        "weight_upn": str(_billionths(model.comparison("upn").level("same").weight)),
        "family_known": str(model.comparison("family").code("known")),
        "birth_exact": str(model.comparison("birth").code("exact")),
        "postcode_known": str(model.comparison("postcode").code("known")),
        # Full name and whole birth date; a surname that is not known says nothing against it.
        "same_name_and_day": f"(code_given >= {model.comparison('given').code('known_by')}"
        f" AND code_birth = {model.comparison('birth').code('exact')} AND code_family <> {model.comparison('family').code('different')})",
        "claim": "("
        + " + ".join(
            f"CASE code_{comparison.name} "
            + " ".join(
                f"WHEN {comparison.code(level.name)} THEN {_billionths(level.weight)}" for level in comparison.levels
            )
            + " ELSE 0 END"
            for comparison in model.comparisons
        )
        + ")",
        "codes": ", ".join(f"code_{comparison.name}" for comparison in model.comparisons),
        "levels": ", ".join(f"{_level(comparison)} AS {comparison.name}" for comparison in model.comparisons),
    }
    _run_steps(cursor, "judge.sql", places)
    memory.reach()
    _run_steps(cursor, "settle.sql", places)
    cursor.execute(
        "DROP TABLE facts; DROP VIEW compared_side; DROP TABLE IF EXISTS scored; DROP TABLE IF EXISTS linkage_pair"
    )
    cursor.execute("DROP TABLE number; DROP TABLE number_claim; DROP TABLE shared_number; DROP TABLE trusted")


def _run_steps(cursor: duckdb.DuckDBPyConnection, file: str, places: dict[str, str]) -> None:
    for _name, sql in sql_steps(file):
        for place, value in places.items():
            sql = sql.replace("{" + place + "}", value)
        cursor.execute(sql)


def _decided(cursor: duckdb.DuckDBPyConnection, decisions: Decisions) -> None:
    """`decided`: the last word of people on each pair of current records, in the order of their names."""
    if isinstance(decisions, pd.DataFrame):
        rows = decisions[list(DECISION_COLUMNS)].values.tolist()
    else:
        rows = [list(row) for row in decisions or ()]
    cursor.execute(
        "CREATE TABLE decision (kind VARCHAR, record_id_a VARCHAR, record_id_b VARCHAR, author VARCHAR, reason VARCHAR,"
        " decided_at TIMESTAMP)"
    )
    if rows:
        cursor.executemany("INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?)", rows)
    cursor.execute("""
        CREATE TABLE decided AS
        SELECT least(record_id_a, record_id_b) AS one, greatest(record_id_a, record_id_b) AS other, kind, author, reason
        FROM decision SEMI JOIN content x ON x.record_id = record_id_a SEMI JOIN content y ON y.record_id = record_id_b
        WHERE record_id_a <> record_id_b
        -- Of two decisions at one moment the cautious one stands.
        QUALIFY row_number() OVER (PARTITION BY one, other ORDER BY decided_at DESC NULLS LAST, kind, author, reason) = 1
    """)


def _numbers(cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Numbers]:
    return {name: np.asarray(values) for name, values in cursor.execute(sql).fetchnumpy().items()}


def _put(cursor: duckdb.DuckDBPyConnection, name: str, columns: dict[str, Numbers]) -> None:
    cursor.register("arriving", pd.DataFrame(columns))
    cursor.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM arriving")
    cursor.unregister("arriving")


def _cluster(
    cursor: duckdb.DuckDBPyConnection, settings: LinkageSettings, memory: Memory, report: LinkageReport
) -> None:
    """`final`: rid, cluster of the records that are decided.

    Components without a veto stand as they are; contested ones are resolved best evidence first.
    """
    size = (cursor.execute("SELECT count(*) FROM record").fetchone() or (0,))[0]
    cursor.execute("""
        CREATE TABLE edge AS
        SELECT a, b, tier, bits FROM judged
        UNION ALL SELECT a, b, -1, 0 FROM decision_pair WHERE kind = 'must_link' AND a IN (SELECT rid FROM scope)
    """)
    _too_many(cursor, size, settings, memory, report)
    edges = _numbers(cursor, "SELECT a, b FROM edge")
    label = components(size, edges["a"], edges["b"])
    sizes = np.bincount(label, minlength=size)
    grouped = np.flatnonzero(sizes[label] > 1)
    _put(cursor, "member", {"rid": grouped, "component": label[grouped]})
    model = settings.model
    bits = {"contest_bits": str(model.contest_bits), "thin_contest_bits": str(model.thin_contest_bits)}
    _run_steps(cursor, "veto.sql", bits | {"given_known_by": str(model.comparison("given").code("known_by"))})

    free = _numbers(
        cursor,
        "SELECT a, b FROM edge JOIN member ON member.rid = edge.a WHERE tier <= 3"
        " AND component NOT IN (SELECT component FROM veto)",
    )
    used_a, used_b = [free["a"]], [free["b"]]
    fought = _numbers(
        cursor,
        "SELECT component, e.a, e.b, e.tier FROM edge e JOIN member ON member.rid = e.a"
        " ANTI JOIN contest k ON k.a = e.a AND k.b = e.b WHERE tier <= 3 AND component IN (SELECT component FROM veto)"
        " ORDER BY component, tier, round(bits, 6) DESC, e.a, e.b",
    )
    vetoes = _numbers(
        cursor,
        "SELECT component, a, b, CASE WHEN kind = 'decision' THEN 0 WHEN lasting THEN 1 ELSE 2 END AS force FROM veto"
        " ORDER BY component, a, b",
    )
    against: dict[int, tuple[list[tuple[int, int]], ...]] = {}
    for component, a, b, force in zip(
        *(vetoes[name].tolist() for name in ("component", "a", "b", "force")), strict=True
    ):
        against.setdefault(component, ([], [], []))[force].append((a, b))
    rows = zip(*(fought[name].tolist() for name in ("component", "a", "b", "tier")), strict=True)
    # A contested pair speaks against its two clusters as well: they must not meet by way of another, no better, pair.
    disputed: dict[int, list[tuple[int, int]]] = {}
    claims: dict[tuple[int, int], float] = {}
    pairs = _numbers(
        cursor,
        "SELECT component, j.a, j.b, round(claim, 6) AS claim, k.a IS NOT NULL AS contested FROM judged j"
        " JOIN member ON member.rid = j.a LEFT JOIN contest k ON k.a = j.a AND k.b = j.b"
        " WHERE j.tier IN (2, 3) AND component IN (SELECT m.component FROM contest JOIN member m ON m.rid = contest.a) ORDER BY ALL",
    )
    for component, a, b, claim, is_contested in zip(
        *(pairs[name].tolist() for name in ("component", "a", "b", "claim", "contested")), strict=True
    ):
        claims[a, b] = claim
        if is_contested:
            disputed.setdefault(component, []).append((a, b))
    kept: list[tuple[int, int]] = []
    for component, group in groupby(rows, key=lambda row: row[0]):
        best = [(a, b, tier) for _, a, b, tier in group]
        members = {rid for a, b, _ in best for rid in (a, b)}
        decided, lasting, soft = against[component]
        kept += best_first(
            members,
            best,
            decided=decided,
            lasting=lasting,
            soft=soft,
            support=[(a, b) for a, b, _ in best],
            contested=disputed.get(component, ()),
            claims=claims,
            margin=model.contest_bits,
        )
    if kept:
        used = np.array(kept, dtype=np.int64)
        used_a.append(used[:, 0])
        used_b.append(used[:, 1])
    final = components(size, np.concatenate(used_a), np.concatenate(used_b))
    cursor.execute("DROP TABLE person; DROP TABLE weighed; DROP TABLE edge")
    scope = _numbers(cursor, "SELECT rid FROM scope ORDER BY rid")["rid"]
    report.decided = len(scope)
    _put(cursor, "final", {"rid": scope, "cluster": final[scope]})


def _too_many(
    cursor: duckdb.DuckDBPyConnection, size: int, settings: LinkageSettings, memory: Memory, report: LinkageReport
) -> None:
    """Where more records hang together than one person has, only numbers and decisions count; the rest is for people."""
    edges = _numbers(cursor, "SELECT a, b FROM edge")
    label = components(size, edges["a"], edges["b"])
    sizes = np.bincount(label, minlength=size)
    crowd = np.flatnonzero(sizes[label] > settings.max_component)
    cursor.execute("CREATE TABLE crowd (rid BIGINT)")
    everywhere = len(crowd) + memory.crowded_elsewhere()
    if everywhere:
        report.findings.append(
            Finding(
                "records",
                everywhere,
                f"{everywhere} records hang together in groups of more than {settings.max_component}; left apart",
            )
        )
    if not len(crowd):
        return
    _put(cursor, "crowd", {"rid": crowd})
    cursor.execute("DELETE FROM edge WHERE tier >= 2 AND a IN (SELECT rid FROM crowd)")
    edges = _numbers(cursor, "SELECT a, b FROM edge")
    label = components(size, edges["a"], edges["b"])
    sizes = np.bincount(label, minlength=size)
    still = np.flatnonzero(sizes[label] > settings.max_component)
    if len(still):
        _put(cursor, "still", {"rid": still})
        cursor.execute("DELETE FROM edge WHERE tier >= 0 AND a IN (SELECT rid FROM still)")


def _words(model: Model) -> str:
    """SQL for the comparisons of a pair in words: what speaks for, then what speaks against."""
    parts = {True: [], False: []}  # type: dict[bool, list[str]]
    for comparison in model.comparisons:
        for speaks_for in (True, False):
            cases = " ".join(
                f"WHEN {comparison.code(level.name)} THEN '{level.words}'"
                for level in comparison.levels
                if (level.weight > 0) is speaks_for
            )
            if cases:
                parts[speaks_for].append(f"CASE code_{comparison.name} {cases} END")
    for_it, against = (f"concat_ws(', ', {', '.join(parts[side])})" for side in (True, False))
    return f"{for_it} || CASE WHEN {against} = '' THEN '' ELSE '; against: ' || {against} END"


def _level(comparison: Comparison, before: str = "") -> str:
    """SQL for the level of a comparison by its name, with something before it."""
    cases = " ".join(f"WHEN {comparison.code(level.name)} THEN '{before}{level.name}'" for level in comparison.levels)
    return f"CASE code_{comparison.name} {cases} END"


def _levels(model: Model) -> str:
    """SQL for the comparisons of a pair by name, `given:exact family:known`: what a picture of the weights is drawn from."""
    return f"concat_ws(' ', {', '.join(_level(comparison, f'{comparison.name}:') for comparison in model.comparisons)})"


def _cases(column: str, words: dict[str, str]) -> str:
    return f"CASE {column} " + " ".join(f"WHEN '{name}' THEN '{text}'" for name, text in words.items()) + " END"


def _results(cursor: duckdb.DuckDBPyConnection, model: Model, records: int) -> None:
    """`cluster_row` and `question_row`: what link() hands on, without a person's value in it."""
    codes = ", ".join(f"code_{comparison.name}" for comparison in model.comparisons)
    prior = math.log2(model.prior(records) / (1 - model.prior(records)))
    # Millions of pairs agree and differ in a few hundred ways: each is put into words once.
    cursor.execute(f"""
        CREATE TABLE said AS
        SELECT *, {_words(model)} AS words, {_levels(model)} AS levels FROM (SELECT DISTINCT {codes} FROM judged)
    """)
    cursor.execute("""
        CREATE TABLE side AS
        SELECT a AS own, b AS other, fa.cluster = fb.cluster AS together, judged.* FROM judged
            JOIN final fa ON fa.rid = a JOIN final fb ON fb.rid = b
        UNION ALL
        SELECT b, a, fa.cluster = fb.cluster, judged.* FROM judged JOIN final fa ON fa.rid = a JOIN final fb ON fb.rid = b
    """)
    cursor.execute(f"""
        CREATE TABLE best AS
        SELECT own, other, rule, tier, likelihood, bits, words, levels FROM side JOIN said USING ({codes})
        WHERE side.rowid IN (SELECT arg_min(rowid, (tier, -round(bits, 6), other)) FROM side WHERE together GROUP BY own)
    """)
    cursor.execute(f"""
        CREATE TABLE rival AS
        SELECT own, other, likelihood, bits, words, levels FROM side JOIN said USING ({codes})
        WHERE NOT together AND NOT EXISTS (
            SELECT 1 FROM decision_pair d JOIN final x ON x.rid = d.a JOIN final y ON y.rid = d.b JOIN final fo ON fo.rid = own
            JOIN final ft ON ft.rid = other
            WHERE d.kind = 'seal' AND least(x.cluster, y.cluster) = least(fo.cluster, ft.cluster)
              AND greatest(x.cluster, y.cluster) = greatest(fo.cluster, ft.cluster))
        QUALIFY row_number() OVER (PARTITION BY own ORDER BY round(bits, 6) DESC, other) = 1
    """)
    cursor.execute(f"""
        CREATE VIEW cluster_row AS
        WITH sizes AS (SELECT cluster, count(*) AS members FROM final GROUP BY cluster),
        told AS (
            SELECT own, other, author FROM (
                SELECT a AS own, b AS other, author FROM decision_pair WHERE kind = 'must_link'
                UNION ALL SELECT b, a, author FROM decision_pair WHERE kind = 'must_link')
            JOIN final x ON x.rid = own JOIN final y ON y.rid = other WHERE x.cluster = y.cluster
            QUALIFY row_number() OVER (PARTITION BY own ORDER BY other) = 1
        )
        SELECT r.record_id, head.record_id AS cluster_id,
               CASE WHEN members = 1 THEN 'single' WHEN told.own IS NOT NULL THEN 'clerical' WHEN best.tier <= 1 THEN 'identifier'
                    ELSE 'probabilistic' END AS how,
               CASE WHEN members = 1 THEN NULL WHEN told.own IS NOT NULL OR best.tier <= 1 THEN 1.0
                    -- A rule on thin evidence holds at least what the model asks for.
                    ELSE round(greatest(best.likelihood, {model.match_at}), 6) END AS match_probability,
               CASE WHEN members = 1 THEN 'no other record is surely about this person'
                    WHEN told.own IS NOT NULL THEN 'decided by a person'
                    -- A key may be all that two records have in common.
                    ELSE {_cases("best.rule", RULE_WORDS)} || CASE WHEN best.words = '' OR best.words[1] = ';' THEN '' ELSE ': ' END
                         || best.words END AS evidence,
               CASE WHEN members > 1 THEN coalesce(t.record_id, o.record_id) END AS best_record_id,
               CASE WHEN told.own IS NOT NULL THEN told.author WHEN members = 1 OR best.tier = 2 THEN '{model.version}'
                    ELSE 'rule ' || best.rule END AS decided_by,
               v.record_id AS rival_record_id, round(rival.likelihood, 6) AS rival_probability, rival.words AS rival_evidence,
               apart.kind AS set_apart, '{model.version}' AS model, best.rule, best.levels, best.bits, {prior!r} AS prior_bits,
               rival.levels AS rival_levels, rival.bits AS rival_bits
        FROM final f LEFT JOIN (
            -- A record that people keep apart from another; a seal outranks a plain no.
            SELECT rid, max(kind) AS kind FROM (
                SELECT a AS rid, kind FROM decision_pair WHERE kind <> 'must_link'
                UNION ALL SELECT b, kind FROM decision_pair WHERE kind <> 'must_link') GROUP BY rid) apart ON apart.rid = f.rid
        JOIN record r ON r.rid = f.rid JOIN record head ON head.rid = f.cluster JOIN sizes ON sizes.cluster = f.cluster
        LEFT JOIN best ON best.own = f.rid LEFT JOIN record o ON o.rid = best.other
        LEFT JOIN told ON told.own = f.rid LEFT JOIN record t ON t.rid = told.other
        LEFT JOIN rival ON rival.own = f.rid LEFT JOIN record v ON v.rid = rival.other
    """)
    # One question per two persons, the strongest; none where people have answered, and none across a seal by any path.
    cursor.execute(f"""
        CREATE VIEW question_row AS
        WITH asked AS (
            SELECT s.*, fa.cluster AS ca, fb.cluster AS cb,
                   CASE WHEN k.a IS NOT NULL THEN 'contested' WHEN s.a IN (SELECT rid FROM crowd) THEN 'crowd'
                        WHEN s.tier = 9 THEN s.rule ELSE 'blocked' END AS topic
            FROM side s JOIN final fa ON fa.rid = s.a JOIN final fb ON fb.rid = s.b LEFT JOIN contest k ON k.a = s.a AND k.b = s.b
            WHERE s.own = s.a AND NOT s.together AND NOT coalesce(k.lost, false)
        ),
        vetoed AS (
            SELECT least(x.cluster, y.cluster) AS ca, greatest(x.cluster, y.cluster) AS cb,
                   bool_or(v.kind IN ('decision', 'notice', 'role')) AS settled, bool_or(v.kind IN ('source', 'number')) AS refused,
                   bool_or(v.kind = 'number') AS numbered
            FROM veto v JOIN final x ON x.rid = v.a JOIN final y ON y.rid = v.b GROUP BY ALL
        ),
        alone AS (SELECT cluster FROM final GROUP BY cluster HAVING count(*) = 1),
        chosen AS (
            SELECT a.* FROM asked a
            LEFT JOIN vetoed v ON v.ca = least(a.ca, a.cb) AND v.cb = greatest(a.ca, a.cb)
            WHERE NOT coalesce(v.settled, false)
              AND (a.ca, a.cb) NOT IN (SELECT (least(x.cluster, y.cluster), greatest(x.cluster, y.cluster)) FROM decision_pair d
                                       JOIN final x ON x.rid = d.a JOIN final y ON y.rid = d.b WHERE d.kind <> 'must_link')
              -- Where both have better company, being refused is the right answer and no question.
              AND (NOT coalesce(v.refused, false) OR topic IN ('number_conflict', 'contested')
                   -- That one register has two keys is here the question itself.
                   OR (topic IN ('namesakes', 'second_key') AND NOT v.numbered)
                   OR (topic = 'blocked' AND (a.ca IN (SELECT cluster FROM alone) OR a.cb IN (SELECT cluster FROM alone))))
            QUALIFY row_number() OVER (PARTITION BY least(a.ca, a.cb), greatest(a.ca, a.cb)
                                       ORDER BY topic <> 'number_conflict', round(bits, 6) DESC, a, b) = 1
        )
        SELECT x.record_id AS record_id_a, y.record_id AS record_id_b, round(likelihood, 6) AS match_probability,
               {_cases("topic", QUESTIONS)} || ' (' || words || ')' AS reason,
               '{model.version}' AS model, levels, bits, {prior!r} AS prior_bits
        FROM chosen JOIN said USING ({codes}) JOIN record x ON x.rid = chosen.a JOIN record y ON y.rid = chosen.b
    """)


def _write(
    con: duckdb.DuckDBPyConnection, cursor: duckdb.DuckDBPyConnection, memory: Memory, report: LinkageReport
) -> None:
    (source,) = cursor.execute("SELECT current_database()").fetchone() or ("",)
    source = f"{source}.main"
    con.execute("BEGIN")
    try:
        scope = f"SELECT record_id FROM {source}.record SEMI JOIN {source}.scope USING (rid)"
        again = f"{scope} UNION ALL SELECT record_id FROM {source}.departed"
        for table, rows, records in (
            ("linkage_cluster", "cluster_row", ("record_id",)),
            ("linkage_question", "question_row", ("record_id_a", "record_id_b")),
        ):
            if memory.why:
                con.execute(f"DROP TABLE IF EXISTS {table}")  # one that an earlier version made may lack columns
                con.execute(STAGING[table])
            else:
                con.execute(f"DELETE FROM {table} WHERE " + " OR ".join(f"{name} IN ({again})" for name in records))
            con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {source}.{rows} ORDER BY {', '.join(records)}")
        memory.keep(con, source)
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    report.by_how = dict(con.execute("SELECT how, count(*) FROM linkage_cluster GROUP BY how ORDER BY how").fetchall())
    report.by_rule = dict(
        con.execute(
            "SELECT rule, count(*) FROM linkage_judged WHERE NOT set_aside GROUP BY rule ORDER BY rule"
        ).fetchall()
    )
    (report.clusters,) = con.execute("SELECT count(DISTINCT cluster_id) FROM linkage_cluster").fetchone() or (0,)
    (report.potential_matches,) = con.execute("SELECT count(*) FROM linkage_question").fetchone() or (0,)

"""Made-up person records by the hundred thousand, straight into a core: the input of the linkage bench. Nobody in it exists.

Three records a person on average, at most one in each of four feeds; families of one to three children at one address, twins among them;
common and rare names; slips of the keyboard, swapped dates, moves, missing values. Made in SQL from hashes: the same number makes the same rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# What share of records carries each slip; of the order reported of real extracts.
_SLIP, _SWAP, _MOVED, _NO_DATE = 0.06, 0.02, 0.15, 0.01
# Of younger brothers and sisters, those born with the one before: 1.5 % of births are twins.
_TWINS = 0.03
_FEEDS = ("health.fhir", "school.census", "social_care.ssd", "police.ppn")


def make(core: str, records: int, later: int = 0) -> dict[str, Any]:
    """A new encrypted core with so many current person records and their identifiers and addresses; `later` more are held back."""
    return _insert(core, records, later, arriving=False)


def arrive(core: str, records: int, later: int) -> dict[str, Any]:
    """Adds the records that make() held back: of people known and new, as a night brings them."""
    return _insert(core, records, later, arriving=True)


def _insert(core: str, records: int, later: int, *, arriving: bool) -> dict[str, Any]:
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    path = Path(core)
    with Warehouse(path, load_keys(path.with_name("tessera.keys"), {})) as warehouse:
        con = warehouse.con
        _names(con)
        pools = {
            pool: con.execute(f"SELECT count(*) FROM {pool}_pool").fetchall()[0][0] for pool in ("given", "family")
        }
        con.execute(_PERSONS, {"persons": (records + later) // 3, "twins": _TWINS, **pools})
        con.execute(
            _RECORDS, {"feeds": list(_FEEDS), "slip": _SLIP, "swap": _SWAP, "moved": _MOVED, "no_date": _NO_DATE}
        )
        con.execute(
            "DELETE FROM temp.made WHERE (hash(record_id, 'later') % $whole < $later) <> $arriving",
            {"whole": records + later, "later": later, "arriving": arriving},
        )
        for statement in (_PERSON_RECORD, _IDENTIFIERS, _ADDRESSES):
            con.execute(statement)
        made = con.execute("SELECT count(*), count(DISTINCT p) FROM temp.made").fetchall()[0]
    return {"records": made[0], "persons": made[1]}


def _names(con: Any) -> None:
    """Names from the synthetic world's lists, and made-up rare ones behind them: rank follows how often a name is drawn."""
    from synthetic.names import origins

    given = [name for origin in origins().values() for name in (*origin.boys.names, *origin.girls.names)]
    family = [name for origin in origins().values() for name in origin.families.names]
    syllables = (
        "ba",
        "ker",
        "lin",
        "mo",
        "ra",
        "tes",
        "vi",
        "wel",
        "don",
        "ash",
        "by",
        "gar",
        "hol",
        "nor",
        "pen",
        "sut",
    )
    rare = [(a + b + c).title() for a in syllables for b in syllables for c in syllables]
    for table, names in (("given_pool", given + rare[:2000]), ("family_pool", family + rare)):
        con.execute(
            f"CREATE TEMP TABLE {table} AS SELECT row_number() OVER () - 1 AS rank, name FROM "
            "(SELECT unnest(?::VARCHAR[]) AS name)",
            [list(dict.fromkeys(names))],
        )


# Both numbers with the check digit or letter they must have: docs/sources.md 1.1.
_NHS_WEIGHED = " + ".join(f"(n // {10**place}) % 10 * {place + 2}" for place in range(9))
_UPN_WEIGHED = " + ".join(f"(n // {10**place}) % 10 * {13 - place}" for place in range(12))
# chance(seed, what): a number in [0, 1) that is the same every time.
_PERSONS = f"""
    CREATE OR REPLACE TEMP MACRO chance(seed, what) AS (hash(seed, what) % 1000003) / 1000003.0;
    CREATE OR REPLACE TEMP MACRO nhs_remainder(n) AS ({_NHS_WEIGHED}) % 11;
    CREATE OR REPLACE TEMP MACRO nhs_number(n) AS n::VARCHAR || ((11 - nhs_remainder(n)) % 11)::VARCHAR;
    CREATE OR REPLACE TEMP MACRO upn(n) AS substr('ABCDEFGHJKLMNPQRTUVWXYZ', ({_UPN_WEIGHED}) % 23 + 1, 1) || n::VARCHAR;
    CREATE TEMP TABLE people AS
    WITH person AS (
        SELECT p, CASE WHEN chance(p, 'family') < .6 THEN p ELSE p - 1 - (hash(p, 'older') % 2)::BIGINT END AS home
        FROM range($persons) r(p)
    ),
    -- The square makes the commonest given name stand on two in a hundred and the commonest surname on one and a half, as in England.
    named AS (
        SELECT p, home, floor($given * power(chance(p, 'given'), 2))::BIGINT AS given_rank,
               floor($family * power(chance(home, 'surname'), 2))::BIGINT AS family_rank
        FROM person
    )
    SELECT p, home, g.name AS given, f.name AS family, DATE '2008-01-01' + (chance(CASE WHEN chance(p, 'twin') < $twins THEN home ELSE p END, 'born') * 6500)::INT AS born,
           CASE WHEN chance(p, 'sex') < .5 THEN 'F' ELSE 'M' END AS sex,
           'SN' || (10 + hash(home, 'district') % 80) || ' ' || (hash(home, 'sector') % 10)
               || chr((65 + hash(home, 'unit') % 20)::INT) || chr((65 + hash(home, 'unit2') % 20)::INT) AS postcode,
           -- Of two numbers side by side at least one has a check digit.
           CASE WHEN nhs_remainder(900000000 + 2 * p) = 1 THEN nhs_number(900000001 + 2 * p) ELSE nhs_number(900000000 + 2 * p) END AS nhs,
           upn(800000000000 + p) AS upn
    FROM named
    JOIN given_pool g ON g.rank = given_rank
    JOIN family_pool f ON f.rank = family_rank
"""
_RECORDS = """
    CREATE TEMP TABLE made AS
    WITH copy AS (
        SELECT people.*, n, $feeds[1 + ((n + p) % 4)::INT] AS source, hash(p, n) AS h
        FROM people, range(4) r(n) WHERE n = 0 OR chance(p, 'copy' || n) < .667
    ),
    slipped AS (
        SELECT *, 2 + (h % greatest(length(given) - 1, 1))::INT AS place, 2 + (h % greatest(length(family) - 1, 1))::INT AS family_place
        FROM copy
    )
    SELECT p, source, source || ':' || p || '-' || n AS record_id, p || '-' || n AS source_person_id,
           CASE WHEN chance(h, 'given') < $slip THEN left(given, place - 1) || substr(given, place + 1) ELSE given END AS given,
           CASE WHEN chance(h, 'family') < $slip THEN left(family, family_place - 1) || 'e' || substr(family, family_place)
                ELSE family END AS family,
           CASE WHEN chance(h, 'no date') < $no_date THEN NULL
                WHEN chance(h, 'swap') < $swap AND day(born) <= 12 THEN make_date(year(born), day(born), month(born)) ELSE born END AS born,
           CASE WHEN chance(h, 'sex') < .97 THEN sex END AS sex,
           CASE WHEN chance(h, 'moved') < $moved THEN 'SN9' || (h % 10) || ' ' || (hash(h) % 10) || 'ZZ' ELSE postcode END AS postcode,
           CASE WHEN chance(h, 'nhs') < CASE source WHEN 'health.fhir' THEN .95 WHEN 'social_care.ssd' THEN .4 ELSE 0 END
                THEN nhs END AS nhs,
           CASE WHEN chance(h, 'upn') < CASE source WHEN 'school.census' THEN .98 WHEN 'social_care.ssd' THEN .5 ELSE 0 END
                THEN upn END AS upn
    FROM slipped
"""
_LINEAGE = (
    "split_part(source, '.', 1) AS agency, split_part(source, '.', 2) AS feed, source_person_id AS source_key, "
    "'bench' AS load_id, TIMESTAMP '2026-11-16' AS extracted_at, TIMESTAMP '2026-11-16' AS loaded_at, 'bench:' || record_id AS raw_row_id"
)
_PERSON_RECORD = f"""
    INSERT INTO person_record BY NAME
    SELECT record_id, source_person_id, 'child' AS role, given AS given_names, family AS family_name, born AS birth_date,
           CASE WHEN born IS NULL THEN 'unknown' ELSE 'day' END AS birth_date_precision, sex, nhs AS nhs_number, upn, postcode, {_LINEAGE}
    FROM temp.made"""
_IDENTIFIERS = f"""
    INSERT INTO person_identifier BY NAME
    SELECT record_id, 'nhs_number' AS scheme, nhs AS value, 'stated' AS status, {_LINEAGE} FROM temp.made WHERE nhs IS NOT NULL
    UNION ALL BY NAME
    SELECT record_id, 'upn' AS scheme, upn AS value, 'stated' AS status, {_LINEAGE} FROM temp.made WHERE upn IS NOT NULL"""
_ADDRESSES = f"""
    INSERT INTO person_address BY NAME
    SELECT record_id, 'home' AS kind, (1 + hash(postcode, 'house') % 90) || ' Mill Lane' AS address, postcode, {_LINEAGE} FROM temp.made"""

"""Reads the current rows of the common model into the scratch tables the model compares, as a clerk would read them.

What lives here: the clerk's word lists, the scratch database and the order of the steps in sql/prepare.sql. What must not: judgement
about whether two records are one person. Nothing here writes to the warehouse, and no message holds a value, only columns and counts.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from linkage.model import LinkageSettings, Model

_HERE = Path(__file__).parent
_SCRATCH = itertools.count(1)

INPUTS = ("person_record", "person_name", "person_address", "person_identifier", "relationship", "event")


def clerk_words() -> dict[str, list[str]]:
    """The lists of words.toml."""
    lists = tomllib.loads((_HERE / "words.toml").read_text(encoding="utf-8"))
    return {
        name: [word.strip() for word in (text.split("|") if "|" in text else text.split())]
        for name, text in lists.items()
    }


@dataclass(frozen=True)
class Finding:
    """Something about a column a data team should know: never a value."""

    column: str
    records: int
    message: str


def sql_steps(name: str) -> list[tuple[str, str]]:
    """The named steps of a file in linkage/sql, in order."""
    text = (_HERE / "sql" / name).read_text(encoding="utf-8")
    parts = re.split(r"^-- step: (\w+):.*$", text, flags=re.MULTILINE)
    return [(parts[i], parts[i + 1].strip().rstrip(";")) for i in range(1, len(parts), 2)]


@contextmanager
def scratch(con: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor whose current database is a new one in memory, with views on the current rows of the caller's database.

    Splink leaves its tables where it works, which must not be the warehouse. Spilling is encrypted by the connection's own settings.
    """
    database, schema = con.execute("SELECT current_database(), current_schema()").fetchone() or ("", "")
    cursor = con.cursor()
    name = f"linkage_scratch_{next(_SCRATCH)}"
    cursor.execute(f"ATTACH ':memory:' AS {name}")
    try:
        cursor.execute(f"USE {name}")
        for table in INPUTS:
            cursor.execute(
                f'CREATE VIEW {table} AS SELECT * FROM "{database}"."{schema}".{table} WHERE superseded_at IS NULL'
            )
        yield cursor
    finally:
        cursor.execute(f'USE "{database}"."{schema}"')
        cursor.execute(f"DETACH {name}")
        cursor.close()


def _macros(cursor: duckdb.DuckDBPyConnection) -> None:
    """fold: one spelling of a name; compact: one spelling of a code; nhs_ok and upn_ok: docs/sources.md 1.1."""
    cursor.execute(r"""
        CREATE MACRO fold(x) AS trim(regexp_replace(regexp_replace(
            replace(replace(replace(translate(strip_accents(lower(x)), 'øłđıð', 'oldid'), 'ß', 'ss'), 'æ', 'ae'), 'þ', 'th'),
            '[''’‘`´ʼ.]', '', 'g'), '[^\p{L}]+', ' ', 'g'))
    """)
    cursor.execute("CREATE MACRO compact(x) AS replace(replace(replace(upper(x), ' ', ''), '-', ''), '.', '')")
    # The common model holds identifiers without spaces already; this costs little and forgives.
    cursor.execute("CREATE MACRO spaceless(x) AS replace(upper(x), ' ', '')")
    # Digits are taken from the number `n` that is read from the text `x` once: picking letters out of text costs ten times as much, and a
    # macro works out what it is given at every mention.
    weighted = " + ".join(f"(n // {10**i}) % 10 * {i + 1}" for i in range(1, 10))
    cursor.execute(f"""
        CREATE MACRO nhs_digits_ok(n) AS n NOT IN (123456789, 1234567890, 9876543210) AND n % 1111111111 <> 0
            AND (11 - ({weighted}) % 11) % 11 = n % 10
    """)
    cursor.execute(
        "CREATE MACRO nhs_ok(x, n) AS regexp_full_match(x, '[0-9]{10}') AND coalesce(nhs_digits_ok(n), false)"
    )
    weighted = " + ".join(f"(n // {10 ** (12 - i)}) % 10 * {i}" for i in range(2, 13))
    cursor.execute(f"""
        CREATE MACRO upn_letter(n, last) AS substr('ABCDEFGHJKLMNPQRTUVWXYZ', CAST(({weighted}
            + (CASE WHEN last BETWEEN '0' AND '9' THEN ascii(last) - 48 ELSE strpos('ABCDEFGHJKLMNPQRTUVWXYZ', last) - 1 END) * 13) % 23 + 1
            AS BIGINT), 1)
    """)
    cursor.execute("""
        CREATE MACRO upn_ok(x, n) AS regexp_full_match(x, '[A-HJ-NP-RT-Z][0-9]{11}[0-9A-HJ-NP-RT-Z]')
            AND coalesce(upn_letter(n, right(x, 1)) = left(x, 1), false)
    """)


def _sound_macro(cursor: duckdb.DuckDBPyConnection) -> None:
    """sound: a name as heard. Doubled letters, silent h, ph, ck, y and long vowels are spelling; bolder would join Ella to Elle."""
    heard = "x"
    for written, said in (
        ("ph", "f"),
        ("ck", "k"),
        ("c", "k"),
        ("q", "k"),
        ("z", "s"),
        ("y", "i"),
        ("ee", "i"),
        ("oo", "u"),
        ("ou", "u"),
    ):
        heard = f"replace({heard}, '{written}', '{said}')"
    heard = f"left({heard}, 1) || replace(substr({heard}, 2), 'h', '')"
    for letter in "abdefgijklmnoprstuvwx":
        heard = f"regexp_replace({heard}, '{letter}{letter}+', '{letter}', 'g')"
    cursor.execute(f"CREATE MACRO sound(x) AS {heard}")


def _forms(cursor: duckdb.DuckDBPyConnection, file: str, table: str) -> None:
    """A table of (token, groups) from a list of names that are one name."""
    groups: dict[str, list[str]] = {}
    with (_HERE / file).open(encoding="utf-8") as lines:
        for row in csv.reader(line for line in lines if line.strip() and not line.startswith("#")):
            for token in dict.fromkeys(row):
                groups.setdefault(token, []).append(row[0])
    forms = pd.DataFrame({"token": list(groups), "names": ["|".join(names) for names in groups.values()]})
    cursor.register("arriving", forms)
    cursor.execute(f"CREATE TABLE {table} AS SELECT token, string_split(names, '|') AS groups FROM arriving")
    cursor.unregister("arriving")


# The steps of sql/prepare.sql that count over all records. Where only some are read, they are counted beforehand (reached.py).
COMMON_STEPS = ("constant", "given_bearers", "adult_feed", "child_feed", "register", "due_range", "unborn_token")


def prepare(
    cursor: duckdb.DuckDBPyConnection,
    settings: LinkageSettings,
    today: date,
    *,
    records: int | None = None,
    common: bool = False,
) -> int:
    """Fills the scratch tables up to `person`, `name_token` and, of each record, `record`; gives the number of records.

    `common` says that the tables of COMMON_STEPS and `crowded_elsewhere` are there, because the views show only a part of `records`.
    """
    _macros(cursor)
    _sound_macro(cursor)
    _forms(cursor, "names.csv", "name_form")
    _forms(cursor, "surnames.csv", "surname_form")
    for name, values in clerk_words().items():
        listed = ", ".join("'" + value + "'" for value in values)
        cursor.execute(f"SET VARIABLE {name} = [{listed}]")
    cursor.execute(f"SET VARIABLE today = DATE '{today:%Y-%m-%d}'")
    cursor.execute(f"SET VARIABLE test_numbers = {str(settings.allow_test_nhs_numbers).lower()}")
    cursor.execute("CREATE TABLE national_scheme (scheme VARCHAR, space VARCHAR)")
    cursor.executemany("INSERT INTO national_scheme VALUES (?, ?)", [list(pair) for pair in settings.national_schemes])
    cursor.execute("CREATE TABLE definitional_scheme (scheme VARCHAR)")
    cursor.executemany(
        "INSERT INTO definitional_scheme VALUES (?)", [[scheme] for scheme in settings.definitional_schemes]
    )
    if records is None:
        (records,) = cursor.execute("SELECT count(DISTINCT record_id) FROM person_record").fetchone() or (0,)
    if not common:
        cursor.execute("CREATE TABLE crowded_elsewhere (value UBIGINT)")
    for name, sql in sql_steps("prepare.sql"):
        if not (common and name in COMMON_STEPS):
            cursor.execute(_placed(sql, settings, records))
    # What the sources wrote has been read; its memory is for the comparisons.
    cursor.execute("DROP VIEW record; DROP TABLE record_row; ALTER TABLE record_number RENAME TO record")
    for table in (
        "name_claim",
        "given_reading",
        "family_reading",
        "birth",
        "birth_doubt",
        "same_day",
        "family_second",
        "second",
        "twin_hint",
        "mother",
        "due",
        "due_doubt",
        "names",
        "dwelling",
        "name_group",
        "family_group",
        "numbers",
    ):
        cursor.execute(f"DROP TABLE {table}")
    return records


def _placed(sql: str, settings: LinkageSettings, records: int) -> str:
    places = {
        "records": str(records),
        # In steps, or every night would make names of slips and slips of names.
        "size": str(2 ** int(math.log2(max(records, 1)))),
        "earliest_birth": settings.earliest_birth.isoformat(),
        "max_holders": str(settings.max_holders),
        "constant_least": str(settings.constant_least),
        **{f"share_{column}": str(share) for column, share in settings.constant_share.items()},
    }
    return re.sub(r"\{(\w+)\}", lambda found: places[found[1]], sql)


def common_steps(cursor: duckdb.DuckDBPyConnection, settings: LinkageSettings, records: int) -> None:
    """The COMMON_STEPS alone, from whatever the tables they read are at present."""
    _forms(cursor, "names.csv", "name_form")
    steps = dict(sql_steps("prepare.sql"))
    for name in COMMON_STEPS:
        cursor.execute(_placed(steps[name], settings, records))


def fill_frequencies(cursor: duckdb.DuckDBPyConnection, model: Model) -> None:
    """`frequency_given`, `frequency_family`: how common names are, in steps.

    A name's frequency goes in steps of half a power of two, and so does the number of names: agreement on Mohammed must not weigh a
    little less after every night, which would change every score. The error is at most a quarter of a bit on each side.
    """
    for column in model.frequent():
        cursor.execute(f"""
            CREATE TABLE frequency_{column} AS
            WITH borne AS (SELECT {column}, count(*) AS bearers FROM person SEMI JOIN linkable USING (rid)
                           WHERE {column} IS NOT NULL GROUP BY {column})
            SELECT {column}, greatest({model.rarest!r}, least(1.0, pow(2.0,
                   round(2 * log2(bearers)) / 2 - (SELECT round(2 * log2(sum(bearers))) / 2 FROM borne)))) AS tf_{column} FROM borne
        """)


def find(cursor: duckdb.DuckDBPyConnection, settings: LinkageSettings, records: int, known: str) -> list[Finding]:
    """What is odd about the input, from `constant`, `crowded` and what is known of each record."""
    found = [
        Finding(
            column, count, f"{column}: {values} value(s) stand on {count} of {records} records; not used as evidence"
        )
        for column, values, count in cursor.execute(
            "SELECT attribute, count(*), CAST(sum(records) AS BIGINT) FROM constant GROUP BY attribute ORDER BY attribute"
        ).fetchall()
    ]
    found += [
        Finding(
            space,
            count,
            f"{space}: {values} number(s) are each on more than {settings.max_holders} records ({count} in all); not used as evidence",
        )
        for space, values, count in cursor.execute(
            "SELECT space, count(*), CAST(sum(holders) AS BIGINT) FROM crowded GROUP BY space ORDER BY space"
        ).fetchall()
    ]
    for column, usable in (("given", "given_shown"), ("family", "family_shown"), ("birth", "nullif(dated, false)")):
        (there,) = cursor.execute(f"SELECT count({usable}) FROM {known}").fetchone() or (0,)
        if records >= settings.constant_least and not there:
            found.append(Finding(column, records, f"{column}: no usable value in any of {records} records"))
    return found


# One birthday in 365 is 1 January; of a feed in which one date in ten is, the system writes it where it knows only a year.
_FIRST_OF_JANUARY = """
    SELECT agency || '.' || feed AS name, count(*) FILTER (month(birth_date) = 1 AND day(birth_date) = 1) AS first, count(*) AS dated
    FROM person_record WHERE superseded_at IS NULL AND birth_date IS NOT NULL AND coalesce(birth_date_precision, 'day') = 'day'
    GROUP BY agency, feed HAVING first >= ? AND first > 0.1 * dated ORDER BY name
"""
# Names are told apart by which column they stand in elsewhere. So many records are enough to see it, and cost nothing; fewer than this many
# crossed ones may be a community whose surnames are others' first names.
_LOOKED_AT, _CROSSED_LEAST = 20_000, 50
_CROSSED = """
    WITH told AS (
        SELECT agency || '.' || feed AS name, split_part(lower(strip_accents(trim(given_names))), ' ', 1) AS given,
               lower(strip_accents(trim(family_name))) AS family
        FROM person_record WHERE superseded_at IS NULL AND given_names <> '' AND family_name <> '' AND hash(record_id) % ?::UBIGINT = 0
    ),
    here AS (
        SELECT name, word, sum(is_given) AS givens, sum(1 - is_given) AS families FROM (
            SELECT name, given AS word, 1 AS is_given FROM told UNION ALL SELECT name, family, 0 FROM told) GROUP BY name, word
    ),
    everywhere AS (SELECT word, sum(givens) AS givens, sum(families) AS families FROM here GROUP BY word),
    elsewhere AS (
        SELECT name, word, sign((e.givens - h.givens) - (e.families - h.families)) AS given_rather
        FROM here h JOIN everywhere e USING (word)
    )
    SELECT t.name, count(*) FILTER (g.given_rather < 0 AND f.given_rather > 0) AS crossed, count(*) AS named
    FROM told t JOIN elsewhere g ON g.name = t.name AND g.word = t.given JOIN elsewhere f ON f.name = t.name AND f.word = t.family
    GROUP BY t.name HAVING crossed >= ? AND crossed > count(*) FILTER (g.given_rather > 0 AND f.given_rather < 0) ORDER BY t.name
"""


def find_by_feed(con: duckdb.DuckDBPyConnection, settings: LinkageSettings, records: int) -> list[Finding]:
    """What is odd about one feed's names and dates, from all current rows of the caller's database."""
    found = [
        Finding(
            "birth",
            count,
            f"birth: {count} of {dated} dates of {feed} are 1 January, which systems write for a year; read as a year",
        )
        for feed, count, dated in con.execute(_FIRST_OF_JANUARY, [settings.constant_least]).fetchall()
    ]
    share = math.ceil(max(records, 1) / _LOOKED_AT)
    return found + [
        Finding(
            "given, family",
            crossed,
            f"given, family: going by the other feeds, names stand in each other's column in {crossed} of {named} records of {feed} that "
            "were looked at; compared either way",
        )
        for feed, crossed, named in con.execute(_CROSSED, [share, _CROSSED_LEAST]).fetchall()
    ]

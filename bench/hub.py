"""A whole hub's night in a core, made in SQL: what the console is measured over. Nobody in it exists.

On top of bench/people.py: who is who, twenty events a child, plans, households, a week of attendance marks, questions for reviewers,
standards that fail, one of them on 300,000 rows; and in the decisions store what people did in a year. The marts are made of it by publish()
itself.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyotp

from bench import people

if TYPE_CHECKING:
    from warehouse import publish as publishing

LOAD, LOAD_BEFORE = "2026-11-16.1", "2026-11-15.1"
EVENTS_A_CHILD = 20
# Of so many events one was corrected by its source, so that two versions are kept.
EVENTS_A_CORRECTION = 50
# Of what fails: one standard on so many rows, and some hundred on a few each, as after a change of a supplier's extract.
WORST_STANDARD, OTHER_STANDARDS, ROWS_OF_EACH = 300_000, 120, 200
# Questions left to a person: of the order of one in a hundred children (docs/decisions/0005).
CHILDREN_A_QUESTION = 100
CHILDREN_WITH_NEWS = 100
# What a hub of fifty does in a year of 250 days: each looks at some thirty things a day; a reviewer decides a few thousand pairs.
DECISIONS, ACTS, LOOKS = 2_000, 300, 5_000

_FEEDS = (("health", "fhir"), ("school", "census"), ("social_care", "ssd"), ("police", "ppn"))
_OPTIONS = {"census": ", term: autumn, year: 2026"}


def settings(folder: Path) -> Path:
    """Writes the tessera.yaml of the hub; its path."""
    path = folder / "tessera.yaml"
    path.write_text(
        "data_dir: .\nsources:\n"
        + "".join(f"  {a}.{f}: {{from: inbox/{a}/{_OPTIONS.get(f, '')}}}\n" for a, f in _FEEDS)
    )
    return path


def make(folder: str, children: int) -> dict[str, Any]:
    """A core with so many children, published for every role, and a decisions store."""
    made = fill(folder, children)
    publish(folder)
    _decide(Path(folder))
    return made


def fill(folder: str, children: int) -> dict[str, Any]:
    """A core with so many children, of which nothing is published yet."""
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    settings(place)
    made = people.make(str(place / "core.duckdb"), records=3 * children)
    keys = load_keys(place / "tessera.keys", {})
    with Warehouse(place / "core.duckdb", keys) as warehouse:
        warehouse.con.execute(_NIGHT)
        for statement in (
            _LINKS, _PERSONS, _HOUSEHOLDS, _RELATIONSHIPS, _EVENTS, _CORRECTIONS, _SPANS, _ATTENDANCE, _QUESTIONS, _SPELLS,
            _RESULTS,
        ):  # fmt: skip
            warehouse.con.execute(statement)
        warehouse.con.execute("CHECKPOINT")
    return made


def publish(folder: str) -> dict[str, Any]:
    """Publishes the core once more, as the end of a night does."""
    from pipelines.night import giving_way
    from warehouse import publish as publishing
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    place = Path(folder)
    keys = load_keys(place / "tessera.keys", {})
    began = dt.datetime.now(dt.UTC)
    with giving_way(), Warehouse(place / "core.duckdb", keys) as warehouse:
        publishing.publish(warehouse, place / "marts", keys, load_id=LOAD, keep=1, feeds=feeds())
    return {"seconds": (dt.datetime.now(dt.UTC) - began).total_seconds()}


def pass_a_night(folder: str, number: int) -> dict[str, Any]:
    """One child in a hundred has news: of each of its records an event, and marks of the week after; the load's name."""
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys

    place, day = Path(folder), dt.date.fromisoformat(LOAD[:10]) + dt.timedelta(days=number)
    load_id, at = f"{day}.1", f"TIMESTAMP '{day} 02:00'"
    with Warehouse(place / "core.duckdb", load_keys(place / "tessera.keys", {})) as warehouse:
        for statement in (
            f"INSERT INTO night BY NAME SELECT * REPLACE ('{load_id}' AS load_id, {2 + number} AS load_seq, DATE '{day}' AS date, {at} AS started_at) "
            f"FROM night WHERE load_id = '{LOAD}'",
            f"INSERT INTO feed_load BY NAME SELECT * REPLACE ('{load_id}' AS load_id) FROM feed_load WHERE load_id = '{LOAD}'",
            f"CREATE OR REPLACE TEMP TABLE telling AS SELECT record_id FROM person_record "
            f"WHERE hash(split_part(source_person_id, '-', 1), {number}) % {CHILDREN_WITH_NEWS} = 0",
            f"INSERT INTO event BY NAME SELECT * REPLACE ('{load_id}' AS load_id, {at} AS loaded_at, md5(event_id || '{load_id}') AS event_id, "
            f"{at} - INTERVAL 9 HOUR AS occurred_from) FROM (SELECT DISTINCT ON (record_id) * FROM event SEMI JOIN telling USING (record_id) WHERE superseded_at IS NULL)",
            f"INSERT INTO attendance BY NAME SELECT * REPLACE ('{load_id}' AS load_id, {at} AS loaded_at, session_date + {7 * number} AS session_date) "
            f"FROM attendance SEMI JOIN telling USING (record_id) WHERE load_id = '{LOAD}'",
        ):
            warehouse.con.execute(statement)
    return {"load_id": load_id}


def feeds() -> list[publishing.ConfiguredFeed]:
    """The feeds of the hub, as a night hands them to publish()."""
    return [{"agency": agency, "feed": feed, "expect_days": 2, "configured": True} for agency, feed in _FEEDS]


def accounts(folder: str, roles: dict[str, str], password: str) -> dict[str, Any]:
    """Makes accounts, by name their role, as their owners leave them: a password of their own, and an app, all with the same key."""
    from console.accounts import Accounts
    from warehouse.keys import load_keys
    from warehouse.store import Store

    place = Path(folder)
    keys = load_keys(place / "tessera.keys", {})
    found = Accounts(Store(f"sqlite:///{place / 'decisions.sqlite'}"), keys.raw("decisions"))
    now, first = dt.datetime.now(dt.UTC), secrets.token_urlsafe(16)
    at, before, key = now.replace(tzinfo=None), now - dt.timedelta(hours=1), pyotp.random_base32()
    for name, role in roles.items():
        made = found.add(name, [role], (), first, author="bench", at=at)
        made = found.change_password(made, first, password, at=at)
        found.set_up_app(made, key, pyotp.TOTP(key).at(before), at=before.replace(tzinfo=None))
    return {"app": key}


def sample(folder: str, number: int) -> dict[str, Any]:
    """Some children as somebody would ask for them: name and birth date, postcode, NHS number."""
    from warehouse import query
    from warehouse.keys import load_keys

    place = Path(folder)
    con = query.open_mart(place / "marts", load_keys(place / "tessera.keys", {}), "practitioner")
    rows = query.rows(
        con,
        "SELECT person_id, given_names, family_name, strftime(birth_date, '%d/%m/%Y') AS born, postcode, nhs_number FROM children "
        "WHERE nhs_number IS NOT NULL AND birth_date IS NOT NULL ORDER BY hash(person_id) LIMIT $number",
        {"number": number},
    )
    return {"children": rows, "processors": os.cpu_count()}


def _decide(place: Path) -> None:
    """A year of what people did: decisions, waivers and promises, and looks, each a row of its journal."""
    from warehouse.access_log import AccessLog
    from warehouse.decisions import Decisions
    from warehouse.engine import Warehouse
    from warehouse.keys import load_keys
    from warehouse.quality_acts import QualityActs
    from warehouse.store import Store

    keys = load_keys(place / "tessera.keys", {})
    store = Store(f"sqlite:///{place / 'decisions.sqlite'}")
    decisions, acts = Decisions(store, keys.raw("decisions")), QualityActs(store, keys.raw("decisions"))
    log = AccessLog(store, keys)
    now = dt.datetime(2026, 11, 16)
    with Warehouse(place / "core.duckdb", keys) as warehouse:
        # Of records that no question is about: what was decided is not asked.
        pairs = warehouse.con.execute(
            "SELECT record_id, lead(record_id) OVER (ORDER BY hash(record_id)) FROM person_record "
            "WHERE source_person_id LIKE '%-3' ORDER BY hash(record_id) LIMIT ?", [DECISIONS]
        ).fetchall()  # fmt: skip
        rows = warehouse.con.execute(
            "SELECT row_key FROM quality_spell WHERE expectation = 'worst' LIMIT ?", [ACTS]
        ).fetchall()
    said = {"reason": "Seen side by side: same: date of birth", "author": "reviewer-9", "decided_at": now}
    decisions._take(
        [
            {"kind": "cannot_link", "record_id_a": min(pair), "record_id_b": max(pair), **said}
            for pair in pairs
            if all(pair)
        ]
    )
    acts.until(
        "expect", "school.census", "worst", [key for (key,) in rows], dt.date(2026, 12, 24), today=now.date(),
        reason="The supplier mends its extract", author="quality-9", decided_at=now,
    )  # fmt: skip
    cipher = log._cipher("practitioner")
    sealed = {name: cipher.seal("strategy discussion") for name in ("who", "purpose", "question")}
    look = {"at": now, "action": "query", "role": "practitioner", "load_id": LOAD, "version": LOAD, **sealed}
    log.journal.append([look] * LOOKS)


_NIGHT = f"""
    INSERT INTO night BY NAME SELECT day || '.1' AS load_id, seq AS load_seq, CAST(day AS DATE) AS date,
        CAST(day AS DATE) + INTERVAL 2 HOUR AS started_at, CAST(day AS DATE) + INTERVAL 3 HOUR AS finished_at, 'published' AS status
    FROM (VALUES ('{LOAD_BEFORE[:10]}', 1), ('{LOAD[:10]}', 2)) AS nights (day, seq);
    INSERT INTO feed_load BY NAME SELECT '{LOAD}' AS load_id, split_part(f, '.', 1) AS agency, split_part(f, '.', 2) AS feed,
        TIMESTAMP '2026-11-16 02:00' AS started_at, TIMESTAMP '2026-11-16 02:10' AS finished_at, 9 AS received, 9 AS landed, 0 AS unchanged,
        0 AS superseded, 0 AS quarantined, 0 AS refused, 'loaded' AS status
    FROM (SELECT unnest({[".".join(feed) for feed in _FEEDS]}) AS f);
    INSERT INTO received_file BY NAME SELECT '{LOAD}' AS load_id, agency, feed, feed || '1' AS file_id, feed || '.csv' AS name,
        TIMESTAMP '2026-11-16 01:00' AS extracted_at, 'landed' AS status FROM feed_load;
    CREATE TEMP MACRO person_of(p) AS 'P-' || upper(left(md5('person ' || p), 16));
    UPDATE person_record SET load_id = '{LOAD}'
"""
_LINKS = f"""
    INSERT INTO link BY NAME SELECT record_id, person_of(split_part(source_person_id, '-', 1)) AS person_id, 'identifier' AS how,
        1.0 AS match_probability, 'same NHS number' AS evidence, 'rule' AS decided_by, '{LOAD}' AS load_id,
        TIMESTAMP '2026-11-16 02:30' AS linked_at FROM person_record"""
_PERSONS = f"""
    INSERT INTO person BY NAME SELECT DISTINCT person_id, '{LOAD}' AS created_load_id FROM link"""
_HOUSEHOLDS = """
    INSERT INTO household BY NAME SELECT 'H' || left(md5(postcode), 12) AS household_id, person_id, 'same_address' AS basis
    FROM (SELECT DISTINCT postcode, person_id FROM person_record JOIN link USING (record_id) WHERE postcode IS NOT NULL)
    QUALIFY count(*) OVER (PARTITION BY postcode) BETWEEN 2 AND 6"""
_LINEAGE = (
    "agency, feed, source_person_id AS source_key, load_id, TIMESTAMP '2026-11-15 20:00' AS extracted_at, "
    "TIMESTAMP '2026-11-16 02:10' AS loaded_at"
)
# What is written down of an event: three of these, in any order. Appointments and attendances have a title alone.
_SENTENCES = (
    "Seen at home with the family.", "Spoke of school and of friends.", "Would not say where the bruise came from.", "Mother was out.",
    "The house was cold and there was little food.", "Was late again and had not eaten.", "Asked not to be sent back this evening.",
    "Father says that the plan is kept to.", "A neighbour had heard shouting.", "Played with the younger children and laughed.",
    "No answer at the door; a card was left.", "Agreed to come to the next appointment.", "The dog is new and was said to bite.",
    "Weight and height were taken.", "The school will ring tomorrow.", "Grandmother has the children at weekends.",
)  # fmt: skip
_RELATIONSHIPS = f"""
    INSERT INTO relationship BY NAME
    SELECT record_id, other AS other_record_id, 'sibling' AS relationship, true AS same_household, {_LINEAGE},
           'bench:tie:' || record_id AS raw_row_id
    FROM (SELECT *, lead(record_id) OVER (PARTITION BY agency, family_name, postcode ORDER BY record_id) AS other FROM person_record)
    WHERE other IS NOT NULL AND postcode IS NOT NULL"""
_EVENTS = f"""
    INSERT INTO event BY NAME
    WITH said AS (SELECT {list(_SENTENCES)} AS sentences),
    told AS (
        SELECT person_record.*, n, hash(record_id, n) AS h
        FROM person_record, range({EVENTS_A_CHILD // 2}) r(n)
        -- The first record of a child, and what there is of the second: two thirds of children have one, and of a third half as much.
        WHERE n < CASE right(source_person_id, 1) WHEN '0' THEN {EVENTS_A_CHILD // 2} WHEN '3' THEN 0 ELSE {3 * EVENTS_A_CHILD // 8} END
    )
    SELECT md5(record_id || n) AS event_id, record_id,
           ['health_contact', 'note', 'visit', 'was_not_brought', 'ed_attendance', 'contact', 'referral', 'ppn'][1 + (h % 8)::INT] AS event_type,
           TIMESTAMP '2016-01-01' + INTERVAL (hash(h, 'at') % 95000) HOUR AS occurred_from, 'instant' AS occurred_precision,
           ['fact', 'professional_opinion', 'unease', 'child_voice'][1 + (hash(h, 'kind') % 4)::INT] AS statement_kind,
           'Written down by team ' || (h % 97) || ' of ' || agency AS title,
           if(h % 8 IN (1, 2, 5, 7), concat_ws(' ', sentences[1 + ((h >> 8) % 16)::INT], sentences[1 + ((h >> 16) % 16)::INT],
               sentences[1 + ((h >> 24) % 16)::INT], 'Case note', h % 100000), NULL) AS narrative,
           'duty' AS reported_by_role, {_LINEAGE}, 'bench:event:' || record_id || n AS raw_row_id
    FROM told, said"""
_CORRECTIONS = f"""
    INSERT INTO event BY NAME
    SELECT * REPLACE ('{LOAD_BEFORE}' AS load_id, loaded_at - INTERVAL 1 DAY AS loaded_at, loaded_at AS superseded_at, title || '?' AS title)
    FROM event WHERE hash(event_id, 'corrected') % {EVENTS_A_CORRECTION} = 0"""
_ATTENDANCE = f"""
    INSERT INTO attendance BY NAME
    SELECT record_id, '8' || (660000 + hash(record_id, 'school') % 300) AS school, DATE '2026-11-09' + d::INT AS session_date, session,
           if(hash(record_id, d) % 20 = 0, 'I', if(session = 'AM', '/', chr(92))) AS mark,
           if(hash(record_id, d) % 20 = 0, 'authorised', 'present') AS meaning, {_LINEAGE},
           'bench:mark:' || record_id || ':' || d || session AS raw_row_id
    FROM person_record, range(5) r(d), (VALUES ('AM'), ('PM')) AS sessions (session) WHERE agency = 'school'"""
_SPANS = f"""
    INSERT INTO span BY NAME
    SELECT md5('span' || record_id) AS span_id, record_id, ['enrolment', 'child_protection_plan'][1 + (hash(record_id) % 50 = 0)::INT] AS kind,
           DATE '2025-09-01' AS started_on, {_LINEAGE}, 'bench:span:' || record_id AS raw_row_id
    FROM person_record WHERE agency IN ('school', 'social_care')"""
_QUESTIONS = f"""
    INSERT INTO potential_match BY NAME
    SELECT least(record_id, other) AS record_id_a, greatest(record_id, other) AS record_id_b, 0.5 + (hash(record_id) % 400) / 1000 AS match_probability,
           'same name, another birth date' AS reason, '{LOAD}' AS load_id, 'tessera-1' AS model,
           'given:exact family:exact birth:different sex:same' AS levels, 1.5 AS bits, -9.0 AS prior_bits
    FROM (SELECT record_id, source_person_id, lead(record_id) OVER (ORDER BY family_name, given_names, record_id) AS other
          FROM person_record WHERE source_person_id LIKE '%-0' AND hash(record_id, 'asked') % {CHILDREN_A_QUESTION} = 0)
    WHERE other IS NOT NULL"""
_SPELLS = f"""
    INSERT INTO quality_spell BY NAME
    SELECT '{LOAD}' AS failing_since, agency, feed, 'pupil' AS table_name, standard AS expectation, 'warning' AS severity, raw_row_id,
           feed || '.csv' AS source_file, row_number() OVER () AS row_number, source_person_id AS local_id, source_person_id AS row_key,
           'postcode' AS column_name, postcode AS value, 'Ask the school' AS hint
    FROM (
        SELECT *, 'worst' AS standard FROM (FROM person_record WHERE agency = 'school' LIMIT {WORST_STANDARD})
        UNION ALL
        SELECT p.*, 'standard ' || n FROM (FROM person_record LIMIT {ROWS_OF_EACH}) p, range({OTHER_STANDARDS}) r(n)
    )"""
_RESULTS = """
    INSERT INTO quality_result BY NAME
    SELECT failing_since AS load_id, agency, feed, table_name, expectation, severity, 'wrong_account' AS harm, 2 * count(*) AS evaluated,
           count(*) AS failed, 'warn' AS status FROM quality_spell GROUP BY ALL"""

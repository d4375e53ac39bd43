"""Publishing: builds every role's encrypted mart from the core and switches all of them at once.

A publication is one new file per role, marts/ROLE/VERSION.duckdb, and one pointer, marts/current, that names them all.
A file that the pointer names is never written again, so that readers keep one whole load until they open the next;
killed at any instant, the pointer still names the last good publication. A new file begins as a copy of the last one
where that can be relied on, and only what a night can have changed is put in its place.

What lives here: files, the pointer and the building of a mart. What must not: who may see what (access.py), what a night
can have changed (touched.py), and the meaning of a view (sql/).
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict

import duckdb

from warehouse import clerical_samples, engine, quality_acts, retention, schema, signal_verdicts, touched
from warehouse.access import Policy, PolicyError, load_policy
from warehouse.keys import Keys
from warehouse.quoting import literal
from warehouse.seals import hide_sealed

MART_SCHEMA_VERSION = 1
DEFAULT_KEEP = 7

_SQL = Path(__file__).with_name("sql")
_POINTER = "current"

# What several views share, computed once per publication into temporary tables; each may read those before it.
_SHARED = (
    "published_night",
    "known_link",
    "current_record",
    "current_address",
    "protected_person",
    "protected_record",
    "protected_row",
    "protected_token",
    "stated_value",
    "chosen_value",
    "known_thing",
    "repeated_event",
    "current_event",
    "current_span",
    "counted_child",
    "stated_status",
    "searched_agency",
    "feed_news",
    "failing_spell",
    "treated_failure",
    "treated_standard",
)

# Of these, what only views read of which touched rows alone are replaced: then it is worked out of those.
_OF_TOUCHED = frozenset({"known_thing"})

# Columns of a view's SQL that only a mart's <view>_history holds: from when to when a row was known, and what
# sql/as_of/ needs. They say nothing of a person and are no matter of the policy. A view with known_from keeps history.
_KNOWN_FROM = "known_from"
_BOOKKEEPING = ("known_from", "known_to", "same_group", "same_by_time", "same_by_id")

# Most questions to a mart are about one person, and its tables are sorted so that a person's rows lie together. What DuckDB passes over
# is whole row groups: with this eighth of its own 122,880 rows a child's rows are found in a third of the time, in files a quarter larger;
# with a thirtieth they are found no sooner, in files more than twice as large.
_ROW_GROUP = 16_384

# What a system says when it has no room for a file, or none for this user.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_LOAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OURS = re.compile(r".+\.duckdb(\.wal)?|\..+\.building(\.wal|\.tmp)?")


class PublishError(Exception):
    """Nothing was switched; says why and what to do. Readers still have the last good publication."""


class ConfiguredFeed(TypedDict):
    """One feed of this deployment: how many days may pass before its silence is stale (None: any number)."""

    agency: str
    feed: str
    expect_days: int | None
    configured: bool


@dataclass(frozen=True)
class MartFile:
    """One role's file of a publication, relative to the folder of the marts."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Publication:
    """One whole and consistent version of every role's mart; `previous` are those that can be gone back to."""

    version: str
    load_id: str
    published_at: str
    files: Mapping[str, MartFile]
    previous: tuple[Publication, ...] = ()
    whole: str = ""  # the version this one goes back to: a copy of it, or a copy of a copy; itself if it is none
    whole_because: str = ""  # why it is no copy

    @property
    def moment(self) -> dt.datetime:
        """When it was published, in UTC without zone."""
        return dt.datetime.fromisoformat(self.published_at).replace(tzinfo=None)

    def path(self, marts_dir: Path, role: str) -> Path:
        if role not in self.files:
            raise PublishError(f"no mart for role {role!r}; there are {', '.join(sorted(self.files))}")
        return marts_dir / self.files[role].file


@dataclass(frozen=True)
class View:
    """One mart view as its SQL file declares it: what a row is, how it is sorted, what its columns mean."""

    name: str
    sql: str
    grain: str
    sorted_by: tuple[str, ...]
    meanings: Mapping[str, str]
    changes_with: str | None = None  # the column whose touched values tell all rows that a night can have changed


def publish(
    warehouse: engine.Warehouse,
    marts_dir: Path,
    keys: Keys,
    *,
    load_id: str,
    keep: int = DEFAULT_KEEP,
    whole: bool = False,
    feeds: Iterable[ConfiguredFeed] = (),
    sealed: Iterable[tuple[str, str]] = (),
    acts: Iterable[Mapping[str, Any]] = (),
    verdicts: Iterable[Mapping[str, Any]] = (),
    asked: Iterable[tuple[str, str]] = (),
    periods: Iterable[retention.Rule] = (),
    held: retention.Held = MappingProxyType({}),
) -> Publication:
    """Builds a mart for every role from the core as it is, then switches readers to all of them at once.

    `whole`: nothing is taken over from the last publication, even where it could be.
    `sealed`: pairs of records whose persons no view may show together. `acts`: what people did about what fails.
    `verdicts`: what people said of signals. `asked`: pairs of a clerical sample that wait for an answer.
    `periods`: how long what is kept. `held`: persons and records that a legal hold is on.
    """
    if not _LOAD_ID.fullmatch(load_id):
        raise PublishError(f"load_id {load_id!r} cannot name a file; use letters, digits, '.', '_' and '-'")
    if keep < 1:
        raise PublishError(f"keep is {keep}; at least the newest publication is kept")
    sealed = sorted(sealed)
    with _no_values_in_errors():
        policy = load_policy()
        marts_dir.mkdir(parents=True, exist_ok=True)
        before = _read_pointer(marts_dir)
        version = _new_version(marts_dir, policy, load_id)
        _discard_all_but(marts_dir, policy, before)
        made_by = touched.made_by(keys, policy, sealed)
    kept = (replace(before, previous=()), *before.previous)[: keep - 1] if before else ()
    replaced: frozenset[str] = frozenset()
    with _no_values_in_errors(), warehouse.as_large(), _cursor(warehouse) as con:
        why = "it was asked for" if whole else _why_whole(con, before, kept, made_by, load_id)
        if not why and before is not None:
            why = _copy_all(marts_dir, policy, before, version)
        _set_protection(con, keys, policy)
        types = _prepare(con, load_id, feeds, sealed, acts, verdicts, asked, periods, held, of_touched=not why)
        policy.check(_without_bookkeeping(types))
        _compute_shared_views(con, policy, types, of_touched=not why)
        _find_common_values(con, policy)
        if not why and before is not None:
            replaced = _take_what_is_touched(con, marts_dir, keys, policy, before, types)
            why = "" if replaced else _discard_copies(marts_dir, policy, version, "of every view most was touched")
        files = {role: _build(con, marts_dir, keys, policy, role, version, types, replaced) for role in policy.roles}
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        goes_back_to = before.whole if before is not None and not why else version
        published_at = now.isoformat(timespec="seconds") + "Z"
        publication = Publication(version, load_id, published_at, files, kept, goes_back_to, why)
        # Before the switch: killed between the two, what is served is not what is remembered, and nothing is taken over from it.
        touched.remember(con, made_by, _served(publication))
    _write_pointer(marts_dir, publication)
    _record(warehouse, load_id, now)
    _discard_all_but(marts_dir, policy, publication)
    return publication


def rollback(marts_dir: Path) -> str:
    """Switches all roles back to the publication before the current one; returns its load_id."""
    now = current(marts_dir)
    if not now.previous:
        raise PublishError(f"{marts_dir}: {now.load_id} is the only publication kept; there is none to go back to")
    back = replace(now.previous[0], previous=now.previous[1:])
    for role in back.files:
        if not back.path(marts_dir, role).exists():
            raise PublishError(f"{back.path(marts_dir, role)} is missing; restore it from backup, or publish again")
    _write_pointer(marts_dir, back)
    return back.load_id


def current(marts_dir: Path) -> Publication:
    """The publication that readers get now."""
    publication = _read_pointer(marts_dir)
    if publication is None:
        raise PublishError(f"{marts_dir}: nothing is published yet; run a night first (tessera nightly)")
    return publication


def kept(marts_dir: Path) -> set[str]:
    """The loads whose marts are still kept, the current one and those to go back to; none where nothing is published."""
    publication = _read_pointer(marts_dir)
    return {version.load_id for version in (publication, *publication.previous)} if publication else set()


def damaged(marts_dir: Path, keys: Keys | None = None) -> list[str]:
    """What is wrong with the files of the current and kept publications; with keys, each is opened too."""
    publication = current(marts_dir)
    wrong = []
    for version in (publication, *publication.previous):
        for role, mart in version.files.items():
            path = marts_dir / mart.file
            if not path.exists():
                wrong.append(f"{path} is missing; restore it from backup, or publish again")
            elif _sha256(path) != mart.sha256:
                wrong.append(f"{path} is not as it was published; restore it from backup, or publish again")
            elif keys is not None:
                wrong += _unopenable(path, keys.texts(role), role)
    return wrong


@dataclass(frozen=True)
class SignalRule:
    """One named rule as its SQL file declares it: when it is true, why it matters, and when it goes away again."""

    name: str
    sql: str
    meaning: str
    why: str
    goes: str


@cache
def signal_rules() -> tuple[SignalRule, ...]:
    """Every rule that raises a signal, by name. Its SQL yields person_id, raised_on, evidence, explanation and may yield `about`,
    what tells two signals of one rule about one person apart."""
    return tuple(_read_signal_rule(path) for path in sorted((_SQL / "signals").glob("*.sql")))


@cache
def views() -> tuple[View, ...]:
    """Every mart view there is SQL for, whoever may see it."""
    return tuple(_read_view(path) for path in sorted((_SQL / "marts").glob("*.sql")))


# Reading the declarations


def _read_view(path: Path) -> View:
    sql = path.read_text(encoding="utf-8")
    header = [line[2:].strip() for line in sql.split("WITH", 1)[0].splitlines() if line.startswith("--")]
    meanings = dict(line.removeprefix("column ").split(": ", 1) for line in header if line.startswith("column "))
    sorted_by = next(line for line in header if line.startswith("sorted by: ")).removeprefix("sorted by: ")
    changes_with = next((line.split(": ", 1)[1] for line in header if line.startswith("changes with: ")), None)
    grain = header[0].removeprefix(f"{path.stem}: ")
    return View(
        path.stem, sql, grain, tuple(sorted_by.split(", ")), {**_meanings_of_core(sql), **meanings}, changes_with
    )


def _read_signal_rule(path: Path) -> SignalRule:
    sql = path.read_text(encoding="utf-8")
    header = dict(line.removeprefix("-- ").split(": ", 1) for line in sql.split("WITH", 1)[0].splitlines())
    return SignalRule(path.stem, sql, header[path.stem], header["why"], header["goes"])


def _meanings_of_core(sql: str) -> dict[str, str]:
    """What schema.py says of the columns of the tables that the SQL reads, those read first taking precedence."""
    relations = [schema.RELATIONS[name] for name in (*_tables_read(sql), *schema.RELATIONS)]
    return {field.name: field.meaning for relation in reversed(relations) for field in relation.fields}


def _tables_read(sql: str) -> Iterator[str]:
    """Tables of the core, directly or through what sql/publish/ works out."""
    for name in re.findall(r"\bFROM (\w+)", sql):
        if (step := _SQL / "publish" / f"{name}.sql").exists():
            yield from _tables_read(step.read_text(encoding="utf-8"))
        elif (table := name.removeprefix("shown_")) in schema.RELATIONS:
            yield table


# Building


@contextmanager
def _cursor(warehouse: engine.Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own: its temporary tables and variables, the pseudonym key among them, go with it."""
    con = warehouse.cursor()
    try:
        yield con
    finally:
        con.close()


@contextmanager
def _no_values_in_errors() -> Iterator[None]:
    """DuckDB may quote a value in a message; only the kind of failure leaves here."""
    try:
        yield
        return
    except PolicyError as error:
        reason = str(error)
    except duckdb.Error as error:
        full = any(word in str(error).lower() for word in ("space", "too large", "quota"))
        if full and isinstance(error, duckdb.IOException):
            reason = "the disk is full; make room and publish again"
        elif isinstance(error, duckdb.OutOfMemoryException):
            reason = "memory or room for temporary files ran out; give more and publish again"
        else:
            reason = f"DuckDB reports {type(error).__name__}; run it again, then look at the newest change to sql/"
    except OSError as error:
        reason = f"{error.strerror} ({error.filename}); mend it and publish again"
        if error.errno in _FULL:
            reason = "the disk is full; make room and publish again"
    raise PublishError(f"the marts could not be built: {reason}. Readers still have the last good publication")


def _set_protection(con: duckdb.DuckDBPyConnection, keys: Keys, policy: Policy) -> None:
    """What sql/marts/aggregates.sql protects figures by. One secret for all roles: two draws of one figure could be averaged."""
    con.execute("SET VARIABLE aggregate_salt = ?", [keys.aggregate_salt()])
    con.execute("SET VARIABLE smallest_shown = ?", [policy.smallest_shown])
    con.execute("SET VARIABLE rounded_to = ?", [policy.rounded_to])


def _prepare(
    con: duckdb.DuckDBPyConnection,
    load_id: str,
    feeds: Iterable[ConfiguredFeed],
    sealed: Iterable[tuple[str, str]],
    acts: Iterable[Mapping[str, Any]],
    verdicts: Iterable[Mapping[str, Any]],
    asked: Iterable[tuple[str, str]],
    periods: Iterable[retention.Rule],
    held: retention.Held,
    *,
    of_touched: bool,
) -> dict[str, dict[str, str]]:
    """Makes the shared tables and, as mart_<view>, every view over them; returns view -> column -> type.

    `of_touched`: what is worked out of touched rows alone is not yet, but when it is asked for.
    """
    con.execute("SET VARIABLE published_load_id = ?", [load_id])
    con.execute(
        "CREATE TEMP TABLE configured_feed (agency VARCHAR, feed VARCHAR, expect_days INTEGER, configured BOOLEAN)"
    )
    for feed in feeds:
        con.execute(
            "INSERT INTO configured_feed VALUES (?, ?, ?, ?)",
            [feed["agency"], feed["feed"], feed.get("expect_days"), feed.get("configured", True)],
        )
    hide_sealed(con, sealed)
    quality_acts.make_table(con, acts)
    signal_verdicts.make_table(con, verdicts)
    clerical_samples.make_table(con, asked)
    con.execute("CREATE TEMP TABLE event_taxonomy AS FROM read_csv(?, all_varchar = true)", [str(schema.TAXONOMY_PATH)])
    for name in _SHARED:
        sql = (_SQL / "publish" / f"{name}.sql").read_text(encoding="utf-8")
        kind = "VIEW" if of_touched and name in _OF_TOUCHED else "TABLE"
        con.execute(f"CREATE TEMP {kind} {name} AS {sql}")
    night = con.execute("SELECT date FROM published_night").fetchone()
    if night is None:
        raise PublishError(f"load {load_id!r} is not in the warehouse's nights; publish one that was run")
    retention.make_table(con, periods, night[0], held)
    _raise_signals(con)
    types: dict[str, dict[str, str]] = {view.name: {} for view in views()}
    for view in views():
        con.execute(f"CREATE TEMP VIEW mart_{view.name} AS {view.sql}")
    # Asked of the catalogue at once: each DESCRIBE would have DuckDB plan its view once more.
    for view_name, column, type_ in con.execute(
        "SELECT table_name[6:], column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = 'temp' AND starts_with(table_name, 'mart_') ORDER BY table_name, column_index"
    ).fetchall():
        types[view_name][column] = type_
    return types


def _without_bookkeeping(types: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """What the policy may name: of a history, from when to when each row was known is all it may show."""
    return {
        view: {column: type_ for column, type_ in columns.items() if column not in _BOOKKEEPING[2:]}
        for view, columns in types.items()
    }


def _raise_signals(con: duckdb.DuckDBPyConnection) -> None:
    """Asks every rule of sql/signals whom it is true of tonight."""
    con.execute(
        "CREATE TEMP TABLE raised_signal "
        "(rule VARCHAR, person_id VARCHAR, about VARCHAR, raised_on DATE, evidence VARCHAR[], explanation VARCHAR)"
    )
    names = [rule.name for rule in signal_rules()]
    con.execute("CREATE TEMP TABLE signal_rule AS SELECT unnest(?::VARCHAR[]) AS rule", [names])
    for rule in signal_rules():
        con.execute(f"INSERT INTO raised_signal BY NAME SELECT ? AS rule, * FROM ({rule.sql})", [rule.name])


def _compute_shared_views(
    con: duckdb.DuckDBPyConnection, policy: Policy, types: Mapping[str, Mapping[str, str]], *, of_touched: bool
) -> None:
    """Computes once what several roles see. Views that keep history are no more than joins and are not held twice.

    `of_touched`: but what is to be worked out of touched rows alone.
    """
    for view in views():
        seen_by = sum(view.name in role.views for role in policy.roles.values())
        waits = of_touched and view.changes_with is not None
        if _KNOWN_FROM not in types[view.name] and not waits and seen_by > 1:
            con.execute(f"CREATE TEMP TABLE computed AS SELECT * FROM mart_{view.name}")
            con.execute(f"DROP VIEW temp.main.mart_{view.name}")
            con.execute(f"ALTER TABLE computed RENAME TO mart_{view.name}")


def _find_common_values(con: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """Makes common_<role>_<view> of what enough people share, which is a matter of everybody's rows."""
    for role in policy.roles:
        for view in policy.role(role).views:
            if common := policy.common_values(role, view, f"mart_{view}"):
                con.execute(f"CREATE TEMP TABLE common_{role}_{view} AS {common}")


# Beginning from the last publication


def _why_whole(
    con: duckdb.DuckDBPyConnection,
    before: Publication | None,
    kept: Sequence[Publication],
    made_by: str,
    load_id: str,
) -> str:
    """Why nothing can be taken over from the last publication; empty if it can.

    A row that is replaced leaves its bytes in the file. No file therefore goes further back than the oldest one that is kept, and can be
    gone back to: it holds nothing that is not lying there anyway.
    """
    if before is None:
        return "nothing was published before"
    if before.whole not in {publication.version for publication in kept}:
        return "the last whole publication is not kept any longer"
    return touched.why_whole(con, made_by, _served(before), load_id)


def _copy_all(marts_dir: Path, policy: Policy, base: Publication, version: str) -> str:
    """Copies the files of the base to where the new ones are built; why they cannot be relied on, or empty."""
    for role in policy.roles:
        building, _ = _places(marts_dir, role, version)
        if role not in base.files or not _copy(base.path(marts_dir, role), building, base.files[role].sha256):
            wrong = "a file of the last publication is missing or not as it was published"
            return _discard_copies(marts_dir, policy, version, wrong)
    return ""


def _discard_copies(marts_dir: Path, policy: Policy, version: str, why: str) -> str:
    """What is made whole is made in a file of its own: a copy would keep the bytes of what was in it."""
    for role in policy.roles:
        _places(marts_dir, role, version)[0].unlink(missing_ok=True)
    return why


def _take_what_is_touched(
    con: duckdb.DuckDBPyConnection,
    marts_dir: Path,
    keys: Keys,
    policy: Policy,
    base: Publication,
    types: Mapping[str, Mapping[str, str]],
) -> frozenset[str]:
    """Makes touched_<view> of the rows that take the place of those in the copies; returns of which views: not most of them."""
    con.execute("CREATE TEMP TABLE shown_otherwise (view_name VARCHAR, record_id VARCHAR)")
    for role in policy.roles:
        if any(policy.shared(role, view.name) for view in _replaceable(policy, role)):
            with _attached(con, base.path(marts_dir, role), "base", keys.text(role)):
                for view in _replaceable(policy, role):
                    _find_shown_otherwise(con, policy, role, view, types)
    replaced = touched.find(con, {view.name: _tables_read(view.sql) for view in views() if view.changes_with})
    with touched.narrowed(con):
        for view in views():
            if view.name in replaced:
                con.execute(
                    f"CREATE TEMP TABLE touched_{view.name} AS SELECT * FROM mart_{view.name} "
                    f"WHERE {view.changes_with} IN ({_touched(view, str(view.changes_with))})"
                )
    return replaced


def _find_shown_otherwise(
    con: duckdb.DuckDBPyConnection, policy: Policy, role: str, view: View, types: Mapping[str, Mapping[str, str]]
) -> None:
    """Adds to shown_otherwise whose rows have a value that enough people share now and did not, or did and do not now.

    What the role was shown of a column is what enough people shared then; what it was shown of nobody is taken for new.
    """
    columns = policy.shared(role, view.name)
    if not columns:
        return
    shown = " UNION ALL ".join(
        f'SELECT DISTINCT \'{column}\' AS column_name, "{column}" AS value FROM base.main."{_table(view, types)}" '
        f'WHERE "{column}" IS NOT NULL'
        for column in columns
    )
    common = f"SELECT column_name, value FROM common_{role}_{view.name}"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE otherwise AS WITH shown AS ({shown}), common AS ({common}) "
        "(FROM shown EXCEPT FROM common) UNION ALL (FROM common EXCEPT FROM shown)"
    )
    has_it = " OR ".join(
        f"{value} IN (SELECT value FROM otherwise WHERE column_name = '{column}')" for column, value in columns.items()
    )
    if con.execute("SELECT count(*) FROM otherwise").fetchall()[0][0]:
        con.execute(
            f"INSERT INTO shown_otherwise SELECT DISTINCT '{view.name}', record_id FROM mart_{view.name} WHERE {has_it}"
        )


def _replaceable(policy: Policy, role: str) -> list[View]:
    """The views of which touched rows alone can be replaced in the role's copy."""
    return [
        view
        for view in views()
        if view.changes_with is not None
        and view.name in policy.role(role).views
        and policy.tells_rows_apart(role, view.name, view.changes_with)
    ]


def _touched(view: View, expression: str) -> str:
    """A SELECT of this of every record or person that is touched in the view."""
    return (
        f"SELECT {expression} FROM touched_{str(view.changes_with).removesuffix('_id')} WHERE view_name = '{view.name}'"
    )


def _table(view: View, types: Mapping[str, Mapping[str, str]]) -> str:
    return f"{view.name}_history" if _KNOWN_FROM in types[view.name] else view.name


# One role's mart


def _places(marts_dir: Path, role: str, version: str) -> tuple[Path, Path]:
    """Where a role's file is built, and where it goes."""
    return marts_dir / role / f".{version}.building", marts_dir / role / f"{version}.duckdb"


def _build(
    con: duckdb.DuckDBPyConnection,
    marts_dir: Path,
    keys: Keys,
    policy: Policy,
    role: str,
    version: str,
    types: Mapping[str, Mapping[str, str]],
    replaced: frozenset[str],
) -> MartFile:
    """One role's mart, written beside its place, made durable, moved there and opened again."""
    building, final = _places(marts_dir, role, version)
    building.parent.mkdir(exist_ok=True)
    engine.attach(con, building, "building", keys.text(role), row_group=_ROW_GROUP, logged=False)
    try:
        con.execute("SET VARIABLE pseudonym_salt = ?", [keys.pseudonym_salt(role)])
        con.execute("BEGIN")  # one commit for all of it
        _fill(con, policy, role, types, [view for view in _replaceable(policy, role) if view.name in replaced])
        con.execute("COMMIT")
        con.execute("CHECKPOINT building")
    except BaseException:
        with suppress(duckdb.Error):  # there is nothing to roll back when it was the checkpoint that failed
            con.execute("ROLLBACK")
        raise
    finally:
        con.execute("RESET VARIABLE pseudonym_salt")
        con.execute("USE core")
        con.execute("DETACH building")
    _sync(building)
    building.replace(final)
    _sync(final.parent)
    _verify(con, final, role, keys.text(role))
    return MartFile(f"{role}/{final.name}", _sha256(final), final.stat().st_size)


def _fill(
    con: duckdb.DuckDBPyConnection,
    policy: Policy,
    role: str,
    types: Mapping[str, Mapping[str, str]],
    replaced: Sequence[View],
) -> None:
    """Every view the role may see, as a table; one that keeps history as a table, a view for now and a macro.

    `replaced`: the file has them as they were in the base, and only touched rows are put in the place of theirs.
    """
    con.execute(
        "CREATE OR REPLACE TABLE building.main.mart AS "
        f"SELECT ? AS role, load_id, date, {MART_SCHEMA_VERSION} AS schema_version FROM published_night",
        [role],
    )
    shown = [view for view in views() if view.name in policy.role(role).views]
    for view in shown:
        if policy.shared(role, view.name):
            con.execute(f"CREATE OR REPLACE TEMP VIEW common_value AS FROM common_{role}_{view.name}")
        expressions = policy.select_list(role, view.name, types[view.name])
        keeps_history = _KNOWN_FROM in types[view.name]
        bookkeeping = [column for column in _BOOKKEEPING if column in types[view.name]] if keeps_history else []
        select = [f'{sql} AS "{column}"' for column, sql in expressions.items()] + bookkeeping
        order = [f'"{column}"' for column in view.sorted_by if column in expressions]
        if keeps_history:
            order.insert(0, "known_to IS NOT NULL")
        table = f'building.main."{_table(view, types)}"'
        if view in replaced:
            key = str(view.changes_with)
            con.execute(f'DELETE FROM {table} WHERE "{key}" IN ({_touched(view, expressions[key])})')
            source, write = f"touched_{view.name}", f"INSERT INTO {table} BY NAME"
        else:
            source, write = f"mart_{view.name}", f"CREATE OR REPLACE TABLE {table} AS"
        # Sorted by what the role sees, never by the true identifier: the order of rows would give pseudonyms away.
        con.execute(
            f"{write} SELECT * FROM (SELECT {', '.join(select)} FROM {source} WHERE {policy.rows(role, view.name)}) "
            f"ORDER BY {', '.join(order) or 'ALL'}"
        )
    con.execute("USE building")  # so that views and macros name their tables without the name of this attachment
    for view in shown:
        columns = policy.role(role).views[view.name].columns
        names = [column for column in types[view.name] if column in columns]
        if _KNOWN_FROM in types[view.name]:
            _keep_history(con, view.name, names)
        _comment(con, view, names, policy, role, history=_KNOWN_FROM in types[view.name])


def _keep_history(con: duckdb.DuckDBPyConnection, view: str, names: Sequence[str]) -> None:
    """The public name shows what is known now; <view>_as_of(t) what was known at t."""
    columns = ", ".join(f'"{name}"' for name in names)
    con.execute(f'CREATE OR REPLACE VIEW "{view}" AS SELECT {columns} FROM "{view}_history" WHERE known_to IS NULL')
    own = _SQL / "as_of" / f"{view}.sql"
    if own.exists():
        select = own.read_text(encoding="utf-8")
    else:
        withdrawn = "if(retracted_at <= CAST(t AS TIMESTAMP), retracted_at, NULL) AS retracted_at"
        then = ", ".join(withdrawn if name == "retracted_at" else f'"{name}"' for name in names)
        select = (
            f'SELECT {then} FROM "{view}_history" '
            "WHERE known_from <= CAST(t AS TIMESTAMP) AND (known_to IS NULL OR known_to > CAST(t AS TIMESTAMP))"
        )
    con.execute(f'CREATE OR REPLACE MACRO "{view}_as_of"(t) AS TABLE {select}')
    con.execute(f"SELECT * FROM \"{view}_as_of\"(TIMESTAMP '2000-01-01') LIMIT 0")


def _comment(
    con: duckdb.DuckDBPyConnection, view: View, names: Sequence[str], policy: Policy, role: str, *, history: bool
) -> None:
    con.execute(f'COMMENT ON {"VIEW" if history else "TABLE"} "{view.name}" IS {literal(view.grain)}')
    if history:
        con.execute(
            f'COMMENT ON TABLE "{view.name}_history" IS '
            + literal(f"{view.name} with all that was known before: from known_from until known_to")
        )
    for name in names:
        note = policy.note(role, view.name, name)
        meaning = view.meanings.get(name, "") + (f" ({note})" if note else "")
        if meaning:
            con.execute(f'COMMENT ON COLUMN "{view.name}"."{name}" IS {literal(meaning)}')


@contextmanager
def _attached(con: duckdb.DuckDBPyConnection, path: Path, name: str, *known: str) -> Iterator[None]:
    """A mart to read from, for the time."""
    engine.attach(con, path, name, *known, read_only=True)
    try:
        yield
    finally:
        con.execute(f"DETACH {name}")


def _unopenable(path: Path, known: tuple[str, ...], role: str) -> list[str]:
    con = engine.connect()
    try:
        _verify(con, path, role, *known)
    except (engine.WarehouseError, PublishError) as error:
        return [str(error)]
    finally:
        con.close()
    return []


def _verify(con: duckdb.DuckDBPyConnection, path: Path, role: str, *known: str) -> None:
    with _attached(con, path, "published", *known):
        found = con.execute("SELECT role FROM published.main.mart").fetchall()
    if found != [(role,)]:
        raise PublishError(f"{path}: it does not open as the mart of {role}")


def _record(warehouse: engine.Warehouse, load_id: str, published_at: dt.datetime) -> None:
    """The core's own note of it; the pointer is what counts, should a kill come between the two."""
    with _no_values_in_errors(), _cursor(warehouse) as con:
        con.execute("INSERT INTO publication (load_id, published_at) VALUES (?, ?)", [load_id, published_at])


# Files and the pointer


def _new_version(marts_dir: Path, policy: Policy, load_id: str) -> str:
    """A name that no file has: the load, or for its second publication load-2, since files are never written again."""
    number, version = 1, load_id
    while any((marts_dir / role / f"{version}.duckdb").exists() for role in policy.roles):
        number += 1
        version = f"{load_id}-{number}"
    return version


def _discard_all_but(marts_dir: Path, policy: Policy, kept: Publication | None) -> None:
    """Removes what no publication names: old versions, and what a killed publication left half made."""
    named = {mart.file for version in ((kept, *kept.previous) if kept else ()) for mart in version.files.values()}
    for role in policy.roles:
        for path in (marts_dir / role).glob("*"):
            if _OURS.fullmatch(path.name) and f"{role}/{path.name}" not in named:
                path.unlink(missing_ok=True)
    (marts_dir / f".{_POINTER}.new").unlink(missing_ok=True)


def _read_pointer(marts_dir: Path) -> Publication | None:
    path = marts_dir / _POINTER
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        newest, *older = (_publication(each) for each in (said, *said["previous"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PublishError(f"{path} is damaged; restore it from backup, or remove it and publish again") from error
    return replace(newest, previous=tuple(older))


def _publication(said: Mapping[str, Any]) -> Publication:
    files = {role: MartFile(mart["file"], mart["sha256"], mart["bytes"]) for role, mart in said["files"].items()}
    # A pointer of an earlier version does not say of what its files are copies: every file of it was made whole.
    since, why = said.get("whole", said["version"]), said.get("whole_because", "")
    return Publication(said["version"], said["load_id"], said["published_at"], files, (), since, why)


def _write_pointer(marts_dir: Path, publication: Publication) -> None:
    """The switch: one rename, durable before it returns."""
    newest, *older = (
        {
            "version": each.version,
            "load_id": each.load_id,
            "published_at": each.published_at,
            "files": {role: vars(mart) for role, mart in each.files.items()},
            "whole": each.whole,
            "whole_because": each.whole_because,
        }
        for each in (publication, *publication.previous)
    )
    new = marts_dir / f".{_POINTER}.new"
    with _no_values_in_errors():
        new.write_text(json.dumps({**newest, "previous": older}, indent=2) + "\n", encoding="utf-8")
        _sync(new)
        new.replace(marts_dir / _POINTER)
        _sync(marts_dir)


def _served(publication: Publication) -> str:
    """What tells this publication from any other, its files from any others."""
    return " ".join([publication.version, *(publication.files[role].sha256 for role in sorted(publication.files))])


def _copy(source: Path, target: Path, sha256: str) -> bool:
    """Copies a file that is as its digest says; whether it is."""
    target.parent.mkdir(exist_ok=True)
    if not source.exists() or _sha256(source) != sha256:
        return False
    shutil.copyfile(source, target)
    return True


def _sync(path: Path) -> None:
    """Makes a file, or the names in a folder, outlive a power cut."""
    if path.is_dir() and os.name != "posix":
        return  # Windows has no handle on a folder to flush
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

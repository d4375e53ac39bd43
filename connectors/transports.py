"""How extracts reach us: a path, a folder, a glob, an fsspec URL (SFTP, S3, Azure), a SQLAlchemy URL or an https address.

Transports move bytes and know no format but one: what a database gives is written as Parquet of text, a table a file, in
the order of its key, so that the same rows make the same bytes.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.contract import Feed, Table
from connectors.readers import suffixes

# As a location: what people write in the console, which the decisions store keeps and whoever runs the night hands on.
CONSOLE = "console:"

_CHUNK = 1 << 20
_ROWS = 20_000
_ATTEMPTS = 3
_FOLDERS_SHOWN = 3
_NO_TIME = dt.datetime(1970, 1, 1)
_SQL_SCHEMES = re.compile(r"^(postgresql|mysql|mariadb|mssql|oracle|sqlite|duckdb|snowflake|databricks)(\+\w+)?://")


class SourceUnreachable(Exception):  # noqa: N818 - a source's state
    """A source could not be read. The message names it without credentials, and says what to do."""


@dataclass(frozen=True)
class Arrival:
    """One file, or one database table, on its way in. `chunks` gives its bytes; `unused` says why they are not wanted."""

    name: str
    chunks: Callable[[], Iterable[bytes]]
    extracted_at: dt.datetime
    table: str | None = None
    unused: str | None = None


def arrivals(
    feed: Feed,
    location: str,
    *,
    base: Path,
    now: dt.datetime,
    since: Mapping[str, str] | None = None,
    change_columns: Mapping[str, str] | None = None,
    written: Iterable[Arrival] = (),
) -> list[Arrival]:
    """Everything a source offers, in order of age, then name. An empty list means that nothing was sent.

    `written`: what was written in the console, for a source that is that. `since` holds, for tables with a change column, the greatest
    value already known. Raises SourceUnreachable.
    """
    if location == CONSOLE:
        return list(written)
    if feed.format == "sql" or _SQL_SCHEMES.match(location):
        return _database(feed, location, base, now, since or {}, change_columns or {})
    if location.startswith(("http://", "https://")):
        return [_address(location, now)]
    return _files(feed, location, base)


def place_fault(feed: Feed, location: str, base: Path) -> str | None:
    """What is amiss with the folder that a source's files are to arrive in: it does not exist, or holds folders that nobody looks into.

    Nothing sent is no fault, no place is. Places of other machines are not asked: a store of objects has no empty folders.
    """
    if location == CONSOLE or feed.format == "sql" or _SQL_SCHEMES.match(location) or "://" in location:
        return None
    path = base / location
    folder = path if location.endswith("/") or not path.suffix else path.parent
    while any(sign in str(folder) for sign in "*?["):
        folder = folder.parent
    if path.is_dir():
        below = sorted(
            entry.name
            for entry in path.iterdir()
            if entry.is_dir() and not entry.name.startswith(".") and any(entry.iterdir())
        )
        shown_names = ", ".join(f"{name}/" for name in below[:_FOLDERS_SHOWN]) + (
            " …" if len(below) > _FOLDERS_SHOWN else ""
        )
        if below:
            return (
                f"sources.{feed.id}.from: {folder} holds {shown_names}, which is not looked into; let from end in **/* to take files of "
                "folders below it too, or keep elsewhere what is not to be read"
            )
    if path.exists() or folder.is_dir():
        return None
    return f"sources.{feed.id}.from: {folder} does not exist, so nothing can arrive; make the folder, or mend the path in tessera.yaml"


def shown(location: str) -> str:
    """A source's location without credentials, for messages and listings."""
    parts = urlsplit(location)
    if parts.username or parts.password:
        host = parts.hostname or ""
        return location.replace(parts.netloc, f"***@{host}" + (f":{parts.port}" if parts.port else ""), 1)
    return location


def _files(feed: Feed, location: str, base: Path) -> list[Arrival]:
    remote = "://" in location
    url = location if remote else str(base / location)
    try:
        filesystem, path = _retried(lambda: fsspec.core.url_to_fs(url))
        paths, others = _retried(lambda: _matching(filesystem, path, suffixes(feed)))
        found = [(_modified(filesystem, name), name) for name in paths]
    except SourceUnreachable:
        raise
    except (OSError, ValueError, ImportError) as error:
        raise SourceUnreachable(
            f"{feed.id}: {shown(location)} cannot be read ({type(error).__name__}); check that it exists and that this account may read it"
        ) from None
    wanted = ", ".join(suffixes(feed))
    return [
        Arrival(name.rpartition("/")[2], partial(_stream, filesystem, name, modified), modified.replace(microsecond=0))
        for modified, name in sorted(found, key=lambda pair: (pair[0].replace(microsecond=0), pair[1]))
    ] + [
        Arrival(name, tuple, _NO_TIME, unused=f"{name}: not used; {feed.id} takes files that end in {wanted}")
        for name in sorted(name.rpartition("/")[2] for name in others)
    ]


def _matching(filesystem: Any, path: str, endings: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The files of a path, folder or glob, and those of a folder that have another ending.

    A folder or a broken link with the name of a file is taken for one: that it cannot be read is then told, not passed over.
    """
    if any(sign in path for sign in "*?["):
        return [name for name in filesystem.glob(path) if not _is_hidden(name) and not filesystem.isdir(name)], []
    if not filesystem.exists(path):
        return [], []
    if not filesystem.isdir(path):
        return [path], []
    entries = [
        (entry["name"].rstrip("/"), entry["type"])
        for entry in filesystem.ls(path, detail=True)
        if not _is_hidden(entry["name"].rstrip("/"))
    ]
    kept = [name for name, _ in entries if name.lower().endswith(endings)]
    return kept, [name for name, kind in entries if kind != "directory" and name not in kept]


def _is_hidden(name: str) -> bool:
    """What systems keep for themselves: hidden files, and the marks by which an office program says that it has a file open."""
    return name.rpartition("/")[2].startswith((".", "~$"))


def _modified(filesystem: Any, name: str) -> dt.datetime:
    try:
        when = filesystem.modified(name)
    except FileNotFoundError:  # a link to nothing, or gone since it was listed: reading it will say so
        return _NO_TIME
    except NotImplementedError:
        info = filesystem.info(name)
        when = next((info[key] for key in ("mtime", "LastModified", "last_modified", "created") if info.get(key)), None)
    if isinstance(when, int | float):
        when = dt.datetime.fromtimestamp(when, tz=dt.UTC)
    if when is None:
        return _NO_TIME
    return when.astimezone(dt.UTC).replace(tzinfo=None) if when.tzinfo else when


def _stream(filesystem: Any, name: str, modified: dt.datetime) -> Iterator[bytes]:
    """A file's bytes. Raises SourceUnreachable when it is not, in the end, the file that it was: half of one is none."""
    size = 0
    try:
        with filesystem.open(name, "rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                yield chunk
        if filesystem.info(name).get("size") not in (None, size) or _modified(filesystem, name) != modified:
            raise SourceUnreachable(
                f"{name.rpartition('/')[2]}: changed while it was read; let its transfer end, or have it moved in whole, and run again"
            )
    except OSError as error:
        raise SourceUnreachable(
            f"{name.rpartition('/')[2]}: cannot be read ({type(error).__name__}); check the rights of the file or its transfer"
        ) from None


def _address(location: str, now: dt.datetime) -> Arrival:
    def fetch() -> Iterator[bytes]:
        import requests

        try:
            with _retried(lambda: requests.get(location, stream=True, timeout=60)) as response:
                response.raise_for_status()
                yield from response.iter_content(_CHUNK)
        except requests.RequestException as error:
            raise SourceUnreachable(
                f"{shown(location)}: {type(error).__name__}; check the address, the account and that the server answers"
            ) from None

    return Arrival(urlsplit(location).path.rpartition("/")[2] or "response", fetch, now)


def _retried(action: Callable[[], Any]) -> Any:
    """Networks fail for a moment; a moment later is tried twice more."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return action()
        except (ConnectionError, TimeoutError):
            if attempt == _ATTEMPTS:
                raise
            time.sleep(0.2 * 4**attempt)
    return None


def _database(
    feed: Feed, location: str, base: Path, now: dt.datetime, since: Mapping[str, str], change_columns: Mapping[str, str]
) -> list[Arrival]:
    import sqlalchemy as sa

    url = location
    if not _SQL_SCHEMES.match(location):
        path = base / location
        if not path.exists():
            raise SourceUnreachable(f"{feed.id}: {location} does not exist; check the path, or that the export has run")
        url = f"sqlite:///file:{path}?mode=ro&uri=true"
    elif location.startswith("sqlite:///") and not Path(location.removeprefix("sqlite:///")).is_absolute():
        url = f"sqlite:///{base / location.removeprefix('sqlite:///')}"
    try:
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _show_bytes_that_are_no_text)
        inspector = _retried(lambda: sa.inspect(engine))
        present = {name.lower(): (name, None) for name in inspector.get_table_names()}
        present |= {name.lower(): (name, None) for name in inspector.get_view_names()}
    except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
        raise SourceUnreachable(
            f"{feed.id}: the database at {shown(location)} does not answer ({type(error).__name__}); "
            "check that it runs, the address and the account"
        ) from None
    found = []
    for table in feed.tables:
        if table.name.lower() in present:
            name = present[table.name.lower()][0]
            change, after = change_columns.get(table.name), since.get(table.name)
            try:
                received = {column["name"].lower(): column["type"] for column in inspector.get_columns(name)}
            except sa.exc.SQLAlchemyError:
                received = {}
            found.append(
                Arrival(
                    name,
                    lambda name=name, table=table, change=change, after=after, received=received: [  # type: ignore[misc]
                        _table_as_parquet(engine, name, table, received, change, after)
                    ],
                    now,
                    table=table.name,
                )
            )
    if not found:
        raise SourceUnreachable(
            f"{feed.id}: the database at {shown(location)} holds none of its {len(feed.tables)} tables "
            f"({', '.join(table.name for table in feed.tables[:3])} …); check the address, the schema and the account's rights"
        )
    return found


def _table_as_parquet(
    engine: Any, name: str, table: Table, received: Mapping[str, Any], change: str | None, after: str | None
) -> bytes:
    import sqlalchemy as sa

    source = sa.table(name)
    change_type = received.get((change or "").lower(), sa.String())
    statement = sa.select(sa.text("*")).select_from(source)
    if change and after is not None:
        # Also those of the very moment known last, of which some may have come later, and those that were never stamped.
        known = sa.literal(after) if engine.dialect.name == "sqlite" else sa.cast(after, change_type)
        statement = statement.where(sa.or_(sa.column(change) >= known, sa.column(change).is_(None)))
    order: list[Any] = [sa.column(key) for key in table.key if key.lower() in received]
    sink = io.BytesIO()
    writer: pq.ParquetWriter | None = None
    number = 0
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            result = connection.execute(statement.order_by(*order))
            schema = pa.schema([("row_number", pa.int64())] + [(column, pa.string()) for column in result.keys()])  # noqa: SIM118
            writer = pq.ParquetWriter(sink, schema, compression="zstd")
            while rows := result.fetchmany(_ROWS):
                columns = list(zip(*rows, strict=True))
                numbers = pa.array(range(number + 1, number + len(rows) + 1), pa.int64())
                number += len(rows)
                texts = [pa.array([_as_text(value) for value in column], pa.string()) for column in columns]
                writer.write_table(pa.Table.from_arrays([numbers, *texts], schema=schema))
            writer.close()
    except sa.exc.SQLAlchemyError as error:
        raise SourceUnreachable(
            f"table {name}: cannot be read ({type(error).__name__}); check that the database is whole and not locked, "
            "and that the account may select from it"
        ) from None
    return sink.getvalue()


def _show_bytes_that_are_no_text(connection: Any, _: Any) -> None:
    """SQLite keeps any bytes as text; one such value would otherwise cost the whole table."""
    connection.text_factory = lambda content: content.decode("utf-8", "backslashreplace")


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() and value.tzinfo is None else value.isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        import json

        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)

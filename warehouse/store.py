"""The decisions store as a database: what people did, kept outside the warehouse, append-only.

SQLite by default, PostgreSQL by URL. What lives here: opening it, and encrypting what stands in its rows. What must not: what a table of
it means (decisions.py, quality_acts.py, signal_verdicts.py, access_log.py), how rows are proved (journal.py), and any removal of a row.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class StoreError(Exception):
    """The decisions store does not open; says why and what to do."""


class Cipher:
    """Encrypts what stands in a row: texts about people or by people, which whoever may read the disk or server may not.

    Under `key`; what was written under a former one is read all the same.
    """

    def __init__(self, key: bytes, *former: bytes) -> None:
        self._key, self._former = key, former
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(each)) for each in (key, *former)])

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise StoreError(
                "the decisions store does not open with this key; check TESSERA_KEY_DECISIONS or the key file"
            ) from None

    def stamp(self, content: bytes) -> bytes:
        """Proof that whoever held this key wrote these bytes."""
        return _stamp(self._key, content)

    def stamped(self, content: bytes, proof: bytes) -> bool:
        """Whether a stamp is that of these bytes, under this key or a former one."""
        return any(hmac.compare_digest(proof, _stamp(key, content)) for key in (self._key, *self._former))

    def public_number(self, prefix: str, number: int) -> str:
        """A row's number for people: one that shows neither how many rows there are nor that some are not shown."""
        digest = hmac.digest(self._key, f"{prefix}:{number}".encode(), hashlib.sha256)
        return f"{prefix}-{base64.b32encode(digest[:5]).decode()}"


def _stamp(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, b"stamp\0" + content, hashlib.sha256)


class Store:
    """One deployment's store, opened at first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: sa.Engine | None = None
        self._turn = threading.Lock()
        self.metadata = sa.MetaData()

    def engine(self) -> sa.Engine:
        """The open store; tables and columns that an earlier version did not know are added."""
        if self._engine is None:
            if self._url.startswith("sqlite:///"):
                Path(self._url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            # Writers of a SQLite file take turns; its own five seconds of patience are too few for a roomful of them.
            patience = {"timeout": 30} if self._url.startswith("sqlite:") else {}
            engine = sa.create_engine(self._url, connect_args=patience)
            if patience:
                sa.event.listen(engine, "connect", _prepare_sqlite)
            try:
                self.metadata.create_all(engine)
                self._add_new_columns(engine)
            except sa.exc.OperationalError:
                raise StoreError(
                    "the decisions store cannot be opened or written; check `decisions` in tessera.yaml, and who may write there"
                ) from None
            self._engine = engine
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes, durable when it is left. Threads of one process take turns here: SQLite lets one write at a time,
        and those it turns away sleep for a tenth of a second at a time before they try again."""
        with self._turn, self.engine().begin() as connection:
            yield connection

    def _add_new_columns(self, engine: sa.Engine) -> None:
        present = sa.inspect(engine)
        with engine.begin() as connection:
            for table in self.metadata.sorted_tables:
                known = {column["name"] for column in present.get_columns(table.name)}
                for column in table.columns:
                    if column.name not in known:
                        kind = column.type.compile(engine.dialect)
                        connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"))


def _prepare_sqlite(connection: Any, _: object) -> None:
    """With a log of what is written, nobody who reads waits for somebody who writes, and a commit is one flush to the disk instead of
    three. FULL: what was committed outlives a power cut, as the record of looks must."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def in_force(every: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """What nobody took back, in the order given; `name` is the column that `undoes` points at.

    An undoing comes later than what it undoes, so the last word is read first.
    """
    undone: set[str] = set()
    for entry in sorted(every, key=lambda entry: entry["number"], reverse=True):
        if entry["undoes"] and entry[name] not in undone:
            undone.add(entry["undoes"])
    return [entry for entry in every if entry[name] not in undone]

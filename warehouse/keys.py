"""Encryption keys: one per store and role, from the environment or a key file that only its owner can read.

A key is never in the repository, in a log or in an error message. On first run a key file is made; beside data that is
encrypted already never, since a new key would open none of it and hide that the old one is gone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROLES = ("engineer", "quality", "analyst", "practitioner", "reviewer", "governance")
# What the roles of the policy withhold, for who breaks the glass; a mart that nobody's questions reach.
BREAK_GLASS = "break_glass"
MARTS = (*ROLES, BREAK_GLASS)
STORES = ("landing", "core", "decisions", "identity", *MARTS)


# What lies in a data directory encrypted, under one key or another.
_ENCRYPTED = ("landing", "core.duckdb", "core.before-rebuild.duckdb", "marts", "decisions.sqlite")


class KeyFileError(Exception):
    """The key file is gone or misses a key, or others than its owner could read it."""


@dataclass(frozen=True)
class Keys:
    """The keys of one deployment, by store or role; each is 32 random bytes in base64."""

    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Keys({', '.join(sorted(self.values))})"

    def text(self, store: str) -> str:
        if store not in self.values:
            raise KeyFileError(
                f"no key for {store!r}: set TESSERA_KEY_{store.upper()} or add it to the key file; "
                f"keys are needed for {', '.join(STORES)}"
            )
        return self.values[store]

    def raw(self, store: str) -> bytes:
        """32 bytes derived from the key, whatever text a deployment chose as its key."""
        return hashlib.sha256(self.text(store).encode()).digest()

    def every(self, store: str) -> tuple[str, ...]:
        """Names of all keys that something of the store may be under: the next one while it is replaced, its own, former ones."""
        former = sorted(
            (name for name in self.values if name.startswith(f"{store}.former.")), key=_number, reverse=True
        )
        return (*((next_of(store),) if next_of(store) in self.values else ()), store, *former)

    def texts(self, store: str) -> tuple[str, ...]:
        """As text(), of all keys that something of the store may be under."""
        return tuple(self.text(name) for name in self.every(store))

    def raws(self, store: str) -> tuple[bytes, ...]:
        """As raw(), of all keys that something of the store may be under."""
        return tuple(self.raw(name) for name in self.every(store))

    def pseudonym_salt(self, role: str) -> str:
        """A secret for keyed pseudonyms of one mart; another mart's pseudonyms cannot be compared with it."""
        return hmac.new(self.raw("identity"), f"pseudonym:{role}".encode(), hashlib.sha256).hexdigest()

    def aggregate_salt(self) -> str:
        """A secret for the chance by which published figures are moved; whoever knows it can move them back."""
        return hmac.new(self.raw("identity"), b"aggregates", hashlib.sha256).hexdigest()


def load_keys(path: Path, environ: Mapping[str, str], *, data: Path | None = None) -> Keys:
    """Keys from TESSERA_KEY_<STORE> in the environment, else from the key file, which is made on first run.

    `data` is the data directory, by default the key file's folder. Raises KeyFileError where it holds encrypted data already
    and the key file is gone.
    """
    given = {
        store: environ[f"TESSERA_KEY_{store.upper()}"] for store in STORES if f"TESSERA_KEY_{store.upper()}" in environ
    }
    if len(given) == len(STORES):
        return Keys(given)
    if not path.exists():
        if given:  # a machine that was given only some keys, such as an analyst's, is not to invent others
            return Keys(given)
        _refuse_to_begin_anew(path, data or path.parent)
        _make_key_file(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileError(f"{path}: others can read the key file; run: chmod 600 {path}")
    filed = _filed(path)
    _add_new_roles(path, filed, data or path.parent)
    return Keys({**filed, **given})


def next_of(store: str) -> str:
    """The name under which a store's next key stands in the key file while it is replaced."""
    return f"{store}.next"


def prepare_next(path: Path, environ: Mapping[str, str], store: str, *, data: Path) -> Keys:
    """The keys with a next one for the store, which is in the key file from here on. Raises KeyFileError where it is not kept there."""
    keys, filed = _to_be_replaced(path, environ, store, data)
    if next_of(store) not in filed:
        filed[next_of(store)] = _new_key()
        _write(path, [f"{name}={key}" for name, key in filed.items()])
    return Keys({**keys.values, next_of(store): filed[next_of(store)]})


def take_next(path: Path, store: str) -> None:
    """The next key of the store takes the place of the one it had."""
    filed = _filed(path)
    filed[store] = filed.pop(next_of(store))
    _write(path, [f"{name}={key}" for name, key in filed.items()])


def begin_anew(path: Path, environ: Mapping[str, str], store: str, *, data: Path) -> None:
    """A new key for what is written of the store from here on; the one it had is kept as a former one, for what is there."""
    _, filed = _to_be_replaced(path, environ, store, data)
    latest = max((_number(name) for name in filed if name.startswith(f"{store}.former.")), default=0)
    filed[f"{store}.former.{latest + 1}"], filed[store] = filed[store], _new_key()
    _write(path, [f"{name}={key}" for name, key in filed.items()])


def _number(name: str) -> int:
    return int(name.rpartition(".")[2])


def _to_be_replaced(path: Path, environ: Mapping[str, str], store: str, data: Path) -> tuple[Keys, dict[str, str]]:
    """All keys, and those of the key file, of which one is to be replaced."""
    if f"TESSERA_KEY_{store.upper()}" in environ:
        raise KeyFileError(
            f"the key of {store} comes from TESSERA_KEY_{store.upper()}; only a key in the key file is replaced. Put all keys into "
            f"{path} for the time, and take them out again afterwards"
        )
    return load_keys(path, environ, data=data), _filed(path)


def _filed(path: Path) -> dict[str, str]:
    """The keys of a key file, by store. Raises KeyFileError at a line that is none."""
    filed = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            store, separator, value = line.partition("=")
            if not separator or not value.strip():
                raise KeyFileError(f"{path}, line {number}: expected STORE=KEY")
            filed[store.strip()] = value.strip()
    return filed


def _add_new_roles(path: Path, filed: dict[str, str], data: Path) -> None:
    """Gives a role that an earlier version did not know a key of its own, in the file of whoever runs the nights.

    Never a key that is gone: a role whose marts are there already had one.
    """
    runs_the_nights = {"landing", "core", "decisions", "identity"} <= set(filed)
    new = [role for role in MARTS if role not in filed and not any((data / "marts" / role).glob("*"))]
    if runs_the_nights and new:
        filed.update({role: _new_key() for role in new})
        _write(path, [f"{store}={key}" for store, key in filed.items()])


def _refuse_to_begin_anew(path: Path, data: Path) -> None:
    found = [name for name in _ENCRYPTED if (data / name).is_file() or any((data / name).glob("**/*"))]
    if found:
        raise KeyFileError(
            f"{path}: the key file is gone, and {data} holds data that only its keys open ({', '.join(found)}). Put it back from "
            f"its backup, or set TESSERA_KEY_… for {', '.join(STORES)}; nothing was changed. Without the keys this data is lost to "
            f"everybody: to begin anew all the same, first delete {', '.join(str(data / name) for name in found)}"
        )


def _make_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, [f"{store}={_new_key()}" for store in STORES])


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _write(path: Path, keys: list[str]) -> None:
    """The whole file or nothing, for its owner alone."""
    lines = ["# Tessera's keys. Keep a copy where the data is not: without it the warehouse cannot be opened.", *keys]
    temporary = path.with_name(f"{path.name}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

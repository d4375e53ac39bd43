"""Copies of a deployment that can be proved and put back: landing, core, decisions and models; marts are made again, keys never copied.

A backup folder holds bytes once, by their SHA-256, and one list of files per backup, signed with the core's key: a second backup copies
what is new. All of it is encrypted already or holds no person's value (models). What must not live here: what a core should hold
(rebuild.py, verify.py).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines import audit, erasing
from pipelines.line import Line, Night, open_line
from pipelines.night import locked
from pipelines.settings import Settings
from pipelines.verify import verify
from warehouse.journal import Head
from warehouse.keys import STORES, Keys, load_keys, next_of

_CORE, _DECISIONS = "core.duckdb", "decisions.sqlite"
_FOLDERS = ("landing", "models")
_PIECE = 1 << 20


class BackupError(Exception):
    """A backup cannot be made, proved or put back; says why and what to do. What is in use is untouched."""


@dataclass(frozen=True)
class Backup:
    """One backup: when, the last load in it, how many files of how many bytes, and whether human decisions are among them."""

    name: str
    load_id: str
    files: int
    size: int
    decisions: bool
    copied: int = 0  # bytes that no earlier backup in the folder had


def make(settings: Settings, environ: dict[str, str], folder: Path, *, now: dt.datetime, keep: int | None) -> Backup:
    """Backs the deployment up into `folder` while no night runs; of the backups there the newest `keep` stay, or all.

    Raises BackupError where nothing was loaded yet.
    """
    if not settings.core_path.exists():
        raise BackupError(f"{settings.core_path}: nothing was loaded yet; there is nothing to back up")
    if folder.resolve().is_relative_to(settings.data_path.resolve()):
        raise BackupError(
            f"{folder} lies in {settings.data_path}, and would be lost with it; choose a folder elsewhere"
        )
    with locked(settings):
        erasing.carry_out(settings, environ)
        with open_line(settings, environ) as line:
            if rotating := [store for store in STORES if next_of(store) in line.keys.values]:
                raise BackupError(
                    f"the key of {', '.join(rotating)} is being replaced, and part of it is under the one, part under the other; first "
                    f"finish: tessera keys rotate --store {rotating[0]}"
                )
            line.con.execute("CHECKPOINT core")
            said = _said(line, now)
            erasures = line.erasures.sealed()
        for part in ("objects", "backups"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        copied, files = 0, {}
        for name, path in _files(settings, folder):
            files[name], new = _keep(folder, path)
            copied += new
        said["files"] = files
        erasing.write_beside(erasures, folder)
        erasing.note_backups(settings, folder)
    keys = load_keys(settings.keys_path, environ, data=settings.data_path)
    _write(_list(folder, said["name"]), json.dumps({**said, "signature": _signature(said, keys)}).encode())
    if keep is not None:
        _forget(folder, keep)
    return _summary(said, copied)


def listed(folder: Path) -> list[Backup]:
    """The backups of a folder, oldest first."""
    return [_summary(_read(folder, name)) for name in _names(folder)]


def check(folder: Path, keys: Keys, name: str | None = None) -> Backup:
    """Proves that a backup, the newest by default, is whole and that these keys open it. Raises BackupError otherwise."""
    said = _chosen(folder, name)
    _opens(said, keys)
    for file, entry in said["files"].items():
        if _digest(_object(folder, entry["sha256"]), file) != entry["sha256"]:
            raise BackupError(f"{folder}: {file} is not what was backed up; use another backup (tessera backup list)")
    return _summary(said)


def restore(
    settings: Settings, environ: dict[str, str], folder: Path, name: str | None = None
) -> tuple[Backup, dict[str, list[str]]]:
    """Puts a backup into an empty data directory, proves it, and publishes its last load if that was finished.

    Returns the backup and what `verify` found. Raises BackupError where data is there, a key is not the one, or a file is damaged;
    nothing is put in place then.
    """
    if not settings.keys_path.exists() and not all(f"TESSERA_KEY_{store.upper()}" in environ for store in STORES):
        raise BackupError(
            f"{settings.keys_path}: the key file is gone; put it back from where you keep it, then restore again"
        )
    with locked(settings):
        there = [name for name in (_CORE, _DECISIONS, *_FOLDERS, "marts") if (settings.data_path / name).exists()]
        if there:
            raise BackupError(
                f"{settings.data_path} holds data ({', '.join(there)}); nothing is written over it. Move it away, then restore again"
            )
        keys = load_keys(settings.keys_path, environ, data=settings.data_path)
        found = check(folder, keys, name)
        said = _read(folder, found.name)
        arriving = settings.data_path / "restoring"
        shutil.rmtree(arriving, ignore_errors=True)
        for file, entry in said["files"].items():
            target = arriving / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_object(folder, entry["sha256"]), target)
        # The core last: a deployment without one is not half restored, and this can be run again.
        for part in sorted(arriving.iterdir(), key=lambda part: part.name == _CORE):
            part.replace(settings.data_path / part.name)
        arriving.rmdir()
        with open_line(settings, environ) as line:
            proved = verify(line)
            heads = {journal: Head(**head) for journal, head in said["journals"].items()}
            proved["broken"] += [
                fault for fault in audit.prove(line.journals, line.landing, heads)[1] if fault not in proved["broken"]
            ]
            last = line.warehouse.rows("SELECT * FROM night ORDER BY load_seq DESC LIMIT 1")
            erasing.take_over(line, folder)
        # Whoever was erased since the backup is not put back: what was proved is erased again before anything is served.
        if not proved["broken"]:
            erasing.carry_out(settings, environ)
        with open_line(settings, environ) as line:
            # A load that was not finished is not served; the night goes on with it.
            if not proved["broken"] and last and last[0]["status"] == "published":
                line.publish(Night(*(last[0][name] for name in ("load_id", "load_seq", "date", "started_at"))))
    return found, proved


def _said(line: Line, now: dt.datetime) -> dict[str, Any]:
    journals = {journal.name: asdict(head) for journal in line.journals if (head := journal.head()) is not None}
    last = line.con.execute("SELECT load_id FROM night ORDER BY load_seq DESC LIMIT 1").fetchone()
    return {
        "name": f"{now:%Y-%m-%dT%H%M%S}",
        "load_id": last[0] if last else "",
        "journals": journals,
        "keys": _fingerprints(line.keys),
    }


def _files(settings: Settings, folder: Path) -> Iterator[tuple[str, Path]]:
    """What is backed up: its name below the data directory, and where its bytes are now."""
    yield _CORE, settings.core_path
    for part in _FOLDERS:
        for path in sorted((settings.data_path / part).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(settings.data_path).as_posix(), path
    ours = settings.data_path / _DECISIONS
    if settings.decisions is None and ours.exists():
        copy = folder / f".decisions-{secrets.token_hex(8)}"
        try:
            # Readers write looks at any time; SQLite itself makes the copy one moment's.
            with closing(sqlite3.connect(ours)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            yield _DECISIONS, copy
        finally:
            copy.unlink(missing_ok=True)


def _keep(folder: Path, path: Path) -> tuple[dict[str, Any], int]:
    """Puts a file's bytes into the folder, unless they are there; says how many bytes that were."""
    sha256 = _digest(path, path.name)
    size, kept = path.stat().st_size, _object(folder, sha256)
    if kept.exists() and kept.stat().st_size == size:
        return {"sha256": sha256, "size": size}, 0
    kept.parent.mkdir(exist_ok=True)
    with path.open("rb") as source:
        _write(kept, iter(lambda: source.read(_PIECE), b""))
    return {"sha256": sha256, "size": size}, size


def _write(path: Path, content: bytes | Iterable[bytes]) -> None:
    """The whole file or nothing, for its owner alone, on disk before it has its name."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        for piece in [content] if isinstance(content, bytes) else content:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _forget(folder: Path, keep: int) -> None:
    """Takes away all but the newest backups, and what none of those needs."""
    for name in _names(folder)[: -keep or None]:
        _list(folder, name).unlink()
    needed = {entry["sha256"] for name in _names(folder) for entry in _read(folder, name)["files"].values()}
    for path in (folder / "objects").rglob("*"):
        if path.is_file() and path.name not in needed:
            path.unlink()


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "backups").glob("*.json") if not path.name.startswith("."))


def _chosen(folder: Path, name: str | None) -> dict[str, Any]:
    names = _names(folder)
    if not names:
        raise BackupError(f"{folder}: there is no backup in it")
    if name is not None and name not in names:
        raise BackupError(f"{folder}: there is no backup {name}; there are {', '.join(names)}")
    return _read(folder, name or names[-1])


def _read(folder: Path, name: str) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(_list(folder, name).read_text())
        said["files"], said["signature"], said["keys"]
    except (ValueError, KeyError, TypeError):
        raise BackupError(f"{_list(folder, name)}: it is no list of a backup's files; use another backup") from None
    return said


def _opens(said: Mapping[str, Any], keys: Keys) -> None:
    """Whether these are the keys of the backup, and its list of files is as it was written."""
    other = [
        store
        for store, fingerprint in said["keys"].items()
        if store not in STORES or fingerprint not in {_fingerprint(keys, name) for name in keys.every(store)}
    ]
    if other:
        raise BackupError(
            f"backup {said['name']} was made under other keys of {', '.join(other)}; put back the keys of that day"
        )
    if not hmac.compare_digest(said["signature"], _signature(said, keys)):
        raise BackupError(
            f"the list of files of backup {said['name']} was changed; use another backup (tessera backup list)"
        )


def _fingerprints(keys: Keys) -> dict[str, str]:
    return {store: _fingerprint(keys, store) for store in STORES}


def _fingerprint(keys: Keys, name: str) -> str:
    return hmac.new(keys.raw(name), b"backup", hashlib.sha256).hexdigest()[:16]


def _signature(said: Mapping[str, Any], keys: Keys) -> str:
    unsigned = json.dumps({name: value for name, value in said.items() if name != "signature"}, sort_keys=True)
    return hmac.new(keys.raw("core"), f"backup:{unsigned}".encode(), hashlib.sha256).hexdigest()


def _digest(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise BackupError(f"{name}: its bytes are gone ({path}); use another backup (tessera backup list)") from None


def _object(folder: Path, sha256: str) -> Path:
    return folder / "objects" / sha256[:2] / sha256


def _list(folder: Path, name: str) -> Path:
    return folder / "backups" / f"{name}.json"


def _summary(said: Mapping[str, Any], copied: int = 0) -> Backup:
    files = said["files"]
    size = sum(entry["size"] for entry in files.values())
    return Backup(said["name"], said["load_id"], len(files), size, _DECISIONS in files, copied)

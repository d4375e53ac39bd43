"""Landing: every extract's bytes, once, by SHA-256, encrypted before anything is parsed.

A landed file is a sequence of AES-256-GCM chunks, so that it can be written as a stream and read at any position
without ever being whole in memory or plain on disk. Each chunk is bound to the file's salt, its place and whether it
is the last, so that chunks cannot be swapped, dropped or cut off unseen.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import os
import secrets
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fsspec.spec import AbstractFileSystem

CHUNK = 1 << 20
_MAGIC = b"TESSERA1"
_REDACTED = b"TESSERAR"  # what is left of a file after an erasure: its rows as read, without those of who was erased
_HEADER = len(_MAGIC) + 8 + 16  # magic, plain size, salt
_TAG = 16


class LandingError(Exception):
    """A landed file is missing, damaged, or was written with another key."""


@dataclass(frozen=True)
class Landed:
    """One landed file: its content address and size in plain bytes."""

    sha256: str
    size: int

    @property
    def file_id(self) -> str:
        return self.sha256[:16]


class Landing:
    """The landing store of one deployment. What is written is under `key`; what is read may be under a former one."""

    def __init__(self, root: Path, key: bytes, *former: bytes) -> None:
        self.root = root
        self._cipher = AESGCM(key)
        self._ciphers = (self._cipher, *(AESGCM(each) for each in former))
        # Erasures that stand: of a file that was redacted for others, the bytes are taken again when they come again.
        self.standing: frozenset[str] = frozenset()

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def put(self, chunks: Iterable[bytes]) -> Landed:
        """Writes a stream of bytes, encrypted, under its SHA-256; the same bytes twice are stored once."""
        digest = hashlib.sha256()

        def counted() -> Iterator[bytes]:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk

        with self._written(_MAGIC, counted(), b"") as (temporary, size):
            landed = Landed(digest.hexdigest(), size)
            final = self.path(landed.sha256)
            if not final.exists() or not self._stays(landed.sha256):
                final.parent.mkdir(exist_ok=True)
                temporary.replace(final)
            return landed

    @contextmanager
    def _written(self, magic: bytes, chunks: Iterable[bytes], bound_to: bytes) -> Iterator[tuple[Path, int]]:
        """A new encrypted file beside its place, and its size in plain bytes; gone again unless it is moved there."""
        self.root.mkdir(parents=True, exist_ok=True)
        size, salt = 0, secrets.token_bytes(8)
        temporary = self.root / f".incoming-{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as file:
                file.write(b"\0" * _HEADER)
                for index, chunk, last in _rechunk(chunks):
                    size += len(chunk)
                    file.write(
                        self._cipher.encrypt(_nonce(salt, index), chunk, (b"last" if last else b"more") + bound_to)
                    )
                file.seek(0)
                file.write(magic + struct.pack(">Q", size) + salt.ljust(16, b"\0"))
                file.flush()
                os.fsync(file.fileno())
            yield temporary, size
        finally:
            temporary.unlink(missing_ok=True)

    # Of a file with rows of somebody who was erased only what was read of it is kept, without those rows; the format of the file no
    # longer matters then, and its rows keep their numbers.

    def is_redacted(self, sha256: str) -> bool:
        try:
            with self.path(sha256).open("rb") as file:
                return file.read(len(_REDACTED)) == _REDACTED
        except FileNotFoundError:
            return False

    def redact(self, sha256: str, said: dict[str, Any], parts: dict[str, bytes]) -> None:
        """Puts `parts` (name to Parquet) and `said` (plain JSON, no value) in the place of a file's bytes; atomic."""
        head = json.dumps({**said, "parts": {name: len(part) for name, part in parts.items()}}).encode()
        content = [struct.pack(">I", len(head)) + head, *parts.values()]
        with self._written(_REDACTED, content, sha256.encode()) as (temporary, _):
            temporary.replace(self.path(sha256))

    def redacted(self, sha256: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What redact() was given."""
        with self.open(sha256) as file:
            (length,) = struct.unpack(">I", file.read(4))
            said: dict[str, Any] = json.loads(file.read(length))
            return said, {name: file.read(size) for name, size in said["parts"].items()}

    # After an erasure who is who can no longer be worked out from what is left: scores weigh how many records there are, and a record
    # that is gone may once have led from one to another. What the ledger held then lands as well.

    def put_ledger(self, load_id: str, parts: dict[str, bytes]) -> None:
        """Keeps `parts` (table to Parquet) as the ledger of identities after that load; an earlier one goes."""
        folder = self.root / "ledger"
        folder.mkdir(parents=True, exist_ok=True)
        head = json.dumps({name: len(part) for name, part in parts.items()}).encode()
        with self._written(_REDACTED, [struct.pack(">I", len(head)) + head, *parts.values()], load_id.encode()) as (
            new,
            _,
        ):
            new.replace(folder / load_id)
        for path in folder.iterdir():
            if path.name != load_id:
                path.unlink()

    def ledger(self, load_id: str) -> dict[str, bytes] | None:
        """What put_ledger() kept for that load."""
        path = self.root / "ledger" / load_id
        if not path.exists():
            return None
        with io.BufferedReader(LandedReader(path, *self._ciphers), buffer_size=CHUNK) as file:
            (length,) = struct.unpack(">I", file.read(4))
            return {name: file.read(size) for name, size in json.loads(file.read(length)).items()}

    def _stays(self, sha256: str) -> bool:
        """Whether what lies there is kept when the same bytes come again."""
        return not self.is_redacted(sha256) or set(self.redacted(sha256)[0]["erasures"]) <= self.standing

    def open(self, sha256: str) -> io.BufferedReader:
        """The plain bytes, decrypted as they are read; seekable."""
        return io.BufferedReader(LandedReader(self.path(sha256), *self._ciphers), buffer_size=CHUNK)

    def read(self, sha256: str) -> bytes:
        with self.open(sha256) as file:
            return file.read()

    # The manifest of a load says what was received and how it was to be read: with it and the code, core can be
    # recomputed. It holds file names, which may name a school or a person, and is therefore encrypted like the rest.

    def write_manifest(self, load_id: str, feed: str, manifest: dict[str, Any]) -> None:
        folder = self.root / "manifests" / load_id
        folder.mkdir(parents=True, exist_ok=True)
        self._seal_manifest(folder / feed, json.dumps(manifest, sort_keys=True).encode())

    def _seal_manifest(self, path: Path, plain: bytes) -> None:
        nonce = secrets.token_bytes(12)
        content = nonce + self._cipher.encrypt(nonce, plain, path.name.encode())
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def read_manifest(self, load_id: str, feed: str) -> dict[str, Any] | None:
        path = self.root / "manifests" / load_id / feed
        if not path.exists():
            return None
        manifest: dict[str, Any] = json.loads(self._open_manifest(path, *self._ciphers))
        return manifest

    def _open_manifest(self, path: Path, *ciphers: AESGCM) -> bytes:
        content = path.read_bytes()
        for cipher in ciphers:
            with suppress(InvalidTag):
                return cipher.decrypt(content[:12], content[12:], path.name.encode())
        raise LandingError(f"manifest of {path.name} in load {path.parent.name}: damaged, or another landing key")

    def manifests(self) -> Iterator[tuple[str, str]]:
        """(load_id, feed) of every manifest, in order of load."""
        for folder in sorted((self.root / "manifests").glob("*")):
            for path in sorted(folder.iterdir()):
                if not path.name.startswith("."):
                    yield folder.name, path.name

    def write_anew(self) -> int:
        """Puts whatever is under a former key under the present one, file by file, each whole or not at all; how many there were.

        Raises LandingError at a file that none of the keys opens, which is left as it is.
        """
        self.discard_incoming()
        written = 0
        for path in sorted((*self.root.glob("[0-9a-f][0-9a-f]/*"), *self.root.glob("ledger/*"))):
            if not LandedReader.opens(path, self._cipher):
                with LandedReader(path, *self._ciphers) as file:
                    plain = iter(partial(file.read, CHUNK), b"")
                    with self._written(file.magic, plain, file.bound_to) as (temporary, _):
                        file.close()
                        temporary.replace(path)
                written += 1
        for load_id, feed in self.manifests():
            path = self.root / "manifests" / load_id / feed
            try:
                self._open_manifest(path, self._cipher)
            except LandingError:
                self._seal_manifest(path, self._open_manifest(path, *self._ciphers))
                written += 1
        return written

    def discard_incoming(self) -> None:
        """Removes what a killed night left half written; it is encrypted and was never referred to."""
        for path in (*self.root.glob(".incoming-*"), *self.root.glob("manifests/*/.*")):
            path.unlink(missing_ok=True)


class LandedReader(io.RawIOBase):
    """Decrypts chunk by chunk, with that of the ciphers which opens the file; keeps only the current chunk in memory."""

    def __init__(self, path: Path, *ciphers: AESGCM) -> None:
        try:
            self._file = path.open("rb")
        except FileNotFoundError as error:
            raise LandingError(
                f"landed file {path.name[:16]} is missing from landing; restore it from backup"
            ) from error
        head = self._file.read(_HEADER)
        if head[: len(_MAGIC)] not in (_MAGIC, _REDACTED):
            raise LandingError(f"landed file {path.name[:16]} is damaged; restore it from backup")
        self.size: int = struct.unpack(">Q", head[8:16])[0]
        self.magic = head[: len(_MAGIC)]
        self.bound_to = path.name.encode() if self.magic == _REDACTED else b""
        self._salt, self._ciphers, self._name = head[16:24], ciphers, path.name
        self._position, self._chunk_index, self._chunk = 0, -1, b""

    @classmethod
    def opens(cls, path: Path, cipher: AESGCM) -> bool:
        """Whether the file was written under this key."""
        with cls(path, cipher) as file:
            try:
                file._load(0)
            except LandingError:
                return False
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position >= self.size:
            return 0
        index, start = divmod(self._position, CHUNK)
        if index != self._chunk_index:
            self._load(index)
        part = self._chunk[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _load(self, index: int) -> None:
        last = (index + 1) * CHUNK >= self.size
        self._file.seek(_HEADER + index * (CHUNK + _TAG))
        sealed = self._file.read(CHUNK + _TAG)
        bound = (b"last" if last else b"more") + self.bound_to
        for cipher in self._ciphers:
            with suppress(InvalidTag):
                self._chunk = cipher.decrypt(_nonce(self._salt, index), sealed, bound)
                self._chunk_index, self._ciphers = index, (cipher,)
                return
        raise LandingError(f"landed file {self._name[:16]} does not open: damaged, or the landing key is another one")

    def close(self) -> None:
        self._file.close()
        super().close()


class LandingFileSystem(AbstractFileSystem):
    """Lets DuckDB read landed bytes as landing://SHA256, so that nothing is ever decrypted onto disk.

    Text that had to be transcoded to UTF-8 is offered from memory under a name of its own.
    """

    protocol = "landing"
    cachable = False

    def __init__(self, landing: Landing) -> None:
        super().__init__(skip_instance_cache=True)
        self._landing = landing
        self._transcoded: dict[str, bytes] = {}

    def offer(self, name: str, content: bytes) -> str:
        self._transcoded[name] = content
        return f"landing://{name}"

    def withdraw(self, sha256: str) -> None:
        """Forgets what was offered of one landed file."""
        for name in [name for name in self._transcoded if name.endswith(sha256)]:
            del self._transcoded[name]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        name = self._strip_protocol(path)
        if name in self._transcoded:
            return {"name": name, "size": len(self._transcoded[name]), "type": "file"}
        with self._landing.open(name) as file:
            return {"name": name, "size": file.raw.size, "type": "file"}  # type: ignore[attr-defined]

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        return [self.info(path)] if detail else [self._strip_protocol(path)]

    def modified(self, path: str) -> dt.datetime:
        return dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # content-addressed: never modified

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        name = self._strip_protocol(path)
        return io.BytesIO(self._transcoded[name]) if name in self._transcoded else self._landing.open(name)


def _nonce(salt: bytes, index: int) -> bytes:
    return salt + struct.pack(">I", index)


def _rechunk(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """(index, chunk of CHUNK bytes, is last); an empty stream is one empty last chunk."""
    buffer, index = bytearray(), 0
    for chunk in chunks:
        buffer += chunk
        while len(buffer) > CHUNK:
            yield index, bytes(buffer[:CHUNK]), False
            del buffer[:CHUNK]
            index += 1
    yield index, bytes(buffer), True

"""Compressed extracts: gzip, and zip with one file or many. Opened in memory, one level deep, never onto disk.

Bytes decide what is an archive, not its name; a workbook is a zip as well and is none. What is inside is read by the feed's own
reader, as if it had come by itself, and what fails together is the file that was sent. What must not live here: a format.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from connectors.readers.received import (
    LARGEST,
    MOST_FILES,
    Parsed,
    ReadableFile,
    UnreadableFile,
    UnrecognisedFile,
)
from connectors.readers.xlsx import is_workbook

_CHUNK = 1 << 20
_SHOWN = 3
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


def is_archive(file: ReadableFile) -> bool:
    """Whether the bytes are gzip, or a zip that is no workbook."""
    with file.open() as stream:
        start = stream.read(4)
    return start[:3] == b"\x1f\x8b\x08" or (start in (b"PK\x03\x04", b"PK\x05\x06") and not is_workbook(file))


def read(
    file: ReadableFile, endings: tuple[str, ...], read_one: Callable[[ReadableFile], list[Parsed]]
) -> list[Parsed]:
    """Reads every file inside that has one of the endings; any other is noted and not used.

    Where several hold one table, the rows of the later go on counting where the earlier ended. Raises UnreadableFile when one of them
    cannot be used, and UnrecognisedFile when none of them is the feed's.
    """
    found: list[Parsed] = []
    unused: list[UnrecognisedFile] = []
    counted: dict[str, int] = {}
    others: list[str] = []
    tail = file.location.rpartition("/")[2]
    for number, (name, content) in enumerate(_members(file, endings, others)):
        inner = replace(
            file,
            name=f"{file.name}/{name}",
            location=file.offer(f"inside-{number}-{tail}", content),
            open=lambda content=content: io.BytesIO(content),  # type: ignore[misc]
        )
        try:
            parsed = read_one(inner)
        except UnrecognisedFile as error:
            unused.append(error)
            continue
        found += [_counted_on(file, name, part, counted) for part in parsed]
    notes = [str(error).removeprefix(f"{file.name}/") for error in unused]
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        notes.append(f"{', '.join(others[:_SHOWN])}{more}: not used; taken are files that end in {', '.join(endings)}")
    if not found:
        if unused:
            raise unused[0]
        raise UnreadableFile(f"{file.name}: holds no file that ends in {', '.join(endings)}; ask for it again")
    return [replace(found[0], notes=(*found[0].notes, *notes)), *found[1:]]


def _counted_on(file: ReadableFile, name: str, part: Parsed, counted: dict[str, int]) -> Parsed:
    """One table of one file inside, with numbers that no other has and problems that say in which file they are."""
    before = counted.get(part.table.name, 0)
    file.con.execute(
        f"UPDATE {part.relation} SET row_number = row_number + ?, _problem = ? || ', ' || _problem "
        "WHERE _problem IS NOT NULL OR ? > 0",
        [before, name, before],
    )
    last = file.con.execute(f"SELECT max(row_number) FROM {part.relation}").fetchall()[0][0]
    counted[part.table.name] = max(before, last or 0)
    notes = [f"{name}: {note}" for note in part.notes]
    notes += [f"{name}: its rows are counted on from {before + 1}"] if before else []
    return replace(part, notes=tuple(notes))


def _members(file: ReadableFile, endings: tuple[str, ...], others: list[str]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file inside, by name. Those of a zip without such an ending go to `others`."""
    with file.open() as stream:
        packed = io.BytesIO(stream.read())
    try:
        if packed.getvalue()[:2] == b"\x1f\x8b":
            with gzip.open(packed) as inside:
                yield re.sub(r"\.gz$", "", file.name, flags=re.IGNORECASE), _opened(file, inside.read, LARGEST)
            return
        left = LARGEST
        with zipfile.ZipFile(packed) as archive:
            if len(archive.infolist()) > MOST_FILES:
                raise UnreadableFile(
                    f"{file.name}: holds {len(archive.infolist()):,} files; {MOST_FILES:,} are the most that are opened; "
                    "ask for it in parts"
                )
            for member in sorted(archive.infolist(), key=lambda info: info.filename):
                folder, _, name = member.filename.rpartition("/")
                # What systems put beside the files that somebody packed.
                if member.is_dir() or name.startswith((".", "~$")) or folder.partition("/")[0] == "__MACOSX":
                    continue
                if not name.lower().endswith(endings):
                    others.append(member.filename)
                    continue
                if member.flag_bits & 0x1:
                    raise UnreadableFile(
                        f"{file.name}: is a zip archive with a password; ask for it without, or have it opened before it arrives"
                    )
                with archive.open(member) as inside:
                    content = _opened(file, inside.read, left)
                left -= len(content)
                yield member.filename, content
    except _DAMAGED as error:
        raise UnreadableFile(
            f"{file.name}: is an archive that cannot be opened (damaged, or packed in a way that is not known: {type(error).__name__}); "
            "ask for it again as gzip or zip"
        ) from None


def _opened(file: ReadableFile, read_next: Callable[[int], bytes], left: int) -> bytes:
    content = bytearray()
    while chunk := read_next(_CHUNK):
        content += chunk
        if len(content) > left:
            raise UnreadableFile(
                f"{file.name}: opens to more than {LARGEST >> 20:,} MiB, the most that is opened; ask for it in parts, or not compressed"
            )
    return bytes(content)

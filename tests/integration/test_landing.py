"""Landed bytes are encrypted, stored once, and refuse to open when touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.landing import CHUNK, Landing, LandingError

KEY = b"k" * 32
CONTENTS = {
    "empty": b"",
    "one byte": b"x",
    "just a chunk": b"y" * CHUNK,
    "over a chunk": b"z" * (CHUNK + 1),
    "many": b"ab" * CHUNK,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_what_was_put_is_read_back(tmp_path: Path, content: bytes) -> None:
    landing = Landing(tmp_path, KEY)
    landed = landing.put([content[:7], content[7:]])
    assert landing.read(landed.sha256) == content
    assert landed.size == len(content)
    assert landing.put([content]) == landed
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@given(st.binary(max_size=3000), st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_position_can_be_read(tmp_path: Path, content: bytes, data: st.DataObject) -> None:
    landing = Landing(tmp_path, KEY)
    landed = landing.put([content])
    start = data.draw(st.integers(0, len(content)))
    with landing.open(landed.sha256) as file:
        file.seek(start)
        assert file.read() == content[start:]


@pytest.mark.parametrize("spot", [0, 10, 20, 40, -1])
def test_a_touched_file_does_not_open(tmp_path: Path, spot: int) -> None:
    landing = Landing(tmp_path, KEY)
    landed = landing.put([b"A child's story " * 10])
    path = landing.path(landed.sha256)
    content = bytearray(path.read_bytes())
    content[spot] ^= 1
    path.write_bytes(content)
    with pytest.raises(LandingError):
        landing.read(landed.sha256)


def test_a_cut_file_does_not_open(tmp_path: Path) -> None:
    landing = Landing(tmp_path, KEY)
    landed = landing.put([b"x" * (2 * CHUNK + 5)])
    path = landing.path(landed.sha256)
    path.write_bytes(path.read_bytes()[: -(CHUNK // 2)])
    with pytest.raises(LandingError):
        landing.read(landed.sha256)


def test_nothing_plain_reaches_the_disk_and_another_key_opens_nothing(tmp_path: Path) -> None:
    landing = Landing(tmp_path, KEY)
    landed = landing.put([b"ZZCANARYFELL" * 100])
    landing.write_manifest("2026-11-16.1", "toy.marks", {"files": ["ZZCANARYFELL.csv"]})
    assert all(b"ZZCANARY" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(LandingError, match="key"):
        Landing(tmp_path, b"o" * 32).read(landed.sha256)
    with pytest.raises(LandingError, match="key"):
        Landing(tmp_path, b"o" * 32).read_manifest("2026-11-16.1", "toy.marks")
    assert landing.read_manifest("2026-11-16.1", "toy.marks") == {"files": ["ZZCANARYFELL.csv"]}

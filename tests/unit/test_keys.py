"""Keys are made once, on first run, and never beside data that others already open."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.keys import STORES, KeyFileError, load_keys


def test_a_first_run_makes_keys_and_the_next_reads_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "landing").mkdir(parents=True)
    made = load_keys(tmp_path / "keys", {}, data=data)
    assert set(made.values) == set(STORES)
    assert load_keys(tmp_path / "keys", {}, data=data) == made


@pytest.mark.parametrize(
    "left", ["landing/ab/abcdef", "core.duckdb", "core.before-rebuild.duckdb", "marts/current", "decisions.sqlite"]
)
def test_no_key_is_made_beside_encrypted_data(tmp_path: Path, left: str) -> None:
    data = tmp_path / "data"
    (data / left).parent.mkdir(parents=True)
    (data / left).write_bytes(b"encrypted")
    with pytest.raises(KeyFileError) as told:
        load_keys(tmp_path / "keys", {}, data=data)
    name = left.partition("/")[0]
    assert f"({name})" in str(told.value)
    assert f"first delete {data / name}" in str(told.value)
    assert not (tmp_path / "keys").exists()
    given = {f"TESSERA_KEY_{store.upper()}": "of the environment" for store in STORES}
    assert load_keys(tmp_path / "keys", given, data=data).text("core") == "of the environment"

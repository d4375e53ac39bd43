"""Keys are made once, on first run, and never beside data that others already open."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.keys import ROLES, STORES, KeyFileError, load_keys


def test_a_first_run_makes_keys_and_the_next_reads_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "landing").mkdir(parents=True)
    made = load_keys(tmp_path / "keys", {}, data=data)
    assert set(made.values) == set(STORES)
    assert load_keys(tmp_path / "keys", {}, data=data) == made


def test_a_role_that_is_new_gets_a_key_and_one_whose_key_is_gone_does_not(tmp_path: Path) -> None:
    path, data = tmp_path / "keys", tmp_path / "data"
    made = load_keys(path, {}, data=data)
    path.write_text("\n".join(f"{store}={made.text(store)}" for store in STORES if store != "reviewer") + "\n")
    again = load_keys(path, {}, data=data)
    assert set(again.values) == set(STORES)
    assert all(again.text(store) == made.text(store) for store in STORES if store != "reviewer")
    assert load_keys(path, {}, data=data) == again
    (data / "marts" / "reviewer").mkdir(parents=True)
    (data / "marts" / "reviewer" / "load.duckdb").write_bytes(b"encrypted with the key that is gone")
    path.write_text("\n".join(f"{store}={made.text(store)}" for store in STORES if store != "reviewer") + "\n")
    assert "reviewer" not in load_keys(path, {}, data=data).values


def test_a_machine_with_the_key_of_one_role_invents_no_other(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("analyst=of-the-analyst\n")
    path.chmod(0o600)
    assert set(load_keys(path, {}).values) == {"analyst"}
    assert path.read_text() == "analyst=of-the-analyst\n"
    assert set(ROLES) > {"analyst"}


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

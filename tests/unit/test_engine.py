"""Connections: the signature of what writes encrypted files is checked, once in a process for a file that stays as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from warehouse import engine
from warehouse.engine import Warehouse, WarehouseError, connect, define
from warehouse.keys import load_keys
from warehouse.land import RawTable, ensure_raw_tables


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the extension that is used instead of the wheel's."""
    original = engine._httpfs()
    assert original is not None, "the wheel duckdb-extension-httpfs is installed"
    copy = tmp_path / original.name
    shutil.copy2(original, copy)
    monkeypatch.setattr(engine, "_httpfs", lambda: copy)
    return copy


def unsigned_is_allowed() -> bool:
    con = connect()
    try:
        return bool(con.execute("SELECT current_setting('allow_unsigned_extensions')").fetchall()[0][0])
    finally:
        con.close()


def test_the_signature_is_checked_by_the_first_connection_of_a_process(binary: Path) -> None:
    assert [unsigned_is_allowed() for _ in range(3)] == [False, True, True]


def test_a_binary_that_changes_is_checked_again(binary: Path) -> None:
    assert [unsigned_is_allowed(), unsigned_is_allowed()] == [False, True]
    found = binary.stat()
    content = bytearray(binary.read_bytes())
    content[-1] ^= 1  # a byte of the signature
    changed = binary.with_name("changed")
    changed.write_bytes(content)
    os.utime(changed, ns=(found.st_atime_ns, found.st_mtime_ns))
    changed.replace(binary)
    with pytest.raises(WarehouseError, match="httpfs extension for version"):
        connect()
    with pytest.raises(WarehouseError, match="httpfs extension for version"):
        connect()


def test_a_part_is_defined_again_only_by_other_words() -> None:
    with connect() as con:
        assert define(con, "toy", ["CREATE TABLE toy AS SELECT 1 AS a"])
        assert not define(con, "toy", ["CREATE TABLE toy AS SELECT 1 AS a"]), (
            "it would have raised: there is such a table"
        )
        assert define(con, "toy", ["CREATE OR REPLACE TABLE toy AS SELECT 2 AS a"])
        assert con.execute("FROM toy").fetchall() == [(2,)]


def test_a_core_of_an_earlier_version_gains_the_columns_it_lacks_and_keeps_no_value_nobody_reads(
    tmp_path: Path,
) -> None:
    keys = load_keys(tmp_path / "keys", {})
    with Warehouse(tmp_path / "core.duckdb", keys) as warehouse:
        warehouse.con.execute("ALTER TABLE night DROP COLUMN model_version; DROP TABLE publication")
        warehouse.con.execute("CREATE TABLE quality_failure AS SELECT 'LS1 4AP' AS value")
        warehouse.con.execute("CREATE OR REPLACE MACRO tables_by() AS 'those of an earlier version'")
    with Warehouse(tmp_path / "core.duckdb", keys) as warehouse:
        assert warehouse.rows("SELECT model_version FROM night") == warehouse.rows("FROM publication") == []
        assert not warehouse.rows("SELECT table_name FROM duckdb_tables() WHERE table_name = 'quality_failure'")


def test_a_raw_table_gains_the_columns_that_its_contract_has_learnt(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "core.duckdb", load_keys(tmp_path / "keys", {})) as warehouse:
        ensure_raw_tables(warehouse.con, "toy.list", [RawTable("toy_list_child", "child", ("upn",), ("upn",))])
        warehouse.con.execute("INSERT INTO raw.toy_list_child (upn) VALUES ('A')")
        ensure_raw_tables(warehouse.con, "toy.list", [RawTable("toy_list_child", "child", ("upn", "name"), ("upn",))])
        assert warehouse.rows("SELECT upn, name FROM raw.toy_list_child") == [{"upn": "A", "name": None}]


def test_a_core_of_few_rows_is_worked_on_by_one_thread(tmp_path: Path) -> None:
    def threads() -> int:
        return int(warehouse.con.execute("SELECT current_setting('threads')").fetchall()[0][0])

    with Warehouse(tmp_path / "core.duckdb", load_keys(tmp_path / "keys", {}), threads=2) as warehouse:
        with warehouse.as_large():
            assert threads() == 1
        assert threads() == 2
        warehouse.con.execute("INSERT INTO attendance (record_id) SELECT 'r' FROM range(122_880)")
        with warehouse.as_large():
            assert threads() == 2

"""Faults of tessera.yaml, of mappings and of agency folders are told as what they are: place, what is allowed, next step."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import connectors
from connectors import registry
from connectors.contract import Agency, Column, ContractError, Feed, Table, faults
from connectors.registry import agencies
from connectors.transports import place_fault
from pipelines.settings import SettingsError, load_settings
from tests.conftest import MARKS

OPENID = b"sources: {}\nopenid:\n  issuer: %b\n  client_id: tessera\n  roles: {claim: groups, values: {hub: %b}}\n"
SOURCES = 'sources:\n  police.ppn: {from: "inbox/"}\n'
STORE = b"sources: {}\ndecisions: 'postgresql+psycopg://tessera:a-secret@%b'\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"data_dir: data\ndata_dir: other\n" + SOURCES.encode(), "line 2: not well-formed YAML ('data_dir' is given twice)"),
        (SOURCES.encode() + b'  police.ppn: {from: "b/"}\n', "line 3: not well-formed YAML ('police.ppn' is given twice)"),
        (b"# one\n# two\nsources: [\n", "line 3: not well-formed YAML"),
        (b"# one\n" + SOURCES.encode() + b"authority: \xff\n", "line 4: not text in UTF-8; save it as UTF-8"),
        (b'sources:\n  police.ppn: {from: ""}\n', "sources.police.ppn.from: is empty; say where the source is"),
        (b'sources:\n  police.ppn: {from: "${NOT_SET:-}"}\n', "sources.police.ppn.from: is empty"),
        (b"sources:\n  police.ppn: {from: }\n", "sources.police.ppn.from: "),
        (b"sources:\n  police.ppn: {}\n", "sources.police.ppn.from: is missing"),
        (b"datadir: data\n" + SOURCES.encode(), "datadir: there is no such setting; did you mean data_dir?"),
        (b'sources:\n  a.b: {from: "x", maping: "m.yaml"}\n', "sources.a.b: maping: not a word of a source; did you mean mapping?"),
        (b'sources:\n  a.b: {from: "x", mapping: "m.yaml"}\n', "m.yaml: there is no such mapping"),
        (b'sources:\n  readers.b: {from: "x"}\n', "connectors/readers declares no AGENCY"),
        (b"? [a]\n: b\n", "not well-formed YAML"),
        (OPENID % (b"http://login.example", b"quality"), "openid.issuer: must be https, or http on this computer"),
        (OPENID % (b"https://login.example", b"boss"), "openid.roles: there is no role boss; there are engineer, "),
        (STORE % b"db.example/tessera", "decisions: a PostgreSQL on another computer needs ?sslmode=verify-full"),
        (STORE % b"db.example/tessera?sslmode=require", "decisions: a PostgreSQL on another computer"),
        (STORE % b"/tessera?host=/run/pg,db.example", "decisions: a PostgreSQL on another computer"),
        (STORE % b"localhost/tessera?hostaddr=10.0.0.9", "decisions: a PostgreSQL on another computer"),
        (b"decisions: 'postgresql//x'\n" + SOURCES.encode(), "decisions: is no SQLAlchemy URL"),
        (OPENID % (b"https://login.example", b"quality") + b"  client_secret: x\n", "openid.client_secret: there is no such setting"),
    ],
)  # fmt: skip
def test_a_fault_of_the_configuration_is_one(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "tessera.yaml").write_bytes(content)
    with pytest.raises(SettingsError) as told:
        load_settings(tmp_path / "tessera.yaml", {})
    assert says in str(told.value) and "a-secret" not in str(told.value)


@pytest.mark.parametrize(
    "place", [b"localhost/tessera", b"/tessera?host=/run/pg", b"db.example/tessera?sslmode=verify-full"]
)
def test_a_store_here_or_one_that_proves_whose_it_is_is_taken(tmp_path: Path, place: bytes) -> None:
    (tmp_path / "tessera.yaml").write_bytes(STORE % place)
    assert load_settings(tmp_path / "tessera.yaml", {}).decisions_url.endswith(place.decode())


def test_a_folder_in_the_place_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize("agency", agencies().values(), ids=lambda agency: agency.name)
def test_what_is_shipped_has_no_fault(agency: Agency) -> None:
    assert faults(agency.name, agency) == []


TABLE = MARKS.tables[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"agency": "other"}, "the feed marks says agency='other'; it is 'toy'"),
        ({"name": "My marks"}, "a name is lower case"),
        ({"delivery": "dleta"}, "delivery='dleta' is not allowed; allowed: full, delta"),
        ({"expect": "fortnightly"}, "expect='fortnightly' is not allowed; allowed: daily, weekly, termly, yearly, as_it_happens"),
        ({"unit": "batch"}, "unit='batch' is not allowed"),
        ({"format": "cvs"}, "format='cvs' is not allowed"),
        ({"tables": ()}, "has no table"),
        ({"tables": (replace(TABLE, key=("upm",)),)}, "key names upm, which is none of its columns (upn, surname"),
        ({"tables": (replace(TABLE, key=()),)}, "has no key"),
        ({"tables": (replace(TABLE, version="recorded"),)}, "version names recorded, which is none of its columns"),
        ({"tables": (replace(TABLE, owner="child"),)}, "owner names child, which is none of its columns"),
        ({"tables": (replace(TABLE, columns=(*TABLE.columns, Column("UPN", "again"))),)}, "the column upn is declared twice"),
        ({"tables": (replace(TABLE, columns=(*TABLE.columns, Column("extra", "x"))),)}, "extra is used by Tessera itself"),
        ({"tables": (Table("t", "", ("a",), (Column("a", "x", severity="grave"),)),)}, "column a: severity='grave' is not allowed"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_fault_of_a_contract_is_told_before_any_night(change: dict[str, Any], says: str) -> None:
    feed: Feed = replace(MARKS, **change)
    told = faults("toy", Agency("toy", "Toy", feeds=(feed,)))
    assert any(says in fault for fault in told), told


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A further folder among the agencies' own."""
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(tmp_path / "connectors")])
    folder = tmp_path / "connectors" / "begun"
    folder.mkdir(parents=True)
    importlib.invalidate_caches()
    registry.agencies.cache_clear()
    yield folder
    registry.agencies.cache_clear()
    sys.modules.pop("connectors.begun", None)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("from enum import Enum\n\nAGENCY = Enum.nothing\n", "connectors/begun/__init__.py, line 3: AttributeError"),
        ("AGENCY = (\n", "connectors/begun/__init__.py, line 1: SyntaxError"),
        ("from connectors.contract import Agency\nAGENCY = Agency('police', 'x', ())\n", "an agency is named as its folder"),
    ],
)  # fmt: skip
def test_code_that_does_not_import_is_told_with_its_place(begun: Path, code: str, says: str) -> None:
    (begun / "__init__.py").write_text(code)
    with pytest.raises(ContractError) as told:
        agencies()
    assert says in str(told.value)


def test_a_folder_without_an_agency_is_not_passed_over(begun: Path, tmp_path: Path) -> None:
    (begun / "__init__.py").write_text("AGENCI = None\n")
    (tmp_path / "tessera.yaml").write_text('sources:\n  begun.visits: {from: "x"}\n')
    with pytest.raises(SettingsError, match="connectors/begun declares no AGENCY"):
        load_settings(tmp_path / "tessera.yaml", {})


@pytest.mark.parametrize(
    ("location", "missing"),
    [
        ("here/", None), ("here", None), ("here/a.csv", None), ("here/*.csv", None), ("here/none_yet.csv", None),
        ("s3://bucket/none/", None), ("none/", "none"), ("none", "none"), ("none/a.csv", "none"), ("none/*/*.csv", "none"),
        ("here/none/*.csv", "here/none"),
    ],
)  # fmt: skip
def test_a_place_that_does_not_exist_is_told_by_its_setting(tmp_path: Path, location: str, missing: str | None) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.csv").touch()
    told = place_fault(MARKS, location, tmp_path)
    assert told == (
        missing
        and f"sources.toy.marks.from: {tmp_path / missing} does not exist, so nothing can arrive; "
        "make the folder, or mend the path in tessera.yaml"
    )

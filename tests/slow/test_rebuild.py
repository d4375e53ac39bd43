"""The core is a function of landing, decisions and code: recomputed beside the one in use, it is the same, row by row."""

import datetime as dt
import os
import shutil

import pytest

from pipelines.line import open_line
from pipelines.night import run_night
from pipelines.rebuild import RebuildError, rebuild
from pipelines.settings import load_settings
from synthetic.world import make_world
from warehouse import query
from warehouse.keys import load_keys
from warehouse.quarantine import release

pytestmark = pytest.mark.slow


def settings_of(folder, night):
    return load_settings(folder / "tessera.yaml", {"NIGHT": night})


def night(folder, number):
    with open_line(settings_of(folder, f"night{number}"), {}) as line:
        return run_night(line, dt.date(2026, 11, 15 + number))


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Two nights, with a decision taken and a row released between them, and a decision taken since."""
    folder = tmp_path_factory.mktemp("lived")
    make_world(folder, children=25, seed=5, nights=2)
    inbox = folder / "night1" / "youth_justice"
    file = next(inbox.glob("*.csv"))
    header, first, *others = file.read_text(encoding="utf-8").splitlines()
    keyless = "," + first.partition(",")[2]
    file.write_text("\n".join([header, first, *others, keyless]) + "\n", encoding="utf-8")
    assert night(folder, 1).published
    with open_line(settings_of(folder, "night2"), {}) as line:
        (held,) = line.warehouse.rows("SELECT quarantine_id FROM quarantine")
        release(
            line.warehouse, held["quarantine_id"], by="Q. Officer", repairs={header.partition(",")[0]: "YJ-RELEASED"}
        )
        records = [
            row["record_id"] for row in line.warehouse.rows("SELECT record_id FROM person_record ORDER BY record_id")
        ]
        # Dated before the first night, as imported decisions often are: the first night did not know it all the same.
        line.decisions.add("must_link", records[0], records[-1], "one child", "R. Viewer", dt.datetime(2026, 1, 1))
    assert night(folder, 2).published
    with open_line(settings_of(folder, "night2"), {}) as line:
        assert (
            line.warehouse.rows("SELECT count(*) AS n FROM quarantine WHERE released_load_id IS NOT NULL")[0]["n"] == 1
        )
        line.decisions.add("cannot_link", records[0], records[1], "two children", "R. Viewer", dt.datetime(2026, 1, 2))
    return folder


@pytest.fixture
def copied(lived, tmp_path):
    shutil.copytree(lived, tmp_path / "lived")
    return tmp_path / "lived"


def test_what_is_recomputed_from_landing_is_what_is_in_use(lived):
    found = rebuild(settings_of(lived, "night2"), {}, switch=False)
    assert found.compared
    assert found.differing == {}
    assert (found.nights, found.left_out, found.switched) == (2, [], False)
    assert found.rows > 1_000
    assert not (lived / "data" / "rebuilding").exists()


def test_a_row_that_landing_does_not_give_is_told(copied):
    with open_line(settings_of(copied, "night2"), {}) as line:
        line.con.execute("DELETE FROM event WHERE event_id = (SELECT min(event_id) FROM event)")
    found = rebuild(settings_of(copied, "night2"), {}, switch=False)
    assert list(found.differing) == ["event"]


def test_without_a_core_everything_but_releases_comes_back(copied):
    settings = settings_of(copied, "night2")
    keys = load_keys(settings.keys_path, {})

    def people():
        with query.open_mart(settings.marts_path, keys, "practitioner") as con:
            return query.rows(con, "SELECT record_id, person_id FROM records WHERE feed <> 'cases' ORDER BY ALL")

    before = people()
    settings.core_path.write_bytes(os.urandom(4096))
    found = rebuild(settings, {}, switch=True)
    assert (found.compared, found.switched) == (False, True)
    assert people() == before
    assert settings.core_path.with_name("core.before-rebuild.duckdb").stat().st_size == 4096
    assert [load for load, _ in publications(copied)] == ["2026-11-16.1", "2026-11-17.1", "2026-11-17.1"]


def publications(folder):
    with open_line(settings_of(folder, "night2"), {}) as line:
        return line.con.execute("SELECT load_id, published_at FROM publication ORDER BY published_at").fetchall()


def test_what_was_served_and_when_is_not_forgotten(copied):
    before = publications(copied)
    assert rebuild(settings_of(copied, "night2"), {}, switch=True).switched
    after = publications(copied)
    assert after[:2] == before
    assert [load for load, _ in after] == ["2026-11-16.1", "2026-11-17.1", "2026-11-17.1"]


def test_with_nothing_landed_there_is_nothing_to_rebuild_from(tmp_path):
    make_world(tmp_path, children=3, seed=5, nights=1)
    with pytest.raises(RebuildError, match="no night has landed"):
        rebuild(settings_of(tmp_path, "night1"), {}, switch=False)

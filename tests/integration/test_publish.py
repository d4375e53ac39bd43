"""Publications as files: all roles switch at once, the last N are kept, one can go back, and a kill harms no reader."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.integration.test_publish_story import AT_2, NIGHT_1, NIGHT_2, Story, tell
from warehouse import publish as publishing
from warehouse import query as querying
from warehouse import touched
from warehouse.engine import Warehouse, WarehouseError
from warehouse.keys import MARTS, Keys, load_keys
from warehouse.publish import PublishError, current, damaged, rollback

ROOT = Path(publishing.__file__).parents[1]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = tell(tmp_path)
    yield told
    told.warehouse.close()


def served(story: Story) -> dict[str, str]:
    return {role: story.ask(role, "SELECT load_id FROM mart")[0]["load_id"] for role in MARTS}


def files(story: Story) -> set[str]:
    return {str(path.relative_to(story.marts)) for path in story.marts.rglob("*") if path.is_file()}


def test_all_roles_are_switched_by_one_pointer(story: Story) -> None:
    first = story.publish(NIGHT_1)
    assert (first.load_id, first.previous) == (NIGHT_1, ())
    second = story.publish(NIGHT_2)
    assert served(story) == dict.fromkeys(MARTS, NIGHT_2)
    assert current(story.marts) == second
    assert [each.load_id for each in second.previous] == [NIGHT_1]
    assert files(story) == {"current"} | {f"{role}/{load}.duckdb" for role in MARTS for load in (NIGHT_1, NIGHT_2)}
    recorded = story.warehouse.rows("SELECT load_id FROM publication ORDER BY load_id")
    assert [row["load_id"] for row in recorded] == [NIGHT_1, NIGHT_2]


def test_a_second_publication_of_one_load_never_writes_a_file_that_is_served(story: Story) -> None:
    first = story.publish()
    con = querying.open_mart(story.marts, story.keys, "engineer")
    second = story.publish()
    assert second.version == f"{NIGHT_2}-2"
    assert second.load_id == NIGHT_2
    assert not {mart.file for mart in first.files.values()} & {mart.file for mart in second.files.values()}
    assert querying.rows(con, "SELECT load_id FROM mart") == [{"load_id": NIGHT_2}]
    con.close()
    served = story.warehouse.rows("SELECT load_id, published_at FROM publication ORDER BY published_at")
    assert [row["load_id"] for row in served] == [NIGHT_2, NIGHT_2]
    assert story.ask("governance", "FROM publications") == served[:1], "all before this one"


def test_what_a_row_is_numbered_by_tells_nothing_of_the_order_of_true_identifiers(story: Story) -> None:
    """Days that two feeds tell are numbered person by person: over everybody, they would stand in the order of the identifiers hidden."""
    story.person_record("social_care.ssda903:x3", "p-jo", given_names="Jo")
    away = {"event_type": "missing_from_care", "occurred_from": dt.datetime(2026, 2, 20), "occurred_precision": "day"}
    for record in ("social_care.ssd:s3", "social_care.ssda903:x3"):
        story.fact("event", record, event_id=f"e-away-{record}", statement_kind="fact", **away)
    story.publish()
    numbered = "FROM chronology_history WHERE same_group IS NOT NULL"
    assert story.ask("analyst", f"SELECT count(DISTINCT person_id) AS n {numbered}") == [{"n": 2}]
    assert story.ask("analyst", f"SELECT DISTINCT same_group {numbered}") == [{"same_group": 1}]


def test_records_linked_to_nobody_are_not_one_person_to_be_found(story: Story) -> None:
    known = "SELECT count(*) AS n FROM known_by WHERE person_id IS NULL UNION ALL SELECT count(*) FROM known_as WHERE person_id IS NULL"
    let_go = ["health.fhir:c1", "health.fhir:c2"]
    story.warehouse.con.execute("UPDATE link SET unlinked_at = ? WHERE record_id IN (SELECT unnest(?))", [AT_2, let_go])
    story.publish()
    assert story.ask("practitioner", known) == [{"n": 0}, {"n": 0}]


@pytest.mark.slow
def test_the_same_core_publishes_equal_marts(story: Story) -> None:
    def content(role: str) -> dict[str, list[str]]:
        con = querying.open_mart(story.marts, story.keys, role)
        tables = querying.rows(con, "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'mart'")
        names = [row["table_name"] for row in tables if row["table_name"] != "publications"]  # one more each time
        held = {name: querying.rows(con, f'FROM "{name}"') for name in names}
        con.close()
        return {name: [repr(row) for row in rows] for name, rows in held.items()}

    story.publish()
    before = {role: content(role) for role in MARTS}
    story.publish()
    assert {role: content(role) for role in MARTS} == before


@pytest.mark.slow
def test_the_last_n_are_kept_and_older_ones_and_leftovers_go(story: Story) -> None:
    for _ in range(4):
        story.publish(keep=2)
    (story.marts / "analyst" / ".half.building").write_bytes(b"half")
    (story.marts / "analyst" / ".half.building.wal").write_bytes(b"half")
    (story.marts / "quality" / "never-pointed-at.duckdb").write_bytes(b"whole, but the switch did not come")
    (story.marts / ".current.new").write_text("{")
    (story.marts / "analyst" / "notes.txt").write_text("not ours")
    publication = story.publish(keep=2)
    named = {mart.file for each in (publication, *publication.previous) for mart in each.files.values()}
    assert len(named) == 2 * len(MARTS)
    assert files(story) == named | {"current", "analyst/notes.txt"}


@pytest.mark.slow
def test_one_can_go_back_and_forward_again(story: Story) -> None:
    story.publish(NIGHT_1)
    story.publish(NIGHT_2)
    assert rollback(story.marts) == NIGHT_1
    assert served(story) == dict.fromkeys(MARTS, NIGHT_1)
    with pytest.raises(PublishError, match="the only publication kept"):
        rollback(story.marts)
    story.publish(NIGHT_2)
    assert served(story) == dict.fromkeys(MARTS, NIGHT_2)
    assert rollback(story.marts) == NIGHT_1


def test_a_wrong_key_is_said_so_and_not_quoted(story: Story) -> None:
    story.publish()
    other = load_keys(story.marts.parent / "elsewhere" / "keys", {})
    with pytest.raises(WarehouseError, match="the key does not open it") as refused:
        querying.open_mart(story.marts, other, "analyst")
    assert other.text("analyst") not in str(refused.value)
    with pytest.raises(Exception, match="no key for 'analyst'"):
        querying.open_mart(story.marts, Keys({}), "analyst")


def test_a_changed_or_missing_file_is_found(story: Story) -> None:
    publication = story.publish()
    assert damaged(story.marts) == damaged(story.marts, story.keys) == []
    analyst, quality = publication.path(story.marts, "analyst"), publication.path(story.marts, "quality")
    content = bytearray(analyst.read_bytes())
    content[len(content) // 2] ^= 1
    analyst.write_bytes(content)
    quality.unlink()
    wrong = damaged(story.marts, story.keys)
    assert [("analyst" in text, "quality" in text) for text in wrong] == [(False, True), (True, False)]
    with pytest.raises(querying.QueryError, match="is missing"):
        querying.open_mart(story.marts, story.keys, "quality")


@pytest.mark.parametrize("load_id", ["", "../up", "a/b", ".hidden", "a b"])
def test_a_load_that_cannot_name_a_file_is_refused(story: Story, load_id: str) -> None:
    with pytest.raises(PublishError, match="cannot name a file"):
        story.publish(load_id)


def test_an_unknown_load_is_refused(story: Story) -> None:
    with pytest.raises(PublishError, match="is not in the warehouse's nights"):
        story.publish("2031-01-01")


@pytest.mark.slow
def test_a_publication_that_fails_leaves_the_last_one_and_tells_no_value(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.publish(NIGHT_1)
    views = publishing.views()
    broken = tuple(
        publishing.View(
            view.name, view.sql.replace("versions.given_names,", "CAST(versions.given_names AS INTEGER) AS given_names,"),
            view.grain, view.sorted_by, view.meanings,
        )
        for view in views
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "views", lambda: broken)
        with pytest.raises(PublishError, match="could not be built: DuckDB reports ConversionException") as failed:
            story.publish(NIGHT_2)
    assert failed.value.__cause__ is None
    assert "Khan" not in str(failed.value)
    assert served(story) == dict.fromkeys(MARTS, NIGHT_1)
    story.publish(NIGHT_2)
    assert served(story) == dict.fromkeys(MARTS, NIGHT_2)


def test_a_full_disk_leaves_the_last_publication(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.publish(NIGHT_1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "current")

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_sync", full)
        with pytest.raises(PublishError, match="the disk is full; make room"):
            story.publish(NIGHT_2)
    assert served(story) == dict.fromkeys(MARTS, NIGHT_1)


# Beginning from the last publication


def night_after(story: Story, day: int = 3, *, at: dt.datetime | None = None) -> str:
    """A further night, that brings one event of one child."""
    load_id, began = f"2026-03-{day:02d}", at or dt.datetime(2026, 3, day, 2)
    story.insert("night", load_id=load_id, load_seq=day, date=dt.date(2026, 3, day), started_at=began, status="running")
    told = {"event_type": "note", "statement_kind": "fact", "title": "Seen", "occurred_from": dt.datetime(2026, 3, day)}
    story.fact("event", "health.fhir:c1", at=began, event_id=f"e-of-{load_id}", **told)
    return load_id


def test_a_night_begins_from_the_last_publication(story: Story) -> None:
    whole = story.publish()
    assert (whole.whole, whole.whole_because) == (NIGHT_2, "nothing was published before")
    before = story.ask("practitioner", "FROM chronology_history")
    published = story.publish(night_after(story))
    assert (published.whole, published.whole_because) == (NIGHT_2, "")
    assert current(story.marts) == published
    assert damaged(story.marts, story.keys) == []
    assert all(_first_block(story, whole, role) == _first_block(story, published, role) for role in MARTS), "a copy"
    after = story.ask("practitioner", "FROM chronology_history")
    assert [row for row in after if row["load_id"] == "2026-03-03"] == [row for row in after if row not in before] != []
    assert [row for row in before if row not in after] == []
    assert story.publish(night_after(story, 4)).whole == NIGHT_2, "a copy of a copy"


def _first_block(story: Story, publication: publishing.Publication, role: str) -> bytes:
    """DuckDB draws what stands here anew for every file it makes, and leaves it alone in one that is there."""
    return publication.path(story.marts, role).read_bytes()[:4096]


def _put_back(story: Story) -> None:
    story.publish(night_after(story))
    rollback(story.marts)


def _damage(story: Story) -> None:
    path = current(story.marts).path(story.marts, "analyst")
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    ("meanwhile", "how", "why"),
    [
        (lambda story: None, {"whole": True}, "it was asked for"),
        (lambda story: None, {"keep": 1}, "the last whole publication is not kept any longer"),
        (lambda story: None, {"sealed": [("health.fhir:h1", "health.fhir:h2")]}, "the code, the policy, a key or a seal is another"),
        (_put_back, {}, "what is served is not what was last published from this core"),
        (_damage, {}, "a file of the last publication is missing or not as it was published"),
        (
            lambda story: story.warehouse.con.execute("DELETE FROM event WHERE record_id = 'health.fhir:h1'"),
            {},
            "what was published is no longer all in the core",
        ),
        (
            lambda story: [story.warehouse.con.execute(f"DROP TABLE {name}") for name in touched.REMEMBERED],
            {},
            "the core remembers no publication before",
        ),
    ],
)  # fmt: skip
def test_nothing_is_taken_over_where_it_cannot_be_relied_on(
    story: Story, meanwhile: Callable[[Story], Any], how: dict[str, Any], why: str
) -> None:
    whole = story.publish()
    meanwhile(story)
    published = story.publish(night_after(story, 4), **how)
    if "keep" not in how:
        assert all(_first_block(story, whole, role) != _first_block(story, published, role) for role in MARTS), (
            "a file of its own"
        )
    assert (published.whole, published.whole_because) == ("2026-03-04", why)
    assert story.ask("practitioner", "SELECT count(*) AS n FROM chronology WHERE load_id = '2026-03-04'") == [{"n": 1}]


def test_nor_where_the_clock_was_set_back_or_the_load_is_no_later_one(story: Story) -> None:
    story.publish()
    assert story.publish().whole_because == "this load is not later than what is served"
    assert story.publish(night_after(story, at=AT_2)).whole_because == "the clock does not tell what came since"


def test_no_file_goes_further_back_than_what_is_kept(story: Story) -> None:
    """What was replaced in a file can still be read from its bytes: no longer than from the files that are kept."""
    story.publish(keep=3)
    why = [story.publish(night_after(story, day), keep=3).whole_because for day in (3, 4, 5, 6, 7)]
    assert why == ["", "", "the last whole publication is not kept any longer", "", ""]


# Killed at any instant

MORTAL = """
    import os, pathlib, shutil, signal, sys
    import duckdb
    from tests.integration.test_publish_story import FEEDS
    from warehouse import engine, publish
    from warehouse.keys import load_keys

    folder = pathlib.Path(sys.argv[1])

    def publish_until(instant):
        passed = 0

        def mortal(function):
            def call(*args, **kwargs):
                nonlocal passed
                for when in ("before", "after"):
                    passed += 1
                    if passed == instant:
                        os.kill(os.getpid(), signal.SIGKILL)
                    if when == "before":
                        result = function(*args, **kwargs)
                return result
            return call

        warehouse = engine.Warehouse(folder / "core.duckdb", load_keys(folder / "keys", {}))
        for owner, name in (
            (os, "fsync"), (pathlib.Path, "replace"), (pathlib.Path, "unlink"), (engine, "attach"), (shutil, "copyfile"),
            (publish, "_fill"), (publish, "_prepare"), (publish, "_record"), (publish, "_write_pointer"),
        ):
            setattr(owner, name, mortal(getattr(owner, name)))
        publish.publish(
            warehouse, folder / "marts", load_keys(folder / "keys", {}), load_id=sys.argv[2], keep=int(sys.argv[3]), feeds=FEEDS
        )
        return passed

    # Each in a process of its own, forked from this one, which has imported everything and opened nothing.
    for asked in sys.stdin:
        child = os.fork()
        if child == 0:
            print("passed", publish_until(int(asked)), flush=True)
            os._exit(0)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Publisher:
    """Publishes in a process that may be killed at the n-th of the instants at which anything reaches the disk."""

    def __init__(self, folder: Path, load_id: str, keep: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(MORTAL), str(folder), load_id, str(keep)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def publish_until(self, instant: int) -> tuple[int, int]:
        """(exit code, how many instants there were); -1 for a publication that lives."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{instant}\n")
        self._process.stdin.flush()
        said: dict[str, int] = {}
        while "ended" not in said:
            word, number = self._process.stdout.readline().split()
            said[word] = int(number)
        return said["ended"], said.get("passed", 0)

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("copied", [False, True])
def test_killed_at_any_instant_readers_have_one_good_publication(copied: bool, tmp_path: Path) -> None:
    """What readers get is whole, and publishing again ends it. Not every instant, but in steps that do not divide those of a role, so that
    each kind is met in one role or another."""
    story = tell(tmp_path)
    story.publish(NIGHT_1)
    load_id, keep, step, of_a_role = NIGHT_2, 2, 7, 12
    if copied:
        story.publish()
        story.publish(night_after(story))
        load_id, keep, step, of_a_role = night_after(story, 4), 3, 9, 14
    else:
        story.publish(NIGHT_1)
    story.warehouse.close()
    shutil.copytree(story.marts, tmp_path / "marts_before")
    shutil.copy(tmp_path / "core.duckdb", tmp_path / "core_before.duckdb")
    publisher = Publisher(tmp_path, load_id, keep)
    ended, last = publisher.publish_until(-1)
    assert ended == 0
    assert (current(story.marts).whole_because == "") == copied
    assert last >= 40
    # Two more for reading what the analyst was shown before.
    assert (last - 30 - 2 * copied) % of_a_role == 0, (
        "another number of instants to a role: choose a step that does not divide it"
    )
    for instant in range(1, last + 1, step):
        shutil.rmtree(story.marts)
        shutil.copytree(tmp_path / "marts_before", story.marts)
        shutil.copy(tmp_path / "core_before.duckdb", tmp_path / "core.duckdb")
        (tmp_path / "core.duckdb.wal").unlink(missing_ok=True)
        assert publisher.publish_until(instant)[0] == -signal.SIGKILL, f"instant {instant} of {last}"
        loads = set(served(story).values())
        assert len(loads) == 1, f"instant {instant}: roles are served different loads"
        assert damaged(story.marts, story.keys) == [], f"instant {instant}"
        assert publisher.publish_until(-1)[0] == 0, f"instant {instant}"
        assert served(story) == dict.fromkeys(MARTS, load_id), f"instant {instant}"
        publication = current(story.marts)
        named = {mart.file for each in (publication, *publication.previous) for mart in each.files.values()}
        assert files(story) == named | {"current"}, f"instant {instant}: leftovers"
        assert len(named) == keep * len(MARTS)
    publisher.close()


# Readers while publishing

READER = """
    import json, pathlib, sys, time
    from warehouse import query
    from warehouse.keys import load_keys

    folder, role = pathlib.Path(sys.argv[1]), sys.argv[2]
    keys = load_keys(folder / "keys", {})
    seen, reads = [], 0
    until = time.monotonic() + 240
    while not (folder / "stop").exists() and time.monotonic() < until:
        con = query.open_mart(folder / "marts", keys, role)
        for _ in range(3):
            answer = query.rows(con, '''
                SELECT
                    (SELECT load_id FROM mart) AS mart,
                    (SELECT max(load_id) FROM chronology) AS chronology,
                    (SELECT max(load_id) FROM records) AS records,
                    (SELECT max(load_id) FROM loads) AS loads
            ''')[0]
            assert len(set(answer.values())) == 1, answer
            reads += 1
        con.close()
        if answer["mart"] not in seen:
            seen.append(answer["mart"])
        time.sleep(0.5)  # a person reads what was found; twenty that never pause would leave two cores none to publish on
    print(json.dumps({"reads": reads, "seen": seen}))
"""


READERS = 20


@pytest.mark.slow
def test_readers_see_one_whole_load_each_while_marts_are_switched(story: Story, tmp_path: Path) -> None:
    def night(number: int) -> str:
        """A further load whose identifier is the largest in every table it touches."""
        load_id = f"2026-03-{number:02d}"
        story.warehouse.con.execute(
            "INSERT INTO night SELECT ?, ?, date, started_at, NULL, 'running', NULL FROM night WHERE load_id = ?",
            [load_id, number, NIGHT_2],
        )
        story.warehouse.con.execute(
            "INSERT INTO feed_load BY NAME SELECT * REPLACE (? AS load_id) FROM feed_load WHERE load_id = ?",
            [load_id, NIGHT_2],
        )
        for table, key in (("person_record", f"health.fhir:n{number}"), ("event", "health.fhir:h1")):
            more = {"event_id": f"e{number}", "event_type": "note"} if table == "event" else {"role": "child"}
            story.fact(table, key, at=AT_2, **more)
            story.warehouse.con.execute(f'UPDATE "{table}" SET load_id = ? WHERE record_id = ?', [load_id, key])
        story.publish(load_id, keep=2)
        return load_id

    first = night(10)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(READER), str(tmp_path), ("practitioner", "analyst")[number % 2]],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(READERS)
    ]  # fmt: skip
    try:
        time.sleep(3)
        published = [first, *(night(number) for number in range(11, 15))]
        time.sleep(2)
    finally:
        (tmp_path / "stop").touch()
        answers = [reader.communicate(timeout=300) for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * READERS, [err for _, err in answers if err][:1]
    heard = [json.loads(out) for out, _ in answers]
    assert all(each["reads"] > 0 for each in heard)
    assert all(each["seen"] == sorted(each["seen"]) and set(each["seen"]) <= set(published) for each in heard)
    assert any(len(each["seen"]) > 1 for each in heard), "no reader lived through a switch"


def test_a_core_that_cannot_be_reached_by_a_reader_does_not_matter(story: Story) -> None:
    """Readers need the marts alone: the core is held by its writer, and they never ask for it."""
    story.publish()
    assert isinstance(story.warehouse, Warehouse)
    assert served(story) == dict.fromkeys(MARTS, NIGHT_2)
    assert os.fspath(story.marts) not in str(story.warehouse.rows("FROM duckdb_databases()"))
    with pytest.raises(duckdb.Error):
        story.warehouse.con.execute("FROM building.main.mart")

"""Human decisions: what may be taken, what counts, taking back, and what stays unsaid about seals."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import duckdb
import pytest

from linkage import DECISION_COLUMNS, carry_over, link, run
from tests.unit.linkage_world import NOW, SECRET, TODAY, add, upn, world
from warehouse.decisions import COLUMNS, DecidedMeanwhile, DecisionError, Decisions
from warehouse.store import Store, StoreError

A, B, C, D = (f"health.fhir:{name}" for name in "ABCD")
KEY = bytes(32)


@pytest.fixture
def decisions(tmp_path: Path) -> Decisions:
    return Decisions(Store(f"sqlite:///{tmp_path / 'decisions.sqlite'}"), KEY)


def take(decisions: Decisions, kind: str, a: str, b: str, minutes: int = 0, author: str = "Ana") -> str:
    return decisions.add(kind, a, b, "spoke to the school", author, NOW + dt.timedelta(minutes=minutes)).decision_id


def counting(decisions: Decisions) -> set[tuple[str, str, str]]:
    return {(d["kind"], d["record_id_a"], d["record_id_b"]) for d in decisions.as_pairs()}


def test_of_several_who_decide_one_pair_at_the_same_moment_one_is_taken(decisions: Decisions) -> None:
    overruled, together = [], threading.Barrier(4)

    def decide(author: str, kind: str) -> None:
        for number in range(25):
            together.wait()
            try:
                decisions.add(kind, f"{A}{number}", f"{B}{number}", "spoke to the school", author, NOW, known="")
            except DecidedMeanwhile:
                overruled.append(author)

    threads = [
        threading.Thread(target=decide, args=(f"author {place}", ("must_link", "cannot_link")[place % 2]))
        for place in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decisions.all()) == 25 and len(overruled) == 75


def test_of_decisions_that_contradict_each_other_at_the_same_moment_one_is_refused(decisions: Decisions) -> None:
    refused, together = [], threading.Barrier(2)

    def decide(number: int, kind: str, pair: tuple[str, str]) -> None:
        together.wait()
        try:
            take(decisions, kind, *(f"{record}{number}" for record in pair))
        except DecisionError:
            refused.append(number)

    for number in range(20):
        take(decisions, "must_link", f"{A}{number}", f"{B}{number}")
        threads = [
            threading.Thread(target=decide, args=(number, kind, pair))
            for kind, pair in (("must_link", (B, C)), ("cannot_link", (A, C)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert refused == list(range(20))


def test_an_answer_is_held_to_what_its_author_knew_of(decisions: Decisions) -> None:
    assert decisions.stands_on(B, A) == ""
    first = decisions.add("must_link", A, B, "one child", "Ana", NOW, known="").decision_id
    assert decisions.stands_on(B, A) == first
    with pytest.raises(DecidedMeanwhile):
        decisions.add("cannot_link", B, A, "two", "Bo", NOW, known="")
    second = decisions.add("cannot_link", B, A, "two", "Bo", NOW, known=first)
    assert second.notes and decisions.stands_on(A, B) == second.decision_id
    assert len(decisions.all()) == 2
    decisions.add("seal", A, B, "adoption", "panel", NOW)
    assert decisions.stands_on(A, B) == "", "of a seal nothing is said"


def test_an_undone_decision_no_longer_counts_and_stays_to_be_read(decisions: Decisions) -> None:
    first = take(decisions, "cannot_link", B, A)
    undone = decisions.undo(first, "mixed up two files", "Bo", NOW + dt.timedelta(minutes=1))
    assert counting(decisions) == set()
    listed = decisions.listed()
    assert [(entry["kind"], entry["status"]) for entry in listed] == [("cannot_link", "undone"), ("undo", "stands")]
    assert (listed[1]["undoes"], listed[1]["author"], listed[1]["reason"]) == (first, "Bo", "mixed up two files")
    decisions.undo(undone.decision_id, "it was right after all", "Ana", NOW + dt.timedelta(minutes=2))
    assert counting(decisions) == {("cannot_link", A, B)}
    with pytest.raises(DecisionError, match="undone already"):
        decisions.undo(undone.decision_id, "again", "Ana", NOW)


def test_what_was_replaced_counts_again_when_the_later_word_is_undone(decisions: Decisions) -> None:
    first = take(decisions, "cannot_link", A, B)
    later = decisions.add("must_link", A, B, "same child", "Bo", NOW + dt.timedelta(minutes=1))
    assert first in later.notes[0]
    assert counting(decisions) == {("must_link", A, B)}
    assert [entry["status"] for entry in decisions.listed()] == ["replaced by a later one", "stands"]
    taken = decisions.undo(later.decision_id, "no", "Bo", NOW + dt.timedelta(minutes=2))
    assert first in taken.notes[0]
    assert counting(decisions) == {("cannot_link", A, B)}


def test_a_contradiction_is_refused_and_names_the_decisions_that_make_it(decisions: Decisions) -> None:
    one, two = take(decisions, "must_link", A, B), take(decisions, "must_link", B, C)
    with pytest.raises(DecisionError, match="contradicts") as refused:
        take(decisions, "cannot_link", A, C)
    assert one in str(refused.value)
    assert two in str(refused.value)
    assert A not in str(refused.value)
    apart = take(decisions, "cannot_link", C, D)
    with pytest.raises(DecisionError, match="contradicts") as refused:
        take(decisions, "must_link", D, A)
    assert {one, two, apart} == {word.strip(",:") for word in str(refused.value).split() if word.startswith("D-")}
    decisions.undo(two, "wrong file", "Ana", NOW)
    take(decisions, "cannot_link", A, C)
    take(decisions, "must_link", D, A)


def test_a_seal_is_for_governance_to_see_and_to_undo(decisions: Decisions) -> None:
    tied = take(decisions, "must_link", A, B)
    sealed = decisions.add("seal", A, B, "adoption", "panel", NOW + dt.timedelta(minutes=1))
    assert counting(decisions) == {("seal", A, B)}
    assert decisions.sealed_pairs() == [(A, B)]
    # Whoever does not know of it is told nothing, whatever they try.
    silent = decisions.add("must_link", A, B, "same child", "Bo", NOW + dt.timedelta(minutes=2))
    assert silent.notes == ()
    assert counting(decisions) == {("seal", A, B)}
    assert [(entry["kind"], entry["status"]) for entry in decisions.listed()] == [("must_link", "stands")] * 2
    with pytest.raises(DecisionError, match=f"no decision {sealed.decision_id}"):
        decisions.undo(sealed.decision_id, "why", "Bo", NOW)
    told = decisions.listed(governance=True)
    assert [entry["status"] for entry in told] == ["outranked by a seal", "stands", "outranked by a seal"]
    decisions.undo(sealed.decision_id, "order revoked", "panel", NOW, governance=True)
    assert counting(decisions) == {("must_link", A, B)}
    assert not any("seal" in str(entry) for entry in decisions.listed()), "nor is the undoing of a seal shown"
    assert tied in {entry["decision_id"] for entry in decisions.listed()}


def test_a_seal_that_runs_against_yeses_is_taken_and_says_so(decisions: Decisions) -> None:
    one, two = take(decisions, "must_link", A, B), take(decisions, "must_link", B, C)
    notes = decisions.add("seal", A, C, "adoption", "panel", NOW).notes
    assert one in notes[0]
    assert two in notes[0]


def test_an_import_is_taken_whole_or_not_at_all(decisions: Decisions, tmp_path: Path) -> None:
    def file(*rows: tuple[str, str, str]) -> Path:
        lines = [f"{kind},health,fhir,{a},health,fhir,{b},seen,Ana,2026-11-16T10:00:00+01:00" for kind, a, b in rows]
        path = tmp_path / "decisions.csv"
        path.write_text("\n".join([",".join(COLUMNS), *lines]))
        return path

    with pytest.raises(DecisionError, match=r"decisions.csv, row 4: it contradicts row 2, row 3"):
        decisions.import_csv(file(("must_link", "A", "B"), ("must_link", "B", "C"), ("cannot_link", "C", "A")))
    assert decisions.all() == []
    good = file(("must_link", "A", "B"), ("must_link", "B", "C"))
    assert len(decisions.import_csv(good)) == 2
    assert decisions.import_csv(good) == [], "the same file again adds nothing"
    assert decisions.all()[0]["decided_at"] == dt.datetime(2026, 11, 16, 9, 0)


def test_numbers_of_decisions_show_neither_order_nor_gaps(decisions: Decisions) -> None:
    numbers = [take(decisions, "must_link", A, f"health.fhir:X{i}") for i in range(3)]
    assert len(set(numbers)) == 3
    assert not any(number.rpartition("-")[2].isdigit() for number in numbers)


def test_nobody_reads_the_store_without_its_key(decisions: Decisions, tmp_path: Path) -> None:
    take(decisions, "must_link", A, B, author="Ana Beresford")
    content = b"".join(path.read_bytes() for path in tmp_path.glob("decisions.sqlite*"))
    assert not any(word in content for word in (b"health.fhir:A", b"spoke to the school", b"Ana Beresford"))
    other = Decisions(Store(f"sqlite:///{tmp_path / 'decisions.sqlite'}"), bytes(31) + b"1")
    with pytest.raises(StoreError, match="does not open with this key"):
        other.all()


# What becomes of decisions when records change


def rekeyed_world(kind_of_key: str = "upn") -> tuple[str, str, str]:
    return f"school.ctf:{upn(1)}", f"school.ctf:{upn(2)}", "health.fhir:H"


def records_of(*, rekeyed: bool) -> list[dict[str, object]]:
    same = {"given": "Zofia", "family": "Nowak", "dob": dt.date(2012, 3, 4), "postcode": "TS1 1AA"}
    pupil = {"feed": "school.ctf", "id": upn(2), "upn": upn(2), "former_upn": upn(1)} if rekeyed else {
        "feed": "school.ctf", "id": upn(1), "upn": upn(1)}  # fmt: skip
    return [{**same, **pupil}, {**same, "feed": "health.fhir", "id": "H"}]


@pytest.mark.slow
def test_a_no_outlives_nights_a_rebuild_and_a_new_key() -> None:
    old, new, other = rekeyed_world()
    no = [
        {
            "kind": "cannot_link",
            "record_id_a": other,
            "record_id_b": old,
            "author": "Ana",
            "reason": "sisters",
            "decided_at": NOW,
        }
    ]

    def apart(con: duckdb.DuckDBPyConnection, load: str, record: str) -> bool:
        said = [tuple(d[name] for name in DECISION_COLUMNS) for d in carry_over(con, no)]
        run(con, load_id=load, now=NOW, today=TODAY, secret=SECRET, decisions=said)
        persons = con.execute(
            "SELECT DISTINCT person_id FROM link WHERE unlinked_at IS NULL AND record_id IN (?, ?)", [record, other]
        ).fetchall()
        return len(persons) == 2 and con.execute("SELECT count(*) FROM potential_match").fetchone() == (0,)

    con = world(records_of(rekeyed=False))
    link(con, load_id="L0", today=TODAY)
    assert con.execute("SELECT count(DISTINCT cluster_id) FROM linkage_cluster").fetchone() == (1,), (
        "unasked, they are one"
    )
    assert apart(con, "L1", old)
    assert apart(con, "L2", old), "the next night does not overturn it"
    con.execute("UPDATE person_record SET superseded_at = ? WHERE record_id = ?", [NOW, old])
    con.execute("UPDATE person_identifier SET superseded_at = ? WHERE record_id = ?", [NOW, old])
    add(con, [record for record in records_of(rekeyed=True) if record["feed"] == "school.ctf"])
    assert apart(con, "L3", new)
    assert apart(world(records_of(rekeyed=True) + records_of(rekeyed=False)[:1]), "L1", new), "nor does a rebuild"


def test_a_yes_passes_on_only_when_the_record_itself_is_gone() -> None:
    old, new, other = rekeyed_world()
    yes = [
        {
            "kind": "must_link",
            "record_id_a": other,
            "record_id_b": old,
            "author": "Ana",
            "reason": "same",
            "decided_at": NOW,
        }
    ]
    con = world(records_of(rekeyed=True) + records_of(rekeyed=False)[:1])
    assert [d["record_id_b"] for d in carry_over(con, yes)] == [old]
    con.execute("UPDATE person_record SET superseded_at = ? WHERE record_id = ?", [NOW, old])
    assert [d["record_id_b"] for d in carry_over(con, yes)] == [old, new]


def test_a_person_who_parts_record_and_heir_is_believed_before_the_source() -> None:
    old, new, other = rekeyed_world()
    con = world(records_of(rekeyed=True) + records_of(rekeyed=False)[:1])
    said = [
        {"kind": "cannot_link", "record_id_a": min(old, new), "record_id_b": max(old, new)},
        {"kind": "seal", "record_id_a": other, "record_id_b": old},
    ]
    assert carry_over(con, said) == said

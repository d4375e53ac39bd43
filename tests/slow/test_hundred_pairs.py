"""A reviewer decides a hundred pairs by keyboard in a real browser; the next night applies all, and taking them back restores what was.

The pairs are made for it: two services that each know somebody under one NHS number and birth date by another given name, as of twins
of whom one number was typed twice, which nobody but a person decides.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser

from console.app import make_app
from console.deployment import Deployment
from pipelines.settings import utc_now
from tests.console.conftest import PASSWORD, code, own
from tests.integration.test_cli import tessera
from warehouse import query
from warehouse.keys import Keys, load_keys

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAIRS = 100
ADDRESS = "http://127.0.0.1:8793"
SERVICES = ("youth_justice.cases", "leisure.members")
HEADER = "case_id,forename,surname,dob,sex,nhs_no,address,postcode,ethnicity,order_date,order_type,worker_note,list_printed\n"
# No name of one list is a spelling, a short form or a part of one of the other.
GIVEN = (("Amina", "Bethan", "Chloe", "Daisy", "Esther"), ("Priya", "Ruth", "Tamsin", "Ursula", "Zofia"))


def _nhs_number(number: int) -> str | None:
    digits = f"9{number:08d}"
    check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(digits)) % 11
    return None if check == 10 else digits + str(check % 11)


def _written(folder: Path) -> None:
    """Two lists of a hundred people, and a tessera.yaml that reads them."""
    numbers = iter(number for number in map(_nhs_number, range(1_000, 9_000, 7)) if number)
    rows: dict[str, list[str]] = {service: [] for service in SERVICES}
    for place in range(PAIRS):
        number, born = next(numbers), dt.date(2010, 1, 1) + dt.timedelta(days=37 * place)
        surname = "".join(
            ("Ash", "Bram", "Cole", "Dun", "Elm", "Fern", "Gold", "Hart", "Ivy", "Jar")[int(digit)]
            for digit in f"{place:02d}"
        ).title()
        for side, service in enumerate(SERVICES):
            said = (
                f"{side}{place:03d}",
                GIVEN[side][place % 5],
                surname,
                f"{born:%d/%m/%Y}",
                "2",
                number,
                "",
                f"LS{1 + place % 9} {place % 9}AA",
            )
            rows[service].append(",".join((*map(str, said), "", "", "", "", "01/03/2026")) + "\n")
    lines = ["data_dir: data", "allow_test_nhs_numbers: true", "sources:"]
    for service in SERVICES:
        path = folder / "inbox" / service / "list.csv"
        path.parent.mkdir(parents=True)
        path.write_text(HEADER + "".join(rows[service]))
        lines.append(f'  {service}: {{from: "inbox/{service}/", mapping: "{ROOT / "mappings/youth_justice.yaml"}"}}')
    (folder / "tessera.yaml").write_text("\n".join(lines) + "\n")


def _night(folder: Path, date: str) -> None:
    ran = tessera(folder, "nightly", "--date", date)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _asked(folder: Path, keys: Keys) -> set[tuple[str, str]]:
    con = query.open_mart(folder / "data/marts", keys, "reviewer")
    rows = query.rows(con, "SELECT record_id_a, record_id_b FROM potential_matches")
    con.close()
    return {(row["record_id_a"], row["record_id_b"]) for row in rows}


def _people(folder: Path, keys: Keys) -> dict[str, str]:
    con = query.open_mart(folder / "data/marts", keys, "practitioner")
    rows = query.rows(con, "SELECT record_id, person_id FROM links")
    con.close()
    return {row["record_id"]: row["person_id"] for row in rows}


def test_a_hundred_pairs_by_keyboard_then_a_night_then_undone(tmp_path: Path, browser: Browser) -> None:
    _written(tmp_path)
    _night(tmp_path, "2026-11-16")
    keys = load_keys(tmp_path / "data/tessera.keys", {})
    asked, before = _asked(tmp_path, keys), _people(tmp_path, keys)
    assert len(asked) == PAIRS and len(set(before.values())) == 2 * PAIRS

    store = f"sqlite:///{tmp_path / 'data/decisions.sqlite'}"
    deployment = Deployment(tmp_path / "data/marts", keys, store, utc_now, address=ADDRESS)
    app = make_app(deployment)
    own(deployment.accounts, "reviewer", ("reviewer",), (), utc_now())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=8793, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the console did not start"
            time.sleep(0.05)
        page = browser.new_page(base_url=ADDRESS)
        page.goto("/sign-in")
        page.get_by_label("Name").fill("reviewer")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_label("Code").fill(code(utc_now()))
        page.keyboard.press("Enter")
        page.wait_for_url(ADDRESS + "/")
        page.goto("/review/next")
        seen = set()
        for place in range(PAIRS):
            seen.add(page.url.partition("?")[0])
            with page.expect_navigation():
                page.keyboard.press("s" if place % 2 else "d")
        assert page.get_by_text("Nothing waits in").count()
        assert len(seen) == PAIRS, "each pair was asked once"
    finally:
        server.should_exit = True
        thread.join()

    decisions = deployment.decisions
    taken = decisions.as_pairs()
    assert {(entry["record_id_a"], entry["record_id_b"]) for entry in taken} == asked
    _night(tmp_path, "2026-11-17")
    assert _asked(tmp_path, keys) == set()
    now = _people(tmp_path, keys)
    assert {entry["kind"] for entry in taken} == {"must_link", "cannot_link"}
    for entry in taken:
        together = now[entry["record_id_a"]] == now[entry["record_id_b"]]
        assert together is (entry["kind"] == "must_link")

    for entry in taken:
        decisions.undo(entry["decision_id"], "to see what was", "reviewer", utc_now())
    _night(tmp_path, "2026-11-18")
    after = _people(tmp_path, keys)
    assert _asked(tmp_path, keys) == asked
    assert all(after[a] != after[b] for a, b in asked), "nobody stays joined"
    # Who was never joined keeps the identifier; of two who were, one of them does.
    apart = {
        record
        for entry in taken
        if entry["kind"] == "cannot_link"
        for record in (entry["record_id_a"], entry["record_id_b"])
    }
    assert all(after[record] == before[record] for record in apart)

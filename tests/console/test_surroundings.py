"""What every answer carries and what answers nothing: methods, files and headers that no page has."""

from __future__ import annotations

import datetime as dt
import re
import threading
from pathlib import Path

import anyio.from_thread
import duckdb
import pytest

from console.accounts import LONGEST_PASSWORD
from tests.console.conftest import PASSWORD, Desk, desk_over
from tests.integration.test_publish_story import Story


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_methods_that_no_page_has_are_refused(shared_desk: Desk, method: str) -> None:
    answer = shared_desk.client("governance").request(method, "/governance")
    assert answer.status_code == 405 and "tessera_session" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/openapi.json", "/docs", "/redoc", "/metrics", "/.git/config", "/static/", "/static/../app.py", "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/warehouse/policy.yaml", "/tessera.yaml", "/decisions.sqlite", "//etc/passwd",
    ],
)  # fmt: skip
def test_nothing_but_our_own_files_is_served(shared_desk: Desk, path: str) -> None:
    answer = shared_desk.client("engineer").get(path)
    assert answer.status_code == 404 and "import" not in answer.text


def test_every_answer_says_what_it_is(shared_desk: Desk) -> None:
    client = shared_desk.client("engineer")
    page = client.get("/tonight")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    files = re.findall(r'"(/static/[^"]+)"', page.text + shared_desk.client("reviewer").get("/review/next").text)
    assert files
    for path in files:
        kind = client.get(path).headers["content-type"]
        assert "charset=utf-8" in kind or kind.startswith("image/"), path


def test_a_page_of_a_night_long_ago_says_so_before_all_else(desk: Desk) -> None:
    pages = {
        "practitioner": "/children/p-amina",
        "reviewer": "/review",
        "quality": "/quality",
        "engineer": "/tonight",
        "governance": "/governance/retention",
    }
    night = desk.deployment.marts.night()
    for hours, said in ((35, False), (37, True)):
        desk.now[0] = night.moment + dt.timedelta(hours=hours)
        for role, path in pages.items():
            client = desk.signed_in(desk.account(role, name=f"{role}-{hours}"))
            if role == "practitioner":
                client.post("/children/open", {"person_id": "p-amina", "purpose": "strategy"}, on="/children")
            page = client.get(path)
            assert page.status_code == 200
            assert ("No night has been published since" in page.text.partition("<h1>")[0]) is said, (role, hours)
            assert "No night has been published" not in client.get("/password").text, (
                "what shows nobody needs no warning"
            )


def test_while_one_opens_what_was_published_the_others_read_on(desk: Desk) -> None:
    marts, story = desk.deployment.marts, desk.story
    for role in ("engineer", "quality"):
        with marts.reading(role):
            pass
    before = dict(marts._open)
    story.publish()
    with marts._opening["engineer"], marts.reading("engineer") as (con, _):  # as if somebody opened it
        assert con.execute("SELECT count(*) FROM mart.main.mart").fetchall() == [(1,)]
        assert marts._open["engineer"] is before["engineer"], "who asks meanwhile reads what was there"
        with marts.reading("quality"):
            assert marts._open["quality"].version.exists() and marts._open["quality"] is not before["quality"]
    held = [threading.Event(), threading.Event()]

    def read_on() -> None:
        with marts.reading("engineer") as (con, _):
            held[0].set()
            held[1].wait()
            con.execute("SELECT count(*) FROM mart.main.mart").fetchall()

    reader = threading.Thread(target=read_on)
    reader.start()
    held[0].wait()
    opened = marts._open["engineer"]
    assert opened is not before["engineer"]
    story.publish()
    with marts.reading("engineer"):
        assert marts._open["engineer"] is not opened and opened.readers == 1, "whoever reads keeps what they began with"
    held[1].set()
    reader.join()
    with pytest.raises(duckdb.ConnectionException):
        opened.con.execute("SELECT 1")  # closed when its last reader went


def test_no_other_origin_is_let_in(shared_desk: Desk) -> None:
    answer = shared_desk.client("engineer").get("/tonight", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_headers_of_a_proxy_are_not_believed(shared_desk: Desk) -> None:
    forged = {"X-Forwarded-Host": "elsewhere.example", "X-Forwarded-Proto": "https", "X-Remote-User": "governance"}
    client = shared_desk.browser()
    answer = client.get("/governance", headers=forged)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    assert "elsewhere.example" not in client.get("/sign-in", headers=forged).text


def test_under_https_a_browser_comes_back_by_https_alone(
    story: Story, portal: anyio.from_thread.BlockingPortal, tmp_path: Path
) -> None:
    desk = desk_over(story, tmp_path, portal, address="https://tessera.example")
    said = desk.browser().get("/sign-in").headers["strict-transport-security"]
    assert int(re.findall(r"max-age=(\d+)", said)[0]) >= 365 * 86_400 and "includeSubDomains" in said


def test_signing_out_clears_what_the_browser_kept(desk: Desk) -> None:
    answer = desk.client("engineer").post("/sign-out")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert all("max-age=0" in cookie.lower() for cookie in answer.headers.get_list("set-cookie"))


def test_passwords_are_hidden_and_may_be_pasted(shared_desk: Desk) -> None:
    for client, path in ((shared_desk.browser(), "/sign-in"), (shared_desk.client("engineer"), "/password")):
        page = client.get(path).text
        fields = re.findall(r"<input[^>]*password[^>]*>", page)
        assert fields and all('type="password"' in field and 'autocomplete="off"' not in field for field in fields)
        assert "onpaste" not in page


def test_a_password_is_checked_to_its_last_character(desk: Desk) -> None:
    desk.account("engineer")
    client = desk.client("engineer")
    longest = ("three unusual words " * 20)[:LONGEST_PASSWORD]
    changed = client.post("/password", {"old": PASSWORD, "new": longest, "again": longest}, on="/password")
    assert changed.status_code == 303
    for said, right in ((longest + "x", False), (longest[:-1], False), (longest, True)):
        answer = desk.browser().post("/sign-in", {"name": "engineer", "password": said}, on="/sign-in")
        assert (answer.status_code == 303) is right

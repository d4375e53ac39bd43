"""The console in a real browser: each role's main task with and without JavaScript, by keyboard, at 320 px, and every page heard by axe.

Screenshots go to build/console/, which is not kept in the repository. axe is used as the package bundles it: nothing is downloaded.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from console import gate
from console.openid import Claims, OpenId
from tests.console.conftest import PASSWORD, Desk, cheap_passwords, code, desk_over, portal, story
from tests.console.openid_provider import CLIENT, SECRET, provider

pytestmark = pytest.mark.slow

__all__ = ["cheap_passwords", "portal", "story"]  # fixtures

SHOTS = Path(__file__).parents[2] / "build" / "console"
WRITTEN_HERE = frozenset({"partners.observation"})
WHY = "strategy discussion 26/114"
HIDDEN_SIDEWAYS = """[...document.querySelectorAll(".scroll:has(table)")].filter(each => each.scrollWidth > each.clientWidth)
    .map(each => each.ariaLabel)"""
# Each page that a menu or a link of it leads to, by the role that reads it.
PAGES = {
    "engineer": ["/", "/tonight", "/tonight/health.fhir", "/password", "/second-factor", "/sessions"],
    "reviewer": ["/review", "/review?of=sample", "/review/next", "/review/answers"],
    "quality": [
        "/tonight",
        "/quality",
        "/quality/health.fhir",
        "/quality/health.fhir/postcode is one",
        "/quality/held",
        "/quality/held/health_fhir_patient:f:2",
        "/standards",
        "/standards?q=birth",
        "/standards/police.ppn",
    ],
    "practitioner": ["/children", "/children/p-amina", "/children/p-amira", "/children/p-jo?as_of=2026-03-01"],
    "governance": [
        "/governance",
        "/governance/looks",
        "/governance/trace",
        "/governance/break-glass",
        "/governance/disclosures",
        "/governance/retention",
        "/governance/holds",
        "/governance/seals",
        "/governance/waivers",
        "/governance/sign-ins",
        "/governance/policy",
    ],
    "contributor": ["/contribute"],
    "analyst": ["/", "/no-such-page"],
}


@contextmanager
def _served(desk: Desk, port: int) -> Iterator[Desk]:
    server = uvicorn.Server(uvicorn.Config(desk.app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the console did not start"
        time.sleep(0.05)
    yield desk
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def desk(story: Any, portal: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    said = {"address": "http://127.0.0.1:8791", "written_here": WRITTEN_HERE}
    with _served(desk_over(story, tmp_path_factory.mktemp("desk"), portal, **said), 8791) as desk:
        for role in PAGES:
            desk.account(role)
        yield desk


def _page(desk: Desk, browser: Browser, role: str, **said: Any) -> Page:
    context = browser.new_context(base_url=desk.deployment.address, locale="en-GB", **said)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Name").fill(role)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    desk.later(seconds=30)  # a code is taken once
    page.get_by_label("Code").fill(code(desk.now[0]))
    page.get_by_role("button", name="Sign in").click()
    assert page.url == desk.deployment.address + "/"
    return page


def _state_purpose(page: Page) -> None:
    if page.get_by_role("heading", name="What do you look for?").count():
        page.get_by_label("What for").fill(WHY)
        page.get_by_role("button", name="Go on").click()


@pytest.mark.parametrize("role", PAGES)
def test_every_page_is_heard_fits_and_needs_nothing_from_elsewhere(desk: Desk, browser: Browser, role: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    for width in (1280, 320):
        page = _page(desk, browser, role, viewport={"width": width, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))  # type: ignore[misc]
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))  # type: ignore[misc]
        for path in PAGES[role]:
            page.goto(path)
            _state_purpose(page)
            page.goto(path)
            name = re.sub(r"\W+", "-", path).strip("-") or "start"
            page.screenshot(path=SHOTS / f"{role}-{name}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is wider than {width} px"
            assert page.evaluate(HIDDEN_SIDEWAYS) == [], f"{path}: tables that must be scrolled to be read"
            found = Axe().run(page).response["violations"]
            assert found == [], [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
        assert {url.split("/")[2] for url in asked} == {"127.0.0.1:8791"}
        assert [text for text in said if "404" not in text] == []
        page.context.close()


@pytest.mark.parametrize("width", [1280, 320])
def test_a_first_sign_in_is_heard_fits_and_sets_up_an_app(desk: Desk, browser: Browser, width: int) -> None:
    name, words = f"new-at-{width}", "some other three words"
    desk.deployment.accounts.add(name, ["engineer"], [], PASSWORD, author="test", at=desk.now[0])
    said: dict[str, Any] = {"java_script_enabled": width > 320, "viewport": {"width": width, "height": 900}}
    page = browser.new_context(base_url=desk.deployment.address, locale="en-GB", **said).new_page()

    def looks_well(step: str) -> None:
        page.screenshot(path=SHOTS / f"first-{step}-{width}.png", full_page=True)
        if width > 320:  # the same HTML; axe is a script
            found = Axe().run(page).response["violations"]
            assert found == [], [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator("main").evaluate("it => document.documentElement.scrollWidth") <= width, step

    def sign_in(password: str) -> None:
        page.goto("/sign-in")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()

    SHOTS.mkdir(parents=True, exist_ok=True)
    sign_in(PASSWORD)
    looks_well("password")
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(words)
    page.get_by_label("New password again").fill(words)
    page.get_by_role("button", name="Change it").click()
    looks_well("app")
    page.get_by_label("Code").fill("123")
    page.get_by_role("button", name="Go on").click()
    looks_well("app-wrong")
    key = page.locator(".key").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(pyotp.TOTP(key).at(desk.now[0].replace(tzinfo=dt.UTC)))
    page.get_by_role("button", name="Go on").click()
    assert page.url == desk.deployment.address + "/"
    page.goto("/second-factor")
    looks_well("app-change")
    page.get_by_role("button", name="Sign out").click()
    sign_in(words)
    looks_well("code")
    desk.later(seconds=30)
    page.get_by_label("Code").fill(pyotp.TOTP(key).at(desk.now[0].replace(tzinfo=dt.UTC)))
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("link", name="Tonight").first.is_visible()
    page.context.close()


def test_a_page_about_people_leaves_the_screen_of_who_went_away(
    desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(desk, browser, "practitioner", java_script_enabled=False)
    page.goto("/children/p-amina")
    _state_purpose(page)
    monkeypatch.setattr(gate, "LEFT_OPEN_FOR", 1)
    page.goto("/children/p-amina")
    assert page.get_by_text("Amina").count()
    desk.later(minutes=20)
    page.wait_for_url("**/sign-in?next=/children/p-amina")
    assert not page.get_by_text("Amina").count()
    page.context.close()


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_practitioner_finds_a_child_reads_it_and_marks_a_signal(desk: Desk, browser: Browser, script: bool) -> None:
    page = _page(desk, browser, "practitioner", java_script_enabled=script)
    page.get_by_role("link", name="A child").first.click()
    page.get_by_label("Name, postcode").fill("amira 02/04/2015")
    page.get_by_role("button", name="Search").click()
    assert page.get_by_role("alert").get_by_text("Enter what you look for").count() == 1
    page.get_by_label("What for").fill(WHY)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Open Amira Khan").click()
    assert page.get_by_role("heading", name="Amira Khan").is_visible()
    page.get_by_text("Was it useful?").click()
    page.get_by_role("radio", name="Useful", exact=True).check()
    page.get_by_label("Why, without names").fill("It was news to us")
    page.get_by_role("button", name="Note it").click()
    assert page.get_by_text("It was news to us").is_visible()
    page.get_by_label("As known on").fill("01/03/2026")
    page.get_by_role("button", name="Show").click()
    assert page.get_by_text("As known at the end of 1 March 2026").is_visible()
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("heading", name="Sign in").is_visible()
    page.go_back()
    assert not page.get_by_text("Amira").count()  # no-store: the way back shows nothing
    page.context.close()


def test_a_child_is_found_by_keyboard_alone(desk: Desk, browser: Browser) -> None:
    page = _page(desk, browser, "practitioner")
    page.goto("/children")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("hart")
    page.keyboard.press("Tab")
    page.keyboard.type(WHY)
    page.keyboard.press("Enter")
    page.wait_for_selector("#found")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Open Jo Hart"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The address is protected")
    page.context.close()


def test_a_child_prints_with_where_it_came_from(desk: Desk, browser: Browser) -> None:
    page = _page(desk, browser, "practitioner")
    page.goto("/children/p-amina")
    _state_purpose(page)
    page.emulate_media(media="print")
    assert page.get_by_text("Printed from Tessera by practitioner").is_visible()
    assert not page.get_by_role("button", name="Sign out").is_visible()
    page.screenshot(path=SHOTS / "print.png", full_page=True)
    page.context.close()


def test_a_reviewer_answers_by_one_key_and_takes_it_back(desk: Desk, browser: Browser) -> None:
    page = _page(desk, browser, "reviewer")
    page.goto("/review/next")
    page.keyboard.press("u")
    assert page.evaluate("document.activeElement.id") == "note"  # who cannot tell says why
    page.keyboard.type("sd")
    assert page.get_by_label("Note").input_value() == "sd"  # while writing, letters are letters
    page.keyboard.press("Tab")
    page.keyboard.press("s")
    page.wait_for_selector("text=Nothing waits in")
    page.get_by_role("link", name="Take it back").click()
    page.get_by_text("Take D-").first.click()
    page.get_by_label("Why it is taken back").first.fill("the wrong key")
    page.get_by_role("button", name="Take it back").first.click()
    page.goto("/review")
    assert page.get_by_text("1 pair waits").count()
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_an_observation_is_written_by_keyboard(desk: Desk, browser: Browser, scripts: bool) -> None:
    page = _page(desk, browser, "contributor", java_script_enabled=scripts)
    page.goto("/contribute")
    page.get_by_label("Where you work").focus()
    for typed in ("Little Acorns nursery", "27/2/2026 08:40", "key worker", "Amina", "Khan", "31/02/2011", "LS8 1AA"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.type("in the child")  # chooses the kind of statement that begins so
    page.keyboard.press("Tab")
    page.keyboard.type("hunger")
    page.keyboard.press("Tab")
    page.keyboard.type("She said there was no tea.")
    page.get_by_role("button", name="Send to the hub").press("Enter")
    # The date is doubted, and what was typed is still there; it is sent as it is.
    assert page.get_by_label("What you saw, heard or were told").input_value() == "She said there was no tea."
    page.screenshot(path=SHOTS / f"contributor-doubt-{scripts}.png", full_page=True)
    assert Axe().run(page).response["violations"] == [] if scripts else True
    page.get_by_label("Send it as it is").press("Space")
    page.get_by_role("button", name="Send to the hub").press("Enter")
    page.get_by_role("heading", name="Your observation is kept").wait_for()
    assert desk.deployment.observations.all()[-1]["said"]["statement_kind"] == "child_voice"
    page.screenshot(path=SHOTS / "contributor-sent.png", full_page=True)


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_somebody_signs_in_and_out_at_a_provider_on_another_site(
    story: Any, portal: Any, tmp_path: Path, browser: Browser, scripts: bool
) -> None:
    """What only a browser shows: cookies that other sites' requests do not carry, and forms that may lead nowhere else."""
    now = dt.datetime(2026, 3, 2, 8, 0)
    with provider(lambda: now) as council:
        roles = Claims("groups", {"hub": "practitioner"})
        openid = OpenId(council.url, CLIENT, roles, client_secret=SECRET, name="the council")
        desk = desk_over(story, tmp_path, portal, address="http://127.0.0.1:8792", openid=openid)
        desk.deployment.accounts.add("ana", ["practitioner"], [], None, author="test", at=now)
        with _served(desk, 8792):
            context = browser.new_context(base_url=desk.deployment.address, java_script_enabled=scripts)
            page = context.new_page()
            page.goto("/children")
            page.screenshot(path=SHOTS / "sign-in-provider.png")
            if scripts:
                assert Axe().run(page).violations_count == 0
            page.get_by_role("button", name="Sign in with the council").click()
            page.wait_for_url("**/children")
            assert page.get_by_role("link", name="ana").is_visible()
            page.get_by_role("button", name="Sign out").click()
            page.wait_for_url(f"{council.url}/end_session?**")
            page.goto("/children")
            assert page.url.endswith("/sign-in?next=/children")
            context.close()

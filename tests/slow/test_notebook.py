"""The notebook of analysts in a real browser: it draws every picture, asks nobody elsewhere, and leaves nothing on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser

from pipelines.settings import load_settings
from synthetic.world import make_world
from tests.integration.test_cli import tessera
from warehouse.access_log import AccessLog
from warehouse.keys import load_keys
from warehouse.store import Store

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "standard_pictures.py"
SHOTS = Path(__file__).parents[2] / "build" / "notebook"
PICTURES = 10


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    make_world(tmp_path, children=60, seed=11, nights=1)
    ran = tessera(tmp_path, "nightly", "--date", "2026-11-16")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return tmp_path


@pytest.fixture
def address(deployment: Path) -> Iterator[str]:
    """Where the notebook is open, as `make notebook` opens it."""
    command = [sys.executable, "-m", "marimo", "edit", str(NOTEBOOK), "--host", "127.0.0.1", "--port", "27181"]
    with subprocess.Popen(
        [*command, "--headless", "--skip-update-check", "--no-token"],
        cwd=deployment,
        env={**os.environ, "NIGHT": "night1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not _answers("http://127.0.0.1:27181/health"):
            assert process.poll() is None, "marimo ended before it answered"
            time.sleep(0.2)
        yield "http://127.0.0.1:27181/"
        process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def test_every_picture_is_drawn_and_nothing_is_kept(browser: Browser, address: str, deployment: Path) -> None:
    before = {path for path in (*NOTEBOOK.parent.rglob("*"), *deployment.rglob("*")) if "__pycache__" not in path.parts}
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    asked: set[str | None] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page.goto(address)
    page.get_by_text("Which signals are raised").first.wait_for(timeout=120_000)
    drawn = page.locator(".vega-embed")
    drawn.nth(PICTURES - 1).wait_for(timeout=120_000, state="attached")
    SHOTS.mkdir(parents=True, exist_ok=True)
    for number in range(PICTURES):
        picture = drawn.nth(number)
        picture.scroll_into_view_if_needed()
        picture.screenshot(path=SHOTS / f"{number + 1:02}.png")
    assert drawn.count() == PICTURES
    assert drawn.locator("summary").count() == 0, "no menu that hands a picture on"
    assert page.get_by_text("Traceback").count() == 0
    assert asked == {"127.0.0.1"}
    page.close()
    settings = load_settings(deployment / "tessera.yaml", {**os.environ, "NIGHT": "night1"})
    looks = AccessLog(Store(settings.decisions_url), load_keys(settings.keys_path, {})).looks(["analyst"])
    assert {look.purpose for look in looks} == {"standard pictures"} and len(list(looks)) > PICTURES
    after = {path for path in (*NOTEBOOK.parent.rglob("*"), *deployment.rglob("*")) if "__pycache__" not in path.parts}
    assert after == before, "answers may not lie beside the notebook"

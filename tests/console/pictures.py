"""Takes the pictures of the README from the night that `make nightly` made: python -m tests.console.pictures

Accounts and looks are in a decisions store of their own that goes afterwards. Needs chromium or google-chrome on the path.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import uvicorn
from playwright.sync_api import Page, sync_playwright

from console.app import make_app
from console.deployment import Deployment
from pipelines.commands.console import _deployment
from pipelines.settings import utc_now
from tests.console.conftest import BOTH, own

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PORT = 8799
ROLES = ("engineer", "quality", "reviewer", "practitioner")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        deployment = replace(
            _deployment(Path("tessera.yaml")),
            decisions_url=f"sqlite:///{folder}/decisions.sqlite",
            address=f"http://127.0.0.1:{PORT}",
        )
        server = uvicorn.Server(uvicorn.Config(make_app(deployment), host="127.0.0.1", port=PORT, log_level="error"))
        threading.Thread(target=server.run, daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        found = shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
            for role in ROLES:
                account = own(deployment.accounts, role, (role,), (), utc_now())
                session = deployment.sessions.begin(account, utc_now(), BOTH)
                context = browser.new_context(
                    base_url=deployment.address, viewport={"width": 1280, "height": 800}, locale="en-GB"
                )
                context.add_cookies([{"name": "tessera_session", "value": session.token, "url": deployment.address}])
                page = context.new_page()
                TAKEN[role](page, deployment)
                page.screenshot(path=PICTURES / f"{role}.png")
                context.close()
            browser.close()
        server.should_exit = True


def _tonight(page: Page, _: Deployment) -> None:
    page.goto("/tonight")


def _quality(page: Page, _: Deployment) -> None:
    page.goto("/quality")


def _pair(page: Page, _: Deployment) -> None:
    page.goto("/review/next")


def _child(page: Page, deployment: Deployment) -> None:
    """The child of whom most signals speak: a page that a hub would open first."""
    with deployment.marts.reading("practitioner") as (con, _):
        busiest = "SELECT person_id FROM signals GROUP BY person_id ORDER BY count(*) DESC, person_id LIMIT 1"
        ((person,),) = con.execute(busiest).fetchall()
    page.goto(f"/children/{person}")
    page.get_by_label("What for").fill("strategy discussion")
    page.get_by_role("button", name="Go on").click()


TAKEN = {"engineer": _tonight, "quality": _quality, "reviewer": _pair, "practitioner": _child}

if __name__ == "__main__":
    main()

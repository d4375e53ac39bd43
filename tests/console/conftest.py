"""The console over the story of test_publish_story.py: published once, a decisions store for each test, anybody signed in at once.

`desk.client("practitioner")` is a browser that is signed in as that role; `desk.client()` is nobody's. The app runs in this process,
the marts and the store are real. Only the clock is ours: `desk.later(minutes=30)`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.from_thread
import httpx
import pyotp
import pytest

from console.accounts import Account, Accounts
from console.app import make_app
from console.deployment import Deployment
from console.second_factor import key_of
from console.sessions import CODE
from console.sessions import PASSWORD as PROVED_PASSWORD
from tests.integration.test_publish_story import AT_1, NIGHT_1, NIGHT_2, Story, tell
from warehouse.store import Store

PASSWORD = "three unusual words"
APP = key_of(b"of the authenticator")  # everybody's here
BOTH = (PROVED_PASSWORD, CODE)
_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


def code(at: dt.datetime) -> str:
    """What everybody's app shows."""
    return pyotp.TOTP(APP).at(at.replace(tzinfo=dt.UTC))


def own(accounts: Accounts, name: str, roles: tuple[str, ...], agencies: tuple[str, ...], at: dt.datetime) -> Account:
    """An account as its owner leaves it after the first sign-in: a password of their own, and an app."""
    made = accounts.add(name, roles, agencies, PASSWORD + "!", author="test", at=at)
    made = accounts.change_password(made, PASSWORD + "!", PASSWORD, at=at)
    before = at - dt.timedelta(hours=1)  # the codes of now are still to be used
    account = accounts.set_up_app(made, APP, code(before), at=before)
    assert account is not None
    return account


class Client:
    """A browser: keeps cookies, follows nothing by itself, and sends what a page's form would."""

    def __init__(self, app: Any, portal: anyio.from_thread.BlockingPortal, address: str) -> None:
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=address)
        self._portal = portal

    @property
    def cookies(self) -> httpx.Cookies:
        return self._http.cookies

    def request(self, method: str, path: str, **said: Any) -> httpx.Response:
        return self._portal.call(lambda: self._http.request(method, path, **said))

    def get(self, path: str, **said: Any) -> httpx.Response:
        return self.request("GET", path, **said)

    def token(self, path: str = "/password") -> str:
        """The form token of a page."""
        found = _TOKEN.search(self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def post(
        self, path: str, data: dict[str, str] | None = None, *, on: str = "/password", **said: Any
    ) -> httpx.Response:
        """Sends a form as if from the page `on`, with that page's token."""
        return self.request("POST", path, data={"form_token": self.token(on), **(data or {})}, **said)


@dataclass
class Desk:
    """A console under test."""

    story: Story
    deployment: Deployment
    app: Any
    portal: anyio.from_thread.BlockingPortal
    now: list[dt.datetime] = field(default_factory=list)
    _clients: dict[tuple[str, ...], Client] = field(default_factory=dict)

    def later(self, **passed: float) -> None:
        self.now[0] += dt.timedelta(**passed)

    def account(self, *roles: str, name: str = "", agencies: tuple[str, ...] = ()) -> str:
        """Makes an account whose password is its own already, with an app; its name."""
        name = name or "-and-".join(roles)
        own(self.deployment.accounts, name, roles, agencies, self.now[0])
        return name

    def browser(self) -> Client:
        return Client(self.app, self.portal, self.deployment.address)

    def client(self, *roles: str, agencies: tuple[str, ...] = ()) -> Client:
        """A browser signed in with these roles; the same one each time it is asked for. Without roles, one that is not."""
        if not roles:
            return self.browser()
        if roles not in self._clients:
            name = "-and-".join(roles)
            if self.deployment.accounts.find(name) is None:
                self.account(*roles, agencies=agencies)
            self._clients[roles] = self.signed_in(name)
        return self._clients[roles]

    def signed_in(self, name: str) -> Client:
        """A browser of its own that is signed in with this account."""
        account = self.deployment.accounts.find(name)
        assert account is not None
        client = self.browser()
        session = self.deployment.sessions.begin(account, self.now[0], BOTH)
        client.cookies.set("tessera_session", session.token, domain="127.0.0.1")
        return client

    def sign_in(
        self, name: str, password: str = PASSWORD, *, client: Client | None = None, **said: str
    ) -> httpx.Response:
        """What the last page answers of a sign-in with password and code, as somebody does it; the code is one that was not used."""
        client = client or self.browser()
        answer = client.post("/sign-in", {"name": name, "password": password, **said}, on="/sign-in")
        if not answer.headers.get("location", "").startswith("/sign-in/code"):
            return answer
        self.later(seconds=30)
        where = answer.headers["location"]
        return client.post("/sign-in/code", {"code": code(self.now[0]), **said}, on=where)

    def looks(self) -> list[Any]:
        """Every look in the access log, oldest first."""
        return self.deployment.access_log.looks([*self.deployment.policy.roles, "decisions"])


def desk_over(story: Story, folder: Path, portal: anyio.from_thread.BlockingPortal, **said: Any) -> Desk:
    now = [dt.datetime(2026, 3, 2, 8, 0)]
    deployment = Deployment(
        story.marts,
        story.keys,
        f"sqlite:///{folder / 'decisions.sqlite'}",
        lambda: now[0],
        **{"address": "http://127.0.0.1:8000", **said},
    )
    return Desk(story, deployment, make_app(deployment), portal, now)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    story = tell(tmp_path_factory.mktemp("console"))
    for day in (3, 12, 21):  # three times within ninety days, which raises a signal
        episode = {
            "event_id": f"e-missing{day}",
            "event_type": "missing_episode",
            "statement_kind": "fact",
            "title": "Reported missing",
        }
        story.fact(
            "event", "health.fhir:h2", occurred_from=dt.datetime(2026, 2, day, 20), occurred_precision="day", **episode
        )
    story.insert("publication", load_id=NIGHT_1, published_at=AT_1 + dt.timedelta(hours=1))
    story.publish(NIGHT_2)
    yield story
    story.warehouse.close()


@pytest.fixture(scope="session")
def portal() -> Iterator[anyio.from_thread.BlockingPortal]:
    with anyio.from_thread.start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hashing is to be slow for guessers, not for tests; one test of its own looks at what is used in earnest."""
    from argon2 import PasswordHasher

    patch = pytest.MonkeyPatch()
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    made = Accounts.__init__

    def cheap(self: Accounts, store: Store, key: bytes) -> None:
        made(self, store, key)
        self._hasher = hasher

    patch.setattr(Accounts, "__init__", cheap)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def shared_desk(
    story: Story, portal: anyio.from_thread.BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """One console for the tests of a module that change nothing others rely on."""
    desk = desk_over(story, tmp_path_factory.mktemp("desk"), portal)
    yield desk
    desk.deployment.marts.close()


@pytest.fixture
def desk(story: Story, portal: anyio.from_thread.BlockingPortal, tmp_path: Path) -> Iterator[Desk]:
    """A console of its own, with an empty decisions store."""
    desk = desk_over(story, tmp_path, portal)
    yield desk
    desk.deployment.marts.close()

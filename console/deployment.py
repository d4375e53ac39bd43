"""What the console is given to run on; made by `tessera console`, or by a test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import duckdb

from connectors import reading
from connectors.contract import Feed
from connectors.registry import feeds as declared_feeds
from console.accounts import Accounts
from console.in_hand import InHand
from console.marts import Marts
from console.openid import OpenId, Provider
from console.pace import Pace
from console.sessions import Sessions
from console.turns import Turns
from linkage.models import Models
from warehouse import engine
from warehouse.access import Policy, load_policy
from warehouse.access_log import AccessLog
from warehouse.break_glass import BreakGlass
from warehouse.clerical_samples import ClericalSamples
from warehouse.decisions import Decisions
from warehouse.disclosures import Disclosures
from warehouse.holds import Holds
from warehouse.keys import Keys
from warehouse.observations import Observations
from warehouse.quality_acts import QualityActs
from warehouse.review_passes import ReviewPasses
from warehouse.signal_verdicts import SignalVerdicts
from warehouse.store import Store


@dataclass(frozen=True)
class Deployment:
    """One deployment as the console sees it. `address` is what people type into their browser; https makes its cookies Secure."""

    marts_dir: Path
    keys: Keys
    decisions_url: str
    clock: Callable[[], dt.datetime]  # UTC without offset
    address: str = "http://127.0.0.1:8000"
    timezone: str = "Europe/London"
    contacts: Mapping[str, str] = field(default_factory=dict)  # feed -> who mends it at the agency
    models_dir: Path = Path("models")  # versions of the linkage model beside the shipped one
    feeds: Mapping[str, Feed] = field(default_factory=declared_feeds)  # those configured, with their options
    openid: OpenId | None = None  # the identity provider, where there is one
    password_alone: frozenset[str] = frozenset()  # roles that need no second factor
    written_here: frozenset[str] = frozenset()  # feeds whose extracts are what people write in the console

    @property
    def is_https(self) -> bool:
        return urlsplit(self.address).scheme == "https"

    @property
    def origin(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def local(self, moment: dt.datetime) -> dt.datetime:
        """A moment of the warehouse on the clocks of those who read it."""
        return moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(self.timezone))

    @cached_property
    def policy(self) -> Policy:
        return load_policy()

    @cached_property
    def marts(self) -> Marts:
        return Marts(self.marts_dir, self.keys)

    @cached_property
    def store(self) -> Store:
        return Store(self.decisions_url)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(self.store, self.keys.raw("decisions"))

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.store, self.keys.raw("decisions"), self.accounts, self.password_alone)

    @cached_property
    def provider(self) -> Provider | None:
        if self.openid is None:
            return None
        return Provider(self.openid, f"{self.address}/sign-in/provider/back", self.keys.raw("decisions"), self.clock)

    @cached_property
    def pace(self) -> Pace:
        return Pace()

    @cached_property
    def turns(self) -> Turns:
        return Turns()

    @cached_property
    def in_hand(self) -> InHand:
        return InHand()

    @cached_property
    def access_log(self) -> AccessLog:
        return AccessLog(self.store, self.keys)

    @cached_property
    def decisions(self) -> Decisions:
        return Decisions(self.store, self.keys.raw("decisions"))

    @cached_property
    def quality_acts(self) -> QualityActs:
        return QualityActs(self.store, self.keys.raw("decisions"))

    @cached_property
    def signal_verdicts(self) -> SignalVerdicts:
        return SignalVerdicts(self.store, self.keys.raw("decisions"))

    @cached_property
    def samples(self) -> ClericalSamples:
        return ClericalSamples(self.store, self.keys.raw("decisions"))

    @cached_property
    def review_passes(self) -> ReviewPasses:
        return ReviewPasses(self.store, self.keys.raw("decisions"))

    @cached_property
    def observations(self) -> Observations:
        return Observations(self.store, self.keys.raw("decisions"))

    @cached_property
    def reading(self) -> duckdb.DuckDBPyConnection:
        """A database in memory that reads text as feeds do, to hold an answer of a form against; take a cursor. It never holds a row."""
        con = engine.connect(threads=1)
        engine.define(con, "reading", reading.definitions())
        return con

    @cached_property
    def models(self) -> Models:
        return Models(self.models_dir)

    @cached_property
    def glass(self) -> BreakGlass:
        return BreakGlass(self.store, self.keys.raw("decisions"))

    @cached_property
    def holds(self) -> Holds:
        return Holds(self.store, self.keys.raw("decisions"))

    @cached_property
    def disclosures(self) -> Disclosures:
        return Disclosures(self.store, self.keys.raw("decisions"))

    def prepare(self) -> None:
        """Declares every table before the store is opened, which makes those that are missing."""
        for _ in (
            self.accounts,
            self.sessions,
            self.pace,
            self.in_hand,
            self.turns,
            self.access_log,
            self.decisions,
            self.quality_acts,
            self.signal_verdicts,
            self.samples,
            self.review_passes,
            self.observations,
            self.reading,
            self.glass,
            self.holds,
            self.disclosures,
        ):
            pass
        self.store.engine()
        _ = self._opened_file

    def store_is_there(self) -> bool:
        """Whether the store is the one that was opened: what is written to a deleted SQLite file would be lost without a word."""
        try:
            return self._store_file() == self._opened_file
        except OSError:
            return False

    @cached_property
    def _opened_file(self) -> tuple[int, int] | None:
        return self._store_file()

    def _store_file(self) -> tuple[int, int] | None:
        if not self.decisions_url.startswith("sqlite:///"):
            return None
        found = Path(self.decisions_url.removeprefix("sqlite:///")).stat()
        return found.st_dev, found.st_ino

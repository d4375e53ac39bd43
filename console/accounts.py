"""Who may sign in to the console, as which roles, by a password or at a provider; and what stands between a guesser and an account.

Accounts are a journal: each row is an account as it was left by one change, sealed, and the newest counts. Whoever can write to the
decisions store but has no key can make no account and give no role. What lives here: accounts, passwords, failed attempts. What must not:
sessions (sessions.py), and what a role may see (warehouse/policy.yaml).
"""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from warehouse.journal import Journal
from warehouse.keys import ROLES as MART_ROLES
from warehouse.store import Cipher, Store, StoreError

GOVERNANCE, QUALITY = "governance", "quality"
# Without a mart: a contributor writes what they saw and reads nothing but that it is kept.
CONTRIBUTOR = "contributor"
ROLES = (*MART_ROLES, CONTRIBUTOR)

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
FAILURES_TO_LOCK = 5
LOCKED_FOR = dt.timedelta(minutes=15)
# Failures of all accounts together within a minute, after which nobody may try: guessing one password for many names.
FAILURES_PER_MINUTE = 60

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,79}")


class AccountError(Exception):
    """An account cannot be made or changed: says what was found, what is allowed, the next step."""


class TooManyAttempts(Exception):  # noqa: N818 - what happened
    """Nobody may try to sign in for the moment."""


@dataclass(frozen=True)
class Account:
    """One account as it stands. `agencies`: whose failing data a quality officer sees; empty for all."""

    name: str
    roles: tuple[str, ...]
    agencies: tuple[str, ...] = ()
    password: str = field(default="", repr=False)
    must_change: bool = True
    disabled: bool = False
    generation: int = 0  # sessions of an earlier one are over
    openid: bool = False  # signs in at the identity provider, and by no password
    subject: str = field(default="", repr=False)  # whom the provider means by it, noted at the first sign-in there

    def has(self, roles: Iterable[str]) -> bool:
        return any(role in self.roles for role in roles)


@dataclass(frozen=True)
class Granted:
    """What an identity provider grants for one session, in our words. `agencies`: None where it is not asked for them."""

    roles: tuple[str, ...]
    agencies: tuple[str, ...] | None = None
    id_token: str = field(default="", repr=False)  # to end the session at the provider too

    def of(self, account: Account) -> Account | None:
        """The account with what both it and the provider grant; None where that is nothing."""
        roles = tuple(role for role in account.roles if role in self.roles)
        agencies = account.agencies
        if self.agencies is not None:
            agencies = tuple(agency for agency in self.agencies if not account.agencies or agency in account.agencies)
            if not agencies:  # which would mean all of them
                roles = tuple(role for role in roles if role != QUALITY)
        return replace(account, roles=roles, agencies=agencies, must_change=False) if roles else None


class Accounts:
    """The accounts of one deployment."""

    def __init__(self, store: Store, key: bytes) -> None:
        self._store, self._cipher = store, Cipher(key)
        # argon2id with the library's defaults (RFC 9106, low memory): 64 MiB and some 50 ms each. Two at once, so that a crowd of
        # guessers cannot take the memory of everybody else.
        self._hasher, self._hashing = PasswordHasher(), threading.Semaphore(2)
        self.journal = Journal(
            store,
            "console_account",
            "account_row",
            sa.Column("account", sa.String(64), nullable=False, index=True),
            sa.Column("at", sa.DateTime, nullable=False),
            sa.Column("said", sa.LargeBinary, nullable=False),
            sa.Column("author", sa.LargeBinary, nullable=False),
            cipher=lambda _: self._cipher,
        )
        self.sign_ins = Journal(
            store,
            "console_sign_in",
            "sign_in_id",
            sa.Column("account", sa.String(64), nullable=False),
            sa.Column("at", sa.DateTime, nullable=False),
            sa.Column(
                "what", sa.String(20), nullable=False
            ),  # signed in, signed out, locked, password changed, refused
            cipher=lambda _: self._cipher,
        )
        self._attempt = sa.Table(
            "console_attempt",
            store.metadata,
            sa.Column("account", sa.String(64), nullable=False, index=True),
            sa.Column("at", sa.DateTime, nullable=False, index=True),
        )

    def add(
        self,
        name: str,
        roles: Iterable[str],
        agencies: Iterable[str],
        password: str | None,
        *,
        author: str,
        at: dt.datetime,
    ) -> Account:
        """Makes an account; its password is to be changed by its owner at the first sign-in. None: it signs in at the provider."""
        name = name.strip().lower()
        if not _NAME.fullmatch(name):
            raise AccountError(
                "an account's name has 2 to 80 letters, digits, '.', '_', '-' or '@', such as a.khan@example.gov.uk"
            )
        if self.find(name) is not None:
            raise AccountError(f"there is an account {name!r} already; see tessera console accounts list")
        chosen = tuple(dict.fromkeys(roles))
        for role in chosen:
            if role not in ROLES:
                raise AccountError(f"no role {role!r}; there are {', '.join(ROLES)}")
        if not chosen:
            raise AccountError(f"an account needs a role; there are {', '.join(ROLES)}")
        account = Account(name, chosen, tuple(sorted(set(agencies))), **self._way_in(name, password))
        return self._write(account, author, at)

    def reset(self, name: str, password: str | None, *, author: str, at: dt.datetime) -> Account:
        """Gives a new password, opens a disabled account again, ends its sessions and forgets its failed attempts.

        None: from now on it signs in at the provider, and whoever does so first is whom it belongs to.
        """
        account = self._known(name)
        changed = replace(
            account,
            **self._way_in(account.name, password),
            subject="",
            disabled=False,
            generation=account.generation + 1,
        )
        self._forget_failures(account.name)
        return self._write(changed, author, at)

    def disable(self, name: str, *, author: str, at: dt.datetime) -> Account:
        """Nobody signs in with it any more, and whoever is signed in with it is so no longer."""
        account = self._known(name)
        return self._write(replace(account, disabled=True, generation=account.generation + 1), author, at)

    def change_password(self, account: Account, old: str, new: str, *, at: dt.datetime) -> Account:
        """By its owner. Ends all its sessions; raises AccountError where the old one is not right or the new one too weak."""
        if not self._matches(account.password, old):
            raise AccountError("That is not your present password.")
        if old == new:
            raise AccountError("The new password is the present one. Choose another.")
        changed = replace(
            account, password=self._hash(account.name, new), must_change=False, generation=account.generation + 1
        )
        self.sign_ins.append([{"account": self.digest(account.name), "at": at, "what": "password changed"}])
        return self._write(changed, account.name, at)

    def find(self, name: str) -> Account | None:
        """The account of that name as it stands, disabled ones included."""
        return self.by_digest(self.digest(name.strip().lower()))

    def by_digest(self, digest: str) -> Account | None:
        table = self.journal.table
        select = sa.select(table).where(table.c.account == digest).order_by(table.c.account_row.desc()).limit(1)
        with self._store.engine().connect() as connection:
            row = connection.execute(select).first()
        return None if row is None else self._read(row)

    def all(self) -> list[Account]:
        """Every account as it stands, by name."""
        table = self.journal.table
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.account_row)).all()
        return sorted({row.account: self._read(row) for row in rows}.values(), key=lambda account: account.name)

    def sign_in(self, name: str, password: str, at: dt.datetime) -> Account | None:
        """The account, if the password is its own and it is neither disabled nor locked. An unknown name is answered as a wrong password.

        Raises TooManyAttempts where this name, or all together, were tried too often.
        """
        name = name.strip().lower()[:80]
        digest = self.digest(name)
        if self._failures(at - dt.timedelta(minutes=1)) >= FAILURES_PER_MINUTE:
            raise TooManyAttempts
        failures = self._failures(at - LOCKED_FOR, digest)
        if failures >= FAILURES_TO_LOCK:
            raise TooManyAttempts
        # Noted before it is tried, so that guesses sent at once cannot all be tried before the first is counted.
        with self._store.writing() as connection:
            connection.execute(self._attempt.delete().where(self._attempt.c.at < at - dt.timedelta(days=1)))
            connection.execute(self._attempt.insert().values(account=digest, at=at))
        account = self.by_digest(digest)
        if account is not None and account.openid:  # answered as if there were none
            account = None
        right = self._matches(self._nobody if account is None else account.password, password[:LONGEST_PASSWORD])
        right = right and len(password) <= LONGEST_PASSWORD
        if account is None or not right or account.disabled:
            if failures + 1 == FAILURES_TO_LOCK:
                self.sign_ins.append([{"account": digest, "at": at, "what": "locked"}])
            return None
        self._forget_failures(name)
        self.note(account, "signed in", at)
        return account

    def _way_in(self, name: str, password: str | None) -> dict[str, Any]:
        hashed = "" if password is None else self._hash(name, password)
        return {"password": hashed, "must_change": password is not None, "openid": password is None}

    def sign_in_from_provider(self, name: str, subject: str, granted: Granted, at: dt.datetime) -> Account | None:
        """The account that signs in at the provider under this name, if it is open and something is granted to it; else None.

        The first who does so binds it to their subject there: whoever is given the same name later is somebody else.
        """
        name = name.strip().lower()[:80]
        account = self.find(name)
        if (
            account is None
            or not account.openid
            or account.disabled
            or account.subject not in ("", subject)
            or granted.of(account) is None
        ):
            self.sign_ins.append([{"account": self.digest(name), "at": at, "what": "refused, provider"}])
            return None
        if not account.subject:
            account = self._write(replace(account, subject=subject), account.name, at)
        self.note(account, "signed in, provider", at)
        return account

    def note(self, account: Account, what: str, at: dt.datetime) -> None:
        self.sign_ins.append([{"account": self.digest(account.name), "at": at, "what": what}])

    def events(self) -> list[dict[str, Any]]:
        """Who signed in and out, and which names were locked, newest first: at, who, what. A name that has no account is not told."""
        names = {self.digest(account.name): account.name for account in self.all()}
        table = self.sign_ins.table
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.sign_in_id.desc())).all()
        return [{"at": row.at, "who": names.get(row.account, "no such account"), "what": row.what} for row in rows]

    def digest(self, name: str) -> str:
        """What stands for a name in the store."""
        return self._cipher.stamp(b"account\0" + name.encode()).hex()

    # Passwords

    @cached_property
    def _nobody(self) -> str:
        """What an unknown name's password is held against, so that it takes as long as a known one's."""
        return self._hasher.hash("nobody has this one")

    def _hash(self, name: str, password: str) -> str:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise AccountError(
                f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; three unusual words do well."
            )
        if len(set(password)) < 5 or name in password.lower() or "password" in password.lower():
            raise AccountError("That password is among the first that are guessed. Three unusual words do well.")
        with self._hashing:
            return self._hasher.hash(password)

    def _matches(self, hashed: str, password: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(hashed, password)
            except (VerificationError, InvalidHashError):
                return False

    # The store

    def _known(self, name: str) -> Account:
        account = self.find(name)
        if account is None:
            raise AccountError(f"no account {name!r}; see tessera console accounts list")
        return account

    def _write(self, account: Account, author: str, at: dt.datetime) -> Account:
        said = self._cipher.seal(json.dumps(asdict(account)))
        row = {"account": self.digest(account.name), "at": at, "said": said, "author": self._cipher.seal(author)}
        self.journal.append([row])
        return account

    def _read(self, row: sa.Row[Any]) -> Account:
        said = json.loads(self._cipher.open(row.said))
        account = Account(**{**said, "roles": tuple(said["roles"]), "agencies": tuple(said["agencies"])})
        if self.digest(account.name) != row.account:  # a row copied under another's name
            raise StoreError("an account in the decisions store is not as it was written; run tessera audit verify")
        return account

    def _failures(self, since: dt.datetime, digest: str | None = None) -> int:
        select = sa.select(sa.func.count()).select_from(self._attempt).where(self._attempt.c.at > since)
        if digest is not None:
            select = select.where(self._attempt.c.account == digest)
        with self._store.engine().connect() as connection:
            return int(connection.execute(select).scalar_one())

    def _forget_failures(self, name: str) -> None:
        with self._store.writing() as connection:
            connection.execute(self._attempt.delete().where(self._attempt.c.account == self.digest(name)))

"""Who may sign in to the console, as which roles, by a password and a code or at a provider; and what stands between a guesser and
an account.

Accounts are a journal: each row is an account as it was left by one change, sealed, and the newest counts. Whoever can write to the
decisions store but has no key can make no account and give no role. What lives here: accounts, passwords, the keys of authenticator apps,
failed attempts. What must not: sessions (sessions.py), how a code is worked out (second_factor.py), and what a role may see
(warehouse/policy.yaml).
"""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from console.second_factor import step_of
from warehouse.journal import Journal
from warehouse.keys import ROLES as MART_ROLES
from warehouse.store import Cipher, Store, StoreError

GOVERNANCE, QUALITY = "governance", "quality"
# Without a mart: a contributor writes what they saw and reads nothing but that it is kept.
CONTRIBUTOR = "contributor"
ROLES = (*MART_ROLES, CONTRIBUTOR)

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
# zxcvbn's score for what takes more than a hundred million guesses: at five in a quarter of an hour, centuries; by somebody who has the
# store and its key, months of a computer for each account.
STRONG_ENOUGH = 3
# What is tried first against this application, by whoever knows what it is, as is the account's own name. They count for nothing: without
# them eight characters must be left, the fewest that any password should have (ASVS 6.2.1).
WORDS = (
    "password",
    "tessera", "console", "safeguarding", "mash", "council", "borough", "children", "child", "police", "health", "school", "social", "care",
    "hub", "team", *ROLES,
)  # fmt: skip
_WITHOUT_WORDS = 8
# A first password is handed over: a weekend may lie between, and no more.
FIRST_PASSWORD_FOR = dt.timedelta(days=3)
_FIRST_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
FAILURES_TO_LOCK = 5
LOCKED_FOR = dt.timedelta(minutes=15)
# Failures of all accounts together within a minute, after which nobody may try: guessing one password for many names.
FAILURES_PER_MINUTE = 60

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,79}")


class AccountError(Exception):
    """An account cannot be made or changed: says what was found, what is allowed, the next step."""


class RunOut(Exception):  # noqa: N818 - what happened
    """The password is the right one, and was given too long ago."""


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
    first_until: str = ""  # until when a password that is to be changed is good, in ISO format; empty for ever
    disabled: bool = False
    generation: int = 0  # sessions of an earlier one are over
    openid: bool = False  # signs in at the identity provider, and by no password
    subject: str = field(default="", repr=False)  # whom the provider means by it, noted at the first sign-in there
    app_key: str = field(default="", repr=False)  # of its owner's authenticator app; empty while none is set up

    def has(self, roles: Iterable[str]) -> bool:
        return any(role in self.roles for role in roles)


@dataclass(frozen=True)
class Granted:
    """What an identity provider grants for one session, in our words. `agencies`: None where it is not asked for them."""

    roles: tuple[str, ...]
    agencies: tuple[str, ...] | None = None
    id_token: str = field(default="", repr=False)  # to end the session at the provider too
    amr: tuple[str, ...] = ()  # by what they signed in there, as it says (RFC 8176)

    def of(self, account: Account) -> Account | None:
        """The account with what both it and the provider grant; None where that is nothing."""
        roles = tuple(role for role in account.roles if role in self.roles)
        agencies = account.agencies
        if self.agencies is not None:
            agencies = tuple(agency for agency in self.agencies if not account.agencies or agency in account.agencies)
            if not agencies:  # which would mean all of them
                roles = tuple(role for role in roles if role != QUALITY)
        return replace(account, roles=roles, agencies=agencies, must_change=False) if roles else None


def first_password() -> str:
    """One that nobody thought of, to be handed over: sixteen letters in fours, some 79 bits."""
    letters = "".join(secrets.choice(_FIRST_LETTERS) for _ in range(16))
    return "-".join(letters[place : place + 4] for place in range(0, 16, 4))


def _score(password: str, name: str) -> int:
    """How hard it is to guess, from 0 to 4. Imported here: only commands and pages that set a password need it."""
    from zxcvbn import zxcvbn

    words = [*WORDS, name, *re.split(r"[._@-]+", name)]
    return int(zxcvbn(password[:72], user_inputs=words, max_length=72)["score"])


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
            ),  # signed in, signed out, locked, wrong password or code, app set up, password changed, refused
            cipher=lambda _: self._cipher,
        )
        self._attempt = sa.Table(
            "console_attempt",
            store.metadata,
            sa.Column("account", sa.String(64), nullable=False, index=True),
            sa.Column("at", sa.DateTime, nullable=False, index=True),
            sa.Column("attempt", sa.String(32)),  # its own name, by which it is taken back
        )
        self._used_code = sa.Table(
            "console_used_code",
            store.metadata,
            sa.Column("app", sa.String(64), primary_key=True),
            sa.Column("step", sa.Integer, nullable=False),  # the newest; none of it or before is taken again
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
        account = Account(name, chosen, tuple(sorted(set(agencies))), **self._way_in(name, password, at))
        return self._write(account, author, at)

    def reset(
        self, name: str, password: str | None, *, author: str, at: dt.datetime, second_factor: bool = False
    ) -> Account:
        """Gives a new password, opens a disabled account again, ends its sessions and forgets its failed attempts.

        None: from now on it signs in at the provider, and whoever does so first is whom it belongs to. `second_factor`: forgets the
        authenticator app as well, which its owner no longer has.
        """
        account = self._known(name)
        changed = replace(
            account,
            **self._way_in(account.name, password, at),
            subject="",
            app_key="" if second_factor or password is None else account.app_key,
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
        if not self.confirm(account, old, at):
            raise AccountError("That is not your present password.")
        if old == new:
            raise AccountError("The new password is the present one. Choose another.")
        changed = replace(
            account, password=self._hash(account.name, new), must_change=False, generation=account.generation + 1
        )
        self.note(account, "password changed", at)
        return self._write(changed, account.name, at)

    def set_up_app(self, account: Account, key: str, code: str, *, at: dt.datetime) -> Account | None:
        """Takes the app with this key for its second factor and ends all its sessions; None where the code is not one of that app.

        Wrong codes are not counted: there is nothing to guess for somebody who was just shown the key.
        """
        if account.openid:
            raise AccountError("You sign in elsewhere, and your second factor is kept there.")
        if not self._take(account.name, key, code, at):
            return None
        self.note(account, "app set up", at)
        return self._write(replace(account, app_key=key, generation=account.generation + 1), account.name, at)

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

        Of an account with an authenticator app nobody is signed in before a code of it was taken (`prove`). Raises TooManyAttempts where
        this name, or all together, were tried too often; RunOut where a first password was not used in time.
        """
        name = name.strip().lower()[:80]
        attempt = self._attempt_at(name, at)
        account = self.find(name)
        if account is not None and account.openid:  # answered as if there were none
            account = None
        right = self._matches(self._nobody if account is None else account.password, password)
        if account is None or not right or account.disabled:
            what = "refused, disabled" if right else "wrong password"
            self._failed(name, "" if account is None else what, at)  # no row for each name that somebody thinks of
            return None
        if account.must_change and account.first_until and at > dt.datetime.fromisoformat(account.first_until):
            self._failed(name, "first password over", at)
            raise RunOut
        if account.app_key:  # earlier failures still count: a code is not guessed by beginning anew with the password
            self._take_back(attempt)
        else:
            self._forget_failures(name)
            self.note(account, "signed in", at)
        return account

    def prove(self, account: Account, code: str, at: dt.datetime) -> bool:
        """Whether the code is one of the account's app, and is taken for the first time. Wrong ones count as wrong passwords do."""
        self._attempt_at(account.name, at)
        if not self._take(account.name, account.app_key, code, at):
            self._failed(account.name, "wrong code", at)
            return False
        self._forget_failures(account.name)
        return True

    def confirm(self, account: Account, password: str, at: dt.datetime) -> bool:
        """Whether whoever is signed in knows the password, asked again. Wrong ones count as at the sign-in."""
        attempt = self._attempt_at(account.name, at)
        if not self._matches(account.password, password):
            self._failed(account.name, "wrong password", at)
            return False
        self._take_back(attempt)
        return True

    def _way_in(self, name: str, password: str | None, at: dt.datetime) -> dict[str, Any]:
        if password is None:
            return {"password": "", "must_change": False, "first_until": "", "openid": True}
        until = (at + FIRST_PASSWORD_FOR).isoformat()
        return {"password": self._hash(name, password), "must_change": True, "first_until": until, "openid": False}

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

    def events_of(self, account: Account, at_most: int) -> list[dict[str, Any]]:
        """What was last done with one account, newest first: at, what."""
        table = self.sign_ins.table
        select = sa.select(table.c.at, table.c.what).where(table.c.account == self.digest(account.name))
        with self._store.engine().connect() as connection:
            rows = connection.execute(select.order_by(table.c.sign_in_id.desc()).limit(at_most)).all()
        return [dict(row._mapping) for row in rows]

    def number(self, name: str) -> str:
        """What stands for a name in the console's own log, as `tessera console accounts list` tells it."""
        return self.digest(name)[:12]

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
        left = re.sub(
            "|".join(re.escape(word) for word in sorted({name, *WORDS}, key=len, reverse=True)), "", password.lower()
        )
        if len(left) < _WITHOUT_WORDS or len(set(password)) < 5 or _score(password, name) < STRONG_ENOUGH:
            raise AccountError("That password is among the first that are guessed. Three unusual words do well.")
        with self._hashing:
            return self._hasher.hash(password)

    def _matches(self, hashed: str, password: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(hashed, password[:LONGEST_PASSWORD]) and len(password) <= LONGEST_PASSWORD
            except (VerificationError, InvalidHashError):
                return False

    # Codes

    def _take(self, name: str, key: str, code: str, at: dt.datetime) -> bool:
        """Whether the code is one of the key's and newer than any that was taken, which it then is."""
        step = step_of(key, code, at) if key else None
        if step is None:
            return False
        table, app = self._used_code, self.digest(f"{name}\0{key}")
        try:
            with self._store.writing() as connection:
                connection.execute(table.delete().where(table.c.app == app, table.c.step < step))
                connection.execute(table.insert().values(app=app, step=step))
        except sa.exc.IntegrityError:
            return False
        return True

    # Attempts

    def _attempt_at(self, name: str, at: dt.datetime) -> str:
        """Notes an attempt before it is made, so that guesses sent at once cannot all be tried before the first is counted."""
        digest, attempt = self.digest(name), secrets.token_hex(16)
        with self._store.writing() as connection:
            if self._failures(connection, at - dt.timedelta(minutes=1)) >= FAILURES_PER_MINUTE:
                raise TooManyAttempts
            if self._failures(connection, at - LOCKED_FOR, digest) >= FAILURES_TO_LOCK:
                raise TooManyAttempts
            connection.execute(self._attempt.delete().where(self._attempt.c.at < at - dt.timedelta(days=1)))
            connection.execute(self._attempt.insert().values(account=digest, at=at, attempt=attempt))
        return attempt

    def _failed(self, name: str, what: str, at: dt.datetime) -> None:
        """What is kept of an attempt that failed: what it was, and that the name is locked by it."""
        digest = self.digest(name)
        with self._store.engine().connect() as connection:
            is_last = self._failures(connection, at - LOCKED_FOR, digest) >= FAILURES_TO_LOCK
        said = [one for one in (what, "locked" if is_last else "") if one]
        if said:
            self.sign_ins.append([{"account": digest, "at": at, "what": one} for one in said])

    def _take_back(self, attempt: str) -> None:
        with self._store.writing() as connection:
            connection.execute(self._attempt.delete().where(self._attempt.c.attempt == attempt))

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

    def _failures(self, connection: sa.Connection, since: dt.datetime, digest: str | None = None) -> int:
        select = sa.select(sa.func.count()).select_from(self._attempt).where(self._attempt.c.at > since)
        if digest is not None:
            select = select.where(self._attempt.c.account == digest)
        return int(connection.execute(select).scalar_one())

    def _forget_failures(self, name: str) -> None:
        with self._store.writing() as connection:
            connection.execute(self._attempt.delete().where(self._attempt.c.account == self.digest(name)))

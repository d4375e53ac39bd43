"""Who is signed in, kept by the server, and by what; the tokens of its forms; and what for somebody looks at a child.

What lives here: beginning, finding and ending sessions, and what is still due before one may be used. What must not: whether a password or
a code is right (accounts.py).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from console.accounts import Account, Accounts, Granted
from console.second_factor import key_of
from warehouse.store import Cipher, Store

# OWASP's session management: idle and absolute. A hub's desk is shared; a working day is the longest anybody stays signed in.
IDLE = dt.timedelta(minutes=20)
ABSOLUTE = dt.timedelta(hours=10)
# Noted at most so often, so that reading pages does not write to the store each time.
_SEEN_EVERY = dt.timedelta(minutes=1)

# By what somebody signed in, as RFC 8176 calls it.
PASSWORD, CODE = "pwd", "otp"

# What somebody who is signing in has yet to do, in this order, before any other page is theirs: give a code of their app, choose a password
# in the place of one that somebody else knows, set up an app.
Due = Literal["code", "password", "app"]


@dataclass(frozen=True)
class Session:
    """A session in force; `token` is what the browser holds, of which the store has a digest only."""

    token: str
    account: Account
    began_at: dt.datetime
    amr: tuple[str, ...] = ()  # by what they signed in
    id_token: str = field(default="", repr=False)  # of the provider where it began, if it did
    due: Due | None = None


@dataclass(frozen=True)
class Open:
    """A session in force as its owner sees it. `number`: by which it is ended."""

    number: str
    began_at: dt.datetime
    seen_at: dt.datetime
    is_this: bool


class Sessions:
    """The sessions of one deployment."""

    def __init__(self, store: Store, key: bytes, accounts: Accounts, password_alone: Iterable[str] = ()) -> None:
        """`password_alone`: roles that need no second factor. An account needs one unless that is so of all its roles."""
        self._store, self._cipher, self._key, self._accounts = store, Cipher(key), key, accounts
        self._password_alone = frozenset(password_alone)
        self._session = sa.Table(
            "console_session",
            store.metadata,
            sa.Column("session", sa.String(64), primary_key=True),
            sa.Column("account", sa.String(64), nullable=False),
            sa.Column("generation", sa.Integer, nullable=False),
            sa.Column("began_at", sa.DateTime, nullable=False),
            sa.Column("seen_at", sa.DateTime, nullable=False),
            sa.Column("granted", sa.LargeBinary),  # by the provider; empty where somebody signed in with a password
            sa.Column("amr", sa.String(200)),
            sa.Column(
                "proof", sa.LargeBinary
            ),  # that the console began it, of whom and by what: no row without the key
        )
        self._used_form = sa.Table(
            "console_used_form",
            store.metadata,
            sa.Column("form", sa.String(64), primary_key=True),
            sa.Column("at", sa.DateTime, nullable=False),
        )
        self._purpose = sa.Table(
            "console_purpose",
            store.metadata,
            sa.Column("session", sa.String(64), primary_key=True),
            sa.Column("about", sa.String(64), primary_key=True),
            sa.Column("purpose", sa.LargeBinary, nullable=False),
        )

    def begin(
        self, account: Account, at: dt.datetime, amr: tuple[str, ...] = (PASSWORD,), granted: Granted | None = None
    ) -> Session:
        """A new session with a token nobody had before; those long over are cleared away. `amr`: by what they signed in here. `granted`:
        by the provider, for it alone, where they signed in there."""
        token = secrets.token_urlsafe(32)
        amr = amr if granted is None else granted.amr
        with self._store.writing() as connection:
            over = sa.or_(self._session.c.began_at <= at - ABSOLUTE, self._session.c.seen_at <= at - IDLE)
            gone = sa.select(self._session.c.session).where(over)
            connection.execute(self._purpose.delete().where(self._purpose.c.session.in_(gone)))
            connection.execute(self._session.delete().where(over))
            connection.execute(self._used_form.delete().where(self._used_form.c.at <= at - 2 * ABSOLUTE))
            row: dict[str, Any] = {"session": _digest(token), "account": self._accounts.digest(account.name)}
            row |= {"generation": account.generation, "began_at": at, "seen_at": at}
            row |= {"amr": " ".join(amr) if granted is None else ""}
            row |= {"granted": None if granted is None else self._cipher.seal(json.dumps(asdict(granted)))}
            row |= {"proof": self._cipher.stamp(_proven(row))}
            connection.execute(self._session.insert().values(**row))
        return Session(token, account, at, amr, due=self._due(account, amr))

    def find(self, token: str, at: dt.datetime) -> Session | None:
        """The session of a token, if it is in force and its account still is."""
        table, digest = self._session, _digest(token)
        with self._store.engine().connect() as connection:
            row = connection.execute(sa.select(table).where(table.c.session == digest)).first()
        if row is None or at >= row.began_at + ABSOLUTE or at >= row.seen_at + IDLE:
            return None
        if not self._cipher.stamped(_proven(row._asdict()), bytes(row.proof or b"")):
            return None
        account = self._accounts.by_digest(row.account)
        if account is None or account.disabled or account.generation != row.generation:
            return None
        granted = self._granted(row.granted)
        if account.openid != (granted is not None):  # a session that began another way than the account may sign in
            return None
        if granted is not None:
            account = granted.of(account)
            if account is None:
                return None
        if at - row.seen_at >= _SEEN_EVERY:
            with self._store.writing() as connection:
                connection.execute(table.update().where(table.c.session == digest).values(seen_at=at))
        amr = tuple(row.amr.split()) if granted is None else granted.amr
        id_token = "" if granted is None else granted.id_token
        return Session(token, account, row.began_at, amr, id_token, self._due(account, amr))

    def _due(self, account: Account, amr: tuple[str, ...]) -> Due | None:
        if account.openid:  # its password and its second factor are the provider's
            return None
        if account.app_key and CODE not in amr:
            return "code"
        if account.must_change:
            return "password"
        return None if account.app_key or self._password_alone.issuperset(account.roles) else "app"

    def key_for_app(self, session: Session) -> str:
        """What an app is given that is set up in this session: the same for as long as it lasts, kept nowhere, and nobody's before a code
        of it was taken."""
        return key_of(hmac.digest(self._key, f"app\0{session.token}".encode(), hashlib.sha256))

    def _granted(self, sealed: bytes | None) -> Granted | None:
        if sealed is None:
            return None
        said = json.loads(self._cipher.open(sealed))
        agencies = None if said["agencies"] is None else tuple(said["agencies"])
        return Granted(tuple(said["roles"]), agencies, said["id_token"], tuple(said["amr"]))

    def of(self, session: Session, at: dt.datetime) -> list[Open]:
        """Every session in force of the account whose session this is, the newest first."""
        table, account = self._session, session.account
        same = sa.and_(
            table.c.account == self._accounts.digest(account.name),
            table.c.generation == account.generation,
            table.c.began_at > at - ABSOLUTE,
            table.c.seen_at > at - IDLE,
        )
        with self._store.engine().connect() as connection:
            rows = connection.execute(sa.select(table).where(same).order_by(table.c.began_at.desc())).all()
        own = _digest(session.token)
        return [Open(row.session[:16], row.began_at, row.seen_at, row.session == own) for row in rows]

    def end_others(self, session: Session, numbers: Iterable[str]) -> int:
        """Ends those of the account's sessions with these numbers, but this one; how many they were."""
        table = self._session
        others = sa.and_(
            table.c.account == self._accounts.digest(session.account.name),
            sa.func.substr(table.c.session, 1, 16).in_(list(numbers)),
            table.c.session != _digest(session.token),
        )
        with self._store.writing() as connection:
            gone = sa.select(table.c.session).where(others)
            connection.execute(self._purpose.delete().where(self._purpose.c.session.in_(gone)))
            return connection.execute(table.delete().where(others)).rowcount

    def end(self, token: str) -> None:
        digest = _digest(token)
        with self._store.writing() as connection:
            connection.execute(self._purpose.delete().where(self._purpose.c.session == digest))
            connection.execute(self._session.delete().where(self._session.c.session == digest))

    # Forms

    def form_token(self, token: str) -> str:
        """A token for one form of one session; `token` is the session's, or that of a browser which is not signed in yet."""
        nonce = secrets.token_urlsafe(12)
        return f"{nonce}.{self._form_proof(token, nonce)}"

    def is_form_token(self, token: str, given: str) -> bool:
        nonce, _, proof = given.partition(".")
        return bool(nonce) and hmac.compare_digest(proof.encode(), self._form_proof(token, nonce).encode())

    def use_form(self, given: str, at: dt.datetime) -> bool:
        """Notes that a form was sent; False if it had been before."""
        try:
            with self._store.writing() as connection:
                connection.execute(self._used_form.insert().values(form=_digest(given), at=at))
        except sa.exc.IntegrityError:
            return False
        return True

    def _form_proof(self, token: str, nonce: str) -> str:
        return hmac.digest(self._key, f"form\0{token}\0{nonce}".encode(), hashlib.sha256).hex()

    # Purposes

    def state_purpose(self, session: Session, about: str, purpose: str) -> None:
        """Keeps, while the session lasts, what for its owner looks at somebody."""
        row = {"session": _digest(session.token), "about": _digest(about)}
        table = self._purpose
        same = sa.and_(table.c.session == row["session"], table.c.about == row["about"])
        with self._store.writing() as connection:
            connection.execute(table.delete().where(same))
            connection.execute(table.insert().values(**row, purpose=self._cipher.seal(purpose)))

    def purpose(self, session: Session, about: str) -> str | None:
        table = self._purpose
        same = sa.and_(table.c.session == _digest(session.token), table.c.about == _digest(about))
        with self._store.engine().connect() as connection:
            found = connection.execute(sa.select(table.c.purpose).where(same)).scalar()
        return None if found is None else self._cipher.open(found)


def _proven(row: dict[str, Any]) -> bytes:
    """What the proof of a session is made over: all of it but when it was last seen."""
    said = {name: row[name] for name in ("session", "account", "generation", "amr")}
    granted = hashlib.sha256(row["granted"] or b"").hexdigest()
    return b"session\0" + json.dumps(said | {"began_at": row["began_at"].isoformat(), "granted": granted}).encode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Who is signed in, kept by the server; the tokens of its forms; and what for somebody looks at a child.

What lives here: beginning, finding and ending sessions. What must not: whether a password is right (accounts.py).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, field

import sqlalchemy as sa

from console.accounts import Account, Accounts, Granted
from warehouse.store import Cipher, Store

# OWASP's session management: idle and absolute. A hub's desk is shared; a working day is the longest anybody stays signed in.
IDLE = dt.timedelta(minutes=20)
ABSOLUTE = dt.timedelta(hours=10)
# Noted at most so often, so that reading pages does not write to the store each time.
_SEEN_EVERY = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Session:
    """A session in force; `token` is what the browser holds, of which the store has a digest only."""

    token: str
    account: Account
    began_at: dt.datetime
    id_token: str = field(default="", repr=False)  # of the provider where it began, if it did


class Sessions:
    """The sessions of one deployment."""

    def __init__(self, store: Store, key: bytes, accounts: Accounts) -> None:
        self._store, self._cipher, self._key, self._accounts = store, Cipher(key), key, accounts
        self._session = sa.Table(
            "console_session",
            store.metadata,
            sa.Column("session", sa.String(64), primary_key=True),
            sa.Column("account", sa.String(64), nullable=False),
            sa.Column("generation", sa.Integer, nullable=False),
            sa.Column("began_at", sa.DateTime, nullable=False),
            sa.Column("seen_at", sa.DateTime, nullable=False),
            sa.Column("granted", sa.LargeBinary),  # by the provider; empty where somebody signed in with a password
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

    def begin(self, account: Account, at: dt.datetime, granted: Granted | None = None) -> Session:
        """A new session with a token nobody had before; those long over are cleared away. `granted`: by the provider, for it alone."""
        token = secrets.token_urlsafe(32)
        with self._store.writing() as connection:
            over = sa.or_(self._session.c.began_at <= at - ABSOLUTE, self._session.c.seen_at <= at - IDLE)
            gone = sa.select(self._session.c.session).where(over)
            connection.execute(self._purpose.delete().where(self._purpose.c.session.in_(gone)))
            connection.execute(self._session.delete().where(over))
            connection.execute(self._used_form.delete().where(self._used_form.c.at <= at - 2 * ABSOLUTE))
            row: dict[str, object] = {"session": _digest(token), "account": self._accounts.digest(account.name)}
            row |= {"generation": account.generation, "began_at": at, "seen_at": at}
            row |= {"granted": None if granted is None else self._cipher.seal(json.dumps(asdict(granted)))}
            connection.execute(self._session.insert().values(**row))
        return Session(token, account, at)

    def find(self, token: str, at: dt.datetime) -> Session | None:
        """The session of a token, if it is in force and its account still is."""
        table, digest = self._session, _digest(token)
        with self._store.engine().connect() as connection:
            row = connection.execute(sa.select(table).where(table.c.session == digest)).first()
        if row is None or at >= row.began_at + ABSOLUTE or at >= row.seen_at + IDLE:
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
        return Session(token, account, row.began_at, granted.id_token if granted is not None else "")

    def _granted(self, sealed: bytes | None) -> Granted | None:
        if sealed is None:
            return None
        said = json.loads(self._cipher.open(sealed))
        agencies = None if said["agencies"] is None else tuple(said["agencies"])
        return Granted(tuple(said["roles"]), agencies, said["id_token"])

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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Signing in at an identity provider by OpenID Connect: authorization code with PKCE.

What lives here: the provider as it describes itself, the way to it and back, and what its ID token must prove. What must not: whether
somebody has an account (accounts.py), and a page.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.urls import add_params_to_uri
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from console.accounts import Granted
from warehouse.store import Cipher, StoreError

log = logging.getLogger("tessera.console")

# Signed with a key that only the provider has. Never `none`, nor a secret that both sides hold.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
# Somebody may have to find their telephone for a second factor.
LONGEST_WAY = dt.timedelta(minutes=10)
# Clocks of two machines in one network differ by seconds; RFC 7519 lets a few minutes pass.
CLOCKS_DIFFER = 60
_DESCRIBED_FOR = dt.timedelta(hours=1)
_KEYS_AGAIN_AFTER = dt.timedelta(minutes=1)
_PATIENCE = 10  # seconds, for each answer of the provider
# While it does not answer, those who try wait for one of them to find out, not each for as long.
_NOT_AGAIN_FOR = dt.timedelta(seconds=15)
_ON_THIS_COMPUTER = ("127.0.0.1", "localhost", "::1")


class ProviderError(Exception):
    """The provider cannot be used as it answers: says which answer, never what stood in a token."""


class NotSignedIn(Exception):  # noqa: N818 - what happened
    """What came back from the provider proves nothing: says which proof is missing, never a value of it."""


def is_safe(address: str) -> bool:
    """https, or http on this computer."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _ON_THIS_COMPUTER)
    )


@dataclass(frozen=True)
class Claims:
    """One claim of the ID token and what its values mean here. `claim`: its name, or a path such as realm_access.roles."""

    claim: str
    values: Mapping[str, str]

    def meant(self, token: Mapping[str, Any]) -> tuple[str, ...]:
        """What the token's values mean here; those that are not mapped mean nothing."""
        said = token.get(self.claim, _within(token, self.claim))
        found = said if isinstance(said, list) else [said]
        return tuple(dict.fromkeys(self.values[one] for one in found if isinstance(one, str) and one in self.values))


def _within(token: Mapping[str, Any], path: str) -> Any:
    found: Any = token
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _methods(token: Mapping[str, Any]) -> tuple[str, ...]:
    """By what somebody signed in, as the token says (`amr`); nothing where it does not say so as OpenID Connect has it."""
    said = token.get("amr")
    return tuple(one for one in said if isinstance(one, str)) if isinstance(said, list) else ()


@dataclass(frozen=True)
class OpenId:
    """What a deployment says of its provider. `acr`, `amr`: the token must have one of them, where there are any."""

    issuer: str
    client_id: str
    roles: Claims
    client_secret: str = field(default="", repr=False)
    name: str = "your organisation"
    account: str = "preferred_username"
    agencies: Claims | None = None
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid", "profile", "email")


@dataclass(frozen=True)
class Came:
    """Somebody the provider knows: the account's name and subject as the token has them, what it grants, and where they were going."""

    account: str
    subject: str
    granted: Granted
    onward: str


class Provider:
    """One provider, asked for what it says of itself when it is first needed. Its answers are kept for an hour, its keys as long."""

    def __init__(self, said: OpenId, redirect_uri: str, key: bytes, clock: Callable[[], dt.datetime]) -> None:
        self.said, self._redirect_uri, self._cipher, self._clock = said, redirect_uri, Cipher(key), clock
        self._asking = threading.Lock()
        self._described: tuple[dt.datetime, dict[str, Any]] | None = None
        self._failed: tuple[dt.datetime, ProviderError] | None = None
        self._keys: tuple[dt.datetime, KeySet] | None = None

    # The way there

    def way(self, onward: str) -> tuple[str, str]:
        """The address to go to, and what the browser keeps meanwhile: sealed, since with it the way back is proved."""
        kept = {"what": "openid", "state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32)}
        kept |= {"verifier": secrets.token_urlsafe(48), "onward": onward, "at": self._clock().isoformat()}
        with self._session() as session:
            address, _ = session.create_authorization_url(
                self._description()["authorization_endpoint"],
                state=kept["state"],
                code_verifier=kept["verifier"],
                nonce=kept["nonce"],
                **({"acr_values": " ".join(self.said.acr)} if self.said.acr else {}),
            )
        return address, self._cipher.seal(json.dumps(kept)).decode()

    # The way back

    def came(self, answer: Mapping[str, str], kept: str, use_once: Callable[[str], bool]) -> Came:
        """Whom the provider sends. `answer`: what stands in the address. `kept`: what the browser kept. `use_once`: False for what
        was used before. Raises NotSignedIn, ProviderError."""
        way = self._way_of(kept)
        if not hmac.compare_digest(answer.get("state", "").encode(), way["state"].encode()):
            raise NotSignedIn("the state is not that of the way there")
        if not use_once(f"openid {way['state']}"):
            raise NotSignedIn("this way back was taken before")
        described = self._description()
        by = answer.get("iss")
        if by != self.said.issuer and (by or described.get("authorization_response_iss_parameter_supported")):
            raise NotSignedIn("the answer is from another issuer")
        if "error" in answer or not answer.get("code"):
            raise NotSignedIn("the provider did not sign them in")
        tokens = self._tokens(answer["code"], way["verifier"])
        claims = self._claims(tokens, way["nonce"])
        name = claims.get(self.said.account)
        if not isinstance(name, str) or not name.strip():
            raise NotSignedIn(f"the ID token has no {self.said.account}")
        if self.said.account == "email" and claims.get("email_verified") is not True:
            raise NotSignedIn("the provider has not verified the e-mail address")
        granted = Granted(
            self.said.roles.meant(claims),
            None if self.said.agencies is None else self.said.agencies.meant(claims),
            str(tokens["id_token"]),
            _methods(claims),
        )
        return Came(name, str(claims["sub"]), granted, way["onward"])

    def _way_of(self, kept: str) -> dict[str, str]:
        try:
            way: dict[str, str] = json.loads(self._cipher.open(kept.encode()))
        except (StoreError, ValueError):
            raise NotSignedIn("this browser was not on its way to the provider") from None
        if way.get("what") != "openid" or self._clock() - dt.datetime.fromisoformat(way["at"]) > LONGEST_WAY:
            raise NotSignedIn("the way took too long")
        return way

    def _tokens(self, code: str, verifier: str) -> Mapping[str, Any]:
        endpoint = self._description()["token_endpoint"]
        with self._session() as session, _said_plainly("its token endpoint"):
            tokens: Mapping[str, Any] = session.fetch_token(
                endpoint, grant_type="authorization_code", code=code, code_verifier=verifier, allow_redirects=False
            )
        if not isinstance(tokens.get("id_token"), str):
            raise NotSignedIn("the provider gave no ID token")
        return tokens

    def _claims(self, tokens: Mapping[str, Any], nonce: str) -> CodeIDToken:
        """What the ID token says, once its signature, issuer, audience, time, nonce and strength are proved."""
        try:
            token = self._opened(tokens["id_token"])
            must = {"iss": {"essential": True, "value": self.said.issuer}}
            must |= {"aud": {"essential": True, "value": self.said.client_id}}
            params = {"nonce": nonce, "client_id": self.said.client_id, "access_token": tokens.get("access_token")}
            claims = CodeIDToken(token.claims, token.header, must, params)
            claims.validate(now=int(self._clock().replace(tzinfo=dt.UTC).timestamp()), leeway=CLOCKS_DIFFER)
        except (JoseError, ValueError) as error:
            raise NotSignedIn(f"the ID token does not hold ({type(error).__name__})") from None
        if self.said.acr and claims.get("acr") not in self.said.acr:
            raise NotSignedIn("the provider signed them in more weakly than asked (acr)")
        if self.said.amr and not any(method in self.said.amr for method in _methods(claims)):
            raise NotSignedIn("the provider signed them in more weakly than asked (amr)")
        return claims

    def _opened(self, id_token: str) -> jwt.Token:
        described = self._description().get("id_token_signing_alg_values_supported") or ["RS256"]
        algorithms = [name for name in ALGORITHMS if name in described]
        if not algorithms:  # the library takes an empty list for its own, which has signatures by shared secrets
            raise ProviderError(f"it signs with none of {', '.join(ALGORITHMS)}")
        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        try:
            return jwt.decode(id_token, self._key_set(), registry=registry)
        except InvalidKeyIdError:  # the provider has new keys since it was asked
            return jwt.decode(id_token, self._key_set(again=True), registry=registry)

    # The way out

    def way_out(self, id_token: str, back: str) -> str | None:
        """Where to end the session at the provider too; None where it offers no such thing."""
        endpoint = self._description().get("end_session_endpoint")
        if not endpoint or not is_safe(endpoint):
            return None
        return str(
            add_params_to_uri(
                endpoint,
                [
                    ("id_token_hint", id_token),
                    ("client_id", self.said.client_id),
                    ("post_logout_redirect_uri", back),
                ],
            )
        )

    # What the provider says of itself

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self.said.client_id,
            self.said.client_secret or None,
            redirect_uri=self._redirect_uri,
            scope=" ".join(self.said.scopes),
            code_challenge_method="S256",
            default_timeout=_PATIENCE,
        )

    def _description(self) -> dict[str, Any]:
        """What discovery says, held against what was configured."""
        with self._asking:
            now = self._clock()
            if self._described is None or now - self._described[0] > _DESCRIBED_FOR:
                if self._failed is not None and now - self._failed[0] < _NOT_AGAIN_FOR:
                    raise self._failed[1]
                try:
                    self._described, self._keys = (now, self._discovered()), None
                except ProviderError as error:
                    self._failed = self._clock(), error
                    raise
            return self._described[1]

    def _discovered(self) -> dict[str, Any]:
        found = self._get(f"{self.said.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.said.issuer:
            raise ProviderError("its discovery names another issuer than tessera.yaml")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_safe(str(found.get(name))):
                raise ProviderError(f"its {name} is missing, or neither https nor on this computer")
        return found

    def _key_set(self, *, again: bool = False) -> KeySet:
        """The provider's keys; `again` asks anew, at most once a minute, so that forged tokens do not make us ask."""
        address = self._description()["jwks_uri"]
        with self._asking:
            now = self._clock()
            if self._keys is None or (again and now - self._keys[0] >= _KEYS_AGAIN_AFTER):
                self._keys = now, KeySet.import_key_set(self._get(address))  # type: ignore[arg-type]
            return self._keys[1]

    def _get(self, address: str) -> dict[str, Any]:
        with _said_plainly(urlsplit(address).path):
            answer = requests.get(address, timeout=_PATIENCE, allow_redirects=False)
            if answer.status_code != 200:
                raise ProviderError(f"{urlsplit(address).path}: it answers {answer.status_code}")
            found = answer.json()
        if not isinstance(found, dict):
            raise ProviderError(f"{urlsplit(address).path}: it answers no JSON object")
        return found


@contextmanager
def _said_plainly(what: str) -> Iterator[None]:
    """Faults of the way to the provider, without what it answered: that may be a token."""
    try:
        yield
    except (requests.RequestException, AuthlibBaseError, ValueError) as error:
        raise ProviderError(f"{what}: {type(error).__name__}") from None

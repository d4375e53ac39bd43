"""An OpenID provider of its own process's thread, on loopback, with real keys and real HTTP: discovery, authorize, token, keys, logout.

It signs in whoever `user` says, at once. What it would do wrong is said by the test: `token` changes the claims of the next ID tokens,
`sign` takes the place of signing, `describe` changes what discovery says.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "tessera", "a secret of both"


class Provider:
    """`url` is its issuer. `asked`: what the token endpoint was sent, `codes`: what each code it gave stands for."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self.clock, self.key = clock, ECKey.generate_key("P-256", {"kid": "first"})
        self.url = ""
        self.fresh()

    def fresh(self) -> None:
        self.user: dict[str, Any] = {"sub": "subject-1", "preferred_username": "Ana", "groups": ["hub"]}
        self.token: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.describe: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[dict[str, str]] = []
        self.keys_asked = 0

    def signed(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        key = key or self.key
        return jwt.encode({"alg": "ES256", "kid": key.kid, **header}, claims, key)

    def description(self) -> dict[str, Any]:
        said = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"]}
        said |= {f"{name}_endpoint": f"{self.url}/{name}" for name in ("authorization", "token", "end_session")}
        return said | {"id_token_signing_alg_values_supported": ["ES256", "HS256", "none"]} | self.describe

    def authorize(self, asked: dict[str, str]) -> str:
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})

    def give(self, sent: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(sent)
        asked = self.codes.pop(sent["code"], None)
        client = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or authorization != f"Basic {client}"
            or asked["code_challenge"] != challenge.decode().rstrip("=")
            or asked["redirect_uri"] != sent["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(self.clock().replace(tzinfo=dt.UTC).timestamp())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.user}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.sign(self.token(claims))}


@contextmanager
def provider(clock: Callable[[], dt.datetime]) -> Iterator[Provider]:
    """A provider that listens on a free port of this computer."""
    made = Provider(clock)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                self._answer(200, made.description())
            elif parts.path == "/keys":
                made.keys_asked += 1
                self._answer(200, {"keys": [made.key.as_dict(private=False)]})
            elif parts.path == "/authorization":
                self.send_response(302)
                self.send_header("location", made.authorize(dict(parse_qsl(parts.query))))
                self.end_headers()
            elif parts.path == "/moved":
                self.send_response(302)
                self.send_header("location", f"{made.url}/keys")
                self.end_headers()
            else:
                self._answer(200, {"signed": "out"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer(*made.give(dict(parse_qsl(body)), self.headers.get("authorization", "")))

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://localhost:{server.server_port}"  # another site than the console's 127.0.0.1
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()

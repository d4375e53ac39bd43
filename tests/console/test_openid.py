"""Signing in at an identity provider, over HTTP: who comes in, as what, and each forged answer that is refused."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from console.openid import Claims, OpenId
from tests.console.conftest import PASSWORD, Client, Desk, desk_over
from tests.console.openid_provider import CLIENT, SECRET, Provider, provider

ROLES = Claims("groups", {"hub": "practitioner", "officers": "quality", "board": "governance"})


@pytest.fixture(scope="module")
def council() -> Iterator[tuple[Provider, list[dt.datetime]]]:
    now = [dt.datetime(2026, 3, 2, 8, 0)]
    with provider(lambda: now[0]) as made:
        yield made, now


@pytest.fixture
def openid(council: tuple[Provider, list[dt.datetime]]) -> Provider:
    council[0].fresh()
    return council[0]


def _desk(council: Any, story: Any, portal: Any, folder: Path, **said: Any) -> Desk:
    made, now = council
    asked = {"issuer": made.url, "client_id": CLIENT, "client_secret": SECRET, "roles": ROLES, **said}
    desk = desk_over(story, folder, portal, openid=OpenId(name="the council", **asked))
    now[0] = desk.now[0]
    desk.now = now  # one clock for both
    object.__setattr__(desk.deployment, "clock", lambda: now[0])
    return desk


@pytest.fixture
def desk(
    council: Any, openid: Provider, story: Any, portal: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Desk]:
    """A console whose provider is `openid`; Ana may sign in there. `@pytest.mark.parametrize("desk", [{…}], indirect=True)` sets more."""
    desk = _desk(council, story, portal, tmp_path, **getattr(request, "param", {}))
    _known(desk, "ana", "practitioner", "quality")
    yield desk
    desk.deployment.marts.close()


@pytest.fixture(scope="module")
def one_desk(council: Any, story: Any, portal: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A console for those tests that leave it as it was."""
    desk = _desk(council, story, portal, tmp_path_factory.mktemp("openid"))
    _known(desk, "ana", "practitioner", "quality")
    yield desk
    desk.deployment.marts.close()


def _known(desk: Desk, name: str, *roles: str, agencies: tuple[str, ...] = ()) -> None:
    desk.deployment.accounts.add(name, roles, agencies, None, author="test", at=desk.now[0])


def _sent_on(answer: httpx.Response) -> str:
    """Where the page that was answered goes on to."""
    assert answer.status_code == 200, answer.text
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    assert found
    return unescape(found[1])


def _to_provider(client: Client, onward: str = "") -> str:
    return _sent_on(client.post("/sign-in/provider", {"next": onward}, on="/sign-in"))


def _back(address: str) -> str:
    """Where the provider sends the browser, within the console."""
    answer = httpx.get(address)
    assert answer.status_code == 302
    return answer.headers["location"].removeprefix("http://127.0.0.1:8000")


def _sign_in(desk: Desk, client: Client | None = None, onward: str = "") -> httpx.Response:
    client = client or desk.browser()
    return client.get(_back(_to_provider(client, onward)))


def test_somebody_with_an_account_and_a_role_there_comes_in(desk: Desk, openid: Provider) -> None:
    client = desk.browser()
    openid.user["amr"] = ["pwd", "mfa"]
    came = _sign_in(desk, client, "/children")
    session = desk.deployment.sessions.find(client.cookies["tessera_session"], desk.now[0])
    assert session is not None and session.amr == ("pwd", "mfa")
    assert _sent_on(came) == "/children" and "You are signed in" in came.text
    page = client.get("/children")
    assert page.status_code == 200 and ">ana<" in page.text and "Change your password" not in page.text
    assert client.get("/quality").status_code == 403, "a role that the provider did not give"
    assert "code_verifier" in openid.asked[0] and openid.asked[0]["redirect_uri"].endswith("/sign-in/provider/back")
    assert desk.deployment.accounts.events()[0]["what"] == "signed in, provider"


def test_what_the_browser_keeps_on_the_way_tells_nothing_and_lasts_ten_minutes(desk: Desk) -> None:
    client = desk.browser()
    answer = client.post("/sign-in/provider", {"next": ""}, on="/sign-in")
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("tessera_way=")]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Max-Age=600" in cookie
    assert "nonce" not in cookie and "verifier" not in cookie
    address = _sent_on(answer)
    assert "code_challenge_method=S256" in address and "nonce=" in address and "code_verifier" not in address
    desk.later(minutes=11)
    assert client.get(_back(address)).status_code == 403


# What an ID token must prove. Each is a token that is right in all else.

FORGED: dict[str, Callable[[Provider], Any]] = {
    "another nonce": lambda made: setattr(made, "token", lambda claims: {**claims, "nonce": "of another way"}),
    "no nonce": lambda made: setattr(made, "token", lambda claims: _without(claims, "nonce")),
    "another audience": lambda made: setattr(made, "token", lambda claims: {**claims, "aud": "another-console"}),
    "among audiences but for another": lambda made: setattr(
        made, "token", lambda claims: {**claims, "aud": [CLIENT, "other"], "azp": "other"}
    ),
    "for another audience, though we asked for it": lambda made: setattr(
        made, "token", lambda claims: {**claims, "aud": ["other"], "azp": CLIENT}
    ),
    "no audience": lambda made: setattr(made, "token", lambda claims: _without(claims, "aud")),
    "another issuer": lambda made: setattr(made, "token", lambda claims: {**claims, "iss": "https://evil.example"}),
    "expired": lambda made: setattr(
        made, "token", lambda claims: {**claims, "iat": claims["iat"] - 900, "exp": claims["iat"] - 300}
    ),
    "no end": lambda made: setattr(made, "token", lambda claims: _without(claims, "exp")),
    "issued tomorrow": lambda made: setattr(made, "token", lambda claims: {**claims, "iat": claims["iat"] + 86_400}),
    "no subject": lambda made: setattr(made, "token", lambda claims: _without(claims, "sub")),
    "another key of the same name": lambda made: setattr(
        made, "sign", lambda claims: made.signed(claims, ECKey.generate_key("P-256", {"kid": "first"}))
    ),
    "an unknown key": lambda made: setattr(
        made, "sign", lambda claims: made.signed(claims, ECKey.generate_key("P-256", {"kid": "second"}))
    ),
    "its own key in the header": lambda made: setattr(made, "sign", lambda claims: _bringing_its_key(made, claims)),
    "alg none": lambda made: setattr(made, "sign", lambda claims: _unsigned(claims, "none")),
    "alg None": lambda made: setattr(made, "sign", lambda claims: _unsigned(claims, "None")),
    "signed with the public key as a secret": lambda made: setattr(
        made, "sign", lambda claims: _by_secret(claims, made.key.as_pem(private=False))
    ),
    "signed with the client's secret": lambda made: setattr(
        made, "sign", lambda claims: _by_secret(claims, SECRET.encode())
    ),
    "a changed word": lambda made: setattr(made, "sign", lambda claims: _changed(made.signed(claims))),
    "no token": lambda made: setattr(made, "sign", lambda claims: None),
    "not a token": lambda made: setattr(made, "sign", lambda claims: "a.b.c"),
    "no account": lambda made: setattr(made, "token", lambda claims: _without(claims, "preferred_username")),
    "another name than a text": lambda made: setattr(
        made, "token", lambda claims: {**claims, "preferred_username": ["ana"]}
    ),
}


def _without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


def _part(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def _unsigned(claims: dict[str, Any], algorithm: str) -> str:
    return f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(claims)}."


def _by_secret(claims: dict[str, Any], secret: bytes) -> str:
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{_part(claims)}"
    proof = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def _bringing_its_key(made: Provider, claims: dict[str, Any]) -> str:
    key = ECKey.generate_key("P-256")
    return made.signed(claims, key, jwk=key.as_dict(private=False), kid="first")


def _changed(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return f"{head}.{_part({**claims, 'groups': ['hub', 'board']})}.{signature}"


@pytest.mark.parametrize("forged", FORGED)
def test_a_token_that_does_not_prove_it_is_refused(one_desk: Desk, openid: Provider, forged: str) -> None:
    FORGED[forged](openid)
    client = one_desk.browser()
    answer = _sign_in(one_desk, client)
    assert answer.status_code == 403 and "You are not signed in" in answer.text, forged
    assert openid.asked, "it came as far as the token"
    assert "tessera_session" not in client.cookies and client.get("/").status_code == 303
    openid.fresh()
    assert _sign_in(one_desk, client).status_code == 200, "and is let in with a right one"


def test_a_way_back_is_taken_once_and_by_its_own_browser(one_desk: Desk, openid: Provider) -> None:
    client, other = one_desk.browser(), one_desk.browser()
    back = _back(_to_provider(client))
    kept = client.cookies["tessera_way"]
    assert other.get(back).status_code == 403, "a browser that was not on its way"
    _to_provider(other)
    assert other.get(back).status_code == 403, "a browser that was on a way of its own"
    assert client.get(back.replace("state=", "state=x")).status_code == 403
    assert client.get(back + "&code=twice").status_code == 403
    assert client.get(back).status_code == 200
    assert "tessera_way" not in client.cookies
    client.cookies.set("tessera_way", kept, domain="127.0.0.1")
    answer = client.get(back)
    assert answer.status_code == 403, "replayed"


def test_a_replayed_state_is_refused_even_with_a_new_code(one_desk: Desk, openid: Provider) -> None:
    client = one_desk.browser()
    address = _to_provider(client)
    kept = client.cookies["tessera_way"]
    assert client.get(_back(address)).status_code == 200
    client.cookies.set("tessera_way", kept, domain="127.0.0.1")
    before = len(openid.asked)
    assert client.get(_back(address)).status_code == 403 and len(openid.asked) == before


def test_a_code_is_of_no_use_without_its_verifier(one_desk: Desk, openid: Provider) -> None:
    thief, victim = one_desk.browser(), one_desk.browser()
    stolen = re.search(r"code=([^&]+)", _back(_to_provider(victim)))
    assert stolen
    back = re.sub(r"code=[^&]+", f"code={stolen[1]}", _back(_to_provider(thief)))
    assert thief.get(back).status_code == 503
    assert openid.asked[-1]["code"] == stolen[1], "the provider was asked, and refused"


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a//evil.example", ""],
)
def test_after_signing_in_there_nobody_is_sent_elsewhere(one_desk: Desk, openid: Provider, onward: str) -> None:
    assert _sent_on(_sign_in(one_desk, onward=onward)) == "/"


def test_the_answer_of_another_issuer_is_refused(one_desk: Desk, openid: Provider) -> None:
    client = one_desk.browser()
    assert client.get(_back(_to_provider(client)) + "&iss=https%3A%2F%2Fevil.example").status_code == 403
    assert client.get(_back(_to_provider(client)) + "&iss=" + openid.url).status_code == 200
    assert client.get("/sign-in/provider/back?error=access_denied&error_description=%3Cb%3Ehi").status_code == 403


# Who comes in


def test_without_an_account_here_or_a_role_there_nobody_comes_in(desk: Desk, openid: Provider) -> None:
    desk.account("practitioner", name="bo")  # has a password, and does not sign in elsewhere
    _known(desk, "cy", "practitioner")
    desk.deployment.accounts.disable("cy", author="test", at=desk.now[0])
    for said in (
        {"preferred_username": "nobody.here"},
        {"preferred_username": "bo"},
        {"preferred_username": "cy"},
        {"groups": []},
        {"groups": ["unknown"]},
        {"groups": "board"},  # a role that Ana's account has not
        {"groups": {"hub": True}},
        {"groups": None},
    ):
        openid.fresh()
        openid.user = {**openid.user, **said}
        client = desk.browser()
        answer = _sign_in(desk, client)
        assert answer.status_code == 403 and "no open account here" in answer.text, said
        assert client.get("/").status_code == 303 and "tessera_session" not in client.cookies
        assert desk.deployment.accounts.events()[0]["what"] == "refused, provider"


def test_a_name_that_is_given_to_somebody_else_there_is_not_theirs_here(desk: Desk, openid: Provider) -> None:
    assert _sign_in(desk).status_code == 200
    openid.user["sub"] = "subject-2"
    assert _sign_in(desk).status_code == 403
    desk.deployment.accounts.reset("ana", None, author="test", at=desk.now[0])
    assert _sign_in(desk).status_code == 200


def test_who_signed_in_there_a_while_ago_ends_no_other_session(desk: Desk) -> None:
    """There is no password here to be asked for again; the provider asks for whatever it asks for."""
    client, other = desk.browser(), desk.browser()
    for one in (other, client):
        _sign_in(desk, one)
    desk.later(minutes=11)
    answer = client.post("/sessions", {"which": "all"})
    assert answer.status_code == 400 and "sign in again" in answer.text and other.get("/").status_code == 200
    client = desk.browser()
    _sign_in(desk, client)
    assert client.post("/sessions", {"which": "all"}).status_code == 303
    assert (client.get("/").status_code, other.get("/").status_code) == (200, 303)


def test_such_an_account_has_no_password_and_one_with_a_password_stays_as_it_was(desk: Desk) -> None:
    refused = desk.browser().post("/sign-in", {"name": "ana", "password": PASSWORD}, on="/sign-in")
    nobody_ones = desk.browser().post("/sign-in", {"name": "ana", "password": "nobody has this one"}, on="/sign-in")
    assert refused.status_code == nobody_ones.status_code == 400
    # Held against a hash all the same: an answer that comes sooner would tell that there is such an account.
    assert "_nobody" in vars(desk.deployment.accounts)
    desk.account("engineer", name="eve")
    client = desk.browser()
    assert desk.sign_in("eve", client=client).status_code == 303
    assert client.get("/tonight").status_code == 200


def test_its_session_ends_when_the_account_is_disabled_or_signs_in_another_way(desk: Desk) -> None:
    client = desk.browser()
    _sign_in(desk, client)
    assert client.get("/").status_code == 200
    forged = desk.signed_in("ana")  # a session without what the provider granted
    assert forged.get("/").status_code == 303
    desk.deployment.accounts.disable("ana", author="test", at=desk.now[0])
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("desk", [{"agencies": Claims("org.force", {"p": "police", "h": "health"})}], indirect=True)
def test_agencies_come_from_the_provider_and_none_is_not_all(desk: Desk, openid: Provider) -> None:
    _known(desk, "dee", "quality", agencies=("police", "school"))

    def sees(name: str, force: Any) -> tuple[str, ...] | None:
        openid.user = {"sub": name, "preferred_username": name, "groups": ["officers"], "org": {"force": force}}
        client = desk.browser()
        if _sign_in(desk, client).status_code == 403:
            return None
        session = desk.deployment.sessions.find(client.cookies["tessera_session"], desk.now[0])
        assert session is not None
        return session.account.agencies

    assert sees("ana", ["p", "h", "x"]) == ("police", "health")
    assert sees("dee", ["p", "h"]) == ("police",), "both must say so"
    assert sees("dee", "h") is None and sees("ana", []) is None and sees("ana", None) is None


# How strongly


@pytest.mark.parametrize("desk", [{"acr": ("urn:two-factors",)}], indirect=True)
def test_the_strength_that_is_asked_for_is_held_to(desk: Desk, openid: Provider) -> None:
    client = desk.browser()
    assert "acr_values=urn%3Atwo-factors" in _to_provider(client)
    for acr, status in ((None, 403), ("urn:password", 403), ("urn:two-factors", 200)):
        openid.user["acr"] = acr
        assert _sign_in(desk).status_code == status


@pytest.mark.parametrize("desk", [{"amr": ("mfa", "otp")}], indirect=True)
def test_the_second_factor_that_is_asked_for_is_held_to(desk: Desk, openid: Provider) -> None:
    for amr, status in ((None, 403), (["pwd"], 403), ("mfa", 403), (["pwd", "otp"], 200)):
        openid.user["amr"] = amr
        assert _sign_in(desk).status_code == status, amr


@pytest.mark.parametrize("desk", [{"account": "email"}], indirect=True)
def test_an_address_counts_where_the_provider_verified_it(desk: Desk, openid: Provider) -> None:
    _known(desk, "ana@example.gov.uk", "practitioner")
    for said, status in (({}, 403), ({"email_verified": "true"}, 403), ({"email_verified": True}, 200)):
        openid.fresh()
        openid.user |= {"email": "Ana@example.gov.uk", **said}
        assert _sign_in(desk).status_code == status, said


# The provider itself


def test_new_keys_of_the_provider_are_fetched_and_forged_ones_do_not_make_us_ask_again(
    desk: Desk, openid: Provider
) -> None:
    assert _sign_in(desk).status_code == 200 and openid.keys_asked == 1
    desk.later(minutes=2)
    openid.key, old = ECKey.generate_key("P-256", {"kid": "renewed"}), openid.key
    try:
        assert _sign_in(desk).status_code == 200 and openid.keys_asked == 2
        for _ in range(3):
            openid.sign = lambda claims: openid.signed(claims, ECKey.generate_key("P-256", {"kid": "made up"}))
            assert _sign_in(desk).status_code == 403
        assert openid.keys_asked == 2
    finally:
        openid.key = old


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "http://localhost:1"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(desk: Desk, openid: Provider, said: Any) -> None:
    openid.describe = said
    answer = desk.browser().post("/sign-in/provider", {"next": ""}, on="/sign-in")
    assert answer.status_code == 503 and "the council does not answer as it should" in answer.text
    openid.describe = {}
    desk.later(seconds=20)
    assert _sign_in(desk).status_code == 200, "and is, once it is mended"


def test_a_provider_that_leads_elsewhere_is_not_followed(desk: Desk, openid: Provider) -> None:
    openid.describe = {"jwks_uri": f"{openid.url}/moved"}
    assert _sign_in(desk).status_code == 503 and openid.keys_asked == 0


def test_a_provider_that_signs_with_shared_secrets_alone_is_not_used(desk: Desk, openid: Provider) -> None:
    openid.describe = {"id_token_signing_alg_values_supported": ["HS256", "none"]}
    openid.sign = lambda claims: _by_secret(claims, openid.key.as_pem(private=False))
    assert _sign_in(desk).status_code == 503


@pytest.mark.parametrize("desk", [{"issuer": "http://localhost:9"}], indirect=True)
def test_without_the_provider_those_with_a_password_come_in(desk: Desk) -> None:
    assert desk.browser().post("/sign-in/provider", {"next": ""}, on="/sign-in").status_code == 503
    desk.account("engineer", name="eve")
    client = desk.browser()
    assert desk.sign_in("eve", client=client).status_code == 303


def test_signing_out_here_signs_out_there(one_desk: Desk, openid: Provider) -> None:
    client = one_desk.browser()
    _sign_in(one_desk, client)
    answer = client.post("/sign-out")
    address = _sent_on(answer)
    assert address.startswith(f"{openid.url}/end_session?id_token_hint=ey") and f"client_id={CLIENT}" in address
    assert "post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Fsign-in" in address
    assert client.get("/").status_code == 303, "over here whatever happens there"


def test_where_the_provider_offers_no_way_out_signing_out_here_is_all(desk: Desk, openid: Provider) -> None:
    openid.describe = {"end_session_endpoint": None}
    client = desk.browser()
    _sign_in(desk, client)
    answer = client.post("/sign-out")
    assert answer.status_code == 303 and answer.headers["location"] == "/sign-in"


def test_going_to_the_provider_needs_a_form_of_ours(one_desk: Desk, openid: Provider) -> None:
    client = one_desk.browser()
    client.get("/sign-in")
    assert client.request("POST", "/sign-in/provider", data={"form_token": "forged"}).status_code == 403
    assert client.get("/sign-in/provider").status_code == 405


def test_nothing_of_the_way_is_in_the_log_or_the_store(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    client = desk.browser()
    back = _back(_to_provider(client))
    client.get(back)
    client.get(back)
    token = re.search(r"code=([^&]+)&state=([^&]+)", back)
    assert token and not any(part in caplog.text for part in token.groups())
    assert "subject-1" not in caplog.text and "Ana" not in caplog.text
    kept = Path(desk.deployment.decisions_url.removeprefix("sqlite:///"))
    stored = b"".join(path.read_bytes() for path in kept.parent.glob(f"{kept.name}*"))
    assert not any(part.encode() in stored for part in (*token.groups(), "subject-1", "eyJhbGci"))


def test_where_no_provider_is_configured_there_is_no_such_way(
    desk: Desk, story: Any, portal: Any, tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    plain = desk_over(story, tmp_path / "plain", portal)
    client = plain.browser()
    assert "Sign in with" not in client.get("/sign-in").text
    assert client.get("/sign-in/provider/back").status_code == 404
    assert client.post("/sign-in/provider", {"next": ""}, on="/sign-in").status_code == 404
    plain.deployment.marts.close()

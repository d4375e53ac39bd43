"""`tessera console accounts`, as somebody types it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.commands.console import _deployment
from pipelines.settings import utc_now


def test_accounts_are_made_listed_and_closed(tmp_path: Path) -> None:
    config = tmp_path / "tessera.yaml"
    config.write_text("sources: {}\n")

    def run(*words: str) -> str:
        answer = CliRunner().invoke(app, ["console", "accounts", *words, "--config", str(config)])
        assert answer.exit_code == 0, answer.exception
        return answer.output

    def told(output: str) -> str:
        found = re.search(r"good for 3 days and not shown again: ([a-z2-9]{4}(?:-[a-z2-9]{4}){3})$", output.strip())
        assert found, output
        return found[1]

    first = told(run("add", "A.Khan", "--role", "quality", "--role", "reviewer", "--agency", "police"))
    assert '"a.khan"' in run("list", "--json") and "password to be changed" in run("list")
    accounts = _deployment(config).accounts
    account = accounts.sign_in("a.khan", first, utc_now())
    assert account is not None and account.must_change and accounts.number("a.khan") in run("list", "--json")
    run("disable", "a.khan")
    assert '"disabled"' in run("list", "--json")
    second = told(run("reset", "a.khan"))
    assert second != first and second not in run("list", "--json") and "disabled" not in run("list")
    assert "sets up an authenticator app anew" in run("reset", "a.khan", "--second-factor")

    assert "password" not in run("add", "B.Lee", "--role", "practitioner", "--openid")
    assert "b.lee" in run("list") and "at the provider" in run("list")
    assert "whoever does so first" in run("reset", "a.khan", "--openid")


def test_roles_for_which_a_password_is_enough_are_named_in_the_settings(tmp_path: Path) -> None:
    from pipelines.settings import SettingsError, load_settings

    config = tmp_path / "tessera.yaml"
    config.write_text("sources: {}\n")
    assert _deployment(config).password_alone == frozenset()
    config.write_text("sources: {}\npassword_alone: [contributor]\n")
    assert _deployment(config).password_alone == {"contributor"}
    config.write_text("sources: {}\npassword_alone: [nurse]\n")
    with pytest.raises(SettingsError, match="password_alone: there is no role nurse; there are engineer"):
        load_settings(config, {})


def test_the_provider_is_configured_and_its_secret_is_in_no_file(tmp_path: Path) -> None:
    from pipelines.commands.console import _openid
    from pipelines.settings import load_settings

    config = tmp_path / "tessera.yaml"
    mapped = "{claim: groups, values: {hub: practitioner}}"
    config.write_text(
        f"sources: {{}}\nopenid: {{issuer: 'https://login.example', client_id: t, roles: {mapped}, amr: [mfa]}}\n"
    )
    openid = _openid(load_settings(config, {}), {"TESSERA_OPENID_SECRET": "of the environment"})
    assert openid is not None and openid.client_secret == "of the environment" and openid.amr == ("mfa",)
    assert openid.roles.meant({"groups": ["hub", "x"]}) == ("practitioner",) and openid.agencies is None
    assert "environment" not in repr(openid)

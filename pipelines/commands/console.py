"""The web application, and who may sign in to it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.terminal import DEFAULT_CONFIG, AsJson, Config, out, plain, print_rows, settings_of
from pipelines.settings import SettingsError, utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.deployment import Deployment
    from console.openid import OpenId
    from pipelines.settings import Settings

AtProvider = Annotated[
    bool, typer.Option("--openid", help="Signs in at the identity provider of tessera.yaml, and by no password.")
]

app = typer.Typer(invoke_without_command=True, help="The web application, and who may sign in to it.")
accounts_app = typer.Typer(no_args_is_help=True, help="Who may sign in to the web application.")
app.add_typer(accounts_app, name="accounts")


@app.callback()
def console(
    context: typer.Context,
    config: Config = DEFAULT_CONFIG,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; nothing else is listened on.")] = 8000,
    address: Annotated[
        str | None, typer.Option(help="What people type into their browser, where a reverse proxy stands before it.")
    ] = None,
) -> None:
    """Serves the web application on this computer, until it is stopped."""
    if context.invoked_subcommand is not None:
        return
    import uvicorn

    from console.app import make_app

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("tessera.console").setLevel(logging.INFO)
    deployment = _deployment(config, address or f"http://127.0.0.1:{port}")
    application = make_app(deployment)
    if not deployment.accounts.all():
        out.print("Nobody has an account yet: tessera console accounts add NAME --role ROLE")
    out.print(f"The console is at {plain(deployment.address)}; Ctrl-C stops it.")
    # Its own access log would hold addresses with their queries; the console's log has the declared path only.
    uvicorn.run(application, host="127.0.0.1", port=port, access_log=False, log_level="warning", server_header=False)


@accounts_app.command()
def add(
    name: Annotated[str, typer.Argument(help="Their name, such as a.khan@example.gov.uk.")],
    role: Annotated[list[str], typer.Option(help="A role of docs/roles.md, or governance; may be repeated.")],
    agency: Annotated[
        list[str] | None, typer.Option(help="Of a quality officer: whose data they see; all if not given.")
    ] = None,
    openid: AtProvider = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Makes an account and tells its first password, once; its owner changes it at the first sign-in and sets up an authenticator app."""
    from console.accounts import first_password
    from warehouse.access_log import account as whoever_runs_this

    accounts, password = _deployment(config).accounts, None if openid else first_password()
    made = accounts.add(name, role, agency or (), password, author=whoever_runs_this(), at=utc_now())
    out.print(f"{plain(made.name)} may sign in as {', '.join(made.roles)}.")
    if password is not None:
        _tell(password)


@accounts_app.command("list")
def list_accounts(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Every account: its number in the console's log, its roles, whose data it sees, how it signs in, and whether it is open."""
    accounts = _deployment(config).accounts
    rows = [
        {
            "name": account.name,
            "number": accounts.number(account.name),
            "roles": ", ".join(account.roles),
            "agencies": ", ".join(account.agencies) or "all",
            "signs_in": "at the provider"
            if account.openid
            else "with a password and a code"
            if account.app_key
            else "with a password",
            "state": "disabled" if account.disabled else "password to be changed" if account.must_change else "open",
        }
        for account in accounts.all()
    ]
    print_rows(rows, as_json, empty="Nobody has an account yet: tessera console accounts add NAME --role ROLE")


@accounts_app.command()
def disable(name: Annotated[str, typer.Argument(help="The account.")], config: Config = DEFAULT_CONFIG) -> None:
    """Nobody signs in with it any more; whoever is signed in with it is so no longer."""
    from warehouse.access_log import account as whoever_runs_this

    _deployment(config).accounts.disable(name.lower(), author=whoever_runs_this(), at=utc_now())
    out.print(f"{plain(name)} is disabled. To open it again: tessera console accounts reset {plain(name)}")


@accounts_app.command()
def reset(
    name: Annotated[str, typer.Argument(help="The account.")],
    openid: AtProvider = False,
    second_factor: Annotated[
        bool,
        typer.Option(
            "--second-factor",
            help="Forgets their authenticator app too, which they have lost; first make sure that it is them who ask.",
        ),
    ] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Gives a new first password and tells it, once; opens the account if it was locked or disabled."""
    from console.accounts import first_password
    from warehouse.access_log import account as whoever_runs_this

    accounts, password = _deployment(config).accounts, None if openid else first_password()
    accounts.reset(name.lower(), password, author=whoever_runs_this(), at=utc_now(), second_factor=second_factor)
    if password is None:
        out.print(
            f"{plain(name)} signs in at the identity provider, and belongs to whoever does so first under that name."
        )
    else:
        then = " and sets up an authenticator app anew" if second_factor else ""
        out.print(f"{plain(name)} has a new password, and changes it{then} at the next sign-in.")
        _tell(password)


def _tell(password: str) -> None:
    """Shown here alone: the store has a hash of it."""
    from console.accounts import FIRST_PASSWORD_FOR

    out.print(f"First password, good for {FIRST_PASSWORD_FOR.days} days and not shown again: {password}")


def _deployment(config: Path, address: str = "http://127.0.0.1:8000") -> Deployment:
    from connectors.transports import CONSOLE
    from console.deployment import Deployment
    from warehouse.keys import load_keys

    if not address.startswith(("http://127.0.0.1", "http://localhost", "https://")):
        raise SettingsError(f"--address {address}: must be https, or http on this computer")
    settings = settings_of(config)
    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)
    return Deployment(
        settings.marts_path,
        keys,
        settings.decisions_url,
        utc_now,
        address=address.rstrip("/"),
        timezone=settings.timezone,
        contacts=settings.contacts(),
        models_dir=settings.models_path,
        feeds={name: settings.feed(name) for name in settings.sources},
        openid=_openid(settings, os.environ),
        password_alone=frozenset(settings.password_alone),
        written_here=frozenset(name for name, source in settings.sources.items() if source.location == CONSOLE),
    )


def _openid(settings: Settings, environ: Mapping[str, str]) -> OpenId | None:
    """The identity provider as configured, with the secret that is in no file."""
    from console.openid import Claims, OpenId

    said = settings.openid
    if said is None:
        return None
    return OpenId(
        said.issuer,
        said.client_id,
        Claims(said.roles.claim, said.roles.values),
        client_secret=environ.get("TESSERA_OPENID_SECRET", ""),
        name=said.name,
        account=said.account,
        agencies=Claims(said.agencies.claim, said.agencies.values) if said.agencies else None,
        acr=tuple(said.acr),
        amr=tuple(said.amr),
        scopes=tuple(said.scopes),
    )

"""The configuration of a deployment: tessera.yaml, read once, checked whole, handed on. Nothing else reads it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.contract import Feed
from connectors.mapped.language import MappingError, UniqueKeys
from connectors.registry import feeds, title, without_agency
from connectors.rulebooks import book_year
from warehouse.retention import Rule, load_rules


class SettingsError(Exception):
    """tessera.yaml cannot be used; names the file, the place in it, what is allowed and the next step."""


class Mail(BaseModel):
    """Whom to tell by e-mail when a night fails. The message holds feeds, counts and reasons, never a person's value."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    host: str = Field(description="Mail server")
    port: int = Field(default=25, description="Its port")
    starttls: bool = Field(default=False, description="Switch to an encrypted connection before anything is sent")
    sender: str = Field(alias="from", description="Address the notice comes from")
    to: list[str] = Field(description="Addresses it goes to")
    user: str | None = Field(default=None, description="Account on the mail server, where it asks for one")
    password: str | None = Field(default=None, description="Its password; give it as ${NAME} from the environment")


class Notify(BaseModel):
    """Who is told when a night fails, or somebody breaks the glass, which without either of them nobody can."""

    model_config = ConfigDict(extra="forbid")
    email: Mail | None = Field(default=None, description="Whom to tell by e-mail; see below")
    webhook: str | None = Field(default=None, description="Address that a JSON notice is posted to")


class ClaimMapping(BaseModel):
    """What the values of one claim of the ID token mean here; a value that is not named means nothing."""

    model_config = ConfigDict(extra="forbid")
    claim: str = Field(description="Name of the claim, or the path to it, such as realm_access.roles")
    values: dict[str, str] = Field(description="What its values mean here, such as {mash-practitioners: practitioner}")


class OpenIdConnect(BaseModel):
    """The identity provider at which people sign in to the console, beside accounts with a password."""

    model_config = ConfigDict(extra="forbid")
    issuer: str = Field(description="Its address exactly as it names itself; https, or http on this computer")
    client_id: str = Field(description="Name under which it knows this console")
    name: str = Field(default="your organisation", description="What people call it; stands on the button")
    account: str = Field(
        default="preferred_username",
        description="Claim that holds the name of the account here; `email` counts only where the provider verified it",
    )
    roles: ClaimMapping = Field(description="Which claim gives which role here; see below")
    agencies: ClaimMapping | None = Field(
        default=None, description="Which claim gives whose data a quality officer sees; else as the account has it"
    )
    acr: list[str] = Field(
        default=[], description="How strongly somebody must have signed in there: one of these `acr`"
    )
    amr: list[str] = Field(
        default=[], description="By what somebody must have signed in there: one of these `amr`, such as mfa"
    )
    scopes: list[str] = Field(default=["openid", "profile", "email"], description="What it is asked for")

    @field_validator("issuer")
    @classmethod
    def _safe(cls, issuer: str) -> str:
        from console.openid import is_safe

        if not is_safe(issuer):
            raise ValueError("must be https, or http on this computer")
        return issuer

    @field_validator("roles")
    @classmethod
    def _of_ours(cls, roles: ClaimMapping) -> ClaimMapping:
        _check_roles(roles.values.values())
        return roles


def _check_roles(named: Iterable[str]) -> None:
    from console.accounts import ROLES

    unknown = sorted(set(named) - set(ROLES))
    if unknown:
        raise ValueError(f"there is no role {', '.join(unknown)}; there are {', '.join(ROLES)}")


class LinkageChoices(BaseModel):
    """When two records are one person without asking, when a person is asked (DfE's matcher: .95 and .85), and where pairs are scored."""

    model_config = ConfigDict(extra="forbid")
    match: float = Field(default=0.95, gt=0, le=1, description="From this probability on, two records are one person")
    potential: float = Field(default=0.85, gt=0, le=1, description="From this probability on, a person is asked")
    engine: Literal["duckdb", "spark"] = Field(
        default="duckdb",
        description="Where pairs are scored: in the night's own process, or on a Spark cluster, with the same result",
    )
    spark_master: str = Field(
        default="local[*]", description="With engine spark: the cluster, as spark://host:7077; by default this computer"
    )
    spark_conf: dict[str, str] = Field(
        default={}, description="With engine spark: what else to tell it, such as spark.executor.memory; never a secret"
    )


class Source(BaseModel):
    """One configured source. What the feed itself understands (collection_year, term…) stands in `options`."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
    location: str = Field(
        alias="from",
        description="Path, folder, glob, fsspec URL (SFTP, S3, Azure), SQLAlchemy URL or https address, of files as they are or compressed "
        "(gzip, zip); `console:` for what is written in the console",
    )
    mapping: str | None = Field(default=None, description="YAML mapping, for a source that no agency folder declares")
    delivery: Literal["full", "delta"] | None = Field(
        default=None,
        description="full: what is not in it is no longer so; delta: only news. By default as the feed says",
    )
    expect: Literal["daily", "weekly", "termly", "yearly", "as_it_happens"] | None = Field(
        default=None, description="Cadence after which silence is stale. By default as the feed says"
    )
    contact: str | None = Field(
        default=None, description="To whom what fails is sent back, such as a desk or an address. By default the agency"
    )
    change_columns: dict[str, str] = Field(
        default={},
        description="For databases: table to the column that grows with every change; only later rows are pulled",
    )

    @field_validator("location")
    @classmethod
    def _somewhere(cls, location: str) -> str:
        if not location.strip():  # as a path it would be the folder of tessera.yaml, and everything in it
            raise ValueError("is empty; say where the source is, a path, a folder or an address")
        return location

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Settings(BaseModel):
    """A deployment. Relative paths are relative to the folder of tessera.yaml."""

    model_config = ConfigDict(extra="forbid")
    data_dir: Path = Field(default=Path("data"), description="Folder of landing, core and marts")
    keys_file: Path | None = Field(
        default=None, description="File of the encryption keys, made if absent. By default tessera.keys in data_dir"
    )
    decisions: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the decisions store; of PostgreSQL on another computer with sslmode=verify-full. By default "
        "decisions.sqlite in data_dir",
    )
    sources: dict[str, Source] = Field(description="The sources, each under its name agency.feed; see below")
    allow_test_nhs_numbers: bool = Field(
        default=False, description="Accept NHS numbers of the 9… range, which is never issued; else they are flagged"
    )
    authority: str | None = Field(default=None, description="LA code of the council, for feeds that need one")
    keep_marts: int = Field(default=7, ge=1, description="How many published versions are kept to go back to")
    memory_limit: str = Field(default="", description="Memory DuckDB may use, such as 4GB. Empty: most of it")
    threads: int = Field(default=0, ge=0, description="Threads DuckDB may use. 0: as many as there are processors")
    retention: Path | None = Field(
        default=None, description="File of retention periods that take the place of shipped ones (docs/retention.md)"
    )
    linkage: LinkageChoices = Field(
        default=LinkageChoices(), description="When records are linked, and where pairs are scored; see below"
    )
    notify: Notify = Field(default=Notify(), description="Who is told when a night fails; see below")
    openid: OpenIdConnect | None = Field(
        default=None, description="Identity provider for the console, if there is one; see below"
    )
    password_alone: list[str] = Field(
        default=[],
        description="Roles for which a password is enough in the console, such as contributor; an account of several roles only "
        "where it is enough for each. By default everybody who signs in with a password needs an authenticator app as well",
    )
    schedule: str = Field(default="0 2 * * *", description="When Dagster runs the night, as a cron line")
    timezone: str = Field(default="Europe/London", description="Time zone of the schedule and of Dagster's nights")
    base: Path = Field(default=Path(), description="Folder of tessera.yaml; set when it is read")

    @field_validator("decisions")
    @classmethod
    def _known_to_be_it(cls, url: str | None) -> str | None:
        """A store elsewhere proves whose it is: what people decided about children is written there, and read from there."""
        if url is None or not url.startswith("postgres"):
            return url
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            said = make_url(url)
        except ArgumentError:
            raise ValueError(
                "is no SQLAlchemy URL; write postgresql+psycopg://USER@HOST/NAME?sslmode=verify-full"
            ) from None
        asked = said.normalized_query
        hosts = [said.host or "", *",".join((*asked.get("host", ()), *asked.get("hostaddr", ()))).split(",")]
        is_here = all(host in ("", "localhost", "127.0.0.1", "::1") or host.startswith("/") for host in hosts)
        if not is_here and said.query.get("sslmode") != "verify-full":
            raise ValueError(
                "a PostgreSQL on another computer needs ?sslmode=verify-full, and sslrootcert where its authority is your own"
            )
        return url

    @field_validator("password_alone")
    @classmethod
    def _of_ours(cls, roles: list[str]) -> list[str]:
        if roles:
            _check_roles(roles)
        return roles

    @property
    def core_path(self) -> Path:
        return self.data_path / "core.duckdb"

    @property
    def data_path(self) -> Path:
        return self.base / self.data_dir

    @property
    def landing_path(self) -> Path:
        return self.data_path / "landing"

    @property
    def models_path(self) -> Path:
        return self.data_path / "models"

    @property
    def marts_path(self) -> Path:
        return self.data_path / "marts"

    @property
    def keys_path(self) -> Path:
        return self.base / self.keys_file if self.keys_file else self.data_path / "tessera.keys"

    @property
    def decisions_url(self) -> str:
        return self.decisions or f"sqlite:///{self.data_path / 'decisions.sqlite'}"

    def feeds(self) -> dict[str, Feed]:
        """The configured feeds, in the order of tessera.yaml, each as this deployment overrides it."""
        return {name: self.feed(name) for name in self.sources}

    def periods(self) -> tuple[Rule, ...]:
        """How long what is kept, as this deployment overrides it. Raises RetentionError."""
        return load_rules(self.base / self.retention if self.retention else None)

    def contacts(self) -> dict[str, str]:
        """To whom what fails in each feed is sent back: as the source says, else the agency by its title."""
        return {name: source.contact or title(name.partition(".")[0]) for name, source in self.sources.items()}

    def feed(self, name: str) -> Feed:
        """One configured feed: a declared one, or one that its mapping makes."""
        from dataclasses import replace

        source = self.sources[name]
        if source.mapping:
            from connectors.mapped.mapping import feed_from_mapping

            feed = feed_from_mapping(name, self.base / source.mapping)
        else:
            feed = feeds()[name]
        if feed.tables_for is not None:
            feed = replace(feed, tables=feed.tables_for(source.options))
        return replace(feed, delivery=source.delivery or feed.delivery, expect=source.expect or feed.expect)


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Reads and checks tessera.yaml; every fault is told at once."""
    if not path.exists():
        raise SettingsError(f"{path} does not exist; copy the shipped tessera.yaml, or give --config")
    try:
        document = yaml.load(_with_environment(path, environ), Loader=UniqueKeys)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "broken"
        raise SettingsError(
            f"{path}{f', line {mark.line + 1}' if mark else ''}: not well-formed YAML ({problem})"
        ) from None
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: expected settings such as data_dir and sources")
    try:
        settings = Settings.model_validate({**document, "base": path.parent.absolute()})
    except ValidationError as error:
        raise SettingsError(f"{path}: {'; '.join(map(_fault, error.errors()))}") from None
    _check_sources(path, settings)
    return settings


def _fault(fault: Mapping[str, Any]) -> str:
    """One fault of a setting as a sentence; never what was found there, which may be a password."""
    place, last = ".".join(map(str, fault["loc"])), str(fault["loc"][-1])
    if fault["type"] == "extra_forbidden":
        words = [
            field.alias or name
            for model in (Settings, LinkageChoices, Notify, Mail, OpenIdConnect, ClaimMapping)
            for name, field in model.model_fields.items()
        ]
        return f"{place}: there is no such setting{_meant(last, words)}; docs/configuration.md lists them all"
    if fault["type"] == "missing":
        return f"{place}: is missing"
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}"


def _meant(found: str, words: Iterable[str]) -> str:
    near = get_close_matches(found, list(words), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _with_environment(path: Path, environ: Mapping[str, str]) -> str:
    """${NAME} from the environment; ${NAME:-default} where it may be unset."""

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if name not in environ and default is None:
            raise SettingsError(
                f"{path}: ${{{name}}} is not set in the environment; set it, or give ${{{name}:-a default}}"
            )
        return environ.get(name, default or "")

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        before = path.read_bytes()[: error.start]
        raise SettingsError(f"{path}, line {before.count(10) + 1}: not text in UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); check that it is a file and its rights"
        ) from None
    text = "\n".join("" if line.lstrip().startswith("#") else line for line in lines)
    return re.sub(r"\$\{(?P<name>\w+)(:-(?P<default>[^}]*))?\}", value, text)


def _check_sources(path: Path, settings: Settings) -> None:
    known = feeds()
    for name, source in settings.sources.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", name):
            raise SettingsError(f"{path}: sources.{name}: a source is named agency.feed, in lower case")
        if source.mapping is None and name not in known:
            raise SettingsError(f"{path}: sources.{name}: {_no_such_feed(name, source, known)}")
        if source.mapping is None:
            declared = {option.name: option for option in known[name].options}
            common = {"authority", "rules"}
            for option in source.options:
                if option not in declared and option not in common:
                    raise SettingsError(
                        f"{path}: sources.{name}.{option}: not an option of this feed; allowed: "
                        f"{', '.join(sorted(declared)) or 'none'}, from, delivery, expect, change_columns"
                    )
            for needed in declared.values():
                if needed.required and needed.name not in source.options:
                    raise SettingsError(f"{path}: sources.{name}.{needed.name} is missing: {needed.meaning}")
        try:
            feed = settings.feed(name)
            feed.scope({option.name: option.default for option in feed.options} | source.options)
            if source.options.get("rules"):
                book_year(str(source.options["rules"]))
        except (ValueError, MappingError) as error:
            raise SettingsError(f"{path}: sources.{name}: {error}") from None


def _no_such_feed(name: str, source: Source, known: Mapping[str, Feed]) -> str:
    for word in source.options:
        if get_close_matches(word, ["mapping"]):
            return f"{word}: not a word of a source; did you mean mapping?"
    folder = name.partition(".")[0]
    if without_agency(folder):
        return (
            f"connectors/{folder} declares no AGENCY, so none of its feeds is known; its __init__.py must say AGENCY = Agency(…) "
            "(docs/adding-an-agency.md)"
        )
    return (
        f"no such feed; there are {', '.join(sorted(known))}. "
        "Any other source needs `mapping:` (docs/adding-an-agency.md)"
    )


def today(settings: Settings) -> dt.date:
    """The deployment's own date; in every rule, today is the date of the night."""
    return dt.datetime.now(tz=ZoneInfo(settings.timezone)).date()


def utc_now() -> dt.datetime:
    """The clock, in UTC without offset as the warehouse keeps it; the only thing tests replace."""
    return dt.datetime.now(tz=dt.UTC).replace(tzinfo=None, microsecond=0)

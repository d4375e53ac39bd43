"""Documentation cannot drift: generated pages are current, every command is described, every relative link leads somewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from connectors.contract import Feed, Output, Table
from connectors.registry import feeds
from connectors.rulebooks import rule_books
from connectors.taxonomy import event_types, told_by
from pipelines.cli import app
from pipelines.docs import PAGES, write_docs
from pipelines.settings import LinkageChoices, Mail, Notify, Settings, Source
from tests.lock_in_step import faults

ROOT = Path(__file__).parent.parent.parent
_LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
_NOT_OURS = {"data", "inbox", "build", "storage"}


def _pages() -> list[Path]:
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(name for name in below if name not in _NOT_OURS and not name.startswith("."))
        found += [Path(folder) / name for name in sorted(names) if name.endswith(".md")]
    return found


def _commands(command: Any, path: tuple[str, ...] = ("tessera",)) -> Iterator[tuple[str, Any]]:
    yield " ".join(path), command
    for name, sub in getattr(command, "commands", {}).items():
        yield from _commands(sub, (*path, name))


def test_generated_pages_are_current() -> None:
    assert write_docs(ROOT / "docs", check=True) == [], "run: make docs"


class _Heard(HTMLParser):
    """What a page loads from elsewhere, where it points to, and what a screen reader needs of it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.pointed_at: list[str] = []
        self.tables, self.captions, self.unheaded = 0, 0, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.loaded += [tag] if tag in ("script", "link", "img", "iframe") or "src" in said else []
        self.ids += [said["id"] or ""] if "id" in said else []
        self.pointed_at += [said["href"] or ""] if "href" in said else []
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.unheaded += tag == "th" and "scope" not in said

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_for_professionals_has_every_rule_needs_nothing_else_and_can_be_heard() -> None:
    text = PAGES["standards.html"](ROOT)
    heard = _Heard()
    heard.feed(text)
    assert heard.open == [] and heard.loaded == [] and heard.unheaded == 0
    assert heard.tables == heard.captions > 50
    assert len(heard.ids) == len(set(heard.ids)) and {f"#{name}" for name in heard.ids} >= set(heard.pointed_at)
    assert '<html lang="en-GB">' in text
    for feed in feeds().values():
        for rule in (rule for book in rule_books(feed) for rule in book.rules):
            assert f"<code>{rule.name}</code>" in text and escape(rule.hint) in text
        for column in (column for table in feed.tables for column in table.columns):
            assert f"<code>{escape(column.name)}</code>" in text


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "tessera.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name in ("mappings", "connectors", "console", "expectations", "linkage", "pipelines", "synthetic", "warehouse"):
        (tmp_path / name).symlink_to(ROOT / name)
    assert sorted(write_docs(tmp_path / "docs", check=False)) == sorted(PAGES)
    assert write_docs(tmp_path / "docs", check=False) == []
    assert write_docs(tmp_path / "docs", check=True) == []
    (tmp_path / "docs" / "cli.md").write_text("old")
    assert write_docs(tmp_path / "docs", check=True) == ["cli.md"]


def test_every_command_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, command in _commands(get_command(app)):
        if getattr(command, "commands", None) and not command.invoke_without_command:
            continue
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section, f"{name} is not in docs/cli.md"
        assert command.help, f"{name} says nothing of what it does"
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]:
                assert option == "--help" or f"`{option}" in section, f"{name} {option} is not in docs/cli.md"


@pytest.mark.parametrize("model", [Settings, Source, LinkageChoices, Notify, Mail])
def test_every_setting_says_what_it_means(model: Any) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("feed", feeds().values(), ids=lambda feed: feed.id)
def test_every_event_type_is_in_the_published_list(feed: Feed) -> None:
    assert told_by(feed) - set(event_types()) == set(), "add it to warehouse/taxonomy.csv"
    if any(output.table == "event" for output in feed.outputs({option.name: None for option in feed.options})):
        assert told_by(feed), "no event type was found in its SQL"


def test_event_types_are_found_wherever_the_sql_decides_them() -> None:
    sql = """
        WITH concepts(code, concern) AS (VALUES ('1', 'from_a_list')),
        chosen AS (SELECT *, CASE WHEN a THEN 'from_a_case' ELSE coalesce(concern, 'from_coalesce') END AS kind FROM {rows})
        SELECT kind AS event_type, 'not_a_type' AS title FROM chosen
        UNION ALL BY NAME
        SELECT if(b = 'no_type_either', 'from_if', NULL) AS event_type FROM {raw_row}"""
    feed = Feed("toy", "toy", "", "csv", (Table("row", "", ("k",), ()),), lambda _: [Output("event", "row", sql)])
    assert told_by(feed) == {"from_a_list", "from_a_case", "from_coalesce", "from_if"}


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for link in _LINK.finditer(text):
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        assert target.exists(), f"{page.name} links to {link['path']}, which is not there"
        if link["anchor"]:
            assert link["anchor"] in _anchors(target), f"{page.name}: {target.name} has no heading #{link['anchor']}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    kept = ("".join(sign for sign in heading.lower() if sign.isalnum() or sign in " -_") for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


def test_the_lock_is_held_to_what_is_declared() -> None:
    declared = '[project]\ndependencies = ["one[fast]>=2", "two<3"]\n[project.optional-dependencies]\ndev = ["three"]'
    good = "one[fast]==2.1 ; sys_platform == 'linux' \\\n    --hash=sha256:aa\n    # via tessera\ntwo==2.9 --hash=sha256:bb\n"
    assert faults(declared, good + "three==1 --hash=sha256:cc\n") == []
    assert faults(declared, good) == ["three: is not in the lock"]
    bad = "one==1.9 --hash=sha256:aa\ntwo==2.9\nthree==1 --hash=sha256:cc # https://example.org\n"
    assert faults(declared, bad) == [
        "line 3: holds an address; make the lock with --no-emit-index-url",
        "two: has no hash",
        "one: the lock has 1.9, pyproject.toml wants >=2",
        "one: the lock lacks the extra fast",
    ]

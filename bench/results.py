"""How figures are written down: a section a bench in RESULTS.md, each with the commit, day and machine it was measured on."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PATH = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Figures

Written by `make bench`; do not edit. Each figure is the median of the repeats, each repeat in a process of its own. A ratio is against
a floor or a peer measured in the same run on the same input, unless it says "published". Seconds are wall-clock; CPU seconds are
given beside them because machines are shared.
"""


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, ours, the floor or peer, their ratio, the target."""

    what: str
    ours: str
    against: str = ""
    ratio: str = ""
    target: str = ""


@dataclass
class Result:
    """What one bench found; `headline` is the row printed on a terminal, and `about` says what was done."""

    name: str
    title: str
    about: list[str]
    headline: str
    rows: list[Row]
    repeats: int
    more: list[tuple[str, list[str], list[list[str]]]] = field(default_factory=list)


def written(result: Result) -> str:
    """A bench's section."""
    lines = [f"## {result.name}", "", f"**{result.title}**", "", _where(result.repeats), ""]
    for paragraph in result.about:
        lines += [paragraph, ""]
    lines += _table(
        ["measured", "Tessera", "floor or peer", "ratio", "target"],
        [[row.what, row.ours, row.against, row.ratio, row.target] for row in result.rows],
    )
    for title, header, rows in result.more:
        lines += ["", title, "", *_table(header, rows)]
    return "\n".join(lines) + "\n"


def write(results: list[Result]) -> None:
    """Replaces the sections of these benches and leaves the others, each with its own commit, as they were."""
    sections = _sections(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    sections |= {result.name: written(result) for result in results}
    PATH.write_text("\n".join([_HEAD, *(sections[name] for name in sorted(sections))]), encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {name: f"## {name}\n\n{body.strip(chr(10))}\n" for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]


def _where(repeats: int) -> str:
    busy = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9 if hasattr(os, "sysconf") else 0
    packages = ", ".join(f"{name} {_version(name)}" for name in ("duckdb", "splink", "great-expectations"))
    return (
        f"Commit {_commit()}, {dt.datetime.now(tz=dt.UTC).date().isoformat()}, {os.cpu_count()} cores, {memory:.0f} GB, "
        f"{platform.system()} {platform.machine()}{busy}; Python {platform.python_version()}, {packages}; {repeats} repeats."
    )


def _commit() -> str:
    root = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()

    name = git("rev-parse", "--verify", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--", ".", ":!bench/RESULTS.md")
    return (name or "none yet") + (" with changes not committed" if changed else "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def seconds(wall: float, cpu: float | None = None) -> str:
    return f"{wall:.2f} s" + (f" (CPU {cpu:.2f})" if cpu is not None else "")


def times(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 20 else f"{ratio:.1f}×" if ratio >= 2 else f"{ratio:.2f}×"

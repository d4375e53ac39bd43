"""Are the locks in step with pyproject.toml? Run as `python -m tests.lock_in_step`; exit 1 says what is not.

It asks nobody on the network: every declared requirement must be pinned to a version that it allows, with its extras,
every pin must have a hash, and no address may stand in the lock.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
EXTRAS = ("dev", "notebook", "remote")
# An extra whose size nobody should pay who does not use it, in a lock of its own.
APART = "spark"

_ENTRY = re.compile(r"^(?P<requirement>\S+==[^\\]+?)\s*(?P<hashes>(--hash=\S+\s*)*)$")


def faults(pyproject: str, lock: str, *, apart: str = "") -> list[str]:
    """What is wrong with a lock, one sentence each; nothing if all is well. `apart`: the one extra that the lock is for."""
    project = tomllib.loads(pyproject)["project"]
    declared = [] if apart else [*project["dependencies"]]
    for extra in (apart,) if apart else EXTRAS:
        declared += project["optional-dependencies"].get(extra, [])
    found = [
        f"line {number}: holds an address; make the lock with --no-emit-index-url"
        for number, line in enumerate(lock.splitlines(), start=1)
        if "http://" in line or "https://" in line
    ]
    pins: dict[str, list[Requirement]] = defaultdict(list)
    for entry in lock.replace("\\\n", " ").splitlines():
        entry = entry.partition(" #")[0].strip()
        if not entry or entry.startswith("#"):
            continue
        match = _ENTRY.match(entry)
        if match is None:
            found.append(f"not a pinned requirement: {entry[:60]}")
            continue
        pin = Requirement(match["requirement"])
        pins[canonicalize_name(pin.name)].append(pin)
        if not match["hashes"]:
            found.append(f"{pin.name}: has no hash")
    for text in declared:
        wanted = Requirement(text)
        pinned = pins.get(canonicalize_name(wanted.name), [])
        if not pinned:
            found.append(f"{wanted.name}: is not in the lock")
        for pin in pinned:
            version = next(iter(pin.specifier)).version
            if not wanted.specifier.contains(version, prereleases=True):
                found.append(f"{wanted.name}: the lock has {version}, pyproject.toml wants {wanted.specifier}")
        if pinned and not any(wanted.extras <= pin.extras for pin in pinned):
            found.append(f"{wanted.name}: the lock lacks the extra {', '.join(sorted(wanted.extras))}")
    return found


def main() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = []
    for name, apart in (("requirements.lock", ""), (f"requirements-{APART}.lock", APART)):
        lock = (ROOT / name).read_text(encoding="utf-8")
        found += [f"{name}: {fault}" for fault in faults(pyproject, lock, apart=apart)]
    if found:
        sys.exit("the locks are not in step with pyproject.toml; run: make lock\n  " + "\n  ".join(found))


if __name__ == "__main__":
    main()

"""One measurement in a process of its own, so that memory, caches and imports of one bench are none of another's.

The parent calls `run("bench.census:line", ...)`; the child prints one line of JSON. The parent imports nothing heavy: on Linux a
child's peak memory begins with what its parent had.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
_MARK = "bench-result "


class BenchFailed(Exception):  # noqa: N818 - read as a sentence where it is caught
    """A measurement could not be made; says which and why."""


def run(function: str, **arguments: Any) -> dict[str, Any]:
    """Calls `module:function` with JSON-able arguments in a fresh process; adds its peak memory as `peak_mb`."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.isolated", function, json.dumps(arguments, default=str)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = next((line for line in reversed(done.stdout.splitlines()) if line.startswith(_MARK)), None)
    if done.returncode or answer is None:
        said = [line for line in done.stderr.splitlines() if re.match(r"[\w.]+(Error|Exception|Failed|Killed)\b", line)]
        raise BenchFailed(f"{function}: {said[-1] if said else f'no answer, exit {done.returncode}'}")
    found: dict[str, Any] = json.loads(answer.removeprefix(_MARK))
    return found


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def main() -> None:
    """The child's side."""
    function, arguments = sys.argv[1], json.loads(sys.argv[2])
    module, _, name = function.partition(":")
    found = getattr(import_module(module), name)(**arguments)
    print(_MARK + json.dumps({**(found or {}), "peak_mb": _peak_mb()}))


if __name__ == "__main__":
    main()

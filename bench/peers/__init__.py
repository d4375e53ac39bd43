"""Peers, run beside Tessera on the same input: each a script in an environment of its own, so that no peer is a requirement of ours.

`NAME.txt` pins what a peer needs and `NAME.py` runs it: it reads JSON from standard input, imports nothing of ours, and prints one
line of JSON. The environments are made on first use below `.bench/` and kept; what is in them never reaches a deployment.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.isolated import BenchFailed

_HERE = Path(__file__).parent
_ENVIRONMENTS = _HERE.parent.parent / ".bench"


def run(name: str, **arguments: Any) -> dict[str, Any]:
    """What the peer's script answers; BenchFailed says which peer could not be installed or run, and why."""
    done = subprocess.run(
        [str(_environment(name)), "-P", str(_HERE / f"{name}.py")],  # -P: a script may bear its peer's name
        input=json.dumps(arguments, default=str),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(f"peer {name}: {_last_error(done.stderr) or f'exit {done.returncode}'}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _environment(name: str) -> Path:
    """The peer's own interpreter; made anew when its pins or this Python change."""
    pins = _HERE / f"{name}.txt"
    stamp = sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = _ENVIRONMENTS / f"{name}-{stamp}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [sys.executable, "-m", "uv"]
        # --no-deps: the pins are the whole list, and a release may bound its own requirements below this Python
        for command in (
            [*uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [*uv, "pip", "install", "--quiet", "--no-deps", "--python", str(folder / "bin/python"), "-r", str(pins)],
        ):
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                raise BenchFailed(f"peer {name} could not be installed: {_last_error(made.stderr)}")
        (folder / "ready").touch()
    return folder / "bin/python"


def _last_error(text: str) -> str:
    said = [line for line in text.splitlines() if re.search(r"error|Error|Failed|×", line)]
    return said[-1].strip() if said else ""

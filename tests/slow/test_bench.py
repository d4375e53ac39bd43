"""The benches run and write what they say they write. No figure is judged here: a time is read, never asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/RESULTS.md"


# The return that the peer reads is third-party data, beside the checkout. Where that is said to be there, as by .ci/run, nothing is
# skipped.
_RETURN = pytest.param(
    "ssda903",
    marks=pytest.mark.skipif(
        "TESSERA_FIELD_DATA" not in os.environ and not (ROOT.parent / "shared/data/social_care/ssda903").exists(),
        reason="the peer's return is not beside this checkout",
    ),
)


@pytest.mark.parametrize(
    "name", ["census", "cin", "columns", "night", "delta", "linkage", "publish", "console", _RETURN]
)
def test_a_bench_measures_and_prints_its_table(name: str) -> None:
    before = RESULTS.read_bytes() if RESULTS.exists() else None
    command = [sys.executable, "-m", "bench.run", "--quick", "--only", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"## {name}" in done.stdout
    assert "| measured | Tessera | floor or peer | ratio | target |" in done.stdout
    after = RESULTS.read_bytes() if RESULTS.exists() else None
    assert after == before  # a quick figure is not written down


def test_a_bench_run_alone_leaves_the_sections_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))  # bench is not installed: nothing of the product may import it
    from bench import results
    from bench.results import Result, Row

    monkeypatch.setattr(results, "PATH", tmp_path / "RESULTS.md")
    rows = [Row("rows", "1 s", "2 s", "0.50×")]
    one, two = (Result(name, name.title(), ["About it."], "", rows, 3) for name in ("night", "census"))
    results.write([one, two])
    first = results.PATH.read_text()
    assert first.index("## census") < first.index("## night")
    results.write([one])
    assert results.PATH.read_text() == first

"""python -m bench.run [--only NAME…] [--quick] [--large]: measures, prints one row a bench, writes RESULTS.md.

--quick takes smaller inputs and one repeat, to see that the benches run; its figures are printed and not written down.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from bench.isolated import BenchFailed
from bench.results import PATH, write, written

BENCHES = ("census", "cin", "ssda903", "columns", "night", "delta", "linkage", "publish", "console")


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.run", description=(__doc__ or "").splitlines()[0])
    arguments.add_argument(
        "--only", nargs="+", choices=BENCHES, default=list(BENCHES), metavar="NAME", help=", ".join(BENCHES)
    )
    arguments.add_argument("--quick", action="store_true", help="smaller inputs, one repeat; nothing is written down")
    arguments.add_argument(
        "--large", action="store_true", help="linkage: five million records too; publish: a million children; an hour"
    )
    chosen = arguments.parse_args()
    results, failed = [], []
    for name in BENCHES:
        if name not in chosen.only:
            continue
        work, start = Path(tempfile.mkdtemp(prefix=f"tessera-bench-{name}-")), time.perf_counter()
        try:
            larger = {"large": True} if chosen.large and name in ("linkage", "publish") else {}
            result = import_module(f"bench.{name}").measure(work, quick=chosen.quick, **larger)
        except BenchFailed as error:
            failed.append(name)
            print(f"{name:<8} could not be measured: {error}", flush=True)
        else:
            results.append(result)
            print(f"{name:<8} {result.headline}  [{time.perf_counter() - start:.0f} s]", flush=True)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    if chosen.quick:
        print("\n" + "\n".join(written(result) for result in results))
    elif results:
        write(results)
        print(f"written to {PATH}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The same second night on a warehouse and on one that holds ten times as much.

Both hold the first night of one small world and get its second night, the very same files. The larger one also holds the attendance,
FHIR, PPN and encompass extracts of another world, nine times the rows: feeds that send news only, so that their silence on the
second night says nothing. Pupil numbers of the other world are moved to another authority, or they would be the same children.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from statistics import median
from typing import Any

from bench.isolated import run
from bench.results import Result, Row, seconds, times

TITLE = "The same second night on a warehouse and on a 10× larger one"
_FEEDS = ("school/attendance", "health/fhir", "police/ppn", "police/encompass")
LINKAGE = ("link", "identify")
_IMPORT = "import of Great Expectations"


def measure(work: Path, *, quick: bool) -> Result:
    repeats = 1 if quick else 3
    children = 10 if quick else 600
    small, large, other = work / "small", work / "large", work / "other"
    run("bench.deployment:make", out=small, children=children, nights=2)
    run("bench.deployment:make", out=other, children=round(9.6 * children), seed=8)
    shutil.copytree(small, large)
    run("bench.delta:add_other_world", other=other / "night1", into=large / "night1")
    first = {
        world.name: run("bench.deployment:run_whole_night", world=world, data=world / "data")
        for world in (small, large)
    }
    nights: dict[str, list[dict[str, Any]]] = {"small": [], "large": []}
    for _ in range(repeats):
        for world in (small, large):
            copy = work / f"{world.name}-again"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(world / "data", copy)
            nights[world.name].append(
                run("bench.deployment:run_whole_night", world=world, data=copy, night=2, keep=True)
            )
    words = [word for word in nights["small"][0]["wall"] if word != _IMPORT]

    def spent(name: str, counted: list[str], kind: str = "wall") -> float:
        return median(sum(night[kind].get(word, 0.0) for word in counted) for night in nights[name])

    groups = {
        "extract → load, all feeds": [word for word in words if word not in (*LINKAGE, "publish", "open")],
        "link + identify": [word for word in words if word in LINKAGE],
        "publish": [word for word in words if word == "publish"],
        "the whole night": words,
    }
    rows = [
        Row(
            what,
            f"{seconds(spent('large', counted), spent('large', counted, 'cpu'))} on the large one",
            f"{seconds(spent('small', counted), spent('small', counted, 'cpu'))} on the small one",
            times(spent("large", counted) / spent("small", counted)),
            "≤ 1.5×",
        )
        for what, counted in groups.items()
        if counted
    ]
    size = first["large"]["raw_rows"] / first["small"]["raw_rows"]
    delta, landed = nights["large"][0]["received"], nights["large"][0]["landed"]
    whole = spent("large", words) / spent("small", words)
    return Result(
        "delta",
        TITLE,
        [
            f"Small: {first['small']['raw_rows']:,} raw rows; large: {first['large']['raw_rows']:,} ({size:.1f}×). The second night brings "
            f"{delta:,} rows to both, of which {landed:,} are news (on the small one {nights['small'][0]['landed']:,}); what is delivered "
            "whole every night (social care) is among them. The import of Great Expectations is not counted.",
            " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
        ],
        f"{times(whole)} the time on {size:.1f}× the rows",
        rows,
        repeats,
    )


def add_other_world(other: str, into: str) -> None:
    """Copies the other world's news-only extracts beside those of the small one, its pupil numbers moved to authority 207."""
    from synthetic.identifiers import upn_letter

    for feed in _FEEDS:
        for path in sorted((Path(other) / feed).iterdir()):
            target = Path(into) / feed / f"other_{path.name}"
            if feed != "school/attendance":
                shutil.copy(path, target)
                continue
            moved: dict[str, str] = {}
            with (
                path.open(newline="", encoding="utf-8-sig") as source,
                target.open("w", newline="", encoding="utf-8") as sink,
            ):
                reader, writer = csv.reader(source), csv.writer(sink)
                header = next(reader)
                place = header.index("upn")
                writer.writerow(header)
                for row in reader:
                    upn = row[place]
                    if upn not in moved:
                        rest = "207" + upn[4:]
                        moved[upn] = (upn_letter(rest) + rest) if rest.isdigit() else upn[:1] + rest
                    row[place] = moved[upn]
                    writer.writerow(row)

"""The youth justice service: a case list from a spreadsheet, read by the pipeline through a mapping and no code.

Here: the cases and their file. The mapping that describes it is written by write_config.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

from synthetic.cast import Cast
from synthetic.csv_text import csv_text
from synthetic.dirt import Occasion, Seen, see
from synthetic.population import Person
from synthetic.social_care import texts
from synthetic.truth import Truth

COLUMNS = (
    "case_id", "forename", "surname", "dob", "sex", "nhs_no", "address", "postcode", "ethnicity", "order_date",
    "order_type", "worker_note",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Case:
    """One young person's order."""

    key: str
    person: Person
    seen: Seen
    ordered: date
    order: str
    note: str


class YouthJustice:
    """One service. `pending` are the cases sent tonight."""

    def __init__(self, cast: Cast, truth: Truth, seed: int, today: date) -> None:
        self.cast, self.truth, self.today = cast, truth, today
        self.rng = Random(f"{seed}/youth_justice")
        self.cases: list[Case] = []
        self.pending: list[Case] = []

    def open(self) -> None:
        for person in self.cast.in_youth_justice:
            self.add_case(person, self.today - timedelta(self.rng.randrange(5, 600)))

    def add_case(self, person: Person, ordered: date) -> Case:
        """A new order; a young person may come back with another case id."""
        rng = self.rng
        seen = see(
            person,
            rng,
            Occasion("youth_justice", self.today),
            self.cast.mistakes("youth_justice", person),
            clean=person.id in self.cast.clean,
        )
        words = texts()["youth_justice"]
        case = Case(
            f"YJ{ordered.year % 100}{1000 + len(self.cases)}",
            person,
            seen,
            ordered,
            rng.choice(words["order"]),
            rng.choice(words["note"]).format(child=seen.given or "Young person") if rng.random() < 0.8 else "",
        )
        if person is self.cast.canary:
            case.note = f"{person.given} {person.family} did not want the surname read out in court."
        self.cases.append(case)
        self.pending.append(case)
        return case


def write_cases(service: YouthJustice, folder: Path) -> None:
    """Tonight's cases. Ethnicity comes in DfE codes here, in words there."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in service.pending:
        seen, key = case.seen, case.key
        dob = f"{seen.dob:%d/%m/%Y}" if seen.dob else seen.dob_text
        sex = {"M": "1", "F": "2"}.get(seen.sex, "")
        rows.append(
            (
                key, seen.given, seen.family, dob, sex, seen.nhs, seen.address.first_line(), seen.postcode,
                seen.ethnic, case.ordered.isoformat(),
                case.order, case.note,
            )
        )  # fmt: skip
        first = ("youth_justice", "cases", key) not in service.truth.records
        service.truth.record("youth_justice", "cases", key, case.person, seen.traps, insufficient=seen.insufficient())
        if first:
            service.truth.event("youth_justice", "cases", key, case.person, case.ordered, "order_made", "fact", key)
    (folder / "cases.csv").write_bytes(csv_text(COLUMNS, rows).encode("utf-8"))
    service.truth.wrote("youth_justice/cases.csv", len(rows))
    service.pending = []

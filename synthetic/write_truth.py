"""Lays the truth down beside the extracts, where only tests, bench and evaluation look.

Not here: how it came to be known (truth.py).
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

from synthetic.csv_text import csv_text
from synthetic.nights import World
from synthetic.population import ETHNIC_GROUPS, Person
from synthetic.truth import CHANGE_COLUMNS, EVENT_COLUMNS, RECORD_COLUMNS

PEOPLE_COLUMNS = (
    "simulant_id", "role", "household_id", "given", "middle", "family", "known_as", "former_family", "sex", "dob",
    "ethnic_group", "ethnic_code",
    "name_origin", "nhs_number", "upn", "temporary_upn", "postcode", "multiple_birth_set", "mother_id", "father_id",
    "traps",
)  # fmt: skip

README = """# Truth

Made by `synthetic.world.make_world(children={children}, seed={seed}, nights={nights})`; the same arguments make the
same bytes. Nobody here exists. Use it after a run, never during one.

- `records.csv`: one row per (agency, feed, source_person_id): whose record it is, the night it was first sent, the
  traps it carries (gathered over all nights). `insufficient_evidence` is 1 where it holds too little for anybody.
- `people.csv`: everybody who exists, as they truly are on the last night
- `events.csv`: events a chronology should hold; `expected` is shown, retracted, or absent (arrived already in error)
- `changes.csv`: every deliberate change of a later night and what it should lead to
- `special.json`: story child, canary, adoptions, unborn children, retraction, vanished child, shared numbers
- `counts.csv`: rows or resources of every file

`source_person_id`: ssd `pers_person_id`; ssda903 `CHILD` and cin `LAchildID` (the same value); census `NativeId` of the pupil row; ctf and
attendance `UPN` as written that night; fhir `Patient.id` (relatives `RelatedPerson/id`); ppn `ppn_id/child_index`
(adults `ppn_id/adult/n` in order of appearance); encompass `encompass_id`; missing `misper_id`;
incidents `upn`; youth_justice `case_id`; CTF contacts `UPN/contact/Order`.

- An adopted child's old and new identity are two simulants on purpose: they must never be joined.
- Role `unborn as child` stays with a record that was opened before birth.
- Absence runs listed are ten or more sessions of N, O or U in a row; shorter ones are left to the reader.
- Canary `{canary}`: in every feed by name (ssda903 and cin carry no names), in two narratives, and as a CTF contact. Found
  in a log, an error or an unencrypted file, it is a leak.
- Postcode area WX is in nobody's use; ZZ99 postcodes are the NHS's pseudo postcodes. NHS numbers are from the unissued
  9... range. Authority 866 and its schools' numbers have the right form; nothing here is about those who carry them.
- Rates of harm, of mistakes and of being known to an agency are invented. Infer nothing from them.
"""


def write_truth(
    world: World, folder: Path, *, children: int, seed: int, nights: int, first_night: date
) -> Counter[str]:
    """All files of truth/; returned are the records per trap."""
    folder.mkdir(parents=True, exist_ok=True)
    truth, traps = world.truth, Counter[str]()
    rows: list[tuple[str, ...]] = []
    for record in sorted(
        truth.records.values(), key=lambda item: (item.agency, item.feed, item.night, item.source_person_id)
    ):
        person = record.person
        tags = sorted(
            record.traps | ({"insufficient_evidence"} if record.insufficient and record.role != "adult" else set())
        )
        if record.role != "adult":
            traps.update(tags)
        rows.append(
            (
                record.agency, record.feed, record.source_person_id, str(record.night), person.id, person.household.id,
                record.role, ETHNIC_GROUPS.get(person.ethnic, "Not known"), person.origin, person.sex,
                "1" if person.birth_set else "0",
                person.birth_set, ";".join(tags), "1" if record.insufficient and record.role != "adult" else "0",
            )
        )  # fmt: skip
    _write(folder / "records.csv", RECORD_COLUMNS, rows)
    _write(folder / "people.csv", PEOPLE_COLUMNS, [_person(person) for person in world.population.everybody()])
    _write(folder / "events.csv", EVENT_COLUMNS, [tuple(map(str, event)) for event in truth.events])
    _write(folder / "changes.csv", CHANGE_COLUMNS, [tuple(map(str, change)) for change in truth.changes])
    _write(folder / "counts.csv", ("file", "rows"), [(path, str(count)) for path, count in truth.rows.items()])
    (folder / "special.json").write_text(
        json.dumps(_special(world), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    canary = world.cast.canary.family if world.cast.canary else "none in so small a world"
    text = README.format(children=children, seed=seed, nights=nights, canary=canary)
    tail = "\n".join(f"| {tag} | {count} |" for tag, count in sorted(traps.items()))
    (folder / "README.md").write_text(
        f"{text}\nFirst night {first_night.isoformat()}.\n\n| trap | records |\n|---|---|\n{tail}\n", encoding="utf-8"
    )
    return traps


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    path.write_text(csv_text(columns, rows), encoding="utf-8", newline="\n")


def _person(person: Person) -> tuple[str, ...]:
    return (
        person.id, person.role, person.household.id, person.given, person.middle, person.family, person.known_as,
        person.former_family, person.sex, person.dob.isoformat(), ETHNIC_GROUPS.get(person.ethnic, "Not known"),
        person.ethnic, person.origin,
        person.nhs, person.upn, person.temporary_upn, person.household.home.postcode, person.birth_set,
        person.mother.id if person.mother else "", person.father.id if person.father else "",
        ";".join(sorted(person.traps)),
    )  # fmt: skip


def _special(world: World) -> dict[str, object]:
    """The parts, each with every record that is theirs."""
    truth, cast = world.truth, world.cast
    by_person: dict[str, list[str]] = {}
    for record in truth.records.values():
        by_person.setdefault(record.person.id, []).append(f"{record.agency}.{record.feed}:{record.source_person_id}")

    def part(person: Person | None) -> dict[str, object] | None:
        if person is None:
            return None
        return {
            "simulant_id": person.id,
            "household_id": person.household.id,
            "source_person_ids": by_person.get(person.id, []),
        }

    groups: dict[str, list[str]] = {}
    for (agency, person_id), (owner, tag) in cast.shared_number.items():
        groups.setdefault(f"{agency}:{tag}:{owner.nhs}", []).append(person_id)
    special: dict[str, object] = {
        "story": part(cast.story),
        "canary": part(cast.canary),
        "vanished": part(cast.vanished),
    }
    if cast.canary:
        special["canary_surname"] = cast.canary.family
    for index, (old, new) in enumerate(cast.adopted):
        suffix = "" if index == 0 else f"_{index + 1}"
        special |= {f"adopted_old{suffix}": part(old), f"adopted_new{suffix}": part(new)}
    for index, (child, mother) in enumerate(cast.unborn):
        suffix = "" if index == 0 else f"_{index + 1}"
        special |= {f"unborn{suffix}": part(child), f"unborn_mother{suffix}": part(mother)}
    special["retraction"] = truth.special.get("retraction") or part(cast.retraction)
    special["shared_nhs_numbers"] = groups
    special["restricted"] = sorted(cast.restricted)
    return special

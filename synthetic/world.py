"""Makes a whole world: people, agencies, nights of extracts, the truth, and a configuration to run them.

This is the one door of the package. Everything else is a part of it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random

from synthetic.arrivals import ARRIVALS
from synthetic.broken import break_night
from synthetic.cast import cast
from synthetic.changes import CHANGES
from synthetic.happenings import HAPPENINGS
from synthetic.health import Health
from synthetic.missing import MissingPeople, write_missing
from synthetic.nights import Night, World
from synthetic.notes import Notes, write_notes
from synthetic.police import Incident, Police
from synthetic.population import make_population
from synthetic.school import Schools, is_school_day
from synthetic.social_care import SocialCare
from synthetic.truth import Truth
from synthetic.write_cin import write_cin
from synthetic.write_config import write_config
from synthetic.write_health import write_fhir
from synthetic.write_police import write_encompass, write_ppn_csv, write_ppn_xlsx
from synthetic.write_school import write_census, write_ctf, write_daily_attendance, write_first_attendance
from synthetic.write_social_care import write_ssd, write_ssda903
from synthetic.write_truth import write_truth
from synthetic.youth_justice import YouthJustice, write_cases

FIRST_NIGHT = date(2026, 11, 16)


@dataclass(frozen=True, slots=True)
class WorldSummary:
    """What was made; counts only, so that it may be printed anywhere."""

    out: Path
    children: int
    adults: int
    households: int
    nights: tuple[date, ...]
    records: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    traps: dict[str, int] = field(default_factory=dict)


def make_world(
    out: Path,
    *,
    children: int,
    seed: int,
    nights: int,
    first_night: date = FIRST_NIGHT,
    progress: Callable[[str], None] | None = None,
    broken: bool = False,
) -> WorldSummary:
    """Writes a world of about so many children into `out`; the same arguments write the same bytes.

    `broken` adds one more night on which several feeds are unreadable.
    """
    if children < 1 or nights < 1:
        raise ValueError("children and nights must be at least 1")
    tell = progress or (lambda words: None)
    out.mkdir(parents=True, exist_ok=True)
    tell(f"people: {children} children")
    population = make_population(children, seed, first_night)
    parts, truth = cast(population, seed), Truth()
    care, schools = SocialCare(parts, truth, seed, first_night), Schools(parts, truth, seed, first_night)
    police = Police(parts, truth, seed, first_night)
    world = World(
        population,
        parts,
        truth,
        care,
        Health(parts, truth, seed, first_night),
        schools,
        police,
        YouthJustice(parts, truth, seed, first_night),
        Notes(schools, seed, first_night),
        MissingPeople(police, care, seed, first_night),
        seed,
    )
    dates = tuple(first_night + timedelta(offset) for offset in range(nights + broken))
    for number, today in enumerate(dates, 1):
        truth.night = number
        world.set_today(today)
        folder = out / f"night{number}"
        shutil.rmtree(folder, ignore_errors=True)
        if number == 1:
            world.open()
            _write_first(world, folder)
        else:
            night = Night(world, number)
            for change in (*ARRIVALS, *CHANGES, *HAPPENINGS):
                change(night)
            _write_later(world, night, folder)
        tell(f"night {number}: {today.isoformat()}")
    if broken:
        break_night(out / f"night{len(dates)}", truth)
    traps = write_truth(world, out / "truth", children=children, seed=seed, nights=nights, first_night=first_night)
    write_config(out, first_night)
    tell("truth and configuration")
    return WorldSummary(
        out,
        len(population.children),
        len(population.adults),
        len(population.households),
        dates,
        dict(sorted(Counter(f"{record.agency}.{record.feed}" for record in truth.records.values()).items())),
        dict(truth.rows),
        dict(sorted(traps.items())),
    )


def _write_first(world: World, folder: Path) -> None:
    """Night 1: everything each agency has. Notices come in three files, as three people sent them."""
    today, rng = world.population.today, Random(f"{world.seed}/attendance/1")
    write_ssd(world.care, folder / "social_care", today)
    write_ssda903(world.care, folder / "social_care" / "ssda903", today)
    write_cin(world.care, folder / "social_care" / "cin" / "CIN_Census.xml", today)
    write_census(world.schools, folder / "school" / "census")
    write_ctf(world.schools, folder / "school" / "ctf", 1)
    write_first_attendance(world.schools, folder / "school" / "attendance", rng)
    write_notes(world.notes, folder / "school" / "incidents")
    write_fhir(world.health, folder / "health" / "fhir")
    incidents = sorted((incident for incident in world.police.pending if incident.children), key=_when)
    world.police.pending = []
    last_spring, fortnight = today - timedelta(200), today - timedelta(14)
    old = [incident for incident in incidents if incident.happened.date() < last_spring]
    mid = [incident for incident in incidents if last_spring <= incident.happened.date() < fortnight]
    new = [incident for incident in incidents if incident.happened.date() >= fortnight]
    ppn = folder / "police" / "ppn"
    write_ppn_csv(world.police, old, ppn / f"ppn_until_{last_spring:%Y%m%d}.csv", encoding="cp1252", windows=True)
    write_ppn_csv(world.police, mid, ppn / f"ppn_from_{last_spring:%Y%m%d}.csv", encoding="utf-8-sig", extra=True)
    write_ppn_xlsx(world.police, new, ppn / f"ppn_from_{fortnight:%Y%m%d}.xlsx")
    write_encompass(world.police, incidents, folder / "police" / "encompass" / f"encompass_{today:%Y%m%d}.json")
    write_missing(world.missing, folder / "police" / "missing" / f"missing_{today:%Y%m%d}.csv")
    write_cases(world.youth_justice, folder / "youth_justice")


def _write_later(world: World, night: Night, folder: Path) -> None:
    """A later night: social care whole, the others what changed."""
    today, rng = world.population.today, Random(f"{world.seed}/attendance/{night.number}")
    write_ssd(world.care, folder / "social_care", today)
    write_ssda903(world.care, folder / "social_care" / "ssda903", today)
    write_cin(world.care, folder / "social_care" / "cin" / "CIN_Census.xml", today)
    write_ctf(world.schools, folder / "school" / "ctf", night.number)
    yesterday = today - timedelta(1)
    if is_school_day(yesterday):
        write_daily_attendance(world.schools, folder / "school" / "attendance", yesterday, night.corrections, rng)
    write_notes(world.notes, folder / "school" / "incidents")
    write_fhir(world.health, folder / "health" / "fhir")
    incidents = [incident for incident in world.police.pending if incident.children]
    world.police.pending = []
    write_ppn_csv(
        world.police,
        incidents,
        folder / "police" / "ppn" / f"ppn_{today:%Y%m%d}.csv",
        encoding="utf-8-sig" if night.number % 2 else "utf-8",
    )
    write_encompass(world.police, incidents, folder / "police" / "encompass" / f"encompass_{today:%Y%m%d}.json")
    write_missing(world.missing, folder / "police" / "missing" / f"missing_{today:%Y%m%d}.csv")
    write_cases(world.youth_justice, folder / "youth_justice")


def _when(incident: Incident) -> tuple[object, str]:
    return incident.happened, incident.ppn

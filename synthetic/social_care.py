"""The council's case system: whom social care knows and what it recorded, as rows of the Standard Safeguarding Dataset.

Here: records, case histories, spells in care. Not here: how a night's snapshot or an SSDA903 return is laid out
(write_social_care.py).
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random

from synthetic.cast import Cast
from synthetic.dirt import Occasion, Seen, see
from synthetic.identifiers import is_temporary_upn, is_upn
from synthetic.places import Address
from synthetic.population import Household, Person, school_year
from synthetic.truth import Truth

CONTACT_SOURCES = {
    "1A": "Individual - Family member/relative/carer", "2A": "Schools", "3A": "Health services - GP",
    "3B": "Health services - Health visitor",
    "3E": "Health services - A&E (emergency department)", "4": "Housing", "6": "Police", "9": "Anonymous", "8": "Other",
}  # fmt: skip
CONTACT_WEIGHTS = (8, 18, 5, 8, 6, 4, 34, 5, 6)
FACTORS = (
    "1B",
    "2B",
    "3A",
    "3B",
    "3C",
    "4A",
    "4B",
    "7A",
    "10A",
    "11A",
    "13A",
    "14A",
    "15A",
    "16A",
    "17A",
    "18B",
    "20",
    "21",
    "24A",
)
PLACES = {"U1": 1, "U3": 2, "U4": 6, "U5": 2, "U6": 5, "K2": 2, "K3": 1, "P1": 2, "R2": 0.2, "Z12": 0.3}
LEGAL_STATUS_NAMES = {
    "C1": "Interim care order",
    "C2": "Full care order",
    "V2": "Single period of accommodation under section 20",
    "E1": "Placement order granted",
}
WORKERS = tuple(f"SW{number}" for number in range(1101, 1161))
TEAMS = (
    "Front Door",
    "Assessment North",
    "Assessment South",
    "Safeguarding 1",
    "Safeguarding 2",
    "Children in Care",
    "Leaving Care",
)
UNTRACED_SURNAMES = ("-", "", "XXX")


@cache
def texts() -> dict:
    """narratives.toml: what professionals and children say."""
    return tomllib.loads(Path(__file__).with_name("narratives.toml").read_text(encoding="utf-8"))


@dataclass(slots=True)
class Episode:
    """One line of an SSDA903 episodes file, and the placement that goes with it."""

    start: date
    reason_new: str
    legal: str
    need: str
    place: str
    provider: str
    end: date | None
    ceased: str
    change: str
    home: str
    placement: str
    urn: str


@dataclass(slots=True, eq=False)
class CareRecord:
    """One person in the case system."""

    key: str
    person: Person
    seen: Seen
    home: str
    family_key: str
    addresses: list[tuple[Address, str, date, date | None]] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    identifiers: list[tuple[str, str, date, date | None]] = field(default_factory=list)
    missing: list[tuple[str, date, date]] = field(default_factory=list)
    reviews: list[tuple[date, str]] = field(default_factory=list)
    expected: date | None = None
    referral: str = ""
    gone: bool = False
    sex_old_code: bool = False


class SocialCare:
    """The case system of one council. Rows live here from night to night; a snapshot is written whole."""

    def __init__(self, cast: Cast, truth: Truth, seed: int, today: date) -> None:
        self.cast, self.truth, self.today = cast, truth, today
        self.rng = Random(f"{seed}/social_care")
        self.records: dict[str, CareRecord] = {}
        self.by_person: dict[str, CareRecord] = {}
        self.tables: dict[str, list[dict[str, str | None]]] = {}
        self.unborn: dict[str, str] = {}
        self._serial = 0

    def open(self) -> None:
        """The state of the case system on the first night."""
        homes: dict[str, list[Person]] = {}
        for child in self.cast.in_care_system:
            homes.setdefault(child.household.id, []).append(child)
        for children in homes.values():
            self.add_family(children[0].household, children)

    def add_family(self, household: Household, children: list[Person]) -> None:
        """A family becomes known: records of the children, of the mother for two in three, and one shared history."""
        rng = self.rng
        family_key = self._key("FM")
        mother_row: CareRecord | None = None
        expecting = any(child.due for child in children)
        mother = next(
            (child.mother for child in children if child.mother and child.mother.household is household), None
        )
        if mother and (expecting or rng.random() < 0.65):
            mother_row = self._add_person(mother, family_key, rng, is_child=False)
        story = self._history(household, rng)
        for child in children:
            record = self._add_person(child, family_key, rng, is_child=True)
            if mother_row and child.mother is mother:
                self._row(
                    "ssd_mother",
                    moth_table_id=f"M{record.key}",
                    moth_person_id=mother_row.key,
                    moth_childs_person_id=record.key,
                    moth_childs_dob=None if child.due else _iso(record.seen.dob),
                )
            self._write_history(record, story, rng)
            if child.id in self.cast.looked_after:
                self._take_into_care(record, rng)
            if child.id in self.cast.duplicated_in_care_system:
                self._open_twice(record, rng)

    def _open_twice(self, first: CareRecord, rng: Random) -> None:
        """A contact was logged on a second record of the same child, and nobody has noticed."""
        second = self._add_person(first.person, self._key("FM"), rng, is_child=True)
        self.by_person[first.person.id] = first
        for record in (first, second):
            record.seen.traps.add("duplicate_in_case_system")
        day = max(first.person.dob, self.today - timedelta(rng.randrange(5, 300)))
        self.add_contact(second, day, "6", rng.choice(texts()["social_care"]["contact"]))

    def _key(self, prefix: str) -> str:
        return self.cast.population.issuer.digits(prefix, 8 if not prefix else 6)

    def _row(self, table: str, **values: str | None) -> dict[str, str | None]:
        self.tables.setdefault(table, []).append(values)
        return values

    def _number(self) -> str:
        self._serial += 1
        return str(500000 + self._serial * 7)

    def _add_person(self, person: Person, family_key: str, rng: Random, *, is_child: bool) -> CareRecord:
        cast = self.cast
        seen = see(
            person,
            rng,
            Occasion("social_care", self.today),
            cast.mistakes("social_care", person) if is_child else frozenset(),
            clean=person.id in cast.clean,
        )
        key = self._key("")
        record = CareRecord(key, person, seen, "", family_key)
        if is_child:
            self._identify(record, rng)
        if person.due:
            seen.given, seen.middle, seen.dob, seen.sex, seen.nhs, seen.upn = "Unborn", "", None, "U", "", ""
            seen.family = person.mother.family if person.mother else person.family
            seen.traps = {"unborn"}
            record.expected = person.due
            self.unborn[person.id] = key
        if not seen.family and "one_name" in seen.traps:
            seen.family = rng.choice((*UNTRACED_SURNAMES, seen.given))
        stays = person.household.stays
        if seen.traps & {"stale_address", "other_home_address"}:
            record.addresses.append((seen.address, seen.postcode, stays[0].since, None))
        else:
            for stay in stays:
                code = seen.postcode if stay is stays[-1] else stay.address.postcode
                record.addresses.append(
                    (seen.address if stay is stays[-1] else stay.address, code, stay.since, stay.until)
                )
        record.sex_old_code = is_child and rng.random() < 0.02
        if record.sex_old_code:
            seen.traps.add("sex_old_code")
        self.records[key] = record
        self.by_person[person.id] = record
        self._row("ssd_family", fami_table_id=f"F{key}", fami_family_id=family_key, fami_person_id=key)
        if is_child and not person.due and rng.random() < 0.07:
            code = rng.choice(("MOB", "COMM", "LD", "HEAR", "VIS", "BEH", "AUT", "CON"))
            self._row("ssd_disability", disa_table_id=f"D{key}", disa_person_id=key, disa_disability_code=code)
        return record

    def _identify(self, record: CareRecord, rng: Random) -> None:
        """NHS number and UPN as the case system holds them, with the numbers that two children share."""
        person, seen = record.person, record.seen
        shared = self.cast.shared_number.get(("social_care", person.id))
        if shared:
            seen.nhs = shared[0].nhs
            seen.traps |= {"nhs_shared", shared[1]}
            seen.traps.discard("nhs_mistyped")
        if person.temporary_upn and seen.upn:
            # The case system learnt the number when the child joined school and was not told of the new one.
            seen.upn = person.temporary_upn
            seen.traps.add("upn_temporary" if "upn_temporary" in person.traps else "former_upn")
        if seen.upn:
            record.identifiers.append(("Unique Pupil Number", seen.upn, date(self.today.year - 1, 9, 1), None))
        if rng.random() < 0.04:
            record.identifiers.append(
                ("Case Number", f"LEG/{rng.randrange(10000, 99999)}", date(2015, 4, 1), date(2019, 3, 31))
            )

    def _history(self, household: Household, rng: Random) -> dict:
        """When things happened to the household; its children share them."""
        first = self.today - timedelta(rng.randrange(30, 1000))
        contacts = sorted(
            first + timedelta(rng.randrange(0, max(2, (self.today - first).days))) for _ in range(rng.randrange(1, 5))
        )
        referral = contacts[rng.randrange(len(contacts))] + timedelta(rng.randrange(0, 3))
        referral = min(referral, self.today - timedelta(2))
        enquiry = referral + timedelta(rng.randrange(1, 45)) if rng.random() < 0.32 else None
        return {
            "contacts": [
                (
                    day,
                    rng.choices(list(CONTACT_SOURCES), CONTACT_WEIGHTS)[0],
                    rng.choice(texts()["social_care"]["contact"]),
                )
                for day in contacts
            ],
            "referral": referral if rng.random() < 0.82 else None,
            "source": rng.choices(list(CONTACT_SOURCES), CONTACT_WEIGHTS)[0],
            "nfa": rng.random() < 0.12,
            "enquiry": enquiry,
            "conference": rng.random() < 0.55,
            "plan": rng.random() < 0.85,
            "category": rng.choice(("NEG", "NEG", "EMO", "EMO", "PHY", "SAB", "MUL")),
            "need": rng.choices(("N1", "N2", "N3", "N4", "N5", "N6", "N8"), (50, 8, 5, 12, 15, 5, 3))[0],
            "team": rng.choice(TEAMS[:5]),
            "worker": rng.choice(WORKERS),
        }

    def _write_history(self, record: CareRecord, story: dict, rng: Random) -> None:
        born = record.person.dob if not record.person.due else date(1900, 1, 1)
        for day, source, comment in story["contacts"]:
            if day >= born and rng.random() < 0.9:
                self.add_contact(record, day, source, comment)
        if "care_leaver" in record.person.traps or not story["referral"] or story["referral"] < born:
            return
        self.add_referral(record, story, rng)

    def add_contact(self, record: CareRecord, day: date, source: str, comment: str, *, nfa: bool = False) -> str:
        """One contact; its outcome and the caller's words sit in a JSON column."""
        ref = f"CT{self._number()}"
        outcome = {"NEW_REFERRAL_FLAG": "N" if nfa else "Y", "NFA_FLAG": "Y" if nfa else "N", "COMMENTS": comment}
        self._row(
            "ssd_contacts",
            cont_contact_id=ref,
            cont_person_id=record.key,
            cont_contact_date=_iso(day),
            cont_contact_source_code=source,
            cont_contact_source_desc=CONTACT_SOURCES[source],
            cont_contact_outcome_json=json.dumps(outcome, ensure_ascii=False),
        )
        self._event("ssd_contacts", ref, record, day, "contact", "mixed")
        return ref

    def add_referral(self, record: CareRecord, story: dict, rng: Random) -> None:
        """Referral and what followed: assessment, enquiry, conference, plans, allocation of a worker."""
        key, day = record.key, story["referral"]
        ref = record.referral = f"RF{self._number()}"
        today = self.today
        closed = day + timedelta(rng.randrange(60, 400)) if rng.random() < 0.45 else None
        closed = closed if closed and closed < today and not story["enquiry"] else None
        self._row(
            "ssd_cin_episodes",
            cine_referral_id=ref,
            cine_person_id=key,
            cine_referral_date=_iso(day),
            cine_cin_primary_need_code=story["need"],
            cine_referral_source_code=story["source"],
            cine_referral_source_desc=CONTACT_SOURCES[story["source"]],
            cine_referral_outcome_json=json.dumps(
                {"SINGLE_ASSESSMENT_FLAG": "N" if story["nfa"] else "Y", "NFA_FLAG": "Y" if story["nfa"] else "N"}
            ),
            cine_referral_nfa="Y" if story["nfa"] else "N",
            cine_close_reason=rng.choice(("RC7", "RC8", "RC9")) if closed else None,
            cine_close_date=_iso(closed),
            cine_referral_team=story["team"],
            cine_referral_worker_id=story["worker"],
        )
        self._event("ssd_cin_episodes", ref, record, day, "referral", "fact")
        if story["nfa"]:
            return
        self._row(
            "ssd_involvements",
            invo_involvements_id=f"IN{self._number()}",
            invo_professional_id=story["worker"],
            invo_professional_role_id="ALLOCATED CASE WORKER",
            invo_professional_team=story["team"],
            invo_involvement_start_date=_iso(day + timedelta(1)),
            invo_involvement_end_date=_iso(closed),
            invo_worker_change_reason=None,
            invo_person_id=key,
            invo_referral_id=ref,
        )
        self._assess(record, story, ref, rng)
        if story["enquiry"]:
            self.add_enquiry(record, story["enquiry"], ref, story, rng)
        elif rng.random() < 0.5:
            start = day + timedelta(rng.randrange(25, 60))
            if start < today:
                plan = f"CN{self._number()}"
                self._row(
                    "ssd_cin_plans",
                    cinp_cin_plan_id=plan,
                    cinp_referral_id=ref,
                    cinp_person_id=key,
                    cinp_cin_plan_start_date=_iso(start),
                    cinp_cin_plan_end_date=_iso(closed),
                    cinp_cin_plan_team=story["team"],
                    cinp_cin_plan_worker_id=story["worker"],
                )
                self._event("ssd_cin_plans", plan, record, start, "cin_plan_start", "fact")

    def _assess(self, record: CareRecord, story: dict, ref: str, rng: Random) -> None:
        start = story["referral"] + timedelta(rng.randrange(0, 4))
        done = start + timedelta(rng.randrange(12, 50))
        assessment = f"AS{self._number()}"
        self._row(
            "ssd_cin_assessments",
            cina_assessment_id=assessment,
            cina_person_id=record.key,
            cina_referral_id=ref,
            cina_assessment_start_date=_iso(start),
            cina_assessment_child_seen=rng.choices(("Y", "N", ""), (85, 10, 5))[0],
            cina_assessment_auth_date=_iso(done if done <= self.today else None),
            cina_assessment_outcome_json=json.dumps({"CIN_PLAN_FLAG": rng.choice("YN"), "NFA_FLAG": "N"}),
            cina_assessment_outcome_nfa="N",
            cina_assessment_team=story["team"],
            cina_assessment_worker_id=story["worker"],
        )
        self._event("ssd_cin_assessments", assessment, record, start, "assessment_start", "fact")
        if done <= self.today:
            factors = rng.sample(FACTORS, rng.randrange(1, 5))
            self._row(
                "ssd_assessment_factors",
                cinf_table_id=f"FA{self._number()}",
                cinf_assessment_id=assessment,
                cinf_assessment_factors_json=json.dumps(factors),
            )
            self._event("ssd_cin_assessments", assessment, record, done, "assessment_complete", "professional_opinion")
        if not record.person.due and record.person.age(self.today) >= 4 and rng.random() < 0.5:
            words = ("Strongly agree", "Agree", "Neither", "Disagree", "Strongly disagree")
            voice = f"VO{self._number()}"
            self._row(
                "ssd_voice_of_child",
                voch_table_id=voice,
                voch_person_id=record.key,
                voch_explained_worries=rng.choice(words),
                voch_story_help_understand=rng.choice(words),
                voch_agree_worker=rng.choice(words),
                voch_plan_safe=rng.choice(words),
                voch_tablet_help_explain=rng.choice(words),
            )
            self._event("ssd_voice_of_child", voice, record, None, "voice_of_child", "child_voice")

    def add_enquiry(self, record: CareRecord, day: date, ref: str, story: dict, rng: Random) -> None:
        """A section 47 enquiry and, where it leads there, conference and child protection plan."""
        key, today = record.key, self.today
        if day > today:
            return
        enquiry, end = f"S4{self._number()}", day + timedelta(rng.randrange(7, 15))
        self._row(
            "ssd_s47_enquiry",
            s47e_s47_enquiry_id=enquiry,
            s47e_referral_id=ref,
            s47e_person_id=key,
            s47e_s47_start_date=_iso(day),
            s47e_s47_end_date=_iso(end if end <= today else None),
            s47e_s47_nfa="N",
            s47e_s47_outcome_json=json.dumps({"CP_CONFERENCE_FLAG": "Y" if story["conference"] else "N"}),
            s47e_s47_completed_by_worker_id=story["worker"],
            s47e_s47_completed_by_team=story["team"],
        )
        self._event("ssd_s47_enquiry", enquiry, record, day, "strategy_discussion", "fact")
        met = day + timedelta(rng.randrange(12, 24))
        if not story["conference"] or met > today:
            return
        conference, plan = f"IC{self._number()}", f"CP{self._number()}"
        self._row(
            "ssd_initial_cp_conference",
            icpc_icpc_id=conference,
            icpc_icpc_meeting_id=f"ME{self._number()}",
            icpc_s47_enquiry_id=enquiry,
            icpc_person_id=key,
            icpc_cp_plan_id=plan if story["plan"] else None,
            icpc_referral_id=ref,
            icpc_icpc_transfer_in="N",
            icpc_icpc_target_date=_iso(day + timedelta(21)),
            icpc_icpc_date=_iso(met),
            icpc_icpc_outcome_cp_flag="Y" if story["plan"] else "N",
            icpc_icpc_outcome_json=json.dumps({"CP_PLAN_FLAG": "Y" if story["plan"] else "N"}),
            icpc_icpc_team=story["team"],
            icpc_icpc_worker_id=story["worker"],
        )
        self._event("ssd_initial_cp_conference", conference, record, met, "icpc", "fact")
        if not story["plan"]:
            return
        over = met + timedelta(rng.randrange(150, 500))
        over_or_none = over if over <= today else None
        self._row(
            "ssd_cp_plans",
            cppl_cp_plan_id=plan,
            cppl_referral_id=ref,
            cppl_icpc_id=conference,
            cppl_person_id=key,
            cppl_cp_plan_start_date=_iso(met),
            cppl_cp_plan_end_date=_iso(over_or_none),
            cppl_cp_plan_initial_category=story["category"],
            cppl_cp_plan_ola="N",
            cppl_cp_plan_latest_category=story["category"],
        )
        self._event("ssd_cp_plans", plan, record, met, "cpp_start", "fact")
        if over_or_none:
            self._event("ssd_cp_plans", plan, record, over_or_none, "cpp_end", "fact")

    def _take_into_care(self, record: CareRecord, rng: Random) -> None:
        """A spell in care of one to four episodes; most are still open, so that this year's return holds them."""
        person, today = record.person, self.today
        leaver, adopted = "care_leaver" in person.traps, "adopted_old" in person.traps
        if leaver:
            finish: date | None = (
                person.dob.replace(year=person.dob.year + 18)
                if (person.dob.month, person.dob.day) != (2, 29)
                else person.dob + timedelta(6574)
            )
        elif adopted:
            finish = today - timedelta(rng.randrange(30, 120))
        else:
            finish = today - timedelta(rng.randrange(5, 200)) if rng.random() < 0.2 else None
        last = finish or today
        start = max(person.dob + timedelta(2), last - timedelta(rng.randrange(40, 1400)))
        marks = sorted(
            {
                start,
                *(start + timedelta(rng.randrange(1, max(2, (last - start).days))) for _ in range(rng.randrange(0, 4))),
            }
        )
        legal = rng.choices(("V2", "C1", "C2"), (40, 30, 30))[0]
        need, home = rng.choice(("N1", "N1", "N1", "N3", "N5", "N8")), record.addresses[-1][1]
        spell = f"CLA{self._number()}"
        pl_posts = self.cast.population.streets
        for index, begin in enumerate(marks):
            is_last = index == len(marks) - 1
            end = finish if is_last else marks[index + 1]
            place = rng.choices(list(PLACES), list(PLACES.values()))[0]
            if adopted and is_last:
                place, legal = "A3", "E1"
            episode = Episode(
                begin,
                "S" if index == 0 else rng.choice(("P", "P", "L", "B")),
                legal,
                need,
                place,
                rng.choice(("PR1", "PR2", "PR4", "PR5")) if place != "P1" else "PR0",
                end,
                ("E11" if adopted else "E5" if leaver else rng.choice(("E4A", "E45", "E8")))
                if is_last and finish
                else "X1"
                if end
                else "",
                ""
                if is_last or rng.random() < 0.2
                else rng.choice(("CARPL", "CHILD", "PLACE", "ALLEG", "STAND", "CREQB")),
                home,
                "" if place == "P1" else pl_posts.dwelling().postcode,
                f"SC{rng.randrange(100000, 999999)}" if place[0] == "K" else "",
            )
            record.episodes.append(episode)
            self._write_episode(record, spell, index, episode, start)
        self._row(
            "ssd_legal_status",
            lega_legal_status_id=f"LS{self._number()}",
            lega_person_id=record.key,
            lega_legal_status=legal,
            lega_legal_status_start_date=_iso(start),
            lega_legal_status_end_date=_iso(finish),
        )
        if finish:
            self._event("ssd_cla_episodes", f"{spell}/{len(marks) - 1}", record, finish, "cla_end", "fact")
        review = start + timedelta(20)
        while review < last:
            record.reviews.append((review, f"PN{rng.randrange(0, 8) if person.age(review) >= 4 else 0}"))
            review += timedelta(rng.randrange(85, 180))
        if person.age(today) >= 11 and rng.random() < 0.35 and not finish:
            self._go_missing(record, rng)

    def _write_episode(self, record: CareRecord, spell: str, index: int, episode: Episode, entered: date) -> None:
        ref = f"{spell}/{index}"
        self._row(
            "ssd_cla_episodes",
            clae_cla_episode_id=ref,
            clae_person_id=record.key,
            clae_cla_episode_start_date=_iso(episode.start),
            clae_cla_episode_start_reason=episode.reason_new,
            clae_cla_primary_need_code=episode.need,
            clae_cla_episode_ceased_date=_iso(episode.end),
            clae_cla_episode_ceased_reason=episode.ceased or None,
            clae_cla_id=spell,
            clae_referral_id=record.referral or None,
            clae_cla_placement_id=f"PL{ref}",
            clae_entered_care_date=_iso(entered),
            clae_cla_last_iro_contact_date=None,
        )
        self._row(
            "ssd_cla_placement",
            clap_cla_placement_id=f"PL{ref}",
            clap_cla_placement_start_date=_iso(episode.start),
            clap_cla_placement_type=episode.place,
            clap_cla_placement_urn=episode.urn or None,
            clap_cla_placement_distance=None,
            clap_cla_id=spell,
            clap_cla_placement_provider=episode.provider,
            clap_cla_placement_postcode=episode.placement or None,
            clap_cla_placement_end_date=_iso(episode.end),
            clap_cla_placement_change_reason=episode.change or None,
            clap_person_id=record.key,
        )
        self._event(
            "ssd_cla_episodes", ref, record, episode.start, "cla_start" if index == 0 else "placement_change", "fact"
        )

    def _go_missing(self, record: CareRecord, rng: Random) -> None:
        entered = record.episodes[-1].start
        span = (self.today - entered).days
        if span < 10:
            return
        day = entered + timedelta(rng.randrange(3, span - 3)) if span > 6 else entered
        back = day + timedelta(rng.randrange(1, 4))
        kind = rng.choice("MMA")
        record.missing.append((kind, day, back))
        ref = f"MI{self._number()}"
        # The two systems disagree by a day now and then, as they do in life.
        told = day + timedelta(1) if rng.random() < 0.2 else day
        self._row(
            "ssd_missing",
            miss_table_id=ref,
            miss_person_id=record.key,
            miss_missing_episode_start_date=_iso(told),
            miss_missing_episode_type=kind,
            miss_missing_episode_end_date=_iso(back),
            miss_missing_rhi_offered=rng.choice("YYN"),
            miss_missing_rhi_accepted=rng.choice("YN"),
        )
        self._event("ssd_missing", ref, record, told, "missing_from_care", "fact")

    def _event(self, table: str, ref: str, record: CareRecord, day: date | None, kind: str, statement: str) -> None:
        self.truth.event("social_care", "ssd", f"{table}/{ref}", record.person, day, kind, statement, record.key)

    def shown_upn(self, record: CareRecord) -> str:
        """The UPN of an SSDA903 return: a number that passes, or why there is none."""
        if is_upn(record.seen.upn) and not is_temporary_upn(record.seen.upn):
            return record.seen.upn
        year = school_year(record.person.dob, self.today)
        return "UN1" if year < 0 else "UN4" if record.seen.upn else "UN3" if "uasc" in record.person.traps else "UN5"


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None

"""Pairs of records that a person decides: what waits, two records side by side, and what was answered.

What must not live here: what an answer does (warehouse/decisions.py, linkage), and the order of the queue (ranked_potential_match.sql).
A pair's address is a keyed digest: the records' own keys are pupil numbers and the like, and do not belong in a browser's history.
"""

from __future__ import annotations

import datetime as dt
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from starlette.responses import Response

from console import words
from console.routes import Pages
from console.visit import LONGEST_TEXT, Reading, Refused, Visit, not_found
from linkage.explain import odds, waterfall
from linkage.models import ModelError
from linkage.review import agreement
from warehouse import query as querying
from warehouse.decisions import DecidedMeanwhile, DecisionError

ORDER = 30
PAGES = Pages()
REVIEWER = ("reviewer",)
PER_PAGE = 50

LISTS = {
    "queue": "Questions",
    "sample": "Random sample",
    "second": "Second look",
}
ANSWERS = {
    "same": ("must_link", "the same person"),
    "different": ("cannot_link", "two people"),
    "seal": ("seal", "an old and a new identity, kept apart"),
}
UNSURE = "unsure"
KINDS = {"must_link": "the same person", "cannot_link": "two people", "undo": "taken back"}

# In the order in which they are read; what is not listed here comes after them.
ATTRIBUTES = {
    "source": "Told by",
    "role": "Told of as",
    "given_names": "Given names",
    "family_name": "Family name",
    "other_names": "Other names",
    "birth_date": "Date of birth",
    "expected_birth_date": "Expected on",
    "sex": "Sex",
    "ethnicity": "Ethnicity",
    "nhs_number": "NHS number",
    "upn": "Pupil number (UPN)",
    "postcode": "Postcode",
    "other_postcodes": "Other postcodes",
}
SAME, AS_FAR_AS_KNOWN, PARTLY, DIFFERENT, ONE_SIDE = (
    "same",
    "same as far as known",
    "partly the same",
    "different",
    "one side only",
)
# Where one letter more or less may be a slip; of a date or a code the whole word counts.
_BY_LETTER = ("given_names", "family_name", "other_names", "nhs_number", "upn", "postcode", "other_postcodes")
_REMARK = re.compile(r" \(verified\)$")
_PARTLY_KNOWN = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2}) \((?P<precision>\w+)\)")
# What says nothing of whether two records are one person.
_NOT_COMPARED = ("source", "role")
_IN_ORDER = """
    SELECT record_id_a, record_id_b FROM potential_matches
    ORDER BY safety_relevant DESC, agencies_gained DESC, records_joined DESC, record_id_a, record_id_b
"""
_QUESTIONS = """
    SELECT record_id_a, record_id_b, person_id_a, person_id_b, safety_relevant, agencies, agencies_gained, records_joined, load_id,
           match_probability, reason, model, levels, bits, prior_bits
    FROM potential_matches
    JOIN (SELECT unnest($a) AS record_id_a, unnest($b) AS record_id_b) asked USING (record_id_a, record_id_b)
"""


@dataclass(frozen=True)
class Pair:
    """A pair of records that waits for somebody."""

    key: str
    records: tuple[str, str]


# Lists


@PAGES.get(
    "/review",
    may=REVIEWER,
    audits="looks",
    menu="Review matches",
    hint="Decide whether two records are about one person.",
)
def waiting(visit: Visit) -> Response:
    which = visit.query("of", LISTS, "queue")
    with visit.look(f"review: {LISTS[which].lower()}") as reading:
        lists = {name: _waiting(visit, reading, name) for name in LISTS}
        pages = max(1, -(-len(lists[which]) // PER_PAGE))
        page = min(pages, _number(visit.query("page", default="1")))
        shown = lists[which][(page - 1) * PER_PAGE : page * PER_PAGE]
        questions = _questions(reading, shown)
        reading.names(*(record for pair in shown for record in pair.records))
    answers = visit.deployment.decisions.answers()
    mine = [answer for answer in answers if answer["author"] == visit.account.name]
    return visit.page(
        "review/waiting.html",
        which=which,
        lists=LISTS,
        counts={name: len(pairs) for name, pairs in lists.items()},
        pairs=shown,
        questions=questions,
        page=page,
        pages=pages,
        first=(page - 1) * PER_PAGE + 1,
        answered=len(mine),
        agreement=[row for row in agreement(answers) if visit.account.name in row["reviewers"].split(", ")],
    )


@PAGES.get("/review/next", may=REVIEWER, audits="looks")
def following(visit: Visit) -> Response:
    """On to the first pair that waits and lies before nobody else."""
    which, blind = _mode(visit)
    with visit.look("review: the next pair") as reading:
        pairs = _waiting(visit, reading, which)
    taken = visit.query("taken")
    said = f"&taken={taken}" if re.fullmatch(r"[A-Z0-9-]{1,40}|passed", taken) else ""
    key = visit.deployment.in_hand.hand(visit.account.name, (pair.key for pair in pairs), visit.now)
    if key is None:
        return visit.page("review/done.html", which=which, lists=LISTS, taken=taken if said else "")
    return visit.go(f"/review/pairs/{key}?{_as_address(which, blind)}{said}")


@PAGES.get("/review/pairs/{key}", may=REVIEWER, audits="looks")
def pair(visit: Visit, key: str) -> Response:
    return _pair_page(visit, key, *_mode(visit))


@PAGES.post("/review/pairs/{key}", may=REVIEWER, audits="acts")
def decide(visit: Visit, key: str) -> Response:
    which = visit.form.get("of", "queue")
    which = which if which in LISTS else "queue"
    blind = which != "queue" or visit.form.get("blind") == "yes"
    answer = visit.choice("answer", "an answer", (*ANSWERS, UNSURE))
    note = visit.text("note", "a note", required=answer in ("seal", UNSURE), longest=LONGEST_TEXT)
    if visit.faults:
        return _pair_page(visit, key, which, blind, 400)
    with visit.look("review: an answer") as reading:
        chosen = _find(visit, reading, key)
        seen = _compared(reading, chosen)
    if answer == UNSURE:
        visit.deployment.review_passes.take(*chosen.records, note, visit.account.name, visit.now)
        return visit.go(f"/review/next?{_as_address(which, blind)}&taken=passed")
    reason = ". ".join(part for part in (note.rstrip("."), _in_words(seen)) if part)
    kind, known = ANSWERS[answer][0], visit.form.get("known", "")
    try:
        taken = visit.deployment.decisions.add(
            kind, *chosen.records, reason, visit.account.name, visit.now, known=known
        )
    except DecidedMeanwhile:
        visit.faults["answer"] = (
            "Somebody answered this pair while you were reading it, and your answer was not taken. If you still want to, answer again."
        )
        return _pair_page(visit, key, which, blind, 409)
    except DecisionError as refused:
        visit.faults["answer"] = f"This answer cannot stand beside others: {refused}"
        return _pair_page(visit, key, which, blind, 409)
    return visit.go(f"/review/next?{_as_address(which, blind)}&taken={taken.decision_id}")


# What was answered


@PAGES.get("/review/answers", may=REVIEWER, audits="looks")
def answers(visit: Visit) -> Response:
    return _answers_page(visit)


@PAGES.post("/review/answers/{decision}/undo", may=REVIEWER, audits="acts")
def undo(visit: Visit, decision: str) -> Response:
    reason = visit.text("reason", "why the answer is taken back", longest=LONGEST_TEXT)
    if visit.faults:
        return _answers_page(visit, 400)
    try:
        visit.deployment.decisions.undo(decision, reason, visit.account.name, visit.now)
    except DecisionError:
        raise Refused(
            409, "That answer cannot be taken back", "There is none of that number, or it was taken back already."
        ) from None
    return visit.go("/review/answers")


def _answers_page(visit: Visit, status: int = 200) -> Response:
    everybody = visit.query("of") == "all"
    listed = [entry for entry in reversed(visit.deployment.decisions.listed()) if entry["kind"] in KINDS]
    shown = [entry for entry in listed if everybody or entry["author"] == visit.account.name][:PER_PAGE]
    with visit.look("review: what was answered") as reading:
        reading.names(*(entry[name] for entry in shown for name in ("record_id_a", "record_id_b")))
    return visit.page("review/answers.html", status, answers=shown, everybody=everybody, kinds=KINDS, most=PER_PAGE)


# Finding pairs


def _waiting(visit: Visit, reading: Reading, which: str) -> list[Pair]:
    """The pairs of a list that wait for whoever asks, in the order in which they are best decided; those they passed on come last."""
    deployment, me = visit.deployment, visit.account.name
    decided = deployment.decisions.counting()
    found = _all(visit, reading, which)
    if which == "second":
        mine = {
            (entry["record_id_a"], entry["record_id_b"])
            for entry in deployment.decisions.answers()
            if entry["author"] == me
        }
        open_to_me = [pair for pair in found if pair.records in decided and pair.records not in mine]
        # Of a seal nothing is said: neither that somebody answered, nor what.
        open_to_me = [pair for pair in open_to_me if decided[pair.records]["kind"] != "seal"]
    else:
        open_to_me = [pair for pair in found if pair.records not in decided]
    passed = {
        (entry["record_id_a"], entry["record_id_b"])
        for entry in deployment.review_passes.all()
        if entry["author"] == me
    }
    return sorted(open_to_me, key=lambda pair: pair.records in passed)


def _all(visit: Visit, reading: Reading, which: str) -> list[Pair]:
    """The pairs of a list that the mart holds, whoever answered them."""
    if which == "sample":
        samples = visit.deployment.samples
        drawn = [(entry["record_id_a"], entry["record_id_b"]) for entry in samples.of(samples.newest())]
        held = reading.once(
            "review: held", lambda: set(_records(reading, "SELECT DISTINCT record_id_a, record_id_b FROM review_pairs"))
        )
        return [Pair(_key(visit, records), records) for records in drawn if records in held]
    found: list[Pair] = reading.once(
        "review: in order",
        lambda: [Pair(_key(visit, records), records) for records in _records(reading, _IN_ORDER)],
    )
    return found


def _records(reading: Reading, sql: str) -> list[tuple[str, str]]:
    """Pairs of records; noted as shown once a page shows them."""
    return [(row["record_id_a"], row["record_id_b"]) for row in querying.rows(reading.con, sql)]


def _questions(reading: Reading, pairs: Iterable[Pair]) -> dict[str, dict[str, Any]]:
    """What the mart says of the question that each pair is, by the pair's key; nothing of a pair of a sample that is none."""
    keys = {pair.records: pair.key for pair in pairs}
    asked = {"a": [records[0] for records in keys], "b": [records[1] for records in keys]}
    rows = querying.rows(reading.con, _QUESTIONS, asked) if keys else []
    return {keys[row["record_id_a"], row["record_id_b"]]: row for row in rows}


def _find(visit: Visit, reading: Reading, key: str) -> Pair:
    queue = _all(visit, reading, "queue")
    asked: Mapping[str, Pair] = reading.once("review: by address", lambda: {pair.key: pair for pair in queue})
    found = asked.get(key) or next((pair for pair in _all(visit, reading, "sample") if pair.key == key), None)
    if found is not None:
        return found
    raise Refused(
        404,
        "This pair is not asked any more",
        "A night has gone by in which it was decided, or a source has changed what it says.",
        "Go on with the next one under Review matches.",
    )


def _key(visit: Visit, records: tuple[str, str]) -> str:
    secret = visit.deployment.keys.raw("decisions")
    return hmac.new(secret, "\0".join(("pair", *records)).encode(), "sha256").hexdigest()[:24]


# Side by side


def _pair_page(visit: Visit, key: str, which: str, blind: bool, status: int = 200) -> Response:
    with visit.look("review: a pair") as reading:
        chosen = _find(visit, reading, key)
        question = _questions(reading, [chosen]).get(key, {})
        reading.names(*chosen.records)
        compared = _compared(reading, chosen)
        waiting = len(_waiting(visit, reading, which))
    visit.deployment.in_hand.holds(visit.account.name, key, visit.now)
    blind = blind or which != "queue" or not question
    return visit.page(
        "review/pair.html",
        status,
        pair=chosen,
        question=question,
        which=which,
        lists=LISTS,
        blind=blind,
        waiting=waiting,
        compared=compared,
        steps=(steps := [] if blind else _steps(visit, question)),
        odds=odds(steps[-1]["sum"]) if steps else "",
        known=visit.deployment.decisions.stands_on(*chosen.records),
        taken=visit.query("taken"),
        note=visit.form.get("note", ""),
        address=_as_address(which, blind),
    )


def _compared(reading: Reading, chosen: Pair) -> list[dict[str, Any]]:
    """What both records say, attribute by attribute: label, the two values in pieces (text, whether it differs), and how they compare."""
    rows = querying.rows(
        reading.con,
        "SELECT attribute, value_a, value_b FROM review_pairs WHERE record_id_a = $a AND record_id_b = $b",
        {"a": chosen.records[0], "b": chosen.records[1]},
    )
    if not rows:
        raise not_found("pair")
    order = {name: place for place, name in enumerate(ATTRIBUTES)}
    told = []
    for row in sorted(rows, key=lambda row: (order.get(row["attribute"], len(order)), row["attribute"])):
        name = row["attribute"]
        a, b = (_told(name, row[side]) for side in ("value_a", "value_b"))
        compared = name not in _NOT_COMPARED
        a_pieces, b_pieces = _pieces(name, a, b) if compared else (_whole(a), _whole(b))
        told.append(
            {
                "name": name,
                "label": ATTRIBUTES.get(name, name.replace("_", " ")),
                "a": a_pieces,
                "b": b_pieces,
                "verdict": _verdict(name, row["value_a"], row["value_b"]) if compared else "",
            }
        )
    return told


def _told(name: str, value: str | None) -> str | None:
    """What one side says, codes in words and dates no more exactly than they are known."""
    if value is None:
        return None
    if name == "source":
        told_by, _, feed = value.partition(".")
        return f"{words.agency(told_by)} ({feed})"
    date = _PARTLY_KNOWN.fullmatch(value)
    if date:
        known = dt.date.fromisoformat(date["date"])
        return (
            f"{known:%B %Y}, day not known"
            if date["precision"] == "month"
            else f"{known:%Y}, {date['precision']} known only"
        )
    return words.said_of(name, value)


def _verdict(name: str, a: str | None, b: str | None) -> str:
    if not a or not b:
        return ONE_SIDE
    if name.endswith("birth_date") and (_PARTLY_KNOWN.fullmatch(a) or _PARTLY_KNOWN.fullmatch(b)):
        # 2012-03-01 (month): year and month are known. Of any other precision, the year.
        known = 7 if "(month)" in a + b and {"(month)"} >= set(re.findall(r"\(\w+\)", a + b)) else 4
        return AS_FAR_AS_KNOWN if a[:known] == b[:known] else DIFFERENT
    mine, others = _said(a), _said(b)
    if mine == others:
        return SAME
    return PARTLY if mine & others else DIFFERENT


def _said(value: str) -> set[str]:
    return {_REMARK.sub("", part).strip().casefold() for part in value.split("|")}


def _whole(value: str | None) -> list[tuple[str, bool]]:
    return [(value, False)] if value else []


def _pieces(name: str, a: str | None, b: str | None) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both values cut where they differ: names and numbers by the letter, all else by the word; a remark, (verified), is none.

    Names that have little in common are marked whole: letters they share tell nothing.
    """
    if not a or not b:
        return _whole(a), _whole(b)
    (a, a_remark), (b, b_remark) = _without_remark(a), _without_remark(b)
    one, other = (list(value) if name in _BY_LETTER else re.findall(r"\s+|\S+", value) for value in (a, b))
    match = SequenceMatcher(
        None, [unit.casefold() for unit in one], [unit.casefold() for unit in other], autojunk=False
    )
    pieces: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    if name in _BY_LETTER and match.ratio() < 0.5:
        differ = a.casefold() != b.casefold()
        pieces = ([(a, differ)], [(b, differ)])
    else:
        for what, a_from, a_to, b_from, b_to in match.get_opcodes():
            for side, units, start, end in ((0, one, a_from, a_to), (1, other, b_from, b_to)):
                if end > start:
                    pieces[side].append(("".join(units[start:end]), what != "equal"))
    for side, remark in enumerate((a_remark, b_remark)):
        if remark:
            pieces[side].append((remark, False))
    return pieces


def _without_remark(value: str) -> tuple[str, str]:
    found = _REMARK.search(value)
    return (value[: found.start()], found[0]) if found else (value, "")


def _in_words(compared: Iterable[Mapping[str, Any]]) -> str:
    """What the reviewer had before them, without a value: the reason that stands in the ledger beside their note."""
    by: dict[str, list[str]] = {}
    for row in compared:
        if row["verdict"]:
            by.setdefault(row["verdict"], []).append(str(row["label"]).lower())
    return "Seen side by side: " + "; ".join(
        f"{verdict}: {', '.join(by[verdict])}"
        for verdict in ("same", "partly the same", "different", "one side only")
        if verdict in by
    )


def _steps(visit: Visit, question: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The weights of the pair, each with its bar in hundredths of the picture's width."""
    if not question.get("model"):
        return []
    try:
        model = visit.deployment.models.read(question["model"])
    except ModelError:
        return []
    steps = waterfall(model, question["prior_bits"], question["levels"], question["bits"])
    sums = [0.0, *(step["sum"] for step in steps)]
    low, high = min(sums), max(sums)
    scale = 100 / ((high - low) or 1.0)
    for before, step in zip(sums, steps, strict=False):
        left, right = sorted((before, step["sum"]))
        step |= {"left": round((left - low) * scale, 1), "width": max(round((right - left) * scale, 1), 0.8)}
        step["even"] = round((0.0 - low) * scale, 1)
    return steps


def _mode(visit: Visit) -> tuple[str, bool]:
    which = visit.query("of", LISTS, "queue")
    return which, which != "queue" or visit.query("blind") == "yes"


def _as_address(which: str, blind: bool) -> str:
    return f"of={which}" + ("&blind=yes" if blind and which == "queue" else "")


def _number(said: str) -> int:
    return max(1, int(said)) if said.isdecimal() and len(said) < 7 else 1

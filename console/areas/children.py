"""A child: finding one by anything it was ever known by, and its picture. Always with what for, which the access log keeps."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Any

from starlette.responses import Response

from console.pictures import household
from console.routes import Pages
from console.visit import LONGEST_TEXT, Reading, Refused, Visit, not_found
from console.words import COVERAGE, KINDS_OF_STATEMENT, plain
from warehouse.picture import Picture, picture
from warehouse.query import QueryError

ORDER = 40
PAGES = Pages()

_FOUND_AT_MOST = 50
_POSTCODE = re.compile(r"\b([a-z]{1,2}[0-9][a-z0-9]?) ?([0-9][a-z]{2})\b")
# No letter or digit comes after it: where all that begins with a word ends.
_AFTER_ALL = "\U0010ffff"
_MOST_WORDS = 12
_PERSON = re.compile(r"[A-Za-z0-9-]{1,40}")


@PAGES.get(
    "/children",
    may=("practitioner",),
    audits="nothing",
    menu="A child",
    hint="Find a child by any name, address or number, and read what every agency knows.",
)
def ask(visit: Visit) -> Response:
    return visit.page("children/search.html", found=None, said="", purpose="")


@PAGES.post("/children/search", may=("practitioner",), audits="looks", once=False)
def search(visit: Visit) -> Response:
    """Those whom every word of the question fits: a word of any name, a postcode, the start of an address, a number, or a birth date."""
    said = visit.text("said", "a name, postcode, address, date of birth or number")
    purpose = visit.text("purpose", "what you look for")
    born, words, whole = _understood(said)
    if said and not (born or words):
        visit.faults["said"] = "Enter letters or digits"
    if len(words) > _MOST_WORDS:
        visit.faults["said"] = f"Enter fewer words; {_MOST_WORDS} are the most"
    if visit.faults:
        return visit.page("children/search.html", 400, found=None, said=said, purpose=purpose)
    # Identifiers as they are, or typed in small letters or with gaps: to fold those of everybody takes longer than all the rest.
    with visit.look(f"console: search for {said}", purpose=purpose) as mart:
        found = mart.rows(
            """
            WITH hits AS (
                {fitting}
                UNION SELECT person_id FROM known_by WHERE search_key = $number AND kind IN ('postcode', 'identifier')
                UNION SELECT person_id FROM known_by
                    WHERE search_key >= $whole AND search_key < $whole || $end AND kind = 'address' AND length($whole) >= 5
                UNION SELECT resolves_to FROM persons WHERE person_id IN ($said, upper($number)) AND resolves_to IS NOT NULL
                UNION SELECT person_id FROM children WHERE person_id IN ($said, upper($number))
                UNION SELECT person_id FROM children WHERE NOT $named AND birth_date = $born
            )
            SELECT children.* FROM hits JOIN children USING (person_id)
            WHERE $born IS NULL OR birth_date IS NOT DISTINCT FROM CAST($born AS DATE)
            ORDER BY family_name, given_names, birth_date, person_id LIMIT $most
            """.replace("{fitting}", _fitting(len(words))),
            {
                **{f"word{place}": word for place, word in enumerate(words)},
                "said": said,
                "named": bool(words),
                "end": _AFTER_ALL,
                "whole": whole,
                "number": whole.replace(" ", ""),
                "born": born,
                "most": _FOUND_AT_MOST + 1,
            },
        )
        more, found = len(found) > _FOUND_AT_MOST, found[:_FOUND_AT_MOST]
        names = _names_of(mart, [child["person_id"] for child in found])
    return visit.page(
        "children/search.html",
        found=[{**child, "names": names.get(child["person_id"], [])} for child in found],
        more=more,
        said=said,
        purpose=purpose,
    )


def _names_of(mart: Reading, people: list[str]) -> dict[str, list[str]]:
    """Every name of each. Asked for by themselves and as many values: beside the search everybody's names would be read."""
    places = {f"person{place}": person for place, person in enumerate(people)}
    if not places:
        return {}
    rows = mart.rows(
        "SELECT person_id, list(DISTINCT said ORDER BY said) AS names FROM known_as "
        f"WHERE kind = 'name' AND person_id IN ({', '.join(f'${place}' for place in places)}) GROUP BY person_id",
        places,
    )
    return {row["person_id"]: row["names"] for row in rows}


@PAGES.post("/children/open", may=("practitioner",), audits="acts", once=False)
def open_child(visit: Visit) -> Response:
    """Keeps until signing out what for one child is looked at; the look itself is noted by its page."""
    person_id = visit.text("person_id", "whom")
    if not _PERSON.fullmatch(person_id):
        raise not_found("child")
    purpose = visit.text("purpose", "what you look for")
    if visit.faults:
        return visit.page("children/purpose.html", 400, person_id=person_id)
    assert visit.session is not None
    visit.deployment.sessions.state_purpose(visit.session, person_id, purpose)
    return visit.go(f"/children/{person_id}")


@PAGES.get("/children/{person_id}", may=("practitioner",), audits="looks")
def child(visit: Visit, person_id: str) -> Response:
    """The picture of one child; where what for was not said since signing in, that question."""
    return _child(visit, person_id)


@PAGES.post("/children/{person_id}/signal", may=("practitioner",), audits="looks")
def mark_signal(visit: Visit, person_id: str) -> Response:
    """Whether a signal helped, and why; the last word on it counts."""
    signal_id = visit.text("signal_id", "which signal")
    useful = visit.choice("useful", "whether it was useful", ("yes", "no"))
    reason = visit.text("reason", "why, without names", longest=LONGEST_TEXT)
    purpose = _purpose(visit, person_id)
    if purpose is None:
        return visit.page("children/purpose.html", 400, person_id=person_id)
    if visit.faults:
        return _child(visit, person_id, 400)
    with visit.look(f"console: signal {signal_id} of child {person_id}", purpose=purpose) as mart:
        signal = mart.one(
            "SELECT rule FROM signals WHERE signal_id = $signal AND person_id = $person",
            {"signal": signal_id, "person": person_id},
        )
    if signal is None:
        raise Refused(409, "That signal is no longer raised", "A new night was published meanwhile. Nothing was noted.")
    visit.deployment.signal_verdicts.take(
        signal_id,
        signal["rule"],
        useful=useful == "yes",
        reason=reason,
        author=visit.account.name,
        decided_at=visit.now,
    )
    return visit.go(f"/children/{person_id}")


def _child(visit: Visit, person_id: str, status: int = 200) -> Response:
    if not _PERSON.fullmatch(person_id):
        raise not_found("child")
    purpose = _purpose(visit, person_id)
    if purpose is None:
        visit.looked = True  # nothing of anybody is on that page
        return visit.page("children/purpose.html", person_id=person_id)
    as_of = _day(visit.query("as_of"))
    with visit.look(f"console: child {person_id}", purpose=purpose, as_of=as_of.isoformat() if as_of else None) as mart:
        try:
            found = picture(mart.con, person_id, as_known_now=as_of is None)
        except QueryError:
            raise not_found("child") from None
        mart.names(found.person_id, *(row["person_id"] for row in found.household))
        mart.shown.rows = max(mart.shown.rows, len(found.timeline))
        more = _beside(mart, found.person_id) if as_of is None else {"relationships": [], "links": [], "known_by": []}
        held = mart.one("SELECT load_id, date FROM mart.main.mart")
    if not found.child:
        raise not_found("child")
    if found.person_id != person_id:  # merged into another since the address was kept
        assert visit.session is not None
        visit.deployment.sessions.state_purpose(visit.session, found.person_id, purpose)
        return visit.go(f"/children/{found.person_id}")
    order = {row["event_id"]: place for place, row in enumerate(found.timeline)}
    for signal in found.signals:
        signal["evidence"].sort(key=lambda event_id: order.get(event_id, len(order)))
    chosen = {
        "agency": visit.query("agency"),
        "kind": visit.query("kind", KINDS_OF_STATEMENT),
        "from": _day(visit.query("from")),
        "to": _day(visit.query("to")),
    }
    timeline = [row for row in found.timeline if _fits(row, chosen)]
    return visit.page(
        "children/child.html",
        status,
        found=found,
        **more,
        about=held,
        timeline=timeline,
        total=len(found.timeline),
        chosen=chosen,
        as_of=as_of,
        purpose=purpose,
        agencies=sorted({row["agency"] for row in found.timeline}),
        evidence={row["event_id"]: row for row in found.timeline},
        coverage=COVERAGE,
        name=_name(found.child),
        drawn=_drawn(found, more["relationships"]) if as_of is None else "",
        verdicts=_verdicts(visit, found),
        age=_age(found.child.get("birth_date"), held["date"]) if held else None,
    )


def _beside(mart: Reading, person_id: str) -> dict[str, list[dict[str, Any]]]:
    """What the page shows beside the picture."""
    asked = {"person_id": person_id}
    return {
        "relationships": mart.rows(
            """
            WITH named AS (
                SELECT person_id, arg_max(concat_ws(' ', given_names, family_name), loaded_at) AS name FROM records
                WHERE person_id IN (SELECT other_person_id FROM relationships WHERE person_id = $person_id) GROUP BY 1
            ),
            told AS (
                SELECT r.*, coalesce(nullif(named.name, ''), r.other_name) AS name
                FROM relationships r LEFT JOIN named ON named.person_id = r.other_person_id
                WHERE r.person_id = $person_id AND r.retracted_at IS NULL
            )
            -- What several sources say of one name is one line: whether it is one person is not said by it.
            SELECT arg_max(name, loaded_at) AS name, relationship, bool_or(same_household) AS together,
                   list(DISTINCT other_person_id) FILTER (other_person_id IS NOT NULL) AS others,
                   list(DISTINCT agency ORDER BY agency) AS agencies, min(valid_from) AS since,
                   if(count(*) = count(valid_to), max(valid_to), NULL) AS until
            FROM told GROUP BY lower(name), relationship
            ORDER BY together DESC NULLS LAST, relationship, name
            """,
            asked,
        ),
        "links": mart.rows(
            "SELECT l.record_id, l.how, l.match_probability, l.evidence, l.decided_by, l.linked_at, r.agency, r.feed, r.given_names, "
            "r.family_name, r.birth_date, r.extracted_at FROM links l "
            # A record's person is that of its link: said again here, so that records are read where that person's are.
            "LEFT JOIN (FROM records WHERE person_id = $person_id) r USING (record_id) "
            "WHERE l.person_id = $person_id ORDER BY r.agency, r.feed, l.record_id",
            asked,
        ),
        "known_by": mart.rows(
            "SELECT kind, said, is_former FROM known_as WHERE person_id = $person_id AND said IS NOT NULL "
            "ORDER BY kind, is_former, said",
            asked,
        ),
    }


def _purpose(visit: Visit, person_id: str) -> str | None:
    assert visit.session is not None
    return visit.deployment.sessions.purpose(visit.session, person_id)


def _verdicts(visit: Visit, found: Picture) -> dict[str, dict[str, Any]]:
    """What was last said of each signal, this evening's words included, which the mart does not know of yet."""
    raised = {row["signal_id"] for row in found.signals}
    if not raised:
        return {}
    return {
        verdict["signal_id"]: verdict
        for verdict in visit.deployment.signal_verdicts.all()
        if verdict["counts"] and verdict["signal_id"] in raised
    }


def _drawn(found: Picture, relationships: list[dict[str, Any]]) -> Any:
    around: dict[str, list[Any]] = {}
    for row in found.household:
        around[row["person_id"]] = [row["name"] or "name not known", [], row["until"] is None]
    for row in relationships:
        key = next((other for other in row["others"] or [] if other in around), (row["name"] or "").lower())
        one = around.setdefault(key, [row["name"] or "name not known", [], False])
        one[1].append(plain(row["relationship"]))
        one[2] = one[2] or bool(row["together"])
    others = [
        (name, ", ".join(dict.fromkeys(what)) or "lives with", together) for name, what, together in around.values()
    ]
    return household(_name(found.child), others) if others else ""


def _name(row: dict[str, Any]) -> str:
    return " ".join(word for word in (row.get("given_names"), row.get("family_name")) if word) or "Name not known"


def _age(born: dt.date | None, today: dt.date) -> int | None:
    return None if born is None else today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _fits(row: dict[str, Any], chosen: dict[str, Any]) -> bool:
    day = row["sorts_at"].date()
    return (
        (not chosen["agency"] or row["agency"] == chosen["agency"])
        and (not chosen["kind"] or row["statement_kind"] == chosen["kind"])
        and (chosen["from"] is None or day >= chosen["from"])
        and (chosen["to"] is None or day <= chosen["to"])
    )


def _day(text: str) -> dt.date | None:
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return dt.datetime.strptime(text.strip(), form).date()
        except ValueError:
            continue
    return None


def _fitting(words: int) -> str:
    """Whom each of so many words $word0, $word1 … fits: a number or postcode whole, a name from its first three letters on.

    Each is a stretch of known_by, which is sorted by what is compared; a condition over all words at once would have all of it read.
    """
    each = [
        f"SELECT person_id FROM known_by WHERE search_key >= $word{place} AND search_key < $word{place} || $end "
        f"AND (search_key = $word{place} OR (kind = 'name' AND length($word{place}) >= 3))"
        for place in range(words)
    ]
    return "(" + " INTERSECT ".join(each or ["SELECT NULL AS person_id WHERE false"]) + ")"


def _understood(said: str) -> tuple[dt.date | None, list[str], str]:
    """A birth date in what was asked, its words as known_by compares them, and the whole without the date."""
    born = None
    for part in re.findall(r"\d{1,2}/\d{1,2}/\d{4}|\d{4}-\d{2}-\d{2}", said):
        if (day := _day(part)) is not None:
            born, said = day, said.replace(part, " ")
    decomposed = unicodedata.normalize("NFD", said)
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()
    whole = " ".join(re.findall(r"[^\W_]+", bare))
    words = _POSTCODE.sub(r"\1\2", whole).split()
    return born, list(dict.fromkeys(words)), whole

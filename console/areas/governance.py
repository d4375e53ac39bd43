"""Governance: who looked at whom and why, where a wrong link was served, who broke the glass, what was shared or refused, what is held and
what is past its time, that there are seals, what was waived, who signed in, and the policy as published.

No case content: the mart of this role has links, publications and counts of what is due. Reading the record is a look as well, and is
noted before.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import Any

from starlette.responses import Response

from console.accounts import ROLES
from console.routes import Pages
from console.visit import Visit
from warehouse import publish
from warehouse.keys import BREAK_GLASS
from warehouse.looks import looks as chosen_looks
from warehouse.looks import told
from warehouse.trace import together_sql
from warehouse.trace import trace as traced

ORDER = 50
PAGES = Pages()

_SHOWN_AT_MOST = 200
_ONLY = ("governance",)
_ROLES = (*ROLES, BREAK_GLASS)  # in which there are looks
_UNDONE = ("cannot_link", "stands")


@PAGES.get(
    "/governance",
    may=_ONLY,
    audits="nothing",
    menu="Governance",
    hint="Who looked at whom and why, where a wrong link was served, broken glass, time limits, holds, seals, waivers, the policy.",
)
def overview(visit: Visit) -> Response:
    return visit.page("governance/overview.html")


@PAGES.get("/governance/looks", may=_ONLY, audits="nothing")
def ask_for_looks(visit: Visit) -> Response:
    return visit.page("governance/looks.html", found=None, said={}, roles=_ROLES)


@PAGES.post("/governance/looks", may=_ONLY, audits="looks", once=False)
def looks(visit: Visit) -> Response:
    """Looks, newest first. Of several identifiers, each look that named one of them: what a wrong link asks."""
    purpose = visit.text("purpose", "what you look for")
    said = {
        "purpose": purpose,
        "about": visit.text("about", "whom it was about", required=False, longest=1_000),
        "who": visit.text("who", "who looked", required=False),
        "role": visit.choice("role", "a role", ("", *_ROLES)),
        "since": visit.text("since", "since when", required=False),
    }
    since = visit.date("since", "since when", required=False)
    if visit.faults:
        return visit.page("governance/looks.html", 400, found=None, said=said, roles=_ROLES)
    persons = re.split(r"[\s,;]+", said["about"].strip()) if said["about"] else []
    asked = "".join(f" {name}={said[name]}" for name in ("about", "who", "role", "since") if said[name])
    log = visit.look_at_log(f"console: looks{asked}", purpose=purpose)
    found = chosen_looks(
        log,
        visit.deployment.keys,
        persons=persons,
        who=said["who"] or None,
        role=said["role"] or None,
        since=dt.datetime.combine(since, dt.time.min) if since else None,
    )
    return visit.page(
        "governance/looks.html",
        found=[told(look) for look in found[:_SHOWN_AT_MOST]],
        more=len(found) - _SHOWN_AT_MOST,
        said=said,
        roles=_ROLES,
    )


# The mart's links with those of the past, as a trace reads them.
_LINKS = "(SELECT person_id, record_id, known_from AS linked_at, known_to AS unlinked_at FROM links_history)"


@PAGES.get("/governance/trace", may=_ONLY, audits="looks")
def undone_links(visit: Visit) -> Response:
    """Links that people undid, newest first, each to be traced. Seals are not among them."""
    visit.look_at_log("console: links that were undone", purpose="oversight of wrong links")
    undone = [one for one in visit.deployment.decisions.listed() if (one["kind"], one["status"]) == _UNDONE][::-1]
    wanted = visit.query("of")
    chosen = next((one for one in undone if one["decision_id"] == wanted), None)
    said = {"record_a": chosen["record_id_a"], "record_b": chosen["record_id_b"]} if chosen else {}
    return visit.page("governance/trace.html", found=None, said=said, undone=undone)


@PAGES.post("/governance/trace", may=_ONLY, audits="looks", once=False)
def trace(visit: Visit) -> Response:
    """Every publication, look, export and use of break-glass that served two records as one person, as tonight's mart knows their links."""
    said = {
        "record_a": visit.text("record_a", "the first record"),
        "record_b": visit.text("record_b", "the second record"),
        "purpose": visit.text("purpose", "what you look for"),
    }
    if said["record_a"] and said["record_a"] == said["record_b"]:
        visit.faults["record_b"] = "Enter another record; this one was entered twice"
    if visit.faults:
        return visit.page("governance/trace.html", 400, found=None, said=said, undone=())
    question = f"console: trace {said['record_a']} {said['record_b']}"
    records = (said["record_a"], said["record_b"])
    with visit.look(question, purpose=said["purpose"]) as mart:
        known = {
            row["record_id"] for row in mart.rows("FROM links_history WHERE record_id IN ($a, $b)", _sides(records))
        }
        together = mart.rows(together_sql(_LINKS), _sides(records))
        published = mart.rows("FROM publications")
    for name in ("record_a", "record_b"):
        if said[name] not in known:  # a slip must not read as if nothing had been served
            visit.faults[name] = "No record of that name was ever linked. Copy it from the decision or from who looked"
    if visit.faults:
        return visit.page("governance/trace.html", 400, found=None, said=said, undone=())
    night = visit.deployment.marts.night()
    published.append({"load_id": night.load_id, "published_at": night.moment})  # which its own mart cannot know
    found = traced(
        records,
        together,
        sorted(published, key=lambda row: (row["published_at"], row["load_id"])),
        log=visit.look_at_log(question, purpose=said["purpose"]),
        keys=visit.deployment.keys,
        uses=visit.deployment.glass.all(visit.now),
        kept=publish.kept(visit.deployment.marts_dir),
    )
    named, perhaps = (
        [look for look in found["looks"][::-1] if look["named"] == is_named] for is_named in (True, False)
    )
    return visit.page(
        "governance/trace.html", found=found, said=said, undone=(), named=named, perhaps=perhaps, most=_SHOWN_AT_MOST
    )


def _sides(records: tuple[str, str]) -> dict[str, str]:
    return {"a": records[0], "b": records[1]}


@PAGES.get("/governance/break-glass", may=_ONLY, audits="looks")
def break_glass(visit: Visit) -> Response:
    """Who saw of which child what their role withholds, why, until when, and how often they looked: newest first."""
    log = visit.look_at_log("console: uses of break-glass", purpose="oversight of break-glass")
    uses = visit.deployment.glass.all(visit.now)
    looked = Counter(look.question.split(":")[0] for look in log.looks([BREAK_GLASS]))
    times = {use.glass_id: looked[f"break-glass {use.glass_id}"] for use in uses}
    return visit.page("governance/break_glass.html", uses=uses[::-1], times=times)


@PAGES.get("/governance/disclosures", may=_ONLY, audits="looks")
def disclosures(visit: Visit) -> Response:
    """What was shared on request and what was refused, with whom and why, newest first."""
    visit.look_at_log("console: disclosures and refusals", purpose="oversight of disclosures")
    return visit.page("governance/disclosures.html", notes=visit.deployment.disclosures.all()[::-1])


@PAGES.get("/governance/holds", may=_ONLY, audits="looks")
def holds(visit: Visit) -> Response:
    """What must not be erased, and what was let go of, newest first."""
    visit.look_at_log("console: legal holds", purpose="oversight of legal holds")
    return visit.page("governance/holds.html", holds=visit.deployment.holds.all()[::-1])


@PAGES.get("/governance/retention", may=_ONLY, audits="looks")
def retention(visit: Visit) -> Response:
    """What is past its period, by rule, on the date of the load shown: counts. Who they are is asked where it can be erased."""
    with visit.look("console: time limits", purpose="oversight of time limits") as mart:
        periods = mart.rows("FROM retention ORDER BY due - held DESC, within_a_year DESC, rule")
    return visit.page("governance/retention.html", periods=periods)


@PAGES.get("/governance/seals", may=_ONLY, audits="looks")
def seals(visit: Visit) -> Response:
    """That there are seals, when they were made and by whom: not between whom, nor why, which could tell it."""
    visit.look_at_log("console: that there are seals", purpose="oversight of seals")
    every = visit.deployment.decisions.listed(governance=True)
    undone = {entry["undoes"]: entry for entry in every if entry["undoes"]}
    found = [{**entry, "undone_by": undone.get(entry["decision_id"])} for entry in every if entry["kind"] == "seal"]
    return visit.page("governance/seals.html", seals=found[::-1])


@PAGES.get("/governance/waivers", may=_ONLY, audits="looks")
def waivers(visit: Visit) -> Response:
    """What fails and was said not to count, by whom and until when; never which row."""
    visit.look_at_log("console: waivers", purpose="oversight of waivers")
    found: list[dict[str, Any]] = [
        {**act, "of_one_row": act["row_key"] is not None}
        for act in visit.deployment.quality_acts.listed()
        if act["kind"] == "waive"
    ]
    today = visit.deployment.local(visit.now).date()
    return visit.page("governance/waivers.html", waivers=found[::-1], today=today)


@PAGES.get("/governance/sign-ins", may=_ONLY, audits="looks")
def sign_ins(visit: Visit) -> Response:
    visit.look_at_log("console: sign-ins", purpose="oversight of accounts")
    accounts = visit.deployment.accounts
    return visit.page(
        "governance/sign_ins.html",
        accounts=accounts.all(),
        events=accounts.events()[:_SHOWN_AT_MOST],
        shown=_SHOWN_AT_MOST,
    )


@PAGES.get("/governance/policy", may=_ONLY, audits="nothing")
def policy(visit: Visit) -> Response:
    """Who sees what, as the marts are built: the policy itself says nothing of anybody."""
    return visit.page("governance/policy.html", policy=visit.deployment.policy)

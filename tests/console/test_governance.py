"""What governance reads: the record of what people did, and nothing of anybody's case."""

from __future__ import annotations

import datetime as dt
import re

from tests.console.conftest import Desk
from tests.integration.test_publish_story import AT_1, NIGHT_1, NIGHT_2
from warehouse.access import pseudonym


def _looks(desk: Desk, **said: str) -> str:
    data = {"purpose": "her father asks", "about": "", "who": "", "role": "", "since": "", **said}
    answer = desk.client("governance").post("/governance/looks", data, on="/governance/looks")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_who_looked_at_whom_is_told_and_telling_it_is_a_look(desk: Desk) -> None:
    client = desk.client("practitioner")
    for person in ("p-amina", "p-jo"):
        client.post("/children/open", {"person_id": person, "purpose": f"visit to {person}"}, on="/children")
        client.get(f"/children/{person}")
    page = _looks(desk, about="p-jo")
    assert "visit to p-jo" in page and "visit to p-amina" not in page and "practitioner" in page
    assert "1 look" in _looks(desk, who="practitioner", about="p-amina", role="practitioner")
    assert "2 looks" in _looks(desk, role="practitioner", since="02/03/2026")
    assert "No such look" in _looks(desk, role="practitioner", since="03/03/2026")
    last = desk.looks()[-1]
    assert (last.role, last.who, last.purpose) == ("decisions", "governance", "her father asks")
    assert "since=03/03/2026" in last.question
    assert "Hart" not in page and "Khan" not in page


def test_looks_are_not_told_without_what_for(desk: Desk) -> None:
    answer = desk.client("governance").post(
        "/governance/looks", {"purpose": "", "since": "soon"}, on="/governance/looks"
    )
    assert answer.status_code == 400 and "Enter what you look for" in answer.text and "must be a date" in answer.text
    assert desk.looks() == []


def test_time_limits_are_shown_as_counts_with_where_each_is_from(desk: Desk) -> None:
    page = desk.client("governance").get("/governance/retention").text
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    looked_after = next(row for row in rows if "social_care.looked_after" in row)
    assert "until the age of 75; 15 years after a death" in looked_after and "regulation 50" in looked_after
    assert re.findall(r"\|(\d+)\|", looked_after) == ["1", "0", "0", "0"]
    assert "p-jo" not in page and "health.fhir:" not in page
    assert desk.looks()[-1].question == "console: time limits"


def test_of_a_seal_governance_sees_that_there_is_one(desk: Desk) -> None:
    taken = desk.deployment.decisions.add(
        "seal", "social_care.ssd:s1", "health.fhir:h2", "adopted, file 7", "s.worker", dt.datetime(2026, 3, 1)
    )
    page = desk.client("governance").get("/governance/seals").text
    assert taken.decision_id in page and "s.worker" in page and "stands" in page
    assert "ssd:s1" not in page and "fhir:h2" not in page and "adopted" not in page
    assert desk.looks()[-1].question == "console: that there are seals"


def test_waivers_are_shown_with_who_and_why_and_without_the_row(desk: Desk) -> None:
    said = {"reason": "known, <b>being mended</b>", "author": "q.officer", "decided_at": dt.datetime(2026, 3, 1)}
    until, today = dt.date(2026, 3, 9), dt.date(2026, 3, 2)
    acts = desk.deployment.quality_acts
    acts.until("waive", "health.fhir", "postcode is one", [None, "secret-row-7"], until, today=today, **said)  # type: ignore[arg-type]
    page = desk.client("governance").get("/governance/waivers").text
    assert "one row" in page and "the whole standard" in page and "9 March 2026" in page and "secret-row" not in page
    assert "&lt;b&gt;being mended" in page and "q.officer" in page


def test_accounts_and_sign_ins_are_shown_without_names_that_were_only_tried(desk: Desk) -> None:
    for _ in range(5):
        desk.browser().post("/sign-in", {"name": "my password by mistake", "password": "x"}, on="/sign-in")
    desk.account("quality", agencies=("police",), name="q.officer")
    page = desk.client("governance").get("/governance/sign-ins").text
    assert "q.officer" in page and "Police" in page and "locked" in page and "by mistake" not in page


def test_the_policy_is_shown_as_it_is(shared_desk: Desk) -> None:
    page = shared_desk.client("governance").get("/governance/policy").text
    assert "Says what for with every look" in page and "birth month" in page


def test_every_breaking_of_the_glass_is_listed_with_who_whom_why_and_whether_it_was_open(desk: Desk) -> None:
    glass, at = desk.deployment.glass, desk.now[0]
    asked = {"role": "practitioner", "person_id": "p-jo", "at": at}
    opened = glass.ask(desk.deployment.policy, who="ana", reason="father <on> the way", **asked)
    glass.opened(opened, at)
    glass.not_told(glass.ask(desk.deployment.policy, who="bo", reason="no network", **asked), at)
    look = {"load_id": "l", "version": "v", "who": "ana", "purpose": "father on the way"}
    desk.deployment.access_log.asked(
        "query", "break_glass", at, question=f"break-glass {opened.glass_id}: child p-jo", **look
    )
    page = desk.client("governance").get("/governance/break-glass").text
    assert opened.glass_id in page and "ana" in page and "father &lt;on&gt; the way" in page and "p-jo" in page
    assert "1 time" in page and ">open<" in page and ">not told<" in page
    assert "LS9" not in page, "no case content"
    assert desk.looks()[-1].question == "console: uses of break-glass"
    desk.later(hours=2)
    assert ">over<" in desk.signed_in("governance").get("/governance/break-glass").text


def test_disclosures_and_refusals_are_shown_with_whom_and_why(desk: Desk) -> None:
    said = {"asked_by": "housing", "author": "dpo", "at": desk.now[0]}
    desk.deployment.disclosures.take("shared", "p-amina", reason="section 47", **said)
    desk.deployment.disclosures.take("refused", "p-jo", reason="no lawful basis", **said)
    page = desk.client("governance").get("/governance/disclosures").text
    assert (
        "no lawful basis" in page
        and "refused" in page
        and "housing" in page
        and page.index("p-jo") < page.index("p-amina")
    )
    assert desk.looks()[-1].question == "console: disclosures and refusals"


def test_holds_are_shown_and_those_lifted_are_said_to_be(desk: Desk) -> None:
    first = desk.deployment.holds.place("p-jo", reason="inquiry", author="solicitor", at=desk.now[0])
    desk.deployment.holds.place("p-amina", reason="complaint 7", author="solicitor", at=desk.now[0])
    desk.deployment.holds.lift(first, reason="over", author="solicitor", at=desk.now[0])
    page = desk.client("governance").get("/governance/holds").text
    assert "complaint 7" in page and "holds" in page and "lifted" in page
    assert desk.looks()[-1].question == "console: legal holds"


# Until night 2 the record x1 was held to be about Amira; then it was found to be about Amina.
WRONG = {"record_a": "health.fhir:h2", "record_b": "social_care.ssda903:x1"}


def _traced(desk: Desk, **said: str) -> str:
    data = {**WRONG, "purpose": "her mother complains", **said}
    answer = desk.client("governance").post("/governance/trace", data, on="/governance/trace")
    assert answer.status_code == 200, answer.text
    return answer.text


def _looked(desk: Desk, who: str, load: str, shown: tuple[str, ...] | None, **said: str) -> None:
    log, at = desk.deployment.access_log, AT_1 + dt.timedelta(hours=3)
    said = {"action": "query", "role": "practitioner", "question": f"asked by {who}", **said}
    number = log.asked(
        said["action"],
        said["role"],
        at,
        load_id=load,
        version=load,
        who=who,
        purpose="a visit",
        question=said["question"],
    )
    log.answered(number, said["role"], at, shown=shown, rows=1, file=said.get("file"))


def test_a_wrong_link_is_traced_to_every_publication_look_export_and_broken_glass(desk: Desk) -> None:
    analyst = pseudonym(desk.deployment.keys.pseudonym_salt("analyst"), "p-amira")
    _looked(desk, "ana", NIGHT_1, ("p-amira",))
    _looked(desk, "bea", NIGHT_1, ("social_care.ssda903:x1",))
    _looked(desk, "cy", NIGHT_1, (analyst,), role="analyst", action="export", file="figures.csv sha256 abc")
    _looked(desk, "dee", NIGHT_1, None, question="how many children")
    _looked(desk, "eve", NIGHT_1, ("p-jo",))
    _looked(desk, "fay", NIGHT_2, ("p-amira",))
    _looked(desk, "gil", NIGHT_2, ("p-amira",), question="child p-amira (as of 2026-03-01)")
    glass = desk.deployment.glass
    for who, hours, told in (("hal", 5, True), ("ida", 5, False), ("jon", 30, True)):
        at = AT_1 + dt.timedelta(hours=hours)
        said = {"role": "practitioner", "person_id": "p-amira", "reason": "on the way", "at": at}
        use = glass.ask(desk.deployment.policy, who=who, **said)
        (glass.opened if told else glass.not_told)(use, at)

    page = _traced(desk)
    assert "p-amira, from 1 March 2026, 02:20 until 2 March 2026, 02:20" in page
    head, _, rest = page.partition("that named the person or a record")
    named, _, rest = rest.partition("that named nobody")
    perhaps, _, broken = rest.partition("Glass broken")
    assert NIGHT_1 in head and ">" + NIGHT_2 + "<" not in head and ">gone<" in head
    assert [who for who in ("ana", "bea", "cy", "dee", "eve", "fay", "gil") if f">{who}</td>" in named] == [
        "ana", "bea", "cy", "gil",
    ]  # fmt: skip
    assert "Left as figures.csv" in named and ">dee</td>" in perhaps and ">eve</td>" not in perhaps
    assert "hal" in broken and "ida" not in broken and "jon" not in broken
    assert "Khan" not in page, "no case content"
    noted = [(look.role, look.who, look.purpose, look.question) for look in desk.looks()[-2:]]
    assert noted == [
        (role, "governance", "her mother complains", "console: trace health.fhir:h2 social_care.ssda903:x1")
        for role in ("governance", "decisions")
    ]
    # The trace under both keys of governance, and this look itself.
    assert "3 looks" in _looks(desk, role="governance", about="social_care.ssda903:x1", since="02/03/2026")


def test_what_is_still_one_person_is_said_to_be_as_the_load_shown_knows_it(desk: Desk) -> None:
    page = _traced(desk, record_a="health.fhir:h1")
    assert "p-amina, from 2 March 2026, 02:20 and still" in page and "still kept" in page and NIGHT_2 in page
    assert "never held to be one person" in _traced(desk, record_a="health.fhir:h3")


def test_a_slip_in_a_record_does_not_read_as_if_nothing_had_been_served(desk: Desk) -> None:
    client = desk.client("governance")
    for said in ({"record_b": "social_care.ssda903:x2"}, {"record_b": WRONG["record_a"]}, {"purpose": " "}):
        data = {**WRONG, "purpose": "her mother complains", **said}
        answer = client.post("/governance/trace", data, on="/governance/trace")
        assert answer.status_code == 400 and "There is a problem" in answer.text
        assert "never held" not in answer.text and "Publications" not in answer.text


def test_links_that_people_undid_are_offered_to_be_traced_and_no_seal_is(desk: Desk) -> None:
    decisions, at = desk.deployment.decisions, dt.datetime(2026, 3, 1)
    taken = decisions.add("cannot_link", *WRONG.values(), "two children", "s.worker", at)
    decisions.add("seal", "social_care.ssd:s1", "health.fhir:h3", "adopted, file 7", "s.worker", at)
    client = desk.client("governance")
    page = client.get("/governance/trace").text
    assert taken.decision_id in page and "two children" in page
    assert "ssd:s1" not in page and "adopted" not in page
    assert desk.looks()[-1].question == "console: links that were undone"
    page = client.get(f"/governance/trace?of={taken.decision_id}").text
    assert all(f'value="{record}"' in page for record in WRONG.values())

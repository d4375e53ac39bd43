"""Quality: what fails worst first, one standard with its rows, what is done about it, the pack, and rows held back.

What must not live here: the order and the steps (expectations/agenda.py), what an act does (warehouse/quality_acts.py), what goes into
a pack (expectations/pack.py). An account for some agencies sees and does nothing of others: what it asks for of them is not there.
"""

from __future__ import annotations

import hmac
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from connectors.contract import Table
from console.pictures import trend
from console.routes import Pages
from console.visit import LONGEST_TEXT, Reading, Refused, Visit, not_found
from console.words import share
from expectations import agenda, pack, workbook
from warehouse import quality_acts
from warehouse import query as querying

ORDER = 20
PAGES = Pages()
QUALITY = ("quality",)

PER_PAGE = 50
_WORST_SHOWN = 25
_LOADS_SHOWN = 30
_MOST_FILES = 200
# Of a row held back: a form may have 200 fields, and some of them are not the row's.
_MOST_COLUMNS = 150

HARMS = {
    "unseen": ("a child may go unseen", "bad"),
    "wrong_child": ("may stand under the wrong child", "bad"),
    "wrong_account": ("may be misread", "care"),
    "untidy": ("untidy", "none"),
}
SEVERITIES = {
    "critical": "Critical: while it fails, the whole feed stands still.",
    "warning": "Warning: the rows are used, and are marked wherever they are shown.",
    "info": "Info: it is counted and nothing else.",
}
KINDS = {
    "waive": "waived up to and including",
    "expect": "to be put right at its source by",
    "release": "put through again",
    "assign": "given to",
    "comment": "said",
    "undo": "taken back",
}
LISTS = {"open": "To put right", "waived": "Waived", "fixed": "Fixed with the last load"}
_IN_LIST = {
    "open": "FROM quality_failures WHERE waived_until IS NULL AND",
    "waived": "FROM quality_failures WHERE waived_until IS NOT NULL AND",
    "fixed": "FROM quality_spells WHERE state = 'fixed' AND",
}
FORMS = {
    "xlsx": ("Workbook (.xlsx)", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "csv": ("Comma-separated values (.csv)", "text/csv; charset=utf-8"),
    "json": ("JSON, for a program", "application/json"),
}

_STANDARDS = "SELECT * REPLACE (agency || '.' || feed AS feed) FROM quality_standards"
_OF_RULE = "agency = $agency AND feed = $feed AND expectation = $rule"
_FEED_NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


@dataclass(frozen=True)
class Desk:
    """The quality mart as one officer may see it, as people's acts up to this moment leave it."""

    visit: Visit
    mart: Reading
    acts: Sequence[Mapping[str, Any]]

    def standards(self, feed: str = "") -> list[dict[str, Any]]:
        return self.mart.rows(f"{_STANDARDS} WHERE $feed = '' OR agency || '.' || feed = $feed", {"feed": feed})

    def standard(self, feed: str, rule: str) -> dict[str, Any]:
        """A standard that was judged of a feed; one of an agency that the account is not for is not there."""
        found = self.mart.one(f"{_STANDARDS} WHERE {_OF_RULE}", self.asked(feed, rule))
        if found is None:
            raise not_found("standard")
        return found

    def feeds(self) -> list[str]:
        found = self.mart.rows(
            "SELECT DISTINCT agency || '.' || feed AS feed FROM (SELECT agency, feed FROM quality_standards UNION "
            "SELECT agency, feed FROM quarantine WHERE released_by IS NULL UNION SELECT agency, feed FROM loads) ORDER BY 1"
        )
        return [row["feed"] for row in found]

    def acts_on(self, feed: str, rule: str = "") -> list[Mapping[str, Any]]:
        """Newest first."""
        return [act for act in reversed(self.acts) if act["feed"] == feed and (not rule or act["expectation"] == rule)]

    def released(self, feed: str) -> Mapping[str, Mapping[str, Any]]:
        """Rows whose release waits for the next night, by quarantine_id."""
        last = self.mart.one(
            "SELECT min(started_at) AS began FROM mart.main.loads WHERE load_id = (SELECT arg_max(load_id, load_seq) "
            "FROM loads WHERE agency || '.' || feed = $feed AND status <> 'failed')",
            {"feed": feed},
        )
        return quality_acts.releases_waiting(self.acts, feed, after=last["began"] if last else None)

    @staticmethod
    def asked(feed: str, rule: str) -> dict[str, Any]:
        agency, _, name = feed.partition(".")
        return {"agency": agency, "feed": name, "rule": rule}


@contextmanager
def _desk(visit: Visit, question: str, *, purpose: str = "", export: bool = False) -> Iterator[Desk]:
    agencies = visit.account.agencies
    acts = visit.deployment.quality_acts.listed()
    with visit.look(f"quality: {question}", purpose=purpose, export=export) as mart:
        quality_acts.show_now(mart.con, _treated(mart, acts), agencies)
        yield Desk(visit, mart, [act for act in acts if not agencies or act["feed"].partition(".")[0] in agencies])


def _treated(mart: Reading, acts: Sequence[Mapping[str, Any]]) -> quality_acts.Treated:
    """What the acts do to this version of the mart, worked out once after each: it takes longer than all else on a page."""
    kept: dict[str, tuple[Sequence[Mapping[str, Any]], quality_acts.Treated]] = mart.once("quality: acts", dict)
    before, found = kept.get("newest", (None, None))
    if found is None or before != acts:
        found = quality_acts.treated(mart.con, acts)
        kept["newest"] = (acts, found)
    return found


def _named(feed: str) -> str:
    """A feed's name as the address has it, before it is written anywhere."""
    if not _FEED_NAME.fullmatch(feed):
        raise not_found("feed")
    return feed


# What to do


@PAGES.get(
    "/quality",
    may=QUALITY,
    audits="looks",
    menu="Quality",
    hint="What fails a standard, worst first, and what to do about it: send it back, waive it, put rows held back through again.",
)
def worst(visit: Visit) -> Response:
    agency = visit.query("agency")
    with _desk(visit, "what to do") as desk:
        everything = desk.standards()
        feeds = desk.feeds()
        held = desk.mart.rows(
            "SELECT agency || '.' || feed AS feed, count(*) AS rows FROM quarantine WHERE released_by IS NULL GROUP BY 1 ORDER BY 1"
        )
    agencies = list(dict.fromkeys(feed.partition(".")[0] for feed in feeds))
    agency = agency if agency in agencies else ""
    standards = [row for row in everything if not agency or row["agency"] == agency]
    failing = agenda.worst_first(standards)
    shown = failing if visit.query("all") else failing[:_WORST_SHOWN]
    return visit.page(
        "quality/worst.html",
        feed="",
        feeds=feeds,
        agencies=agencies,
        agency_chosen=agency,
        steps=agenda.steps(standards, visit.deployment.contacts),
        failing=_described(visit, shown, _given_to(desk.acts)),
        more=len(failing) - len(shown),
        broken=agenda.broken(standards),
        not_run=agenda.not_run(standards),
        held=[row for row in held if not agency or row["feed"].startswith(f"{agency}.")],
        harms=HARMS,
    )


@PAGES.get("/quality/find", may=QUALITY, audits="nothing")
def find(visit: Visit) -> Response:
    """On to the page of the chosen feed, which works without a script."""
    feed = visit.query("feed")
    return visit.go(f"/quality/{feed}" if _FEED_NAME.fullmatch(feed) else "/quality")


# Rows held back


@PAGES.get("/quality/held", may=QUALITY, audits="looks")
def held_back(visit: Visit) -> Response:
    with _desk(visit, "rows held back") as desk:
        feeds = desk.feeds()
        asked = {"feed": visit.query("feed", feeds)}
        waiting = "FROM quarantine WHERE released_by IS NULL AND ($feed = '' OR agency || '.' || feed = $feed)"
        counted = desk.mart.one(f"SELECT count(*) AS n {waiting}", asked)
        page = _page_of(visit, counted["n"] if counted else 0)
        rows = desk.mart.rows(
            f"SELECT quarantine_id, agency || '.' || feed AS feed, load_id, table_name, row_number, reason {waiting} "
            "ORDER BY agency, feed, load_id DESC, table_name, row_number, quarantine_id LIMIT $most OFFSET $before",
            {**asked, "most": PER_PAGE, "before": page["before"]},
        )
        released = {row for name in {row["feed"] for row in rows} for row in desk.released(name)}
    return visit.page("quality/held.html", rows=rows, page=page, feed=asked["feed"], released=released)


@PAGES.get("/quality/held/{quarantine_id}", may=QUALITY, audits="looks")
def held_row(visit: Visit, quarantine_id: str) -> Response:
    with _desk(visit, "a row held back") as desk:
        held = _held(desk, quarantine_id)
    return _held_page(visit, held)


@PAGES.post("/quality/held/{quarantine_id}", may=QUALITY, audits="acts")
def release(visit: Visit, quarantine_id: str) -> Response:
    """Notes the release; the next night puts the row through."""
    with _desk(visit, "a row held back") as desk:
        held = _held(desk, quarantine_id)
    if held["why_not"]:
        raise Refused(409, "This row cannot be released here", held["why_not"], "Nothing was changed.")
    reason = visit.text("reason", "why it is put through again", longest=LONGEST_TEXT)
    typed = {
        column["name"]: visit.text(
            f"cell-{place}", f"what {column['name']} should be", required=False, longest=LONGEST_TEXT
        )
        for place, column in enumerate(held["columns"])
    }
    if not visit.faults:
        repairs = {name.lower(): text for name, text in workbook.repairs(held["content"], typed).items()}
        empty = [name for name in held["key"] if not typed.get(name, "").strip()]
        if empty:
            place = [column["name"] for column in held["columns"]].index(empty[0])
            visit.faults[f"cell-{place}"] = (
                f"{empty[0]} says which row this is; without it the row would be held back again"
            )
        else:
            visit.deployment.quality_acts.release(
                {quarantine_id: (held["feed"], repairs)}, reason=reason, author=visit.account.name, decided_at=visit.now
            )
            return visit.go(f"/quality/held/{quarantine_id}")
    return _held_page(visit, held, typed, reason, status=400)


def _held_page(
    visit: Visit, held: Mapping[str, Any], typed: Mapping[str, str] | None = None, reason: str = "", status: int = 200
) -> Response:
    return visit.page(
        "quality/held_row.html", status, held=held, typed=typed or {}, reason=reason, withheld=pack.WITHHELD
    )


def _held(desk: Desk, quarantine_id: str) -> dict[str, Any]:
    """One row held back: as received, what was understood of it, and why it cannot be released here, where it cannot."""
    row = desk.mart.one(
        "SELECT q.* REPLACE (q.agency || '.' || q.feed AS feed), f.name AS file FROM quarantine q "
        "LEFT JOIN (SELECT agency, feed, file_id, min(name) AS name FROM received_files GROUP BY ALL) f USING (agency, feed, file_id) "
        "WHERE quarantine_id = $id",
        {"id": quarantine_id},
    )
    if row is None:
        raise not_found("row held back")
    table = _table(desk.visit, row["feed"], row["table_name"])
    cells = pack.cells_of(row["content"], table.names() if table else ())
    waiting = desk.released(row["feed"]).get(quarantine_id)
    if row["released_by"] is not None:
        why_not = f"{row['released_by']} released it, and it was put through again."
    elif waiting is not None:
        why_not = f"{waiting['author']} released it; it goes through with the next night that begins."
    elif row["address_protected"]:
        why_not = (
            "It names somebody whose address is restricted, so what it holds is not shown here. "
            "The data team can release it on the computer where the nights run: tessera quarantine release."
        )
    elif table is None:
        why_not = "Its feed is no longer configured with this table. Ask the data team."
    else:
        why_not = ""
    return {
        **row,
        "file": row["file"] or "",
        "key": table.key if table else (),
        "columns": _columns_shown(table, cells) if table else [],
        "why_not": why_not,
        "readable": any(cells.values()),
    }


def _columns_shown(table: Table, cells: Mapping[str, str]) -> list[dict[str, Any]]:
    """What was understood, by column: of a wide table the key, and what holds something."""
    columns = table.columns
    if len(columns) > _MOST_COLUMNS:
        columns = tuple(column for column in columns if column.name in table.key or cells[column.name])[:_MOST_COLUMNS]
    return [
        {"name": column.name, "meaning": column.meaning, "is_key": column.name in table.key, "cell": cells[column.name]}
        for column in columns
    ]


def _table(visit: Visit, feed: str, table: str) -> Table | None:
    declared = visit.deployment.feeds.get(feed)
    return next((found for found in declared.tables if found.name == table), None) if declared else None


# Acts


@PAGES.post("/quality/undo", may=QUALITY, audits="acts")
def undo(visit: Visit) -> Response:
    number = visit.text("act", "the act that is taken back", longest=40)
    reason = visit.text("undo_reason", "why it is taken back", longest=LONGEST_TEXT)
    with _desk(visit, "taking back an act") as desk:
        act = next((act for act in desk.acts if act["act_id"] == number), None)
    if act is None:
        raise not_found("act")
    rule = act["expectation"] or ""
    if not visit.faults:
        try:
            visit.deployment.quality_acts.undo(number, reason=reason, author=visit.account.name, decided_at=visit.now)
        except quality_acts.QualityActError as error:
            visit.faults["act"] = str(error)
    if visit.faults:
        return _rule_page(visit, act["feed"], rule, 400) if rule else _feed_page(visit, act["feed"], 400)
    return visit.go(_address(act["feed"], rule))


# One feed


@PAGES.get("/quality/{feed}", may=QUALITY, audits="looks")
def one_feed(visit: Visit, feed: str) -> Response:
    return _feed_page(visit, _named(feed))


def _feed_page(visit: Visit, feed: str, status: int = 200) -> Response:
    with _desk(visit, f"{feed}: what to do") as desk:
        feeds = desk.feeds()
        if feed not in feeds:
            raise not_found("feed")
        standards = desk.standards(feed)
        held = desk.mart.rows(
            "SELECT $feed AS feed, count(*) AS rows FROM quarantine WHERE released_by IS NULL AND agency || '.' || feed = $feed "
            "HAVING count(*) > 0",
            {"feed": feed},
        )
        acts = desk.acts_on(feed)
    return visit.page(
        "quality/feed.html",
        status,
        feed=feed,
        feeds=feeds,
        agency_chosen="",
        steps=agenda.steps(standards, visit.deployment.contacts),
        failing=_described(visit, agenda.worst_first(standards, waived_too=True), _given_to(acts[::-1])),
        broken=agenda.broken(standards),
        not_run=agenda.not_run(standards),
        held=held,
        holding=sum(row["status"] == "pass" for row in standards),
        acts=acts,
        standing=_standing(acts),
        kinds=KINDS,
        forms={name: said for name, (said, _) in FORMS.items()},
        declared=feed in visit.deployment.feeds,
        harms=HARMS,
    )


@PAGES.post("/quality/{feed}/pack", may=QUALITY, audits="looks", once=False)
def download(visit: Visit, feed: str) -> Response:
    """What fails in a feed, for the agency that can put it right; the download is noted as an export."""
    feed = _named(feed)
    form = visit.choice("form", "a form", tuple(FORMS))
    purpose = visit.text("purpose", "what it is for")
    declared = visit.deployment.feeds.get(feed)
    if visit.faults:
        return _feed_page(visit, feed, 400)
    with _desk(visit, f"{feed}: pack as {form}", purpose=purpose, export=True) as desk:
        if declared is None or feed not in desk.feeds():
            raise not_found("feed")
        made = pack.gather(
            partial(querying.rows, desk.mart.con, shown=desk.mart.shown),
            declared,
            visit.deployment.contacts.get(feed, ""),
        )
        desk.mart.names(*(f"{feed}:{row['local_id']}" for row in made.rows if row["local_id"]))
        body = _written(made, form)
    # The name is made of names that are declared, never of what was sent.
    name = f"{declared.id}-{re.sub(r'[^0-9A-Za-z-]', '-', made.load_id)}.{form}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=FORMS[form][1], headers=headers)


def _written(made: pack.Pack, form: str) -> bytes:
    if form == "xlsx":
        book = io.BytesIO()
        workbook.write(made, book)
        return book.getvalue()
    text = io.StringIO(newline="")
    if form == "csv":
        pack.write_csv(made, text)
    else:
        text.write(pack.as_json(made))
    return text.getvalue().encode()


# One standard


@PAGES.get("/quality/{feed}/{rule}", may=QUALITY, audits="looks")
def one_rule(visit: Visit, feed: str, rule: str) -> Response:
    return _rule_page(visit, _named(feed), rule)


@PAGES.post("/quality/{feed}/{rule}", may=QUALITY, audits="acts")
def act(visit: Visit, feed: str, rule: str) -> Response:
    """Waives a standard or rows of it, or notes by when they will be put right at their source."""
    feed = _named(feed)
    kind = visit.choice("kind", "what is to be done", ("waive", "expect"))
    until = visit.date("until", "the day")
    reason = visit.text("reason", "why", longest=LONGEST_TEXT)
    whole = visit.choice("of", "whether it is the whole standard or the ticked rows", ("whole", "rows")) == "whole"
    keys = list(dict.fromkeys(key for name, key in visit.form.items() if name.startswith("row-")))
    if not whole and not keys and "of" not in visit.faults:
        visit.faults["of"] = "Tick the rows it is about, or choose the whole standard"
    with _desk(visit, f"{feed}: an act on a standard") as desk:
        standard = desk.standard(feed, rule)
        today = (desk.mart.one("SELECT date FROM mart") or {})["date"]
        failing = desk.mart.rows(
            f"SELECT DISTINCT row_key FROM quality_failures WHERE {_OF_RULE} AND list_contains($keys, row_key)",
            {**desk.asked(feed, rule), "keys": keys},
        )
    if not whole and len(failing) < len(keys):
        visit.faults["of"] = (
            "Some of the ticked rows do not fail this standard any more. Look again, and tick them anew"
        )
    if kind == "waive" and (why_not := agenda.why_not_waived(standard)):
        visit.faults["kind"] = why_not
    if not visit.faults:
        assert until is not None
        try:
            visit.deployment.quality_acts.until(
                "waive" if kind == "waive" else "expect",
                feed,
                standard["expectation"],
                [None] if whole else keys,
                until,
                today=today,
                reason=reason,
                author=visit.account.name,
                decided_at=visit.now,
            )
        except quality_acts.QualityActError as error:
            visit.faults["until"] = str(error)
    if visit.faults:
        return _rule_page(visit, feed, rule, 400)
    return visit.go(_address(feed, standard["expectation"]))


@PAGES.post("/quality/{feed}/{rule}/tell", may=QUALITY, audits="acts")
def tell(visit: Visit, feed: str, rule: str) -> Response:
    """Says something of a standard to colleagues, or gives it to one of them; what fails counts as before."""
    feed = _named(feed)
    with _desk(visit, f"{feed}: a word on a standard") as desk:
        standard = desk.standard(feed, rule)
    to = visit.choice("assigned_to", "who is to see to it", _officers(visit, standard["agency"]))
    words = visit.text("words", "what you want to say", longest=LONGEST_TEXT)
    if visit.faults:
        return _rule_page(visit, feed, rule, 400)
    acts, name = visit.deployment.quality_acts, standard["expectation"]
    if to:
        acts.assign(feed, name, to, reason=words, author=visit.account.name, decided_at=visit.now)
    else:
        acts.comment(feed, name, words, author=visit.account.name, decided_at=visit.now)
    return visit.go(_address(feed, name))


def _rule_page(visit: Visit, feed: str, rule: str, status: int = 200) -> Response:
    which = visit.query("rows", LISTS, "open")
    secret = hmac.new(visit.deployment.keys.raw("decisions"), b"names of files", "sha256").hexdigest()
    with _desk(visit, f"{feed}: a standard and its rows") as desk:
        standard = desk.standard(feed, rule)
        asked = desk.asked(feed, rule)
        loads = desk.mart.rows(
            "SELECT r.load_id, loads.date, r.evaluated, r.failed, r.status FROM quality_results r "
            "JOIN loads USING (load_id, agency, feed) WHERE agency = $agency AND feed = $feed AND r.expectation = $rule "
            f"ORDER BY load_seq DESC LIMIT {_LOADS_SHOWN}",
            asked,
        )
        counts = {
            name: (desk.mart.one(f"SELECT count(*) AS n {source} {_OF_RULE}", asked) or {})["n"]
            for name, source in _IN_LIST.items()
        }
        # A file's name may hold a person's: its address is a keyed digest.
        files = desk.mart.rows(
            f"SELECT left(sha256($secret || source_file), 16) AS key, source_file, count(*) AS n {_IN_LIST[which]} {_OF_RULE} "
            f"AND source_file IS NOT NULL GROUP BY ALL ORDER BY n DESC, source_file LIMIT {_MOST_FILES}",
            {**asked, "secret": secret},
        )
        chosen = next((file for file in files if file["key"] == visit.query("file")), None)
        asked["file"] = chosen["source_file"] if chosen else ""
        page = _page_of(visit, chosen["n"] if chosen else counts[which])
        rows = desk.mart.rows(
            "SELECT agency || '.' || feed || ':' || local_id AS record_id, source_file, row_number, local_id, \"column\", value, "
            f"hint, row_key, state, failing_since, address_protected, {_ONLY_FAILING[which == 'fixed']} "
            f"{_IN_LIST[which]} {_OF_RULE} AND ($file = '' OR source_file = $file) "
            "ORDER BY state, source_file, row_number, raw_row_id LIMIT $most OFFSET $before",
            {**asked, "most": PER_PAGE, "before": page["before"]},
        )
        acts = desk.acts_on(feed, standard["expectation"])
    loads.reverse()
    said = _said(visit, feed).get(rule)
    return visit.page(
        "quality/rule.html",
        status,
        feed=feed,
        rule=standard,
        said=said,
        severity=SEVERITIES.get(standard["severity"], standard["severity"]),
        harms=HARMS,
        loads=loads,
        picture=trend([row["failed"] for row in loads], _trend_in_words(loads)),
        failing=share(standard["failed"] / standard["evaluated"]) if standard["evaluated"] else "",
        lists=LISTS,
        counts=counts,
        which=which,
        files=files if len(files) > 1 or chosen else [],
        file=chosen["key"] if chosen else "",
        rows=rows,
        page=page,
        withheld=pack.WITHHELD,
        ticked={key for name, key in visit.form.items() if name.startswith("row-")},
        acts=acts,
        standing=_standing(acts),
        kinds=KINDS,
        why_not_waived=agenda.why_not_waived(standard),
        given_to=_given_to(acts[::-1]).get((feed, standard["expectation"]), ""),
        officers=_officers(visit, standard["agency"]),
    )


_ONLY_FAILING = ("waived_until, expected_by", "NULL::DATE AS waived_until, NULL::DATE AS expected_by")


def _trend_in_words(loads: Sequence[Mapping[str, Any]]) -> str:
    failed = [row["failed"] for row in loads if row["failed"] is not None]
    return f"Failing rows: {failed[0]:,} at first, {failed[-1]:,} at last, {max(failed):,} at most" if failed else ""


# What pages share


def _described(
    visit: Visit, standards: Sequence[Mapping[str, Any]], given_to: Mapping[tuple[str, str], str]
) -> list[dict[str, Any]]:
    """Standards with what each is called in words, and who sees to it."""
    books = {feed: _said(visit, feed) for feed in {row["feed"] for row in standards}}
    return [
        {
            **row,
            "title": said.title if (said := books[row["feed"]].get(row["expectation"])) else row["expectation"],
            "given_to": given_to.get((row["feed"], row["expectation"]), ""),
        }
        for row in standards
    ]


def _given_to(acts: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Who sees to which standard of which feed; `acts` are oldest first."""
    return {
        (act["feed"], act["expectation"]): act["assigned_to"]
        for act in acts
        if act["kind"] == "assign" and act["status"] == "stands"
    }


def _officers(visit: Visit, agency: str) -> dict[str, str]:
    """Accounts to which a standard of an agency can be given: quality officers who see it."""
    names = [
        account.name
        for account in visit.deployment.accounts.all()
        if account.has(QUALITY) and not account.disabled and (not account.agencies or agency in account.agencies)
    ]
    return {"": "Nobody: only say something", **{name: name for name in names}}


def _said(visit: Visit, feed: str) -> Mapping[str, pack.Said]:
    declared = visit.deployment.feeds.get(feed)
    return pack.said_of(declared) if declared else {}


def _standing(acts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Acts that can be taken back, by number, in words."""
    return {
        act["act_id"]: f"{act['act_id']}: {KINDS[act['kind']]}"
        + (f" {act['until']:%d/%m/%Y}" if act["until"] else "")
        + (f" {act['assigned_to']}" if act["assigned_to"] else "")
        for act in acts
        if act["status"] == "stands" and act["kind"] != "release"
    }


def _page_of(visit: Visit, rows: int) -> dict[str, int]:
    """Which page is asked for, and where it begins."""
    pages = max(1, -(-rows // PER_PAGE))
    said = visit.query("page", default="1")
    number = min(pages, max(1, int(said))) if re.fullmatch(r"[0-9]{1,9}", said) else 1
    return {"number": number, "pages": pages, "rows": rows, "before": (number - 1) * PER_PAGE}


def _address(feed: str, rule: str) -> str:
    return f"/quality/{feed}" + (f"/{quote(rule, safe='')}" if rule else "")

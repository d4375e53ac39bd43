"""Standards that fail, rows held back, and how they are mended."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    Night,
    config_option,
    night_of,
    opened,
    out,
    plain,
    print_rows,
    print_steps,
    settings_of,
)
from pipelines.settings import Settings, SettingsError, utc_now

Who = Annotated[str | None, typer.Option(help="Who looks; the account if not given.")]
Purpose = Annotated[str, typer.Option(help="What for; it is logged with the look.")]
Rule = Annotated[str, typer.Argument(help="Name of the standard, as tessera quality shows it.")]
OfFeed = Annotated[str | None, typer.Option("--feed", help="agency.feed, where several have a standard of that name.")]
OfRow = Annotated[
    list[str] | None, typer.Option("--row", help="row_key of a failing row; may be repeated. All if none.")
]
Reason = Annotated[str, typer.Option(help="Why, in words that others will read.")]
Author = Annotated[str, typer.Option(help="Who decides.")]

# What fits on a screen beside the steps.
_WORST_SHOWN = 12
_PACK_FORMS = (".xlsx", ".csv", ".json")


class _ShowByDefault(TyperGroup):
    """`tessera quality` and `tessera quality FEED` show what fails; other words are commands of their own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowByDefault,
    help="What fails, worst first and what to do about it. `tessera quality FEED` is `quality show FEED`.",
)
quarantine_app = typer.Typer(no_args_is_help=True, help="Rows held back, why, and putting them through again.")

_STANDARDS = "SELECT * REPLACE (agency || '.' || feed AS feed) FROM quality_standards WHERE ($1 IS NULL OR agency || '.' || feed = $1)"
_FOR_PROGRAMS = ("status", "evaluated", "failed")
_FAILS = "SELECT 1 FROM quality_failures WHERE agency || '.' || feed = ? AND expectation = ? AND row_key = ? LIMIT 1"
_SHOWN = (
    "feed", "expectation", "severity", "harm", "open", "waived", "new", "still", "fixed", "failing_since", "expected_by", "overdue",
)  # fmt: skip


@app.command()
def show(
    feed: Annotated[str | None, typer.Argument(help="agency.feed; all if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
    rows: Annotated[int, typer.Option(help="How many failing rows to show for a feed.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Every failing standard, not the worst alone.")] = False,
    who: Who = None,
    purpose: Purpose = "not stated",
    as_json: AsJson = False,
) -> None:
    """What to send back, standards that fail worst first, those broken and those not run; with a feed, its failing rows."""
    from expectations import agenda

    settings = settings_of(config)
    if feed is not None:
        _configured(settings, feed)
    with _mart(settings) as con:
        standards = _rows(con, _STANDARDS, [feed])
        worst = [row["expectation"] for row in agenda.worst_first(standards)]
        examples = _examples(con, settings, feed, worst, rows, who, purpose) if feed else []
    found = {
        "next": [step.__dict__ for step in agenda.steps(standards, settings.contacts())],
        "standards": [{name: row[name] for name in (*_SHOWN, *_FOR_PROGRAMS)} for row in agenda.worst_first(standards)],
        "broken": [
            {name: row[name] for name in ("feed", "expectation", "severity", "message")}
            for row in agenda.broken(standards)
        ],
        "not_run": agenda.not_run(standards),
        "rows": examples,
    }
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    _print(found, feed, everything, at=config_option(config))


@contextmanager
def _mart(settings: Settings) -> Iterator[Any]:
    """The quality mart, read-only, with what people did about what fails up to this moment."""
    from warehouse.keys import load_keys
    from warehouse.quality_acts import show_now, treated
    from warehouse.query import open_mart

    with open_mart(
        settings.marts_path, load_keys(settings.keys_path, os.environ, data=settings.data_path), "quality"
    ) as con:
        show_now(con, treated(con, _acts(settings).listed()))
        yield con


def _rows(con: Any, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
    from warehouse.query import rows

    return rows(con, sql, parameters)


def _examples(
    con: Any, settings: Settings, feed: str, worst: list[str], rows: int, who: str | None, purpose: str
) -> list[dict[str, Any]]:
    """Failing rows with what they hold, by standard, worst first: a look that is logged."""
    with _look(con, settings, f"quality {feed}", who, purpose) as shown:
        found = _rows(
            con,
            "SELECT expectation, state, failing_since, waived_until, expected_by, source_file, row_number, local_id, row_key, "
            '"column", value, hint '
            "FROM quality_failures WHERE agency || '.' || feed = ? "
            "ORDER BY waived_until IS NOT NULL, list_position(?, expectation), state, source_file, row_number LIMIT ?",
            [feed, worst, rows],
        )
        shown.rows = len(found)
    return found


def _look(
    con: Any, settings: Settings, question: str, who: str | None, purpose: str, *, export: bool = False
) -> AbstractContextManager[Any]:
    from warehouse.access_log import AccessLog, account
    from warehouse.keys import load_keys
    from warehouse.query import look
    from warehouse.store import Store

    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)  # before the store makes a file
    log = AccessLog(Store(settings.decisions_url), keys)
    return look(con, "quality", question, export=export, log=log, who=who or account(), purpose=purpose, clock=utc_now)


def _print(found: dict[str, list[dict[str, Any]]], feed: str | None, everything: bool, at: str) -> None:
    """One screen: what to do, then why."""
    print_steps(found["next"], at)
    shown = found["standards"] if everything or feed else found["standards"][:_WORST_SHOWN]
    if found["standards"]:
        out.print()
        print_rows([{name: row[name] for name in row if name not in _FOR_PROGRAMS} for row in shown], False)
        if len(found["standards"]) > len(shown):
            out.print(f"{len(found['standards']) - len(shown)} more fail: tessera quality --all")
    if found["broken"]:
        out.print("\nBroken: these could not run, which says nothing of the data.")
        print_rows(found["broken"], False)
    if found["not_run"]:
        out.print("\nNot run, which is not a pass:")
        print_rows([{name: row[name] for name in row if feed or name != "which"} for row in found["not_run"]], False)
    if found["rows"]:
        out.print()
        print_rows(found["rows"], False)


@app.command()
def pack(
    feed: Annotated[str, typer.Argument(help="agency.feed")],
    to: Annotated[Path, typer.Option("--out", help="File to write: .xlsx, .csv or .json.")],
    who: Who = None,
    purpose: Annotated[str, typer.Option(help="What for; it is logged with the pack.")] = "error pack for the agency",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes what fails in one feed for the agency that can put it right. It holds what records say: the writing is logged."""
    from expectations import workbook
    from expectations.pack import as_json, gather, write_csv
    from warehouse.query import own_file

    settings = settings_of(config)
    _configured(settings, feed)
    form = to.suffix.lower()
    if form not in _PACK_FORMS:
        raise SettingsError(f"--out {to}: a pack is written as {', '.join(_PACK_FORMS)}")
    with _mart(settings) as con, _look(con, settings, f"quality pack {feed}", who, purpose, export=True) as shown:
        made = gather(partial(_rows, con), settings.feed(feed), settings.contacts()[feed])
        shown.rows = len(made.rows) + made.counts["held_back"]
        with own_file(to, text=form != ".xlsx") as file:
            if form == ".xlsx":
                workbook.write(made, file)
            elif form == ".csv":
                write_csv(made, file)
            else:
                file.write(as_json(made))
    counts = made.counts
    out.print(
        f"{plain(to)}, for {plain(made.to)}: {counts['to_put_right']:,} row(s) to put right, {counts['waived']:,} waived, "
        f"{counts['fixed_since_last_load']:,} fixed since the last load, {counts['held_back']:,} held back; as of load {made.load_id}."
    )
    out.print(
        "It holds what records say of children: send it only by a way agreed for that, and delete it when it is done."
    )


@app.command()
def waive(
    rule: Rule,
    reason: Reason,
    author: Author,
    until: Annotated[str, typer.Option(help="Last day on which it counts, YYYY-MM-DD; at most a year ahead.")],
    feed: OfFeed = None,
    row: OfRow = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Lets a standard, or rows of it, fail without counting as open until a day; after it they come back."""
    _act(config, "waive", rule, feed, row, until, reason, author)


@app.command()
def expect(
    rule: Rule,
    reason: Reason,
    author: Author,
    by: Annotated[str, typer.Option(help="Day by which the agency is to have put it right, YYYY-MM-DD.")],
    feed: OfFeed = None,
    row: OfRow = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Notes that a standard, or rows of it, will be put right at the source by a day; overdue, it is shown before all else."""
    _act(config, "expect", rule, feed, row, by, reason, author)


@app.command()
def undo(
    act: Annotated[str, typer.Argument(help="The act's number: tessera quality log.")],
    reason: Reason,
    author: Author,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Takes back a waiver or a promise, or the taking back of one; both stay to be read."""
    taken = _acts(settings_of(config)).undo(act, reason=reason, author=author, decided_at=utc_now())
    out.print(f"{taken}: {plain(act)} no longer counts.")


@app.command()
def log(
    feed: Annotated[str | None, typer.Argument(help="agency.feed; all if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """What people did about what fails, oldest first: waivers, promises, releases from quarantine, undoings."""
    listed = [act for act in _acts(settings_of(config)).listed() if feed is None or act["feed"] == feed]
    rows = [
        {
            **{
                name: act[name]
                for name in ("act_id", "kind", "feed", "expectation", "row_key", "until", "reason", "author")
            },
            "repaired": ", ".join(act["repairs"]),
            **{name: act[name] for name in ("decided_at", "undoes", "status")},
        }
        for act in listed
    ]
    print_rows(rows, as_json, empty="Nobody did anything yet.")


def _act(
    config: Path,
    kind: Literal["waive", "expect"],
    rule: str,
    feed: str | None,
    rows: list[str] | None,
    until: str,
    reason: str,
    author: str,
) -> None:
    """Takes one act on a standard that is judged, and on rows that fail it."""
    from expectations.agenda import why_not_waived

    settings = settings_of(config)
    if feed is not None:
        _configured(settings, feed)
    day = _day(until)
    with _mart(settings) as con:
        today = _rows(con, "SELECT date FROM mart", [])[0]["date"]
        standards = _rows(con, f"{_STANDARDS} ORDER BY feed", [feed])
        found = [row for row in standards if row["expectation"] == rule]
        if not found:
            raise SettingsError(f"{rule}: no standard of that name was judged; see tessera quality --all")
        if len(found) > 1:
            feeds = ", ".join(row["feed"] for row in found)
            raise SettingsError(f"{rule} is a standard of {feeds}; say of which with --feed")
        standard = found[0]
        if kind == "waive" and (why_not := why_not_waived(standard)):
            raise SettingsError(why_not)
        for key in rows or []:
            if not _rows(con, _FAILS, [standard["feed"], rule, key]):
                raise SettingsError(
                    f"--row: no row of that key fails {rule}; keys stand in the column row_key of the pack and of "
                    f"tessera quality {standard['feed']}"
                )
    taken = _acts(settings).until(
        kind,
        standard["feed"],
        rule,
        [*rows] if rows else [None],
        day,
        today=today,
        reason=reason,
        author=author,
        decided_at=utc_now(),
    )
    of = f"{len(rows)} row(s) of {rule}" if rows else rule
    said = "waived up to and including" if kind == "waive" else "expected to be put right by"
    out.print(f"{', '.join(taken)}: {plain(of)} in {standard['feed']}, {said} {day.isoformat()}.")


def _acts(settings: Settings) -> Any:
    """What people did about what fails, in the decisions store of this deployment."""
    from warehouse.keys import load_keys
    from warehouse.quality_acts import QualityActs
    from warehouse.store import Store

    keys = load_keys(settings.keys_path, os.environ, data=settings.data_path)  # before the store makes a file
    return QualityActs(Store(settings.decisions_url), keys.raw("decisions"))


def _configured(settings: Settings, feed: str) -> None:
    if feed not in settings.sources:
        raise SettingsError(f"{feed}: not configured; there are {', '.join(settings.sources)}")


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{text}: not a date; write it as 2026-11-16") from None


@quarantine_app.command("list")
def quarantine_list(
    feed: Annotated[str | None, typer.Argument(help="agency.feed")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Rows held back and why; without their content."""
    with opened(config) as line:
        held = line.warehouse.rows(
            "SELECT quarantine_id, agency || '.' || feed AS feed, load_id, row_number, reason FROM quarantine "
            "WHERE released_load_id IS NULL AND (? IS NULL OR agency || '.' || feed = ?) ORDER BY feed, quarantine_id",
            [feed, feed],
        )
    print_rows(held, as_json, empty="Nothing is held back.")


@quarantine_app.command("show")
def quarantine_show(quarantine_id: str, config: Config = DEFAULT_CONFIG) -> None:
    """One held-back row, as it was received."""
    with opened(config) as line:
        held = line.warehouse.rows("SELECT * FROM quarantine WHERE quarantine_id = ?", [quarantine_id])
    if not held:
        raise SettingsError(f"{quarantine_id}: no such row; see tessera quarantine list")
    out.print_json(json.dumps(held[0], default=str))


@quarantine_app.command("release")
def quarantine_release(
    reason: Annotated[str, typer.Option(help="Why, in words that others will read.")],
    author: Annotated[str, typer.Option("--author", "--by", help="Who releases.")],
    quarantine_id: Annotated[str | None, typer.Argument(help="One row; not with --from.")] = None,
    pack: Annotated[
        Path | None,
        typer.Option("--from", help="A pack that came back: every row held back whose cells were repaired."),
    ] = None,
    value: Annotated[list[str] | None, typer.Option("--set", help="COLUMN=VALUE, to repair one row.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Leave it to the next night.")] = False,
    date: Night = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Puts rows held back through again, repaired if need be, in a load of their own; no file is read again."""
    from pipelines.night import put_through
    from warehouse.quarantine import check, release

    if (quarantine_id is None) == (pack is None):
        raise SettingsError(
            "release takes one row (its quarantine_id, see tessera quarantine list) or --from PACK.xlsx"
        )
    if pack is not None and value:
        raise SettingsError("--set repairs one row; in a pack the cells themselves are repaired")
    with opened(config) as line:
        rows = _from_pack(line, pack) if pack else _one_row(line, str(quarantine_id), value or [])
        if not rows:
            out.print("No cell of a row held back was repaired; nothing was released.")
            return
        for row, (feed, repairs) in rows.items():
            if feed not in line.feeds:
                raise SettingsError(f"{row} is of {feed}, which is not configured; there are {', '.join(line.feeds)}")
            check(line.warehouse, row, repairs)
        acts = line.quality_acts.release(rows, reason=reason, author=author, decided_at=utc_now())
        for row, (_, repairs) in rows.items():
            release(line.warehouse, row, by=author, repairs=repairs)
        out.print(f"{len(rows)} row(s) released: {_some(list(rows))}. Noted as {_some(acts)}.")
        stopped = line.unfinished()
        if wait or stopped:
            after = f"load {stopped}, which has yet to end, or the one after it" if stopped else "the next night"
            out.print(f"They go through with {after}; run tessera nightly{plain(config_option(config))}")
            return
        report = put_through(line, night_of(date, line.settings), sorted({feed for feed, _ in rows.values()}))
        again = line.warehouse.rows(
            "SELECT count(*) AS n FROM quarantine WHERE released_by IS NULL AND list_contains(?::VARCHAR[], quarantine_id)",
            [list(rows)],
        )[0]["n"]
    for books in report.feeds:
        out.print(
            f"  {plain(books['feed'])}: {books['received']} received = {books['landed']} landed + {books['unchanged']} unchanged + "
            f"{books['superseded']} superseded + {books['quarantined']} quarantined"
        )
    if again:
        out.print(f"{again} of them could not be told apart still and are held back again: tessera quarantine list")
    stands = [books for books in report.feeds if books["status"] == "failed"]
    for books in stands:
        out.print(f"[red]{plain(books['feed'])} stands still:[/] {plain(books['message'])}")
    out.print(f"Load {report.load_id} " + ("published." if report.published else "[red]not published[/]."))
    if again or stands or not report.published:
        raise typer.Exit(1)


def _one_row(line: Any, quarantine_id: str, pairs: list[str]) -> dict[str, tuple[str, dict[str, str]]]:
    from warehouse.quarantine import held_rows

    unfit = [number for number, pair in enumerate(pairs, start=1) if "=" not in pair]
    if unfit:
        raise SettingsError(f"--set number {unfit[0]} is not COLUMN=VALUE")
    held = held_rows(line.warehouse, [quarantine_id])[quarantine_id]
    return {quarantine_id: (held["feed"], dict(pair.partition("=")[::2] for pair in pairs))}


def _from_pack(line: Any, pack: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Rows of a pack that came back with a cell repaired; those released before are told and left alone."""
    from expectations.workbook import repairs, returned
    from warehouse.quarantine import held_rows

    cells = returned(pack)
    held = held_rows(line.warehouse, list(cells))
    before = [row for row in cells if held[row]["released_by"] is not None]
    if before:
        out.print(f"{len(before)} row(s) of the pack were released before and are left alone: {_some(before)}")
    found = {row: repairs(held[row]["content"], cells[row]) for row in cells if row not in before}
    return {row: (held[row]["feed"], repaired) for row, repaired in found.items() if repaired}


def _some(names: list[str], most: int = 4) -> str:
    return plain(", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else ""))

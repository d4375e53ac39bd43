"""The command line, `tessera`. It arranges and prints; the work is done by the modules it calls.

Exit 0: done. Exit 1: a load or a check failed, or a store does not open. Exit 2: usage or configuration.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.settings import Settings, SettingsError, load_settings, today

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__.splitlines()[0]
)
sources_app = typer.Typer(invoke_without_command=True, help="What is configured; dry-run one source.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Rows held back, why, and putting them through again.")
identity_app = typer.Typer(no_args_is_help=True, help="Why records are together; decisions of people.")
decisions_app = typer.Typer(no_args_is_help=True, help="Human decisions in bulk.")
linkage_app = typer.Typer(no_args_is_help=True, help="How good the links are.")
for name, sub in (
    ("sources", sources_app),
    ("quarantine", quarantine_app),
    ("identity", identity_app),
    ("decisions", decisions_app),
    ("linkage", linkage_app),
):
    app.add_typer(sub, name=name)

# Not on a terminal (a log, a pipe), tables keep their columns whole.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Config = Annotated[Path, typer.Option("--config", help="The deployment's settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Night = Annotated[str | None, typer.Option("--date", help="The night, YYYY-MM-DD; today if not given.")]
DEFAULT_CONFIG = Path("tessera.yaml")


def main() -> None:
    """The entry point: faults that a user can mend become one clear message and an exit code, never a traceback."""
    logging.getLogger().setLevel(logging.WARNING)
    from pipelines import faults

    try:
        app()
    except SettingsError as error:
        err.print(f"[red]configuration:[/] {_plain(error)}")
        sys.exit(2)
    except faults.expected() as error:
        err.print(f"[red]failed:[/] {_plain(error)}")
        sys.exit(1)
    except Exception as error:
        from pipelines.night import fault

        # What broke could carry a row's values in its message; its kind and place cannot.
        err.print(
            f"[red]failed:[/] an unexpected fault, {_plain(fault(error))}. Nothing half done is served; please report it"
        )
        sys.exit(1)


def _plain(error: object) -> str:
    from rich.markup import escape

    return escape(str(error))


@contextmanager
def _open(config: Path) -> Iterator[Any]:
    """The line of a deployment, locked for writing."""
    from pipelines.line import open_line
    from pipelines.night import locked

    settings = load_settings(config, os.environ)
    with locked(settings), open_line(settings, dict(os.environ)) as line:
        yield line


def _settings(config: Path) -> Settings:
    return load_settings(config, os.environ)


# --- nights ------------------------------------------------------------------------------------------------------


@app.command()
def nightly(
    config: Config = DEFAULT_CONFIG,
    date: Night = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only these feeds (agency.feed).")] = None,
    truth: Annotated[Path | None, typer.Option(help="Who is who in synthetic data, to measure the links.")] = None,
    as_json: AsJson = False,
) -> None:
    """Runs one night: extract → land → check → conform → load → link → identify → publish."""
    settings = _settings(config)
    unknown = [feed for feed in only or [] if feed not in settings.sources]
    if unknown:
        raise SettingsError(f"--only {', '.join(unknown)}: not configured; there are {', '.join(settings.sources)}")
    report = _run(settings, _date(date, settings), only or [], truth, quiet=as_json)
    if as_json:
        out.print_json(json.dumps(report.__dict__, default=str))
    else:
        print_report(report, config)
    if report.failed:
        raise typer.Exit(1)


def _date(text: str | None, settings: Settings) -> dt.date:
    if text is None:
        return today(settings)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--date {text}: not a date; write it as 2026-11-16") from None


def _run(settings: Settings, date: dt.date, only: list[str], truth: Path | None, *, quiet: bool = False) -> Any:
    from pipelines.line import open_line
    from pipelines.night import LEFT_OF_LOAD, RIGHT_OF_LOAD, NightFailed, NightReport, locked, run_night
    from pipelines.notify import notify

    steps = len(only or settings.sources) * len(LEFT_OF_LOAD) + len(RIGHT_OF_LOAD)
    with locked(settings), open_line(settings, dict(os.environ)) as line:
        try:
            with _progress(steps, quiet) as say:
                report = run_night(line, date, only=only, say=say)
        except NightFailed as error:
            failing = [{"feed": "the night", "status": "failed", "message": str(error)}]
            notify(settings.notify, NightReport(date.isoformat(), failing))
            raise
        if truth is not None and truth.exists():
            report.linkage = _against(line, truth)
    if report.failed:
        notify(settings.notify, report)
    return report


def _against(line: Any, truth: Path) -> dict[str, Any]:
    """Precision and recall over the records of the truth that have been received so far."""
    import linkage
    from linkage.evaluate import read_truth

    known = {row[0] for row in line.con.execute("SELECT DISTINCT record_id FROM person_record").fetchall()}
    frame = read_truth(truth)
    received = (frame.agency + "." + frame.feed + ":" + frame.source_person_id).isin(known)
    found = linkage.evaluate(line.con, frame[received].reset_index(drop=True))
    return {
        "precision": found.overall.precision,
        "recall": found.overall.recall,
        "true_pairs": found.overall.true_pairs,
        "false_pairs": found.overall.linked_pairs - found.overall.correct,
        "false_between_multiple_births": found.false_merges.get("multiple_births", 0),
        "not_yet_received": int((~received).sum()),
    }


@contextmanager
def _progress(steps: int, quiet: bool) -> Iterator[Callable[[str, str], None]]:
    """A bar on a terminal, a line a feed otherwise, nothing when a program reads."""
    if quiet:
        yield lambda subject, step: None
    elif out.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=out, transient=True) as progress:
            task = progress.add_task("night", total=steps)

            def advance(subject: str, step: str) -> None:
                progress.update(task, advance=1, description=f"{subject}: {step}")

            yield advance
    else:
        yield (
            lambda subject, step: (
                out.print(f"{subject}: {step}") if step in ("extract", "link", "identify", "publish") else None
            )
        )


def print_report(report: Any, config: Path) -> None:
    """What a night did: books, standards, people, and where each role looks next."""
    out.print(f"\nLoad {report.load_id} " + ("published." if report.published else "[red]not published[/]."))
    table = Table(
        "feed", *[Column_(name) for name in ("received", "landed", "unchanged", "superseded", "quarantined")], "status"
    )
    for feed in report.feeds:
        colour = {"loaded": "green", "nothing_sent": "dim"}.get(feed["status"], "red")
        counts = [f"{feed[name]:,}" for name in ("received", "landed", "unchanged", "superseded", "quarantined")]
        table.add_row(feed["feed"], *counts, f"[{colour}]{feed['status'].replace('_', ' ')}[/]")
    out.print(table)
    for feed in report.feeds:
        if feed["message"]:
            for message in feed["message"].split(" | "):
                out.print(f"  {feed['feed']}: {_plain(message)}")
        if feed["vanished"]:
            out.print(
                f"  {feed['feed']}: {feed['vanished']} no longer mentioned in a full delivery; see nobody_vanished in tessera quality"
            )
    if report.standards:
        failing = "; ".join(
            f"{row['standards']} {row['severity']}{' broken' if row['status'] == 'broken' else ''} ({row['rows']:,} rows)"
            for row in report.standards
        )
        out.print(f"Standards failing: {failing}.")
    else:
        out.print("Standards failing: none.")
    people = report.people
    out.print(
        f"People: {people['people']:,} found in {people['records']:,} records, {people['known_to_several_agencies']:,} known to several "
        f"agencies, {people['changes']:,} identity changes; {people['to_review']:,} pairs left for a person to decide."
    )
    if report.linkage:
        found = report.linkage
        out.print(
            f"Against the truth: precision {found['precision']:.4f}, recall {found['recall']:.4f} of {found['true_pairs']:,} true pairs of "
            f"records; {found['false_pairs']} false pairs, {found['false_between_multiple_births']} of them between twins or triplets."
        )
    where = "" if config == DEFAULT_CONFIG else f" --config {config}"
    out.print("\nNext:")
    out.print(f'  data team        tessera query --role engineer{where} "SELECT * FROM loads"')
    out.print(f"  quality officer  tessera quality{where}")
    out.print(
        f'  analyst          tessera query --role analyst{where} "SELECT event_type, count(*) FROM chronology GROUP BY 1"'
    )
    out.print(f'  practitioner     tessera query --role practitioner{where} "SELECT * FROM children LIMIT 5"')


def Column_(name: str) -> Any:  # noqa: N802 - reads as the type it makes
    from rich.table import Column

    return Column(name, justify="right")


@app.command()
def demo(
    children: Annotated[int, typer.Option(help="How many children the made-up world has.")] = 300,
    seed: Annotated[int, typer.Option(help="Another number makes another world.")] = 7,
    into: Annotated[Path, typer.Option("--out", help="Where the demo lives.")] = Path("data/demo"),
) -> None:
    """Makes a small synthetic world, runs its nights, and prints what was found and what to look at next."""
    from synthetic.world import make_world

    if not (into / "tessera.yaml").exists():
        out.print(f"Making a world of {children} invented children in {into} …")
        make_world(into, children=children, seed=seed, nights=2)
    for number in (1, 2):
        os.environ["NIGHT"] = f"night{number}"
        settings = _settings(into / "tessera.yaml")
        report = _run(settings, dt.date(2026, 11, 15 + number), [], into / "truth" / "records.csv")
        print_report(report, into / "tessera.yaml")


@app.command()
def synth(
    children: Annotated[int, typer.Option(help="How many children.")] = 2000,
    seed: Annotated[int, typer.Option(help="Another number makes another world.")] = 7,
    nights: Annotated[int, typer.Option(help="How many nights of extracts.")] = 3,
    into: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("inbox"),
    broken: Annotated[bool, typer.Option(help="Add a last night on which several feeds are broken.")] = False,
) -> None:
    """Writes the extracts of every feed in their real formats, a tessera.yaml over them, and truth/."""
    from synthetic.world import make_world

    summary = make_world(into, children=children, seed=seed, nights=nights, broken=broken, progress=lambda text: None)
    out.print(
        f"{into}: {nights} night(s), {summary.children:,} invented children and {summary.adults:,} adults in {summary.households:,} "
        f"households, {sum(summary.rows.values()):,} rows in {len(summary.rows)} files and tables. Who is who: {into / 'truth'}."
    )


@app.command()
def publish(config: Config = DEFAULT_CONFIG, date: Night = None) -> None:
    """Links, identifies and publishes what is loaded, without asking any source."""
    with _open(config) as line:
        from pipelines.night import RIGHT_OF_LOAD

        night = line.open_night(_date(date, line.settings))
        for step in RIGHT_OF_LOAD:
            getattr(line, step)(night)
        out.print(f"published load {night.load_id}")


@app.command()
def rollback(config: Config = DEFAULT_CONFIG) -> None:
    """Serves the previous version of every mart again."""
    from pipelines.night import locked
    from warehouse import publish as publishing

    settings = _settings(config)
    with locked(settings):
        out.print(f"now serving load {publishing.rollback(settings.marts_path)}")


@app.command()
def verify(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Proves from landing that the books balance and that nothing received was lost or altered."""
    from pipelines.verify import verify as prove

    with _open(config) as line:
        found = prove(line)
    if as_json:
        out.print_json(json.dumps(found, default=str))
    else:
        for line_of in found["proved"]:
            out.print(f"[green]holds[/]  {_plain(line_of)}")
        for line_of in found["broken"]:
            out.print(f"[red]broken[/] {_plain(line_of)}")
    if found["broken"]:
        raise typer.Exit(1)


# --- sources -----------------------------------------------------------------------------------------------------


@sources_app.callback()
def sources(context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """What is configured, and what each source is expected to send."""
    context.obj = config
    if context.invoked_subcommand:
        return
    from connectors.transports import shown

    settings = _settings(config)
    rows = [
        {
            "feed": name,
            "title": feed.title,
            "from": shown(settings.sources[name].location),
            "delivery": feed.delivery,
            "expect": feed.expect,
            "tables": len(feed.tables),
        }
        for name, feed in settings.feeds().items()
    ]
    _print_rows(rows, as_json)


@sources_app.command("check")
def sources_check(
    context: typer.Context,
    feed: Annotated[str, typer.Argument(help="agency.feed")],
    config: Annotated[Path | None, typer.Option("--config", help="The deployment's settings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reads one source as a night would, shows what it would become, and keeps nothing."""
    from pipelines.line import open_line
    from pipelines.night import run_feed
    from warehouse.schema import COMMON_MODEL

    settings = _settings(config or context.obj)
    if feed not in settings.sources:
        raise SettingsError(f"{feed}: not configured; there are {', '.join(settings.sources)}")
    with tempfile.TemporaryDirectory() as folder:
        trial = settings.model_copy(
            update={
                "data_dir": Path(folder),
                "keys_file": None,
                "decisions": None,
                "sources": {feed: settings.sources[feed]},
            }
        )
        with open_line(trial, {}) as line:
            night = line.open_night(_date(None, trial))
            good = run_feed(line, night, feed)
            files = line.warehouse.rows(
                "SELECT name, table_name, status, received, landed, superseded, quarantined, message FROM received_file ORDER BY name"
            )
            becomes = [
                {"becomes": name, "rows": line.con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]}
                for name in COMMON_MODEL
            ]
            failing = line.warehouse.rows(
                "SELECT expectation, severity, failed, evaluated, status FROM quality_result WHERE status <> 'pass' ORDER BY failed DESC"
            )
            message = line.warehouse.rows("SELECT status, message FROM feed_load")
    if as_json:
        out.print_json(
            json.dumps({"files": files, "becomes": becomes, "failing": failing, "feed": message}, default=str)
        )
    else:
        for rows in (files, [row for row in becomes if row["rows"]], failing, message):
            _print_rows(rows, False)
    if not good or message[0]["status"] in ("failed", "partial"):
        raise typer.Exit(1)


# --- reading marts -----------------------------------------------------------------------------------------------


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="SQL over the views of the role's mart.")],
    role: Annotated[str, typer.Option(help="engineer, quality, analyst or practitioner.")],
    config: Config = DEFAULT_CONFIG,
    as_of: Annotated[str | None, typer.Option("--as-of", help="What was known at this time (ISO).")] = None,
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    to: Annotated[Path | None, typer.Option("--out", help="File to write to; parquet needs one.")] = None,
) -> None:
    """Reads a published mart."""
    from warehouse import query as querying
    from warehouse.keys import ROLES, load_keys

    if role not in ROLES:
        raise SettingsError(f"--role {role}: there is no such role; allowed are {', '.join(ROLES)}")
    settings = _settings(config)
    keys = load_keys(settings.keys_path, os.environ)
    querying.run(settings.marts_path, keys, role, sql, as_of=as_of, output=output, to=to)


# --- quality -----------------------------------------------------------------------------------------------------


@app.command()
def quality(
    feed: Annotated[str | None, typer.Argument(help="agency.feed; all if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
    rows: Annotated[int, typer.Option(help="How many failing rows to show for a feed.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Standards that fail, worst first; with a feed, its failing rows and how to mend them."""
    from warehouse import query as querying
    from warehouse.keys import load_keys

    settings = _settings(config)
    keys = load_keys(settings.keys_path, os.environ)
    where, parameters = ("WHERE status <> 'pass'", [])
    if feed:
        where, parameters = (where + " AND agency || '.' || feed = ?", [feed])
    with querying.open_mart(settings.marts_path, keys, "quality") as con:
        failing = querying.rows(
            con,
            f"SELECT agency || '.' || feed AS feed, expectation, severity, status, failed, evaluated FROM quality_results {where} "
            "ORDER BY list_position(['critical', 'warning', 'info'], severity), status = 'broken' DESC, failed DESC, 1, 2",
            parameters,
        )
        examples = (
            querying.rows(
                con,
                'SELECT expectation, source_file, row_number, local_id, "column", value, hint FROM quality_failures '
                "WHERE agency || '.' || feed = ? ORDER BY expectation, source_file, row_number LIMIT ?",
                [feed, rows],
            )
            if feed
            else []
        )
    if as_json:
        out.print_json(json.dumps({"standards": failing, "rows": examples}, default=str))
        return
    _print_rows(failing, False, empty="Every standard holds.")
    if examples:
        _print_rows(examples, False)


@quarantine_app.command("list")
def quarantine_list(
    feed: Annotated[str | None, typer.Argument(help="agency.feed")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Rows held back and why; without their content."""
    with _open(config) as line:
        held = line.warehouse.rows(
            "SELECT quarantine_id, agency || '.' || feed AS feed, load_id, row_number, reason FROM quarantine "
            "WHERE released_load_id IS NULL AND (? IS NULL OR agency || '.' || feed = ?) ORDER BY feed, quarantine_id",
            [feed, feed],
        )
    _print_rows(held, as_json, empty="Nothing is held back.")


@quarantine_app.command("show")
def quarantine_show(quarantine_id: str, config: Config = DEFAULT_CONFIG) -> None:
    """One held-back row, as it was received."""
    with _open(config) as line:
        held = line.warehouse.rows("SELECT * FROM quarantine WHERE quarantine_id = ?", [quarantine_id])
    if not held:
        raise SettingsError(f"{quarantine_id}: no such row; see tessera quarantine list")
    out.print_json(json.dumps(held[0], default=str))


@quarantine_app.command("release")
def quarantine_release(
    quarantine_id: str,
    by: Annotated[str, typer.Option(help="Who releases it.")],
    value: Annotated[list[str] | None, typer.Option("--set", help="COLUMN=VALUE, to repair it.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Puts one row through again, repaired if need be; the next night takes it up."""
    from warehouse.quarantine import release

    repairs = dict(pair.partition("=")[::2] for pair in value or [])
    with _open(config) as line:
        release(line.warehouse, quarantine_id, by=by, repairs=repairs)
    out.print(f"{quarantine_id} goes through the next night; run tessera nightly")


# --- identity ----------------------------------------------------------------------------------------------------


@identity_app.command("explain")
def identity_explain(
    who: Annotated[str, typer.Argument(help="A person_id, or a record: agency.feed:source_person_id.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Why each record of a person is there, and its nearest rival; without names or dates."""
    import linkage

    with _open(config) as line:
        try:
            found = linkage.explain(line.con, who)
        except KeyError:
            raise SettingsError(
                f"{who}: no such person or record; a record is written agency.feed:source_person_id"
            ) from None
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    out.print(f"{found['person_id']}: {len(found['records'])} record(s)")
    for record in found["records"]:
        out.print(f"  {_plain(record['record_id'])}: {_plain(record['in_words'])}")
        rival = record["nearest_rival"]
        if rival:
            out.print(
                f"    nearest rival: {_plain(rival['record_id'])} of {rival['person_id']} ({_plain(rival['evidence'])})"
            )
    for question in found.get("questions", []):
        pair = f"{question['record_id_a']} and {question['record_id_b']}"
        out.print(f"  for a person to decide: {_plain(pair)}: {_plain(question['reason'])}")


@identity_app.command("history")
def identity_history(
    person: Annotated[str | None, typer.Argument(help="A person_id; the last load's changes if not given.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """What happened to a person's identity, night by night, and why; or what changed last night."""
    with _open(config) as line:
        rows = line.warehouse.rows(
            "SELECT load_id, change, person_id, len(record_ids) AS records, reason FROM identity_change "
            "WHERE person_id = $who OR list_contains(other_person_ids, $who) "
            "OR ($who IS NULL AND load_id = (SELECT max(load_id) FROM night)) ORDER BY load_id, change, person_id",
            {"who": person},
        )
    _print_rows(rows, as_json, empty="Nothing changed.")


@identity_app.command("link")
def identity_link(record_a: str, record_b: str, reason: str, author: str, config: Config = DEFAULT_CONFIG) -> None:
    """Decides that two records are one person; the next night keeps to it."""
    _decide(config, "must_link", record_a, record_b, reason, author)


@identity_app.command("unlink")
def identity_unlink(record_a: str, record_b: str, reason: str, author: str, config: Config = DEFAULT_CONFIG) -> None:
    """Decides that two records are two people; the next night keeps to it."""
    _decide(config, "cannot_link", record_a, record_b, reason, author)


def _decide(config: Path, kind: str, record_a: str, record_b: str, reason: str, author: str) -> None:
    from pipelines.settings import utc_now

    with _open(config) as line:
        for record in (record_a, record_b):
            if not line.con.execute("SELECT 1 FROM person_record WHERE record_id = ?", [record]).fetchone():
                raise SettingsError(f"{record}: no such record; write agency.feed:source_person_id")
        line.decisions.add(kind, record_a, record_b, reason, author, utc_now())
    out.print(f"decided: {kind.replace('_', ' ')}; it counts from the next night on")


@decisions_app.command("import")
def decisions_import(file: Path, config: Config = DEFAULT_CONFIG) -> None:
    """Adds decisions from a CSV file; all of them or none."""
    if not file.exists():
        raise SettingsError(f"{file} does not exist")
    with _open(config) as line:
        out.print(f"{line.decisions.import_csv(file)} decision(s) added; they count from the next night on")


@decisions_app.command("list")
def decisions_list(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Every decision ever taken."""
    with _open(config) as line:
        _print_rows(line.decisions.all(), as_json, empty="No decision was taken yet.")


@linkage_app.command("evaluate")
def linkage_evaluate(
    truth: Annotated[Path, typer.Option(help="CSV: agency, feed, source_person_id and who it truly is.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Precision and recall of the links against a truth, overall and by subgroup."""
    from linkage import evaluate

    if not truth.exists():
        raise SettingsError(f"--truth {truth} does not exist")
    with _open(config) as line:
        found = evaluate(line.con, truth)
    if as_json:
        out.print_json(json.dumps(found.to_dict(), default=str))
        return
    scores = {"overall": found.overall, "across agencies": found.across_agencies}
    scores |= {f"agencies {pair}": score for pair, score in found.by_agency_pair.items()}
    scores |= {f"{column} {value}": score for column, by in found.by_subgroup.items() for value, score in by.items()}
    scores |= {f"trap {trap}": score for trap, score in found.by_trap.items()}
    _print_rows(
        [
            {
                "of": name,
                "precision": f"{score.precision:.4f}",
                "recall": f"{score.recall:.4f}",
                "true pairs": score.true_pairs,
                "missed": score.missed,
                "false": score.linked_pairs - score.correct,
            }
            for name, score in scores.items()
        ],
        False,
    )
    out.print(
        f"False pairs by kind: {found.false_merges or 'none'}. Records of the truth not in the warehouse: {found.missing or 'none'}."
    )


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Fail if a generated page is not current.")] = False,
) -> None:
    """Writes the generated pages of docs/ from the declarations."""
    from pipelines.docs import write_docs

    stale = write_docs(Path(__file__).parent.parent / "docs", check=check)
    if check and stale:
        raise SettingsError(f"not current: {', '.join(stale)}; run: make docs")
    out.print(f"docs: {len(stale)} page(s) written" if not check else "docs: current")


def _print_rows(rows: list[dict[str, Any]], as_json: bool, *, empty: str = "Nothing.") -> None:
    if as_json:
        out.print_json(json.dumps(rows, default=str))
        return
    if not rows:
        out.print(empty)
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*["" if value is None else _plain(value) for value in row.values()])
    out.print(table)


if __name__ == "__main__":
    main()

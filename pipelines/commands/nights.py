"""The night, and what goes with it: run one, try one on invented children, publish, go back, prove."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

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
    print_steps,
    settings_of,
    truth_of,
)
from pipelines.settings import Settings, SettingsError

app = typer.Typer()


@app.command()
def nightly(
    config: Config = DEFAULT_CONFIG,
    date: Night = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only these feeds (agency.feed).")] = None,
    truth: Annotated[Path | None, typer.Option(help="Who is who in synthetic data, to measure the links.")] = None,
    as_json: AsJson = False,
) -> None:
    """Runs one night: extract → land → check → conform → load → link → identify → publish."""
    settings = settings_of(config)
    unknown = [feed for feed in only or [] if feed not in settings.sources]
    if unknown:
        raise SettingsError(f"--only {', '.join(unknown)}: not configured; there are {', '.join(settings.sources)}")
    if truth is not None:
        truth_of(truth)
    report = _run(settings, night_of(date, settings), only or [], truth, quiet=as_json)
    if as_json:
        out.print_json(json.dumps(report.__dict__, default=str))
    else:
        print_report(report, config)
    if report.failed:
        raise typer.Exit(1)


def _run(settings: Settings, date: dt.date, only: list[str], truth: Path | None, *, quiet: bool = False) -> Any:
    from pipelines.erasing import carry_out
    from pipelines.line import open_line
    from pipelines.night import LEFT_OF_LOAD, RIGHT_OF_LOAD, locked, run_night
    from pipelines.notify import notify, telling

    steps = len(only or settings.sources) * len(LEFT_OF_LOAD) + len(RIGHT_OF_LOAD)
    with telling(settings.notify, date.isoformat()), locked(settings):
        carry_out(settings, os.environ)  # what a killed erasure still owes
        with open_line(settings, dict(os.environ)) as line:
            line.truth = truth
            with _progress(steps, quiet) as say:
                report = run_night(line, date, only=only, say=say)
            if truth is not None:
                report.linkage = _against(line, truth)
    if report.failed:
        notify(settings.notify, report)
    return report


def _against(line: Any, truth: Path) -> dict[str, Any]:
    """Precision and recall over the records of the truth that have been received so far."""
    from linkage.evaluate import evaluate, received

    known, not_yet = received(line.con, truth)
    found = evaluate(line.con, known)
    return {
        "precision": found.overall.precision,
        "recall": found.overall.recall,
        "true_pairs": found.overall.true_pairs,
        "false_pairs": found.overall.linked_pairs - found.overall.correct,
        "false_between_multiple_births": found.false_merges.get("multiple_births", 0),
        "not_yet_received": not_yet,
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
    if report.out_of_order:
        out.print(f"[red]Look at the date:[/] {report.out_of_order}.")
    table = Table(
        "feed",
        *[Column(name, justify="right") for name in ("received", "landed", "unchanged", "superseded", "quarantined")],
        "status",
    )
    for feed in report.feeds:
        colour = {"loaded": "green", "nothing_sent": "dim"}.get(feed["status"], "red")
        counts = [f"{feed[name]:,}" for name in ("received", "landed", "unchanged", "superseded", "quarantined")]
        table.add_row(feed["feed"], *counts, f"[{colour}]{feed['status'].replace('_', ' ')}[/]")
    out.print(table)
    for feed in report.feeds:
        if feed["message"]:
            for message in feed["message"].split(" | "):
                out.print(f"  {feed['feed']}: {plain(message)}")
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
    if report.next:
        print_steps(report.next, config_option(config), most=5)
    people = report.people
    out.print(
        f"People: {people['people']:,} found in {people['records']:,} records, {people['known_to_several_agencies']:,} known to several "
        f"agencies, {people['changes']:,} identity changes; {people['to_review']:,} pairs left for a person to decide."
    )
    for found in people["measured"]:
        out.print(
            f"By what people said of {found['pairs']} pairs of sample {found['basis']}: {found['measure']} of the links "
            f"{found['share']:.4f} ({found['low']:.4f} to {found['high']:.4f})."
        )
    for alert in people["alerts"]:
        out.print(f"[red]Look at the links:[/] {plain(alert)}.")
    if report.linkage:
        found = report.linkage
        out.print(
            f"Against the truth: precision {found['precision']:.4f}, recall {found['recall']:.4f} of {found['true_pairs']:,} true pairs of "
            f"records; {found['false_pairs']} false pairs, {found['false_between_multiple_births']} of them between twins or triplets."
        )
    where = config_option(config)
    out.print("\nNext:")
    out.print(f'  data team        tessera query --role engineer{where} "SELECT * FROM loads"')
    out.print(f"  quality officer  tessera quality{where}")
    out.print(
        f'  analyst          tessera query --role analyst{where} "SELECT event_type, count(*) FROM chronology GROUP BY 1"'
    )
    out.print(
        f'  practitioner     tessera query --role practitioner{where} "SELECT person_id, rule, explanation FROM signals", '
        f'then tessera child PERSON --purpose "…"{where}'
    )
    out.print(f"  in a browser     tessera console accounts add NAME --role ROLE{where}, then tessera console{where}")


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
        settings = settings_of(into / "tessera.yaml")
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
def publish(
    config: Config = DEFAULT_CONFIG,
    date: Night = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Make every mart anew; take nothing over from the last ones.")
    ] = False,
) -> None:
    """Links, identifies and publishes what is loaded, without asking any source."""
    with opened(config) as line:
        from pipelines.night import out_of_order

        night = line.open_night(night_of(date, line.settings))
        line.link(night)
        line.identify(night)
        made = line.publish(night, whole=whole)
        how = (
            f"every mart made whole ({made.whole_because})"
            if made.whole_because
            else "in the last marts, what was touched"
        )
        out.print(f"published load {night.load_id}: {how}")
        if told := out_of_order(line, night):
            out.print(f"[red]Look at the date:[/] {told}.")


@app.command()
def rollback(config: Config = DEFAULT_CONFIG) -> None:
    """Serves the previous version of every mart again."""
    from pipelines.night import locked
    from warehouse import publish as publishing

    settings = settings_of(config)
    with locked(settings):
        out.print(f"now serving load {publishing.rollback(settings.marts_path)}")


@app.command()
def rebuild(
    config: Config = DEFAULT_CONFIG,
    switch: Annotated[bool, typer.Option("--switch", help="Use the rebuilt core from now on, and publish it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Recomputes the core from landing and decisions, and proves that it is the same; with --switch, uses it."""
    from pipelines.night import locked
    from pipelines.rebuild import rebuild as recompute

    settings = settings_of(config)
    with locked(settings):
        found = recompute(settings, dict(os.environ), switch=switch)
    if as_json:
        out.print_json(json.dumps(found.__dict__))
    else:
        out.print(
            f"{found.nights} night(s) recomputed from landing: {found.rows:,} rows of the warehouse's own tables."
        )
        for line_of in found.left_out:
            out.print(f"  left out: {plain(line_of)}")
        if not found.compared:
            out.print(
                "There is no core in use that opens, so nothing was compared; rows released from quarantine are not in it."
            )
        elif found.differing:
            for table, rows in found.differing.items():
                out.print(f"[red]differs[/]  {plain(table)}: {rows:,} row(s) in one of the two only")
        else:
            out.print("[green]same[/]  every table is, row by row, what is in use.")
        if found.switched:
            out.print("The rebuilt core is in use and published; the one before is core.before-rebuild.duckdb.")
        elif found.differing or not found.compared:
            out.print("Nothing was changed; tessera rebuild --switch uses the rebuilt core.")
    if found.differing and not found.switched:
        raise typer.Exit(1)


@app.command()
def verify(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Proves that the books balance, and that nothing received was lost or altered, nor what people did."""
    from pipelines.verify import verify as prove

    with opened(config) as line:
        found = prove(line)
    if as_json:
        out.print_json(json.dumps(found, default=str))
    else:
        for line_of in found["proved"]:
            out.print(f"[green]holds[/]  {plain(line_of)}")
        for line_of in found["broken"]:
            out.print(f"[red]broken[/] {plain(line_of)}")
    if found["broken"]:
        raise typer.Exit(1)

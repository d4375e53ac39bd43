"""How good the links are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.terminal import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    Night,
    night_of,
    opened,
    out,
    plain,
    print_rows,
    settings_of,
    truth_of,
)
from pipelines.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="How good the links are.")


@app.command("evaluate")
def linkage_evaluate(
    truth: Annotated[
        Path, typer.Option(help="CSV: agency, feed, source_person_id, and in true_person_id who it truly is.")
    ],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Precision and recall of the links against a truth, overall and by subgroup."""
    from linkage.evaluate import evaluate, received

    truth_of(truth)
    with opened(config) as line:
        known, not_yet = received(line.con, truth)
        found = evaluate(line.con, known)
    if as_json:
        out.print_json(json.dumps(found.to_dict() | {"not_yet_received": not_yet}, default=str))
        return
    scores = {"overall": found.overall, "across agencies": found.across_agencies}
    for words, score in {
        "overall, leaving out records the truth calls hopeless": found.without_insufficient_evidence,
        "overall, with a perfect reviewer": found.with_perfect_reviewer,
        "both": found.with_perfect_reviewer_without_insufficient_evidence,
    }.items():
        if score is not None:
            scores[words] = score
    scores |= {f"agencies {pair}": score for pair, score in found.by_agency_pair.items()}
    scores |= {f"{column} {value}": score for column, by in found.by_subgroup.items() for value, score in by.items()}
    scores |= {f"trap {trap}": score for trap, score in found.by_trap.items()}
    print_rows([_told(name, score) for name, score in scores.items()], False)
    asked = found.review_load
    out.print(
        f"Left to a reviewer: {asked['questions']:,.0f} pairs, {100 * asked['per_record']:.2f} for every 100 records."
    )
    gaps = ", ".join(
        f"{column} {100 * gap:.1f} points ({found.widest_apart[column][0]} to {found.widest_apart[column][1]}; "
        f"chance alone gives up to {100 * found.gap_by_chance[column]:.1f})"
        for column, gap in found.largest_recall_gap.items()
    )
    out.print(
        f"Largest gap in recall between groups of at least 100 true pairs: {gaps or 'no such groups in this truth'}."
    )
    out.print(
        f"False pairs by kind: {found.false_merges or 'none'}. Records of the truth that no night has received, left out: {not_yet:,}."
    )


# Fewer pairs than this may be one family's: their figures could tell who it is, and say nothing of a group.
FEWEST = 10


def _told(name: str, score: Any) -> dict[str, str]:
    """One line of the report; of small numbers nothing but that they are small."""
    if max(score.true_pairs, score.linked_pairs) < FEWEST:
        return {
            "of": name, "precision": f"fewer than {FEWEST} pairs", "19 times in 20": "", "recall": "", "(recall)": "",
            "true pairs": "", "missed": "", "false": "",
        }  # fmt: skip
    figures = score.to_dict()
    return {
        "of": name,
        "precision": f"{score.precision:.4f}",
        "19 times in 20": "{:.4f}–{:.4f}".format(*figures["precision_interval"]),
        "recall": f"{score.recall:.4f}",
        "(recall)": "{:.4f}–{:.4f}".format(*figures["recall_interval"]),
        "true pairs": f"{score.true_pairs:,}",
        "missed": f"{score.missed:,}",
        "false": f"{score.false_merges:,}",
    }


@app.command("review")
def linkage_review(
    blind: Annotated[bool, typer.Option("--blind", help="Without scores and the machine's reasons.")] = False,
    limit: Annotated[int, typer.Option(help="How many, from the most valuable.")] = 20,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Pairs for a person to decide, the most valuable answer first: children under protection, then what brings agencies together."""
    from linkage.review import queue

    with opened(config) as line:
        answered = [(pair["record_id_a"], pair["record_id_b"]) for pair in line.decisions.as_pairs()]
        rows = queue(line.con, sealed=line.sealed_records(), answered=answered, blind=blind)
    shown = rows[:limit]
    if as_json:
        out.print_json(json.dumps(shown))
        return
    if not shown:
        out.print("Nothing is left to decide.")
    # Lines and not a table: a table cuts identifiers to the width of the screen, and they are to be copied.
    for number, row in enumerate(shown, start=1):
        score = "" if blind else f", probability {row['match_probability']:.3f}"
        risk = ", a child under protection or in care" if row["safety_relevant"] else ""
        out.print(f"{number}. {plain(row['record_id_a'])} {plain(row['record_id_b'])}")
        out.print(
            f"   {plain(', '.join(row['agencies']))}; {row['records_joined']} records in all, since {row['since_load']}{risk}{score}"
        )
        if not blind:
            out.print(f"   {plain(row['reason'])}")
    out.print(
        f"{len(shown)} of {len(rows)} open. Answer with tessera identity link or unlink RECORD RECORD --reason … --author …"
    )


# More than this nobody decides with care.
MOST_DRAWN = 5_000

sample_app = typer.Typer(
    no_args_is_help=True, help="Random pairs that people decide blind, by which the links are measured."
)
app.add_typer(sample_app, name="sample")


@sample_app.command("draw")
def sample_draw(
    pairs: Annotated[int, typer.Option(help="About how many; a stratum gets at least ten.")] = 300,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Draws pairs of records at random, linked and not, to be decided blind. They are in the reviewer's mart from the next night on."""
    from linkage.sample import SampleError, draw
    from pipelines.settings import utc_now

    if not 1 <= pairs <= MOST_DRAWN:
        raise SettingsError(f"--pairs {pairs}: from 1 to {MOST_DRAWN:,}; people are to decide them all")
    with opened(config) as line:
        nights = line.warehouse.rows("SELECT load_id, status FROM night ORDER BY load_seq DESC LIMIT 1")
        if not nights:
            raise SettingsError("no night has linked records yet; run tessera nightly first")
        load_id = nights[0]["load_id"]
        if nights[0]["status"] != "published":
            raise SettingsError(f"load {load_id} is not published; finish that night first (tessera nightly)")
        given_up = len(line.questions_of_samples())
        settings = line.linkage_settings()
        try:
            drawn = draw(
                line.con,
                pairs=pairs,
                seed=f"{line.samples.newest() + 1} {load_id}",
                model=settings.model,
                max_block=settings.max_block,
                without=line.records_of_seals(),
                decided=[(pair["record_id_a"], pair["record_id_b"]) for pair in line.decisions.as_pairs()],
            )
        except SampleError as error:
            raise SettingsError(str(error)) from None
        if not drawn:
            raise SettingsError("there is no pair to draw: nothing was compared that people have not decided")
        sample = line.samples.add(drawn, load_id=load_id, drawn_at=utc_now())
    if given_up:
        out.print(f"{given_up} pairs of sample {sample - 1} had no answer; they are no longer asked.")
    out.print(
        f"Sample {sample}: {len(drawn)} pairs of load {load_id}. Decide them all, in this order: tessera linkage sample list"
    )


@sample_app.command("list")
def sample_list(
    limit: Annotated[int, typer.Option(help="How many, from the first that waits.")] = 20,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Pairs of the newest sample that wait for an answer, in random order. Nothing tells what the machine holds of them."""
    with opened(config) as line:
        if not line.samples.newest():
            raise SettingsError("there is no sample yet; draw one with tessera linkage sample draw")
        rows = line.questions_of_samples()
    if as_json:
        out.print_json(json.dumps(rows[:limit]))
        return
    # Lines and not a table, which cuts identifiers to the width of the screen: they are to be copied.
    for row in rows[:limit]:
        out.print(f"{plain(row['record_id_a'])} {plain(row['record_id_b'])}")
    if not rows:
        out.print("Every pair of the newest sample is answered; see tessera linkage quality after the next night.")
        return
    out.print(
        f"{len(rows)} pairs of sample {rows[0]['sample']} wait, drawn of load {rows[0]['load_id']}. Read both in the view review_pairs of "
        "the reviewer's mart; answer with tessera identity link or unlink RECORD RECORD --reason … --author …"
    )


@app.command("quality")
def linkage_quality(
    by: Annotated[
        str, typer.Option(help="all, agencies, ethnicity, sex, age_band, name_origin, area or deprivation.")
    ] = "all",
    nights: Annotated[int, typer.Option(help="How many loads back.")] = 7,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Precision and recall as each night kept them, by a clerical sample or a truth, with the limits they lie within 19 times in 20."""
    from linkage.quality import GROUPINGS

    if by not in GROUPINGS:
        raise SettingsError(f"--by {by}: one of {', '.join(GROUPINGS)}")
    with opened(config) as line:
        rows = line.warehouse.rows(
            "SELECT measure, group_name, kind, basis, load_id, share, low, high, pairs, alert "
            "FROM linkage_quality JOIN night USING (load_id) WHERE grouped_by = ? AND load_id IN "
            "(SELECT load_id FROM night SEMI JOIN linkage_quality USING (load_id) ORDER BY load_seq DESC LIMIT ?) "
            "ORDER BY measure, group_name, kind, load_seq",
            [by, nights],
        )
    if not as_json:
        for row in rows:
            row |= {name: f"{row[name]:.4f}" for name in ("share", "low", "high")}
    print_rows(
        rows,
        as_json,
        empty="Nothing was measured yet, or no group is large enough. Draw a sample (tessera linkage sample draw) and decide its pairs; "
        "figures come with the night after each kind of pair that was drawn has an answer.",
    )


@app.command("trend")
def linkage_trend(
    nights: Annotated[int, typer.Option(help="How many loads back.")] = 7,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """What each night measured of its links, and what rose: shares, and persons in whom two children may have been made one."""
    from linkage.watch import WORDS

    with opened(config) as line:
        rows = line.warehouse.rows(
            "SELECT measure, load_id, cases, of, alert FROM linkage_measure JOIN night USING (load_id) WHERE load_id IN "
            "(SELECT load_id FROM night SEMI JOIN linkage_measure USING (load_id) ORDER BY load_seq DESC LIMIT ?) "
            "ORDER BY measure, load_seq",
            [nights],
        )
    for row in rows:
        row["counts"] = WORDS.get(row["measure"], "records whose value was not used as it stands")
    print_rows(rows, as_json, empty="No night has measured its links yet.")


@app.command("agreement")
def linkage_agreement(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """How far reviewers agree on the pairs that both answered, and what people said of what the machine held."""
    from linkage.review import agreement, clerical

    with opened(config) as line:
        answers = line.decisions.answers()
        found = {"reviewers": agreement(answers), "machine": clerical(line.con, answers)}
    if as_json:
        out.print_json(json.dumps(found))
        return
    print_rows(found["reviewers"], False, empty="No pair was answered by two reviewers yet.")
    print_rows(found["machine"], False, empty="No decision was taken yet.")


@app.command("train")
def linkage_train(
    config: Config = DEFAULT_CONFIG,
    date: Night = None,
    keep: Annotated[
        bool, typer.Option("--keep/--dry-run", help="Keep the model as a new version, or only show it.")
    ] = True,
    use: Annotated[bool, typer.Option("--use", help="Let nights score with it from now on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fits the model's rates to this deployment's records, as a new version. No night does this; none uses it unless told to."""
    from dataclasses import asdict

    import linkage

    with opened(config) as line:
        confirmed = [
            (pair["record_id_a"], pair["record_id_b"])
            for pair in line.decisions.as_pairs()
            if pair["kind"] == "must_link"
        ]
        settings = line.linkage_settings()
        trained = linkage.train(line.con, today=night_of(date, line.settings), settings=settings, confirmed=confirmed)
        models = line.models()
        version = models.keep(trained.model).version if keep or use else None
        if use:
            models.use(str(version))
    rows = [asdict(row) for row in trained.fitted]
    if as_json:
        found = {"version": version, "anchored": trained.anchored, "confirmed": trained.confirmed, "levels": rows}
        out.print_json(json.dumps(found))
        return
    for row in rows:
        row |= {name: f"{row[name]:+.2f}" for name in ("weight_before", "weight_after")}
    print_rows(rows, False)
    out.print(
        f"Counted on {trained.anchored:,} pairs anchored by a number across agencies and {trained.confirmed:,} confirmed by people."
    )
    if version:
        out.print(
            f"Kept as {version}{', current from the next night on' if use else ''}. "
            f"What it would change: tessera linkage whatif --model {version}. Use it: tessera linkage use {version}"
        )


@app.command("models")
def linkage_models(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """The versions of the model that are kept, and which one nights score with."""
    import linkage

    models = linkage.Models(settings_of(config).models_path)
    current = models.current_version()
    print_rows([{"version": v, "current": "yes" if v == current else ""} for v in models.versions()], as_json)


@app.command("use")
def linkage_use(
    version: Annotated[str, typer.Argument(help="A version, as in linkage models.")], config: Config = DEFAULT_CONFIG
) -> None:
    """Lets nights score with a version from now on; going back to an earlier one is the same."""
    with opened(config) as line:
        line.models().use(version)
    out.print(f"{version} is current from the next night on")


@app.command("whatif")
def linkage_whatif(
    threshold: Annotated[
        float | None, typer.Option(help="Probability from which on two records are one person.")
    ] = None,
    potential: Annotated[float | None, typer.Option(help="Probability from which on a person is asked.")] = None,
    model: Annotated[str | None, typer.Option(help="A kept version of the model instead of the current one.")] = None,
    config: Config = DEFAULT_CONFIG,
    date: Night = None,
    as_json: AsJson = False,
) -> None:
    """Which persons, links and questions would change with another threshold or model. Writes nothing."""
    from dataclasses import asdict, replace

    import linkage

    for name, value in (("threshold", threshold), ("potential", potential)):
        if value is not None and not 0 < value <= 1:
            raise SettingsError(f"--{name} {value}: a probability above 0, at most 1")
    if threshold is None and potential is None and model is None:
        raise SettingsError("what if what? Give --threshold, --potential or --model")
    with opened(config) as line:
        now = line.linkage_settings()
        other = line.models().read(model) if model else now.model
        other = replace(
            other, match_at=threshold or now.model.match_at, potential_at=potential or now.model.potential_at
        )
        found = linkage.whatif(
            line.con,
            today=night_of(date, line.settings),
            now=now,
            then=replace(now, model=other),
            decisions=line.decisions_for_linkage(),
        )
    if as_json:
        out.print_json(json.dumps(asdict(found)))
        return
    for change in found.changes:
        change |= {name: ", ".join(change[name]) for name in ("person_ids", "agencies")}
    print_rows(found.changes, False, empty="No person would change.")
    out.print(
        f"Persons {found.clusters_now:,} → {found.clusters_then:,}; pairs of records held together: {found.links_added:,} more, "
        f"{found.links_dropped:,} fewer; questions {found.questions_now:,} → {found.questions_then:,}. Nothing was written."
    )

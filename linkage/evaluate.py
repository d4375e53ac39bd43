"""Measures links against a truth: precision, recall and false merges, overall and where it matters, with intervals.

What lives here: counting. Pairs are never enumerated, only counted from group sizes, so that a million records take seconds. What must
not: any threshold, and any record's content; results are counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from linkage.components import components

PERSON_COLUMNS = ("true_person_id", "simulant_id", "cluster")
SUBGROUPS = ("ethnic_group", "ethnicity", "sex", "name_origin", "age_band", "deprivation")
KEY = ["agency", "feed", "source_person_id"]
# So many that the highest of twenty is known to a tenth of itself.
SHUFFLES = 400


@dataclass(frozen=True)
class Score:
    """Pairs of records: how many are true, how many were linked, how many both; Wilson intervals at 95 %."""

    true_pairs: int
    linked_pairs: int
    correct: int

    @property
    def precision(self) -> float:
        return self.correct / self.linked_pairs if self.linked_pairs else 1.0

    @property
    def recall(self) -> float:
        return self.correct / self.true_pairs if self.true_pairs else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def false_merges(self) -> int:
        return self.linked_pairs - self.correct

    @property
    def missed(self) -> int:
        return self.true_pairs - self.correct

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "precision": round(self.precision, 5),
            "recall": round(self.recall, 5),
            "f1": round(self.f1, 5),
            "precision_interval": wilson(self.correct, self.linked_pairs),
            "recall_interval": wilson(self.correct, self.true_pairs),
        }


def wilson(hits: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Where the proportion lies, 19 times in 20. Pairs of one family are not independent, so it is a little too narrow."""
    if not trials:
        return (0.0, 1.0)
    share = hits / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return (round(max(0.0, (centre - spread) / scale), 5), round(min(1.0, (centre + spread) / scale), 5))


@dataclass
class Evaluation:
    """All figures of one evaluation; to_dict() for JSON."""

    records: int
    persons_true: int
    persons_found: int
    overall: Score
    across_agencies: Score
    by_agency_pair: dict[str, Score] = field(default_factory=dict)
    by_subgroup: dict[str, dict[str, Score]] = field(default_factory=dict)
    largest_recall_gap: dict[str, float] = field(default_factory=dict)
    # Between which groups: the one with the lowest recall first.
    widest_apart: dict[str, tuple[str, str]] = field(default_factory=dict)
    # The gap that 19 in 20 would stay below if groups of these sizes did not differ at all.
    gap_by_chance: dict[str, float] = field(default_factory=dict)
    by_trap: dict[str, Score] = field(default_factory=dict)
    without_insufficient_evidence: Score | None = None
    false_merges: dict[str, int] = field(default_factory=dict)
    with_perfect_reviewer: Score | None = None
    with_perfect_reviewer_without_insufficient_evidence: Score | None = None
    review_load: dict[str, float] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        def plain(value: Any) -> Any:
            if isinstance(value, Score):
                return value.to_dict()
            if isinstance(value, dict):
                return {key: plain(entry) for key, entry in value.items()}
            return value

        return {name: plain(value) for name, value in vars(self).items()}


def _pairs(sizes: pd.Series) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _count(frame: pd.DataFrame, columns: Sequence[str]) -> int:
    return _pairs(frame.groupby(list(columns), sort=False).size()) if len(frame) else 0


def _score(frame: pd.DataFrame) -> Score:
    return Score(_count(frame, ["who"]), _count(frame, ["found"]), _count(frame, ["who", "found"]))


def _minus(whole: Score, part: Score) -> Score:
    return Score(
        whole.true_pairs - part.true_pairs, whole.linked_pairs - part.linked_pairs, whole.correct - part.correct
    )


def _touching(frame: pd.DataFrame, inside: pd.Series) -> Score:
    """Pairs of which at least one record is inside."""
    return _minus(_score(frame), _score(frame[~inside]))


class TruthError(Exception):
    """A truth cannot be used. The message names its columns, never a value."""


def read_truth(truth: Path | pd.DataFrame) -> pd.DataFrame:
    """The truth with its columns in one spelling; all text. Raises TruthError."""
    try:
        frame = (
            truth.copy() if isinstance(truth, pd.DataFrame) else pd.read_csv(truth, dtype=str, keep_default_na=False)
        )
    except (OSError, ValueError) as error:  # no `from`: what broke could carry a row
        raise TruthError(
            f"{truth}: cannot be read as CSV in UTF-8 ({type(error).__name__}); check the path and the file"
        ) from None
    frame.columns = [str(column).strip().lower() for column in frame.columns]
    who = next((column for column in PERSON_COLUMNS if column in frame.columns), None)
    lacking = sorted(set(KEY) - set(frame.columns))
    if lacking or who is None:
        needed = lacking + ([] if who else ["one of " + ", ".join(PERSON_COLUMNS)])
        raise TruthError(
            f"the truth lacks the column(s) {', '.join(needed)}; "
            "it is a CSV of agency, feed, source_person_id, and in true_person_id who it truly is"
        )
    frame = frame.fillna("").astype(str)
    frame["agency"] = frame.agency.str.strip().str.lower()
    frame["feed"] = frame.feed.str.strip().str.lower().str.rsplit(".", n=1).str[-1]
    frame["source_person_id"] = frame.source_person_id.str.strip()
    frame["who"] = frame[who]
    return frame


def received(con: duckdb.DuckDBPyConnection, truth: Path | pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The truth about records that some night has received, and of how many others it speaks: those are nobody's miss."""
    known = {row[0] for row in con.execute("SELECT DISTINCT record_id FROM person_record").fetchall()}
    frame = read_truth(truth)
    here = (frame.agency + "." + frame.feed + ":" + frame.source_person_id).isin(known)
    return frame[here].reset_index(drop=True), int((~here).sum())


def _found(con: duckdb.DuckDBPyConnection, truth: pd.DataFrame) -> pd.DataFrame:
    """The truth with the person each record is linked to; a record that is absent or linked nowhere is somebody of its own."""
    links = con.execute("SELECT record_id, person_id FROM link WHERE unlinked_at IS NULL").df()
    frame = truth.copy()
    frame["record_id"] = frame.agency + "." + frame.feed + ":" + frame.source_person_id
    frame = frame.drop_duplicates("record_id").merge(links, on="record_id", how="left").reset_index(drop=True)
    frame["absent"] = frame.person_id.isna()
    codes, _ = pd.factorize(frame.person_id)
    frame["found"] = np.where(codes >= 0, codes, -1 - np.arange(len(frame)))
    frame["who"] = pd.factorize(frame.who)[0]
    frame["hopeless"] = _hopeless(frame)
    return frame


def _traps_of(frame: pd.DataFrame) -> pd.Series:
    """The traps each record is labelled with, without what is said of them."""
    traps = frame["traps"] if "traps" in frame else pd.Series("", index=frame.index)
    return traps.str.split(";").map(lambda names: {name.split(":")[0] for name in names if name})


def _hopeless(frame: pd.DataFrame) -> pd.Series:
    """Records that the truth itself says cannot be placed by what they hold."""
    labelled = _traps_of(frame).map(lambda names: "insufficient_evidence" in names).astype(bool)
    if "insufficient_evidence" in frame:
        labelled |= frame.insufficient_evidence.str.lower().isin(["1", "true", "yes"])
    return labelled


def evaluate(con: duckdb.DuckDBPyConnection, truth: Path | pd.DataFrame, *, night: int | None = None) -> Evaluation:
    """Scores the links that stand in the connection's current database. Records with role adult count only as false merges."""
    frame = read_truth(truth)
    if night is not None and "night" in frame:
        frame = frame[frame.night.astype(int) <= night]
    frame = _found(con, frame)
    adult = frame["role"].eq("adult") if "role" in frame else pd.Series(False, index=frame.index)
    everybody, frame = frame, frame[~adult].reset_index(drop=True)

    overall = _score(frame)
    within = Score(
        _count(frame, ["who", "agency"]), _count(frame, ["found", "agency"]), _count(frame, ["who", "found", "agency"])
    )
    result = Evaluation(
        records=len(frame),
        persons_true=int(frame.who.nunique()),
        persons_found=int(frame.found.nunique()),
        overall=overall,
        across_agencies=_minus(overall, within),
    )
    agencies = sorted(frame.agency.unique())
    alone = {agency: _score(frame[frame.agency == agency]) for agency in agencies}
    for i, first in enumerate(agencies):
        result.by_agency_pair[f"{first}~{first}"] = alone[first]
        for second in agencies[i + 1 :]:
            both = _score(frame[frame.agency.isin([first, second])])
            result.by_agency_pair[f"{first}~{second}"] = _minus(_minus(both, alone[first]), alone[second])
    for column in SUBGROUPS:
        if column in frame:
            groups = {
                str(value): _touching(frame, frame[column] == value)
                for value in sorted(frame[column].unique())
                if value
            }
            result.by_subgroup[column] = groups
            # Below a hundred pairs one family decides: no comparison is made of them.
            enough = sorted((score.recall, value) for value, score in groups.items() if score.true_pairs >= 100)
            if len(enough) > 1:
                result.largest_recall_gap[column] = round(enough[-1][0] - enough[0][0], 5)
                result.widest_apart[column] = (enough[0][1], enough[-1][1])
                result.gap_by_chance[column] = gap_by_chance(frame, column, [value for _, value in enough])
    _traps(frame, result)
    _false_merges(frame, everybody, result)
    _review(con, everybody, result)
    absent = frame[frame.absent]
    result.missing = {
        f"{agency}.{feed}": int(count) for (agency, feed), count in absent.groupby(["agency", "feed"]).size().items()
    }
    return result


def gap_by_chance(frame: pd.DataFrame, column: str, groups: Sequence[str]) -> float:
    """Children are dealt to the groups anew, each whole: one child's pairs are linked or missed together, and are no independent trials."""
    child = frame.groupby("who", sort=True)
    pairs = child.size() * (child.size() - 1) // 2
    held = frame.groupby(["who", "found"], sort=False).size()
    linked = (held * (held - 1) // 2).groupby("who").sum()
    code = pd.Categorical(child[column].max(), categories=groups).codes
    inside = code >= 0
    deal = np.random.default_rng(0)
    gaps = []
    for _ in range(SHUFFLES):
        dealt = deal.permutation(code[inside])
        true = np.bincount(dealt, weights=pairs[inside], minlength=len(groups))
        recall = np.bincount(dealt, weights=linked[inside], minlength=len(groups)) / np.maximum(true, 1)
        gaps.append(recall.max() - recall.min())
    return round(float(np.quantile(gaps, 0.95)), 5)


def _traps(frame: pd.DataFrame, result: Evaluation) -> None:
    if "traps" not in frame and "insufficient_evidence" not in frame:
        return
    labelled = _traps_of(frame)
    for name in sorted(set().union(*labelled)) if len(labelled) else ():
        result.by_trap[name] = _touching(frame, labelled.map(lambda names, name=name: name in names))
    result.without_insufficient_evidence = _score(frame[~frame.hopeless])


def _false_merges(frame: pd.DataFrame, everybody: pd.DataFrame, result: Evaluation) -> None:
    kinds = {
        "same_household": "household_id",
        "multiple_births": "multiple_birth_set",
        "adopted": "adopted_group",
        "shared_number": "shared_nhs_group",
        "namesakes": "namesake_group",
    }
    result.false_merges["all"] = result.overall.false_merges
    for kind, column in kinds.items():
        if column in frame:
            grouped = frame[frame[column] != ""]
            result.false_merges[kind] = _count(grouped, ["found", column]) - _count(grouped, ["found", column, "who"])
    if "role" in everybody:
        roles = everybody.groupby("found").role.agg(
            adults=lambda role: (role == "adult").sum(), children=lambda role: (role != "adult").sum()
        )
        result.false_merges["child_with_adult"] = int((roles.adults * roles.children).sum())


def _review(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, result: Evaluation) -> None:
    """What people are asked, and what the links would be if they always answered right."""
    asked = con.execute("SELECT record_id_a, record_id_b FROM potential_match").df()
    # A stable number for each record of the truth.
    number = pd.Series(np.arange(len(frame)), index=frame.record_id)
    known = asked[asked.record_id_a.isin(number.index) & asked.record_id_b.isin(number.index)]
    a = number.loc[known.record_id_a].to_numpy(dtype=np.int64)
    b = number.loc[known.record_id_b].to_numpy(dtype=np.int64)
    who = frame.who.to_numpy()
    right = who[a] == who[b]
    result.review_load = {
        "questions": len(asked),
        "per_record": round(len(asked) / len(frame), 5) if len(frame) else 0.0,
        "answered_yes": int(right.sum()),
        "share_yes": round(float(right.mean()), 4) if len(right) else 0.0,
    }
    first = frame.groupby("found").cumcount() == 0
    head = pd.Series(np.flatnonzero(first), index=frame.found[first])
    same = head.loc[frame.found].to_numpy(dtype=np.int64)
    joined = components(
        len(frame), np.concatenate([np.arange(len(frame), dtype=np.int64), a[right]]), np.concatenate([same, b[right]])
    )
    reviewed = frame.assign(found=joined)
    if "role" in reviewed:
        reviewed = reviewed[reviewed.role != "adult"]
    result.with_perfect_reviewer = _score(reviewed)
    result.with_perfect_reviewer_without_insufficient_evidence = _score(reviewed[~reviewed.hopeless])

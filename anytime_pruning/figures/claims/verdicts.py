"""Judge the claims of the paper on the streams where they were made, under each protocol by itself."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from anytime_pruning.figures.claims.decisions import ALPHA, NOT_TESTED, REFUTED, REPRODUCED
from anytime_pruning.figures.claims.definitions import NOISY_SIZES, Claim, Side
from anytime_pruning.figures.claims.described_runs import describe_run
from anytime_pruning.figures.claims.judgement import Judgement, judge
from anytime_pruning.figures.claims.measures import NOISE_COLUMNS, measure_runs
from anytime_pruning.figures.seed_statistics import holm
from anytime_pruning.figures.series import PROTOCOLS, STREAM


def check(claims: list[Claim], tables: Mapping[str, pd.DataFrame], runs_dir: Path) -> pd.DataFrame:
    """Judge each claim on every stream where it was made, once for each protocol.

    Runs are compared with runs of the same protocol alone.

    Args:
        claims: the claims of the paper.
        tables: the collected tables `runs`, `megabatches` and `layers` by name.
        runs_dir: folder of the runs, whose settings are read.

    Returns:
        A row for each claim, each stream that the claim is about, and each protocol. If the study has no such stream,
        the rows name the streams of the study that have the series of the claim, without any number; and if no stream
        has the series, the rows name no stream. The p-values stand beside themselves after Holm's correction over all
        tests of the table. This changes no verdict; `holds_after_holm` says of a verdict that is reproduced or refuted
        whether its test still rejects.

    Raises:
        DataError: the settings of a run cannot be read.
        KeyError: a table lacks a column.
    """
    runs = _describe(tables["runs"], runs_dir)
    rows = pd.DataFrame([row for claim in claims for row in _rows_of(claim, runs, tables)])
    # Each claim has two tests. A table of many claims would otherwise find some that are true by chance.
    tests = rows[["p_reproduced", "p_refuted"]]
    corrected = holm(tests.to_numpy().ravel()).reshape(tests.shape)
    rows = rows.assign(p_reproduced_holm=corrected[:, 0], p_refuted_holm=corrected[:, 1])
    p_values = rows["p_reproduced_holm"].where(rows["verdict"] == REPRODUCED, rows["p_refuted_holm"])
    is_decided = rows["verdict"].isin([REPRODUCED, REFUTED])
    return rows.assign(holds_after_holm=(p_values < ALPHA).astype("boolean").where(is_decided))


def fits(claim: Claim, run: Mapping[str, Any]) -> bool:
    """Return whether a claim is about the images, network, stream and settings of a run."""
    place = claim.where
    is_in_place = all(run[key] in getattr(place, key) for key in ("data", "model", "n_megabatches"))
    return is_in_place and bool(run["others"] == place.settings)


def _describe(runs: pd.DataFrame, runs_dir: Path) -> pd.DataFrame:
    """Add to the table of runs what decides whether a claim is about a run."""
    described = [describe_run(runs_dir / name) for name in runs["run"]]
    return runs.assign(
        data=[run.data for run in described],
        others=pd.Series([run.others for run in described], runs.index, dtype=object),
        precision_asked=[run.precision_asked for run in described],
    )


def _rows_of(claim: Claim, runs: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return the rows of one claim."""
    is_meant = [fits(claim, {str(key): value for key, value in run.items()}) for run in runs.to_dict("records")]
    meant = [group for group in _by_stream(runs[is_meant]) if _has_series(claim, group)]
    if meant:
        names = pd.concat(meant)["run"]
        values = measure_runs(claim.measure, {key: table[table["run"].isin(names)] for key, table in tables.items()})
        return [row for group in meant for row in _judge_stream(claim, group.join(values, on="run"))]
    usual = [group for group in _by_stream(runs[runs["variant"] == ""]) if _has_series(claim, group)]
    places = [_name_place(group) for group in usual] or [""]
    untested = Judgement(NOT_TESTED)
    return [_row_of(claim, place, protocol, untested) for place in places for protocol in PROTOCOLS]


def _by_stream(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """Group runs by dataset, network, T and requested precision, because paired runs must share all four."""
    return [group for _, group in runs.groupby([*STREAM, "precision_asked"], sort=True)]


def _has_series(claim: Claim, runs: pd.DataFrame) -> bool:
    """Return whether any protocol has every series that a claim compares."""
    sides = [claim.first] if claim.second is None else [claim.first, claim.second]
    return any(all(_is_of(side, of_protocol).any() for side in sides) for _, of_protocol in runs.groupby("protocol"))


def _is_of(side: Side, runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return which runs belong to a series."""
    return (runs["method"] == side.method) & (runs["pruner"] == side.pruner)


def _judge_stream(claim: Claim, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a claim on one stream: a row for each protocol."""
    rows = []
    for protocol in PROTOCOLS:
        of_protocol = runs[runs["protocol"] == protocol]
        first, second = (
            of_protocol[_is_of(side, of_protocol)].set_index("seed").dropna(subset="value") if side else None
            for side in (claim.first, claim.second)
        )
        assert first is not None
        noise = first[NOISE_COLUMNS] if claim.measure in NOISY_SIZES else None
        judgement = judge(claim, protocol, first["value"], None if second is None else second["value"], noise)
        rows.append(_row_of(claim, _name_place(runs), protocol, judgement))
    return rows


def _row_of(claim: Claim, place: str, protocol: str, judgement: Judgement) -> dict[str, Any]:
    """Return the row of a claim on one stream under one protocol."""
    return {
        "id": claim.id,
        "claim": claim.text,
        "source": claim.source,
        "claimed": f"{claim.claimed} {claim.reference:g}" if claim.is_direction else claim.claimed,
        "margin": math.nan if claim.margin is None else claim.margin,
        "unit": claim.unit,
        "by_construction": ", ".join(claim.by_construction),
        "run_here": place,
        "protocol": protocol,
        **judgement._asdict(),
    }


def _name_place(runs: pd.DataFrame) -> str:
    """Name dataset, network, T, and the settings in which any run differs from the published code's commands.

    The settings of all runs count, because a dense run has no settings of pruning.
    """
    run = runs.iloc[0]
    others = {f"{key}={value}" for settings in runs["others"] for key, value in settings.items()}
    if run["precision_asked"] != "auto":
        others.add(f"precision={run['precision_asked']}")
    return "; ".join([f"{run['dataset']}, {run['model']}, T = {run['n_megabatches']}", *sorted(others)])

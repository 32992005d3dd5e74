"""Compare the paper's claims with what a study measured: reproduced, not reproduced, other data or not run."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from anytime_pruning.figures.claims.measures import measure_runs
from anytime_pruning.figures.files import STREAM, TableError, read_table, save_table
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, Estimate, estimate, paired_difference
from anytime_pruning.figures.tables.results import number

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from anytime_pruning.figures.claims.definitions import Claim, Side, describe_run, read_claims
from anytime_pruning.foundation.errors import ArtifactError
from anytime_pruning.results.run_list import read_runs_list

REPRODUCED, NOT_REPRODUCED, OTHER_DATA, NOT_RUN = "reproduced", "not reproduced", "other data", "not run"
NOTE = (
    "Measured: mean over seeds of the difference between two runs of the same seed, or of one run, with its 95 % "
    f"interval (Student's t; with fewer than {MIN_SEEDS} seeds, from the lowest to the highest). Only runs of the "
    f"paper's protocol. **{REPRODUCED}**: on the data, network, stream and settings of the claim, with at least "
    f"{MIN_SEEDS} seeds, the interval reaches the claimed number within its tolerance, on its side of zero; for "
    f"a claim without a number, it lies on the claimed side. **{NOT_REPRODUCED}**: there, and it does not. "
    f"**{OTHER_DATA}**: measured on something else, which the row names; it says nothing about the paper's number. "
    f"**{NOT_RUN}**: nothing here measures it, or fewer than {MIN_SEEDS} seeds do."
)
SIDES = {"positive": "above 0", "negative": "below 0"}
COLUMNS = ("Claim", "Source", "Claimed", "Measured", "Interval", "Seeds", "Measured on", "Verdict")


def check(claims: list[Claim], tables: dict[str, pd.DataFrame], runs_dir: Path) -> pd.DataFrame:
    """A row for each claim where it was claimed; else one for each other stream that measures it; else an empty one."""
    runs = tables["runs"].query("protocol == 'paper'").copy()
    described = [describe_run(runs_dir / name) for name in runs["run"]]
    for column in ("data", "others", "precision_asked"):
        runs[column] = [one[column] for one in described]
    rows = []
    for claim in claims:
        measured = runs.assign(value=runs["run"].map(measure_runs(claim.measure, tables)))
        is_there = [fits(claim, run) for run in measured.to_dict("records")]
        there = measured[pd.Series(is_there, measured.index, dtype=bool)]
        found = [row for group in by_stream(there) if (row := judge(claim, group, is_there=True))]
        if not found:
            usual = measured[measured["variant"] == ""]
            found = [row for group in by_stream(usual) if (row := judge(claim, group, is_there=False))]
        rows += found or [row_of(claim, None, "", NOT_RUN)]
    return pd.DataFrame(rows)


def fits(claim: Claim, run: dict) -> bool:
    """Whether a run is one that the claim is about: images, network, stream and every setting."""
    place = claim.where
    in_place = all(run[key] in getattr(place, key) for key in ("data", "model", "n_megabatches"))
    return in_place and run["others"] == place.settings


def by_stream(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """The runs of each dataset, network and T; those asked for in another precision are none of the others' pairs."""
    return [group for _, group in runs.groupby([*STREAM, "precision_asked"], sort=True)]


def judge(claim: Claim, runs: pd.DataFrame, is_there: bool) -> dict | None:
    """The row of a claim on one stream; None if the runs that it needs are not there."""
    found = compare(claim, runs)
    if found is None:
        return None
    where = name_place(runs)
    if not is_there:
        return row_of(claim, found, where, OTHER_DATA)
    if found.count < MIN_SEEDS:
        return row_of(claim, found, where, NOT_RUN)
    return row_of(claim, found, where, REPRODUCED if is_met(claim, found) else NOT_REPRODUCED)


def compare(claim: Claim, runs: pd.DataFrame) -> Estimate | None:
    """The claimed measure over seeds, paired where two series are compared."""
    first = of_side(runs, claim.first)
    second = of_side(runs, claim.second) if claim.second else None
    if first.empty or (second is not None and first.index.intersection(second.index).empty):
        return None
    if second is None:
        return estimate(first)
    if not claim.relative:
        return paired_difference(first, second)
    seeds = first.index.intersection(second.index)
    return estimate(100 * (first.loc[seeds] - second.loc[seeds]) / second.loc[seeds].abs())


def of_side(runs: pd.DataFrame, side: Side) -> pd.Series:
    """Values by seed."""
    chosen = runs[(runs["method"] == side.method) & (runs["pruner"] == side.pruner)]
    return chosen.set_index("seed")["value"].sort_index()


def is_met(claim: Claim, found: Estimate) -> bool:
    """The rule of the note, on an interval over enough seeds."""
    if isinstance(claim.claimed, str):
        return found.low > 0 if claim.claimed == "positive" else found.high < 0
    reaches = found.low <= claim.claimed + claim.tolerance and found.high >= claim.claimed - claim.tolerance
    return reaches and (found.low > 0 if claim.claimed > 0 else found.high < 0)


def name_place(runs: pd.DataFrame) -> str:
    """Dataset, network and T, and what is not as in the released commands; a pruning setting is not the dense run's."""
    run = runs.iloc[0]
    others = {f"{key}={value}" for one in runs["others"] for key, value in one.items()}
    if run["precision_asked"] != "auto":
        others.add(f"precision={run['precision_asked']}")
    return "; ".join([f"{run['dataset']}, {run['model']}, T = {run['n_megabatches']}", *sorted(others)])


def row_of(claim: Claim, found: Estimate | None, where: str, verdict: str) -> dict:
    """The numbers of one row."""
    measured = found._asdict() if found else dict.fromkeys(("mean", "low", "high"))
    return {
        "id": claim.id,
        "claim": claim.text,
        "source": claim.source,
        "claimed": claim.claimed,
        "unit": claim.unit,
        "measured": measured["mean"],
        "low": measured["low"],
        "high": measured["high"],
        "seeds": found.count if found else 0,
        "measured_on": where,
        "verdict": verdict,
    }


def render(rows: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it."""
    cells = []
    for row in rows.itertuples():
        small = row.unit.startswith("of the")
        decimals = 3 if small else 0 if row.unit == "errors" else 2
        claimed = SIDES[row.claimed] if isinstance(row.claimed, str) else number(row.claimed, decimals)
        has_value = row.seeds > 0
        cells.append(
            (
                row.claim,
                row.source,
                f"{claimed} {row.unit}",
                number(row.measured, decimals) if has_value else "–",
                f"{number(row.low, decimals)} to {number(row.high, decimals)}" if has_value else "–",
                str(row.seeds),
                row.measured_on or "–",
                row.verdict,
            )
        )
    return pd.DataFrame(cells, columns=COLUMNS)


def main() -> int:
    """Check the claims that the command line names; a mistake is one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", type=Path, help="YAML file of claims")
    parser.add_argument("runs_list", type=Path, help="file with the names of the study's runs")
    parser.add_argument("runs_dir", type=Path, help="folder of the runs")
    parser.add_argument("tables_dir", type=Path, help="folder of the collected tables")
    parser.add_argument("stem", type=Path, help="output path without suffix")
    options = parser.parse_args()
    try:
        claims = read_claims(options.claims)
        tables = {name: read_table(options.tables_dir / f"{name}.csv") for name in ("runs", "megabatches", "layers")}
        planned = read_runs_list(options.runs_list)
        rows = check(claims, tables, options.runs_dir)
    except (ArtifactError, TableError) as error:
        print(f"error: claims: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: claims: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyError as error:
        print(f"error: claims: no column {error} in {options.tables_dir}", file=sys.stderr)
        return 2
    missing = len(set(planned) - set(tables["runs"]["run"]))
    note = NOTE + (f" **{missing} of the study's {len(planned)} runs are not there.**" if missing else "")
    save_table(render(rows), note, rows, options.stem)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a claim is about, measured from the collected tables: one value for each run."""

import pandas as pd

from anytime_pruning.figures.gap_curve import direction_changes

EARLY_LAYERS, EARLY_STREAM = 1 / 3, 1 / 4


def measure_runs(measure: str, tables: dict[str, pd.DataFrame]) -> pd.Series:
    """A measure of every run, indexed by the run's name.

    Args:
        measure: as config/claims.yaml explains.
        tables: `runs`, `megabatches` and `layers` as collected.
    """
    if measure == "first_density":
        first = tables["megabatches"].query("t == 1")
        return first.set_index("run")["density_measured"]
    if measure == "direction_changes":
        counted = direction_changes(tables["megabatches"], ["run"], "generalization_gap_pct")
        return counted.set_index("run")["direction_changes"]
    if measure == "early_density":
        return early_density(tables["layers"])
    return tables["runs"].set_index("run")[measure]


def early_density(layers: pd.DataFrame) -> pd.Series:
    """Percent of their weights that the first third of layers keeps, on average over the first quarter of megabatches.

    Every layer counts alike, however large it is; there is at least one layer and one megabatch.
    """

    def of_run(run: pd.DataFrame) -> float:
        names = run["layer"].drop_duplicates()  # in the network's order
        early = names[: max(1, round(EARLY_LAYERS * len(names)))]
        last_t = max(1, round(EARLY_STREAM * run["n_megabatches"].iloc[0]))
        part = run[run["layer"].isin(early) & (run["t"] <= last_t)]
        return float((100 * part["kept"] / part["total"]).mean())

    return pd.Series({name: of_run(run) for name, run in layers.groupby("run", sort=False)}, dtype=float)

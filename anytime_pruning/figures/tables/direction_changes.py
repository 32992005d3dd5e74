"""How often the generalization gap changes direction along a stream: the statistic for "not monotonic"."""

import pandas as pd

from anytime_pruning.figures.files import SERIES, STREAM, sort_rows
from anytime_pruning.figures.gap_curve import THRESHOLD_POINTS, direction_changes
from anytime_pruning.figures.plots.gap import GAPS, MODERATE
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, summarize_seeds
from anytime_pruning.figures.tables.results import mean_and_interval, name_series

NOTE = (
    "The curve of one seed is smoothed by a centred moving average over so many megabatches (Window); a change of "
    f"direction counts where it moves back by at least {THRESHOLD_POINTS:g} percentage point. A monotonic curve has 0. "
    "Mean over seeds ± half the width of its 95 % interval (Student's t); (lowest to highest seed) where there are "
    f"fewer than {MIN_SEEDS}. "
    "Gap: running train − augmented validation accuracy; clean gap: both in eval mode, not augmented."
)
HEADINGS = dict(zip(GAPS, ("Changes of the gap", "Changes of the clean gap")))


def tabulate(megabatches: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """One row for each stream and series: cells as texts, the note, and the numbers."""
    keys = [*STREAM, *SERIES]
    counted = None
    for gap in GAPS:
        one = direction_changes(megabatches, keys, gap).rename(columns={"direction_changes": f"{gap}_changes"})
        counted = one if counted is None else counted.merge(one, on=[*keys, "seed", "window"], validate="one_to_one")
    columns = [f"{gap}_changes" for gap in GAPS]
    summary = summarize_seeds(counted, [*keys, "window"], columns)
    summary["share_of_seeds_not_monotonic"] = (
        (counted[columns[0]] > 0).groupby([counted[key] for key in [*keys, "window"]]).mean().to_numpy()
    )
    summary = sort_rows(summary)
    shown = name_series(summary)
    shown["Stream"] = ["short" if length < MODERATE else "long" for length in summary["n_megabatches"]]
    shown["Window"] = summary["window"].astype(str)
    for column, heading in zip(columns, HEADINGS.values()):
        cells = summary[[f"{column}_mean", f"{column}_low", f"{column}_high", "seeds"]].itertuples(index=False)
        shown[heading] = [mean_and_interval(*cell, 1) for cell in cells]
    shown["Seeds not monotonic"] = [f"{100 * share:.0f} %" for share in summary["share_of_seeds_not_monotonic"]]
    return shown.assign(Seeds=summary["seeds"].astype(str)), NOTE, summary

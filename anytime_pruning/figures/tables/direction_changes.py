"""Tabulate how often the generalization gap changes direction along a stream, which shows if it is monotonic."""

import pandas as pd

from anytime_pruning.figures.gap_curve import GAPS, THRESHOLD_POINTS, direction_changes
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, sort_rows
from anytime_pruning.figures.stream_length import is_short
from anytime_pruning.figures.tables.cells import INTERVAL_NOTE, interval_cells, name_series

NOTE = (
    "The curve of one seed is smoothed by a centred moving average over a window, whose number of megabatches stands "
    f"under Window. A change of direction counts where the curve moves back by at least {THRESHOLD_POINTS:g} "
    f"percentage point. A monotonic curve has 0. {INTERVAL_NOTE} "
    "Gap: running train − augmented validation accuracy; clean gap: both in eval mode, not augmented."
)
HEADINGS = ("Changes of the gap", "Changes of the clean gap")


def tabulate(megabatches: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and series: cells, the note, and the numbers."""
    keys, columns = [*STREAM, *SERIES, "window"], [f"{gap}_changes" for gap in GAPS]
    counted = _count(megabatches)
    summary = summarize_seeds(counted, keys, columns)
    is_turning = counted[columns[0]] > 0
    summary["share_of_seeds_not_monotonic"] = is_turning.groupby([counted[key] for key in keys]).mean().to_numpy()
    summary = sort_rows(summary)
    shown = name_series(summary)
    shown["Stream"] = ["short" if is_short(length) else "long" for length in summary["n_megabatches"]]
    shown["Window"] = summary["window"].astype(str)
    for column, heading in zip(columns, HEADINGS):
        shown[heading] = interval_cells(summary, column, 1)
    shown["Seeds not monotonic"] = [f"{100 * share:.0f} %" for share in summary["share_of_seeds_not_monotonic"]]
    return shown.assign(Seeds=summary["seeds"].astype(str)), NOTE, summary


def _count(megabatches: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run, with `window` and with `<gap>_changes` for both gaps."""
    keys = [*STREAM, *SERIES]
    first, second = (
        direction_changes(megabatches, keys, gap).rename(columns={"direction_changes": f"{gap}_changes"})
        for gap in GAPS
    )
    return first.merge(second, on=[*keys, "seed", "window"], validate="one_to_one")

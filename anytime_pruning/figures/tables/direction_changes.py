"""Tabulate how far the gaps move back along a stream, beside what noise around a monotone gap would do."""

import pandas as pd

from anytime_pruning.figures.gap_curve import GAPS, measure_reversals
from anytime_pruning.figures.labels import GAP_NAMES
from anytime_pruning.figures.reversals.curves import THRESHOLD_POINTS
from anytime_pruning.figures.series import SERIES, STREAM, sort_rows
from anytime_pruning.figures.stream_length import is_short
from anytime_pruning.figures.tables.cells import GAPS_NOTE, name_series, number

NOTE = (
    "The curve of one seed is smoothed by a centred moving average over a window, whose number of megabatches stands "
    f"under Window. Changes: how often it turns and moves back by at least {THRESHOLD_POINTS:g} point. Reversal: the "
    "smaller one of its largest rise and its largest fall, in points; 0 for a monotone curve. Noise turns, too, so "
    "both have in brackets what is expected of a monotone gap (rising, falling or constant) with noise of the same "
    "size and autocorrelation. Excess: reversal minus its expectation. p: one-sided, of the mean reversal over the "
    "seeds, by simulation, not corrected for the number of rows. All numbers are means over seeds. At T = 8 the test "
    "has little power: of gaps that go up and down by 4 points, with noise of 1.5 points, it finds a tenth to a fifth "
    f"with one seed and three quarters with five, so a large p says little there. {GAPS_NOTE}"
)
MEASURES = (
    *("direction_changes", "expected_changes", "excess_changes"),
    *("reversal", "expected_reversal", "excess_reversal"),
)


def tabulate(megabatches: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and series: cells, the note, and the numbers."""
    summaries = [_summarize(megabatches, gap) for gap in GAPS]
    summary = summaries[0].merge(summaries[1], on=[*STREAM, *SERIES, "seeds", "window"], validate="one_to_one")
    summary = sort_rows(summary)
    shown = name_series(summary)
    shown["Stream"] = ["short" if is_short(length) else "long" for length in summary["n_megabatches"]]
    shown["Window"] = summary["window"].astype(str)
    for gap in GAPS:
        name = GAP_NAMES[gap]
        shown[f"{name}: changes"] = _beside(summary, f"{gap}_direction_changes", f"{gap}_expected_changes", 1)
        shown[f"{name}: reversal"] = _beside(summary, f"{gap}_reversal", f"{gap}_expected_reversal", 2)
        shown[f"{name}: excess"] = [number(value, 2) for value in summary[f"{gap}_excess_reversal"]]
        shown[f"{name}: p"] = [number(value, 3) for value in summary[f"{gap}_p_value"]]
    return shown.assign(Seeds=summary["seeds"].astype(str)), NOTE, summary


def _summarize(megabatches: pd.DataFrame, gap: str) -> pd.DataFrame:
    """Return one row for each stream and series, with the means over seeds and the p-value of one gap."""
    keys = [*STREAM, *SERIES]
    groups = measure_reversals(megabatches, keys, gap).groupby(keys)
    summary = groups[list(MEASURES)].mean().assign(p_value=groups["p_value"].first()).add_prefix(f"{gap}_")
    return summary.assign(seeds=groups["seed"].size(), window=groups["window"].first()).reset_index()


def _beside(summary: pd.DataFrame, column: str, expected: str, decimals: int) -> list[str]:
    """Write `1.2 (0.9)`: what was measured, and what is expected under the null."""
    pairs = zip(summary[column], summary[expected])
    return [f"{number(measured, decimals)} ({number(under_null, decimals)})" for measured, under_null in pairs]

"""Tabulate accuracy, gaps and density on datasets with few training images of each class."""

import pandas as pd

from anytime_pruning.figures.tables.cells import CLEAN_GAP, GAP, TEST_ACC, Measure, render, summarize
from anytime_pruning.figures.tables.results import NOTE

MEASURES = (TEST_ACC, GAP, CLEAN_GAP, Measure("density_pct", "Density (%)", 1))


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and series: cells, the note, and the numbers."""
    summary = summarize(runs.assign(density_pct=100 * runs["density"]), MEASURES, [])
    shown = render(summary, MEASURES)
    shown["Seeds"] = summary["seeds"].astype(str)
    return shown, NOTE, summary

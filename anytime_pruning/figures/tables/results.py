"""Tabulate the results of each series on each stream, and the share of the network that is kept."""

import pandas as pd

from anytime_pruning.figures.tables.cells import (
    CER,
    CLEAN_GAP,
    GAP,
    GAPS_NOTE,
    INTERVAL_NOTE,
    TEST_ACC,
    Measure,
    render,
    summarize,
)

MEASURES = (
    TEST_ACC,
    CER,
    Measure("cumulative_error_rate_pct", "CER (%)", 1, is_cer=True),
    GAP,
    CLEAN_GAP,
)
NOTE = f"{INTERVAL_NOTE} {GAPS_NOTE} Protocol: paper, or released, the arithmetic of the published code."


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and series: cells, the note, and the numbers."""
    unprunable = runs["parameter_count"] - runs["prunable_count"]
    runs = runs.assign(
        cumulative_error_rate_pct=100 * runs["cumulative_error_rate"], parameters_kept=runs["kept_count"] + unprunable
    )
    summary = summarize(runs, MEASURES, ["density", "parameters_kept", "parameter_count"])
    shown = render(summary, MEASURES)
    shown["Parameters kept"] = [
        f"{kept:,.0f} ({100 * kept / total:.1f} %)"
        for kept, total in zip(summary["parameters_kept"], summary["parameter_count"])
    ]
    shown["Seeds"] = summary["seeds"].astype(str)
    return shown, NOTE, summary

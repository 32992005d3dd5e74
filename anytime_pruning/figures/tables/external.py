"""Tabulate the study's main series beside the results of other people's programs."""

from typing import Any

import pandas as pd

from anytime_pruning.figures.external.rows import with_external
from anytime_pruning.figures.labels import dataset_label, model_label, series_label
from anytime_pruning.figures.series import SERIES, Series
from anytime_pruning.figures.tables.cells import INTERVAL_NOTE, TEST_ACC, Measure, interval_cells, summarize

MEASURES = (
    TEST_ACC,
    Measure("cer_count", "CER (count)", 0, is_cer=True),
    Measure("cer_pct", "CER (%)", 1, is_cer=True),
)
NOTE = (
    "External: test errors that were imported from another program; this project has neither run it nor checked the "
    f"errors. Test accuracy is that after the last megabatch. {INTERVAL_NOTE}"
)


def tabulate(megabatches: pd.DataFrame, external: list[dict[str, Any]]) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and series, ours and external: cells, the note, and the numbers."""
    both = with_external(megabatches, external)
    both["cer_pct"] = 100 * both["cer_count"] / (both["n_megabatches"] * both["test_count"])
    summary = summarize(both[both["t"] == both["n_megabatches"]], MEASURES, [])
    shown = pd.DataFrame(
        {
            "Dataset": summary["dataset"].map(dataset_label),
            "Network": summary["model"].map(model_label),
            "T": summary["n_megabatches"].astype(str),
            "System": [series_label(Series(*values)) for values in summary[SERIES].itertuples(index=False)],
        }
    )
    for measure in MEASURES:
        shown[measure.heading] = interval_cells(summary, measure.column, measure.decimals)
    shown["Seeds"] = summary["seeds"].astype(str)
    return shown, NOTE, summary

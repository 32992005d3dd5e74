"""Put test errors of other people's programs beside the rows of a study's own runs."""

from typing import Any

import pandas as pd

from anytime_pruning.figures.series import SERIES, STREAM
from anytime_pruning.foundation.errors import DataError

EXTERNAL = "external"
COLUMNS = [*STREAM, *SERIES, "seed", "t", "error_count", "test_count"]


def with_external(megabatches: pd.DataFrame, external: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows of runs and of external results, with the accuracy and the errors so far.

    Args:
        megabatches: rows of the collected table; its datasets may be named with a share of their images.
        external: rows of external results, with `name` instead of the columns of a series.

    Returns:
        The columns that both have, `test_acc_pct` and `cer_count`, the errors summed over the megabatches so far. The
        protocol of external rows is `external`, and their method is the name.

    Raises:
        DataError: external errors are those of another number of test images than the study's.
    """
    shown = {name.split(" ", 1)[0]: name for name in megabatches["dataset"].unique()}
    rows = pd.DataFrame(external)
    rows = rows.assign(
        dataset=rows["dataset"].map(shown), protocol=EXTERNAL, method=rows["name"], pruner="none", variant=""
    )
    for dataset, counts in rows.groupby("dataset")["test_count"]:
        ours = megabatches.loc[megabatches["dataset"] == dataset, "test_count"].iloc[0]
        if (counts != ours).any():
            theirs = counts[counts != ours].iloc[0]
            raise DataError(f"external: {dataset} has {ours} test images here, and {theirs} there")
    both = pd.concat([megabatches[COLUMNS], rows[COLUMNS]], ignore_index=True).sort_values("t", kind="stable")
    sums = both.groupby([*STREAM, *SERIES, "seed"])["error_count"].cumsum()
    return both.assign(test_acc_pct=100 * (1 - both["error_count"] / both["test_count"]), cer_count=sums)

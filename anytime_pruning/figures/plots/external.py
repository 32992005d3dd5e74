"""Draw accuracy and errors along the stream, of the study's main series and of other people's programs."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from anytime_pruning.figures.external.rows import with_external
from anytime_pruning.figures.labels import caption, describe
from anytime_pruning.figures.plots.parts.along import draw_along
from anytime_pruning.figures.plots.parts.lines import name_spread
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM
from anytime_pruning.figures.style import set_title

LABELS = {"test_acc_pct": "Test accuracy (%)", "cer_count": "Misclassified test\nimages, so far"}


def draw(megabatches: pd.DataFrame, external: list[dict[str, Any]]) -> tuple[Figure, pd.DataFrame]:
    """Draw the test accuracy after each megabatch, and below it the errors so far; rows of one stream."""
    both = with_external(megabatches, external)
    figure = draw_along(both, LABELS)
    spread = caption(both, name_spread(int(both["t"].max())))
    set_title(figure, describe(megabatches), spread, "External: imported, not run by this project")
    return figure, summarize_seeds(both, [*STREAM, *SERIES, "t"], list(LABELS))

"""Short sequences: test accuracy, CER and generalization gap for each architecture, one marker for each method."""

import matplotlib.pyplot as plt
import pandas as pd
from figure_style import (
    MODEL_LABELS,
    SERIES,
    WIDTH,
    aggregate,
    color_of,
    describe,
    face_of,
    figure_options,
    marker_of,
    of_series,
    ordered_series,
    read_table,
    save_figure,
    seeds_note,
    series_label,
    set_style,
)

METRICS = {
    "test_acc_pct": "Test accuracy (%)",
    "cumulative_error_count": "CER (misclassified\ntest images, summed)",
    "generalization_gap_pct": "Generalization gap\n(percentage points)",
}


def summarize(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over seeds of each metric, one row for each dataset, T, model and series."""
    return aggregate(runs, ["dataset", "n_megabatches", "model", *SERIES], list(METRICS))


def draw(runs: pd.DataFrame) -> tuple[plt.Figure, pd.DataFrame]:
    """Rows are dataset and T, columns metrics, the horizontal axis architectures; bars span the seeds."""
    summary = summarize(runs)
    rows = list(summary.groupby(["dataset", "n_megabatches"]))
    models = sorted(runs["model"].unique())
    series = ordered_series(runs)
    height = 1.75 * len(rows) + 0.7
    figure, axes = plt.subplots(
        len(rows), len(METRICS), figsize=(WIDTH, height), squeeze=False, sharex=True, layout="constrained"
    )
    # Series of one architecture stand side by side, in a fixed order.
    offsets = [0.6 * ((i + 0.5) / len(series) - 0.5) for i in range(len(series))]
    for row, ((dataset, n_megabatches), panel) in zip(axes, rows):
        for axis, (metric, label) in zip(row, METRICS.items()):
            for one, offset in zip(series, offsets):
                _draw_series(axis, of_series(panel, one), one, offset, metric, models)
            axis.set_ylabel(label)
            _name_models(axis, models)
        row[0].set_title(describe(dataset, n_megabatches=n_megabatches), loc="left", fontweight="bold")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(series)))
    figure.align_ylabels()
    figure.suptitle(
        f"Mean of {seeds_note(runs)}; bars: their range. Gap: running train − augmented validation accuracy.",
        fontsize=7.5,
        color="#444444",
    )
    return figure, summary


def _name_models(axis, models: list[str]) -> None:
    """Architectures along the horizontal axis; several names stand side by side only when turned."""
    turned = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if len(models) > 1 else {}
    axis.set_xticks(range(len(models)), [MODEL_LABELS.get(model, model) for model in models], **turned)
    axis.set_xlim(-0.5, len(models) - 0.5)
    axis.grid(axis="x", visible=False)


def _draw_series(axis, table: pd.DataFrame, series: tuple[str, str, str], offset: float, metric: str, models) -> None:
    method, pruner, _ = series
    mean = table[f"{metric}_mean"]
    axis.errorbar(
        [models.index(model) + offset for model in table["model"]],
        mean,
        yerr=[mean - table[f"{metric}_min"], table[f"{metric}_max"] - mean],
        fmt=marker_of(method),
        color=color_of(method),
        markerfacecolor=face_of(method, pruner),
        capsize=2,
        elinewidth=1,
        label=series_label(*series),
    )


def main() -> None:
    """Read the table that the command line names and write what is drawn from it."""
    options = figure_options(__doc__)
    set_style()
    save_figure(*draw(read_table(options.table)), options.stem)


if __name__ == "__main__":
    main()

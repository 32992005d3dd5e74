"""Density of every prunable layer after each megabatch of APP, one panel for each pruner."""

import matplotlib.pyplot as plt
import pandas as pd
from figure_style import (
    PRUNER_LABELS,
    WIDTH,
    aggregate,
    describe,
    figure_options,
    ordered_series,
    read_table,
    save_figure,
    seeds_note,
    set_style,
)
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import MaxNLocator


def summarize(layers: pd.DataFrame) -> pd.DataFrame:
    """Mean and range of density over seeds of each layer, by pruner and megabatch; `depth` counts from the input."""
    order = {layer: depth for depth, layer in enumerate(layers["layer"].unique(), start=1)}
    layers = layers.assign(depth=layers["layer"].map(order), density_pct=100 * layers["kept"] / layers["total"])
    return aggregate(layers, ["pruner", "variant", "t", "depth", "layer", "total"], ["density_pct"])


def draw(layers: pd.DataFrame, title: str) -> tuple[plt.Figure, pd.DataFrame]:
    """The horizontal axis goes from input to output; darker lines are later megabatches."""
    summary = summarize(layers)
    panels = [(pruner, variant) for _, pruner, variant in ordered_series(layers)]
    n_megabatches = int(summary["t"].max())
    # Without the palest end, which white paper swallows.
    colors = plt.get_cmap("viridis_r")
    norm = BoundaryNorm([t + 0.5 for t in range(n_megabatches + 1)], colors.N)
    figure, axes = plt.subplots(
        1, len(panels), figsize=(WIDTH, 2.9), squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    for axis, (pruner, variant) in zip(axes[0], panels):
        panel = summary[(summary["pruner"] == pruner) & (summary["variant"] == variant)]
        for t, line in panel.groupby("t"):
            axis.plot(line["depth"], line["density_pct_mean"], ".-", color=colors(norm(t)), linewidth=1.1, markersize=4)
        axis.set_title(PRUNER_LABELS.get(pruner, pruner) + (f" [{variant}]" if variant else ""))
        axis.set_xlabel("Convolution layer, from input to output")
        axis.set_ylim(0, 103)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0][0].set_ylabel("Weights kept (%)")
    bar = figure.colorbar(ScalarMappable(norm, colors), ax=axes, label="Megabatch index t", pad=0.01)
    bar.ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    bar.ax.minorticks_off()
    figure.suptitle(f"APP, {title} — mean of {seeds_note(layers)}", fontsize=8)
    return figure, summary


def main() -> None:
    """Read the table that the command line names and write what is drawn from it."""
    options = figure_options(__doc__, "dataset", "model", "n_megabatches")
    where = {"dataset": options.dataset, "model": options.model, "n_megabatches": options.n_megabatches}
    layers = read_table(options.table, **where, method="app")
    set_style()
    save_figure(*draw(layers, describe(**where)), options.stem)


if __name__ == "__main__":
    main()

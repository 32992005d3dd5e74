"""Panels of dots with intervals: a row for each thing that is compared, a column for each measure."""

from matplotlib.ticker import FuncFormatter, MaxNLocator

from anytime_pruning.figures.style import Style

# Column, label. The gap is that of the released code, whichever masks a run has.
MEASURES = {
    "test_acc_pct": "Test accuracy (%)",
    "cumulative_error_count": "CER (misclassified test\nimages, summed over t)",
    "generalization_gap_pct": "Generalization gap\n(percentage points)",
}


def name_rows(axis, names: list[str], is_first: bool) -> None:
    """Names down the left side of the first panel, a thin line between them; the first name is on top."""
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_yticks(range(len(names)), names if is_first else [""] * len(names))
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    for border in range(1, len(names)):
        axis.axhline(border - 0.5, color="#E4E4E4", linewidth=0.8, zorder=0)
    axis.xaxis.set_major_locator(MaxNLocator(3))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−")))


def draw_dots(axis, table, measure: str, rows: list[float], style: Style, label: str) -> None:
    """A marker at each mean and a bar over its interval."""
    mean = table[f"{measure}_mean"]
    axis.errorbar(
        mean,
        rows,
        xerr=[mean - table[f"{measure}_low"], table[f"{measure}_high"] - mean],
        fmt=style.marker,
        color=style.color,
        markersize=4.5,
        capsize=1.8,
        elinewidth=1,
        label=label,
        **style.marker_options,
    )

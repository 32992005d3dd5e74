"""Draw the accuracy of networks against their latency."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.style import set_style


def draw_latencies(result: dict[str, Any], path: Path) -> None:
    """Draw a panel for each program and batch size, with its own scale; a network lies farther left, the faster it is.

    Args:
        result: the result of the measurement.
        path: the picture, a PNG file.
    """
    rows = pd.DataFrame(
        [
            {
                "Network": row["network"],
                "Form": row["form"],
                "Program": engine,
                "Batch": int(batch),
                "Latency (ms)": found["median"],
                "Test accuracy (%)": 100 * row["test_accuracy"],
            }
            for row in result["networks"]
            for engine, batches in row["latency_ms"].items()
            for batch, found in batches.items()
        ]
    )
    set_style()
    grid = sns.relplot(
        rows,
        x="Latency (ms)",
        y="Test accuracy (%)",
        hue="Network",
        style="Form",
        col="Batch",
        row="Program",
        s=60,
        height=2.3,
        aspect=1.35,
        palette="colorblind",
        facet_kws={"sharex": False, "margin_titles": True},
    )
    for axis in grid.axes.flat:
        axis.set_xlim(0, 1.05 * axis.get_xlim()[1])
        axis.xaxis.set_major_locator(MaxNLocator(5))
    data = ", ".join(rows_data(result))
    grid.figure.suptitle(f"{data}; {result['machine']['name']}", y=1.02, fontsize=8)
    grid.savefig(path, dpi=150)
    plt.close(grid.figure)


def rows_data(result: dict[str, Any]) -> list[str]:
    """Return the datasets of the networks, each once."""
    return list(dict.fromkeys(row["data"] for row in result["networks"]))

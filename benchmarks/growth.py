"""Measure and draw how the cost of a run grows with the length T of its stream and the number N of its images.

`python -m benchmarks.growth benchmarks/results/<machine>.json` draws a stored result again.
"""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from scipy.optimize import nnls

from anytime_pruning import run_stream
from anytime_pruning.settings.run import parse_settings

LENGTHS, SIZES = (1, 2, 4, 8, 16), (180, 360, 720, 1437)
FIXED_T, FIXED_N = 8, 1437


def measure_growth(rounds: int) -> list[dict[str, float]]:
    """Train small networks on digits with full replay, alternating between lengths and sizes.

    Args:
        rounds: number of turns for each length and size.

    Returns:
        One row for each run: `T`, `N`, `seconds` and the planned samples.
    """
    points = sorted({*((t, FIXED_N) for t in LENGTHS), *((FIXED_T, n) for n in SIZES)})
    rows = []
    for _ in range(rounds):
        for n_megabatches, n_images in points:
            settings = parse_settings(
                {
                    "dataset": "digits",
                    "model": "resnet20",
                    "n_megabatches": n_megabatches,
                    "train_limit": n_images,
                    "epochs": 1,
                    "lr": 0.01,
                    "execution": {"data_dir": Path(tempfile.gettempdir()) / "anytime-pruning-bench-data"},
                }
            )
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                cost = run_stream(settings, folder)["cost"]
            rows.append({"T": n_megabatches, "N": n_images, "seconds": cost["stream_s"], **cost["planned_samples"]})
    return rows


def fit_growth(table: pd.DataFrame) -> tuple[float, float]:
    """Fit the seconds of runs by the planned passes through the network and by the number of megabatches.

    A sample to train or to score on passes forward and then backward, which costs about three forward passes. Samples
    to evaluate count, too: with N = 180 they are the larger part, and training samples alone would tell half of the
    seconds. Each megabatch adds a constant, for selecting masks, small batches, and files.

    Args:
        table: one row for each run, as `measure_growth` returns them.

    Returns:
        The seconds of a forward pass of one sample, and of each megabatch.
    """
    (per_pass, per_megabatch), _ = nnls(np.column_stack([passes_of(table), table["T"]]), table["seconds"])
    return float(per_pass), float(per_megabatch)


def passes_of(table: pd.DataFrame) -> "pd.Series[float]":
    """Return the planned passes of each run, in forward passes of one sample."""
    return 3 * (table["train"] + table["score"]) + table["evaluate"]


def draw_growth(rows: list[dict[str, float]], path: Path) -> None:
    """Draw the seconds of runs against T and N, with the line that `fit_growth` finds."""
    table = pd.DataFrame(rows)
    per_pass, per_megabatch = fit_growth(table)
    table["fitted"] = per_pass * passes_of(table) + per_megabatch * table["T"]
    line = f"{1e6 * per_pass:.0f} µs a planned pass, {1e3 * per_megabatch:.0f} ms a megabatch"
    sns.set_theme(context="paper", style="whitegrid")
    figure, panels = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True, constrained_layout=True)
    for axes, key, title in zip(panels, "TN", (f"N = {FIXED_N:,} images", f"T = {FIXED_T} megabatches")):
        part = table[table["N" if key == "T" else "T"] == (FIXED_N if key == "T" else FIXED_T)]
        sns.lineplot(part, x=key, y="fitted", errorbar=None, ax=axes, color="0.5", linestyle="--", label=line)
        sns.scatterplot(part, x=key, y="seconds", ax=axes, color="C0", label="measured, each run", zorder=3)
        axes.set(title=title, ylim=(0, None), xlim=(0, None), ylabel="seconds of a run")
        axes.set_xlabel("T, megabatches" if key == "T" else "N, training images")
        axes.set_xticks(LENGTHS if key == "T" else SIZES)
    panels[0].get_legend().remove()
    sns.move_legend(panels[1], "upper left")
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)


def draw_stored(path: Path) -> None:
    """Draw the growth in a stored result again, beside it.

    Args:
        path: JSON file of `python -m benchmarks`.
    """
    draw_growth(json.loads(path.read_text(encoding="utf-8"))["growth"], Path(f"{path.with_suffix('')}-growth.png"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        draw_stored(Path(name))

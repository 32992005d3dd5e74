"""Measure and draw how the cost of a run grows with the length T of its stream and the number N of its images."""

import contextlib
import io
import tempfile
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt

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


def draw_growth(rows: list[dict[str, float]], path: Path) -> None:
    """Draw the seconds of runs against T and N, with a line for the planned samples at the mean speed of all runs."""
    table = pd.DataFrame(rows)
    table["planned"] = table["train"] * table["seconds"].sum() / table["train"].sum()
    sns.set_theme(context="paper", style="whitegrid")
    figure, panels = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True, constrained_layout=True)
    for axes, key, title in zip(panels, "TN", (f"N = {FIXED_N} images", f"T = {FIXED_T} megabatches")):
        part = table[table["N" if key == "T" else "T"] == (FIXED_N if key == "T" else FIXED_T)]
        sns.lineplot(part, x=key, y="planned", ax=axes, color="0.5", linestyle="--", label="planned samples, scaled")
        sns.scatterplot(part, x=key, y="seconds", ax=axes, color="C0", label="measured, each run", zorder=3)
        axes.set(title=title, ylim=(0, None), xlim=(0, None), ylabel="seconds of a run")
        axes.set_xlabel("T, megabatches" if key == "T" else "N, training images")
        axes.set_xticks(LENGTHS if key == "T" else SIZES)
    panels[1].get_legend().remove()
    figure.savefig(path, dpi=150)
    plt.close(figure)

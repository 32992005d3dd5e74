"""What the rules need beyond the plan of a study: which figures it has, which data a run waits for. No torch."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from anytime_pruning import layout
from anytime_pruning.config import RunSettings
from anytime_pruning.datasets.cache import cache_path


class Figure(NamedTuple):
    """How one figure is drawn: the script below workflow/scripts/, the collected table it reads, and its options."""

    script: str
    table: str
    options: str


def plan_figures(runs: Iterable[RunSettings]) -> dict[str, Figure]:
    """The figures of a study, by file name without suffix, which says what the figure shows."""
    streams = {(run.dataset.name, run.model, run.n_megabatches, run.method == "app") for run in runs}
    figures = {"short": Figure("plot_short", "runs", "")}
    for dataset, model, n_megabatches, is_app in sorted(streams):
        network = f"--dataset {dataset} --model {model}"
        stream = f"{network} --n-megabatches {n_megabatches}"
        name = f"{dataset}-{model}-T{n_megabatches}"
        figures[f"gap-{dataset}-{model}"] = Figure("plot_gap", "megabatches", network)
        figures[f"dynamics-{name}"] = Figure("plot_dynamics", "epochs", stream)
        if is_app:
            figures[f"layers-{name}"] = Figure("plot_layers", "layers", stream)
    return figures


def data_of_run(study: str, name: str, settings: RunSettings) -> list[str]:
    """The cached dataset that a run has to wait for: none if the run is there already.

    Without this, a clone that has results but no data would train everything again as soon as one run is missing:
    Snakemake runs every job whose input is made anew, even an `ancient` one.
    """
    if (layout.run_dir(study, name) / layout.METRICS).exists():
        return []
    return [str(cache_path(settings.dataset, settings.execution.data_dir))]


def put_own_python_first() -> None:
    """Let `python` in a job's shell be the one that runs now, whether or not its environment was activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

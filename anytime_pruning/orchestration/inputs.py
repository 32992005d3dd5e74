"""What the rules need beyond the plan of a study: its lists for the jobs, which data a run waits for. No torch."""

import json
from pathlib import Path

from anytime_pruning.datasets.cache import cache_path
from anytime_pruning.figures.catalog import Figure
from anytime_pruning.foundation.files import write_if_different
from anytime_pruning.results import layout
from anytime_pruning.settings.run import RunSettings


def write_figure_plan(path: Path, figures: dict[str, Figure]) -> None:
    """The figures of a study as JSON, for the jobs that draw them."""
    write_if_different(path, json.dumps({name: figure.as_json() for name, figure in figures.items()}, indent=1) + "\n")


def table_of_figure(figure: Figure, tables_dir: str) -> list[str]:
    """The collected table that a figure is drawn from; none for a diagram."""
    return [f"{tables_dir}/{figure.table}.csv"] if figure.table else []


def data_of_run(study: str, name: str, settings: RunSettings) -> list[str]:
    """The cached dataset that a run has to wait for: none if the run is there already.

    Without this, a clone that has results but no data would train everything again as soon as one run is missing:
    Snakemake runs every job whose input is made anew, even an `ancient` one.
    """
    if (layout.run_dir(study, name) / layout.METRICS).exists():
        return []
    return [str(cache_path(settings.dataset, settings.execution.data_dir))]

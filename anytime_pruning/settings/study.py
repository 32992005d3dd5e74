"""Plan a study: check a configuration file and expand its grid into the list of runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.fields import Name, Number, check_field, validate
from anytime_pruning.settings.dataset_entries import check_entries, find_dataset
from anytime_pruning.settings.grid import combine, count_combinations, read_axes
from anytime_pruning.settings.naming import run_name
from anytime_pruning.settings.run import RunSettings, parse_settings

# The most runs that a grid may name, counted before entries that name the same run are merged.
MAX_RUNS = 20_000


class Margins(BaseModel):
    """Holds the differences that have no practical meaning, by which tables call series equivalent.

    Attributes:
        test_acc_pct: points of test accuracy.
        cumulative_error_count: percent of the cumulative errors of the series that is compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    test_acc_pct: Number = Field(1.0, gt=0, le=100)
    cumulative_error_count: Number = Field(2.0, gt=0, le=100)


class Study(BaseModel):
    """Holds the content of a configuration file.

    Attributes:
        study: name of the study, whose files are in `results/<study>/` and `paper_figures/<study>/`.
        container: image that jobs run in with --use-singularity: a SIF file, or an address such as docker://ADDRESS
        execution: execution settings of every run, such as the device.
        datasets: settings of datasets by name; `digits`, `cifar10` and `cifar100` need no entry.
        margins: differences that have no practical meaning.
        defaults: settings of every run; an entry of the grid may override them.
        grid: entries of settings. A list of values stands for one run with each value, and several lists stand for one
            run with each combination.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: Name
    container: str = Field("envs/anytime-pruning.sif", max_length=1024, pattern=r"^[^{}\x00-\x1f\x7f]+$")
    execution: dict[str, Any] = Field(default_factory=dict)
    datasets: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    margins: Margins = Margins()
    defaults: dict[str, Any] = Field(default_factory=dict)
    grid: list[dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True)
class PlannedRun:
    """Holds one run of a study.

    Attributes:
        name: name of the run, which is also its folder below `results/<study>/runs/`.
        settings: settings of the run.
    """

    name: str
    settings: RunSettings


def plan_study(content: Mapping[str, Any]) -> tuple[Study, list[PlannedRun]]:
    """Check a study and expand its grid.

    Args:
        content: the configuration as a mapping.

    Returns:
        The study and its runs in the order of the grid. Each run appears once, although a grid may name a run several
        times: the dense baseline, for example, is one run, however many pruners the grid names.

    Raises:
        SettingError: a setting is wrong; the message names the first wrong setting, its value and the allowed values.
    """
    study = validate(Study, dict(content))
    check_entries(study.datasets)
    _check_defaults(study)
    grid = [read_axes(f"grid[{number}]", study.defaults | entry) for number, entry in enumerate(study.grid)]
    count = sum(map(count_combinations, grid))
    if count > MAX_RUNS:
        raise SettingError(f"grid: {show(count)} runs are not allowed: a study has at most {MAX_RUNS:,}")
    runs: dict[str, PlannedRun] = {}
    for axes in grid:
        for values in combine(axes):
            dataset = find_dataset(study.datasets, values.get("dataset"))
            settings = parse_settings(values | {"dataset": dataset, "execution": study.execution})
            name = run_name(settings)
            runs.setdefault(name, PlannedRun(name, settings))
    return study, list(runs.values())


def _check_defaults(study: Study) -> None:
    """Check each default by itself, because entries of the grid may override a wrong one until a new entry does not."""
    for key, values in read_axes("defaults", study.defaults).items():
        for value in values:
            if key == "dataset":
                find_dataset(study.datasets, value)
            else:
                check_field(RunSettings, key, value, "defaults.")

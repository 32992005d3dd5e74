"""A study: a named grid of runs, as one YAML file describes it, and the list of runs that it expands to. Torch-free."""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from anytime_pruning.datasets import parse_dataset
from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.fields import Name, validate
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.results import layout
from anytime_pruning.settings.run import RunSettings, parse_settings

# Settings whose own value is a list: for them an axis of the grid is a list of lists.
LIST_SETTINGS = frozenset({"lr_milestones"})
# Runs that a grid may name, before those are merged that are one run.
MAX_RUNS = 20_000


class Study(BaseModel):
    """A configuration file.

    Attributes:
        study: its name; everything it makes lies in `results/<study>/` and `paper_figures/<study>/`.
        container: image that jobs run in with --use-singularity: a SIF file, or an address such as docker://...
        execution: device, threads and data folder of every run.
        datasets: image folders and the like by name; `digits`, `cifar10` and `cifar100` need no entry.
        defaults: settings of every run, where a grid entry says nothing else.
        grid: entries of settings; a list stands for one run with each of its values, several lists for all
        combinations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: Name
    container: str = Field("envs/anytime-pruning.sif", max_length=1024, pattern=r"^[^{}\x00-\x1f\x7f]+$")
    execution: dict[str, Any] = Field(default_factory=dict)
    datasets: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)
    grid: list[dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study: its settings, and its name, which is its folder below `results/<study>/runs/`."""

    name: str
    settings: RunSettings


def plan_study(content: Mapping[str, Any]) -> tuple[Study, list[PlannedRun]]:
    """Check a study and expand its grid.

    Args:
        content: the configuration as a mapping.

    Returns:
        The study and its runs, each once (a grid may name the same run twice: the dense baseline, for example, is one
        run whatever the pruners), in the order of the grid.

    Raises:
        SettingError: one line that names the first wrong setting, its value and what is allowed.
    """
    study = validate(Study, dict(content))
    runs: dict[str, PlannedRun] = {}
    grid = [_axes(study, number, entry) for number, entry in enumerate(study.grid)]
    count = sum(math.prod(map(len, axes.values())) for axes in grid)
    if count > MAX_RUNS:
        raise SettingError(f"grid: {show(count)} runs are not allowed: a study has at most {MAX_RUNS:,}")
    for axes in grid:
        for values in _expand(study, axes):
            settings = parse_settings(values)
            name = layout.run_name(settings)
            runs.setdefault(name, PlannedRun(name, settings))
    return study, list(runs.values())


def _axes(study: Study, number: int, entry: dict[str, Any]) -> dict[str, list[Any]]:
    """The values of each setting of an entry."""
    merged = study.defaults | entry
    for key in merged:
        if key not in RunSettings.model_fields or key == "execution":
            allowed = ", ".join(name for name in RunSettings.model_fields if name != "execution")
            raise SettingError(
                f"grid[{number}].{key[:80]}: unknown setting (value {show(merged[key])}); allowed: {allowed}"
            )
    return {key: _axis(number, key, value) for key, value in merged.items()}


def _expand(study: Study, axes: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of values."""
    for combination in itertools.product(*axes.values()):
        values = dict(zip(axes, combination))
        yield values | {"dataset": _dataset(study, values.get("dataset")), "execution": study.execution}


def _axis(number: int, key: str, value: Any) -> list[Any]:
    """The values of one setting: a list is an axis, except where the setting itself is a list."""
    is_axis = isinstance(value, list) and (key not in LIST_SETTINGS or any(isinstance(item, list) for item in value))
    if is_axis and not value:
        raise SettingError(f"grid[{number}].{key}: [] is not allowed: an axis needs at least one value")
    return value if is_axis else [value]


def _dataset(study: Study, name: Any) -> Any:
    if name is None:
        raise SettingError(f"dataset: every entry of the grid needs one; allowed: {', '.join(_dataset_names(study))}")
    if isinstance(name, str) and name in study.datasets:
        if "name" in study.datasets[name]:
            raise SettingError(f"datasets.{name}.name: unknown setting; the key {name!r} is the dataset's name")
        dataset = parse_dataset({"name": name, **study.datasets[name]})
        if not dataset.is_pinned():
            settings = json.dumps(dataset.model_dump(mode="json", exclude_defaults=True) | {"source": dataset.source})
            raise SettingError(
                f"datasets.{name}.content_sha256: this setting is required in a study, whose results are found by it; "
                f"`python -m anytime_pruning prepare '{settings}'` prints it"
            )
        return dataset
    if not isinstance(name, str) or name not in _dataset_names(study):
        raise SettingError(f"dataset: {show(name)} is not known; allowed: {', '.join(_dataset_names(study))}")
    return parse_dataset(name)


def _dataset_names(study: Study) -> list[str]:
    embedded = [name for name in names("dataset") if _needs_no_settings(name)]
    return sorted({*study.datasets, *embedded})


def _needs_no_settings(source: str) -> bool:
    fields = lookup("dataset", source).model_fields
    return not any(field.is_required() for name, field in fields.items() if name != "name")


def study_schema() -> dict[str, Any]:
    """JSON schema of a configuration file, with the settings of runs and of every dataset source."""
    schema = Study.model_json_schema()
    run = RunSettings.model_json_schema()
    definitions = run.pop("$defs")
    properties = {}
    for key, field in run["properties"].items():
        if key == "dataset":
            field = {"type": "string", "description": field.get("description", "")}
        if key != "execution":
            properties[key] = {"anyOf": [field, {"type": "array", "items": field, "minItems": 1}]}
    entry = {"type": "object", "properties": properties, "additionalProperties": False}
    sources = [lookup("dataset", name).model_json_schema() for name in names("dataset")]
    for source in sources:
        source["required"] = [key for key in source.get("required", []) if key != "name"]
    schema["$defs"] = {"ExecutionSettings": definitions["ExecutionSettings"], "entry": entry}
    schema["properties"]["execution"] = {"$ref": "#/$defs/ExecutionSettings"}
    schema["properties"]["defaults"] = {"$ref": "#/$defs/entry"}
    schema["properties"]["grid"]["items"] = {"$ref": "#/$defs/entry"}
    schema["properties"]["datasets"] = {"type": "object", "additionalProperties": {"anyOf": sources}}
    return schema

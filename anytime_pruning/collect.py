"""Collect the runs of a study into four tidy tables: runs, megabatches, epochs and layers, one row each. No torch."""

import json
from pathlib import Path

import pandas as pd
import yaml

from anytime_pruning import layout
from anytime_pruning.config import PRUNING_SETTINGS
from anytime_pruning.errors import DataError
from anytime_pruning.storage import SCHEMA_VERSION, read_metrics, write_text

# What names a run in figures; other settings that differ within a study are spelled out in the column `variant`.
AXES = ("dataset", "model", "n_megabatches", "method", "pruner", "seed")
SERIES = (layout.MEGABATCHES, layout.EPOCHS, layout.LAYERS)


def collect(names: list[str], runs_dir: Path, tables_dir: Path) -> None:
    """Write runs.csv, megabatches.csv, epochs.csv and layers.csv.

    Args:
        names: of the runs, as folders below `runs_dir`.
    Raises:
        DataError: a run is missing or damaged, was written by another version of the code, or two runs on one dataset
            had different images.
    """
    settings = {name: read_settings(runs_dir / name) for name in names}
    variants = name_variants(settings)
    finals = {name: read_final(runs_dir / name) for name in names}
    check_same_data({name: settings[name]["dataset"] for name in names}, finals)
    keys = {
        name: {axis: settings[name][axis] for axis in AXES} | {"variant": variants[name], "run": name} for name in names
    }
    tables = {"runs.csv": pd.DataFrame([keys[name] | finals[name] for name in names])}
    for series in SERIES:
        parts = []
        for name in names:
            part = pd.read_csv(runs_dir / name / series)
            parts.append(pd.concat([pd.DataFrame([keys[name]] * len(part)), part], axis="columns"))
        tables[series] = pd.concat(parts)
    for name, table in tables.items():
        write_text(tables_dir / name, table.to_csv(index=False, lineterminator="\n"))


def read_settings(folder: Path) -> dict:
    """The settings of a run, with the dataset's name in place of its settings."""
    path = folder / layout.CONFIG
    try:
        settings = yaml.safe_load(_read(path))
        del settings["execution"]
        return settings | {"dataset": settings["dataset"]["name"]}
    except (yaml.YAMLError, KeyError, TypeError):
        raise DataError(f"{path}: not readable; remove the run's folder to train it again") from None


def read_final(folder: Path) -> dict:
    """The final numbers of a run and what it cost."""
    path = folder / layout.METRICS
    metrics = read_metrics(folder)
    if metrics.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{path}: schema_version is {metrics.get('schema_version')}, expected {SCHEMA_VERSION}")
    final = {key: value for key, value in metrics["final"].items() if not isinstance(value, list)}
    return final | {
        "data_sha256": metrics["data_sha256"],
        "parameter_count": metrics["parameter_count"],
        "precision": metrics["precision"],
        "planned_train_samples": metrics["cost"]["planned_samples"]["train"],
        "train_samples_per_s": metrics["cost"]["train_samples_per_s"],
        "train_s": metrics["cost"]["train_s"],
        "prune_s": metrics["cost"]["prune_s"],
        "stream_s": metrics["cost"]["stream_s"],
        "wall_time_s": metrics["wall_time_s"],
        "peak_memory_mb": metrics["hardware"]["peak_memory_mb"],
        "device": metrics["hardware"].get("gpu", metrics["hardware"]["processor"]),
        "commit": metrics["code"]["commit"],
    }


def check_same_data(datasets: dict[str, str], finals: dict[str, dict]) -> None:
    """Runs that share a dataset's name must share its content, or a mean over them would mean nothing."""
    first: dict[str, str] = {}
    for name, dataset in datasets.items():
        reference = first.setdefault(dataset, name)
        if finals[name]["data_sha256"] != finals[reference]["data_sha256"]:
            raise DataError(
                f"{dataset}: {reference} and {name} were trained on different images of this name; "
                "give one of the datasets another name"
            )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; this run has to be trained first") from None


def name_variants(settings: dict[str, dict]) -> dict[str, str]:
    """For each run the settings beyond the axes that are not the same in the whole study, as `lr=0.05, tau=3.0`.

    Of runs that are not pruned, pruning settings say nothing and are left out.
    """
    meaningful = {
        name: {
            key: value
            for key, value in values.items()
            if key not in AXES and not (values["pruner"] == "none" and key in PRUNING_SETTINGS)
        }
        for name, values in settings.items()
    }
    found: dict[str, set[str]] = {}
    for values in meaningful.values():
        for key, value in values.items():
            found.setdefault(key, set()).add(json.dumps(value))
    return {
        name: ", ".join(f"{key}={values[key]}" for key in sorted(values) if len(found[key]) > 1)
        for name, values in meaningful.items()
    }

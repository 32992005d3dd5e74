"""Collect the runs of a study into four tidy tables: runs, megabatches, epochs and layers, one row each. No torch."""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
import yaml

SCHEMA_VERSION = 1
# What names a run in figures; other settings that differ within a study are spelled out in the column `variant`.
AXES = ("dataset", "model", "n_megabatches", "method", "pruner", "seed")
SERIES = ("megabatches", "epochs", "layers")


class WrongRun(Exception):
    """A stored run cannot be read; the message names its file."""


def collect(names: list[str], runs_dir: Path, tables_dir: Path) -> None:
    """Write runs.csv, megabatches.csv, epochs.csv and layers.csv.

    Args:
        names: of the runs, as folders below `runs_dir`.
    Raises:
        WrongRun: a file is missing or was written by another version.
    """
    settings = {name: read_settings(runs_dir / name) for name in names}
    variants = name_variants(settings)
    keys = {
        name: {axis: settings[name][axis] for axis in AXES} | {"variant": variants[name], "run": name} for name in names
    }
    tables_dir.mkdir(parents=True, exist_ok=True)
    runs = pd.DataFrame([keys[name] | read_final(runs_dir / name) for name in names])
    runs.to_csv(tables_dir / "runs.csv", index=False, lineterminator="\n")
    for series in SERIES:
        parts = []
        for name in names:
            part = pd.read_csv(runs_dir / name / f"{series}.csv")
            parts.append(pd.concat([pd.DataFrame([keys[name]] * len(part)), part], axis="columns"))
        pd.concat(parts).to_csv(tables_dir / f"{series}.csv", index=False, lineterminator="\n")


def read_settings(folder: Path) -> dict:
    """The settings of a run, with the dataset's name in place of its settings."""
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    del settings["execution"]
    return settings | {"dataset": settings["dataset"]["name"]}


def read_final(folder: Path) -> dict:
    """The final numbers of a run and what it cost."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    if metrics.get("schema_version") != SCHEMA_VERSION:
        raise WrongRun(f"{path}: schema_version is {metrics.get('schema_version')}, expected {SCHEMA_VERSION}")
    final = {key: value for key, value in metrics["final"].items() if not isinstance(value, list)}
    return final | {
        "parameter_count": metrics["parameter_count"],
        "wall_time_s": metrics["wall_time_s"],
        "peak_memory_mb": metrics["hardware"]["peak_memory_mb"],
        "device": metrics["hardware"].get("gpu", metrics["hardware"]["processor"]),
        "commit": metrics["code"]["commit"],
    }


def name_variants(settings: dict[str, dict]) -> dict[str, str]:
    """For each run the settings beyond the axes that are not the same in the whole study, as `lr=0.05, tau=3.0`."""
    others = sorted({key for values in settings.values() for key in values} - set(AXES))
    varying = [key for key in others if len({json.dumps(values.get(key)) for values in settings.values()}) > 1]
    return {
        name: ", ".join(f"{key}={values.get(key)}" for key in varying) for name, values in settings.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs_list", type=Path, help="names of the runs, one a line")
    parser.add_argument("runs_dir", type=Path)
    parser.add_argument("tables_dir", type=Path)
    options = parser.parse_args()
    try:
        collect(options.runs_list.read_text().splitlines(), options.runs_dir, options.tables_dir)
    except (WrongRun, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

"""Fabricate the results of thousands of runs in seconds: a few are trained, the others are copies with other seeds.

The function that writes trained runs also writes the copies, each with its own settings and digest. A copy therefore
passes every check that a trained run passes. The numbers in it are copied, so they test the tools and not the method.

`python -m benchmarks.fabricate STUDY.yaml` writes all missing runs of a study below `results/`.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.results import layout
from anytime_pruning.results.store import write_run
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.settings.study import PlannedRun, plan_study

# A template takes settings, a folder and the file for weights, and writes one run.
Template = Callable[[RunSettings, Path, Path], dict[str, Any]]


def make_study(n_seeds: int, data_dir: str = "data") -> dict[str, Any]:
    """Return the configuration of the study `load`, with ten runs for each seed that each train in a second."""
    return {
        "study": "load",
        "execution": {"device": "cpu", "data_dir": data_dir},
        "defaults": {
            "dataset": "digits",
            "model": "resnet20",
            "epochs": 1,
            "lr": 0.05,
            "train_limit": 60,
            "batch_size": 16,
            "seed": list(range(n_seeds)),
        },
        "grid": [
            {"method": ["app", "osp"], "pruner": ["snip", "magnitude"], "n_megabatches": [2, 3]},
            {"method": "dense", "n_megabatches": [2, 3]},
        ],
    }


def fabricate(runs: Iterable[PlannedRun], study: str, root: Path) -> int:
    """Write every missing run as `root/results/...` and return the number of written runs.

    The weights of copies are hard links to those of the trained run, so that 10,000 runs take the space of a few.
    """
    templates: dict[str, Template] = {}
    count = 0
    with tempfile.TemporaryDirectory(dir=root) as folder, mock.patch.object(os, "fsync"):
        for run in runs:
            out_dir = root / layout.run_dir(study, run.name)
            if (out_dir / layout.METRICS).exists():
                continue
            like = run.settings.model_copy(update={"seed": 0})
            if (key := like.digest()) not in templates:
                templates[key] = train_template(like, Path(folder) / key)
            templates[key](run.settings, out_dir, root / layout.weights_path(study, run.name))
            count += 1
    return count


def train_template(settings: RunSettings, folder: Path) -> Template:
    """Train a run in a folder, and return a function that writes the same results as a run with other settings."""
    from anytime_pruning.runs import job

    with mock.patch.object(job, "write_run", side_effect=write_run) as written:
        job.run_stream(settings, folder)
    _, _, records, provenance, _, weights = written.call_args.args

    def link(path: Path) -> None:
        path.unlink()
        os.link(weights, path)

    def write(other: RunSettings, out_dir: Path, weights_path: Path) -> dict[str, Any]:
        return write_run(out_dir, other, records, provenance, link, weights_path)

    return write


if __name__ == "__main__":
    study, runs = plan_study(read_yaml(Path(sys.argv[1])))
    print(f"{fabricate(runs, study.study, Path())} runs written")

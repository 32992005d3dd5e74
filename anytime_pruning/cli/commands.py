"""What each command of `python -m anytime_pruning` does, from its parsed options. The options are `__main__.py`."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from anytime_pruning.foundation.errors import SettingError, VerificationError, one_line, show
from anytime_pruning.foundation.fields import check_name
from anytime_pruning.foundation.registry import KINDS, names
from anytime_pruning.foundation.safe_text import parse_json, parse_yaml, read_yaml
from anytime_pruning.orchestration.checks import check_runs
from anytime_pruning.results import layout
from anytime_pruning.settings.run import RunSettings, parse_settings
from anytime_pruning.settings.study import plan_study, study_schema


def train(options: argparse.Namespace) -> None:
    """One run, into its folder below `results/<study>/runs/`, unless it is there already."""
    settings = parse_settings(_given_settings(options))
    if options.digest not in (None, settings.digest()):
        raise SettingError(
            f"digest: {options.digest} is not allowed: these settings have digest {settings.digest()}; "
            "the code that planned this run is not the code that runs it"
        )
    name = layout.run_name(settings)
    study = check_name("study", options.study)
    out_dir = options.out or layout.run_dir(study, name)
    weights = options.weights or (None if options.out else layout.weights_path(study, name))
    check_runs([settings])
    from anytime_pruning.runs.job import run_stream

    final = run_stream(settings, out_dir, weights)["final"]
    print(
        f"test accuracy {final['test_acc_pct']:.2f} %, CER {final['cumulative_error_count']} errors "
        f"({100 * final['cumulative_error_rate']:.1f} %), density {final['density']:.3f}; in {out_dir}"
    )


def prepare(options: argparse.Namespace) -> None:
    """Download or decode one dataset of a study into the cache."""
    from anytime_pruning.datasets import load_dataset, parse_dataset
    from anytime_pruning.datasets.cache import cache_path

    dataset = parse_dataset(parse_yaml(f"dataset: {show(options.dataset)}", options.dataset))
    arrays = load_dataset(dataset, options.data_dir)
    print(
        f"{dataset.name}: {len(arrays.train_images)} training and {len(arrays.test_images)} test images, "
        f"{arrays.n_classes} classes, shape {arrays.image_shape}\n"
        f"mean {arrays.mean}, std {arrays.std}\ncontent_sha256 {arrays.content_sha256}\n"
        f"{arrays.test_images_in_train} test images are also among the training images\n"
        f"cache {cache_path(dataset, options.data_dir)}"
    )


def collect_runs(options: argparse.Namespace) -> None:
    """All runs of a list in four tidy tables: runs.csv, megabatches.csv, epochs.csv and layers.csv."""
    from anytime_pruning.results.collect import collect
    from anytime_pruning.results.run_list import read_runs_list

    collect(read_runs_list(options.runs_list), options.runs_dir, options.tables_dir, options.present_only)


def verify_results(options: argparse.Namespace) -> None:
    """Check stored results again: checksums, names, numbers, weights, tables, and networks on their test images."""
    from tqdm import tqdm

    from anytime_pruning.verification.findings import Verification
    from anytime_pruning.verification.stored import verify

    told, done = 0, Verification()
    with tqdm(desc="verifying", unit=" runs", disable=not sys.stderr.isatty(), leave=False) as bar:
        for done in verify(options.paths, not options.no_evaluate, options.data_dir):
            for problem in done.problems[told:]:
                bar.write(one_line(f"problem: {problem}"), file=sys.stderr)
            told = len(done.problems)
            bar.update(done.counts["runs"] - bar.n)
    for note, count in done.notes.items():
        print(one_line(f"{count}x {note}" if count > 1 else note))
    if done.problems:
        raise VerificationError(str(done))
    print(done)


def list_registered(options: argparse.Namespace) -> None:
    """Everything that a configuration can name."""
    from anytime_pruning import models  # noqa: F401
    from anytime_pruning.pruning import pruners  # noqa: F401
    from anytime_pruning.runs import trackers  # noqa: F401
    from anytime_pruning.stream import replay  # noqa: F401

    for kind in KINDS:
        print(f"{kind + ':':9}{', '.join(names(kind))}")


def print_schema(options: argparse.Namespace) -> None:
    """JSON schema of a study's configuration file."""
    print(json.dumps(study_schema(), indent=2))


def export(options: argparse.Namespace) -> None:
    """The network of a finished run as ONNX and as a compact file of the weights that were kept."""
    from anytime_pruning.export.onnx import export_run

    for path in export_run(options.run, options.weights, options.out).values():
        print(f"{path}: {path.stat().st_size:,} bytes")
    print("Scattered zeros make the sparse file smaller; dense hardware runs the network no faster for them.")


def find_stale(options: argparse.Namespace) -> None:
    """Runs on disk, finished or begun, that the grid does not name any more; removed with their weights on request."""
    study, runs = plan_study(read_yaml(options.config))
    current = {run.name for run in runs}
    root = layout.runs_dir(study.study)
    signs = [*root.rglob(layout.METRICS), *root.rglob(layout.RESUME)]
    found = sorted({str(sign.parent.relative_to(root)) for sign in signs})
    stale = [name for name in found if name not in current]
    for name in stale:
        print(layout.run_dir(study.study, name))
        if options.remove:
            _remove_run(study.study, name)
    print(f"{len(stale)} of {len(found)} runs are in no grid{' and were removed' if options.remove else ''}")


def _remove_run(study: str, name: str) -> None:
    """Remove a run and its weights, but not under the hands of a process that works on it."""
    folder = layout.run_dir(study, name)
    try:
        with FileLock(folder / layout.LOCK, blocking=False):
            shutil.rmtree(folder)
    except Timeout:
        raise SettingError(f"remove: {folder} is not allowed: a process works on this run; stop it first") from None
    shutil.rmtree(layout.weights_path(study, name).parent, ignore_errors=True)


def _given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The settings on the command line: one JSON argument, a file, or one flag for each setting."""
    flags = {
        key: parse_yaml(f"{key}: {show(text)}", text)
        for key in RunSettings.model_fields
        if (text := getattr(options, key)) is not None
    }
    if options.settings is None:
        return flags
    if flags:
        raise SettingError(f"settings: not allowed together with --{next(iter(flags)).replace('_', '-')}")
    if not options.settings.lstrip().startswith("{"):
        return read_yaml(Path(options.settings))
    return parse_json("settings", options.settings)

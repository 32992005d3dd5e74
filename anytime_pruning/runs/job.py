"""One job: claim a device, read the data, run the stream, write what came of it. The stream itself is `run.py`."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save_file
from torch import nn

from anytime_pruning.datasets import ImageArrays, load_dataset
from anytime_pruning.export.describe import copy_weights, describe_input, describe_size
from anytime_pruning.foundation import signals
from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.files import remove_partial
from anytime_pruning.machine import provenance
from anytime_pruning.machine.determinism import deterministic_algorithms
from anytime_pruning.machine.devices import choose_device, choose_precision, prepare_process
from anytime_pruning.machine.gpu_slots import claim_device
from anytime_pruning.machine.memory import out_of_memory_as_capacity_error
from anytime_pruning.machine.memory_format import arrange
from anytime_pruning.machine.randomness import derive_seed
from anytime_pruning.models import build_model
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.results import layout
from anytime_pruning.results.store import stored_run, write_run
from anytime_pruning.runs.checkpoints import Checkpoints
from anytime_pruning.runs.initial_state import load_initial_weights
from anytime_pruning.runs.loop import run_megabatches
from anytime_pruning.runs.state import Keeper
from anytime_pruning.settings.run import RunSettings, parse_settings


def run_stream(
    settings: RunSettings | Mapping[str, Any], out_dir: str | Path, weights_path: str | Path | None = None
) -> dict[str, Any]:
    """Train and prune one network over one stream and write what came of it.

    Args:
        settings: of the run; a mapping is checked like a configuration file.
        out_dir: folder for config.yaml, megabatches.csv, epochs.csv, layers.csv and metrics.json, which is written
            last: where it is, the run is done. A second process on the same folder waits for the first.
        weights_path: safetensors file for the final weights; in `out_dir` if None.

    Returns:
        The content of metrics.json.

    Raises:
        SettingError: a setting is not allowed, or no such device.
        DataError: the data is missing or corrupt.
        DivergenceError: a loss or score is not finite; nothing is written.
        InvariantError: what must hold at every moment of a run does not; nothing is written.
        CapacityError: the memory does not suffice; nothing is written.
    """
    settings = settings if isinstance(settings, RunSettings) else parse_settings(dict(settings))
    out_dir = Path(out_dir)
    weights_path = Path(weights_path) if weights_path else out_dir / layout.WEIGHTS
    execution = settings.execution
    choose_device(execution.device)
    for folder in (out_dir, weights_path.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if weights_path.is_dir():
        raise SettingError(f"weights: {weights_path} is not allowed: it is a folder; name a file")
    with _only_process_on(out_dir):
        # Looked at under the lock: the process that was waited for may have finished this very run.
        stored = stored_run(out_dir, settings)
        _tidy(out_dir, weights_path, is_done=stored is not None)
        if stored and settings.dataset.is_pinned():
            return stored
        arrays = load_dataset(settings.dataset, settings.execution.data_dir)
        if stored:
            return _of_same_data(stored, arrays, out_dir)
        if arrays.test_images_in_train:
            warn(f"{settings.dataset.name}: {arrays.test_images_in_train} test images are training images, too")
        with (
            deterministic_algorithms(execution.device, execution.deterministic),
            claim_device(execution.device, execution.gpu_slots) as device,
            out_of_memory_as_capacity_error(advice_on_memory(settings)),
            signals.deferring(),
        ):
            return _compute(settings, arrays, device, out_dir, weights_path)


def _compute(
    settings: RunSettings, arrays: ImageArrays, device: torch.device, out_dir: Path, weights_path: Path
) -> dict[str, Any]:
    execution = settings.execution
    prepare_process(device, execution.threads, execution.gpu_slots, execution.deterministic)
    precision = choose_precision(settings.precision, device)
    # Of the code as it is now, when it was read; a checkout may change while a run goes on.
    code = {"code": provenance.describe_code(), "container": provenance.describe_container()}
    code["versions"] = provenance.describe_versions()
    identity = {**settings.identity(), "resolved_precision": precision, "data_sha256": arrays.content_sha256}
    keeper = Keeper(
        Checkpoints(out_dir / layout.RESUME, identity),
        settings.execution,
        lambda: code | {"hardware": provenance.describe_hardware(device)},
    )
    model = build_model(
        settings.model,
        arrays.n_classes,
        arrays.image_shape,
        arrays.mean,
        arrays.std,
        seed=derive_seed(settings.seed, "initial weights"),
    ).to(device)
    load_initial_weights(model, settings)
    _check_prunable(model, settings)
    # Our own draws have generators of their own; this is for networks that draw, such as those with dropout.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive_seed(settings.seed, "network"))
        arrange(model, arrays.image_shape, device)
        resolved = settings.model_copy(update={"precision": precision})
        records = run_megabatches(resolved, arrays, model, device, out_dir, keeper)
    facts = {
        "precision": precision,
        "input": describe_input(arrays),
        **describe_size(model),
        "data_sha256": arrays.content_sha256,
        "test_images_in_train": arrays.test_images_in_train,
        **code,
        "hardware": provenance.describe_hardware(device),
        "resumed": keeper.resumed,
        "wall_time_s": round(keeper.seconds, 3),
    }
    weights = copy_weights(model)
    content = write_run(out_dir, settings, records, facts, lambda path: save_file(weights, path), weights_path)
    keeper.clear()
    return content


@contextmanager
def _only_process_on(out_dir: Path) -> Iterator[None]:
    """Nobody else works in a run's folder; who died there has let go of it."""
    lock = FileLock(out_dir / layout.LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"waiting for another process that works in {out_dir}", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _tidy(out_dir: Path, weights_path: Path, is_done: bool) -> None:
    """Remove what killed processes left: files they had begun, and the checkpoints of a run that is done."""
    for folder, name in ((out_dir, "*"), (out_dir / layout.RESUME, "*"), (weights_path.parent, weights_path.name)):
        remove_partial(folder, name)
    if is_done:
        shutil.rmtree(out_dir / layout.RESUME, ignore_errors=True)


def _of_same_data(stored: dict[str, Any], arrays: ImageArrays, out_dir: Path) -> dict[str, Any]:
    """A stored run whose settings do not say what its data was: the data must be what it was."""
    if stored["data_sha256"] != arrays.content_sha256:
        raise DataError(
            f"{out_dir}: holds a run on data with content_sha256 {stored['data_sha256']}, but the data now has "
            f"{arrays.content_sha256}; name another folder, or declare content_sha256 in the dataset's settings"
        )
    return stored


def advice_on_memory(settings: RunSettings) -> str:
    return (
        f"{settings.model} with batch_size {settings.batch_size} and execution.gpu_slots "
        f"{settings.execution.gpu_slots} does not fit; lower one of the two, or run fewer jobs at once"
    )


def _check_prunable(model: nn.Module, settings: RunSettings) -> None:
    """Before anything is trained: there are weights to prune, and some remain at the end."""
    n_prunable = sum(weight.numel() for weight in prunable_weights(model).values())
    if n_prunable == 0:
        raise SettingError(f"model: {settings.model!r} is not allowed: it has no convolution, so nothing to prune")
    if round(settings.densities()[-1] * n_prunable) == 0:
        raise SettingError(f"tau: {settings.tau} is not allowed: none of {n_prunable} weights would remain at the end")

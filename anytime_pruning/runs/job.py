"""Do one job: claim a device, read the data, run the stream of `loop.py` and write the results."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from anytime_pruning.datasets import ImageArrays, load_dataset
from anytime_pruning.datasets.pixel_statistics import pixels_sha256
from anytime_pruning.export.describe import count_parameters, describe_input, measure_files
from anytime_pruning.export.identity import build_again
from anytime_pruning.foundation import signals
from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.locks.threads import Turn
from anytime_pruning.foundation.torch_fixes.seeding import generators_restored, seed_generators
from anytime_pruning.machine import provenance
from anytime_pruning.machine.busy_cores import warn_if_threads_would_wait
from anytime_pruning.machine.determinism import deterministic_algorithms
from anytime_pruning.machine.devices import choose_device, own_settings, prepare_process
from anytime_pruning.machine.gpu_slots import claim_device
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.machine.memory import out_of_memory_as_capacity_error
from anytime_pruning.machine.randomness import derive_seed
from anytime_pruning.models.state import copy_state
from anytime_pruning.results import layout
from anytime_pruning.results.metrics_file import MetricsFile
from anytime_pruning.results.store import stored_run, write_run
from anytime_pruning.runs.checkpointing.checkpointer import CheckpointOptions
from anytime_pruning.runs.checkpointing.files import Checkpoints
from anytime_pruning.runs.folder import RunFolder
from anytime_pruning.runs.loop import FinishedStream, run_megabatches
from anytime_pruning.runs.memory_advice import advice_on_memory
from anytime_pruning.runs.networks import build_network, choose_network_precision
from anytime_pruning.settings.own_code import check_own_code
from anytime_pruning.settings.run import RunSettings, parse_settings

# Generators and settings of torch, Python and numpy belong to the whole process.
_TURN = Turn("run_stream")


def run_stream(
    settings: RunSettings | Mapping[str, Any], out_dir: str | Path, weights_path: str | Path | None = None
) -> dict[str, Any]:
    """Train and prune one network over one stream and write the results.

    Random generators and settings of torch belong to the whole process. A run changes them, and restores them when it
    ends. So runs in several threads take turns, and other threads must not use torch meanwhile.

    Args:
        settings: settings of the run; a mapping is checked like a configuration file.
        out_dir: folder for config.yaml, megabatches.csv, epochs.csv, layers.csv and metrics.json. metrics.json is
            written last, so the run is finished if metrics.json exists. A second process with the same folder waits
            for the first.
        weights_path: safetensors file for the final weights; None means a file in `out_dir`.

    Returns:
        The content of metrics.json.

    Raises:
        SettingError: a setting is not allowed, the device does not exist, or the call is inside of another run or of
            torch.autocast.
        DataError: the data is missing or corrupt.
        DivergenceError: a loss or score is not finite; nothing is written.
        InvariantError: the run violates an invariant of all runs; nothing is written.
        CapacityError: the memory is too small; nothing is written.
    """
    settings = settings if isinstance(settings, RunSettings) else parse_settings(dict(settings))
    check_own_code(settings.own_code, dict(settings))
    path = Path(out_dir)
    folder = RunFolder(path, Path(weights_path) if weights_path else path / layout.WEIGHTS)
    choose_device(settings.execution.device)
    with _TURN.taken(str(path)), own_settings():
        folder.make()
        with folder.locked():
            return _run(settings, folder)


def _run(settings: RunSettings, folder: RunFolder) -> dict[str, Any]:
    """Return the content of metrics.json of a run in a locked folder, which is stored there or computed."""
    execution = settings.execution
    # The stored run is read only under the lock, because another process that held the lock may have finished this run.
    stored = stored_run(folder.path, settings)
    folder.tidy(is_done=stored is not None)
    if stored and stored.network_sha256:
        build_again(folder.path, dict(settings), stored)
    if stored and settings.dataset.is_pinned():
        return stored.content()
    arrays = load_dataset(settings.dataset, execution.data_dir)
    if stored:
        return _check_same_data(stored, arrays, folder.path).content()
    if arrays.test_images_in_train:
        warn(f"{settings.dataset.name}: {arrays.test_images_in_train} test images are also training images")
    with (
        deterministic_algorithms(execution.device, execution.deterministic),
        claim_device(execution.device, execution.gpu_slots, str(folder.path)) as device,
        out_of_memory_as_capacity_error(partial(advice_on_memory, settings, device)),
        signals.deferring(),
    ):
        return _compute(settings, arrays, device, folder)


def _compute(settings: RunSettings, arrays: ImageArrays, device: torch.device, folder: RunFolder) -> dict[str, Any]:
    execution = settings.execution
    prepare_process(device, execution.threads, execution.gpu_slots, execution.deterministic)
    if device.type == "cpu":
        warn_if_threads_would_wait(execution.threads)
    # The code version is recorded now, because the checkout may change during the run.
    code: dict[str, Any] = {
        "code": provenance.describe_commit(),
        "container": provenance.describe_container(),
        "versions": provenance.describe_versions(),
    }
    model, network_sha256 = build_network(settings, arrays, device)
    precision = choose_network_precision(model, settings.precision, settings.model, arrays.image_shape)
    resolved = settings.model_copy(update={"precision": precision})
    own = {} if network_sha256 is None else {"network_sha256": network_sha256}
    data = {"data_sha256": arrays.content_sha256, "pixels_sha256": pixels_sha256(arrays)}
    identity = {**settings.identity(), **own, "resolved_precision": precision, **data}
    checkpoints = CheckpointOptions(
        Checkpoints(folder.checkpoints, identity),
        execution.checkpoint_epochs,
        execution.checkpoint_share,
        lambda: code | {"hardware": provenance.describe_hardware(device, execution.gpu_slots)},
    )
    # This project's own draws have separate generators. These seeds serve networks that draw, such as those with
    # dropout.
    with generators_restored():
        seed_generators(derive_seed(settings.seed, "network"))
        arrange(model, arrays.image_shape, device)
        finished = run_megabatches(resolved, arrays, model, device, folder.path, checkpoints)
    code |= {"hardware": provenance.describe_hardware(device, execution.gpu_slots)}
    facts = _describe_run(precision, arrays, model, code, finished) | own
    weights = copy_state(model)
    metrics = write_run(
        folder.path, settings, finished.records, facts, lambda path: save_file(weights, path), folder.weights
    )
    folder.tidy(is_done=True)
    return metrics.content()


def _describe_run(
    precision: str,
    arrays: ImageArrays,
    model: nn.Module,
    code: dict[str, Any],
    finished: FinishedStream,
) -> dict[str, Any]:
    """Return the fields of metrics.json beside the final numbers, in the file's order; `code` ends with `hardware`."""
    return {
        "precision": precision,
        "input": describe_input(arrays),
        "parameter_count": count_parameters(model),
        "zeros_at_start": finished.zeros_at_start,
        "size": measure_files(model),
        "data_sha256": arrays.content_sha256,
        "test_images_in_train": arrays.test_images_in_train,
        **code,
        "resumed": finished.resumed,
        "wall_time_s": round(finished.seconds, 3),
    }


def _check_same_data(stored: MetricsFile, arrays: ImageArrays, out_dir: Path) -> MetricsFile:
    """Return a stored run, after a check that the images are still those of the run."""
    if stored.data_sha256 != arrays.content_sha256:
        raise DataError(
            f"{out_dir}: holds a run on data with content_sha256 {stored.data_sha256}, but the data now has "
            f"{arrays.content_sha256}; name another folder, or declare content_sha256 in the dataset's settings"
        )
    return stored

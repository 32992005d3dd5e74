"""One run: the stream loop of the paper, for all methods.

How one megabatch is trained on is `training.py`; what is written at the end, `storage.py`.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors.torch import save_file
from torch import Tensor, nn

from anytime_pruning import provenance
from anytime_pruning.config import RunSettings, parse_settings
from anytime_pruning.datasets import ImageArrays, load_dataset
from anytime_pruning.errors import DataError, DivergenceError, SettingError
from anytime_pruning.evaluation import evaluate
from anytime_pruning.images import ImageSet
from anytime_pruning.masks import Masks, apply_masks, count_kept, prunable_weights, select_masks
from anytime_pruning.models import build_model
from anytime_pruning.progress import Progress
from anytime_pruning.pruners import score
from anytime_pruning.records import Records
from anytime_pruning.registry import lookup
from anytime_pruning.replay import draw_pruning_sample
from anytime_pruning.seeding import derive_seed, make_generator
from anytime_pruning.storage import stored_run, write_run
from anytime_pruning.stream import Megabatch, split_stream
from anytime_pruning.training import Trainer, check_finite


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
    """
    settings = settings if isinstance(settings, RunSettings) else parse_settings(dict(settings))
    out_dir = Path(out_dir)
    weights_path = Path(weights_path) if weights_path else out_dir / "weights.safetensors"
    started = time.perf_counter()
    device = choose_device(settings.execution.device)
    torch.set_num_threads(settings.execution.threads)
    for folder in (out_dir, weights_path.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if weights_path.is_dir():
        raise SettingError(f"weights: {weights_path} is not allowed: it is a folder; name a file")
    with FileLock(out_dir / "run.lock"):
        # Looked at under the lock: the process that was waited for may have finished this very run.
        stored = stored_run(out_dir, settings)
        if stored and settings.dataset.is_pinned():
            return stored
        arrays = load_dataset(settings.dataset, settings.execution.data_dir)
        if stored:
            return _of_same_data(stored, arrays, out_dir)
        model = build_model(
            settings.model,
            arrays.n_classes,
            arrays.image_shape,
            arrays.mean,
            arrays.std,
            seed=derive_seed(settings.seed, "initial weights"),
        ).to(device)
        _check_prunable(model, settings)
        # Our own draws have generators of their own; this is for networks that draw, such as those with dropout.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(settings.seed, "network"))
            records = _run_megabatches(settings, arrays, model, device)
        facts = {
            "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
            "data_sha256": arrays.content_sha256,
            "code": provenance.describe_code(),
            "versions": provenance.describe_versions(),
            "hardware": provenance.describe_hardware(device),
            "wall_time_s": round(time.perf_counter() - started, 3),
        }
        # Copies, because safetensors refuses tensors that share memory, as tied weights do.
        weights = {name: tensor.detach().clone().contiguous() for name, tensor in model.state_dict().items()}
        return write_run(out_dir, settings, records, facts, lambda path: save_file(weights, path), weights_path)


def _of_same_data(stored: dict[str, Any], arrays: ImageArrays, out_dir: Path) -> dict[str, Any]:
    """A stored run whose settings do not say what its data was: the data must be what it was."""
    if stored["data_sha256"] != arrays.content_sha256:
        raise DataError(
            f"{out_dir}: holds a run on data with content_sha256 {stored['data_sha256']}, but the data now has "
            f"{arrays.content_sha256}; name another folder, or declare content_sha256 in the dataset's settings"
        )
    return stored


def choose_device(name: str) -> torch.device:
    """The device of a setting; `auto` is CUDA where there is one.

    Raises:
        SettingError: CUDA is asked for and there is none, or not that one.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= available:
        raise SettingError(
            f"device: {name!r} is not allowed: this machine has {available} CUDA devices; use auto or cpu"
        )
    return device


def _check_prunable(model: nn.Module, settings: RunSettings) -> None:
    """Before anything is trained: there are weights to prune, and some remain at the end."""
    n_prunable = sum(weight.numel() for weight in prunable_weights(model).values())
    if n_prunable == 0:
        raise SettingError(f"model: {settings.model!r} is not allowed: it has no convolution, so nothing to prune")
    if round(settings.densities()[-1] * n_prunable) == 0:
        raise SettingError(f"tau: {settings.tau} is not allowed: none of {n_prunable} weights would remain at the end")


def _run_megabatches(settings: RunSettings, arrays: ImageArrays, model: nn.Module, device: torch.device) -> Records:
    """The stream loop: for t = 1 ... T prune to the scheduled density, train on all data so far, test."""
    data = ImageSet.from_arrays(arrays.train_images, arrays.train_labels, device, arrays.crop_padding, arrays.flip)
    test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)
    stream = split_stream(
        len(data),
        settings.n_megabatches,
        settings.valid_frac,
        make_generator(settings.seed, "stream"),
        settings.train_limit,
    )
    replayed = [_replay(settings, stream[:t]) for t in range(1, len(stream) + 1)]
    trainer = Trainer(model, data, settings, make_generator(settings.seed, "training"))
    planned_samples = settings.epochs * sum(len(train) for train, _ in replayed)
    name = f"{settings.dataset.name} {settings.model} {settings.method}"
    records, masks = Records(), {}
    with Progress(name, planned_samples, settings.n_megabatches) as progress:
        for t, density in enumerate(settings.densities(), start=1):
            started = time.perf_counter()
            # 1. The replay-inclusive set: what the policy keeps of M_1 ... M_t.
            train, valid = replayed[t - 1]
            # 2. A sample of it, pi_t.
            sample = draw_pruning_sample(
                train, settings.sample_frac, make_generator(settings.seed, f"pruning sample {t}")
            )
            # 3. Prune the current network by scores on that sample; what is pruned stays pruned.
            masks = prune(model, masks, density, data, sample, settings, t)
            # 4. Train what is left, then test.
            training = trainer.train_megabatch(t, masks, train, valid, on_epoch=progress.epoch_done)
            tested = evaluate(model, test, torch.arange(len(test)), settings.precision)
            check_finite(tested.loss, f"megabatch {t}, test")
            seconds = time.perf_counter() - started
            progress.megabatch_done(records.add(count_kept(model), density, len(valid), training, tested, seconds))
    return records


def prune(
    model: nn.Module, masks: Masks, density: float, data: ImageSet, sample: Tensor, settings: RunSettings, t: int
) -> Masks:
    """Prune the current network to a density, in place, by scores of its current weights.

    Args:
        masks: of the megabatch before; empty before the first pruning.
        density: share of the prunable weights that are to remain.
        sample: int64 [n], pi_t; scored without augmentation, in batches as training has them.
        t: index of the megabatch, which pruners that draw depend on.
    Returns:
        Masks nested in the given ones. The given ones if the network is as sparse as that already, or is not pruned.
    """
    weights = prunable_weights(model)
    n_left = sum(int(mask.sum()) for mask in masks.values()) if masks else sum(w.numel() for w in weights.values())
    if round(density * sum(weight.numel() for weight in weights.values())) >= n_left:
        return masks
    scores = score(
        model,
        settings.pruner,
        data.batches(sample, settings.batch_size),
        make_generator(settings.seed, f"pruner {t}"),
    )
    try:
        masks = select_masks(scores, density, settings.scope, masks or None)
    except DivergenceError as error:
        raise DivergenceError(f"{error}, at megabatch {t}; no results were written") from None
    apply_masks(model, masks)
    return masks


def _replay(settings: RunSettings, arrived: list[Megabatch]) -> tuple[Tensor, Tensor]:
    """Training and validation indices at one megabatch, by one policy and its own random draws for each."""
    policy = lookup("replay", settings.replay)
    *past, current = arrived
    return (
        policy([m.train for m in past], current.train, make_generator(settings.seed, f"replay train {current.t}")),
        policy([m.valid for m in past], current.valid, make_generator(settings.seed, f"replay valid {current.t}")),
    )

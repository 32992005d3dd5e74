"""Prepare the networks of finished runs for measurement, in each form and for each program that can compute them."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anytime_pruning.datasets.base import parse_dataset
from anytime_pruning.export.compact import make_compact
from anytime_pruning.export.describe import count_parameters
from anytime_pruning.export.network import load_network
from anytime_pruning.export.onnx import make_onnx
from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError, first_line
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.results import layout
from anytime_pruning.results.store import read_metrics, read_settings
from anytime_pruning.results.variants import name_image_counts
from anytime_pruning.verification.stored_run import Rows
from benchmarks.inference.semi_structured import with_sparse_kernels

Call = Callable[[Tensor], None]
# The networks of a study that are compared: by method and selection, with a warm start and the first seed.
COMPARED = (
    ("dense", "unstructured"),
    ("dense_small", "unstructured"),
    ("app", "unstructured"),
    ("app", "n_m"),
    ("app", "filter"),
)


@dataclass(frozen=True)
class Subject:
    """Holds one network in one form: what is known of it, and the calls that compute it on a batch of images."""

    facts: dict[str, Any]
    engines: dict[str, Call]


def choose_runs(study: Path) -> list[Path]:
    """Return the runs of a study's first seed that are compared, in the order of the table.

    Raises:
        SettingError: the study has none of them with weights.
    """
    found: dict[tuple[str, str], Path] = {}
    for metrics in sorted((study / "runs").rglob(layout.METRICS)):
        settings = read_settings(metrics.parent)
        kind = (settings["method"], settings["selection"])
        is_plain = settings["seed"] == 0 and settings["start"] == "warm" and settings["protocol"] == "paper"
        if is_plain and settings["pruner"] in ("none", "snip") and layout.find_weights(metrics.parent).exists():
            found.setdefault(kind, metrics.parent)
    runs = [found[kind] for kind in COMPARED if kind in found]
    if not runs:
        raise SettingError(
            f"--study: {str(study)!r} is not allowed: it has no run with weights to compare; name folders of runs, or "
            "fetch the weights with dvc pull"
        )
    return runs


def make_subjects(run: Path, device: torch.device, threads: int) -> Iterator[Subject]:
    """Yield the network of a run as it was trained, and without its empty channels if whole filters were removed.

    On a GPU that has kernels for it, a network of pattern 2:4 comes with these kernels, too.

    Args:
        run: folder of the run, with weights.
        device: the device that computes.
        threads: number of threads on a CPU.
    """
    settings, metrics = read_settings(run), read_metrics(run)
    selection = settings["selection"] if settings["method"] not in ("dense", "dense_small") else ""
    network = " ".join(filter(None, (settings["method"], selection)))
    last = Rows.read(run).megabatches[-1]
    facts = {
        "network": f"{settings['model']} {network}",
        "data": _name_data(settings),
        "image_shape": metrics.input.image_shape,
        "test_accuracy": 1 - last.error_count / last.test_count,
        "density": last.kept_count / last.prunable_count,
    }
    model = load_network(run)
    yield _make_subject(model, facts | {"form": "as trained"}, device, threads)
    if settings["selection"] == "filter":
        smaller = make_compact(model, metrics.input.image_shape)
        yield _make_subject(smaller, facts | {"form": "compact"}, device, threads)
    is_two_of_four = (settings["selection"], settings["pattern"]) == ("n_m", "2:4")
    if device.type == "cuda" and is_two_of_four and (call := _try_sparse_kernels(model, facts, device)):
        yield Subject(_measured(model, facts | {"form": "sparse kernels"}), {"torch": call})


def _name_data(settings: dict[str, Any]) -> str:
    """Return the name of the dataset, with the share of its images that the network was trained on."""
    name = parse_dataset(settings["dataset"]).name
    images = name_image_counts({name: {"dataset": name, "train_limit": settings["train_limit"]}})[name]
    return f"{name} ({images} images)" if images else name


def _make_subject(model: nn.Module, facts: dict[str, Any], device: torch.device, threads: int) -> Subject:
    facts, shape, arranged = _measured(model, facts), facts["image_shape"], copy.deepcopy(model)
    if device.type == "cuda":
        arrange(arranged.half().to(device), shape, device)
        return Subject(facts, {"torch": partial(_on_gpu, arranged, device)})
    session = _open(make_onnx(model, shape), threads)
    arrange(arranged, shape, device)
    return Subject(facts, {"torch": partial(_in_torch, arranged), "onnxruntime": partial(_in_onnxruntime, session)})


def _try_sparse_kernels(model: nn.Module, facts: dict[str, Any], device: torch.device) -> Call | None:
    """Return the call that computes a network with sparse kernels, or None with one warning if this GPU has none."""
    try:
        call = partial(_on_gpu, with_sparse_kernels(copy.deepcopy(model).half().to(device)), device)
        call(torch.zeros(1, *facts["image_shape"]))
    except RuntimeError as error:
        warn(f"{facts['network']} is not measured with sparse kernels: {first_line(error)}")
        return None
    return call


def _measured(model: nn.Module, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts with the size of the network and its multiply-accumulates for one image, zeros included."""
    parameters = count_parameters(model)
    macs = count_macs(model, facts["image_shape"])
    executed = macs.total({name: weight.numel() for name, weight in prunable_weights(model).items()})
    return facts | {"parameters": parameters, "megabytes": 4e-6 * parameters, "macs": executed}


def _in_torch(model: nn.Module, images: Tensor) -> None:
    with torch.inference_mode():
        model(images)


def _on_gpu(model: nn.Module, device: torch.device, images: Tensor) -> None:
    with torch.inference_mode():
        model(images.to(device, torch.float16))
    torch.cuda.synchronize(device)


def _in_onnxruntime(session: Any, images: Tensor) -> None:
    session.run(["logits"], {"images": np.asarray(images)})


def _open(content: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

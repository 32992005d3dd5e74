"""Stored networks, tested again on the images they were tested on; what else follows from network and images, too."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anytime_pruning.datasets import ImageArrays, load_dataset
from anytime_pruning.datasets.cache import cache_path
from anytime_pruning.export.describe import describe_input, describe_size
from anytime_pruning.export.network import load_network
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.devices import prepare_process
from anytime_pruning.machine.memory_format import arrange
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.results import layout
from anytime_pruning.runs.stream_plan import plan_stream
from anytime_pruning.settings.cost import plan_cost
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.evaluation import evaluate
from anytime_pruning.verification.consistency import Problem, Rows

if TYPE_CHECKING:
    from anytime_pruning.verification.findings import Verification

# Share of the test images, where the machine is another one than that which computed a run.
TOLERANCE = 0.005


class Evaluator:
    """Tests networks again; keeps the images of the last data set, as runs of one come together."""

    def __init__(self, data_dir: Path | None):
        self._data_dir, self._key, self._arrays = data_dir, None, None
        self._threads = torch.get_num_threads()

    def check(
        self, run: Path, weights: Path, settings: RunSettings, content: dict[str, Any], rows: Rows, done: "Verification"
    ) -> None:
        """Note what of a run is other when it is computed again, or why that cannot be looked at.

        Raises:
            DataError: the images are damaged, or the weights are not those of the network.
        """
        arrays, name = self._load(settings), settings.dataset.name
        if arrays is None:
            done.notes[f"runs on {name}, whose images are not there: not tested again"] += 1
            return
        if arrays.content_sha256 != content.get("data_sha256"):
            if settings.dataset.is_pinned():
                found = f"data_sha256 is {content.get('data_sha256')}, but the images of {name} have"
                done.problems.append(f"{run / layout.METRICS}: {found} {arrays.content_sha256}")
            else:
                done.notes[f"runs on {name}, whose images have changed: not tested again"] += 1
            return
        try:
            for file, what in self._compare(run, weights, settings, content, rows, arrays):
                done.problems.append(f"{weights if file == layout.WEIGHTS else run / file}: {what}")
            done.counts["tested again"] += 1
        except SettingError as error:
            done.notes[f"not tested again: {error}"] += 1
        except (LookupError, TypeError, AttributeError) as error:
            done.problems.append(f"{run / layout.METRICS}: is not as this code writes it ({error!r})")

    def _compare(
        self, run: Path, path: Path, settings: RunSettings, content: dict[str, Any], rows: Rows, arrays: ImageArrays
    ) -> Iterator[Problem]:
        """Raises:
        SettingError: the network is not registered.
        """
        is_exact = computes_the_same(content["hardware"], content["versions"])
        # As many as the run had: sums of more threads may be rounded otherwise.
        threads = content["hardware"]["threads"] if is_exact else self._threads
        device = torch.device("cpu")
        prepare_process(device, threads)
        yield from _compare_input(content, rows, arrays)
        model = load_network(run, path)
        yield from _compare_network(model, content, rows, arrays)
        yield from _compare_plan(settings, content, rows, arrays)
        arrange(model, arrays.image_shape, device)
        test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)
        found = evaluate(model, test, torch.arange(len(test)), content["precision"]).error_count
        stored = rows.megabatches[-1].error_count
        if abs(found - stored) > (0 if is_exact else TOLERANCE * len(test)):
            yield layout.WEIGHTS, f"makes {found} errors on the test images, but {stored} are stored"

    def _load(self, settings: RunSettings) -> ImageArrays | None:
        data_dir = self._data_dir or settings.execution.data_dir
        key = (cache_path(settings.dataset, data_dir), settings.dataset)
        if key != self._key:
            there = key[0].exists() or settings.dataset.is_there(data_dir)
            self._key, self._arrays = key, load_dataset(settings.dataset, data_dir) if there else None
        return self._arrays


def computes_the_same(hardware: dict, versions: dict) -> bool:
    """Whether what was computed there is the same to the bit here: on a CPU of this kind, by this torch."""
    same_processor = hardware.get("cpu_capability") == torch.backends.cpu.get_cpu_capability()
    has_threads = hardware.get("threads") in range(1, (os.cpu_count() or 1) + 1)
    same_torch = versions.get("torch") == torch.__version__
    return hardware.get("device") == "cpu" and same_processor and has_threads and same_torch


def _compare_input(content: dict[str, Any], rows: Rows, arrays: ImageArrays) -> Iterator[Problem]:
    """What was said of the images."""
    yield from _differ("input", content["input"], describe_input(arrays))
    yield from _differ("test_images_in_train", content["test_images_in_train"], arrays.test_images_in_train)
    yield from _differ("test_count", rows.megabatches[-1].test_count, len(arrays.test_labels), layout.MEGABATCHES)


def _compare_network(
    model: torch.nn.Module, content: dict[str, Any], rows: Rows, arrays: ImageArrays
) -> Iterator[Problem]:
    """How large the network is and what an image costs."""
    for name, expected in describe_size(model).items():
        yield from _differ(name, content[name], expected)
    macs = count_macs(model, arrays.image_shape)
    totals = {row.layer: row.total for row in rows.layers}
    yield from _differ("final.macs_count", content["final"]["macs_count"], macs.total(totals))
    expected = {name: macs.positions[name] * total for name, total in totals.items()}
    yield from _differ("macs", {row.layer: row.macs for row in rows.layers}, expected, layout.LAYERS)


def _compare_plan(settings: RunSettings, content: dict[str, Any], rows: Rows, arrays: ImageArrays) -> Iterator[Problem]:
    """The stream was that of the settings: so many images at each megabatch, so many to score on."""
    counts = plan_stream(settings, len(arrays.train_labels))[2]
    for row, (train, valid, _) in zip(rows.megabatches, counts):
        yield from _differ(f"train_count at t={row.t}", row.train_count, train, layout.MEGABATCHES)
        yield from _differ(f"valid_count at t={row.t}", row.valid_count, valid, layout.MEGABATCHES)
    found = content["cost"]["planned_samples"]["score"]
    expected = plan_cost(settings.epochs, settings.densities(), counts, 0).score
    yield from _differ("cost.planned_samples.score", found, expected)


def _differ(what: str, found: Any, expected: Any, file: str = layout.METRICS) -> Iterator[Problem]:
    if found != expected:
        yield file, f"{what} is {found}, but computed again it is {expected}"

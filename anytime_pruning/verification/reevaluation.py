"""Test stored networks again, and recompute everything else that the network and the images of a run determine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file
from torch import nn

from anytime_pruning.datasets import ImageArrays, load_dataset
from anytime_pruning.datasets.base import DatasetSettings
from anytime_pruning.datasets.cache import cache_path, is_loadable
from anytime_pruning.export.describe import count_parameters, describe_input, measure_files
from anytime_pruning.export.network import load_network, read_weights
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.metrics import chance_zeros
from anytime_pruning.machine.devices import prepare_process
from anytime_pruning.machine.kernels.bfloat16 import has_bfloat16_kernels, has_native_bfloat16
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.machine.provenance import maker_of, processor_name
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.selections import make_selection
from anytime_pruning.results import layout
from anytime_pruning.results.metrics_file import Hardware
from anytime_pruning.runs.stream_plan import plan_stream
from anytime_pruning.settings.cost import plan_cost
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.evaluation import evaluate
from anytime_pruning.verification.comparison import check_equal
from anytime_pruning.verification.findings import Finding, count, note, problem
from anytime_pruning.verification.stored_run import StoredRun

# On another machine, the number of errors may differ by this share of the test images.
TOLERANCE = 0.005


class Evaluator:
    """Tests stored networks again.

    The images of the last dataset stay in memory, because runs on the same dataset follow each other.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self._data_dir = data_dir
        self._key: tuple[Path, DatasetSettings] | None = None
        self._arrays: ImageArrays | None = None
        self._threads = torch.get_num_threads()

    @staticmethod
    @contextmanager
    def unpacked(path: Path) -> Iterator[Path]:
        """Write the weights of a sparse file as they were, into a temporary folder, while the block runs.

        Raises:
            DataError: the file is damaged.
        """
        with TemporaryDirectory() as folder:
            dense = Path(folder) / layout.WEIGHTS
            save_file(read_weights(path), dense)
            yield dense

    def check(self, run: StoredRun) -> Iterator[Finding]:
        """Recompute the values that the network and the images determine, and compare them with the stored values.

        Args:
            run: the run, with the path of its weights.

        Yields:
            Every value that differs when recomputed, or the reason why nothing could be recomputed.

        Raises:
            DataError: the images are damaged, or the weights do not fit the network.
        """
        arrays, name = self._load(run.settings), run.settings.dataset.name
        if arrays is None:
            yield note(f"runs on {name}, whose images are not there: not tested again")
        elif arrays.content_sha256 == run.metrics.data_sha256:
            try:
                yield from self._compare(run, arrays)
                yield count("tested again")
            except SettingError as error:
                yield note(f"not tested again: {error}")
        elif run.settings.dataset.is_pinned():
            stored = f"data_sha256 is {run.metrics.data_sha256}"
            yield problem(f"{stored}, but the images of {name} have {arrays.content_sha256}", layout.METRICS)
        else:
            yield note(f"runs on {name}, whose images have changed: not tested again")

    def _compare(self, run: StoredRun, arrays: ImageArrays) -> Iterator[Finding]:
        """Compare the input, the network, the plan and the test errors with the stored values.

        Raises:
            SettingError: the network is not registered.
        """
        hardware = run.metrics.hardware
        is_exact = computes_the_same(hardware, run.metrics.versions, run.metrics.precision)
        # An exact comparison needs the run's number of threads, because another number may round sums differently.
        threads = hardware.threads if is_exact else self._threads
        device = torch.device("cpu")
        prepare_process(device, threads)
        yield from _compare_input(run, arrays)
        model = load_network(run.folder, run.weights)
        yield from _compare_network(run, model, arrays)
        yield from _check_groups(run, model)
        yield from _compare_plan(run, arrays)
        arrange(model, arrays.image_shape, device)
        test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)
        found = evaluate(model, test, torch.arange(len(test)), run.metrics.precision).error_count
        stored = run.rows.megabatches[-1].error_count
        if abs(found - stored) > (0 if is_exact else TOLERANCE * len(test)):
            yield problem(f"makes {found} errors on the test images, but {stored} are stored", layout.WEIGHTS)

    def _load(self, settings: RunSettings) -> ImageArrays | None:
        """Load the images of a run, or return None if they are not there.

        Raises:
            DataError: the images are damaged, although `content_sha256` names them.
        """
        data_dir = self._data_dir or settings.execution.data_dir
        key = (cache_path(settings.dataset, data_dir), settings.dataset)
        if key != self._key:
            self._key, self._arrays = key, _load_if_there(settings.dataset, data_dir)
        return self._arrays


def _load_if_there(dataset: DatasetSettings, data_dir: Path) -> ImageArrays | None:
    if not is_loadable(dataset, data_dir):
        return None
    try:
        return load_dataset(dataset, data_dir)
    except (DataError, SettingError):
        if dataset.is_pinned():
            raise
        # A folder without `content_sha256` may hold anything by now, so it is no fault of the results.
        return None


def computes_the_same(hardware: Hardware, versions: Mapping[str, str], precision: str) -> bool:
    """Return whether this machine gives results equal to the bit to those of a run's machine.

    Args:
        hardware: machine of the run; only CPUs of the same maker with the same vector instructions give equal results.
        versions: versions of the run's packages; only the same version of torch gives equal results.
        precision: precision of the run. A machine with AVX512 is taken to have multiplied in bfloat16 natively, as
            `auto` asks for. Without AVX512, every machine imitates that in the same way.
    """
    same_maker = maker_of(hardware.processor) == maker_of(processor_name())
    same_instructions = hardware.cpu_capability == torch.backends.cpu.get_cpu_capability()
    cpu = torch.device("cpu")
    is_imitated = hardware.cpu_capability != "AVX512" and not has_bfloat16_kernels(cpu)
    can_multiply = precision != "bfloat16" or is_imitated or has_native_bfloat16(cpu)
    has_threads = hardware.threads in range(1, (os.cpu_count() or 1) + 1)
    same_torch = versions.get("torch") == torch.__version__
    return all((hardware.device == "cpu", same_maker, same_instructions, can_multiply, has_threads, same_torch))


def _compare_input(run: StoredRun, arrays: ImageArrays) -> Iterator[Finding]:
    """Compare the run's description of its images with the images."""
    stored, expected = run.metrics.input.model_dump(mode="json"), describe_input(arrays).model_dump(mode="json")
    yield from _check("input", stored, expected)
    yield from _check("test_images_in_train", run.metrics.test_images_in_train, arrays.test_images_in_train)
    stored_count = run.rows.megabatches[-1].test_count
    yield from _check("test_count", stored_count, len(arrays.test_labels), layout.MEGABATCHES)


def _compare_network(run: StoredRun, model: nn.Module, arrays: ImageArrays) -> Iterator[Finding]:
    """Compare the size of the network and the operations for one image."""
    metrics, layers = run.metrics, run.rows.layers
    yield from _check("parameter_count", metrics.parameter_count, count_parameters(model))
    yield from _check("size", metrics.size.model_dump(), measure_files(model).model_dump())
    macs = count_macs(model, arrays.image_shape)
    totals = {row.layer: row.total for row in layers}
    if totals.keys() != macs.positions.keys():
        yield from _check("layer", sorted(totals), sorted(macs.positions), layout.LAYERS)
        return
    yield from _check("final.macs_count", metrics.final.macs_count, macs.total(totals))
    expected = {name: macs.positions[name] * total for name, total in totals.items()}
    yield from _check("macs", {row.layer: row.macs for row in layers}, expected, layout.LAYERS)


def _check_groups(run: StoredRun, model: nn.Module) -> Iterator[Finding]:
    """Check that weights were removed in the groups of the run's selection.

    Initial weights or masks from a file may have zeros anywhere, and a kept weight may be zero by chance.
    """
    settings = run.settings
    if settings.initial_mask or settings.initial_weights or not settings.schedule.prunes:
        return
    selection = make_selection(settings.selection, settings.pattern)
    for name, weight in prunable_weights(model).items():
        misfits = selection.count_misfits(weight.detach())
        if misfits > (run.metrics.zeros_at_start or 0) + chance_zeros(weight.numel()):
            yield problem(
                f"{misfits} groups of {name} are not as selection {settings.selection} leaves them", layout.WEIGHTS
            )


def _compare_plan(run: StoredRun, arrays: ImageArrays) -> Iterator[Finding]:
    """Compare the numbers of images that each megabatch trains, validates and scores on."""
    settings = run.settings
    counts = [planned.counts for planned in plan_stream(settings, len(arrays.train_labels))]
    for row, (train, valid, _) in zip(run.rows.megabatches, counts):
        yield from _check(f"train_count at t={row.t}", row.train_count, train, layout.MEGABATCHES)
        yield from _check(f"valid_count at t={row.t}", row.valid_count, valid, layout.MEGABATCHES)
    cost = plan_cost(settings, counts, test_count=0)
    yield from _check("cost.planned_samples.score", run.metrics.cost.planned_samples.score, cost.score)


def _check(what: str, found: object, expected: object, file: str = layout.METRICS) -> Iterator[Finding]:
    return check_equal(what, found, expected, file, "computed again it is")

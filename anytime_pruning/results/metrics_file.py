"""Define metrics.json, which describes a finished run, as one typed model in the order of the file."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from anytime_pruning.foundation.errors import DataError, show

SCHEMA_VERSION: Literal[4] = 4
# What was measured may still exist, so nobody is told to remove it before looking for it.
REMEDY = "fetch it again, from git, DVC or a copy; only if there is none, remove the run's folder to train it again"
# The limit keeps whole numbers within a 64-bit column of a table.
Whole = Annotated[int, Field(ge=0, lt=2**63)]


class _Part(BaseModel):
    """Accepts only exact types and finite numbers, and keeps keys that other versions of this code may add."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)


class FinalNumbers(_Part):
    """Holds the numbers that tables show: results of the last megabatch, and numbers over the whole stream.

    Attributes:
        test_acc_pct: accuracy on the test images after the last megabatch, in percent.
        cumulative_error_count: the CER, the sum over megabatches of the misclassified test images.
        cumulative_error_rate: the CER as a share of all answers.
        anytime_relative_errors: changes of the error from megabatch to megabatch.
        generalization_gap_pct: running training accuracy minus augmented validation accuracy, in points.
        clean_gap_pct: training minus validation accuracy, both in eval mode on images as they are, in points.
        density: share of the prunable weights kept.
        kept_count: number of prunable weights kept.
        prunable_count: number of prunable weights.
        macs_kept: multiply-accumulates of the kept weights for one image.
        macs_count: multiply-accumulates of all weights for one image.
        samples: images trained on, as often as they were used.
        zero_score_layers: the largest number of layers whose scores were all zero at one pruning.
        empty_layers: prunable layers without a weight at the end.
    """

    test_acc_pct: float
    cumulative_error_count: Whole
    cumulative_error_rate: float
    anytime_relative_errors: list[float]
    generalization_gap_pct: float
    clean_gap_pct: float
    density: float
    kept_count: Whole
    prunable_count: Whole
    macs_kept: Whole
    macs_count: Whole
    samples: Whole
    zero_score_layers: Whole | None = None
    empty_layers: Whole | None = None


class PlannedSamples(_Part):
    """Holds the planned numbers of samples that pass through the network, by purpose."""

    train: Whole
    score: Whole
    evaluate: Whole


class RunCost(_Part):
    """Holds the planned samples and the measured seconds; the speed counts only training passes, without evaluation."""

    planned_samples: PlannedSamples
    stream_s: float
    prune_s: float
    train_s: float
    train_samples_per_s: float


class NetworkInput(_Part):
    """Describes the images that a network takes: (channels, height, width), classes, and normalisation per channel."""

    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    n_classes: PositiveInt
    mean: tuple[float, ...]
    std: tuple[PositiveFloat, ...]

    @model_validator(mode="after")
    def _check_channels(self) -> "NetworkInput":
        if not len(self.mean) == len(self.std) == self.image_shape[0]:
            raise ValueError("mean and std must have one number for each channel")
        return self


class FileSizes(_Part):
    """Holds the sizes of a network's files in bytes, with zeros stored and with zeros left out."""

    dense_bytes: Whole
    sparse_bytes: Whole


class Code(_Part):
    """Names the commit of the code and says whether files differ from it; both are None outside git."""

    commit: str | None
    modified: bool | None


class Container(_Part):
    """Names the container image of the run; the checksum is None if the image could not be read."""

    image: str
    sha256: str | None


class Hardware(_Part):
    """Describes the machine that computed the run; the fields from `gpu` on exist only for a GPU.

    `gpu_slots` runs could share the GPU: side by side if `mps` is true, in turns if it is false. It is None if the
    driver could not tell.
    """

    device: str
    processor: str
    cpu_capability: str
    cores: Whole
    threads: Whole
    deterministic: bool = False
    peak_memory_mb: Whole
    gpu: str | None = None
    cuda: str | None = None
    peak_gpu_memory_mb: Whole | None = None
    gpu_slots: Whole | None = None
    mps: bool | None = None

    @property
    def computed_on(self) -> str:
        """Return the name of the GPU, or of the processor if no GPU was used."""
        return self.gpu or self.processor


class EarlierPart(_Part):
    """Describes an earlier part of a run that was interrupted and resumed, and its progress at the end."""

    t: Whole
    epochs: Whole
    step: Whole
    code: Code
    container: Container | None = None
    versions: dict[str, str]
    hardware: Hardware


class MetricsFile(_Part):
    """Holds the content of metrics.json. Files of early runs lack the fields that have a default.

    Attributes:
        schema_version: version of this file's form.
        results_version: version of the code's numbers.
        digest: digest of the settings, which is in the folder's name.
        seed: the seed.
        final: the final numbers.
        cost: planned samples and measured seconds.
        precision: float32 or bfloat16, as computed.
        input: shape of the images, number of classes, and normalisation.
        parameter_count: parameters of the network.
        zeros_at_start: prunable weights that were zero when the run began.
        size: bytes of the weights as they are and as a sparse file.
        data_sha256: digest of the decoded images.
        network_sha256: digest of a user's own network.
        test_images_in_train: test images that are training images, too.
        code: commit of the code, and whether files differed from it.
        container: the container image, with its checksum.
        versions: versions of Python and of the packages.
        hardware: processor or GPU, cores, threads and memory.
        resumed: earlier parts of a run that was interrupted, each with its progress and what computed it.
        wall_time_s: seconds of all parts together.
        files: SHA-256 of every other file of the run.
        sha256: checksum of this content without the checksum itself.
    """

    schema_version: Literal[4]
    results_version: Whole
    digest: str
    seed: Whole
    final: FinalNumbers
    cost: RunCost
    precision: Literal["float32", "bfloat16"]
    input: NetworkInput
    parameter_count: Whole
    zeros_at_start: Whole | None = None
    size: FileSizes
    data_sha256: str
    network_sha256: str | None = None
    test_images_in_train: Whole | None
    code: Code
    container: Container | None = None
    versions: dict[str, str]
    hardware: Hardware
    resumed: list[EarlierPart]
    wall_time_s: float
    files: dict[str, str]
    sha256: str = ""

    def content(self) -> dict[str, Any]:
        """Return the content as JSON values in the order of the file, without the keys that the file lacks."""
        return self.model_dump(mode="json", exclude_unset=True)


def parse_metrics(path: Path, text: str) -> MetricsFile:
    """Parse the text of a metrics.json whose checksum and schema version have been checked.

    Args:
        path: path of the file, for messages.
        text: content of the file, which is JSON.

    Raises:
        DataError: a value is missing or has another type. The message names the first such value by its dotted place.
    """
    try:
        return MetricsFile.model_validate_json(text)
    except ValidationError as error:
        raise DataError(f"{path}: {_describe(error)}; {REMEDY}") from None


def _describe(error: ValidationError) -> str:
    first, *others = error.errors()
    place = ".".join(str(part)[:80] for part in first["loc"])
    if first["type"] == "json_invalid":
        return "not readable"
    if first["type"] == "missing":
        message = f"{place} is missing"
    elif "error" in first.get("ctx", {}):
        message = f"{place}: {first['ctx']['error']}"
    else:
        message = f"{place} is {show(first['input'])}, but should be {first['msg'].removeprefix('Input should be ')}"
    return message + (f" (and {len(others)} more)" if others else "")

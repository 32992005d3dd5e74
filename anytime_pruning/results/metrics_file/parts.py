"""Define the parts of metrics.json: final numbers, cost, images, sizes, and what computed the run."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

# The limit keeps whole numbers within a 64-bit column of a table.
Whole = Annotated[int, Field(ge=0, lt=2**63)]


class Part(BaseModel):
    """Accepts only exact types and finite numbers, and keeps keys that other versions of this code may add."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)


class FinalNumbers(Part):
    """Holds the numbers that tables show: results of the last megabatch, and numbers over the whole stream.

    Attributes:
        test_acc_pct: accuracy on the test images after the last megabatch, in percent.
        cumulative_error_count: the CER, the sum over megabatches of the misclassified test images.
        cumulative_error_rate: the CER as a share of all test predictions.
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


class PlannedSamples(Part):
    """Holds the planned numbers of samples that pass through the network, by purpose."""

    train: Whole
    score: Whole
    evaluate: Whole


class RunCost(Part):
    """Holds the planned samples and the measured seconds; the speed counts only training passes, without evaluation."""

    planned_samples: PlannedSamples
    stream_s: float
    prune_s: float
    train_s: float
    train_samples_per_s: float


class NetworkInput(Part):
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


class FileSizes(Part):
    """Holds the sizes of a network's files in bytes, with zeros stored and with zeros left out."""

    dense_bytes: Whole
    sparse_bytes: Whole


class Code(Part):
    """Names the commit of the code and says whether files differ from it; both are None outside git."""

    commit: str | None
    modified: bool | None


class Container(Part):
    """Names the container image of the run; the checksum is None if the image could not be read."""

    image: str
    sha256: str | None


class Hardware(Part):
    """Describes the machine that computed the run; the fields from `gpu` on exist only for a GPU.

    `peak_gpu_memory_mb` is the most that torch reserved of the GPU's memory; what CUDA itself takes comes to it. In the
    published runs on an H200 it is only what tensors took, without what a recorded step keeps between its replays.

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
        """Return the name of the GPU, or of the processor if no GPU was used; runs that shared a GPU took longer."""
        if self.gpu is None:
            return self.processor
        return f"{self.gpu} ({self.gpu_slots} runs at once)" if (self.gpu_slots or 1) > 1 else self.gpu


class EarlierPart(Part):
    """Describes an earlier part of a run that was interrupted and resumed, and its progress at the end."""

    t: Whole
    epochs: Whole
    step: Whole
    code: Code
    container: Container | None = None
    versions: dict[str, str]
    hardware: Hardware

"""Define metrics.json, which describes a finished run, as one typed model in the order of the file."""

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from anytime_pruning.foundation.errors import DataError, show
from anytime_pruning.results.metrics_file.parts import (
    Code,
    Container,
    EarlierPart,
    FileSizes,
    FinalNumbers,
    Hardware,
    NetworkInput,
    Part,
    RunCost,
    Whole,
)

SCHEMA_VERSION: Literal[4] = 4
# What was measured may still exist, so nobody is told to remove it before looking for it.
REMEDY = "fetch it again, from git, DVC or a copy; only if there is none, remove the run's folder to train it again"


class MetricsFile(Part):
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

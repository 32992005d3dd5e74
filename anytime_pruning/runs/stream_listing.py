"""List the images of a stream, so that other programs can train on the same megabatches."""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.datasets.base import DatasetSettings
from anytime_pruning.foundation.files import csv_text
from anytime_pruning.runs.stream_plan import split_images
from anytime_pruning.settings.run import RunSettings

COLUMNS = ("t", "part", "index", "label", "pixels_sha256")
# These settings decide which image arrives when; runs that share them share their stream.
StreamKey = tuple[DatasetSettings, int, float, int | None, int]


def distinct_streams(runs: Iterable[RunSettings]) -> list[RunSettings]:
    """Return the settings of the first run of each stream that some runs are trained on."""
    first: dict[StreamKey, RunSettings] = {}
    for run in runs:
        first.setdefault((run.dataset, run.n_megabatches, run.valid_frac, run.train_limit, run.seed), run)
    return list(first.values())


def list_stream(settings: RunSettings, arrays: ImageArrays) -> str:
    """Return a CSV table with a row for each image of a stream, in the order of arrival.

    The columns are `t`, the megabatch; `part`, which is `train` or `valid`; `index`, the place among the training
    images in this project's order; `label`; and `pixels_sha256`, the SHA-256 of the pixels as bytes, channel by channel
    and row by row, by which an image is found in any other order. Training on a megabatch with full replay uses its
    rows and all rows above them.

    Args:
        settings: settings of a run.
        arrays: the dataset of the run.

    Raises:
        SettingError: the dataset is too small for the stream.
    """
    return csv_text(COLUMNS, _rows(settings, arrays))


def _rows(settings: RunSettings, arrays: ImageArrays) -> Iterator[tuple[int, str, int, int, str]]:
    for megabatch in split_images(settings, len(arrays.train_labels)):
        for part, indices in (("train", megabatch.train), ("valid", megabatch.valid)):
            for index in indices.tolist():
                pixels = np.ascontiguousarray(arrays.train_images[index]).tobytes()
                digest = hashlib.sha256(pixels).hexdigest()
                yield megabatch.t, part, index, int(arrays.train_labels[index]), digest

"""What a dataset is: settings that say where its images come from, and the arrays that reading them gives.

Torch-free. Each source is one file with one class; reading, decoding and downloading happen there, caching in
`cache.py`.
"""

import hashlib
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.fields import Name, validate
from anytime_pruning.foundation.registry import lookup, names


@dataclass(frozen=True)
class ImageArrays:
    """A dataset in memory, with the constants that come with it.

    Attributes:
        train_images, test_images: uint8 [N, C, H, W].
        train_labels, test_labels: int64 [N], in 0 ... n_classes - 1.
        class_names: one for each label.
        mean, std: per channel, of images scaled to [0, 1]; the network normalises with them.
        crop_padding: pixels of zeros around an image before its random crop; 0 means no crop.
        flip: whether a mirrored image still shows the same class.
        content_sha256: digest of the source files, independent of how they are packed.
        test_images_in_train: test images whose pixels are those of some training image; None before the cache counts.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_padding: int
    flip: bool
    content_sha256: str
    test_images_in_train: int | None = None

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return tuple(self.train_images.shape[1:])


class DatasetSettings(BaseModel):
    """Base of every dataset source. `name` labels results and folders; `source` is the registered source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Fields that say where the data lies, not what it is: they leave digests alone.
    location: ClassVar[frozenset[str]] = frozenset()

    name: Name
    source: str

    def identity(self) -> dict[str, Any]:
        """What determines the images: everything but their location; see `RunSettings.identity` for the defaults."""
        return {"source": self.source, **self.model_dump(mode="json", exclude=self.location, exclude_defaults=True)}

    def is_pinned(self) -> bool:
        """Whether these settings determine the images, wherever they lie; only then are results found by them."""
        return True

    def is_there(self, data_dir: Path) -> bool:
        """Whether `read` would find its files, without a download."""
        return True

    def fingerprint(self) -> str | None:
        """A cheap sign that the source files are the ones that were read, or None where nothing tells."""
        return None

    def train_count(self) -> int | None:
        """How many training images there are, where that is known without reading them."""
        return None

    @abstractmethod
    def read(self, data_dir: Path) -> ImageArrays:
        """Read, decode or download everything.

        Raises:
            DataError: a file is missing, corrupt or of the wrong kind.
        """


def parse_dataset(value: Any) -> DatasetSettings:
    """A dataset from its settings: a mapping with `name` and `source`, or just the name of a source.

    Raises:
        SettingError: unknown source, unknown key or wrong value, in one line; or a name that would pass the images off
            as another dataset's.
    """
    if isinstance(value, DatasetSettings):
        return value
    if isinstance(value, str):
        value = {"name": value, "source": value}
    if not isinstance(value, dict):
        raise SettingError(
            f"dataset: {show(value)} is not allowed: a name or a mapping with name and source is expected"
        )
    source = value.get("source", value.get("name"))
    value = {"name": source, **value, "source": source}
    settings = validate(lookup("dataset", source), value, prefix="dataset.")
    if settings.name != settings.source and settings.name in names("dataset"):
        raise SettingError(
            f"dataset.name: {settings.name!r} is not allowed: it belongs to another source than {settings.source}; "
            "results would carry its name"
        )
    return settings


def count_test_images_in_train(train_images: np.ndarray, test_images: np.ndarray) -> int:
    """How many images of [N, C, H, W] in the test set have the pixels of one in the training set, whatever the labels.

    By digests: sixteen bytes of each training image, so that large images cost no memory.
    """
    seen = {_digest(image) for image in train_images}
    return sum(_digest(image) in seen for image in test_images)


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(image).data).digest()[:16]


def channel_statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of uint8 images [N, C, H, W] scaled to [0, 1], to four decimals.

    Counted over a histogram, which is exact and needs no float copy of the images.
    """
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for first in range(0, len(images), 1000):
        for channel in range(images.shape[1]):
            counts[channel] += np.bincount(images[first : first + 1000, channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    shares = counts / counts.sum(axis=1, keepdims=True)
    means = shares @ levels
    stds = np.sqrt((shares * (levels - means[:, None]) ** 2).sum(axis=1))
    # A channel that never varies would divide by zero.
    return tuple(round(float(m), 4) for m in means), tuple(max(round(float(s), 4), 1e-4) for s in stds)

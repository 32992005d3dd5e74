"""Define the settings of a dataset, which say where its images come from, and the arrays of a dataset in memory.

Each source of images is one module with one class, which downloads, reads and decodes; `cache.py` stores the arrays.
"""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.fields import Name, validate
from anytime_pruning.foundation.registry import lookup, names

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class ImageArrays:
    """Holds a dataset in memory, with its constants.

    Attributes:
        train_images: uint8 [N, C, H, W].
        train_labels: int64 [N], from 0 to n_classes - 1.
        test_images: uint8 [N_test, C, H, W].
        test_labels: int64 [N_test].
        class_names: one name for each label.
        mean: mean of each channel of images scaled to [0, 1]; the network normalises with it.
        std: standard deviation of each channel of images scaled to [0, 1].
        crop_padding: pixels of zeros around an image before its random crop; 0 means no crop.
        flip: whether a mirrored image still shows the same class.
        content_sha256: digest of the source files, independent of how they are packed.
        notes: what the user should know about the reading of the source, in words, such as what was left out.
        test_images_in_train: number of test images with the same pixels as some training image; None until the cache
            has counted them.
    """

    train_images: Pixels
    train_labels: Labels
    test_images: Pixels
    test_labels: Labels
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_padding: int
    flip: bool
    content_sha256: str
    notes: tuple[str, ...] = ()
    test_images_in_train: int | None = None

    @property
    def n_classes(self) -> int:
        """Return the number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (channels, height, width), which is the same for every image."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width


class DatasetSettings(BaseModel):
    """Holds what all sources share: `name` labels results and folders, and `source` names the registered class."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # These fields say where the data is stored. They do not determine the images, so digests leave them out.
    location: ClassVar[frozenset[str]] = frozenset()

    name: Name
    source: str

    def identity(self) -> dict[str, Any]:
        """Return the settings that determine the images: all settings except the location.

        Settings with their default value are left out, so that a setting added later changes no digest.
        """
        content = self.model_dump(mode="json", exclude=set(self.location), exclude_defaults=True)
        return {"source": self.source, **content}

    def is_pinned(self) -> bool:
        """Return whether these settings alone determine the images; only then may results be reused."""
        return True

    def pinned(self, content_sha256: str) -> Self:
        """Return settings that determine the images, which have this `content_sha256`."""
        return self

    def expected_sha256(self) -> str | None:
        """Return the `content_sha256` that the images must have, if these settings state it."""
        return None

    def place(self) -> str | None:
        """Return where the source files are, if these settings do not determine the images without their place."""
        return None

    def is_there(self, data_dir: Path) -> bool:
        """Return whether `read` would find its files without a download."""
        return True

    def fingerprint(self) -> str | None:
        """Return a cheap digest that changes with the source files, or None where no such digest is needed.

        Raises:
            DataError: the images are not pinned, and their files are not there or not understood.
        """
        return None

    def train_count(self) -> int | None:
        """Return the number of training images if these settings alone determine it, else None.

        Digests of runs depend on the number, so no file may be asked for it.
        """
        return None

    @abstractmethod
    def read(self, data_dir: Path) -> ImageArrays:
        """Read, decode or download all images.

        Args:
            data_dir: folder for downloads.

        Raises:
            DataError: a file is missing, corrupt or of the wrong kind.
        """


def parse_dataset(value: Any) -> DatasetSettings:
    """Return the settings of a dataset.

    Args:
        value: a mapping with `name` and `source`, the name of a source, or settings that were parsed before.

    Raises:
        SettingError: the source or a key is unknown, a value is wrong, or the name is that of another source, so that
            results would carry a misleading name.
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
    model: type[DatasetSettings] = lookup("dataset", source)
    settings = validate(model, {"name": source, **value, "source": source}, prefix="dataset.")
    if settings.name != settings.source and settings.name in names("dataset"):
        raise SettingError(
            f"dataset.name: {settings.name!r} is not allowed: it belongs to another source than {settings.source}; "
            "results would carry its name"
        )
    return settings

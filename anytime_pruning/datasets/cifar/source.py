"""Provide CIFAR-10 and CIFAR-100, which are recognised by their pixels and labels, wherever they come from."""

import hashlib
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays
from anytime_pruning.datasets.cifar import class_names
from anytime_pruning.datasets.cifar.content import LabelledImages
from anytime_pruning.datasets.cifar.official import is_official_there, official_class, read_official
from anytime_pruning.datasets.image_folder import ImageFolder
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.fields import FilePath
from anytime_pruning.foundation.registry import register


class Cifar(DatasetSettings):
    """Provides 50,000 training and 10,000 test images [N, 3, 32, 32]; mean and std are those of the released code.

    The images come from the official archive in the folder for downloads, or from a folder or archive of image files
    at `path`. Both give the same arrays, because the images are put in the order of their content.

    Attributes:
        content_sha256: digest of the pixels and labels of all images; the images must have it.
        channel_sums: sum of all training pixels of each channel, which tells wrong labels from other pixels.
    """

    location: ClassVar[frozenset[str]] = frozenset({"path"})
    torchvision_class: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]]
    content_sha256: ClassVar[str]
    channel_sums: ClassVar[tuple[int, ...]]
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    path: FilePath | None = Field(
        None, description="folder or archive of the images; the official archive in data_dir if absent"
    )

    def identity(self) -> dict[str, Any]:
        """Return the settings that determine the images, and the digest of the images."""
        return super().identity() | {"content_sha256": self.content_sha256}

    def train_count(self) -> int:
        """Return the number of training images."""
        return 50_000

    def is_there(self, data_dir: Path) -> bool:
        """Return whether the path exists, or without a path whether a folder holds the official archive."""
        if self.path is not None:
            return self.path.exists()
        # Every official file has such a name, and importing torchvision takes seconds.
        if not any(Path(data_dir).glob("cifar-*")):
            return False
        return is_official_there(official_class(self.torchvision_class), Path(data_dir))

    def read(self, data_dir: Path) -> ImageArrays:
        """Read the images, put them in the order of their content and check that they are the official ones."""
        notes: tuple[str, ...] = ()
        if self.path is None:
            train, test = read_official(official_class(self.torchvision_class), Path(data_dir))
        else:
            train, test, notes = self._read_files(self.path, Path(data_dir))
        ordered_train, train_digest = train.in_order_of_content()
        ordered_test, test_digest = test.in_order_of_content()
        self._check(hashlib.sha256(train_digest + test_digest).hexdigest(), train)
        return ImageArrays(
            train_images=ordered_train.images,
            train_labels=ordered_train.labels,
            test_images=ordered_test.images,
            test_labels=ordered_test.labels,
            class_names=self.class_names,
            mean=self.mean,
            std=self.std,
            crop_padding=4,
            flip=True,
            content_sha256=self.content_sha256,
            notes=notes,
        )

    def _read_files(self, path: Path, data_dir: Path) -> tuple[LabelledImages, LabelledImages, tuple[str, ...]]:
        """Return the training and the test images of a folder or archive of image files, with official labels."""
        found = ImageFolder(name=self.name, path=path).read(data_dir)
        labels = np.array(class_names.labels_of(found.class_names, self.class_names, path), dtype=np.int64)
        return (
            LabelledImages(found.train_images, labels[found.train_labels]),
            LabelledImages(found.test_images, labels[found.test_labels]),
            found.notes,
        )

    def _check(self, digest: str, train: LabelledImages) -> None:
        """Check that the images are the official ones.

        Raises:
            DataError: they are not; the message says whether the training pixels already differ in sum.
        """
        if digest == self.content_sha256:
            return
        channel_sums = train.channel_sums()
        name, where = self.torchvision_class.replace("CIFAR", "CIFAR-"), self.path or "the official archive"
        if channel_sums == self.channel_sums:
            raise DataError(
                f"{where}: the training pixels sum up to {name}'s, but some images are in the wrong class, or test "
                f"images differ: content digest {digest}, expected {self.content_sha256}"
            )
        raise DataError(
            f"{where}: these are not {name}'s pixels: use an image folder of your own name "
            f"(content digest {digest}, expected {self.content_sha256}; channel sums {channel_sums}, expected "
            f"{self.channel_sums}; copies as JPEG have other pixels)"
        )


@register("dataset", "cifar10")
class Cifar10(Cifar):
    """Provides CIFAR-10 with its ten classes."""

    source: Literal["cifar10"] = "cifar10"
    torchvision_class = "CIFAR10"
    class_names = class_names.CIFAR10
    content_sha256 = "cb4f9c8a05f08f14b1b9b43b8c6c4b877c55ba9236381e93701e6b47c10942c3"
    channel_sums = (6415714204, 6295060180, 5829907619)
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2470, 0.2435, 0.2616)


@register("dataset", "cifar100")
class Cifar100(Cifar):
    """Provides CIFAR-100 with its hundred fine labels."""

    source: Literal["cifar100"] = "cifar100"
    torchvision_class = "CIFAR100"
    class_names = class_names.CIFAR100
    content_sha256 = "cb8e83a53fdb301ed75a357bc37a99a55d7cf0ce1c872500b951af4af0c2e999"
    channel_sums = (6620373279, 6352382090, 5756623363)
    mean = (0.5071, 0.4866, 0.4409)
    std = (0.2673, 0.2564, 0.2762)

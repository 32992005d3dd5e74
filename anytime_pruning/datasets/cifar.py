"""Read CIFAR-10 and CIFAR-100 with torchvision's classes, whose files are verified before anything is unpickled.

torchvision is imported inside the functions, because it imports torch, and planning a study must not wait for torch.
"""

import hashlib
from pathlib import Path
from typing import ClassVar, Literal, Protocol, cast

import numpy as np

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, Labels, Pixels
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.registry import register


class CifarSplit(Protocol):
    """Describes the training or the test set as torchvision loads it.

    Attributes:
        data: uint8 [N, H, W, C].
        targets: one label for each image.
        classes: names of the classes.
    """

    data: Pixels
    targets: list[int]
    classes: list[str]


class CifarClass(Protocol):
    """Describes torchvision's classes CIFAR10 and CIFAR100, which have no type annotations.

    Attributes:
        base_folder: folder that the archive unpacks to.
        url: address of the archive.
        filename: name of the archive.
        tgz_md5: MD5 of the archive.
        train_list: (name, MD5) of each file of the training set.
        test_list: (name, MD5) of each file of the test set.
        meta: `filename` and `md5` of the file with the names of the classes.
    """

    base_folder: str
    url: str
    filename: str
    tgz_md5: str
    train_list: list[list[str]]
    test_list: list[list[str]]
    meta: dict[str, str]

    def __call__(self, root: str, train: bool) -> CifarSplit:
        """Load the training set or the test set from a folder."""


class Cifar(DatasetSettings):
    """Provides 50,000 training and 10,000 test images [N, 3, 32, 32]; mean and std are those of the released code."""

    torchvision_class: ClassVar[str]
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    def train_count(self) -> int:
        """Return the number of training images."""
        return 50_000

    def is_there(self, data_dir: Path) -> bool:
        """Return whether a folder holds the archive or all its verified files."""
        kind = self._torchvision()
        return (Path(data_dir) / kind.filename).exists() or is_whole(kind, Path(data_dir))

    def read(self, data_dir: Path) -> ImageArrays:
        """Read the verified files; download and unpack them first if necessary."""
        kind = self._torchvision()
        fetch_verified(kind, data_dir)
        train, test = (kind(str(data_dir), train=is_train) for is_train in (True, False))
        train_images, test_images = _images(train), _images(test)
        train_labels, test_labels = _labels(train), _labels(test)
        digest = hashlib.sha256()
        for array in (train_images, train_labels, test_images, test_labels):
            digest.update(array.tobytes())
        return ImageArrays(
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=tuple(train.classes),
            mean=self.mean,
            std=self.std,
            crop_padding=4,
            flip=True,
            content_sha256=digest.hexdigest(),
        )

    def _torchvision(self) -> CifarClass:
        from anytime_pruning.foundation.torchvision_shim import import_torchvision

        return cast(CifarClass, getattr(import_torchvision().datasets, self.torchvision_class))


@register("dataset", "cifar10")
class Cifar10(Cifar):
    """Provides CIFAR-10 with its ten classes."""

    source: Literal["cifar10"] = "cifar10"
    torchvision_class = "CIFAR10"
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2470, 0.2435, 0.2616)


@register("dataset", "cifar100")
class Cifar100(Cifar):
    """Provides CIFAR-100 with its hundred fine labels."""

    source: Literal["cifar100"] = "cifar100"
    torchvision_class = "CIFAR100"
    mean = (0.5071, 0.4866, 0.4409)
    std = (0.2673, 0.2564, 0.2762)


def fetch_verified(kind: CifarClass, data_dir: Path) -> None:
    """Make sure that a folder holds the verified, unpacked files, downloading and unpacking the archive if necessary.

    Args:
        kind: the class, which knows the address, the name and the MD5 of the archive.
        data_dir: the folder.

    Raises:
        DataError: the archive in the folder is corrupt, or it is missing and cannot be downloaded.
    """
    from torchvision.datasets.utils import calculate_md5, download_url, extract_archive

    if is_whole(kind, data_dir):
        return
    archive = data_dir / kind.filename
    if not archive.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            download_url(kind.url, data_dir, kind.filename, kind.tgz_md5)
        except (OSError, RuntimeError) as error:
            archive.unlink(missing_ok=True)
            raise DataError(
                f"{archive}: missing and not downloaded ({error}); put the official {kind.filename} "
                f"(MD5 {kind.tgz_md5}) into {data_dir}"
            ) from None
    if (found := calculate_md5(archive)) != kind.tgz_md5:
        raise DataError(
            f"{archive}: the archive is corrupt: MD5 {found}, expected {kind.tgz_md5}; delete it to download it again"
        )
    extract_archive(archive, data_dir)


def is_whole(kind: CifarClass, data_dir: Path) -> bool:
    """Return whether a folder holds every file that torchvision would unpickle, each with its official MD5.

    Args:
        kind: the class, which knows the names and the MD5 of the files.
        data_dir: the folder.
    """
    from torchvision.datasets.utils import check_integrity

    files = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    return all(check_integrity(data_dir / kind.base_folder / name, md5) for name, md5 in files)


def _images(split: CifarSplit) -> Pixels:
    return np.ascontiguousarray(split.data.transpose(0, 3, 1, 2))


def _labels(split: CifarSplit) -> Labels:
    return np.asarray(split.targets, dtype=np.int64)

"""Read the official archives of CIFAR with torchvision's classes, after their checksums have been verified.

The archives are pickles, so nothing in them is loaded before the MD5 of the file is the official one. torchvision is
imported inside the functions, because it imports torch, and planning a study must not wait for torch.
"""

from pathlib import Path
from typing import Protocol, cast

import numpy as np

from anytime_pruning.datasets.base import Labels, Pixels
from anytime_pruning.datasets.cifar.content import LabelledImages
from anytime_pruning.foundation.errors import DataError


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


def official_class(name: str) -> CifarClass:
    """Return torchvision's class of a name, `CIFAR10` or `CIFAR100`."""
    from anytime_pruning.foundation.torch_fixes.torchvision_shim import import_torchvision

    return cast(CifarClass, getattr(import_torchvision().datasets, name))


def is_official_there(kind: CifarClass, data_dir: Path) -> bool:
    """Return whether a folder holds the archive or all its verified files."""
    return (data_dir / kind.filename).exists() or is_whole(kind, data_dir)


def read_official(kind: CifarClass, data_dir: Path) -> tuple[LabelledImages, LabelledImages]:
    """Return the training and the test images; download and unpack the archive first if necessary.

    Raises:
        DataError: the archive is corrupt, or it is missing and cannot be downloaded.
    """
    fetch_verified(kind, data_dir)
    train, test = (kind(str(data_dir), train=is_train) for is_train in (True, False))
    return LabelledImages(_images(train), _labels(train)), LabelledImages(_images(test), _labels(test))


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

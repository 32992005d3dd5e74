"""CIFAR-10 and CIFAR-100 by torchvision's classes: the official archives, verified before anything is unpickled."""

import hashlib
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.registry import register


class Cifar(DatasetSettings):
    """50,000 training and 10,000 test images [N, 3, 32, 32]. Mean and std are the constants of the released code."""

    torchvision_class: ClassVar[str]
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    def train_count(self) -> int:
        return 50_000

    def is_there(self, data_dir: Path) -> bool:
        kind = self._torchvision()
        return (Path(data_dir) / kind.filename).exists() or is_whole(kind, Path(data_dir))

    def read(self, data_dir: Path) -> ImageArrays:
        kind = self._torchvision()
        fetch_verified(kind, data_dir)
        train, test = (kind(str(data_dir), train=is_train) for is_train in (True, False))
        train_images, test_images = (np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)) for part in (train, test))
        train_labels, test_labels = (np.asarray(part.targets, dtype=np.int64) for part in (train, test))
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

    def _torchvision(self) -> type:
        from anytime_pruning.foundation.torchvision_shim import import_torchvision

        return getattr(import_torchvision().datasets, self.torchvision_class)


@register("dataset", "cifar10")
class Cifar10(Cifar):
    """CIFAR-10, ten classes."""

    source: Literal["cifar10"] = "cifar10"
    torchvision_class = "CIFAR10"
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2470, 0.2435, 0.2616)


@register("dataset", "cifar100")
class Cifar100(Cifar):
    """CIFAR-100 with its hundred fine labels."""

    source: Literal["cifar100"] = "cifar100"
    torchvision_class = "CIFAR100"
    mean = (0.5071, 0.4866, 0.4409)
    std = (0.2673, 0.2564, 0.2762)


def fetch_verified(kind: type, data_dir: Path) -> None:
    """Make sure that the verified files of a torchvision CIFAR class lie unpacked in a folder, downloading if needed.

    Args:
        kind: torchvision's CIFAR10 or CIFAR100, which knows the archive's address, name and MD5.

    Raises:
        DataError: the archive there is corrupt, or there is none and it cannot be downloaded.
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


def is_whole(kind: type, data_dir: Path) -> bool:
    """Whether every file that torchvision's class would unpickle lies unpacked in a folder and is the official one."""
    from torchvision.datasets.utils import check_integrity

    files = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    return all(check_integrity(data_dir / kind.base_folder / name, md5) for name, md5 in files)

"""One checksummed uint8 file for each dataset: decoded or downloaded once, then read by every run.

The file is written beside its place and moved there when complete, under a lock, so that it is never half made and many
runs may ask for it at once. A damaged file is noticed by its checksum and made again.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, count_test_images_in_train
from anytime_pruning.foundation.files import remove_partial, write_atomically

CACHE_VERSION = 2
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
CONSTANTS = ("class_names", "mean", "std", "crop_padding", "flip", "content_sha256")


def cache_path(dataset: DatasetSettings, data_dir: Path) -> Path:
    """Where the decoded dataset lies; its name changes with the settings that determine the images."""
    content = json.dumps([CACHE_VERSION, dataset.identity()], sort_keys=True)
    return Path(data_dir) / "cache" / f"{dataset.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.safetensors"


def load_dataset(dataset: DatasetSettings, data_dir: Path) -> ImageArrays:
    """The dataset's arrays, from the cache if it holds them, else read from their source into the cache first.

    Raises:
        DataError: the source is needed and is missing, corrupt or of the wrong kind.
    """
    path = cache_path(dataset, data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if (arrays := _read_cache(path, dataset)) is not None:
            return arrays
        _write_cache(path, dataset.read(Path(data_dir)), dataset.fingerprint())
        # Read back, so that the first run gets the very arrays of all later ones: even strides matter, because they
        # decide which kernel torch takes, and kernels round differently.
        return _read_cache(path, dataset)


def cached_train_count(dataset: DatasetSettings, data_dir: Path) -> int | None:
    """Number of training images: what the source knows, else what the cache's header says, else None."""
    if (count := dataset.train_count()) is not None:
        return count
    try:
        with safe_open(cache_path(dataset, data_dir), framework="numpy") as file:
            return file.get_slice("train_labels").get_shape()[0]
    except (OSError, SafetensorError, IndexError):
        return None


def _read_cache(path: Path, dataset: DatasetSettings) -> ImageArrays | None:
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()["header"])
            arrays = {name: file.get_tensor(name) for name in ARRAYS}
        checksum = header.pop("sha256")
    except (OSError, SafetensorError, LookupError, TypeError, AttributeError, ValueError, RecursionError):
        return _announce_rebuild(path, "is damaged")
    if checksum != _checksum(arrays, header):
        return _announce_rebuild(path, "does not match its checksum")
    stored, current = header.pop("fingerprint"), dataset.fingerprint()
    if current is not None and stored != current:
        return _announce_rebuild(path, "was made from other source files")
    header = {key: tuple(value) if isinstance(value, list) else value for key, value in header.items()}
    return ImageArrays(**arrays, **header)


def _announce_rebuild(path: Path, why: str) -> None:
    print(f"{path}: the cache {why}; making it again", file=sys.stderr)


def _write_cache(path: Path, arrays: ImageArrays, fingerprint: str | None) -> None:
    contents = {name: getattr(arrays, name) for name in ARRAYS}
    header = {name: getattr(arrays, name) for name in CONSTANTS} | {"fingerprint": fingerprint}
    # Here, and not by each run: 0.2 s for CIFAR's 60,000 images.
    header["test_images_in_train"] = count_test_images_in_train(arrays.train_images, arrays.test_images)
    header = json.loads(json.dumps(header))
    header["sha256"] = _checksum(contents, header)
    remove_partial(path.parent, path.name)
    write_atomically(path, lambda partial: save_file(contents, partial, metadata={"header": json.dumps(header)}))


def _checksum(arrays: dict[str, np.ndarray], header: dict) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()

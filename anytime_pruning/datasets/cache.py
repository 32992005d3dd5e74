"""Store each dataset in one checksummed file, so that images are decoded or downloaded once and read by every run.

A lock makes it safe for many runs, of one user or of several, to ask for a dataset at once. The file appears only when
it is complete. A damaged file is recognised by its checksum and made again.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays
from anytime_pruning.datasets.pixel_statistics import count_test_images_in_train
from anytime_pruning.foundation.errors import AGAINST_SHORTAGE, ArtifactError, CapacityError, DataError, shortage
from anytime_pruning.foundation.fields import check_folder
from anytime_pruning.foundation.files import link_atomically, make_as_shared, remove_partial, write_atomically
from anytime_pruning.foundation.locks.holders import describe_owner

# Version 3 turns images upright by their EXIF orientation, and notes what was left out.
CACHE_VERSION = 3
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
CONSTANTS = ("class_names", "mean", "std", "crop_padding", "flip", "content_sha256", "notes")
# A damaged file of safetensors, or a header that is none, can raise any of these errors.
UNREADABLE = (OSError, SafetensorError, LookupError, TypeError, AttributeError, ValueError, RecursionError)


class _UnusableCacheError(DataError):
    """Signals that a cache file has to be made again; the message says why."""


def cache_path(dataset: DatasetSettings, data_dir: Path) -> Path:
    """Return the path of a dataset's cache, whose name changes with the settings that determine the images.

    Where only their place determines the images, the name changes with the place, too.
    """
    place = dataset.place()
    content = json.dumps([CACHE_VERSION, dataset.identity(), *([place] if place else [])], sort_keys=True)
    return Path(data_dir) / "cache" / f"{dataset.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.safetensors"


def load_dataset(dataset: DatasetSettings, data_dir: Path) -> ImageArrays:
    """Return a dataset's arrays from the cache; read the source and fill the cache first if necessary.

    Args:
        dataset: the settings of the dataset.
        data_dir: folder for downloads and caches.

    Raises:
        SettingError: the cache has to be filled, and a file is in the place of `data_dir`.
        DataError: the cache has to be filled, and the source is missing, corrupt or of the wrong kind; or another user
            does not share a file.
        CapacityError: the machine lacks memory, threads or open files.
    """
    path = cache_path(dataset, data_dir)
    with _saying_whose(path), _saying_what_is_short(dataset.name):
        # A cache that is there needs no lock, because it is never changed, only replaced. So it may be somebody else's.
        if path.exists():
            with suppress(_UnusableCacheError):
                return _read_cache(path, dataset)
        return _fill_cache(path, dataset, data_dir)


@contextmanager
def _saying_whose(path: Path) -> Iterator[None]:
    """Turn a refused permission into a message that names the owner of the file or folder.

    Raises:
        DataError: a file belongs to another user, who does not let this one read or write it.
    """
    try:
        yield
    except PermissionError as error:
        refused = Path(error.filename or path)
        raise DataError(
            f"{refused}: permission denied: {describe_owner(refused)}; ask for the right to read and write there, or "
            "name a folder of yours (execution.data_dir, or the dataset's path)"
        ) from None


@contextmanager
def _saying_what_is_short(name: str) -> Iterator[None]:
    """Turn a failed request for memory, a thread or an open file into a message of one line.

    Raises:
        CapacityError: the machine lacks one of them.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not (lacking := shortage(error)):
            raise
        raise CapacityError(f"{name}: not enough {lacking} to load the images; {AGAINST_SHORTAGE}") from None


def _fill_cache(path: Path, dataset: DatasetSettings, data_dir: Path) -> ImageArrays:
    """Read the source and fill the cache, unless another process has filled it in the meantime."""
    # Imported here, because planning a study asks for names and sizes of caches and never loads one.
    from anytime_pruning.foundation.locks.locks import locked

    check_folder("execution.data_dir", data_dir)
    make_as_shared(path.parent)
    with locked(path.with_suffix(".lock"), str(path), f"makes {path}"):
        if path.exists():
            try:
                return _read_cache(path, dataset)
            except _UnusableCacheError as error:
                print(f"{error}; making it again", file=sys.stderr)
        # The fingerprint comes first: files that change while they are read will be read again.
        fingerprint = dataset.fingerprint()
        _write_cache(path, dataset.read(Path(data_dir)), fingerprint)
        # The first run reads the cache, as all later runs do. Arrays that come directly from the source may have other
        # strides; torch chooses its kernels by the strides, and kernels round differently.
        arrays = _read_cache(path, dataset)
        if not dataset.is_pinned():
            # A study, which states the digest of these images, finds them by this name and need not decode them again.
            with suppress(OSError):
                link_atomically(path, cache_path(dataset.pinned(arrays.content_sha256), data_dir))
        return arrays


def is_loadable(dataset: DatasetSettings, data_dir: Path) -> bool:
    """Return whether `load_dataset` would find a dataset without a download.

    Raises:
        DataError: the folder of the data belongs to another user and cannot be looked into.
    """
    path = cache_path(dataset, data_dir)
    with _saying_whose(path):
        return (dataset.is_pinned() and path.exists()) or dataset.is_there(data_dir)


def cached_train_count(dataset: DatasetSettings, data_dir: Path) -> int | None:
    """Return the number of training images that the source or the header of the cache states, else None.

    A cache that was made from other files than those of now states nothing.
    """
    if (count := dataset.train_count()) is not None:
        return count
    try:
        with safe_open(cache_path(dataset, data_dir), framework="numpy") as file:
            header: dict[str, Any] = json.loads(file.metadata()["header"])
            count = int(file.get_slice("train_labels").get_shape()[0])
        return count if _is_of_these_files(header, dataset) else None
    except (ArtifactError, *UNREADABLE):  # Whoever loads the images says what is wrong with their files.
        return None


def _read_cache(path: Path, dataset: DatasetSettings) -> ImageArrays:
    """Read a cache file.

    Raises:
        _UnusableCacheError: the file is damaged, or was made from other source files.
        PermissionError: the file belongs to another user and cannot be read.
    """
    try:
        # safetensors says of such a file that it does not exist.
        with open(path, "rb"):
            pass
        with safe_open(path, framework="numpy") as file:
            header: dict[str, Any] = json.loads(file.metadata()["header"])
            arrays = {name: file.get_tensor(name) for name in ARRAYS}
        checksum = header.pop("sha256")
    except PermissionError:
        raise
    except UNREADABLE as error:
        if shortage(error):
            raise
        raise _UnusableCacheError(f"{path}: the cache is damaged") from None
    if checksum != _checksum(arrays, header):
        raise _UnusableCacheError(f"{path}: the cache does not match its checksum")
    if not _is_of_these_files(header, dataset):
        raise _UnusableCacheError(f"{path}: the cache was made from other source files")
    constants: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in header.items() if key != "fingerprint"
    }
    return ImageArrays(**arrays, **constants)


def _is_of_these_files(header: Mapping[str, Any], dataset: DatasetSettings) -> bool:
    """Return whether a cache was made from the files that a dataset has now.

    Raises:
        ArtifactError: the images are not pinned, and their files are not there or not understood.
    """
    current = dataset.fingerprint()
    return current in (None, header["fingerprint"]) and dataset.expected_sha256() in (None, header["content_sha256"])


def _write_cache(path: Path, arrays: ImageArrays, fingerprint: str | None) -> None:
    contents = {name: getattr(arrays, name) for name in ARRAYS}
    header = {name: getattr(arrays, name) for name in CONSTANTS} | {"fingerprint": fingerprint}
    # The number is stored, because counting takes 0.2 s for the 60,000 images of CIFAR in every run.
    header["test_images_in_train"] = count_test_images_in_train(arrays.train_images, arrays.test_images)
    # The checksum covers the header in the form in which it will be read, because JSON turns tuples into lists.
    header = json.loads(json.dumps(header))
    header["sha256"] = _checksum(contents, header)
    remove_partial(path.parent, path.name)
    text = json.dumps(header)
    write_atomically(path, lambda partial: save_file(contents, partial, metadata={"header": text}), as_shared=True)


def _checksum(arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()

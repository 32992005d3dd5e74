"""Cut the training set into megabatches. Which of them is trained on at a time is `replay.py`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytime_pruning.foundation.errors import SettingError

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class Megabatch:
    """One arrival: indices into the training set, int64 [n]; `valid` is held out of training for good."""

    t: int
    train: "Tensor"
    valid: "Tensor"


def split_stream(
    n_train: int, n_megabatches: int, valid_frac: float, generator: "Generator", limit: int | None = None
) -> list[Megabatch]:
    """A random permutation of the training set in T parts whose sizes differ by at most one.

    Args:
        n_train: number of training images.
        n_megabatches: T.
        valid_frac: share of each megabatch that is held out for validation, at least one image.
        generator: determines the permutation; file order never matters (folders are sorted by class).
        limit: use only the first so many of the permutation.

    Raises:
        SettingError: the megabatches would be too small.
    """
    import torch

    check_stream(n_train, n_megabatches, valid_frac, limit)
    order = torch.randperm(n_train, generator=generator)[:limit]
    megabatches = []
    for t, part in enumerate(order.tensor_split(n_megabatches), start=1):
        n_valid = _valid_count(len(part), valid_frac)
        megabatches.append(Megabatch(t, train=part[:-n_valid], valid=part[-n_valid:]))
    return megabatches


def check_stream(n_train: int, n_megabatches: int, valid_frac: float, limit: int | None = None) -> None:
    """Whether such a stream can be cut: each megabatch needs two images to train on and one to validate on.

    Raises:
        SettingError: names the setting that does not fit the data.
    """
    if limit is not None and limit > n_train:
        raise SettingError(f"train_limit: {limit} is not allowed: the dataset has {n_train} training images")
    n_used = limit or n_train
    if n_megabatches > n_used // 3:
        raise SettingError(
            f"n_megabatches: {n_megabatches} is not allowed: {n_used} training images make at most {n_used // 3} "
            "megabatches (each holds at least 3)"
        )
    smallest = n_used // n_megabatches
    if smallest - _valid_count(smallest, valid_frac) < 2:
        raise SettingError(
            f"valid_frac: {valid_frac} is not allowed: it leaves fewer than 2 of the {smallest} images of a megabatch "
            "to train on"
        )


def _valid_count(size: int, valid_frac: float) -> int:
    return max(1, round(valid_frac * size))

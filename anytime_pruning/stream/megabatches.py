"""Cut the training set into megabatches; `replay.py` decides which megabatches are trained on together."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.stream.sizes import count_valid, megabatch_sizes

# A megabatch needs two images to train on and one to validate on.
SMALLEST = 3


@dataclass(frozen=True)
class Megabatch:
    """Holds the images that arrive together at one time, as indices into the training set.

    Attributes:
        t: index of the megabatch, from 1.
        train: int64 [n], indices of images to train and to score on.
        valid: int64 [m], indices of images that are never trained on.
    """

    t: int
    train: Tensor
    valid: Tensor


def split_stream(
    n_train: int, n_megabatches: int, valid_frac: float, generator: Generator, limit: int | None = None
) -> list[Megabatch]:
    """Cut a random permutation of the training set into T parts whose sizes differ by at most one.

    Args:
        n_train: number of training images.
        n_megabatches: T, the number of parts.
        valid_frac: share of each megabatch that is held out for validation; `count_valid` says how many images.
        generator: determines the permutation. Without a permutation, the images of a folder would be sorted by class.
        limit: use only this many images, the first ones of the permutation.

    Raises:
        SettingError: the megabatches would be too small.
    """
    check_stream(n_train, n_megabatches, valid_frac, limit)
    order = torch.randperm(n_train, generator=generator)[:limit]
    megabatches = []
    for t, part in enumerate(order.tensor_split(n_megabatches), start=1):
        n_valid = count_valid(len(part), valid_frac)
        megabatches.append(Megabatch(t, train=part[:-n_valid], valid=part[-n_valid:]))
    return megabatches


def check_stream(n_train: int, n_megabatches: int, valid_frac: float, limit: int | None = None) -> None:
    """Check that a training set can be cut into the stream that the arguments of `split_stream` describe.

    Raises:
        SettingError: a setting does not fit the data; the message names the setting.
    """
    if limit is not None and limit > n_train:
        raise SettingError(f"train_limit: {limit} is not allowed: the dataset has {n_train} training images")
    n_used = limit or n_train
    longest = n_used // SMALLEST
    if n_megabatches > longest:
        raise SettingError(
            f"n_megabatches: {n_megabatches} is not allowed: {n_used} training images make at most {longest} "
            f"megabatches (each holds at least {SMALLEST})"
        )
    smallest, _ = megabatch_sizes(n_used, n_megabatches)
    if smallest - count_valid(smallest, valid_frac) < 2:
        raise SettingError(
            f"valid_frac: {valid_frac} is not allowed: it leaves fewer than 2 of the {smallest} images of a megabatch "
            "to train on"
        )

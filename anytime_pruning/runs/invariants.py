"""Checks, while a run is computed, what must hold at every moment: a run that violates it writes no results.

The checks are cheap enough to stay on: they count once for each run and megabatch, and never within an epoch. Whether
losses are finite is checked where losses arise, in `training`.
"""

from collections.abc import Callable, Sequence
from typing import NoReturn

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import InvariantError
from anytime_pruning.foundation.metrics import chance_zeros
from anytime_pruning.pruning.masks import Masks, count_masked
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.stream.megabatches import Megabatch


def check_indices(
    stream: Sequence[Megabatch],
    replayed: Sequence[tuple[Tensor, Tensor]],
    samples: Sequence[Tensor],
    n_train: int,
    limit: int | None,
) -> None:
    """Check that every training index is in one part of one megabatch, and is used only after it arrived, as that part.

    Args:
        stream: M_1 ... M_T.
        replayed: at each t, indices int64 [n] to train on and to validate on.
        samples: at each t, pi_t, indices int64 [n].
        n_train: number of training images.
        limit: number of images that are in the stream; None for all.

    Raises:
        InvariantError: names the index.
    """
    arrival = _arrivals(stream, n_train)
    n_used, expected = int(arrival.count_nonzero()), limit or n_train
    if n_used != expected:
        _fail("each index in one megabatch", len(stream), f"{n_used} indices are in the stream, not {expected}")
    for t, ((train, valid), sample) in enumerate(zip(replayed, samples, strict=True), start=1):
        for what, used, sign in (("training", train, 1), ("validation", valid, -1), ("pruning", sample, 1)):
            known = used.clamp(0, n_train - 1)
            arrived = sign * arrival[known]
            odd = used[(known != used) | (arrived <= 0) | (arrived > t)]
            if len(odd):
                _fail(f"{what} uses its own part", t, f"index {int(odd[0])} is of another part or has not arrived")


def _arrivals(stream: Sequence[Megabatch], n_train: int) -> Tensor:
    """Return the megabatch of each index, negative in its validation part; 0 means that the index is in none."""
    arrival = torch.zeros(n_train, dtype=torch.int64)
    for megabatch in stream:
        for part, mark in ((megabatch.train, megabatch.t), (megabatch.valid, -megabatch.t)):
            inside = part[(part >= 0) & (part < n_train)]
            again = inside[arrival[inside] != 0]
            arrival[inside] = mark
            if len(again) or len(torch.unique(inside)) < len(part):
                _fail("each index in one megabatch", megabatch.t, "an index is in two of its parts, or in no data")
    return arrival


def check_masks(
    before: Masks, masks: Masks, model: nn.Module, expected_kept: Callable[[int], tuple[int, int]], t: int
) -> None:
    """Check that masks nest, and that they keep as many weights as the schedule asks for.

    Args:
        before: masks of the megabatch before; empty before the first pruning.
        masks: of this megabatch; empty if nothing is pruned.
        model: the network.
        expected_kept: returns the fewest and the most weights that may be kept, from the number of prunable weights.
        t: index of the megabatch.

    Raises:
        InvariantError: names the layer.
    """
    weights = prunable_weights(model)
    if masks and {name: mask.shape for name, mask in masks.items()} != {name: w.shape for name, w in weights.items()}:
        _fail("masks fit", t, "they are not of the network's prunable weights")
    if before and not masks:
        _fail("masks nest", t, "nothing is masked any more")
    returned = _first_layer({name: masks[name] & ~mask for name, mask in before.items()})
    if returned:
        _fail("masks nest", t, "{} weights of {} are kept that were pruned before".format(*returned))
    n_prunable = sum(weight.numel() for weight in weights.values())
    n_before, n_kept = count_masked(before, n_prunable), count_masked(masks, n_prunable)
    fewest, most = (min(count, n_before) for count in expected_kept(n_prunable))
    if not fewest <= n_kept <= most:
        _fail("density asked is density measured", t, f"masks keep {n_kept} of {n_prunable} weights instead of {most}")


def check_weights(model: nn.Module, masks: Masks, t: int, may_hold_zeros: bool = False) -> None:
    """Check, at the end of a megabatch, that pruned weights are exactly zero and kept weights are not.

    One kept weight in a million may be zero by chance, as sums of floating point numbers sometimes are.

    Args:
        model: the network.
        masks: in force; empty if nothing is pruned.
        t: index of the megabatch.
        may_hold_zeros: whether the run began with given weights, which may hold zeros that training never moves.

    Raises:
        InvariantError: names the layer.
    """
    weights = prunable_weights(model)
    moved = _first_layer({name: (weights[name] != 0) & ~mask for name, mask in masks.items()})
    if moved:
        _fail("pruned weights are zero", t, "{} pruned weights of {} are not zero".format(*moved))
    n_prunable = sum(weight.numel() for weight in weights.values())
    n_masked = count_masked(masks, n_prunable)
    n_kept = sum(int(weight.count_nonzero()) for weight in weights.values())
    if n_masked - n_kept > chance_zeros(n_prunable) and not may_hold_zeros:
        _fail("density asked is density measured", t, f"{n_kept} weights are not zero, but masks keep {n_masked}")


def _first_layer(flags: Masks) -> tuple[int, str] | None:
    """Return the first layer in which a flag is set, with the number of its flags; wait for the device once."""
    if not flags:
        return None
    counts = torch.stack([flag.sum() for flag in flags.values()]).tolist()
    return next(((count, name) for name, count in zip(flags, counts) if count), None)


def _fail(invariant: str, t: int, found: str) -> NoReturn:
    raise InvariantError(
        f"invariant violated: {invariant}: megabatch {t}: {found}; no results were written; please report this"
    )

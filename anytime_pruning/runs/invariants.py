"""Check the invariants of a run while it is computed; a run that violates an invariant writes no results.

The checks are always on, because they cost little: they run once for each run or megabatch, and never within an epoch.
Losses are checked in `training`, where they are computed.
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
    """Check that each image belongs to one part of one megabatch, and is used only as this part and after its arrival.

    Args:
        stream: the megabatches M_1 ... M_T.
        replayed: for each t, the indices int64 [n] to train on and the indices int64 [m] to validate on.
        samples: for each t, the sample pi_t as indices int64 [k].
        n_train: number of training images.
        limit: number of images in the stream; None means all.

    Raises:
        InvariantError: an index is missing, repeated or used wrongly; the message names the problem.
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
                _fail(f"{what} uses its own part", t, f"index {int(odd[0])} belongs to another part or has not arrived")


def _arrivals(stream: Sequence[Megabatch], n_train: int) -> Tensor:
    """Return the megabatch t of each index, or -t in the validation part; 0 means that no megabatch has the index."""
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
    before: Masks, masks: Masks, model: nn.Module, expected_kept: Callable[[Sequence[int]], tuple[int, int]], t: int
) -> None:
    """Check that masks nest in the masks before, and that they keep as many weights as the schedule asks for.

    Args:
        before: masks of the megabatch before; empty before the first pruning.
        masks: masks of this megabatch; empty if nothing is pruned.
        model: the network.
        expected_kept: takes the number of prunable weights of each layer and returns the smallest and the largest
            allowed number of kept weights.
        t: index of the megabatch.

    Raises:
        InvariantError: the masks violate an invariant; the message names the layer or the numbers.
    """
    weights = prunable_weights(model)
    if masks and {name: mask.shape for name, mask in masks.items()} != {name: w.shape for name, w in weights.items()}:
        _fail("masks fit", t, "they do not belong to the network's prunable weights")
    if before and not masks:
        _fail("masks nest", t, "nothing is masked any more")
    returned = _first_layer({name: masks[name] & ~mask for name, mask in before.items()})
    if returned:
        _fail("masks nest", t, "{} weights of {} are kept that were pruned before".format(*returned))
    layer_sizes = [weight.numel() for weight in weights.values()]
    n_prunable = sum(layer_sizes)
    n_before, n_kept = count_masked(before, n_prunable), count_masked(masks, n_prunable)
    fewest, most = (min(count, n_before) for count in expected_kept(layer_sizes))
    if not fewest <= n_kept <= most:
        _fail("density asked is density measured", t, f"masks keep {n_kept} of {n_prunable} weights instead of {most}")


def check_weights(model: nn.Module, masks: Masks, t: int, zeros_at_start: int = 0) -> None:
    """Check at the end of a megabatch that pruned weights are exactly zero and that kept weights are not.

    One kept weight in a million may be zero by chance, because a sum of floating point numbers sometimes is.

    Args:
        model: the network.
        masks: the current masks; empty if nothing is pruned.
        t: index of the megabatch.
        zeros_at_start: number of prunable weights that were zero when the run began. Weights that get no gradient stay
            zero, for example in a layer behind a factor of zero, or in initial weights from a file.

    Raises:
        InvariantError: a pruned weight is not zero, or too few weights are not zero; the message names the layer or
            the numbers.
    """
    weights = prunable_weights(model)
    moved = _first_layer({name: (weights[name] != 0) & ~mask for name, mask in masks.items()})
    if moved:
        _fail("pruned weights are zero", t, "{} pruned weights of {} are not zero".format(*moved))
    n_prunable = sum(weight.numel() for weight in weights.values())
    n_masked = count_masked(masks, n_prunable)
    n_kept = sum(int(weight.count_nonzero()) for weight in weights.values())
    if n_masked - n_kept > chance_zeros(n_prunable) + zeros_at_start:
        _fail("density asked is density measured", t, f"{n_kept} weights are not zero, but masks keep {n_masked}")


def _first_layer(flags: Masks) -> tuple[int, str] | None:
    """Return the number of set flags and the name of the first layer that has any; wait for the device once."""
    if not flags:
        return None
    counts = torch.stack([flag.sum() for flag in flags.values()]).tolist()
    return next(((count, name) for name, count in zip(flags, counts) if count), None)


def _fail(invariant: str, t: int, found: str) -> NoReturn:
    raise InvariantError(
        f"invariant violated: {invariant}: megabatch {t}: {found}; no results were written; please report this"
    )

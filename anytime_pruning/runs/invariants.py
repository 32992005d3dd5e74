"""What must hold at every moment of a run, checked while it runs: a run in which it does not hold writes no results.

Cheap enough to stay on: some counting once for each run and megabatch, nothing within an epoch. That losses are finite
is checked where they arise, in `training.py`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import InvariantError
from anytime_pruning.foundation.metrics import chance_zeros
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.megabatches import Megabatch


def check_indices(
    stream: Sequence[Megabatch],
    replayed: Sequence[tuple[Tensor, Tensor]],
    samples: Sequence[Tensor],
    n_train: int,
    limit: int | None,
) -> None:
    """Every training index is in one part of one megabatch; none is used before it arrives, or as what it is not.

    Args:
        stream: M_1 ... M_T.
        replayed: at each t, indices int64 [n] to train on and to validate on.
        samples: at each t, pi_t, indices int64 [n].
        n_train: number of training images; with a `limit`, only so many of them are in the stream.

    Raises:
        InvariantError: says which index breaks it.
    """
    # The megabatch of each index, negative in its validation part; 0 is in none.
    arrival = torch.zeros(n_train, dtype=torch.int64)
    for megabatch in stream:
        for part, mark in ((megabatch.train, megabatch.t), (megabatch.valid, -megabatch.t)):
            inside = part[(part >= 0) & (part < n_train)]
            again = inside[arrival[inside] != 0]
            arrival[inside] = mark
            if len(again) or len(inside.unique()) < len(part):
                _fail("each index in one megabatch", megabatch.t, "an index is in two of its parts, or in no data")
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


def check_masks(before: Masks, masks: Masks, model: nn.Module, density: float, settings: RunSettings, t: int) -> None:
    """Masks nest, and keep as many weights as the schedule asks for, exactly.

    In the released protocol, whose masks are intersected, they keep no more than that.

    Args:
        before: masks of the megabatch before; empty before the first pruning, as `masks` are if nothing is pruned.
        density: as scheduled at t.

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
    n_before = sum(int(mask.sum()) for mask in before.values()) if before else n_prunable
    n_kept = sum(int(mask.sum()) for mask in masks.values()) if masks else n_prunable
    released = settings.protocol == "released"
    asked = settings.densities()[-1] if released and settings.scope == "local" and density < 1 else density
    expected = min(round(asked * n_prunable), n_before)
    if n_kept > expected or (n_kept < expected and not released):
        _fail(
            "density asked is density measured", t, f"masks keep {n_kept} of {n_prunable} weights instead of {expected}"
        )


def check_weights(model: nn.Module, masks: Masks, settings: RunSettings, t: int) -> None:
    """At the end of a megabatch, pruned weights are exactly zero, and those that are kept are not.

    Of a million kept weights one may be zero by chance, as sums of floating point numbers are once in a while; after
    `initial_weights`, any number, for those may hold zeros that training never moves.

    Raises:
        InvariantError: names the layer.
    """
    weights = prunable_weights(model)
    moved = _first_layer({name: (weights[name] != 0) & ~mask for name, mask in masks.items()})
    if moved:
        _fail("pruned weights are zero", t, "{} pruned weights of {} are not zero".format(*moved))
    n_prunable = sum(weight.numel() for weight in weights.values())
    n_masked = sum(int(mask.sum()) for mask in masks.values()) if masks else n_prunable
    n_kept = sum(int(weight.count_nonzero()) for weight in weights.values())
    if n_masked - n_kept > chance_zeros(n_prunable) and settings.initial_weights is None:
        _fail("density asked is density measured", t, f"{n_kept} weights are not zero, but masks keep {n_masked}")


def _first_layer(flags: Masks) -> tuple[int, str] | None:
    """The first layer in which a flag is set, and how many are there; waits for the device once."""
    if not flags:
        return None
    counts = torch.stack([flag.sum() for flag in flags.values()]).tolist()
    return next(((count, name) for name, count in zip(flags, counts) if count), None)


def _fail(invariant: str, t: int, found: str) -> None:
    raise InvariantError(
        f"invariant violated: {invariant}: megabatch {t}: {found}; no results were written; please report this"
    )

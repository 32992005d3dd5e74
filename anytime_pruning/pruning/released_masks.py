"""Compute masks with the arithmetic of the published code: scores of all weights, and a threshold for each selection.

Source: `main_anytime_train.py` and the pruners of landskape-ai/Progressive-Pruning at commit 7840633, whose behaviour
was observed. `protocols/released.py` lists every point in which this arithmetic differs from the paper's.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.errors import DivergenceError, SettingError
from anytime_pruning.machine.preservation import preserved, want_gradients
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners import check_informative, snip
from anytime_pruning.pruning.pruners.gradients import gradients
from anytime_pruning.pruning.selections.base import check_asked

Batches = Iterable[tuple[Tensor, Tensor]]
Scores = dict[str, Tensor]


def released_masks(
    network: nn.Module,
    masks: Mapping[str, Tensor],
    batches: Batches,
    pruner: str,
    density: float,
    scope: str,
) -> tuple[Scores, Masks]:
    """Score all weights as the published code does, and select the weights above its threshold.

    The network is left as it was. The returned mask file is not multiplied by the masks in force; the published code
    multiplies the two and applies the product.

    Args:
        network: holds the raw weights to score, also where the masks prune them. Its convolutions are scored.
        masks: the masks in force, by parameter name; True or 1 is kept. They multiply the weights in the scored forward
            pass. Empty before the first pruning.
        batches: images [B, C, H, W] and labels int64 [B], on the network's device; only SNIP reads them.
        pruner: `snip`, `magnitude` or `random`; the draws of `random` have a fixed seed.
        density: d, the share of weights to keep, in (0, 1].
        scope: `global` selects among the weights of the whole network, `local` separately within each layer.

    Returns:
        The scores, in the type of the weights, and the mask file, both by parameter name in the shapes of the weights.
        Scores of `snip` and `magnitude` are divided by their sum. True in the mask file is selected.

    Raises:
        SettingError: a setting is not allowed, or all scores are equal.
        DivergenceError: scores are not finite.
    """
    check_asked(density, scope)
    scores = score_all_weights(network, masks, batches, pruner, Generator().manual_seed(0))
    selected = select_above_threshold(scores, masks, density, scope)
    return {name: scores[name].to(weight.dtype) for name, weight in prunable_weights(network).items()}, selected


def draw_scoring_weights(network: nn.Module, generator: Generator) -> None:
    """Draw every convolution weight afresh, as PyTorch initialises a layer by default; change nothing else.

    A weight is uniform in (-b, b) with b = 1 / sqrt(fan_in) and fan_in = in_channels / groups * kernel height * kernel
    width, whatever the network's own initialisation is.

    Args:
        network: the network to change in place.
        generator: CPU generator, so that the weights are the same on every device.
    """
    for weight in prunable_weights(network).values():
        bound = weight[0].numel() ** -0.5
        drawn = torch.empty(weight.shape, dtype=weight.dtype).uniform_(-bound, bound, generator=generator)
        weight.data.copy_(drawn)


def score_all_weights(
    network: nn.Module, masks: Mapping[str, Tensor], batches: Batches, pruner: str, generator: Generator
) -> Scores:
    """Score all weights, pruned ones included; the arguments and errors are those of `released_masks`.

    Args:
        network: holds the raw weights to score.
        masks: the masks in force.
        batches: the images and labels to score on.
        pruner: `snip`, `magnitude` or `random`.
        generator: CPU generator from which `random` draws.
    """
    if pruner not in PRUNERS:
        raise SettingError(f"pruner: {pruner!r} is not allowed with protocol released; allowed: {', '.join(PRUNERS)}")
    return PRUNERS[pruner](network, masks, batches, generator)


def select_above_threshold(scores: Scores, masks: Mapping[str, Tensor], density: float, scope: str) -> Masks:
    """Select the weights whose score is above the k-th smallest, with k = int((1 - density) * N).

    All N weights compete, pruned ones included. Every weight whose score equals the threshold is left out, so ties make
    the selection smaller than N - k. If k is 0, the masks in force are returned.

    Args:
        scores: scores by parameter name.
        masks: the masks in force, by parameter name; empty before the first pruning.
        density: share of weights to keep, in (0, 1].
        scope: `global` takes N over the whole network, `local` over each layer.
    """
    flat = {name: score.flatten() for name, score in scores.items()}
    groups = [{name: part} for name, part in flat.items()] if scope == "local" else [flat]
    chosen: Masks = {}
    for group in groups:
        values = torch.cat(list(group.values()))
        k = int((1.0 - density) * len(values))
        threshold = values.kthvalue(k).values if k >= 1 else None
        for name in group:
            in_force = masks[name].bool() if name in masks else torch.ones_like(scores[name], dtype=torch.bool)
            chosen[name] = in_force if threshold is None else scores[name] > threshold
    return chosen


def _score_snip(network: nn.Module, masks: Mapping[str, Tensor], batches: Batches, _: Generator) -> Scores:
    """Return |w * sum over batches of dL/dW| divided by the sum over all weights; W is the masked weight.

    L is the mean cross-entropy of a batch, so each batch counts once, whatever its size. Batch norm uses the statistics
    of each batch. Everything is computed in the precision of the weights.
    """
    weights = prunable_weights(network)
    raw = {name: weight.detach().clone() for name, weight in weights.items()}
    total = [torch.zeros_like(weight) for weight in raw.values()]
    with preserved(network):
        want_gradients(network)
        with torch.no_grad():
            for name, weight in weights.items():
                if name in masks:
                    weight.mul_(masks[name].to(weight))
        network.train()
        for images, labels in batches:
            parts = gradients(partial(snip.loss_of, network, images, labels), list(weights.values()))
            torch._foreach_add_(total, list(parts))
    return _divide_by_sum({n: (raw[n] * gradient).abs() for n, gradient in zip(raw, total)}, "snip")


def _score_magnitude(network: nn.Module, masks: Mapping[str, Tensor], batches: Batches, _: Generator) -> Scores:
    """Return |w| of the raw weights, divided by the sum over all weights.

    The published code does not divide. Division by one number keeps the order, and double precision keeps apart what
    float32 keeps apart.
    """
    magnitudes = {name: weight.detach().abs().double() for name, weight in prunable_weights(network).items()}
    return _divide_by_sum(magnitudes, "magnitude")


def _score_random(network: nn.Module, masks: Mapping[str, Tensor], batches: Batches, generator: Generator) -> Scores:
    """Return standard normal draws."""
    weights = prunable_weights(network)
    return {name: torch.randn(w.shape, generator=generator).to(w.device) for name, w in weights.items()}


def _divide_by_sum(scores: Scores, pruner: str) -> Scores:
    check_informative(scores, {}, pruner)
    total = torch.cat([score.flatten() for score in scores.values()]).sum()
    if not torch.isfinite(total):
        raise DivergenceError("scores: their sum is not finite")
    return {name: score / total for name, score in scores.items()}


PRUNERS: dict[str, Callable[[nn.Module, Mapping[str, Tensor], Batches, Generator], Scores]] = {
    "snip": _score_snip,
    "magnitude": _score_magnitude,
    "random": _score_random,
}

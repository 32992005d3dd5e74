"""Score weights by GraSP, which keeps the weights whose removal would harm the flow of gradients."""

import operator
from collections.abc import Iterable
from functools import reduce

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners.gradients import check_second_derivative, lacks_second_derivative, logits_of
from anytime_pruning.stream.batching import batch_bounds

# Logits are divided by this number, so that the softmax is not saturated.
TEMPERATURE = 200


@register("pruner", "grasp")
def score_grasp(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator) -> dict[str, Tensor]:
    """Score each weight w by w * d(g_a . g_b)/dw = w * Hg, with its sign; the smallest scores are removed.

    g_a and g_b are gradients of the cross-entropy of logits / 200 with respect to the prunable weights. g_a is summed
    over all batches and held fixed. g_b belongs to one batch and is differentiated once more. The batches are regrouped
    so that all classes that occur have the same number of images; further images of a class are left out. Batch norm is
    in train mode. The scores are computed in the network's own precision, without autocast.

    Source: Wang, Zhang, Grosse, "Picking Winning Tickets Before Training by Preserving Gradient Flow" (arXiv
    2002.07376). Deviations: only gradients of convolutions count, because nothing else is pruned; the score has the
    opposite sign of the paper's S(-w), because here higher scores are kept; the scores are not normalised, which
    changes no ranking.

    Attention is computed in its plain form, because its fused forms have no second derivative.

    Raises:
        SettingError: torch cannot differentiate an operation of the network twice; the message names the operation.
    """
    chunks = _balance(batches)
    weights = prunable_weights(model)
    model.train()
    try:
        with torch.autocast(chunks[0][0].device.type, enabled=False), sdpa_kernel(SDPBackend.MATH):
            products = _products(model, weights, chunks)
    except RuntimeError as error:
        if refusal := lacks_second_derivative(error, "grasp"):
            raise refusal from None
        raise
    return {name: weight.detach() * product for (name, weight), product in zip(weights.items(), products)}


def _products(model: nn.Module, weights: dict[str, nn.Parameter], chunks: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """Return d(g_a . g_b)/dw for each weight, where g_a is fixed and summed over all chunks."""
    total = [torch.zeros_like(weight) for weight in weights.values()]
    for chunk in chunks:
        torch._foreach_add_(total, list(_gradient(model, weights, chunk)))
    products = [torch.zeros_like(weight) for weight in weights.values()]
    for chunk in chunks:
        gradient = _gradient(model, weights, chunk, create_graph=True)
        check_second_derivative(gradient)
        flow = reduce(operator.add, ((fixed * moving).sum() for fixed, moving in zip(total, gradient)))
        if flow.requires_grad:
            parts = torch.autograd.grad(flow, list(weights.values()), allow_unused=True, materialize_grads=True)
            torch._foreach_add_(products, list(parts))
    return products


def _gradient(
    model: nn.Module, weights: dict[str, nn.Parameter], chunk: tuple[Tensor, Tensor], create_graph: bool = False
) -> tuple[Tensor, ...]:
    images, labels = chunk
    loss = F.cross_entropy(logits_of(model, images) / TEMPERATURE, labels)
    if not loss.requires_grad:
        return tuple(torch.zeros_like(weight) for weight in weights.values())
    return torch.autograd.grad(
        loss, list(weights.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )


def _balance(batches: Iterable[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Keep the first n images of each class, where n is the number of images of the rarest class.

    The new batches are as large as the largest given batch.
    """
    gathered = list(batches)
    images, labels = (torch.cat(parts) for parts in zip(*gathered))
    counts = labels.bincount()
    quota = counts[counts > 0].min()
    # The rank of an image is the number of earlier images of its class.
    rank = torch.empty_like(labels)
    for label in counts.nonzero().flatten():
        places = (labels == label).nonzero().flatten()
        rank[places] = torch.arange(len(places), device=labels.device)
    chosen = (rank < quota).nonzero().flatten()
    bounds = batch_bounds(len(chosen), max(len(part) for _, part in gathered))
    return [(images[chosen[start:end]], labels[chosen[start:end]]) for start, end in bounds]

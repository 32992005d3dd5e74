"""Score weights by SynFlow, which needs no data and keeps the weights that carry most of the network's flow."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners.scoring import in_rounds


@register("pruner", "synflow")
@in_rounds(100)
def score_synflow(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator
) -> dict[str, Tensor]:
    """Score each weight w by |w * dR/dw|, where R is the sum of the network's outputs for one image of ones.

    All parameters are replaced by their absolute values. The network is in eval mode, so batch norm uses its running
    statistics. The scores are computed in float64, because the product over a deep network's layers overflows float32.
    The batches are read only for the shape of the first image. Pruning takes 100 rounds, because pruning at once would
    remove whole layers.

    Source: Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic
    flow" (arXiv 2006.05467). Deviation: the code of the authors also takes the absolute value of running means; here
    running means do not change.

    Raises:
        SettingError: there is no batch, so the shape of an image is unknown.
    """
    first = next(iter(batches), None)
    if first is None:
        raise SettingError("pruner: synflow needs the shape of an image, but no image was given")
    names = list(prunable_weights(model))
    model.eval()
    ones = torch.ones_like(first[0][:1], dtype=torch.float64)
    absolute = {name: parameter.detach().double().abs() for name, parameter in model.named_parameters()}
    for name in names:
        absolute[name].requires_grad_(True)
    buffers = {name: buffer.double() for name, buffer in model.named_buffers() if buffer.is_floating_point()}
    with torch.autocast(ones.device.type, enabled=False):
        flow = functional_call(model, absolute | buffers, (ones,)).sum()
        parts = torch.autograd.grad(flow, [absolute[name] for name in names], allow_unused=True, materialize_grads=True)
    return {name: absolute[name].detach() * part.abs() for name, part in zip(names, parts)}

"""Score weights by SynFlow, which needs no data and keeps the weights that carry most of the network's flow."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights, weighted_layers
from anytime_pruning.pruning.pruners.gradients import gradients, logits_of
from anytime_pruning.pruning.pruners.scoring import in_rounds
from anytime_pruning.pruning.pruners.unsaturated import Unsaturated


@register("pruner", "synflow")
@in_rounds(100)
def score_synflow(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator
) -> dict[str, Tensor]:
    """Score each weight w by |w * dR/dw|, where R is the sum of the network's outputs for one image of ones.

    All parameters are replaced by their absolute values. The network is in eval mode, so batch norm uses its running
    statistics. The scores are computed in float64, because the product over a deep network's layers overflows float32.
    Activations that saturate are replaced, because they would stop the flow (`unsaturated.py`). The batches are read
    only for the shape of the first image. Pruning takes 100 rounds, because pruning at once would remove whole layers.

    Source: Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic
    flow" (arXiv 2006.05467). Deviations: the code of the authors also takes the absolute value of running means; here
    running means do not change. The image of ones is normalised like every image, so the first layer does not see ones.

    Raises:
        SettingError: the flow is too large even for float64.
    """
    images, _ = next(iter(batches))
    model.eval()
    _make_absolute(model)
    weights = prunable_weights(model)
    ones = torch.ones_like(images[:1], dtype=torch.float64)
    with torch.autocast(ones.device.type, enabled=False), Unsaturated():
        parts = gradients(lambda: logits_of(model, ones).sum(), list(weights.values()))
    scores = {name: weight.detach() * part.abs() for (name, weight), part in zip(weights.items(), parts)}
    if not all(torch.isfinite(score).all() for score in scores.values()):
        raise SettingError(
            "pruner: 'synflow' is not allowed with this network: its flow of absolute weights is too large for "
            "float64; choose another pruner, such as snip"
        )
    return scores


def _make_absolute(model: nn.Module) -> None:
    """Replace parameters by their absolute values, and all floating point numbers by float64."""
    made: dict[int, nn.Parameter] = {}
    weighted = weighted_layers(model)
    for where, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            # The tensors of a scripted module cannot be exchanged, but their memory can.
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                tensor.data = _as_double(tensor.data, absolute=isinstance(tensor, nn.Parameter))
            continue
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.is_floating_point():
                absolute = nn.Parameter(_as_double(parameter.detach(), absolute=True))
                module._parameters[name] = made.setdefault(id(parameter), absolute)
        # Spectral norm divides by a product of its buffers and the weight, which must stay positive.
        is_norm = where in weighted or ".parametrizations." in f".{where}."
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = _as_double(buffer, absolute=is_norm)
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                vars(module)[name] = _as_double(value, absolute=False)


def _as_double(tensor: Tensor, absolute: bool) -> Tensor:
    """Return a tensor in float64, or its absolute values; a tensor of whole numbers is returned as it is."""
    if not tensor.is_floating_point():
        return tensor
    return tensor.double().abs() if absolute else tensor.double()

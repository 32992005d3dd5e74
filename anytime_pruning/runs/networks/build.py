"""Build the network of a run with its initial weights, and choose its prunable weights."""

import torch
from torch import nn

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.export.identity import network_digest
from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError, name_some
from anytime_pruning.foundation.metrics import count_weights
from anytime_pruning.machine.randomness import derive_seed
from anytime_pruning.models import build_model
from anytime_pruning.models.state import check_state
from anytime_pruning.pruning.filter_parameters import find_filter_parameters
from anytime_pruning.pruning.narrowing import architecture_of
from anytime_pruning.pruning.prunable import set_prunable
from anytime_pruning.pruning.selections import Selection, make_selection
from anytime_pruning.runs.initial_state import load_initial_weights
from anytime_pruning.runs.networks.trial import try_out
from anytime_pruning.settings.run import RunSettings


def build_network(settings: RunSettings, arrays: ImageArrays, device: torch.device) -> tuple[nn.Module, str | None]:
    """Build the network of a run, try it out, and check that pruning leaves at least one weight.

    Args:
        settings: settings of the run.
        arrays: the dataset.
        device: the device that computes.

    Returns:
        The network with its initial weights on the device, and the digest of a user's own network.

    Raises:
        SettingError: the network does not map images to logits, or cannot be pruned as the settings ask.
        DataError: the initial weights are missing or do not fit the network.
    """
    model = build_model(
        architecture_of(dict(settings), arrays.n_classes, arrays.image_shape),
        arrays.n_classes,
        arrays.image_shape,
        arrays.mean,
        arrays.std,
        seed=derive_seed(settings.seed, "initial weights"),
    )
    digest = network_digest(model) if f"model {settings.model}" in settings.own_code else None
    try:
        model = model.to(device)
    except NotImplementedError as error:
        raise SettingError(f"model: {settings.model!r} cannot be moved to {device}: {error}") from error
    check_state(model)
    used = try_out(model, settings.model, arrays.image_shape, arrays.n_classes)
    selection = make_selection(settings.selection, settings.pattern)
    _choose_prunable(model, settings, used, selection)
    if selection.removes_filters:
        find_filter_parameters(model, arrays.image_shape)
    load_initial_weights(model, settings.initial_weights, settings.model)
    return model, digest


def _choose_prunable(model: nn.Module, settings: RunSettings, used: list[str], selection: Selection) -> None:
    """Choose the prunable weights by the settings, and name layers that no image passes through."""
    weights = set_prunable(model, settings.prunable, settings.keep, used, selection.accepts)
    n_prunable = sum(weight.numel() for weight in weights.values())
    if n_prunable == 0 and set_prunable(model, settings.prunable, settings.keep, used):
        raise SettingError(
            f"selection: {settings.selection!r} with pattern {settings.pattern} is not allowed: it can prune none of "
            f"the layers of {settings.model!r} that prunable and keep choose; n_m needs input channels that are a "
            "multiple of M"
        )
    if n_prunable == 0:
        raise SettingError(
            f"prunable: {list(settings.prunable)} is not allowed: {settings.model!r} has no such layer to prune, "
            f"except those that keep names, {list(settings.keep)}; choose other kinds: conv, linear or conv_transpose"
        )
    if count_weights(n_prunable, settings.densities()[-1]) == 0:
        raise SettingError(f"tau: {settings.tau} is not allowed: none of {n_prunable} weights would remain at the end")
    unused = [name for name in weights if _layer_of(name) not in used]
    scripted = any(isinstance(module, torch.jit.ScriptModule) for module in model.modules())
    if unused and not scripted:
        warn(
            f"model: no image passes through {name_some(unused)} of {settings.model}; these weights count as prunable "
            "and have no score, so name these layers in the setting keep"
        )


def _layer_of(name: str) -> str:
    """Return the name of the layer of a weight, which lies deeper than the layer if the weight is parametrised."""
    return name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]

"""Choose the prunable weights of a network by rules, and leave out the layers that are to be left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.pruning.prunable.resolution import find_parameter
from anytime_pruning.pruning.prunable.rules import CONVOLUTIONS, LINEAR, TRANSPOSED, is_of_kind

# In the paper only convolutions are pruned.
DEFAULT_RULES = ("conv",)
# These two words stand for layers; every other entry of `keep` is a pattern of layer names.
CLASSIFIER, FROZEN = "classifier", "frozen"
DEFAULT_KEEP = (CLASSIFIER, FROZEN)
# The chosen names are kept as an attribute of the network, so that every part of the method, and every pruner that is
# registered from outside, prunes the same weights. Copies of the network keep the attribute.
_CHOSEN = "prunable_names"


def prunable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that pruning may remove: those that `set_prunable` chose, or else those of the defaults.

    Args:
        model: any network.

    Returns:
        Weights by parameter name, in the network's order. A weight that two layers share appears once, under its first
        name.

    Raises:
        SettingError: a weight is computed in a way in which it cannot be pruned.
    """
    chosen: Sequence[str] | None = vars(model).get(_CHOSEN)
    if chosen is None:
        return _choose(model, DEFAULT_RULES, DEFAULT_KEEP, None)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return {name: parameters[name] for name in chosen}


def set_prunable(
    model: nn.Module,
    prunable: Sequence[str] = DEFAULT_RULES,
    keep: Sequence[str] = DEFAULT_KEEP,
    called: Sequence[str] | Callable[[], Sequence[str]] | None = None,
    accepts: Callable[[Tensor], bool] = lambda weight: True,
) -> dict[str, nn.Parameter]:
    """Choose the weights of a network that pruning may remove, for everything that prunes the network from now on.

    Args:
        model: any network.
        prunable: registered rules, such as `conv` and `linear`; a weight is prunable if one of the rules names it.
        keep: layers to leave alone. `classifier` is the linear layer that computes the logits, `frozen` stands for
            parameters that need no gradient, and everything else is a pattern of layer names, such as `layer4.*`. A
            parameter that such a layer shares with another layer is left alone in both.
        called: names of layers in the order in which a forward pass calls them, or a function that finds them, which
            is called only if the choice depends on them. They tell which linear layer is the last; without them it is
            the last one in the network's own order.
        accepts: says whether the selection can prune a weight; other weights are left alone.

    Returns:
        Weights by parameter name, in the network's order; empty if the rules name none.

    Raises:
        SettingError: a rule is not registered or returns no names, a pattern matches no layer, or a weight cannot be
            pruned.
    """
    if callable(called):
        called = called() if _depends_on_calls(model, prunable, keep) else None
    weights = {name: weight for name, weight in _choose(model, prunable, keep, called).items() if accepts(weight)}
    setattr(model, _CHOSEN, tuple(weights))
    return weights


def pin_prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Keep the present choice, also if parameters are frozen or freed from now on, and return the chosen weights."""
    weights = prunable_weights(model)
    setattr(model, _CHOSEN, tuple(weights))
    return weights


def count_prunable(model: nn.Module) -> int:
    """Count the weights that pruning may remove."""
    return sum(weight.numel() for weight in prunable_weights(model).values())


def weighted_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the convolutions and linear layers of a network, prunable or not, by name."""
    kinds = (*CONVOLUTIONS, *TRANSPOSED, *LINEAR)
    return {name: layer for name, layer in model.named_modules() if is_of_kind(layer, kinds)}


def _choose(
    model: nn.Module, rules: Sequence[str], keep: Sequence[str], called: Sequence[str] | None
) -> dict[str, nn.Parameter]:
    left_alone = _layers_to_keep(model, keep, called)
    weights: dict[str, nn.Parameter] = {}
    # A parameter that a layer to leave alone shares with another layer is left alone in both.
    seen = {id(parameter) for layer in left_alone.values() for parameter in layer.parameters()}
    for where, name, layer in _named(model, rules):
        if where in left_alone or not (found := find_parameter(layer, name, where or "the network")):
            continue
        inner, parameter = found
        # An embedding of integers or the like is never pruned: it has no gradient.
        is_left = not parameter.is_floating_point() or (FROZEN in keep and not parameter.requires_grad)
        if id(parameter) not in seen and not is_left:
            seen.add(id(parameter))
            weights[f"{where}.{inner}" if where else inner] = parameter
    return weights


def _depends_on_calls(model: nn.Module, rules: Sequence[str], keep: Sequence[str]) -> bool:
    """Return whether it matters which layer is the classifier: only a weight that a rule names can be left alone."""
    return CLASSIFIER in keep and any(is_of_kind(layer, LINEAR) for _, _, layer in _named(model, rules))


def _named(model: nn.Module, rules: Sequence[str]) -> Iterator[tuple[str, str, nn.Module]]:
    """Yield (name of the layer, name of its weight, layer) for every weight that one of the rules names."""
    for where, layer in model.named_modules():
        names = dict.fromkeys(name for rule in rules for name in _names_by(rule, where, layer))
        yield from ((where, name, layer) for name in names)


def _names_by(rule: str, where: str, layer: nn.Module) -> tuple[str, ...]:
    """Return the names of a layer's weights by one rule.

    Raises:
        SettingError: the rule, which may be a user's own, returns anything but names.
    """
    named = lookup("prunable", rule)(layer)
    # A text can be iterated as well, but its characters are no names of weights.
    names = tuple(named) if isinstance(named, Iterable) and not isinstance(named, str) else (named,)
    if isinstance(named, str) or not all(isinstance(name, str) for name in names):
        raise SettingError(
            f"prunable: {rule!r} is not allowed: for {where or 'the network'} it returns {show(named)}; wanted: a "
            "tuple of names of weights, such as ('weight',), or an empty one"
        )
    return names


def _layers_to_keep(model: nn.Module, keep: Sequence[str], called: Sequence[str] | None) -> dict[str, nn.Module]:
    """Return the layers that are left alone by name, apart from frozen ones.

    Raises:
        SettingError: a pattern matches no layer.
    """
    layers = dict(model.named_modules())
    kept: set[str] = set()
    for entry in keep:
        if entry == CLASSIFIER:
            kept |= _classifier_of(layers, called)
        elif entry != FROZEN:
            matched = {name for name in layers if _matches(name, entry)}
            if not matched:
                with_weights = ", ".join(list(weighted_layers(model))[:8])
                raise SettingError(
                    f"keep: {entry!r} is not allowed: it matches no layer; allowed: {CLASSIFIER}, {FROZEN}, and "
                    f"patterns of names such as {with_weights}"
                )
            kept |= {name for name in layers if any(name == m or name.startswith(f"{m}.") for m in matched)}
    return {name: layers[name] for name in layers if name in kept}


def _matches(name: str, pattern: str) -> bool:
    """Return whether a pattern fits a layer; `network.`, with which names begin in a run, may be left out."""
    return any(fnmatchcase(text, pattern) for text in (name, name.removeprefix("network.")))


def _classifier_of(layers: Mapping[str, nn.Module], called: Sequence[str] | None) -> set[str]:
    """Return the name of the last linear layer; a set, because a network may have none."""
    order = [name for name in layers if called is None or name in called]
    if called is not None:
        order.sort(key=lambda name: max(i for i, other in enumerate(called) if other == name))
    linear = [name for name in order if is_of_kind(layers[name], LINEAR)]
    return {linear[-1]} if linear else set()

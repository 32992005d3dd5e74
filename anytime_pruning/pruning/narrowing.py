"""Find how many channels a narrower network of a family needs to have a given number of parameters."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.models import Architecture, build_model, takes_channels
from anytime_pruning.pruning.prunable import count_prunable, layers_as_called, set_prunable
from anytime_pruning.pruning.schedules import make_schedule

# The numbers of parameters may differ by this share.
TOLERANCE = 0.01
STEPS_OF_SEARCH = 30


def architecture_of(settings: Mapping[str, Any], n_classes: int, image_shape: tuple[int, int, int]) -> Architecture:
    """Return the architecture of a run, with fewer channels than usual if its method narrows the network.

    A method that narrows its network gets as many parameters as pruning to density `base_density ** tau` would leave.

    Args:
        settings: settings of the run by name; `model`, `method`, `base_density`, `tau`, `prunable` and `keep` are read.
        n_classes: width of the output.
        image_shape: (channels, height, width).

    Raises:
        SettingError: the network has no width, or none that gives the number of parameters within 1 %.
    """
    if not make_schedule(settings["method"]).narrows_network:
        return Architecture(settings["model"])
    density = settings["base_density"] ** settings["tau"]
    layers = (tuple(settings["prunable"]), tuple(settings["keep"]))
    channels = dict(_find_channels(settings["model"], density, layers, n_classes, image_shape))
    return Architecture(settings["model"], channels.__getitem__)


@lru_cache(maxsize=64)
def _find_channels(
    name: str,
    density: float,
    layers: tuple[tuple[str, ...], tuple[str, ...]],
    n_classes: int,
    image_shape: tuple[int, int, int],
) -> tuple[tuple[int, int], ...]:
    """Search for one factor of all numbers of channels, then move single numbers by one while that comes closer."""
    check_width(name)
    usual: set[int] = set()
    form = (n_classes, image_shape)

    def build(channels: Callable[[int], int]) -> nn.Module:
        with torch.device("meta"), _NoDraws():
            return build_model(Architecture(name, channels), *form)

    def note(number: int) -> int:
        usual.add(number)
        return number

    full = build(note)
    # On the meta device networks have no values, by which those of other people may branch.
    set_prunable(full, *layers, lambda: layers_as_called(build_model(name, *form), name, *form))
    wanted = _count(full) - count_prunable(full) * (1 - density)
    numbers = sorted(usual)

    @cache
    def count(*found: int) -> int:
        return _count(build(dict(zip(numbers, found)).__getitem__))

    def scaled(factor: float) -> list[int]:
        return [max(1, round(number * factor)) for number in numbers]

    def distance(found: Sequence[int]) -> float:
        return abs(count(*found) / wanted - 1)

    low, high = 0.0, 1.0
    for _ in range(STEPS_OF_SEARCH):
        middle = (low + high) / 2
        low, high = (middle, high) if count(*scaled(middle)) < wanted else (low, middle)
    best = scaled(high)
    best_distance = distance(best)
    while True:
        near = [
            [*best[:i], best[i] + step, *best[i + 1 :]] for i in range(len(best)) for step in (-1, 1) if best[i] + step
        ]
        closest = min(near, key=distance)
        if distance(closest) >= best_distance:
            break
        best, best_distance = closest, distance(closest)
    if best_distance > TOLERANCE:
        raise SettingError(
            f"method: a narrow {name} of {wanted:,.0f} parameters is not allowed: the closest has {best_distance:.1%} "
            "more or less; allowed: 1 %"
        )
    return tuple(zip(numbers, best))


def check_width(name: str) -> None:
    """Check that a network can be built with fewer channels.

    Raises:
        SettingError: the builder of the network takes no `channels`.
    """
    if not takes_channels(name):
        raise SettingError(
            f"model: {name!r} has no width, which a method with a small network needs: its builder takes no `channels`"
        )


class _NoDraws(TorchFunctionMode):
    """Leaves parameters without data as they are when they would be drawn, which torch does in slow steps of Python."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_) and args[0].is_meta:
            return args[0]
        return func(*args, **kwargs or {})


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())

"""Build a network from the name of its architecture; the network normalises its images itself."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.foundation.torch_fixes.seeding import generators_restored, seed_generators
from anytime_pruning.models.lazy import has_lazy_layers, materialize

# A builder takes the number of classes and (channels, height, width) of the images, and returns a network that maps
# images [B, C, H, W] to logits [B, n_classes]. A builder that also takes the keyword `channels`, a function from the
# usual number of channels of a layer to the wanted one, can build narrower networks of its family.
Builder = Callable[..., nn.Module]
Channels = Callable[[int], int]
# The parts of the networks that builders returned, as long as they live, by id: another key would need their equality.
_handed_out: WeakValueDictionary[int, object] = WeakValueDictionary()


@dataclass(frozen=True)
class Architecture:
    """Names a registered architecture, and the numbers of channels of its layers.

    Attributes:
        name: a registered architecture, such as `resnet20`.
        channels: the number of channels of a layer by its usual number; None means the usual ones.
    """

    name: str
    channels: Channels | None = None


def takes_channels(name: str) -> bool:
    """Return whether a registered architecture can be built with other numbers of channels.

    Raises:
        SettingError: the architecture is not registered.
    """
    return "channels" in inspect.signature(lookup("model", name)).parameters


class Normalize(nn.Module):
    """Subtracts the mean of each channel and divides by its standard deviation.

    Args:
        mean: one number for each of the C channels, measured on images in [0, 1].
        std: one positive number for each channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # The constants belong to the dataset and are not trained, so the state dict leaves them out.
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images [B, C, H, W] in [0, 1]."""
        return (images - self.mean) / self.std


def build_model(
    architecture: str | Architecture,
    n_classes: int,
    image_shape: tuple[int, int, int],
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
) -> nn.Module:
    """Build a network with fresh weights that maps images in [0, 1] to logits.

    Args:
        architecture: name of a registered architecture, such as `resnet20`, or one of its narrower forms.
        n_classes: width of the output.
        image_shape: (channels, height, width).
        mean: the dataset's mean of each channel; 0 if absent.
        std: the dataset's standard deviation of each channel; 1 if absent.
        seed: determines the initial weights, also those that a builder draws by numpy or Python; the global random
            states stay as they are.

    Returns:
        Module with the children `normalize` and `network`: [B, C, H, W] -> [B, n_classes].

    Raises:
        SettingError: the architecture is not registered, or its builder returns no network, one that shares trained
            parts with an earlier network, or a lazy one whose first pass fails.
    """
    if isinstance(architecture, str):
        architecture = Architecture(architecture)
    name = architecture.name
    builder: Builder = lookup("model", name)
    n_channels = image_shape[0]
    normalize = Normalize([0.0] * n_channels if mean is None else mean, [1.0] * n_channels if std is None else std)
    narrow = {} if architecture.channels is None else {"channels": architecture.channels}
    with generators_restored():
        seed_generators(seed)
        network = builder(n_classes, image_shape, **narrow)
        if not isinstance(network, nn.Module):
            raise SettingError(
                f"model: {name!r} is not allowed: its builder returns {type(network).__name__}, not a torch.nn.Module"
            )
        if has_lazy_layers(network):
            materialize(network, torch.zeros(1, *image_shape), repr(name))
    _check_new(network, name)
    model = nn.Sequential()
    model.add_module("normalize", normalize)
    model.add_module("network", network)
    return model


def _check_new(network: nn.Module, name: str) -> None:
    """Check that a network shares nothing that training changes with an earlier one, and remember its parts.

    Raises:
        SettingError: the builder returned a network, a layer, a parameter or the memory of one that it returned before.
    """
    parts = list(_parts(network))
    if any(_handed_out.get(id(part)) is part for part in parts):
        raise SettingError(
            f"model: {name!r} is not allowed: its builder returned the same network, or a part of it, as before; "
            "it has to build a new one each time"
        )
    _handed_out.update((id(part), part) for part in parts)


def _parts(network: nn.Module) -> Iterator[object]:
    """Yield a network, its layers that training changes, its trained parameters and the memory of these."""
    yield network
    for module in network.modules():
        trained = [parameter for parameter in module.parameters(recurse=False) if parameter.requires_grad]
        if trained or any(True for _ in module.buffers(recurse=False)):
            yield module
        yield from trained
        # Another parameter may lie in the same memory, which torch represents by one object as long as it is used.
        yield from (part.untyped_storage() for part in trained if part.layout == torch.strided)

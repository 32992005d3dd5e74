"""Architectures: registered builders (n_classes, image_shape) -> network, and the normalisation before them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.registry import lookup
from anytime_pruning.models import resnet_cifar, torchvision_nets  # noqa: F401


class Normalize(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel; images [B, C, H, W] in [0, 1]."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        # Not in the state dict: the constants belong to the dataset, not to what was learnt.
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def build_model(
    name: str,
    n_classes: int,
    image_shape: tuple[int, int, int],
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
) -> nn.Module:
    """A network with fresh weights that maps images in [0, 1] to logits.

    Args:
        name: a registered architecture, such as `resnet20`.
        n_classes: width of the output.
        image_shape: (channels, height, width).
        mean, std: the dataset's constants per channel; images are used as they are if absent.
        seed: determines the initial weights; the global random state stays as it is.

    Returns:
        Module with `normalize` and `network`: [B, C, H, W] -> [B, n_classes].

    Raises:
        SettingError: the architecture is not registered.
    """
    builder = lookup("model", name)
    channels = image_shape[0]
    normalize = Normalize([0.0] * channels if mean is None else mean, [1.0] * channels if std is None else std)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = builder(n_classes, image_shape)
    model = nn.Sequential()
    model.add_module("normalize", normalize)
    model.add_module("network", network)
    return model

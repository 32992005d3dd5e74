"""Build torchvision's ResNets and VGG in the form usual for CIFAR: small stem, no early pooling, one linear classifier.

torchvision is imported when a network is built, because most runs of the demonstration do not need it.
"""

from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.foundation.torch_fixes.torchvision_shim import import_torchvision
from anytime_pruning.models.build import Channels

# Channels of the four stages of every ResNet; those of a bottleneck block are its inner ones.
STAGES = (64, 128, 256, 512)

# These are the published ResNets for ImageNet. Each entry has the block, the number of blocks in each stage, and the
# width of the inner convolutions as a multiple of the usual width.
RESNETS = {
    "resnet18": ("BasicBlock", (2, 2, 2, 2), 1),
    "resnet34": ("BasicBlock", (3, 4, 6, 3), 1),
    "resnet50": ("Bottleneck", (3, 4, 6, 3), 1),
    "resnet101": ("Bottleneck", (3, 4, 23, 3), 1),
    "wide_resnet50_2": ("Bottleneck", (3, 4, 6, 3), 2),
    "wide_resnet101_2": ("Bottleneck", (3, 4, 23, 3), 2),
}


def build_resnet(
    name: str, imagenet_stem: bool, n_classes: int, image_shape: tuple[int, int, int], channels: Channels = int
) -> nn.Module:
    """Build torchvision's ResNet with its fan-out initialisation in all convolutions: [B, C, H, W] -> [B, n_classes].

    Args:
        name: a key of `RESNETS`.
        imagenet_stem: true begins as for ImageNet, with a 7 x 7 convolution of stride 2 and a max-pool of stride 2;
            false begins as is usual for CIFAR, with a 3 x 3 convolution of stride 1.
        n_classes: width of the output.
        image_shape: (channels, height, width).
        channels: number of inner channels of a stage by its usual number, 64, 128, 256 or 512.

    Source: He, Zhang, Ren, Sun (arXiv 1512.03385); wide: Zagoruyko, Komodakis (arXiv 1605.07146).
    """
    resnet = import_torchvision().models.resnet
    block, layers, width = RESNETS[name]
    network = _with_channels(resnet.ResNet, channels)(
        getattr(resnet, block), list(layers), num_classes=n_classes, width_per_group=64 * width
    )
    first = channels(STAGES[0])
    if network.inplanes != network.fc.in_features:
        network.fc = nn.Linear(network.inplanes, n_classes)
    if not imagenet_stem:
        network.conv1 = nn.Conv2d(image_shape[0], first, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    elif image_shape[0] != 3 or first != STAGES[0]:
        network.conv1 = nn.Conv2d(image_shape[0], first, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    return cast(nn.Module, network)


def _with_channels(resnet: type[Any], channels: Channels) -> type[Any]:
    """Return torchvision's ResNet with other numbers of channels in its stages; the usual numbers change nothing."""
    if all(channels(number) == number for number in STAGES):
        return resnet

    class Narrow(resnet):  # type: ignore[misc]  # torchvision has no type hints
        def _make_layer(self, block: Any, planes: int, *given: Any, **named: Any) -> nn.Module:
            width = channels(planes)
            if planes == STAGES[0]:  # The stem was made before, with the usual width.
                self.inplanes, self.bn1 = width, nn.BatchNorm2d(width)
            return cast(nn.Module, super()._make_layer(block, width, *given, **named))

    return Narrow


for _name in RESNETS:
    register("model", _name)(partial(build_resnet, _name, False))
    register("model", f"{_name}_imagenet_stem")(partial(build_resnet, _name, True))


class PooledVgg(nn.Module):
    """Classifies images with convolutional features, a global average pool and one linear layer.

    Args:
        features: maps images [B, C, H, W] to feature maps.
        n_channels: number of channels of these maps.
        n_classes: width of the output.
    """

    def __init__(self, features: nn.Module, n_channels: int, n_classes: int) -> None:
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(n_channels, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, n_classes]."""
        logits: Tensor = self.classifier(self.pool(self.features(x)).flatten(1))
        return logits


@register("model", "vgg16_bn")
def build_vgg16_bn(n_classes: int, image_shape: tuple[int, int, int], channels: Channels = int) -> nn.Module:
    """Build VGG-16 with batch norm as published: 14.73 million parameters with three channels and ten classes.

    Four max-pools turn an image of 32 x 32 pixels into maps of 2 x 2, and an average pool takes these maps to one value
    a channel. Plan D of torchvision has a fifth max-pool after the last convolution, which the published code lacks.

    Source: the network of landskape-ai/Progressive-Pruning at commit 7840633.

    Deviation: max-pools that would leave less than one pixel are left out, so that images below 16 x 16 work. Maps
    of larger images are averaged as a whole.
    """
    vgg = import_torchvision().models.vgg
    in_channels, height, width = image_shape
    plan, side = [], min(height, width)
    for step in vgg.cfgs["D"][:-1]:
        if step != "M":
            plan.append(channels(step))
        elif side >= 2:
            plan.append(step)
            side //= 2
    features = vgg.make_layers(plan, batch_norm=True)
    if in_channels != 3:
        features[0] = nn.Conv2d(in_channels, channels(64), 3, padding=1)
    return PooledVgg(features, channels(512), n_classes)

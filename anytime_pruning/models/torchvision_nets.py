"""Build torchvision's ResNets and VGG in the form usual for CIFAR: small stem, no early pooling, one linear classifier.

torchvision is imported when a network is built, because most runs of the demonstration do not need it.
"""

from functools import partial
from typing import cast

from torch import Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.foundation.torchvision_shim import import_torchvision

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


def build_resnet(name: str, imagenet_stem: bool, n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """Build torchvision's ResNet with its fan-out initialisation in all convolutions: [B, C, H, W] -> [B, n_classes].

    Args:
        name: a key of `RESNETS`.
        imagenet_stem: true begins as for ImageNet, with a 7 x 7 convolution of stride 2 and a max-pool of stride 2;
            false begins as is usual for CIFAR, with a 3 x 3 convolution of stride 1.
        n_classes: width of the output.
        image_shape: (channels, height, width).

    Source: He, Zhang, Ren, Sun (arXiv 1512.03385); wide: Zagoruyko, Komodakis (arXiv 1605.07146).
    """
    resnet = import_torchvision().models.resnet
    block, layers, width = RESNETS[name]
    network = resnet.ResNet(getattr(resnet, block), list(layers), num_classes=n_classes, width_per_group=64 * width)
    if not imagenet_stem:
        network.conv1 = nn.Conv2d(image_shape[0], 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    elif image_shape[0] != 3:
        network.conv1 = nn.Conv2d(image_shape[0], 64, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    return cast(nn.Module, network)


for _name in RESNETS:
    register("model", _name)(partial(build_resnet, _name, False))
    register("model", f"{_name}_imagenet_stem")(partial(build_resnet, _name, True))


class PooledVgg(nn.Module):
    """Classifies images with convolutional features, a global average pool and one linear layer.

    Args:
        features: maps images [B, C, H, W] to feature maps of 512 channels.
        n_classes: width of the output.
    """

    def __init__(self, features: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(512, n_classes)
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
def build_vgg16_bn(n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """Build VGG-16 with batch norm as published: 14.73 million parameters with three channels and ten classes.

    Four max-pools turn an image of 32 x 32 pixels into maps of 2 x 2, and an average pool takes these maps to one value
    a channel. Plan D of torchvision has a fifth max-pool after the last convolution, which the published code lacks.

    Source: the network of landskape-ai/Progressive-Pruning at commit 7840633.

    Deviation: max-pools that would leave less than one pixel are left out, so that images below 16 x 16 work. Maps
    of larger images are averaged as a whole.
    """
    vgg = import_torchvision().models.vgg
    channels, height, width = image_shape
    plan, side = [], min(height, width)
    for step in vgg.cfgs["D"][:-1]:
        if step != "M":
            plan.append(step)
        elif side >= 2:
            plan.append(step)
            side //= 2
    features = vgg.make_layers(plan, batch_norm=True)
    if channels != 3:
        features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    return PooledVgg(features, n_classes)

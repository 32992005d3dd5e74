"""ResNets and VGG of torchvision in the form usual for CIFAR: small stem, no early pooling, one linear classifier.

torchvision is imported when a network is built, not before: most runs of the demonstration do not need it.
"""

from torch import Tensor, nn

from anytime_pruning.registry import register
from anytime_pruning.torchvision_import import import_torchvision


def _build_resnet(block: str, layers: list[int], n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """torchvision's ResNet with a 3 x 3 stem of stride 1 and no max-pool; its fan-out initialisation throughout."""
    resnet = import_torchvision().models.resnet
    network = resnet.ResNet(getattr(resnet, block), layers, num_classes=n_classes)
    network.conv1 = nn.Conv2d(image_shape[0], 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return network


@register("model", "resnet18")
def build_resnet18(n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """ResNet-18 for CIFAR: 11.17 million parameters at ten classes."""
    return _build_resnet("BasicBlock", [2, 2, 2, 2], n_classes, image_shape)


@register("model", "resnet50")
def build_resnet50(n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """ResNet-50 for CIFAR: 23.52 million parameters at ten classes."""
    return _build_resnet("Bottleneck", [3, 4, 6, 3], n_classes, image_shape)


class PooledVgg(nn.Module):
    """Convolutional features, global average pool, one linear layer: [B, C, H, W] -> [B, n_classes]."""

    def __init__(self, features: nn.Module, n_classes: int):
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(512, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))


@register("model", "vgg16_bn")
def build_vgg16_bn(n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """VGG-16 with batch norm: 14.73 million parameters at three channels and ten classes.

    Deviation: a pooling layer that would leave less than one pixel is left out, so that images below 32 x 32 work.
    """
    vgg = import_torchvision().models.vgg
    channels, *size = image_shape
    plan, side = [], min(size)
    for step in vgg.cfgs["D"]:
        if step != "M":
            plan.append(step)
        elif side >= 2:
            plan.append(step)
            side //= 2
    features = vgg.make_layers(plan, batch_norm=True)
    if channels != 3:
        features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    return PooledVgg(features, n_classes)

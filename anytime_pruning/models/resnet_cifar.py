"""Define the small residual networks for CIFAR, with 16, 32 and 64 channels and shortcuts that have no weights."""

from torch import Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.registry import register
from anytime_pruning.models.build import Channels


class ResidualBlock(nn.Module):
    """Adds two 3 x 3 convolutions to a shortcut of option A: subsampled, with zeros in the missing channels.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output, at least as many.
        stride: step of the first convolution and of the subsampling.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.stride = stride
        # Half of the added channels come before the old channels, and half come after them.
        self.n_before = (out_channels - in_channels) // 2
        self.n_after = out_channels - in_channels - self.n_before

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in_channels, H, W] to [B, out_channels, H / stride, W / stride]."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        if self.stride != 1 or self.n_after:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.n_before, self.n_after))
        return F.relu(out.add_(x), inplace=True)


class CifarResNet(nn.Module):
    """Classifies images with three stages of n blocks, 6n + 2 layers in total.

    Args:
        n_blocks: n, the number of blocks in each stage.
        n_classes: width of the output.
        in_channels: channels of the images.
        channels: number of channels of a stage by its usual number, 16, 32 or 64.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385), section 4.2.
    """

    def __init__(self, n_blocks: int, n_classes: int, in_channels: int, channels: Channels = int) -> None:
        super().__init__()
        first, second, third = (channels(number) for number in (16, 32, 64))
        self.conv1 = nn.Conv2d(in_channels, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        blocks = []
        for stage, (before, width) in enumerate(((first, first), (first, second), (second, third))):
            blocks.append(ResidualBlock(before, width, stride=1 if stage == 0 else 2))
            blocks += [ResidualBlock(width, width, stride=1) for _ in range(n_blocks - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(third, n_classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, n_classes]."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.blocks(x)
        logits: Tensor = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


@register("model", "resnet20")
def build_resnet20(n_classes: int, image_shape: tuple[int, int, int], channels: Channels = int) -> nn.Module:
    """Build ResNet-20: 0.27 million parameters with three channels and ten classes."""
    return CifarResNet(3, n_classes, image_shape[0], channels)


@register("model", "resnet44")
def build_resnet44(n_classes: int, image_shape: tuple[int, int, int], channels: Channels = int) -> nn.Module:
    """Build ResNet-44: 0.66 million parameters with three channels and ten classes."""
    return CifarResNet(7, n_classes, image_shape[0], channels)


@register("model", "resnet56")
def build_resnet56(n_classes: int, image_shape: tuple[int, int, int], channels: Channels = int) -> nn.Module:
    """Build ResNet-56: 0.85 million parameters with three channels and ten classes."""
    return CifarResNet(9, n_classes, image_shape[0], channels)

"""List the smallest networks of many families of timm and torchvision; none is downloaded, all weights are fresh."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from anytime_pruning.foundation.torch_fixes.torchvision_shim import import_torchvision


@dataclass(frozen=True)
class Network:
    """Holds one network of the zoo.

    Attributes:
        library: the package that it comes from, for the table.
        build: a builder as `register("model", ...)` takes it.
        pixels: height and width of the images. Many networks turn 32 pixels into maps of one pixel, on which batch norm
            with few images diverges.
    """

    library: str
    build: Callable[[int, tuple[int, int, int]], nn.Module]
    pixels: int = 64


def build_timm(name: str, n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """Build a network of timm for images of this shape."""
    import_torchvision()  # timm imports torchvision.
    import timm

    options = {"pretrained": False, "num_classes": n_classes, "in_chans": image_shape[0]}
    try:
        network: nn.Module = timm.create_model(name, img_size=image_shape[1], **options)
    except TypeError:  # Only networks with position tables and windows have a size of images.
        network = timm.create_model(name, **options)
    return network


def build_torchvision(
    name: str, options: dict[str, object], n_classes: int, image_shape: tuple[int, int, int]
) -> nn.Module:
    """Build a network of torchvision, which takes images of three channels."""
    models = import_torchvision().models
    network: nn.Module = models.get_model(name, weights=None, num_classes=n_classes, **options)
    return network


TIMM = (
    "mobilenetv2_035",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small",
    "mnasnet_small",
    "fbnetc_100",
    "lcnet_035",
    "tinynet_e",
    "ghostnet_050",
    "efficientnet_b0",
    "efficientnet_lite0",
    "regnetx_002",
    "regnety_002",
    "resnet10t",
    "resnet26d",
    "seresnet18",
    "resnext26ts",
    "res2net50_14w_8s",
    "nf_resnet26",
    "densenet121",
    "ese_vovnet19b_slim",
    "repvgg_a0",
    "mobileone_s0",
    "fastvit_t8",
    "starnet_s1",
    "convnext_atto",
    "poolformer_s12",
    "edgenext_xx_small",
    "mobilevit_xxs",
    "mobilevitv2_050",
    "vit_tiny_patch16_224",
    "deit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    "levit_128s",
    "xcit_nano_12_p16_224",
    "coat_lite_tiny",
    "mixer_s32_224",
    "efficientvit_b0",
    "botnet26t_256",
)
# Without this option SciPy draws the weights, which takes half a minute.
INCEPTION = {"init_weights": False}
TORCHVISION: dict[str, tuple[str, dict[str, object], int]] = {
    "torchvision_squeezenet1_1": ("squeezenet1_1", {}, 64),
    "torchvision_shufflenet_v2_x0_5": ("shufflenet_v2_x0_5", {}, 64),
    "torchvision_vgg11": ("vgg11", {}, 64),
    "torchvision_googlenet": ("googlenet", {**INCEPTION}, 64),
    "torchvision_googlenet_without_aux": ("googlenet", {**INCEPTION, "aux_logits": False}, 64),
    "torchvision_inception_v3_without_aux": ("inception_v3", {**INCEPTION, "aux_logits": False}, 96),
}
NETWORKS = {name: Network("timm", partial(build_timm, name)) for name in TIMM} | {
    name: Network("torchvision", partial(build_torchvision, built, options), pixels)
    for name, (built, options, pixels) in TORCHVISION.items()
}

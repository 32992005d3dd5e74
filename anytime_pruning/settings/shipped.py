"""List this project's own parts and their modules, so that everything else is known to be a user's."""

from typing import NamedTuple

from anytime_pruning.foundation.registry import Kind


class Shipped(NamedTuple):
    """Describes the parts of one kind.

    Attributes:
        room: package of the kind, below that of this project. What a user adds there is the user's own.
        modules: modules of the package that register parts.
        others: its further modules.
        names: registered names.
    """

    room: str
    modules: tuple[str, ...]
    others: tuple[str, ...]
    names: tuple[str, ...]


_IMAGENET = ("resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "wide_resnet101_2")
_METHODS = ("app", "app_cubic", "dense", "dense_small", "offline", "osp", "prune_last")
_PRUNERS = ("grasp", "magnitude", "random", "snip", "snip_shuffled", "synflow")
_PROTOCOLS = ("paper", "released")
_REGROWTH = ("none", "rigl", "set")
_SELECTIONS = ("filter", "n_m", "unstructured")
_STARTS = ("cold", "dash", "rewind", "shrink_perturb", "warm")
SHIPPED: dict[Kind, Shipped] = {
    "model": Shipped(
        "models",
        ("resnet_cifar", "torchvision_nets"),
        ("build", "lazy", "state"),
        ("resnet20", "resnet44", "resnet56", "vgg16_bn", *_IMAGENET, *(f"{name}_imagenet_stem" for name in _IMAGENET)),
    ),
    "method": Shipped("pruning.schedules", _METHODS, ("base",), _METHODS),
    # Runs of a network that is never pruned have the pruner `none`, which nobody registers.
    "pruner": Shipped("pruning.pruners", _PRUNERS, ("gradients", "scoring", "unsaturated"), (*_PRUNERS, "none")),
    "prunable": Shipped(
        "pruning.prunable", ("rules",), ("calling", "choice", "resolution"), ("conv", "conv_transpose", "linear")
    ),
    "protocol": Shipped("pruning.protocols", _PROTOCOLS, ("base", "training_rules"), _PROTOCOLS),
    "regrow": Shipped("pruning.regrowth", _REGROWTH, ("base",), _REGROWTH),
    "replay": Shipped(
        "stream",
        ("replay",),
        ("batching", "images", "megabatches", "sample", "sizes"),
        ("buffer", "full", "none", "previous"),
    ),
    "selection": Shipped("pruning.selections", _SELECTIONS, ("base",), _SELECTIONS),
    "start": Shipped("runs.starts", _STARTS, ("base",), _STARTS),
}
# What lies directly in the package.
TOP_LEVEL = (
    "__init__",
    "__main__",
    "cli",
    "datasets",
    "export",
    "figures",
    "foundation",
    "machine",
    "models",
    "orchestration",
    "pruning",
    "results",
    "runs",
    "settings",
    "stream",
    "training",
    "verification",
)

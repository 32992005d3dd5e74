"""Build networks from the names of their architectures.

Each family of architectures is one module. This file imports these modules, and the import registers their builders.

This package imports from `foundation`, and imports torchvision only when a network is built. Masks, pruning, settings
models and datasets must never be here.
"""

from anytime_pruning.models import resnet_cifar, torchvision_nets  # noqa: F401
from anytime_pruning.models.build import Architecture, Builder, Normalize, build_model, takes_channels

__all__ = ["Architecture", "Builder", "Normalize", "build_model", "takes_channels"]

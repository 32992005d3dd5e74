"""Hold the network architectures, one module a family, and build networks from their names.

The modules are imported here, which registers their builders.

May import: `foundation`, torch, and torchvision once a network is built.
Never belongs here: masks and pruning, settings models, datasets.
"""

from anytime_pruning.models import resnet_cifar, torchvision_nets  # noqa: F401
from anytime_pruning.models.build import Builder, Normalize, build_model

__all__ = ["Builder", "Normalize", "build_model"]

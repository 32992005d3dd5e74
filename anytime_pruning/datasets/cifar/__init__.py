"""Read CIFAR-10 and CIFAR-100 from the official archives or from image files, and recognise them by their content."""

from anytime_pruning.datasets.cifar.source import Cifar, Cifar10, Cifar100

__all__ = ["Cifar", "Cifar10", "Cifar100"]

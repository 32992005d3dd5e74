"""Train as the published code does, for a comparison with the loop of this project.

This plain loop has a DataLoader with two workers, PIL transforms and float32 NCHW images. It multiplies the masks in
every forward pass and calls `.item()` in every step.
"""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from anytime_pruning.foundation.torch_fixes.torchvision_shim import import_torchvision
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights


class PilImages(Dataset[tuple[Tensor, int]]):
    """Holds uint8 images [N, H, W, C], and makes a transformed PIL image each time that one is requested."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        import_torchvision()
        from torchvision import transforms

        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(images.shape[1], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


class Batches:
    """Yields batches without end from a DataLoader with two workers.

    The workers keep four batches ready, and make a new one whenever one is taken. A turn that begins and ends with four
    ready batches therefore includes the time for making exactly the batches that it took.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int):
        self._loader = DataLoader(
            PilImages(images, labels), batch_size, shuffle=True, num_workers=2, drop_last=True, pin_memory=False
        )
        self._batches: Iterator[tuple[Tensor, Tensor]] = iter(())

    def next(self) -> tuple[Tensor, Tensor]:
        """Return the next images [B, C, H, W] and labels [B]."""
        try:
            return next(self._batches)
        except StopIteration:
            self._batches = iter(self._loader)
            return next(self._batches)


def multiply_masks_in_forward(model: nn.Module, masks: Masks) -> None:
    """Make every convolution compute with the product of its weight and its mask."""
    names = {id(weight): name for name, weight in prunable_weights(model).items()}
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_buffer("mask", masks[names[id(module.weight)]].to(module.weight.dtype))
            module.forward = _masked_forward.__get__(module)


def _masked_forward(self: nn.Conv2d, images: Tensor) -> Tensor:
    return self._conv_forward(images, self.weight * self.mask, self.bias)


class PlainLoop:
    """Holds a network and its optimiser, and trains the network as the published code does."""

    def __init__(self, model: nn.Module, masks: Masks, batches: Batches):
        multiply_masks_in_forward(model, masks)
        self.model, self.batches = model, batches
        self.device = next(model.parameters()).device
        self.optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)

    def train(self, n_steps: int) -> None:
        """Take SGD steps, and sum the loss and the accuracy of the steps."""
        self.model.train()
        loss_sum, correct = 0.0, 0
        for _ in range(n_steps):
            images, labels = (part.to(self.device) for part in self.batches.next())
            logits = self.model(images)
            loss = F.cross_entropy(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.item()
            correct += (logits.argmax(1) == labels).sum().item()

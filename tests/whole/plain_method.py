"""The method a second time, as plainly as possible: APP, Anytime OSP and the dense network, by both protocols.

It follows docs/explanation/method.md and released.md, and shares no code with the package. It takes the random draws
from a run of the package that was recorded: the images of each batch, in the order in which the run took them, and the
weights that `released` draws to score. It computes everything else itself, so the two agree only if both do the same.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Batch = tuple[Tensor, Tensor, Tensor]  # the indices of images in their set, the images, and their labels
Tensors = dict[str, Tensor]


@dataclass
class Recorded:
    """Holds the draws of a run: its batches, and the weights that `released` draws for each pruning but the first."""

    batches: list[Batch]
    fresh: list[Tensors]

    def take(self, count: int) -> list[Batch]:
        """Remove the next batches, which must hold `count` images together."""
        taken: list[Batch] = []
        while sum(len(labels) for _, _, labels in taken) < count:
            taken.append(self.batches.pop(0))
        assert sum(len(labels) for _, _, labels in taken) == count
        return taken


class PlainStream:
    """Repeats a recorded run of full replay and global scope.

    Args:
        network: the network before its training; float64 keeps rounding from deciding anything.
        settings: the settings of the run, which are all given.
        n_test: number of test images.
        recorded: the draws of the run, which are used up.
    """

    def __init__(self, network: nn.Module, settings: dict[str, Any], n_test: int, recorded: Recorded):
        self.network, self.settings, self.n_test, self.recorded = network, settings, n_test, recorded
        self.is_released = settings["protocol"] == "released"
        self.masks: Tensors = {}
        self.scored: set[int] = set()
        self.momentum = {name: torch.zeros_like(p) for name, p in network.named_parameters()}

    def run(self) -> Iterator[dict[str, Any]]:
        """Yield what is known after each megabatch, by the names of the columns in megabatches.csv."""
        s = self.settings
        size = s["train_limit"] // s["n_megabatches"]
        n_train = int(0.9 * size)
        for t, density in enumerate(self._densities(), start=1):
            if density is not None:
                self._prune(t, density, int(0.2 * size) if self.is_released else round(0.2 * t * n_train))
            kept = {name: int(mask.sum()) for name, mask in self.masks.items()}
            yield self._train(t, t * n_train, t * (size - n_train)) | {"kept": kept, "scored": self.scored}

    def _densities(self) -> list[float | None]:
        tau, n = self.settings["tau"], self.settings["n_megabatches"]
        if self.settings["method"] == "dense":
            return [None] * n
        if self.settings["method"] == "osp":
            return [0.8**tau] + [None] * (n - 1)
        return [0.8**level for level in np.linspace(1, tau, n)]

    def _prune(self, t: int, density: float, n_images: int) -> None:
        scored = copy.deepcopy(self.network).train()
        weights = {name: p for name, p in scored.named_parameters() if p.dim() == 4}
        if self.is_released and t > 1:
            for name, drawn in self.recorded.fresh.pop(0).items():
                bound = drawn[0].numel() ** -0.5
                assert drawn.abs().max() <= bound
                assert drawn.std() > 0.4 * bound  # a uniform draw has 0.58 of its bound
                weights[name].data.copy_(drawn)
        if self.settings["pruner"] == "magnitude":
            scores = {name: w.detach().abs() for name, w in weights.items()}
        else:
            gradients = {name: torch.zeros_like(w) for name, w in weights.items()}
            batches = self.recorded.take(n_images)
            self.scored = set(_indices(batches))
            for _, images, labels in batches:
                self._add_gradients(scored, images, labels, gradients)
            scores = {name: (w.detach() * gradients[name]).abs() for name, w in weights.items()}
        every = torch.cat([score.flatten() for score in scores.values()])
        if self.is_released:
            # Pruned weights compete again, and what they win is lost.
            threshold = every.kthvalue(int((1 - density) * len(every))).values
            chosen = {name: (score > threshold).double() for name, score in scores.items()}
            self.masks = {name: mask * self.masks.get(name, 1) for name, mask in chosen.items()}
        else:
            if self.masks:
                every[torch.cat([mask.flatten() for mask in self.masks.values()]) == 0] = -1
            keeps = torch.zeros_like(every)
            keeps[every.topk(round(density * len(every))).indices] = 1
            parts = keeps.split([score.numel() for score in scores.values()])
            self.masks = {name: part.view_as(scores[name]) for name, part in zip(scores, parts, strict=True)}
        self._apply_masks()

    def _add_gradients(self, network: nn.Module, images: Tensor, labels: Tensor, to: Tensors) -> Tensor:
        """Add the gradients of the mean loss for the masked weights, and return the logits."""
        used = {name: (p.detach() * self.masks.get(name, 1)).requires_grad_() for name, p in network.named_parameters()}
        logits = torch.func.functional_call(network, used, (images,))
        F.cross_entropy(logits, labels).backward()
        for name in to:
            to[name] += used[name].grad
        return logits.detach()

    def _apply_masks(self) -> None:
        for name, p in self.network.named_parameters():
            p.data *= self.masks.get(name, 1)

    def _train(self, t: int, n_train: int, n_valid: int) -> dict[str, Any]:
        s, best = self.settings, (-1.0, 0, self.network.state_dict())
        for epoch in range(1, s["epochs"] + 1):
            lr = (0.1 if self.is_released and t > 1 else s["lr"]) * 0.1 ** sum(epoch > m for m in s["lr_milestones"])
            trained = self.recorded.take(n_train)
            right = sum(self._step(images, labels, lr) for _, images, labels in trained)
            validated = self.recorded.take(n_valid)
            of_epoch = self._right(validated)
            accuracy = _averaged(of_epoch, validated) if self.is_released else sum(of_epoch) / n_valid
            if accuracy > best[0]:
                best = (accuracy, epoch, copy.deepcopy(self.network.state_dict()))
        train_right = sum(self._right(self.recorded.take(n_train)))
        # The images of the selection are augmented in `released` alone; afterwards come the others.
        clean, augmented = sum(of_epoch), sum(self._right(self.recorded.take(n_valid)))
        if self.is_released:
            clean, augmented = augmented, clean
        self.network.load_state_dict(best[2])
        return {
            "t": t,
            "trained": _indices(trained),
            "validated": _indices(validated),
            "best_epoch": best[1],
            "error_count": self.n_test - sum(self._right(self.recorded.take(self.n_test))),
            "generalization_gap_pct": 100 * (right / n_train - augmented / n_valid),
            "clean_gap_pct": 100 * (train_right / n_train - clean / n_valid),
        }

    def _step(self, images: Tensor, labels: Tensor, lr: float) -> int:
        """Take one step of SGD by hand, and return how many images were classified correctly before it."""
        self.network.train()
        gradients = {name: torch.zeros_like(p) for name, p in self.network.named_parameters()}
        logits = self._add_gradients(self.network, images, labels, gradients)
        for name, p in self.network.named_parameters():
            gradient = gradients[name] + self.settings["weight_decay"] * p.data
            self.momentum[name] = self.settings["momentum"] * self.momentum[name] + gradient
            p.data -= lr * self.momentum[name]
        self._apply_masks()
        return int((logits.argmax(1) == labels).sum())

    @torch.no_grad()
    def _right(self, batches: list[Batch]) -> list[int]:
        """Return how many images of each batch are classified correctly."""
        self.network.eval()
        return [int((self.network(images).argmax(1) == labels).sum()) for _, images, labels in batches]


def _indices(batches: list[Batch]) -> list[int]:
    return [int(index) for indices, _, _ in batches for index in indices]


def _averaged(right: list[int], batches: list[Batch]) -> float:
    """Return the mean of float32 percentages of batches, weighted by their sizes, as the published code computes it."""
    sizes = [len(labels) for _, _, labels in batches]
    percentages = [float(torch.tensor(float(k)) * (100 / n)) for k, n in zip(right, sizes, strict=True)]
    return sum(p * n for p, n in zip(percentages, sizes, strict=True)) / sum(sizes)

"""Test how many images are evaluated at once."""

import pytest
import torch
from torch import nn

from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training import evaluation
from anytime_pruning.training.evaluation import evaluate, evaluation_batch

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("height", "width", "on_a_gpu"),
    [(8, 8, 1000), (32, 32, 1000), (32, 16, 1000), (64, 64, 250), (224, 224, 20), (40, 48, 533)],
)
def test_the_larger_the_images_the_fewer_are_evaluated_at_once(height, width, on_a_gpu):
    assert evaluation_batch(GPU, height, width) == on_a_gpu
    assert evaluation_batch(CPU, height, width) == 100


def test_at_least_two_images_are_evaluated_at_once():
    assert evaluation_batch(GPU, 8192, 8192) == 2


class Sizes(nn.Module):
    """Notes the size of each batch, and gives every image the first class."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        self.seen.append(len(images))
        return images.new_tensor([1.0, 0.0]).expand(len(images), 2)


@pytest.mark.parametrize(("side", "sizes"), [(32, [100, 50]), (64, [25] * 6), (96, [11] * 13 + [7])])
def test_evaluation_counts_the_same_in_batches_of_any_size(side, sizes, monkeypatch):
    monkeypatch.setattr(evaluation, "evaluation_batch", lambda device, *sides: evaluation_batch(GPU, *sides) // 10)
    data = ImageSet(torch.zeros(150, 1, side, side, dtype=torch.uint8), torch.arange(150) % 2)
    model = Sizes()
    found = evaluate(model, data, torch.arange(150))
    assert model.seen == sizes
    assert (found.correct_count, found.total_count) == (75, 150)

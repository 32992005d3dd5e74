"""Test how images are batched and augmented."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from anytime_pruning.stream.batching import batch_bounds
from anytime_pruning.stream.images import ImageSet


@given(count=st.integers(1, 300), size=st.integers(2, 70))
@example(count=6, size=5)
def test_batches_cover_everything_and_none_is_a_single_sample(count, size):
    bounds = batch_bounds(count, size)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == count
    assert all(end == start for (_, end), (start, _) in pairwise(bounds))
    lengths = [end - start for start, end in bounds]
    assert count == 1 or min(lengths) >= 2
    assert all(length == size for length in lengths[:-1])
    assert lengths[-1] <= size + 1


def test_a_single_sample_is_a_batch_of_its_own_only_where_asked_for():
    data = image_set()
    for make in (data.plan, data.batches):
        assert [len(batch[0]) for batch in make(torch.arange(7), 3)] == [3, 4]
        assert [len(batch[0]) for batch in make(torch.arange(7), 3, keeps_single_sample=True)] == [3, 3, 1]


def image_set(n=20, shape=(2, 5, 4), padding=2, flip=True):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(1, 256, (n, *shape), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.arange(n) % 3, padding, flip)


def test_without_augmentation_images_are_as_they_are():
    data = image_set()
    ((images, labels),) = data.batches(torch.tensor([3, 1, 7]), 8)
    assert torch.equal(images, data.images[[3, 1, 7]].float() / 255)
    assert labels.tolist() == [0, 1, 1]


def augment_slowly(image, padding, top, left, flipped):
    """Zero-pad, crop, then mirror a single image, in the order of the released code's transforms."""
    channels, height, width = image.shape
    padded = torch.zeros(channels, height + 2 * padding, width + 2 * padding, dtype=image.dtype)
    padded[:, padding : padding + height, padding : padding + width] = image
    crop = padded[:, top : top + height, left : left + width]
    return crop.flip(2) if flipped else crop


def test_the_gather_equals_a_crop_and_flip_of_each_image():
    data = image_set()
    shifts, flips = data._draw(20, torch.Generator().manual_seed(5))
    assert flips.any()
    assert not flips.all()
    assert shifts.min() == 0
    assert shifts.max() == 4
    fast = data._augment(torch.arange(20), shifts, flips)
    for i in range(20):
        top, left = shifts[i].tolist()
        assert torch.equal(fast[i], augment_slowly(data.images[i], 2, top, left, bool(flips[i])))


def test_a_dataset_that_must_not_be_flipped_is_not():
    _, flips = image_set(flip=False)._draw(100, torch.Generator().manual_seed(0))
    assert not flips.any()


@pytest.mark.parametrize("allowed", [{}, {"flip": True}, {"crop_padding": 1}])
def test_images_of_arrays_are_augmented_only_as_allowed(allowed):
    pixels = np.arange(1, 101, dtype=np.uint8).reshape(20, 1, 5, 1).repeat(4, axis=3) + np.arange(4, dtype=np.uint8)
    data = ImageSet.from_arrays(pixels, np.zeros(20, np.int64), torch.device("cpu"), **allowed)
    ((images, _),) = data.batches(torch.arange(20), 20, torch.Generator().manual_seed(0))
    plain = data.images.float() / 255
    mirrored = plain.flip(3)
    is_plain, is_mirrored = ((images == other).flatten(1).all(1) for other in (plain, mirrored))
    assert bool(is_plain.all()) == (allowed == {})
    assert bool((is_plain | is_mirrored).all()) == ("crop_padding" not in allowed)


def test_batches_are_planned_and_augmented_on_the_device_of_the_images():
    device = torch.device("meta")
    data = ImageSet.from_arrays(np.zeros((6, 2, 5, 4), np.uint8), np.zeros(6, np.int64), device, 2, True)
    assert data.images.device == data.labels.device == device
    for batch in data.plan(torch.arange(6), 4, torch.Generator()):
        assert {part.device for part in (*batch, *data.take(*batch))} == {device}


def test_the_same_generator_gives_the_same_augmentation():
    data = image_set()

    def run(seed):
        return torch.cat([x for x, _ in data.batches(torch.arange(20), 7, torch.Generator().manual_seed(seed))])

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert run(1).min() >= 0
    assert run(1).max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_augmentation_is_the_same_on_a_gpu():
    data = image_set()
    moved = ImageSet(data.images.cuda(), data.labels.cuda(), data.crop_padding, data.flip)
    for (here, _), (there, _) in zip(
        data.batches(torch.arange(20), 7, torch.Generator().manual_seed(1)),
        moved.batches(torch.arange(20), 7, torch.Generator().manual_seed(1)),
    ):
        # A GPU multiplies by the rounded 1/255 instead of dividing by 255, which may change the last bit of a value.
        assert torch.equal((255 * here).round(), (255 * there.cpu()).round())
        assert torch.allclose(here, there.cpu(), rtol=2e-7, atol=0)

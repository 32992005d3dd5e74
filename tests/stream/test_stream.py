"""Test how the training set is split into megabatches, and how the pruning sample is drawn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.stream.megabatches import split_stream
from anytime_pruning.stream.sample import SampleDraw


@given(n=st.integers(6, 500), t=st.integers(1, 20), valid_frac=st.floats(0.01, 0.6), seed=st.integers(0, 99))
def test_megabatches_partition_the_training_set(n, t, valid_frac, seed):
    try:
        stream = split_stream(n, t, valid_frac, make_generator(seed, "stream"))
    except SettingError:
        smallest = n // t
        assert smallest < 3 or min(smallest - 1, int((1 - valid_frac) * smallest)) < 2
        return
    sizes = [len(m.train) + len(m.valid) for m in stream]
    assert [m.t for m in stream] == list(range(1, t + 1))
    assert max(sizes) - min(sizes) <= 1
    everything = torch.cat([torch.cat([m.train, m.valid]) for m in stream])
    assert sorted(everything.tolist()) == list(range(n))
    assert all(len(m.train) == min(size - 1, int((1 - valid_frac) * size)) for m, size in zip(stream, sizes))


def test_cifar_at_eight_megabatches_has_the_papers_sizes():
    stream = split_stream(50_000, 8, 0.1, make_generator(0, "stream"))
    assert {(len(m.train), len(m.valid)) for m in stream} == {(5625, 625)}


def test_file_order_does_not_matter():
    """Check that a training set sorted by class still gives every megabatch all ten classes, about equally."""
    labels = torch.arange(10).repeat_interleave(500)
    for megabatch in split_stream(5000, 5, 0.1, make_generator(3, "stream")):
        counts = torch.bincount(labels[megabatch.train], minlength=10)
        assert counts.min() > 60
        assert counts.max() < 120


def test_the_same_seed_gives_the_same_stream_and_another_does_not():
    def first(seed):
        return split_stream(100, 4, 0.1, make_generator(seed, "stream"))[0].train.tolist()

    assert first(0) == first(0)
    assert first(0) != first(1)


def test_a_limit_takes_a_random_subset():
    stream = split_stream(1000, 2, 0.1, make_generator(0, "stream"), limit=100)
    used = torch.cat([torch.cat([m.train, m.valid]) for m in stream])
    assert len(used) == 100
    assert used.max() > 500
    all_of_them = split_stream(1000, 2, 0.1, make_generator(0, "stream"), limit=1000)
    assert sum(len(m.train) + len(m.valid) for m in all_of_them) == 1000


@pytest.mark.parametrize(
    ("n", "t", "valid_frac", "limit", "message"),
    [
        (1437, 480, 0.1, None, "n_megabatches: 480 is not allowed: 1437 training images make at most 479 megabatches"),
        (1437, 40, 0.1, 90, "n_megabatches: 40 is not allowed: 90 training images make at most 30 megabatches"),
        (100, 2, 0.1, 101, "train_limit: 101 is not allowed: the dataset has 100 training images"),
        (100, 10, 0.9, None, "valid_frac: 0.9 is not allowed: it leaves fewer than 2 of the 10"),
    ],
)
def test_what_does_not_fit_the_data_is_named(n, t, valid_frac, limit, message):
    with pytest.raises(SettingError, match=message):
        split_stream(n, t, valid_frac, make_generator(0, "stream"), limit)


def test_the_pruning_sample_is_a_fifth_drawn_from_the_given_indices():
    indices = torch.arange(1000, 1500)
    sample = SampleDraw(0.2, make_generator(0, "pruning sample 1")).at_random(indices)
    assert len(sample) == 100
    assert len(set(sample.tolist())) == 100
    assert set(sample.tolist()) <= set(indices.tolist())
    assert sample.tolist() != indices[:100].tolist()
    assert len(SampleDraw(1e-6, make_generator(0, "x")).at_random(indices)) == 2
    again, other = (SampleDraw(0.2, make_generator(seed, "pruning sample 1")).at_random(indices) for seed in (0, 1))
    assert torch.equal(sample, again)
    assert not torch.equal(sample, other)


@pytest.mark.parametrize(("share", "of", "count"), [(0.2, 63, 12), (0.2, 64, 12), (0.01, 64, 2), (0.9, 64, 50)])
def test_the_sample_from_the_start_is_a_share_of_another_number(share, of, count):
    indices = torch.arange(100, 150)
    sample = SampleDraw(share, torch.Generator()).from_start(indices, of)
    assert sample.tolist() == indices[:count].tolist()

"""Test which earlier images each replay policy keeps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anytime_pruning import register, run_stream
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.runs.stream_plan import plan_stream, replay_parts
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.stream.megabatches import split_stream
from anytime_pruning.stream.replay import says_its_size, size_of

PARTS = [torch.tensor([1, 2]), torch.tensor([5]), torch.tensor([7, 8])]


@pytest.mark.parametrize(("policy", "expected"), [("full", [1, 2, 5, 7, 8]), ("none", [7, 8]), ("previous", [5, 7, 8])])
def test_what_is_replayed(policy, expected):
    assert lookup("replay", policy)(PARTS[:2], PARTS[2], 1000, torch.Generator()).tolist() == expected


@pytest.mark.parametrize("policy", ["full", "none", "previous", "buffer"])
def test_the_first_megabatch_has_no_past(policy):
    assert lookup("replay", policy)([], PARTS[0], 10, torch.Generator()).tolist() == [1, 2]


def memory(past, size, seed=0):
    """Return the indices of the past that a buffer keeps."""
    return lookup("replay", "buffer")(past, torch.tensor([-1]), size, make_generator(seed, "replay train"))[
        :-1
    ].tolist()


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6), size=st.integers(1, 50), seed=st.integers(0, 9))
def test_the_memory_has_its_size_and_what_left_it_never_comes_back(sizes, size, seed):
    parts = torch.arange(sum(sizes)).split(sizes)
    before = set()
    for t in range(1, len(parts) + 1):
        kept = memory(parts[:t], size, seed)
        assert len(kept) == len(set(kept)) == min(size, sum(sizes[:t]))
        new = set(parts[t - 1].tolist())
        assert set(kept) - new <= before or t == 1
        before = set(kept)


@pytest.mark.parametrize(("sizes", "size"), [([30, 20, 10], 12), ([1, 1], 1)])
def test_every_sample_of_the_past_is_kept_equally_often(sizes, size):
    counts = torch.zeros(sum(sizes))
    for seed in range(1500):
        counts[memory(torch.arange(sum(sizes)).split(sizes), size, seed)] += 1
    # Each count is binomial.
    p = size / sum(sizes)
    mean, sd = 1500 * p, (1500 * p * (1 - p)) ** 0.5
    assert counts.sum() == 1500 * size
    assert (counts - mean).abs().max() < 5 * sd
    for part in counts.split(sizes):
        assert part.mean() == pytest.approx(mean, abs=5 * sd / len(part) ** 0.5)


@pytest.mark.parametrize("policy", ["full", "none", "previous", "buffer"])
def test_a_policy_says_how_many_images_it_uses(policy):
    parts = torch.arange(40).split(10)
    for t in range(1, 5):
        used = lookup("replay", policy)(parts[: t - 1], parts[t - 1], 15, torch.Generator())
        assert size_of(lookup("replay", policy))(t, 10, 15) == len(used)


def test_a_policy_may_say_its_size():
    def use_all(past, current, buffer_size, generator):
        return torch.cat([*past, current])

    assert size_of(use_all) is None
    assert size_of(says_its_size(lambda t, part, buffer_size: t * part)(use_all))(3, 5, 0) == 15


def test_a_buffer_holds_validation_images_in_proportion_and_never_trains_on_them(tiny):
    settings = parse_settings(tiny(replay="buffer", buffer_size=90, valid_frac=0.1))
    stream = split_stream(1000, 4, 0.1, make_generator(0, "stream"))
    train, valid = replay_parts(settings, stream)
    assert (len(train), len(valid)) == (90 + 225, 10 + 25)
    assert set(train.tolist()) <= set(torch.cat([m.train for m in stream]).tolist())
    assert set(valid.tolist()) <= set(torch.cat([m.valid for m in stream]).tolist())


def test_what_is_replayed_for_training_and_for_validation_is_drawn_apart(tiny):
    settings = parse_settings(tiny(replay="buffer", buffer_size=20, valid_frac=0.5))
    stream = split_stream(400, 4, 0.5, make_generator(0, "stream"))
    past = [torch.cat([getattr(megabatch, part) for megabatch in stream[:-1]]).tolist() for part in ("train", "valid")]
    train, valid = replay_parts(settings, stream)
    kept = [[of_past.index(i) for i in part.tolist() if i in of_past] for of_past, part in zip(past, (train, valid))]
    assert len(kept[0]) == len(kept[1]) == 20
    assert kept[0] != kept[1]


@pytest.mark.parametrize(
    ("policy", "counts"),
    [("full", [27, 54, 81]), ("none", [27] * 3), ("previous", [27, 54, 54]), ("buffer", [27, 37, 37])],
)
def test_a_run_trains_on_what_the_policy_keeps(policy, counts, tiny, tmp_path):
    metrics = run_stream(tiny(replay=policy, buffer_size=10, epochs=1), tmp_path)
    assert metrics["final"]["samples"] == sum(counts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda indices: None, "a NoneType"),
        (lambda indices: indices.tolist(), "a list"),
        (lambda indices: indices.numpy(), "a ndarray"),
        (lambda indices: indices.float(), r"a tensor \[\d+\] of torch\.float32"),
        (lambda indices: indices.int(), r"a tensor \[\d+\] of torch\.int32"),
        (lambda indices: indices[None], r"a tensor \[1, \d+\] of torch\.int64"),
        (lambda indices: indices[:0], r"a tensor \[0\] of torch\.int64"),
        (lambda indices: indices > 0, r"a tensor \[\d+\] of torch\.bool"),
    ],
)
def test_a_policy_that_returns_no_indices_is_one_line(change, message, forget, tiny):
    register("replay", "odd_for_test")(lambda past, current, buffer_size, generator: change(current))
    with pytest.raises(
        SettingError, match=rf"^replay: 'odd_for_test' is not allowed: it returns {message}.*; wanted: "
    ) as e:
        plan_stream(parse_settings(tiny(replay="odd_for_test")), 400)
    assert "\n" not in str(e.value)

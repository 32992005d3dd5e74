"""Test how many images a megabatch has and how many of them are held out, by numbers worked by hand."""

import pytest

from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.stream.megabatches import split_stream
from anytime_pruning.stream.sizes import count_valid, megabatch_sizes


@pytest.mark.parametrize(
    ("size", "valid_frac", "valid"),
    [
        (63, 0.1, 7),  # 56.7 is cut off to 56. Rounding 6.3 would hold out 6.
        (6250, 0.1, 625),
        (756, 0.1, 76),  # 680.4 is cut off to 680.
        (125, 0.1, 13),  # 112.5 is cut off to 112.
        (3, 0.1, 1),
        (10, 0.01, 1),
        (10, 1e-17, 1),  # 1 - 1e-17 is 1 in float64, and one image is still held out.
        (4, 0.5, 2),
        (10, 0.99, 10),  # 0.1 is cut off to 0, so nothing would be trained on.
        (90, 0.3, 28),  # 0.7 * 90 is 62.99999999999999 in float64, as the published code computes.
    ],
)
def test_what_is_not_trained_on_is_held_out(size, valid_frac, valid):
    assert count_valid(size, valid_frac) == valid


def test_a_tenth_is_never_cut_off_below_a_whole_number():
    """Check in whole numbers that (1 - 0.1) * m in float64 does not fall below 9 m / 10."""
    assert all(size - count_valid(size, 0.1) == 9 * size // 10 for size in range(2, 100_001))


@pytest.mark.parametrize(("n", "t", "sizes"), [(7560, 120, (63, 63)), (1437, 8, (179, 180)), (5, 5, (1, 1))])
def test_megabatches_differ_by_at_most_one_image(n, t, sizes):
    assert megabatch_sizes(n, t) == sizes


def test_few_shot_at_120_megabatches_has_the_published_sizes():
    stream = split_stream(7560, 120, 0.1, make_generator(0, "stream"))
    assert {(len(m.train), len(m.valid)) for m in stream} == {(56, 7)}

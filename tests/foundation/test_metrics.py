import pytest

from anytime_pruning.foundation import metrics


def test_accuracy():
    assert metrics.accuracy_pct(45, 60) == 75.0


def test_cer_is_a_count_and_a_rate():
    # Of 30 answers, ten after each of three megabatches, 6 + 3 + 1 are wrong.
    assert metrics.cumulative_error_count([6, 3, 1]) == 10
    assert metrics.cumulative_error_rate([6, 3, 1], test_count=10) == 10 / 30


def test_generalization_gap_is_train_minus_validation():
    assert metrics.generalization_gap_pct(90.0, 72.5) == 17.5
    assert metrics.generalization_gap_pct(50.0, 60.0) == -10.0


def test_anytime_relative_errors():
    assert metrics.anytime_relative_errors([6, 3, 4], test_count=10) == [-0.3, 0.1]
    assert metrics.anytime_relative_errors([6], test_count=10) == []


def test_an_average_over_batches_weighs_them_by_their_size():
    # Half of four and all of one: 3 of 5.
    assert metrics.averaged_accuracy_pct([2, 1], [4, 1]) == 60.0
    with pytest.raises(ValueError, match="zip"):
        metrics.averaged_accuracy_pct([2, 1, 0], [4, 1])


def test_multiply_accumulates_count_every_kept_weight_at_each_position():
    assert metrics.MacCount({"a": 4, "b": 9}, fixed=7).total({"a": 10, "b": 2}) == 7 + 40 + 18


def test_the_nearest_number_of_weights_is_kept_and_the_even_one_of_two():
    assert metrics.count_weights(267_696, 0.8**4.5) == 98_072
    assert [metrics.count_weights(count, 0.5) for count in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_one_weight_and_one_in_a_million_may_be_zero_by_chance():
    assert [metrics.chance_zeros(count) for count in (0, 999_999, 1_000_000, 23_000_000)] == [1, 1, 2, 24]

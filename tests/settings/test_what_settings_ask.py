"""Test what settings ask of each megabatch, by numbers worked by hand: epochs, densities and what masks may miss."""

import pytest

from anytime_pruning.foundation.metrics import count_weights
from anytime_pruning.pruning.protocols import PruningStep
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.run.waiting import stretch_milestones

BASE = {"dataset": "digits", "model": "resnet20", "epochs": 50}
HALVES = BASE | {"n_megabatches": 2, "base_density": 0.5, "tau": 2, "selection": "n_m"}


def test_a_network_that_waits_is_neither_trained_nor_pruned():
    every = parse_settings(BASE | {"n_megabatches": 5}).densities()
    settings = parse_settings(BASE | {"n_megabatches": 5, "wait": 2})
    assert settings.trains_at() == [False, True, False, True, True]
    assert settings.epochs_at() == [0, 50, 0, 50, 50]
    assert settings.densities() == [1.0, every[1], every[1], every[3], every[4]]
    assert settings.prunes_at() == [False, True, False, True, True]


def test_the_released_protocol_prunes_by_the_schedule_alone():
    """Check with tau = 1, where the density never falls."""
    changes = {"n_megabatches": 3, "protocol": "released", "tau": 1}
    assert parse_settings(BASE | changes).prunes_at() == [True] * 3
    assert parse_settings(BASE | changes | {"method": "osp"}).prunes_at() == [True, False, False]


@pytest.mark.parametrize(("length", "epochs", "trained"), [(4, 2, 5), (4, 3, 8), (2, 1, 2), (1, 50, 50)])
def test_offline_trains_once_as_long_as_on_the_stream(length, epochs, trained):
    """Check that E epochs on 1, 2, ..., T parts are E * (T + 1) / 2 epochs on all, rounded up."""
    settings = parse_settings(BASE | {"method": "offline", "n_megabatches": length, "epochs": epochs})
    assert settings.epochs_at() == [0] * (length - 1) + [trained]


def test_milestones_divide_a_longer_training_alike():
    assert stretch_milestones((20, 40), 50, 225) == (90, 180)
    assert stretch_milestones((1,), 3, 8) == (3,)
    assert stretch_milestones((20, 40), 50, 50) == (20, 40)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Densities of 0.5 and 0.25 remove 1/2 and 3/4, so the first removes two thirds of what is removed in the end.
        ({}, [2 / 3, 0.5]),
        ({"pattern": "1:4"}, [0.5, 0.25]),
        ({"pattern": "1:8"}, [0.5, 0.25]),
        ({"pattern": "3:4"}, [5 / 6, 0.75]),
        ({"tau": 1, "pattern": "1:4"}, [0.5, 0.5]),
        ({"n_megabatches": 3, "tau": 3}, [5 / 7, 4 / 7, 0.5]),  # from 0.5, 0.25 and 0.125
        ({"selection": "filter"}, [0.5, 0.25]),
    ],
)
def test_a_pattern_limits_the_densities(changes, expected):
    assert parse_settings(HALVES | changes).densities() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"selection": "n_m"}, 4),
        ({"selection": "n_m", "pattern": "2:8"}, 8),
        ({"selection": "n_m", "scope": "local"}, 8),
        ({"selection": "filter"}, 18),
        ({"selection": "filter", "scope": "local"}, 27),
        ({}, 0),
    ],
)
def test_masks_may_miss_a_density_by_one_group(changes, missed):
    settings = parse_settings(BASE | changes)
    kept = count_weights(270, settings.densities()[1])
    assert settings.expected_kept(2, [90, 180], filter_sizes=[9, 18]) == (kept - missed, kept + missed)


def test_filters_of_no_layer_miss_nothing():
    assert parse_settings(BASE | {"selection": "filter"}).expected_kept(1, [], filter_sizes=[]) == (0, 0)


def test_a_pruning_step_has_the_density_of_its_megabatch():
    settings = parse_settings(BASE | {"n_megabatches": 2, "base_density": 0.5, "tau": 2, "scope": "local"})
    assert [settings.pruning_step(t) for t in (1, 2)] == [
        PruningStep(1, 0.5, 0.25, "local"),
        PruningStep(2, 0.25, 0.25, "local"),
    ]

"""Test the densities of each schedule, and schedules that are registered from outside."""

import dataclasses

import numpy as np
import pytest

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import names, register
from anytime_pruning.pruning.schedules import Schedule, make_schedule
from anytime_pruning.settings.run import parse_settings


def test_app_goes_from_080_to_a_third():
    densities = make_schedule("app").densities(8, 4.5, 0.8)
    # The densities are 0.8 ** (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5).
    assert densities == pytest.approx([0.8, 0.7155, 0.64, 0.5724, 0.512, 0.4579, 0.4096, 0.3664], abs=5e-5)


def test_the_cubic_schedule_joins_the_densities_of_app_steeply_at_first():
    densities = make_schedule("app_cubic").densities(5, 4.5, 0.8)
    # The densities are 0.3664 + 0.4336 * (1, 0.75, 0.5, 0.25, 0) ** 3.
    assert densities == pytest.approx([0.8, 0.5493, 0.4206, 0.3731, 0.3664], abs=5e-5)


def test_osp_has_the_final_density_of_app_from_the_start():
    assert make_schedule("osp").densities(3, 4.5, 0.8) == pytest.approx([0.3664] * 3, abs=5e-5)


def test_with_one_megabatch_app_ends_at_080_and_osp_at_0366():
    """Check the published levels: linspace(1, 4.5, 1) has level 1 alone, and 0.8 ** 4.5 is 0.36636."""
    assert make_schedule("app").densities(1, 4.5, 0.8) == [0.8]
    assert make_schedule("osp").densities(1, 4.5, 0.8) == pytest.approx([0.36636], abs=5e-6)


def test_dense_is_never_pruned():
    assert make_schedule("dense").densities(3, 4.5, 0.8) == [1.0] * 3
    assert [name for name in names("method") if not make_schedule(name).prunes] == [
        "dense",
        "dense_small",
        "offline",
    ]


def test_prune_last_is_dense_until_the_last_megabatch():
    assert make_schedule("prune_last").densities(3, 4.5, 0.8) == pytest.approx([1, 1, 0.3664], abs=5e-5)
    assert make_schedule("prune_last").densities(1, 4.5, 0.8) == pytest.approx([0.3664], abs=5e-5)
    assert parse_settings(BASE | {"method": "prune_last"}).prunes_at() == [False, False, True]


@pytest.mark.parametrize("name", names("method"))
def test_a_schedule_prunes_exactly_if_it_says_so(name):
    schedule = make_schedule(name)
    assert schedule.prunes == (min(schedule.densities(2, 2.0, 0.5)) < 1)


@pytest.mark.parametrize("name", names("method"))
@pytest.mark.parametrize("length", [1, 2, 100])
def test_densities_are_valid_and_never_rise(name, length):
    densities = make_schedule(name).densities(length, 4.5, 0.8)
    assert len(densities) == length
    assert all(0 < density <= 1 for density in densities)
    assert densities == sorted(densities, reverse=True)


BASE = {"dataset": "digits", "model": "resnet20", "method": "halving", "n_megabatches": 3}


def test_a_schedule_from_outside_is_a_class(forget):
    @register("method", "halving")
    @dataclasses.dataclass(frozen=True)
    class Halving(Schedule):
        factor: float = 0.5

        def densities(self, n_megabatches, tau, base_density):
            return [base_density * self.factor**t for t in range(n_megabatches)]

    settings = parse_settings(BASE)
    assert settings.schedule == Halving()
    assert settings.densities() == [0.8, 0.4, 0.2]
    assert Halving(0.1).densities(2, 1, 1.0) == [1.0, 0.1]


@pytest.mark.parametrize(
    ("densities", "message"),
    [
        ([0.8, 0.4], "method: 'halving' is not allowed: its schedule has 2 densities for n_megabatches 3"),
        ([0.8, 0.4, 0.0], "tau: 4.5 is not allowed .* the density of method halving at megabatch 3 is 0.0; allowed: "),
        ([1.5, 0.4, 0.2], "the density of method halving at megabatch 1 is 1.5; allowed: densities above 0, at most 1"),
        ([0.8, float("nan"), 0.2], "the density of method halving at megabatch 2 is nan"),
    ],
)
def test_densities_of_a_schedule_from_outside_are_checked(forget, densities, message):
    @register("method", "halving")
    class Halving(Schedule):
        def densities(self, n_megabatches, tau, base_density):
            return densities

    with pytest.raises(SettingError, match=message):
        parse_settings(BASE)


class NeedsFactor(Schedule):
    """Cannot be made without an argument."""

    def __init__(self, factor):
        self.factor = factor

    def densities(self, n_megabatches, tau, base_density):
        return [self.factor] * n_megabatches


@pytest.mark.parametrize(
    ("registered", "message"),
    [
        (
            lambda n_megabatches, tau, base_density: [0.5] * n_megabatches,
            "it is registered as <function .*; wanted: a subc",
        ),
        (NeedsFactor, r".*missing 1 required positional argument: 'factor'; wanted: a subclass of Schedule"),
        (NeedsFactor(0.5), "it is registered as <.*NeedsFactor.*; wanted: a subclass of Schedule"),
        (
            type("Bare", (Schedule,), {}),
            "Can't instantiate abstract class Bare .*; wanted: a subclass of Schedule with",
        ),
        *(
            (
                type("Odd", (Schedule,), {"densities": lambda self, *given, odd=odd: odd}),
                "its schedule returns .* as dens",
            )
            for odd in (None, 0.5, ["much", "less"], [[0.8], [0.5]], [None])
        ),
    ],
)
def test_what_is_no_schedule_is_one_line(registered, message, forget):
    register("method", "halving")(registered)
    with pytest.raises(SettingError, match=f"^method: 'halving' is not allowed: {message}") as error:
        parse_settings(BASE)
    assert "\n" not in str(error.value)


def test_densities_may_be_numbers_of_numpy(forget):
    register("method", "halving")(
        type("Even", (Schedule,), {"densities": lambda self, n, *_: np.linspace(0.75, 0.25, n)})
    )
    assert parse_settings(BASE).densities() == [0.75, 0.5, 0.25]

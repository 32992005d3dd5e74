"""Test which settings have a meaning beside others: those without one name no second run, and some are refused."""

import pytest

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.settings.run import parse_settings

BASE = {"dataset": "digits", "model": "resnet20"}


def digest(**changes):
    return parse_settings(BASE | changes).digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"start": "cold", "replay": "none", "epochs": 1},
            "start: 'cold' is not allowed with replay none and epochs 1: each megabatch would begin with fresh "
            "weights, see its own images once and leave nothing to the next; allowed: another start, replay or number "
            "of epochs",
        ),
        (
            {"wait": 9},
            "wait: 9 is not allowed with n_megabatches 8: the network would never train; allowed: 1 to 8",
        ),
        (
            {"method": "offline", "replay": "none"},
            "replay: 'none' is not allowed with method offline, which trains once on the images of all megabatches; "
            "allowed: full",
        ),
        (
            {"start": "rewind", "rewind_epoch": 51},
            "rewind_epoch: 51 is not allowed with epochs 50: the first megabatch has no such epoch; allowed: 0 to 50",
        ),
        (
            {"regrow": "set", "selection": "n_m"},
            "regrow: 'set' is not allowed with selection n_m, whose groups single weights would break; allowed: none, "
            "or selection unstructured",
        ),
        (
            {"regrow": "rigl", "selection": "filter"},
            "regrow: 'rigl' is not allowed with selection filter, whose groups single weights would break; allowed: "
            "none, or selection unstructured",
        ),
        (
            {"selection": "filter", "prunable": ["conv", "conv_transpose"]},
            "selection: 'filter' is not allowed with prunable conv_transpose: the weight of a transposed convolution "
            "has its filters along another dimension; allowed: unstructured, or prunable conv and linear",
        ),
    ],
    ids=str,
)
def test_what_has_no_meaning_together_is_refused(changes, message):
    with pytest.raises(SettingError) as caught:
        parse_settings(BASE | changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "cold", "replay": "none", "epochs": 2},
        {"start": "cold", "epochs": 1},
        {"replay": "none", "epochs": 1},
        {"wait": 8},
        {"method": "offline", "wait": 9},
        {"start": "rewind", "rewind_epoch": 50},
        {"regrow": "set"},
        {"selection": "filter"},
        {"prunable": ["conv_transpose"]},
    ],
    ids=str,
)
def test_what_has_a_meaning_together_is_allowed(changes):
    assert parse_settings(BASE | changes)


def test_a_start_uses_some_settings_and_others_give_a_run_no_second_name():
    assert digest() == digest(shrink=0.1, perturb=0.5, rewind_epoch=3)
    assert digest() != digest(start_momentum="reset")
    assert digest(start="cold") == digest(start="cold", start_momentum="reset", shrink=0.1)
    assert digest(start="rewind") != digest(start="rewind", rewind_epoch=3)
    assert digest(start="dash", shrink=0.3) != digest(start="dash") == digest(start="dash", perturb=3)


def test_a_run_that_trains_once_has_no_second_start():
    assert digest(n_megabatches=1) == digest(n_megabatches=1, start="cold")
    assert digest(n_megabatches=2) != digest(n_megabatches=2, start="cold")
    assert digest(method="offline") == digest(method="offline", start="cold", wait=3)
    assert digest(wait=8) == digest(wait=8, start="dash", shrink=0.3)


def test_a_start_from_outside_may_use_all_settings_of_starts():
    for changes in ({"start_momentum": "reset"}, {"rewind_epoch": 3}, {"shrink": 0.1}, {"perturb": 0.5}):
        assert digest(start="mine") != digest(start="mine", **changes)
        assert digest(start="mine", n_megabatches=1) != digest(start="mine", n_megabatches=1, **changes)


def test_settings_of_regrowing_have_no_meaning_without_it():
    assert digest() == digest(regrow_steps=7) == digest(regrow_frac=0.5)
    dense = [digest(method="dense", **changes) for changes in ({}, {"regrow": "set"}, {"regrow_steps": 7})]
    assert len(set(dense)) == 1
    regrown = [digest(regrow=name, **changes) for name in ("set", "rigl") for changes in ({}, {"regrow_steps": 7})]
    assert len({digest(), *regrown}) == 5


def test_the_pattern_has_no_meaning_without_n_m():
    assert digest() == digest(pattern="1:4")
    assert digest(selection="filter") == digest(selection="filter", pattern="1:4")
    assert digest(method="dense", pattern="1:4", selection="n_m") == digest(method="dense")
    assert digest(selection="n_m") != digest(selection="n_m", pattern="1:4")
    assert digest(selection="mine") != digest(selection="mine", pattern="1:4")
    assert len({digest(selection=name) for name in ("n_m", "filter", "unstructured")}) == 3

"""Test how series are shared out to panels, and which dense baseline a series is compared with."""

import itertools

import pytest

from anytime_pruning.figures.plots.parts.groups import MAX_SERIES, group_series
from anytime_pruning.figures.series import Series, find_dense

SNIP, MAGNITUDE = Series("paper", "app", "snip"), Series("paper", "app", "magnitude")
OSP, DENSE = Series("paper", "osp", "snip"), Series("paper", "dense", "none")
RELEASED = [Series("released", "app", "snip"), Series("released", "osp", "snip"), Series("released", "dense", "none")]


def named(series, **options):
    return {group.name: group.series for group in group_series(series, **options)}


def test_few_series_share_one_panel_without_a_name():
    assert named([SNIP, MAGNITUDE, OSP, DENSE]) == {"": [SNIP, MAGNITUDE, OSP, DENSE]}
    assert named([DENSE]) == {"": [DENSE]}


def test_many_series_are_shared_out_by_protocol_first():
    assert named([SNIP, MAGNITUDE, OSP, DENSE, *RELEASED]) == {
        "protocol: paper": [SNIP, MAGNITUDE, OSP, DENSE],
        "protocol: released": RELEASED,
    }
    # Without a dense baseline of their own, released series stand beside the paper's.
    assert named([SNIP, MAGNITUDE, OSP, DENSE, RELEASED[0]])["protocol: released"] == [DENSE, RELEASED[0]]


def test_then_by_pruner_and_small_parts_stay_together():
    osp = Series("paper", "osp", "magnitude")
    assert named([SNIP, MAGNITUDE, OSP, osp, DENSE]) == {
        "SNIP": [SNIP, OSP, DENSE],
        "magnitude": [MAGNITUDE, osp, DENSE],
    }
    others = [Series("paper", "app", pruner) for pruner in ("random", "grasp", "synflow")]
    assert named([SNIP, MAGNITUDE, *others, OSP, DENSE]) == {
        "SNIP, magnitude": [SNIP, MAGNITUDE, OSP, DENSE],
        "random, GraSP, SynFlow": [*others, DENSE],
    }


def test_what_no_column_divides_is_cut():
    own = [Series("paper", f"own{number}", "snip") for number in range(5)]
    assert named([*own, DENSE]) == {"1 of 2": [*own[:3], DENSE], "2 of 2": [*own[3:], DENSE]}


def test_some_columns_never_share_a_panel():
    always = ("protocol", "pruner", "variant")
    assert [group.series for group in group_series([SNIP, MAGNITUDE, OSP, DENSE], always)] == [
        [SNIP, OSP, DENSE],
        [MAGNITUDE, DENSE],
    ]
    six = SNIP._replace(variant="tau=6.0")
    assert [group.series for group in group_series([SNIP, six, DENSE], always)] == [[SNIP, DENSE], [six, DENSE]]


@pytest.mark.parametrize("always", [(), ("protocol", "pruner", "variant")])
def test_no_panel_is_crowded_and_no_series_is_lost(always):
    values = itertools.product(
        ("paper", "released"), ("app", "osp", "own", "dense_small"), ("snip", "random", "none"), ("", "tau=2.0")
    )
    series = [Series(*one) for one in values]
    series += [
        Series(protocol, "dense", "none", variant) for protocol in ("paper", "released") for variant in ("", "x")
    ]
    groups = group_series(series, always)
    assert max(len(group.series) for group in groups) == MAX_SERIES
    assert {one for group in groups for one in group.series} == set(series)
    assert len({group.name for group in groups}) == len(groups)


def test_a_series_is_compared_with_the_dense_baseline_nearest_to_it():
    cold = DENSE._replace(variant="start=cold")
    every = [SNIP, DENSE, cold, *RELEASED]
    assert find_dense(SNIP, every) == DENSE
    assert find_dense(SNIP._replace(variant="start=cold"), every) == cold
    assert find_dense(SNIP._replace(variant="tau=2.0"), every) == DENSE
    assert find_dense(RELEASED[0], every) == RELEASED[2]
    assert find_dense(RELEASED[0], [SNIP, DENSE, RELEASED[0]]) == DENSE
    assert find_dense(SNIP, [SNIP, *RELEASED]) is None

"""Test which layers are early, and how their density compares with that of the network."""

import pandas as pd
import pytest
from made_up_tables import make_layers

from anytime_pruning.figures.claims.measures import early_density
from anytime_pruning.figures.early_layers import early_minus_overall, is_early


@pytest.mark.parametrize(("n_layers", "n_early"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (19, 7), (53, 18)])
def test_a_third_of_the_layers_is_rounded_up(n_layers, n_early):
    layers = pd.DataFrame({"run": "a", "t": 1, "layer": [f"layer{number}" for number in range(n_layers)]})
    assert is_early(layers, ["run", "t"]).tolist() == [True] * n_early + [False] * (n_layers - n_early)


def test_layers_of_each_run_and_megabatch_count_from_the_first():
    rows = [{"run": run, "t": t, "layer": layer} for run in "ab" for t in (1, 2) for layer in "xyz"]
    assert is_early(pd.DataFrame(rows), ["run", "t"]).tolist() == [True, False, False] * 4


def test_figure_and_claim_mean_the_same_layers():
    """Two of four layers are early; a third of four, rounded to the nearest, would be one layer."""
    layers = make_layers(lengths=(4,), series=[("paper", "app", "magnitude")], seeds=(0,))
    more = layers[layers["layer"] == "layer2.conv"].assign(layer="layer3.conv", kept=120)
    layers = pd.concat([layers, more], ignore_index=True).sort_values(["run", "t"], kind="stable")
    # At t = 1 a quarter of the first layer and all of the others are kept.
    assert early_density(layers).tolist() == [(25 + 100) / 2]
    overall = 100 * (15 + 3 * 120) / (60 + 3 * 120)
    first = early_minus_overall(layers).query("t == 1")["early_minus_overall_points"]
    assert first.tolist() == pytest.approx([(25 + 100) / 2 - overall])

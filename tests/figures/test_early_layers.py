"""Test which layers are early, and how their density compares with that of the network."""

import pandas as pd
import pytest
from made_up_tables import make_layers

from anytime_pruning.figures.early_layers import early_density, early_minus_overall, is_early


def made_up_layers(kept_of_second):
    """Make four layers of 60, 120, 120 and 120 weights of a run over four megabatches.

    At t = 1 magnitude keeps 15 of 60 in the first layer and all in the others, but for `kept_of_second`.
    """
    layers = make_layers(lengths=(4,), series=[("paper", "app", "magnitude")], seeds=(0,))
    more = layers[layers["layer"] == "layer2.conv"].assign(layer="layer3.conv", kept=120)
    layers = pd.concat([layers, more], ignore_index=True).sort_values(["run", "t"], kind="stable")
    layers.loc[layers["layer"] == "layer1.conv", "kept"] = kept_of_second
    return layers


@pytest.mark.parametrize(("n_layers", "n_early"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (19, 7), (53, 18)])
def test_a_third_of_the_layers_is_rounded_up(n_layers, n_early):
    layers = pd.DataFrame({"run": "a", "t": 1, "layer": [f"layer{number}" for number in range(n_layers)]})
    assert is_early(layers, ["run", "t"]).tolist() == [True] * n_early + [False] * (n_layers - n_early)


def test_layers_of_each_run_and_megabatch_count_from_the_first():
    rows = [{"run": run, "t": t, "layer": layer} for run in "ab" for t in (1, 2) for layer in "xyz"]
    assert is_early(pd.DataFrame(rows), ["run", "t"]).tolist() == [True, False, False] * 4


def test_figure_and_claim_mean_the_same_layers_and_count_weights():
    """Two of four layers are early; a third of four, rounded to the nearest, would be one layer.

    Of their 180 weights 15 + 60 are kept, which is 41.67 %. A mean over layers of equal weight would be 37.5 %.
    """
    layers = made_up_layers(60)
    # Layer 3 keeps all 120 weights at t = 1, as does layer 4.
    overall = 100 * (15 + 60 + 120 + 120) / 420
    assert early_density(layers).tolist() == pytest.approx([100 * 75 / 180])
    first = early_minus_overall(layers).query("t == 1")["early_minus_overall_points"]
    assert first.tolist() == pytest.approx([100 * 75 / 180 - overall])


def test_early_layers_as_dense_as_the_network_differ_from_it_by_nothing():
    """Layers of unequal size with half of the weights of the whole: both sides of the difference weigh alike."""
    layers = made_up_layers(60).query("t == 1")
    layers["kept"] = [10, 80, 60, 60]  # 90 of 180 early weights, 120 of 240 others
    assert early_minus_overall(layers)["early_minus_overall_points"].tolist() == pytest.approx([0.0])


def test_early_layers_are_measured_over_a_quarter_of_the_stream():
    """Over eight megabatches, the density is the mean of those at t = 1 and 2; with two megabatches, of t = 1 alone."""
    rows = [
        {"run": f"T{length}", "n_megabatches": length, "t": t, "layer": "a", "kept": 100 - 10 * t, "total": 100}
        for length in (8, 2)
        for t in range(1, length + 1)
    ]
    assert early_density(pd.DataFrame(rows)).to_dict() == {"T8": 85.0, "T2": 90.0}

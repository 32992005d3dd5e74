"""Test runs whose weights are removed in groups: N of M weights, and whole filters."""

import pytest
from conftest import read_csv
from forge import forge, problems_in
from safetensors.torch import load_file, save_file

from anytime_pruning import run_stream
from anytime_pruning.export.network import load_network
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.files import file_sha256
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners import synflow
from anytime_pruning.results import layout
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.run.pattern import slack

GROUPS = {
    "2:4": {"selection": "n_m"},
    "1:4": {"selection": "n_m", "pattern": "1:4"},
    "2:4 by layer": {"selection": "n_m", "scope": "local"},
    "2:4 by magnitude, cold": {"selection": "n_m", "pruner": "magnitude", "start": "cold"},
    "filter": {"selection": "filter"},
    "filter by layer": {"selection": "filter", "scope": "local"},
    "filter, cold": {"selection": "filter", "start": "cold"},
    "filter by synflow": {"selection": "filter", "pruner": "synflow"},
}


@pytest.mark.parametrize("changes", GROUPS.values(), ids=GROUPS)
def test_a_run_ends_with_the_groups_of_its_selection(changes, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(synflow.score_synflow, "rounds", 10)  # instead of 100, to save time
    settings = parse_settings(tiny(**changes))
    run_stream(settings, tmp_path)
    assert problems_in(tmp_path, evaluate=True) == []
    rows, model = read_csv(tmp_path / "megabatches.csv"), load_network(tmp_path)
    weights = prunable_weights(model)
    n_prunable = sum(weight.numel() for weight in weights.values())
    filter_sizes = [weight[0].numel() for weight in weights.values()]
    missed = slack(settings.selection, settings.pattern, settings.scope, filter_sizes) / n_prunable
    for row, density in zip(rows, settings.densities()):
        assert float(row["density_measured"]) == pytest.approx(density, abs=missed)
    assert missed < (0.025 if settings.selection == "filter" else 0.001)
    if settings.selection == "n_m":
        # The single channel of a digit is no multiple of four.
        assert "network.conv1.weight" not in weights
        assert "network.blocks.0.conv1.weight" in weights
        n, m = (int(part) for part in settings.pattern.split(":"))
        for weight in weights.values():
            kept = weight.movedim(1, -1).reshape(-1, m).count_nonzero(1)
            assert set(kept.tolist()) <= {n, m}
    else:
        for weight in weights.values():
            kept = weight.flatten(1).count_nonzero(1)
            assert set(kept.tolist()) <= {0, weight[0].numel()}
            assert kept.any()


def test_removed_filters_leave_no_bias_in_the_batch_norm(tiny, tmp_path):
    run_stream(tiny(selection="filter", tau=6), tmp_path)
    model = load_network(tmp_path)
    n_removed = 0
    for name, weight in prunable_weights(model).items():
        removed = ~weight.flatten(1).any(1)
        n_removed += int(removed.sum())
        norm = model.get_submodule(name.removesuffix(".weight").replace("conv", "bn"))
        assert not norm.weight[removed].any()
        assert not norm.bias[removed].any()
        assert norm.bias[~removed].all()
    assert n_removed > 50


def test_a_weight_that_breaks_its_group_is_found(tiny, tmp_path):
    run_stream(tiny(selection="n_m"), tmp_path)
    path = layout.find_weights(tmp_path)
    weights = load_file(path)
    name = "network.blocks.7.conv1.weight"
    flat = weights[name].movedim(1, -1).contiguous()
    rows = flat.view(-1, 4)
    paired = (rows.count_nonzero(1) == 2).nonzero().squeeze(1)[:20]
    # As many weights move to other groups as leave their own.
    for start, end in zip(paired[:10].tolist(), paired[10:].tolist()):
        place = int((rows[start] != 0).nonzero()[0])
        free = int((rows[end] == 0).nonzero()[0])
        rows[end, free], rows[start, place] = rows[start, place].clone(), 0.0
    save_file(weights | {name: flat.movedim(-1, 1).contiguous()}, path)
    forge(tmp_path, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    assert f"10 groups of {name} are not as selection n_m leaves them" in problems_in(tmp_path, evaluate=True)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [],
)
def test_combinations_without_meaning_are_refused(changes, message, tiny):
    with pytest.raises(SettingError, match=message):
        parse_settings(tiny(**changes))


def test_a_density_below_one_filter_of_each_layer_is_refused_before_training(tiny, tmp_path):
    with pytest.raises(SettingError, match=r"density: .* is not allowed with selection filter"):
        run_stream(tiny(selection="filter", tau=40), tmp_path / "run")


def test_a_pattern_that_fits_no_layer_is_refused_before_training(tiny, tmp_path):
    with pytest.raises(SettingError, match=r"selection: 'n_m' with pattern 2:99 is not allowed: it can prune none"):
        run_stream(tiny(selection="n_m", pattern="2:99"), tmp_path / "run")

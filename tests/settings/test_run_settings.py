"""Test which settings of a run are allowed, and on which settings the run's digest depends."""

import hashlib

import pytest

import anytime_pruning.settings.run
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.settings.run import digest_of, parse_settings

BASE = {"dataset": "digits", "model": "resnet20"}
# This image folder does not exist, because settings are checked without looking at data.
FOLDER = {"name": "mine", "source": "image_folder", "path": "nowhere"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs: 0 is not allowed: Input should be greater than or equal to 1"),
        ({"epochs": True}, "epochs: True is not allowed: a number is expected, not true or false"),
        ({"epochs": "many"}, "epochs: 'many' is not allowed: Input should be a valid integer"),
        ({"lr": -0.1}, "lr: -0.1 is not allowed: Input should be greater than 0"),
        ({"seed": True}, "seed: True is not allowed: a number is expected"),
        ({"method": "dense", "tau": "x"}, "tau: 'x' is not allowed"),
        ({"method": "dense", "sample_frac": -3}, "sample_frac: -3 is not allowed"),
        ({"lr": 1e300}, r"lr: 1e\+300 is not allowed: Input should be less than or equal to 10{30}"),
        ({"execution": {"threads": 4000}}, "execution.threads: 4000 is not allowed"),
        ({"lr": float("nan")}, "lr: nan is not allowed"),
        ({"momentum": 1}, "momentum: 1 is not allowed: Input should be less than 1"),
        ({"base_density": 1.5}, "base_density: 1.5 is not allowed: Input should be less than or equal to 1"),
        ({"base_density": 0}, "base_density: 0 is not allowed: Input should be greater than 0"),
        (
            {"base_density": 1e-6, "tau": 100},
            "tau: 100.0 is not allowed with base_density 1e-06: the density of method app at megabatch 5 is 0.0; allow",
        ),
        ({"sample_frac": 0}, "sample_frac: 0 is not allowed"),
        ({"valid_frac": 1}, "valid_frac: 1 is not allowed"),
        ({"n_megabatches": 0}, "n_megabatches: 0 is not allowed"),
        ({"batch_size": 1}, "batch_size: 1 is not allowed: Input should be greater than or equal to 2"),
        ({"seed": -1}, "seed: -1 is not allowed"),
        ({"lr_milestones": [3, 2]}, "lr_milestones: .* is not allowed: milestones must increase"),
        ({"scope": "layer"}, "scope: 'layer' is not allowed: Input should be 'global' or 'local'"),
        (
            {"precision": "float16"},
            "precision: 'float16' is not allowed: Input should be 'auto', 'float32' or 'bfloat16'",
        ),
        (
            {"method": "iterative"},
            "method: 'iterative' is not known; allowed: app, app_cubic, dense, dense_small, offline, osp, prune_last",
        ),
        ({"model": "../x"}, "model: '../x' is not allowed"),
        ({"epoch": 3}, r"epoch: unknown setting \(value 3\); allowed: dataset, model, "),
        ({"prune_on": "past"}, "prune_on: 'past' is not allowed: Input should be 'replay' or 'megabatch'"),
        ({"protocol": "mine"}, "protocol: 'mine' is not known; allowed: paper, released"),
        ({"protocol": "released", "pruner": "grasp"}, "pruner: 'grasp' is not allowed with protocol released; "),
        ({"protocol": "released", "selection": "n_m"}, "selection: 'n_m' is not allowed with protocol released; allow"),
        ({"selection": "n_m", "pattern": "4:2"}, "pattern: '4:2' is not allowed: N:M keeps N of M weights; allowed: N"),
        ({"selection": "n_m", "pattern": "4:4"}, "pattern: '4:4' is not allowed: N:M keeps N of M weights; allowed: N"),
        ({"selection": "n_m", "pattern": "2-4"}, "pattern: '2-4' is not allowed"),
        ({"buffer_size": 0}, "buffer_size: 0 is not allowed"),
        ({"warmup_epochs": -1}, "warmup_epochs: -1 is not allowed"),
        ({"initial_mask": {"path": "x"}}, "initial_mask.sha256: this setting is required"),
        ({"initial_weights": {"path": "x", "sha256": "abc"}}, "initial_weights.sha256: 'abc' is not allowed"),
        ({"execution": {"device": "gpu"}}, "execution.device: 'gpu' is not allowed"),
        ({"execution": {"cores": 2}}, "execution.cores: unknown setting"),
        ({"dataset": "mnist"}, "dataset: 'mnist' is not known; allowed: cifar10, cifar100, digits, image_folder"),
        ({"dataset": 3}, "dataset: 3 is not allowed"),
        ({"dataset": {"name": "x", "source": ["a"]}}, "dataset: .* is not known"),
        ({"dataset": {"name": "digits", "path": "x"}}, r"dataset.path: unknown setting \(value 'x'\)"),
        ({"dataset": {"name": "x", "source": "image_folder"}}, "dataset.path: this setting is required"),
        ({"dataset": FOLDER | {"mean": [0.5]}}, r"dataset.mean: \(0.5,\) is not allowed: 3 values are expected"),
        ({"dataset": FOLDER | {"std": [1, 1, 0]}}, "dataset.std: .* must be positive"),
        ({"dataset": FOLDER | {"channels": 2}}, "dataset.channels: 2 is not allowed: Input should be 1 or 3"),
        ({"dataset": FOLDER | {"name": "cifar10"}}, "dataset.name: 'cifar10' is not allowed: it belongs to another"),
        ({"dataset": FOLDER | {"name": "a/b"}}, "dataset.name: 'a/b' is not allowed"),
        ({"dataset": FOLDER | {"name": "a\n"}}, "dataset.name: .* is not allowed"),
        ({"n_megabatches": 10_001}, "n_megabatches: 10001 is not allowed: Input should be less than or equal to 10000"),
        (
            {"lr_milestones": list(range(1, 1002))},
            r"lr_milestones: \[1, 2, .* is not allowed: Tuple should have at most",
        ),
        ({"seed": 10**5000}, "seed: an integer of 16610 bits is not allowed"),
        (
            {"seed": {"a": ["b"] * 10**6}},
            r"seed: \{'a': \['b', .* is not allowed: Input should be a valid integer",
        ),
        ({"x" * 10**6: 1}, "^x{80}: unknown setting"),
        ({"a\nb": 1}, r"^a\\nb: unknown setting"),
        ({"execution": {"device": "cuda:\u0663"}}, "execution.device: 'cuda:\u0663' is not allowed"),
        ({"execution": {"data_dir": "a\nb"}}, r"execution.data_dir: 'a\\nb' is not allowed: a path without control"),
        ({"execution": {"data_dir": "a\0b"}}, "execution.data_dir: .* is not allowed: a path without control"),
        ({"execution": {"data_dir": "{cache}"}}, "execution.data_dir: '{cache}' is not allowed: .* and braces"),
        ({"dataset": FOLDER | {"path": "x" * 300}}, "dataset.path: 'x+.* is not allowed: a shorter path is expected"),
        ({"dataset": FOLDER | {"path": "x/" * 600}}, "dataset.path: 'x/.* is not allowed: a shorter path is expected"),
        ({"initial_mask": {"path": "\x1b[2J", "sha256": "0" * 64}}, r"initial_mask.path: '\\x1b\[2J' is not allowed"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(changes, message):
    with pytest.raises(SettingError, match=message) as error:
        parse_settings(BASE | changes)
    assert "\n" not in str(error.value)


def test_a_required_setting_is_named():
    with pytest.raises(SettingError, match="model: this setting is required"):
        parse_settings({"dataset": "digits"})


def test_digest_depends_on_what_determines_the_numbers():
    base = parse_settings(BASE).digest()
    assert parse_settings(BASE | {"lr": 0.05}).digest() != base
    assert parse_settings(BASE | {"seed": 1}).digest() != base
    assert parse_settings(BASE | {"dataset": "cifar10"}).digest() != base


def test_digest_does_not_depend_on_spelling_or_on_where_a_run_is_computed():
    base = parse_settings(BASE).digest()
    assert parse_settings({"model": "resnet20", "dataset": {"name": "digits"}, "lr": "1e-1"}).digest() == base
    assert parse_settings(BASE | {"lr_milestones": [20, 40], "epochs": 50.0}).digest() == base
    assert parse_settings(BASE | {"execution": {"device": "cpu", "threads": 4}}).digest() == base
    folders = [parse_settings(BASE | {"dataset": FOLDER | {"path": path}}).digest() for path in ("a", "b.tar.xz")]
    assert folders[0] == folders[1]


def test_the_identity_of_a_run_is_its_versions_its_dataset_and_what_differs_from_the_defaults():
    start = {"path": "here", "sha256": "0" * 64}
    changes = {"model": "vgg16_bn", "lr_milestones": [1, 2], "tau": 3, "method": "osp", "initial_mask": start}
    settings = parse_settings(BASE | changes | {"valid_frac": 0.3, "lr": 0.1, "execution": {"threads": 2}})
    assert settings.identity() == {
        "results_version": anytime_pruning.RESULTS_VERSION,
        "model_version": 2,
        "split_version": 2,
        "dataset": {"source": "digits", "name": "digits"},
        "model": "vgg16_bn",
        "method": "osp",
        "tau": 3.0,
        "initial_mask": {"sha256": "0" * 64},
        "valid_frac": 0.3,
        "lr_milestones": [1, 2],
    }
    assert settings.digest() == digest_of(settings.identity())


def test_a_digest_begins_the_checksum_of_json_without_spaces_and_with_sorted_keys():
    canonical = rb'{"a":[0.1,"\u00e9",null],"b":{"c":1,"d":true}}'
    assert digest_of({"b": {"d": True, "c": 1}, "a": [0.1, "é", None]}) == hashlib.sha256(canonical).hexdigest()[:12]
    with pytest.raises(ValueError, match="Out of range"):
        digest_of({"a": float("nan")})


def test_digest_depends_on_declared_content():
    declared = [FOLDER | {"content_sha256": digit * 64} for digit in "ab"]
    assert len({parse_settings(BASE | {"dataset": dataset}).digest() for dataset in [FOLDER, *declared]}) == 3


def test_raising_the_results_version_changes_every_digest(monkeypatch):
    before = parse_settings(BASE).digest()
    monkeypatch.setattr(anytime_pruning.settings.run.settings, "RESULTS_VERSION", anytime_pruning.RESULTS_VERSION + 1)
    assert parse_settings(BASE).digest() != before


def test_settings_survive_json():
    settings = parse_settings(BASE | {"dataset": FOLDER, "tau": 3, "lr_milestones": [1, 2]})
    assert parse_settings(settings.model_dump(mode="json")) == settings


def test_the_dense_baseline_is_one_run_whatever_the_pruning_settings():
    runs = [
        parse_settings(BASE | {"method": "dense"} | changes)
        for changes in ({}, {"pruner": "magnitude"}, {"tau": 3.0, "scope": "local"}, {"pruner": "none"})
    ]
    assert {run.digest() for run in runs} == {runs[0].digest()}
    assert runs[0].pruner == "none"


def test_settings_without_meaning_for_a_run_do_not_split_it():
    """Check that a grid names one run once.

    A buffer's size has no meaning without a buffer, and pruning settings have no meaning without pruning.
    """
    digest = parse_settings(BASE).digest()
    assert parse_settings(BASE | {"buffer_size": 5}).digest() == digest
    for replay in ("none", "previous"):
        policies = [parse_settings(BASE | {"replay": replay} | size).digest() for size in ({}, {"buffer_size": 5})]
        assert policies[0] == policies[1]
    buffers = [parse_settings(BASE | {"replay": "buffer", "buffer_size": size}).digest() for size in (5, 1000)]
    assert len({*buffers, digest}) == 3
    dense = parse_settings(BASE | {"method": "dense"}).digest()
    assert parse_settings(BASE | {"method": "dense", "prune_on": "megabatch", "pruner": "random"}).digest() == dense


def test_a_replay_policy_from_outside_may_have_a_buffer():
    own = [parse_settings(BASE | {"replay": "mine", "buffer_size": size}) for size in (5, 1000)]
    assert own[0].buffer_size == 5
    assert own[0].digest() != own[1].digest()


def test_a_setting_that_came_later_leaves_digests_alone():
    later = {"selection": "unstructured", "start": "warm"}
    assert parse_settings(BASE | later).digest() == parse_settings(BASE).digest()
    for key in later:
        assert parse_settings(BASE | {key: "other"}).digest() != parse_settings(BASE).digest()
    dense = BASE | {"method": "dense"}
    assert parse_settings(dense | {"selection": "other"}).digest() == parse_settings(dense).digest()


def test_the_protocol_is_part_of_a_run_that_is_not_pruned():
    """Check that digests differ: the released protocol validates on augmented images, so its numbers differ."""
    dense = [parse_settings(BASE | {"method": "dense", "protocol": name}).digest() for name in ("paper", "released")]
    assert dense[0] != dense[1]

"""Test how a study's grid becomes runs, and that the studies in config/ are the ones described."""

import json
import re

import jsonschema
import pytest
from conftest import ROOT

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.orchestration.checks import check_runs
from anytime_pruning.settings.schema import study_schema
from anytime_pruning.settings.study import plan_study

IMAGES = {"source": "image_folder", "path": "x"}
CONFIGS = sorted(path for path in (ROOT / "config").glob("*.yaml") if path.stem != "claims")


def plan(**changes):
    content = {"study": "s", "grid": [{"dataset": "digits", "model": "resnet20"}]}
    return plan_study(content | changes)[1]


def test_lists_are_axes_and_a_repeated_run_is_planned_once():
    runs = plan(
        defaults={"dataset": "digits", "model": "resnet20", "seed": [0, 1]},
        grid=[{"method": ["app", "dense"], "pruner": ["snip", "magnitude"]}, {"method": "dense"}],
    )
    assert [run.name.rsplit("-", 1)[0] for run in runs] == [
        f"digits/resnet20/T8/{series}/seed{seed}"
        for seed in (0, 1)
        for series in ("app/snip", "app/magnitude", "dense/none")
    ]


def test_an_entry_overrides_the_defaults():
    (run,) = plan(defaults={"epochs": 5, "lr": 0.2}, grid=[{"dataset": "digits", "model": "resnet20", "epochs": 3}])
    assert (run.settings.epochs, run.settings.lr) == (3, 0.2)


def test_a_setting_that_is_a_list_is_an_axis_only_as_a_list_of_lists():
    entry = {"dataset": "digits", "model": "resnet20"}
    (one,) = plan(grid=[entry | {"lr_milestones": [1, 2]}])
    assert one.settings.lr_milestones == (1, 2)
    two = plan(grid=[entry | {"lr_milestones": [[1, 2], [3]]}])
    assert [run.settings.lr_milestones for run in two] == [(1, 2), (3,)]


def test_datasets_are_named_by_their_entry():
    entry = {"source": "image_folder", "path": "x", "content_sha256": "0" * 64}
    (run,) = plan(datasets={"mine": entry}, grid=[{"dataset": "mine", "model": "resnet20"}])
    assert run.settings.dataset.name == "mine"
    assert run.name.startswith("mine/")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study": "../up"}, "study: '../up' is not allowed"),
        ({"grids": []}, "grids: unknown setting"),
        ({"grid": []}, r"grid: \[\] is not allowed"),
        (
            {"grid": [{"model": "resnet20"}]},
            "dataset: every entry of the grid needs one; allowed: cifar10, cifar100, d",
        ),
        (
            {"grid": [{"dataset": "imagenet", "model": "resnet20"}]},
            "dataset: 'imagenet' is not known; allowed: cifar10",
        ),
        ({"grid": [{"dataset": "digits", "modell": "x"}]}, r"grid\[0\].modell: unknown setting \(value 'x'\); allowed"),
        ({"defaults": {"execution": {}}}, "^defaults.execution: unknown setting"),
        ({"defaults": {"seed": []}}, r"^defaults.seed: \[\] is not allowed: an axis needs at least one value"),
        ({"defaults": {"lr": [0.1, -1]}}, "lr: -1 is not allowed"),
        ({"execution": {"device": "tpu"}}, "execution.device: 'tpu' is not allowed"),
        (
            {
                "datasets": {"m": {"source": "image_folder", "path": "x"}},
                "grid": [{"dataset": "m", "model": "resnet20"}],
            },
            r"datasets.m.content_sha256: this setting is required in a study, .* `python -m anytime_pruning prepare",
        ),
        (
            {"datasets": {"m": {"name": "x"}}, "grid": [{"dataset": "m", "model": "resnet20"}]},
            "datasets.m.name: unknown setting; the key 'm' is the dataset's name",
        ),
        (
            {
                "datasets": {"cifar10": {"source": "image_folder", "path": "x"}},
                "grid": [{"dataset": "cifar10", "model": "resnet20"}],
            },
            "^datasets.cifar10.name: 'cifar10' is not allowed: it belongs to another source than image_folder",
        ),
        ({"container": "a{x}"}, r"container: 'a\{x\}' is not allowed"),
        ({"container": "a\nb"}, r"container: 'a\\nb' is not allowed"),
        (
            {"defaults": {"seed": list(range(1000)), "epochs": list(range(1, 1001)), "lr": [0.1] * 1000}},
            "^grid: 1000000000 runs are not allowed: a study has at most 20,000$",
        ),
        ({"grid": [{"dataset": "digits", "model": "resnet20", "seed": list(range(5000))}] * 5}, "grid: 25000 runs"),
        ({"defaults": {"\x1b" * 10**6: 1}}, r"^defaults.(\\x1b){80}: unknown setting"),
        # No run uses these entries and defaults.
        ({"datasets": {"mine": {"source": "image_folder"}}}, "^datasets.mine.path: this setting is required"),
        ({"datasets": {"mine": IMAGES | {"paht": 3}}}, r"^datasets.mine.paht: unknown setting \(value 3\); allowed: "),
        ({"datasets": {"mine": {"source": "folder"}}}, "^datasets.mine: 'folder' is not known; allowed: cifar10"),
        ({"datasets": {"mine": {}}}, "^datasets.mine: 'mine' is not known; allowed: cifar10"),
        ({"defaults": {"model": 3}}, "^defaults.model: 3 is not allowed: Input should be a valid string"),
        ({"defaults": {"dataset": "imagenet"}}, "^dataset: 'imagenet' is not known"),
        ({"defaults": {"dataset": "digits", "model": [3]}}, "^defaults.model: 3 is not allowed"),
        ({"defaults": {"dataset": ["digits", 3]}}, "^dataset: 3 is not known"),
        (
            {"defaults": {"lr": "hello"}, "grid": [{"dataset": "digits", "model": "resnet20", "lr": 0.1}]},
            "^defaults.lr: 'hello' is not allowed: Input should be a valid number",
        ),
    ],
)
def test_a_wrong_configuration_is_named_in_one_line(changes, message):
    with pytest.raises(SettingError, match=message) as error:
        plan(**changes)
    assert "\n" not in str(error.value)


def test_only_an_entry_that_a_run_uses_has_to_determine_its_images():
    assert plan(datasets={"mine": IMAGES})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "resnet21"}, "model: 'resnet21' is not known; allowed: .*resnet20"),
        ({"pruner": "snap"}, "pruner: 'snap' is not known; allowed: .*snip"),
        ({"pruner": "none"}, "pruner: 'none' is not known"),
        ({"replay": "some"}, "replay: 'some' is not known; allowed: .*full"),
        ({"n_megabatches": 480}, "n_megabatches: 480 is not allowed: 1437 training images"),
    ],
)
def test_names_and_stream_are_checked_before_training(change, message):
    runs = plan(grid=[{"dataset": "digits", "model": "resnet20"} | change])
    with pytest.raises(SettingError, match=message):
        check_runs(run.settings for run in runs)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_study_plans_and_fits_the_schema(path):
    content = read_yaml(path)
    jsonschema.validate(content, study_schema())
    _, runs = plan_study(content)
    check_runs(run.settings for run in runs)


def test_a_limit_is_checked_before_images_are_decoded():
    entry = {"source": "image_folder", "path": "nowhere", "content_sha256": "0" * 64}
    grid = [{"dataset": "m", "model": "resnet20", "train_limit": 60, "n_megabatches": 21}]
    with pytest.raises(SettingError, match="n_megabatches: 21 is not allowed: 60 training images make at most 20"):
        check_runs(run.settings for run in plan(datasets={"m": entry}, grid=grid))


@pytest.mark.parametrize(("key", "value"), [("epochs", 0), ("n_megabatches", 10_001), ("rewind_epoch", -1), ("lr", 0)])
def test_the_schema_refuses_numbers_out_of_range(key, value):
    content = {"study": "s", "grid": [{"dataset": "digits", "model": "resnet20"}]}
    jsonschema.validate(content, study_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"defaults": {key: value}}, study_schema())


def test_the_schema_has_only_keywords_of_json_schema():
    assert not re.search(r'"(ge|le|gt|lt)":', json.dumps(study_schema()))


def test_the_schema_refuses_unknown_keys():
    content = {"study": "s", "grid": [{"dataset": "digits", "model": "resnet20", "epoch": 3}]}
    with pytest.raises(jsonschema.ValidationError, match="epoch"):
        jsonschema.validate(content, study_schema())


def test_the_studies_are_the_ones_described():
    plans = {path.stem: plan_study(read_yaml(path))[1] for path in CONFIGS}
    # The demonstration on digits has (app, osp) x (snip, magnitude) and dense, for two lengths and three seeds, cold
    # starts of app and dense for the shorter one, and app and dense on one long stream.
    assert len(plans["demo"]) == ((2 * 2 + 1) * 2 + 2) * 3 + 2
    # What the paper leaves open: (app, osp, dense) x (warm, cold, shrink_perturb), two controls, and two selections.
    assert len(plans["starts"]) == (3 * 3 + 2 + 2) * 3
    assert {(run.settings.epochs, run.settings.lr, run.settings.lr_milestones) for run in plans["starts"]} == {
        (50, 0.1, (20, 40))
    }
    # These studies have app with two pruners, osp and dense, and app by the released protocol, with the same seeds,
    # which are enough for intervals.
    for name in ("cifar100", "cifar10"):
        assert {run.settings.seed for run in plans[name]} == set(range(5))
        assert len(plans[name]) == 5 * 5
    # The paper's grid is two studies, because only one of them needs ImageNet.
    assert {run.settings.dataset.source for run in plans["paper"]} == {"cifar10", "cifar100"}
    assert {run.settings.dataset.source for run in plans["paper-imagenet"]} == {"restricted_imagenet"}
    paper = whole_paper()
    for s in paper:
        assert (s.epochs, s.lr, s.lr_milestones, s.valid_frac) == (50, 0.1, (20, 40), 0.1)
        assert (s.momentum, s.weight_decay, s.sample_frac) == (0.9, 1e-4, 0.2)
        assert s.batch_size == (32 if s.dataset.name == "restricted-imagenet-540" else 64)
    # The grid has every row of the paper's tables and figures for three seeds.
    short = [
        s
        for s in paper
        if s.n_megabatches == 8 and s.pruner in ("snip", "none") and s.method != "app_cubic" and s == usual(s)
    ]
    assert len(short) == 2 * 10 * 3 * 3
    assert {s.n_megabatches for s in paper if s.dataset.name == "cifar10"} == {8, 25, 50, 100}
    assert {s.n_megabatches for s in paper if s.dataset.source == "restricted_imagenet"} == {3, 10, 120}
    for model in ("resnet50", "resnet18"):
        of_model = [
            s for s in paper if (s.dataset.name, s.model, s.method, s.n_megabatches) == ("cifar10", model, "app", 8)
        ]
        assert {s.pruner for s in of_model} == {"snip", "magnitude", "random", "grasp", "synflow"}
    # These settings are the ablations.
    assert {s.tau for s in paper} == {2, 3, 4.5, 6, 9}
    assert {s.replay for s in paper} == {"full", "none", "previous", "buffer"}
    assert {s.method for s in paper} == {"app", "app_cubic", "osp", "dense"}
    on_18 = [s for s in paper if (s.dataset.name, s.model) == ("cifar10", "resnet18") and s.protocol == "paper"]
    for replay in ("none", "previous", "buffer"):
        assert {s.method for s in on_18 if s.replay == replay} == {"app", "osp", "dense"}
    assert {(s.method, s.model, s.pruner) for s in paper if s.precision != "float32"} == {("app", "resnet18", "snip")}
    assert [s.precision for s in on_18].count("bfloat16") == 3


def whole_paper():
    """Return the settings of all runs of the paper's grid."""
    studies = (plan_study(read_yaml(ROOT / "config" / f"{name}.yaml"))[1] for name in ("paper", "paper-imagenet"))
    return [run.settings for runs in studies for run in runs]


def test_the_released_protocol_has_its_rows_in_the_papers_study():
    runs = whole_paper()
    rows = {}
    for s in runs:
        if s.protocol == "released":
            rows.setdefault((s.dataset.name, s.model, s.n_megabatches), set()).add((s.method, s.pruner))
    three = {("app", "snip"), ("osp", "snip"), ("dense", "none")}
    assert rows == {
        ("cifar10", "resnet50", 8): three | {("app", "magnitude")},
        ("cifar10", "resnet50", 100): three,
        ("cifar10", "resnet18", 8): {("app", "snip"), ("osp", "snip"), ("app", "magnitude")},
        ("cifar100", "resnet50", 8): three,
        ("restricted-imagenet-540", "resnet50", 10): three,
        ("restricted-imagenet-540", "resnet50", 120): three,
    }
    # Each of these runs has a run of the paper's protocol with the same other settings beside it.
    digests = {s.digest() for s in runs}
    assert all(s.model_copy(update={"protocol": "paper"}).digest() in digests for s in runs)


def usual(settings):
    """Return the settings of a run with the paper's values for everything that ablations change."""
    paper = {"tau": 4.5, "replay": "full", "protocol": "paper", "scope": "global", "prune_on": "replay"}
    return settings.model_copy(update=paper | {"buffer_size": 1000, "precision": "float32"})


def test_a_file_that_is_no_configuration_is_named(tmp_path):
    for name, text in (("list", "- a\n"), ("broken", "a: [\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(SettingError, match=f"config: .*{name}"):
            read_yaml(tmp_path / name)
    with pytest.raises(SettingError, match=r"config: .*missing\.yaml cannot be read"):
        read_yaml(tmp_path / "missing.yaml")


def test_as_many_runs_as_are_allowed_are_planned():
    entry = {"dataset": "digits", "model": "resnet20", "seed": list(range(1000)), "epochs": list(range(1, 21))}
    assert len(plan(grid=[entry])) == 20_000

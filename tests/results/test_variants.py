"""Test the names of variants, which spell out the settings in which runs differ."""

from anytime_pruning.results.variants import name_image_counts, name_variants, plain_settings
from anytime_pruning.settings.run import parse_settings

USUAL = {"dataset": "d", "seed": 0, "method": "app", "pruner": "snip", "lr": 0.1, "tau": 4.5}


def test_only_what_is_unlike_the_other_runs_is_spelled_out():
    settings = {
        "a": USUAL,
        "b": USUAL | {"seed": 1},
        "c": USUAL | {"tau": 3.0},
        "dense": USUAL | {"pruner": "none", "tau": 9.9},
    }
    assert name_variants(settings) == {"a": "", "b": "", "c": "tau=3.0", "dense": ""}
    assert name_variants({"c": settings["c"]}) == {"c": ""}
    assert name_variants(settings | {"dense": settings["dense"] | {"lr": 0.2}})["dense"] == "lr=0.2"
    assert name_variants(settings | {"c": USUAL | {"tau": 3.0, "lr": 0.2}})["c"] == "lr=0.2, tau=3.0"


def test_where_nothing_is_usual_all_is_spelled_out():
    assert name_variants({"a": USUAL, "b": USUAL | {"tau": 3.0}}) == {"a": "tau=4.5", "b": "tau=3.0"}


def test_what_is_usual_is_so_on_a_dataset():
    few = USUAL | {"dataset": "few", "lr": 0.2}
    assert name_variants({"a": USUAL, "b": USUAL | {"seed": 1}, "c": few}) == {"a": "", "b": "", "c": ""}


def test_texts_lists_and_files_are_short():
    settings = {
        "a": USUAL
        | {"replay": "none", "lr_milestones": [1, 2], "initial_mask": {"path": "x", "sha256": "0123456789ab"}},
        "b": USUAL | {"replay": "full", "lr_milestones": [1], "initial_mask": None},
    }
    assert name_variants(settings)["a"] == "initial_mask=01234567, lr_milestones=[1, 2], replay=none"


def test_settings_of_older_runs_have_the_defaults_of_what_came_later():
    settings = plain_settings({"dataset": {"name": "digits"}, "model": "resnet20", "execution": {}})
    assert settings["protocol"] == "paper"
    assert settings["dataset"] == "digits"
    assert "execution" not in settings
    run = parse_settings({"dataset": "digits", "model": "resnet20"})
    assert plain_settings(run.model_dump(mode="json")).keys() == settings.keys()


def test_defaults_that_a_run_lacks_look_like_those_that_it_has():
    """Check that an older run differs from a newer one in nothing, because YAML knows lists and no tuples."""
    older = plain_settings({"dataset": {"name": "digits"}, "model": "resnet20"})
    newer = parse_settings({"dataset": "digits", "model": "resnet20"}).model_dump(mode="json")
    assert older == plain_settings(newer)
    assert older["prunable"] == ["conv"]


def counts_of(dataset, *limits):
    settings = {str(i): {"dataset": dataset, "train_limit": limit} for i, limit in enumerate(limits)}
    (text,) = set(name_image_counts(settings).values())
    return text


def test_a_part_of_the_images_is_named_and_the_whole_is_not():
    assert counts_of("cifar100", 5000, 5000) == "5,000 of 50,000"
    assert counts_of("cifar100", None) == counts_of("cifar100", 50_000, None) == ""
    assert counts_of("flowers", 600) == "600"  # the settings of a run do not say how many there are
    assert counts_of("flowers", None) == ""


def test_different_numbers_of_images_are_all_named():
    assert counts_of("cifar10", None, 5000, 200) == "200 or 5,000 or all of 50,000"
    assert counts_of("flowers", None, 20) == "20 or all"
    both = {"a": {"dataset": "digits", "train_limit": None}, "b": {"dataset": "cifar10", "train_limit": 7}}
    assert name_image_counts(both) == {"a": "", "b": "7 of 50,000"}


def test_a_small_dense_network_is_told_apart_by_its_size():
    small = USUAL | {"method": "dense_small", "pruner": "none"}
    assert name_variants({"a": small, "b": small | {"tau": 3.0}}) == {"a": "tau=4.5", "b": "tau=3.0"}
    dense = small | {"method": "dense"}
    assert name_variants({"a": dense, "b": dense | {"tau": 3.0}}) == {"a": "", "b": ""}


def test_a_method_that_is_not_known_here_uses_no_pruning_settings():
    gone = USUAL | {"method": "gone", "pruner": "none"}
    assert name_variants({"a": gone, "b": gone | {"tau": 3.0}}) == {"a": "", "b": ""}

"""Test, without DVC, that its files agree with the studies and hold nothing of a single machine."""

import configparser
import json
from pathlib import PurePosixPath

import pytest
import yaml
from conftest import ROOT

from anytime_pruning.foundation.registry import names
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.results.made_from import CODE
from anytime_pruning.settings.shipped import SHIPPED

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
STUDIES = STAGES["experiments"]["matrix"]["study"]
LOCKED = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
IN_GIT = [name.removeprefix("experiments@") for name in LOCKED if name.startswith("experiments@")]


def test_every_study_has_its_stages():
    configs = {path: yaml.safe_load(path.read_text()) for path in (ROOT / "config").glob("*.yaml")}
    named = {path.stem: content["study"] for path, content in configs.items() if "study" in content}
    assert all(stem == study for stem, study in named.items())
    # Other studies have no stage before their results are in git, because `dvc repro` would train them for hours.
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    stored = {study for study in named.values() if f"!/results/{study}/" in ignored}
    assert set(STUDIES) == {"demo"} | stored
    assert {"demo", "paper"} | stored <= set(named)
    assert STAGES["paper"]["matrix"]["study"] == STUDIES
    assert STAGES["whole-paper"]["frozen"] is True
    configs = [command.rpartition("--configfile ")[2] for command in STAGES["whole-paper"]["cmd"]]
    assert configs == ["config/paper.yaml"] * 2 + ["config/paper-imagenet.yaml"] * 2


def test_no_output_is_removed_before_a_stage_or_kept_from_git():
    for stage in STAGES.values():
        for output in [*stage.get("outs", []), *stage.get("metrics", [])]:
            ((path, flags),) = output.items()
            assert flags == {"cache": False, "persist": True}, path


def test_a_new_version_concerns_every_training_stage():
    protocols = [type(make_protocol(name)) for name in names("protocol")]
    versioned = {
        f"{protocol.__module__.replace('.', '/')}.py": [f"{protocol.__name__}.version"]
        for protocol in protocols
        if "version" in vars(protocol)
    }
    expected = versioned | {
        "anytime_pruning/__init__.py": ["RESULTS_VERSION"],
        "anytime_pruning/settings/versions.py": ["MODEL_VERSIONS", "SPLIT_VERSION"],
    }
    for name in ("experiments", "whole-paper"):
        found = {path: keys for entry in STAGES[name]["params"] for path, keys in entry.items()}
        studies = {path: keys for path, keys in found.items() if path.startswith("config/")}
        assert set(studies.values()) == {None}  # the whole file counts
        assert {path: keys for path, keys in found.items() if path not in studies} == expected


@pytest.mark.parametrize("stage", ["experiments", "whole-paper"])
def test_the_code_of_a_users_own_parts_makes_a_stage_ask_which_runs_are_missing(stage):
    rooms = {f"anytime_pruning/{part.room.replace('.', '/')}" for part in SHIPPED.values()}
    digest = {f"anytime_pruning/settings/{name}.py" for name in ("own_code", "own_files", "shipped")}
    assert STAGES[stage]["deps"] == sorted({*rooms, *digest, "anytime_pruning/foundation/source_code"})
    assert all((ROOT / path).exists() for path in STAGES[stage]["deps"])


def test_the_code_that_draws_is_what_makes_a_stage_draw_again():
    runs, *code, claims = STAGES["paper"]["deps"]
    assert (runs, claims) == ("results/${item.study}/runs", "config/claims.yaml")
    assert code == [f"anytime_pruning/{place}" for place in CODE]


def test_what_is_plotted_is_there():
    for plot in PIPELINE["plots"]:
        if isinstance(plot, str):
            assert (ROOT / plot).is_file()
        else:
            ((_, options),) = plot.items()
            assert (ROOT / ".dvc" / "plots" / f"{options['template']}.json").is_file()
            ((table, column),) = options["y"].items()
            assert {options["x"], column} < set((ROOT / table).read_text().splitlines()[0].split(","))


# Runs whose weights are lost, by a line of their config.yaml: they went with the machine that trained them. The SHA-256
# in metrics.json still names them.
LOST = {"cifar100": "seed: 1"}


@pytest.mark.parametrize("study", sorted(IN_GIT))
def test_the_weights_of_a_study_in_git_are_those_of_its_runs(study):
    """Count the weights, because `dvc add` in a clone without weights would drop them."""
    (weights,) = yaml.safe_load((ROOT / "results" / study / "checkpoints.dvc").read_text())["outs"]
    folders = [path.parent for path in (ROOT / "results" / study / "runs").rglob("metrics.json")]
    runs = {folder: json.loads((folder / "metrics.json").read_text()) for folder in folders}
    assert all(len(run["files"]["weights.safetensors"]) == 64 for run in runs.values())
    kept = [
        run for folder, run in runs.items() if LOST.get(study) not in (folder / "config.yaml").read_text().splitlines()
    ]
    assert weights["path"] == "checkpoints"
    assert weights["nfiles"] == len(kept) > 0
    assert weights["size"] == sum(run["size"]["dense_bytes"] for run in kept)


def test_the_shared_configuration_names_no_machine_and_no_credentials():
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc" / "config")
    remote = dict(config["'remote \"storage\"'"])
    assert config.sections() == ["core", "'remote \"storage\"'"]
    assert set(config["core"]) == {"analytics", "check_update", "remote"}
    assert config["core"]["analytics"] == "false"
    assert set(remote) == {"url", "verify"}
    assert remote["verify"] == "true"  # otherwise DVC does not check downloads
    assert "://" not in remote["url"]
    assert not PurePosixPath(remote["url"]).is_absolute()
    assert "/config.local" in (ROOT / ".dvc" / ".gitignore").read_text().split()

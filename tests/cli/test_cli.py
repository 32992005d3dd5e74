"""Test the commands as a user calls them: their output, the files they write, and their exit status."""

import argparse
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, toy_files, write_archive
from filelock import FileLock

from anytime_pruning.__main__ import main
from anytime_pruning.cli import train
from anytime_pruning.foundation.registry import KINDS, names
from anytime_pruning.foundation.safe_text import parse_yaml
from anytime_pruning.settings.run import RunSettings, parse_settings


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Run in an empty folder, so that every written file is noticed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


FINAL = {"final": {"test_acc_pct": 1, "cumulative_error_count": 1, "cumulative_error_rate": 1, "density": 1}}


def as_flags(settings):
    return [part for key, value in settings.items() for part in (f"--{key.replace('_', '-')}", json.dumps(value))]


def written(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_train_by_flags_and_by_json_is_the_same_run(tiny, in_folder, capsys):
    settings = tiny(epochs=1, dataset="digits")
    assert main(["train", "--study", "a", *as_flags(settings)]) == 0
    assert main(["train", "--study", "b", "--settings", json.dumps(settings)]) == 0
    names = {study: {name.split("/", 2)[2] for name in written(in_folder) if f"/{study}/" in name} for study in "ab"}
    assert names["a"] == names["b"]
    name = f"digits/resnet20/T3/app/snip/seed0-{parse_settings(settings).digest()}"
    assert f"results/a/runs/{name}/metrics.json" in written(in_folder)
    assert f"results/a/checkpoints/{name}/weights.safetensors" in written(in_folder)
    lines = capsys.readouterr().out.splitlines()
    planned = "162 training samples planned, 32 to score, 1,278 to evaluate"
    assert lines[0] == f"digits resnet20 app: 3 megabatches, {planned}"
    assert lines[1] == "99.2 % of all parameters can be pruned"
    assert lines[2].startswith("megabatch 1/3: density 0.800, train ")
    assert "\r" not in "".join(lines)


def test_the_defaults_that_the_help_shows_are_yaml():
    """Read each default as the command would read it, if a user gave it."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    helps = {action.dest: action.help for action in parser._actions}
    shown = {key: re.search(r" \(default: (.+)\)$", helps[key]) for key in RunSettings.model_fields}
    read = {key: parse_yaml(key, found.group(1)) for key, found in shown.items() if found}
    fields = RunSettings.model_fields
    defaults = {key: json.loads(json.dumps(fields[key].default)) for key in read}
    assert read == defaults
    left_out = {key for key in fields.keys() - read.keys() if not fields[key].is_required()}
    assert left_out == {"execution", "own_code", "train_limit", "initial_mask", "initial_weights"}


def test_options_are_the_text_that_stands_there_to_the_base_ten(in_folder, monkeypatch):
    trained = []
    monkeypatch.setattr("anytime_pruning.runs.job.run_stream", lambda settings, *_: trained.append(settings) or FINAL)
    options = ["--dataset", "digits", "--model", "resnet20", "--selection", "n_m", "--pattern", "2:4", "--seed", "010"]
    assert main(["train", *options]) == 0
    assert [(settings.pattern, settings.seed) for settings in trained] == [("2:4", 10)]


def test_a_runs_config_file_repeats_the_run(tiny, in_folder):
    assert main(["train", "--settings", json.dumps(tiny(epochs=1)), "--out", "first"]) == 0
    assert main(["train", "--settings", "first/config.yaml", "--out", "again"]) == 0
    digests = [json.loads((in_folder / name / "metrics.json").read_text())["digest"] for name in ("first", "again")]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "mnist", "--model", "resnet20"], "dataset: 'mnist' is not known; allowed: cifar10"),
        (["--dataset", "digits", "--model", "alexnet"], "model: 'alexnet' is not known; allowed: resnet101, "),
        (["--dataset", "digits", "--model", "resnet20", "--pruner", "x"], "pruner: 'x' is not known; allowed: "),
        (["--dataset", "digits", "--model", "resnet20", "--lr=-1"], "lr: -1 is not allowed"),
        (["--dataset", "digits", "--model", "resnet20", "--lr", "[1"], "lr: '[1' cannot be read"),
        (["--dataset", "digits", "--model", "resnet20", "--n-megabatches", "2000"], "n_megabatches: 2000 is not all"),
        (["--dataset", "digits", "--model", "resnet20", "--study", "../x"], "study: '../x' is not allowed"),
        (["--dataset", "digits", "--model", "resnet20", "--digest", "0"], "digest: 0 is not allowed: these settings"),
        (
            ["--dataset", "digits", "--model", "resnet20", "--wait", "1:30"],
            "wait: '1:30' is not allowed: Input should be",
        ),
        (["--settings", "{"], "settings: not JSON"),
        (["--settings", "nowhere.yaml"], "config: nowhere.yaml cannot be read"),
        (["--settings", "{}"], "dataset: this setting is required"),
        (["--settings", "{}", "--lr", "1"], "settings: not allowed together with --lr"),
        (
            ["--dataset", "{name: x, source: image_folder, path: nowhere.tar}", "--model", "resnet20"],
            "nowhere.tar: no such folder or archive",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2_and_writes_nothing(arguments, message, in_folder, capsys):
    assert main(["train", *arguments]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert out == ""
    assert written(in_folder) == set()


def test_a_diverging_run_is_one_line_and_exit_status_1(tiny, in_folder, capsys):
    assert main(["train", "--settings", json.dumps(tiny(lr=1e30))]) == 1
    assert "error: the loss is" in capsys.readouterr().err
    assert written(in_folder) == set()


def test_a_folder_that_cannot_be_written_is_one_line(tiny, in_folder, capsys):
    (in_folder / "results").write_text("a file where a folder belongs")
    assert main(["train", "--settings", json.dumps(tiny())]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: results/single/runs/digits")
    assert line.endswith(": Not a directory")


def test_a_process_shows_no_traceback(in_folder):
    done = subprocess.run(
        [sys.executable, "-m", "anytime_pruning", "train", "--dataset", "digits"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "error: model: this setting is required\n"


def test_list_shows_every_kind(capsys):
    assert main(["list"]) == 0
    lines = dict(line.split(":") for line in capsys.readouterr().out.splitlines())
    assert {kind: text.strip() for kind, text in lines.items()} == {kind: ", ".join(names(kind)) for kind in KINDS}
    assert "snip" in lines["pruner"]


def test_schema_is_json_with_the_settings(capsys):
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["grid"]["items"] == {"$ref": "#/$defs/entry"}
    assert "lr_milestones" in schema["$defs"]["entry"]["properties"]


def test_prepare_says_what_it_found(in_folder, capsys):
    write_archive(toy_files(), in_folder / "toy.zip")
    assert main(["prepare", "{name: toy, source: image_folder, path: toy.zip, image_size: 6}"]) == 0
    out = capsys.readouterr().out
    assert "toy: 8 training and 4 test images, 2 classes, shape (3, 6, 6)" in out
    assert "content_sha256 " in out
    assert {path.name[:4] for path in (in_folder / "data" / "cache").glob("*.safetensors")} == {"toy-"}


def test_stale_runs_are_listed_and_removed_on_request(tiny, in_folder, capsys):
    settings = tiny(epochs=1)
    execution = settings.pop("execution")
    text = {"study": "s", "execution": execution, "grid": [settings]}
    (in_folder / "s.yaml").write_text(json.dumps(text))
    for seed in (0, 1):
        run = settings | {"seed": seed, "execution": execution}
        assert main(["train", "--study", "s", "--settings", json.dumps(run)]) == 0
    (finished,) = in_folder.rglob("seed1-*/metrics.json")
    begun = finished.parent.with_name("seed2-0123456789ab")
    (begun / "resume").mkdir(parents=True)
    before = written(in_folder)
    capsys.readouterr()
    assert main(["stale", "s.yaml"]) == 0
    out = capsys.readouterr().out
    assert "2 of 3 runs are in no grid" in out
    assert "seed1-" in out
    assert "seed2-" in out
    assert written(in_folder) == before
    with FileLock(begun / "run.lock"):
        assert main(["stale", "s.yaml", "--remove"]) == 2
        assert "seed2-0123456789ab is not allowed: a process works on this run" in capsys.readouterr().err
    assert main(["stale", "s.yaml", "--remove"]) == 0
    assert written(in_folder) == {name for name in before if "seed1-" not in name}

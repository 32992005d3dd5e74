"""What was stored and then damaged, forged or mixed up is found, and the file is named."""

import csv
import json
import random
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from forge import forge
from safetensors.numpy import load_file, save_file

from anytime_pruning import RESULTS_VERSION, layout, run_stream
from anytime_pruning.__main__ import main
from anytime_pruning.collect import collect
from anytime_pruning.config import parse_settings
from anytime_pruning.consistency import Rows, find_inconsistencies
from anytime_pruning.errors import DataError
from anytime_pruning.reading import read_yaml
from anytime_pruning.storage import SCHEMA_VERSION, file_sha256, read_metrics
from anytime_pruning.verify import verify

FLIPS = 200


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """A study of three runs with weights and tables, as the workflow lays it out."""
    study = tmp_path_factory.mktemp("results") / "tiny"
    tiny = {"dataset": "digits", "model": "resnet20", "n_megabatches": 2, "train_limit": 400, "epochs": 2}
    tiny |= {"precision": "float32"}
    tiny |= {"lr_milestones": [], "batch_size": 16, "execution": {"device": "cpu", "data_dir": str(data_dir)}}
    names = []
    for changes in ({"lr": 0.05}, {"method": "dense"}, {"protocol": "released", "seed": 1}):
        settings = parse_settings(tiny | changes)
        names.append(layout.run_name(settings))
        run_stream(settings, study / "runs" / names[-1], study / "checkpoints" / names[-1] / layout.WEIGHTS)
    collect(names, study / "runs", study / "tables")
    return study


@pytest.fixture
def study(trained, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(trained, tmp_path / "tiny")


@pytest.fixture
def run(study):
    """Folder of its run by APP, the first."""
    (folder,) = (study / "runs").rglob("app/snip/seed0-*")
    return folder


def problems_in(folder, evaluate=False):
    *_, done = verify([folder], evaluate)
    return done.problems


def test_results_as_they_were_written_are_whole(study):
    *_, done = verify([study])
    assert done.problems == []
    assert done.counts == {"runs": 3, "with weights": 3, "tested again": 3, "tables of studies": 1}
    assert not done.notes


def test_one_changed_byte_is_found_wherever_it_is_and_its_file_is_named(study):
    """200 times another byte at a random place of a file drawn at random; every kind of file is among them."""
    draw = random.Random(6)
    files = sorted(path for path in study.rglob("*") if path.is_file() and path.name != layout.LOCK)
    seen = set()
    for _ in range(FLIPS):
        path = draw.choice(files)
        before = path.read_bytes()
        place = draw.randrange(len(before))
        after = draw.choice([byte for byte in range(256) if byte != before[place]])
        path.write_bytes(before[:place] + bytes([after]) + before[place + 1 :])
        # Of a run, that run alone; for tables their study.
        part, *name = path.parent.relative_to(study).parts
        found = problems_in(study if part == "tables" else study.joinpath("runs", *name))
        assert found, f"byte {place} of {path}"
        assert all(problem.startswith(f"{path}: ") for problem in found), found
        path.write_bytes(before)
        seen.add(path.name)
    assert seen == {path.name for path in files} >= {"metrics.json", "config.yaml", "weights.safetensors", "runs.csv"}
    assert problems_in(study) == []


def test_every_byte_of_metrics_json_counts_whatever_it_becomes(run):
    """Line breaks, too, which reading as text would put right."""
    path = run / "metrics.json"
    before = path.read_bytes()
    draw = random.Random(6)
    for place, byte in enumerate(before):
        becomes = 13 if byte == 10 else draw.choice([other for other in range(256) if other != byte])
        path.write_bytes(before[:place] + bytes([becomes]) + before[place + 1 :])
        with pytest.raises(DataError, match=r"damaged or changed|not readable"):
            read_metrics(run)
    path.write_bytes(before)
    assert read_metrics(run)["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("version", [3, "3", None])
def test_a_run_of_another_schema_is_refused_and_not_called_damaged(version, run):
    """One from before checksums, as from another version of this code."""
    path = run / "metrics.json"
    content = {"schema_version": version, "digest": "0" * 12}
    path.write_text(json.dumps(content, indent=2) + "\n")
    expected = f"{path}: schema_version is {version!r}, expected {SCHEMA_VERSION}; remove the run's folder"
    with pytest.raises(DataError, match=re.escape(expected)):
        read_metrics(run)
    assert problems_in(run)[0].startswith(expected)


def edit(path, change):
    """Change rows of a CSV file, which are mappings of texts."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    rows = change(rows) or rows
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def put(file, row, **values):
    """Puts other values into a row of a table."""
    return lambda run: edit(run / file, lambda rows: rows[row].update(values))


def grow(rows):
    """A layer has all its weights at the end, and another one as many fewer."""
    _, one, other = [row for row in rows if row["t"] == "2"][:3]
    other["kept"] = str(int(other["kept"]) + int(one["kept"]) - int(one["total"]))
    one["kept"] = one["total"]


# Each number changed with all checksums put right: only what the numbers say of each other can tell.
FORGERIES = {
    "schema": (lambda run: forge(run, lambda c: c.update(schema_version=5)), "metrics.json: schema_version is 5"),
    "version": (lambda run: forge(run, lambda c: c.update(results_version=0)), f"is 0, expected {RESULTS_VERSION}"),
    "digest": (lambda run: forge(run, lambda c: c.update(digest="0" * 12)), "metrics.json: digest is 000000000000"),
    "seed": (lambda run: forge(run, lambda c: c.update(seed=3)), "metrics.json: seed is 3, expected 0"),
    "CER": (
        lambda run: forge(run, lambda c: c["final"].update(cumulative_error_count=1)),
        "cumulative_error_count is 1,",
    ),
    "final": (lambda run: forge(run, lambda c: c["final"].update(test_acc_pct=99.0)), "final.test_acc_pct is 99.0"),
    "macs": (lambda run: forge(run, lambda c: c["final"].update(macs_kept=7)), "final.macs_kept is 7"),
    "finals": (lambda run: forge(run, lambda c: c.pop("final")), "final or cost is not as this code writes it"),
    "cost": (lambda run: forge(run, lambda c: c["cost"].update(stream_s=0.1)), "cost.stream_s is 0.1"),
    "planned": (
        lambda run: forge(run, lambda c: c["cost"]["planned_samples"].update(train=1)),
        "cost.planned_samples.train is 1",
    ),
    "megabatches": (
        lambda run: edit(run / "megabatches.csv", lambda rows: rows[:1]),
        "it has megabatches [1], not 1 to 2",
    ),
    "asked": (put("megabatches.csv", 0, density_asked="0.7"), "density_asked at t=1 is 0.7"),
    "measured": (put("megabatches.csv", 0, density_measured="0.7"), "density_measured at t=1 is 0.7"),
    "kept": (put("megabatches.csv", 1, kept_count="5"), "kept_count at t=2 is 5, which is not the density asked for"),
    "accuracy": (put("megabatches.csv", 0, test_acc_pct="77.5"), "test_acc_pct at t=1 is 77.5"),
    "errors": (put("megabatches.csv", 0, error_count="3"), "test_acc_pct at t=1 is"),
    "no image": (put("megabatches.csv", 0, train_acc_pct="33.0"), "train_acc_pct at t=1 is 33.0"),
    "gap": (put("megabatches.csv", 0, generalization_gap_pct="1.0"), "generalization_gap_pct at t=1 is 1.0"),
    "clean gap": (put("megabatches.csv", 0, clean_gap_pct="1.0"), "clean_gap_pct at t=1 is 1.0"),
    "best": (put("megabatches.csv", 0, best_epoch="7"), "best_epoch at t=1 is 7"),
    "samples": (put("megabatches.csv", 0, samples="7"), "samples at t=1 is 7"),
    "epoch": (put("epochs.csv", 1, samples="7"), "samples at t=1, epoch 2 is 7"),
    "last epoch": (put("epochs.csv", 1, train_acc_running_pct="7.0"), "train_acc_running_pct at t=1 is"),
    "selected": (put("epochs.csv", 1, valid_acc_pct="7.0"), "validation accuracy at t=1 is"),
    "epochs": (lambda run: edit(run / "epochs.csv", lambda rows: rows[1:]), "1 epochs at t=1, not 1 to 2"),
    "stray": (
        lambda run: edit(run / "epochs.csv", lambda rows: [*rows, rows[0] | {"t": "9"}]),
        "rows of megabatches [9]",
    ),
    "layers": (put("layers.csv", 0, kept="1"), "layers.csv: the sum of kept at t=1 is"),
    "totals": (put("layers.csv", 0, total="1"), "layers.csv: the sum of total at t=1 is"),
    "rate": (put("epochs.csv", 0, lr="0.07"), "lr at t=1, epoch 1 is 0.07"),
    "train images": (put("epochs.csv", 0, train_acc_running_pct="33.0"), "running_pct at t=1, epoch 1 is 33.0"),
    "valid images": (put("epochs.csv", 0, valid_acc_pct="33.0"), "valid_acc_pct at t=1, epoch 1 is 33.0"),
    "layer": (put("layers.csv", 0, layer="x"), "layers.csv: layer, total or macs at t=2 are not those at t=1"),
    "part of macs": (
        put("layers.csv", 0, macs="7"),
        "layers.csv: macs of network.conv1.weight at t=1 is 7, no multiple of",
    ),
    "growing layer": (
        lambda run: edit(run / "layers.csv", grow),
        "layers.csv: kept of network.blocks.0.conv1.weight rises at t=2",
    ),
    "growing network": (
        lambda run: edit(run / "megabatches.csv", lambda rows: rows[1].update(kept_count="300000")),
        "kept_count rises at t=2 from",
    ),
    "test images": (put("megabatches.csv", 1, test_count="720"), "test_count at t=2 is 720"),
    "weights": (put("megabatches.csv", 1, prunable_count="7"), "prunable_count at t=2 is 7"),
    "evaluated": (
        lambda run: forge(run, lambda c: c["cost"]["planned_samples"].update(evaluate=1)),
        "cost.planned_samples.evaluate is 1",
    ),
    "precision": (
        lambda run: forge(run, lambda c: c.update(precision="bfloat16")),
        "precision is bfloat16, but the settings make it float32",
    ),
    "no number": (put("epochs.csv", 0, train_loss="nan"), "column train_loss has a value that is no number"),
    "no columns": (
        lambda run: (run / "layers.csv").write_text("t,layer\n1,a\n"),
        "layers.csv: other columns than t, layer",
    ),
}


@pytest.mark.parametrize(("change", "message"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_number_is_found_by_the_others(change, message, run):
    change(run)
    forge(run)
    assert any(message in problem for problem in problems_in(run)), problems_in(run)


def say(**values):
    """Puts other values into metrics.json."""
    return lambda run: forge(run, lambda content: content.update(values))


def in_all(file, column, value):
    """Puts a value into all rows of a table."""
    return lambda run: edit(
        run / file, lambda rows: [row.update({column: value(row[column])}) for row in rows] and None
    )


# What only the network and the images can tell.
COMPUTED_AGAIN = {
    "images": (say(data_sha256="0" * 64), "data_sha256 is 0000"),
    "input": (say(input={"image_shape": [1, 8, 8], "n_classes": 11, "mean": [0.3], "std": [0.4]}), "input is {"),
    "shared images": (say(test_images_in_train=7), "test_images_in_train is 7, but computed again it is 0"),
    "parameters": (say(parameter_count=7), "parameter_count is 7, but computed again it is "),
    "size": (say(size={"dense_bytes": 7, "sparse_bytes": 7}), "size is {'dense_bytes': 7"),
    "macs": (in_all("layers.csv", "macs", lambda macs: str(2 * int(macs))), "layers.csv: macs is {"),
    "all macs": (
        lambda run: forge(run, lambda c: c["final"].update(macs_count=1, macs_kept=1)),
        "final.macs_count is 1, but computed again it is ",
    ),
    "scored": (
        lambda run: forge(run, lambda c: c["cost"]["planned_samples"].update(score=1)),
        "cost.planned_samples.score is 1, but computed again it is ",
    ),
    "test images": (in_all("megabatches.csv", "test_count", lambda _: "720"), "test_count is 720, but computed again"),
    "train images": (put("megabatches.csv", 0, train_count="7"), "train_count at t=1 is 7, but computed again it is"),
    "valid images": (put("megabatches.csv", 0, valid_count="7"), "valid_count at t=1 is 7, but computed again it is"),
    "hardware": (say(hardware="fast"), "metrics.json: is not as this code writes it"),
    "precision": (say(precision="float8"), "precision is float8, which is none of"),
    "no checksums": (say(files=None), "config.yaml: damaged or changed"),
}


@pytest.mark.parametrize(("change", "message"), COMPUTED_AGAIN.values(), ids=COMPUTED_AGAIN)
def test_a_number_is_found_by_computing_it_again(change, message, run):
    change(run)
    if json.loads((run / "metrics.json").read_text())["files"]:
        forge(run)
    assert any(message in problem for problem in problems_in(run, evaluate=True)), problems_in(run, evaluate=True)


def test_images_that_are_not_those_that_the_settings_name_are_found(run):
    content, rows = read_metrics(run), Rows.read(run)
    for name, expected in (("image_folder", "a" * 64), ("image_folder", content["data_sha256"])):
        dataset = {"name": "scans", "source": name, "path": "x.zip", "content_sha256": expected}
        settings = parse_settings(read_yaml(run / "config.yaml") | {"dataset": dataset})
        found = [problem for file, problem in find_inconsistencies(settings, content, rows) if "data_sha256" in problem]
        assert bool(found) == (expected != content["data_sha256"])


def test_other_settings_under_a_name_are_found(run, study):
    other = run.with_name("seed0-0123456789ab")
    run.rename(other)
    (problem,) = problems_in(other)
    assert problem.endswith(f"its settings are those of a run that is named {run.relative_to(study / 'runs')}")


def test_a_folder_that_a_user_named_may_have_any_name(run, tmp_path):
    own = shutil.copytree(run, tmp_path / "runs" / "mine" / "seed0-again")
    assert problems_in(own) == []


def test_other_weights_are_found_by_their_layers_and_their_errors(run, study):
    path = layout.find_weights(run)
    weights = load_file(path)
    name = next(name for name, array in weights.items() if array.ndim == 4)
    save_file(weights | {name: np.zeros_like(weights[name])}, path)
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    found = problems_in(run, evaluate=True)
    assert f"{path}: {name}: 0 of" in found[0]
    assert f"{run / 'metrics.json'}: size is " in found[1]
    assert f"{path}: makes " in found[2]
    assert len(found) == 3


def test_weights_that_are_no_numbers_are_found_without_testing(run):
    path = layout.find_weights(run)
    weights = load_file(path)
    (last,) = (name for name, array in weights.items() if array.ndim == 2)
    save_file(weights | {last: np.full_like(weights[last], np.nan)}, path)
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    assert problems_in(run) == [f"{path}: {last} has values that are no numbers"]


def test_weights_of_the_same_counts_are_found_by_their_errors_alone(run):
    path = layout.find_weights(run)
    weights = load_file(path)
    (last,) = (name for name, array in weights.items() if array.ndim == 2)
    save_file(weights | {last: weights[last][::-1].copy()}, path)
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    assert problems_in(run) == []
    (problem,) = problems_in(run, evaluate=True)
    assert f"{path}: makes " in problem


@pytest.mark.parametrize("name", ["runs.csv", "megabatches.csv", "epochs.csv", "layers.csv"])
def test_a_table_that_is_not_that_of_its_runs_is_found(name, study):
    table = study / "tables" / name
    column = {"runs.csv": "test_acc_pct", "layers.csv": "kept"}.get(name, "samples")
    edit(table, lambda rows: rows[-1].update({column: "7"}))
    assert problems_in(study) == [f"{table}: is not what collecting its runs again gives"]
    table.unlink()
    (problem,) = problems_in(study)
    assert str(table) in problem


def test_a_table_of_runs_that_are_not_there_is_found(study):
    table = study / "tables" / "runs.csv"
    edit(table, lambda rows: rows[1].update(run="digits/none"))
    assert problems_in(study) == [f"{table}: names 'digits/none', which is no finished run in {study / 'runs'}"]


def test_what_is_not_there_is_said_and_no_problem(run, study, tmp_path, capsys):
    shutil.rmtree(study / "checkpoints")
    (study / "runs" / "digits" / "unfinished" / layout.RESUME).mkdir(parents=True)
    shutil.copytree(run, study / "runs" / "digits" / "interrupted")
    (study / "runs" / "digits" / "interrupted" / "metrics.json").unlink()
    assert main(["verify", str(study), "--data-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"{study}: 2 runs are not finished",
        "3x runs whose weights are not there: nothing is tested again",
        "3 runs looked at, 0 with weights, 0 tested again, 1 tables of studies; 0 problems",
    ]


def test_the_command_names_each_problem_and_fails(run, capsys):
    forge(run, lambda content: content["final"].update(test_acc_pct=99.0, kept_count=7))
    assert main(["verify", str(run), "--no-evaluate"]) == 1
    *problems, last = capsys.readouterr().err.splitlines()
    assert len(problems) == 2
    assert all(line.startswith(f"problem: {run / 'metrics.json'}: final.") for line in problems)
    assert last == "error: 1 runs looked at, 1 with weights, 0 tested again, 0 tables of studies; 2 problems"


def test_a_folder_without_runs_is_a_mistake_and_nothing_is_checked(run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "none", run / "metrics.json"):
        assert main(["verify", str(run), str(path)]) == 2
        said = capsys.readouterr()
        assert said.err == f"error: paths: {path} is not allowed: it holds no run; name a folder of results\n"
        assert said.out == ""


def test_numbers_are_checked_without_torch(study):
    program = "import sys; sys.modules['torch'] = None; from anytime_pruning.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "verify", str(study), "--no-evaluate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == "3 runs looked at, 3 with weights, 0 tested again, 1 tables of studies; 0 problems\n"

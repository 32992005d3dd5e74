"""Test that verification finds stored results that were damaged or exchanged, and names their files."""

import json
import random
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from forge import edit, forge, problems_in

from anytime_pruning.__main__ import main
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.results import layout
from anytime_pruning.results.metrics_file import SCHEMA_VERSION
from anytime_pruning.results.store import read_metrics
from anytime_pruning.verification.stored import verify

FLIPS = 200


def test_results_as_they_were_written_are_whole(study):
    *_, done = verify([study])
    assert done.problems == []
    assert done.counts == {"runs": 3, "with weights": 3, "tested again": 3, "tables of studies": 1}
    assert not done.notes


def test_linked_runs_and_folders_of_runs_are_checked_like_others(study, tmp_path):
    runs = sorted(path.parent for path in study.rglob(layout.METRICS) if path.parent.parent.name != "metrics")
    for number, folder in enumerate((runs[0], study / "runs")):
        (folder.rename(tmp_path / f"away{number}"), folder.symlink_to(tmp_path / f"away{number}"))
    (study / "runs" / "back").symlink_to(study)
    *_, done = verify([study])
    assert done.problems == []
    assert done.counts == {"runs": 3, "with weights": 3, "tested again": 3, "tables of studies": 1}


def test_a_link_by_another_runs_name_is_a_problem(study):
    first, second, *_ = sorted(path.parent for path in study.rglob(layout.METRICS))
    shutil.rmtree(second)
    second.symlink_to(first.resolve())
    assert [problem for problem in problems_in(second) if "is named" in problem]


def test_one_changed_byte_is_found_wherever_it_is_and_its_file_is_named(study):
    """Change one byte at a random place of a random file, 200 times; the draws cover every kind of file."""
    draw = random.Random(6)
    files = sorted(path for path in study.rglob("*") if path.is_file() and path.name != layout.LOCK)
    seen = set()
    for _ in range(FLIPS):
        path = draw.choice(files)
        before = path.read_bytes()
        place = draw.randrange(len(before))
        after = draw.choice([byte for byte in range(256) if byte != before[place]])
        path.write_bytes(before[:place] + bytes([after]) + before[place + 1 :])
        # A table of the study needs the whole study, but every other file needs only its run.
        part, *name = path.parent.relative_to(study).parts
        found = problems_in(study if part == "tables" else study.joinpath("runs", *name))
        assert found, f"byte {place} of {path}"
        assert all(problem.startswith(f"{path}: ") for problem in found), found
        path.write_bytes(before)
        seen.add(path.name)
    assert seen == {path.name for path in files} >= {"metrics.json", "config.yaml", "weights.safetensors", "runs.csv"}
    assert problems_in(study) == []


def test_every_byte_of_metrics_json_counts_whatever_it_becomes(run):
    """Change also line breaks, which reading the file as text would normalize."""
    path = run / "metrics.json"
    before = path.read_bytes()
    draw = random.Random(6)
    for place, byte in enumerate(before):
        becomes = 13 if byte == 10 else draw.choice([other for other in range(256) if other != byte])
        path.write_bytes(before[:place] + bytes([becomes]) + before[place + 1 :])
        with pytest.raises(DataError, match=r"damaged or changed|not readable"):
            read_metrics(run)
    path.write_bytes(before)
    assert read_metrics(run).schema_version == SCHEMA_VERSION


@pytest.mark.parametrize("version", [3, "3", None])
def test_a_run_of_another_schema_is_refused_and_not_called_damaged(version, run):
    """Read a file without checksums, as older versions of this code wrote."""
    path = run / "metrics.json"
    content = {"schema_version": version, "digest": "0" * 12}
    path.write_text(json.dumps(content, indent=2) + "\n")
    expected = f"{path}: schema_version is {version!r}, expected {SCHEMA_VERSION}: another version"
    with pytest.raises(DataError, match=re.escape(expected)):
        read_metrics(run)
    assert problems_in(run)[0].startswith(expected)


def test_other_settings_under_a_name_are_found(run, study):
    other = run.with_name("seed0-0123456789ab")
    run.rename(other)
    (problem,) = problems_in(other)
    assert problem.endswith(f"its settings are those of a run that is named {run.relative_to(study / 'runs')}")


def test_a_folder_that_a_user_named_may_have_any_name(run, tmp_path):
    own = shutil.copytree(run, tmp_path / "runs" / "mine" / "seed0-again")
    assert problems_in(own) == []


@pytest.mark.parametrize("name", ["runs.csv", "megabatches.csv", "epochs.csv", "layers.csv"])
def test_a_table_that_is_not_that_of_its_runs_is_found(name, study):
    table = study / "tables" / name
    column = {"runs.csv": "test_acc_pct", "layers.csv": "kept"}.get(name, "samples")
    edit(table, lambda rows: rows[-1].update({column: "7"}))
    assert problems_in(study) == [f"{table}: differs from what collecting its runs again gives"]
    table.unlink()
    (problem,) = problems_in(study)
    assert str(table) in problem


def test_a_table_of_runs_that_are_not_there_is_found(study):
    table = study / "tables" / "runs.csv"
    edit(table, lambda rows: rows[1].update(run="digits/none"))
    assert problems_in(study) == [f"{table}: names 'digits/none', which is not a finished run in {study / 'runs'}"]


def test_tables_of_damaged_runs_cannot_be_collected_again(run, study):
    (run / "layers.csv").write_text("t,layer\n")
    forge(run)
    (of_run, of_tables) = problems_in(study)
    assert of_run.startswith(f"{run / 'layers.csv'}: other columns")
    assert of_tables.startswith(f"{study / 'tables'}: cannot be collected again: {run / 'layers.csv'}: ")


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

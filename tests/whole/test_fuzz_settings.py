"""Test that every configuration file is either accepted with a meaning or refused in one line.

`make test` tries a bounded number of files, which are always the same. `make fuzz` tries 10,000 new files of each kind.
"""

import contextlib
import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from checkout import TINY, make_checkout, snakemake, write_config
from hostile_settings import ALLOWED, CLAIMS, RUN, STUDIES, VALUES, files
from hypothesis import given, settings
from hypothesis import strategies as st

from anytime_pruning.__main__ import main
from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.figures.claims.definitions import read_claims
from anytime_pruning.foundation.errors import MESSAGE_LIMIT, ArtifactError
from anytime_pruning.foundation.registry import KINDS
from anytime_pruning.foundation.safe_text import parse_yaml, read_yaml
from anytime_pruning.orchestration.checks import check_runs
from anytime_pruning.orchestration.forecast.estimate import describe_cost
from anytime_pruning.results import layout
from anytime_pruning.results.run_list import format_runs_list, read_runs_list
from anytime_pruning.runs import job
from anytime_pruning.settings.execution import ExecutionSettings
from anytime_pruning.settings.naming import run_name
from anytime_pruning.settings.run import RunSettings, parse_settings
from anytime_pruning.settings.study import MAX_RUNS, Study, plan_study

# This is the number of examples of each kind; the profile `fuzz` has more examples.
COUNT = settings(max_examples=max(200, settings.default.max_examples))
KEYS = {"config", "settings", "digest", "claims", *Study.model_fields, *RunSettings.model_fields, *KINDS}
KEYS |= set(ExecutionSettings.model_fields)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Run in an empty folder inside another folder, so that every written file is noticed."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def check_message(text):
    assert text.isprintable(), ascii(text)
    assert len(text) <= MESSAGE_LIMIT
    (key,) = re.findall(r"^[\w<]+", text) or [""]
    assert key in KEYS or ": unknown setting" in text or "is not allowed" in text or ": Keys should be" in text, text


def check_run(study, run):
    """Check that the settings of an accepted run read back unchanged, and that the run has a folder of its own."""
    for dumped in (run.model_dump(mode="json"), json.loads(run.model_dump_json())):
        again = parse_settings(parse_yaml("x", yaml.safe_dump(dumped)))
        assert again == run
        assert again.digest() == run.digest()
    name = run_name(run)
    root = layout.runs_dir(study).resolve()
    assert root.parent.parent == Path("results").resolve()
    assert layout.run_dir(study, name).resolve().relative_to(root).parts == tuple(name.split("/"))
    assert len(name.split("/")) == 6
    assert layout.weights_path(study, name).resolve().is_relative_to(root.parent)
    return name


def report(what, outcomes):
    """Print how many files were accepted and refused, and check that both happened often enough to be tested."""
    print(f"\n{what}: " + ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items())))
    assert outcomes["accepted"] > 0.05 * outcomes.total()
    assert outcomes["refused"] > 0.05 * outcomes.total()


@pytest.mark.long(30)
def test_any_study(in_folder):
    outcomes, runs_list = Counter(), in_folder.parent / "runs.txt"

    @COUNT
    @given(files(*(path.read_text() for path in STUDIES)))
    def check(content):
        Path("study.yaml").write_bytes(content)
        try:
            study, runs = plan_study(read_yaml("study.yaml"))
            check_runs(run.settings for run in runs)
        except ArtifactError as error:
            check_message(str(error))
            outcomes["refused"] += 1
        else:
            assert 1 <= len(runs) <= MAX_RUNS
            names = [check_run(study.study, run.settings) for run in runs[:: max(1, len(runs) // 5)]]
            runs_list.write_text(format_runs_list(names))
            assert read_runs_list(runs_list) == names
            assert all(re.fullmatch(r"[\w.-]+", figure) for figure in plan_figures(runs))
            assert describe_cost((run.settings for run in runs), []).isprintable()
            outcomes["accepted"] += 1
        assert [path.name for path in in_folder.iterdir()] == ["study.yaml"]

    check()
    report("studies", outcomes)


@pytest.fixture
def started(monkeypatch):
    """Record what `train` would have trained."""
    runs = []
    monkeypatch.setattr(job, "run_stream", lambda *given: runs.append(given) or {"final": FINAL})
    return runs


FINAL = {"test_acc_pct": 1.0, "cumulative_error_count": 1, "cumulative_error_rate": 0.1, "density": 1.0}


def test_any_settings_of_a_run(in_folder, started):
    outcomes = Counter()

    # Half of the flags have a value that is often allowed.
    flags = st.tuples(st.sampled_from(sorted(RunSettings.model_fields)), st.booleans()).flatmap(
        lambda drawn: st.tuples(
            st.just(drawn[0]), st.sampled_from(ALLOWED.get(drawn[0], ("x",))) if drawn[1] else VALUES
        )
    )

    @COUNT
    @given(files(RUN), st.sampled_from(["file", "file", "json", "flag"]), flags)
    def check(content, way, flag):
        started.clear()
        Path("run.yaml").write_bytes(content)
        arguments = {
            "file": ["--settings", "run.yaml"],
            "json": [f"--settings={{{content.decode(errors='replace').lstrip()[1:]}"],
            "flag": ["--dataset=digits", "--model=resnet20", f"--{flag[0].replace('_', '-')}={flag[1]}"],
        }[way]
        with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
            status = main(["train", *arguments])
        outcomes["accepted" if status == 0 else "refused"] += 1
        if status == 0:
            ((run, out_dir, weights),) = started
            name = check_run("single", run)
            assert (out_dir, weights) == (layout.run_dir("single", name), layout.weights_path("single", name))
        else:
            assert (status, started) == (2, [])
            (line,) = said.getvalue().splitlines()
            assert line.startswith("error: ")
            check_message(line.removeprefix("error: "))
        assert [path.name for path in in_folder.iterdir()] == ["run.yaml"]

    check()
    report("settings of a run", outcomes)


def test_any_claims(in_folder):
    outcomes = Counter()

    @COUNT
    @given(files(CLAIMS.read_text()))
    def check(content):
        Path("claims.yaml").write_bytes(content)
        try:
            assert read_claims("claims.yaml")
            outcomes["accepted"] += 1
        except ArtifactError as error:
            check_message(str(error))
            outcomes["refused"] += 1

    check()
    report("claims", outcomes)


def written(folder):
    return {path for path in folder.rglob("*") if not {".snakemake", "__pycache__"} & set(path.parts)}


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study": "../x"}, "study: '../x' is not allowed"),
        (
            {"defaults": {"seed": list(range(1000)), "epochs": list(range(1, 1001))}},
            "grid: 2000000 runs are not allowed",
        ),
        ({"execution": {"data_dir": "{x}\n"}}, r"execution.data_dir: '{x}\n' is not allowed"),
    ],
)
def test_the_workflow_refuses_in_a_line(changes, message, tmp_path):
    folder = make_checkout(tmp_path / "project")
    write_config(folder, TINY | changes)
    before = written(tmp_path)
    done = snakemake(folder)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "profile" not in line]
    assert line.startswith(f"error: {message}")
    assert written(tmp_path) == before

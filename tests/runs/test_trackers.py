"""Test that trackers report a run, change none of the run's numbers and cannot make the run fail."""

import json
import os
import random
import subprocess
import sys
import types
from functools import partial

import numpy as np
import pytest
import torch
from conftest import ROOT, without_times

from anytime_pruning import run_stream
from anytime_pruning.foundation.errors import DivergenceError, SettingError
from anytime_pruning.foundation.registry import lookup, names, register
from anytime_pruning.orchestration.checks import check_runs
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.study import plan_study


@pytest.fixture
def tiny(tiny, small):
    """Return a function that makes the settings of a tiny run of a small network."""
    return partial(tiny, model=small)


def run(tiny, folder, tracker, **changes):
    settings = tiny(epochs=1, **changes)
    return run_stream(settings | {"execution": settings["execution"] | {"tracker": tracker}}, folder)


def numbers(folder):
    tables = [without_times(folder / f"{name}.csv") for name in ("megabatches", "epochs", "layers")]
    return tables, (folder / "weights.safetensors").read_bytes()


@pytest.fixture
def untracked(tiny, tmp_path):
    run(tiny, tmp_path / "untracked", "none")
    return numbers(tmp_path / "untracked")


def test_tensorboard_events_hold_the_numbers_of_the_run(tiny, tmp_path, untracked, capsys):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    metrics = run(tiny, tmp_path / "run", "tensorboard")
    assert numbers(tmp_path / "run") == untracked
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    tested = events.Scalars("megabatch/test_acc_pct")
    assert [event.step for event in tested] == [27, 81, 162]  # A step is the number of training samples so far.
    assert tested[-1].value == pytest.approx(metrics["final"]["test_acc_pct"], rel=1e-5)
    assert len(events.Scalars("epoch/train_loss")) == 3
    assert "warning" not in capsys.readouterr().err


def test_an_attempt_that_was_broken_off_is_not_shown(tiny, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    # The first attempt is broken off, the second begins anew, and the third goes on after 27 samples.
    for samples, attempt in ((0, {27: 0.5, 54: 0.25}), (0, {27: 0.75, 54: 0.125}), (27, {54: 0.375})):
        tracker = lookup("tracker", "tensorboard")(parse_settings(tiny()), tmp_path, samples)
        for step, loss in attempt.items():
            tracker.log({"loss": loss}, step)
        tracker.close(failed=False)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(27, 0.75), (54, 0.375)]


OFFLINE_RUN = """
import json, sys

def note(event, args):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(args[1], tuple)):
        host = args[0] if event == "socket.getaddrinfo" else args[1][0]
        print("NETWORK", host, file=sys.stderr, flush=True)

sys.addaudithook(note)
from anytime_pruning import register, run_stream
from anytime_pruning.settings.run import parse_settings
from tests.conftest import build_small
register("model", "small")(build_small)
run_stream(json.loads(sys.argv[1]), sys.argv[2])
"""


def test_wandb_asks_nobody_names_no_machine_and_changes_no_number(tiny, tmp_path, untracked):
    """Run in a separate process until its end, because what a package does when Python exits counts as well."""
    pytest.importorskip("wandb")
    settings = tiny(epochs=1)
    settings["execution"] |= {"tracker": "wandb"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE_RUN, json.dumps(settings), str(tmp_path / "run")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "run") == untracked
    assert "warning" not in done.stderr
    asked = {line for line in done.stderr.splitlines() if line.startswith("NETWORK")}
    assert asked <= {"NETWORK 127.0.0.1", "NETWORK localhost"}
    (file,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    for said in (b"megabatch/test_acc_pct", b"epoch/train_loss", b"anytime-pruning"):
        assert said in content
    for unsaid in (str(tmp_path), sys.executable, os.uname().release):
        assert unsaid.encode() not in content
    assert not list(file.parent.rglob("requirements.txt"))


def test_wandb_is_told_what_the_user_wants(tiny, tmp_path, monkeypatch):
    calls = []
    record = types.SimpleNamespace(
        log=lambda values: calls.append(("log", values)), finish=lambda exit_code: calls.append(("finish", exit_code))
    )
    fake = types.SimpleNamespace(Settings=dict, init=lambda **given: calls.append(("init", given)) or record)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for mode, lr in ((None, 0.05), ("online", 1e30)):
        monkeypatch.delenv("WANDB_MODE", raising=False)
        monkeypatch.setenv("WANDB_ERROR_REPORTING", "true")
        if mode:
            monkeypatch.setenv("WANDB_MODE", mode)
        calls.clear()
        try:
            run(tiny, tmp_path / f"{mode}", "wandb", lr=lr)
        except DivergenceError:
            assert mode
        assert calls[0][1]["mode"] == (mode or "offline")
        assert calls[0][1]["config"]["lr"] == lr
        assert calls[-1] == ("finish", int(mode is not None))
        assert os.environ["WANDB_ERROR_REPORTING"] == "true"
        assert [call[1]["samples"] for call in calls if call[0] == "log"] == (
            [] if mode else [27, 27, 81, 81, 162, 162]
        )


@pytest.mark.parametrize("fails_in", ["__init__", "log", "close"])
def test_a_failing_tracker_is_said_once_and_changes_nothing(fails_in, forget, tiny, tmp_path, untracked, capsys):
    calls = []

    class Failing:
        def __init__(self, settings, out_dir, samples):
            self.call("__init__")

        def call(self, name):
            calls.append(name)
            if name == fails_in:
                raise OSError("no space\nleft")

        def log(self, values, step):
            self.call("log")

        def close(self, failed):
            self.call("close")

    register("tracker", "failing")(Failing)
    run(tiny, tmp_path / "run", "failing")
    assert numbers(tmp_path / "run") == untracked
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warning == "warning: execution.tracker: failing is off for this run: no space left"
    assert calls.count(fails_in) == 1
    assert calls[-1] == fails_in  # The failed tracker is not called again.


def test_a_tracker_may_draw(forget, tiny, tmp_path):
    """Check that a tracker that draws random numbers does not change the numbers that a network draws."""

    class Scaled(torch.nn.Module):
        def forward(self, x):
            return x * (random.random() + np.random.rand())  # noqa: NPY002

    @register("model", "dropout_for_test")
    def build(n_classes, image_shape):
        layers = (torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(144, n_classes))
        return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), Scaled(), *layers)

    class Drawing:
        def __init__(self, settings, out_dir, samples):
            self.draw()

        def draw(self):
            random.random()
            np.random.rand()  # noqa: NPY002
            torch.rand(3)

        def log(self, values, step):
            self.draw()

        def close(self, failed):
            self.draw()

    register("tracker", "drawing")(Drawing)
    random.seed(5)
    expected = random.Random(5).random()
    for name in ("none", "drawing"):
        run(tiny, tmp_path / name, name, model="dropout_for_test")
    assert random.random() == expected
    assert numbers(tmp_path / "drawing") == numbers(tmp_path / "none")


@pytest.mark.parametrize(("name", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboard")])
def test_a_missing_package_is_said_and_the_run_goes_on(name, package, tiny, tmp_path, untracked, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    run(tiny, tmp_path / "run", name)
    assert numbers(tmp_path / "run") == untracked
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert f"{name} is not installed; pip install 'anytime-pruning[trackers]'" in warning


def test_a_failing_run_closes_its_tracker_and_keeps_its_error(forget, tiny, tmp_path, capsys):
    closed = []

    class Listening:
        def __init__(self, settings, out_dir, samples):
            pass

        def log(self, values, step):
            pass

        def close(self, failed):
            closed.append(failed)
            raise OSError("no space left")

    register("tracker", "listening")(Listening)
    with pytest.raises(DivergenceError, match="the loss is"):
        run(tiny, tmp_path / "run", "listening", lr=1e30)
    assert closed == [True]
    assert "no space left" in capsys.readouterr().err


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_who_stops_the_run_while_it_reports_stops_it(stop, forget, tiny, tmp_path):
    class Stopped:
        def __init__(self, settings, out_dir, samples):
            raise stop

    register("tracker", "stopped")(Stopped)
    with pytest.raises(stop):
        run(tiny, tmp_path / "run", "stopped")


def test_trackers_are_named_in_settings_and_not_part_of_a_runs_name(tiny, tmp_path):
    assert names("tracker") == ["none", "tensorboard", "wandb"]
    study = {"study": "s", "grid": [{"dataset": "digits", "model": "resnet20"}]}
    plans = [plan_study(study | {"execution": {"tracker": name}})[1] for name in ("none", "wandb", "mlflow")]
    assert len({plan[0].name for plan in plans}) == 1
    with pytest.raises(SettingError, match="tracker: 'mlflow' is not known; allowed: none, tensorboard, wandb"):
        check_runs([plans[2][0].settings])

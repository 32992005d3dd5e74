import pytest
from conftest import without_times

from anytime_pruning import run_stream
from anytime_pruning.errors import DivergenceError, SettingError
from anytime_pruning.registry import names, register
from anytime_pruning.study import check_runs, plan_study


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
    assert [event.step for event in tested] == [27, 81, 162]  # training samples so far
    assert tested[-1].value == pytest.approx(metrics["final"]["test_acc_pct"], rel=1e-5)
    assert len(events.Scalars("epoch/train_loss")) == 3
    assert "warning" not in capsys.readouterr().err


def test_wandb_writes_offline_and_changes_no_number(tiny, tmp_path, untracked, capsys, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run(tiny, tmp_path / "run", "wandb")
    assert numbers(tmp_path / "run") == untracked
    (file,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    assert b"megabatch/test_acc_pct" in content
    assert b"epoch/train_loss" in content
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("fails_in", ["__init__", "log", "close"])
def test_a_failing_tracker_is_said_once_and_changes_nothing(fails_in, forget, tiny, tmp_path, untracked, capsys):
    calls = []

    class Failing:
        def __init__(self, settings, out_dir):
            self.call("__init__")

        def call(self, name):
            calls.append(name)
            if name == fails_in:
                raise OSError("no space\nleft")

        def log(self, values, step):
            self.call("log")

        def close(self):
            self.call("close")

    register("tracker", "failing")(Failing)
    run(tiny, tmp_path / "run", "failing")
    assert numbers(tmp_path / "run") == untracked
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warning == "warning: execution.tracker: failing is off for this run: no space left"
    assert calls.count(fails_in) == 1
    assert calls[-1] == fails_in  # not called again


def test_a_missing_package_is_said_and_the_run_goes_on(tiny, tmp_path, untracked, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    run(tiny, tmp_path / "run", "wandb")
    assert numbers(tmp_path / "run") == untracked
    assert "wandb is not installed; pip install -r envs/extras.txt" in capsys.readouterr().err


def test_a_failing_run_closes_its_tracker_and_keeps_its_error(forget, tiny, tmp_path):
    closed = []

    class Listening:
        def __init__(self, settings, out_dir):
            pass

        def log(self, values, step):
            pass

        def close(self):
            closed.append(1)

    register("tracker", "listening")(Listening)
    with pytest.raises(DivergenceError, match="the loss is"):
        run(tiny, tmp_path / "run", "listening", lr=1e30)
    assert closed == [1]


def test_trackers_are_named_in_settings_and_not_part_of_a_runs_name(tiny, tmp_path):
    assert names("tracker") == ["none", "tensorboard", "wandb"]
    study = {"study": "s", "grid": [{"dataset": "digits", "model": "resnet20"}]}
    plans = [plan_study(study | {"execution": {"tracker": name}})[1] for name in ("none", "wandb", "mlflow")]
    assert len({plan[0].name for plan in plans}) == 1
    with pytest.raises(SettingError, match="tracker: 'mlflow' is not known; allowed: none, tensorboard, wandb"):
        check_runs([plans[2][0].settings])

"""Test that SIGTERM and SIGINT make a run write and report a checkpoint, from which the run then goes on."""

import signal
import time

import pytest
from faulty_runs import FRAGILE, PLAIN, Run, execution, in_parallel
from patience import PATIENCE_S

pytestmark = pytest.mark.integration

GOES_ON = "the same command goes on from"
LAST = f"{GOES_ON} the last checkpoint"
RELEASED = {"protocol": "released", "pruner": "snip"}
# The kind of run, the event, the signal that is sent at this event, and the message of the run.
MOMENTS = [
    ("paper", "load", "TERM", "no results were written"),
    ("paper", "score 50", "INT", "no results were written"),
    ("paper", "score 150", "TERM", LAST),
    ("paper", "step 8", "INT", "kept at megabatch 1, epoch 2, step 3"),
    ("paper", "validate 2", "TERM", "kept at megabatch 1, epoch 2, before its validation"),
    ("paper", "validate 4", "INT", "kept at megabatch 1, after epoch 2"),
    ("paper", "test 1", "TERM", "kept at megabatch 1, before its test"),
    ("paper", "half 000005.safetensors", "INT", "kept at megabatch 2, after epoch 2"),
    ("released", "step 20", "TERM", "kept at megabatch 2, epoch 1, step 9"),
    ("released", "validate 2", "INT", "kept at megabatch 1, epoch 2, before its validation"),
    ("released", "validate 3", "TERM", "kept at megabatch 1, after epoch 2"),
    ("released", "test 3", "INT", "kept at megabatch 3, before its test"),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data_dir):
    """Return the settings and results of each kind of run."""
    found = {}
    for kind, changes in {"paper": {}, "released": RELEASED}.items():
        run = Run(tmp_path_factory.mktemp(kind) / "run", FRAGILE | execution(data_dir) | changes)
        run.finish()
        found[kind] = run.settings, run.results()
    return found


def check_stopped(done, number, said):
    """Assert that a process ended with the exit status of a signal and exactly one line."""
    name = signal.Signals(number).name
    assert done.returncode == 128 + number
    assert done.stderr.startswith(f"interrupted by {name}; {said}"), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_that_is_told_to_stop_says_where_it_stands_and_goes_on_from_there(undisturbed, tmp_path):
    def attempt(number):
        kind, event, name, said = MOMENTS[number]
        settings, results = undisturbed[kind]
        run = Run(tmp_path / str(number), settings)
        check_stopped(run.go(event, name), signal.Signals[f"SIG{name}"], said)
        assert not [name for name in run.checkpoints() if name.startswith(".")]
        last = run.finish()
        if said.startswith("kept at "):
            assert f"goes on from a checkpoint: {said.removeprefix('kept at ')}\n" in last.stdout
        return MOMENTS[number], run.results() == results

    assert [moment for moment, is_same in in_parallel(attempt, range(len(MOMENTS))) if not is_same] == []


def test_where_a_run_stood_is_in_its_result(undisturbed, tmp_path):
    settings, results = undisturbed["paper"]
    run = Run(tmp_path / "run", settings)
    for event in ("step 8", "step 12"):
        check_stopped(run.go(event, "TERM"), signal.SIGTERM, "kept at")
    run.finish()
    assert [(part["t"], part["epochs"], part["step"]) for part in run.resumed()] == [(1, 1, 2), (2, 0, 8)]
    assert all({"code", "versions", "hardware"} <= part.keys() for part in run.resumed())
    assert run.results() == results


@pytest.mark.parametrize("second", ["at once", "while a checkpoint is written"])
def test_a_second_signal_stops_at_once_and_leaves_what_was_kept_before(second, undisturbed, tmp_path):
    settings, results = undisturbed["paper"]
    run = Run(tmp_path / "run", settings)
    assert run.go("step 20", "KILL").returncode == -signal.SIGKILL
    before = run.checkpoints()
    faults = ("step 3", "TERM+INT") if second == "at once" else ("step 3", "TERM", "half 000004.safetensors", "INT")
    check_stopped(run.go(*faults), signal.SIGINT, LAST)
    assert run.checkpoints() == before
    run.finish()
    assert run.results() == results


def test_a_run_whose_starter_ignores_the_signal_ignores_it(undisturbed, tmp_path):
    """Ignore SIGINT, as for processes in the background of a shell."""
    settings, results = undisturbed["paper"]
    run = Run(tmp_path / "run", settings)
    ignoring = tuple(part.replace("--default", "--ignore") for part in PLAIN)
    process = run.start("step 20", "INT", "score 250", "INT", program=ignoring)
    said, err = process.communicate(timeout=PATIENCE_S)
    assert said.count("fault: INT") == 2
    assert (process.returncode, err) == (0, "")
    assert run.results() == results


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_from_outside_at_any_time_stops_a_process_soon(number, undisturbed, tmp_path):
    """Train a real network with the plain command; print how long it takes to stop, and assert only that it stops."""
    settings = undisturbed["paper"][0] | {"model": "resnet20", "pruner": "snip"}
    run = Run(tmp_path / "run", settings)
    process = run.start()
    while not process.stdout.readline().startswith("megabatch 1/3"):
        assert process.poll() is None
    process.send_signal(number)
    started = time.monotonic()
    _, err = process.communicate(timeout=PATIENCE_S)
    print(f"{signal.Signals(number).name}: {time.monotonic() - started:.2f} s; {err.strip()}")
    assert process.returncode == 128 + number
    assert GOES_ON in err
    assert err.count("\n") == 1
    assert "goes on from a checkpoint" in run.finish().stdout

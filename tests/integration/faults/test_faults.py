"""Test that a run that was killed at any moment ends with the results of a run that was never killed."""

import random
import shutil
import signal
import subprocess
import time

import pytest
from faulty_runs import FRAGILE, Run, execution, in_parallel
from patience import PATIENCE_S

pytestmark = [pytest.mark.long(120), pytest.mark.integration]

# These runs differ in their draws, in their pruner and in their replay; each has dropout and augmentation.
KINDS = {
    "paper": {},
    "released": {"protocol": "released", "pruner": "snip", "replay": "previous"},
    "local": {"scope": "local", "pruner": "grasp", "warmup_epochs": 1, "replay": "buffer", "buffer_size": 60},
    "resnet20": {"model": "resnet20", "pruner": "snip", "train_limit": 600},
}
# Each event at which a process is killed, and how far the files on disk then show that the process had come. Each of
# the three prunings of `paper` takes 100 rounds. The three megabatches take 12, 24 and 34 steps, and each of them ends
# with its third checkpoint.
AIMED = {
    "paper": {
        "load": "before the first checkpoint",
        "score 50": "before the first checkpoint",
        "score 150": "after checkpoint 3",
        "score 250": "after checkpoint 6",
        "step 3": "before the first checkpoint",
        "half 000001.safetensors": "writing a checkpoint",
        "replaced 000004.safetensors": "after checkpoint 3",
        "replace metrics.json": "writing results",
    },
    "released": {
        "step 9": "after checkpoint 1",
        "test 1": "after checkpoint 2",
        "half 000004.json": "writing a checkpoint",
        "replaced 000005.json": "after checkpoint 5",
        "half weights.safetensors": "writing results",
        "replaced megabatches.csv": "writing results",
        "replaced metrics.json": "done, checkpoints not cleared",
    },
    "local": {
        "replace 000002.safetensors": "writing a checkpoint",
        "step 30": "after checkpoint 4",
        "unlinked 000003.json": "after checkpoint 5",
        "test 3": "after checkpoint 8",
        "replaced weights.safetensors": "writing results",
        "half layers.csv": "writing results",
        "half clear": "done, checkpoints not cleared",
    },
}
# Some runs are killed twice at random moments, and some at each event of a chain.
N_RANDOM = 6
CHAINS = [
    (
        "step 9",
        "score 50",
        "half 000004.json",
        "step 20",
        "replaced 000006.json",
        "half layers.csv",
        "replaced epochs.csv",
    ),
    ("score 1", "replaced 000003.safetensors", "step 1", "test 1", "step 1", "half weights.safetensors", "half clear"),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data_dir):
    """Return the settings and results of each kind of run, and the seconds that its process lives."""
    found = {}
    for kind, changes in KINDS.items():
        run = Run(tmp_path_factory.mktemp(kind) / "run", FRAGILE | execution(data_dir) | changes)
        started = time.monotonic()
        run.finish()
        found[kind] = (run.settings, run.results(), time.monotonic() - started)
    return found


def killed_at(run, *events):
    """Start a run once for each event, kill the run at this event, and return how far the run came each time."""
    phases = []
    for event in events:
        done = run.go(event, "KILL")
        assert f"fault: KILL at {event}\n" in done.stdout, (event, done.stdout, done.stderr)
        assert done.returncode == -signal.SIGKILL
        phases.append(run.phase())
    return phases


def killed_after(run, fractions, life):
    """Kill a run once after each fraction of its life, and return how far the run came each time."""
    phases = []
    for fraction in fractions:
        patience = fraction * life
        while True:
            process = run.start()
            try:
                process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            if process.returncode == -signal.SIGKILL:
                break
            # This run ended before it was killed, because it was faster than the run that was measured.
            assert process.returncode == 0
            shutil.rmtree(run.folder)
            patience *= 0.8
        phases.append(run.phase())
    return phases


def test_a_run_that_is_killed_at_any_moment_ends_with_the_same_bits(undisturbed, tmp_path):
    """Make 30 trials of one or more kills, and print a line for each trial."""
    draw = random.Random(6)
    trials = [(kind, (event,), expected) for kind, events in AIMED.items() for event, expected in events.items()]
    trials += [(kind, events, None) for kind, events in zip(("paper", "released"), CHAINS)]
    trials += [("resnet20", (draw.random(), draw.random()), None) for _ in range(N_RANDOM)]
    assert len(trials) == 30

    def attempt(number):
        kind, moments, expected = trials[number]
        settings, results, life = undisturbed[kind]
        run = Run(tmp_path / str(number), settings)
        phases = killed_at(run, *moments) if isinstance(moments[0], str) else killed_after(run, moments, life)
        last = run.finish()
        assert expected in (None, phases[-1]), (moments, phases)
        # A run with a checkpoint does not begin anew, and a finished run is not trained again.
        if phases[-1].startswith("after"):
            assert "goes on from a checkpoint" in last.stdout
        assert ("megabatches," in last.stdout) == (not phases[-1].startswith("done")), last.stdout
        when = ", ".join(moment if isinstance(moment, str) else f"{moment:.0%} of its life" for moment in moments)
        print(f"{kind}: killed at {when}: {'; '.join(phases)}")
        return moments, run.results() == results

    assert [moments for moments, is_same in in_parallel(attempt, range(len(trials))) if not is_same] == []


def first_of_two(run, event):
    """Return a process that is stopped at an event, and a second process that waits for the first process."""
    first = run.start(event, "STOP")
    while "fault" not in first.stdout.readline():
        assert first.poll() is None
    second = run.start()
    said = second.stdout.readline()
    assert said.startswith(f"waiting for another process that works in {run.out}: process {first.pid} of "), said
    return first, second


def test_two_processes_on_one_run_train_it_once(undisturbed, tmp_path):
    settings, results, _ = undisturbed["paper"]
    run = Run(tmp_path / "run", settings)
    first, second = first_of_two(run, "step 20")
    first.send_signal(signal.SIGCONT)
    said = [process.communicate(timeout=PATIENCE_S)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "megabatch 3/3" in said[0]
    assert "megabatch" not in said[1]
    assert run.results() == results
    run.finish()


def test_a_process_goes_on_with_the_run_of_one_that_was_killed(undisturbed, tmp_path):
    settings, results, _ = undisturbed["paper"]
    run = Run(tmp_path / "run", settings)
    first, second = first_of_two(run, "step 20")
    first.kill()
    said, _ = second.communicate(timeout=PATIENCE_S)
    assert (first.wait(), second.returncode) == (-signal.SIGKILL, 0)
    assert "goes on from a checkpoint: megabatch 2, epoch 1\n" in said or "megabatch 2, before pruning" in said, said
    assert run.results() == results
    run.finish()

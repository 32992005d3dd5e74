"""Test that what a loss of power leaves goes on to the same bits or begins anew, and never ends in a wrong number."""

import os
import random
import re
import shutil
from dataclasses import dataclass

import pytest
from checkout import DRAWN, make_checkout, snakemake
from faulty_runs import FRAGILE, Run, execution, in_parallel

from tests.power_loss.losing import Journal

# The import fails where the library of FUSE is not installed.
recording = pytest.importorskip("tests.power_loss.recording", exc_type=(ImportError, OSError))
has_fuse = os.access("/dev/fuse", os.W_OK) and shutil.which("fusermount3")
pytestmark = [
    pytest.mark.long(130),
    pytest.mark.integration,
    pytest.mark.skipif(not has_fuse, reason="no file systems in user space: /dev/fuse or fusermount3 is missing"),
]


@pytest.fixture(scope="module", autouse=True)
def mounts(tmp_path_factory):
    """Skip where the system does not let this user mount, which containers may forbid."""
    folder = tmp_path_factory.mktemp("mounts")
    (folder / "disk").mkdir()
    try:
        with recording.recorded(folder / "disk", folder / "mount", folder / "journal"):
            pass
    except recording.NotMountedError:
        pytest.skip("this system does not let a process mount a file system in user space")


KINDS = {
    "paper": {},
    "released": {"protocol": "released", "pruner": "snip", "replay": "previous"},
    "local": {"scope": "local", "pruner": "grasp", "warmup_epochs": 1, "replay": "buffer", "buffer_size": 60},
}
# A change that is not durable is there with this probability.
KEPT_SHARES = (0.0, 0.5, 0.9)
# Each kind of run loses power with each share at a random moment in each of these parts of its life.
N_PARTS = 4
N_LOSSES = 10


@dataclass
class Recorded:
    """Holds a run that nothing disturbed, and what happened to its files."""

    settings: dict
    results: dict
    journal: Journal

    def n_durable(self, n_events: int) -> int:
        """Return how many checkpoints were durable after some events."""
        written, n_durable = {}, 0
        for event in self.journal.events[:n_events]:
            if event["event"] == "move" and re.fullmatch(r"\d+\.json", event["new"]):
                written.setdefault(event["folders"][1], []).append(event["new"])
            elif event["event"] == "sync":
                n_durable += len(written.pop(event["number"], []))
        return n_durable


@pytest.fixture(scope="module")
def recorded_runs(tmp_path_factory, data_dir):
    def record(kind):
        folder = tmp_path_factory.mktemp(kind)
        (folder / "disk").mkdir()
        settings = FRAGILE | execution(data_dir) | KINDS[kind]
        with recording.recorded(folder / "disk", folder / "mount", folder / "journal"):
            run = Run(folder / "mount", settings)
            run.finish()
            results = run.results()
        return Recorded(settings, results, Journal.read(folder / "journal"))

    return {kind: record(kind) for kind in KINDS}


def test_a_run_that_loses_power_at_any_moment_ends_with_the_same_bits(recorded_runs, tmp_path):
    """Lose power 36 times, and print a line for each time."""
    draw = random.Random(22)
    trials = [
        (kind, share, (part + draw.random()) / N_PARTS)
        for kind in KINDS
        for share in KEPT_SHARES
        for part in range(N_PARTS)
    ]

    def attempt(number):
        kind, share, moment = trials[number]
        recorded = recorded_runs[kind]
        n_events = int(moment * len(recorded.journal.events))
        run = Run(tmp_path / str(number), recorded.settings)
        n_lost = recorded.journal.lose(n_events, share, random.Random(number), run.folder)
        phase = run.phase()
        last = run.finish()
        print(f"{kind}: at {moment:.0%} of its changes, {n_lost} of them lost ({share:.0%} kept): {phase}")
        # What `fsync` promised is there: a run with a checkpoint never begins anew.
        if recorded.n_durable(n_events):
            assert "goes on from a checkpoint" in last.stdout or "megabatches," not in last.stdout, last.stdout
        return n_lost, run.results() == recorded.results

    done = list(in_parallel(attempt, range(len(trials))))
    assert [trial for trial, (_, is_same) in zip(trials, done) if not is_same] == []
    assert sum(n_lost > 0 for n_lost, _ in done) > len(trials) / 2


def test_without_fsync_a_loss_would_leave_wrong_files(recorded_runs, tmp_path):
    """The test above can fail: a program that never calls `fsync` leaves finished runs whose files are damaged."""
    recorded = recorded_runs["paper"]
    unsynced = [event for event in recorded.journal.events if event["event"] != "sync"]
    damaged = 0
    for number in range(20):
        run = Run(tmp_path / str(number), recorded.settings)
        Journal(recorded.journal.before, unsynced).lose(len(unsynced), 0.9, random.Random(number), run.folder)
        if run.out.exists() and (run.out / "metrics.json").exists():
            weights = run.out / "weights.safetensors"
            damaged += not weights.exists() or weights.read_bytes() != recorded.results["weights"]
    assert damaged


def products(folder):
    """Return the bytes of everything that the collecting and drawing rules make."""
    roots = [folder / "results" / "tiny" / "tables", folder / "results" / "tiny" / "metrics", folder / "paper_figures"]
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_workflow_that_loses_power_while_it_collects_and_draws_ends_with_the_same_files(tmp_path):
    """Lose power 10 times while the rules work that collect and draw, and print a line for each time."""
    disk = make_checkout(tmp_path / "disk")
    assert snakemake(disk, "experiments").returncode == 0
    with recording.recorded(disk, tmp_path / "mount", tmp_path / "journal"):
        done = snakemake(tmp_path / "mount", *DRAWN)
        assert done.returncode == 0, done.stderr
    expected = products(disk)
    assert {*DRAWN} <= {*expected}
    journal = Journal.read(tmp_path / "journal")
    draw = random.Random(22)
    moments = [(part + draw.random()) / N_LOSSES for part in range(N_LOSSES)]

    def attempt(number):
        folder, share = tmp_path / str(number), KEPT_SHARES[number % len(KEPT_SHARES)]
        n_lost = journal.lose(int(moments[number] * len(journal.events)), share, random.Random(number), folder)
        n_there = sum(content == expected.get(name) for name, content in products(folder).items())
        # What docs/how-to/resume.md advises.
        snakemake(folder, "--unlock")
        for caches in [*folder.rglob("__pycache__")]:
            shutil.rmtree(caches)
        done = snakemake(folder, *DRAWN)
        moment = f"at {moments[number]:.0%} of its changes"
        print(f"{moment}, {n_lost} of them lost ({share:.0%} kept): {n_there} of {len(expected)} files are whole")
        return done.returncode, done.stderr, products(folder) == expected

    done = list(in_parallel(attempt, range(N_LOSSES)))
    assert [(code, said) for code, said, is_same in done if code or not is_same] == []

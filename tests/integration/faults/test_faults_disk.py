"""Test that a full or read-only disk is reported in one line and leaves the checkpoints whole."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from conftest import ROOT
from faulty_runs import FRAGILE, Run, execution, in_parallel

from anytime_pruning.results.store import render, seal

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def fragile(tmp_path_factory, data_dir):
    """Return the settings and results of a run that takes a second and was not disturbed."""
    run = Run(tmp_path_factory.mktemp("fragile") / "run", FRAGILE | execution(data_dir))
    run.finish()
    return run.settings, run.results()


@contextmanager
def small_disk(folder):
    """Mount a file system of 1 MB at a folder."""
    folder.mkdir()
    done = subprocess.run(("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder), capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount: a small file system is refused here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", folder), check=True)


def check_failed(done, *said):
    """Assert that a command failed with exit status 1 and one line that contains these texts."""
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for part in said:
        assert part in done.stderr


def check_whole(run, *numbers):
    """Assert that the run has exactly the checkpoints with these numbers, and that all their files are undamaged."""
    found = run.checkpoints()
    assert [name for name in found if name.endswith(".json")] == [f"{number:06}.json" for number in numbers]
    assert not [name for name in found if name.startswith(".")]
    for number in numbers:
        content = json.loads(found[f"{number:06}.json"])
        assert found[f"{number:06}.json"].decode() == render(seal(content))
        assert content["tensors_sha256"] == hashlib.sha256(found[f"{number:06}.safetensors"]).hexdigest()


# The event at which the disk is filled, the file that then cannot be written, and the checkpoints that stay.
FULL = {
    ("unlinked 000001.safetensors", "nearly fill"): ("000004.safetensors", (2, 3)),
    ("replaced 000004.safetensors", "fill"): ("000004.json", (2, 3)),
    ("unlinked 000007.safetensors", "nearly fill"): ("weights.safetensors", (8, 9)),
    ("replaced weights.safetensors", "fill"): ("config.yaml", (8, 9)),
    ("replaced layers.csv", "fill"): ("metrics.json", (8, 9)),
}


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(fragile, tmp_path):
    settings, results = fragile

    def attempt(fault):
        (event, action), (unwritten, numbers) = fault
        with small_disk(tmp_path / event) as disk:
            run = Run(disk / "run", settings)
            done = run.go(event, f"{action} {disk / 'filler'}")
            check_failed(done, "No space left on device", unwritten)
            check_whole(run, *numbers)
            assert not (run.out / "metrics.json").exists()
            assert not list(run.out.glob(".*"))
            (disk / "filler").unlink()
            assert "goes on from a checkpoint" in run.finish().stdout
            return fault, run.results() == results

    assert [fault for fault, is_same in in_parallel(attempt, FULL.items()) if not is_same] == []


def test_a_file_that_cannot_grow_is_one_line_and_the_run_goes_on(fragile, tmp_path):
    """Limit the size of files, because not every machine can mount a small disk."""
    settings, results = fragile

    def attempt(trial):
        event, unwritten, numbers = trial
        run = Run(tmp_path / event, settings)
        check_failed(run.go(event, "limit"), "File too large", unwritten)
        check_whole(run, *numbers)
        assert not list(run.out.glob(".*"))
        assert "goes on from a checkpoint" in run.finish().stdout
        return trial, run.results() == results

    trials = [
        ("unlinked 000003.safetensors", "000006.safetensors", (4, 5)),
        ("unlinked 000007.safetensors", "weights.safetensors", (8, 9)),
        ("replaced config.yaml", "megabatches.csv", (8, 9)),
    ]
    assert [trial for trial, is_same in in_parallel(attempt, trials) if not is_same] == []


def test_a_full_disk_under_the_decoded_images_is_one_line_and_leaves_no_part_of_them(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        command = [sys.executable, "-m", "anytime_pruning", "prepare", "digits", "--data-dir", disk]
        (disk / "filler").write_bytes(bytes(2**20 - 2**16))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        check_failed(done, "No space left on device", str(disk / "cache" / "digits-"))
        assert [path.suffix for path in (disk / "cache").iterdir()] == [".lock"]
        (disk / "filler").unlink()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@contextmanager
def read_only(folder):
    """Make a folder read-only: by its mode, or by a mount for root, whom a mode does not stop."""
    if os.geteuid():
        mode = folder.stat().st_mode
        folder.chmod(0o555)
        yield
        folder.chmod(mode)
        return
    for command in (("mount", "--bind", folder, folder), ("mount", "-o", "remount,ro,bind", folder)):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"mount: a read-only folder is refused here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(("umount", folder), check=True)


def test_a_read_only_folder_is_one_line_and_stays_as_it_is(fragile, tmp_path):
    new, begun = (Run(tmp_path / name, fragile[0]) for name in ("new", "begun"))
    new.folder.mkdir()
    assert begun.go("step 9", "KILL").returncode == -signal.SIGKILL
    for run in (new, begun):
        before = sorted(run.folder.rglob("*")), run.checkpoints()
        with read_only(run.out if run is begun else run.folder):
            check_failed(run.go(), str(run.out), "Read-only file system" if os.geteuid() == 0 else "Permission denied")
        assert (sorted(run.folder.rglob("*")), run.checkpoints()) == before

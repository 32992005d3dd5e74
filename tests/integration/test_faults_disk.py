"""Disks that are full or read-only and checkpoints that are damaged, with runs in processes of their own."""

import hashlib
import json
import os
import signal
import subprocess
from contextlib import contextmanager

import pytest
from faulty_runs import FRAGILE, Run, execution, in_parallel

from anytime_pruning.storage import render, seal

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, data_dir):
    """Settings and results of a run."""
    run = Run(tmp_path_factory.mktemp("undisturbed") / "run", FRAGILE | execution(data_dir))
    run.finish()
    return run.settings, run.results()


@pytest.fixture(scope="module")
def killed(undisturbed, tmp_path_factory):
    """A run that was killed in the last epoch of megabatch 3, with the checkpoints 6 and 7; not to be changed."""
    run = Run(tmp_path_factory.mktemp("killed") / "run", undisturbed[0])
    assert run.go("step 60", "KILL").returncode == -signal.SIGKILL
    assert list(run.checkpoints()) == ["000006.json", "000006.safetensors", "000007.json", "000007.safetensors"]
    return run


@contextmanager
def small_disk(folder):
    """A file system of 1 MB in a folder."""
    folder.mkdir()
    done = subprocess.run(("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder), capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount: a small file system is refused here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", folder), check=True)


def check_failed(done, *said):
    """One line, exit status 1."""
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    for part in said:
        assert part in done.stderr


def check_whole(run, *numbers):
    """Of the checkpoints with these numbers, each file is what was written; there are no others, nor parts of any."""
    found = run.checkpoints()
    assert [name for name in found if name.endswith(".json")] == [f"{number:06}.json" for number in numbers]
    assert not [name for name in found if name.startswith(".")]
    for number in numbers:
        content = json.loads(found[f"{number:06}.json"])
        assert found[f"{number:06}.json"].decode() == render(seal(content))
        assert content["tensors_sha256"] == hashlib.sha256(found[f"{number:06}.safetensors"]).hexdigest()


# When the disk is full; what cannot be written then, and the checkpoints that stay.
FULL = {
    ("unlinked 000001.safetensors", "nearly fill"): ("000004.safetensors", (2, 3)),
    ("replaced 000004.safetensors", "fill"): ("000004.json", (2, 3)),
    ("unlinked 000007.safetensors", "nearly fill"): ("weights.safetensors", (8, 9)),
    ("replaced weights.safetensors", "fill"): ("config.yaml", (8, 9)),
    ("replaced layers.csv", "fill"): ("metrics.json", (8, 9)),
}


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(undisturbed, tmp_path):
    settings, results = undisturbed

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


def test_a_file_that_cannot_grow_is_one_line_and_the_run_goes_on(undisturbed, tmp_path):
    """As a full disk, for machines on which no small one can be had."""
    settings, results = undisturbed

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


@contextmanager
def read_only(folder):
    """Nobody can write into a folder: by its mode, or for root, whom that does not stop, by a mount."""
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


def test_a_read_only_folder_is_one_line_and_stays_as_it_is(killed, tmp_path):
    new, begun = Run(tmp_path / "new", killed.settings), killed.copy(tmp_path / "begun")
    for run in (new, begun):
        run.folder.mkdir(exist_ok=True)
        before = sorted(run.folder.rglob("*")), run.checkpoints()
        with read_only(run.out if run is begun else run.folder):
            check_failed(run.go(), str(run.out), "Read-only file system" if os.geteuid() == 0 else "Permission denied")
        assert (sorted(run.folder.rglob("*")), run.checkpoints()) == before


# What is damaged, and how: half of a file, one bit of it, or nothing left. Then what is gone on from.
DAMAGED = {
    (("000007.json", "truncated"),): "megabatch 3, before pruning",
    (("000007.json", "flipped"),): "megabatch 3, before pruning",
    (("000007.safetensors", "truncated"),): "megabatch 3, before pruning",
    (("000007.safetensors", "flipped"),): "megabatch 3, before pruning",
    (("000007.safetensors", "missing"),): "megabatch 3, before pruning",
    (("000007.json", "empty"), ("000006.safetensors", "flipped")): "",
    (("000007.safetensors", "empty"), ("000006.json", "truncated")): "",
}


def damage(path, how):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"flipped": data, "truncated": data[: len(data) // 2]}.get(how, b""))
    if how == "missing":
        path.unlink()


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(undisturbed, killed, tmp_path):
    _, results = undisturbed

    def attempt(trial):
        damages, place = trial
        run = killed.copy(tmp_path / "-".join(how + name for name, how in damages))
        for name, how in damages:
            damage(run.resume / name, how)
        done = run.finish()
        lines = done.stderr.splitlines()
        assert len(lines) == len(damages)
        for line, (name, _) in zip(lines, damages):
            assert line.startswith(f"warning: {run.resume / name[:6]}.json: damaged (")
        assert lines[-1].endswith("; the one before is used" if place else "; the run begins anew")
        assert ("goes on from a checkpoint" in done.stdout) == bool(place)
        assert place in done.stdout
        return damages, run.results() == results

    assert [damages for damages, is_same in in_parallel(attempt, DAMAGED.items()) if not is_same] == []


def test_a_clock_that_was_set_back_does_not_matter(undisturbed, killed, tmp_path):
    run = killed.copy(tmp_path / "run")
    for path in run.resume.iterdir():
        os.utime(path, (0, 0) if "7" in path.name else (2**32, 2**32))
    assert "goes on from a checkpoint: megabatch 3, after epoch 1\n" in run.finish().stdout
    assert run.results() == undisturbed[1]


def test_a_checkpoint_of_another_run_is_refused_by_name(killed, tmp_path):
    def attempt(name):
        run = killed.copy(tmp_path / name)
        if name in ("lr", "precision"):
            run.settings = run.settings | {"lr": 0.06, "precision": "bfloat16"}
            run.settings |= {key: killed.settings[key] for key in ("lr", "precision") if key != name}
        else:  # as another version of the code, or other data, wrote it
            for path in run.resume.glob("*.json"):
                content = json.loads(path.read_text())
                content["identity"][name] = 0
                path.write_text(render(seal(content)))
        before = run.checkpoints()
        done = run.go()
        assert done.returncode == 2
        lines = [line for line in done.stderr.splitlines() if "bfloat16 is emulated" not in line]
        assert len(lines) == 1
        assert lines[0].startswith(f"error: {name}: {run.resume}/000007.json is not allowed: "), done.stderr
        assert run.checkpoints() == before
        assert {path.name for path in run.out.iterdir()} == {"resume", "run.lock"}

    in_parallel(attempt, ("lr", "precision", "results_version", "data_sha256", "format"))

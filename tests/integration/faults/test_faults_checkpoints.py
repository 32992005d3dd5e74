"""Test runs in separate processes whose checkpoints are damaged, have wrong times or belong to another run."""

import json
import os
import signal

import pytest
from conftest import toy_files, write_folder
from faulty_runs import FRAGILE, Run, execution, in_parallel

from anytime_pruning.results.store import render, seal

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def fragile(tmp_path_factory, data_dir):
    """Return the settings and results of a run that takes a second and was not disturbed."""
    run = Run(tmp_path_factory.mktemp("fragile") / "run", FRAGILE | execution(data_dir))
    run.finish()
    return run.settings, run.results()


@pytest.fixture(scope="module")
def killed(fragile, tmp_path_factory):
    """Return a run that was killed in the last epoch of megabatch 3, with checkpoints 6 and 7; tests copy the run."""
    run = Run(tmp_path_factory.mktemp("killed") / "run", fragile[0])
    assert run.go("step 60", "KILL").returncode == -signal.SIGKILL
    assert list(run.checkpoints()) == ["000006.json", "000006.safetensors", "000007.json", "000007.safetensors"]
    return run


# The damaged files with the kind of their damage, and the checkpoint from which the run then goes on, if any.
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


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(fragile, killed, tmp_path):
    _, results = fragile

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
        assert lines[-1].endswith("; the one before is used" if place else "; the run begins again")
        assert ("goes on from a checkpoint" in done.stdout) == bool(place)
        assert place in done.stdout
        return damages, run.results() == results

    assert [damages for damages, is_same in in_parallel(attempt, DAMAGED.items()) if not is_same] == []


def test_a_clock_that_was_set_back_does_not_matter(fragile, killed, tmp_path):
    run = killed.copy(tmp_path / "run")
    for path in run.resume.iterdir():
        os.utime(path, (0, 0) if "7" in path.name else (2**32, 2**32))
    assert "goes on from a checkpoint: megabatch 3, after epoch 1\n" in run.finish().stdout
    assert run.results() == fragile[1]


# The differing value of each checkpoint. These settings change the value, or if there are none, the test writes another
# value, as another version of the code or other data would.
OTHER = [
    ("lr", {"lr": 0.06}),
    ("precision", {"precision": "bfloat16"}),
    *((name, {}) for name in ("precision", "results_version", "data_sha256", "format")),
]


def test_a_checkpoint_of_another_run_is_refused_by_name(killed, tmp_path):
    def attempt(number):
        name, changes = OTHER[number]
        run = killed.copy(tmp_path / str(number))
        run.settings = run.settings | changes
        for path in () if changes else run.resume.glob("*.json"):
            content = json.loads(path.read_text())
            content["identity"][name] *= 2
            path.write_text(render(seal(content)))
        before = run.checkpoints()
        done = run.go()
        assert done.returncode == 2
        (line,) = [line for line in done.stderr.splitlines() if "bfloat16 is emulated" not in line]
        assert line.startswith(f"error: {name}: {run.resume}/000007.json is not allowed: ")
        assert run.checkpoints() == before
        assert {path.name for path in run.out.iterdir()} == {"resume", "run.lock"}

    in_parallel(attempt, range(len(OTHER)))


def test_a_run_does_not_go_on_with_other_images(data_dir, tmp_path):
    """Change an image of a folder whose content no setting names."""
    images = write_folder(toy_files(n_train=40, size=8), tmp_path / "images")
    dataset = {"name": "toy", "source": "image_folder", "path": str(images), "image_size": 8}
    changes = {"dataset": dataset, "train_limit": None, "pruner": "snip"}
    run = Run(tmp_path / "run", FRAGILE | execution(data_dir) | changes)
    assert run.go("step 9", "KILL").returncode == -signal.SIGKILL
    (images / "train" / "cat" / "0.png").write_bytes((images / "train" / "dog" / "1.png").read_bytes())
    done = run.go()
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: data_sha256: ")
    assert "Traceback" not in done.stderr

"""Test which checkpoint a run reads and keeps, and which checkpoints a run refuses."""

import json
import os

import pytest
import torch

from anytime_pruning.foundation.errors import CapacityError, SettingError
from anytime_pruning.runs.checkpointing.files import Checkpoints

IDENTITY = {"results_version": 1, "lr_milestones": (1, 2), "dataset": {"name": "digits"}}


@pytest.fixture
def checkpoints(tmp_path):
    """Write three checkpoints, each of which holds its number."""
    checkpoints = Checkpoints(tmp_path / "resume", IDENTITY)
    for number in (1, 2, 3):
        checkpoints.write({"number": number}, {"weight": torch.full((2, 3), float(number))})
    return checkpoints


def number_in(checkpoints):
    content, tensors = checkpoints.read()
    assert torch.equal(tensors["weight"], torch.full((2, 3), float(content["number"])))
    return content["number"]


def test_the_newest_is_read_and_the_newest_two_are_kept(checkpoints):
    assert number_in(checkpoints) == 3
    kept = ["000002.json", "000002.safetensors", "000003.json", "000003.safetensors"]
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == kept


def test_none_is_there_before_the_first(tmp_path):
    checkpoints = Checkpoints(tmp_path / "resume", IDENTITY)
    assert checkpoints.read() is None
    assert not checkpoints.exist()
    checkpoints.write({}, {"weight": torch.ones(1)})
    assert checkpoints.exist()


def test_numbers_say_which_is_newest_whatever_the_clock_says(checkpoints):
    for path in checkpoints.folder.glob("000003.*"):
        os.utime(path, (0, 0))
    assert number_in(checkpoints) == 3
    checkpoints.write({"number": 4}, {"weight": torch.full((2, 3), 4.0)})
    assert number_in(checkpoints) == 4


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "changed", "empty"])
def test_a_damaged_one_is_named_and_the_one_before_is_used(checkpoints, suffix, damage, capsys):
    path = checkpoints.folder / f"000003.{suffix}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes({"truncated": path.read_bytes()[:-1], "changed": bytes(content), "empty": b""}[damage])
    assert number_in(checkpoints) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "000003.json: damaged" in line
    assert line.endswith("the one before is used")


def test_without_one_that_is_whole_the_run_begins_anew(checkpoints, capsys):
    for path in checkpoints.folder.glob("*.safetensors"):
        path.unlink()
    assert checkpoints.read() is None
    first, second = capsys.readouterr().err.splitlines()
    assert "000003.safetensors: No such file" in first
    assert second.endswith("the run begins again")


def test_a_damaged_one_is_removed_in_its_turn(checkpoints):
    (checkpoints.folder / "000002.safetensors").unlink()
    for number in (4, 5):
        checkpoints.write({"number": number}, {"weight": torch.full((2, 3), float(number))})
    assert {path.stem for path in checkpoints.folder.iterdir()} == {"000004", "000005"}


def test_tensors_without_their_json_were_never_finished(checkpoints, capsys):
    (checkpoints.folder / "000003.json").unlink()
    assert number_in(checkpoints) == 2
    assert capsys.readouterr().err == ""
    checkpoints.write({"number": 3}, {"weight": torch.full((2, 3), 3.0)})
    assert number_in(checkpoints) == 3


@pytest.mark.parametrize(
    ("name", "change", "values"),
    [
        ("results_version", {"results_version": 2}, "1, and this one has 2;"),
        ("lr_milestones", {"lr_milestones": (1, 3)}, ""),
        ("lr", {"lr": 0.5}, "its default or none, and this one has 0.5;"),
        ("dataset", {"dataset": {"name": "toy"}}, ""),
        ("pixels_sha256", {"pixels_sha256": "ab"}, "its default or none, and this one has 'ab';"),
    ],
)
def test_that_of_another_run_is_refused_by_name(checkpoints, name, change, values):
    before = {path: path.read_bytes() for path in checkpoints.folder.iterdir()}
    with pytest.raises(SettingError, match=rf"^{name}: .*000003.json is not allowed: .* by a run with {name} {values}"):
        Checkpoints(checkpoints.folder, IDENTITY | change).read()
    assert {path: path.read_bytes() for path in checkpoints.folder.iterdir()} == before


def test_that_of_another_format_is_refused(checkpoints, monkeypatch):
    monkeypatch.setattr("anytime_pruning.runs.checkpointing.files.FORMAT", 99)
    with pytest.raises(SettingError, match=r"^format: .* has 99"):
        Checkpoints(checkpoints.folder, IDENTITY).read()


def test_tensors_that_share_memory_and_lie_anyhow_are_kept_each_for_itself(tmp_path):
    base = torch.arange(24.0).view(1, 2, 3, 4)
    tensors = {"a": base, "b": base, "c": base.to(memory_format=torch.channels_last), "d": base[..., 1], "e": base > 3}
    checkpoints = Checkpoints(tmp_path, {})
    checkpoints.write({}, tensors)
    _, read = checkpoints.read()
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
    assert len(read) == 5


def test_what_cannot_be_written_leaves_the_ones_before(checkpoints, monkeypatch):
    before = {path: path.read_bytes() for path in checkpoints.folder.iterdir()}

    def fill(tensors, path):
        path.write_bytes(b"half")
        raise CapacityError("disk")

    monkeypatch.setattr("anytime_pruning.runs.checkpointing.files.save_file", fill)
    with pytest.raises(CapacityError):
        checkpoints.write({}, {"weight": torch.ones(1)})
    assert {path: path.read_bytes() for path in checkpoints.folder.iterdir()} == before


def test_a_checkpoint_runs_no_code_when_it_is_read(checkpoints):
    """Check that the files hold only text and raw numbers: one file is JSON, the other is in the safetensors format."""
    assert isinstance(json.loads((checkpoints.folder / "000003.json").read_text()), dict)
    size = int.from_bytes((checkpoints.folder / "000003.safetensors").read_bytes()[:8], "little")
    assert (
        json.loads((checkpoints.folder / "000003.safetensors").read_bytes()[8 : 8 + size])["weight"]["dtype"] == "F32"
    )

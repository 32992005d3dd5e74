"""Test that every changed byte of a checkpoint is noticed.

`integration/faults/` tests faults of whole processes.
"""

import random

import pytest
import torch

from anytime_pruning.runs.checkpointing.files import Checkpoints

N_FLIPS = 100


@pytest.fixture
def checkpoints(tmp_path):
    """Write two generations of checkpoints, as a run leaves them."""
    checkpoints = Checkpoints(tmp_path / "resume", {"lr": 0.1, "dataset": {"name": "digits"}})
    for number in (1, 2):
        generator = torch.Generator().manual_seed(number)
        tensors = {"model/weight": torch.randn(20, 10, generator=generator), "mask/weight": torch.rand(20, 10) > 0.5}
        checkpoints.write({"number": number, "rows": [{"loss": 0.1 / number, "t": t} for t in range(10)]}, tensors)
    return checkpoints


def changes(path, draw):
    """Yield contents of a file with one byte changed.

    A random byte changes at a random place, and in a JSON file each line break becomes a carriage return.
    """
    content = path.read_bytes()
    for _ in range(N_FLIPS // 4):
        place = draw.randrange(len(content))
        yield content[:place] + bytes([content[place] ^ draw.randrange(1, 256)]) + content[place + 1 :]
    if path.suffix == ".json":
        for place in (i for i, byte in enumerate(content) if byte == ord("\n")):
            yield content[:place] + b"\r" + content[place + 1 :]


def test_every_changed_byte_of_a_checkpoint_is_noticed(checkpoints, capsys):
    draw = random.Random(6)
    older, newer = sorted(checkpoints.folder.glob("*.json"))
    for generation in (newer, older):
        for path in (generation, generation.with_suffix(".safetensors")):
            whole = path.read_bytes()
            for changed in changes(path, draw):
                path.write_bytes(changed)
                found = checkpoints.read()
                (line,) = capsys.readouterr().err.splitlines()
                assert line.startswith(f"warning: {generation}: damaged (")
                assert found is None if generation == older else found[0]["number"] == 1
            path.write_bytes(whole)
        assert checkpoints.read()[0]["number"] == int(generation.stem)
        generation.unlink()

"""Test that a network which fails in mixed precision is trained without it, or refused if it is asked for."""

import pytest
import torch
from torch import nn

from anytime_pruning import register, run_stream
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.kernels import bfloat16


class Mixing(nn.Module):
    """Mix feature maps with a table of float32, in one mode or in both, by an operation that wants one type."""

    def __init__(self, n_classes, mode):
        super().__init__()
        self.conv, self.fc, self.mode = nn.Conv2d(1, 4, 3), nn.Linear(4, n_classes), mode

    def forward(self, x):
        x = self.conv(x)
        if self.mode == "both" or self.training == (self.mode == "train"):
            x = torch.lerp(x, torch.zeros(x.shape), 0.5)
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize("mode", ["both", "train", "eval"])
def test_auto_falls_back_to_float32_with_one_line_and_bfloat16_is_refused(
    mode, forget, tiny, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(bfloat16, "has_native_bfloat16", lambda device: True)
    register("model", "mixing_for_test")(lambda n_classes, image_shape: Mixing(n_classes, mode))
    settings = tiny(model="mixing_for_test", n_megabatches=1, epochs=1)
    with pytest.raises(SettingError, match="precision: 'bfloat16' is not allowed with this network: mixing_for_test"):
        run_stream(settings | {"precision": "bfloat16"}, tmp_path / "asked")
    capsys.readouterr()
    assert run_stream(settings | {"precision": "auto"}, tmp_path / "auto")["precision"] == "float32"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: precision: mixing_for_test fails in bfloat16 and computes in float32 (")

"""Whole runs of the package agree with the method as it is written a second time, in float64."""

import csv

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from anytime_pruning import build_model, register, run_stream
from anytime_pruning.pruning import mask_chooser
from anytime_pruning.stream.images import ImageSet
from tests.whole.plain_method import PlainStream, Recorded


class Exact(nn.Module):
    """Classifies images in float64; always begins with the same weights."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1, stride=2, bias=False)
        self.bn2 = nn.BatchNorm2d(12)
        self.shortcut = nn.Conv2d(8, 12, 1, stride=2)
        self.classifier = nn.Linear(12, n_classes)
        generator = torch.Generator().manual_seed(5)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.kaiming_normal_(p.data, generator=generator)
            else:
                nn.init.uniform_(p.data, 0.5, 1, generator=generator)
        self.double()

    def forward(self, images):
        """Return the logits [B, n_classes] of images [B, C, H, W]."""
        x = self.bn1(self.conv1(images.double())).relu()
        x = (self.bn2(self.conv2(x)) + self.shortcut(x)).relu()
        return self.classifier(x.mean((2, 3)))


def build_exact(n_classes, image_shape):
    """Build the network of these tests."""
    return Exact(n_classes)


SETTINGS = {
    "dataset": "digits",
    "model": "exact",
    "n_megabatches": 4,
    "train_limit": 400,
    "epochs": 3,
    "batch_size": 16,
    "lr": 0.05,
    "lr_milestones": [2],
    "momentum": 0.9,
    "weight_decay": 0.005,
    "tau": 4.5,
    "precision": "float32",
    "execution": {"device": "cpu", "threads": 1},
}
SERIES = [("app", "snip"), ("app", "magnitude"), ("osp", "snip"), ("dense", "none")]


@pytest.fixture
def recorded(monkeypatch, forget):
    """Record the draws of the runs of a test, which know the network `exact`."""
    register("model", "exact")(build_exact)
    draws = Recorded([], [])
    take, draw = ImageSet.take, mask_chooser.draw_scoring_weights

    def taking(images, indices, *augmentation):
        batch = take(images, indices, *augmentation)
        draws.batches.append((indices, *batch))
        return batch

    def drawing(network, generator):
        draw(network, generator)
        draws.fresh.append({name: p.detach().clone() for name, p in network.named_parameters() if p.dim() == 4})

    monkeypatch.setattr(ImageSet, "take", taking)
    monkeypatch.setattr(mask_chooser, "draw_scoring_weights", drawing)
    return draws


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("protocol", ["paper", "released"])
@pytest.mark.parametrize(("method", "pruner"), SERIES)
def test_every_run_agrees_with_the_method_written_a_second_time(recorded, tmp_path, method, pruner, protocol, seed):
    settings = SETTINGS | {"method": method, "pruner": pruner, "protocol": protocol, "seed": seed}
    metrics = run_stream(settings, tmp_path)
    rows, layers = read(tmp_path / "megabatches.csv"), read(tmp_path / "layers.csv")
    weights = load_file(tmp_path / "weights.safetensors")
    network = build_model("exact", 10, (1, 8, 8), metrics["input"]["mean"], metrics["input"]["std"])
    plain = PlainStream(network, settings, int(rows[0]["test_count"]), recorded)

    errors, seen, first = 0, set(), set()
    for row, expected in zip(rows, plain.run(), strict=True):
        assert int(row["best_epoch"]) == expected["best_epoch"]
        assert int(row["error_count"]) == expected["error_count"]
        for gap in ("generalization_gap_pct", "clean_gap_pct"):
            assert float(row[gap]) == pytest.approx(expected[gap], abs=1e-9)
        kept = {layer["layer"]: int(layer["kept"]) for layer in layers if layer["t"] == row["t"]}
        assert all(kept[name] == count for name, count in expected["kept"].items())
        # Replay keeps all images, an epoch has each of them once, and none is validated on.
        trained = set(expected["trained"])
        assert seen < trained
        assert len(trained) == len(expected["trained"])
        assert not trained & set(expected["validated"])
        # Images are scored that may be trained on: a new draw from all so far, or always the first megabatch's.
        first = trained if protocol == "paper" else (first or trained)
        assert expected["scored"] <= first
        errors, seen = errors + expected["error_count"], trained
    assert not recorded.batches
    assert not recorded.fresh
    assert metrics["final"]["cumulative_error_count"] == errors
    # The learning rate is a float32 in the package and a float64 here.
    torch.testing.assert_close(network.state_dict(), weights, rtol=1e-5, atol=1e-8)


def read(path):
    """Return the rows of a table."""
    with path.open() as file:
        return list(csv.DictReader(file))

"""Test that each thing that a user may add, such as a pruner or a dataset, takes one file and one import.

Nothing else in the project knows the name of such an addition.
"""

import json
import sys

import pytest
import torch
from conftest import read_csv
from safetensors.torch import load_file

from anytime_pruning import run_stream
from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.figures.draw import draw
from anytime_pruning.pruning.mask_chooser import MaskChooser
from anytime_pruning.settings.study import PlannedRun, plan_study
from anytime_pruning.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("forget")


@pytest.fixture(autouse=True)
def import_anew():
    """Let each test import its addition for the first time, so that the import is what registers it."""
    for name in [name for name in sys.modules if name.startswith("additions")]:
        del sys.modules[name]


def test_a_pruner(tiny, tmp_path, monkeypatch):
    from additions import pruner  # noqa: F401

    seen = []
    choose = MaskChooser.choose

    def watched(self, masks, *others):
        chosen = choose(self, masks, *others)
        weights = dict(self.model.named_parameters())
        kept, gone = (torch.cat([weights[n][m if keep else ~m] for n, m in chosen.items()]) for keep in (True, False))
        seen.append(kept.abs().max() <= gone[gone != 0].abs().min() or bool(masks))
        return chosen

    monkeypatch.setattr(MaskChooser, "choose", watched)
    run_stream(tiny(pruner="smallest", epochs=1), tmp_path)
    assert seen == [True] * 3
    assert [float(row["density_measured"]) for row in read_csv(tmp_path / "megabatches.csv")] == pytest.approx(
        [0.8, 0.8**2.75, 0.8**4.5], abs=1e-5
    )


def test_a_schedule(tiny, tmp_path):
    from additions import schedule  # noqa: F401

    run_stream(tiny(method="linear", epochs=1), tmp_path)
    rows = read_csv(tmp_path / "megabatches.csv")
    assert [float(row["density_measured"]) for row in rows] == pytest.approx([5 / 6, 4 / 6, 3 / 6], abs=1e-5)


def test_a_start(tiny, tmp_path, monkeypatch):
    from additions import start  # noqa: F401

    before, after = [], []
    train = Trainer.train_megabatch

    def watched(self, *args):
        before.append(self.model.network.fc.weight.detach().clone())
        before.append({name: weight.detach().clone() for name, weight in self.model.named_parameters()})
        before.append([velocity.clone() for velocity in self.optimizer.velocities])
        result = train(self, *args)
        after.append({name: weight.detach().clone() for name, weight in self.model.named_parameters()})
        return result

    monkeypatch.setattr(Trainer, "train_megabatch", watched)
    settings = tiny(start="halved", method="dense", epochs=1)
    run_stream(settings, tmp_path / "halved")
    name = "network.conv1.weight"
    for t in (1, 2):
        assert torch.equal(before[3 * t + 1][name], after[t - 1][name] / 2)
        assert not any(velocity.any() for velocity in before[3 * t + 2])
    run_stream(settings | {"start": "warm"}, tmp_path / "warm")
    digests = [json.loads((tmp_path / name / "metrics.json").read_text())["digest"] for name in ("halved", "warm")]
    assert digests[0] != digests[1]


def test_a_selection(tiny, tmp_path):
    from additions import selection  # noqa: F401

    run_stream(tiny(selection="last_places", method="osp", epochs=1), tmp_path)
    weight = load_file(tmp_path / "weights.safetensors")["network.blocks.8.conv2.weight"].flatten() != 0
    assert not weight[: weight.numel() // 2].any()
    assert weight[-weight.numel() // 4 :].all()


def test_a_replay_policy(tiny, tmp_path):
    from additions import replay  # noqa: F401

    run_stream(tiny(replay="every_other", epochs=1), tmp_path)
    counts = [int(row["train_count"]) for row in read_csv(tmp_path / "megabatches.csv")]
    assert counts == [27, 14 + 27, 14 + 14 + 27]


def test_a_dataset(tiny, tmp_path):
    from additions import dataset  # noqa: F401

    run_stream(tiny(dataset="squares", epochs=1), tmp_path)
    images = json.loads((tmp_path / "metrics.json").read_text())["input"]
    assert (images["n_classes"], images["image_shape"]) == (2, [1, 8, 8])
    assert [int(row["test_count"]) for row in read_csv(tmp_path / "megabatches.csv")] == [50, 50, 50]


def test_a_tracker(tiny, tmp_path):
    from additions import tracker  # noqa: F401

    settings = tiny(epochs=1)
    run_stream(settings | {"execution": {**settings["execution"], "tracker": "lines"}}, tmp_path)
    reports = [json.loads(line) for line in (tmp_path / "reports.jsonl").read_text().splitlines()]
    assert [report["samples"] for report in reports if "megabatch/test_acc_pct" in report] == [27, 27 * 3, 27 * 6]


def test_a_figure(trained_study, tmp_path):
    from additions import figure  # noqa: F401

    content = {"study": "tiny", "grid": [{"dataset": "digits", "model": "resnet20", "seed": [0, 1]}]}
    assert "accuracies" in plan_figures(plan_study(content)[1])
    runs = [
        PlannedRun(row["run"], plan_study(content)[1][0].settings)
        for row in read_csv(trained_study / "tables" / "runs.csv")
    ]
    planned = plan_figures(runs)["accuracies"]
    draw(planned, trained_study / "tables", tmp_path / "accuracies")
    assert {path.name for path in tmp_path.iterdir()} == {f"accuracies.{ending}" for ending in ("png", "pdf", "csv")}
    assert [row["run"] for row in read_csv(tmp_path / "accuracies.csv")] == [run.name for run in runs]

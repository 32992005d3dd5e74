"""Test that the README is short and that what it shows works as printed."""

import re

import pytest
import torch
from conftest import ROOT
from documentation.pages import README, code_blocks

from anytime_pruning import build_model
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.orchestration.forecast.estimate import describe_cost
from anytime_pruning.orchestration.forecast.machines import read_machines
from anytime_pruning.settings.study import plan_study

TEXT = README.read_text()


def test_it_is_short_and_in_the_right_order():
    lines = TEXT.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "!["))] == []
    assert re.findall(r"^## (.+)$", TEXT, re.MULTILINE) == [
        *("Status", "What was found", "Install", "Quick start", "Your own network", "The paper's grid"),
        *("Verified, and not", "Documentation", "Cite"),
    ]


def test_your_own_network(forget, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(code_blocks(TEXT, "python")[0], {})
    assert (tmp_path / "results" / "my_net" / "metrics.json").exists()


def test_your_own_training_loop():
    block = code_blocks(TEXT, "python")[1]
    assert len(block.splitlines()) <= 15
    torch.manual_seed(0)
    model = build_model("resnet20", n_classes=10, image_shape=(3, 8, 8))
    batches = [(torch.rand(4, 3, 8, 8), torch.randint(10, (4,)))]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scope = {"torch": torch, "model": model, "stream": [batches] * 3, "optimizer": optimizer}
    exec(block, scope)
    weights = dict(model.named_parameters())
    left = sum(int((weights[name] != 0).sum()) for name in scope["kept"])
    assert left == round(0.366 * sum(mask.numel() for mask in scope["kept"].values()))


def test_every_image_is_in_the_repository_or_a_badge():
    for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT):
        assert target.startswith("https://img.shields.io/badge/") or (README.parent / target).is_file(), target


def estimated_hours(study, tmp_path):
    """Return the number of runs of a study, its hours on the measured GPU and how many runs these leave out."""
    content = read_yaml(ROOT / "config" / f"{study}.yaml")
    content["execution"]["data_dir"] = str(tmp_path)  # a cache would make more runs countable
    runs = [run.settings for run in plan_study(content)[1]]
    line = describe_cost(runs, read_machines(ROOT / "benchmarks" / "results"))
    hours = float(re.search(r"About ([\d.]+) hours of NVIDIA H200, as measured", line).group(1))
    return len(runs), hours, sum(map(int, re.findall(r"not counted: (\d+) of", line)))


def test_the_costs_are_those_of_the_plans(tmp_path):
    cifar, imagenet = (estimated_hours(study, tmp_path) for study in ("paper", "paper-imagenet"))
    headline = estimated_hours("gpu-cifar100-resnet50", tmp_path)
    hours = f"{cifar[1] + imagenet[1]:.0f}"[:-1] + "0"
    assert f"{cifar[0] + imagenet[0]} runs, about {hours} hours of an H200" in TEXT
    assert f"take about {hours} hours of an H200" in TEXT
    assert f"{headline[0]} runs, about {headline[1]:.0f} hours of an H200" in TEXT
    assert f"**A GPU**, about {headline[1]:.0f} hours of an H200 by its measured speed" in TEXT
    assert f"# Study gpu-cifar100-resnet50: {headline[0]} runs, {headline[0]} of them to train." in TEXT
    assert f"Nine of the {cifar[0] + imagenet[0]} runs are not counted." in " ".join(TEXT.split())
    assert cifar[2:] + imagenet[2:] == (0, 9)
    for name in ("index", "speed"):
        page = " ".join((ROOT / "docs" / "results" / f"{name}.md").read_text().split())
        assert f"about {60 * headline[1] / headline[0]:.0f} minutes" in page
    page = (ROOT / "docs" / "how-to" / "paper-grid.md").read_text()
    for runs, hours, _ in (cifar, imagenet):
        assert re.search(rf"\| {runs} \| {hours:.0f}\b", page)


@pytest.mark.parametrize("what", ["the paper's own grid", "the paper's headline"])
def test_what_has_not_run_is_said(what):
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| {what}")]
    assert "**not run**" in row

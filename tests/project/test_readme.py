"""Test that everything that the README shows works as printed."""

import re

import pytest
import yaml
from conftest import ROOT, toy_files, write_archive

import anytime_pruning
from anytime_pruning.datasets import archive_limits, decoding
from anytime_pruning.datasets.image_folder import ImageFolder
from anytime_pruning.datasets.restricted_imagenet import RestrictedImageNet
from anytime_pruning.foundation import errors, registry, safe_text
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.registry import names
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.settings import run, study
from anytime_pruning.settings.execution import ExecutionSettings
from anytime_pruning.settings.run import RunSettings, parse_settings
from anytime_pruning.settings.study import Study, plan_study

README = (ROOT / "README.md").read_text()


def block(language, containing):
    """Return the only fenced block of a language that contains a text."""
    (found,) = [b for b in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in b]
    return found


def test_your_own_network(forget, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(block("python", "my_net"), {})
    assert (tmp_path / "results" / "my_net" / "metrics.json").exists()


def test_a_new_pruner_and_the_parts(forget, toy_model, toy_batches):
    registry._registered["pruner"].pop("gradient", None)  # somebody who followed the recipe has this pruner already
    exec(block("python", "gradient"), {})
    assert "gradient" in names("pruner")
    scope = {
        "model": toy_model,
        "batches": toy_batches,
        **{n: getattr(anytime_pruning, n) for n in ("score", "select_masks")},
    }
    exec(block("python", "scores = score(model").replace('"snip"', '"gradient"'), scope)
    assert sum(int(mask.sum()) for mask in scope["masks"].values()) == round(0.366 * 51)


def test_your_own_data(tmp_path):
    entry = yaml.safe_load(block("yaml", "flowers"))
    entry["datasets"]["flowers"]["path"] = str(write_archive(toy_files(), tmp_path / "flowers.zip"))
    assert entry["datasets"]["flowers"]["content_sha256"] == "0" * 64
    (run,) = plan_study(entry | {"study": "s", "grid": [{"dataset": "flowers", "model": "resnet20"}]})[1]
    with pytest.raises(DataError, match="content_sha256 is"):
        run.settings.dataset.read(tmp_path)
    read = run.settings.dataset.model_copy(update={"content_sha256": None}).read(tmp_path)
    assert read.train_images.shape == (8, 3, 32, 32)


def test_every_key_and_column_is_explained_and_defaults_are_right():
    keys = {*Study.model_fields, *RunSettings.model_fields, *ExecutionSettings.model_fields}
    keys |= {*ImageFolder.model_fields, *RestrictedImageNet.model_fields}
    rows = {*MegabatchRow.__dataclass_fields__, *LayerRow.__dataclass_fields__, *EpochRow.__dataclass_fields__}
    missing = [key for key in keys | rows if f"`{key}`" not in README]
    assert set(missing) <= {"name", "source"}  # a dataset's name is its key, and the source is shown with its value
    settings = parse_settings({"dataset": "digits", "model": "resnet20"})
    table = README.split("Settings of a run (default):")[1].split("##")[0]
    shown = dict(re.findall(r"`(\w+)` \(([^)]+)\)", table))
    assert len(shown) > 15
    for key, text in shown.items():
        value = getattr(settings, key)
        words = {"None": "all", "True": "true"}
        expected = ", ".join(map(str, value)) if isinstance(value, tuple) else words.get(str(value), str(value))
        assert text == expected, key


def test_limits_are_the_stated_ones():
    text = README.split("## Limits")[1].split("\n## ")[0]
    numbers = [safe_text.MAX_BYTES, safe_text.MAX_DEPTH, safe_text.MAX_VALUES, study.MAX_RUNS, run.MAX_MEGABATCHES]
    numbers += [errors.MESSAGE_LIMIT, errors.VALUE_LIMIT, archive_limits.MAX_MEMBERS, decoding.MAX_PIXELS]
    stated = [f"{number:,}" for number in numbers]
    stated += [f"{archive_limits.MAX_TOTAL_BYTES / 2**30:.0f} GiB", f"{archive_limits.MAX_FILE_BYTES / 2**20:.0f} MiB"]
    stated += decoding.FORMATS
    assert [number for number in stated if not re.search(rf"\b{number}\b", text)] == []


def test_results_are_the_stored_ones():
    for name in ("cifar10-jpeg", "cifar10", "cifar100"):
        assert (ROOT / "paper_figures" / name / "results.md").read_text() in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for command in re.findall(r"`make ([\w-]+)`", README):
        assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command


def test_every_promise_names_tests_that_there_are():
    section = README.split("## What is promised and how it is tested")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 20
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert [name for name in named if f"def {name}(" not in written] == []

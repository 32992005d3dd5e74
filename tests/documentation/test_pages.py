"""Test that commands, files, names, settings and code on the pages of the documentation are those of the project."""

import re
import tomllib
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT, toy_files, write_archive
from documentation.pages import NAMES, code_blocks, code_of, read

import anytime_pruning
from anytime_pruning import run_stream
from anytime_pruning.cli.main import COMMANDS
from anytime_pruning.datasets import archive_limits, decoding
from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.foundation import errors, registry, safe_text
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.registry import names
from anytime_pruning.foundation.torch_fixes.torchvision_shim import import_torchvision
from anytime_pruning.orchestration.study_paths import StudyPaths
from anytime_pruning.results import layout
from anytime_pruning.settings import run, study
from anytime_pruning.settings.study import plan_study

TARGETS = set(re.findall(r"^([a-z][\w-]*):", read("Makefile"), re.MULTILINE))
# These places in prose are made by a user or by a command.
MADE = (
    "results/",
    "paper_figures/demo/",
    "paper_figures/mine/",
    "config/mine.yaml",
    "site/",
    "envs/anytime-pruning.sif",
)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_a_page_names_is_there(name):
    for line in code_of(read(name)):
        for target in re.findall(r"^(?:\w+=\S+ )*make ([a-z][\w-]*)", line):
            assert target in TARGETS, line
        for command in re.findall(r"(?:python -m anytime_pruning|^anytime-pruning) ([a-z]+)", line):
            assert command in COMMANDS, line


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_a_page_names_is_there(name):
    for path in re.findall(
        r"`((?:config|envs|profiles|benchmarks|tests|workflow|paper_figures)/[\w./-]+)`", read(name)
    ):
        assert path.startswith(MADE) or (ROOT / path).exists(), path
    for path in re.findall(r"--configfile (config/[\w.-]+)", read(name)):
        assert path.startswith(MADE) or (ROOT / path).exists(), path


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_page_leads_to_a_file(name):
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", read(name)):
        path = (ROOT / name).parent / target
        assert path.exists() or target.startswith("../images/"), target


def test_your_own_network_and_training_loop(forget, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network, loop = code_blocks(read("docs/how-to/network.md"), "python")
    assert network == code_blocks(read("README.md"), "python")[0]
    exec(network, {})
    (load,) = code_blocks(read("docs/how-to/export.md"), "python")
    scope = {}
    exec(load.replace("results/<study>/runs/<run>", "results/my_net"), scope)
    assert scope["network"](torch.rand(2, 1, 8, 8)).shape == (2, 10)
    exec(loop, scope := {})
    weights = dict(scope["model"].named_parameters())
    kept = sum(int((weights[name] != 0).sum()) for name in scope["kept"])
    assert kept == round(0.366 * sum(mask.numel() for mask in scope["kept"].values()))


def test_the_tutorial_loads_a_network_of_a_study(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "digits/resnet20/T3/app/snip/seed0-0123456789ab"
    run_stream(tiny(epochs=1), layout.run_dir("mine", name), layout.weights_path("mine", name))
    (block,) = code_blocks(read("docs/tutorial.md"), "python")
    exec(block, scope := {})
    assert scope["logits"].shape == (1, 10)


def test_the_example_of_a_network_with_few_convolutions():
    with torch.device("meta"):
        network = import_torchvision().models.vit_b_16()
    convolutions = sum(part.weight.numel() for part in network.modules() if isinstance(part, torch.nn.Conv2d))
    share = 100 * convolutions / sum(parameter.numel() for parameter in network.parameters())
    assert f"`vit_b_16`, for example, has only {share:.1f} % of its weights" in " ".join(
        read("docs/how-to/network.md").split()
    )


def test_a_new_pruner(forget, toy_model, toy_batches):
    registry._registered["pruner"].pop("gradient", None)  # somebody who followed the recipe has this pruner already
    (block,) = code_blocks(read("docs/how-to/parts.md"), "python")
    exec(block, {})
    scores = anytime_pruning.score(toy_model, "gradient", toy_batches)
    masks = anytime_pruning.select_masks(scores, density=0.366)
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.366 * 51)


def test_your_own_data(tmp_path):
    flowers, cifar = (yaml.safe_load(block) for block in code_blocks(read("docs/how-to/data.md"), "yaml"))
    flowers["datasets"]["flowers"]["path"] = str(write_archive(toy_files(), tmp_path / "flowers.zip"))
    content = {"study": "s", "grid": [{"dataset": ["flowers", "cifar100"], "model": "resnet20"}]}
    first, second = plan_study(content | {"datasets": flowers["datasets"] | cifar["datasets"]})[1]
    with pytest.raises(DataError, match="content_sha256 is"):
        first.settings.dataset.read(tmp_path)
    read_images = first.settings.dataset.model_copy(update={"content_sha256": None}).read(tmp_path)
    assert read_images.train_images.shape == (8, 3, 32, 32)
    assert second.settings.dataset.path.name == "cifar100.tar.xz"


@pytest.mark.parametrize(("page", "runs"), [("docs/tutorial.md", 9), ("docs/how-to/study.md", 30)])
def test_the_studies_on_the_pages_are_planned(page, runs):
    (block,) = code_blocks(read(page), "yaml")
    assert len(plan_study(yaml.safe_load(block))[1]) == runs


def test_every_name_is_explained():
    text = read("docs/reference/names.md")
    kinds = ("method", "pruner", "selection", "start", "replay", "regrow", "model", "dataset", "protocol", "prunable")
    missing = [name for kind in (*kinds, "tracker") for name in names(kind) if f"`{name}`" not in text]
    assert [name for name in missing if "for_test" not in name and name != "gradient"] == []


def test_every_extra_is_named():
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    sentence = " ".join(read("docs/how-to/install.md").split()).partition("The extras are ")[2]
    assert sorted(re.findall(r"`([\w-]+)`", sentence)) == sorted(extras)


def test_every_file_of_a_study_and_of_a_run_is_explained():
    paths = StudyPaths("STUDY")
    files = [getattr(paths, name) for name, kind in vars(StudyPaths).items() if isinstance(kind, property)]
    files = [Path(file).name for file in files if file.startswith("results/")] + [*layout.WEIGHTS_TREES]
    files += [getattr(layout, name) for name in ("CONFIG", "MEGABATCHES", "EPOCHS", "LAYERS", "METRICS", "WEIGHTS")]
    files += [layout.LOCK, layout.RESUME, layout.SPARSE_WEIGHTS, "checkpoints.dvc"]
    assert len(files) >= 18
    text = read("docs/reference/results.md").partition("## megabatches.csv")[0]
    assert [file for file in files if not re.search(rf"[`/]{re.escape(file)}[`/]", text)] == []


def planned_kinds(study):
    """Return the files and the kinds of the figures and tables that a study has when all of it has run."""
    figures = plan_figures(plan_study(yaml.safe_load(read(f"config/{study}.yaml")))[1])
    return figures.keys() | {figure.draw for figure in figures.values()}


def test_the_papers_figures_are_of_kinds_that_the_named_studies_have():
    table = read("docs/how-to/paper-grid.md").partition("| in the paper |")[2].partition("\n\n")[0]
    rows = [[re.findall(r"`([\w-]+)`", cell) for cell in line.split("|")[2:5]] for line in table.splitlines()[2:]]
    assert len(rows) >= 8
    kinds = {study: planned_kinds(study) for study in ("paper", "paper-imagenet")}
    for here, studies, drawn in rows:
        assert here
        for name in studies or kinds:
            assert set(here) <= kinds[name], name
        for name in drawn:
            files = [path.name for path in (ROOT / "paper_figures" / name).iterdir()]
            assert all(any(file.startswith(kind) for file in files) for kind in here), name


def test_limits_are_the_stated_ones():
    text = read("docs/reference/limits.md")
    numbers = [safe_text.MAX_BYTES, safe_text.MAX_DEPTH, safe_text.MAX_VALUES, study.MAX_RUNS, run.MAX_MEGABATCHES]
    numbers += [errors.MESSAGE_LIMIT, errors.VALUE_LIMIT, archive_limits.MAX_MEMBERS, decoding.MAX_PIXELS]
    stated = [f"{number:,}" for number in numbers]
    stated += [f"{archive_limits.MAX_TOTAL_BYTES / 2**30:.0f} GiB", f"{archive_limits.MAX_FILE_BYTES / 2**20:.0f} MiB"]
    stated += decoding.FORMATS
    assert [number for number in stated if not re.search(rf"\b{number}\b", text)] == []


def test_every_promise_names_tests_that_there_are():
    rows = [line for line in read("docs/explanation/promises.md").splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 20
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert [name for name in named if f"def {name}(" not in written] == []

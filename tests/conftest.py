"""Define what tests share: a toy network, toy images, and settings of a run that takes a second."""

import csv
import gc
import io
import os
import shutil
import signal
import tarfile
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings
from PIL import Image
from torch import nn

from anytime_pruning import register, run_stream
from anytime_pruning.foundation.registry import _registered
from anytime_pruning.foundation.torch_fixes.seeding import seed_generators
from anytime_pruning.machine.nvidia import why_no_cuda
from anytime_pruning.models.build import Channels
from anytime_pruning.models.resnet_cifar import CifarResNet
from anytime_pruning.results import layout
from anytime_pruning.results.collect import collect
from anytime_pruning.settings.naming import run_name
from anytime_pruning.settings.run import parse_settings

torch.set_num_threads(1)
# The tests compute on the CPU of a machine whose GPU torch cannot use, and `device: auto` has to be told so.
if why_no_cuda():
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
# A shell makes a process in its background ignore SIGINT, and the processes that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Property tests have no deadline, because the first call of torch is slow and no property is about time.
settings.register_profile("project", deadline=None, derandomize=True)
settings.register_profile(
    "fuzz", deadline=None, max_examples=10_000, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("project")
ROOT = Path(__file__).parent.parent
# What a worker and the processes that its tests start need at most.
WORKER_BYTES = 4 << 30


@pytest.hookimpl(optionalhook=True)  # of a plugin that need not be installed
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers for `-n auto`: one more than cores, as far as their memory is there.

    They wait for disks and for other processes, too.
    """
    return max(1, min(len(os.sched_getaffinity(0)) + 1, psutil.virtual_memory().available // WORKER_BYTES))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest modules begin first, so that no worker is left alone with one of them at the end."""
    seconds: dict[Path, int] = {}
    for item in items:
        for mark in item.iter_markers("long"):
            seconds[item.path] = max(seconds.get(item.path, 0), mark.args[0])
    items.sort(key=lambda item: -seconds.get(item.path, 0))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while modules and tests are made, a fifth of that time, and never again search them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _fresh():
    """Begin each test with the same random numbers and one thread, whichever tests ran before it in its process.

    Two threads on busy cores wait for each other in loops, which takes up to ten times the time of a processor.
    """
    seed_generators(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """Return one data folder for all tests, so that digits are read once."""
    return tmp_path_factory.mktemp("data")


def build_small(n_classes: int, image_shape: tuple[int, int, int], channels: Channels = int) -> nn.Module:
    """Build a relative of ResNet-20 that is much faster: it has a block in each stage and half of the channels."""
    return CifarResNet(1, n_classes, image_shape[0], lambda number: channels(number // 2))


@pytest.fixture
def small(forget):
    """Return the name of a network that is much faster than ResNet-20, and that other processes do not know."""
    register("model", "small")(build_small)
    return "small"


@pytest.fixture
def tiny(data_dir):
    """Return a function that makes the settings of a tiny run, changed by its keyword arguments."""

    def make(**changes):
        settings = {
            "dataset": "digits",
            "model": "resnet20",
            "n_megabatches": 3,
            "train_limit": 90,
            "epochs": 2,
            "lr_milestones": [1],
            "batch_size": 16,
            "lr": 0.05,
            "execution": {"device": "cpu", "threads": 1, "data_dir": str(data_dir)},
        }
        return settings | changes

    return make


@pytest.fixture
def make_trainer(tiny, data_dir):
    """Return a function that makes a trainer of ResNet-20 on digits from changes to the tiny settings."""
    from trainers import build_trainer

    def make(device="cpu", record=None, channels_last=None, **changes):
        return build_trainer(tiny(**{"precision": "float32"} | changes), data_dir, device, record, channels_last)

    return make


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Return a function that lets the first worker make a folder, which all workers of pytest-xdist then share."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make_once(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = base / name, base / f"{name}.done"
        with FileLock(base / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return make_once


@pytest.fixture(scope="session")
def trained_study(made_once):
    """Return the folder of a study of three runs, with weights and tables where the workflow puts them."""

    def train(folder: Path) -> None:
        study = folder / "tiny"
        tiny = {"dataset": "digits", "model": "resnet20", "n_megabatches": 2, "train_limit": 400, "epochs": 2}
        tiny |= {"precision": "float32", "lr_milestones": [], "batch_size": 16}
        tiny |= {"execution": {"device": "cpu", "data_dir": str(folder / "data")}}
        names = []
        for changes in ({"lr": 0.05}, {"method": "dense"}, {"protocol": "released", "seed": 1}):
            settings = parse_settings(tiny | changes)
            names.append(run_name(settings))
            run_stream(settings, study / "runs" / names[-1], study / "checkpoints" / names[-1] / layout.WEIGHTS)
        collect(names, study / "runs", study / "tables")

    return made_once("trained", train) / "tiny"


@pytest.fixture(scope="session")
def tiny_project(made_once):
    """Return a checkout in which the tiny study ran once, which no test may change, and what Snakemake said."""
    from checkout import make_checkout, snakemake

    def run_study(folder: Path) -> None:
        done = snakemake(make_checkout(folder / "project"))
        assert done.returncode == 0, done.stderr
        (folder / "said.txt").write_text(done.stderr)

    folder = made_once("tiny", run_study)
    return folder / "project", (folder / "said.txt").read_text()


@pytest.fixture
def study(trained_study, tmp_path):
    """Return a copy of the trained study, which a test may damage."""
    return shutil.copytree(trained_study, tmp_path / "tiny")


@pytest.fixture
def run(study):
    """Return the folder of the first run of the study, by APP in the protocol of the paper."""
    (folder,) = (study / "runs").rglob("app/snip/seed0-*")
    return folder


@pytest.fixture
def toy_model():
    """Return two convolutions, batch norm and a classifier, in float64 so that derivatives are exact."""
    seed_generators(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.Tanh(),
        nn.Conv2d(3, 2, 2, bias=False),
        nn.Flatten(),
        nn.Linear(2 * 3 * 3, 4),
    ).double()


@pytest.fixture
def toy_batches():
    """Return two batches of different sizes for `toy_model`: images [B, 1, 4, 4] and labels [B]."""
    generator = torch.Generator().manual_seed(1)
    return [(torch.rand(n, 1, 4, 4, dtype=torch.float64, generator=generator), torch.arange(n) % 4) for n in (5, 3)]


@pytest.fixture
def forget():
    """Remove what a test registers, but keep what modules register when a test is the first to import them."""
    from anytime_pruning import datasets, models  # noqa: F401
    from anytime_pruning.pruning import pruners  # noqa: F401
    from anytime_pruning.runs import trackers  # noqa: F401
    from anytime_pruning.stream import replay  # noqa: F401

    before = {kind: dict(things) for kind, things in _registered.items()}
    yield
    for kind, things in before.items():
        _registered[kind].clear()
        _registered[kind].update(things)


def encode(image: Image.Image, kind: str = "PNG") -> bytes:
    """Return the bytes of an image file."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def toy_files(n_train: int = 4, n_test: int = 2, size: int = 6) -> dict[str, bytes]:
    """Return the files of a toy image folder by path: cats and dogs, each image with a brightness of its own."""
    files = {}
    for split, count in (("train", n_train), ("test", n_test)):
        for label, name in enumerate(("cat", "dog")):
            for i in range(count):
                value = (10 * (label * count + i) + (100 if split == "test" else 0)) % 256
                pixels = np.full((size, size, 3), value, np.uint8)
                files[f"{split}/{name}/{i}.png"] = encode(Image.fromarray(pixels))
    return files


def write_folder(files: dict[str, bytes], folder: Path) -> Path:
    """Write files into a folder and return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_archive(files: dict[str, bytes], path: Path) -> Path:
    """Write files into a .zip or a tar archive, whichever the ending of the path names, and return the path."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    mode = {".tar": "w", ".xz": "w:xz", ".gz": "w:gz"}[path.suffix]
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def read_csv(path):
    """Return the rows of a table as texts."""
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def without_times(path):
    """Return the rows of a table without times, which differ between equal runs."""
    rows = read_csv(path)
    return [{key: value for key, value in row.items() if "seconds" not in key} for row in rows]

"""Test that the kit for a GPU machine without a network arrives bit by bit, or says what is missing or damaged."""

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version

import numpy as np
import pytest
from conftest import ROOT
from safetensors.numpy import save_file

from benchmarks.gpu_day.plan import _files_with_gpu_tests
from benchmarks.gpu_kit import __main__ as kit
from benchmarks.gpu_kit import unpack
from benchmarks.gpu_kit.packing import pack_cache

# The packages that the description of the kit expects on such a machine.
PRESENT = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "safetensors")


def write_cache(path, shape=(7, 3, 32, 32), n_test=3):
    draw = np.random.default_rng(0)
    arrays = {
        "train_images": draw.integers(0, 256, shape, np.uint8),
        "train_labels": np.arange(shape[0]),
        "test_images": draw.integers(0, 256, (n_test, *shape[1:]), np.uint8),
        "test_labels": np.arange(n_test),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, path, metadata={"header": json.dumps({"name": "toy"})})
    return path


@pytest.mark.parametrize("shape", [(7, 3, 32, 32), (1, 3, 5, 9), (520, 3, 4, 4), (4, 1, 8, 8), (0, 3, 8, 8)])
def test_a_cache_is_packed_without_loss(tmp_path, shape):
    """Check images of several strips, of one channel, of odd sizes, and none at all."""
    cache = write_cache(tmp_path / "toy.safetensors", shape)
    pack_cache(cache, tmp_path / "packed")
    assert unpack.unpack_cache((tmp_path / "packed").read_bytes()) == cache.read_bytes()


def test_photographs_become_smaller(tmp_path):
    """Pack slopes of brightness, which are as smooth as photographs."""
    slope = np.broadcast_to(np.arange(32, dtype=np.uint8) * 3, (200, 3, 32, 32)).copy()
    save_file({"train_images": slope}, tmp_path / "toy.safetensors")
    pack_cache(tmp_path / "toy.safetensors", tmp_path / "packed")
    assert (tmp_path / "packed").stat().st_size < 0.2 * slope.nbytes


@pytest.fixture
def gathered(tmp_path, monkeypatch, capsys):
    """Return a kit of one toy wheel and one cache in several pieces, and the cache."""
    wheel = tmp_path / "toy_of_the_kit-1.0-py3-none-any.whl"
    about = "toy_of_the_kit-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("toy_of_the_kit.py", "VALUE = 42\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: toy-of-the-kit\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "toy_of_the_kit.py,,\n")
    with zipfile.ZipFile(tmp_path / "wheels.zip", "w") as archive:
        archive.write(wheel, wheel.name)
    cache = write_cache(tmp_path / "data/cache/cifar10-0123.safetensors")
    monkeypatch.setattr(kit, "MIB", 20_000)

    def gather_wheels(out, python, piece_bytes):
        return {"kind": "wheels", "path": "w", **kit._split(tmp_path / "wheels.zip", "wheels", out, piece_bytes)}

    monkeypatch.setattr(kit, "_gather_wheels", gather_wheels)
    monkeypatch.setattr(kit, "is_loadable", lambda dataset, data: dataset.name == "cifar10")
    monkeypatch.setattr(kit, "load_dataset", lambda dataset, data: None)
    monkeypatch.setattr(kit, "cache_path", lambda dataset, data: cache)
    out = tmp_path / "kit"
    assert kit.main(["--data", str(tmp_path / "data"), "--out", str(out), "--piece-mib", "1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: cifar100 is missing in the kit: {tmp_path / 'data'} does not hold it; call python")
    assert line.endswith("or prepare '{source: cifar100, path: ...}' for your copy")
    return out, cache


def test_the_kit_comes_in_small_pieces_and_is_whole_when_they_are_put_together(gathered, capsys):
    out, cache = gathered
    pieces = sorted(out.glob("cifar10-*.piece*"))
    assert len(pieces) == 2
    assert all(piece.stat().st_size <= 20_000 for piece in pieces)
    assert unpack.main(out) == 0
    assert (out / "data/cache" / cache.name).read_bytes() == cache.read_bytes()
    assert (out / "site/toy_of_the_kit.py").read_text() == "VALUE = 42\n"
    assert (out / "unpack.py").read_bytes() == (ROOT / "benchmarks/gpu_kit/unpack.py").read_bytes()
    capsys.readouterr()
    assert unpack.main(out) == 0
    assert capsys.readouterr().out.count("is unpacked") == 2


def test_pieces_that_have_not_arrived_are_named_and_the_rest_is_unpacked(gathered, tmp_path, capsys):
    out, cache = gathered
    (piece,) = out.glob("cifar10-*.piece1")
    piece.rename(tmp_path / "later")
    assert unpack.main(out) == 1
    assert f"left out, because {piece.name} is not there" in capsys.readouterr().out
    assert (out / "site/toy_of_the_kit.py").exists()
    (tmp_path / "later").rename(piece)
    assert unpack.main(out) == 0
    assert (out / "data/cache" / cache.name).read_bytes() == cache.read_bytes()


def test_a_damaged_piece_is_refused(gathered, capsys):
    out, _ = gathered
    (piece,) = out.glob("cifar10-*.piece0")
    content = bytearray(piece.read_bytes())
    content[100] ^= 1
    piece.write_bytes(content)
    assert unpack.main(out) == 2
    assert f"error: {piece}: the piece does not match its SHA-256" in capsys.readouterr().err
    assert not (out / "data").exists()


def test_a_new_and_whole_kit_leaves_no_piece_of_an_old_one(gathered, tmp_path, monkeypatch):
    out, _ = gathered
    monkeypatch.setattr(kit, "DATASETS", ["cifar10"])
    assert kit.main(["--data", str(tmp_path / "data"), "--out", str(out), "--piece-mib", "50"]) == 0
    assert [piece.name for piece in out.glob("cifar10-*.piece*")] == ["cifar10-0123.piece0"]


def test_wheels_that_cannot_be_had_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kit, "_pinned", lambda: ["no-such-package==1.0"])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert kit.main(["--out", str(tmp_path), "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: pip download: the wheels for Python 3.12 cannot be had: ")


def test_the_wheels_are_pinned_and_bring_what_they_need():
    pinned = dict(pin.split("==") for pin in kit._pinned())
    assert pinned.keys() == set(kit.PACKAGES)
    plain = [line for name in kit.PACKAGES for line in requires(name) or () if ";" not in line]
    needed = {re.match(r"[\w.-]+", line)[0] for line in plain}
    # Such a machine has torch and numpy.
    assert needed - {"torch", "numpy"} <= pinned.keys()


@pytest.mark.long(20)
def test_the_day_and_its_tests_need_only_what_is_on_such_a_machine():
    """Import the program and collect the tests where no other package can be imported."""
    names, known = {*kit.PACKAGES, *PRESENT}, set()
    while names:
        known.add(name := names.pop())
        plain = (re.match(r"[\w.-]+", line)[0] for line in requires(name) or () if "extra ==" not in line)
        names |= {other for other in plain if other not in known and _is_installed(other)}
    known = {re.sub(r"[-_.]+", "-", name).lower() for name in known}
    owners = packages_distributions().items()
    absent = [module for module, by in owners if not {re.sub(r"[-_.]+", "-", name).lower() for name in by} & known]
    assert {"matplotlib", "snakemake", "onnxruntime"} <= set(absent)
    files = [str(ROOT / name) for name in _files_with_gpu_tests()]
    arguments = ["--collect-only", "-q", "-m", "gpu", "-p", "no:cacheprovider", *files]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({absent!r}))
import pytest, benchmarks.gpu_day.__main__, benchmarks.gpu_day.stages.__main__
for stage in ("probe", "speed", "compile", "candidates", "profile", "sharing", "resume"):
    benchmarks.gpu_day.stages.__main__._find(stage)
sys.exit(pytest.main({arguments!r}))
"""
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "test_semi_structured.py: 1" in done.stdout


def _is_installed(name):
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def test_unpacking_needs_no_package_of_this_project():
    """Check that the script imports only Python's own modules before the wheels are installed."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks/gpu_kit')!r}); import unpack; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert not {"numpy", "PIL", "anytime_pruning", "benchmarks"} & set(done.stdout.split())

"""Gather wheels and data for a GPU machine that has neither a network nor this project's packages.

`make gpu-kit` writes gpu-kit/: pieces of at most 36 MiB, kit.json with their SHA-256, and unpack.py, which needs only
Python, numpy and pip. Carry the kit into a checkout on that machine; the folders results/ and paper_figures/ of the
checkout are not needed there. In the checkout, call

    python3 gpu-kit/unpack.py
    PYTHONPATH=gpu-kit/site python3 -m benchmarks.gpu_day --data gpu-kit/data --out DIR

The wheels are those of the packages that such a machine lacks beside torch, torchvision, numpy, pandas, scikit-learn
and safetensors. The data are the caches of CIFAR-100 and CIFAR-10, as far as the data folder holds them or their
source. The exit status is 0, 1 if a dataset is missing, or 2 for an error.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from anytime_pruning.datasets import load_dataset, parse_dataset
from anytime_pruning.datasets.cache import cache_path, is_loadable
from anytime_pruning.foundation.errors import ArtifactError, DataError, SettingError
from anytime_pruning.foundation.files import file_sha256, write_atomically, write_text
from benchmarks.gpu_kit import unpack
from benchmarks.gpu_kit.packing import pack_cache
from benchmarks.jobs import ROOT

PACKAGES = (
    *("annotated-types", "filelock", "pillow", "pydantic", "pydantic-core", "pyyaml", "tqdm", "typing-extensions"),
    *("typing-inspection", "psutil"),
    # For the tests that are marked gpu.
    *("hypothesis", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "sortedcontainers"),
)
PINS = ("envs/requirements.txt", "envs/dev.txt")
PLATFORMS = tuple(f"manylinux{version}_x86_64" for version in ("_2_28", "_2_27", "_2_17", "2014", "1"))
DATASETS = ("cifar100", "cifar10")
MIB = 2**20


def main(arguments: list[str] | None = None) -> int:
    """Gather the kit, print its pieces, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_kit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="folder of the data (default: data)")
    parser.add_argument("--out", type=Path, default=ROOT / "gpu-kit", help="folder of the kit (default: gpu-kit)")
    parser.add_argument("--python", default="3.12", help="version of Python on that machine (default: 3.12)")
    parser.add_argument("--piece-mib", type=int, default=36, metavar="N", help="most MiB of a piece (default: 36)")
    options = parser.parse_args(arguments)
    try:
        if options.piece_mib < 1:
            raise SettingError(f"--piece-mib: {options.piece_mib} is not allowed; allowed: numbers above 0")
        pieces, missing = gather(options.data, options.out, options.python, options.piece_mib * MIB)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    for path in pieces:
        print(f"{path}: {path.stat().st_size / MIB:.1f} MiB")
    for name in missing:
        print(
            f"error: {name} is missing in the kit: {options.data} does not hold it; call python -m anytime_pruning "
            f"prepare {name} for the official archive, or prepare '{{source: {name}, path: ...}}' for your copy",
            file=sys.stderr,
        )
    return 1 if missing else 0


def gather(data: Path, out: Path, python: str, piece_bytes: int) -> tuple[list[Path], list[str]]:
    """Write the kit, and return its pieces and the names of the datasets that it lacks.

    Args:
        data: folder of the data.
        out: folder of the kit.
        python: version of Python for which the wheels are.
        piece_bytes: most bytes of a piece.

    Raises:
        DataError: the wheels cannot be downloaded, or a dataset is damaged.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in (*out.glob("*.piece*"), out / unpack.MANIFEST):
        old.unlink(missing_ok=True)
    items, missing = [_gather_wheels(out, python, piece_bytes)], []
    for name in DATASETS:
        dataset = parse_dataset(name)
        if not is_loadable(dataset, data):
            missing.append(name)
            continue
        load_dataset(dataset, data)
        items.append(_gather_cache(cache_path(dataset, data), out, piece_bytes))
    shutil.copy(Path(unpack.__file__), out / "unpack.py")
    write_text(out / unpack.MANIFEST, json.dumps({"python": python, "items": items}, indent=1) + "\n")
    return [out / piece["name"] for item in items for piece in item["pieces"]], missing


def _gather_wheels(out: Path, python: str, piece_bytes: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "wheels"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--implementation", "cp", "--python-version", python, "--dest", str(folder)]
        command += [word for platform in PLATFORMS for word in ("--platform", platform)]
        done = subprocess.run([*command, *_pinned()], capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            said = done.stderr.strip().splitlines() or [""]
            raise DataError(f"pip download: the wheels for Python {python} cannot be had: {said[-1]}")
        archive = Path(shutil.make_archive(str(Path(name) / "wheels"), "zip", folder))
        return {"kind": "wheels", "path": "wheels.zip", **_split(archive, "wheels", out, piece_bytes)}


def _pinned() -> list[str]:
    """Return the packages with the versions of this project's environments."""
    lines = [line for pins in PINS for line in (ROOT / pins).read_text(encoding="utf-8").splitlines()]
    versions = dict(line.split()[0].split("==") for line in lines if "==" in line and not line.startswith("#"))
    return [f"{name}=={versions[name]}" for name in PACKAGES]


def _gather_cache(cache: Path, out: Path, piece_bytes: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        packed = Path(name) / "packed"
        pack_cache(cache, packed)
        whole = {"unpacked_sha256": file_sha256(cache), "unpacked_bytes": cache.stat().st_size}
        return {
            "kind": "cache",
            "path": f"data/cache/{cache.name}",
            **whole,
            **_split(packed, cache.stem, out, piece_bytes),
        }


def _split(path: Path, stem: str, out: Path, piece_bytes: int) -> dict[str, Any]:
    """Write a file as pieces of about equal size."""
    size = path.stat().st_size
    count = -(-size // piece_bytes)
    pieces = []
    with open(path, "rb") as file:
        for number in range(count):
            content = file.read(-(-size // count))
            piece = out / f"{stem}.piece{number}"
            write_atomically(piece, lambda partial, content=content: partial.write_bytes(content))
            pieces.append({"name": piece.name, "bytes": len(content), "sha256": file_sha256(piece)})
    return {"pieces": pieces}


if __name__ == "__main__":
    sys.exit(main())

"""Write the lists of packages in envs/ from uv.lock, the only place where versions are chosen.

`make lock` runs this program after `uv lock`. `make lint` runs it with `--check`, which compares the lists with the
lock and writes nothing. Neither needs a network.
"""

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVS = ROOT / "envs"
NOTE = "# Written from uv.lock by `make lock`: edit pyproject.toml instead."


@dataclass(frozen=True)
class Export:
    """Describe one list of packages.

    Attributes:
        purpose: The first line of the file, a sentence.
        extras: The extras in pyproject.toml whose packages are listed, besides what the package always needs.
        hashes: Whether pip must check the hash of every file. Then only the files in the package index are accepted.
    """

    purpose: str
    extras: tuple[str, ...]
    hashes: bool = False


RUN = ("train", "workflow")
LISTS = {
    "requirements.txt": Export("Everything that `make demo` needs; pip may take a CPU build of torch.", RUN),
    "requirements.lock": Export("The same for the GPU image: pip checks the hash of every file.", RUN, hashes=True),
    "figures.txt": Export("Everything that `make figures` needs, and nothing that trains: no torch.", ("workflow",)),
    "report.txt": Export("Everything that `make report` needs: figures and Jupyter.", ("workflow", "report")),
    "docs.txt": Export("Everything that `make docs` needs: the site, the figures and Jupyter.", ("workflow", "docs")),
    "archive.txt": Export("Everything that `make archive` needs.", ("workflow", "archive")),
    "extras.txt": Export("What runs, with the export to ONNX and the trackers.", (*RUN, "export", "trackers")),
    "zoo.txt": Export("Networks of timm, with the export to ONNX, for `make zoo`.", (*RUN, "zoo")),
    "dvc.txt": Export("What runs, with DVC: `make dvc`.", (*RUN, "dvc")),
    "slurm.txt": Export("What runs, with `snakemake --profile profiles/slurm`.", (*RUN, "slurm")),
    "bucket.txt": Export("What runs, with files in S3 instead of a shared folder.", (*RUN, "s3")),
    "integration.txt": Export("Tools that `make integration` tests with.", (*RUN, "integration")),
    "dev.txt": Export("Everything that `make test` and `make lint` need.", ("dev",)),
    "mutants.txt": Export("Everything that `make mutants` needs.", ("mutants",)),
}
CONDA = {
    "train.yaml": Export("What training and preparing data need, for `snakemake --use-conda`.", ("train",)),
    "figures.yaml": Export("What collecting runs and drawing figures need, for `snakemake --use-conda`.", ("figures",)),
    "report.yaml": Export("What the walk-through needs, for `snakemake --use-conda`.", ("report",)),
}


def main(arguments: list[str]) -> int:
    """Write every list, or compare them with the lock.

    Args:
        arguments: Nothing, or `--check`.

    Returns:
        The exit status: 1 if a list differs from the lock.
    """
    texts = {name: list_of(export) for name, export in LISTS.items()}
    texts |= {name: conda_environment(name, export) for name, export in CONDA.items()}
    if arguments != ["--check"]:
        for name, text in texts.items():
            (ENVS / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{len(texts)} lists of packages in envs/ hold the versions of uv.lock.")
        return 0
    lists = [path for path in ENVS.iterdir() if path.suffix in (".txt", ".lock", ".yaml")]
    found = {path.name: path.read_text(encoding="utf-8") for path in lists}
    differing = sorted(name for name in texts.keys() | found.keys() if texts.get(name) != found.get(name))
    for name in differing:
        print(f"error: envs/{name} differs from uv.lock; call make lock", file=sys.stderr)
    return 1 if differing else 0


def list_of(export: Export) -> str:
    """Return the text of a list for pip."""
    return f"# {export.purpose}\n{NOTE}\n{locked_packages(export)}"


def conda_environment(name: str, export: Export) -> str:
    """Return the text of a conda environment, in which pip installs the same files as without conda."""
    packages = "".join(f"      - {line}\n" for line in locked_packages(export).splitlines())
    return (
        f"# {export.purpose}\n{NOTE}\n"
        f"name: anytime-pruning-{Path(name).stem}\nchannels:\n  - conda-forge\n  - nodefaults\n"
        f"dependencies:\n  - python=3.11\n  - pip\n  - pip:\n{packages}"
    )


def locked_packages(export: Export) -> str:
    """Return the packages of a list with their versions in uv.lock, and on request the hash of every file.

    A list without hashes leaves the build of torch to pip. It names no GPU packages, because only pip then knows which
    ones that build needs.
    """
    options = [option for extra in export.extras for option in ("--extra", extra)]
    if not export.hashes:
        options += ["--no-hashes", *(option for package in gpu_packages() for option in ("--prune", package))]
    command = [sys.executable, "-m", "uv", "export", "--quiet", "--no-config", "--offline", "--frozen"]
    command += ["--no-emit-project", "--no-annotate", "--no-header", *options]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


def gpu_packages() -> list[str]:
    """Return the packages that torch needs on Linux alone: those of its builds for NVIDIA GPUs."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    (torch,) = (package for package in packages if package["name"] == "torch")
    return [needed["name"] for needed in torch["dependencies"] if "linux" in needed.get("marker", "")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Prepare the environment of jobs, inside and outside of containers."""

import os
import shutil
import sys
from pathlib import Path
from shlex import quote

import anytime_pruning
from anytime_pruning.foundation.errors import SettingError

# Jobs in a container need these variables, above all the one that assigns a GPU. `apptainer --cleanenv` would remove
# them. Without the others of CUDA and torch, a job would count GPUs in another order, compute with other algorithms,
# miss the user's MPS or its limits, or put its caches elsewhere. Folders that they name need `--bind`.
PASSED_INSIDE = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"),
    *("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"),
    *("CUBLAS_WORKSPACE_CONFIG", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"),
    *("CUDA_CACHE_PATH", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"),
    *("SLURM_JOB_ID", "WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT"),
)
# A container finds the package here if the package is installed among packages that the container must not see.
PACKAGE_INSIDE = "/opt/anytime-pruning"


def prepare_jobs(image: str, in_container: bool) -> str:
    """Prepare the environment that jobs inherit and return the shell command that runs the package in a job.

    The command names the folder of the package. Jobs therefore run the same code that planned them, from any working
    folder, inside a container and on another node. Other rules of a workflow that includes this one are not affected.

    Args:
        image: a SIF file, or an address such as docker://..., from which Snakemake itself fetches the image.
        in_container: whether jobs run in the image.

    Raises:
        SettingError: the machine has no program that runs containers, or the image is missing.
    """
    if in_container:
        _check_container(image)
        os.environ |= {f"APPTAINERENV_{name}": os.environ[name] for name in PASSED_INSIDE if name in os.environ}
    _put_own_python_first()
    package = Path(anytime_pruning.__file__).resolve().parent
    path = _mount(package) if in_container else _path_outside(package)
    # PYTHONSAFEPATH is set, because `python -m` would otherwise prefer a package of the same name in the working
    # folder.
    return f"PYTHONSAFEPATH=1 {path}python -m {package.name}"


def in_folder(folder: str, command: str) -> str:
    """Return a shell command that runs another one in a folder; the shell itself stays where it is."""
    return f"env --chdir={quote(folder)} {command}"


def _path_outside(package: Path) -> str:
    """Return the shell text that adds the package to the Python path of a job outside of containers."""
    # This Python finds an installed package by itself. Another Python, such as conda's, must not see the packages that
    # are installed beside the package.
    if _is_installed(package):
        return ""
    # Paths are absolute, because a job may run in another folder.
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    folders = [str(package.parent), *map(os.path.abspath, given)]
    return f"PYTHONPATH={quote(os.pathsep.join(dict.fromkeys(folders)))} "


def _mount(package: Path) -> str:
    """Mount the package in containers that do not see it, and return the text that sets the Python path inside."""
    if _is_installed(package):
        _bind(f"{package}:{PACKAGE_INSIDE}/{package.name}")
        return f"PYTHONPATH={PACKAGE_INSIDE} "
    if not package.is_relative_to(Path.cwd()):
        _bind(str(package.parent))
    return f"PYTHONPATH={quote(str(package.parent))} "


def _is_installed(package: Path) -> bool:
    """Return whether the package is installed among other packages, and not part of a checkout."""
    return package.parent.name in ("site-packages", "dist-packages")


def _put_own_python_first() -> None:
    """Make `python` in a job's shell mean the Python that runs now, even if its environment is not activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def _check_container(image: str) -> None:
    """Check that a program for containers and the image exist."""
    if not any(map(shutil.which, ("apptainer", "singularity"))):
        raise SettingError(
            "--use-singularity is not allowed: neither apptainer nor singularity is installed; install apptainer, or "
            "leave the option out"
        )
    if "://" not in image and not Path(image).is_file():
        raise SettingError(
            f"container: {image!r} is not there; `make image` builds envs/anytime-pruning.sif, or name another image"
        )


def _bind(mount: str) -> None:
    """Let apptainer mount a folder of the host, in addition to the folders that the user asked for."""
    mounts = [text for text in os.environ.get("APPTAINER_BIND", "").split(",") if text and text != mount]
    os.environ["APPTAINER_BIND"] = ",".join([*mounts, mount])

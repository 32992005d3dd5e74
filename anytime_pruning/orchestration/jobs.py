"""Prepare the environment of jobs, in a container or outside of one."""

import os
import shutil
import sys
from pathlib import Path
from shlex import quote

import anytime_pruning
from anytime_pruning.foundation.errors import SettingError

# Variables of the surroundings that `apptainer --cleanenv` would keep from a job, above all which GPU it may use.
PASSED_INSIDE = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT")
# Where a container finds the package if it is installed among packages that the container must not see.
PACKAGE_INSIDE = "/opt/anytime-pruning"


def prepare_jobs(image: str, in_container: bool) -> str:
    """Prepare the environment that jobs inherit and return the shell command that runs the package in a job.

    The command names the folder of the package itself. Jobs therefore run the code that planned them: from any working
    folder, inside a container and on another node, and other rules of a workflow that uses this one see none of it.

    Args:
        image: a SIF file, or an address such as docker://..., which Snakemake fetches itself.
        in_container: whether jobs run in that image.

    Raises:
        SettingError: nothing on this machine runs containers, or the image is missing.
    """
    if in_container:
        _check_container(image)
        os.environ |= {f"APPTAINERENV_{name}": os.environ[name] for name in PASSED_INSIDE if name in os.environ}
    _put_own_python_first()
    package = Path(anytime_pruning.__file__).resolve().parent
    path = _mount(package) if in_container else _path_outside(package)
    # A safe path, because `python -m` would take a package of that name in the working folder before any other.
    return f"PYTHONSAFEPATH=1 {path}python -m {package.name}"


def _path_outside(package: Path) -> str:
    """Return the shell text that adds the package to the Python path of a job outside of containers."""
    # The Python that runs now finds an installed package. Another Python, as of conda, must not see its neighbours.
    if _is_installed(package):
        return ""
    folders = [str(package.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return f"PYTHONPATH={quote(os.pathsep.join(filter(None, dict.fromkeys(folders))))} "


def _mount(package: Path) -> str:
    """Have containers mount the package if they do not see it anyway, and return the same for a job inside."""
    if _is_installed(package):
        _bind(f"{package}:{PACKAGE_INSIDE}/{package.name}")
        return f"PYTHONPATH={PACKAGE_INSIDE} "
    if not package.is_relative_to(Path.cwd()):
        _bind(str(package.parent))
    return f"PYTHONPATH={quote(str(package.parent))} "


def _is_installed(package: Path) -> bool:
    """Tell whether the package lies among other installed packages rather than in a checkout."""
    return package.parent.name in ("site-packages", "dist-packages")


def _put_own_python_first() -> None:
    """Let `python` in the shell of a job be the running one, whether or not its environment was activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def _check_container(image: str) -> None:
    """Check that a container can run at all."""
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
    """Have apptainer mount a folder of the host, beside the folders that the user has it mount."""
    mounts = [text for text in os.environ.get("APPTAINER_BIND", "").split(",") if text and text != mount]
    os.environ["APPTAINER_BIND"] = ",".join([*mounts, mount])

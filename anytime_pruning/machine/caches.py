"""Keep the caches of compiled kernels in a folder of the user, never in a checkout."""

import os
import tempfile
from pathlib import Path

import anytime_pruning

# In a container, Snakemake makes the checkout the home folder, where triton and CUDA would put their caches.
VARIABLES = {"CUDA_CACHE_PATH": "cuda", "TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}


def keep_caches_outside() -> None:
    """Name a folder outside of the checkout for every cache of kernels for which the user has named none.

    Call this function before CUDA starts, because CUDA reads its variable then.
    """
    unnamed = {name: part for name, part in VARIABLES.items() if not os.environ.get(name)}
    folder = _cache_folder() if unnamed else None
    if folder:
        os.environ.update({name: str(folder / part) for name, part in unnamed.items()})


def _cache_folder() -> Path | None:
    """Return a folder of this user that lies in no checkout and can be written to, or None if there is no such folder.

    The first choice is the user's folder of caches, which lasts. The second one is among the temporary files.
    """
    lasting = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anytime-pruning"
    temporary = Path(tempfile.gettempdir()) / f"anytime-pruning-cache-{os.getuid()}"
    return next((folder for folder in (lasting, temporary) if _is_outside(folder) and _is_own(folder)), None)


def _is_outside(folder: Path) -> bool:
    """Return whether a folder lies neither in the checkout with this package nor in the working folder."""
    checkout, here = Path(anytime_pruning.__file__).parent.parent, Path.cwd()
    return not any(folder.resolve().is_relative_to(inner.resolve()) for inner in (checkout, here))


def _is_own(folder: Path) -> bool:
    """Make a folder that only this user can write to, if it is missing, and return whether this user owns it.

    Kernels in a cache are run, and in a folder for temporary files another user could have made the folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK)
    except OSError:
        return False

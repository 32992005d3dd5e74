"""Order the folders in which Python looks for packages."""

import os
import sys
from pathlib import Path


def prefer_own_packages() -> None:
    """Let Python find the packages of its own environment before those of PYTHONPATH.

    Module systems put their packages into PYTHONPATH, which comes first otherwise: other versions than the ones that
    this project was tested with, or built for another Python. What only PYTHONPATH has is still found. The folder of
    this package keeps its place, because jobs are given it in PYTHONPATH.
    """
    own = Path(__file__).resolve().parents[2]
    given = {Path(folder).resolve() for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder} - {own}
    strangers = [folder for folder in sys.path if folder and Path(folder).resolve() in given]
    sys.path[:] = [folder for folder in sys.path if folder not in strangers] + strangers

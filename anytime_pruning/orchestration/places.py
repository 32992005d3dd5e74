"""Find the folder that holds the Snakefile, the configurations and the rest of the workflow."""

from pathlib import Path

import anytime_pruning


def project_root() -> Path:
    """Return the folder that contains Snakefile, config/, envs/, profiles/ and workflow/.

    An installed package contains these files in a folder of its own. In a checkout the files are beside the package.
    The path is absolute and has no symbolic links.
    """
    package = Path(anytime_pruning.__file__).resolve().parent
    inside = package / "project"
    return inside if inside.is_dir() else package.parent

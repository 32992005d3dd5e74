"""Find the folder that holds the Snakefile, the configurations and the rest of the workflow."""

from pathlib import Path

import anytime_pruning
from anytime_pruning.foundation.errors import SettingError


def project_root() -> Path:
    """Return the folder that contains Snakefile, config/, envs/, profiles/ and workflow/.

    An installed package contains these files in a folder of its own. In a checkout the files are beside the package.
    The path is absolute and has no symbolic links.
    """
    package = Path(anytime_pruning.__file__).resolve().parent
    inside = package / "project"
    return inside if inside.is_dir() else package.parent


def check_places() -> None:
    """Check that Snakemake can work with the folders of the project and of this call.

    Raises:
        SettingError: a path has braces, which Snakemake reads as a pattern.
    """
    for what, folder in (("the project", project_root()), ("a call of Snakemake", Path.cwd())):
        if set("{}") & set(str(folder)):
            raise SettingError(f"folder: {str(folder)!r} is not allowed for {what}; allowed: a path without braces")

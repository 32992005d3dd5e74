"""Set up a folder in which a user runs the workflow with settings of their own."""

from pathlib import Path

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.files import write_text
from anytime_pruning.orchestration.places import project_root

# Users edit these files. All other files of the workflow stay in the package.
COPIED = ("config/demo.yaml", "config/claims.yaml", "profiles/default/config.yaml", "profiles/slurm/config.yaml")
SNAKEFILE = """\
# Run the rules of the package anytime-pruning in this folder: snakemake --cores all
# One configuration file is one study; without --configfile it is config/demo.yaml of this folder.
from anytime_pruning.orchestration.places import project_root


include: str(project_root() / "Snakefile")


rule study:
    default_target: True
    input:
        rules.all.input,
"""


def set_up_workflow(folder: Path) -> list[Path]:
    """Write a Snakefile, a configuration, the claims to check and the profiles into a folder, which is made if missing.

    The Snakefile contains no path. It finds the rules of the package that is installed at the time when it runs.

    Args:
        folder: the folder of the new study; other files in this folder are not changed.

    Returns:
        The paths of the written files, which begin with `folder`.

    Raises:
        SettingError: one of the files already exists; nothing is written.
    """
    texts = {"Snakefile": SNAKEFILE} | {name: (project_root() / name).read_text(encoding="utf-8") for name in COPIED}
    for name in texts:
        if (folder / name).exists():
            raise SettingError(f"workflow: {folder / name} exists already; name another folder, or remove that file")
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]

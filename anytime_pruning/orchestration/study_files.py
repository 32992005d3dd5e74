"""Find the study that each configuration file of a folder describes, and files whose studies have the same name.

Studies of the same name have the same folders, so that one would overwrite the other's tables and figures.
"""

from collections.abc import Iterable
from pathlib import Path

from anytime_pruning.foundation.errors import ArtifactError, SettingError
from anytime_pruning.foundation.fields import check_name
from anytime_pruning.foundation.safe_text import MAX_BYTES, read_yaml

SUFFIXES = (".yaml", ".yml", ".json")


def find_files(folder: Path) -> list[Path]:
    """Return the files of a folder that may be configuration files, sorted; a file with several names appears once."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    return list({path.resolve(): path for path in reversed(paths)}.values())[::-1]


def read_study_name(path: Path) -> str | None:
    """Return the name of the study in a file, or None for a file of another kind, such as the paper's claims.

    Raises:
        SettingError: the file cannot be read, or its study has no name or a wrong one.
    """
    content = read_yaml(path)
    if not {"study", "grid"} & content.keys():
        return None
    if "study" not in content:
        raise SettingError(f"config: {path}: study: this setting is required")
    return check_name(f"config: {path}: study", content["study"])


def find_namesakes(study: str, files: Iterable[Path]) -> list[Path]:
    """Return the other files beside some configuration files whose studies have the same name.

    Args:
        study: the name.
        files: configuration files of the study, in one or several folders. Files that cannot be read do not count.
    """
    files = list(files)
    own = {file.resolve() for file in files}
    folders = sorted({file.parent for file in files})
    return [path for folder in folders for path in find_files(folder) if path.resolve() not in own and _is(study, path)]


def _is(study: str, path: Path) -> bool:
    try:
        # A folder may hold many large files of other kinds, and reading YAML takes long.
        may_be = path.stat().st_size <= MAX_BYTES and study.encode() in path.read_bytes()
        return may_be and read_study_name(path) == study
    except (ArtifactError, OSError):
        return False

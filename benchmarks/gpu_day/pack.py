"""Pack the small files of a day, because some machines give back only a few files."""

import tarfile
from pathlib import Path

from anytime_pruning.foundation.files import write_atomically
from anytime_pruning.results import layout

# Weights and checkpoints are large; a training that goes on needs the folder itself.
LEFT_OUT = ("checkpoints", layout.RESUME)


def pack_small_files(folder: Path) -> Path:
    """Write an archive of a folder without weights and checkpoints, and return its path."""
    archive = folder / "gpu-day.tar.xz"

    def write(path: Path) -> None:
        with tarfile.open(path, "w:xz") as tar:
            for file in sorted(folder.rglob("*")):
                inside = file.relative_to(folder)
                is_small = not inside.name.startswith(".") and not set(LEFT_OUT) & set(inside.parts)
                if file.is_file() and file != archive and is_small:
                    tar.add(file, str(inside))

    write_atomically(archive, write)
    return archive

"""Write one file to deposit, with the code, settings, metrics, tables, figures and environments of a commit.

`make archive` runs this program. The archive is described as a Workflow RO-Crate, which names every file with its
SHA-256. Two archives of one commit are the same to the byte.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from datetime import datetime
from pathlib import Path

from rocrate.rocrate import ROCrate

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "envs" / "anytime-pruning.sif"
METADATA, IMAGE_DIGEST, SUMS = "ro-crate-metadata.json", "IMAGE.txt", "SHA256SUMS"
LICENSE = {"@id": "https://spdx.org/licenses/MIT"}
FORMATS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".md": "text/markdown",
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".yaml": "application/yaml",
}
# Content and mode of each file by its path in the archive.
Files = dict[str, tuple[bytes, int]]


class ArchiveError(Exception):
    """Report that no archive can be made of the checkout in its present state."""


def main(folder: str) -> int:
    """Write the archive of HEAD into a folder and return the exit status: 2 if the checkout differs from HEAD."""
    try:
        path, count = write_archive(Path(folder))
    except ArchiveError as error:
        print(f"error: make archive: {error}", file=sys.stderr)
        return 2
    print(f"{path}: {count} files, {path.stat().st_size:,} bytes, sha256 {sha256(path)}")
    return 0


def write_archive(folder: Path) -> tuple[Path, int]:
    """Write the archive of HEAD.

    Args:
        folder: The folder of the archive, which is made if missing.

    Returns:
        The archive's path and the number of its files.

    Raises:
        ArchiveError: The checkout is not a git clone, or a file differs from HEAD.
    """
    if changed := git("status", "--porcelain", "--untracked-files=no"):
        raise ArchiveError(f"{changed.splitlines()[0].split()[-1]} is not committed; an archive holds a commit")
    commit, date = git("rev-parse", "HEAD"), datetime.fromisoformat(git("show", "-s", "--format=%cI", "HEAD"))
    files = files_of(commit)
    files[IMAGE_DIGEST] = (digest_of_image().encode(), 0o644)
    files[METADATA] = (describe(files, commit, date), 0o644)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, (content, _) in sorted(files.items()))
    files[SUMS] = (sums.encode(), 0o644)
    name = f"anytime-pruning-{commit[:12]}"
    path = folder / f"{name}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_bytes(pack(files, name, int(date.timestamp())))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path, len(files)


def git(*arguments: str) -> str:
    """Return what a git command prints.

    Raises:
        ArchiveError: The command failed, as every git command does outside of a clone.
    """
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise ArchiveError("this is not a git clone, and an archive holds a commit")
    return done.stdout.strip()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(commit: str) -> Files:
    """Return the files of a commit as git holds them, whatever the checkout holds."""
    done = subprocess.run(["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=True)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        for member in tar.getmembers():
            if content := tar.extractfile(member):  # folders and links have no content
                files[member.name] = (content.read(), member.mode & 0o755)
    return files


def digest_of_image() -> str:
    """Return the line that names the container image by its digest: the image itself is too large for the archive."""
    if not IMAGE.exists():
        return "The container image was not built where this archive was made; `make image` builds it.\n"
    return f"{IMAGE.relative_to(ROOT)} sha256 {sha256(IMAGE)}\n"


def describe(files: Files, commit: str, date: datetime) -> bytes:
    """Return the metadata of the archive as a Workflow RO-Crate of version 1.1."""
    crate = ROCrate(version="1.1")
    crate.name = "Anytime Progressive Pruning: a reproducible implementation"
    crate.description = (
        f"Commit {commit}: code, settings, metrics, tables, figures and environments. Results are about the data that "
        "each of them names; none is the paper's."
    )
    crate.datePublished = date
    crate.root_dataset["license"] = LICENSE
    crate.root_dataset["identifier"] = commit
    crate.root_dataset["citation"] = {"@id": "https://arxiv.org/abs/2204.01640"}
    for name in sorted([*files, SUMS]):
        facts = {"name": name, "encodingFormat": FORMATS.get(Path(name).suffix, "text/plain")}
        if name != SUMS:
            content, _ = files[name]
            facts |= {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
        if name == "Snakefile":
            workflow = crate.add_workflow(ROOT / name, name, main=True, lang="snakemake", properties=facts)
            workflow["license"] = LICENSE
        else:
            crate.add_file(ROOT / name, name, properties=facts)
    return (json.dumps(crate.metadata.generate(), indent=2, sort_keys=True) + "\n").encode()


def pack(files: Files, top: str, when: int) -> bytes:
    """Return a .tar.gz of the files in the order of their names.

    Args:
        files: The files by their paths below `top`.
        top: The folder that holds all files.
        when: The time of every file in seconds since 1970.
    """
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, (content, mode) in sorted(files.items()):
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mode, member.mtime = len(content), mode, when
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

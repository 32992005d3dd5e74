"""`make archive`: one file to deposit, with code, settings, metrics, tables, figures and environments of a commit.

Described as a Workflow RO-Crate, every file named with its SHA-256; the same to the byte whenever it is made of a commit.
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


def main(folder: str) -> int:
    """Write the archive of HEAD into a folder; refuse while the checkout differs from it."""
    changed = git("status", "--porcelain", "--untracked-files=no")
    if changed is None:
        return fail("make archive: this is no git clone, and an archive is of a commit")
    if changed:
        return fail(f"make archive: {changed.splitlines()[0].split()[-1]} is not committed; an archive is of a commit")
    commit, date = git("rev-parse", "HEAD"), datetime.fromisoformat(git("show", "-s", "--format=%cI", "HEAD"))
    files = files_of(commit)
    files[IMAGE_DIGEST] = (digest_of_image().encode(), 0o644)
    files[METADATA] = (describe(files, commit, date), 0o644)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, (content, _) in sorted(files.items()))
    files[SUMS] = (sums.encode(), 0o644)
    name = f"anytime-pruning-{commit[:12]}"
    path = Path(folder) / f"{name}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_bytes(pack(files, name, int(date.timestamp())))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{path}: {len(files)} files, {path.stat().st_size:,} bytes, sha256 {sha256(path)}")
    return 0


def git(*arguments: str) -> str | None:
    """What git says, or None."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(commit: str) -> dict[str, tuple[bytes, int]]:
    """Content and mode of each file of a commit, as it is there whatever lies in the checkout."""
    done = subprocess.run(["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        return {member.name: (tar.extractfile(member).read(), member.mode & 0o755) for member in members}


def digest_of_image() -> str:
    """Which container image belongs to it; too large to be in it."""
    if not IMAGE.exists():
        return "The container image was not built where this archive was made; `make image` builds it.\n"
    return f"{IMAGE.relative_to(ROOT)} sha256 {sha256(IMAGE)}\n"


def describe(files: dict[str, tuple[bytes, int]], commit: str, date: datetime) -> bytes:
    """Workflow RO-Crate metadata, version 1.1."""
    crate = ROCrate(version="1.1")
    crate.name = "Anytime Progressive Pruning: a reproducible implementation"
    crate.description = (
        f"Commit {commit}: code, settings, metrics, tables, figures and environments. Results are about the data that "
        "each of them names; none is the paper's."
    )
    crate.datePublished = date
    crate.root_dataset["license"] = {"@id": "https://spdx.org/licenses/MIT"}
    crate.root_dataset["identifier"] = commit
    crate.root_dataset["citation"] = {"@id": "https://arxiv.org/abs/2204.01640"}
    for name in sorted([*files, SUMS]):
        facts = {"name": name, "encodingFormat": FORMATS.get(Path(name).suffix, "text/plain")}
        if name != SUMS:
            content, _ = files[name]
            facts |= {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
        if name == "Snakefile":
            workflow = crate.add_workflow(ROOT / name, name, main=True, lang="snakemake", properties=facts)
            workflow["license"] = {"@id": "https://spdx.org/licenses/MIT"}
        else:
            crate.add_file(ROOT / name, name, properties=facts)
    return (json.dumps(crate.metadata.generate(), indent=2, sort_keys=True) + "\n").encode()


def pack(files: dict[str, tuple[bytes, int]], top: str, when: int) -> bytes:
    """A .tar.gz below one folder, of the files in order and with the commit's time."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, (content, mode) in sorted(files.items()):
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mode, member.mtime = len(content), mode, when
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

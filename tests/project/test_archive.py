"""Test the archive to deposit, made in a clone of this checkout; integration/test_reviewer.py unpacks and uses it."""

import hashlib
import json
import subprocess
import sys
import tarfile
from collections import defaultdict
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

MAKE = "workflow/release/make_archive.py"


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "project"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    # The clone holds the last commit, but the test is about the program in the working tree.
    (folder / MAKE).parent.mkdir(parents=True, exist_ok=True)
    (folder / MAKE).write_text((ROOT / MAKE).read_text())
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-am", "x"]
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(git, cwd=folder, check=True)
    return folder


def make(clone, out):
    done = subprocess.run([sys.executable, MAKE, out], cwd=clone, capture_output=True, text=True)
    return done, sorted(out.glob("*")) if out.exists() else []


@pytest.fixture
def unpacked(clone, tmp_path):
    done, (path,) = make(clone, tmp_path / "dist")
    assert done.returncode == 0, done.stderr
    subprocess.run(["tar", "-xzf", path, "-C", tmp_path], check=True)
    return tmp_path / path.name.removesuffix(".tar.gz")


def test_it_holds_the_commit_and_its_sums(unpacked, clone):
    tracked = subprocess.run(["git", "ls-files"], cwd=clone, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    found = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert found == {name for name in tracked if name} | {"SHA256SUMS", "IMAGE.txt", "ro-crate-metadata.json"}
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=unpacked, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert len((unpacked / "SHA256SUMS").read_text().splitlines()) == len(found) - 1
    assert "was not built" in (unpacked / "IMAGE.txt").read_text()
    assert (unpacked / "envs" / "build-image.sh").stat().st_mode & 0o111


def test_it_is_the_same_to_the_byte_and_names_the_image(clone, tmp_path):
    first, second = (make(clone, tmp_path / name)[1][0] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    (clone / "envs" / "anytime-pruning.sif").write_bytes(b"image")
    _, (with_image,) = make(clone, tmp_path / "c")
    with tarfile.open(with_image) as archive:
        text = archive.extractfile(f"{with_image.name.removesuffix('.tar.gz')}/IMAGE.txt").read().decode()
    assert text == f"envs/anytime-pruning.sif sha256 {hashlib.sha256(b'image').hexdigest()}\n"


def test_what_is_not_committed_is_refused(clone, tmp_path):
    (clone / "README.md").write_text("other")
    done, made = make(clone, tmp_path / "dist")
    assert done.returncode == 2
    assert done.stderr == "error: make archive: README.md is not committed; an archive holds a commit\n"
    assert made == []


@pytest.fixture
def excerpt(clone, unpacked, tmp_path):
    """Return an unpacked archive of a later commit with few files: the workflow, and two of each ending."""
    groups = defaultdict(list)
    for name in subprocess.run(["git", "ls-files"], cwd=clone, capture_output=True, text=True).stdout.splitlines():
        groups[name if name in (MAKE, "Snakefile", "README.md") else Path(name).suffix].append(name)
    rest = "\n".join(name for names in groups.values() for name in names[2:])
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run([*git, "rm", "-q", "--pathspec-from-file=-"], cwd=clone, input=rest, text=True, check=True)
    subprocess.run([*git, "commit", "-qm", "x"], cwd=clone, check=True)
    _, (path,) = make(clone, tmp_path / "excerpts")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "excerpt", filter="data")
    return tmp_path / "excerpt" / path.name.removesuffix(".tar.gz")


def entities(folder):
    """Return what the metadata says of each file, without what only this file has."""
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    own = ("@id", "name", "contentSize", "sha256")
    return {entity["@id"]: {k: v for k, v in entity.items() if k not in own} for entity in graph}


@pytest.mark.long(20)
def test_its_metadata_validates_as_a_workflow_ro_crate(unpacked, excerpt, monkeypatch):
    """Validate without a network, with the later context that rocrate holds and two terms moved back as in 1.1.

    The validator needs a minute for all files, which are described like those of the excerpt.
    """
    kinds = entities(excerpt)
    assert all(entity in kinds.values() for name, entity in entities(unpacked).items() if name != "./")
    terms = (files("rocrate") / "data" / "ro-crate.jsonld").read_text()
    terms = terms.replace("https://bioschemas.org/terms/", "https://bioschemas.org/")

    def get(self, url, **options):
        assert url.startswith("https://w3id.org/ro/crate/")
        return SimpleNamespace(
            status_code=200, text=terms, headers={"Content-Type": "application/ld+json"}, json=lambda: json.loads(terms)
        )

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)
    for profile in ("ro-crate-1.1", "workflow-ro-crate-1.0"):
        settings = services.ValidationSettings(
            rocrate_uri=str(excerpt),
            profile_identifier=profile,
            requirement_severity=models.Severity.REQUIRED,
            disable_remote_crate_download=True,
        )
        result = services.validate(settings)
        assert [issue.message for issue in result.get_issues(models.Severity.REQUIRED)] == []
        assert result.passed()
    # The validator must also be able to fail: now a file that the crate names is missing.
    (excerpt / "Snakefile").unlink()
    assert not services.validate(settings).passed()

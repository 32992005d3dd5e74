"""Test what a real builder of images receives from a checkout that holds credentials."""

import os
import shutil
import subprocess

import pytest
from conftest import ROOT
from project.test_secrets import PLACES, SECRET

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not shutil.which("buildah"), reason="buildah is not installed"),
]


def test_the_builder_is_sent_no_credentials(tmp_path):
    context, out = tmp_path / "context", tmp_path / "out"
    shutil.copytree(ROOT / "envs", context / "envs", ignore=shutil.ignore_patterns("*.sif"))
    shutil.copy(ROOT / ".dockerignore", context)
    for place in PLACES:
        (context / place).parent.mkdir(parents=True, exist_ok=True)
        (context / place).write_text(f"secret = {SECRET}\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    storage = ("--storage-driver", "vfs", "--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"))
    done = subprocess.run(
        [
            *("buildah", *storage, "bud", "--format", "docker", "--tag", "context"),
            *("--file", str(tmp_path / "Dockerfile"), str(context)),
        ],
        env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    subprocess.run(["buildah", *storage, "push", "--quiet", "context", f"dir:{out}"], check=True, capture_output=True)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    for blob in out.iterdir():  # tar fails for the manifest and the configuration
        subprocess.run(["tar", "-xf", blob, "-C", unpacked], capture_output=True)
    sent = sorted(str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file())
    assert sent == sorted(f"envs/{path.name}" for path in (ROOT / "envs").iterdir() if path.suffix in (".txt", ".lock"))

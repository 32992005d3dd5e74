"""Test which builder the script behind `make image` takes and how it fails, with stand-ins for the builders."""

import shutil
import subprocess

import pytest
from conftest import ROOT

SYSTEM = (
    "bash",
    "sh",
    "cat",
    "cut",
    "df",
    "dirname",
    "du",
    "git",
    "grep",
    "mkdir",
    "mktemp",
    "mv",
    "realpath",
    "rm",
    "sed",
)
SYSTEM += ("sha256sum", "tail", "tr", "uname", "env")
BUILDS = "case $1 in bud|build) exit 0;; push) : ;; esac"
WRITES_SIF = 'while [ $# -gt 2 ]; do shift; done; echo new > "$1"'


@pytest.fixture
def build(tmp_path):
    """Return a function that runs the script where only the given programs exist, each written as a line of shell."""
    project = tmp_path / "project"
    (project / "envs").mkdir(parents=True)
    for name in ("Dockerfile", "envs/build-image.sh", "envs/requirements.txt", "envs/requirements.lock"):
        shutil.copy(ROOT / name, project / name)
    shutil.copytree(ROOT / "anytime_pruning", project / "anytime_pruning", ignore=lambda *_: ["__pycache__"])
    (project / "envs" / "anytime-pruning.sif").write_text("old")
    found = tmp_path / "bin"
    found.mkdir()
    for program in SYSTEM:
        (found / program).symlink_to(shutil.which(program))

    def call(requirements="envs/requirements.txt", environment=None, **programs):
        for name, line in programs.items():
            (found / name).unlink(missing_ok=True)
            (found / name).write_text(f"#!/bin/sh\n{line}\n")
            (found / name).chmod(0o755)
        done = subprocess.run(
            [project / "envs" / "build-image.sh", requirements, "envs/anytime-pruning.sif"],
            cwd=project,
            env={"PATH": str(found), "NEED_GB": "0"} | (environment or {}),
            capture_output=True,
            text=True,
        )
        assert sorted(path.name for path in (project / "envs").iterdir() if path.name.startswith(".")) == []
        return done, (project / "envs" / "anytime-pruning.sif").read_text().strip()

    return call


def test_a_working_builder_is_found_and_the_image_replaced_whole(build):
    done, image = build(docker='[ "$1" != info ]', buildah=BUILDS, apptainer=WRITES_SIF)
    assert done.returncode == 0, done.stderr
    assert "with buildah" in done.stdout  # docker without its daemon does not work
    assert image == "new"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "make image needs docker (with its daemon), podman or buildah; none works here"),
        ({"docker": "exit 1"}, "make image needs docker (with its daemon), podman or buildah; none works here"),
        ({"environment": {"BUILDER": "kaniko"}}, "BUILDER: kaniko is not allowed; use docker, podman or buildah"),
        ({"docker": "exit 1", "environment": {"BUILDER": "docker"}}, "BUILDER: docker does not work here"),
        ({"buildah": BUILDS}, "make image needs apptainer (or singularity), which is not installed"),
        (
            {"requirements": "envs/gpu.txt"},
            "REQUIREMENTS: envs/gpu.txt does not exist; allowed: envs/requirements.lock",
        ),
        (
            {"requirements": "envs/requirements.lock", "uname": "case $1 in -s) echo Darwin;; *) echo arm64;; esac"},
            "REQUIREMENTS: envs/requirements.lock is for Linux on x86_64, but this machine is Darwin-arm64; "
            "use make image REQ",
        ),
        (
            {"buildah": BUILDS, "apptainer": WRITES_SIF, "environment": {"NEED_GB": "99999999"}},
            "GB are free in",
        ),
        (
            {"buildah": "echo THESE PACKAGES DO NOT MATCH THE HASHES; exit 1", "apptainer": WRITES_SIF},
            "REQUIREMENTS: pip found other files than envs/requirements.txt locks",
        ),
        (
            {"buildah": "echo No space left on device; exit 1", "apptainer": WRITES_SIF},
            "disk: the disk was full while the image was built; free some space and call make image again",
        ),
        ({"buildah": "[ $1 = bud ]", "apptainer": WRITES_SIF}, "disk: the image could not be saved to"),
        ({"buildah": BUILDS, "apptainer": "echo half > image.sif; exit 1"}, "could not write"),
    ],
)
def test_a_failure_is_one_line_and_the_old_image_stays(arguments, message, build):
    done, image = build(**arguments)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert image == "old"


def test_the_image_runs_as_nobody_special_and_holds_no_code():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER researcher"]
    assert [line for line in lines if line.startswith(("COPY", "ADD"))] == [
        "COPY ${REQUIREMENTS} /opt/requirements.txt"
    ]
    assert "ARG BASE=debian:bookworm-slim" in lines
    assert (ROOT / ".dockerignore").read_text().split() == ["*", "!envs/*.txt", "!envs/*.lock"]

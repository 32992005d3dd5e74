"""Test where the caches of compiled kernels go."""

import os
import tempfile

import pytest

import anytime_pruning
from anytime_pruning.machine import caches
from anytime_pruning.machine.caches import VARIABLES, keep_caches_outside


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """Provide a checkout that is the working folder, a home, and a folder for temporary files; nothing is named."""
    for name in ("checkout/anytime_pruning", "home", "tmp", "own"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(anytime_pruning, "__file__", str(tmp_path / "checkout" / "anytime_pruning" / "__init__.py"))
    monkeypatch.chdir(tmp_path / "checkout")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in (*VARIABLES, "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def named(tmp_path):
    return {name: os.path.relpath(os.environ[name], tmp_path) for name in VARIABLES if name in os.environ}


def below(folder):
    return {name: f"{folder}/{part}" for name, part in VARIABLES.items()}


def test_caches_go_to_the_users_folder_of_caches(tmp_path, monkeypatch):
    keep_caches_outside()
    assert named(tmp_path) == below("home/.cache/anytime-pruning")
    assert (tmp_path / "home" / ".cache" / "anytime-pruning").stat().st_mode & 0o777 == 0o700


def test_the_user_may_name_another_folder_for_all_or_for_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "elsewhere"))
    keep_caches_outside()
    assert named(tmp_path) == below("own/anytime-pruning") | {"TRITON_CACHE_DIR": "elsewhere"}
    keep_caches_outside()
    assert named(tmp_path)["TRITON_CACHE_DIR"] == "elsewhere"


@pytest.mark.parametrize("inside", ["checkout", "checkout/deep"])
def test_a_home_in_the_checkout_as_in_a_container_gets_no_caches(inside, tmp_path, monkeypatch):
    (tmp_path / inside).mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path / inside))
    keep_caches_outside()
    assert named(tmp_path) == below(f"tmp/anytime-pruning-cache-{os.getuid()}")
    assert not (tmp_path / inside / ".cache").exists()


def test_a_home_that_cannot_be_written_to_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "home" / ".cache").write_text("not a folder")
    keep_caches_outside()
    assert named(tmp_path) == below(f"tmp/anytime-pruning-cache-{os.getuid()}")


def test_a_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    """Pretend to be another user, who finds a folder with the name of his own."""
    (tmp_path / "home" / ".cache").write_text("not a folder")
    stranger = os.getuid() + 1
    (tmp_path / "tmp" / f"anytime-pruning-cache-{stranger}").mkdir()
    monkeypatch.setattr(caches.os, "getuid", lambda: stranger)
    keep_caches_outside()
    assert named(tmp_path) == {}

"""Test that the packages of this environment are found before those that PYTHONPATH names."""

import os
import subprocess
import sys

from conftest import ROOT


def python(folders, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, encoding="utf-8")


def test_packages_of_a_module_system_that_do_not_work_are_not_imported(tmp_path):
    for name in ("numpy", "pydantic", "safetensors", "yaml"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('built for another Python')\n")
    (tmp_path / "only_here.py").write_text("NAME = 'found'\n")
    folders = (ROOT, tmp_path)
    done = python(folders, "-P", "-m", "anytime_pruning", "schema")
    assert (done.returncode, done.stderr) == (0, "")
    code = "import anytime_pruning.cli, numpy, only_here, sys; print(only_here.NAME, *sys.path, sep='\\n')"
    found, *path = python(folders, "-P", "-c", code).stdout.splitlines()
    assert found == "found"
    assert (path[0], path[-1]) == (str(ROOT), str(tmp_path))


def test_without_a_path_nothing_moves(tmp_path):
    code = "import sys; before = list(sys.path); import anytime_pruning.cli; assert sys.path == before"
    assert python((ROOT,), "-P", "-c", code).returncode == 0

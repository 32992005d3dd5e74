"""Test that the workflow runs without a home folder that can be written, and says where it cannot run."""

import re

import nbformat
import pytest
from checkout import make_checkout, snakemake

from anytime_pruning.figures.report.notebook import write_page
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.orchestration.places import check_places


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """Give this process a home folder in which nobody can make a file, not even root."""
    (tmp_path / "home").touch()
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def write_notebook(folder, cell):
    path = folder / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)]), path)
    return path


@pytest.mark.workflow
def test_snakemake_starts_without_a_home(homeless):
    done = snakemake(make_checkout(homeless / "project"), "--dry-run")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count(": Training digits/") == 4


def test_a_notebook_runs_without_a_home(homeless, monkeypatch):
    monkeypatch.chdir(homeless)
    write_page(write_notebook(homeless, "print('6 times 7 is', 6 * 7)"), "mine", homeless / "page.html")
    assert "6 times 7 is 42" in (homeless / "page.html").read_text(encoding="utf-8")


def test_a_notebook_does_not_run_what_lies_in_the_home_folder(homeless, monkeypatch):
    startup = homeless / "user" / ".ipython" / "profile_default" / "startup"
    kernel = homeless / "user" / ".local" / "share" / "jupyter" / "kernels" / "python3"
    for folder in (startup, kernel):
        folder.mkdir(parents=True)
    (startup / "mine.py").write_text("print('from the home folder')")
    (kernel / "kernel.json").write_text('{"argv": ["false"], "display_name": "mine", "language": "python"}')
    monkeypatch.setenv("HOME", str(homeless / "user"))
    monkeypatch.chdir(homeless)
    write_page(write_notebook(homeless, "print(6 * 7)"), "mine", homeless / "page.html")
    page = (homeless / "page.html").read_text(encoding="utf-8")
    assert "42" in page
    assert "from the home folder" not in page


@pytest.mark.workflow
def test_a_checkout_below_a_folder_with_braces_is_refused_in_one_line(tmp_path):
    (tmp_path / "{x}").mkdir()
    done = snakemake(make_checkout(tmp_path / "{x}" / "project"), "--dry-run")
    assert done.returncode == 2
    *_, line = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert re.match(
        "error: folder: '.*{x}/project' is not allowed for the project; allowed: a path without braces$", line
    )


def test_a_working_folder_with_braces_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a}").mkdir()
    monkeypatch.chdir(tmp_path)
    check_places()
    monkeypatch.chdir(tmp_path / "a}")
    with pytest.raises(SettingError, match=r"^folder: '.*a}' is not allowed for a call of Snakemake; "):
        check_places()

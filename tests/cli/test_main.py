"""Test the command line as a whole: what the program lists and imports, and how users call the program."""

import argparse
import ast
import errno
import importlib
import pkgutil
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT

import anytime_pruning.cli
from anytime_pruning.cli import main as command_line
from anytime_pruning.cli.main import COMMANDS, main
from anytime_pruning.foundation.packages import EXTRAS

HEAVY = {"torch", "torchvision", "numpy", "pandas", "matplotlib", "scipy", "pydantic", "yaml", "snakemake", "sklearn"}


def test_every_module_is_a_command():
    modules = {module.name for module in pkgutil.walk_packages(anytime_pruning.cli.__path__, "anytime_pruning.cli.")}
    others = {"anytime_pruning.cli.main", "anytime_pruning.cli.study"}
    assert {command.__name__ for command in COMMANDS.values()} == modules - others


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    for name, command in COMMANDS.items():
        assert f" {name} {command.HELP}" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_describes_itself_and_its_options(name, capsys):
    assert COMMANDS[name].HELP.isprintable()
    with pytest.raises(SystemExit, match=r"^0$"):
        main([name, "--help"])
    assert " ".join(COMMANDS[name].run.__doc__.split()) in " ".join(capsys.readouterr().out.split())
    parser = argparse.ArgumentParser()
    COMMANDS[name].add_arguments(parser)
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize(("arguments", "message"), [([], "COMMAND"), (["fly"], "invalid choice: 'fly'")])
def test_a_wrong_command_is_exit_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_help_waits_for_no_large_package():
    code = "import sys, anytime_pruning.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("/usr/bin/anytime-pruning", "anytime-pruning"),
        ("anytime-pruning.exe", "anytime-pruning"),
        ("/x/anytime_pruning/__main__.py", "python -m anytime_pruning"),
    ],
)
def test_usage_shows_the_program_as_it_was_called(program, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [program, "train", "--nonsense"])
    with pytest.raises(SystemExit, match=r"^2$"):
        main()
    assert capsys.readouterr().err.startswith(f"usage: {shown} ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["studies", "nope"], "folder: 'nope' is not allowed: No such file or directory"),
        (["studies", "file"], "folder: 'file' is not allowed: Not a directory"),
        (["collect", "folder", "runs", "tables"], "runs_list: 'folder' is not allowed: Is a directory"),
        (["metrics", "nope.csv", "out"], "metrics of nope.csv: nope.csv: No such file or directory"),
        (
            ["report", "nope", "X.html"],
            "study: 'nope' is not allowed: results/nope/figures.json is not there; allowed: ",
        ),
        (
            ["walkthrough", "nope.ipynb", "s", "X.html"],
            "notebook: 'nope.ipynb' is not allowed: No such file or directory",
        ),
        (
            ["prepare", "digits", "--data-dir", "/proc/x"],
            "data_dir: '/proc/x' is not allowed: No such file or directory",
        ),
        (["workflow", "file/x/y"], "folder: 'file/x/y' is not allowed: Not a directory"),
    ],
)
def test_a_path_that_is_not_there_or_of_the_wrong_kind_is_named_with_its_argument(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")


def test_a_failure_that_is_no_mistake_of_the_user_is_exit_status_1(monkeypatch, capsys):
    def fail(options):
        raise OSError(errno.ENOSPC, "No space left on device", str(options.folder))

    monkeypatch.setattr(command_line.studies, "run", fail)
    assert main(["studies", "full"]) == 1
    assert capsys.readouterr().err == "error: full: No space left on device\n"


def test_a_missing_package_is_one_line_that_names_its_extra(tmp_path, monkeypatch, capsys):
    for module in [name for name in sys.modules if name.startswith("anytime_pruning.export")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["export", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: torch is not installed; pip install 'anytime-pruning[train]'\n"


def test_a_mistake_in_the_package_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(command_line.schema, "run", lambda options: importlib.import_module("anytime_pruning.nowhere"))
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        main(["schema"])


PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}
PACKAGES |= {"onnx_ir": "onnx-ir", "torch_pruning": "torch-pruning"}
# The code does without these, or they come with one of the others.
OTHERS = {"markupsafe", "onnxruntime", "pillow_heif", "pydantic_core"}


def test_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for module, extra in EXTRAS.items():
        lines = project["optional-dependencies"][extra]
        assert any(line.startswith(f"{PACKAGES.get(module, module)}>") for line in lines), module
    required = {line.partition(">")[0] for line in project["dependencies"]}
    imported = {
        name.partition(".")[0] for path in (ROOT / "anytime_pruning").rglob("*.py") for name in imports_of(path)
    }
    unknown = imported - {*sys.stdlib_module_names, "anytime_pruning", *EXTRAS, *OTHERS}
    assert {module for module in unknown if PACKAGES.get(module, module) not in required} == set()


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module

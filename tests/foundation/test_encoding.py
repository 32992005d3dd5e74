"""Test that text files are UTF-8 with line feeds, and that every message is printed, whatever a machine's locale."""

import ast
import os
import subprocess
import sys

from conftest import ROOT

from anytime_pruning.foundation.files import write_text

PROGRAMS = [
    path for folder in ("anytime_pruning", "benchmarks", "workflow") for path in sorted((ROOT / folder).rglob("*.py"))
]
# Python then takes ASCII as the encoding of files, arguments and messages. No locale has to be installed for that.
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
TABLE = """
import locale, sys
from pathlib import Path
import pandas as pd
from anytime_pruning.figures.files import read_table, save_table
from anytime_pruning.foundation.files import write_if_different, write_text
from anytime_pruning.results.run_list import format_runs_list, read_runs_list

print(locale.getpreferredencoding())
stem = Path(sys.argv[1])
cells = pd.DataFrame({"range": ["1\\u20132 \\u00b1 3"]})
save_table(cells, "a note \\u2212 of minus signs", cells, stem)
write_text(stem.with_name("runs.txt"), format_runs_list(["bl\\u00fcten/a"]))
assert read_runs_list(stem.with_name("runs.txt")) == ["bl\\u00fcten/a"]
write_if_different(stem.with_name("plan"), "\\u2013")
write_if_different(stem.with_name("plan"), "\\u2013")
"""


def in_ascii(*arguments: str, **more: str) -> subprocess.CompletedProcess:
    environment = os.environ | ASCII | more
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")


def names_no_encoding(call: ast.Call) -> bool:
    """Return whether a call reads or writes text in the encoding of the machine."""
    given = {word.arg for word in call.keywords}
    if "encoding" in given:
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if isinstance(call.func, ast.Attribute) and name in ("read_text", "write_text"):
        return True
    return any(word.arg in ("text", "universal_newlines") and is_true(word.value) for word in call.keywords)


def is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def test_every_call_names_the_encoding():
    # Ruff finds such calls only where it knows that an object is a path.
    calls = [
        (f"{path}:{node.lineno}", names_no_encoding(node))
        for path in PROGRAMS
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
    ]
    assert len(calls) > 1000
    assert [place for place, is_bare in calls if is_bare] == []


def test_tables_and_lists_are_the_same_in_every_locale(tmp_path):
    for name, more in (("ascii", {}), ("utf8", {"PYTHONUTF8": "1"})):
        (tmp_path / name).mkdir()
        done = in_ascii("-c", TABLE, str(tmp_path / name / "table"), **more)
        assert done.returncode == 0, done.stderr
        assert ("utf" in done.stdout.lower()) == bool(more)
    files = {path.name: path.read_bytes() for path in (tmp_path / "ascii").iterdir()}
    assert files.keys() == {"table.md", "table.html", "table.tex", "table.csv", "runs.txt", "plan"}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "utf8").iterdir()}
    assert "1\N{EN DASH}2" in files["table.md"].decode()


def test_lines_end_with_line_feeds_on_every_system(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "linesep", "\r\n")
    write_text(tmp_path / "a", "1\n2\n")
    assert (tmp_path / "a").read_bytes() == b"1\n2\n"


def test_a_message_is_printed_whatever_characters_the_locale_has(tmp_path):
    done = in_ascii("-m", "anytime_pruning", "stale", "größe/\N{EN DASH}.yaml")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    code = "import sys; from anytime_pruning.cli.main import main; import anytime_pruning.cli.study.names as names; "
    code += "names.run = lambda options: print('1\\u20132'); sys.exit(main(['list']))"
    done = in_ascii("-c", code)
    assert (done.returncode, done.stdout) == (0, "1\\u20132\n"), done.stderr

"""Test that the list of what survives fits the code, and that a change without a reason or a low share is said."""

import ast
import re

import pytest
from conftest import ROOT

from benchmarks.mutants import __main__, outcomes
from benchmarks.mutants.outcomes import Outcome
from benchmarks.mutants.rooms import LEFT_OUT, PACKAGE, ROOMS

REASONS = outcomes.read_reasons()


def code_of(place):
    """Return the lines of a function by its place, such as `stream.sizes.split_sizes`."""
    parts = place.split(".")
    for end in range(len(parts), 0, -1):
        for path in (
            (ROOT / PACKAGE / "/".join(parts[:end])).with_suffix(".py"),
            ROOT / PACKAGE / "/".join(parts[:end]) / "__init__.py",
        ):
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                body = ast.parse(text).body
                for name in parts[end:]:
                    (node,) = (each for each in body if getattr(each, "name", None) == name)
                    body = node.body
                return [line.strip() for line in text.splitlines()[node.lineno - 1 : node.end_lineno]]
    raise FileNotFoundError(place)


@pytest.mark.parametrize("room", ROOMS.values(), ids=list(ROOMS))
def test_every_part_has_its_modules_and_tests(room):
    assert all(list((ROOT / PACKAGE).glob(pattern)) for pattern in room.modules)
    assert all((ROOT / path).is_file() for path in room.tests)


@pytest.mark.parametrize("test", LEFT_OUT)
def test_what_is_left_out_is_a_test(test):
    path, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_what_is_listed_as_a_survivor_is_in_the_code():
    stale = [
        place
        for place, change in REASONS
        if not all(line in code_of(place) for line in re.findall(r"(?:^| \| )- (.+?)(?= \| [+-] |$)", change))
    ]
    assert stale == []


def test_a_survivor_without_a_reason_and_a_low_share_are_said():
    found = [
        Outcome("masks", "pruning.masks.count_masked", "- a | + b", "killed"),
        Outcome("masks", "pruning.masks.count_masked", "- a | + c", "survived"),
        Outcome("stream", "stream.sizes.split_sizes", "- a | + d", "no test"),
    ]
    assert outcomes.without_reason(found, {("pruning.masks.count_masked", "- a | + c"): "equal"}) == found[2:]
    assert outcomes.below_target(found) == [
        "masks: 1 of 2 mutants are noticed, less than 95 %",
        "stream: 0 of 1 mutants are noticed, less than 85 %",
        "all: 1 of 3 mutants are noticed, less than 85 %",
    ]
    assert "| masks | 2 | 1 | 50.0 % |" in outcomes.to_markdown(found, "today")


def test_the_command_writes_the_table_and_fails_for_a_survivor_without_a_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(__main__, "version", lambda name: "3.8")
    found = [Outcome("masks", "pruning.masks.count_masked", "- a | + b", "killed")] * 20
    monkeypatch.setattr(__main__, "try_rooms", lambda rooms, jobs: found)
    table = tmp_path / "mutants.md"
    arguments = ["--rooms", "masks", "--out", str(table)]
    assert __main__.main(arguments) == 0
    assert re.match(r"20\d\d-\d\d-\d\d, mutmut 3\.8, .+, \d+ cores?, 0 minutes\.\n\n\| part ", table.read_text())
    found = [*found, Outcome("masks", "pruning.masks.count_masked", "- a | + c", "survived")]
    assert __main__.main(arguments) == 1
    assert capsys.readouterr().err == "error: pruning.masks.count_masked: survived: - a | + c\n"

"""Test the structure of the package: small and documented modules and functions, no circle of imports, few floors."""

import ast
import re
import statistics
import tomllib
from graphlib import TopologicalSorter
from itertools import product

import grimp
import pytest
from conftest import ROOT
from patience import PATIENCE_S

PACKAGE = ROOT / "anytime_pruning"
MODULES = sorted(PACKAGE.rglob("*.py"))
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
# Only the stream loop and the job take all settings, and with them more parameters than others.
SEES_ALL = {"runs/loop.py", "runs/job.py"}


def name_of(path):
    return str(path.relative_to(PACKAGE))


def functions_of(path):
    """Return the functions and methods of a module, each with whether it is public."""

    def walk(body, is_public):
        for node in body:
            if isinstance(node, FUNCTION):
                yield node, is_public and not node.name.startswith("_")
                yield from walk(node.body, False)
            elif isinstance(node, ast.ClassDef):
                yield from walk(node.body, is_public and not node.name.startswith("_"))

    return list(walk(ast.parse(path.read_text()).body, True))


FUNCTIONS = [(path, *found) for path in MODULES for found in functions_of(path)]


@pytest.fixture(scope="module")
def imports():
    """Return the modules that each module of the package imports, imports for types included."""
    graph = grimp.build_graph("anytime_pruning")
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def room_of(module):
    """Return the room of a module, by its name; the package itself and each module at its top count as rooms."""
    return module.split(".")[1] if "." in module else module


def test_no_folder_has_more_than_a_dozen_modules():
    folders = {
        path.parent for root in ("anytime_pruning", "benchmarks", "tests") for path in (ROOT / root).rglob("*.py")
    }
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > 12} == {}


def test_modules_are_short():
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 220} == {}
    assert statistics.median(lengths.values()) <= 100


def test_functions_are_short():
    lengths = {(name_of(path), node.name): node.end_lineno - node.lineno + 1 for path, node, _ in FUNCTIONS}
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= 30


def test_functions_have_few_parameters():
    def count(node):
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        return len([name for name in names if name not in ("self", "cls")])

    many = {(name_of(path), node.name) for path, node, _ in FUNCTIONS if count(node) > 6}
    assert {place for place in many if place[0] not in SEES_ALL} == set()


def test_everything_public_is_documented():
    bare = [(name_of(path), "module") for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    bare += [
        (name_of(path), node.name)
        for path, node, is_public in FUNCTIONS
        if is_public
        and not ast.get_docstring(node)
        and not any(ast.unparse(d) == "overload" for d in node.decorator_list)
    ]
    assert bare == []


def test_no_import_runs_in_a_circle(imports):
    # A circle raises CycleError, which names its modules.
    order = list(TopologicalSorter(imports).static_order())
    assert len(order) == len(imports) > 100


def test_the_rooms_are_few_floors_with_few_arrows(imports):
    arrows = {(room_of(upper), room_of(lower)) for upper, found in imports.items() for lower in found}
    arrows = {(upper, lower) for upper, lower in arrows if upper != lower}
    below = {room: {lower for upper, lower in arrows if upper == room} for room in map(room_of, imports)}
    floors = {}
    for room in TopologicalSorter(below).static_order():
        floors[room] = 1 + max((floors[lower] for lower in below[room]), default=0)
    assert max(floors.values()) <= 10
    assert len(arrows) <= 180
    assert not any((lower, upper) in arrows for upper, lower in product(below, repeat=2) if (upper, lower) in arrows)


def test_the_map_shows_the_rooms_in_the_order_of_the_contract():
    """Compare the table of rooms, from the roof down, with the layers that import-linter checks."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [re.findall(r"\w+", layer) for layer in contracts[0]["layers"]]
    assert {room for layer in layers for room in layer} == {
        path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
    }
    table = (ROOT / "docs" / "explanation" / "design.md").read_text().partition("| room |")[2]
    named = re.findall(
        r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    )
    places = [named.index(room) for layer in layers for room in layer]
    assert places == sorted(places)


def test_no_test_fails_because_a_machine_is_busy():
    """Find the deadlines that tests give to processes and threads; 0 only asks, and waits for nothing."""
    short = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)):
            limits = [word.value for word in call.keywords if word.arg == "timeout"]
            limits += call.args[:1] if isinstance(call.func, ast.Attribute) and call.func.attr == "join" else []
            numbers = [limit.value for limit in limits if isinstance(limit, ast.Constant)]
            short += [
                f"{path}:{call.lineno}" for number in numbers if isinstance(number, int) and 0 < number < PATIENCE_S
            ]
    assert short == []

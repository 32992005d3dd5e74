"""Test what counts as the code of a user's function: what it does, and not how it is written."""

import functools
import importlib
import sys
import textwrap

import pytest

from anytime_pruning.foundation.source_code import describe_code

ORIGINAL = '''
import helpers
from helpers import Layer, scale

width, options = 8, {"depth": [1, 2]}


class Base:
    factor = 3

    def forward(self, x):
        return helper(x) * self.factor


class Net(Base):
    """A network."""

    def __init__(self):
        self.layer = Layer()


def helper(x):
    return scale(x) + helpers.shift(x)


def build(n, shape):
    # A comment.
    return Net(), width, options


unrelated = 1
'''
HELPERS = """
STEP = 2


class Layer:
    def size(self):
        return STEP


def scale(x):
    return x


def shift(x):
    return x + 1


def unused(x):
    return x
"""


@pytest.fixture
def described(tmp_path, monkeypatch):
    """Return a function that writes two modules, imports them afresh and describes `build`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def describe(original=ORIGINAL, helpers=HELPERS, name="build"):
        for module, text in (("helpers", helpers), ("original", original)):
            (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        module = importlib.import_module("original")
        return describe_code(getattr(module, name), "original")

    yield describe
    for module in ("helpers", "original"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width, options = 8,", "width, options = 64,"),
        ('{"depth": [1, 2]}', '{"depth": [1, 3]}'),
        ("return Net(), width, options", "return Net(), options, width"),
        ("factor = 3", "factor = 4"),
        ("return helper(x) *", "return helper(x) /"),
        ("self.layer = Layer()", "self.layer = None"),
        ("return scale(x) +", "return scale(x) -"),
        ("def build(n, shape):", "def build(n, shape, depth=1):"),
    ],
)
def test_an_edit_that_changes_what_is_built_is_noticed(old, new, described):
    assert old in ORIGINAL
    assert described() != described(ORIGINAL.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [("STEP = 2", "STEP = 5"), ("return x\n\n\ndef shift", "return -x\n\n\ndef shift"), ("x + 1", "x + 2")],
)
def test_an_edit_of_a_module_beside_is_noticed(old, new, described):
    assert old in HELPERS
    assert described() != described(helpers=HELPERS.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # A comment.\n", "    # Another comment.\n\n"),
        ('    """A network."""\n', '    """Another text."""\n'),
        ("return Net(), width, options", "return (Net(),\n            width, options)"),
        ("unrelated = 1", "unrelated = 2\n\n\ndef more():\n    return 3"),
        ("factor = 3\n", "factor = 3  # a comment\n"),
    ],
)
def test_an_edit_of_comments_layout_or_other_things_is_not(old, new, described):
    assert old in ORIGINAL
    assert described() == described(ORIGINAL.replace(old, new))


def test_an_unused_helper_does_not_count(described):
    assert described() == described(
        helpers=HELPERS.replace("def unused(x):\n    return x", "def unused(x):\n    return 1")
    )


def test_values_that_a_function_carries_count():
    def make(width):
        def build(n, shape, how="plain"):
            return width, how

        return build

    def describe(thing):
        return describe_code(thing, __name__)

    assert describe(make(1)) == describe(make(1))
    assert describe(make(1)) != describe(make(2))
    lambdas = [lambda n, s, how=how: how for how in ("a", "b")]
    assert describe(lambdas[0]) != describe(lambdas[1])
    partials = [functools.partial(make(1), how=how) for how in ("a", "b")]
    assert describe(partials[0]) != describe(partials[1])
    assert describe(functools.lru_cache(make(1))) != describe(functools.lru_cache(make(2)))


def test_code_without_source_counts_by_its_compiled_form():
    def typed(text):
        namespace = {"__name__": "__main__"}
        exec(textwrap.dedent(text), namespace)
        return describe_code(namespace["build"], "__main__")

    first = typed("def build(n, s):\n    return n + 1")
    assert first
    assert first == typed("\n\ndef build(n, s):\n    return n + 1")
    assert first != typed("def build(n, s):\n    return n + 2")


def test_installed_packages_do_not_count():
    import json

    assert describe_code(json.dumps, "original") == {}


def test_an_object_counts_by_its_class_and_its_values():
    class Schedule:
        def __init__(self, power):
            self.power = power

        def densities(self, n):
            return [self.power**t for t in range(n)]

    assert describe_code(Schedule(2), __name__) == describe_code(Schedule(2), __name__)
    assert describe_code(Schedule(2), __name__) != describe_code(Schedule(3), __name__)


def test_things_that_refer_to_each_other_end():
    class Left:
        def other(self):
            return Right()

    class Right:
        def other(self):
            return Left()

    def build():
        return Left, Right, build

    assert {"Left", "Right"} <= {name.rpartition(".")[2] for name in describe_code(build, __name__)}

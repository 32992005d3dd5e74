"""Test what counts as the code of a user's function: what it does, and not how it is written."""

import functools
import importlib
import sys
import types

import pytest

from anytime_pruning.foundation.source_code import (
    describe_code,
    imported_modules,
    normalized,
    normalized_or_digest,
    spells_out,
)

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


def typed(text, module="__main__"):
    """Return the function `build` of a text that is in no file."""
    namespace = {"__name__": module}
    exec(text, namespace)
    return namespace["build"]


def test_code_without_source_counts_by_its_compiled_form():
    first = describe_code(typed("def build(n, s):\n    return n + 1"), "__main__")
    assert first
    assert first == describe_code(typed("\n\ndef build(n, s):\n    return n + 1"), "__main__")
    assert first != describe_code(typed("def build(n, s):\n    return n + 2"), "__main__")


def test_the_code_of_installed_packages_does_not_count():
    import json

    assert describe_code(json.dumps, "original") == {"": "json.dumps"}


VALUES = """
import argparse, functools, math, pathlib, types
import numpy as np
import torch
from torch.nn import functional as F


class Own:
    __slots__ = ("width",)

    def __init__(self, width):
        self.width = width


def build():
    return value


value = {}
"""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("F.relu", "F.gelu"),
        ("torch.relu", "torch.tanh"),
        ("torch.nn.ReLU", "torch.nn.GELU"),
        ("torch.nn.ReLU()", "torch.nn.GELU()"),
        ("[torch.nn.PReLU(init=0.1)]", "[torch.nn.PReLU(init=0.2)]"),
        ("torch.float32", "torch.bfloat16"),
        ("torch.tensor([1.0, 2.0])", "torch.tensor([1.0, 2.000001])"),
        ("torch.ones(2, 3)", "torch.ones(3, 2)"),
        ("torch.ones(2).bfloat16()", "torch.ones(2).half()"),
        ("torch.ones(2).to_sparse()", "torch.zeros(2).to_sparse()"),
        ("np.array([1, 2])", "np.array([1, 3])"),
        ("np.float32(1)", "np.float32(2)"),
        ("np.sqrt", "np.exp"),
        ("math.sqrt", "math.exp"),
        ("types.SimpleNamespace(depth={'a', 'b'})", "types.SimpleNamespace(depth={'a', 'c'})"),
        ("argparse.Namespace(depth=1)", "argparse.Namespace(depth=2)"),
        ("types.MappingProxyType({1: 2})", "types.MappingProxyType({1: 3})"),
        ("pathlib.Path('a')", "pathlib.Path('b')"),
        ("range(3)", "range(4)"),
        ("Own(1)", "Own(2)"),
        ("functools.partial(F.relu, inplace=True)", "functools.partial(F.relu6, inplace=True)"),
    ],
)
def test_a_value_of_an_installed_package_counts(one, other, described):
    def describe(value):
        return described(VALUES.replace("{}", value))

    assert describe(one) == describe(one)
    assert describe(one) != describe(other)


def test_the_place_of_an_object_in_memory_does_not_count(described):
    first = described(VALUES.replace("{}", "torch.Generator()"))
    kept = [object() for _ in range(9)]
    assert described(VALUES.replace("{}", "torch.Generator()")) == first
    assert len(kept) == 9


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


EVERY_KIND = '''
import functools
import types
import helpers

sizes, names = (2, 1), {8, 1, "a"}
installed = types.SimpleNamespace(x=1)


class Slotted:
    __slots__ = ()


class Base:
    """Has a text."""


class Net(Base):
    """Has another text."""

    factor = 3

    def __init__(self, depth=4):
        """Keep the depth."""
        self.depth = depth

    @staticmethod
    def plain():
        return helpers.STEP

    @classmethod
    def make(cls):
        return cls(*sizes)

    @property
    def width(self):
        return width() + helpers.width()

    def forward(self, x, *, by=0.5):
        return [x * by, installed, names, build]


def width():
    return 1


def build(n, how="plain"):
    return slotted


slotted = Slotted()
part = functools.lru_cache(functools.partial(Net(5).forward, 1, by=2))
'''
BESIDE = """
STEP = 2


def width():
    return STEP
"""
NET = """\
class Net(Base):
    factor = 3

    def __init__(self, depth=4):
        self.depth = depth

    @staticmethod
    def plain():
        return helpers.STEP

    @classmethod
    def make(cls):
        return cls(*sizes)

    @property
    def width(self):
        return width() + helpers.width()

    def forward(self, x, *, by=0.5):
        return [x * by, installed, names, build]"""


def test_the_description_of_code_stays_as_it_is(described):
    """Compare every name and text, because another description gives the runs of all users' parts new digests."""
    assert described(EVERY_KIND, BESIDE, "part") == {
        ".func.self['depth']": "5",
        ".args[0]": "1",
        ".keywords['by']": "2",
        "build": "def build(n, how='plain'):\n    return slotted",
        "build.defaults[0]": "'plain'",
        "Slotted": "class Slotted:\n    __slots__ = ()",
        "Base": "class Base:\n    pass",
        "Net": NET,
        "Net.factor": "3",
        "Net.__init__": "def __init__(self, depth=4):\n    self.depth = depth",
        "Net.__init__.defaults[0]": "4",
        "Net.plain": "@staticmethod\ndef plain():\n    return helpers.STEP",
        "Net.make": "@classmethod\ndef make(cls):\n    return cls(*sizes)",
        "Net.width": "@property\ndef width(self):\n    return width() + helpers.width()",
        "Net.forward": "def forward(self, x, *, by=0.5):\n    return [x * by, installed, names, build]",
        "Net.forward.keywords['by']": "0.5",
        "helpers.STEP": "2",
        "width": "def width():\n    return STEP",
        "width 2": "def width():\n    return 1",
        "STEP": "2",
        "sizes[0]": "2",
        "sizes[1]": "1",
        "names[0]": "'a'",
        "names[1]": "1",
        "names[2]": "8",
        "installed.class": "types.SimpleNamespace",
        "installed['x']": "1",
    }


def test_a_name_that_is_never_assigned_hides_no_other():
    def make(width):
        def build():
            return later, width

        return build
        later = 1

    assert "later" in make(1).__code__.co_freevars
    assert describe_code(make(1), __name__) != describe_code(make(2), __name__)


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_a_package_of_another_folder_is_installed_by_its_name(folder, tmp_path, monkeypatch):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "installed_for_test.py").write_text("def build():\n    return 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / folder))
    build = importlib.import_module("installed_for_test").build
    assert describe_code(build, "original") == {"": "installed_for_test.build"}
    assert describe_code(build, "installed_for_test") == {"build": "def build():\n    return 1"}
    del sys.modules["installed_for_test"]


def test_this_package_counts_only_where_it_is_the_users_own_module():
    assert describe_code(normalized, "original") == {"": "anytime_pruning.normalized"}
    assert set(describe_code(normalized, normalized.__module__)) > {"normalized"}


def test_typed_code_counts_whichever_module_leads_to_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))  # it has no file in a notebook
    assert set(describe_code(typed("def build():\n    return 1"), "original")) == {"build"}


def test_code_of_no_module_counts_by_its_name():
    assert describe_code(typed("def build():\n    return 1", module=None), "original") == {"": ".build"}


def test_functions_inside_of_code_without_source_count():
    inner = "def build(n):\n    def add(x):\n        return x + 1\n    return add(n)"
    first = describe_code(typed(inner), "__main__")
    assert first == describe_code(typed(f"\n\n{inner}"), "__main__")
    assert first != describe_code(typed(inner.replace("+ 1", "+ 2")), "__main__")


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('@register("model", "mine")\ndef build(): ...', True),
        ('import anytime_pruning\nanytime_pruning.register("model", "mine")(print)', True),
        ('register("model", "other")(print)\nregister("model", "mine")(print)', True),
        ('from anytime_pruning import register as add\nadd("model", "mine")(print)', True),
        ('register(name="mine", kind="model")(print)', True),
        ('register("model", name="mine")(print)', True),
        ('register("pruner", "mine")(print)', False),
        ('register("model", "my_" + "mine")(print)', False),
        ('register("model", "mine"', False),
        ("", False),
    ],
)
def test_a_file_registers_what_it_spells_out(text, is_found):
    assert spells_out(text.encode(), "model", "mine") == is_found


def test_a_text_that_is_not_python_spells_nothing_out_and_counts_by_its_bytes():
    text = b'import a\nregister("model", "mine")\n)'
    assert not spells_out(text, "model", "mine")
    assert imported_modules(text, "mine") == ()
    assert normalized_or_digest(text) != normalized_or_digest(text + b"\n")


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import a.b.c as d, e", {"a", "a.b", "a.b.c", "e"}),
        ("from a.b import c", {"a", "a.b", "a.b.c"}),
        ("from a import *", {"a"}),
        ("from . import c", {"p", "p.q", "p.q.c"}),
        ("from .c import d", {"p", "p.q", "p.q.c", "p.q.c.d"}),
        ("from ..c import d", {"p", "p.c", "p.c.d"}),
        ("from .... import d", set()),
        ("def build():\n    if True:\n        import a", {"a"}),
        ("'import a'", set()),
    ],
)
def test_every_import_of_a_file_is_found(text, modules):
    assert set(imported_modules(text.encode(), "p.q.mine")) == modules
    assert set(imported_modules(text.encode(), "p.q.__init__")) == modules

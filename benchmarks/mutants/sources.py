"""Write the mutants: mutmut puts all variants of a function side by side into its module, behind a switch."""

import ast
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from mutmut.mutation.file_mutation import mutate_file_contents

from benchmarks.mutants.rooms import PACKAGE

# A decorator that stays where it is, because without it a class could not be defined.
KEPT = {"abstractmethod", "overload"}


@dataclass(frozen=True)
class Mutant:
    """Holds one changed place.

    Attributes:
        name: by which mutmut's switch knows the mutant.
        function: the mangled name of the function, by which the switch records that a test calls it.
        place: the module below the package and the function, for people.
        change: the lines that differ, such as `- a + b` and `+ a - b`.
    """

    name: str
    function: str
    place: str
    change: str


class _Undecorate(cst.CSTTransformer):
    """Writes `@decorator` as `name = decorator(name)` below the function.

    mutmut leaves functions with decorators alone, which would spare every part that registers itself by one.
    """

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        return updated_node.with_changes(body=list(self._without(updated_node.body)))

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        if not isinstance(updated_node.body, cst.IndentedBlock):
            return updated_node
        body = updated_node.body.with_changes(body=list(self._without(updated_node.body.body)))
        return updated_node.with_changes(body=body)

    def _without(self, statements: Sequence[cst.BaseStatement]) -> Iterator[cst.BaseStatement]:
        for statement in statements:
            decorators = statement.decorators if isinstance(statement, cst.FunctionDef) else ()
            if not decorators or any(getattr(each.decorator, "value", None) in KEPT for each in decorators):
                yield statement
                continue
            yield statement.with_changes(decorators=[])
            for each in reversed(decorators):
                call = cst.Call(each.decorator, [cst.Arg(statement.name)])
                yield cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(statement.name)], call)])


def write_mutants(patterns: Sequence[str], root: Path) -> list[Mutant]:
    """Replace modules of a copy of the package by modules that hold their mutants.

    Args:
        patterns: of the modules, inside of the package.
        root: folder of the copy.

    Returns:
        The mutants, in the order of the modules and their lines.
    """
    mutants = []
    for pattern in patterns:
        for path in sorted((root / PACKAGE).glob(pattern)):
            name = path.relative_to(root).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            code = cst.parse_module(path.read_text(encoding="utf-8")).visit(_Undecorate()).code
            mutated = mutate_file_contents(str(path), code)
            path.write_text(mutated.code, encoding="utf-8")
            mutants += _describe(name, mutated.code, mutated.mutant_names)
    return mutants


def _describe(module: str, code: str, names: Sequence[str]) -> Iterator[Mutant]:
    """Yield the mutants of a module, each with the lines in which it differs from the original."""
    lines = code.splitlines()
    functions = {}

    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            functions[node.name] = [line.strip() for line in lines[node.lineno - 1 : node.end_lineno]][1:]
            functions[node.name].insert(0, re.sub(r"def \w+__mutmut_\w+", "def", lines[node.lineno - 1].strip()))
    for name in names:
        function = name.rpartition("__mutmut_")[0]
        before, after = functions[f"{function}__mutmut_orig"], functions[name]
        changed = [line for line in difflib.ndiff(before, after) if line[0] in "-+"]
        readable = ".".join(part for part in re.split("ǁ", function.removeprefix("x_")) if part not in ("", "x"))
        place = f"{module.removeprefix(PACKAGE + '.')}.{readable}"
        yield Mutant(f"{module}.{name}", f"{module}.{function}", place, " | ".join(changed))

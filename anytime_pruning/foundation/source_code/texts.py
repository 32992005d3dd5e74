"""Read the text of Python files without running them."""

import ast
import functools
import hashlib
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

# Python 3.11 fails with a SystemError when two threads parse at once (python/cpython#106905).
ONE_PARSER = threading.RLock()


def normalized(source: str | bytes) -> str:
    """Return source as its syntax tree gives it, without docstrings.

    Raises:
        SyntaxError: the text is not Python.
        ValueError: the text holds a null byte.
    """
    with ONE_PARSER:
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


# A file is parsed once for each text that it has, because a grid asks for the code of every run.
@functools.cache
def normalized_or_digest(source: bytes) -> str:
    """Return normalised source, or a digest of a text that is not Python and will fail when a run imports it."""
    try:
        return normalized(source)
    except (SyntaxError, ValueError):
        return hashlib.sha256(source).hexdigest()


@functools.cache
def spells_out(source: bytes, kind: str, name: str) -> bool:
    """Return whether a call in source has a kind and a name as its first arguments, as `register("model", "my_net")`.

    Any function counts, because `register` may have another name in a file; keywords count as well.
    """
    return any(
        [_text(call.args[i]) if i < len(call.args) else keywords.get(key) for i, key in enumerate(("kind", "name"))]
        == [kind, name]
        for call in _parse(source)
        if isinstance(call, ast.Call)
        for keywords in [{keyword.arg: _text(keyword.value) for keyword in call.keywords}]
    )


@functools.cache
def imported_modules(source: bytes, module: str) -> tuple[str, ...]:
    """Return the names of all modules that source may import, wherever its import statements stand.

    Args:
        source: text of a file.
        module: absolute name of the module, from which relative imports count; it ends with `.__init__` for a package.

    Returns:
        Absolute names, those of the packages around a module included. What is imported from a module may itself be a
        module, so its name counts as well.
    """
    found: dict[str, None] = {}
    for node in _parse(source):
        for name in _imports_of(node, module.split(".")):
            parts = name.split(".")
            found.update(dict.fromkeys(".".join(parts[: i + 1]) for i in range(len(parts))))
    return tuple(found)


def _imports_of(node: ast.AST, importer: list[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        around = importer[: -node.level] if node.level else []
        base = ".".join((*around, *filter(None, [node.module])))
        if not base:  # a relative import that leads out of all packages, which fails when it runs
            return
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _text(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _parse(source: bytes) -> Iterator[ast.AST]:
    try:
        with ONE_PARSER:
            return ast.walk(ast.parse(source))
    except (SyntaxError, ValueError):
        return iter(())


def is_installed(file: Path) -> bool:
    """Return whether a file belongs to Python or to an installed package."""
    folders = {Path(path) for path in sysconfig.get_paths().values()}
    return any(name in ("site-packages", "dist-packages") for name in file.parts) or any(
        file.is_relative_to(folder) for folder in folders if folder.name.startswith("python")
    )

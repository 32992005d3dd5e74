"""Describe the code of a function or class, together with the code of the same user to which it leads."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from anytime_pruning.foundation.source_code.texts import ONE_PARSER, is_installed, normalized

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Objects of these classes are nothing but their attributes.
_RECORDS = {("types", "SimpleNamespace"), ("argparse", "Namespace")}
_PACKAGE = __name__.partition(".")[0]


def describe_code(thing: object, home: str) -> dict[str, str]:
    """Return everything in a user's code that determines what a function, class or object does.

    This is the source of the thing itself, of functions and classes of the same user to which it refers, and the values
    of plain constants that it uses: global ones, those of default arguments and those of an enclosing function.

    Args:
        thing: a function, a partial function, a class or an object.
        home: name of a module of the user; the user's other modules are those that are not installed.

    Returns:
        Normalised source, or the text of a value, by qualified name. If there is no source, the compiled code stands
        for it.
    """
    description = _Description(home)
    description.add("", thing)
    return description.parts


class _Description:
    """Gathers code by following references from one thing to others.

    Args:
        home: a module that counts as a user's own even inside of this package.
    """

    def __init__(self, home: str):
        self._home = home
        # The objects are kept, because the number of one that is gone may come back as that of another.
        self._seen: dict[int, object] = {}
        self.parts: dict[str, str] = {}

    def add(self, where: str, value: object) -> None:
        """Add a value, and whatever it refers to, under the name of the place that refers to the value."""
        if isinstance(value, _PLAIN):
            self._put(where, repr(value))
        elif isinstance(value, (tuple, list, set, frozenset, dict)):
            items = value.items() if isinstance(value, dict) else enumerate(_in_order(value))
            for key, item in items:
                self.add(f"{where}[{key!r}]", item)
        elif id(value) not in self._seen:
            self._seen[id(value)] = value
            self._add_object(where, value)

    def _add_object(self, where: str, value: Any) -> None:
        # A decorator such as functools.lru_cache or torch.no_grad hides the function that it wraps.
        wrapped = None if isinstance(value, type) else getattr(value, "__wrapped__", None)
        if wrapped is not None:
            self.add(where, wrapped)
        if isinstance(value, functools.partial):
            self.add(f"{where}.func", value.func)
            self.add(f"{where}.args", value.args)
            self.add(f"{where}.keywords", value.keywords)
        elif isinstance(value, MethodType):
            self.add(f"{where}.self", value.__self__)
            self.add(where, value.__func__)
        elif isinstance(value, FunctionType):
            self._add_function(where, value)
        elif isinstance(value, type):
            self._add_class(where, value)
        elif isinstance(value, ModuleType):
            self._put(where, value.__name__)
        elif callable(value) and hasattr(value, "__name__"):
            self._add_foreign(where, value)
        elif wrapped is None:
            self._add_instance(where, value)

    def _add_instance(self, where: str, value: Any) -> None:
        kind = type(value)
        self.add(f"{where}.class", kind)
        if (content := _bytes_of(value)) is not None:
            self._put(where, hashlib.sha256(content).hexdigest())
        elif self._is_own(kind.__module__) or (kind.__module__, kind.__name__) in _RECORDS:
            slots = [name for name in getattr(kind, "__slots__", ()) if hasattr(value, name)]
            self.add(where, dict(getattr(value, "__dict__", {})) | {name: getattr(value, name) for name in slots})
        else:
            # Attributes of other objects do not count, because they come and go with the versions of packages.
            self._put(where, _printed(value))
            if callable(state := getattr(value, "state_dict", None)):
                self.add(where, dict(state()))

    def _add_foreign(self, where: str, value: Any) -> None:
        """Add the name of a function or class of an installed package, whose code does not count."""
        package = (getattr(value, "__module__", None) or "").partition(".")[0]
        self._put(where, f"{package}.{getattr(value, '__qualname__', value.__name__)}")

    def _add_function(self, where: str, function: FunctionType) -> None:
        if not self._is_own(function.__module__):
            self._add_foreign(where, function)
            return
        name = function.__qualname__
        self._put(name, _source_of(function) or _compiled(function.__code__))
        self.add(f"{name}.defaults", function.__defaults__ or ())
        self.add(f"{name}.keywords", function.__kwdefaults__ or {})
        for free, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                self.add(f"{name}.{free}", cell.cell_contents)
            except ValueError:  # The cell is empty, because the enclosing function has not assigned the name.
                continue
        names = set(_names_in(function.__code__))
        for used in sorted(names & function.__globals__.keys()):
            value = function.__globals__[used]
            if isinstance(value, ModuleType) and self._is_own(value.__name__):
                for attribute in sorted(names & vars(value).keys()):
                    self.add(f"{used}.{attribute}", vars(value)[attribute])
            else:
                self.add(used, value)

    def _add_class(self, where: str, cls: type) -> None:
        if not self._is_own(cls.__module__):
            self._add_foreign(where, cls)
            return
        if source := _source_of(cls):
            self._put(cls.__qualname__, source)
        for base in cls.__bases__ if cls.__bases__ != (object,) else ():
            self.add(f"{cls.__qualname__}.base", base)
        for name, member in vars(cls).items():
            inner = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
            if isinstance(inner, FunctionType) or (not name.startswith("__") and isinstance(inner, _PLAIN)):
                self.add(f"{cls.__qualname__}.{name}", inner)

    def _put(self, name: str, text: str) -> None:
        """Store a text under a name that may already stand for another thing, as for two lambdas of one function."""
        number = 1
        while self.parts.setdefault(name if number == 1 else f"{name} {number}", text) != text:
            number += 1

    def _is_own(self, module: str | None) -> bool:
        """Return whether a module is the user's: the home module, or one that is not installed."""
        if module is None or module == self._home:
            return module is not None
        file = getattr(sys.modules.get(module), "__file__", None)
        return module.partition(".")[0] != _PACKAGE and (
            module == "__main__" or (file is not None and not is_installed(Path(file)))
        )


def _in_order(values: tuple[Any, ...] | list[Any] | set[Any] | frozenset[Any]) -> list[Any]:
    return sorted(values, key=repr) if isinstance(values, (set, frozenset)) else list(values)


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the global names and attributes that code and the functions inside of it use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _source_of(thing: Callable[..., Any] | type) -> str | None:
    """Return source that is normalised through its syntax tree, or None if there is none, as for typed-in code."""
    try:
        with ONE_PARSER:  # inspect parses the whole file
            return normalized(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None


def _bytes_of(value: Any) -> bytes | None:
    """Return shape, type and content of a tensor or an array, or None for anything else.

    Torch is not imported here: where there is a tensor, it was imported.
    """
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        try:
            content: bytes = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        except (RuntimeError, TypeError, NotImplementedError):  # A sparse, lazy or quantized tensor has no plain bytes.
            return _printed(value).encode()
        return f"{value.dtype} {tuple(value.shape)} ".encode() + content
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        content = value.tobytes()
        return f"{value.dtype} {value.shape} ".encode() + content
    return None


def _printed(value: object) -> str:
    """Return the printed form of an object without its place in memory, which is another in each process."""
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", repr(value), flags=re.IGNORECASE)
    except Exception:  # Any error may come from a foreign object; its class counts nevertheless.
        return ""


def _compiled(code: CodeType) -> str:
    """Return a text of compiled code without the places of its lines."""
    constants = [_compiled(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts]
    return repr((code.co_code.hex(), code.co_names, code.co_varnames, constants))

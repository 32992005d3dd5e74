"""Register parts of the method by name, and look them up: pruners, replay policies, datasets and the other `KINDS`.

A module registers its parts when it is imported, and each package imports its modules explicitly. Every lookup of a
name happens here, so that an unknown name always raises the same error, which lists the allowed names.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from anytime_pruning.foundation.errors import SettingError, show

Registered = TypeVar("Registered")
Kind = Literal[
    "dataset",
    "figure",
    "method",
    "model",
    "protocol",
    "prunable",
    "pruner",
    "regrow",
    "replay",
    "selection",
    "start",
    "tracker",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Registration:
    """Holds a registered object, and the name of the module that registered it."""

    thing: object
    module: str


_registered: dict[Kind, dict[str, Registration]] = {kind: {} for kind in KINDS}


def register(kind: Kind, name: str) -> Callable[[Registered], Registered]:
    """Make a decorator that registers a function, a class or an object under a name.

    A module may register a name again, as a notebook does whose cell runs twice; the new object then replaces the old.

    Args:
        kind: one of `KINDS`.
        name: the name by which settings choose the decorated object.

    Returns:
        A decorator that returns the decorated object unchanged.

    Raises:
        ValueError: the kind does not exist, or the name belongs to an object of another module.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of part; allowed: {', '.join(KINDS)}")

    module = str(sys._getframe(1).f_globals.get("__name__"))

    def add(thing: Registered) -> Registered:
        known = _registered[kind].get(name)
        if known is not None and known.module != module:
            raise ValueError(
                f"{kind} {name!r} is registered twice, by {known.module} and by {module}; choose another name"
            )
        _registered[kind][name] = Registration(thing, module)
        return thing

    return add


def lookup(kind: Kind, name: object) -> Any:
    """Return the object that is registered under a name.

    The interface of a kind is defined in a higher room, which this module must not import. Callers therefore annotate
    the variable that takes the result, for example `builder: Builder = lookup("model", name)`.

    Args:
        kind: one of `KINDS`.
        name: a value from a settings file, which may be of any type.

    Raises:
        SettingError: the name is not registered; the message lists the registered names.
    """
    things = _registered[kind]
    if not isinstance(name, str) or name not in things:
        raise SettingError(f"{kind}: {show(name)} is not known; allowed: {', '.join(names(kind))}")
    return things[name].thing


def find(kind: Kind, name: object) -> Registration | None:
    """Return what is registered under a name, with the module that registered it, or None for an unknown name."""
    return _registered[kind].get(name) if isinstance(name, str) else None


def names(kind: Kind) -> list[str]:
    """Return the registered names of a kind, sorted."""
    return sorted(_registered[kind])

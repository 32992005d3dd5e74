"""Register parts of the method by name, and look them up: pruners, replay policies, datasets and the other `KINDS`.

A module registers its parts when it is imported, and each package imports its modules explicitly. Every lookup of a
name happens here, so that an unknown name always raises the same error, which lists the allowed names.
"""

from collections.abc import Callable
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
    "replay",
    "selection",
    "start",
    "tracker",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_registered: dict[Kind, dict[str, object]] = {kind: {} for kind in KINDS}


def register(kind: Kind, name: str) -> Callable[[Registered], Registered]:
    """Make a decorator that registers a function, a class or an object under a name.

    Args:
        kind: one of `KINDS`.
        name: the name by which settings choose the decorated object.

    Returns:
        A decorator that returns the decorated object unchanged.

    Raises:
        ValueError: the kind does not exist, or the name already belongs to another object.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of thing that can be registered; allowed: {', '.join(KINDS)}")

    def add(thing: Registered) -> Registered:
        if name in _registered[kind]:
            raise ValueError(f"{kind} {name!r} is registered twice")
        _registered[kind][name] = thing
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
    return things[name]


def names(kind: Kind) -> list[str]:
    """Return the registered names of a kind, sorted."""
    return sorted(_registered[kind])

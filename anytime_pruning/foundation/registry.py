"""The one way to make a pruner, replay policy, dataset source, model, method or tracker known by name.

A module registers what it defines when it is imported; the packages import their modules explicitly. Names are looked
up here and nowhere else, so an unknown name always raises the same error, which lists the allowed ones.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from anytime_pruning.foundation.errors import SettingError, show

Registered = TypeVar("Registered")
KINDS = (
    *("dataset", "figure", "method", "model", "protocol", "prunable"),
    *("pruner", "replay", "selection", "start", "tracker"),
)
_registered: dict[str, dict[str, object]] = {kind: {} for kind in KINDS}


def register(kind: str, name: str) -> Callable[[Registered], Registered]:
    """Decorator that makes a function or class known as `name` among the registered things of one kind.

    Args:
        kind: one of `KINDS`.
        name: how settings call it.

    Raises:
        ValueError: there is no such kind, or another object already has this name.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of thing that can be registered; allowed: {', '.join(KINDS)}")

    def add(thing: Registered) -> Registered:
        if name in _registered[kind]:
            raise ValueError(f"{kind} {name!r} is registered twice")
        _registered[kind][name] = thing
        return thing

    return add


def lookup(kind: str, name: str) -> Any:
    """The thing registered under a name.

    Raises:
        SettingError: no such name; the message lists the ones there are.
    """
    try:
        return _registered[kind][name]
    except (KeyError, TypeError):
        allowed = ", ".join(names(kind))
        raise SettingError(f"{kind}: {show(name)} is not known; allowed: {allowed}") from None


def names(kind: str) -> list[str]:
    """The names registered for a kind, sorted."""
    return sorted(_registered[kind])

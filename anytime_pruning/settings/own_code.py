"""Identify the code of parts that a user has registered, such as a network, because the code determines the numbers.

The parts of this project are identified by RESULTS_VERSION and the narrower versions instead, so that an edit of them
that changes no number changes no digest.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import Kind, find
from anytime_pruning.foundation.source_code import describe_code, normalized, registers

# The package of each kind of part, and its modules that register the parts of this project. A file that a user adds to
# one of these packages is the user's own.
SHIPPED: dict[Kind, tuple[str, tuple[str, ...]]] = {
    "model": ("models", ("resnet_cifar", "torchvision_nets")),
    "method": ("pruning.schedules", ("app", "app_cubic", "dense", "dense_small", "offline", "osp", "prune_last")),
    "pruner": ("pruning.pruners", ("grasp", "magnitude", "random", "snip", "snip_shuffled", "synflow")),
    "prunable": ("pruning.prunable", ("rules",)),
    "protocol": ("pruning.protocols", ("paper", "released")),
    "regrow": ("pruning.regrowth", ("none", "rigl", "set")),
    "replay": ("stream", ("replay",)),
    "selection": ("pruning.selections", ("filter", "n_m", "unstructured")),
    "start": ("runs.starts", ("cold", "dash", "rewind", "shrink_perturb", "warm")),
}
PACKAGE = __name__.partition(".")[0]
SHIPPED_MODULES = frozenset(f"{PACKAGE}.{room}.{name}" for room, names in SHIPPED.values() for name in names)


def own_code_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of the code of each part that settings name and that is not this project's own.

    A part that is not registered in this process is looked for in the files of the package, because planning and
    drawing work without torch, which a user's file imports. Other unknown parts are left out. A process that computes
    the run refuses them anyway.

    Args:
        settings: values by the names of the settings.

    Returns:
        Twelve hexadecimal digits by the kind and the name of the part, such as `model my_net`.
    """
    found = {}
    # Each of these settings has the name of the kind of its part.
    for kind in SHIPPED:
        value = settings[kind]
        for name in value if isinstance(value, tuple) else (value,):
            if code := _code_of(kind, name):
                canonical = json.dumps(code, sort_keys=True)
                found[f"{kind} {name}"] = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    return found


def _code_of(kind: Kind, name: str) -> dict[str, str]:
    """Return the code of a part, or nothing for a part of this project and for an unknown part."""
    part = find(kind, name)
    if part is None:
        return _code_in_file(kind, name)
    if part.module in SHIPPED_MODULES:
        return {}
    # A file of the package is described whole, so that a process that cannot import it describes it alike.
    return _code_in_file(kind, name) or describe_code(part.thing, part.module)


def _code_in_file(kind: Kind, name: str) -> dict[str, str]:
    """Return the code of the file in the package that registers a part by its plain name, or nothing."""
    room, shipped = SHIPPED[kind]
    folder = Path(__file__).parents[1].joinpath(*room.split("."))
    for path in sorted(folder.glob("*.py")):
        if path.stem not in (*shipped, "__init__") and registers(path, kind, name):
            return {path.stem: normalized(path.read_text(encoding="utf-8"))}
    return {}


def check_own_code(given: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Check that the code of a user's own parts is the code that settings name.

    Args:
        given: the setting `own_code`.
        settings: values by the names of the settings.

    Raises:
        SettingError: the code of a part has changed.
    """
    found = own_code_of(settings)
    for part in sorted({*given, *found}):
        if given.get(part) != found.get(part):
            raise SettingError(
                f"own_code: {given.get(part)} is not allowed: the code of {part} has the digest {found.get(part)} now; "
                "it was edited since these settings were written, so leave own_code out to run the new code"
            )

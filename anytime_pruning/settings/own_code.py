"""Identify the code of parts that a user has registered, such as a network, because the code determines the numbers.

The parts of this project are identified by RESULTS_VERSION and the narrower versions instead, so that an edit of them
that changes no number changes no digest.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import Kind, find
from anytime_pruning.foundation.source_code import describe_code

# These modules register the parts of this project. A file that a user adds to one of these folders is the user's own.
SHIPPED = {
    "anytime_pruning.models": ("resnet_cifar", "torchvision_nets"),
    "anytime_pruning.pruning.prunable": ("rules",),
    "anytime_pruning.pruning.protocols": ("paper", "released"),
    "anytime_pruning.pruning.pruners": ("grasp", "magnitude", "random", "snip", "synflow"),
    "anytime_pruning.pruning.schedules": ("app", "app_cubic", "dense", "osp"),
    "anytime_pruning.pruning.selections": ("unstructured",),
    "anytime_pruning.runs.starts": ("warm",),
    "anytime_pruning.stream": ("replay",),
}
_SHIPPED_MODULES = frozenset(f"{folder}.{name}" for folder, names in SHIPPED.items() for name in names)
# These settings name registered parts on which the numbers of a run depend; each has the name of the kind of its part.
PARTS: tuple[Kind, ...] = ("model", "method", "pruner", "prunable", "protocol", "replay", "selection", "start")


def own_code_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of the code of each part that settings name and that is not this project's own.

    Parts that are not registered in this process are left out. A process that computes the run refuses them anyway.

    Args:
        settings: values by the names of the settings.

    Returns:
        Twelve hexadecimal digits by the kind and the name of the part, such as `model my_net`.
    """
    found = {}
    for kind in PARTS:
        value = settings[kind]
        for name in value if isinstance(value, tuple) else (value,):
            part = find(kind, name)
            if part is not None and part.module not in _SHIPPED_MODULES:
                canonical = json.dumps(describe_code(part.thing, part.module), sort_keys=True)
                found[f"{kind} {name}"] = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    return found


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

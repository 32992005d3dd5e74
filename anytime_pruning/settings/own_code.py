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
from anytime_pruning.settings.own_files import PACKAGE, describe_files
from anytime_pruning.settings.shipped import SHIPPED


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
            if digest := digest_of_part(kind, name):
                found[f"{kind} {name}"] = digest
    return found


def digest_of_part(kind: Kind, name: str) -> str | None:
    """Return twelve hexadecimal digits of the code of a user's own part, or None for any other part."""
    code = {} if name in SHIPPED[kind].names else _code_of(kind, name)
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()[:12] if code else None


def _code_of(kind: Kind, name: str) -> dict[str, str]:
    """Return the code of a user's part, or nothing for an unknown part."""
    part = find(kind, name)
    if part is not None and part.module.partition(".")[0] != PACKAGE:
        return describe_code(part.thing, part.module)
    # Files of the package are described by their texts, so that a process that cannot import them describes them alike.
    return describe_files(kind, name)


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

"""Identify a user's own network by its structure and its code, and tell an edited network from that of a stored run."""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.models import build_model
from anytime_pruning.pruning.narrowing import architecture_of
from anytime_pruning.results.metrics_file import MetricsFile
from anytime_pruning.settings.own_code import digest_of_part

# The text of a function or an object without a text of its own ends with its place in memory.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def network_digest(model: nn.Module) -> str:
    """Return the SHA-256 of what a fresh network consists of.

    The digest covers the names, shapes and types of the state, and the text that torch prints of the network. It thus
    notices what the code of the builder does not show, such as a number that the builder reads from elsewhere.
    """
    state = {
        name: [list(value.shape), str(value.dtype)] if isinstance(value, Tensor) else type(value).__name__
        for name, value in model.state_dict().items()
    }
    text = json.dumps([state, _ADDRESS.sub("", repr(model))])
    return hashlib.sha256(text.encode()).hexdigest()


def build_again(run: Path, settings: Mapping[str, Any], stored: MetricsFile) -> nn.Module:
    """Build the network of a stored run with fresh weights; a user's own network must have the structure of then.

    Args:
        run: folder of the stored run, for the message.
        settings: settings of the run by name.
        stored: content of the run's metrics.json.

    Raises:
        SettingError: the network is not registered, or the builder builds another network now.
    """
    images = stored.input
    architecture = architecture_of(settings, images.n_classes, images.image_shape)
    model = build_model(architecture, images.n_classes, images.image_shape, images.mean, images.std)
    if stored.network_sha256 is not None and (found := network_digest(model)) != stored.network_sha256:
        raise _edited(run, settings["model"], f"network_sha256 {stored.network_sha256[:12]}, now {found[:12]}")
    return model


def check_same_code(run: Path, name: str, own_code: Mapping[str, str], versions: Mapping[str, str]) -> None:
    """Check that the code of a user's own network is still that of a stored run.

    The structure alone does not tell one function in a forward pass from another.

    Args:
        run: folder of the stored run, for the message.
        name: name of the network.
        own_code: the stored setting `own_code`.
        versions: versions of Python and of the packages that computed the run.

    Raises:
        SettingError: the code has another digest now. With another Python, which may print the same code otherwise,
            this is only a warning.
    """
    stored, found = own_code.get(f"model {name}"), digest_of_part("model", name)
    if stored is None or stored == found:
        return
    error = _edited(run, name, f"own_code {stored}, now {found}")
    if versions.get("python", "").split(".")[:2] == platform.python_version().split(".")[:2]:
        raise error
    warn(
        f"model: {name!r} may have been edited since {run} was computed, or the other Python prints its code otherwise"
    )


def _edited(run: Path, name: str, digests: str) -> SettingError:
    return SettingError(
        f"model: {name!r} is not allowed with {run}, which holds a run of another network of this name: it was edited "
        f"since ({digests}); undo the edit, or train it in another folder"
    )

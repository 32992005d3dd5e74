"""Identify a user's own network by its structure."""

import hashlib
import json
import re
from pathlib import Path

from torch import Tensor, nn

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.models import build_model
from anytime_pruning.pruning.narrowing import architecture_of
from anytime_pruning.results.metrics_file import MetricsFile
from anytime_pruning.settings.run import RunSettings

# The text of a function or an object without a text of its own ends with its place in memory.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def network_digest(model: nn.Module, settings: RunSettings) -> str | None:
    """Return the SHA-256 of what a fresh network consists of, or None for a network of this project.

    The digest covers the names, shapes and types of the state, and the text that torch prints of the network. It thus
    notices what the code of the builder does not show, such as a number that the builder reads from elsewhere.

    Args:
        model: the network as it was built.
        settings: settings of the run, which tell whose network it is.
    """
    if f"model {settings.model}" not in settings.own_code:
        return None
    state = {
        name: [list(value.shape), str(value.dtype)] if isinstance(value, Tensor) else type(value).__name__
        for name, value in model.state_dict().items()
    }
    text = json.dumps([state, _ADDRESS.sub("", repr(model))])
    return hashlib.sha256(text.encode()).hexdigest()


def check_same_network(stored: MetricsFile, settings: RunSettings, out_dir: Path) -> None:
    """Check that a user's own network is still that of a stored run; networks of this project are not built for it.

    Args:
        stored: content of the stored run's metrics.json.
        settings: settings of the run.
        out_dir: folder of the stored run, for the message.

    Raises:
        SettingError: the network that the builder builds now has another digest.
    """
    if stored.network_sha256 is None:
        return
    images = stored.input
    architecture = architecture_of(dict(settings), images.n_classes, images.image_shape)
    model = build_model(architecture, images.n_classes, images.image_shape, images.mean, images.std)
    found = network_digest(model, settings)
    if found != stored.network_sha256:
        raise SettingError(
            f"model: {settings.model!r} is not allowed with {out_dir}, which holds a run of another network of this "
            f"name (network_sha256 {stored.network_sha256[:12]}, now {str(found)[:12]}); name another folder"
        )

"""Hand the configuration of a study from the Snakefile to a job as one short word of the command line."""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

from anytime_pruning.foundation.errors import SettingError


def pack(content: Mapping[str, Any]) -> str:
    """Return a configuration as one word; it is compressed, because a shell takes at most 128 KiB.

    The order of keys stays, because it is the order of the axes of a grid, and so that of its runs.
    """
    text = json.dumps(content, separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack(word: str) -> dict[str, Any]:
    """Return the configuration that `pack` made into a word.

    Raises:
        SettingError: the word was not made by `pack`.
    """
    try:
        content = json.loads(zlib.decompress(base64.urlsafe_b64decode(word)))
    except (binascii.Error, zlib.error, ValueError):
        content = None
    if not isinstance(content, dict):
        raise SettingError("study: not a study that the Snakefile handed over; call snakemake")
    return content

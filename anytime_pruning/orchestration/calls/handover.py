"""Hand the configuration of a study from the Snakefile to a job as one short word of the command line."""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any, NoReturn

from anytime_pruning.foundation.errors import SettingError, show


def pack(content: Mapping[str, Any]) -> str:
    """Return a configuration as one word; it is compressed, because a shell takes at most 128 KiB.

    The order of keys stays, because it is the order of the axes of a grid, and so that of its runs.

    Raises:
        SettingError: a value is none of JSON, such as a date that the configuration of another workflow holds.
    """
    text = json.dumps(content, separators=(",", ":"), default=_refuse)
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()


def _refuse(value: object) -> NoReturn:
    raise SettingError(f"config: {show(value)} is not allowed: text, numbers, lists and mappings are")


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

"""Settings as people write them, YAML or JSON, within limits: whatever a text holds, it is soon read or refused.

No key twice, of which one would be ignored silently; no alias that makes a small file huge; no objects of Python.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from anytime_pruning.foundation.errors import SettingError, show

# Of libyaml where it is there, ten times faster.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_BYTES = 2**20
MAX_DEPTH = 20
# Values in a file, what an alias stands for counted each time.
MAX_VALUES = 100_000
# What PyYAML and json raise beside errors of their own: dates of a 13th month, integers of too many digits, a bad tag.
UNREADABLE = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def read_yaml(path: Path) -> dict[str, Any]:
    """The content of a YAML file with settings, of a study or of one run.

    Raises:
        SettingError: no such file, or not YAML with settings.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SettingError(f"config: {path} cannot be read: {error}") from None
    content = parse_yaml(f"config: {path}", content)
    if not isinstance(content, dict):
        raise SettingError(f"config: {path} holds no settings")
    return content


def parse_yaml(name: str, text: str | bytes) -> Any:
    """The value of a YAML text.

    Args:
        name: of the text, for messages; with `config: ` before that of a file.
        text: UTF-8 if bytes.

    Raises:
        SettingError: it is not YAML, or beyond a limit.
    """
    try:
        if len(text) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes are not allowed")
        text = text.decode() if isinstance(text, bytes) else text
        _check_depth(text)
        loader = LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _count(node, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except UNREADABLE as error:
        raise SettingError(f"{name} cannot be read: {_reason(error)}") from None


def parse_json(name: str, text: str) -> Any:
    """The value of a JSON text.

    Raises:
        SettingError: it is not JSON, or has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_repetition)
    except UNREADABLE as error:
        raise SettingError(f"{name}: not JSON: {_reason(error)}") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {show(key)} is there twice")
        seen.add(key)
    return dict(pairs)


def _check_depth(text: str) -> None:
    """Before anything that calls itself for each level, of which the stack has room for some thousands."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels are not allowed (line {event.start_mark.line + 1})")


def _count(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Values in a node, what an alias stands for counted each time.

    Args:
        known: by node, what was counted already; None while it is being counted.

    Raises:
        ValueError: too many, a key is there twice, or an alias stands for what it is in.
    """
    if id(node) in known:
        if known[id(node)] is None:
            _refuse(node, "an alias within what it stands for")
        return known[id(node)]
    known[id(node)] = None
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, _ in node.value:
            if (written := (key.tag, str(key.value))) in keys:
                _refuse(key, f"the key {show(key.value)} is there twice")
            keys.add(written)
        children = [child for pair in node.value for child in pair]
    else:
        children = node.value if isinstance(node, yaml.SequenceNode) else []
    known[id(node)] = count = 1 + sum(_count(child, known) for child in children)
    if count > MAX_VALUES:
        _refuse(node, f"more than {MAX_VALUES:,} values are not allowed")
    return count


def _refuse(node: yaml.Node, why: str) -> None:
    raise ValueError(f"{why} (line {node.start_mark.line + 1})")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "so many levels are not allowed"
    if not isinstance(error, yaml.YAMLError | ValueError):
        return "a value is not what its tag says"
    return " ".join(str(error).split())

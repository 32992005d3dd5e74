"""Read settings in YAML or JSON within limits, so that no text takes long or fills the memory.

A text is refused if it repeats a key, because one of the two values would be silently lost; if its aliases expand to a
huge value; or if it asks for values that JSON does not have, such as Python objects.

Numbers are those of YAML 1.2. YAML 1.1, by which Snakemake and PyYAML read, takes `2:4` for 124 (to the base 60), `010`
for 8 and `2020-01-01` for a date. Here these are text, and a file that holds one without quotes is refused, because it
means one thing to this project and another to Snakemake.
"""

import json
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

from anytime_pruning.foundation.errors import SettingError, message_of, show

TAG = "tag:yaml.org,2002:"
# Octal integers, and integers and other numbers to the base 60.
NUMBERS_OF_YAML_1_1 = re.compile(
    r"[-+]?(?:0[0-7_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$"
)
OF_YAML_1_1 = f"{TAG}str of YAML 1.1"
# These tags make values that JSON does not have, and a study is handed to jobs as JSON.
NOT_IN_JSON = frozenset(TAG + kind for kind in ("timestamp", "binary", "set", "omap", "pairs"))


def with_numbers_of_yaml_1_2(base: Any) -> Any:
    """Return a loader that marks text without quotes that only YAML 1.1 takes for a number or a date."""
    resolvers = {first: list(known) for first, known in base.yaml_implicit_resolvers.items()}
    dates = dict(resolvers["2"])[f"{TAG}timestamp"]
    for first in "+-0123456789":
        resolvers[first][:0] = [(OF_YAML_1_1, NUMBERS_OF_YAML_1_1), (OF_YAML_1_1, dates)]
    loader: Any = type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})
    loader.add_constructor(OF_YAML_1_1, loader.construct_yaml_str)
    return loader


# libyaml's loader is ten times faster, but not every installation of PyYAML has it.
LOADER = with_numbers_of_yaml_1_2(getattr(yaml, "CSafeLoader", yaml.SafeLoader))
MAX_BYTES = 2**20
MAX_DEPTH = 20
# The most values in one file. The values behind an alias count each time that the alias is used.
MAX_VALUES = 100_000
# PyYAML and json raise other errors than their own for a 13th month, for integers of thousands of digits and for bad
# tags.
UNREADABLE = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the settings of a study or of one run from a YAML file.

    Raises:
        SettingError: the file cannot be read, or holds no mapping of settings.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SettingError(f"config: {path} cannot be read: {error}") from None
    content = parse_yaml(f"config: {path}", text, is_shared=True)
    if not isinstance(content, dict):
        raise SettingError(f"config: {path} holds no settings")
    return content


def parse_yaml(name: str, text: str | bytes, is_shared: bool = False) -> Any:
    """Return the value of a YAML text.

    Args:
        name: name of the text for messages; a file's name follows `config: `.
        text: the text; bytes are read as UTF-8.
        is_shared: whether Snakemake may read the text, too; what has another value there is then refused.

    Raises:
        SettingError: the text is not YAML, or exceeds a limit.
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
            _check_node(node, {})
            _check_tags(node, "", is_shared)
            if is_shared and "\t" in text:
                _check_tabs(text)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except UNREADABLE as error:
        raise SettingError(f"{name} cannot be read: {_reason(error)}") from None


def parse_json(name: str, text: str) -> Any:
    """Return the value of a JSON text.

    Args:
        name: name of the text, for messages.
        text: the text.

    Raises:
        SettingError: the text is not JSON, or repeats a key.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except UNREADABLE as error:
        raise SettingError(f"{name}: not JSON: {_reason(error)}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of pairs; raise ValueError if a key appears twice."""
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {show(key)} appears twice")
        values[key] = value
    return values


def _check_depth(text: str) -> None:
    """Refuse deep nesting because libyaml calls itself once for each level and could overflow the stack."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            _refuse(event, f"more than {MAX_DEPTH} levels are not allowed")


def _check_tabs(text: str) -> None:
    """Refuse tabs between the parts of a text, which libyaml takes for spaces and Snakemake's loader does not.

    Snakemake reads a file as JSON first, and tabs are allowed there.
    """
    try:
        json.loads(text)
    except UNREADABLE:
        list(yaml.parse(text, yaml.SafeLoader))


def _check_node(node: yaml.Node, counts: dict[int, int | None]) -> int:
    """Refuse repeated keys, aliases inside their own value, and too many values.

    Args:
        node: a node of the parsed text.
        counts: number of values of each node by its identity; None while the node's children are being counted.

    Returns:
        The number of values in the node; the values behind an alias count each time.

    Raises:
        ValueError: the node is refused; the message names the line.
    """
    if id(node) in counts:
        count = counts[id(node)]
        return _refuse(node, "an alias inside its own value is not allowed") if count is None else count
    counts[id(node)] = None
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        children = [child for pair in node.value for child in pair]
    counts[id(node)] = count = 1 + sum(_check_node(child, counts) for child in children)
    if count > MAX_VALUES:
        _refuse(node, f"more than {MAX_VALUES:,} values are not allowed")
    return count


def _check_keys(mapping: yaml.MappingNode) -> None:
    """Refuse a key that is written twice; PyYAML would keep the last value and drop the other."""
    seen = set()
    for key, _ in mapping.value:
        if (written := (key.tag, str(key.value))) in seen:
            _refuse(key, f"the key {show(key.value)} appears twice")
        seen.add(written)


def _check_tags(node: yaml.Node, key: str, is_shared: bool) -> None:
    """Refuse values that JSON does not have and, in a shared text, those that have another value by YAML 1.1.

    Args:
        node: a node of a tree that was checked before, so that it ends.
        key: the key of the value, for messages; empty outside of a mapping.
        is_shared: whether Snakemake may read the text, too.
    """
    where = f"{key}: " if key else ""
    if node.tag in NOT_IN_JSON:
        _refuse(node, f"{where}!!{node.tag.removeprefix(TAG)} is not allowed: text, numbers, lists and mappings are")
    if is_shared and node.tag == OF_YAML_1_1:
        said = f"{where}{node.value[:80]} without quotes is a number or a date for Snakemake"
        _refuse(node, f"{said}; write it in quotes: {where}{show(node.value)}")
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _check_tags(child, key, is_shared)
    elif isinstance(node, yaml.MappingNode):
        for name, child in node.value:
            _check_tags(name, key, is_shared)
            _check_tags(child, str(name.value)[:80], is_shared)


def _refuse(part: yaml.Node | yaml.Event, why: str) -> NoReturn:
    raise ValueError(f"{why} (line {part.start_mark.line + 1})" if part.start_mark else why)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "too many levels"
    if not isinstance(error, yaml.YAMLError | ValueError):
        return "a value does not fit its tag"
    reason = message_of(error)
    # libyaml reads ahead, and since 0.2.6 its own limit of 1,000 levels may come before ours.
    return f"more than {MAX_DEPTH} levels are not allowed" if "nesting depth" in reason else reason

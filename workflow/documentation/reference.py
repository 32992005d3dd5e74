"""Write the parts of the documentation that repeat what the code defines: settings, commands and make targets."""

import contextlib
import inspect
import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any
from unittest import mock

from pydantic import BaseModel

from anytime_pruning.cli import main
from anytime_pruning.datasets.cifar.source import Cifar100
from anytime_pruning.datasets.image_folder import ImageFolder
from anytime_pruning.datasets.restricted_imagenet import RestrictedImageNet
from anytime_pruning.figures import catalog  # noqa: F401  (kinds of figures register themselves)
from anytime_pruning.foundation.fields import json_schema_of
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.results.metrics_file import FinalNumbers, MetricsFile
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.settings.execution import ExecutionSettings, StartFile
from anytime_pruning.settings.run import fields
from anytime_pruning.settings.study import Margins, Study

ROOT = Path(__file__).parents[2]
MODELS = {
    model.__name__: model
    for model in (
        *(Study, Margins, ExecutionSettings, ImageFolder, RestrictedImageNet, Cifar100, StartFile),
        *(fields.SubjectFields, fields.PruningFields, fields.StreamFields, fields.StartFields, fields.TrainingFields),
    )
}
STORED = {kind.__name__: kind for kind in (MegabatchRow, EpochRow, LayerRow, MetricsFile, FinalNumbers)}
# These keys of a dataset stand in the page's text: the name is the key of the entry.
SHOWN_ELSEWHERE = ("name", "source")
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


def part(name: str) -> str:
    """Return a generated part of a page.

    Args:
        name: `settings of MODEL`, `columns of CLASS`, `commands`, `figures` or `make targets`.

    Raises:
        KeyError: there is no such part.
    """
    kind, _, subject = name.partition(" of ")
    if kind == "settings":
        return "\n".join(settings_table(MODELS[subject]))
    if kind == "columns":
        return "\n".join(columns_table(STORED[subject]))
    parts = {"commands": command_sections, "figures": figure_table, "make targets": make_table}
    return "\n".join(parts[name]())


def settings_table(model: type[BaseModel]) -> Iterator[str]:
    """Yield the lines of a table with the settings of a model."""
    schema, described = json_schema_of(model), _attributes(model)
    yield "| key | values | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        if name not in SHOWN_ELSEWHERE:
            values = _values(schema["properties"][name], schema.get("$defs", {}))
            default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
            yield f"| `{name}` | {values} | {default} | {_cell(field.description or described[name])} |"


def columns_table(kind: type[object]) -> Iterator[str]:
    """Yield the lines of a table with the columns or fields of stored results."""
    yield "| name | meaning |"
    yield "|---|---|"
    for name, meaning in _attributes(kind).items():
        yield f"| `{name}` | {_cell(meaning)} |"


def _attributes(model: type[object]) -> dict[str, str]:
    """Return the descriptions in the section `Attributes` of a class's docstring, by name."""
    section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.+?)(?=^    \w+: |\Z)", section, re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()).removesuffix(".") for name, text in entries}


def _default(value: Any) -> str:
    """Return the cell of a default value."""
    if value is None or isinstance(value, BaseModel) or value in ({}, []):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    parts = value if isinstance(value, tuple) else (value,)
    return ", ".join(f"`{part}`" for part in parts)


def _values(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the cell that says which values a property of a JSON schema may have."""
    if "anyOf" in schema:
        options = (_values(option, definitions) for option in schema["anyOf"] if option.get("type") != "null")
        return " or ".join(dict.fromkeys(options))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "object")
    if kind == "array":
        return f"list: {_values(schema['items'], definitions)}"
    bounds = " ".join(f"{word} {schema[key]:,}" for key, word in BOUNDS.items() if key in schema)
    words = {"string": "text", "boolean": "`true`, `false`", "object": "mapping", "integer": "whole number"}
    return ", ".join(filter(None, (words.get(kind, kind), bounds)))


def command_sections() -> Iterator[str]:
    """Yield a section for each command of the command line, with what its `--help` prints."""
    for name, command in main.COMMANDS.items():
        yield f"## {name}\n\n{command.HELP[0].upper()}{command.HELP[1:]}.\n\n```text\n{help_of(name)}```\n"


def help_of(command: str) -> str:
    """Return what `--help` of a command prints, 100 characters wide."""
    text = io.StringIO()
    # The name of the program in the text is that of this process.
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "100"}),
        mock.patch("sys.argv", [str(PurePath("anytime_pruning", "__main__.py"))]),
        contextlib.redirect_stdout(text),
        contextlib.suppress(SystemExit),
    ):
        main.main([command, "--help"])
    return text.getvalue()


def figure_table() -> Iterator[str]:
    """Yield the lines of a table with every kind of figure and table, and the caption that the report shows with it."""
    yield "| kind | files | what it shows |"
    yield "|---|---|---|"
    kinds = {name: lookup("figure", name) for name in names("figure")}
    for name, kind in sorted(kinds.items(), key=lambda item: (item[1].category, item[0])):
        files = "picture" if "png" in kind.files else "table"
        yield f"| `{name}` | {files} | {_cell(kind.caption.replace('``', '`'))} |"


def make_table() -> Iterator[str]:
    """Yield the lines of a table with the targets that `make` lists."""
    yield "| command | what it does |"
    yield "|---|---|"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target, purpose in re.findall(r'^\t@echo "(make [\w-]+)\s+(.+)"$', makefile, re.MULTILINE):
        yield f"| `{target}` | {_cell(purpose)} |"


def _cell(text: str) -> str:
    """Return a text as the cell of a table."""
    return text.replace("|", "\\|")

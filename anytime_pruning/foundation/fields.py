"""Define the field types that settings models share, and turn pydantic's error reports into one line."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from anytime_pruning.foundation.errors import SettingError, show

Model = TypeVar("Model", bound=BaseModel)


def refuse_bool(value: Any) -> Any:
    """Return a value that is about to be read as a number, unless it is a boolean.

    Raises:
        ValueError: the value is true or false, which pydantic would take for 1 or 0.
    """
    if isinstance(value, bool):
        raise ValueError("a number is expected, not true or false")
    return value


def _check_path(value: Any) -> Path:
    """Return a path if file systems allow it, terminals can show it, and nothing in it stands for something else.

    `~` at the beginning becomes the user's home. Snakemake would read braces as a pattern. Nothing
    replaces a variable in a file of settings, so that a folder of the name `$SCRATCH` would be made.
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError("the path of a file or folder is expected, as text")
    path = Path(os.path.expanduser(value))
    if not str(path).isprintable() or set("{}") & set(str(path)):
        raise ValueError("a path without control characters and braces is expected")
    if str(path).startswith("~") or re.search(r"\$\w", str(path)):
        raise ValueError("a path without variables such as $HOME is expected, and ~ only for the home of a known user")
    if max(len(os.fsencode(part)) for part in ("", *path.parts)) > 255 or len(str(path)) > 1024:
        raise ValueError("a shorter path is expected")
    return path


# A name becomes part of a path, so it holds no separator and does not begin with a dot.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
# A list of one entry may be written as the entry itself.
Names = Annotated[tuple[Name, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
Count = Annotated[int, BeforeValidator(refuse_bool), Field(ge=1, le=10**9)]
Number = Annotated[float, BeforeValidator(refuse_bool), Field(allow_inf_nan=False)]
FilePath = Annotated[Path, BeforeValidator(_check_path)]


# pydantic leaves these bounds in a JSON schema under its own names if a validator runs before them, as in `Count`.
BOUNDS = {
    "ge": ("minimum", max),
    "le": ("maximum", min),
    "gt": ("exclusiveMinimum", max),
    "lt": ("exclusiveMaximum", min),
}


def json_schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a settings model, with the narrowest bounds of each number."""
    schema: dict[str, Any] = _with_bounds(model.model_json_schema())
    return schema


def _with_bounds(schema: Any) -> Any:
    """Return a part of a JSON schema with JSON's names of bounds."""
    if isinstance(schema, list):
        return [_with_bounds(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: _with_bounds(part) for key, part in schema.items() if key not in BOUNDS or isinstance(part, dict)}
    for key, (name, narrowest) in BOUNDS.items():
        if isinstance(bound := schema.get(key), (int, float)):
            named[name] = narrowest(bound, named.get(name, bound))
    return named


def validate(model: type[Model], data: object, prefix: str = "") -> Model:
    """Validate data against a settings model.

    Args:
        model: the class of the settings.
        data: usually a mapping from names of settings to values.
        prefix: text before the names of settings in messages, such as `dataset.`.

    Returns:
        An instance of the model.

    Raises:
        SettingError: a setting is wrong. The message is one line that names the first wrong setting, its value and
            the allowed values.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SettingError(_describe(error.errors(), prefix, model.__name__, model.model_fields)) from None


def check_field(model: type[BaseModel], key: str, value: object, prefix: str = "") -> None:
    """Check the value of one setting by itself, whatever the others will be.

    Args:
        model: the class of the settings.
        key: name of the setting.
        value: the value.
        prefix: text before the name of the setting in messages, such as `defaults.`.

    Raises:
        SettingError: the value is not allowed beside any other settings.
    """
    try:
        model.model_validate({key: value})
    except ValidationError as error:
        if own := [part for part in error.errors() if part["loc"][:1] == (key,)]:
            raise SettingError(_describe(own, prefix, model.__name__, model.model_fields)) from None


def check_name(setting: str, value: object) -> str:
    """Return a name that may become part of a path.

    Args:
        setting: name of the setting, for messages.
        value: the name to check.

    Raises:
        SettingError: the value is not a valid name, for example because it is not a text or holds a path separator.
    """
    checked: str = _check_alone(Name, setting, value)
    return checked


def check_path(setting: str, value: object) -> Path:
    """Return a path that is given without other settings, checked as in a settings model.

    Args:
        setting: name of the setting, for messages.
        value: the path to check.

    Raises:
        SettingError: the value is no path, or one that is not allowed.
    """
    checked: Path = _check_alone(FilePath, setting, value)
    return checked


def check_folder(setting: str, folder: Path) -> None:
    """Check that a path is a folder, or that a folder can be made there.

    Raises:
        SettingError: a file, or a symbolic link that leads nowhere, is in its place or in that of a folder above it.
    """
    place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not os.path.isdir(place):
        what = "a file" if place.exists() else "a symbolic link that leads nowhere"
        raise SettingError(f"{setting}: {str(folder)!r} is not allowed: {place} is {what}; allowed: a folder")


def _check_alone(kind: Any, setting: str, value: object) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise SettingError(_describe(error.errors(), "", setting, ())) from None


def _describe(errors: Sequence[ErrorDetails], prefix: str, whole: str, allowed: Iterable[str]) -> str:
    """Describe the first problem of a report.

    Args:
        errors: the problems that pydantic reports, at least one.
        prefix: text before the names of settings.
        whole: name of the whole object, for a problem that belongs to no single setting.
        allowed: names of the allowed settings.
    """
    first, *others = errors
    where = prefix + (".".join(str(part)[:80] for part in first["loc"]) or whole)
    shown = show(first["input"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        message = str(cause)
    elif first["type"] == "extra_forbidden":
        message = f"{where}: unknown setting (value {shown}); allowed: {', '.join(allowed)}"
    elif first["type"] == "missing":
        message = f"{where}: this setting is required"
    else:
        message = f"{where}: {shown} is not allowed: {first['msg'].removeprefix('Value error, ')}"
    return message + (f" (and {len(others)} more)" if others else "")

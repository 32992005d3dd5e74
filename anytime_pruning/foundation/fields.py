"""Types shared by the settings models, and pydantic's reports turned into one line."""

import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, create_model

from anytime_pruning.foundation.errors import SettingError, show

Model = TypeVar("Model", bound=BaseModel)


def refuse_bool(value: Any) -> Any:
    """Before a number is read: true and false would pass for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is expected, not true or false")
    return value


def _check_path(path: Path) -> Path:
    """A path that a file system can have, a terminal can show, and Snakemake does not take for a pattern."""
    if not str(path).isprintable() or set("{}") & set(str(path)):
        raise ValueError("a path without control characters and braces is expected")
    if max(len(os.fsencode(part)) for part in ("", *path.parts)) > 255 or len(str(path)) > 1024:
        raise ValueError("a shorter path is expected")
    return path


# A name becomes part of a path, so it holds no separator and does not begin with a dot.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Count = Annotated[int, BeforeValidator(refuse_bool), Field(ge=1, le=10**9)]
Number = Annotated[float, BeforeValidator(refuse_bool), Field(allow_inf_nan=False)]
FilePath = Annotated[Path, AfterValidator(_check_path)]


def validate(model: type[Model], data: Any, prefix: str = "") -> Model:
    """Validate data against a settings model.

    Args:
        prefix: put before the names of settings in messages, such as `dataset.`.

    Raises:
        SettingError: one line that names the first wrong setting, its value and what is allowed.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SettingError(_one_line(model, error, prefix)) from None


def check_name(setting: str, value: Any) -> str:
    """A name that may become part of a path.

    Raises:
        SettingError: it holds a separator or begins with a dot, for example.
    """
    return getattr(validate(create_model("Named", **{setting: Name}), {setting: value}), setting)


def _one_line(model: type[BaseModel], error: ValidationError, prefix: str) -> str:
    first, *others = error.errors()
    where = prefix + (".".join(str(part)[:80] for part in first["loc"]) or model.__name__)
    shown = show(first["input"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        message = str(cause)
    elif first["type"] == "extra_forbidden":
        message = f"{where}: unknown setting (value {shown}); allowed: {', '.join(model.model_fields)}"
    elif first["type"] == "missing":
        message = f"{where}: this setting is required"
    else:
        message = f"{where}: {shown} is not allowed: {first['msg'].removeprefix('Value error, ')}"
    return message + (f" (and {len(others)} more)" if others else "")

"""Find the dataset that a grid entry names: an entry of the study's `datasets`, or a source that needs no settings."""

import json
from collections.abc import Mapping
from typing import Any

from anytime_pruning.datasets import DatasetSettings, parse_dataset
from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.registry import lookup, names

Entries = Mapping[str, Mapping[str, Any]]


def find_dataset(entries: Entries, name: object) -> DatasetSettings:
    """Return the settings of the dataset that a grid entry names.

    Args:
        entries: the study's `datasets`.
        name: value of the setting `dataset`; None if the grid entry has none.

    Raises:
        SettingError: no dataset has this name, its entry is wrong, or the entry does not determine the images.
    """
    if isinstance(name, str) and name in entries:
        return _parse_pinned(name, entries[name])
    if isinstance(name, str) and name in names("dataset") and _needs_no_settings(name):
        return parse_dataset(name)
    problem = "every entry of the grid needs one" if name is None else f"{show(name)} is not known"
    raise SettingError(f"dataset: {problem}; allowed: {', '.join(_dataset_names(entries))}")


def check_entries(entries: Entries) -> None:
    """Check every entry by itself, because a wrong one that no run uses now would wait for the run that does.

    Raises:
        SettingError: an entry is wrong. Only an entry that a run uses has to determine the images.
    """
    for name, entry in entries.items():
        _parse_entry(name, entry)


def _parse_entry(name: str, entry: Mapping[str, Any]) -> DatasetSettings:
    if "name" in entry:
        raise SettingError(f"datasets.{name}.name: unknown setting; the key {name!r} is the dataset's name")
    try:
        return parse_dataset({"name": name, **entry})
    except SettingError as error:
        raise SettingError(f"datasets.{name}{str(error).removeprefix('dataset')}") from None


def _parse_pinned(name: str, entry: Mapping[str, Any]) -> DatasetSettings:
    dataset = _parse_entry(name, entry)
    if not dataset.is_pinned():
        settings = json.dumps(dataset.model_dump(mode="json", exclude_defaults=True) | {"source": dataset.source})
        raise SettingError(
            f"datasets.{name}.content_sha256: this setting is required in a study, whose results are found by it; "
            f"`python -m anytime_pruning prepare '{settings}'` prints it"
        )
    return dataset


def _dataset_names(entries: Entries) -> list[str]:
    """Return the names that a grid may use, sorted."""
    embedded = [name for name in names("dataset") if _needs_no_settings(name)]
    return sorted({*entries, *embedded})


def _needs_no_settings(source: str) -> bool:
    fields = lookup("dataset", source).model_fields
    return not any(field.is_required() for name, field in fields.items() if name != "name")

"""Name runs in tables and figures: by the axes, the share of images, and a variant that tells other runs apart."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from anytime_pruning.datasets import parse_dataset
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import find
from anytime_pruning.settings.grid import NOT_IN_A_GRID
from anytime_pruning.settings.run import PRUNING_SETTINGS, RunSettings

# Every table and figure names a run by these settings. The column `variant` spells out other settings in which runs of
# a study differ.
AXES = ("dataset", "model", "n_megabatches", "protocol", "method", "pruner", "seed")


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that determine a run's numbers, with the dataset's name in place of its settings.

    Args:
        settings: content of config.yaml; settings that the file of an older run lacks get their defaults.

    Raises:
        KeyError: the mapping names no dataset.
        TypeError: the mapping does not hold the settings of a run.
    """
    defaults = {
        key: as_yaml(field.get_default(call_default_factory=True))
        for key, field in RunSettings.model_fields.items()
        if not field.is_required()
    }
    found = {**defaults, **settings, "dataset": settings["dataset"]["name"]}
    return {key: value for key, value in found.items() if key not in NOT_IN_A_GRID}


def as_yaml(value: Any) -> Any:
    """Return the value that a default would have in YAML."""
    return list(value) if isinstance(value, tuple) else value


def name_variants(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Spell out, for each run, the settings outside the axes in which the run differs from others on its dataset.

    The most frequent value of a setting on a dataset is not spelled out, so the variant of a usual run is empty. If two
    values are equally frequent, all values are spelled out. Runs without pruning have no pruning settings in a variant.

    Args:
        settings: result of `plain_settings` by the name of the run.

    Returns:
        The variant by the name of the run: a text such as `lr=0.2, tau=3.0`.
    """
    meaningful = {
        name: {
            key: _text_of(value)
            for key, value in values.items()
            if key not in AXES and (values["pruner"] != "none" or key not in PRUNING_SETTINGS or key in _used(values))
        }
        for name, values in settings.items()
    }
    counts: dict[tuple[str, str], Counter[str]] = {}
    for name, values in meaningful.items():
        for key, text in values.items():
            counts.setdefault((settings[name]["dataset"], key), Counter())[text] += 1
    usual = {place: _most_frequent(counter) for place, counter in counts.items()}
    return {
        name: ", ".join(
            f"{key}={text}" for key, text in sorted(values.items()) if text != usual[settings[name]["dataset"], key]
        )
        for name, values in meaningful.items()
    }


def name_image_counts(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Say for each run on how many training images its dataset is used, so that no table takes a part for the whole.

    Runs on one dataset have the same text. If their numbers differ, the text names all numbers, and variants tell which
    runs have an unusual one.

    Args:
        settings: result of `plain_settings` by the name of the run.

    Returns:
        A text such as `5,000 of 50,000` by the name of the run. It is empty where all images are used, and lacks the
        total where only the images themselves tell it.
    """
    limits: dict[str, set[int | None]] = {}
    for values in settings.values():
        limits.setdefault(values["dataset"], set()).add(values["train_limit"])
    texts = {dataset: _count_images(dataset, found) for dataset, found in limits.items()}
    return {name: texts[values["dataset"]] for name, values in settings.items()}


def _count_images(dataset: str, limits: set[int | None]) -> str:
    try:
        total = parse_dataset(dataset).train_count()
    except SettingError:  # a dataset of the user, whose settings alone tell the source
        total = None
    parts = sorted({limit for limit in limits if limit not in (None, total)})
    if not parts:
        return ""
    counts = [f"{part:,}" for part in parts] + ["all"] * (len(limits) > len(parts))
    return " or ".join(counts) + (f" of {total:,}" if total else "")


def _used(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the pruning settings that a method uses although it never prunes."""
    method = find("method", settings["method"])
    return () if method is None else method.thing.uses  # type: ignore[attr-defined]  # of a schedule


def _text_of(value: Any) -> str:
    """Return the text of a value in a variant; a file is shown by the first digits of its checksum."""
    if isinstance(value, Mapping) and "sha256" in value:
        return str(value["sha256"])[:8]
    return value if isinstance(value, str) else json.dumps(value)


def _most_frequent(counter: Counter[str]) -> str | None:
    """Return the most frequent value, or None if two values are equally frequent."""
    first, *others = counter.most_common(2)
    return None if others and others[0][1] == first[1] else first[0]

"""Name runs in tables and figures by their main settings, the axes, and by a variant that tells other runs apart."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

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
            if key not in AXES and not (values["pruner"] == "none" and key in PRUNING_SETTINGS)
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


def _text_of(value: Any) -> str:
    """Return the text of a value in a variant; a file is shown by the first digits of its checksum."""
    if isinstance(value, Mapping) and "sha256" in value:
        return str(value["sha256"])[:8]
    return value if isinstance(value, str) else json.dumps(value)


def _most_frequent(counter: Counter[str]) -> str | None:
    """Return the most frequent value, or None if two values are equally frequent."""
    first, *others = counter.most_common(2)
    return None if others and others[0][1] == first[1] else first[0]

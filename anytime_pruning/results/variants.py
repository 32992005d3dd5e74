"""What a run is called in tables and figures: its axes, and its variant. Torch-free."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from anytime_pruning.settings.run import PRUNING_SETTINGS, RunSettings

# What names a run; other settings that set it apart within a study are spelled out in the column `variant`.
AXES = ("dataset", "model", "n_megabatches", "protocol", "method", "pruner", "seed")


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run as its config.yaml has them, with the dataset's name in place of its settings.

    A setting that an older run does not know has its default; what does not determine numbers is left out.

    Raises:
        KeyError, TypeError: these are not the settings of a run.
    """
    defaults = {
        key: field.get_default(call_default_factory=True)
        for key, field in RunSettings.model_fields.items()
        if not field.is_required()
    }
    found = {**defaults, **settings, "dataset": settings["dataset"]["name"]}
    return {key: value for key, value in found.items() if key != "execution"}


def name_variants(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """For each run the settings beyond the axes in which it is not like the others on its dataset, as `tau=3.0`.

    What most of the runs on a dataset have is the reference and goes without saying, so that the variant of a usual
    run is empty. Where no value is the most frequent, all are spelled out. Of runs that are not pruned, pruning
    settings say nothing and are left out.

    Args:
        settings: `plain_settings` by the run's name.
    """
    meaningful = {
        name: {
            key: _text_of(value)
            for key, value in values.items()
            if key not in AXES and not (values["pruner"] == "none" and key in PRUNING_SETTINGS)
        }
        for name, values in settings.items()
    }
    counts: dict[tuple[str, str], Counter] = {}
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
    """A value as a variant shows it; a file that a run starts from is known by its content."""
    if isinstance(value, Mapping) and "sha256" in value:
        return value["sha256"][:8]
    return value if isinstance(value, str) else json.dumps(value)


def _most_frequent(counter: Counter) -> str | None:
    """The value that occurs most often, or None where two do."""
    first, *others = counter.most_common(2)
    return None if others and others[0][1] == first[1] else first[0]

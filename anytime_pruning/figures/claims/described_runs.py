"""Describe where a stored run was made: its images, and every setting that is not the default."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anytime_pruning.datasets import DatasetSettings, parse_dataset
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.safe_text import parse_yaml
from anytime_pruning.results.layout import CONFIG
from anytime_pruning.results.variants import AXES, plain_settings
from anytime_pruning.settings.run import RunSettings

# A claim names the axes apart, and says nothing of where and how finely a run is computed.
UNCOMPARED = frozenset({*AXES, "precision", "execution"})


@dataclass(frozen=True)
class DescribedRun:
    """The facts of a run that a claim asks about.

    Attributes:
        data: source of the images.
        others: every setting of the run or its dataset that is not the default.
        precision_asked: the setting `precision`, in which runs that a claim is about may differ.
    """

    data: str
    others: dict[str, Any]
    precision_asked: str


def describe_run(folder: Path) -> DescribedRun:
    """Describe a run from the settings in its folder.

    Raises:
        DataError: config.yaml is missing or damaged.
    """
    try:
        raw = parse_yaml(CONFIG, (folder / CONFIG).read_bytes())
        settings, dataset = plain_settings(raw), parse_dataset(raw["dataset"])
    except OSError as error:
        raise DataError(f"{folder / CONFIG}: {error.strerror}") from None
    except (KeyError, TypeError, SettingError):
        raise DataError(f"{folder / CONFIG}: not readable") from None
    fields = {key: field for key, field in RunSettings.model_fields.items() if key not in UNCOMPARED}
    others = {key: settings[key] for key, field in fields.items() if settings[key] != _as_yaml(field.default)}
    return DescribedRun(dataset.source, others | _dataset_settings(dataset), settings["precision"])


def _dataset_settings(dataset: DatasetSettings) -> dict[str, Any]:
    """Return the settings of a dataset that claims ask about; an image folder is other data in any case."""
    if dataset.source == "image_folder":
        return {}
    identity = dataset.identity()
    return {key: value for key, value in identity.items() if key not in ("name", "source", "content_sha256")}


def _as_yaml(value: Any) -> Any:
    """Return a default as YAML has it."""
    return list(value) if isinstance(value, tuple) else value

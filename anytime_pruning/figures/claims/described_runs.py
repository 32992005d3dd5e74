"""Describe the conditions of a stored run: its images, and every setting that is not the default."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anytime_pruning.datasets import DatasetSettings, parse_dataset
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.safe_text import parse_yaml
from anytime_pruning.results.layout import CONFIG
from anytime_pruning.results.variants import AXES, as_yaml, plain_settings
from anytime_pruning.settings.run import RunSettings

# Claims name the axes separately and do not say on which device or in which precision a run is computed, so these
# settings are not compared.
UNCOMPARED = frozenset({*AXES, "precision", "execution", "own_code"})


@dataclass(frozen=True)
class DescribedRun:
    """Holds the facts of a run that decide whether a claim is about the run.

    Attributes:
        data: source of the images.
        others: every setting of the run or its dataset that is not the default.
        precision_asked: the setting `precision`; a claim may be about runs of any precision.
    """

    data: str
    others: dict[str, Any]
    precision_asked: str


def describe_run(folder: Path) -> DescribedRun:
    """Describe a run by the settings in its folder.

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
    others = {key: settings[key] for key, field in fields.items() if settings[key] != as_yaml(field.default)}
    return DescribedRun(dataset.source, others | _dataset_settings(dataset), settings["precision"])


def _dataset_settings(dataset: DatasetSettings) -> dict[str, Any]:
    """Return the settings of a dataset that claims may name; an image folder never has the data of a claim."""
    if dataset.source == "image_folder":
        return {}
    identity = dataset.identity()
    return {key: value for key, value in identity.items() if key not in ("name", "source", "content_sha256")}

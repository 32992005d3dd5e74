"""The paper's claims as config/claims.yaml lists them, and which runs a claim is about. Torch-free."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from anytime_pruning.datasets import DatasetSettings, parse_dataset
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.fields import Number, validate
from anytime_pruning.foundation.safe_text import parse_yaml, read_yaml
from anytime_pruning.results.layout import CONFIG
from anytime_pruning.results.variants import AXES, plain_settings
from anytime_pruning.settings.run import RunSettings

Measure = Literal[
    "test_acc_pct",
    "cumulative_error_count",
    "generalization_gap_pct",
    "clean_gap_pct",
    "density",
    "first_density",
    "direction_changes",
    "early_density",
]


class Strict(BaseModel):
    """A frozen part of the file that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(Strict):
    """Where something is claimed: sources of the images, networks, Ts, and settings that are not the default."""

    data: tuple[str, ...] = Field(min_length=1)
    model: tuple[str, ...] = Field(min_length=1)
    n_megabatches: tuple[int, ...] = Field(min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class Side(Strict):
    """One series of runs."""

    method: str
    pruner: str


class Claim(Strict):
    """One claim; the file explains the keys."""

    id: str
    text: str
    source: str
    where: Place
    measure: Measure
    first: Side
    second: Side | None = None
    relative: bool = False
    claimed: Number | Literal["positive", "negative"]
    tolerance: Number | None = Field(None, ge=0)
    unit: str

    @model_validator(mode="after")
    def _check_number(self) -> "Claim":
        if isinstance(self.claimed, str) == (self.tolerance is not None):
            raise SettingError(f"claims.{self.id}: tolerance belongs to a claimed number, and to nothing else")
        if self.relative and self.second is None:
            raise SettingError(f"claims.{self.id}: relative needs a second series")
        return self


class Claims(Strict):
    """The file."""

    claims: list[Claim] = Field(min_length=1)


def read_claims(path: Path) -> list[Claim]:
    """The claims of a file.

    Raises:
        SettingError: it is missing or not understood; or two claims share an id.
    """
    claims = validate(Claims, read_yaml(path)).claims
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise SettingError(f"claims: two are called {name!r}")
    return claims


# What a claim does not ask about: the axes, which are looked at apart, and where and how finely a run is computed.
UNSAID = frozenset({*AXES, "precision", "execution"})


def describe_run(folder: Path) -> dict[str, Any]:
    """What a claim asks of a run.

    Returns:
        `data`, the source of its images; `others`, every setting, of the run or its dataset, that is not the default;
        and `precision_asked`, which may differ between two runs that a claim is about.

    Raises:
        DataError: its config.yaml is missing or damaged.
    """
    try:
        raw = parse_yaml(CONFIG, (folder / CONFIG).read_bytes())
        settings, dataset = plain_settings(raw), parse_dataset(raw["dataset"])
    except OSError as error:
        raise DataError(f"{folder / CONFIG}: {error.strerror}") from None
    except (KeyError, TypeError, SettingError):
        raise DataError(f"{folder / CONFIG}: not readable") from None
    fields = {key: field for key, field in RunSettings.model_fields.items() if key not in UNSAID}
    others = {key: settings[key] for key, field in fields.items() if settings[key] != _plain(field.default)}
    return {
        "data": dataset.source,
        "others": others | _dataset_settings(dataset),
        "precision_asked": settings["precision"],
    }


def _dataset_settings(dataset: DatasetSettings) -> dict[str, Any]:
    """What is special about a dataset of a source that claims are about; an image folder is other data in any case."""
    if dataset.source == "image_folder":
        return {}
    identity = dataset.identity()
    return {key: value for key, value in identity.items() if key not in ("name", "source", "content_sha256")}


def _plain(value: Any) -> Any:
    """A default as YAML has it."""
    return list(value) if isinstance(value, tuple) else value

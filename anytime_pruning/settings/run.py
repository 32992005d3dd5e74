"""Define the settings of one run, and the digest that names the run.

The settings are a frozen model that rejects unknown keys and values out of range. Grids of runs are defined in
`study.py`. Names of models, pruners and replay policies are checked later, where they are looked up.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from anytime_pruning import RESULTS_VERSION
from anytime_pruning.datasets.base import DatasetSettings, parse_dataset
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.fields import Count, Name, Names, Number, Patterns, refuse_bool, validate
from anytime_pruning.pruning.protocols import PruningStep, make_protocol
from anytime_pruning.pruning.schedules import Schedule, make_schedule
from anytime_pruning.settings.execution import ExecutionSettings, StartFile
from anytime_pruning.settings.own_code import own_code_of
from anytime_pruning.settings.versions import narrow_versions

# T has a limit, because a schedule is a list of T densities. T = 10,000 still cuts ImageNet into megabatches of 128
# images.
MAX_MEGABATCHES = 10_000
# These settings have no meaning for a method that never prunes.
PRUNING_SETTINGS = ("pruner", "scope", "selection", "base_density", "tau", "sample_frac", "prune_on")
# These replay policies ignore `buffer_size`. A policy that is registered from outside may use the setting.
REPLAY_WITHOUT_BUFFER = ("full", "none", "previous")
# The content of these files is part of a run's identity, but their paths are not.
START_FILES = ("initial_mask", "initial_weights")


class RunSettings(BaseModel):
    """Holds everything that determines the numbers of one run, and where to compute the run (`execution`).

    The defaults are those of the released commands. The description of each field documents the setting; the command
    line and the JSON schema show the same text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: SerializeAsAny[DatasetSettings] = Field(description="name of a dataset, or a mapping with name and source")
    model: Name = Field(description="architecture; the command `list` shows all")
    n_megabatches: Count = Field(8, le=MAX_MEGABATCHES, description="T, the length of the stream")
    method: Name = Field("app", description="density schedule: app, app_cubic, osp or dense")
    pruner: Name = Field("snip", description="scoring criterion; dense runs have none")
    scope: Literal["global", "local"] = Field("global", description="one ranking of all weights, or one for each layer")
    selection: Name = Field(
        "unstructured", description="how weights are chosen by their scores: unstructured, one by one"
    )
    seed: Annotated[int, BeforeValidator(refuse_bool)] = Field(
        0, ge=0, lt=2**53, description="determines the stream, the initial weights and every draw"
    )

    base_density: Number = Field(
        0.8, gt=0, le=1, description="density at level 1; app and osp take density = base_density ** level"
    )
    tau: Number = Field(4.5, ge=1, le=1000, description="level at the last megabatch")
    sample_frac: Number = Field(
        0.2, gt=0, le=1, description="share of the images named by `prune_on` that weights are scored on"
    )
    prune_on: Literal["replay", "megabatch"] = Field(
        "replay", description="what pi_t is drawn from: the replay-inclusive set, or the current megabatch alone"
    )
    protocol: Name = Field("paper", description="paper: its rules; released: those of the published code")
    prunable: Names = Field(
        ("conv",), min_length=1, description="kinds of layers that may be pruned: conv, linear, conv_transpose"
    )
    keep: Patterns = Field(
        ("classifier", "frozen"),
        description="layers to leave alone: classifier, frozen (parameters without a gradient), patterns of names",
    )
    initial_mask: StartFile | None = Field(None, description="begin with these masks: {path, sha256} of safetensors")
    initial_weights: StartFile | None = Field(
        None, description="begin with these weights: {path, sha256} of safetensors"
    )
    replay: Name = Field("full", description="which earlier data is trained on: full, none, previous or buffer")
    buffer_size: Count = Field(1000, description="training images of earlier megabatches that replay `buffer` keeps")
    valid_frac: Number = Field(0.1, gt=0, lt=1, description="share of each megabatch held out for validation")
    train_limit: Count | None = Field(None, description="use only this many training images, drawn at random")
    start: Name = Field(
        "warm", description="how each megabatch starts: warm goes on with the weights of the one before"
    )

    epochs: Count = Field(50, description="epochs on each megabatch")
    batch_size: Annotated[Count, Field(ge=2)] = Field(64, description="samples of one SGD step")
    lr: Number = Field(0.1, gt=0, le=1e30, description="learning rate at the start of each megabatch")
    lr_milestones: tuple[Count, ...] = Field(
        (20, 40), max_length=1000, description="epochs after which lr is multiplied by lr_gamma"
    )
    lr_gamma: Number = Field(0.1, gt=0, le=1, description="factor of each milestone")
    warmup_epochs: Annotated[int, BeforeValidator(refuse_bool)] = Field(
        0, ge=0, le=10**9, description="first epochs of each megabatch, in which lr rises linearly from step to step"
    )
    momentum: Number = Field(0.9, ge=0, lt=1, description="SGD momentum; its buffers live on across megabatches")
    weight_decay: Number = Field(1e-4, ge=0, le=1e30, description="L2 penalty on all parameters")
    augment: bool = Field(True, description="random crop and flip, as the dataset allows them")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="bfloat16: mixed precision by autocast; auto: bfloat16 where the device has it natively"
    )

    own_code: dict[str, str] = Field({}, description="digests of the code of your own network and pruner; filled in")
    execution: ExecutionSettings = Field(ExecutionSettings(), description="device, threads and data folder")

    @field_validator("dataset", mode="before")
    @classmethod
    def _parse_dataset(cls, value: object) -> DatasetSettings:
        return parse_dataset(value)

    @field_validator("lr_milestones")
    @classmethod
    def _check_milestones(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("milestones must increase")
        return value

    @model_validator(mode="after")
    def _collapse_meaningless(self) -> Self:
        """Set every setting that has no meaning for this run to its default, so that a grid names the run only once.

        The checks below run on the result, so a setting without meaning cannot fail them.
        """
        prunes = self.schedule.prunes
        meaningless = [] if prunes else list(PRUNING_SETTINGS)
        if self.replay in REPLAY_WITHOUT_BUFFER:
            meaningless.append("buffer_size")
        defaults = {key: type(self).model_fields[key].default for key in meaningless}
        if not prunes:
            defaults["pruner"] = "none"
        return self.model_copy(update=defaults)

    @model_validator(mode="after")
    def _fill_own_code(self) -> Self:
        own_code = self.own_code or own_code_of(dict(self))
        return self.model_copy(update={"own_code": own_code})

    @model_validator(mode="after")
    def _check_densities(self) -> Self:
        densities = self.densities()
        if len(densities) != self.n_megabatches:
            raise SettingError(
                f"method: {self.method!r} is not allowed: its schedule has {len(densities)} densities for "
                f"n_megabatches {self.n_megabatches}"
            )
        for t, density in enumerate(densities, start=1):
            if not 0 < density <= 1:
                raise SettingError(
                    f"tau: {self.tau} is not allowed with base_density {self.base_density}: the density of method "
                    f"{self.method} at megabatch {t} is {density}; allowed: densities above 0, at most 1"
                )
        return self

    @model_validator(mode="after")
    def _check_protocol(self) -> Self:
        for key, allowed in make_protocol(self.protocol).allowed.items():
            is_meant = self.schedule.prunes or key not in PRUNING_SETTINGS
            if is_meant and (value := getattr(self, key)) not in allowed:
                raise SettingError(
                    f"{key}: {value!r} is not allowed with protocol {self.protocol}; allowed: "
                    f"{', '.join(map(str, allowed))}"
                )
        return self

    @property
    def schedule(self) -> Schedule:
        """Return the density schedule that `method` names."""
        return make_schedule(self.method)

    def densities(self) -> list[float]:
        """Return the density asked for at each of the T megabatches."""
        return self.schedule.densities(self.n_megabatches, self.tau, self.base_density)

    def prunes_at(self) -> list[bool]:
        """Return for each of the T megabatches whether weights are scored and pruned."""
        return make_protocol(self.protocol).prunes_at(self.schedule, self.densities())

    def pruning_step(self, t: int) -> PruningStep:
        """Return what the settings ask of the pruning at megabatch t, counted from 1."""
        return PruningStep(t, self.densities()[t - 1], self.base_density**self.tau, self.scope)

    def identity(self) -> dict[str, Any]:
        """Return what determines the numbers: versions, required settings, and others that differ from their default.

        A new setting whose default keeps the old behaviour therefore changes no digest. In return, RESULTS_VERSION has
        to be raised whenever a default changes. The golden test notices a changed default.
        """
        excluded: dict[str, Any] = {"execution": True, "dataset": True, **{key: {"path"} for key in START_FILES}}
        settings = self.model_dump(mode="json", exclude=excluded, exclude_defaults=True)
        # Digests must be the same on every machine, so a number that only the cache of a dataset knows is not used.
        n_images = self.train_limit or self.dataset.train_count()
        versions = narrow_versions(self.model, self.protocol, n_images, self.n_megabatches, self.valid_frac)
        return {"results_version": RESULTS_VERSION, **versions, "dataset": self.dataset.identity(), **settings}

    def digest(self) -> str:
        """Return twelve hexadecimal digits of the SHA-256 of `identity()`, with which the run's folder name ends."""
        return digest_of(self.identity())


def digest_of(content: Mapping[str, Any]) -> str:
    """Return twelve hexadecimal digits of the SHA-256 of JSON content; the order of its keys does not matter."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def parse_settings(data: Mapping[str, Any]) -> RunSettings:
    """Make the settings of one run from a mapping.

    Args:
        data: values by setting, as YAML or JSON gives them.

    Raises:
        SettingError: a setting is wrong; the message names the first wrong setting, its value and the allowed values.
    """
    return validate(RunSettings, dict(data))

"""The settings of one run: a frozen model that rejects unknown keys and values out of range, and the digest that names
it.

Torch-free, so that the workflow can plan with it. What a grid of runs is stands in `study.py`. Whether a name (of a
model, a pruner, a replay policy) is registered is checked where it is looked up.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from anytime_pruning import RESULTS_VERSION  # noqa: F401
from anytime_pruning.datasets.base import DatasetSettings, parse_dataset
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.fields import Count, Name, Number, refuse_bool, validate
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.pruning import schedules  # noqa: F401
from anytime_pruning.settings.execution import ExecutionSettings, StartFile

# A schedule is a list of T densities; ImageNet in megabatches of 128 images.
MAX_MEGABATCHES = 10_000


class RunSettings(BaseModel):
    """Everything that determines the numbers of one run, plus where to compute it (`execution`).

    Defaults are those of the released commands (50 epochs and so on); every field is documented in its description,
    which is also what the command line and the JSON schema show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: SerializeAsAny[DatasetSettings] = Field(description="name of a dataset, or a mapping with name and source")
    model: Name = Field(description="architecture, as `list` shows them")
    n_megabatches: Count = Field(8, le=MAX_MEGABATCHES, description="T, the length of the stream")
    method: Name = Field("app", description="density schedule: app, osp or dense")
    pruner: Name = Field("snip", description="scoring criterion; dense runs have none")
    scope: Literal["global", "local"] = Field("global", description="one ranking of all weights, or one for each layer")
    seed: Annotated[int, BeforeValidator(refuse_bool)] = Field(
        0, ge=0, lt=2**53, description="determines the stream, the initial weights and every draw"
    )

    base_density: Number = Field(0.8, gt=0, le=1, description="density = base_density ** level")
    tau: Number = Field(4.5, ge=1, le=1000, description="level at the last megabatch")
    sample_frac: Number = Field(0.2, gt=0, le=1, description="share of the set `prune_on` names that is scored on")
    prune_on: Literal["replay", "megabatch"] = Field(
        "replay", description="what pi_t is drawn from: the replay-inclusive set, or the current megabatch alone"
    )
    protocol: Literal["paper", "released"] = Field(
        "paper", description="what the paper says, or the mask arithmetic and validation of the released code"
    )
    initial_mask: StartFile | None = Field(None, description="begin with these masks: {path, sha256} of safetensors")
    initial_weights: StartFile | None = Field(
        None, description="begin with these weights: {path, sha256} of safetensors"
    )
    replay: Name = Field("full", description="which earlier data is trained on: full, none, previous or buffer")
    buffer_size: Count = Field(1000, description="training images of earlier megabatches that replay `buffer` keeps")
    valid_frac: Number = Field(0.1, gt=0, lt=1, description="share of each megabatch held out for validation")
    train_limit: Count | None = Field(None, description="use only so many training images, drawn at random")

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

    execution: ExecutionSettings = Field(ExecutionSettings(), description="device, threads and data folder")

    @field_validator("dataset", mode="before")
    @classmethod
    def _parse_dataset(cls, value: Any) -> DatasetSettings:
        return parse_dataset(value)

    @field_validator("lr_milestones")
    @classmethod
    def _check_milestones(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("milestones must increase")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _collapse_meaningless(cls, data: Any, validate_all: ModelWrapValidatorHandler) -> "RunSettings":
        """Settings without meaning for a run get their default, so that a grid names such a run once.

        A method that never prunes is one run, whatever valid pruning settings its grid entry has.
        """
        settings = validate_all(data)
        meaningless = () if settings.replay == "buffer" else ("buffer_size",)
        if not prunes(settings.method):
            meaningless += PRUNING_SETTINGS
        collapsed = {key: cls.model_fields[key].default for key in meaningless}
        return settings.model_copy(update=collapsed | ({} if prunes(settings.method) else {"pruner": "none"}))

    @model_validator(mode="after")
    def _check_densities(self) -> "RunSettings":
        if min(self.densities()) <= 0:
            raise SettingError(f"tau: {self.tau} is not allowed: the density {self.base_density} ** {self.tau} is 0")
        return self

    @model_validator(mode="after")
    def _check_protocol(self) -> "RunSettings":
        if self.protocol == "released" and self.prune_on != "replay":
            raise SettingError(
                f"prune_on: {self.prune_on!r} is not allowed with protocol released, which scores on the first samples "
                "of the stream; allowed: replay"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """What determines the numbers: required settings, and others where they differ from their default.

        A setting added later, whose default keeps the old behaviour, therefore leaves all digests as they are. The
        price: a changed default must raise RESULTS_VERSION; the golden test holds the defaults for that reason.
        """
        excluded: dict[str, Any] = {"execution": True, "dataset": True}
        for key in START_FILES:
            excluded[key] = {"path"}
        settings = self.model_dump(mode="json", exclude=excluded, exclude_defaults=True)
        return {"results_version": RESULTS_VERSION, "dataset": self.dataset.identity(), **settings}

    def digest(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of `identity()`, the end of the run's folder name."""
        return digest_of(self.identity())

    def densities(self) -> list[float]:
        """The density asked for at each of the T megabatches."""
        return lookup("method", self.method)(self.n_megabatches, self.tau, self.base_density)


# What has no meaning for a method that never prunes.
PRUNING_SETTINGS = ("pruner", "scope", "base_density", "tau", "sample_frac", "prune_on")
# Named by their content, not by where they lie.
START_FILES = ("initial_mask", "initial_weights")


def prunes(method: str) -> bool:
    """Whether a method ever removes a weight."""
    return min(lookup("method", method)(2, 2.0, 0.5)) < 1


def digest_of(content: dict[str, Any]) -> str:
    """Twelve hexadecimal digits of the SHA-256 of some JSON content, the same for any order of keys."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def parse_settings(data: dict[str, Any]) -> RunSettings:
    """Settings of one run from a mapping.

    Raises:
        SettingError: one line that names the first wrong setting, its value and what is allowed.
    """
    return validate(RunSettings, data)

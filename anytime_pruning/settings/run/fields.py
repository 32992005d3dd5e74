"""Define the settings of a run in groups: its subject, its pruning, its stream, its starts and its training.

`settings.py` puts the groups together. The description of each field documents the setting; the command line and the
JSON schema show the same text.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny

from anytime_pruning.datasets.base import DatasetSettings
from anytime_pruning.foundation.fields import Count, Name, Names, Number, Patterns, refuse_bool
from anytime_pruning.settings.execution import StartFile

# T has a limit, because a schedule is a list of T densities. T = 10,000 still cuts ImageNet into megabatches of 128
# images.
MAX_MEGABATCHES = 10_000
NaturalNumber = Annotated[int, BeforeValidator(refuse_bool), Field(ge=0)]


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SubjectFields(_Fields):
    """Holds what a run is about: the data, the network, the length of the stream, the method and the seed."""

    dataset: SerializeAsAny[DatasetSettings] = Field(description="name of a dataset, or a mapping with name and source")
    model: Name = Field(description="architecture; the command `list` shows all")
    n_megabatches: Count = Field(8, le=MAX_MEGABATCHES, description="T, the length of the stream")
    method: Name = Field("app", description="density schedule: app, app_cubic, osp or dense, or a control")
    pruner: Name = Field("snip", description="scoring criterion; dense runs have none")
    scope: Literal["global", "local"] = Field("global", description="one ranking of all weights, or one for each layer")
    selection: Name = Field(
        "unstructured",
        description="how weights are chosen by score: unstructured (one by one), n_m (N of M) or filter (whole ones)",
    )
    pattern: str = Field(
        "2:4", pattern=r"^[1-9]\d?:[1-9]\d?$", description="N:M, how many of M weights selection `n_m` keeps in a group"
    )
    seed: Annotated[NaturalNumber, Field(lt=2**53)] = Field(
        0, description="determines the stream, the initial weights and every draw"
    )


class PruningFields(_Fields):
    """Holds how far and on which images the network is pruned, and which layers may be pruned."""

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
    protocol: Name = Field("paper", description="paper: the rules of the paper; released: those of the published code")
    prunable: Names = Field(
        ("conv",), min_length=1, description="kinds of layers that may be pruned: conv, linear, conv_transpose"
    )
    keep: Patterns = Field(
        ("classifier", "frozen"),
        description="layers to leave alone: classifier, frozen (parameters without a gradient), patterns of names",
    )
    regrow: Name = Field(
        "none", description="dynamic sparsity: set (weights come back at random), rigl (by their gradients) or none"
    )
    regrow_steps: NaturalNumber = Field(
        100, description="steps between two exchanges of weights; 0 exchanges at the start of each later megabatch only"
    )
    regrow_frac: Number = Field(
        0.3, gt=0, le=1, description="share of a layer's kept weights that the first exchange of a megabatch drops"
    )
    initial_mask: StartFile | None = Field(None, description="begin with these masks: {path, sha256} of safetensors")
    initial_weights: StartFile | None = Field(
        None, description="begin with these weights: {path, sha256} of safetensors"
    )


class StreamFields(_Fields):
    """Holds which images each megabatch trains and validates on."""

    replay: Name = Field("full", description="which earlier data is trained on: full, none, previous or buffer")
    buffer_size: Count = Field(1000, description="training images of earlier megabatches that replay `buffer` keeps")
    valid_frac: Number = Field(0.1, gt=0, lt=1, description="share of each megabatch held out for validation")
    train_limit: Count | None = Field(None, description="use only this many training images, drawn at random")
    wait: Count = Field(
        1,
        description="train only at every k-th megabatch and at the last; elsewhere the network is tested as it is",
    )


class StartFields(_Fields):
    """Holds how the network starts each megabatch but the first."""

    start: Name = Field(
        "warm",
        description="how each megabatch after the first starts: warm (with the weights of the one before), cold, "
        "rewind, shrink_perturb or dash",
    )
    start_momentum: Literal["keep", "reset"] = Field(
        "keep", description="whether momentum is kept across megabatches; cold and rewind always reset it"
    )
    rewind_epoch: NaturalNumber = Field(
        0, description="epoch of the first megabatch whose weights start `rewind` goes back to; 0: before training"
    )
    shrink: Number = Field(
        0.6, ge=0, le=1, description="factor of all parameters at start `shrink_perturb`; the smallest one at `dash`"
    )
    perturb: Number = Field(
        0.01, ge=0, le=1e30, description="standard deviation of the noise that start `shrink_perturb` adds"
    )


class TrainingFields(_Fields):
    """Holds how the network trains on a megabatch."""

    epochs: Count = Field(50, description="epochs on each megabatch")
    batch_size: Annotated[Count, Field(ge=2)] = Field(64, description="samples of one SGD step")
    lr: Number = Field(0.1, gt=0, le=1e30, description="learning rate at the start of each megabatch")
    lr_milestones: tuple[Count, ...] = Field(
        (20, 40), max_length=1000, description="epochs after which lr is multiplied by lr_gamma"
    )
    lr_gamma: Number = Field(0.1, gt=0, le=1, description="factor of each milestone")
    warmup_epochs: Annotated[NaturalNumber, Field(le=10**9)] = Field(
        0, description="first epochs of each megabatch, in which lr rises linearly from step to step"
    )
    momentum: Number = Field(0.9, ge=0, lt=1, description="SGD momentum; `start_momentum` says how long it lives")
    weight_decay: Number = Field(1e-4, ge=0, le=1e30, description="L2 penalty on all parameters")
    augment: bool = Field(True, description="random crop and flip, as the dataset allows them")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="bfloat16: mixed precision by autocast; auto: bfloat16 where the device has it natively"
    )


class RunFields(TrainingFields, StartFields, StreamFields, PruningFields, SubjectFields):
    """All settings that a user chooses for a run, before their combinations are checked."""

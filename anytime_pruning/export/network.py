"""Load the trained network of a finished run."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from anytime_pruning.export.sparse_weights import is_packed, unpack
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.fields import Count, Number, validate
from anytime_pruning.models import build_model
from anytime_pruning.results import layout
from anytime_pruning.results.collect import read_settings
from anytime_pruning.results.store import read_metrics


class Input(BaseModel):
    """What metrics.json says of the images that a network was made for."""

    image_shape: tuple[Count, Count, Count] = Field(description="(channels, height, width)")
    n_classes: Count
    mean: tuple[Number, ...] = Field(description="per channel")
    std: tuple[Annotated[Number, Field(gt=0)], ...] = Field(description="per channel")

    @model_validator(mode="after")
    def _check_channels(self) -> "Input":
        if not len(self.mean) == len(self.std) == self.image_shape[0]:
            raise ValueError("mean and std must have one number for each channel")
        return self


def load_network(run: str | Path, weights: str | Path | None = None) -> nn.Module:
    """The trained network of a finished run, in eval mode: images in [0, 1] of [B, C, H, W] to logits.

    Args:
        weights: a safetensors file, dense or sparse as `export_run` writes it; the run's own if None.

    Raises:
        SettingError: the network is not registered.
        DataError: as `export_run`.
    """
    run = Path(run)
    name, images = read_settings(run)["model"], read_input(run)
    weights = Path(weights) if weights else layout.find_weights(run)
    model = build_model(name, images.n_classes, images.image_shape, images.mean, images.std)
    state, expected = _read_weights(weights), model.state_dict()
    forms = [{key: (tensor.shape, tensor.dtype) for key, tensor in tensors.items()} for tensors in (state, expected)]
    if wrong := sorted({key for key, _ in forms[0].items() ^ forms[1].items()}):
        raise DataError(f"{weights}: not the weights of this {name}: {wrong[0]} is missing or differs")
    model.load_state_dict(state, strict=True)
    return model.eval()


def read_input(run: Path) -> Input:
    """Shape, classes and normalisation of a run's images.

    Raises:
        DataError: metrics.json is missing or damaged, or does not say them.
    """
    said = read_metrics(run).get("input")
    if said is None:
        raise DataError(f"{run}: metrics.json does not say the shape of its images; train the run again")
    try:
        return validate(Input, said, "input.")
    except SettingError as error:
        raise DataError(f"{run / layout.METRICS}: {error}") from None


def _read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, dense or sparse."""
    try:
        data = path.read_bytes()
        state = load(data)
        return unpack(data) if is_packed(data) else state
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {' '.join(str(error).split())}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None

"""A trained network for use elsewhere: as ONNX, and as a compact file of the weights that were kept."""

import warnings
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from anytime_pruning.export.sparse_weights import is_packed, pack, unpack
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.fields import Count, Number, validate
from anytime_pruning.foundation.files import write_atomically
from anytime_pruning.models import build_model
from anytime_pruning.pruning.masks import prunable_weights
from anytime_pruning.results import layout
from anytime_pruning.results.collect import read_settings
from anytime_pruning.results.store import read_metrics

ONNX, SPARSE = "network.onnx", "network.sparse.safetensors"


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


def export_run(run: str | Path, weights: str | Path | None = None, out: str | Path | None = None) -> dict[str, Path]:
    """Write the network of a finished run as ONNX and as a compact sparse file.

    Args:
        run: its folder, with config.yaml and metrics.json.
        weights: its final weights; where the workflow or `train --out` puts them if None.
        out: folder for the files; that of the weights if None.
    Returns:
        Path by file name: of the weights, too.
    Raises:
        SettingError: a package that ONNX needs is not installed, or the network is not known.
        DataError: the run or its weights are missing, damaged or not of each other; nothing is written.
    """
    images = read_input(Path(run))
    weights = Path(weights) if weights else layout.find_weights(Path(run))
    model = load_network(run, weights)
    out = Path(out) if out else weights.parent
    # Both are made before the first is written: what cannot be exported leaves nothing behind.
    contents = {
        ONNX: make_onnx(model, images.image_shape),
        SPARSE: pack(model.state_dict(), prunable_weights(model)),
    }
    for name, content in contents.items():
        write_atomically(out / name, lambda path, content=content: path.write_bytes(content))
    return {"weights": weights} | {name: out / name for name in contents}


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


def make_onnx(model: nn.Module, image_shape: tuple[int, int, int]) -> bytes:
    """A network as ONNX: `images` float32 [batch, C, H, W] in [0, 1] to `logits` [batch, n_classes], any batch.

    Args:
        model: in eval mode, on the CPU.
        image_shape: (channels, height, width).
    Raises:
        SettingError: a package is missing.
        DataError: the network does what cannot be written as ONNX, such as deciding by the values of its images.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        from onnx_ir.passes.common import ClearMetadataAndDocStringPass
    except ImportError as error:
        raise SettingError(
            f"export: the package {error.name} is not installed; pip install -r envs/extras.txt"
        ) from None
    try:
        with warnings.catch_warnings():
            # The exporter calls what torch itself has deprecated.
            warnings.simplefilter("ignore", FutureWarning)
            program = torch.onnx.export(
                model,
                (torch.zeros(2, *image_shape),),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise DataError(f"export: this network cannot be written as ONNX: {reason}") from None
    # Each node would say which lines of which files it comes from: paths of the machine, in a file made to be shared.
    ClearMetadataAndDocStringPass()(program.model)
    return program.model_proto.SerializeToString()


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

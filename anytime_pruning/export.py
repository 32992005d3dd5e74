"""A trained network for use elsewhere: as ONNX, and as a compact file of the weights that were kept."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from anytime_pruning import layout
from anytime_pruning.collect import read_settings
from anytime_pruning.errors import DataError, SettingError
from anytime_pruning.masks import prunable_weights
from anytime_pruning.models import build_model
from anytime_pruning.sparse_file import pack, unpack
from anytime_pruning.storage import read_metrics, write_atomically

ONNX, SPARSE = "network.onnx", "network.sparse.safetensors"


def export_run(run: Path, weights: Path | None = None, out: Path | None = None) -> dict[str, Path]:
    """Write the network of a finished run as ONNX and as a compact sparse file.

    Args:
        run: its folder, with config.yaml and metrics.json.
        weights: its final weights; where the workflow or `train --out` puts them if None.
        out: folder for the files; that of the weights if None.
    Returns:
        Path by file name: of the weights, too.
    Raises:
        SettingError: a package that ONNX needs is not installed.
        DataError: the run or its weights are missing, damaged or not of each other.
    """
    weights = weights or find_weights(run)
    model = load_network(run, weights)
    out = out or weights.parent
    paths = {"weights": weights, ONNX: out / ONNX, SPARSE: out / SPARSE}
    shape = read_metrics(run)["input"]["image_shape"]
    sparse = pack(model.state_dict(), prunable_weights(model))
    write_atomically(paths[ONNX], lambda path: write_onnx(model, shape, path))
    write_atomically(paths[SPARSE], lambda path: path.write_bytes(sparse))
    return paths


def load_network(run: Path, weights: Path | None = None) -> nn.Module:
    """The trained network of a finished run, in eval mode: images in [0, 1] of [B, C, H, W] to logits.

    Args:
        weights: a safetensors file, dense or sparse as `export_run` writes it; the run's own if None.
    Raises:
        DataError: as `export_run`.
    """
    settings, said = read_settings(run), read_metrics(run).get("input")
    if said is None:
        raise DataError(f"{run}: metrics.json does not say the shape of its images; train the run again")
    weights = weights or find_weights(run)
    model = build_model(settings["model"], said["n_classes"], tuple(said["image_shape"]), said["mean"], said["std"])
    state = _read_weights(weights)
    expected = model.state_dict()
    wrong = sorted(
        name
        for name in {*expected, *state}
        if name not in expected or name not in state or expected[name].shape != state[name].shape
    )
    if wrong:
        raise DataError(f"{weights}: not the weights of this {settings['model']}: {wrong[0]} is missing or differs")
    model.load_state_dict(state, strict=True)
    return model.eval()


def find_weights(run: Path) -> Path:
    """The weights of a run: in its folder, or in the tree of checkpoints beside the runs.

    Raises:
        DataError: they are in neither; weights are not versioned with the results.
    """
    places = [run / layout.WEIGHTS]
    parts = run.parts
    if "runs" in parts:
        i = len(parts) - 1 - parts[::-1].index("runs")
        places.append(Path(*parts[:i], "checkpoints", *parts[i + 1 :], layout.WEIGHTS))
    for place in places:
        if place.exists():
            return place
    raise DataError(
        f"{places[-1]}: no such file; fetch the weights, or train them: "
        f"python -m anytime_pruning train --settings {run / layout.CONFIG} --out NEW_FOLDER"
    )


def write_onnx(model: nn.Module, image_shape: list[int], path: Path) -> None:
    """A network as ONNX: `images` float32 [batch, C, H, W] in [0, 1] to `logits` [batch, n_classes], any batch.

    Raises:
        SettingError: a package is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise SettingError(
            f"export: the package {error.name} is not installed; pip install -r envs/extras.txt"
        ) from None
    images = torch.zeros(2, *image_shape)
    program = torch.onnx.export(
        model,
        (images,),
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        verbose=False,
    )
    program.save(str(path), external_data=False)


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        state: dict[str, Any] = load_file(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {' '.join(str(error).split())}") from None
    return unpack(path.read_bytes()) if any(name.startswith("values/") for name in state) else state

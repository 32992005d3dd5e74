"""A trained network for use elsewhere: as ONNX, and as a compact file of the weights that were kept."""

import warnings
from pathlib import Path

import torch
from torch import nn

from anytime_pruning.export.network import load_network, read_input
from anytime_pruning.export.sparse_weights import pack
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.files import write_atomically
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.results import layout

ONNX, SPARSE = "network.onnx", "network.sparse.safetensors"


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

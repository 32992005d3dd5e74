"""Write a trained network for use elsewhere: as ONNX, as a sparse file of its weights, or made smaller."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from anytime_pruning.export.compact import make_compact
from anytime_pruning.export.network import load_network
from anytime_pruning.export.onnx_check import check_onnx
from anytime_pruning.export.sparse_weights import pack
from anytime_pruning.foundation.errors import DataError, first_line
from anytime_pruning.foundation.files import write_atomically
from anytime_pruning.foundation.packages import naming_missing_package
from anytime_pruning.models.state import copy_state
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.results import layout
from anytime_pruning.results.store import read_metrics

ONNX, SPARSE = "network.onnx", layout.SPARSE_WEIGHTS
COMPACT_ONNX, COMPACT = "network.compact.onnx", "network.compact.safetensors"


def export_run(
    run: str | Path,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    compact: bool = False,
    sparse_only: bool = False,
) -> dict[str, Path]:
    """Write the network of a finished run as ONNX and as a sparse file.

    Args:
        run: folder of the run, with config.yaml and metrics.json.
        weights: file of the final weights; None means the file that the workflow or `train --out` wrote.
        out: folder for the files; None means the folder of the weights.
        compact: whether to write the network without its empty channels, too, as ONNX and as safetensors.
        sparse_only: whether to write the sparse file alone, which needs no package of ONNX.

    Returns:
        The paths of the files by name, and the path of the weights as `weights`.

    Raises:
        SettingError: a package that the export needs is not installed, the network is not registered, or `compact` is
            asked of a network without empty channels.
        DataError: the run or its weights are missing or damaged, or the weights do not fit the run; nothing is
            written.
    """
    run = Path(run)
    image_shape = read_metrics(run).input.image_shape
    path = Path(weights) if weights else layout.find_weights(run)
    model = load_network(run, path)
    folder = Path(out) if out else path.parent
    # All contents are made before the first file is written, so a failed export leaves no file behind. What may be a
    # mistake of the user comes before the conversions, which take seconds.
    smaller = make_compact(model, image_shape) if compact else None
    contents = {SPARSE: pack(copy_state(model), prunable_weights(model))}
    if not sparse_only:
        contents = {ONNX: make_onnx(model, image_shape)} | contents
    if smaller is not None:
        contents |= {COMPACT_ONNX: make_onnx(smaller, image_shape), COMPACT: save(copy_state(smaller))}
    for name, content in contents.items():
        _write(folder / name, content)
    return {"weights": path} | {name: folder / name for name in contents}


def make_onnx(model: nn.Module, image_shape: tuple[int, int, int]) -> bytes:
    """Convert a network to ONNX.

    The result maps `images`, float32 [batch, C, H, W] in [0, 1], to `logits` [batch, n_classes] for any batch size. It
    is compared with the network before it is returned.

    Args:
        model: the network in eval mode, on the CPU.
        image_shape: (channels, height, width).

    Returns:
        The content of the ONNX file.

    Raises:
        SettingError: a package that ONNX needs is not installed.
        DataError: ONNX cannot express the network, for example because it branches on the values of its images, or the
            result computes something else than the network.
    """
    with naming_missing_package():
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        from onnx_ir.passes.common import ClearMetadataAndDocStringPass
    try:
        with _silence():
            program = torch.onnx.export(
                model,
                (torch.zeros(2, *image_shape),),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
            # With `dynamo=True` torch always returns a program, but its annotation also allows None.
            assert program is not None
            # Each node names its source lines with paths of this machine, which a shared file must not contain.
            ClearMetadataAndDocStringPass()(program.model)
            content: bytes = program.model_proto.SerializeToString()
    except Exception as error:
        # The exporter runs the network's own code, and wraps only some of what that code and the conversion raise.
        raise DataError(f"export: this network cannot be written as ONNX: {_reason(error)}") from None
    check_onnx(content, model, image_shape)
    return content


@contextmanager
def _silence() -> Iterator[None]:
    """Keep torch's exporter from printing: the warnings and the log are for its developers, and errors are raised."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _reason(error: BaseException) -> str:
    """Return the first line of the error with which it began: the exporter wraps errors in others with long advice."""
    while isinstance(error, torch.onnx.OnnxExporterError) and error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda partial: partial.write_bytes(content))

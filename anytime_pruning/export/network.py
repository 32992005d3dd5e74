"""Load the trained network of a finished run."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from anytime_pruning.export.sparse_weights import is_packed, unpack
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.models import build_model
from anytime_pruning.results import layout
from anytime_pruning.results.store import read_metrics, read_settings


def load_network(run: str | Path, weights: str | Path | None = None) -> nn.Module:
    """Load the trained network of a finished run.

    Args:
        run: folder of the run, with config.yaml and metrics.json.
        weights: a safetensors file, either dense or sparse as `export_run` writes it; None means the run's own weights.

    Returns:
        The network in eval mode on the CPU. It maps images in [0, 1], float32 [B, C, H, W], to logits [B, n_classes].

    Raises:
        SettingError: the network is not registered.
        DataError: the run or its weights are missing or damaged, or the weights do not fit the network.
    """
    run = Path(run)
    name, images = read_settings(run)["model"], read_metrics(run).input
    path = Path(weights) if weights else layout.find_weights(run)
    model = build_model(name, images.n_classes, images.image_shape, images.mean, images.std)
    state = _read_weights(path)
    found, expected = _forms(state), _forms(model.state_dict())
    if wrong := sorted({key for key, _ in found.items() ^ expected.items()}):
        raise DataError(f"{path}: not the weights of this {name}: {wrong[0]} is missing or differs")
    model.load_state_dict(state, strict=True)
    return model.eval()


def _forms(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Return the shape and the type of each tensor by name."""
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a dense or a sparse safetensors file."""
    try:
        data = path.read_bytes()
        state: dict[str, Tensor] = load(data)
        return unpack(data) if is_packed(data) else state
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {' '.join(str(error).split())}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None

"""Load the trained network of a finished run."""

from functools import partial
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from anytime_pruning.export.identity import build_again, check_same_code
from anytime_pruning.export.sparse_weights import is_packed, unpack
from anytime_pruning.foundation.errors import DataError, message_of
from anytime_pruning.models.state import copy_state, make_late_buffers, restore_state, state_forms
from anytime_pruning.pruning.prunable import layers_as_called, set_prunable
from anytime_pruning.pruning.selections import make_selection
from anytime_pruning.results import layout
from anytime_pruning.results.store import read_metrics, read_own_code, read_settings


def load_network(run: str | Path, weights: str | Path | None = None) -> nn.Module:
    """Load the trained network of a finished run.

    Args:
        run: folder of the run, with config.yaml and metrics.json.
        weights: a safetensors file, either dense or sparse as `export_run` writes it; None means the run's own weights.

    Returns:
        The network in eval mode on the CPU. It maps images in [0, 1], float32 [B, C, H, W], to logits [B, n_classes].

    Raises:
        SettingError: the network or the selection is not registered, the network was edited since the run, or it does
            not work on the CPU.
        DataError: the run or its weights are missing or damaged, or the weights do not fit the network.
    """
    run = Path(run)
    settings, stored = read_settings(run), read_metrics(run)
    name = settings["model"]
    path = Path(weights) if weights else layout.find_weights(run)
    check_same_code(run, name, read_own_code(run), stored.versions)
    model = build_again(run, settings, stored)
    state = read_weights(path)
    if wrong := _differing(model, state, stored.input.image_shape):
        raise DataError(f"{path}: not the weights of this {name}: {wrong[0]} is missing or differs")
    accepts = make_selection(settings["selection"], settings["pattern"]).accepts
    called = partial(layers_as_called, model, name, stored.input.n_classes, stored.input.image_shape)
    set_prunable(model, settings["prunable"], settings["keep"], called, accepts)
    try:
        restore_state(model, state)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: not the weights of this {name}: {message_of(error)}") from None
    return model.eval()


def _differing(model: nn.Module, state: dict[str, Tensor], image_shape: tuple[int, int, int]) -> list[str]:
    """Return the names that a state and a network do not share, or hold in other forms.

    Buffers that a forward pass makes or resizes may have any shape.
    """
    found, expected = state_forms(state), state_forms(copy_state(model))
    wrong = {name for name, _ in found.items() ^ expected.items()}
    if wrong:
        make_late_buffers(model, image_shape)
        wrong -= {name for name, _ in state_forms(copy_state(model)).items() ^ expected.items()}
    return sorted(wrong)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a dense or a sparse safetensors file.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        data = path.read_bytes()
        state: dict[str, Tensor] = load(data)
        return unpack(data) if is_packed(data) else state
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {message_of(error)}") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None

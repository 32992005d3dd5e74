"""Say what does not fit into the memory, and which settings would help."""

import torch

from anytime_pruning.machine.kernels.bfloat16 import has_native_bfloat16
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.settings.run import RunSettings

NUMBERS = {2: "two", 3: "three"}


def advice_on_memory(settings: RunSettings, device: torch.device, work: str = "training") -> str:
    """Return a text that says what does not fit into the memory, and which settings to change.

    Only settings that help are named. The batches of evaluation, for example, do not follow `batch_size`.

    Args:
        settings: settings of the run.
        device: the device that computes.
        work: what needed the memory: `training`, `scoring`, `evaluation`, or `trial`, which is the try-out of the
            network on two images.
    """
    subject = {"scoring": "scoring ", "evaluation": "the evaluation of ", "trial": "a trial of "}.get(work, "")
    lower = _to_lower(settings, device, work)
    changes = []
    if lower:
        what = f"one of the {NUMBERS[len(lower)]}" if len(lower) > 1 else "it"
        changes.append(f"lower {what}")
    is_float32 = settings.precision == "float32"
    if is_float32 and work != "trial" and has_native_bfloat16(device):
        changes.append("set precision to bfloat16")
    settings_named = f" with {' and '.join(filter(None, [', '.join(lower[:-1]), *lower[-1:]]))}" if lower else ""
    options = ", or ".join(filter(None, [", ".join(changes), "run fewer jobs at once"]))
    return f"{subject}{settings.model}{settings_named} does not fit; {options}"


def _to_lower(settings: RunSettings, device: torch.device, work: str) -> list[str]:
    """Return the settings that take less memory for a kind of work when they are lower, with their values."""
    protocol = make_protocol(settings.protocol)
    follows_batch_size = work == "training" or (work == "scoring" and protocol.scoring_batch is None)
    slots, size = settings.execution.gpu_slots, getattr(settings.dataset, "image_size", None)
    named = {
        f"batch_size {settings.batch_size}": follows_batch_size,
        f"image_size {size}": size is not None,
        f"execution.gpu_slots {slots}": slots > 1 and device.type == "cuda",
    }
    return [text for text, helps in named.items() if helps]

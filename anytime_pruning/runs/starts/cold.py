"""Start a megabatch cold: with fresh weights in the places that pruning has left."""

import torch

from anytime_pruning.foundation.registry import register
from anytime_pruning.models.state import copy_state, restore_state
from anytime_pruning.runs.starts.base import StartContext


@register("start", "cold")
def start_cold(context: StartContext) -> None:
    """Draw all weights and batch norms afresh, each time from another seed, and set the momentum to zero."""
    seed = int(torch.randint(2**63 - 1, (), generator=context.generator))
    restore_state(context.trainer.model, copy_state(context.build_afresh(seed)))
    context.reset_momentum()

"""Adds a start that halves each weight and forgets momentum before every megabatch but the first."""

import torch

from anytime_pruning import register
from anytime_pruning.pruning.prunable import prunable_weights


@register("start", "halved")
def start_halved(context):
    """Halve the weights, which leaves pruned weights at zero, and clear the momentum."""
    if context.t > 1:
        with torch.no_grad():
            for weight in prunable_weights(context.trainer.model).values():
                weight.mul_(0.5)
        for velocity in context.trainer.optimizer.velocities:
            velocity.zero_()

"""Start a megabatch with shrunk weights and noise."""

import torch

from anytime_pruning.foundation.registry import register
from anytime_pruning.runs.starts.base import StartContext


@register("start", "shrink_perturb")
def start_shrink_perturb(context: StartContext) -> None:
    """Multiply every trained parameter by `shrink`, and add normal noise of the standard deviation `perturb`.

    Parameters without a gradient stay as they are. Running statistics of batch norm stay as well, and follow the
    training.

    Source: Ash, Adams, "On Warm-Starting Neural Network Training" (arXiv 1910.08475).
    """
    settings = context.settings
    with torch.no_grad():
        for parameter in context.trainer.model.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=context.generator).to(parameter)
                parameter.mul_(settings.shrink).add_(noise, alpha=settings.perturb)

"""Start a megabatch with the weights of an early moment of the run."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.models.state import restore_state
from anytime_pruning.runs.starts.base import StartContext, goes_back


@register("start", "rewind")
@goes_back
def start_rewind(context: StartContext) -> None:
    """Go back to the network after the epoch `rewind_epoch` of the first megabatch, and set the momentum to zero.

    Epoch 0 is the moment before the first training. Batch norm goes back as well.

    Source: Frankle, Dziugaite, Roy, Carbin, "Linear Mode Connectivity and the Lottery Ticket Hypothesis" (arXiv
    1912.05671).
    """
    restore_state(context.trainer.model, context.origin)
    context.reset_momentum()

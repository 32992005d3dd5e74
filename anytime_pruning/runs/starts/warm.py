"""Start a megabatch warm, as the paper does."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.runs.starts.base import StartContext


@register("start", "warm")
def start_warm(context: StartContext) -> None:
    """Go on with the weights, the batch norm and the momentum that the megabatch before left; nothing changes."""

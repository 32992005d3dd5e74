"""Start a megabatch warm, as the paper does."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.runs.starts.base import StartContext


@register("start", "warm")
def start_warm(context: StartContext) -> None:
    """Continue with the weights and batch norm of the megabatch before, without any change."""

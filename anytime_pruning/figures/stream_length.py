"""Decide by the length of a stream, its number of megabatches T, how figures show the stream."""

# After smoothing, a curve over fewer megabatches has too few points to change direction.
SHORTEST_CURVE = 8
# The paper's moderate and long streams begin at T = 25, and so do the figures of long streams.
SHORTEST_MODERATE = 25


def has_curve(n_megabatches: int) -> bool:
    """Return whether tables judge a quantity as a curve against the index of the megabatch."""
    return n_megabatches >= SHORTEST_CURVE


def is_short(n_megabatches: int) -> bool:
    """Return whether figures and tables call this stream short."""
    return n_megabatches < SHORTEST_MODERATE

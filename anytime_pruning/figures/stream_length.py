"""Say what the length of a stream, its number of megabatches T, means for figures."""

# A curve over fewer megabatches has too few points to turn after it was smoothed.
SHORTEST_CURVE = 8
# The paper's moderate and long streams begin at T = 25.
SHORTEST_MODERATE = 25


def has_curve(n_megabatches: int) -> bool:
    """Say whether a quantity is shown against the index of the megabatch."""
    return n_megabatches >= SHORTEST_CURVE


def is_short(n_megabatches: int) -> bool:
    """Say whether figures and tables call this stream short."""
    return n_megabatches < SHORTEST_MODERATE

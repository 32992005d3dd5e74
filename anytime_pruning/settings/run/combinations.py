"""Say which combinations of a run's settings have no meaning, so that they are refused before any job starts."""

from collections.abc import Iterator

from anytime_pruning.pruning.schedules import make_schedule
from anytime_pruning.settings.run.fields import RunFields

# These selections remove weights in groups that lie along the dimensions of a convolution's or linear layer's weight.
STRUCTURED = ("n_m", "filter")


def combinations_without_meaning(settings: RunFields) -> Iterator[tuple[str, str]]:
    """Yield the setting and the reason of each combination without meaning, and what is allowed instead."""
    if settings.start == "cold" and settings.replay == "none" and settings.epochs == 1:
        yield (
            "start",
            "with replay none and epochs 1: each megabatch would begin with fresh weights, see its own images once and "
            "leave nothing to the next; allowed: another start, replay or number of epochs",
        )
    if settings.wait > settings.n_megabatches:
        yield (
            "wait",
            f"with n_megabatches {settings.n_megabatches}: the network would never train; allowed: 1 to "
            f"{settings.n_megabatches}",
        )
    if make_schedule(settings.method).trains_once and settings.replay != "full":
        yield (
            "replay",
            f"with method {settings.method}, which trains once on the images of all megabatches; allowed: full",
        )
    if settings.rewind_epoch > settings.epochs:
        yield (
            "rewind_epoch",
            f"with epochs {settings.epochs}: the first megabatch has no such epoch; allowed: 0 to {settings.epochs}",
        )
    if settings.selection in STRUCTURED and settings.regrow != "none":
        yield (
            "regrow",
            f"with selection {settings.selection}, whose groups single weights would break; allowed: none, or "
            "selection unstructured",
        )
    if settings.selection in STRUCTURED and "conv_transpose" in settings.prunable:
        yield (
            "selection",
            "with prunable conv_transpose: the weight of a transposed convolution has its filters along another "
            "dimension; allowed: unstructured, or prunable conv and linear",
        )

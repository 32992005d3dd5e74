"""Divide samples into batches."""


def batch_bounds(count: int, batch_size: int) -> list[tuple[int, int]]:
    """Return (start, end) of each batch of `count` samples.

    The last batch holds the samples that remain. A single remaining sample joins the batch before it, because batch
    norm cannot normalise a single value.
    """
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count]))

"""Divide samples into batches."""


def batch_bounds(count: int, batch_size: int, keeps_single_sample: bool = False) -> list[tuple[int, int]]:
    """Return (start, end) of each batch of `count` samples.

    The last batch holds the samples that remain. A single remaining sample joins the batch before it, because batch
    norm cannot normalise a single value. With `keeps_single_sample` it is a batch of its own.
    """
    starts = list(range(0, count, batch_size))
    if not keeps_single_sample and len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count]))

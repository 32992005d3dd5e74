"""Count the images of megabatches and of their validation parts, without importing torch."""


def megabatch_sizes(n_images: int, n_megabatches: int) -> tuple[int, int]:
    """Return the sizes of the smallest and of the largest of T megabatches, which differ by at most one image."""
    return n_images // n_megabatches, -(-n_images // n_megabatches)


def count_valid(size: int, valid_frac: float) -> int:
    """Return how many images of a megabatch are held out for validation: at least one.

    The product is a float64, as in the published code, and may be below a whole number: with valid_frac 0.3, 90 images
    are divided into 62 and 28. With 0.1 no size up to 100,000 is concerned.

    Args:
        size: number of images of the megabatch.
        valid_frac: share of the megabatch to hold out, in (0, 1). The first int((1 - valid_frac) * size) images are
            trained on, and all others are held out.

    Source: landskape-ai/Progressive-Pruning at commit 7840633, which trains on int(0.9 * size) images.
    """
    return max(1, size - int((1 - valid_frac) * size))

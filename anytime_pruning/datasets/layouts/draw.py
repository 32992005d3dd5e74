"""Draw the test images of a class whose images have no splits."""

import hashlib
from collections.abc import Mapping


def choose_tests(contents: Mapping[str, bytes], test_frac: float) -> set[str]:
    """Return the names of the files of a class that become test images.

    They are drawn by the digests of their contents, so that the same images give the same draw on every machine, in
    every order, and whatever their names. Files of equal content stay together. At least one image becomes a test
    image, and at least one stays for training.

    Args:
        contents: SHA-256 of each file, by name, of which two differ.
        test_frac: share of the files that become test images.
    """
    by_chance = sorted(set(contents.values()), key=lambda digest: hashlib.sha256(b"test_frac" + digest).digest())
    wanted = max(1, round(test_frac * len(contents)))
    chosen: set[str] = set()
    for digest in by_chance[:-1]:
        if len(chosen) < wanted:
            chosen |= {name for name, other in contents.items() if other == digest}
    return chosen

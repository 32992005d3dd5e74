"""Count what is left out of a dataset, and say it in words."""

from collections import Counter

from anytime_pruning.datasets.layouts.names import AVIF, HEIF, reads_avif, reads_heif

# The most kinds of files, and the most folders, that a message names.
MAX_NAMED = 8
BY_CONTENT = "without suffix, but images"


class LeftOut:
    """Counts the visible files that are no images of any class."""

    def __init__(self) -> None:
        self._kinds: dict[str, Counter[str]] = {}
        self._loose: Counter[str] = Counter()
        self._elsewhere: Counter[str] = Counter()

    def add(self, folder: str, suffix: str, begins_like_image: bool) -> None:
        """Count a file in the folder of a class.

        Args:
            folder: path of the class.
            suffix: suffix of the file, which may be empty.
            begins_like_image: whether a file without a suffix is an image by its content.
        """
        kind = suffix or (BY_CONTENT if begins_like_image else "without suffix")
        self._kinds.setdefault(folder, Counter())[kind] += 1

    def add_loose(self, folder: str, count: int) -> None:
        """Count files that lie beside the folders of classes."""
        self._loose[folder] += count

    def add_elsewhere(self, folder: str, count: int) -> None:
        """Count the images of a folder that is not read."""
        self._elsewhere[folder] += count

    def describe(self) -> str:
        """Return what is left out, as in `20 .heic, 3 loose files in train/, 8 images in valid/`, or an empty text."""
        total: Counter[str] = sum(self._kinds.values(), Counter())
        loose = [_count(count, "loose file", folder) for folder, count in sorted(self._loose.items()) if count]
        elsewhere = [_count(count, "image", folder) for folder, count in sorted(self._elsewhere.items()) if count]
        return ", ".join([*_name_kinds(total), *_shorten(loose), *_shorten(elsewhere)])

    def describe_class(self, folder: str) -> str:
        """Return what is left out of one class, or an empty text."""
        return ", ".join(_name_kinds(self._kinds.get(folder, Counter())))

    def describe_loose(self, folder: str) -> str:
        """Return how many files lie beside the folders of classes, or an empty text."""
        return _count(self._loose[folder], "loose file", folder) if self._loose[folder] else ""


def _name_kinds(kinds: Counter[str]) -> list[str]:
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    return _shorten([f"{count:,} {kind}{_advise(kind)}" for kind, count in ordered])


def _advise(kind: str) -> str:
    """Return how files of a kind can be read, in brackets, or an empty text."""
    if kind in HEIF and not reads_heif():
        return " (read where pillow-heif is installed)"
    if kind in AVIF and not reads_avif():
        return " (read by Pillow 11.3 or newer)"
    return " (give them a suffix, such as .jpg)" if kind == BY_CONTENT else ""


def _count(count: int, what: str, folder: str) -> str:
    plural = "" if count == 1 else "s"
    return f"{count:,} {what}{plural} in {folder}/" if folder else f"{count:,} {what}{plural} beside the folders"


def _shorten(texts: list[str]) -> list[str]:
    more = len(texts) - MAX_NAMED
    return texts if more <= 0 else [*texts[:MAX_NAMED], f"{more} more kinds or places"]

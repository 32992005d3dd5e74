"""Recognise and put right text files whose line ends git turned: with line feeds, their content is what was written."""

from collections.abc import Callable
from pathlib import Path

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.files import write_atomically
from anytime_pruning.results import layout


class LineEndsError(DataError):
    """Signals a file of which nothing but the line ends is changed; the message says what puts them right.

    Attributes:
        path: path of the file.
    """

    def __init__(self, path: Path, study: Path) -> None:
        super().__init__(
            f"{path}: only its line ends are changed, as git does with core.autocrlf, and no number is lost; put them "
            f"right by python -m anytime_pruning verify --restore-line-ends {study}"
        )
        self.path = path


def check_line_ends(path: Path, is_right: Callable[[bytes], bool]) -> None:
    """Check that more than the line ends of a changed file is changed.

    Args:
        path: a file in the folder of a run or of a study's tables, whose content is not as it was written.
        is_right: says whether a content is as it was written.

    Raises:
        LineEndsError: nothing but the line ends is changed.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    turned_back = _with_line_feeds(content)
    if turned_back != content and is_right(turned_back):
        raise LineEndsError(path, layout.study_dir(path.parent))


def restore_line_ends(path: Path) -> None:
    """Give a file the line feeds back with which this package writes every text."""
    content = _with_line_feeds(path.read_bytes())
    write_atomically(path, lambda partial: partial.write_bytes(content))


def _with_line_feeds(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")

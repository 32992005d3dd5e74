"""End a workflow with a message of one line when the user made a mistake."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anytime_pruning.foundation.errors import ArtifactError, describe_system_error


@contextmanager
def mistakes_in_one_line(as_error: Callable[[str], Exception] | None = None) -> Iterator[None]:
    """Report mistakes in a block as the command line does, with one line and the exit status of the mistake.

    Args:
        as_error: makes an exception from the line, which is then raised. A Snakefile that is used as a module needs
            this, because it must neither print nor exit.

    Raises:
        SystemExit: the block raised an `ArtifactError` or an `OSError`, and `as_error` is None.
    """
    try:
        yield
    except ArtifactError as error:
        line, status = f"error: {error}", error.exit_status
    except OSError as error:
        line, status = f"error: {describe_system_error(error)}", 1
    else:
        return
    if as_error:
        raise as_error(line)
    print(line, file=sys.stderr)
    raise SystemExit(status)

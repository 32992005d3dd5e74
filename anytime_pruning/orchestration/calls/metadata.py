"""Leave out Snakemake's warnings about metadata, which it keeps only for jobs that it ran itself in this folder."""

import logging


def hide_missing_metadata(record: logging.LogRecord) -> bool:
    """Return whether a message is shown: all but the warning about each file that came from git or another machine.

    The names of runs and records of content decide what is current, so nothing here needs this metadata.
    """
    return not record.getMessage().startswith("Missing metadata for file ")

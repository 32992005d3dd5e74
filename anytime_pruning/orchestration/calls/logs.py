"""Let Snakemake show the log of a failed job if logs lie in an object store, of which it opens no object."""

import logging
from collections.abc import Callable
from pathlib import Path

from anytime_pruning.orchestration.calls.object_store import ObjectStore


def name_copies_of_logs(store: ObjectStore) -> Callable[[logging.LogRecord], bool]:
    """Return a filter for Snakemake's logger that names the copy of an object on this machine, if there is one."""

    def replace(record: logging.LogRecord) -> bool:
        if logs := getattr(record, "log", None):
            # Snakemake adds "(send to storage)" to the address of an object.
            copies = {log: store.copy_of(str(log).partition(" (")[0]) for log in logs}
            record.log = [copy if copy and Path(copy).exists() else log for log, copy in copies.items()]
        return True

    return replace

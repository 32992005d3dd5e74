"""Check runs against the registered names and the data."""

from collections.abc import Iterable

from anytime_pruning.datasets.cache import cached_train_count
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.settings.run import RunSettings, prunes
from anytime_pruning.stream.megabatches import check_stream


def check_runs(runs: Iterable[RunSettings]) -> None:
    """What can be wrong with runs beyond their settings alone: too short a stream, an unregistered name.

    Imports torch, because models and pruners register themselves with their code.

    Raises:
        SettingError: as `plan_study`.
    """
    from anytime_pruning import models  # noqa: F401
    from anytime_pruning.pruning import pruners  # noqa: F401
    from anytime_pruning.runs import trackers  # noqa: F401
    from anytime_pruning.stream import replay  # noqa: F401

    for settings in runs:
        lookup("model", settings.model)
        lookup("replay", settings.replay)
        lookup("tracker", settings.execution.tracker)
        if prunes(settings.method):
            lookup("pruner", settings.pruner)
        # Before an image folder is decoded only its limit is known, if there is one.
        n_train = cached_train_count(settings.dataset, settings.execution.data_dir) or settings.train_limit
        if n_train is not None:
            check_stream(n_train, settings.n_megabatches, settings.valid_frac, settings.train_limit)

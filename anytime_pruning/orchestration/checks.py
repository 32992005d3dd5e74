"""Check runs against the registered names and the data; imports torch, with the code that registers itself."""

from collections.abc import Iterable

import anytime_pruning.models
import anytime_pruning.pruning.pruners
import anytime_pruning.pruning.selections
import anytime_pruning.runs.starts
import anytime_pruning.runs.trackers
import anytime_pruning.stream.replay  # noqa: F401  (imported to register what these packages define)
from anytime_pruning.datasets.cache import cached_train_count
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.megabatches import check_stream


def check_runs(runs: Iterable[RunSettings]) -> None:
    """Find the mistakes that a run's settings alone do not show: an unregistered name, or too long a stream.

    Args:
        runs: settings that were already checked one by one.

    Raises:
        SettingError: one line that names the first wrong setting, its value and what is allowed.
    """
    for settings in runs:
        lookup("model", settings.model)
        lookup("replay", settings.replay)
        lookup("start", settings.start)
        lookup("tracker", settings.execution.tracker)
        if settings.schedule.prunes:
            lookup("pruner", settings.pruner)
            lookup("selection", settings.selection)
        # Before an image folder is decoded, only the limit of its images is known, if the run has a limit.
        n_train = cached_train_count(settings.dataset, settings.execution.data_dir) or settings.train_limit
        if n_train is not None:
            check_stream(n_train, settings.n_megabatches, settings.valid_frac, settings.train_limit)

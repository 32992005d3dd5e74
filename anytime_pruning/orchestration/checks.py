"""Check runs against the registered names and the data; importing this module loads torch."""

from collections.abc import Iterable

import anytime_pruning.models  # noqa: F401
import anytime_pruning.pruning.prunable  # noqa: F401
import anytime_pruning.pruning.pruners  # noqa: F401
import anytime_pruning.pruning.regrowth  # noqa: F401
import anytime_pruning.pruning.selections  # noqa: F401
import anytime_pruning.runs.starts  # noqa: F401
import anytime_pruning.runs.trackers  # noqa: F401
import anytime_pruning.stream.replay  # noqa: F401  (these imports register names)
from anytime_pruning.datasets.cache import cached_train_count
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.pruning.narrowing import check_width
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.megabatches import check_stream


def check_runs(runs: Iterable[RunSettings]) -> None:
    """Find mistakes that the settings of a run do not show by themselves: unregistered names and too long streams.

    Args:
        runs: settings that were already checked one by one.

    Raises:
        SettingError: a setting is wrong; the message names the first wrong setting, its value and the allowed values.
    """
    for settings in runs:
        lookup("model", settings.model)
        lookup("replay", settings.replay)
        lookup("start", settings.start)
        lookup("tracker", settings.execution.tracker)
        for rule in settings.prunable:
            lookup("prunable", rule)
        if settings.schedule.narrows_network:
            check_width(settings.model)
        if settings.schedule.prunes:
            lookup("pruner", settings.pruner)
            lookup("selection", settings.selection)
            lookup("regrow", settings.regrow)
        # The number of images in a folder is unknown before the folder is decoded. The setting `train_limit`, if given,
        # is then the only known limit.
        n_train = cached_train_count(settings.dataset, settings.execution.data_dir) or settings.train_limit
        if n_train is not None:
            check_stream(n_train, settings.n_megabatches, settings.valid_frac, settings.train_limit)

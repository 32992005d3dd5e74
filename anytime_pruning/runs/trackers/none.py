"""Report nothing, because a run's own files already hold all numbers."""

from collections.abc import Mapping
from pathlib import Path

from anytime_pruning.foundation.registry import register
from anytime_pruning.settings.run import RunSettings


@register("tracker", "none")
class NoTracker:
    """Reports nothing."""

    def __init__(self, settings: RunSettings, out_dir: Path, samples: int):
        pass

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Do nothing."""

    def close(self, failed: bool) -> None:
        """Do nothing."""

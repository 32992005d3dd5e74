"""Report to TensorBoard: event files below the run's folder, which `tensorboard --logdir results` shows."""

from collections.abc import Mapping
from pathlib import Path

from anytime_pruning.foundation.packages import naming_missing_package
from anytime_pruning.foundation.registry import register
from anytime_pruning.settings.run import RunSettings


@register("tracker", "tensorboard")
class TensorBoardTracker:
    """Writes event files into `tensorboard/` below the run's folder."""

    def __init__(self, settings: RunSettings, out_dir: Path, samples: int):
        with naming_missing_package():
            from torch.utils.tensorboard import SummaryWriter
        # An earlier process of this run may have reported steps after the last checkpoint. TensorBoard has to drop
        # them, because this process reports these steps again.
        self._writer = SummaryWriter(str(out_dir / "tensorboard"), purge_step=samples and samples + 1)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Write one scalar for each value."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, failed: bool) -> None:
        """Write buffered values and close the event file."""
        self._writer.close()

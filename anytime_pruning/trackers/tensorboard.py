"""TensorBoard: event files below the run's folder; `tensorboard --logdir results` shows all of them."""

from collections.abc import Mapping
from pathlib import Path

from anytime_pruning.config import RunSettings
from anytime_pruning.registry import register


@register("tracker", "tensorboard")
class TensorBoardTracker:
    """Event files in `tensorboard/` below the run's folder."""

    def __init__(self, settings: RunSettings, out_dir: Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise RuntimeError("tensorboard is not installed; pip install -r envs/extras.txt") from None
        # From step 0: the events of an attempt that was broken off are not shown together with these.
        self._writer = SummaryWriter(str(out_dir / "tensorboard"), purge_step=0)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """A scalar for each value."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, failed: bool) -> None:
        """Write out what is buffered."""
        self._writer.close()

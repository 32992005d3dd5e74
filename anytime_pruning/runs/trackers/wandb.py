"""Weights & Biases, offline unless the environment says otherwise: `wandb sync` uploads a folder later."""

import os
from collections.abc import Mapping
from pathlib import Path

from anytime_pruning.foundation.registry import register
from anytime_pruning.settings.run import RunSettings

# W&B's own telemetry asks its server even of runs that are offline; it is off unless the user sets it.
TELEMETRY = "WANDB_ERROR_REPORTING"


@register("tracker", "wandb")
class WandbTracker:
    """A run of W&B in `wandb/` below the run's folder. WANDB_MODE=online sends it, under the user's own login."""

    def __init__(self, settings: RunSettings, out_dir: Path, samples: int):
        os.environ.setdefault(TELEMETRY, "false")
        try:
            import wandb
        except ImportError:
            raise RuntimeError("wandb is not installed; pip install -r envs/extras.txt") from None
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "anytime-pruning"),
            name=f"{settings.dataset.name} {settings.model} {settings.method} seed {settings.seed} {settings.digest()}",
            config=settings.model_dump(mode="json", exclude={"execution"}),
            dir=str(out_dir),
            mode=os.environ.get("WANDB_MODE", "offline"),
            reinit="create_new",  # beside a run that the caller may have of their own
            # Of the machine and the code no more is recorded than what the run itself reports.
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_disable_stats=True,
                x_save_requirements=False,
            ),
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        """One record; W&B wants steps that rise, so the samples are a value of it."""
        self._run.log({**values, "samples": step})

    def close(self, failed: bool) -> None:
        """Finish the run's files, as crashed or as finished."""
        self._run.finish(exit_code=int(failed))

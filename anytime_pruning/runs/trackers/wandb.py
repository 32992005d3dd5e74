"""Report to Weights & Biases, offline unless the environment says otherwise; `wandb sync` uploads a folder later."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from anytime_pruning.foundation.packages import naming_missing_package
from anytime_pruning.foundation.registry import register
from anytime_pruning.settings.run import RunSettings

# W&B's own telemetry contacts a server even during offline runs, so it is off unless the user turns it on.
TELEMETRY = "WANDB_ERROR_REPORTING"


@register("tracker", "wandb")
class WandbTracker:
    """Writes a W&B run into `wandb/` below the run's folder; WANDB_MODE=online uploads it with the user's login."""

    def __init__(self, settings: RunSettings, out_dir: Path, samples: int):
        os.environ.setdefault(TELEMETRY, "false")
        with naming_missing_package():
            import wandb
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "anytime-pruning"),
            name=f"{settings.dataset.name} {settings.model} {settings.method} seed {settings.seed} {settings.digest()}",
            config=settings.model_dump(mode="json", exclude={"execution"}),
            dir=str(out_dir),
            mode=cast(Literal["online", "offline", "disabled", "shared"], os.environ.get("WANDB_MODE", "offline")),
            reinit="create_new",  # the caller may have an open W&B run
            # W&B must record no more about the machine and the code than the run itself reports.
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
        """Write one record, in which the number of samples is a value, because W&B's own steps have to rise."""
        self._run.log({**values, "samples": step})

    def close(self, failed: bool) -> None:
        """Finish the files of the W&B run, and mark the run as crashed or as finished."""
        self._run.finish(exit_code=int(failed))

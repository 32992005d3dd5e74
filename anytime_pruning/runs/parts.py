"""Take the settings of a run apart, so that each room below gets the values that it uses."""

from anytime_pruning.pruning.mask_chooser import ScoringOptions
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.runs.rates import learning_rate
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.training.options import TrainingOptions


def scoring_options(settings: RunSettings) -> ScoringOptions:
    """Return the options of scoring and selection; `precision` in the settings must not be `auto`."""
    return ScoringOptions(
        pruner=settings.pruner,
        selection=settings.selection,
        pattern=settings.pattern,
        scope=settings.scope,
        batch_size=settings.batch_size,
        precision=settings.precision,
        augment=settings.augment,
        seed=settings.seed,
    )


def training_options(settings: RunSettings) -> TrainingOptions:
    """Return the options of training; `precision` in the settings must not be `auto`."""
    return TrainingOptions(
        epochs_at=tuple(settings.epochs_at()),
        batch_size=settings.batch_size,
        learning_rate=learning_rate(settings),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        augment=settings.augment,
        precision=settings.precision,
        rules=make_protocol(settings.protocol).training,
        compile=settings.execution.compile,
    )

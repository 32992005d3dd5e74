"""Take the settings of a run apart, so that each room below gets the values that it uses."""

from anytime_pruning.pruning.mask_chooser import ScoringOptions
from anytime_pruning.pruning.protocols import Protocol
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.training.learning_rate import LearningRate
from anytime_pruning.training.options import TrainingOptions


def scoring_options(settings: RunSettings) -> ScoringOptions:
    """Return the options of scoring and selection; `precision` in the settings must not be `auto`."""
    return ScoringOptions(
        settings.pruner, settings.selection, settings.scope, settings.batch_size, settings.precision, settings.seed
    )


def learning_rate(settings: RunSettings) -> LearningRate:
    """Return the learning rate of every epoch and step."""
    return LearningRate(settings.lr, settings.lr_milestones, settings.lr_gamma, settings.warmup_epochs)


def training_options(settings: RunSettings, protocol: Protocol) -> TrainingOptions:
    """Return the options of training; `precision` in the settings must not be `auto`."""
    return TrainingOptions(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=learning_rate(settings),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        augment=settings.augment,
        precision=settings.precision,
        selects_on_augmented=protocol.selects_on_augmented,
        compile=settings.execution.compile,
    )

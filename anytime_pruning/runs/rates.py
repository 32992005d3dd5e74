"""Make the learning rate of a run from its settings, without importing torch, because verification uses it as well."""

from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.settings.run.waiting import stretch_milestones
from anytime_pruning.training.learning_rate import LearningRate


def learning_rate(settings: RunSettings) -> LearningRate:
    """Return the learning rate of every megabatch, epoch and step."""
    later_lr = make_protocol(settings.protocol).training.later_lr
    milestones = stretch_milestones(settings.lr_milestones, settings.epochs, max(settings.epochs_at()))
    return LearningRate(settings.lr, milestones, settings.lr_gamma, settings.warmup_epochs, later_lr)

"""The learning rate of each epoch and step, the same on every megabatch. Torch-free."""

from anytime_pruning.settings.run import RunSettings


def lr_at(epoch: int, settings: RunSettings) -> float:
    """Learning rate of an epoch (counted from 1) of any megabatch: multiplied by lr_gamma after each milestone.

    In the epochs of warm-up it is what the last step reaches, as the rate rises to that of the milestones.
    """
    decayed = settings.lr * settings.lr_gamma ** sum(epoch > milestone for milestone in settings.lr_milestones)
    return decayed * min(1.0, epoch / settings.warmup_epochs) if settings.warmup_epochs else decayed


def lr_of_step(step: int, n_steps: int, epoch: int, settings: RunSettings) -> float:
    """Learning rate of a step (counted from 1) of an epoch: that of the epoch, but rising linearly in warm-up."""
    if epoch > settings.warmup_epochs:
        return lr_at(epoch, settings)
    return lr_at(epoch, settings) * (epoch - 1 + step / n_steps) / epoch

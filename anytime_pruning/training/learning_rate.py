"""Compute the learning rate of each epoch and step, the same on every megabatch, without importing torch."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class LearningRate:
    """Defines a learning rate that rises linearly in the warm-up epochs and falls by a factor at milestones.

    Attributes:
        initial: rate at the start of each megabatch.
        milestones: epochs after which the rate is multiplied by `gamma`.
        gamma: factor in (0, 1].
        warmup_epochs: number of first epochs of each megabatch, in which the rate rises from step to step.
        later_initial: rate at the start of the second and all later megabatches; None means `initial`.
    """

    initial: float
    milestones: tuple[int, ...]
    gamma: float
    warmup_epochs: int = 0
    later_initial: float | None = None

    def at_megabatch(self, t: int) -> LearningRate:
        """Return the learning rate of megabatch t, counted from 1."""
        return self if t == 1 or self.later_initial is None else replace(self, initial=self.later_initial)

    def of_epoch(self, epoch: int) -> float:
        """Return the rate of the last step of an epoch, counted from 1."""
        decayed = self.initial * self.gamma ** sum(epoch > milestone for milestone in self.milestones)
        return decayed * min(1.0, epoch / self.warmup_epochs) if self.warmup_epochs else decayed

    def of_step(self, step: int, n_steps: int, epoch: int) -> float:
        """Return the rate of one of `n_steps` steps of an epoch; steps and epochs are counted from 1."""
        if epoch > self.warmup_epochs:
            return self.of_epoch(epoch)
        return self.of_epoch(epoch) * (epoch - 1 + step / n_steps) / epoch

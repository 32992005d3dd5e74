"""Exchange weights while the network trains on a megabatch, where the settings ask for dynamic sparsity."""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.kernels.bfloat16 import autocast
from anytime_pruning.machine.preservation import preserved
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners.gradients import gradients
from anytime_pruning.pruning.pruners.snip import loss_of
from anytime_pruning.pruning.regrowth import Regrowth, exchange
from anytime_pruning.pruning.returned import describe_misfit
from anytime_pruning.runs.checkpointing.state import RunState
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.training.trainer import BeforeStep

# Weights are exchanged in this share of a megabatch's steps, so that those that came back last still train.
ACTIVE_SHARE = 0.75
# Weights that come back have this share of the layer's root mean square.
NEARLY_ZERO = 1e-6


def make_regrowing(settings: RunSettings, state: RunState) -> BeforeStep | None:
    """Return what exchanges weights before the steps of a run, or None if its settings ask for nothing of the kind."""
    regrowth = lookup("regrow", settings.regrow)
    if not isinstance(regrowth, Regrowth):
        raise SettingError(
            f"regrow: {settings.regrow!r} is not allowed: it is registered as {show(regrowth)}; wanted: an object of a "
            "subclass of Regrowth"
        )
    return Regrowing(settings, state, regrowth).before_step if regrowth.is_active else None


class Regrowing:
    """Drops and regrows weights before some steps of a run; the layers keep their numbers of weights.

    The share of weights that is dropped falls from `regrow_frac` along half a cosine, as RigL has it, anew for each
    megabatch. Weights that come back start without momentum and next to zero, on the side to which the gradient leads:
    a kept weight that were exactly zero could not be told from a pruned one.

    Args:
        settings: settings of the run.
        state: the run in memory; its masks are replaced.
        regrowth: ranks the weights that may come back.
    """

    def __init__(self, settings: RunSettings, state: RunState, regrowth: Regrowth):
        self._settings, self._state, self._regrowth = settings, state, regrowth

    def before_step(self, step: int, n_steps: int, batch: Sequence[Tensor]) -> None:
        """Exchange weights if this step of the megabatch is one at which they are exchanged.

        Args:
            step: number of the step within the megabatch, from 0.
            n_steps: number of steps of the megabatch.
            batch: the batch of the step, as `ImageSet.plan` yields it, on which the gradient is computed.
        """
        state, every = self._state, self._settings.regrow_steps
        t, end = state.progress.t, ACTIVE_SHARE * n_steps
        is_due = t > 1 if step == 0 else every > 0 and step % every == 0
        if not is_due or step >= end or not state.masks:
            return
        share = self._settings.regrow_frac * (1 + math.cos(math.pi * step / end)) / 2
        generator = make_generator(self._settings.seed, f"regrow {t} {step}")
        self._exchange(self._gradient(batch), share, generator)

    def _gradient(self, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        trainer = self._state.trainer
        model, precision = trainer.model, trainer.options.precision
        weights = prunable_weights(model)
        with preserved(model):
            model.train()
            images, labels = trainer.data.take(*batch)
            with autocast(images.device, precision):
                found = gradients(partial(loss_of, model, images, labels), list(weights.values()))
        return dict(zip(weights, found))

    @torch.no_grad()
    def _exchange(self, gradient: dict[str, Tensor], share: float, generator: torch.Generator) -> None:
        state, optimizer = self._state, self._state.trainer.optimizer
        weights, masks = prunable_weights(state.trainer.model), {}
        # The order of the layers is that of the network, because masks from a checkpoint come in another order.
        for name, weight in weights.items():
            rank = self._regrowth.rank(gradient[name], generator)
            if misfit := describe_misfit(rank, gradient[name]):
                raise SettingError(
                    f"regrow: {self._settings.regrow!r} is not allowed: it ranks {name} by {misfit}; wanted: a dense "
                    f"tensor of real numbers, {list(weight.shape)} on {weight.device}"
                )
            masks[name] = exchange(weight, gradient[name], state.masks[name], rank, share)
        back = {name: masks[name] & ~mask for name, mask in state.masks.items()}
        for name, flags in back.items():
            size = NEARLY_ZERO * weights[name].square().sum().div(masks[name].sum()).sqrt()
            weights[name].copy_(torch.where(flags, -size * gradient[name].sign(), weights[name]))
        optimizer.forget_momentum(back)
        state.trainer.set_masks(masks)
        optimizer.enforce()
        state.masks = masks

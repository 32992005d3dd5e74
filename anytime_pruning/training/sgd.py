"""Update a network's parameters by SGD with momentum, and enforce masks after every step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from anytime_pruning.pruning.enforcement import MaskEnforcer


class MaskedSGD:
    """Runs torch's SGD as one fused kernel, then enforces the masks, so that pruned weights are exactly zero.

    Every tensor stays at its place in memory, so that a step can be recorded as a CUDA graph. The class calls torch's
    function `sgd` and not torch's optimiser class, whose first use imports the compiler: this would cost a second at
    each job's start.

    Args:
        model: the network whose parameters are updated.
        momentum: as in torch.optim.SGD.
        weight_decay: as in torch.optim.SGD.
        fused: whether one kernel computes an update, instead of one kernel for each operation of the update.

    Attributes:
        velocities: momentum buffer of each parameter, in the network's order and in the parameter's shape.
    """

    def __init__(self, model: nn.Module, momentum: float, weight_decay: float, fused: bool = True):
        self._model, self._momentum, self._weight_decay, self._fused = model, momentum, weight_decay, fused
        self._parameters = list(model.parameters())
        self.velocities = [torch.zeros_like(parameter) for parameter in self._parameters]
        # The rate is a tensor on the device, because a recorded step would always reuse the value of a plain number.
        self._lr = torch.zeros((), device=self._parameters[0].device)
        self._enforcer = MaskEnforcer(model, {})

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of the following steps."""
        self._lr.fill_(lr)

    def set_masks(self, masks: Mapping[str, Tensor]) -> bool:
        """Set the masks of the following steps.

        Args:
            masks: bool masks by parameter name; True is kept.

        Returns:
            True if the masks changed in place; False if the masks belong to other weights than before, so that a
            recorded step is no longer valid.
        """
        if self._enforcer.update(masks):
            return True
        self._enforcer = MaskEnforcer(self._model, masks)
        return False

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters that have a gradient, enforce the masks and drop the gradients."""
        moved = [(i, parameter.grad) for i, parameter in enumerate(self._parameters) if parameter.grad is not None]
        sgd(
            [self._parameters[i] for i, _ in moved],
            [gradient for _, gradient in moved],
            [self.velocities[i] for i, _ in moved],
            fused=self._fused,
            foreach=not self._fused,
            weight_decay=self._weight_decay,
            momentum=self._momentum,
            lr=self._lr,  # type: ignore[arg-type]  # torch accepts a tensor, but its annotation does not
            dampening=0,
            nesterov=False,
            maximize=False,
        )
        self._enforcer.enforce()
        for parameter in self._parameters:
            parameter.grad = None

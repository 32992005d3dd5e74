"""SGD with momentum over a network's parameters, with masks that hold after every step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from anytime_pruning.pruning.enforcement import MaskEnforcer


class MaskedSGD:
    """torch's SGD as one fused kernel, then the masks: what they do not keep is exactly zero after every step.

    Every tensor it reads stays where it is, so that a step can be recorded as a CUDA graph. torch's function is called
    and not its optimiser class, whose first use imports the compiler, a second of each job's start.

    Attributes:
        velocities: of each parameter in the network's order, in its shape.

    Args:
        momentum, weight_decay: as in torch.optim.SGD.
    """

    fused = True  # one kernel for all of an update, or one for each of its operations

    def __init__(self, model: nn.Module, momentum: float, weight_decay: float):
        self._model, self._momentum, self._weight_decay = model, momentum, weight_decay
        self._parameters = list(model.parameters())
        self.velocities = [torch.zeros_like(parameter) for parameter in self._parameters]
        # Of one tensor on the device, because a recorded step would keep a number.
        self._lr = torch.zeros((), device=self._parameters[0].device)
        self._enforcer = MaskEnforcer(model, {})

    def set_lr(self, lr: float) -> None:
        """The learning rate of the steps to come."""
        self._lr.fill_(lr)

    def set_masks(self, masks: Mapping[str, Tensor]) -> bool:
        """The masks of the steps to come, in place; False if other weights than before are masked."""
        if self._enforcer.update(masks):
            return True
        self._enforcer = MaskEnforcer(self._model, masks)
        return False

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters that have a gradient, enforce the masks and drop the gradients."""
        moved = [i for i, parameter in enumerate(self._parameters) if parameter.grad is not None]
        sgd(
            [self._parameters[i] for i in moved],
            [self._parameters[i].grad for i in moved],
            [self.velocities[i] for i in moved],
            fused=self.fused,
            foreach=not self.fused,
            weight_decay=self._weight_decay,
            momentum=self._momentum,
            lr=self._lr,
            dampening=0,
            nesterov=False,
            maximize=False,
        )
        self._enforcer.enforce()
        for parameter in self._parameters:
            parameter.grad = None

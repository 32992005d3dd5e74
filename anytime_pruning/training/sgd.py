"""Update a network's parameters by SGD with momentum, and enforce masks after every step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from anytime_pruning.pruning.enforcement import MaskEnforcer

# torch's fused kernel for a CPU is wrong for bfloat16 and float16 (torch 2.13), and refuses complex numbers.
FUSED_TYPES = (torch.float32, torch.float64)


class MaskedSGD:
    """Runs torch's SGD as one fused kernel, then enforces the masks, so that pruned weights are exactly zero.

    Every tensor stays at its place in memory, so that a step can be recorded as a CUDA graph. The class calls torch's
    function `sgd` and not torch's optimiser class, whose first use imports the compiler: this would cost a second at
    each job's start.

    Args:
        model: the network whose parameters are updated.
        momentum: as in torch.optim.SGD.
        weight_decay: as in torch.optim.SGD.
        fused: whether one kernel computes an update, instead of one kernel for each operation of the update. Parameters
            that this kernel cannot update rightly are updated without it.

    Attributes:
        velocities: momentum buffer of each parameter, in the network's order and in the parameter's shape.
    """

    def __init__(self, model: nn.Module, momentum: float, weight_decay: float, fused: bool = True):
        self._model, self._momentum, self._weight_decay = model, momentum, weight_decay
        self._parameters = list(model.parameters())
        self.velocities = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._fused = [fused and _can_be_fused(*pair) for pair in zip(self._parameters, self.velocities)]
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

    def masks(self) -> dict[str, Tensor]:
        """Return copies of the masks of the following steps, by parameter name."""
        return self._enforcer.masks()

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters that have a gradient, enforce the masks and drop the gradients."""
        moved = [i for i, parameter in enumerate(self._parameters) if parameter.grad is not None]
        for fused in (True, False):
            if chosen := [i for i in moved if self._fused[i] == fused]:
                self._update(chosen, fused)
        self._enforcer.enforce()
        self.drop_gradients()

    def enforce(self) -> None:
        """Set the weights that the masks do not keep to zero."""
        self._enforcer.enforce()

    def forget_momentum(self, chosen: Mapping[str, Tensor]) -> None:
        """Set the momentum of some weights to zero, in place.

        Args:
            chosen: bool tensors by parameter name; True is forgotten.
        """
        places = {id(parameter): i for i, parameter in enumerate(self._parameters)}
        named = dict(self._model.named_parameters(remove_duplicate=False))
        for name, flags in chosen.items():
            self.velocities[places[id(named[name])]].masked_fill_(flags, 0)

    def drop_gradients(self) -> None:
        """Drop all gradients, so that the next backward pass does not add to them."""
        for parameter in self._parameters:
            parameter.grad = None

    def _update(self, chosen: list[int], fused: bool) -> None:
        gradients = [self._parameters[i].grad for i in chosen]
        sgd(
            [self._parameters[i] for i in chosen],
            [gradient for gradient in gradients if gradient is not None],
            [self.velocities[i] for i in chosen],
            fused=fused,
            foreach=not fused,
            weight_decay=self._weight_decay,
            momentum=self._momentum,
            lr=self._lr,  # type: ignore[arg-type]  # torch accepts a tensor, but its annotation does not
            dampening=0,
            nesterov=False,
            maximize=False,
        )


def _can_be_fused(parameter: Tensor, velocity: Tensor) -> bool:
    """Return whether the fused kernel updates a parameter rightly: it reads and writes memory without gaps."""
    return parameter.dtype in FUSED_TYPES and parameter.stride() == velocity.stride()

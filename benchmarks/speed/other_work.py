"""Make turns of a run's work beside training, scoring and evaluation, so that both are measured as training is."""

from collections.abc import Callable

import torch
from torch import Tensor

from anytime_pruning.machine.kernels.bfloat16 import autocast
from anytime_pruning.pruning.pruners import score
from anytime_pruning.training.evaluation import evaluate
from benchmarks.speed.variants import BATCH_SIZE, N_IMAGES, Variant


def make_other_work(ours: Variant) -> dict[str, Variant]:
    """Return scoring by SNIP and evaluation on the network and the images of this project's loop.

    A step of either is one batch of images, as in training; evaluation puts them together to its own batches.
    """
    trainer = ours.trainer
    model, data, precision = trainer.model, trainer.data, trainer.options.precision

    def score_snip(indices: Tensor) -> None:
        with autocast(data.images.device, precision):
            score(model, "snip", data.batches(indices, BATCH_SIZE))

    return {
        "SNIP": Variant(_of_steps(score_snip)),
        "evaluation": Variant(_of_steps(lambda indices: evaluate(model, data, indices, precision))),
    }


def _of_steps(work: Callable[[Tensor], object]) -> Callable[[int], None]:
    def take(n_steps: int) -> None:
        work(torch.arange(n_steps * BATCH_SIZE) % N_IMAGES)

    return take

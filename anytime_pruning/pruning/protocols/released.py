"""Prune and train by the rules of the published code.

Source: `main_anytime_train.py` and `main_anytime_one.py` of landskape-ai/Progressive-Pruning at commit 7840633, whose
behaviour was observed in tensors. `pruning/released_masks.py` computes the masks. Each point below names the place of
its rule.

Which weights are scored:
 1. APP selects the density 0.8 ** level at every megabatch, also where the level does not grow. With `scope: local`
    every selection uses the final density, 0.8 ** tau. (`prunes_at`, `_density`)
 2. At t = 1 the initial network is scored, without masks.
 3. At t >= 2 every convolution weight is drawn afresh from PyTorch's default initialisation. (`draw_scoring_weights`)
 4. Batch norm, the classifier and all biases are those of the best epoch of t - 1. (`MaskChooser.choose_as_released`)
 5. The masks in force multiply the fresh weights in the scored forward pass. (`released_masks`)

On which images:
 6. pi_t is the first int(sample_frac * m) images of the current training list, where m is the size of a megabatch with
    its validation part. With full replay these are always the first images of the stream. (`draw_sample`)
 7. pi_t is augmented as in training, drawn anew at every t, in a fixed order and in batches of 100.
 8. Scores are computed in float32 and in train mode.

How masks follow:
 9. SNIP scores every weight, pruned ones included, and divides by the sum of all scores.
10. Magnitude is |w| of the fresh weights; ten rounds with the same scores are one round. Random is a normal draw.
11. A weight is selected if its score is above the k-th smallest, with k = int((1 - d) * N). (`select_above_threshold`)
12. The applied mask is the selection multiplied by the mask in force, so densities multiply.
13. Training goes on with the trained weights. The scored network only gives masks.
19. Anytime OSP prunes once, at t = 1.

How training differs (`training`):
14. The learning rate starts at the setting `lr` at t = 1, and at a literal 0.1 at every later megabatch. Warm-up is
    refused: the published one writes its own rate at each step of every megabatch, so that the literal 0.1 is lost, and
    so is a milestone within the warm-up.
15. The validation accuracy that selects the best epoch is a mean of float32 percentages, whose rounding decides ties.
16. Validation uses eval mode and augmented images, drawn anew at each epoch.
18. The last batch is kept whatever its size, also with a single image.

What is left out, and why it cannot matter:
17. The published stream is in file order, the same for all seeds, and its validation images are the last tenth of the
    training set. Here the stream is in the random order of the seed, which is the same for both protocols. The authors
    of CIFAR shuffled its files, so the two orders do not differ in distribution. The sizes of all parts are the same
    where T divides the number of images; elsewhere megabatches here differ by one image, and their scoring images may.
    Files of an image folder are sorted by class. A stream of classes is another question, which is not asked here.
 6. If int(sample_frac * m) is below 2, two images are scored, because batch norm cannot normalise a single value.
    Restricted ImageNet differs in two more ways. The published code normalises it by the constants of CIFAR-10, which
    are built into its networks, and here it has constants of its own. The published shots are the first of each group
    in the order of its folders, and here a hash draws them over all classes of a group.
10. GraSP, which the published code scores on CIFAR-10 whatever the dataset, and SynFlow, for which that code stops with
    an error, are refused. So is all else that the published code does not have: other pruners, methods, selections and
    starts, and masks to begin with (2). Replay with a buffer is refused, because there it stops with an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.protocols.base import Protocol, PruningStep
from anytime_pruning.pruning.protocols.training_rules import TrainingRules

if TYPE_CHECKING:
    from torch import Tensor

    from anytime_pruning.pruning.mask_chooser import MaskChooser
    from anytime_pruning.pruning.masks import Masks
    from anytime_pruning.pruning.schedules import Schedule
    from anytime_pruning.stream.megabatches import Megabatch
    from anytime_pruning.stream.sample import SampleDraw


class ReleasedProtocol(Protocol):
    """Scores fresh convolutions, lets pruned weights compete again and multiplies the masks; see the module."""

    version = 2
    allowed: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "method": ("app", "osp", "dense"),
        "pruner": ("snip", "magnitude", "random"),
        "selection": ("unstructured",),
        "regrow": ("none",),
        "start": ("warm",),
        "start_momentum": ("keep",),
        "wait": (1,),
        "prunable": (("conv",),),
        "keep": (("classifier", "frozen"),),
        "initial_mask": (None,),
        "replay": ("full", "none", "previous"),
        "warmup_epochs": (0,),
    }
    scoring_batch = 100
    training = TrainingRules(selects_on_augmented=True, averages_batches=True, later_lr=0.1, keeps_single_sample=True)

    def draw_sample(self, arrived: Sequence[Megabatch], replayed: Tensor, prune_on: str, draw: SampleDraw) -> Tensor:
        """Take the first images of the training list, or of M_t; their number is a share of the whole megabatch."""
        current = arrived[-1]
        images = current.train if prune_on == "megabatch" else replayed
        return draw.from_start(images, of=len(current.train) + len(current.valid))

    def choose_masks(self, chooser: MaskChooser, masks: Masks, step: PruningStep, sample: Tensor) -> Masks:
        """Select among all weights of a network with fresh convolutions, then multiply by the masks in force."""
        return chooser.choose_as_released(masks, _density(step), sample, step.t, self.scoring_batch)

    def expected_kept(self, step: PruningStep, layer_sizes: Sequence[int]) -> tuple[int, int]:
        """Return 0 and the size of one selection without ties, because multiplied masks may keep fewer."""
        sizes = layer_sizes if step.scope == "local" else [sum(layer_sizes)]
        return 0, sum(size - int((1.0 - _density(step)) * size) for size in sizes)

    def prunes_at(self, schedule: Schedule, densities: Sequence[float]) -> list[bool]:
        """Return true for every megabatch, but only for the first one if the schedule prunes once."""
        return [schedule.prunes and (t == 0 or not schedule.prunes_once) for t in range(len(densities))]


def _density(step: PruningStep) -> float:
    """Return the density of the selection; with `scope: local` this is the final density at every megabatch."""
    return step.final_density if step.scope == "local" else step.density


register("protocol", "released")(ReleasedProtocol())

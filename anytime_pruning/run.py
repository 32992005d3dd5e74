"""The stream loop of the paper, for all methods.

What a job does around it is `job.py`; how one megabatch is trained on, `training.py`.
"""

import time

import torch
from torch import Tensor, nn

from anytime_pruning.config import RunSettings
from anytime_pruning.cost import plan_cost
from anytime_pruning.datasets import ImageArrays
from anytime_pruning.devices import autocast
from anytime_pruning.errors import DivergenceError
from anytime_pruning.evaluation import evaluate
from anytime_pruning.images import ImageSet
from anytime_pruning.masks import Masks, apply_masks, count_kept, prunable_weights, select_masks
from anytime_pruning.progress import Progress
from anytime_pruning.pruners import score
from anytime_pruning.records import Records
from anytime_pruning.registry import lookup
from anytime_pruning.replay import draw_pruning_sample
from anytime_pruning.seeding import make_generator
from anytime_pruning.stream import Megabatch, split_stream
from anytime_pruning.training import Trainer, check_finite


def run_megabatches(settings: RunSettings, arrays: ImageArrays, model: nn.Module, device: torch.device) -> Records:
    """For t = 1 ... T prune to the scheduled density, train on all data so far, test.

    Args:
        settings: with the precision to compute in; not `auto`.
        model: maps images in [0, 1] to logits, on the device; is pruned and trained in place.
    Raises:
        DivergenceError: a loss or score is not finite.
    """
    data = ImageSet.from_arrays(arrays.train_images, arrays.train_labels, device, arrays.crop_padding, arrays.flip)
    test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)
    stream = split_stream(
        len(data),
        settings.n_megabatches,
        settings.valid_frac,
        make_generator(settings.seed, "stream"),
        settings.train_limit,
    )
    replayed = [_replay(settings, stream[:t]) for t in range(1, len(stream) + 1)]
    trainer = Trainer(model, data, settings, make_generator(settings.seed, "training"))
    cost = plan_cost(settings, [(len(train), len(valid)) for train, valid in replayed], len(test))
    name = f"{settings.dataset.name} {settings.model} {settings.method}"
    records, masks = Records(planned=cost), {}
    with Progress(name, cost, settings.n_megabatches) as progress:
        for t, density in enumerate(settings.densities(), start=1):
            started = time.perf_counter()
            # 1. The replay-inclusive set: what the policy keeps of M_1 ... M_t.
            train, valid = replayed[t - 1]
            # 2. A sample of it, pi_t.
            sample = draw_pruning_sample(
                train, settings.sample_frac, make_generator(settings.seed, f"pruning sample {t}")
            )
            # 3. Prune the current network by scores on that sample; what is pruned stays pruned.
            masks = prune(model, masks, density, data, sample, settings, t)
            prune_seconds = time.perf_counter() - started
            # 4. Train what is left, then test.
            training = trainer.train_megabatch(t, masks, train, valid, on_epoch=progress.epoch_done)
            tested = evaluate(model, test, torch.arange(len(test)), settings.precision)
            check_finite(tested.loss, f"megabatch {t}, test")
            seconds = time.perf_counter() - started
            row = records.add(count_kept(model), density, len(valid), training, tested, seconds, prune_seconds)
            progress.megabatch_done(row)
    return records


def prune(
    model: nn.Module, masks: Masks, density: float, data: ImageSet, sample: Tensor, settings: RunSettings, t: int
) -> Masks:
    """Prune the current network to a density, in place, by scores of its current weights.

    Args:
        masks: of the megabatch before; empty before the first pruning.
        density: share of the prunable weights that are to remain.
        sample: int64 [n], pi_t; scored without augmentation, in batches as training has them.
        t: index of the megabatch, which pruners that draw depend on.
    Returns:
        Masks nested in the given ones. The given ones if the network is as sparse as that already, or is not pruned.
    """
    weights = prunable_weights(model)
    n_left = sum(int(mask.sum()) for mask in masks.values()) if masks else sum(w.numel() for w in weights.values())
    if round(density * sum(weight.numel() for weight in weights.values())) >= n_left:
        return masks
    with autocast(data.images.device, settings.precision):
        scores = score(
            model,
            settings.pruner,
            data.batches(sample, settings.batch_size),
            make_generator(settings.seed, f"pruner {t}"),
        )
    try:
        masks = select_masks(scores, density, settings.scope, masks or None)
    except DivergenceError as error:
        raise DivergenceError(f"{error}, at megabatch {t}; no results were written") from None
    apply_masks(model, masks)
    return masks


def _replay(settings: RunSettings, arrived: list[Megabatch]) -> tuple[Tensor, Tensor]:
    """Training and validation indices at one megabatch, by one policy and its own random draws for each."""
    policy = lookup("replay", settings.replay)
    *past, current = arrived
    return (
        policy([m.train for m in past], current.train, make_generator(settings.seed, f"replay train {current.t}")),
        policy([m.valid for m in past], current.valid, make_generator(settings.seed, f"replay valid {current.t}")),
    )

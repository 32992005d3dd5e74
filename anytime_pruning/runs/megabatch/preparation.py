"""Prepare the network for a megabatch: start it and prune it."""

from functools import partial

from torch import nn

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError, name_some
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.models import build_model
from anytime_pruning.models.state import copy_state
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.mask_chooser import MaskChooser
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.narrowing import architecture_of
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.results.rows import EpochRow
from anytime_pruning.runs.checkpointing.state import RunState
from anytime_pruning.runs.invariants import check_masks
from anytime_pruning.runs.parts import scoring_options
from anytime_pruning.runs.starts import StartContext, needs_origin
from anytime_pruning.runs.stream_plan import PlannedMegabatch
from anytime_pruning.settings.run import RunSettings


class Preparation:
    """Prepares the network for a megabatch: the setting `start` comes first, then pruning by the protocol.

    Args:
        settings: settings of the run.
        arrays: the dataset.
        state: the run in memory, which changes in place; a run that goes on has been restored.
    """

    def __init__(self, settings: RunSettings, arrays: ImageArrays, state: RunState):
        self._settings, self._state = settings, state
        self._prunes_at, self._trains_at = settings.prunes_at(), settings.trains_at()
        self._protocol = make_protocol(settings.protocol)
        self._start = lookup("start", settings.start)
        form = (arrays.n_classes, arrays.image_shape)
        self._build_afresh = partial(
            build_model, architecture_of(dict(settings), *form), *form, arrays.mean, arrays.std
        )
        trainer = state.trainer
        self._chooser = MaskChooser(trainer.model, trainer.data, scoring_options(settings))
        self._remember_origin(0)

    def prepare(self, megabatch: PlannedMegabatch) -> None:
        """Start the megabatch, unless the network waits or trains for the first time, and prune the network."""
        if self._trains_at[megabatch.t - 1] and any(self._trains_at[: megabatch.t - 1]):
            self._start_again(megabatch)
        self._prune(megabatch)

    def _start_again(self, megabatch: PlannedMegabatch) -> None:
        """Start the megabatch by the registered start that the settings name."""
        state, t, model = self._state, megabatch.t, self._chooser.model
        generator = make_generator(self._settings.seed, f"start {t}")
        context = StartContext(
            t, state.trainer, state.masks, self._build_afresh, generator, self._settings, megabatch.train, state.origin
        )
        before = _places_of_parameters(model)
        self._start(context)
        if _places_of_parameters(model) != before:
            raise SettingError(
                f"start: {self._settings.start!r} is not allowed: it replaces a parameter of the network, or its "
                "tensor, which neither the optimiser nor a recorded step follows; wanted: changes of values in place"
            )
        if self._settings.start_momentum == "reset":
            context.reset_momentum()
        apply_masks(model, state.masks)

    def epoch_done(self, epoch: EpochRow) -> None:
        """Keep the network of the epoch that the start goes back to."""
        if epoch.t == self._trains_at.index(True) + 1:
            self._remember_origin(epoch.epoch)

    def _remember_origin(self, epoch: int) -> None:
        """Keep the present network if the start goes back to this epoch of the first training.

        Args:
            epoch: number of the epoch that has ended; 0 before training, where a run that goes on has its origin.
        """
        if needs_origin(self._start) and epoch == self._settings.rewind_epoch and not self._state.origin:
            self._state.origin = copy_state(self._state.trainer.model)

    def _prune(self, megabatch: PlannedMegabatch) -> None:
        """Prune the network to the megabatch's density; pruned weights stay pruned."""
        state, t, model = self._state, megabatch.t, self._chooser.model
        step = self._settings.pruning_step(t)
        masks = state.masks
        # A protocol may have nothing to choose; the layers without scores of an earlier choice then do not count.
        self._chooser.zero_score_layers = []
        if self._prunes_at[t - 1]:
            masks = self._protocol.choose_masks(self._chooser, masks, step, megabatch.sample)
            apply_masks(model, masks)
        filter_sizes = [weight[0].numel() for weight in prunable_weights(model).values()]
        check_masks(state.masks, masks, model, partial(self._settings.expected_kept, t, filter_sizes=filter_sizes), t)
        self._name_emptied(state.masks, masks, t)
        state.masks = masks
        state.progress.mark_pruned(len(self._chooser.zero_score_layers))

    def _name_emptied(self, before: Masks, masks: Masks, t: int) -> None:
        """Warn of layers that have lost their last weight, because nothing passes through such a layer any more."""
        emptied = [name for name, mask in masks.items() if not mask.any() and (not before or before[name].any())]
        if emptied:
            warn(f"megabatch {t}: pruning has removed every weight of {name_some(emptied)}")


def _places_of_parameters(model: nn.Module) -> list[tuple[object, ...]]:
    """Return what tells whether the parameters are still those that the optimiser updates."""
    return [(name, id(p), p.data_ptr(), p.shape, p.dtype, p.device) for name, p in model.named_parameters()]

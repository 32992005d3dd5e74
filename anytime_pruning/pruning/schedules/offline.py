"""Train once on everything, as a ceiling for what a stream can reach."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.schedules.dense import Dense


@register("method", "offline")
class Offline(Dense):
    """Keeps all weights and waits for all images, then trains on them for as many samples as the stream would.

    The milestones of the learning rate are stretched alike. Until the end the network answers untrained, which is what
    waiting costs in cumulative errors.
    """

    trains_once = True

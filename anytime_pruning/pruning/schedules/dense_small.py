"""Never prune a network that is small from the start, as a control for the question whether pruning is needed."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.schedules.dense import Dense


@register("method", "dense_small")
class DenseSmall(Dense):
    """Trains a network of the same family with so few channels that it has as many parameters as `app` ends with."""

    narrows_network = True
    uses = ("base_density", "tau")

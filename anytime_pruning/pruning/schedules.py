"""The three methods as schedules: which density the network has at each megabatch. One stream loop serves them all."""

import numpy as np

from anytime_pruning.foundation.registry import register


@register("method", "app")
def schedule_app(n_megabatches: int, tau: float, base_density: float) -> list[float]:
    """Anytime Progressive Pruning: density `base ** level`, the level uniformly spaced from 1 to tau.

    Args:
        n_megabatches: T, the length of the stream.
        tau: the last level; 4.5 in the paper, so that 0.8 ** 4.5 = 0.366 of the weights remain.
        base_density: the paper's 0.8.

    Returns:
        T densities in (0, 1], not increasing. A stream of one megabatch has the first level only.
    Source: the paper's method section; the poster prints `0.8 * delta_t`, but only the power gives its stated third.
    """
    return [base_density ** float(level) for level in np.linspace(1, tau, n_megabatches)]


@register("method", "app_cubic")
def schedule_app_cubic(n_megabatches: int, tau: float, base_density: float) -> list[float]:
    """Progressive pruning between the densities of APP, the density falling cubically. Arguments as `schedule_app`.

    Source: the schedule of Zhu and Gupta, "To prune, or not to prune" (arXiv 1710.01878), with a step for each
    megabatch: steep at first, flat at the end. An ablation; the paper's own is `schedule_app`.
    """
    first, last = base_density, base_density**tau
    remaining = np.linspace(1, 0, n_megabatches) ** 3
    return [last + (first - last) * float(share) for share in remaining]


@register("method", "osp")
def schedule_osp(n_megabatches: int, tau: float, base_density: float) -> list[float]:
    """Anytime one-shot pruning: the final density of APP from the first megabatch on. Arguments as `schedule_app`."""
    return [base_density**tau] * n_megabatches


@register("method", "dense")
def schedule_dense(n_megabatches: int, tau: float, base_density: float) -> list[float]:
    """The baseline that is never pruned: density 1 throughout. Arguments as `schedule_app`; only the first matters."""
    return [1.0] * n_megabatches

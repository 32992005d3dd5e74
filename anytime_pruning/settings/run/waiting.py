"""Say at which megabatches a run trains, and for how long: at all of them, or only at some while it waits for data."""

from collections.abc import Sequence

from anytime_pruning.pruning.schedules import Schedule


def trains_at(schedule: Schedule, n_megabatches: int, wait: int) -> list[bool]:
    """Return for each of the T megabatches whether the network is trained: at every k-th one and at the last.

    Args:
        schedule: the density schedule; one that trains once trains at the last megabatch alone.
        n_megabatches: T, the length of the stream.
        wait: k, the setting `wait`.
    """
    every = n_megabatches if schedule.trains_once else wait
    return [t % every == 0 or t == n_megabatches for t in range(1, n_megabatches + 1)]


def epochs_of_training(schedule: Schedule, n_megabatches: int, epochs: int) -> int:
    """Return the epochs of each training.

    A schedule that trains once sees as many samples as a stream with full replay, E * N * (T + 1) / 2, up to half an
    epoch.
    """
    return (epochs * (n_megabatches + 1) + 1) // 2 if schedule.trains_once else epochs


def stretch_milestones(milestones: Sequence[int], epochs: int, trained: int) -> tuple[int, ...]:
    """Return milestones that divide the epochs of a training as the given ones divide `epochs`."""
    return tuple(round(milestone * trained / epochs) for milestone in milestones)


def hold_densities(densities: Sequence[float], trained: Sequence[bool]) -> list[float]:
    """Return the density that the network has at each megabatch; it is not pruned while it waits."""
    held, found = 1.0, []
    for density, is_trained in zip(densities, trained, strict=True):
        held = density if is_trained else held
        found.append(held)
    return found

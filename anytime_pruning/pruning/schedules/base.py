"""Define the interface of density schedules, and make a schedule from its name."""

from abc import ABC, abstractmethod
from typing import ClassVar

from anytime_pruning.foundation.errors import SettingError, first_line, show
from anytime_pruning.foundation.registry import lookup


class Schedule(ABC):
    """Says which share of the prunable weights remains at each megabatch.

    A subclass with parameters of its own is a frozen dataclass whose fields have defaults.

    Attributes:
        prunes: whether the schedule ever removes a weight. For a schedule that never does, pruning settings have no
            meaning.
        prunes_once: whether weights are pruned at the first megabatch alone.
        trains_once: whether the network trains at the last megabatch alone, as long as on the whole stream.
        narrows_network: whether the network is built with fewer channels, so that it has as many parameters as the
            pruned network of usual width would have at density `base_density ** tau`.
        uses: pruning settings that have a meaning although the schedule never removes a weight.
    """

    prunes: ClassVar[bool] = True
    prunes_once: ClassVar[bool] = False
    trains_once: ClassVar[bool] = False
    narrows_network: ClassVar[bool] = False
    uses: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def densities(self, n_megabatches: int, tau: float, base_density: float) -> list[float]:
        """Return the density asked for at each megabatch.

        Args:
            n_megabatches: T, the length of the stream; at least 1.
            tau: level at the last megabatch; at least 1. A schedule without levels ignores `tau`.
            base_density: density at level 1, in (0, 1].

        Returns:
            T shares of all prunable weights, each in (0, 1]. The densities never rise, because pruned weights stay
            pruned.
        """


def make_schedule(name: str) -> Schedule:
    """Make the schedule that is registered under a name.

    Raises:
        SettingError: no schedule has this name, and the message lists the names that exist; or what has the name is no
            subclass of `Schedule` that can be made without arguments.
    """
    schedule = lookup("method", name)
    wanted = "wanted: a subclass of Schedule with the method densities, and with defaults for its fields"
    if not (isinstance(schedule, type) and issubclass(schedule, Schedule)):
        raise SettingError(f"method: {name!r} is not allowed: it is registered as {show(schedule)}; {wanted}")
    try:
        return schedule()
    except TypeError as error:
        raise SettingError(f"method: {name!r} is not allowed: {first_line(error)}; {wanted}") from error

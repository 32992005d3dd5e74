"""Say which settings have no meaning for a run, given its other settings."""

from collections.abc import Iterator

from anytime_pruning.pruning.schedules import make_schedule
from anytime_pruning.settings.run.fields import RunFields
from anytime_pruning.settings.run.waiting import trains_at

# These settings have no meaning for a method that never prunes.
PRUNING_SETTINGS = (
    "pruner",
    "scope",
    "selection",
    "pattern",
    "base_density",
    "tau",
    "sample_frac",
    "prune_on",
    "regrow",
)
# These replay policies ignore `buffer_size`. A policy that is registered from outside may use the setting.
REPLAY_WITHOUT_BUFFER = ("full", "none", "previous")
# The settings that each start uses beside its name. A start that is registered from outside may use all of them.
START_SETTINGS = ("start_momentum", "rewind_epoch", "shrink", "perturb")
USED_BY_START = {
    "warm": ("start_momentum",),
    "cold": (),
    "rewind": ("rewind_epoch",),
    "shrink_perturb": ("start_momentum", "shrink", "perturb"),
    "dash": ("start_momentum", "shrink"),
}
# These selections ignore `pattern`. A selection that is registered from outside may use the setting.
SELECTION_WITHOUT_PATTERN = ("unstructured", "filter")


def meaningless_settings(settings: RunFields) -> Iterator[str]:
    """Yield the settings that have no meaning for a run, so that it gets one name whatever their values are."""
    schedule = make_schedule(settings.method)
    if not schedule.prunes:
        yield from (key for key in PRUNING_SETTINGS if key not in schedule.uses)
    if settings.regrow == "none" or not schedule.prunes:
        yield from ("regrow_steps", "regrow_frac")
    if settings.selection in SELECTION_WITHOUT_PATTERN:
        yield "pattern"
    if settings.replay in REPLAY_WITHOUT_BUFFER:
        yield "buffer_size"
    if schedule.trains_once:
        yield "wait"
    # The first training starts with the initial weights.
    n_trainings = sum(trains_at(schedule, settings.n_megabatches, settings.wait))
    if settings.start in USED_BY_START and n_trainings == 1:
        yield "start"
        yield from START_SETTINGS
    used = USED_BY_START.get(settings.start, START_SETTINGS)
    yield from (key for key in START_SETTINGS if key not in used)

"""Define the settings of one run, and the digest that names the run.

The settings are a frozen model that rejects unknown keys and values out of range. Grids of runs are defined in
`settings/study.py`. Names of models, pruners and replay policies are checked later, where they are looked up.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from anytime_pruning import RESULTS_VERSION
from anytime_pruning.datasets.base import DatasetSettings, parse_dataset
from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.fields import validate
from anytime_pruning.pruning.protocols import PruningStep, make_protocol
from anytime_pruning.pruning.schedules import Schedule, make_schedule
from anytime_pruning.settings.execution import ExecutionSettings
from anytime_pruning.settings.own_code import own_code_of
from anytime_pruning.settings.run.combinations import combinations_without_meaning
from anytime_pruning.settings.run.fields import RunFields
from anytime_pruning.settings.run.meaning import PRUNING_SETTINGS, meaningless_settings
from anytime_pruning.settings.run.pattern import attainable, parse_pattern, slack
from anytime_pruning.settings.run.waiting import epochs_of_training, hold_densities, trains_at
from anytime_pruning.settings.versions import narrow_versions

# The content of these files is part of a run's identity, but their paths are not.
START_FILES = ("initial_mask", "initial_weights")


class RunSettings(RunFields):
    """Holds everything that determines the numbers of one run, and where to compute the run (`execution`).

    The defaults are those of the published code's commands. `fields.py` defines the groups of settings.
    """

    own_code: dict[str, str] = Field({}, description="digests of the code of your own network and pruner; filled in")
    execution: ExecutionSettings = Field(
        ExecutionSettings(), description="a mapping of settings that change no result, such as {device: cuda}"
    )

    @field_validator("dataset", mode="before")
    @classmethod
    def _parse_dataset(cls, value: object) -> DatasetSettings:
        return parse_dataset(value)

    @field_validator("lr_milestones")
    @classmethod
    def _check_milestones(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("milestones must increase")
        return value

    @model_validator(mode="after")
    def _collapse_meaningless(self) -> Self:
        """Set every setting that has no meaning for this run to its default, so that a grid names the run only once.

        The checks below run on the result, so a setting without meaning cannot fail them.
        """
        defaults = {key: type(self).model_fields[key].default for key in meaningless_settings(self)}
        if not self.schedule.prunes:
            defaults["pruner"] = "none"
        return self.model_copy(update=defaults)

    @model_validator(mode="after")
    def _fill_own_code(self) -> Self:
        own_code = self.own_code or own_code_of(dict(self))
        return self.model_copy(update={"own_code": own_code})

    @model_validator(mode="after")
    def _check_densities(self) -> Self:
        if self.selection == "n_m":
            parse_pattern(self.pattern)
        densities = self._scheduled()
        if len(densities) != self.n_megabatches:
            raise SettingError(
                f"method: {self.method!r} is not allowed: its schedule has {len(densities)} densities for "
                f"n_megabatches {self.n_megabatches}"
            )
        for t, density in enumerate(densities, start=1):
            if not 0 < density <= 1:
                raise SettingError(
                    f"tau: {self.tau} is not allowed with base_density {self.base_density}: the density of method "
                    f"{self.method} at megabatch {t} is {density}; allowed: densities above 0, at most 1"
                )
        return self

    @model_validator(mode="after")
    def _check_protocol(self) -> Self:
        for key, allowed in make_protocol(self.protocol).allowed.items():
            is_meant = self.schedule.prunes or key not in PRUNING_SETTINGS
            if is_meant and (value := getattr(self, key)) not in allowed:
                raise SettingError(
                    f"{key}: {show(value)} is not allowed with protocol {self.protocol}; allowed: "
                    f"{', '.join(map(str, allowed))}"
                )
        return self

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        for key, reason in combinations_without_meaning(self):
            value = getattr(self, key)
            shown = repr(value) if isinstance(value, str) else value
            raise SettingError(f"{key}: {shown} is not allowed {reason}")
        return self

    @property
    def schedule(self) -> Schedule:
        """Return the density schedule that `method` names."""
        return make_schedule(self.method)

    def densities(self) -> list[float]:
        """Return the density asked for at each of the T megabatches."""
        possible = attainable(self._scheduled(), self.selection, self.pattern)
        return hold_densities(possible, self.trains_at())

    def _scheduled(self) -> list[float]:
        densities: Any = self.schedule.densities(self.n_megabatches, self.tau, self.base_density)
        try:
            return [float(density) for density in densities]
        except (TypeError, ValueError, RuntimeError):
            raise SettingError(
                f"method: {self.method!r} is not allowed: its schedule returns {show(densities)} as densities; wanted: "
                "a list of numbers, one for each megabatch"
            ) from None

    def trains_at(self) -> list[bool]:
        """Return for each of the T megabatches whether the network is trained."""
        return trains_at(self.schedule, self.n_megabatches, self.wait)

    def epochs_at(self) -> list[int]:
        """Return the number of epochs at each of the T megabatches; 0 where the network waits."""
        epochs = epochs_of_training(self.schedule, self.n_megabatches, self.epochs)
        return [epochs if is_trained else 0 for is_trained in self.trains_at()]

    def prunes_at(self) -> list[bool]:
        """Return for each of the T megabatches whether weights are scored and pruned."""
        return make_protocol(self.protocol).prunes_at(self.schedule, self.densities())

    def pruning_step(self, t: int) -> PruningStep:
        """Return what the settings ask of the pruning at megabatch t, counted from 1."""
        return PruningStep(t, self.densities()[t - 1], self.base_density**self.tau, self.scope)

    def expected_kept(self, t: int, layer_sizes: Sequence[int], filter_sizes: Sequence[int]) -> tuple[int, int]:
        """Return the fewest and the most weights that the protocol and the selection may keep at megabatch t.

        Args:
            t: index of the megabatch, from 1.
            layer_sizes: number of prunable weights of each layer.
            filter_sizes: number of weights in one filter of each layer, or more.
        """
        fewest, most = make_protocol(self.protocol).expected_kept(self.pruning_step(t), layer_sizes)
        missed = slack(self.selection, self.pattern, self.scope, filter_sizes)
        return fewest - missed, most + missed

    def identity(self) -> dict[str, Any]:
        """Return what determines the numbers: versions, required settings, and others that differ from their default.

        A new setting whose default keeps the old behaviour therefore changes no digest. In return, RESULTS_VERSION has
        to be raised whenever a default changes. The golden test notices a changed default.
        """
        excluded: dict[str, Any] = {"execution": True, "dataset": True, **{key: {"path"} for key in START_FILES}}
        settings = self.model_dump(mode="json", exclude=excluded, exclude_defaults=True)
        # Digests must be the same on every machine, so a number that only the cache of a dataset knows is not used.
        n_images = self.train_limit or self.dataset.train_count()
        versions = narrow_versions(self.model, self.protocol, n_images, self.n_megabatches, self.valid_frac)
        return {"results_version": RESULTS_VERSION, **versions, "dataset": self.dataset.identity(), **settings}

    def digest(self) -> str:
        """Return twelve hexadecimal digits of the SHA-256 of `identity()`, with which the run's folder name ends."""
        return digest_of(self.identity())


def digest_of(content: Mapping[str, Any]) -> str:
    """Return twelve hexadecimal digits of the SHA-256 of JSON content; the order of its keys does not matter."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def parse_settings(data: Mapping[str, Any]) -> RunSettings:
    """Make the settings of one run from a mapping.

    Args:
        data: values by setting, as YAML or JSON gives them.

    Raises:
        SettingError: a setting is wrong; the message names the first wrong setting, its value and the allowed values.
    """
    return validate(RunSettings, dict(data))

"""Read the claims of the paper as config/claims.yaml lists them."""

import math
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from anytime_pruning.figures.series import PROTOCOLS
from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.fields import Number, validate
from anytime_pruning.foundation.safe_text import read_yaml

Measure = Literal[
    "test_acc_pct",
    "cumulative_error_count",
    "generalization_gap_pct",
    "clean_gap_pct",
    "density",
    "first_density",
    "excess_reversal",
    "early_density",
]

# The collected tables from which measures are computed.
TABLES = ("runs", "megabatches", "layers")
# Noise alone shows some of these, too. They are judged by a simulated test of one series and not by a difference.
NOISY_SIZES = frozenset({"excess_reversal"})


class Strict(BaseModel):
    """Refuses unknown keys and later changes in any part of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(Strict):
    """Names where a claim holds: sources of the images, networks, values of T, and settings other than the default."""

    data: tuple[str, ...] = Field(min_length=1)
    model: tuple[str, ...] = Field(min_length=1)
    n_megabatches: tuple[int, ...] = Field(min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class Side(Strict):
    """Names one series of runs."""

    method: str
    pruner: str


class Claim(Strict):
    """Holds one claim; comments in the file explain the keys."""

    id: str
    text: str
    source: str
    where: Place
    measure: Measure
    first: Side
    second: Side | None = None
    relative: bool = False
    claimed: Number | Literal["above", "below"]
    reference: Number = 0
    margin: Number | None = Field(None, gt=0)
    by_construction: tuple[str, ...] = ()
    unit: str
    remark: str = ""

    @model_validator(mode="after")
    def _check_keys(self) -> "Claim":
        if not self.is_direction and self.margin is None:
            raise SettingError(f"claims.{self.id}: margin is required, because a number is claimed")
        if not self.is_direction and self.reference != 0:
            raise SettingError(f"claims.{self.id}: reference belongs to above and below, not to a number")
        if self.second is not None and self.measure in NOISY_SIZES:
            raise SettingError(f"claims.{self.id}: second is not allowed with measure {self.measure}; allowed: none")
        if self.relative and self.second is None:
            raise SettingError(f"claims.{self.id}: relative needs a second series")
        if self.by_construction and (self.is_direction or self.relative):
            raise SettingError(f"claims.{self.id}: by_construction belongs to a number that is not relative")
        for protocol in self.by_construction:
            if protocol not in PROTOCOLS:
                allowed = ", ".join(PROTOCOLS)
                raise SettingError(
                    f"claims.{self.id}: by_construction: {show(protocol)} is not allowed; allowed: {allowed}"
                )
        return self

    @property
    def is_direction(self) -> bool:
        """Return whether the claim says only on which side of the reference the measure lies."""
        return isinstance(self.claimed, str)

    @property
    def claimed_range(self) -> tuple[float, float]:
        """Return the lowest and the highest value with which the claim is true; either may be infinite."""
        if isinstance(self.claimed, str):
            return (self.reference, math.inf) if self.claimed == "above" else (-math.inf, self.reference)
        margin = self.margin or 0
        return self.claimed - margin, self.claimed + margin

    @property
    def negligible_range(self) -> tuple[float, float] | None:
        """Return the range around the reference in which a claimed direction has no practical meaning, if it is set."""
        if not self.is_direction or self.margin is None:
            return None
        return self.reference - self.margin, self.reference + self.margin


class Claims(Strict):
    """Holds all claims of the file."""

    claims: list[Claim] = Field(min_length=1)


def read_claims(path: Path) -> list[Claim]:
    """Read a file of claims.

    Raises:
        SettingError: the file is missing or has a wrong key or value, or two claims have the same id.
    """
    claims = validate(Claims, read_yaml(path)).claims
    for name, count in Counter(claim.id for claim in claims).items():
        if count > 1:
            raise SettingError(f"claims: two claims are called {name!r}")
    return claims

"""Read the claims of the paper as config/claims.yaml lists them."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.fields import Number, validate
from anytime_pruning.foundation.safe_text import read_yaml

Measure = Literal[
    "test_acc_pct",
    "cumulative_error_count",
    "generalization_gap_pct",
    "clean_gap_pct",
    "density",
    "first_density",
    "direction_changes",
    "early_density",
]


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
    claimed: Number | Literal["positive", "negative"]
    tolerance: Number | None = Field(None, ge=0)
    unit: str

    @model_validator(mode="after")
    def _check_number(self) -> "Claim":
        if isinstance(self.claimed, str) == (self.tolerance is not None):
            raise SettingError(f"claims.{self.id}: tolerance belongs to a claimed number, and to nothing else")
        if self.relative and self.second is None:
            raise SettingError(f"claims.{self.id}: relative needs a second series")
        return self


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

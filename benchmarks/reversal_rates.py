"""Simulate how often the test of `figures.reversals` finds a reversal where there is none, and where there is one.

Call `python -m benchmarks.reversal_rates`, which takes about 10 minutes on one core. Curves are made up of a gap that
is known and of noise that is white or autocorrelated. Two tables are written to benchmarks/results:

- reversal-rates.md: how often the p-value of the test is at most 0.05.
- reversal-verdicts.md: how often the claim of config/claims.yaml about reversals is reproduced and refuted. With
  `--only verdicts`, this table alone is written, in about 3 minutes.

`tests/figures/test_reversals.py` and `test_noisy_sizes.py` repeat small parts.
"""

import argparse
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anytime_pruning.figures.claims.decisions import REFUTED, REPRODUCED, find_verdict, p_refuted, p_reproduced
from anytime_pruning.figures.claims.definitions import Claim, read_claims
from anytime_pruning.figures.claims.noisy_sizes import NoisySize
from anytime_pruning.figures.files import to_markdown
from anytime_pruning.figures.reversals.null import compare_with_monotone
from anytime_pruning.foundation.files import write_text
from benchmarks.report import RESULTS

CLAIMS = Path(__file__).parent.parent / "config" / "claims.yaml"
NOISE_POINTS, LEVEL = 1.5, 0.05
LENGTHS, SEEDS, AUTOCORRELATIONS = (8, 25, 100), (1, 3, 5), (0.0, 0.5)
# These gaps are monotone, so a rate above 5 % would be a fault of the test.
MONOTONE = ("constant", "rises by 6", "falls by 6", "rises at first")
TURNING = ("up and down by 4", "up and down by 8")
# A trend with few terms cannot follow a step or a steep start, which then count as noise.
STEEP_MONOTONE = ("falls by 30 at first",)
STEEP_TURNING = ("falls by 30, rises by 3", "jumps by 20, falls by 4")
# A verdict needs three seeds. The reversals that it is about are small, so that it needs little noise.
VERDICT_LENGTHS, VERDICT_SEEDS, VERDICT_AUTOCORRELATION, VERDICT_NOISE_POINTS = (25, 100), 3, 0.3, (0.5, 1.5)
SEED = 1


def make_gap(name: str, length: int) -> NDArray[np.float64]:
    """Return a gap without noise, [T], in points."""
    place = np.linspace(0, 1, length)
    gaps = {
        "constant": 0 * place,
        "rises by 6": 6 * place,
        "falls by 6": -6 * place,
        "rises at first": 8 * (1 - np.exp(-10 * place)),
        "up and down by 4": 8 * np.minimum(place, 1 - place),
        "up and down by 8": 16 * np.minimum(place, 1 - place),
        "falls by 30 at first": 30 * np.exp(-40 * place),
        "falls by 30, rises by 3": 30 * np.exp(-40 * place) + 3 * place,
        "jumps by 20, falls by 4": np.where(place > 0.5, 20 - 8 * (place - 0.5), 0),
    }
    return gaps[name]


def make_noise(
    shape: tuple[int, ...], autocorrelation: float, generator: np.random.Generator, points: float = NOISE_POINTS
) -> NDArray[np.float64]:
    """Return AR(1) noise along the last axis, made without the code that is tested."""
    lags = np.abs(np.subtract.outer(np.arange(shape[-1]), np.arange(shape[-1])))
    factor = np.linalg.cholesky(np.power(autocorrelation, lags))
    return np.asarray(points * generator.standard_normal(shape) @ factor.T)


def measure_rate(gap: str, length: int, n_seeds: int, autocorrelation: float, repetitions: int) -> float:
    """Return the share of repetitions in which the test finds a reversal at the level of 5 %."""
    generator = np.random.default_rng(SEED)
    noise = make_noise((repetitions, n_seeds, length), autocorrelation, generator)
    found = [compare_with_monotone(make_gap(gap, length) + one, 199).p_value <= LEVEL for one in noise]
    return float(np.mean(found))


def measure_verdicts(gap: str, length: int, points: float, repetitions: int) -> "pd.Series[float]":
    """Return the share of repetitions with each verdict on the claim about reversals, for noise of some points."""
    (claim,) = (claim for claim in read_claims(CLAIMS) if claim.measure == "excess_reversal")
    generator = np.random.default_rng(SEED)
    noise = make_noise((repetitions, VERDICT_SEEDS, length), VERDICT_AUTOCORRELATION, generator, points)
    verdicts = [_judge(claim, make_gap(gap, length) + one) for one in noise]
    return pd.Series(verdicts).value_counts(normalize=True)


def _judge(claim: Claim, curves: NDArray[np.float64]) -> str:
    """Return the verdict on a claim about the curves of several seeds."""
    found = compare_with_monotone(curves, 99)
    size = NoisySize(found.reversals - found.expected_reversals, found.reversals, found.p_value)
    return find_verdict(p_reproduced(claim, size), p_refuted(claim, size))


def tabulate(repetitions: int) -> pd.DataFrame:
    """Return one row for each length of the stream, number of seeds and autocorrelation, with a rate for each gap."""
    rows = []
    for length, n_seeds, autocorrelation in product(LENGTHS, SEEDS, AUTOCORRELATIONS):
        row = {"T": str(length), "Seeds": str(n_seeds), "Autocorrelation": f"{autocorrelation:g}"}
        for gap in (*MONOTONE, *TURNING):
            row[gap] = f"{100 * measure_rate(gap, length, n_seeds, autocorrelation, repetitions):.1f} %"
        print(*row.values(), file=sys.stderr, flush=True)
        rows.append(row)
    return pd.DataFrame(rows)


def tabulate_verdicts(repetitions: int) -> pd.DataFrame:
    """Return one row for each length of the stream and gap, with the rates of two verdicts for each size of noise."""
    rows = []
    gaps = (*MONOTONE, *STEEP_MONOTONE, *TURNING, *STEEP_TURNING)
    for length, gap in product(VERDICT_LENGTHS, gaps):
        row = {"T": str(length), "Gap": gap}
        for points in VERDICT_NOISE_POINTS:
            shares = measure_verdicts(gap, length, points, repetitions)
            for verdict in (REPRODUCED, REFUTED):
                row[f"{verdict}, noise {points:g}"] = f"{100 * shares.get(verdict, 0):.0f} %"
        print(*row.values(), file=sys.stderr, flush=True)
        rows.append(row)
    return pd.DataFrame(rows)


def write_rates(repetitions: int) -> Path:
    """Write how often the test finds a reversal, and return the path."""
    error = 100 * np.sqrt(LEVEL * (1 - LEVEL) / repetitions)
    note = (
        f"Share of {repetitions} simulated series with p at most {LEVEL}; a true rate of 5 % is measured with "
        f"a standard error of {error:.1f} points. The noise of a gap is {NOISE_POINTS} points. The first four gaps are "
        "monotone, so their rates are false positives; the last two turn, so their rates are the power of the test."
    )
    path = RESULTS / "reversal-rates.md"
    write_text(path, f"{to_markdown(tabulate(repetitions))}\n{note}\n")
    return path


def write_verdicts(repetitions: int) -> Path:
    """Write how often the claim about reversals is reproduced and refuted, and return the path."""
    note = (
        f"Share of {repetitions} simulated studies of {VERDICT_SEEDS} seeds, whose noise has the given size in points "
        f"and the autocorrelation {VERDICT_AUTOCORRELATION}. The others are undecided. The first "
        f"{len(MONOTONE + STEEP_MONOTONE)} gaps of each T are monotone, so that `{REPRODUCED}` is false; the others "
        f"turn, so that `{REFUTED}` is false."
    )
    path = RESULTS / "reversal-verdicts.md"
    write_text(path, f"{to_markdown(tabulate_verdicts(repetitions))}\n{note}\n")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Measure all rates and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reversal_rates", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=500, help="simulated series for each rate of the test")
    parser.add_argument("--studies", type=int, default=200, help="simulated studies for each rate of a verdict")
    parser.add_argument("--only", choices=("rates", "verdicts"), help="write one of the two tables")
    options = parser.parse_args(arguments)
    if options.only != "verdicts":
        print(f"written to {write_rates(options.repetitions)}")
    if options.only != "rates":
        print(f"written to {write_verdicts(options.studies)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

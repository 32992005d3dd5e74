"""Simulate how often the test of `figures.reversals` finds a reversal where there is none, and where there is one.

Call `python -m benchmarks.reversal_rates`, which takes about 10 minutes on one core. Curves are made up of a gap that
is known and of noise of 1.5 points, white or with autocorrelation 0.5, and are tested at the level 0.05. The rates are
written to benchmarks/results/reversal-rates.md. `tests/figures/test_reversals.py` repeats a small part.
"""

import argparse
import sys
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anytime_pruning.figures.files import to_markdown
from anytime_pruning.figures.reversals.null import compare_with_monotone
from anytime_pruning.foundation.files import write_text
from benchmarks.report import RESULTS

NOISE_POINTS, LEVEL = 1.5, 0.05
LENGTHS, SEEDS, AUTOCORRELATIONS = (8, 25, 100), (1, 3, 5), (0.0, 0.5)
# These gaps are monotone, so a rate above 5 % would be a fault of the test.
MONOTONE = ("constant", "rises by 6", "falls by 6", "rises at first")
TURNING = ("up and down by 4", "up and down by 8")
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
    }
    return gaps[name]


def make_noise(shape: tuple[int, ...], autocorrelation: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return AR(1) noise along the last axis, made without the code that is tested."""
    lags = np.abs(np.subtract.outer(np.arange(shape[-1]), np.arange(shape[-1])))
    factor = np.linalg.cholesky(np.power(autocorrelation, lags))
    return np.asarray(NOISE_POINTS * generator.standard_normal(shape) @ factor.T)


def measure_rate(gap: str, length: int, n_seeds: int, autocorrelation: float, repetitions: int) -> float:
    """Return the share of repetitions in which the test finds a reversal at the level of 5 %."""
    generator = np.random.default_rng(SEED)
    noise = make_noise((repetitions, n_seeds, length), autocorrelation, generator)
    found = [compare_with_monotone(make_gap(gap, length) + one, 199).p_value <= LEVEL for one in noise]
    return float(np.mean(found))


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


def main(arguments: list[str] | None = None) -> int:
    """Measure all rates and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reversal_rates", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=500, help="simulated sets of curves for each rate")
    options = parser.parse_args(arguments)
    table = tabulate(options.repetitions)
    error = 100 * np.sqrt(LEVEL * (1 - LEVEL) / options.repetitions)
    note = (
        f"Share of {options.repetitions} simulated series with p at most {LEVEL}; a true rate of 5 % is measured with "
        f"a standard error of {error:.1f} points. The noise of a gap is {NOISE_POINTS} points. The first four gaps are "
        "monotone, so their rates are false positives; the last two turn, so their rates are the power of the test."
    )
    path = RESULTS / "reversal-rates.md"
    write_text(path, f"{to_markdown(table)}\n{note}\n")
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

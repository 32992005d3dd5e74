"""Test how sizes are judged of which noise alone shows some: by hand, and by simulated rates of verdicts."""

import math

import numpy as np
import pandas as pd
import pytest
from made_up_tables import PAPER, make_megabatches, make_runs
from scipy import stats

from anytime_pruning.figures.claims import verdicts
from anytime_pruning.figures.claims.decisions import decide, p_refuted, p_reproduced
from anytime_pruning.figures.claims.definitions import read_claims
from anytime_pruning.figures.claims.described_runs import DescribedRun
from anytime_pruning.figures.claims.judgement import judge
from anytime_pruning.figures.claims.noisy_sizes import NoisySize
from anytime_pruning.figures.claims.seed_means import SeedMean
from benchmarks.reversal_rates import CLAIMS, STEEP_TURNING, measure_verdicts

(CLAIM,) = (claim for claim in read_claims(CLAIMS) if claim.measure == "excess_reversal")
# The mean of three seeds with the deviations -0.1, 0 and 0.1 has the 90 % interval ± 0.17.
SPREAD = np.array([-0.1, 0, 0.1])


def size(excess, with_noise, p_value):
    return NoisySize(excess + SPREAD, with_noise + SPREAD, p_value)


@pytest.mark.parametrize(
    ("measured", "verdict", "interval"),
    [
        (size(2, 3, 0.01), "reproduced", (1.83, 3.17)),
        (size(2, 3, 0.06), "undecided", (0, 3.17)),  # the simulated test does not find it
        (size(0.1, 3, 0.01), "undecided", (0, 3.17)),  # the t-test does not
        (size(0, 3, 0.9), "undecided", (0, 3.17)),  # what is expected of noise may be too large
        (size(-2, 3, 0.9), "undecided", (0, 3.17)),
        (size(-0.1, 0.8, 0.5), "refuted", (0, 0.97)),
        (size(-0.1, 0.9, 0.5), "undecided", (0, 1.07)),
        (size(0.5, 0.8, 0.01), "reproduced", (0.33, 0.97)),  # above 0, as claimed, though less than the margin
    ],
)
def test_verdicts_by_hand(measured, verdict, interval):
    found = decide(CLAIM, measured)
    assert found.verdict == verdict
    assert measured.interval(0.9) == pytest.approx(interval, abs=0.005)
    assert interval[0] <= measured.estimate <= interval[1]
    assert math.isnan(found.seeds_to_decide) == (verdict != "undecided" or not found.reason.startswith("about"))


def test_p_values_are_those_of_the_weaker_test():
    excess, with_noise = np.array([1.0, 2.0, 4.0]), np.array([0.2, 0.5, 0.9])
    for simulated in (0.001, 0.2):
        measured = NoisySize(excess, with_noise, simulated)
        above = stats.ttest_1samp(excess, 0, alternative="greater").pvalue
        below = stats.ttest_1samp(with_noise, 1, alternative="less").pvalue
        assert p_reproduced(CLAIM, measured) == pytest.approx(max(above, simulated))
        assert p_refuted(CLAIM, measured) == pytest.approx(below)
    # The 95 % interval, too, begins above zero only where the simulated test finds a size at half the rest.
    assert size(2, 3, 0.024).interval(0.95)[0] > 0 == size(2, 3, 0.026).interval(0.95)[0]


def test_seeds_are_counted_for_both_tests():
    """Give an excess that three seeds show, and a simulated test with z = 1, which needs z = 1.645 + 0.842."""
    slow = decide(CLAIM, size(2, 3, stats.norm.sf(1)))
    assert slow.seeds_to_decide == pytest.approx(3 * (1.645 + 0.842) ** 2, abs=2)
    assert slow.reason == f"about {slow.seeds_to_decide:.0f} seeds would decide"
    # No number of seeds helps where noise hides whether there is anything.
    assert decide(CLAIM, size(0, 3, 0.9)).reason == "more than 1,000 seeds would decide"


def test_equal_seeds_decide_nothing():
    equal = np.zeros(3)
    for excess, with_noise in ((equal, SPREAD), (SPREAD, equal)):
        assert decide(CLAIM, NoisySize(excess, with_noise, 0.001)).verdict == "undecided"


@pytest.mark.parametrize("gap", STEEP_TURNING)
def test_a_turn_after_a_step_is_not_refuted(gap):
    """Repeat a small part of `benchmarks.reversal_rates`: by t-tests of the excess, 80 and 95 % would be refuted."""
    assert measure_verdicts(gap, 25, 0.5, 20).get("refuted", 0) <= 1 / 20


def test_a_monotone_gap_is_seldom_reproduced_and_refuted_where_the_noise_is_small():
    """Of 30 studies, chance alone exceeds 4 in 1.6 % of cases."""
    for gap, refuted in (("constant", 0), ("falls by 30 at first", 0), ("rises by 6", 0.8)):
        shares = measure_verdicts(gap, 25, 0.5, 30)
        assert shares.get("reproduced", 0) <= 4 / 30, gap
        assert shares.get("refuted", 0) >= refuted, gap
    assert measure_verdicts("up and down by 4", 25, 0.5, 20).get("reproduced", 0) >= 0.9


def test_the_table_judges_runs_by_the_simulated_test_and_by_what_was_measured(monkeypatch):
    """Take three kinds of gaps, with little noise: a wave, a steep start before a slow rise, and a steady rise."""
    monkeypatch.setattr(verdicts, "describe_run", lambda folder: DescribedRun("cifar10", {}, "auto"))
    place = {"data": ("cifar10",), "model": ("resnet20",), "n_megabatches": (25,)}
    claim = CLAIM.model_copy(update={"where": CLAIM.where.model_copy(update=place)})
    which = {"lengths": (25,), "series": PAPER[:1], "seeds": range(3), "dataset": "cifar10"}
    tables = {"runs": make_runs(**which), "megabatches": make_megabatches(**which), "layers": pd.DataFrame({"run": []})}
    t, noise = tables["megabatches"]["t"], np.random.default_rng(1).normal(0, 0.4, 75)
    gaps = {"reproduced": 8 * np.sin(t / 4), "undecided": 30 * np.exp(-1.6 * t) + t / 8, "refuted": t / 8}
    for verdict, gap in gaps.items():
        tables["megabatches"]["generalization_gap_pct"] = 20 + gap + noise
        row = verdicts.check([claim], tables, CLAIMS.parent).query("protocol == 'paper'").iloc[0]
        assert (row["verdict"], row["seeds"]) == (verdict, 3)
        assert (row["p_reproduced"] < 0.05, row["p_refuted"] < 0.05) == (verdict == "reproduced", verdict == "refuted")


def test_a_size_without_its_noise_is_judged_as_a_mean():
    values = pd.Series(2 + SPREAD)
    assert judge(CLAIM, "paper", values).measured == SeedMean(values).estimate
    noise = pd.DataFrame({"with_noise": 3 + SPREAD, "p_value": 0.2})
    assert judge(CLAIM, "paper", values, noise=noise)[:4] == (*decide(CLAIM, size(2, 3, 0.2))[:2], 3, 2)

"""Test the rule of the verdicts: worked by hand, against other libraries, and by simulated rates of error."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from anytime_pruning.figures.claims import decisions
from anytime_pruning.figures.claims.decisions import decide, p_refuted, p_reproduced, seeds_to_decide
from anytime_pruning.figures.claims.definitions import Claim
from anytime_pruning.figures.claims.judgement import judge
from anytime_pruning.figures.claims.ratio_of_means import RatioOfMeans, has_denominator
from anytime_pruning.figures.claims.seed_means import SeedMean

CLAIM = {
    "id": "better",
    "text": "APP is better",
    "source": "the paper",
    "where": {"data": ["cifar100"], "model": ["resnet50"], "n_megabatches": [8]},
    "measure": "test_acc_pct",
    "first": {"method": "app", "pruner": "snip"},
    "second": {"method": "dense", "pruner": "none"},
    "unit": "points",
}
NUMBER = Claim.model_validate(CLAIM | {"claimed": 17.97, "margin": 1})
ABOVE = Claim.model_validate(CLAIM | {"claimed": "above"})
ABOVE_BY_MARGIN = Claim.model_validate(CLAIM | {"claimed": "above", "margin": 1})
BELOW_TEN = Claim.model_validate(CLAIM | {"claimed": "below", "reference": 10})
RELATIVE = Claim.model_validate(CLAIM | {"claimed": -22, "margin": 5, "relative": True})
PRESCRIBED = Claim.model_validate(
    CLAIM | {"second": None, "claimed": 0.366, "margin": 1e-3, "by_construction": ["paper"]}
)


@pytest.mark.parametrize(
    ("claim", "values", "verdict"),
    [
        # With three seeds, 90 % intervals are mean ± 1.686 s, and 95 % intervals are mean ± 2.484 s.
        (NUMBER, (40, 30, 20), "undecided"),  # 30 ± 16.9
        (NUMBER, (9.9, 10, 10.1), "refuted"),
        (NUMBER, (17.9, 18, 18.1), "reproduced"),
        (NUMBER, (18.7, 18.9, 19.1), "undecided"),  # the mean lies in the margin, and the interval beyond
        (NUMBER, (18.9, 19, 19.1), "undecided"),  # 19 ± 0.25 reaches the margin, which ends at 18.97
        (NUMBER, (19.2, 19.3, 19.4), "refuted"),  # 19.3 ± 0.25 does not
        (NUMBER, (-18.1, -18, -17.9), "refuted"),
        (ABOVE, (1, 2, 3.1), "reproduced"),  # 2.03 ± 1.77
        (ABOVE, (1, 2, 3.9), "undecided"),  # 2.30 ± 2.49
        (ABOVE, (-2, -2.1, -2.2), "refuted"),
        (ABOVE, (-0.1, 0, 0.1), "undecided"),
        (ABOVE_BY_MARGIN, (-0.1, 0, 0.1), "refuted"),  # negligible
        (ABOVE_BY_MARGIN, (0.4, 0.5, 0.6), "reproduced"),  # above 0, as claimed, though less than the margin
        (ABOVE_BY_MARGIN, (-0.9, 0, 0.9), "undecided"),
        (BELOW_TEN, (9.0, 9.1, 9.2), "reproduced"),
        (BELOW_TEN, (11.0, 11.1, 11.2), "refuted"),
    ],
)
def test_verdicts_by_hand(claim, values, verdict):
    assert decide(claim, SeedMean(values)).verdict == verdict


@pytest.mark.parametrize("values", [[17.95, 17.97, 18.0], [1.0, 2.0, 3.0], [15.0, 18.0, 21.0]])
def test_every_decision_states_its_p_values(values):
    found, measured = judge(NUMBER, "paper", pd.Series(values)), SeedMean(values)
    assert (found.p_reproduced, found.p_refuted) == (p_reproduced(NUMBER, measured), p_refuted(NUMBER, measured))
    seeds = seeds_to_decide(NUMBER, measured) if found.verdict == "undecided" else math.nan
    assert found.seeds_to_decide == pytest.approx(seeds, nan_ok=True)
    assert found.reason == ("" if math.isnan(seeds) else f"about {seeds:.0f} seeds would decide")


@pytest.mark.parametrize("value", [17.97, 0.3, 0.0])
@pytest.mark.parametrize("claim", [NUMBER, ABOVE])
def test_seeds_that_all_agree_decide_nothing(claim, value):
    """Give no interval and no p-value for equal values, also where subtraction rounds them apart."""
    second = pd.Series([64.13, 71.26, 75.7])
    found = judge(claim, "paper", (second + value).round(2), second)
    assert found.verdict == "undecided"
    assert found.reason == "every seed has the same value, so no interval is known"
    assert found.measured == pytest.approx(value)
    assert np.isnan(found[4:]).all()


def test_intervals_and_p_values_are_those_of_other_libraries():
    first, second = pd.Series([92.2, 93.1, 92.4, 93.0]), pd.Series([73.5, 72.9, 73.1, 72.8])
    found = judge(NUMBER, "paper", first, second)
    difference = first - second
    for confidence, ends in ((0.9, (found.low_90, found.high_90)), (0.95, (found.low_95, found.high_95))):
        assert ends == pytest.approx(stats.t.interval(confidence, 3, difference.mean(), stats.sem(difference)))
    assert found.p_reproduced == pytest.approx(ttost_paired(first, second, 16.97, 18.97)[0])
    assert found.p_refuted == pytest.approx(stats.ttest_rel(first, second + 18.97).pvalue)
    assert (found.seeds, found.measured) == (4, pytest.approx(difference.mean()))


def test_p_values_and_intervals_say_the_same():
    generator = np.random.default_rng(5)
    seen = set()
    for _ in range(80):
        mean = SeedMean(generator.normal(generator.uniform(15, 21), generator.uniform(0.1, 1.5), 4))
        (low_90, high_90), (low_95, high_95) = mean.interval(0.9), mean.interval(0.95)
        is_inside = low_90 > 16.97 and high_90 < 18.97
        is_outside = low_95 > 18.97 or high_95 < 16.97
        verdict = decide(NUMBER, mean).verdict
        assert verdict == ("reproduced" if is_inside else "refuted" if is_outside else "undecided")
        seen.add(verdict)
    assert len(seen) == 3


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(
    ("claim", "truth", "p_value"),
    [
        (NUMBER, 18.97, p_reproduced),
        (NUMBER, 16.97, p_reproduced),
        (ABOVE, 0, p_reproduced),
        (ABOVE_BY_MARGIN, 0, p_reproduced),
        (NUMBER, 17.97, p_refuted),
        (NUMBER, 18.97, p_refuted),
        (ABOVE, 0, p_refuted),
        (ABOVE_BY_MARGIN, 1, p_refuted),
    ],
)
def test_simulated_rates_of_false_verdicts_are_at_most_five_percent(claim, truth, p_value, seeds):
    """Draw studies whose truth lies at the edge, or as claimed, with little and with much spread."""
    studies = 40_000
    generator = np.random.default_rng(1)
    for spread in (0.2, 1.0, 5.0):
        p_values = p_value(claim, SeedMean(generator.normal(truth, spread, (seeds, studies))))
        assert p_values.shape == (studies,)
        # Three standard errors of a rate of 5 % are 0.33 points.
        assert (p_values < decisions.ALPHA).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize(("looks", "rate"), [([3], 5), ([3, 5], 8), (range(3, 11), 15)])
def test_each_look_at_a_verdict_is_another_chance_for_noise(looks, rate):
    """Look at studies of two equal methods after some of their seeds; the page on statistics names the rates."""
    studies = np.random.default_rng(4).normal(0, 1, (max(looks), 40_000))
    found = [p_reproduced(ABOVE, SeedMean(studies[:seeds])) < decisions.ALPHA for seeds in looks]
    assert round(100 * np.any(found, axis=0).mean()) == rate
    page = " ".join((ROOT / "docs/explanation/statistics.md").read_text(encoding="utf-8").split())
    assert f"in {rate} %" in page


def test_a_true_claim_is_reproduced_with_enough_seeds():
    values = np.random.default_rng(2).normal(17.97, 1, (20, 2000))
    assert (p_reproduced(NUMBER, SeedMean(values)) < decisions.ALPHA).mean() > 0.95


@pytest.mark.parametrize(("mean", "spread"), [(18.3, 1.0), (17.97, 1.5), (20.2, 2.0)])
def test_the_number_of_seeds_would_decide_in_four_of_five_studies(mean, spread):
    """Simulate studies of that many seeds, with the estimate and the spread of the first study."""
    pattern = np.array([-1.0, 0.0, 1.0])  # its standard deviation is 1
    seeds = int(seeds_to_decide(NUMBER, SeedMean(mean + spread * pattern)))
    rates = []
    for count in (seeds, seeds - 2):
        studies = SeedMean(np.random.default_rng(3).normal(mean, spread, (count, 20_000)))
        decided = (p_reproduced(NUMBER, studies) < 0.05) | (p_refuted(NUMBER, studies) < 0.05)
        rates.append(decided.mean())
    assert rates[0] == pytest.approx(0.8, abs=0.03)
    assert rates[1] < rates[0]


@pytest.mark.parametrize("distance", [0.33, 2.23])
def test_as_many_seeds_would_decide_on_either_side_of_the_claimed_number(distance):
    means = 17.97 + distance, 17.97 - distance
    above, below = (seeds_to_decide(NUMBER, SeedMean([mean - 2, mean, mean + 2])) for mean in means)
    assert above == below


def test_a_large_effect_needs_few_seeds():
    """Compare with the noncentral t of another library, two standard deviations beyond the range."""
    counts = np.arange(3, 10)
    chances = stats.nct.sf(stats.t.isf(0.025, counts - 1), counts - 1, 2 * np.sqrt(counts))
    assert seeds_to_decide(NUMBER, SeedMean([19.97, 20.97, 21.97])) == counts[chances >= 0.8][0] == 5


def test_numbers_of_seeds_are_tried_up_to_the_largest(monkeypatch):
    measured = SeedMean([18.2, 20.2, 22.2])
    seeds = int(seeds_to_decide(NUMBER, measured))
    monkeypatch.setattr(decisions, "MAX_SEEDS", seeds)
    assert seeds_to_decide(NUMBER, measured) == seeds
    monkeypatch.setattr(decisions, "MAX_SEEDS", seeds - 1)
    assert math.isnan(seeds_to_decide(NUMBER, measured))


def test_at_an_edge_no_number_of_seeds_would_decide():
    found = decide(NUMBER, SeedMean([17.97, 18.97, 19.97]))
    assert math.isnan(found.seeds_to_decide)
    assert found.reason == "more than 1,000 seeds would decide"
    assert decide(ABOVE, SeedMean([-1, 0, 1])).reason == "more than 1,000 seeds would decide"


def test_a_number_that_the_protocol_prescribes_is_marked_and_can_fail():
    equal, other = pd.Series([0.36635, 0.36635]), pd.Series([0.36635, 0.0301])
    assert judge(PRESCRIBED, "paper", equal).verdict == "by construction"
    assert judge(PRESCRIBED, "paper", other).verdict == "refuted"
    assert judge(PRESCRIBED, "released", pd.Series([0.0199, 0.0189, 0.0215])).verdict == "refuted"
    exact = PRESCRIBED.model_copy(update={"claimed": 0.5, "margin": 0.25})
    verdicts = [judge(exact, "paper", pd.Series([value])).verdict for value in (0.2, 0.25, 0.75, 0.8)]
    assert verdicts == ["refuted", "by construction", "by construction", "refuted"]


def test_a_p_value_is_a_probability():
    """Take a mean within the claimed range, where two p-values near 1 are doubled."""
    assert p_refuted(NUMBER, SeedMean([17.9, 18, 18.1])) == 1


def test_too_few_seeds_test_nothing():
    seeds = pd.Series([91.0, 92.0]), pd.Series([73.0, 74.2])
    found = judge(NUMBER, "paper", *seeds)
    assert found[:3] == ("not tested here", "fewer than 3 seeds", 2)
    assert np.isnan(found[3:]).all()
    assert judge(NUMBER, "paper", pd.Series([], dtype=float), seeds[1])[:3] == ("not tested here", "", 0)


def test_fieller_by_hand():
    """Solve (x - r y)² = t² var(x - r y) / n for x = 1, 2, 3 and y = 9, 10, 11, whose deviations are equal.

    The difference x - r y has the mean 2 - 10 r and the standard deviation |1 - r|. With q = t / sqrt(3), the ends
    solve (2 - 10 r)² = q² (1 - r)², so r = (2 - q) / (10 - q) and r = (2 + q) / (10 + q).
    """
    ratio = RatioOfMeans([1, 2, 3], [9, 10, 11])
    q = 4.302653 / math.sqrt(3)
    assert ratio.estimate == pytest.approx(20)
    assert ratio.interval(0.95) == pytest.approx((100 * (2 - q) / (10 - q), 100 * (2 + q) / (10 + q)), rel=1e-6)
    q = 2.919986 / math.sqrt(3)
    assert ratio.interval(0.9) == pytest.approx((100 * (2 - q) / (10 - q), 100 * (2 + q) / (10 + q)), rel=1e-6)


def test_fieller_is_students_interval_where_the_denominator_is_constant():
    numerators = np.array([1.0, 2.0, 4.0, 3.5])
    found, mean = RatioOfMeans(numerators, np.full(4, 50.0)), SeedMean(2 * numerators)
    assert found.interval(0.95) == pytest.approx(mean.interval(0.95))
    assert found.p_within(1, 7) == pytest.approx(mean.p_within(1, 7))
    ends = [(-math.inf, 7), (7, math.inf), (-math.inf, math.inf), (-math.inf, -math.inf), (math.inf, math.inf)]
    for low, high in ends:
        assert found.p_within(low, high) == pytest.approx(mean.p_within(low, high))
    assert found.effects(4, 7) == pytest.approx(mean.effects(4, 7))
    assert found.effects(math.inf, -math.inf) == (-math.inf, -math.inf)


def test_fieller_is_the_same_in_every_unit():
    numerators, denominators = np.array([1.0, 2.0, 4.0, 3.5]), np.array([48.0, 50.0, 51.0, 47.0])
    for unit in (1e-4, 1e4):
        found = RatioOfMeans(unit * numerators, unit * denominators).interval(0.95)
        assert found == pytest.approx(RatioOfMeans(numerators, denominators).interval(0.95))


def test_ends_of_fiellers_interval_have_p_values_of_half_the_rest():
    ratio = RatioOfMeans([-3, -4.5, -2, -5], [20, 24, 18, 23])
    low, high = ratio.interval(0.9)
    assert ratio.p_within(low, math.inf) == pytest.approx(0.05)
    assert ratio.p_within(-math.inf, high) == pytest.approx(0.05)


def test_fieller_covers_the_true_ratio():
    """Draw pairs whose parts are correlated; the true ratio of the expected values is -22 %."""
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(4000):
        denominators = generator.normal(30, 6, 5)
        numerators = -0.22 * 30 + 0.5 * (denominators - 30) + generator.normal(0, 3, 5)
        low, high = RatioOfMeans(numerators, denominators).interval(0.95)
        covered += low < -22 < high
    assert covered / 4000 == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / 4000))


def test_a_relative_claim_is_a_ratio_of_means():
    """Compare mean gaps of 22 and 32 points; the mean of the four ratios would be -5 %."""
    first, dense = pd.Series([16.0, 24.0, 27.0, 21.0]), pd.Series([8.0, 40.0, 43.0, 37.0])
    assert judge(RELATIVE, "paper", first, dense).measured == pytest.approx(-31.25)
    # A negative gap counts by its size.
    assert judge(RELATIVE, "paper", -first, -dense).measured == pytest.approx(31.25)
    noise = [0.1, -0.2, 0.2, -0.1]
    dense = pd.Series([30.0, 33.0, 31.0, 29.5])
    assert judge(RELATIVE, "paper", 0.78 * dense + noise, dense).verdict == "reproduced"
    assert judge(RELATIVE, "paper", 0.98 * dense + noise, dense).verdict == "refuted"


@pytest.mark.parametrize(
    ("claimed", "factor", "verdict"),
    [("above", 1.2, "reproduced"), ("above", 0.8, "refuted"), ("below", 0.8, "reproduced"), ("below", 1.2, "refuted")],
)
def test_a_relative_claim_may_name_a_direction(claimed, factor, verdict):
    claim, dense = ABOVE.model_copy(update={"claimed": claimed, "relative": True}), pd.Series([30.0, 33.0, 31.0, 29.5])
    assert judge(claim, "paper", factor * dense + [0.1, -0.2, 0.2, -0.1], dense).verdict == verdict


def test_there_is_no_ratio_to_a_denominator_that_may_be_zero():
    dense = pd.Series([0.1, 4.0, -3.0, 2.0])
    found = judge(RELATIVE, "paper", dense - 2, dense)
    reason = "the denominator cannot be told from zero, so there is no ratio"
    assert found[:3] == ("undecided", reason, 4)
    assert np.isnan(found[3:]).all()
    assert not has_denominator([0.0, 0.0, 0.0])
    assert has_denominator([2.0, 2.0, 2.0])
    assert has_denominator([-2.0, -2.1, -2.2])
    # With three seeds, 95 % intervals are 0.3 ± 0.25 and 0.4 ± 0.50.
    for sign in (1, -1):
        assert has_denominator(sign * np.array([0.2, 0.3, 0.4]))
        assert not has_denominator(sign * np.array([0.2, 0.4, 0.6]))

"""Test reversals of curves by hand, the fitted noise, and the rates of the test against monotone curves."""

import numpy as np
import pandas as pd
import pytest
from made_up_tables import PAPER, make_megabatches
from scipy import stats
from statsmodels.regression.linear_model import GLS

from anytime_pruning.figures.gap_curve import GAPS, measure_reversals
from anytime_pruning.figures.reversals import curves, noise
from anytime_pruning.figures.reversals.null import compare_with_monotone, count_monotone_terms, make_monotone
from anytime_pruning.figures.series import SERIES, STREAM
from benchmarks.reversal_rates import make_gap, make_noise, measure_rate


@pytest.mark.parametrize(
    ("curve", "changes"),
    [
        ([0, 1, 2, 3, 4], 0),
        ([4, 3, 3, 1, 0], 0),
        ([0, 4, 0], 1),
        ([0, 4, 0, 4], 2),
        ([0, 3, 2.5, 6, 5.2, 9], 0),  # moves back by less than a point
        ([0, 3, 2.4, 1.9, 6], 2),  # by 1.1 points in two steps
        ([5, 5.4, 4.9, 5.2], 0),
        ([0.4, 0, 3, 0.9], 1),
        ([0, 1, 0], 1),  # by just as much as counts
        ([0, 4, 2, 2.5], 1),  # a fall ends at its lowest value, from which it does not rise by a point
        ([7], 0),
    ],
)
def test_direction_changes_by_hand(curve, changes):
    assert curves.count_direction_changes(curve) == changes
    assert curves.count_direction_changes([-value for value in curve]) == changes
    assert curves.count_direction_changes(curve).dtype == np.int64


def test_several_curves_are_counted_at_once_as_one_by_one():
    some = np.random.default_rng(0).normal(0, 1, (4, 3, 30))
    counts = curves.count_direction_changes(some)
    assert counts.shape == (4, 3)
    assert counts.tolist() == [[int(curves.count_direction_changes(one)) for one in row] for row in some]


@pytest.mark.parametrize(
    ("curve", "reversal"),
    [
        ([0, 1, 1, 4], 0),
        ([4, 1, 0], 0),
        ([0, 4, 1, 6], 3),  # rises by 6 from the first value, falls by 3
        ([5, 2, 4, 3, 0], 2),  # falls by 5, rises by 2
        ([0, 3, 2, 1, 0], 3),  # falls by 3 in three steps
    ],
)
def test_reversals_by_hand(curve, reversal):
    assert curves.reversal(curve) == reversal
    assert curves.reversal([-value for value in curve]) == reversal


def test_several_curves_are_measured_at_once_as_one_by_one():
    some = np.random.default_rng(0).normal(0, 1, (4, 3, 30)) * np.arange(1, 5)[:, None, None]
    assert curves.reversal(some).tolist() == [[float(curves.reversal(one)) for one in row] for row in some]


def test_windows_grow_with_the_stream_and_are_odd():
    windows = {length: curves.window_of(length) for length in (8, 25, 50, 100)}
    assert windows == {8: 3, 25: 3, 50: 5, 100: 11}
    assert curves.smooth([0, 3, 6, 0, 0]) == pytest.approx([3, 3, 2])


def test_the_weighted_squares_are_those_of_a_generalized_regression():
    """Compare with statsmodels, which fits the trend by generalized least squares for a known autocorrelation."""
    curve = 0.5 * np.arange(8) + np.array([1, -1, 2, -1, 0, -1, 1, -3.0])
    lags = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    candidates = noise.prepare_candidates(8)
    is_constant = np.isclose(candidates.profiles, 1).all(axis=1)
    for rho in (0.0, 0.5):
        fitted = GLS(curve, np.vander(np.arange(8.0), 3), sigma=rho**lags).fit()
        (form,) = candidates.forms[is_constant & np.isclose(candidates.rhos, rho)]
        assert curve @ form @ curve == pytest.approx(fitted.ssr)
        assert noise.count_trend_terms(8) == 8 - fitted.df_resid


def test_the_likelihood_is_that_of_the_part_of_a_curve_without_trend():
    """Compare with the normal density of contrasts: coordinates of a curve that every trend leaves at zero."""
    t = np.arange(1.0, 9)
    _, _, basis = np.linalg.svd(np.vander(t, 3).T)
    contrasts, candidates, offsets = basis[3:], noise.prepare_candidates(8), []
    for profile, rho, form in zip(candidates.profiles, candidates.rhos, candidates.forms):
        assert np.mean(profile**2) == pytest.approx(1)
        covariance = contrasts @ (np.outer(profile, profile) * rho ** np.abs(np.subtract.outer(t, t))) @ contrasts.T
        assert form == pytest.approx(contrasts.T @ np.linalg.inv(covariance) @ contrasts, abs=1e-8)
        offsets.append(-np.linalg.slogdet(covariance)[1] / 2)
    assert np.diff(candidates.offsets) == pytest.approx(np.diff(offsets))
    shrinks = [profile[0] / profile[3] for profile in candidates.profiles[: len(noise.POWERS)]]
    assert shrinks == pytest.approx([1, np.sqrt(2), 2])  # a power of 4


def test_alternating_noise_has_no_autocorrelation_and_the_size_of_a_regression():
    """Compare with an ordinary polynomial regression, whose residuals have n * (T - 3) degrees of freedom."""
    curve = 0.5 * np.arange(8) + np.array([1, -1, 1, -1, 1, -1, 1, -1.0])
    residual = curve - np.polynomial.Polynomial.fit(np.arange(8), curve, 2)(np.arange(8))
    found = noise.fit_noise(np.tile(curve, (20, 1)))
    assert found.rho() < 0.03
    assert found.sd() == pytest.approx(np.sqrt((residual**2).sum() / 5), rel=0.02)


@pytest.mark.parametrize("autocorrelation", [0.0, 0.3, 0.6])
def test_noise_is_fitted_without_bias_whatever_the_curve_does(autocorrelation):
    """A slow wave of 8 points does not count as noise, and the size is not underestimated."""
    wave = 8 * np.sin(np.linspace(0, 2 * np.pi, 100))
    some = wave + make_noise((50, 5, 100), autocorrelation, np.random.default_rng(2))
    found = noise.fit_noise(some)
    assert found.rho().shape == (50,)
    assert found.rho().mean() == pytest.approx(autocorrelation, abs=0.06)
    assert found.sd().mean() == pytest.approx(1.5, rel=0.06)


def test_noise_that_shrinks_is_fitted_as_such():
    """The size of the noise at t is 1.5 / sqrt(t), as where validation images accumulate."""
    some = make_noise((4, 5, 100), 0.0, np.random.default_rng(2))
    found, constant = noise.fit_noise(some / np.sqrt(np.arange(1, 101))), noise.fit_noise(some)
    half = np.tile(np.array(noise.POWERS) == 0.5, len(noise.RHOS))
    assert (found.weights[:, half].sum(axis=1) > 0.9).all()
    assert (constant.weights[:, half].sum(axis=1) < 0.1).all()
    (profile,) = {tuple(profile.round(9)) for profile in found.candidates.profiles[half]}
    assert profile[0] / profile[99] == pytest.approx(10)
    assert np.mean(np.square(profile)) == pytest.approx(1)


def test_the_spread_of_smoothed_noise_by_hand():
    # Of three values with correlation 0.5, the mean has the variance (3 + 4 * 0.5 + 2 * 0.25) / 9 of one value.
    candidates = noise.prepare_candidates(8)
    is_constant = np.isclose(candidates.profiles, 1).all(axis=1)
    (smoothed,) = candidates.smoothed_variances[is_constant & np.isclose(candidates.rhos, 0.5)]
    assert smoothed == pytest.approx(5.5 / 9)


def test_noise_is_correlated_by_hand():
    first, second = noise.correlate(np.array([[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]]), np.array([0.5, 0.0]))
    assert first == pytest.approx([1, 0.5, 0.25 + 2 * np.sqrt(0.75)])
    assert second.tolist() == [1, 0, 2]


def test_trends_have_more_terms_in_longer_streams():
    assert {length: noise.count_trend_terms(length) for length in (8, 25, 40, 100)} == {8: 3, 25: 4, 40: 5, 100: 8}
    assert {length: count_monotone_terms(length) for length in (8, 99, 100)} == {8: 3, 99: 3, 100: 4}


def test_groups_of_curves_are_fitted_at_once_as_one_by_one_however_large_they_are():
    some = make_noise((2, 5, 100), 0.3, np.random.default_rng(3)) * np.array([1, 1e6])[:, None, None]
    together = noise.fit_noise(some)
    for number, group in enumerate(some):
        alone = noise.fit_noise(group)
        assert together.rho()[number] == pytest.approx(alone.rho())
        assert together.sd()[number] == pytest.approx(alone.sd())
        assert together.smoothed_sd()[number] == pytest.approx(alone.smoothed_sd())


def test_no_noise_is_smaller_than_a_step_of_the_accuracies():
    """The noise of a curve without any is taken to be 0.001 points."""
    found = noise.fit_noise(np.zeros((1, 8)))
    assert found.variances == pytest.approx(1e-6)
    assert found.sd() == pytest.approx(1e-3)


def test_the_size_of_smoothed_noise_by_hand():
    # The mean of three independent values has a third of their variance, 0.25 of it is from a kind of variance 4.
    candidates = noise.prepare_candidates(8)
    weights = np.zeros(len(candidates.rhos))
    weights[[0, 15]] = 0.75, 0.25
    fit = noise.NoiseFit(candidates, weights, np.where(weights == 0.75, 1.0, 4.0))
    assert fit.smoothed_sd() == pytest.approx(np.sqrt(0.75 / 3 + 0.25 * 4 * 5.5 / 9))


def test_simulated_noise_shrinks_as_its_kind_says():
    candidates = noise.prepare_candidates(8)
    weights = np.zeros(len(candidates.rhos))
    weights[2] = 1.0  # independent values, whose size falls with the square root of t
    assert (candidates.rhos[2], candidates.profiles[2][0] / candidates.profiles[2][3]) == pytest.approx((0, 2))
    values = noise.NoiseFit(candidates, weights, np.ones(len(weights))).simulate(20_000, 1, np.random.default_rng(0))
    assert values[..., 0].std() / values[..., 3].std() == pytest.approx(2, rel=0.03)
    assert (values**2).mean() == pytest.approx(1, rel=0.03)


def test_noise_is_simulated_with_the_size_and_the_weights_of_each_kind():
    candidates = noise.prepare_candidates(8)
    weights = np.zeros(len(candidates.rhos))
    weights[[0, 15]] = 0.25, 0.75  # white noise, and the autocorrelation 0.5, both of constant size
    fit = noise.NoiseFit(candidates, weights, np.where(weights == 0.25, 1.0, 4.0))
    assert candidates.rhos[[0, 15]].tolist() == [0, 0.5]
    assert fit.rho() == pytest.approx(0.75 * 0.5)
    assert fit.sd() == pytest.approx(np.sqrt(0.25 * 1 + 0.75 * 4))
    values = fit.simulate(20_000, 2, np.random.default_rng(0))
    assert values.shape == (20_000, 2, 8)
    assert values.std() == pytest.approx(np.sqrt(3.25), rel=0.02)
    # The two kinds have the covariances 0 and 4 * 0.5 of neighbours.
    assert (values[..., 0] * values[..., 1]).mean() == pytest.approx(0.75 * 2, rel=0.05)


def test_a_trend_is_made_monotone_in_its_better_direction():
    # Both are parabolas. The first only rises; the second falls farther than it rose, so it is made flat, then falling:
    # 0, 1, 0 becomes 1/2, 1/2, 0, because the mean of 0 and 1 is above 0.
    (rising,) = make_monotone(np.array([[0.0, 1, 4, 9, 16]]), 3)
    assert rising == pytest.approx([0, 1, 4, 9, 16], abs=1e-9)
    (falling,) = make_monotone(np.array([[0.0, 1, 0, -3, -8]]), 3)
    assert falling == pytest.approx([0.5, 0.5, 0, -3, -8], abs=1e-9)


def test_a_trend_has_as_many_terms_as_asked():
    # The parabola nearest to a zigzag is a line through 1/2, because the zigzag is odd around its middle; its slope is
    # the sum of x * y over that of x * x for x from -5/2 to 5/2.
    (found,) = make_monotone(np.array([[0.0, 1, 0, 1, 0, 1]]), 3)
    assert found == pytest.approx(0.5 + 1.5 / 17.5 * np.arange(-2.5, 3))


def test_the_count_alone_cannot_tell_noise_from_a_turn():
    """A constant gap with noise changes direction several times, of which nothing is left as an excess."""
    constant = np.random.default_rng(4).normal(0, 1.5, (5, 100))
    found = compare_with_monotone(constant)
    assert found.changes.mean() >= 2
    assert (found.changes - found.expected_changes).mean() == pytest.approx(0, abs=0.8)
    assert found.p_value > 0.05
    turning = constant + 12 * np.minimum(np.linspace(0, 1, 100), np.linspace(1, 0, 100))
    found = compare_with_monotone(turning)
    assert found.p_value == pytest.approx(1 / 1000)
    assert (found.reversals - found.expected_reversals).mean() > 3


def test_p_values_of_noise_alone_are_spread_evenly():
    some = np.random.default_rng(5).normal(0, 1.5, (60, 2, 8))
    p_values = np.array([compare_with_monotone(one, 99).p_value for one in some])
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_what_noise_does_is_expected_for_each_curve():
    """Noise moves a constant gap back more often and farther than a gap that rises by 12 points."""
    noisy = np.random.default_rng(6).normal(0, 0.7, (2, 25))
    found = compare_with_monotone(noisy + np.linspace([0, 0], [0, 12], 25).T, 199)
    assert found.expected_changes[0] > 2 * found.expected_changes[1]
    assert found.expected_reversals[0] > 2 * found.expected_reversals[1]


def test_curves_without_noise_are_judged_exactly():
    line = np.tile(np.arange(8.0), (3, 1))
    found = compare_with_monotone(line)
    assert (found.reversals.tolist(), found.p_value) == ([0, 0, 0], 1.0)
    assert compare_with_monotone(np.zeros((1, 8))).p_value == 1.0
    parabola = -((np.arange(8.0) - 3.5) ** 2)[None]
    assert compare_with_monotone(parabola).p_value == pytest.approx(1 / 1000)


def test_a_false_positive_is_as_rare_as_the_level_says():
    """Repeat a small part of `benchmarks.reversal_rates`; 5 % of 200 are 10, and chance alone exceeds 18 in 0.5 %."""
    assert stats.binom.sf(18, 200, 0.05) < 0.006
    for gap in ("constant", "rises by 6", "falls by 6"):
        for n_seeds, autocorrelation in ((1, 0.5), (3, 0.0)):
            assert measure_rate(gap, 25, n_seeds, autocorrelation, 200) <= 18 / 200, gap
    # Noise that shrinks to a tenth is allowed for, too.
    shrink = np.sqrt(100 / 2 / np.arange(1, 101))
    wide = shrink * make_noise((30, 3, 100), 0.0, np.random.default_rng(8)) + make_gap("rises by 6", 100)
    assert sum(compare_with_monotone(one, 199).p_value <= 0.05 for one in wide) <= 4
    # The test is not one that never finds anything.
    assert measure_rate("constant", 25, 1, 0.5, 200) >= 3 / 200
    assert measure_rate("up and down by 8", 25, 3, 0.0, 50) >= 0.9
    assert measure_rate("up and down by 4", 100, 3, 0.5, 10) >= 0.9


def test_series_are_compared_over_their_seeds_and_short_streams_have_no_rows():
    megabatches = make_megabatches(lengths=(2, 8), seeds=range(3), series=PAPER[:2])
    found = measure_reversals(megabatches, [*STREAM, *SERIES], GAPS[0])
    assert found["n_megabatches"].tolist() == [8] * 6
    assert found["seed"].tolist() == [0, 1, 2] * 2
    assert set(found["run"]) == set(megabatches.query("n_megabatches == 8")["run"])
    assert found["window"].tolist() == [3] * 6
    assert found[["direction_changes", "reversal", "excess_reversal"]].to_numpy().tolist() == [[0, 0, 0]] * 6
    assert found["p_value"].tolist() == [1.0] * 6  # that gap only rises
    clean = measure_reversals(megabatches, [*STREAM, *SERIES], GAPS[1])
    # The clean gap, 0 4 4 0 0 4 4 0, is 8/3 8/3 4/3 4/3 8/3 8/3 when smoothed.
    assert clean["direction_changes"].tolist() == [1] * 6
    assert clean["reversal"].tolist() == pytest.approx([4 / 3] * 6)
    assert clean["excess_reversal"].tolist() == pytest.approx((clean["reversal"] - clean["expected_reversal"]).tolist())
    assert measure_reversals(megabatches.query("n_megabatches == 2"), [*STREAM, *SERIES], GAPS[0]).empty


def test_the_order_of_rows_does_not_matter():
    megabatches = make_megabatches(lengths=(8,), series=PAPER[:1])
    shuffled = megabatches.sample(frac=1, random_state=0)
    keys = [*STREAM, *SERIES]
    pd.testing.assert_frame_equal(
        measure_reversals(megabatches, keys, GAPS[1]), measure_reversals(shuffled, keys, GAPS[1])
    )

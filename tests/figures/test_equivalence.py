"""Test the verdicts on pairs of series: better, worse, equivalent or undecided."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.figures.tables import equivalence
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.settings.study import plan_study

MARGINS = {"test_acc_pct": 1.0, "cumulative_error_count": 2.0}
PLACE = {"dataset": "digits", "model": "resnet20", "n_megabatches": 8, "protocol": "paper", "variant": ""}


def runs(accuracy, errors, n_seeds=5):
    """Return runs of APP and of the dense baseline whose differences by seed are given."""
    rows = []
    for seed in range(n_seeds):
        base = {"test_acc_pct": 90.0 + seed, "cumulative_error_count": 1000 + 10 * seed}
        change = {"test_acc_pct": accuracy[seed], "cumulative_error_count": errors[seed]}
        rows.append(PLACE | {"method": "dense", "pruner": "none", "seed": seed} | base)
        app = {key: value + change[key] for key, value in base.items()}
        rows.append(PLACE | {"method": "app", "pruner": "snip", "seed": seed} | app)
    return pd.DataFrame(rows)


def verdicts(*given, **named):
    shown, _, numbers = equivalence.tabulate(runs(*given, **named), MARGINS)
    return dict(zip(numbers["measure"], shown["The first is"]))


SMALL, NONE = (0.1, -0.1, 0.05, 0.0, -0.05), (1, -1, 2, 0, -2)


@pytest.mark.parametrize(
    ("accuracy", "errors", "expected"),
    [
        (SMALL, NONE, ("equivalent", "equivalent")),
        ((3, 3.2, 2.9, 3.1, 3), (-200, -210, -190, -205, -195), ("better", "better")),
        ((-3, -3.2, -2.9, -3.1, -3), (200, 210, 190, 205, 195), ("worse", "worse")),
        # A difference that is not zero, but has no practical meaning, is no reason to prefer one.
        ((0.1, 0.12, 0.09, 0.11, 0.1), (-5, -6, -4, -5, -5), ("equivalent", "equivalent")),
    ],
    ids=["equal", "better", "worse", "negligible"],
)
def test_clear_cases(accuracy, errors, expected):
    assert tuple(verdicts(accuracy, errors).values()) == expected


def test_noise_is_undecided_and_says_how_many_seeds_would_decide():
    noisy = verdicts((3, -3, 2, -2, 1), (100, -100, 80, -70, 10))
    assert noisy["test_acc_pct"].startswith("undecided: ")
    assert noisy["test_acc_pct"].endswith(" seeds would decide")
    few = verdicts((3, 3.1), (100, 101), n_seeds=2)
    assert set(few.values()) == {"undecided: fewer than 3 seeds"}
    same = verdicts((3, 3, 3), (100, 100, 100), n_seeds=3)
    assert set(same.values()) == {"undecided: every seed has the same difference"}


def test_p_values_are_those_of_statsmodels_and_scipy_and_corrected_over_all_tests():
    table = runs((0.8, 0.2, 0.5, 0.9, 0.1), (10, 30, 20, 15, 25))
    *_, numbers = equivalence.tabulate(table, MARGINS)
    sides = {method: table[table["method"] == method].set_index("seed") for method in ("app", "dense")}
    for row in numbers.to_dict("records"):
        pair = [sides[method][row["measure"]].astype(float) for method in ("app", "dense")]
        margin = 1 if row["measure"] == "test_acc_pct" else 0.02 * pair[1].mean()
        assert row["margin"] == pytest.approx(margin)
        assert row["p_equivalence"] == pytest.approx(ttost_paired(*pair, -margin, margin)[0])
        assert row["p_difference"] == pytest.approx(stats.ttest_rel(*pair).pvalue)
    raw = numbers[["p_difference", "p_equivalence"]].to_numpy().ravel()
    order, count = np.argsort(raw), len(raw)
    steps = np.maximum.accumulate([min(1, (count - i) * raw[place]) for i, place in enumerate(order)])
    found = numbers[["p_difference_holm", "p_equivalence_holm"]].to_numpy().ravel()
    assert found[order] == pytest.approx(steps)


def test_the_advice_comes_true():
    """Draw as many seeds as advised, often: at least four of five studies of this size are decided.

    Four tests are corrected for, so the strictest level is a quarter of 5 %.
    """
    draw = np.random.default_rng(0)
    few = pd.Series([1.6, -0.8, 0.9, -0.5, 1.4, -0.2])
    *_, numbers = equivalence.tabulate(runs(few, [0, 1, 2, 1, 0, 2], n_seeds=6), MARGINS)
    advised = int(numbers.loc[numbers["measure"] == "test_acc_pct", "seeds_to_decide"].iloc[0])
    mean, spread = few.mean(), few.std()
    decided = 0
    for _ in range(300):
        values = draw.normal(mean, spread, advised)
        within = ttost_paired(values, np.zeros(advised), -1, 1)[0] < 0.05 / 4
        decided += within or stats.ttest_1samp(values, 0).pvalue < 0.05 / 4
    assert decided / 300 > 0.75


def test_the_advice_for_a_difference_is_that_of_a_two_sided_test():
    few = pd.Series([1.6, -0.8, 0.9, -0.5, 1.4, -0.2]) + 1
    *_, numbers = equivalence.tabulate(runs(few, [0, 1, 2, 1, 0, 2], n_seeds=6), MARGINS)
    (advised,) = numbers.loc[numbers["measure"] == "test_acc_pct", "seeds_to_decide"]
    needed = TTestPower().solve_power(few.mean() / few.std(), power=0.8, alpha=0.05 / 4, alternative="two-sided")
    assert advised == np.ceil(needed)


def test_margins_are_those_of_the_study():
    content = {"study": "s", "grid": [{"dataset": "digits", "model": "resnet20", "method": ["app", "dense"]}]}
    study, planned = plan_study(content | {"margins": {"test_acc_pct": 0.5}})
    options = plan_figures(planned, study.margins)["equivalence"].options
    assert options == {"margins": {"test_acc_pct": 0.5, "cumulative_error_count": 2.0}}
    shown, note, _ = equivalence.tabulate(runs(SMALL, NONE), options["margins"])
    assert "0.5 points of accuracy" in note
    assert set(shown["Margin"]) == {"± 0.50", "± 20"}
    with pytest.raises(SettingError, match=r"^margins\.test_acc_pct: -1 is not allowed"):
        plan_study(content | {"margins": {"test_acc_pct": -1}})

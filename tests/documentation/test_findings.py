"""Test that the page of findings says what the results in git say."""

import re

import pandas as pd
import pytest
from conftest import ROOT
from documentation.pages import code_blocks

PAGE = ROOT / "docs" / "results" / "index.md"
TEXT = " ".join(PAGE.read_text(encoding="utf-8").replace("−", "-").split())
PLACES = {"test_acc_pct": 1, "cumulative_error_count": 0, "generalization_gap_pct": 1, "clean_gap_pct": 1}


def test_averages_over_the_methods_are_those_that_its_program_prints(monkeypatch, capsys):
    """Compare each mean and half the width of its interval."""
    (block,) = code_blocks(PAGE.read_text(encoding="utf-8"), "python")
    monkeypatch.chdir(ROOT)
    exec(block, {})
    printed = [
        re.fullmatch(r"(\w+) start=(\w+) (\S+) ConfidenceInterval\(low=(\S+), high=(\S+)\)", line).groups()
        for line in re.sub(r"np\.float64\((\S+?)\)", r"\1", capsys.readouterr().out).splitlines()
    ]
    said = {}
    for measure, start, mean, low, high in printed:
        half = (float(high) - float(low)) / 2
        said[measure, start] = f"{abs(float(mean)):,.{PLACES[measure]}f} ± {half:,.{PLACES[measure]}f}"
    assert len(said) == 8
    for key in (
        ("generalization_gap_pct", "cold"),
        ("test_acc_pct", "cold"),
        *((measure, "shrink_perturb") for measure in list(PLACES)[:3]),
    ):
        assert said[key] in TEXT, key


COLUMNS = {"points": "test_acc_pct", "gap": "generalization_gap_pct", "errors": "cumulative_error_count"}
APP, OSP, DENSE = ("app", "snip", "", "paper"), ("osp", "snip", "", "paper"), ("dense", "none", "", "paper")
RELEASED = ("app", "snip", "", "released")


@pytest.mark.parametrize(
    ("study", "first", "second", "kind", "text"),
    [
        ("cifar100", APP, OSP, "points", "1.73 ± 0.38 points less"),
        ("cifar100", APP, DENSE, "errors", "263 ± 171 more"),
        ("cifar100", APP, DENSE, "points", "(-1.9 ± 2.8 points)"),
        ("cifar10", APP, OSP, "errors", "1,139 ± 1,170 fewer"),
        ("cifar10", APP, OSP, "gap", "the gaps differ by 0.2 ± 0.5 points"),
        ("cifar10", APP, DENSE, "points", "accuracy (-0.5 ± 7.8 points)"),
        ("cifar10", APP, DENSE, "errors", "errors (-291 ± 2,805)"),
        ("cifar10", APP, OSP, "points", "accuracy (+0.5 ± 4.7)"),
        ("cifar10", APP, DENSE, "gap", "gap (+0.3 ± 5.8)"),
        ("cifar100", RELEASED, DENSE, "gap", "which is 58.7 ± 6.1 less"),
        ("cifar100", RELEASED, DENSE, "points", "(-0.6 ± 3.2)"),
        ("cifar100", RELEASED, DENSE, "errors", "1,146 ± 578 fewer errors"),
        ("cifar10", RELEASED, DENSE, "gap", "which is 19.1 ± 3.0 less"),
        ("cifar10", RELEASED, DENSE, "points", "6.2 ± 2.7 points below"),
        ("cifar100", OSP, DENSE, "gap", "smaller gap than the dense network (-6.8 ± 2.9 points)"),
        ("starts", ("app", "snip", "start=cold", "paper"), APP, "gap", "12.6 ± 5.9 points for APP"),
        ("starts", ("osp", "snip", "start=cold", "paper"), OSP, "gap", "13.1 ± 6.6 for Anytime OSP"),
        ("starts", ("dense", "none", "start=cold", "paper"), DENSE, "gap", "12.7 ± 9.3 for the dense network"),
        ("starts", APP, DENSE, "gap", "(-0.6 ± 12.4)"),
        ("starts", APP, ("dense_small", "none", "", "paper"), "points", "APP ends 0.0 ± 6.4 points above"),
        ("starts", APP, ("prune_last", "snip", "", "paper"), "points", "0.3 ± 1.5 below"),
        ("starts", APP, ("dense_small", "none", "", "paper"), "errors", "517 ± 2,546"),
        ("starts", APP, ("prune_last", "snip", "", "paper"), "errors", "284 ± 1,587 fewer"),
    ],
)
def test_differences_are_those_of_the_tables(study, first, second, kind, text):
    texts = dict.fromkeys(("first_variant", "second_variant"), str)
    rows = pd.read_csv(ROOT / "paper_figures" / study / "differences.csv", dtype=texts).fillna(dict.fromkeys(texts, ""))
    for side, series in (("first", first), ("second", second)):
        names = [f"{side}_{key}" for key in ("method", "pruner", "variant", "protocol")]
        rows = rows[(rows[names] == list(series)).all(axis=1)]
    (row,) = [row for _, row in rows.iterrows()]
    mean, low, high = (row[f"{COLUMNS[kind]}_{part}"] for part in ("mean", "low", "high"))
    assert text in TEXT
    numbers = re.search(r"([\d,]+(?:\.\d+)?) ± ([\d,]+(?:\.\d+)?)", text).groups()
    for number, value in zip(numbers, (abs(mean), (high - low) / 2), strict=True):
        digits = len(number.partition(".")[2])
        assert float(number.replace(",", "")) == pytest.approx(value, abs=0.501 * 10**-digits)


def test_the_densities_of_the_published_code_are_those_of_the_runs():
    ends = []
    for study in ("cifar100", "cifar10"):
        runs = pd.read_csv(ROOT / "results" / study / "tables" / "runs.csv")
        ends.append(f"{100 * runs.loc[runs['protocol'] == 'released', 'density'].mean():.1f} %")
    assert f"end at {ends[0]} and {ends[1]} of the prunable weights" in TEXT

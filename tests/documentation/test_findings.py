"""Test that the page of findings says what the results in git say."""

import json
import re
from collections import Counter

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
        ("cifar100", APP, DENSE, "gap", "than the dense network**: 3.7 ± 3.0 points less"),
        ("cifar100", APP, OSP, "gap", "4.25 ± 2.11 points more"),
        ("cifar100", APP, OSP, "errors", "478 ± 393 more"),
        ("cifar100", APP, DENSE, "points", "against the dense network (-1.1 ± 3.1 points)"),
        ("cifar100", APP, OSP, "points", "against Anytime OSP (-1.5 ± 1.7 points)"),
        ("cifar100", APP, DENSE, "errors", "against the dense network (+5 ± 592)"),
        ("cifar100", OSP, DENSE, "points", "the two are not told apart (+0.4 ± 1.6)"),
        ("cifar10", APP, OSP, "errors", "errors (-436 ± 1,266)"),
        ("cifar10", APP, OSP, "gap", "gap (-0.8 ± 1.0)"),
        ("cifar10", APP, DENSE, "points", "accuracy (+0.8 ± 3.5 points)"),
        ("cifar10", APP, DENSE, "errors", "errors (-306 ± 1,210)"),
        ("cifar10", APP, OSP, "points", "accuracy (+0.6 ± 2.0)"),
        ("cifar10", APP, DENSE, "gap", "gap (-0.8 ± 2.8)"),
        ("cifar100", RELEASED, DENSE, "gap", "which is 60.1 ± 4.0 less"),
        ("cifar100", RELEASED, DENSE, "points", "(-0.9 ± 1.3)"),
        ("cifar100", RELEASED, DENSE, "errors", "914 ± 629 fewer errors"),
        ("cifar10", RELEASED, DENSE, "gap", "which is 21.0 ± 3.5 less"),
        ("cifar10", RELEASED, DENSE, "points", "6.0 ± 1.1 points below"),
        ("cifar100", OSP, DENSE, "gap", "smaller gap than the dense network (-8.0 ± 2.6 points"),
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


# Each verdict on a claim that the page names: study, claim, verdict, whether Holm's correction leaves it, words.
CLAIMS = [
    ("cifar100", "gap-against-dense", "reproduced", False, "dense network**: 3.7 ± 3.0 points less. Reproduced."),
    ("cifar100", "gap-against-one-shot", "refuted", False, "gap than Anytime OSP**: 4.25 ± 2.11 points more. Refuted."),
    ("cifar100", "errors-against-one-shot", "refuted", False, "than Anytime OSP**: 478 ± 393 more. Refuted."),
    ("cifar100", "magnitude-keeps-fewer", "reproduced", True, "of the first third of the layers. Reproduced."),
    ("cifar100", "better-than-dense", "undecided", False, "Undecided are APP's accuracy against the dense network"),
    ("cifar100", "better-than-one-shot", "undecided", False, "and against Anytime OSP (-1.5 ± 1.7 points)"),
    ("cifar100", "errors-against-dense", "undecided", False, "and its errors against the dense network (+5 ± 592)."),
    (
        "cifar10",
        "magnitude-keeps-fewer",
        "reproduced",
        True,
        "8.4 ± 1.1 points less. Reproduced, after Holm's correction",
    ),
    ("cifar10", "errors-against-one-shot", "undecided", False, "errors (-436 ± 1,266)"),
    ("cifar10", "gap-against-one-shot", "undecided", False, "gap (-0.8 ± 1.0)"),
    ("cifar10", "better-than-dense", "undecided", False, "Undecided is everything else: APP against the dense"),
    ("cifar10", "errors-against-dense", "undecided", False, "errors (-306 ± 1,210)"),
    ("cifar10", "gap-against-dense", "undecided", False, "gap (-0.8 ± 2.8)"),
    ("cifar10", "better-than-one-shot", "undecided", False, "against Anytime OSP in accuracy (+0.6"),
]


def decided_or_tried(study):
    """Return the rows of the claims that the runs of a study test, by their names without `tenth-`."""
    rows = pd.read_csv(ROOT / "paper_figures" / study / "claims.csv")
    rows = rows[rows["verdict"] != "not tested here"]
    return rows.set_index(rows["id"].str.removeprefix("tenth-"))


@pytest.mark.parametrize(("study", "claim", "verdict", "is_starred", "text"), CLAIMS)
def test_verdicts_on_claims_are_those_of_the_table(study, claim, verdict, is_starred, text):
    row = decided_or_tried(study).loc[claim]
    assert text in TEXT
    assert row["verdict"] == verdict
    assert (row["holds_after_holm"] is True) is is_starred


@pytest.mark.parametrize("study", ["cifar100", "cifar10"])
def test_every_verdict_on_a_claim_is_on_the_page(study):
    assert sorted(decided_or_tried(study).index) == sorted(claim for name, claim, *_ in CLAIMS if name == study)


@pytest.mark.parametrize(
    ("first", "second", "measure", "verdict", "text"),
    [
        (
            "APP, SNIP",
            "Dense baseline",
            "cumulative_error_count",
            "equivalent",
            "In errors, APP is [equivalent]",
        ),
        (
            "APP, magnitude",
            "Dense baseline",
            "cumulative_error_count",
            "equivalent",
            "(margin 2 %), with either pruner",
        ),
    ],
)
def test_verdicts_on_equivalence_are_those_of_the_table(first, second, measure, verdict, text):
    rows = pd.read_csv(ROOT / "paper_figures" / "cifar100" / "equivalence.csv")
    (row,) = [
        row for _, row in rows.iterrows() if (row["first"], row["second"], row["measure"]) == (first, second, measure)
    ]
    assert text in TEXT
    assert row["verdict"] == verdict


def test_the_numbers_of_seeds_that_would_decide_are_those_of_the_tables():
    seeds = {study: decided_or_tried(study)["seeds_to_decide"].dropna() for study in ("cifar100", "cifar10")}
    named = ("better-than-dense", "better-than-one-shot", "errors-against-dense")
    first, second, third = (round(seeds["cifar100"][claim]) for claim in named)
    assert len(seeds["cifar100"]) == 3
    assert f"about {first}, {second} and {third} seeds would decide them" in TEXT
    least, most = (round(number / 10) * 10 for number in (seeds["cifar10"].min(), seeds["cifar10"].max()))
    assert f"about {least} to {most} seeds would be needed" in TEXT


def test_the_dense_networks_learn_their_images_as_well_as_is_said():
    ends = []
    for study in ("cifar100", "cifar10"):
        rows = pd.read_csv(ROOT / "results" / study / "tables" / "megabatches.csv").query(
            "method == 'dense' and t == 8"
        )
        ends += list(rows["train_acc_running_pct"])
    assert len(ends) == 10
    assert f"training accuracy {min(ends):.0f} to {max(ends):.1f} % at the end" in TEXT


def test_the_versions_of_the_stored_runs_are_the_stated_ones():
    folders = [ROOT / "results" / study / "runs" for study in ("cifar10", "cifar100", "starts")]
    runs = [json.loads(path.read_text()) for folder in folders for path in folder.rglob("metrics.json")]
    found = Counter(
        (run["hardware"]["device"], *(run["versions"][name] for name in ("python", "torch", "numpy", "pillow")))
        for run in runs
    )
    ((_, _, *ours), on_cpu), ((_, *gpu), on_gpu) = sorted(found.items())
    page = " ".join((ROOT / "docs" / "reference" / "versions.md").read_text().split())
    assert f"Of the {on_gpu + on_cpu} stored runs, the {on_cpu} of processors were computed with them." in page
    assert f"The {on_gpu} of a GPU had Python {gpu[0]}, torch {gpu[1]}, numpy {gpu[2]} and pillow {gpu[3]}." in page
    locked = (ROOT / "uv.lock").read_text()
    for name, version in zip(("torch", "numpy", "pillow"), ours, strict=True):
        assert f'name = "{name}"\nversion = "{version.partition("+")[0]}"' in locked

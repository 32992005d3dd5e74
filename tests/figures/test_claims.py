"""Test which claims a file may hold, which runs a claim is about, and how the table shows the verdicts."""

import math

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from made_up_tables import PAPER, make_layers, make_megabatches, make_runs
from scipy import stats

from anytime_pruning.cli.main import main
from anytime_pruning.figures.claims import verdicts
from anytime_pruning.figures.claims.definitions import Claim, read_claims
from anytime_pruning.figures.claims.described_runs import DescribedRun, describe_run
from anytime_pruning.figures.claims.judgement import judge
from anytime_pruning.figures.claims.measures import NOISE_COLUMNS, measure_runs
from anytime_pruning.figures.claims.table import NOTE, render
from anytime_pruning.figures.early_layers import EMPTIED_DENSITY_PCT
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.study import plan_study

CLAIM = {
    "id": "better",
    "text": "APP is better",
    "source": "the paper",
    "where": {"data": ["cifar100"], "model": ["resnet50"], "n_megabatches": [8]},
    "measure": "test_acc_pct",
    "first": {"method": "app", "pruner": "snip"},
    "second": {"method": "dense", "pruner": "none"},
    "claimed": 3,
    "margin": 0.5,
    "unit": "points",
}
WHERE = {"dataset": "cifar100", "model": "resnet50", "n_megabatches": 8}


SIDES = (("app", "snip"), ("dense", "none"))


def checked(tmp_path, gains, claim=CLAIM, released=None, **settings):
    """Return the rows of one claim by protocol.

    Args:
        gains: the gain of APP over dense for each seed, under the paper's protocol.
        released: the same under the released protocol, if it was run.
    """
    of_protocols = {"paper": gains} | ({"released": released} if released else {})
    where = WHERE | {key: settings.pop(key) for key in ("model", "n_megabatches", "dataset") if key in settings}
    name = where["dataset"] if isinstance(where["dataset"], str) else where["dataset"]["name"]
    runs = make_runs(
        lengths=(where["n_megabatches"],),
        seeds=range(len(gains)),
        dataset=name,
        model=where["model"],
        series=[(protocol, *side) for protocol in of_protocols for side in SIDES],
    )
    of_app = runs[runs["method"] == "app"]
    runs.loc[of_app.index, "test_acc_pct"] += [of_protocols[run.protocol][run.seed] for run in of_app.itertuples()]
    precisions = settings.pop("precision", ["auto"])
    parts = [runs.assign(run=runs["run"] + f"-{precision}", precision=precision) for precision in precisions]
    return checked_runs(tmp_path, pd.concat(parts, ignore_index=True), claim, **where | settings)


def checked_runs(tmp_path, runs, claim=CLAIM, **settings):
    """Return the rows of one claim, after writing the settings of each run into its folder."""
    for run in runs.itertuples():
        values = {"method": run.method, "seed": run.seed, "precision": run.precision, "protocol": run.protocol}
        values |= {"model": run.model, "n_megabatches": run.n_megabatches}
        content = parse_settings(WHERE | values | settings)
        folder = tmp_path / "runs" / run.run
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(content.model_dump(mode="json")))
    tables = {"runs": runs, "megabatches": make_megabatches(), "layers": make_layers()}
    return verdicts.check([Claim.model_validate(claim)], tables, tmp_path / "runs")


def runs_in_place(*series, seeds=range(3), gain=3.0, model="resnet50", length=8):
    """Make runs of the paper's protocol; by the seed, APP gains 0.1 points less than `gain`, just `gain`, and so on."""
    series = [("paper", *side) for side in series]
    runs = make_runs(lengths=(length,), seeds=seeds, dataset="cifar100", model=model, series=series)
    gains = (gain - 0.1 + 0.1 * runs["seed"]).where(runs["method"] == "app", 0)
    return runs.assign(precision="auto", test_acc_pct=runs["test_acc_pct"] + gains)


def checked_once(*arguments, **settings):
    """Return the only row of the paper's protocol."""
    (row,) = checked(*arguments, **settings).query("protocol == 'paper'").to_dict("records")
    return row


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ((2.9, 3.0, 3.1), "reproduced"),
        ((3.5, 3.5, 3.5), "undecided"),  # no spread
        ((0.9, 1.0, 1.1), "refuted"),
        ((-3.1, -3.0, -2.9), "refuted"),
        ((-1.0, 3.0, 7.0), "undecided"),
    ],
)
def test_a_number_is_judged_where_it_was_claimed(gains, verdict, tmp_path):
    row = checked_once(tmp_path, gains)
    assert row["verdict"] == verdict
    assert row["measured"] == pytest.approx(sum(gains) / len(gains))
    assert row["seeds"] == len(gains)


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "cifar10"},
        {"dataset": "digits"},
        {"dataset": {"name": "cifar100-jpeg", "source": "image_folder", "path": "x"}},
        {"model": "resnet18"},
        {"n_megabatches": 20},
        {"epochs": 5},
        {"train_limit": 10_000},
        {"replay": "none"},
        {"lr_milestones": [2, 4]},
    ],
)
def test_nothing_is_judged_or_shown_elsewhere(changes, tmp_path):
    rows = checked(tmp_path, (2.9, 3.0, 3.1), released=(2.9, 3.0, 3.1), **changes)
    assert rows["verdict"].tolist() == ["not tested here"] * 2
    assert rows["measured"].isna().all()
    value = next(iter(changes.values()))
    shown = render(rows).iloc[0]
    assert shown["Protocol: paper"] == shown["Protocol: released"] == "not tested here"
    assert str(value["name"] if isinstance(value, dict) else value) in shown["Run here"]


IMAGENET = {"name": "few", "source": "restricted_imagenet", "path": "x", "shots": 540}
FEW = CLAIM | {
    "where": {"data": ["restricted_imagenet"], "model": ["resnet50"], "n_megabatches": [8], "settings": {"shots": 540}}
}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "reproduced"),
        ({"shots": 100}, "not tested here"),
        ({"shots": None}, "not tested here"),
        ({"groups": "original"}, "not tested here"),  # nine classes
        ({"image_size": 64}, "not tested here"),
    ],
)
def test_every_setting_of_a_dataset_counts(changes, verdict, tmp_path):
    assert checked_once(tmp_path, (2.9, 3.0, 3.1), FEW, dataset=IMAGENET | changes)["verdict"] == verdict


def test_a_claim_over_several_streams_is_judged_on_each_that_was_run(tmp_path):
    where = {"data": ["cifar100"], "model": ["resnet18", "resnet50", "vgg16_bn"], "n_megabatches": [8, 25]}
    gains = {("resnet18", 8): 0.0, ("resnet50", 8): 3.0, ("resnet50", 25): 0.0}
    parts = [runs_in_place(*SIDES, gain=gain, model=name, length=length) for (name, length), gain in gains.items()]
    rows = checked_runs(tmp_path, pd.concat(parts, ignore_index=True), CLAIM | {"where": where})
    rows = rows[rows["protocol"] == "paper"]
    assert rows["run_here"].tolist() == [f"cifar100, {model}, T = {length}" for model, length in gains]
    assert rows["verdict"].tolist() == ["refuted", "reproduced", "refuted"]
    assert rows["seeds"].tolist() == [3, 3, 3]


def test_runs_in_two_precisions_are_not_mixed(tmp_path):
    rows = checked(tmp_path, (2.9, 3.0, 3.1), precision=["float32", "auto"]).query("protocol == 'paper'")
    assert rows["verdict"].tolist() == ["reproduced"] * 2
    assert [place.partition("; ")[2] for place in rows["run_here"]] == ["", "precision=float32"]


def test_what_differs_is_named_whichever_run_has_it(tmp_path):
    """Name pruning settings that the dense run of a pair lacks and the pruned run has."""
    row = checked_once(tmp_path, (2.9, 3.0, 3.1), scope="local", tau=3.0)
    assert (row["verdict"], row["run_here"]) == ("not tested here", "cifar100, resnet50, T = 8; scope=local; tau=3.0")


def test_each_protocol_is_judged_among_its_own_runs(tmp_path):
    rows = checked(tmp_path, (2.9, 3.0, 3.1), released=(8.8, 9.0, 9.2)).set_index("protocol")
    assert rows["verdict"].to_dict() == {"paper": "reproduced", "released": "refuted"}
    assert rows["measured"].to_dict() == {"paper": pytest.approx(3), "released": pytest.approx(9)}
    alone = checked(tmp_path / "alone", (2.9, 3.0, 3.1)).set_index("protocol")
    assert alone["verdict"].to_dict() == {"paper": "reproduced", "released": "not tested here"}


def test_a_series_of_another_protocol_is_no_partner(tmp_path):
    """Keep only APP of one protocol and the dense baseline of the other."""
    checked(tmp_path, (2.9, 3.0, 3.1), released=(8.8, 9.0, 9.2))
    series = [("paper", *SIDES[0]), ("released", *SIDES[1])]
    runs = make_runs(lengths=(8,), seeds=range(3), dataset="cifar100", model="resnet50", series=series)
    runs["run"] += "-auto"
    rows = verdicts.check([Claim.model_validate(CLAIM)], {"runs": runs}, tmp_path / "runs")
    assert rows["verdict"].tolist() == ["not tested here"] * 2
    assert rows["run_here"].tolist() == ["", ""]
    assert render(rows)["Run here"].tolist() == ["–"]


def test_other_series_are_no_runs_of_a_claim(tmp_path):
    """Add a series of the same method, and one of the same pruner."""
    rows = checked_runs(tmp_path, runs_in_place(*SIDES, ("app", "magnitude"), ("osp", "snip")))
    assert (rows.loc[0, "verdict"], rows.loc[0, "seeds"]) == ("reproduced", 3)
    assert rows.loc[0, "measured"] == pytest.approx(3)


def test_rows_that_are_left_of_a_larger_table_are_judged_alike(tmp_path):
    """Keep the index of a larger table, and its rows in another order."""
    runs = runs_in_place(*SIDES)
    rows = checked_runs(tmp_path, runs)
    pd.testing.assert_frame_equal(checked_runs(tmp_path, runs.set_index(runs.index + 7)[::-1]), rows)


def test_one_run_is_shown_as_one_seed(tmp_path):
    alone = runs_in_place(SIDES[0], seeds=(0,))
    shown = render(checked_runs(tmp_path, alone, CLAIM | {"second": None})).iloc[0]
    assert shown["Run here"] == "cifar100, resnet50, T = 8"
    assert shown["Protocol: paper"] == "not tested here: 1 seed; fewer than 3 seeds"
    assert shown["Protocol: released"] == "not tested here"


def test_runs_without_the_measure_are_no_seeds(tmp_path):
    row = checked_once(tmp_path, (2.9, 3.0, math.nan, 3.1))
    assert (row["verdict"], row["seeds"]) == ("reproduced", 3)


def test_measures_by_hand():
    which = {"lengths": (4,), "series": PAPER[:2], "seeds": (0,)}
    tables = {"megabatches": make_megabatches(**which).assign(density_measured=0.5), "layers": make_layers(**which)}
    assert measure_runs("first_density", tables)["value"].tolist() == [0.5, 0.5]
    # The first of three layers counts at t = 1: SNIP keeps all of its weights, magnitude a quarter.
    assert measure_runs("early_density", tables)["value"].sort_index().tolist() == [25, 100]
    assert measure_runs("excess_reversal", tables).empty  # four megabatches are no curve


def test_the_measure_of_long_streams_is_zero_for_noise_and_large_for_a_wave():
    megabatches = make_megabatches(lengths=(100,), series=PAPER[:2], seeds=range(3))
    noise = np.random.default_rng(1).normal(0, 1.5, len(megabatches))
    wave = 8 * np.sin(megabatches["t"] / 16) * (megabatches["pruner"] == "magnitude")
    megabatches["generalization_gap_pct"] = 20 + wave + noise
    found = measure_runs("excess_reversal", {"megabatches": megabatches})
    by_pruner = found.groupby(found.index.str.contains("magnitude"))
    excess, with_noise = by_pruner["value"].mean(), by_pruner["with_noise"].mean()
    assert excess[False] == pytest.approx(0, abs=1)
    assert excess[True] > 3
    assert with_noise[False] > 1  # of noise alone
    assert by_pruner["p_value"].nunique().tolist() == [1, 1]  # one test of all seeds
    claim = next(claim for claim in read_claims(ROOT / "config" / "claims.yaml") if claim.id == "long-streams")
    judged = {moves: judge(claim, "paper", runs["value"], noise=runs[NOISE_COLUMNS]) for moves, runs in by_pruner}
    # So much noise may hide a small reversal.
    assert {moves: found.verdict for moves, found in judged.items()} == {False: "undecided", True: "reproduced"}


def test_the_claims_say_emptied_where_the_figures_do():
    claims = {claim.id: claim for claim in read_claims(ROOT / "config" / "claims.yaml")}
    for name in ("magnitude-empties", "snip-does-not-empty"):
        assert claims[name].reference == EMPTIED_DENSITY_PCT


@pytest.mark.parametrize(
    ("data", "others"),
    [
        ({"source": "restricted_imagenet", "shots": 5}, {"shots": 5}),
        # Images of a user's own are never those of a claim, whatever their settings.
        ({"source": "image_folder", "image_size": 16}, {}),
    ],
)
def test_a_run_is_described_by_what_is_not_the_default(data, others, tmp_path):
    dataset = data | {"name": "mine", "path": "x"}
    settings = parse_settings({"dataset": dataset, "model": "resnet50", "epochs": 3, "batch_size": 32, "seed": 4})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    found = describe_run(tmp_path)
    assert found == DescribedRun(data["source"], {"epochs": 3, "batch_size": 32} | others, "auto")
    with pytest.raises(DataError, match=r"config.yaml: No such file"):
        describe_run(tmp_path / "gone")


def test_the_file_lists_every_number_of_the_paper():
    claims = read_claims(ROOT / "config" / "claims.yaml")
    numbers = {claim.claimed for claim in claims if not claim.is_direction}
    assert {17.97, -9927, -20.49, 11.12, -5533, -14.79, 7, -22, 0.366, 0.8} == numbers
    assert {claim.id for claim in claims if claim.is_direction and not claim.id.startswith("tenth-")} == {
        *("better-than-dense", "better-than-one-shot", "long-streams"),
        *("magnitude-empties", "snip-does-not-empty", "magnitude-keeps-fewer"),
    }
    assert {claim.id for claim in claims if claim.by_construction} == {
        "few-shot-size",
        "start-density",
        "final-density",
    }
    assert {claim.relative for claim in claims if claim.claimed == -22} == {True, False}
    assert all(claim.source for claim in claims)


def test_claims_on_a_tenth_of_the_images_say_so_and_are_about_the_studies_that_have_it():
    claims = [claim for claim in read_claims(ROOT / "config" / "claims.yaml") if claim.id.startswith("tenth-")]
    assert len(claims) == 7
    for claim in claims:
        assert claim.text.startswith("Also on a tenth of the images: ")
        assert claim.where.settings == {"train_limit": 5000}
    for name in ("cifar10", "cifar100"):
        _, runs = plan_study(read_yaml(ROOT / "config" / f"{name}.yaml"))
        assert {run.settings.dataset.source for run in runs} <= set(claims[0].where.data)
        assert {run.settings.train_limit for run in runs} == {5000}
        assert {run.settings.dataset.train_count() for run in runs} == {50_000}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": None}, "claims.0.unit: None is not allowed"),
        ({"colour": 1}, "claims.0.colour: unknown setting"),
        ({"where": CLAIM["where"] | {"data": []}}, r"claims.0.where.data: \[\] is not allowed"),
        ({"measure": "speed"}, "claims.0.measure: 'speed' is not allowed"),
        ({"margin": None}, "claims.better: margin is required, because a number is claimed"),
        ({"margin": 0}, "claims.0.margin: 0 is not allowed"),
        ({"tolerance": 1}, "claims.0.tolerance: unknown setting"),
        ({"claimed": "positive"}, "claims.0.claimed.*: 'positive' is not allowed"),
        ({"reference": 1}, "claims.better: reference belongs to above and below, not to a number"),
        ({"by_construction": ["papre"]}, "by_construction: 'papre' is not allowed; allowed: paper, released"),
        ({"by_construction": ["paper"], "claimed": "above"}, "by_construction belongs to a number"),
        ({"second": None, "relative": True}, "claims.better: relative needs a second series"),
        ({"measure": "excess_reversal"}, "claims.better: second is not allowed with measure excess_reversal"),
    ],
)
def test_a_mistake_in_the_file_is_named(change, message, tmp_path):
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [CLAIM | change]}))
    with pytest.raises(SettingError, match=message):
        read_claims(tmp_path / "claims.yaml")


def test_a_file_without_a_claim_is_refused(tmp_path):
    (tmp_path / "claims.yaml").write_text("claims: []\n")
    with pytest.raises(SettingError, match=r"claims: \[\] is not allowed"):
        read_claims(tmp_path / "claims.yaml")


def test_two_claims_of_one_name_are_refused(tmp_path):
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [CLAIM, CLAIM]}))
    with pytest.raises(SettingError, match="two claims are called 'better'"):
        read_claims(tmp_path / "claims.yaml")


def call(tmp_path, tables, claims=(CLAIM,), gone=("z/gone",)):
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": list(claims)}))
    (tmp_path / "runs.txt").write_text("\n".join([*tables["runs"]["run"], *gone, ""]))
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    paths = (tmp_path / name for name in ("claims.yaml", "runs.txt", "runs", ".", "out/claims"))
    return main(["claims", *map(str, paths)])


def test_the_command_writes_a_table_and_counts_missing_runs(tmp_path):
    runs = runs_in_place(*SIDES)
    checked_runs(tmp_path, runs)
    tables = {"runs": runs, "megabatches": make_megabatches(), "layers": make_layers()}
    assert call(tmp_path, tables) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"claims.{kind}" for kind in ("md", "html", "tex", "csv")
    }
    assert "**1 of the study's 7 runs are missing.**" in (tmp_path / "out" / "claims.md").read_text()
    assert call(tmp_path, tables, gone=()) == 0
    # Without a missing run and without a remark, the note is the explanation alone.
    assert (tmp_path / "out" / "claims.md").read_text().endswith(f"{NOTE}\n")


def test_a_run_or_a_column_that_is_missing_is_one_line(tmp_path, capsys):
    tables = {"runs": make_runs(), "megabatches": make_megabatches(), "layers": make_layers()}
    assert call(tmp_path, tables) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: claims: ")
    assert line.endswith("config.yaml: No such file or directory")
    checked_runs(tmp_path, runs_in_place(*SIDES))
    tables["runs"] = runs_in_place(*SIDES).drop(columns="test_acc_pct")
    assert call(tmp_path, tables) == 2
    assert capsys.readouterr().err == f"error: claims: no column 'test_acc_pct' in {tmp_path}\n"
    tables["layers"] = tables["layers"].drop(columns="variant")
    assert call(tmp_path, tables) == 2
    assert capsys.readouterr().err == f"error: claims: {tmp_path}/layers.csv: no column variant\n"


def test_cells_as_people_read_them(tmp_path):
    rows = checked(tmp_path, (2.9, 3.0, 3.1), released=(-1.0, 3.0, 7.0))
    assert list(rows["holds_after_holm"].astype(object).fillna("no verdict")) == [True, "no verdict"]
    shown = render(rows)
    assert shown.iloc[0].to_dict() == {
        "Claim": "APP is better",
        "Source": "the paper",
        "Claimed": "3.00 ± 0.50 points",
        # 2.92 * 0.1 / sqrt(3) = 0.17, and 2.92 * 4 / sqrt(3) = 6.74. By the normal distribution, each of the two tests
        # fails with a chance of 10 % at ((1.645 + 1.282) * 4 / 0.5) ** 2 = 548 seeds; Student's t needs a few more.
        "Protocol: paper": "reproduced *: 3.00 (2.83 to 3.17), 3 seeds",
        "Protocol: released": "undecided: 3.00 (−3.74 to 9.74), 3 seeds; about 550 seeds would decide",
        "Run here": "cifar100, resnet50, T = 8",
    }


def test_a_star_says_that_a_verdict_holds_after_the_correction(tmp_path):
    """Judge one claim under two protocols, which are four tests; t-tests of three seeds have two degrees of freedom."""
    rows = checked(tmp_path, (2.8, 3.0, 3.2), released=(7.9, 8.0, 8.1))
    within, outside = stats.t.sf(0.5 / (0.2 / 3**0.5), 2), 2 * stats.t.sf(4.5 / (0.1 / 3**0.5), 2)
    assert rows["p_reproduced"].tolist() == pytest.approx([within, 1], abs=1e-3)
    assert rows["p_refuted"].tolist() == pytest.approx([1, outside], abs=1e-5)
    assert rows["p_refuted_holm"][1] == pytest.approx(4 * outside)
    assert rows["p_reproduced_holm"][0] == pytest.approx(3 * within)
    assert within < 0.05 < 3 * within
    assert rows["holds_after_holm"].tolist() == [False, True]
    shown = render(rows).iloc[0]
    assert shown["Protocol: paper"] == "reproduced: 3.00 (2.66 to 3.34), 3 seeds"
    assert shown["Protocol: released"] == "refuted *: 8.00 (7.83 to 8.17), 3 seeds"


@pytest.mark.parametrize(
    ("change", "cell"),
    [
        ({"claimed": "above", "margin": None}, "above 0 points"),
        ({"claimed": "below", "reference": 12.5}, "below 12.5 points (± 0.50 is negligible)"),
        ({"claimed": -9927, "margin": 1200, "unit": "errors"}, "−9,927 ± 1,200 errors"),
        (
            {"claimed": 0.366, "margin": 1e-3, "unit": "of the weights", "by_construction": ["paper"]},
            "0.366 ± 0.001 of the weights (prescribed by protocol paper)",
        ),
        (
            {"claimed": 0.8, "margin": 1e-3, "unit": "of the weights", "by_construction": ["paper", "released"]},
            "0.800 ± 0.001 of the weights (prescribed by protocol paper, released)",
        ),
    ],
)
def test_what_was_claimed_as_people_read_it(change, cell, tmp_path):
    assert render(checked(tmp_path, (1, 2, 3), CLAIM | change, epochs=5)).iloc[0]["Claimed"] == cell


def test_a_prescribed_density_is_marked_under_one_protocol_only(tmp_path):
    density = {"measure": "density", "second": None, "claimed": 0.36, "margin": 1e-3, "by_construction": ["paper"]}
    shown = render(checked(tmp_path, (0, 0), CLAIM | density | {"unit": "of the weights"}, released=(0, 0))).iloc[0]
    assert shown["Protocol: paper"] == "by construction: 0.360, 2 seeds"
    assert shown["Protocol: released"] == "not tested here: 2 seeds; fewer than 3 seeds"


def test_claims_keep_their_order_and_their_remarks_stand_below_once(tmp_path):
    runs = runs_in_place(*SIDES)
    checked_runs(tmp_path, runs)
    claims = [CLAIM | {"id": name, "text": f"Claim {name}", "remark": "Streams were sorted."} for name in "ba"]
    assert call(tmp_path, {"runs": runs, "megabatches": make_megabatches(), "layers": make_layers()}, claims) == 0
    text = (tmp_path / "out" / "claims.md").read_text()
    assert text.count("Streams were sorted.") == 1
    assert "all numbers in claims.csv. Streams were sorted. **1 of the study's 7 runs are missing.**" in text
    assert text.index("Claim b") < text.index("Claim a")

"""Test which claims a file may hold, which runs a claim is about, and when a claim counts as reproduced."""

import pandas as pd
import pytest
import yaml
from conftest import ROOT
from made_up_tables import PAPER, make_layers, make_megabatches, make_runs

from anytime_pruning.cli.main import main
from anytime_pruning.figures.claims import verdicts
from anytime_pruning.figures.claims.definitions import Claim, read_claims
from anytime_pruning.figures.claims.described_runs import DescribedRun, describe_run
from anytime_pruning.figures.claims.measures import early_density, measure_runs
from anytime_pruning.figures.claims.table import render
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.settings.run import parse_settings

CLAIM = {
    "id": "better",
    "text": "APP is better",
    "source": "the paper",
    "where": {"data": ["cifar100"], "model": ["resnet50"], "n_megabatches": [8]},
    "measure": "test_acc_pct",
    "first": {"method": "app", "pruner": "snip"},
    "second": {"method": "dense", "pruner": "none"},
    "claimed": 3,
    "tolerance": 0.5,
    "unit": "points",
}
WHERE = {"dataset": "cifar100", "model": "resnet50", "n_megabatches": 8}


def checked(tmp_path, gains, claim=CLAIM, **settings):
    """Return the rows of one claim.

    Args:
        gains: the gain of APP over dense for each seed.
    """
    where = WHERE | {key: settings.pop(key) for key in ("model", "n_megabatches", "dataset") if key in settings}
    name = where["dataset"] if isinstance(where["dataset"], str) else where["dataset"]["name"]
    runs = make_runs(
        lengths=(where["n_megabatches"],),
        seeds=range(len(gains)),
        dataset=name,
        model=where["model"],
        series=[("paper", "app", "snip"), ("paper", "dense", "none")],
    )
    runs["protocol"] = settings.get("protocol", "paper")
    is_app = runs["method"] == "app"
    runs.loc[is_app, "test_acc_pct"] += [gains[seed] for seed in runs.loc[is_app, "seed"]]
    precisions = settings.pop("precision", ["auto"])
    parts = [runs.assign(run=runs["run"] + f"-{precision}", precision=precision) for precision in precisions]
    runs = pd.concat(parts, ignore_index=True)
    for run in runs.itertuples():
        values = {"method": run.method, "seed": run.seed, "precision": run.precision}
        content = parse_settings(where | values | settings)
        folder = tmp_path / "runs" / run.run
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(content.model_dump(mode="json")))
    tables = {"runs": runs, "megabatches": make_megabatches(), "layers": make_layers()}
    return verdicts.check([Claim.model_validate(claim)], tables, tmp_path / "runs")


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ((2.9, 3.0, 3.1), "reproduced"),
        ((3.5, 3.5, 3.5), "reproduced"),  # within the tolerance
        ((3.6, 3.6, 3.6), "not reproduced"),
        ((0.9, 1.0, 1.1), "not reproduced"),
        ((-3.1, -3.0, -2.9), "not reproduced"),
        ((-1.0, 3.0, 7.0), "not reproduced"),  # the interval holds the number, and zero as well
        ((2.9, 3.1), "not run"),  # too few seeds
    ],
)
def test_a_number_is_reproduced_where_it_was_claimed(gains, verdict, tmp_path):
    (row,) = checked(tmp_path, gains).to_dict("records")
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
def test_nothing_else_ever_counts_as_reproduced(changes, tmp_path):
    (row,) = checked(tmp_path, (2.9, 3.0, 3.1), **changes).to_dict("records")
    assert row["verdict"] == "other data"
    assert row["measured"] == pytest.approx(3)
    value = next(iter(changes.values()))
    assert str(value["name"] if isinstance(value, dict) else value) in row["measured_on"]


IMAGENET = {"name": "few", "source": "restricted_imagenet", "path": "x", "shots": 540}
FEW = CLAIM | {
    "where": {"data": ["restricted_imagenet"], "model": ["resnet50"], "n_megabatches": [8], "settings": {"shots": 540}}
}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "reproduced"),
        ({"shots": 100}, "other data"),
        ({"shots": None}, "other data"),
        ({"groups": "original"}, "other data"),  # nine classes
        ({"image_size": 64}, "other data"),
    ],
)
def test_every_setting_of_a_dataset_counts(changes, verdict, tmp_path):
    (row,) = checked(tmp_path, (2.9, 3.0, 3.1), FEW, dataset=IMAGENET | changes).to_dict("records")
    assert row["verdict"] == verdict


def test_a_claim_over_several_networks_is_judged_for_each_that_was_run(tmp_path):
    claim = CLAIM | {"where": CLAIM["where"] | {"model": ["resnet18", "resnet50", "vgg16_bn"]}}
    for model in ("resnet18", "resnet50"):
        (row,) = checked(tmp_path / model, (2.9, 3.0, 3.1), claim, model=model).to_dict("records")
        assert (row["verdict"], row["measured_on"]) == ("reproduced", f"cifar100, {model}, T = 8")


def test_runs_in_two_precisions_are_not_mixed(tmp_path):
    rows = checked(tmp_path, (2.9, 3.0, 3.1), precision=["auto", "float32"])
    assert rows["verdict"].tolist() == ["reproduced"] * 2
    assert [place.partition("; ")[2] for place in rows["measured_on"]] == ["", "precision=float32"]


def test_what_differs_is_named_whichever_run_has_it(tmp_path):
    """Name pruning settings that the dense run of a pair lacks and the pruned run has."""
    (row,) = checked(tmp_path, (2.9, 3.0, 3.1), scope="local", tau=3.0).to_dict("records")
    assert (row["verdict"], row["measured_on"]) == ("other data", "cifar100, resnet50, T = 8; scope=local; tau=3.0")


def test_the_released_protocol_checks_no_claim(tmp_path):
    (row,) = checked(tmp_path, (2.9, 3.0, 3.1), protocol="released").to_dict("records")
    assert row["verdict"] == "not run"
    assert row["seeds"] == 0


def test_a_claim_without_a_number_needs_the_interval_on_its_side(tmp_path):
    claim = {**CLAIM, "claimed": "positive", "tolerance": None}
    for number, (gains, verdict) in enumerate(
        [((1, 2, 3.1), "not reproduced"), ((2, 2.1, 2.2), "reproduced"), ((-2, -2.1, -2.2), "not reproduced")]
    ):
        (row,) = checked(tmp_path / str(number), gains, claim).to_dict("records")
        assert row["verdict"] == verdict
    below = {**claim, "claimed": "negative"}
    assert checked(tmp_path / "below", (-2, -2.1, -2.2), below)["verdict"].tolist() == ["reproduced"]


def test_a_relative_difference_is_in_percent_of_the_second(tmp_path):
    """Measure gains in percent of the accuracies of the dense baseline: 90, 92 and 94."""
    (row,) = checked(tmp_path, (9.0, 9.2, 9.4), {**CLAIM, "relative": True, "claimed": 10}).to_dict("records")
    assert row["measured"] == pytest.approx(10)
    assert row["verdict"] == "reproduced"


def test_measures_by_hand():
    which = {"lengths": (4,), "series": PAPER[:2], "seeds": (0,)}
    tables = {"megabatches": make_megabatches(**which).assign(density_measured=0.5), "layers": make_layers(**which)}
    assert measure_runs("first_density", tables).tolist() == [0.5, 0.5]
    assert measure_runs("direction_changes", tables).tolist() == [0, 0]  # that gap only rises
    # The first of three layers counts at t = 1: SNIP keeps all of its weights, magnitude a quarter.
    assert early_density(tables["layers"]).tolist() == [100, 25]


def test_a_run_is_described_by_what_is_not_the_default(tmp_path):
    data = {"name": "mine", "source": "restricted_imagenet", "path": "x", "shots": 5}
    settings = parse_settings({"dataset": data, "model": "resnet50", "epochs": 3, "batch_size": 32, "seed": 4})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    found = describe_run(tmp_path)
    others = {"epochs": 3, "batch_size": 32, "shots": 5}
    assert found == DescribedRun("restricted_imagenet", others, "auto")
    with pytest.raises(DataError, match=r"config.yaml: No such file"):
        describe_run(tmp_path / "gone")


def test_the_file_lists_every_number_of_the_paper():
    claims = read_claims(ROOT / "config" / "claims.yaml")
    numbers = {claim.claimed for claim in claims if not isinstance(claim.claimed, str)}
    assert {17.97, -9927, -20.49, 11.12, -5533, -14.79, 7, -22, 0.366, 0.8} == numbers
    assert {claim.id for claim in claims if isinstance(claim.claimed, str)} == {
        *("better-than-dense", "better-than-one-shot", "long-streams", "early-layers")
    }
    assert all(claim.source for claim in claims)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": None}, "claims.0.unit: None is not allowed"),
        ({"colour": 1}, "claims.0.colour: unknown setting"),
        ({"measure": "speed"}, "claims.0.measure: 'speed' is not allowed"),
        ({"tolerance": None}, "claims.better: tolerance belongs to a claimed number"),
        ({"second": None, "relative": True}, "claims.better: relative needs a second series"),
    ],
)
def test_a_mistake_in_the_file_is_named(change, message, tmp_path):
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [CLAIM | change]}))
    with pytest.raises(SettingError, match=message):
        read_claims(tmp_path / "claims.yaml")


def test_two_claims_of_one_name_are_refused(tmp_path):
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [CLAIM, CLAIM]}))
    with pytest.raises(SettingError, match="two claims are called 'better'"):
        read_claims(tmp_path / "claims.yaml")


def call(tmp_path, tables):
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [CLAIM]}))
    (tmp_path / "runs.txt").write_text("\n".join([*tables["runs"]["run"], "z/gone", ""]))
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    paths = (tmp_path / name for name in ("claims.yaml", "runs.txt", "runs", ".", "out/claims"))
    return main(["claims", *map(str, paths)])


def test_the_command_writes_a_table_and_counts_missing_runs(tmp_path):
    checked(tmp_path, (2.9, 3.0, 3.1))
    runs = make_runs(
        lengths=(8,),
        seeds=range(3),
        dataset="cifar100",
        model="resnet50",
        series=[("paper", "app", "snip"), ("paper", "dense", "none")],
    )
    runs["run"] += "-auto"
    assert call(tmp_path, {"runs": runs, "megabatches": make_megabatches(), "layers": make_layers()}) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"claims.{kind}" for kind in ("md", "html", "tex", "csv")
    }
    assert "**1 of the study's 7 runs are missing.**" in (tmp_path / "out" / "claims.md").read_text()


def test_a_run_or_a_column_that_is_missing_is_one_line(tmp_path, capsys):
    tables = {"runs": make_runs(), "megabatches": make_megabatches(), "layers": make_layers()}
    assert call(tmp_path, tables) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: claims: ")
    assert line.endswith("config.yaml: No such file or directory")
    tables["layers"] = tables["layers"].drop(columns="variant")
    assert call(tmp_path, tables) == 2
    assert capsys.readouterr().err == f"error: claims: {tmp_path}/layers.csv: no column variant\n"


def test_cells_as_people_read_them(tmp_path):
    rows = checked(tmp_path, (2.9, 3.0, 3.1))
    shown = render(rows)
    assert shown.iloc[0]["Claimed"] == "3.00 points"
    assert shown.iloc[0]["Interval"] == "2.75 to 3.25"
    assert shown.iloc[0]["Measured on"] == "cifar100, resnet50, T = 8"
    empty = render(pd.DataFrame([verdicts.row_of(Claim.model_validate(CLAIM), None, "", "not run")]))
    assert empty.iloc[0].tolist()[3:] == ["–", "–", "0", "–", "not run"]

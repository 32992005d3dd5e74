"""Test tables that are written from made-up collected tables."""

import html
import json
import re

import numpy as np
import pandas as pd
import pytest
from made_up_tables import PAPER, RELEASED, make_megabatches, make_runs
from scipy import stats

from anytime_pruning.cli.main import main
from anytime_pruning.figures import series_metrics
from anytime_pruning.figures.files import read_table, save_table, to_latex, to_markdown
from anytime_pruning.figures.gap_curve import measure_reversals
from anytime_pruning.figures.labels import GAP_NAMES, describe
from anytime_pruning.figures.series import SERIES, STREAM, Series
from anytime_pruning.figures.tables import cost, differences, direction_changes, few_shot, results
from anytime_pruning.figures.tables.pairs import choose_pairs


def test_the_results_table_by_hand():
    shown, note, _ = results.tabulate(make_runs(seeds=range(3)))
    assert shown["Method"].tolist() == ["APP", "APP", "Anytime OSP", "Dense baseline", "APP"] * 2
    assert shown["Protocol"].tolist() == (["paper"] * 4 + ["released"]) * 2
    first = shown.iloc[0]
    # 90, 92 and 94: mean 92, standard deviation 2, t(0.975, 2) = 4.3027; 360 of 1,000 prunable weights and 100 others.
    assert first["Test accuracy (%)"] == "92.00 ± 4.97"
    assert first["CER (count)"] == "1,100 ± 248"
    assert first["CER (%)"] == "10.0 (all 3 seeds equal)"
    assert first["Gap (points)"] == "−1.50 (all 3 seeds equal)"
    assert first["Parameters kept"] == "460 (41.8 %)"
    assert shown.iloc[3]["Parameters kept"] == "1,100 (100.0 %)"
    assert first["Seeds"] == "3"
    assert "95 % interval (Student's t)" in note


def test_too_few_seeds_have_a_range_and_one_has_none():
    assert results.tabulate(make_runs())[0].iloc[0]["Test accuracy (%)"] == "91.00 (90.00 to 92.00)"
    assert results.tabulate(make_runs(seeds=[0]))[0].iloc[0]["Test accuracy (%)"] == "90.00"


def test_variants_have_a_column_where_there_are_any():
    runs = make_runs(lengths=(2,), series=PAPER[:1])
    more = pd.concat([runs, make_runs(lengths=(2,), series=PAPER[:1], variant="tau=3.0")])
    assert "Variant" not in results.tabulate(runs)[0]
    assert results.tabulate(more)[0]["Variant"].tolist() == ["", "tau=3.0"]


def test_the_few_shot_table_has_density():
    shown, _, _ = few_shot.tabulate(make_runs(lengths=(10,), seeds=range(3), dataset="imagenet-540"))
    assert shown["Dataset"].unique().tolist() == ["imagenet-540"]
    assert shown["Density (%)"].tolist() == [
        f"{density} (all 3 seeds equal)" for density in ("36.0", "36.0", "36.0", "100.0", "36.0")
    ]
    assert "CER (count)" not in shown


def test_differences_are_paired_by_seed():
    shown, _, numbers = differences.tabulate(make_runs(lengths=(8,), seeds=range(3)))
    pairs = list(zip(shown["First"], shown["Second"]))
    assert pairs == [
        ("APP, magnitude", "APP, SNIP"),
        ("APP, SNIP", "Anytime OSP, SNIP"),
        ("APP, SNIP", "Dense baseline"),
        ("APP, SNIP (released)", "APP, SNIP"),
        ("APP, magnitude", "Dense baseline"),
        ("Anytime OSP, SNIP", "Dense baseline"),
        ("APP, SNIP (released)", "Dense baseline"),
    ]
    # Magnitude is one point below in every seed, though the seeds are two points apart: no spread at all, so no test.
    assert shown["Test accuracy (points)"].tolist()[:2] == ["−1.00 (all 3 seeds equal)", "0.00 (all 3 seeds equal)"]
    assert numbers[["test_acc_pct_p", "test_acc_pct_p_holm"]].isna().all(axis=None)
    assert numbers["seeds"].tolist() == [3] * 7


def test_a_difference_is_positive_with_a_sign_and_of_common_seeds():
    runs = make_runs(lengths=(8,), seeds=range(4), series=PAPER[:2])
    runs.loc[runs["pruner"] == "magnitude", "test_acc_pct"] = [91.0, 94.0, 97.0, 0.0]
    runs = runs[~((runs["pruner"] == "snip") & (runs["seed"] == 3))]
    shown, _, _ = differences.tabulate(runs)
    # 1, 2 and 3 points: mean 2, interval 4.3027 / sqrt(3) wide to each side.
    assert shown["Test accuracy (points)"].tolist() == ["+2.00 ± 2.48"]
    assert shown["Seeds"].tolist() == ["3"]


def test_stars_are_corrected_over_the_whole_table():
    """Three tests by hand: p-values of one-sample t-tests with mean / error of 50, 5 and 4 (t with 2 degrees)."""
    runs = make_runs(lengths=(8,), seeds=range(3), series=PAPER[:2])
    is_magnitude = runs["pruner"] == "magnitude"
    spread, error = np.array([-1.0, 0.0, 1.0]), 1 / np.sqrt(3)
    for column, ratio in (("test_acc_pct", 50), ("generalization_gap_pct", 5), ("clean_gap_pct", 4)):
        plain = runs.loc[~is_magnitude, column].to_numpy()
        runs.loc[is_magnitude, column] = plain + ratio * error + spread
    shown, note, numbers = differences.tabulate(runs)
    raw = [2 * stats.t.sf(ratio, 2) for ratio in (50, 5, 4)]  # 0.0004, 0.0377 and 0.0572
    columns = ("test_acc_pct", "generalization_gap_pct", "clean_gap_pct")
    assert [numbers[f"{column}_p"][0] for column in columns] == pytest.approx(raw)
    corrected = [3 * raw[0], 2 * raw[1], max(2 * raw[1], raw[2])]
    assert [numbers[f"{column}_p_holm"][0] for column in columns] == pytest.approx(corrected)
    assert shown["Test accuracy (points)"][0].endswith(" *")
    assert numbers["generalization_gap_pct_low"][0] > 0  # this interval excludes 0, but Holm's p-value is 0.075
    assert not shown["Gap (points)"][0].endswith("*")
    assert "over all 3 comparisons with a p-value in this table (all pairs and all measures)" in note


def test_a_table_without_pairs_is_empty():
    shown, note, numbers = differences.tabulate(make_runs(lengths=(8,), series=PAPER[:1]))
    assert shown.empty
    assert numbers.empty
    assert "over all 0 comparisons" in note


def test_the_gaps_have_the_same_names_and_terms_in_all_tables():
    runs = make_runs(lengths=(8,), seeds=range(3))
    megabatches = make_megabatches(lengths=(8,))
    terms = (
        "Gap: running train − augmented validation accuracy; "
        "clean gap: train − validation accuracy, both in eval mode, not augmented; at the last epoch of a megabatch."
    )
    for module, table in ((results, runs), (differences, runs), (few_shot, runs), (direction_changes, megabatches)):
        shown, note, _ = module.tabulate(table)
        assert terms in note, module
        headings = [heading for heading in shown.columns if "gap" in heading.lower()]
        assert {re.match("(Gap|Clean gap)(?: \\(points\\)|: .*)$", heading).group(1) for heading in headings} == set(
            GAP_NAMES.values()
        ), module


def test_pairs_differ_in_one_thing():
    snip, dense = Series("paper", "app", "snip"), Series("paper", "dense", "none")
    two, six = snip._replace(variant="tau=2.0"), snip._replace(variant="tau=6.0")
    assert list(choose_pairs([snip, two, six])) == [(two, snip), (six, snip)]
    assert list(choose_pairs([two, six])) == [(six, two)]
    assert list(choose_pairs([two, dense])) == []
    own = [Series(*RELEASED), Series("released", "dense", "none")]
    assert (own[0], dense) not in list(choose_pairs([snip, dense, *own]))
    assert (own[0], dense) in list(choose_pairs([snip, dense, own[0]]))


def test_the_cost_table_by_hand():
    shown, note, numbers = cost.tabulate(make_runs(seeds=range(3)))
    first = shown.iloc[0]
    assert first["Executed (MACs)"] == "6.0·10⁹"
    assert first["Computed on"] == "a processor, float32"
    # 60, 62 and 64 seconds: mean 62, standard deviation 2, t(0.975, 2) = 4.3027.
    assert (first["Training (s)"], first["Samples/s"]) == ("62 ± 5", "1,000 (all 3 seeds equal)")
    assert first["Pruning (s)"] == "0.5 (all 3 seeds equal)"
    assert first["Kept weights alone (MACs)"] == "2.2·10⁹"
    assert first["Parameters left"] == "0.5 of 1.1 k (41.8 %)"
    assert first["FLOPs left"] == "7.2 of 20.0 M (36.0 %)"
    assert first["Sparse file"] == "1.80 of 4.00 MB (45.0 %)"
    assert numbers[["train_s_mean", "train_macs", "sparse_bytes"]].iloc[0].tolist() == [62, 6e9, 1.8e6]
    assert "show no speed-up" in note


def test_seconds_of_different_machines_have_no_mean():
    runs = make_runs(seeds=range(3))
    on_gpu = (runs["method"] == "app") & (runs["seed"] == 2)
    shown, *_ = cost.tabulate(runs.assign(device=runs["device"].where(~on_gpu, "a GPU")))
    seconds = shown[["Training (s)", "Samples/s", "Pruning (s)", "Whole stream (s)"]] == "–"
    assert (seconds.all(axis=1) == (shown["Method"] == "APP")).all()
    assert (seconds.any(axis=1) == seconds.all(axis=1)).all()
    assert set(shown["Computed on"]) == {"a GPU; a processor, float32", "a processor, float32"}


def test_the_cost_table_has_what_was_executed_before_what_is_left_and_nothing_saved_without_pruning():
    shown, *_ = cost.tabulate(make_runs())
    columns = list(shown.columns[6:])
    assert columns[:3] == ["Executed (MACs)", "Computed on", "Training (s)"]
    left = ["Kept weights alone (MACs)", "Parameters left", "FLOPs left", "Sparse file"]
    assert columns[-5:] == [*left, "Seeds"]
    dense = shown[shown["Method"] == "Dense baseline"]
    assert len(dense) == 2
    assert (dense[left] == "–").all(axis=None)
    assert not (shown.loc[shown["Method"] != "Dense baseline", left] == "–").any(axis=None)
    assert (shown["Executed (MACs)"] == "6.0·10⁹").all()


def test_reversals_of_both_gaps_stand_beside_what_noise_would_do():
    megabatches = make_megabatches(lengths=(8, 25), seeds=range(3), series=PAPER[:1])
    shown, note, numbers = direction_changes.tabulate(megabatches)
    assert shown["Stream"].tolist() == ["short", "long"]
    assert shown["Window"].tolist() == ["3", "3"]
    # The gap only rises, without noise.
    assert shown["Gap: changes"].tolist() == ["0.0 (0.0)"] * 2
    assert shown["Gap: reversal"].tolist() == ["0.00 (0.00)"] * 2
    assert shown["Gap: p"].tolist() == ["1.000"] * 2
    # The clean gap, 0 4 4 0 0 4 4 0, is 8/3 8/3 4/3 4/3 8/3 8/3 when smoothed.
    found = measure_reversals(megabatches.query("n_megabatches == 8"), [*STREAM, *SERIES], "clean_gap_pct")
    first = shown.iloc[0]
    assert first["Clean gap: changes"] == f"1.0 ({found['expected_changes'].mean():.1f})"
    assert first["Clean gap: reversal"] == f"1.33 ({found['expected_reversal'].mean():.2f})"
    assert first["Clean gap: p"] == f"{found['p_value'][0]:.3f}"
    assert numbers["clean_gap_pct_excess_reversal"][0] == pytest.approx(4 / 3 - found["expected_reversal"].mean())
    assert numbers["seeds"].tolist() == [3, 3]
    assert "1 point" in note
    assert "not monotonic" not in " ".join(shown.columns)


def test_markdown_and_latex_are_tables_of_the_same_cells(tmp_path):
    shown, note, numbers = results.tabulate(make_runs(seeds=range(3)))
    markdown = to_markdown(shown).splitlines()
    assert len(markdown) == 2 + len(shown)
    assert {line.count("|") for line in markdown} == {len(shown.columns) + 1}
    latex = to_latex(shown)
    assert latex.count(r" \\") == 1 + len(shown)
    assert r"92.00 $\pm$ 4.97" in latex
    assert r"Test accuracy (\%)" in latex
    assert "7.0 " in to_markdown(pd.DataFrame({"x": ["7.0", "a|b"]}))  # no number is written anew
    assert r"a\|b" in to_markdown(pd.DataFrame({"x": ["7.0", "a|b"]}))
    assert r"5 \% \& a\_b -- $-$1" in to_latex(pd.DataFrame({"x": ["5 % & a_b – −1"]}))
    assert r"6.2$\cdot$10$^{12}$" in to_latex(pd.DataFrame({"x": ["6.2·10¹²"]}))
    assert to_latex(shown).isascii()
    save_table(shown, note, numbers, tmp_path / "results.v2")
    assert {path.name for path in tmp_path.iterdir()} == {f"results.v2.{kind}" for kind in ("md", "html", "tex", "csv")}
    page = (tmp_path / "results.v2.html").read_text()
    assert page.count("<tr") == 1 + len(shown)
    assert "<td>92.00 ± 4.97</td>" in page
    assert html.escape(note) in page
    assert (tmp_path / "results.v2.md").read_text().endswith(f"\n\n{note}\n")
    assert np.isclose(pd.read_csv(tmp_path / "results.v2.csv")["test_acc_pct_low"][0], 92 - 4.9683, atol=1e-3)


def test_the_metrics_of_each_series_are_means_over_seeds():
    runs = make_runs(lengths=(2,), series=(PAPER[0], RELEASED), variant="tau=3.0, lr=0.1")
    metrics = series_metrics.summarize(runs)
    assert list(metrics) == [f"digits-resnet20-T2-{one}-app-snip-tau=3.0_lr=0.1" for one in ("paper", "released")]
    assert metrics["digits-resnet20-T2-paper-app-snip-tau=3.0_lr=0.1"] == {
        "test_acc_pct": 91,
        "cumulative_error_count": 1050,
        "generalization_gap_pct": -1.5,
        "clean_gap_pct": 3,
        "density": 0.36,
        "seeds": 2,
    }


def test_tables_and_metrics_name_the_share_of_images(tmp_path):
    runs = make_runs(lengths=(2,), dataset="cifar100").assign(images="5,000 of 50,000")
    runs.to_csv(tmp_path / "runs.csv", index=False)
    named = read_table(tmp_path / "runs.csv")
    assert set(named["dataset"]) == {"cifar100 (5,000 of 50,000 images)"}
    assert describe(named).startswith("CIFAR-100 (5,000 of 50,000 images), ResNet-20, T = 2")
    assert set(results.tabulate(named)[0]["Dataset"]) == {"CIFAR-100 (5,000 of 50,000 images)"}
    assert all(
        name.startswith("cifar100_5000_of_50000_images-resnet20-T2-") for name in series_metrics.summarize(named)
    )


def test_the_name_of_a_series_keeps_letters_of_all_kinds():
    row = {"dataset": "X-ray (X)", "model": "resnet20", "n_megabatches": 8} | dict.fromkeys(SERIES, "")
    assert series_metrics.name_of_series(row) == "X-ray_X-resnet20-T8"


def test_a_number_of_any_length_is_a_number(tmp_path):
    make_runs(lengths=(2,)).assign(cumulative_error_count="1" + 30 * "0").to_csv(tmp_path / "runs.csv", index=False)
    assert set(read_table(tmp_path / "runs.csv")["cumulative_error_count"]) == {1e30}


def test_metrics_are_written_as_they_are_summarized(tmp_path):
    make_runs(lengths=(2,), series=PAPER[:1]).to_csv(tmp_path / "runs.csv", index=False)
    series_metrics.write_metrics(tmp_path / "runs.csv", tmp_path / "results" / "metrics")
    (path,) = (tmp_path / "results" / "metrics").iterdir()
    ((name, values),) = series_metrics.summarize(read_table(tmp_path / "runs.csv")).items()
    assert path.name == f"{name}.json"
    assert path.read_text(encoding="utf-8") == json.dumps(values, indent=2) + "\n"


def test_metrics_of_series_that_are_gone_go(tmp_path):
    table, folder = tmp_path / "runs.csv", tmp_path / "metrics"
    for series, names in ((PAPER[:2], 2), (PAPER[:1], 1)):
        make_runs(lengths=(2,), series=series).to_csv(table, index=False)
        assert main(["metrics", str(table), str(folder)]) == 0
        assert len(list(folder.iterdir())) == names


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda runs: pd.concat([runs, runs]), "two rows are of the same run: {'dataset': 'digits'"),
        (lambda runs: runs.drop(columns="density"), "no column "),
        (lambda runs: runs.drop(columns="seed"), "no column seed"),
        (
            lambda runs: runs.assign(density=["0.8", "nan", *["many"] * (len(runs) - 2)]),
            "epochs.csv: 'nan' is not allowed in column density; allowed: numbers",
        ),
    ],
)
def test_metrics_of_another_table_are_refused_in_one_line(damage, message, tmp_path, capsys):
    table = tmp_path / "epochs.csv"
    damage(make_runs(lengths=(2,), series=PAPER[:1])).to_csv(table, index=False)
    assert main(["metrics", str(table), str(tmp_path / "metrics")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: metrics of {table}: ")
    assert message in line
    assert not (tmp_path / "metrics").exists()

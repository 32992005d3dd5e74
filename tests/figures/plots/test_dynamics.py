"""Test the figure of training dynamics, drawn from made-up tables."""

import numpy as np
from drawing import clean_style, curves, draw_dynamics, texts  # noqa: F401 (a fixture)
from made_up_tables import PAPER, RELEASED, make_epochs, make_megabatches, make_runs

from anytime_pruning.figures.plots import dynamics
from anytime_pruning.figures.style import COLORS
from anytime_pruning.figures.tables import results

BLUE = COLORS["app", "paper"]
SEVEN = (*PAPER, RELEASED, ("released", "osp", "snip"), ("released", "dense", "none"))


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_visible() and axis.get_title()]


def test_epochs_are_counted_through_the_stream_with_ticks_at_the_ends_of_megabatches():
    figure, summary = draw_dynamics({"lengths": (3,), "series": PAPER})
    assert sorted(summary["stream_epoch"].unique()) == [1, 2, 3, 4, 5, 6]
    borders = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_color() == dynamics.BORDER]
    assert borders == [2, 4]
    assert figure.axes[-1].get_xticks().tolist() == [0, 2, 4, 6]
    assert titles(figure) == ["SNIP", "magnitude"]
    assert {"$M_{1}$", "$M_{3}$"} <= {text.get_text() for text in texts(figure)}


def test_no_panel_has_more_than_four_series():
    figure, _ = draw_dynamics({"lengths": (3,), "series": SEVEN})
    assert titles(figure) == ["SNIP", "magnitude", "SNIP (released)"]
    shown = [{color for color, _ in curves(axis)} - {dynamics.BORDER} for axis in figure.axes[:3]]
    paper = [COLORS[method, "paper"] for method in ("app", "osp", "dense")]
    assert shown == [set(paper), {paper[0], paper[2]}, {COLORS[m, "released"] for m in ("app", "osp", "dense")}]
    methods = [("paper", f"own{number}", "snip") for number in range(5)]
    figure, _ = draw_dynamics({"lengths": (2,), "series": (*methods, PAPER[3])})
    assert len(titles(figure)) == 2


def test_the_gap_is_that_of_the_tables_at_the_last_epoch_of_each_megabatch():
    """At t = 3 the gap of seeds 0 and 1 is 3 and 4; the accuracies of the epochs would give 0."""
    figure, summary = draw_dynamics({"lengths": (3,), "series": PAPER[:1]})
    known = summary[summary["generalization_gap_pct_mean"].notna()]
    assert known[["t", "epoch"]].to_numpy().tolist() == [[1, 2], [2, 2], [3, 2]]
    last = known.iloc[-1]
    values = [last[f"generalization_gap_pct_{part}"] for part in ("mean", "low", "high")]
    assert values == [3.5, 3.0, 4.0]
    assert curves(figure.axes[1])[BLUE, "-"] == [(2, 1.5), (4, 2.5), (6, 3.5)]
    runs = make_runs(lengths=(3,), series=PAPER[:1])
    final = make_megabatches(lengths=(3,), series=PAPER[:1]).query("t == 3")["generalization_gap_pct"]
    runs["generalization_gap_pct"] = final.to_numpy()
    assert results.tabulate(runs)[2]["generalization_gap_pct_mean"].tolist() == [last["generalization_gap_pct_mean"]]


def test_the_first_losses_do_not_set_the_scale():
    which = {"lengths": (3,), "series": PAPER[:1], "seeds": range(3)}
    epochs = make_epochs(**which)
    is_first = (epochs["t"] == 1) & (epochs["epoch"] == 1)
    epochs.loc[is_first, "valid_loss"] = 60.0
    figure, summary = dynamics.draw(epochs, make_megabatches(**which))
    loss = figure.axes[2]
    assert loss.get_ylim()[1] < 15
    assert loss.get_yscale() == "log"
    assert curves(loss)[BLUE, ":"][0][0] == 2  # the loss of the first epoch is left out, and not cut off
    assert curves(loss)[BLUE, "-"][0][0] == 1
    assert "losses above the scale are left out" in figure.get_suptitle()
    assert summary["valid_loss_mean"].max() == 60  # the numbers have all losses
    assert "left out" not in draw_dynamics(which)[0].get_suptitle()


def test_bands_end_inside_their_panels():
    which = {"lengths": (3,), "series": PAPER[:1], "seeds": range(3)}
    epochs = make_epochs(**which)
    # The interval of 0.01, 0.01 and 3 reaches below zero, which a logarithmic scale does not have.
    epochs.loc[epochs["t"] == 2, "train_loss"] = [0.01, 0.01, 0.01, 0.01, 3.0, 3.0]
    figure, _ = dynamics.draw(epochs, make_megabatches(**which))
    for axis in figure.axes:
        ends = np.concatenate([band.get_paths()[0].vertices for band in axis.collections])
        (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
        assert (left < ends[:, 0]).all()
        assert (ends[:, 0] < right).all()
        assert (low < ends[:, 1]).all()
        assert (ends[:, 1] < high).all()


def test_two_epochs_and_all_pruners_can_be_drawn():
    pruners = [("paper", "app", pruner) for pruner in ("snip", "magnitude", "random", "grasp", "synflow")]
    epochs = make_epochs(lengths=(2,), series=pruners)
    figure, _ = dynamics.draw(epochs[epochs["epoch"] == 1], make_megabatches(lengths=(2,), series=pruners))
    assert titles(figure) == ["SNIP", "magnitude", "random", "GraSP", "SynFlow"]
    assert len([axis for axis in figure.axes if axis.get_visible()]) == 3 * 5


def test_a_long_stream_says_that_it_shows_the_last_epochs():
    figure, summary = draw_dynamics({"lengths": (31,), "series": PAPER[:1]})
    assert [x for x, _ in curves(figure.axes[0])[BLUE, "-"]] == list(range(2, 63, 2))
    assert len(summary) == 62  # the CSV holds all epochs
    assert "only the last epoch of each megabatch" in figure.get_suptitle()

"""Adds a figure that shows the test accuracy of every run as a dot."""

import matplotlib.pyplot as plt

from anytime_pruning import register
from anytime_pruning.figures.catalog import Contents, PlotKind


def plan(study):
    """Show all runs of a study in one figure."""
    return {"accuracies": Contents([run.name for run in study.planned])}


def draw(runs):
    """Draw a dot for each run."""
    figure, axis = plt.subplots()
    axis.plot(runs["test_acc_pct"], "o")
    return figure, runs[["run", "test_acc_pct"]]


register("figure", "accuracies")(
    PlotKind(tables=("runs",), category="9 Mine", caption="Every run is a dot.", plan=plan, draw=draw)
)

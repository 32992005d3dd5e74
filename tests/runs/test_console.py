"""Test what a run prints while it works, in a log and on a terminal."""

import sys

import pytest

from anytime_pruning.runs.console import Console
from anytime_pruning.settings.cost import PlannedCost

COST = PlannedCost(train=1000, score=200, evaluate=3000)


def test_a_log_gets_plain_lines(capsys):
    with Console("digits resnet20 app", COST, 2, 0.5):
        pass
    line = "digits resnet20 app: 2 megabatches, 1,000 training samples planned, 200 to score, 3,000 to evaluate\n"
    assert capsys.readouterr() == (f"{line}50.0 % of all parameters can be pruned\n", "")


def test_on_a_terminal_the_bar_is_gone_when_a_run_fails(capsys, monkeypatch):
    """Check that the bar is wiped before the error, because the error would otherwise share the bar's line."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    # A name refers to the console, as the traceback of a failing run does: tqdm itself closes a bar that is garbage.
    progress = Console("digits resnet20 app", COST, 2, 0.5)
    with pytest.raises(ValueError, match="the run failed"), progress:
        raise ValueError("the run failed")
    drawn = capsys.readouterr().err
    assert "0.00/1.00k" in drawn  # The bar was shown.
    assert drawn.split("\r")[-1] == ""  # The cursor is back at the start of a line.
    assert drawn.split("\r")[-2].strip() == ""  # The line was wiped.

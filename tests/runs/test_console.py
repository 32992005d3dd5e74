import sys

import pytest

from anytime_pruning.runs.console import Console
from anytime_pruning.settings.cost import PlannedCost

COST = PlannedCost(train=1000, score=200, evaluate=3000)


def test_a_log_gets_plain_lines(capsys):
    with Console("digits resnet20 app", COST, 2):
        pass
    line = "digits resnet20 app: 2 megabatches, 1,000 training samples planned, 200 to score, 3,000 to evaluate\n"
    assert capsys.readouterr() == (line, "")


def test_on_a_terminal_the_bar_is_gone_when_a_run_fails(capsys, monkeypatch):
    """Or the error would be written into the bar's line."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    # Held by a name, as the traceback of a failing run holds it: tqdm would close a bar that is garbage by itself.
    progress = Console("digits resnet20 app", COST, 2)
    with pytest.raises(ValueError, match="the run failed"), progress:
        raise ValueError("the run failed")
    drawn = capsys.readouterr().err
    assert "0.00/1.00k" in drawn  # there was a bar
    assert drawn.split("\r")[-1] == ""  # and the cursor is back at the start of a line
    assert drawn.split("\r")[-2].strip() == ""  # that was wiped

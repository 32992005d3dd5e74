"""Test how a configuration comes from the Snakefile to a job."""

import datetime
import json

import pytest
from conftest import ROOT

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.orchestration.calls.handover import pack, unpack
from anytime_pruning.settings.study import plan_study


@pytest.mark.parametrize("name", ["demo", "cifar100", "paper"])
def test_a_job_plans_the_same_runs_in_the_same_order(name):
    """Compare the order, too, because a plan in another order would be written again at every call."""
    config = read_yaml(ROOT / "config" / f"{name}.yaml")
    assert json.dumps(unpack(pack(config))) == json.dumps(config)
    assert [run.name for run in plan_study(unpack(pack(config)))[1]] == [run.name for run in plan_study(config)[1]]


def test_axes_of_a_grid_keep_their_order():
    grid = [{"seed": [0, 1], "method": ["app", "osp"], "dataset": "digits", "model": "resnet20"}]
    assert list(unpack(pack({"study": "s", "grid": grid}))["grid"][0]) == ["seed", "method", "dataset", "model"]


def test_a_value_that_json_does_not_have_is_refused_in_one_line():
    date = datetime.date(2020, 1, 1)
    with pytest.raises(SettingError, match=r"^config: datetime.date\(2020, 1, 1\) is not allowed: text, numbers"):
        pack({"study": "s", "grid": [], "defaults": {"lr": [date]}})


def test_another_word_is_refused_in_one_line():
    with pytest.raises(SettingError, match="not a study that the Snakefile handed over"):
        unpack("abc")

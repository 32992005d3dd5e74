"""Test that the code of a user's own parts is part of a run's identity, and that this project's own parts are not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import anytime_pruning
from anytime_pruning import register
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import _registered
from anytime_pruning.settings.own_code import check_own_code
from anytime_pruning.settings.run import parse_settings

PACKAGE_FOLDER = Path(anytime_pruning.__file__).parent
EVERY_PART = """
from anytime_pruning import models
from anytime_pruning.pruning import protocols, prunable, pruners, regrowth, schedules, selections
from anytime_pruning.runs import starts
from anytime_pruning.stream import replay
from anytime_pruning.foundation.registry import find, names
from anytime_pruning.settings.own_code import SHIPPED, SHIPPED_MODULES
found = {find(kind, name).module for kind in SHIPPED for name in names(kind)}
print(sorted(found ^ SHIPPED_MODULES))
"""


def register_own(width=4, scale=1):
    def build(n_classes, image_shape):
        return width

    def score_own(model, batches, generator):
        return scale

    register("model", "own_for_test")(build)
    register("pruner", "own_for_test")(score_own)


def settings(**changes):
    return parse_settings({"dataset": "digits", "model": "own_for_test", "pruner": "own_for_test", **changes})


def test_every_module_of_this_project_that_registers_a_part_is_named():
    done = subprocess.run([sys.executable, "-c", EVERY_PART], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_edited_part_gives_another_digest(forget):
    register_own()
    first = settings()
    assert set(first.own_code) == {"model own_for_test", "pruner own_for_test"}
    assert settings().digest() == first.digest()
    register_own(width=8)
    wider = settings()
    register_own(width=8, scale=2)
    assert len({first.digest(), wider.digest(), settings().digest()}) == 3


def test_parts_that_do_not_count_for_a_run_do_not_count_here(forget):
    register_own()
    assert set(settings(method="dense").own_code) == {"model own_for_test"}
    assert settings(model="resnet20", pruner="snip").own_code == {}
    assert "own_code" not in settings(model="resnet20", pruner="snip").identity()


def test_stored_settings_keep_their_digest_wherever_they_are_read(forget):
    """Check that config.yaml alone names the run, also for a process that does not know the network."""
    register_own()
    stored = settings().model_dump(mode="json")
    digest = settings().digest()
    for kind in ("model", "pruner"):
        _registered[kind].pop("own_for_test")
    assert parse_settings(stored).digest() == digest
    register_own(width=5)
    assert parse_settings(stored).digest() == digest


def test_settings_of_other_code_are_refused_where_it_would_run(forget):
    register_own()
    given = settings()
    check_own_code(given.own_code, dict(given))
    register_own(width=5)
    with pytest.raises(SettingError, match=r"^own_code: .* the code of model own_for_test has .* leave own_code"):
        check_own_code(given.own_code, dict(given))


NETWORK = """
import torch
from anytime_pruning import register

@register("model", "added_for_test")
def build(n_classes, image_shape):
    return torch.nn.Conv2d(image_shape[0], n_classes, 8)
"""
DIGEST = """
import sys
if {torch}:
    from anytime_pruning.models import added
else:
    sys.modules["torch"] = None
from anytime_pruning.settings.run import parse_settings
print(parse_settings({{"dataset": "digits", "model": "added_for_test"}}).own_code)
"""


def test_a_file_in_the_package_counts_alike_with_and_without_torch(tmp_path):
    shutil.copytree(PACKAGE_FOLDER, tmp_path / "anytime_pruning", ignore=shutil.ignore_patterns("__pycache__"))
    added = tmp_path / "anytime_pruning" / "models" / "added.py"

    def digest(torch):
        code = DIGEST.format(torch=torch)
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    added.write_text(NETWORK, encoding="utf-8")
    first = digest(torch=True)
    assert "model added_for_test" in first
    assert digest(torch=False) == first
    added.write_text(f"# A comment.\n{NETWORK}", encoding="utf-8")
    assert digest(torch=False) == first
    added.write_text(NETWORK.replace(", 8)", ", 8, bias=False)"), encoding="utf-8")
    assert digest(torch=False) == digest(torch=True) != first

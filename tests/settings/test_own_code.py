"""Test that the code of a user's own parts is part of a run's identity, and that this project's own parts are not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import anytime_pruning
from anytime_pruning import register
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import Registration, _registered
from anytime_pruning.settings import own_code
from anytime_pruning.settings.own_code import SHIPPED, check_own_code
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


WIDTH = 4


def build_network(n_classes, image_shape):
    return WIDTH


def find_weights(module):
    return ["weight"]


def test_the_digests_of_code_stay_as_they_are(forget):
    """Compare with numbers that never change, because stored settings name the code of parts by them."""
    register("model", "own_for_test")(build_network)
    register("prunable", "own_for_test")(find_weights)
    assert settings(pruner="snip", prunable=["conv", "own_for_test"]).own_code == {
        "model own_for_test": "1e8003c52d50",
        "prunable own_for_test": "89afb57da514",
    }


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return an empty folder in place of the package, in whose files parts are looked for."""
    monkeypatch.setattr(own_code, "__file__", str(tmp_path / "settings" / "own_code.py"))
    return tmp_path


@pytest.mark.parametrize(("kind", "room"), [("model", "models"), ("pruner", "pruning/pruners"), ("replay", "stream")])
def test_a_file_of_the_package_is_the_code_of_the_part_that_it_registers(kind, room, forget, package):
    (package / room).mkdir(parents=True)
    text = 'register("{}", "{}")(lambda *given: None)  # é\n'
    (package / room / "added.py").write_text(text.format(kind, "added_for_test"), encoding="utf-8")
    (package / room / "beside.py").write_text(text.format(kind, "beside_for_test"), encoding="utf-8")
    for name in ("__init__.py", f"{SHIPPED[kind][1][0]}.py", "notes.txt"):
        (package / room / name).write_text(text.format(kind, "shipped_for_test"), encoding="utf-8")

    def code(name):
        return settings(**{"model": "resnet20", "pruner": "snip", kind: name}).own_code

    found = code("added_for_test")
    assert set(found) == {f"{kind} added_for_test"}
    assert code("beside_for_test")[f"{kind} beside_for_test"] != found[f"{kind} added_for_test"]
    assert code("shipped_for_test") == code("gone_for_test") == {}
    # A process that has imported the file describes it alike.
    register(kind, "added_for_test")(lambda *given: 1)
    assert code("added_for_test") == found
    (package / room / "added.py").write_text(text.format(kind, "added_for_test") + "x = 1\n", encoding="utf-8")
    assert code("added_for_test") != found


def test_a_part_of_a_file_in_the_package_that_spells_no_name_counts_by_its_module(package, monkeypatch):
    module = "anytime_pruning.models.added"
    monkeypatch.setattr(build_network, "__module__", module)
    monkeypatch.setitem(_registered["model"], "own_for_test", Registration(build_network, module))
    assert set(settings(pruner="snip").own_code) == {"model own_for_test"}


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

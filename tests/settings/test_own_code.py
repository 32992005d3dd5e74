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
from anytime_pruning.settings import own_files
from anytime_pruning.settings.own_code import check_own_code
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.shipped import SHIPPED, TOP_LEVEL

PACKAGE_FOLDER = Path(anytime_pruning.__file__).parent
EVERY_PART = """
from anytime_pruning import models
from anytime_pruning.pruning import protocols, prunable, pruners, regrowth, schedules, selections
from anytime_pruning.runs import starts
from anytime_pruning.stream import replay
from anytime_pruning.foundation.registry import find, names
from anytime_pruning.settings.shipped import SHIPPED
for kind, part in SHIPPED.items():
    modules = {f"anytime_pruning.{part.room}.{name}" for name in part.modules}
    print(*({find(kind, name).module for name in names(kind)} ^ modules))
    print(*({*names(kind)} ^ {*part.names} - {"none" if kind == "pruner" else ""}))
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


def test_every_part_of_this_project_and_its_module_are_named():
    done = subprocess.run([sys.executable, "-c", EVERY_PART], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_other_module_beside_them_is_named():
    for part in SHIPPED.values():
        modules = {path.stem for path in PACKAGE_FOLDER.joinpath(*part.room.split(".")).glob("*.py")}
        assert modules == {"__init__", *part.modules, *part.others}, part.room
    found = {path.stem for path in PACKAGE_FOLDER.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert found == set(TOP_LEVEL)


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
    monkeypatch.setattr(own_files, "__file__", str(tmp_path / "package" / "settings" / "own_files.py"))
    return tmp_path / "package"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("kind", "room"), [("model", "models"), ("pruner", "pruning/pruners"), ("replay", "stream")])
def test_a_file_of_the_package_is_the_code_of_the_part_that_it_registers(kind, room, package, monkeypatch):
    (package / room).mkdir(parents=True)
    text = 'register("{}", "{}")(lambda *given: None)  # é\n'
    (package / room / "added.py").write_text(text.format(kind, "added_for_test"), encoding="utf-8")
    (package / room / "beside.py").write_text(text.format(kind, "beside_for_test"), encoding="utf-8")
    for name in ("__init__.py", f"{SHIPPED[kind].modules[0]}.py", f"{SHIPPED[kind].others[0]}.py", "notes.txt"):
        (package / room / name).write_text(text.format(kind, "shipped_for_test"), encoding="utf-8")

    def code(name):
        return settings(**{"model": "resnet20", "pruner": "snip", kind: name}).own_code

    found = code("added_for_test")
    assert set(found) == {f"{kind} added_for_test"}
    assert code("beside_for_test")[f"{kind} beside_for_test"] != found[f"{kind} added_for_test"]
    assert code(SHIPPED[kind].names[0]) == {}
    # Any of the files may register a name that none of them spells out, as in a loop.
    assert code("in_a_loop_for_test") != code("added_for_test")
    # A process that has imported the file describes it alike.
    module = f"anytime_pruning.{SHIPPED[kind].room}.added"
    monkeypatch.setitem(_registered[kind], "added_for_test", Registration(build_network, module))
    assert code("added_for_test") == found
    (package / room / "added.py").write_text(text.format(kind, "added_for_test") + "x = 1\n", encoding="utf-8")
    assert code("added_for_test") != found


def test_a_name_that_no_file_spells_out_counts_by_all_files_of_the_user(package, monkeypatch):
    def code():
        return settings(pruner="snip").own_code

    assert code() == {}  # nobody knows the name, and a run refuses it
    write(package / "models" / "family.py", "for width in (8, 16): register('model', f'own_{width}')")
    found = code()
    assert set(found) == {"model own_for_test"}
    # A process that has imported the file describes it alike.
    module = "anytime_pruning.models.family"
    monkeypatch.setitem(_registered["model"], "own_for_test", Registration(build_network, module))
    assert code() == found
    write(package / "models" / "mine" / "net.py", "x = 1")
    assert code() != found


REGISTERING = """
from anytime_pruning import register
import torch
{}
register("model", "own_for_test")(lambda n_classes, image_shape: torch.nn.Conv2d(1, 1, 1))
"""


@pytest.mark.parametrize(
    ("statement", "helper"),
    [
        ("from anytime_pruning.models.blocks import block", "package/models/blocks.py"),
        ("from .blocks import block", "package/models/blocks.py"),
        ("from . import blocks as b", "package/models/blocks.py"),
        ("import anytime_pruning.models.blocks", "package/models/blocks.py"),
        ("from .parts.blocks import block", "package/models/parts/blocks.py"),
        ("from .parts.blocks import block", "package/models/parts/__init__.py"),
        ("from ..stream.blocks import block", "package/stream/blocks.py"),
        ("from anytime_pruning import blocks", "package/blocks.py"),
        ("from anytime_pruning.mine.blocks import block", "package/mine/blocks.py"),
        ("import blocks", "blocks.py"),
        ("from blocks.more import block", "blocks/more.py"),
        ("def f():\n    import blocks", "blocks/__init__.py"),
        ("from .between import block", "package/models/far.py"),
    ],
)
def test_what_a_file_of_the_package_imports_counts(statement, helper, forget, package):
    write(package / "models" / "net.py", REGISTERING.format(statement))
    write(package / "models" / "between.py", "from anytime_pruning.models.far import block")
    for beside in ("models/build.py", "models/__init__.py", "training/step.py", "models/other.py", "__init__.py"):
        write(package / beside, "x = 1")

    def code():
        return settings(pruner="snip").own_code["model own_for_test"]

    without = code()
    write(package.parent / helper, "# A comment.\nwidth = 3")
    first = code()
    assert first != without
    write(package.parent / helper, "width = 3")
    assert code() == first
    for beside in ("models/build.py", "models/__init__.py", "training/step.py", "models/other.py", "__init__.py"):
        write(package / beside, "x = 2")
    assert code() == first
    write(package.parent / helper, "width = 5")
    assert code() != first


def test_what_is_installed_beside_the_package_does_not_count(forget, tmp_path, monkeypatch):
    place = tmp_path / "site-packages"
    monkeypatch.setattr(own_files, "__file__", str(place / "package" / "settings" / "own_files.py"))
    write(place / "package" / "models" / "net.py", REGISTERING.format("import blocks"))
    first = settings(pruner="snip").own_code
    write(place / "blocks.py", "width = 3")
    assert settings(pruner="snip").own_code == first != {}


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
from anytime_pruning.models.blocks import block

for name in ("added_for_test", "added_too"):
    @register("model", name)
    def build(n_classes, image_shape):
        return block(image_shape[0], n_classes)
"""
BLOCKS = """
import torch

def block(n_in, n_out):
    return torch.nn.Conv2d(n_in, n_out, 8)
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


def test_files_in_the_package_count_alike_with_and_without_torch(tmp_path):
    shutil.copytree(PACKAGE_FOLDER, tmp_path / "anytime_pruning", ignore=shutil.ignore_patterns("__pycache__"))
    models = tmp_path / "anytime_pruning" / "models"

    def digest(torch):
        code = DIGEST.format(torch=torch)
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    write(models / "blocks.py", BLOCKS)
    write(models / "added.py", NETWORK)
    first = digest(torch=True)
    assert "model added_for_test" in first
    assert digest(torch=False) == first
    write(models / "added.py", f"# A comment.\n{NETWORK}")
    assert digest(torch=False) == first
    write(models / "blocks.py", BLOCKS.replace(", 8)", ", 8, bias=False)"))
    assert digest(torch=False) == digest(torch=True) != first

"""Test the records that decide whether tables, figures and claims are current."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from anytime_pruning.results import made_from
from anytime_pruning.results.made_from import CODE, code_digest, is_current, recorded


@pytest.fixture
def made(tmp_path):
    """Return the record, the source and the product of a copy."""
    record, source, product = (tmp_path / name for name in ("made/copy.txt", "source.csv", "copy.csv"))
    source.write_text("a,b\n1,2\n")
    with recorded(record, [source], [product]):
        shutil.copy(source, product)
    return record, [source], [product]


def test_a_product_is_current_until_the_content_of_a_file_changes(made):
    record, (source,), (product,) = made
    assert is_current(*made)
    for path in (source, product):
        before = path.read_text()
        path.write_text(before.replace("1", "3"))
        assert not is_current(*made)
        path.write_text(before)
        assert is_current(*made)
        path.unlink()
        assert not is_current(*made)
        path.write_text(before)
    record.write_bytes(b"\xff")
    assert not is_current(*made)


def test_a_value_that_the_product_holds_counts(made, tmp_path):
    _, sources, product = made
    record = tmp_path / "made" / "page.txt"
    with recorded(record, sources, product, ["mine"]):
        pass
    assert is_current(record, sources, product, ["mine"])
    assert not is_current(record, sources, product, ["mine2"])
    assert not is_current(record, sources, product)


def test_what_a_killed_process_left_beside_the_product_is_removed(made, tmp_path):
    record, sources, (product,) = made
    (tmp_path / "folder").mkdir()
    left = [tmp_path / ".copy.csv.partial-1", tmp_path / "folder" / ".a.json.partial-1"]
    others = [tmp_path / ".other.csv.partial-1"]
    for path in (*left, *others):
        path.touch()
    with recorded(None, sources, [product, tmp_path / "folder"]):
        pass
    assert all(path.exists() for path in left)  # without a record, another process may be writing
    with recorded(record, sources, [product, tmp_path / "folder"]):
        pass
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


def test_times_and_places_do_not_count(made, tmp_path):
    _, (source,), (product,) = made
    for path, when in ((source, 4_000_000_000), (product, 1)):
        os.utime(path, (when, when))
    assert is_current(*made)
    # An edit with the old time and the old size counts.
    status = source.stat()
    source.write_text("a,b\n2,1\n")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    made_from._sha256_of_version.cache_clear()  # the next call of Snakemake is another process
    assert not is_current(*made)
    source.write_text("a,b\n1,2\n")
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert is_current(
        *(tmp_path / "moved" / name for name in ["made/copy.txt"]),
        *([tmp_path / "moved" / name] for name in ("source.csv", "copy.csv")),
    )


def test_a_folder_is_its_files_and_their_names(tmp_path):
    record, folder = tmp_path / "record.txt", tmp_path / "metrics"
    folder.mkdir()
    with recorded(record, [], [folder]):
        (folder / "a.json").write_text("{}")
    (folder / ".snakemake_timestamp").touch()
    assert is_current(record, [], [folder])
    (folder / "a.json").rename(folder / "b.json")
    assert not is_current(record, [], [folder])


def test_what_failed_is_not_recorded(tmp_path):
    record = tmp_path / "record.txt"
    with pytest.raises(ValueError, match="half"), recorded(record, [], [tmp_path / "product"]):
        raise ValueError("half")
    assert not record.exists()


def test_a_source_that_changes_meanwhile_is_used_again(tmp_path):
    record, source, product = (tmp_path / name for name in ("record.txt", "source", "product"))
    source.write_text("old")
    with recorded(record, [source], [product]):
        shutil.copy(source, product)
        source.write_text("newer")
    assert not is_current(record, [source], [product])


def test_an_edit_of_any_code_that_draws_counts(tmp_path, monkeypatch):
    shutil.copytree(made_from.PACKAGE, tmp_path / "package", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(made_from, "PACKAGE", tmp_path / "package")
    digests = {code_digest.__wrapped__()}
    for name in ("results/variants.py", "settings/naming.py", "figures/labels.py", "pruning/schedules/app.py"):
        with (tmp_path / "package" / name).open("a") as file:
            file.write("\n# edited\n")
        digests.add(code_digest.__wrapped__())
    assert len(digests) == 5
    with (tmp_path / "package" / "training" / "trainer.py").open("a") as file:
        file.write("\n# edited\n")
    assert code_digest.__wrapped__() in digests


def test_collecting_and_drawing_import_no_other_code():
    """Import what the jobs import, in a process of its own, and compare the modules with the places that count."""
    program = (
        "import importlib, pkgutil, sys; import anytime_pruning.results, anytime_pruning.figures as figures\n"
        "for package in (anytime_pruning.results, figures):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "print(*sorted(module for module in sys.modules if module.startswith('anytime_pruning.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    places = {f"anytime_pruning.{place.removesuffix('.py').replace('/', '.')}" for place in CODE}
    above = {place.rsplit(".", 1)[0] for place in places}
    for module in done.stdout.split():
        assert module in above or any(f"{module}.".startswith(f"{place}.") for place in places), module

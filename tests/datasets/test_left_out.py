"""Test that what is left out of a dataset is counted and said by suffix, at reading and by `prepare`."""

import pytest
from conftest import encode, toy_files
from packed import dataset, outcome, pack
from PIL import Image

from anytime_pruning.cli.main import main
from anytime_pruning.datasets import load_dataset
from anytime_pruning.datasets.layouts import names
from anytime_pruning.datasets.layouts.left_out import LeftOut

FILES = toy_files()
IMAGE = FILES["train/cat/0.png"]
KINDS = ("", ".zip", ".tar.bz2")


def notes(files, tmp_path, ending=""):
    return outcome(pack(FILES | files, tmp_path, ending))[-1]


def counted(count, name):
    return {name.format(i): IMAGE for i in range(count)}


@pytest.fixture(autouse=True)
def plain_pillow(monkeypatch):
    """Let no test depend on packages of the machine."""
    monkeypatch.setattr(names, "reads_heif", lambda: False)
    names.readable_suffixes.cache_clear()
    yield
    names.readable_suffixes.cache_clear()


@pytest.mark.parametrize("ending", KINDS)
def test_every_kind_is_counted_by_its_suffix(ending, tmp_path):
    files = counted(3, "train/cat/IMG_{}.HEIC") | counted(2, "test/dog/{}.svg") | counted(1, "test/dog/{}.txt")
    files |= counted(4, "train/{}.png") | {"train/labels.csv": b"", "test/x": b""}
    (note,) = notes(files, tmp_path, ending)
    assert note == (
        "left out: 3 .heic (read where pillow-heif is installed), 2 .svg, 1 .txt, 1 loose file in test/, "
        "5 loose files in train/"
    )


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_files_without_a_suffix_that_are_images_are_told_from_others(kind, ending, tmp_path):
    content = encode(Image.new("RGB", (6, 6)), kind)
    (note,) = notes({"train/cat/one": content, "train/cat/LICENSE": b"MIT", "train/cat/none": b""}, tmp_path, ending)
    assert note == ("left out: 2 without suffix, 1 without suffix, but images (give them a suffix, such as .jpg)")


@pytest.mark.parametrize("ending", KINDS)
def test_images_in_other_folders_and_beside_the_folders_are_counted(ending, tmp_path):
    files = counted(3, "unlabelled/{}.jpg") | counted(2, "extra/cat/{}.png") | counted(1, "cover{}.png")
    files |= {"README.md": b"", "docs/index.html": b""}
    (note,) = notes(files, tmp_path, ending)
    assert note == "left out: 1 image beside the folders, 2 images in extra/, 3 images in unlabelled/"


def test_what_lies_deeper_in_a_class_is_counted_or_named(tmp_path):
    assert notes({"train/cat/boxes/0.xml": b""}, tmp_path / "text") == ("left out: 1 .xml",)
    for name in ("0.heic", "0.tif", "0.cr2"):
        message = outcome(pack(FILES | {f"train/cat/raw/{name}": b""}, tmp_path / name))
        assert message.startswith(f"PATH: train/cat/raw/{name}: lies too deep; images belong in train/cat/ itself")


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("{}.heic", "2 .heic (read where pillow-heif is installed)"),
        ("{}", "2 without suffix, but images (give them a suffix, such as .jpg)"),
        ("{}.pdf", "2 .pdf"),
    ],
)
def test_a_class_whose_images_were_all_left_out_is_named_with_them(name, found, ending, tmp_path):
    files = FILES | counted(2, f"train/emu/{name}") | counted(1, "test/emu/{}.png")
    assert outcome(pack(files, tmp_path, ending)) == (
        f"PATH: no images in train/emu/; found there: {found}; every class needs some in train and test"
    )


def test_hidden_files_and_litter_are_not_counted(tmp_path):
    assert notes({"train/cat/.x.heic": b"", "train/.y": b"", "test/cat/Thumbs.db": b""}, tmp_path) == ()


def test_it_is_a_warning_at_reading_and_said_by_prepare_each_time(tmp_path, capsys):
    path = pack(FILES | {"train/cat/a.heic": b""}, tmp_path)
    command = ["prepare", f"{{name: toy, source: image_folder, path: {path}}}", "--data-dir", str(tmp_path / "data")]
    said = "left out: 1 .heic (read where pillow-heif is installed)"
    assert main(command) == 0
    output = capsys.readouterr()
    assert f"warning: toy: {said}" in output.err
    assert output.out.splitlines()[0].endswith(f"shape (3, 32, 32); {said}")
    assert main(command) == 0
    assert output.out == capsys.readouterr().out
    assert load_dataset(dataset(path), tmp_path / "data").notes == (said,)


def test_new_files_that_are_left_out_are_said_although_the_images_are_the_same(tmp_path):
    path = pack(FILES, tmp_path)
    assert load_dataset(dataset(path), tmp_path / "data").notes == ()
    (path / "train" / "cat" / "a.heic").write_bytes(b"")
    assert load_dataset(dataset(path), tmp_path / "data").notes != ()


@pytest.mark.parametrize("ending", ["", ".zip"])
def test_images_are_read_again_once_this_machine_reads_more_formats(ending, tmp_path, monkeypatch):
    jpeg = encode(Image.new("RGB", (6, 6)), "JPEG")
    path = pack(FILES | {"train/cat/a.heic": jpeg}, tmp_path, ending)
    assert len(load_dataset(dataset(path), tmp_path / "data").train_images) == 8
    # A JPEG stands for the HEIC that another machine could read.
    monkeypatch.setattr(names, "reads_heif", lambda: True)
    names.readable_suffixes.cache_clear()
    read = load_dataset(dataset(path), tmp_path / "data")
    assert (len(read.train_images), read.notes) == (9, ())


def test_a_message_stays_short_and_printable():
    left_out = LeftOut()
    for i in range(30):
        left_out.add("train/cat", f".x{i}", False)
        left_out.add_elsewhere(f"folder{i}", 1)
    assert left_out.describe().count("more kinds or places") == 2


def test_names_cannot_forge_a_second_line(tmp_path):
    (note,) = notes({"train/cat/a.x\ny": b""}, tmp_path)
    assert note == "left out: 1 .x\\ny"

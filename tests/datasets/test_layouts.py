"""Test which folders are read as which split and class, and that a folder and any archive of it mean the same."""

import ast
import os
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from collections import Counter

import pytest
from conftest import ROOT, toy_files
from hypothesis import given
from hypothesis import strategies as st
from packed import ENDINGS, dataset, outcome, pack, rename_in_zip

from anytime_pruning.cli.main import main
from anytime_pruning.datasets.archives import is_archive
from anytime_pruning.foundation.errors import DataError

FILES = toy_files()
IMAGE = FILES["train/cat/0.png"]
LAYOUTS = ("", ".zip", ".tar.gz")


def moved(old, new, files=FILES):
    return {new + name.removeprefix(old) if name.startswith(old) else name: data for name, data in files.items()}


def wrapped(folder, files=FILES):
    return moved("", folder, files)


@pytest.fixture
def plain(tmp_path):
    return outcome(pack(FILES, tmp_path / "plain"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_in_upper_and_lower_case_is_read(ending, plain, tmp_path):
    assert is_archive(f"flowers{ending}")
    assert outcome(pack(FILES, tmp_path, ending)) == plain


@pytest.mark.parametrize("ending", LAYOUTS)
@pytest.mark.parametrize(
    "hidden",
    [".cache", ".Trash-1000", "@eaDir", "__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information"],
)
def test_hidden_folders_are_ignored_at_every_level(hidden, ending, plain, tmp_path):
    more = {}
    for place in (hidden, f"train/{hidden}", f"test/{hidden}", f"train/cat/{hidden}"):
        more |= {f"{place}/": b"", f"{place}/0.png": IMAGE, f"{place}/deep/1.png": IMAGE, f"{place}/train/cat/2": b""}
    assert outcome(pack(FILES | more, tmp_path, ending)) == plain


@pytest.mark.parametrize("ending", LAYOUTS)
def test_litter_of_systems_is_no_file_of_the_user(ending, plain, tmp_path):
    names = ("Thumbs.db", "desktop.ini", ".DS_Store", "._0.png")
    litter = {f"{place}{name}": b"x" for name in names for place in ("", "train/", "test/dog/")}
    assert outcome(pack(FILES | litter, tmp_path, ending)) == plain


def test_hidden_files_change_no_fingerprint(tmp_path):
    path = pack(FILES, tmp_path)
    before = dataset(path).fingerprint()
    (path / "train" / ".ipynb_checkpoints").mkdir()
    (path / "train" / ".ipynb_checkpoints" / "0.png").write_bytes(IMAGE)
    (path / "train" / "cat" / "Thumbs.db").write_bytes(b"x")
    assert dataset(path).fingerprint() == before
    (path / "train" / "cat" / "new.png").write_bytes(IMAGE)
    assert dataset(path).fingerprint() != before


@pytest.mark.parametrize("ending", LAYOUTS)
@pytest.mark.parametrize("folder", ["a/", "a/b/", "./a/", "test/", "train/", "Val/", "train/test/", "my flowers/v1.0/"])
def test_wrapping_folders_do_not_matter_whatever_their_names(folder, ending, plain, tmp_path):
    beside = {f"{folder}README.md": b"x", f"{folder}labels.csv": b"x", "LICENSE": b"x"}
    assert outcome(pack(wrapped(folder) | beside, tmp_path, ending)) == plain


@pytest.mark.parametrize("ending", LAYOUTS)
def test_a_wrapping_folder_may_have_others_beside_it(ending, plain, tmp_path):
    files = wrapped("test/") | {"docs/index.html": b"x"}
    assert outcome(pack(files, tmp_path, ending)) == plain


@pytest.mark.parametrize("ending", LAYOUTS)
@pytest.mark.parametrize(
    ("train", "test"), [("Train", "Test"), ("TRAIN", "TEST"), ("training", "testing"), ("Training", "test")]
)
def test_splits_may_be_spelled_otherwise(train, test, ending, plain, tmp_path):
    files = moved("train/", f"{train}/", moved("test/", f"{test}/"))
    assert outcome(pack(files, tmp_path, ending)) == plain


@pytest.mark.parametrize("ending", LAYOUTS)
@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_a_validation_set_takes_the_place_of_a_missing_test_set_and_this_is_said(name, ending, plain, tmp_path):
    *arrays, notes = outcome(pack(moved("test/", f"{name}/"), tmp_path / "two", ending))
    assert tuple(arrays) == plain[:-1]
    assert notes == (f"{name}/ is read as test/",)
    *arrays, notes = outcome(pack(FILES | {f"{name}/cat/0.png": IMAGE}, tmp_path / "three", ending))
    assert tuple(arrays) == plain[:-1]
    assert notes == (f"left out: 1 image in {name}/",)


def test_a_test_set_without_classes_leaves_its_place_to_the_validation_set(tmp_path):
    files = moved("test/", "val/") | {"test/1.png": IMAGE, "test/2.png": IMAGE}
    assert outcome(pack(files, tmp_path))[-1] == ("val/ is read as test/", "left out: 2 images in test/")


CATS_AND_DOGS = {f"{kind}/{i}.png": FILES[f"train/{kind}/{i}.png"] for kind in ("cat", "dog") for i in range(4)}
REFUSED = {
    "found Train/ and training/, any of which could be train/; rename one": moved("train/", "Train/")
    | {"training/cat/9.png": IMAGE},
    "found val/ and valid/, any of which could be test/; rename one": moved("test/", "val/")
    | {"valid/cat/0.png": IMAGE},
    "found train/, but no test/ or val/; add test/, or set test_frac": wrapped("train/", CATS_AND_DOGS),
    "found train/ and holdout/, but no test/ or val/; add test/": moved("test/", "holdout/"),
    "found Test/, but no train/; train/<class>/ and test/<class>/ are needed": wrapped("Test/", CATS_AND_DOGS),
    "found the classes cat/, dog/, but no train/ and test/; set test_frac": CATS_AND_DOGS,
    "found the classes cat/, dog/ in w/, but no train/ and test/; set test_frac": wrapped("w/", CATS_AND_DOGS),
    "found cat/train/, dog/train/; the split comes first": {
        f"{kind}/{split}/0.png": IMAGE for kind in ("cat", "dog") for split in ("train", "test")
    },
    "found a/train/, b/train/, any of which could be meant; name the folder above": wrapped("a/")
    | wrapped("b/", moved("train/cat/", "train/emu/")),
    "0 class folders in train/; found the folders tr/, te/": moved("train/", "tr/", moved("test/", "te/")),
    "0 class folders in train/; found 1 images without folders": {"0.png": IMAGE, "1.txt": b""},
    "0 class folders in train/; found the archive more.tgz, which is not opened": {"more.tgz": b"", "README": b""},
    "0 class folders in train/, and 1 loose file in train/": {"train/0.png": IMAGE, "test/0.png": IMAGE},
    "1 class folder in train/ (cat); at least 2 are needed": {"train/cat/0.png": IMAGE, "test/cat/0.png": IMAGE},
    "no images in train/Cat/, but a class cat; the names must be the same": moved("test/cat/", "test/Cat/"),
    "no images in train/emu/; every class needs some in train and test": FILES | {"test/emu/": b""},
    "no images in test/cat/, but 1 loose file in test/, whose classes are unknown": {
        **wrapped("train/", CATS_AND_DOGS),
        "test/0.png": IMAGE,
    },
}


@pytest.mark.parametrize("ending", LAYOUTS)
@pytest.mark.parametrize("message", REFUSED)
def test_any_other_layout_is_one_line_that_says_what_was_found(message, ending, tmp_path):
    refused = outcome(pack(REFUSED[message], tmp_path, ending))
    assert refused.startswith(f"PATH: {message}".replace("tr/, te/", "te/, tr/"))


def test_a_path_that_names_the_folder_of_a_split_is_told_of_the_folder_above(tmp_path):
    message = outcome(pack(FILES, tmp_path) / "train")
    assert "found the classes cat/, dog/" in message
    assert message.endswith("or name the folder above as the path")


def test_a_folder_of_other_things_is_looked_at_only_at_its_surface(tmp_path, monkeypatch):
    """A mistyped path may lead to a whole disk."""
    path = pack({f"{a}/{b}/{c}/{d}/x": b"" for a in "abc" for b in "abc" for c in "abc" for d in "abc"}, tmp_path)
    looked_at, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looked_at.append(folder) or scan(folder))
    assert "found the folders a/, b/, c/" in outcome(path)
    assert max(len(folder.relative_to(path).parts) for folder in looked_at) <= 2


def test_links_to_folders_are_read_in_a_folder_and_named_in_an_archive(tmp_path):
    path = pack(moved("test/cat/", "cats/", FILES), tmp_path)
    (path / "test" / "cat").symlink_to("../cats")
    assert len(dataset(path).read(tmp_path).test_images) == 4
    with tarfile.open(tmp_path / "linked.tar", "w") as archive:
        archive.add(path, "")
    assert "test/cat: is a link, a pipe or a device; pack the file itself" in outcome(tmp_path / "linked.tar")
    (path / "test" / "emu").symlink_to("nowhere")
    assert "test/emu: No such file or directory (a broken link)" in outcome(path)


def test_a_link_to_a_folder_in_a_zip_is_named(tmp_path):
    path = pack(FILES, tmp_path, ".zip")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("train/emu")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../cats")
    assert outcome(path).startswith("train/emu: not a readable image (a link); pack the file itself")


def test_an_unreadable_folder_is_named(tmp_path, monkeypatch):
    path, scan = pack(FILES, tmp_path), os.scandir

    def refuse(folder):
        if str(folder).endswith("cat"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"train/cat: Permission denied .*/cat belongs to .*, mode 755.; allow to read"):
        dataset(path).read(tmp_path)


@pytest.mark.parametrize("system", [0, 3, 11])
@pytest.mark.parametrize("before", ["", "flowers\\", "C:\\Users\\me\\"])
def test_backslashes_in_a_zip_are_slashes(before, system, plain, tmp_path):
    files = {name.replace("/", "\\"): data for name, data in wrapped(before).items()}
    files |= {f"{before}train\\": b"", f"{before}train\\cat\\": b""}
    assert outcome(rename_in_zip(tmp_path / "toy.zip", files, system)) == plain


def test_a_zip_of_windows_may_mix_slashes(plain, tmp_path):
    files = {name.replace("/", "\\", 1): data for name, data in FILES.items()}
    assert outcome(rename_in_zip(tmp_path / "toy.zip", files, system=0)) == plain


def test_a_backslash_in_a_name_of_linux_is_no_separator(tmp_path):
    files = FILES | {"train/cat/a\\b.png": IMAGE}
    assert outcome(pack(files, tmp_path)) == outcome(pack(files, tmp_path, ".zip"))


@pytest.mark.parametrize("before", ["\\", "..\\", "/", "a\\..\\..\\"])
def test_names_with_backslashes_that_lead_out_are_refused(before, tmp_path):
    files = {(before + name).replace("/", "\\"): data for name, data in FILES.items()}
    assert "its path leads out of the archive" in outcome(rename_in_zip(tmp_path / "toy.zip", files))


def test_names_in_utf8_without_the_flag_are_read_as_utf8(tmp_path):
    """macOS packs them so; the class would have another name than in the folder."""
    files = moved("train/cat/", "train/chaton été/", moved("test/cat/", "test/chaton été/"))
    expected = outcome(pack(files, tmp_path))
    assert "chaton été" in expected[1]
    assert outcome(rename_in_zip(tmp_path / "toy.zip", files, flags=0)) == expected


def test_a_zip_with_a_password_is_named(tmp_path):
    path = rename_in_zip(tmp_path / "toy.zip", FILES, flags=1)
    assert "is encrypted; pack it again without a password" in outcome(path)


def test_a_class_may_be_spelled_in_two_normal_forms(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Kätzchen") for form in ("NFC", "NFD"))
    mixed = moved("train/cat/", f"train/{composed}/", moved("test/cat/", f"test/{decomposed}/"))
    same = moved("train/cat/", f"train/{composed}/", moved("test/cat/", f"test/{composed}/"))
    assert outcome(pack(mixed, tmp_path / "mixed")) == outcome(pack(same, tmp_path / "same"))
    # A name that is spelled in one way keeps its spelling, and the digest of its folder.
    other = moved("train/cat/", f"train/{decomposed}/", moved("test/cat/", f"test/{decomposed}/"))
    assert outcome(pack(other, tmp_path / "other"))[1] == (decomposed, "dog")


def test_names_are_the_same_in_every_locale(tmp_path):
    files = moved("train/cat/", "train/狗/", moved("test/cat/", "test/狗/")) | {"train/dog/1.é": b""}
    paths = [pack(files, tmp_path, ending) for ending in LAYOUTS]
    program = "import sys, pathlib, packed; print([ascii(packed.outcome(pathlib.Path(p))) for p in sys.argv[1:]])"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": f"{ROOT}:{ROOT}/tests"}
    command = [sys.executable, "-c", program, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ascii_only, check=True)
    assert ast.literal_eval(done.stdout) == [ascii(outcome(paths[0]))] * 3


def test_a_member_with_a_hostile_depth_costs_nothing(plain, tmp_path):
    name = "/".join("d" * 20_000)
    *arrays, _ = outcome(pack(wrapped("flowers/") | {f"more/{name}/x.txt": b""}, tmp_path, ".tar"))
    assert tuple(arrays) == plain[:-1]


def test_one_line_and_exit_status_2(tmp_path, capsys):
    path = pack(CATS_AND_DOGS, tmp_path)
    assert main(["prepare", f"{{name: toy, source: image_folder, path: {path}}}", "--data-dir", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: found the classes cat/, dog/")


# Names that mean something, names that do not, and contents of which some are no images.
FOLDERS = st.sampled_from(["train", "test", "Train", "val", "cat", "dog", "a", ".git", "@eaDir", "Kätzchen"])
NAMES = st.sampled_from(["0.png", "1.PNG", "2.jpg", "3.heic", "noname", "Thumbs.db", "notes.txt", ".x.png", "t.zip"])
CONTENTS = st.sampled_from([IMAGE, FILES["train/dog/1.png"], FILES["test/cat/0.png"], FILES["test/dog/1.png"], b""])
PATHS = st.tuples(st.lists(FOLDERS, max_size=5), NAMES).map(lambda parts: "/".join([*parts[0], parts[1]]))
RANDOM = st.dictionaries(PATHS, CONTENTS, max_size=8)
EMPTY = st.lists(st.lists(FOLDERS, min_size=1, max_size=4).map(lambda parts: "/".join(parts) + "/"), max_size=2)
BASES = st.sampled_from([{}, FILES, CATS_AND_DOGS, wrapped("w/"), wrapped("test/"), moved("test/", "val/")])


def test_a_folder_and_an_archive_of_it_always_mean_the_same(tmp_path_factory):
    outcomes = Counter()

    @given(BASES, RANDOM, EMPTY, st.sampled_from([None, 0.3]), st.randoms(use_true_random=False))
    def check(base, more, empty, test_frac, order):
        files, folders = base | more, dict.fromkeys(empty, b"")
        folder = tmp_path_factory.mktemp("same")
        expected = outcome(pack(files | folders, folder / "0"), test_frac=test_frac)
        for number, ending in enumerate((".zip", ".tar", ".tar.gz"), start=1):
            # Some archives name folders, others leave them to be known by their files, in the order of a disk.
            ends = [(name, i) for name in files for i, letter in enumerate(name) if letter == "/"]
            named = {name[: i + 1]: b"" for name, i in ends if order.random() < 0.3}
            entries = list((named | files | folders).items())
            order.shuffle(entries)
            assert outcome(pack(dict(entries), folder / str(number), ending), test_frac=test_frac) == expected
        outcomes["refused" if isinstance(expected, str) else "read"] += 1

    check()
    assert min(outcomes["refused"], outcomes["read"]) > 0.1 * outcomes.total()

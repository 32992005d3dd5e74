import shutil
import tarfile
import tracemalloc

import numpy as np
import pytest
from conftest import encode, toy_files, write_archive, write_folder
from PIL import Image

from anytime_pruning import run_stream
from anytime_pruning.datasets import image_folder, load_dataset, parse_dataset
from anytime_pruning.datasets.cache import cache_path, cached_train_count
from anytime_pruning.datasets.pixel_statistics import channel_statistics
from anytime_pruning.foundation.errors import DataError


def folder_dataset(path, **changes):
    settings = {"name": "toy", "source": "image_folder", "path": str(path), "image_size": 6}
    return parse_dataset(settings | changes)


def pack(files, tmp_path, kind):
    return write_folder(files, tmp_path / "toy") if kind == "folder" else write_archive(files, tmp_path / f"toy{kind}")


def test_digits_are_real_scans_in_a_fixed_stratified_split(data_dir):
    arrays = load_dataset(parse_dataset("digits"), data_dir)
    assert arrays.train_images.shape == (1437, 1, 8, 8)
    assert arrays.test_images.shape == (360, 1, 8, 8)
    assert arrays.train_images.dtype == np.uint8
    assert arrays.train_images.max() == 255
    assert np.bincount(arrays.test_labels).min() >= 34
    assert not arrays.flip
    everything = np.concatenate([arrays.train_images, arrays.test_images])
    assert len(everything) == 1797
    assert cached_train_count(parse_dataset("digits"), data_dir) == 1437


@pytest.mark.parametrize("kind", ["folder", ".tar", ".tar.xz", ".tar.gz", ".zip"])
def test_a_folder_and_its_archives_give_the_same_arrays_and_digest(kind, tmp_path):
    arrays = load_dataset(folder_dataset(pack(toy_files(), tmp_path, kind)), tmp_path)
    assert arrays.class_names == ("cat", "dog")
    assert arrays.train_images.shape == (8, 3, 6, 6)
    assert arrays.train_images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 50, 60, 70]
    assert arrays.train_labels.tolist() == [0] * 4 + [1] * 4
    assert arrays.test_images[:, 2, 5, 5].tolist() == [100, 110, 120, 130]
    reference = load_dataset(folder_dataset(write_folder(toy_files(), tmp_path / "again"), name="again"), tmp_path)
    assert arrays.content_sha256 == reference.content_sha256


def test_archive_order_does_not_matter(tmp_path):
    files = toy_files()
    backwards = dict(reversed(files.items()))
    one, other = (
        load_dataset(folder_dataset(write_archive(content, tmp_path / f"{name}.tar"), name=name), tmp_path)
        for name, content in (("one", files), ("other", backwards))
    )
    assert np.array_equal(one.train_images, other.train_images)
    assert one.content_sha256 == other.content_sha256


def test_a_wrapping_folder_and_stray_files_are_understood(tmp_path):
    files = {f"./wrapped/{name}": content for name, content in toy_files().items()}
    files |= {
        "wrapped/README.txt": b"hello",
        "wrapped/train/cat/.hidden.png": b"x",
        "wrapped/train/cat/notes.txt": b"x",
    }
    arrays = load_dataset(folder_dataset(write_archive(files, tmp_path / "toy.tar")), tmp_path)
    assert arrays.train_images.shape == (8, 3, 6, 6)


def test_two_files_of_one_name_are_named_not_merged(tmp_path):
    """Without this refusal, one of two images below different wrapping folders would silently replace the other."""
    files = {f"{wrapper}/{name}": content for wrapper in "ab" for name, content in toy_files().items()}
    with pytest.raises(
        DataError, match=r"found a/train/, b/train/, any of which could be meant; name the folder above"
    ):
        load_dataset(folder_dataset(write_archive(files, tmp_path / "toy.tar")), tmp_path)


def test_constants_are_measured_unless_given(tmp_path):
    path = write_folder(toy_files(), tmp_path / "toy")
    measured = load_dataset(folder_dataset(path), tmp_path)
    pixels = measured.train_images / 255
    assert measured.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-4)
    assert measured.std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-4)
    given = load_dataset(folder_dataset(path, mean=[0.1, 0.2, 0.3], std=[1, 2, 3]), tmp_path)
    assert (given.mean, given.std) == ((0.1, 0.2, 0.3), (1, 2, 3))


def test_statistics_of_a_constant_channel_do_not_divide_by_zero():
    assert channel_statistics(np.zeros((4, 1, 2, 2), np.uint8)) == ((0.0,), (1e-4,))


@pytest.mark.parametrize("shape", [(2500, 3, 4, 4), (9, 2, 700, 900), (3, 1, 1100, 1100)])
def test_statistics_of_large_images_take_little_memory(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    tracemalloc.start()
    mean, std = channel_statistics(images)
    assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
    tracemalloc.stop()
    assert mean == pytest.approx(images.mean(axis=(0, 2, 3)) / 255, abs=1e-4)
    assert std == pytest.approx(images.std(axis=(0, 2, 3)) / 255, abs=1e-4)


def test_statistics_that_are_given_are_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "channel_statistics", None)
    given = folder_dataset(write_folder(toy_files(), tmp_path / "toy"), mean=[0, 0, 0], std=[1, 2, 3])
    assert load_dataset(given, tmp_path).mean == (0, 0, 0)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_image_modes_are_converted(mode, channels, tmp_path):
    files = toy_files()
    kind = "TIFF" if mode == "CMYK" else "PNG"
    name = f"train/cat/0.{kind.lower()}"
    del files["train/cat/0.png"]
    files[name] = encode(Image.new("RGB", (6, 6), (255, 255, 255)).convert(mode), kind)
    dataset = folder_dataset(write_folder(files, tmp_path / "toy"), channels=channels)
    arrays = load_dataset(dataset, tmp_path)
    assert arrays.image_shape == (channels, 6, 6)
    assert arrays.train_images[0].min() >= 254


def test_sixteen_bit_images_are_named_not_clipped(tmp_path):
    files = toy_files() | {"train/dog/deep.png": encode(Image.fromarray(np.full((6, 6), 40_000, np.uint16)))}
    with pytest.raises(DataError, match=r"train/dog/deep.png.*mode I;16 is not supported"):
        load_dataset(folder_dataset(write_folder(files, tmp_path / "toy")), tmp_path)


def test_images_of_any_size_are_cut_to_the_centre_and_scaled(tmp_path):
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = 200  # the centre square
    files = toy_files() | {"train/cat/0.png": encode(Image.fromarray(wide))}
    arrays = load_dataset(folder_dataset(write_folder(files, tmp_path / "toy")), tmp_path)
    assert (arrays.train_images[0] == 200).all()


@pytest.mark.parametrize("content", [b"", b"not an image", encode(Image.new("RGB", (64, 64), (9, 90, 200)))[:-60]])
def test_an_unreadable_image_is_named_and_leaves_no_cache(content, tmp_path):
    dataset = folder_dataset(write_archive(toy_files() | {"test/dog/1.png": content}, tmp_path / "toy.zip"))
    with pytest.raises(DataError, match=r"test/dog/1.png in .*toy.zip: not a readable image .*; replace or remove it"):
        load_dataset(dataset, tmp_path)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


@pytest.mark.parametrize("kind", ["folder", ".tar", ".zip"])
def test_a_class_folder_without_images_is_named(kind, tmp_path):
    path = pack(toy_files(), tmp_path, kind)
    if kind == "folder":
        (path / "train" / "emu").mkdir()
    elif kind == ".zip":
        path = write_archive(toy_files() | {"train/emu/": b""}, path)
    else:
        with tarfile.open(path, "a") as archive:
            member = tarfile.TarInfo("train/emu")
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
    with pytest.raises(DataError, match="no images in train/emu/"):
        load_dataset(folder_dataset(path), tmp_path)


def test_an_image_that_lies_too_deep_is_named_not_left_out(tmp_path):
    files = toy_files() | {"train/cat/more/1.png": toy_files()["train/cat/1.png"]}
    for kind in ("folder", ".zip"):
        with pytest.raises(DataError, match=r"train/cat/more/1\.png: lies too deep; images belong in train/cat/"):
            load_dataset(folder_dataset(pack(files, tmp_path, kind)), tmp_path)


@pytest.mark.parametrize("link", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_links_in_a_tar_are_named_not_left_out(link, tmp_path):
    path = write_archive(toy_files(), tmp_path / "toy.tar")
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("train/cat/copy.png")
        member.type, member.linkname = link, "train/cat/0.png"
        archive.addfile(member)
    with pytest.raises(
        DataError, match=r"train/cat/copy\.png in .*: is a link, a pipe or a device; pack the file itself"
    ):
        load_dataset(folder_dataset(path), tmp_path)


def test_linked_files_in_a_folder_are_read(tmp_path):
    path = write_folder(toy_files(), tmp_path / "toy")
    (path / "train" / "cat" / "copy.png").symlink_to(path / "train" / "dog" / "0.png")
    assert len(load_dataset(folder_dataset(path), tmp_path).train_images) == 9


@pytest.mark.parametrize("ending", [".tar.gz", ".tar"])
def test_every_damaged_byte_of_a_gzip_is_noticed(ending, tmp_path):
    """One flipped bit, anywhere in the file, gives an error that names the archive, and never other images.

    The first 30 bytes are left alone, because gzip keeps an unchecked file name there.
    """
    path = write_archive(toy_files(), tmp_path / "toy.tar.gz").rename(tmp_path / f"toy{ending}")
    good = path.read_bytes()
    for position in range(30, len(good), max(1, len(good) // 60)):
        damaged = bytearray(good)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="toy"):
            folder_dataset(path).read(tmp_path)
    for missing in range(1, 60, 3):
        path.write_bytes(good[:-missing])
        with pytest.raises(DataError, match="toy"):
            folder_dataset(path).read(tmp_path)


def test_a_damaged_zip_is_an_error_or_the_same_images(tmp_path):
    path = write_archive(toy_files(), tmp_path / "toy.zip")
    good = path.read_bytes()
    images = folder_dataset(path).read(tmp_path).train_images
    for position in range(0, len(good), max(1, len(good) // 150)):
        damaged = bytearray(good)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        try:
            found = folder_dataset(path).read(tmp_path).train_images
        except DataError:
            continue
        # A zip has no checksum over names, times and attributes. Another test covers a name that appears twice.
        assert found.shape[0] != 8 or np.array_equal(np.sort(found, axis=0), np.sort(images, axis=0))


def test_a_class_missing_from_the_test_set_is_named(tmp_path):
    files = {name: content for name, content in toy_files().items() if not name.startswith("test/dog")}
    with pytest.raises(DataError, match="no images in test/dog/"):
        load_dataset(folder_dataset(write_folder(files, tmp_path / "toy")), tmp_path)


def test_a_folder_without_classes_is_named(tmp_path):
    (tmp_path / "toy").mkdir()
    with pytest.raises(DataError, match="0 class folders"):
        load_dataset(folder_dataset(tmp_path / "toy"), tmp_path)


@pytest.mark.parametrize("kind", [".tar", ".tar.xz", ".tar.gz", ".zip"])
def test_a_corrupt_archive_is_named(kind, tmp_path):
    path = pack(toy_files(n_train=40), tmp_path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"toy{kind}: the archive is corrupt .*fetch it again"):
        load_dataset(folder_dataset(path), tmp_path)
    assert cached_train_count(folder_dataset(path), tmp_path) is None


def test_a_missing_archive_and_an_unknown_kind_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.zip: no such folder or archive"):
        load_dataset(folder_dataset(tmp_path / "nowhere.zip"), tmp_path)
    (tmp_path / "toy.rar").write_bytes(b"Rar!")
    with pytest.raises(DataError, match=r"toy.rar: not a folder or an archive of a known kind; allowed: .tar"):
        load_dataset(folder_dataset(tmp_path / "toy.rar"), tmp_path)


def test_declared_content_is_checked(tmp_path):
    path = write_folder(toy_files(), tmp_path / "toy")
    digest = load_dataset(folder_dataset(path), tmp_path).content_sha256
    assert load_dataset(folder_dataset(path, content_sha256=digest), tmp_path).content_sha256 == digest
    with pytest.raises(DataError, match=f"content_sha256 is {digest}, expected {'0' * 64}"):
        load_dataset(folder_dataset(path, content_sha256="0" * 64), tmp_path)


def test_the_cache_is_read_again_without_the_source_when_its_content_is_declared(tmp_path):
    path = write_archive(toy_files(), tmp_path / "toy.tar")
    dataset = folder_dataset(path)
    dataset = folder_dataset(path, content_sha256=load_dataset(dataset, tmp_path).content_sha256)
    first = load_dataset(dataset, tmp_path)
    path.unlink()
    again = load_dataset(dataset, tmp_path)
    assert np.array_equal(first.train_images, again.train_images)
    assert again.mean == first.mean
    assert cached_train_count(dataset, tmp_path) == 8


def test_changed_files_are_read_again(tmp_path, capsys):
    path = write_folder(toy_files(), tmp_path / "toy")
    load_dataset(folder_dataset(path), tmp_path)
    assert cached_train_count(folder_dataset(path), tmp_path) == 8
    write_folder({"train/cat/9.png": toy_files()["test/cat/0.png"]}, path)
    # A stream that fits the nine images must not be refused because of the eight of before.
    assert cached_train_count(folder_dataset(path), tmp_path) is None
    assert len(load_dataset(folder_dataset(path), tmp_path).train_images) == 9
    assert "was made from other source files; making it again" in capsys.readouterr().err
    # A corrected label changes the name of a file, but neither its size, its time nor its place in the order.
    (path / "train" / "cat" / "9.png").rename(path / "train" / "dog" / "+9.png")
    assert load_dataset(folder_dataset(path), tmp_path).train_labels.tolist() == [0] * 4 + [1] * 5
    assert cached_train_count(folder_dataset(path), tmp_path) == 9
    shutil.rmtree(path)
    assert cached_train_count(folder_dataset(path), tmp_path) is None


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_cache_is_noticed_and_made_again(damage, tmp_path, capsys):
    dataset = folder_dataset(write_folder(toy_files(), tmp_path / "toy"))
    good = load_dataset(dataset, tmp_path)
    path = cache_path(dataset, tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-5] ^= 1
    path.write_bytes(content if damage == "flip" else content[:-100])
    assert np.array_equal(load_dataset(dataset, tmp_path).test_images, good.test_images)
    assert "making it again" in capsys.readouterr().err


def test_test_images_that_are_training_images_are_counted_whatever_their_labels(tmp_path, capsys):
    files = toy_files()
    same = files["train/cat/0.png"]
    files |= {"test/cat/0.png": same, "test/dog/1.png": same, "test/dog/0.png": files["train/dog/3.png"]}
    dataset = folder_dataset(write_folder(files, tmp_path / "toy"))
    for _ in ("read from the folder", "read from the cache"):
        assert load_dataset(dataset, tmp_path / "data").test_images_in_train == 3
    others = folder_dataset(write_folder(toy_files(), tmp_path / "other"))
    assert load_dataset(others, tmp_path / "data").test_images_in_train == 0


def test_a_run_on_such_images_says_so_and_goes_on(tiny, tmp_path, capsys):
    files = toy_files(n_train=16)
    files["test/dog/0.png"] = files["train/cat/0.png"]
    toy = {"name": "toy", "source": "image_folder", "path": str(write_folder(files, tmp_path / "toy")), "image_size": 8}
    metrics = run_stream(tiny(dataset=toy, train_limit=32, n_megabatches=1, epochs=1), tmp_path / "run")
    count = metrics["test_images_in_train"]
    assert count > 0
    assert f"warning: toy: {count} test images are also training images" in capsys.readouterr().err

"""Test how single image files are decoded: their orientation, AVIF, and formats that need care."""

import hashlib
import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
from conftest import ROOT, encode, toy_files, write_folder
from packed import dataset, outcome, pack
from PIL import Image, ImageOps

from anytime_pruning.datasets import cache, decoding, load_dataset
from anytime_pruning.datasets.decoding import decode_all, decode_image
from anytime_pruning.datasets.layouts import names
from anytime_pruning.datasets.members import ImageFile
from anytime_pruning.foundation.errors import DataError

FILES = toy_files()
# Four quarters of different brightness, wider than high; the cut to a square removes the outer columns.
PIXELS = np.kron(np.array([[0, 80, 160, 240], [40, 120, 200, 255]], np.uint8), np.ones((8, 8), np.uint8))
UPRIGHT = Image.fromarray(PIXELS).convert("RGB")
# What a camera stores for each orientation so that, turned, the image is UPRIGHT again.
STORED = {
    1: UPRIGHT,
    2: UPRIGHT.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: UPRIGHT.transpose(Image.Transpose.ROTATE_180),
    4: UPRIGHT.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: UPRIGHT.transpose(Image.Transpose.TRANSPOSE),
    6: UPRIGHT.transpose(Image.Transpose.ROTATE_90),
    7: UPRIGHT.transpose(Image.Transpose.TRANSVERSE),
    8: UPRIGHT.transpose(Image.Transpose.ROTATE_270),
}


def file_of(content):
    return ImageFile(("train", "cat", "x"), content, "train/cat/x")


def save(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_orientation(orientation, kind, image=None, **options):
    metadata = Image.Exif()
    metadata[0x0112] = orientation
    return save(image or STORED[orientation], kind, exif=metadata.tobytes(), **options)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_images_are_turned_upright_before_they_are_cut(kind, orientation):
    if kind == "AVIF" and not names.reads_avif():
        pytest.skip("this Pillow reads no AVIF")
    options = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.get(kind, {"quality": 100})
    found = decode_image(file_of(with_orientation(orientation, kind, **options)), 16, 3)
    expected = np.asarray(ImageOps.fit(UPRIGHT, (16, 16), Image.Resampling.BOX)).transpose(2, 0, 1)
    assert np.abs(found.astype(int) - expected).max() <= (0 if kind in ("PNG", "TIFF", "WEBP") else 8)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_turns_nothing(orientation):
    found = decode_image(file_of(with_orientation(orientation, "PNG", UPRIGHT)), 16, 3)
    assert np.array_equal(found, decode_image(file_of(encode(UPRIGHT)), 16, 3))


@pytest.mark.parametrize("damage", [b"", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 50])
def test_damaged_metadata_are_no_reason_to_refuse_an_image(damage):
    good = encode(UPRIGHT, "JPEG")
    content = good[:2] + b"\xff\xe1" + (len(damage) + 8).to_bytes(2, "big") + b"Exif\0\0" + damage + good[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.array_equal(decode_image(file_of(content), 16, 3), decode_image(file_of(good), 16, 3))


def test_the_digest_is_that_of_the_bytes_and_not_of_the_turned_pixels():
    content = with_orientation(6, "PNG")
    ((_, image),) = decode_all([file_of(content)], 6, 3)
    assert image.sha256 == hashlib.sha256(content).digest()


def test_a_cache_of_the_version_before_is_decoded_again(tmp_path, monkeypatch):
    path = pack(FILES | {"train/cat/0.png": with_orientation(6, "PNG")}, tmp_path)
    with monkeypatch.context() as before:
        before.setattr(cache, "CACHE_VERSION", 2)
        before.setattr(decoding, "UPRIGHT", {})
        lying = load_dataset(dataset(path), tmp_path)
    upright = load_dataset(dataset(path), tmp_path)
    assert lying.content_sha256 == upright.content_sha256
    assert not np.array_equal(lying.train_images[0], upright.train_images[0])


@pytest.mark.skipif(not names.reads_avif(), reason="this Pillow reads no AVIF")
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_avif_is_read(ending, tmp_path):
    files = FILES | {"train/cat/new.AVIF": encode(Image.new("RGB", (9, 9), (200, 200, 200)), "AVIF")}
    read = dataset(pack(files, tmp_path, ending)).read(tmp_path)
    assert len(read.train_images) == 9
    assert read.notes == ()


def test_avif_that_pillow_does_not_read_is_left_out_and_said(tmp_path, monkeypatch):
    for module in (names, decoding):
        monkeypatch.setattr(module, "reads_avif", lambda: False)
    names.readable_suffixes.cache_clear()
    decoding._formats.cache_clear()
    monkeypatch.setattr("anytime_pruning.datasets.layouts.left_out.reads_avif", lambda: False)
    try:
        *_, notes = outcome(pack(FILES | {"train/cat/new.avif": b""}, tmp_path))
        assert notes == ("left out: 1 .avif (read by Pillow 11.3 or newer)",)
        assert "AVIF" not in decoding._formats()
    finally:
        names.readable_suffixes.cache_clear()
        decoding._formats.cache_clear()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(kind):
    frames = [Image.new("RGB", (6, 6), (value, value, value)) for value in (40, 200)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = save(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert set(decode_image(file_of(content), 6, 3).ravel().tolist()) == {40}


def test_what_pillow_warns_of_is_not_shown(tmp_path):
    """Transparency of a palette is dropped like any other."""
    palette = save(UPRIGHT.convert("P"), "PNG", transparency=bytes(range(200)))
    path = pack(FILES | {"train/cat/palette.png": palette}, tmp_path)
    command = [sys.executable, "-m", "anytime_pruning", "prepare", f"{{name: x, source: image_folder, path: {path}}}"]
    done = subprocess.run([*command, "--data-dir", tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_unreadable_images_are_counted_and_the_first_by_name_is_named(tmp_path):
    """An archive has its files in another order, but must give the same line."""
    files = FILES | {"train/dog/z.png": b"", "train/cat/b.png": b"x", "test/dog/1.png": b"<html>"}
    for number, (ending, order) in enumerate((("", 1), (".tar", 1), (".tar", -1), (".zip", -1))):
        path = pack(dict(list(files.items())[::order]), tmp_path / str(number), ending)
        assert outcome(path) == (
            "test/dog/1.png: not a readable image (unknown format); replace or remove it (and 2 more files like it)"
        )


def test_nothing_is_cached_if_an_image_is_unreadable(tmp_path):
    path = write_folder(FILES | {"train/cat/b.png": b""}, tmp_path / "toy")
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        load_dataset(dataset(path), tmp_path)
    assert [found.suffix for found in (tmp_path / "cache").iterdir()] == [".lock"]

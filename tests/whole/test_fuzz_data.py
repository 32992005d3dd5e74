"""Test that archives, images and caches with random damage are read correctly or refused in one line.

`make test` tries a bounded number of examples, which are always the same. `make fuzz` tries 10,000 new examples of each
kind.
"""

from collections import Counter

import numpy as np
import pytest
from conftest import encode, toy_files, write_archive
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anytime_pruning.datasets import decoding, load_dataset, parse_dataset
from anytime_pruning.datasets.cache import cache_path
from anytime_pruning.datasets.decoding import decode_image
from anytime_pruning.datasets.members import ImageFile
from anytime_pruning.foundation.errors import MESSAGE_LIMIT, DataError

# This is the number of examples of each kind; the profile `fuzz` has more examples.
COUNT = settings(max_examples=max(100, settings.default.max_examples))
FILES = toy_files(n_train=2, n_test=1)
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)


def damaged(content, most=3):
    """Draw bytes with up to `most` edits: a flipped bit, a removed, repeated or overwritten piece, or a missing end."""
    edits = st.tuples(
        st.integers(0, 5), st.integers(0, len(content)), st.sampled_from([1, 8, 100, 500, 5000]), st.binary(max_size=20)
    )
    return st.lists(edits, min_size=1, max_size=most).map(lambda edits: _damage(content, edits))


def _damage(content, edits):
    for kind, place, length, new in edits:
        before, found, rest = content[:place], content[place : place + length], content[place + length :]
        changed = bytes(byte ^ 1 << length % 8 for byte in found[:1]) + found[1:]
        middle = (changed, b"", found + found, new, b"\0" * len(found), b"")[kind]
        content = before + middle + (rest if kind < 5 else b"")
    return content


def check_message(error, name):
    assert name in str(error)
    assert str(error).isprintable()
    assert len(str(error)) <= MESSAGE_LIMIT


def report(what, outcomes):
    print(f"\n{what}: " + ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items())))
    assert outcomes["refused"] > 0.05 * outcomes.total()


@pytest.mark.parametrize("kind", [".tar", ".tar.gz", ".tar.xz", ".zip"])
def test_any_archive(kind, tmp_path):
    outcomes, path = Counter(), tmp_path / f"toy{kind}"
    dataset = parse_dataset({"name": "toy", "source": "image_folder", "path": str(path), "image_size": 6})
    good = write_archive(FILES, path).read_bytes()
    images = load_dataset(dataset, tmp_path).train_images
    cache = cache_path(dataset, tmp_path)

    @COUNT
    @given(st.one_of(damaged(good, 1 if kind == ".tar" else 3), st.binary(max_size=2000)))
    def check(content):
        for name in cache.parent.glob("*.safetensors"):
            name.unlink()
        path.write_bytes(content)
        try:
            found = load_dataset(dataset, tmp_path)
        except DataError as error:
            check_message(error, path.name)
            outcomes["refused"] += 1
        else:
            # One damage to a tar loses no file, because its headers have checksums. A zip has no checksum over names.
            if kind != ".zip":
                assert len(found.train_images) >= len(images)
            outcomes["accepted"] += 1
        left = {".lock", ".safetensors"} if cache.exists() else {".lock"}
        assert {file.suffix for file in cache.parent.iterdir()} == left
        assert {file.name for file in tmp_path.iterdir()} == {path.name, "cache"}

    check()
    report(f"archives {kind}", outcomes)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", sorted(decoding._formats()))
def test_any_image(kind):
    outcomes = Counter()

    @COUNT
    @given(st.one_of(damaged(encode(Image.fromarray(PIXELS), kind)), st.binary(max_size=500)))
    def check(content):
        try:
            file = ImageFile(("train", "cat", "x.png"), content, "train/cat/x.png")
            pixels = decode_image(file, image_size=6, channels=3)
        except DataError as error:
            check_message(error, "train/cat/x.png: ")
            outcomes["refused"] += 1
        else:
            assert (pixels.shape, pixels.dtype) == ((3, 6, 6), np.uint8)
            outcomes["accepted"] += 1

    check()
    report(f"images {kind}", outcomes)


def test_any_cache(tmp_path, capsys):
    """Check that a cache is read as it was written, or is reported as damaged and made again."""
    outcomes = Counter()
    archive = write_archive(FILES, tmp_path / "toy.tar")
    dataset = parse_dataset({"name": "toy", "source": "image_folder", "path": str(archive), "image_size": 6})
    images = load_dataset(dataset, tmp_path).train_images
    path = cache_path(dataset, tmp_path)
    good = path.read_bytes()

    @COUNT
    @given(st.one_of(damaged(good), st.binary(max_size=500)))
    def check(content):
        path.write_bytes(content)
        assert np.array_equal(load_dataset(dataset, tmp_path).train_images, images)
        assert path.read_bytes() in (good, content)
        outcomes["refused" if "making it again" in capsys.readouterr().err else "accepted"] += 1

    check()
    report("caches", outcomes)

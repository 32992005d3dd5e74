"""Test that harmful or damaged archives and folders are refused by name, without anything being written."""

import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from itertools import repeat

import numpy as np
import pytest
from conftest import ROOT, encode, toy_files, write_archive, write_folder
from PIL import Image

from anytime_pruning.datasets import archive_limits, archives, decoding, load_dataset, parse_dataset
from anytime_pruning.datasets.members import ImageFile
from anytime_pruning.foundation.errors import DataError

TARS = (".tar", ".tar.gz", ".tar.xz")
KINDS = (*TARS, ".zip")
# These types of headers hold a long name, or attributes of the member that follows.
DESCRIBING = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
OPENERS = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


def dataset_of(path):
    return parse_dataset({"name": "toy", "source": "image_folder", "path": str(path), "image_size": 6})


def refuse(path, message, tmp_path):
    """Check that a dataset is refused with a message, in little memory, and that only a lock is written."""
    before = {found for found in tmp_path.rglob("*") if "cache" not in found.parts}
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message) as error:
            load_dataset(dataset_of(path), tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 30 * 2**20
    finally:
        tracemalloc.stop()
    assert str(error.value).isprintable()
    assert {found for found in tmp_path.rglob("*") if "cache" not in found.parts} == before
    assert {found.suffix for found in (tmp_path / "cache").iterdir()} == {".lock"}


def add(path, name, content=b"", kind=tarfile.REGTYPE, link="", size=None):
    """Append a member to a tar; `size` is the size that its header claims."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.size = kind, link, len(content)
    if size is not None:
        header.size = size
    with tarfile.open(path) as archive:
        end = max(member.offset_data + -(-member.size // 512) * 512 for member in archive)
    blocks = header.tobuf(tarfile.GNU_FORMAT) + content + b"\0" * (-len(content) % 512)
    path.write_bytes(path.read_bytes()[:end] + blocks + b"\0" * 1024)
    return path


@pytest.fixture
def tar(tmp_path):
    return write_archive(toy_files(), tmp_path / "toy.tar")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["../train/cat/x.png", "/train/cat/x.png", "train/../x.png", "a/../../etc/passwd"])
def test_names_that_lead_out_are_refused(name, kind, tmp_path):
    path = write_archive(toy_files() | {name: toy_files()["train/cat/0.png"]}, tmp_path / f"toy{kind}")
    refuse(path, rf"^{name} in .*toy{kind}: its path leads out of the archive", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_what_is_no_file_is_refused(kind, tar, tmp_path):
    add(tar, "train/cat/x.png", kind=kind, link="/etc/passwd")
    refuse(tar, r"^train/cat/x\.png in .*toy\.tar: is a link, a pipe or a device", tmp_path)


def test_a_link_in_a_zip_is_no_image(tmp_path):
    path = write_archive(toy_files(), tmp_path / "toy.zip")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("train/cat/x.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    refuse(path, r"^train/cat/x\.png in .*toy\.zip: not a readable image", tmp_path)


def test_a_repeated_member_is_refused(tar, tmp_path):
    add(tar, "./train/cat/0.png", toy_files()["train/dog/0.png"])
    refuse(tar, "two files are called train/cat/0.png", tmp_path)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2**27, r"^train/cat/x\.png in .*: 134,217,728 bytes; an image file of more than 64 MiB is not read"),
        (2**40, r"toy\.tar: more than 64 GiB unpacked are not read; name a folder instead"),
        (2**62, r"toy\.tar: more than 64 GiB unpacked are not read; name a folder instead"),
        (-512, r"toy\.tar: the archive is corrupt"),
    ],
)
def test_a_size_that_is_only_claimed_is_refused_at_once(size, message, tar, tmp_path):
    refuse(add(tar, "train/cat/x.png", size=size), message, tmp_path)


@pytest.mark.parametrize("kind", DESCRIBING)
def test_a_long_header_is_not_read_into_memory(kind, tar, tmp_path):
    refuse(add(tar, "x", b"\0" * 512, kind, size=2**40), r"toy\.tar: headers of more than 1 MiB before one", tmp_path)


def numbered(index):
    """Return a pax header of half a megabyte for all members that follow, before a member."""
    record = b"%d %02d=%s\n" % (2**19, index, b"x" * (2**19 - len(b"524288 00=\n")))
    return header_of(tarfile.XGLTYPE, len(record)) + record + header_of(tarfile.REGTYPE, 0)


def header_of(kind, size, name="train/cat/x.png"):
    header = tarfile.TarInfo(name)
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)


def holes():
    """Yield an old header of GNU tar for a sparse file, and blocks that each name 21 more parts of the file."""
    part = b"%011o\0%011o\0" % (1, 1)
    first = bytearray(header_of(tarfile.GNUTYPE_SPARSE, 0))
    first[386:410], first[482:495] = part, b"\1%011o\0" % 1
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\0 " % sum(first)
    yield bytes(first)
    yield from repeat((part * 21 + b"\1").ljust(512, b"\0"), 8 * 2**20 // 512)


def listed_holes():
    """Yield a pax header of GNU tar's newest kind of sparse file, and the list of a hundred million numbers."""
    texts = (b"GNU.sparse.major=1", b"GNU.sparse.minor=0", b"GNU.sparse.realsize=10")
    records = b"".join(b"%d %s\n" % (len(text) + 4, text) for text in texts)
    yield header_of(tarfile.XHDTYPE, len(records)) + records.ljust(512, b"\0") + header_of(tarfile.REGTYPE, 0)
    yield b"99999999\n" + b"1\n" * 8 * 2**19


MANY_HEADERS = {
    "attributes of all": (
        map(numbered, range(16)),
        "attributes of all files of more than 4,096 characters are not read",
    ),
    "holes": (holes(), "headers of more than 1 MiB before one file are not read; pack the files again, without"),
    "listed holes": (listed_holes(), "headers of more than 1 MiB before one file are not read"),
    "small ones": (
        repeat(header_of(tarfile.XGLTYPE, 512) + b"6 a=b\n".ljust(512), 8 * 2**10),
        "headers of more than 1 MiB before one file are not read|maximum recursion depth exceeded",
    ),
}


@pytest.mark.parametrize(("blocks", "message"), MANY_HEADERS.values(), ids=MANY_HEADERS)
def test_many_headers_are_not_read_into_memory(blocks, message, tmp_path):
    path = tmp_path / "toy.tar.xz"
    with lzma.open(path, "wb", preset=0) as file:
        for block in blocks:
            file.write(block)
    assert path.stat().st_size < 2**17
    refuse(path, message, tmp_path)


def test_headers_before_each_file_are_counted_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_limits, "MAX_TOTAL_BYTES", 2**20)
    path = tmp_path / "toy.tar.gz"
    with gzip.open(path, "wb") as file:
        for index in range(2**10):
            file.write(
                header_of(tarfile.XHDTYPE, 512) + b"6 a=b\n".ljust(512) + header_of(tarfile.REGTYPE, 0, str(index))
            )
    refuse(path, "unpacked are not read", tmp_path)


def test_a_sparse_file_that_claims_to_be_huge_is_refused(tar, tmp_path):
    """A pax header of 512 bytes describes an exabyte of zeros."""
    texts = (b"GNU.sparse.map=0,1", b"GNU.sparse.size=%d" % 2**60)
    records = b"".join(b"%d %s\n" % (len(text) + 4, text) for text in texts)
    described = records + b"\0" * (512 - len(records)) + tarfile.TarInfo("train/cat/x.png").tobuf()
    refuse(add(tar, "x", described, tarfile.XHDTYPE, size=len(records)), "more than 64 GiB unpacked", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_members_are_refused(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_limits, "MAX_MEMBERS", 12)
    path = write_archive(toy_files(), tmp_path / f"toy{kind}")
    assert len(load_dataset(dataset_of(path), tmp_path / "data").train_images) == 8
    path = write_archive(toy_files() | {"notes.txt": b""}, path)
    refuse(path, rf"toy{kind}: more than 12 files in an archive are not read", tmp_path)


def test_many_members_take_no_memory(tmp_path):
    path = write_archive(dict.fromkeys(map(str, range(10_000)), b""), tmp_path / "toy.tar")
    tracemalloc.start()
    assert sum(1 for _ in archives.iterate_members(path)) == 10_000
    assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_bytes_are_refused_also_of_files_that_are_no_images(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_limits, "MAX_TOTAL_BYTES", 2**20)
    path = write_archive(toy_files() | {"a.txt": b"\0" * 2**19, "b.txt": b"\0" * 2**19}, tmp_path / f"toy{kind}")
    refuse(path, rf"toy{kind}: more than 0 GiB unpacked are not read", tmp_path)


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_bytes_behind_the_end_are_counted(kind, tar, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_limits, "MAX_TOTAL_BYTES", 2**22)
    path = tmp_path / f"toy.tar.{kind}"
    with OPENERS[f".{kind}"](path, "wb") as file:
        file.write(tar.read_bytes() + b"\0" * 2**23)
    refuse(path, "unpacked are not read", tmp_path)


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_a_bomb_of_zeros_takes_no_memory(kind, tmp_path):
    path = tmp_path / f"toy.tar.{kind}"
    header = tarfile.TarInfo("train/cat/x.png")
    header.size = 100 * 2**20
    options = {"compresslevel": 1} if kind == "gz" else {"preset": 0}
    with OPENERS[f".{kind}"](path, "wb", **options) as file:
        file.write(header.tobuf() + b"\0" * header.size)
    assert path.stat().st_size < 2**20
    refuse(path, "104,857,600 bytes; an image file of more than 64 MiB is not read", tmp_path)


@pytest.mark.parametrize(
    ("method", "message"),
    [(zipfile.ZIP_DEFLATED, r"toy\.zip"), (zipfile.ZIP_BZIP2, "unusual method"), (zipfile.ZIP_LZMA, "unusual method")],
)
def test_a_zip_that_lies_about_sizes_takes_no_memory(method, message, tmp_path):
    """The zip holds 100 MiB of zeros and claims that they are 6 bytes."""
    path = tmp_path / "toy.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("train/cat/x.png", b"\0" * 100 * 2**20)
    size = struct.pack("<I", 100 * 2**20)
    assert path.read_bytes().count(size) == 2
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 6)))
    refuse(path, message, tmp_path)


@pytest.mark.parametrize("kind", TARS)
def test_a_damaged_header_does_not_drop_the_files_that_follow(kind, tmp_path):
    """tarfile alone would take the header for the end, and silently read a smaller dataset."""
    plain = write_archive(toy_files() | {"train/cat/z.png": toy_files()["train/cat/0.png"]}, tmp_path / "toy.tar")
    content = plain.read_bytes()
    start = content.index(b"train/cat/z.png")
    for damaged in (
        content[:start] + b"T" + content[start + 1 :],
        content[:start] + b"\0" * 512 + content[start + 512 :],
        content[: start + 100],
        content[:start],
    ):
        path = tmp_path / f"other{kind}"
        with OPENERS.get(path.suffix, open)(path, "wb") as file:
            file.write(damaged)
        refuse(path, "the archive is corrupt", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe", "is not a regular file"),
        ("device", "is not a regular file"),
        ("nowhere", "No such file"),
        ("folder", "lies too deep"),
        ("large", "1,099,511,627,776 bytes; an image file of more than"),
    ],
)
def test_what_is_no_image_file_in_a_folder_is_refused(name, message, tmp_path):
    """Reading a pipe would wait, and reading a device would never end."""
    folder = write_folder(toy_files(), tmp_path / "toy")
    path = folder / "train" / "cat" / "x.png"
    if name == "pipe":
        os.mkfifo(path)
    elif name == "large":
        with open(path, "wb") as file:
            file.truncate(2**40)
    else:
        path.symlink_to({"device": "/dev/zero", "folder": folder / "test"}.get(name, name))
    refuse(folder, rf"train/cat/x\.png: {message}", tmp_path)


def test_folders_that_lead_round_in_circles_are_refused(tmp_path):
    folder = write_folder(toy_files(), tmp_path / "toy")
    (folder / "train" / "emu").symlink_to(folder / "train")
    refuse(folder, "train/emu/emu: lies too deep; only a class may be a link", tmp_path)
    (folder / "train" / "emu").unlink()
    for name in "abc":
        (folder / "train" / "cat" / name).symlink_to(folder / "train")
    refuse(folder, "train/cat/[abc]: lies too deep; only a class may be a link", tmp_path)


def test_a_pipe_in_place_of_an_archive_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "toy.tar")
    refuse(tmp_path / "toy.tar", r"toy\.tar: not a folder or an archive", tmp_path)


def test_names_that_are_no_text_are_read_alike_from_folder_and_archive(tmp_path):
    files = {os.fsdecode(os.fsencode(name).replace(b"cat", b"c\xfft\n")): data for name, data in toy_files().items()}
    folder = load_dataset(dataset_of(write_folder(files, tmp_path / "toy")), tmp_path)
    archive = load_dataset(dataset_of(write_archive(files, tmp_path / "toy.tar")), tmp_path)
    assert folder.content_sha256 == archive.content_sha256
    files[os.fsdecode(b"train/c\xfft\n/x.png")] = b"no image"
    refuse(
        write_archive(files, tmp_path / "other.tar"), r"train/c\\udcfft\\n/x\.png in .*: not a readable", tmp_path / "x"
    )


def png(width, height, text=b""):
    """Return the smallest PNG that claims a size, with a compressed comment."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    comment = chunk(b"zTXt", b"a\0\0" + zlib.compress(text)) if text else b""
    return b"\x89PNG\r\n\x1a\n" + header + comment + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(8192, 8193), "8192 x 8193 pixels; at most 67,108,864 are read"),
        (png(2**31 - 1, 2**31 - 1), "not a readable image"),
        (png(0, 5), "not a readable image"),
        (png(6, 6, b"\0" * 2**24), "not a readable image .Decompressed data too large"),
        (encode(Image.new("RGB", (64, 64)))[:60], "not a readable image"),
        (encode(Image.new("RGB", (64, 64)), "JPEG")[:400], "not a readable image"),
        (encode(Image.new("RGB", (6, 6)), "EPS"), "not a readable image .unknown format"),
        (encode(Image.fromarray(np.zeros((6, 6), np.float32)), "TIFF"), "image mode F is not supported"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 6\n", "not a readable image .unknown format"),
        (b"<svg/>", "not a readable image .unknown format"),
        (b"BM" + b"\xff" * 100, "not a readable image"),
        (b"P6 99999999 99999999 255\n", "not a readable image"),
        (b"", "not a readable image"),
    ],
)
def test_an_image_that_is_none_is_refused(content, message, tmp_path):
    path = write_archive(toy_files() | {"train/cat/x.png": content}, tmp_path / "toy.zip")
    refuse(path, rf"^train/cat/x\.png in .*toy\.zip: {message}", tmp_path)


def test_a_large_image_is_one_line_without_a_warning(tmp_path):
    path = write_archive(toy_files() | {"train/cat/x.png": png(10_000, 10_000)}, tmp_path / "toy.zip")
    dataset = f"{{name: toy, source: image_folder, path: {path}}}"
    command = [sys.executable, "-m", "anytime_pruning", "prepare", dataset, "--data-dir", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert line.endswith("10000 x 10000 pixels; at most 67,108,864 are read")
    assert done.returncode == 2


def test_what_any_decoder_raises_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding.ImageOps, "fit", lambda *given: {}["missing"])
    folder = write_folder(toy_files(size=7), tmp_path / "toy")
    refuse(folder, r"\.png: not a readable image .'missing'", tmp_path)


def test_many_large_files_are_not_held_at_once(monkeypatch):
    files = [ImageFile(("train", "cat", str(i)), bytes(100 * 2**20), "") for i in range(3)]
    assert [len(chunk) for chunk in decoding._chunks(iter(files))] == [2, 1]


@pytest.mark.parametrize("name", [".tar", ".tgz", ".tar.bz2"])
@pytest.mark.parametrize("kind", [None, ".gz", ".xz", ".bz2"])
def test_the_content_and_not_the_name_says_how_a_tar_is_compressed(kind, name, tmp_path):
    files = {f"BZh9/{file}": content for file, content in toy_files().items()}
    path = write_archive(files, tmp_path / "toy.tar")
    content = path.read_bytes()
    path = path.with_name(f"toy{name}")
    with OPENERS.get(kind, open)(path, "wb") as file:
        file.write(content)
    assert len(load_dataset(dataset_of(path), tmp_path).train_images) == 8


@pytest.mark.parametrize("inner", OPENERS)
@pytest.mark.parametrize("outer", OPENERS)
def test_an_archive_that_is_compressed_twice_is_refused(outer, inner, tar, tmp_path):
    content, path = tar.read_bytes(), tmp_path / f"toy.tar{outer}"
    with OPENERS[outer](path, "wb") as unpacked, OPENERS[inner](unpacked, "wb") as file:
        file.write(content)
    refuse(path, r"the archive is corrupt \(it is compressed twice\)", tmp_path)


def test_an_empty_or_random_archive_is_refused(tmp_path):
    for kind in KINDS:
        for content in (b"", b"\0" * 512, b"\0" * 10240, np.random.default_rng(0).bytes(2000), io.BytesIO().getvalue()):
            path = tmp_path / f"toy{kind}"
            path.write_bytes(content)
            refuse(path, rf"toy{kind}: (the archive is corrupt|0 class folders)", tmp_path)

"""Write the same files as a folder or as an archive of any kind, and say what a dataset makes of them."""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile

from anytime_pruning.datasets import parse_dataset
from anytime_pruning.foundation.errors import ArtifactError

COMPRESSIONS = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "bz": bz2.compress}
ENDINGS = (".zip", ".ZIP", ".tar", ".TAR", ".tar.gz", ".tgz", ".TGZ", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz")


def pack(files, folder, ending=""):
    """Write files into a new folder or archive and return its path; a name that ends with a slash is a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"data{ending}"
    if not ending:
        write(files, path)
    elif ending.lower() == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        compress = next((way for end, way in COMPRESSIONS.items() if ending.lower().endswith(end)), bytes)
        path.write_bytes(compress(to_tar(files)))
    return path


def write(files, path):
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name if name.endswith("/") else (path / name).parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            (path / name).write_bytes(content)


def to_tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.size = len(content)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def rename_in_zip(path, files, system=3, flags=None):
    """Write a zip with exactly these names, as made by a system, with some flags in place of those of Python."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo()
            member.filename, member.create_system = name, system
            archive.writestr(member, content)
    if flags is not None:
        content = bytearray(path.read_bytes())
        for magic, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
            for found in re.finditer(re.escape(magic), bytes(content)):
                struct.pack_into("<H", content, found.start() + offset, flags)
        path.write_bytes(content)
    return path


def dataset(path, **changes):
    return parse_dataset({"name": "toy", "source": "image_folder", "path": str(path), "image_size": 6} | changes)


def outcome(path, **changes):
    """Return what reading gives, arrays and digest and notes, or the line of the error without the path."""
    try:
        read = dataset(path, **changes).read(path.parent)
    except ArtifactError as error:
        # A file is called FOLDER/NAME or NAME in ARCHIVE.
        return re.sub(rf"^(.*) in {re.escape(str(path))}: ", r"\1: ", str(error).replace(f"{path}/", "", 1)).replace(
            str(path), "PATH"
        )
    arrays = (read.train_images, read.train_labels, read.test_images, read.test_labels)
    return tuple(array.tobytes() for array in arrays), read.class_names, read.content_sha256, read.notes

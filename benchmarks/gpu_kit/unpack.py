"""Unpack the kit that lies beside this file: install its wheels into site/, and write the caches into data/cache/.

Call `python3 gpu-kit/unpack.py`. The script needs pip and numpy. It checks the SHA-256 of every piece and of every file
that it writes. What is unpacked already is left as it is, and an item whose pieces are not all there is named and left
out, so the script may be called again when more pieces have arrived.
"""

import hashlib
import io
import json
import lzma
import os
import subprocess
import sys
import zipfile
from pathlib import Path

MANIFEST, MAP, REST = "kit.json", "map.json", "rest.xz"


def main(folder: Path) -> int:
    """Unpack what is there, and return the exit status: 0, 1 if pieces are missing, 2 if something is damaged."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    missing = False
    for item in manifest["items"]:
        absent = [piece["name"] for piece in item["pieces"] if not (folder / piece["name"]).exists()]
        if is_unpacked(item, folder):
            print(f"{item['path']}: is unpacked")
        elif absent:
            missing = True
            print(f"{item['path']}: left out, because {', '.join(absent)} is not there")
        else:
            try:
                unpack_item(item, folder)
            except ValueError as error:
                print(f"error: {error}; carry the kit again", file=sys.stderr)
                return 2
            print(f"{item['path']}: unpacked")
    print(f"PYTHONPATH={folder / 'site'} python3 -m benchmarks.gpu_day --data {folder / 'data'} --out DIR")
    return 1 if missing else 0


def is_unpacked(item: dict, folder: Path) -> bool:
    """Return whether an item lies unpacked, whole, beside its pieces."""
    if item["kind"] == "wheels":
        mark = folder / "site" / ".kit"
        return mark.exists() and mark.read_text(encoding="utf-8") == _identity(item)
    path = folder / item["path"]
    return path.exists() and path.stat().st_size == item["unpacked_bytes"]


def unpack_item(item: dict, folder: Path) -> None:
    """Unpack the wheels or a cache.

    Raises:
        ValueError: a piece or the unpacked file is damaged, or the wheels are not for this Python.
    """
    content = join_pieces(item, folder)
    if item["kind"] == "wheels":
        install_wheels(content, folder)
        (folder / "site" / ".kit").write_text(_identity(item), encoding="utf-8")
        return
    # A wheel of the kit may hold the library for images.
    sys.path.insert(0, str(folder / "site"))
    whole = unpack_cache(content)
    if hashlib.sha256(whole).hexdigest() != item["unpacked_sha256"]:
        raise ValueError(f"{item['path']}: the unpacked file does not match its SHA-256")
    path = folder / item["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.write_bytes(whole)
    os.replace(partial, path)


def join_pieces(item: dict, folder: Path) -> bytes:
    """Return the content of all pieces of an item, checked."""
    parts = []
    for piece in item["pieces"]:
        parts.append((folder / piece["name"]).read_bytes())
        if hashlib.sha256(parts[-1]).hexdigest() != piece["sha256"]:
            raise ValueError(f"{folder / piece['name']}: the piece does not match its SHA-256")
    return b"".join(parts)


def install_wheels(content: bytes, folder: Path) -> None:
    """Install the wheels in a zip archive into the folder site/, without a network."""
    wheels = folder / "wheels"
    wheels.mkdir(exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            (wheels / Path(name).name).write_bytes(archive.read(name))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    command += ["--disable-pip-version-check", "--upgrade", "--target", str(folder / "site")]
    command += sorted(map(str, wheels.glob("*.whl")))
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise ValueError(f"pip cannot install the wheels: {done.stderr.strip()}")


def unpack_cache(packed: bytes) -> bytes:
    """Return the bytes of a cache that `packing.pack_cache` packed."""
    import numpy as np
    from PIL import Image

    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        described = json.loads(archive.read(MAP))
        rest = memoryview(lzma.decompress(archive.read(REST)))
        whole, end, used = bytearray(described["bytes"]), 0, 0
        for region in described["regions"]:
            begin, (_, channels, height, width) = region["begin"], region["shape"]
            whole[end:begin] = rest[used : used + begin - end]
            used += begin - end
            end = begin
            for strip in region["strips"]:
                column = np.asarray(Image.open(io.BytesIO(archive.read(strip))).convert("RGB"))
                images = column.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).tobytes()
                whole[end : end + len(images)] = images
                end += len(images)
        whole[end:] = rest[used:]
    return bytes(whole)


def _identity(item: dict) -> str:
    return " ".join(piece["sha256"] for piece in item["pieces"])


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))

"""Pack the cache of a dataset without loss: images as WebP, which halves them, and everything else as xz."""

import io
import json
import lzma
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gpu_kit.unpack import MAP, REST

# WebP allows 16,383 pixels in a column.
MOST_ROWS, MOST_IMAGES = 16_383, 500


def pack_cache(cache: Path, packed: Path) -> None:
    """Write a file from which `unpack.unpack_cache` makes the same bytes again.

    Args:
        cache: a safetensors file; its uint8 arrays [N, 3, H, W] are packed as images.
        packed: the file to write, a zip archive.
    """
    content = cache.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    rest, end, regions = bytearray(), 0, []
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, stop = (8 + length + offset for offset in entry["data_offsets"])
            shape = entry["shape"]
            if entry["dtype"] != "U8" or len(shape) != 4 or shape[1] != 3 or 0 in shape:
                continue
            rest += content[end:begin]
            end = stop
            images = np.frombuffer(content[begin:stop], np.uint8).reshape(shape)
            strips = []
            step = max(1, min(MOST_IMAGES, MOST_ROWS // shape[2]))
            for first in range(0, len(images), step):
                strips.append(f"{name}/{first:06}.webp")
                archive.writestr(strips[-1], _as_webp(images[first : first + step]))
            regions.append({"begin": begin, "shape": shape, "strips": strips})
        rest += content[end:]
        archive.writestr(REST, lzma.compress(bytes(rest), preset=9))
        archive.writestr(MAP, json.dumps({"bytes": len(content), "regions": regions}))


def _as_webp(images: np.ndarray) -> bytes:
    """Put images [N, 3, H, W] one below the other into one picture."""
    column = images.transpose(0, 2, 3, 1).reshape(-1, images.shape[3], 3)
    file = io.BytesIO()
    Image.fromarray(column).save(file, "WEBP", lossless=True, quality=75, method=4, exact=True)
    return file.getvalue()

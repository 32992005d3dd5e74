"""Decode image files in parallel, and refuse files that are not images or that claim a huge size."""

import hashlib
import io
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from anytime_pruning.datasets.base import Pixels
from anytime_pruning.datasets.members import ImageFile, ImageKey
from anytime_pruning.foundation.errors import DataError

# Pillow converts images of these modes to 8-bit grey or RGB correctly. It would clip 16-bit and float images.
CONVERTIBLE_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Without this list, Pillow would start Ghostscript on a file that holds PostScript, whatever the file's name.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# A small file can claim to be an image of gigabytes. Pillow has no hard limit of its own at this size: it warns at one
# number of pixels and refuses only twice that number.
MAX_PIXELS = 2**26
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# The most files, and the most bytes, that are held in memory at once.
CHUNK_FILES, CHUNK_BYTES = 1024, 2**28


@dataclass(frozen=True)
class DecodedImage:
    """Holds a decoded image and the digest of its file.

    Attributes:
        sha256: digest of the file, 32 bytes.
        pixels: uint8 [C, H, W].
    """

    sha256: bytes
    pixels: Pixels


def decode_all(files: Iterable[ImageFile], image_size: int, channels: int) -> Iterator[tuple[ImageKey, DecodedImage]]:
    """Decode image files in parallel and yield the images in the order of the files.

    Args:
        files: the files to decode.
        image_size: height and width of the decoded images, in pixels.
        channels: 3 for RGB, 1 for grey.

    Raises:
        DataError: a file is not a readable image; the message names the file.
    """

    def decode(file: ImageFile) -> tuple[ImageKey, DecodedImage]:
        pixels = decode_image(file, image_size, channels)
        return file.key, DecodedImage(hashlib.sha256(file.content).digest(), pixels)

    with ThreadPoolExecutor() as pool:
        for chunk in _chunks(files):
            yield from pool.map(decode, chunk)


def decode_image(file: ImageFile, image_size: int, channels: int) -> Pixels:
    """Decode one image, cut it to the central square and scale it.

    Args:
        file: the file to decode.
        image_size: height and width of the result, in pixels.
        channels: 3 for RGB, 1 for grey; an alpha channel is dropped.

    Returns:
        uint8 [channels, image_size, image_size].

    Raises:
        DataError: the file is not an image, is damaged, or has a mode without an 8-bit meaning; the message names the
            file.
    """
    try:
        with Image.open(io.BytesIO(file.content), formats=FORMATS) as opened:
            _check_header(opened, file.where)
            image = opened.convert("RGB" if channels == 3 else "L")
        if image.size != (image_size, image_size):
            image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BOX)
        pixels = np.asarray(image)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{file.where}: not a readable image (unknown format); replace or remove it") from None
    except Exception as error:  # Hostile bytes make decoders raise any error, even struct.error.
        raise DataError(f"{file.where}: not a readable image ({error}); replace or remove it") from None
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


def _check_header(image: Image.Image, where: str) -> None:
    """Check the size and the mode that a file claims, before its pixels are decoded."""
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"{where}: {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
    if image.mode not in CONVERTIBLE_MODES:
        raise DataError(f"{where}: image mode {image.mode} is not supported; convert it to 8 bits a channel")


def _chunks(files: Iterable[ImageFile]) -> Iterator[list[ImageFile]]:
    """Group files into lists of at most `CHUNK_FILES` files, and of `CHUNK_BYTES` unless a single file is larger."""
    chunk: list[ImageFile] = []
    size = 0
    for file in files:
        if chunk and (len(chunk) == CHUNK_FILES or size + len(file.content) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += len(file.content)
    if chunk:
        yield chunk

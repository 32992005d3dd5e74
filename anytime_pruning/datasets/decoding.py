"""Decode image files in parallel, and refuse files that are not images or that claim a huge size."""

import hashlib
import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from anytime_pruning.datasets.base import Pixels
from anytime_pruning.datasets.layouts.names import ImageKey, reads_avif, reads_heif
from anytime_pruning.datasets.members import ImageFile
from anytime_pruning.foundation.errors import AGAINST_SHORTAGE, ArtifactError, CapacityError, DataError, shortage

# Pillow converts images of these modes to 8-bit grey or RGB correctly. It would clip 16-bit and float images.
CONVERTIBLE_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Without this list, Pillow would start Ghostscript on a file that holds PostScript, whatever the file's name.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# A small file can claim to be an image of gigabytes. Pillow has no hard limit of its own at this size: it warns at one
# number of pixels and refuses only twice that number.
MAX_PIXELS = 2**26
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Pillow warns of transparency, which is dropped, and of damaged metadata, which nothing here needs.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# It also logs what is wrong with a TIFF before it raises the error that names the file.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)
# How an image is turned upright, by the orientation that a camera notes; 1 is upright.
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

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
        DataError: files are not readable images. All files were tried, so that the message tells their number, and
            names the first of them in the order of the keys, which is the same for a folder and an archive.
    """

    def decode(file: ImageFile) -> tuple[ImageKey, DecodedImage | DataError]:
        try:
            pixels = decode_image(file, image_size, channels)
        except DataError as error:
            return file.key, error
        return file.key, DecodedImage(hashlib.sha256(file.content).digest(), pixels)

    unreadable: dict[ImageKey, DataError] = {}
    with ThreadPoolExecutor() as pool:
        for chunk in _chunks(files):
            for key, image in pool.map(decode, chunk):
                if isinstance(image, DataError):
                    unreadable[key] = image
                else:
                    yield key, image
    if unreadable:
        others = f" (and {len(unreadable) - 1:,} more files like it)" if len(unreadable) > 1 else ""
        raise DataError(f"{unreadable[min(unreadable)]}{others}")


def decode_image(file: ImageFile, image_size: int, channels: int) -> Pixels:
    """Decode one image, turn it upright, cut it to the central square and scale it.

    Args:
        file: the file to decode.
        image_size: height and width of the result, in pixels.
        channels: 3 for RGB, 1 for grey; an alpha channel is dropped.

    Returns:
        uint8 [channels, image_size, image_size].

    Raises:
        DataError: the file is not an image, is damaged, or has a mode without an 8-bit meaning; the message names the
            file.
        CapacityError: the machine lacks memory.
    """
    try:
        with Image.open(io.BytesIO(file.content), formats=_formats()) as opened:
            _check_header(opened, file.where)
            opened.load()
            image = _turn_upright(opened.convert("RGB" if channels == 3 else "L"), _orientation(opened))
        if image.size != (image_size, image_size):
            image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BOX)
        pixels = np.asarray(image)
    except ArtifactError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{file.where}: not a readable image (unknown format); replace or remove it") from None
    except Exception as error:  # Hostile bytes make decoders raise any error, even struct.error.
        if lacking := shortage(error):
            raise CapacityError(
                f"{file.where}: not enough {lacking} to decode this image; {AGAINST_SHORTAGE}"
            ) from None
        raise DataError(f"{file.where}: not a readable image ({error}); replace or remove it") from None
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


@cache
def _formats() -> tuple[str, ...]:
    """Return the formats that this machine reads; HEIF is the format of HEIC files."""
    formats = tuple(name for name in FORMATS if name != "AVIF" or reads_avif())
    if not reads_heif():
        return formats
    from pillow_heif import register_heif_opener  # type: ignore[import-not-found, unused-ignore]

    register_heif_opener()
    return (*formats, "HEIF")


def _orientation(image: Image.Image) -> object:
    """Return the orientation that the metadata of a loaded image state."""
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # Damaged metadata make Pillow raise any error, and state nothing.
        return None


def _turn_upright(image: Image.Image, orientation: object) -> Image.Image:
    method = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


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

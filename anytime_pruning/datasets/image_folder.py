"""Your own images: a folder, or a .tar, .tar.xz or .zip, that holds train/<class>/ and test/<class>/.

What is stored where in the folder or archive is `packed_files.py`; here files become arrays.
"""

import hashlib
import io
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BeforeValidator, Field, field_validator
from tqdm import tqdm

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, channel_statistics
from anytime_pruning.datasets.members import (
    PackedFile,
    count_images,
    fingerprint_of,
    iterate_files,
    list_folders,
    whole_archive,
)
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.fields import Count, FilePath, Number, refuse_bool
from anytime_pruning.foundation.registry import register

# Modes that Pillow turns into 8-bit grey or RGB without loss of meaning; 16-bit and float images would be clipped.
CONVERTIBLE_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Whatever a file is called, Pillow would also start Ghostscript on one that holds PostScript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# Of one image: a small file can claim to be gigabytes large. Pillow only warns, of more than these.
MAX_PIXELS = 2**26
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@register("dataset", "image_folder")
class ImageFolder(DatasetSettings):
    """Images of any size, cut to the centre and scaled to `image_size`; grey and RGBA become RGB (alpha is dropped)."""

    location: ClassVar[frozenset[str]] = frozenset({"path"})

    source: Literal["image_folder"] = "image_folder"
    path: FilePath = Field(description="folder, .tar, .tar.xz or .zip")
    content_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="digest of the files, as `prepare` prints it; checked, and part of results' names",
    )
    image_size: Count = Field(32, le=1024, description="height and width in pixels")
    channels: Literal[1, 3] = Field(3, description="3: RGB, 1: grey")
    mean: tuple[Number, ...] | None = Field(None, description="per channel; measured on the training images if absent")
    std: tuple[Number, ...] | None = Field(None, description="per channel; measured on the training images if absent")
    crop_padding: Annotated[int, BeforeValidator(refuse_bool)] = Field(
        4, ge=0, le=64, description="padding of the random crop; 0: no crop"
    )
    flip: bool = Field(True, description="random horizontal flip")

    @field_validator("mean", "std")
    @classmethod
    def _one_for_each_channel(cls, value, info):
        channels = info.data.get("channels", 3)
        if value is not None and len(value) != channels:
            raise SettingError(f"dataset.{info.field_name}: {value} is not allowed: {channels} values are expected")
        if value is not None and info.field_name == "std" and min(value) <= 0:
            raise SettingError(f"dataset.std: {value} is not allowed: values must be positive")
        return value

    def is_there(self, data_dir: Path) -> bool:
        return self.path.exists()

    def is_pinned(self) -> bool:
        return self.content_sha256 is not None

    def fingerprint(self) -> str | None:
        # A declared digest names the content for good, wherever the files lie now, or if they are gone.
        return None if self.is_pinned() else fingerprint_of(self.path)

    def read(self, data_dir: Path) -> ImageArrays:
        with whole_archive(self.path):
            decoded = decode_all(iterate_files(self.path), self, count_images(self.path))
            class_names = _class_names(decoded, self)
        return assemble(decoded, class_names, self)


Decoded = dict[tuple[str, str, str], tuple[bytes, np.ndarray]]


def decode_all(files: Iterable[PackedFile], settings: ImageFolder, total: int | None) -> Decoded:
    """Decode every image in parallel: (split, class, file) to (SHA-256 of the file, uint8 [C, H, W]).

    Args:
        total: number of files where it is known, for the progress bar.
    """

    def decode(file: PackedFile) -> tuple[tuple[str, str, str], tuple[bytes, np.ndarray]]:
        return file.key, (hashlib.sha256(file.content).digest(), decode_image(file, settings))

    decoded: Decoded = {}
    with ThreadPoolExecutor() as pool:
        progress = tqdm(total=total, desc=f"decoding {settings.name}", unit="img", disable=not sys.stderr.isatty())
        with progress:
            for chunk in _chunks(files):
                for key, image in pool.map(decode, chunk):
                    if key in decoded:
                        raise DataError(f"{settings.path}: two files are called {'/'.join(key)}; remove one")
                    decoded[key] = image
                progress.update(len(chunk))
    return decoded


def assemble(decoded: Decoded, class_names: tuple[str, ...], settings: ImageFolder) -> ImageArrays:
    """The dataset from its decoded images, labels being positions in `class_names`.

    Raises:
        DataError: the images are not those that `content_sha256` names.
    """
    content_sha256 = _content_digest(decoded)
    if settings.content_sha256 not in (None, content_sha256):
        raise DataError(
            f"{settings.path}: content_sha256 is {content_sha256}, expected {settings.content_sha256}; "
            "fetch the files again, or correct the setting"
        )
    arrays = {}
    for split in ("train", "test"):
        arrays |= _stack(split, decoded, class_names)
    mean, std = channel_statistics(arrays["train_images"])
    return ImageArrays(
        **arrays,
        class_names=class_names,
        mean=settings.mean or mean,
        std=settings.std or std,
        crop_padding=settings.crop_padding,
        flip=settings.flip,
        content_sha256=content_sha256,
    )


def decode_image(file: PackedFile, settings: ImageFolder) -> np.ndarray:
    """One image as uint8 [C, H, W].

    Raises:
        DataError: not an image, damaged, or of a mode that has no 8-bit meaning; the message names the file.
    """
    size = settings.image_size
    try:
        with Image.open(io.BytesIO(file.content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"{file.where}: {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
            if image.mode not in CONVERTIBLE_MODES:
                raise DataError(
                    f"{file.where}: image mode {image.mode} is not supported; convert it to 8 bits a channel"
                )
            image = image.convert("RGB" if settings.channels == 3 else "L")
            if image.size != (size, size):
                image = ImageOps.fit(image, (size, size), Image.Resampling.BOX)
            pixels = np.asarray(image)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{file.where}: not a readable image (unknown format); replace or remove it") from None
    except Exception as error:  # decoders of hostile bytes raise anything, struct.error and IndexError among others
        raise DataError(f"{file.where}: not a readable image ({error}); replace or remove it") from None
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


def _chunks(files: Iterable[PackedFile]) -> Iterator[list[PackedFile]]:
    """Files in lists of at most 1,024, and of at most 256 MiB if that is more than one."""
    chunk, size = [], 0
    for file in files:
        if chunk and (len(chunk) == 1024 or size + len(file.content) > 2**28):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += len(file.content)
    if chunk:
        yield chunk


def _content_digest(decoded: Decoded) -> str:
    """SHA-256 over the sorted names and digests of all files: the same for a folder and for any archive of it."""
    digest = hashlib.sha256()
    for key in sorted(decoded):
        digest.update(os.fsencode("/".join(key)) + b"\0" + decoded[key][0])
    return digest.hexdigest()


def _class_names(decoded: Decoded, settings: ImageFolder) -> tuple[str, ...]:
    """The classes, sorted; every class folder must hold images in both train and test."""
    folders = list_folders(settings.path) | {key[:2] for key in decoded}
    names = sorted({name for _, name in folders})
    if len(names) < 2:
        raise DataError(f"{settings.path}: {len(names)} class folders in train/; at least 2 are needed")
    filled = {key[:2] for key in decoded}
    for split in ("train", "test"):
        for name in names:
            if (split, name) not in filled:
                raise DataError(
                    f"{settings.path}: no images in {split}/{name}/; every class needs some in train and test"
                )
    return tuple(names)


def _stack(split: str, decoded: Decoded, class_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    # Sorted, so that the numbering of images does not depend on the order of the archive.
    keys = sorted(key for key in decoded if key[0] == split)
    labels = {name: label for label, name in enumerate(class_names)}
    return {
        f"{split}_images": np.stack([decoded[key][1] for key in keys]),
        f"{split}_labels": np.array([labels[key[1]] for key in keys], dtype=np.int64),
    }

"""Read a user's own images from a folder, tar or zip with train/<class>/ and test/<class>/, or with classes alone.

`layouts/` finds the files, `members.py` reads and `decoding.py` decodes them. This module turns the decoded images into
the arrays of a dataset.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, Labels, Pixels
from anytime_pruning.datasets.layouts.draw import choose_tests
from anytime_pruning.datasets.layouts.names import ImageKey
from anytime_pruning.datasets.members import (
    ImageFile,
    fingerprint_of,
    iterate_files,
    read_layout,
)
from anytime_pruning.datasets.pixel_statistics import channel_statistics
from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.fields import Count, FilePath, Number, refuse_bool
from anytime_pruning.foundation.registry import register

if TYPE_CHECKING:
    from anytime_pruning.datasets.decoding import DecodedImage

    Decoded = dict[ImageKey, DecodedImage]


class ImageFileSource(DatasetSettings):
    """Shares between all sources of image files the settings of decoding and the way from files to arrays."""

    location: ClassVar[frozenset[str]] = frozenset({"path"})

    path: FilePath = Field(description="folder, tar (also .tar.gz, .tar.xz, .tar.bz2) or .zip")
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
    def _one_for_each_channel(cls, value: tuple[float, ...] | None, info: ValidationInfo) -> tuple[float, ...] | None:
        channels = info.data.get("channels", 3)
        if value is not None and len(value) != channels:
            raise SettingError(f"dataset.{info.field_name}: {value} is not allowed: {channels} values are expected")
        if value is not None and info.field_name == "std" and min(value) <= 0:
            raise SettingError(f"dataset.std: {value} is not allowed: values must be positive")
        return value

    def is_there(self, data_dir: Path) -> bool:
        """Return whether the folder or archive exists."""
        return self.path.exists()

    def is_pinned(self) -> bool:
        """Return whether `content_sha256` names the images."""
        return self.content_sha256 is not None

    def pinned(self, content_sha256: str) -> Self:
        """Return these settings with `content_sha256`."""
        return self.model_copy(update={"content_sha256": content_sha256})

    def expected_sha256(self) -> str | None:
        """Return `content_sha256`."""
        return self.content_sha256

    def place(self) -> str | None:
        """Return the absolute path of the images, or None if `content_sha256` names them wherever they are."""
        return None if self.is_pinned() else os.path.realpath(self.path)

    def decode(self, files: Iterable[ImageFile], total: int | None) -> Decoded:
        """Decode image files and show a progress bar.

        Args:
            files: the files to decode.
            total: number of files where it is known, for the progress bar.

        Raises:
            DataError: a file is not a readable image, or two files have the same key.
        """
        # The imports are inside the function: planning a study needs this class but never decodes an image.
        from tqdm import tqdm

        from anytime_pruning.datasets.decoding import decode_all

        decoded: Decoded = {}
        images = decode_all(files, self.image_size, self.channels)
        hidden = not sys.stderr.isatty()
        for key, image in tqdm(images, total=total, desc=f"decoding {self.name}", unit="img", disable=hidden):
            if key in decoded:
                raise DataError(f"{self.path}: two files are called {'/'.join(filter(None, key))}; remove one")
            decoded[key] = image
        return decoded

    def assemble(self, decoded: Decoded, class_names: tuple[str, ...], notes: tuple[str, ...] = ()) -> ImageArrays:
        """Stack decoded images into the arrays of a dataset.

        Args:
            decoded: the images.
            class_names: names of the classes; the position of a class is its label.
            notes: what the user should know about the reading, in words.

        Raises:
            DataError: the images differ from the images that `content_sha256` names.
        """
        content_sha256 = _content_digest(decoded)
        if self.content_sha256 not in (None, content_sha256):
            raise DataError(
                f"{self.path}: content_sha256 is {content_sha256}, expected {self.content_sha256}; "
                "fetch the files again, or correct the setting"
            )
        train_images, train_labels = _stack("train", decoded, class_names)
        test_images, test_labels = _stack("test", decoded, class_names)
        mean, std = self.mean, self.std
        if mean is None or std is None:
            measured = channel_statistics(train_images)
            mean, std = mean or measured[0], std or measured[1]
        return ImageArrays(
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=class_names,
            mean=mean,
            std=std,
            crop_padding=self.crop_padding,
            flip=self.flip,
            content_sha256=content_sha256,
            notes=notes,
        )


@register("dataset", "image_folder")
class ImageFolder(ImageFileSource):
    """Reads images of any size, cut to the centre and scaled to `image_size`; grey and RGBA become RGB."""

    source: Literal["image_folder"] = "image_folder"
    test_frac: Number | None = Field(
        None, gt=0, lt=1, description="share of test images of each class, for images without train/ and test/"
    )

    def fingerprint(self) -> str | None:
        """Return a digest of the files' names, sizes and times, or None if `content_sha256` names the images."""
        # A declared digest identifies the images, even if the files have been moved or deleted.
        return None if self.is_pinned() else fingerprint_of(self.path, self.test_frac)

    def read(self, data_dir: Path) -> ImageArrays:
        """Read and decode every image of the folder or archive, and warn of what is left out."""
        layout = read_layout(self.path, self.test_frac)
        notes = tuple(layout.describe())
        for note in notes:
            warn(f"{self.name}: {note}")
        decoded = self.decode(iterate_files(self.path, layout), len(layout.files))
        if self.test_frac is not None:
            decoded = self._draw_test(decoded, self.test_frac)
        return self.assemble(decoded, layout.class_names, notes)

    def _draw_test(self, decoded: Decoded, test_frac: float) -> Decoded:
        """Sort images without splits into both splits.

        Raises:
            DataError: a class has only one image, whatever the number of its copies.
        """
        contents: dict[str, dict[str, bytes]] = {}
        for _, name, file in decoded:
            contents.setdefault(name, {})[file] = decoded["", name, file].sha256
        for name, files in contents.items():
            if len(set(files.values())) < 2:
                raise DataError(
                    f"{self.path}: one image in {name}/; test_frac needs at least 2 different ones to divide"
                )
        tests = {name: choose_tests(files, test_frac) for name, files in contents.items()}
        return {
            ("test" if file in tests[name] else "train", name, file): image
            for (_, name, file), image in decoded.items()
        }


def _content_digest(decoded: Decoded) -> str:
    """Return the SHA-256 over the sorted keys and digests of all files, equal for a folder and any archive of it."""
    digest = hashlib.sha256()
    for key in sorted(decoded):
        digest.update("/".join(key).encode("utf-8", "surrogateescape") + b"\0" + decoded[key].sha256)
    return digest.hexdigest()


def _stack(split: str, decoded: Decoded, class_names: tuple[str, ...]) -> tuple[Pixels, Labels]:
    """Return the images uint8 [N, C, H, W] and the labels int64 [N] of a split."""
    # Sorting makes the numbering of the images independent of their order in an archive.
    keys = sorted(key for key in decoded if key[0] == split)
    labels = {name: label for label, name in enumerate(class_names)}
    images = np.stack([decoded[key].pixels for key in keys])
    return images, np.array([labels[key[1]] for key in keys], dtype=np.int64)

"""Read a user's own images from a folder, .tar, .tar.xz, .tar.gz or .zip with train/<class>/ and test/<class>/.

`members.py` finds and reads the files, and `decoding.py` decodes them. This module turns the decoded images into the
arrays of a dataset.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, Labels, Pixels
from anytime_pruning.datasets.members import (
    ImageFile,
    ImageKey,
    check_kind,
    corruption_as_data_error,
    count_images,
    fingerprint_of,
    iterate_files,
    list_classes,
)
from anytime_pruning.datasets.pixel_statistics import channel_statistics
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.fields import Count, FilePath, Number, refuse_bool
from anytime_pruning.foundation.registry import register

if TYPE_CHECKING:
    from anytime_pruning.datasets.decoding import DecodedImage

    Decoded = dict[ImageKey, DecodedImage]


class ImageFileSource(DatasetSettings):
    """Shares between all sources of image files the settings of decoding and the way from files to arrays."""

    location: ClassVar[frozenset[str]] = frozenset({"path"})

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
                raise DataError(f"{self.path}: two files are called {'/'.join(key)}; remove one")
            decoded[key] = image
        return decoded

    def assemble(self, decoded: Decoded, class_names: tuple[str, ...]) -> ImageArrays:
        """Stack decoded images into the arrays of a dataset.

        Args:
            decoded: the images.
            class_names: names of the classes; the position of a class is its label.

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
        mean, std = channel_statistics(train_images)
        return ImageArrays(
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=class_names,
            mean=self.mean or mean,
            std=self.std or std,
            crop_padding=self.crop_padding,
            flip=self.flip,
            content_sha256=content_sha256,
        )


@register("dataset", "image_folder")
class ImageFolder(ImageFileSource):
    """Reads images of any size, cut to the centre and scaled to `image_size`; grey and RGBA become RGB."""

    source: Literal["image_folder"] = "image_folder"

    def fingerprint(self) -> str | None:
        """Return a digest of the files' names, sizes and times, or None if `content_sha256` names the images."""
        # A declared digest identifies the images, even if the files have been moved or deleted.
        return None if self.is_pinned() else fingerprint_of(self.path)

    def read(self, data_dir: Path) -> ImageArrays:
        """Read and decode every image of the folder or archive."""
        check_kind(self.path)
        with corruption_as_data_error(self.path):
            decoded = self.decode(iterate_files(self.path), count_images(self.path))
            class_names = self._class_names(decoded)
        return self.assemble(decoded, class_names)

    def _class_names(self, decoded: Decoded) -> tuple[str, ...]:
        """Return the sorted classes, each of which must have images in both train and test."""
        filled = {(split, name) for split, name, _ in decoded}
        names = sorted({name for _, name in list_classes(self.path) | filled})
        if len(names) < 2:
            raise DataError(f"{self.path}: {len(names)} class folders in train/; at least 2 are needed")
        for split in ("train", "test"):
            for name in names:
                if (split, name) not in filled:
                    raise DataError(
                        f"{self.path}: no images in {split}/{name}/; every class needs some in train and test"
                    )
        return tuple(names)


def _content_digest(decoded: Decoded) -> str:
    """Return the SHA-256 over the sorted keys and digests of all files, equal for a folder and any archive of it."""
    digest = hashlib.sha256()
    for key in sorted(decoded):
        digest.update(os.fsencode("/".join(key)) + b"\0" + decoded[key].sha256)
    return digest.hexdigest()


def _stack(split: str, decoded: Decoded, class_names: tuple[str, ...]) -> tuple[Pixels, Labels]:
    """Return the images uint8 [N, C, H, W] and the labels int64 [N] of a split."""
    # Sorting makes the numbering of the images independent of their order in an archive.
    keys = sorted(key for key in decoded if key[0] == split)
    labels = {name: label for label, name in enumerate(class_names)}
    images = np.stack([decoded[key].pixels for key in keys])
    return images, np.array([labels[key[1]] for key in keys], dtype=np.int64)

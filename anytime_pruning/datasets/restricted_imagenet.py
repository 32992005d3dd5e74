"""Read Restricted ImageNet: small images of groups of ImageNet's classes, all images or a few of each group."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from anytime_pruning.datasets.base import ImageArrays
from anytime_pruning.datasets.image_folder import ImageFileSource
from anytime_pruning.datasets.layouts.names import is_hidden, is_image, path_of, text_of
from anytime_pruning.datasets.members import ImageFile, read_file
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.fields import Count, FilePath, Number
from anytime_pruning.foundation.files import fingerprint_files
from anytime_pruning.foundation.registry import register

# The first and the last ImageNet class of each group. The index of a class is the position of its folder among the 1000
# sorted class folders, counted from 0.
GROUPS: dict[str, dict[str, tuple[int, int]]] = {
    "balanced": {
        "bird": (10, 14),
        "turtle": (33, 37),
        "lizard": (42, 46),
        "spider": (72, 76),
        "crab": (118, 122),  # and lobsters
        "dog": (200, 204),
        "cat": (281, 285),
        "big cat": (286, 290),
        "beetle": (302, 306),
        "butterfly": (322, 326),
        "monkey": (371, 374),
        "fish": (393, 397),
        "fruit": (948, 952),
        "fungus": (992, 996),
    },
    # Source: Tsipras et al., "Robustness May Be at Odds with Accuracy" (arXiv 1805.12152).
    "original": {
        "dog": (151, 268),
        "cat": (281, 285),
        "frog": (30, 32),
        "turtle": (33, 37),
        "bird": (80, 100),
        "primate": (365, 382),
        "fish": (389, 397),
        "crab": (118, 121),
        "insect": (300, 319),
    },
}
N_CLASSES = 1000
WNID = re.compile(r"n\d{8}")
# ImageNet stores the test split in a folder that is called val.
FOLDERS = {"train": "train", "test": "val"}


@register("dataset", "restricted_imagenet")
class RestrictedImageNet(ImageFileSource):
    """Reads the images of the groups from a folder with train/<wnid>/ and val/<wnid>/ of all 1000 classes."""

    source: Literal["restricted_imagenet"] = "restricted_imagenet"
    path: FilePath = Field(description="folder of ImageNet, with train/<wnid>/ and val/<wnid>/")
    channels: Literal[3] = Field(3, description="RGB")
    groups: Literal["balanced", "original"] = Field("balanced", description="14 groups of classes, or the original 9")
    shots: Count | None = Field(None, description="training images of each group; all of them if absent")
    mean: tuple[Number, ...] | None = Field((0.4717, 0.4499, 0.3837), description="per channel")
    std: tuple[Number, ...] | None = Field((0.26, 0.2516, 0.2575), description="per channel")

    def train_count(self) -> int | None:
        """Return the number of training images if `shots` determines it."""
        return None if self.shots is None else self.shots * len(GROUPS[self.groups])

    def fingerprint(self) -> str | None:
        """Return a digest of the used files' names, sizes and times, or None if `content_sha256` names the images."""
        if self.is_pinned():
            return None
        return fingerprint_files(self.path, [str(path_of(Path(), name)) for _, _, name in self._choose()])

    def read(self, data_dir: Path) -> ImageArrays:
        """Read and decode the images of the groups."""
        chosen = self._choose()
        return self.assemble(self.decode(self._files(chosen), len(chosen)), tuple(GROUPS[self.groups]))

    def _choose(self) -> list[tuple[str, str, str]]:
        """Return (split, group, path below the folder, as a text of `text_of`) of every image that is used."""
        wnids = self._wnids()
        chosen = []
        for split, folder in FOLDERS.items():
            for group, (first, last) in GROUPS[self.groups].items():
                images = [name for wnid in wnids[first : last + 1] for name in self._images(f"{folder}/{wnid}")]
                if not images:
                    places = f"{folder}/{wnids[first]}/ to {wnids[last]}/"
                    raise DataError(f"{self.path}: no images of {group} in {places}; every group needs some")
                if split == "train" and self.shots is not None:
                    images = self._take_shots(group, images, self.shots)
                chosen += [(split, group, image) for image in images]
        return chosen

    def _wnids(self) -> list[str]:
        """Return the sorted names of the class folders, which train/ and val/ must share."""
        wnids, held_out = (self._class_folders(folder) for folder in FOLDERS.values())
        if unpaired := sorted(set(wnids) ^ set(held_out)):
            raise DataError(
                f"{self.path}: {unpaired[0]} is a folder of train/ or val/ only; both need one for each class"
            )
        return wnids

    def _class_folders(self, folder: str) -> list[str]:
        """Return the sorted names of the class folders, which must be WordNet IDs because their order counts."""
        if not (self.path / folder).is_dir():
            raise DataError(
                f"{self.path}: no folder {folder}/; an ImageNet with train/<wnid>/ and val/<wnid>/ is needed"
            )
        names = sorted(entry.name for entry in _visible(self.path / folder) if entry.is_dir())
        if len(names) != N_CLASSES:
            raise DataError(
                f"{self.path}: {folder}/ holds {len(names)} class folders; all {N_CLASSES} of ImageNet are needed, as "
                "a class is found by its position among them (folders of classes that are not used may be empty)"
            )
        if misnamed := [name for name in names if not WNID.fullmatch(name)]:
            raise DataError(
                f"{self.path}: {folder}/{misnamed[0]}/ is not named by a WordNet ID such as n01440764; a class is "
                "found by the position of its folder among these names"
            )
        return names

    def _images(self, folder: str) -> list[str]:
        """Return the paths of the images in a class folder, relative to the folder of ImageNet, sorted."""
        entries = _visible(self.path / folder)
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                raise DataError(f"{entry.path}: lies too deep; images belong in {folder}/ itself")
        return [f"{folder}/{name}" for name in sorted(text_of(entry.name) for entry in entries) if is_image(name)]

    def _take_shots(self, group: str, images: list[str], shots: int) -> list[str]:
        """Return some images of a group: as if drawn at random, but the same images on every machine.

        A smaller number of shots gives a subset of the images of a larger number.

        Deviation: the released code takes the first images in the order of the folders, so that all shots of a group
        come from its first ImageNet class, while the test images come from every class.
        """
        if len(images) < shots:
            raise DataError(
                f"dataset.shots: {shots} is not allowed: {group} has {len(images)} training images in {self.path}"
            )

        def chance(image: str) -> bytes:
            return hashlib.sha256(image.encode("utf-8", "surrogateescape")).digest()

        return sorted(sorted(images, key=chance)[:shots])

    def _files(self, chosen: list[tuple[str, str, str]]) -> Iterator[ImageFile]:
        """Read the chosen images."""
        for split, group, image in chosen:
            path = path_of(self.path, image)
            # The name includes the class, because two classes of a group may have images of the same name.
            name = "-".join(PurePosixPath(image).parts[1:])
            yield ImageFile((split, group, name), read_file(path), str(path))


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder that are not hidden."""
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not is_hidden(entry.name)]

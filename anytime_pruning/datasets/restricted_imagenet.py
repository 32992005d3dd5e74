"""Restricted ImageNet: groups of ImageNet's classes, small images, all of them or a few of each class."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from anytime_pruning.datasets.base import ImageArrays
from anytime_pruning.datasets.image_folder import ImageFolder, assemble, decode_all
from anytime_pruning.datasets.members import PackedFile, fingerprint_files, is_image, read_file
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.fields import Count, FilePath, Number
from anytime_pruning.foundation.registry import register

# First and last index of the ImageNet classes of each group. An index is a position among the 1000 sorted folder names.
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
    # Of the paper of the original: Tsipras et al., "Robustness May Be at Odds with Accuracy" (arXiv 1805.12152).
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
# The folders of ImageNet, by what this project calls the split.
FOLDERS = {"train": "train", "test": "val"}


@register("dataset", "restricted_imagenet")
class RestrictedImageNet(ImageFolder):
    """From a folder with train/<wnid>/ and val/<wnid>/ of all 1000 classes; only files of the groups are read."""

    source: Literal["restricted_imagenet"] = "restricted_imagenet"
    path: FilePath = Field(description="folder of ImageNet, with train/<wnid>/ and val/<wnid>/")
    channels: Literal[3] = Field(3, description="RGB")
    groups: Literal["balanced", "original"] = Field("balanced", description="14 groups of classes, or the original 9")
    shots: Count | None = Field(None, description="so many training images of each group; all of them if absent")
    mean: tuple[Number, ...] | None = Field((0.4717, 0.4499, 0.3837), description="per channel")
    std: tuple[Number, ...] | None = Field((0.26, 0.2516, 0.2575), description="per channel")

    def is_there(self, data_dir: Path) -> bool:
        return self.path.exists()

    def train_count(self) -> int | None:
        return None if self.shots is None else self.shots * len(GROUPS[self.groups])

    def fingerprint(self) -> str | None:
        if self.is_pinned() or not (self.path / "train").is_dir():
            return None
        return fingerprint_files(self.path, [member for _, _, member in self._choose()])

    def read(self, data_dir: Path) -> ImageArrays:
        chosen = self._choose()
        return assemble(decode_all(self._files(chosen), self, len(chosen)), tuple(GROUPS[self.groups]), self)

    def _choose(self) -> list[tuple[str, str, str]]:
        """(split, group, path below the folder) of every image that is used."""
        wnids = self._wnids()
        chosen = []
        for split, folder in FOLDERS.items():
            for group, (first, last) in GROUPS[self.groups].items():
                members = [name for wnid in wnids[first : last + 1] for name in self._images(f"{folder}/{wnid}")]
                if not members:
                    places = f"{folder}/{wnids[first]}/ to {wnids[last]}/"
                    raise DataError(f"{self.path}: no images of {group} in {places}; every group needs some")
                if split == "train" and self.shots is not None:
                    members = self._take_shots(group, members)
                chosen += [(split, group, member) for member in members]
        return chosen

    def _wnids(self) -> list[str]:
        wnids, held_out = (self._class_folders(folder) for folder in FOLDERS.values())
        if odd := sorted(set(wnids) ^ set(held_out)):
            raise DataError(f"{self.path}: {odd[0]} is a folder of train/ or val/ only; both need one for each class")
        return wnids

    def _class_folders(self, folder: str) -> list[str]:
        """Names of the class folders, sorted. Any others, of words or numbers, would be sorted into other classes."""
        if not (self.path / folder).is_dir():
            raise DataError(
                f"{self.path}: no folder {folder}/; an ImageNet with train/<wnid>/ and val/<wnid>/ is needed"
            )
        names = sorted(sub.name for sub in _visible(self.path / folder) if sub.is_dir())
        if len(names) != N_CLASSES:
            raise DataError(
                f"{self.path}: {folder}/ holds {len(names)} class folders; all {N_CLASSES} of ImageNet are needed, as "
                "a class is found by its position among them (folders of classes that are not used may be empty)"
            )
        if odd := [name for name in names if not WNID.fullmatch(name)]:
            raise DataError(
                f"{self.path}: {folder}/{odd[0]}/ is not called by a WordNet ID such as n01440764; a class is found by "
                "its position among these"
            )
        return names

    def _images(self, folder: str) -> list[str]:
        entries = sorted(_visible(self.path / folder), key=lambda entry: entry.name)
        for entry in entries:
            if entry.is_dir():
                raise DataError(f"{entry.path}: lies too deep; images belong into {folder}/ itself")
        return [f"{folder}/{entry.name}" for entry in entries if is_image(entry.name)]

    def _take_shots(self, group: str, members: list[str]) -> list[str]:
        """So many of a group's images, as if drawn at random, but the same everywhere; fewer shots are among more.

        The released code takes the first ones in the order of folders: all shots of a group from its first ImageNet
        class, while the test images are of each.
        """
        if len(members) < self.shots:
            raise DataError(
                f"dataset.shots: {self.shots} is not allowed: {group} has {len(members)} training images in {self.path}"
            )
        by_chance = sorted(members, key=lambda member: hashlib.sha256(member.encode()).digest())
        return sorted(by_chance[: self.shots])

    def _files(self, chosen: list[tuple[str, str, str]]) -> Iterator[PackedFile]:
        for split, group, member in chosen:
            path = self.path / member
            # The same image name may occur in two classes of a group.
            name = "-".join(PurePosixPath(member).parts[1:])
            yield PackedFile((split, group, name), read_file(path), str(path))


def _visible(folder: Path) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]

"""Find the images of each split and class in a tree, or say which layout was found instead."""

import unicodedata
from collections import defaultdict, deque
from dataclasses import dataclass, field

from anytime_pruning.datasets.layouts.explain import explain_few_classes, explain_no_images, explain_no_splits
from anytime_pruning.datasets.layouts.left_out import LeftOut
from anytime_pruning.datasets.layouts.names import (
    VALIDATION,
    ImageKey,
    is_image,
    join,
    shows_image,
    suffix_of,
)
from anytime_pruning.datasets.layouts.places import Places, find_class_root, find_splits, unwrap
from anytime_pruning.datasets.layouts.tree import Listing, Tree, count_images
from anytime_pruning.foundation.errors import DataError, SettingError, one_line, show


@dataclass
class Layout:
    """Says which files of a tree are which images.

    Attributes:
        places: the folder of each split. If `test_frac` divides the images, the only split has an empty name.
        files: the key of each image, by its path in the tree.
        classes: the path of each class by split and name, even if the class has no images.
        left_out: what is no image of any class.
        notes: what the user should know about the reading, in words.
    """

    places: Places
    files: dict[str, ImageKey] = field(default_factory=dict)
    classes: dict[tuple[str, str], str] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: list[str] = field(default_factory=list)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the sorted names of the classes."""
        return tuple(sorted({name for _, name in self.classes}))

    def describe(self) -> list[str]:
        """Return all that the user should know about the reading, in words."""
        left_out = self.left_out.describe()
        return [one_line(note) for note in [*self.notes, *([f"left out: {left_out}"] if left_out else [])]]


def find_layout(tree: Tree, test_frac: float | None) -> Layout:
    """Return the layout of a tree.

    Args:
        tree: names of folders and files.
        test_frac: the setting, with which classes need no splits.

    Raises:
        DataError: the layout is not understood, a class has no images, or a file or folder cannot be read.
        SettingError: `test_frac` is given, but there is a split.
    """
    base = unwrap(tree)
    places = find_splits(tree, base, with_classes=test_frac is not None)
    if test_frac is not None:
        if places:
            found = " and ".join(f"{folder}/" for folder in places.values())
            raise SettingError(
                f"dataset.test_frac: {show(test_frac)} is not allowed: {tree.path} has {found}; remove the setting"
            )
        places = {"": find_class_root(tree, base)}
    if places is None:
        for depth in range(base.count("/") + 2):
            _refuse_unreadable(tree, "/".join(base.split("/")[:depth]))
        raise DataError(f"{tree.path}: {explain_no_splits(tree, base)}")
    layout = Layout(places)
    for split, folder in places.items():
        _read_split(tree, layout, split, folder)
    _unify_spelling(layout)
    _refuse_repeated(tree, layout)
    _check_classes(tree, layout)
    _note_the_rest(tree, layout)
    return layout


def _read_split(tree: Tree, layout: Layout, split: str, folder: str) -> None:
    """Add the classes and images of one folder of a split to the layout."""
    listing = _refuse_unreadable(tree, folder)
    # Beside classes without splits lie files such as README.md.
    layout.left_out.add_loose(folder, sum(bool(split) or shows_image(name) for name in listing.files))
    for name in listing.folders:
        layout.classes[split, name] = join(folder, name)
        _read_class(tree, layout, (split, name), join(folder, name))


def _refuse_unreadable(tree: Tree, folder: str) -> Listing:
    """Return what is in a folder.

    Raises:
        DataError: the folder cannot be read, or holds a link to a folder, which looks like a file in an archive.
    """
    listing = tree.listing(folder)
    if listing.problem:
        raise DataError(f"{join(str(tree.path), folder)}: {listing.problem}; allow to read it, or remove it")
    for name in listing.files:
        if name in listing.problems and (not suffix_of(name) or suffix_of(name)[1:].isdigit()):
            raise DataError(listing.problems[name])
    return listing


def _read_class(tree: Tree, layout: Layout, label: tuple[str, str], folder: str) -> None:
    """Add the images of one folder of a class to the layout.

    Raises:
        DataError: the folder or a file cannot be read, or an image lies deeper, where it would be silently left out.
    """
    listing = _refuse_unreadable(tree, folder)
    for name in listing.files:
        suffix, path = suffix_of(name), join(folder, name)
        if is_image(name):
            if name in listing.problems:
                raise DataError(listing.problems[name])
            layout.files[path] = (*label, name)
        else:
            layout.left_out.add(folder, suffix, not suffix and tree.begins_like_image(path))
    waiting = deque([folder])
    while waiting:
        inner = waiting.popleft()
        listing = _refuse_unreadable(tree, inner)
        if listing.links:
            link = min(listing.links)
            raise DataError(f"{tree.path}: {inner}/{link}: lies too deep; only a class may be a link to a folder")
        for name in listing.files if inner != folder else ():
            if shows_image(name):
                raise DataError(f"{tree.path}: {inner}/{name}: lies too deep; images belong in {folder}/ itself")
            layout.left_out.add(folder, suffix_of(name), False)
        waiting += [join(inner, name) for name in listing.folders]


def _unify_spelling(layout: Layout) -> None:
    """Give a class one name if its folders spell the name with different characters that look alike.

    macOS may write an accent as a character of its own. A name that is spelled in one way is kept as it is.
    """
    spellings: dict[str, set[str]] = defaultdict(set)
    for _, name in layout.classes:
        spellings[unicodedata.normalize("NFC", name)].add(name)
    names = {old: new for new, olds in spellings.items() if len(olds) > 1 for old in olds}
    if names:
        layout.classes = {(split, names.get(name, name)): path for (split, name), path in layout.classes.items()}
        layout.files = {
            path: (split, names.get(name, name), file) for path, (split, name, file) in layout.files.items()
        }


def _refuse_repeated(tree: Tree, layout: Layout) -> None:
    """Refuse two images of one key, which lie in two folders of one class."""
    paths: dict[ImageKey, str] = {}
    for path, key in layout.files.items():
        if key in paths:
            found = f"{paths[key]} and {path}"
            raise DataError(f"{tree.path}: two files are called {'/'.join(filter(None, key))}; remove one ({found})")
        paths[key] = path


def _check_classes(tree: Tree, layout: Layout) -> None:
    """Check that there are two classes, each of which has images in every split."""
    names = layout.class_names
    if len(names) < 2:
        folder = next(iter(layout.places.values()))
        raise DataError(f"{tree.path}: {explain_few_classes(names, folder, layout.left_out)}")
    filled = {(split, name) for split, name, _ in layout.files.values()}
    for split in layout.places:
        for name in names:
            if (split, name) not in filled:
                raise DataError(
                    f"{tree.path}: {explain_no_images((split, name), layout.places, layout.classes, layout.left_out)}"
                )


def _note_the_rest(tree: Tree, layout: Layout) -> None:
    """Note what lies beside the folders of the splits, and a validation set that takes the place of the test set."""
    name = layout.places.get("test", "").rpartition("/")[2]
    if name.lower() in VALIDATION:
        layout.notes.append(f"{name}/ is read as test/")
    read = set(layout.places.values())
    parents = {folder.rpartition("/")[0] for folder in read if folder}
    above = {"/".join(parent.split("/")[:depth]) for parent in parents for depth in range(parent.count("/") + 2)}
    for parent in sorted(above):
        listing = tree.listing(parent)
        layout.left_out.add_elsewhere(parent, sum(map(shows_image, listing.files)))
        for name in listing.folders:
            if (folder := join(parent, name)) not in above | read and name not in listing.links:
                layout.left_out.add_elsewhere(folder, count_images(tree, folder, depth=1))

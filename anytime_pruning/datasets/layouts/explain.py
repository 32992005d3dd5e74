"""Say in one line what was found in place of the expected layout, and what to do."""

from collections.abc import Iterable, Mapping, Sequence

from anytime_pruning.datasets.archives import is_archive
from anytime_pruning.datasets.layouts.left_out import LeftOut
from anytime_pruning.datasets.layouts.names import choose_train, is_image, is_test, join, shows_image
from anytime_pruning.datasets.layouts.tree import Tree

# The most names in a list.
MAX_NAMED = 5
WANTED = "train/<class>/ and test/<class>/"


def explain_no_splits(tree: Tree, base: str) -> str:
    """Explain that a tree has no two splits.

    Args:
        tree: the tree.
        base: path of the innermost folder that wraps everything.
    """
    listing = tree.listing(base)
    here, inside = base.rpartition("/")[2], f" in {base}/" if base else ""
    classes = [name for name in listing.folders if any(map(is_image, tree.listing(join(base, name)).files))]
    # A folder of images alone is a class, whatever its name: there are images of trains.
    splits = [name for name in listing.folders if tree.listing(join(base, name)).folders] + [here]
    train, test = choose_train(splits), next(filter(is_test, splits), None)
    others = _enumerate(f"{name}/" for name in listing.folders if name not in (train, test))
    beside = f" and {others}" if others and here not in (train, test) else ""
    if train and test is None:
        advice = f"add test/, or set test_frac, such as 0.2, to divide {train}/"
        return f"found {train}/{beside}, but no test/ or val/; {advice}"
    if test and train is None:
        return f"found {test}/{beside}, but no train/; {WANTED} are needed"
    if len(classes) > 1:
        names = _enumerate(f"{name}/" for name in classes)
        is_split = tree.path.is_dir() and (choose_train([tree.path.name]) or is_test(tree.path.name))
        advice = ", or name the folder above as the path" if is_split and not base else ""
        found = f"found the classes {names}{inside}, but no train/ and test/"
        return f"{found}; set test_frac, such as 0.2, to divide them{advice}"
    return f"0 class folders in train/; found {_describe(tree, base)}; {WANTED} are needed"


def explain_several(tree: Tree, folders: Sequence[str]) -> str:
    """Explain that several folders of one name could be a split."""
    found = f"found {_enumerate(f'{folder}/' for folder in folders)}"
    if not any(tree.listing(folder).folders for folder in folders):
        return f"{found}; the split comes first: {WANTED} are needed"
    return f"{found}, any of which could be meant; name the folder above one of them as the path, or remove the others"


def explain_few_classes(names: Sequence[str], folder: str, left_out: LeftOut) -> str:
    """Explain that a split has less than two classes."""
    count = f"{len(names)} class folder{'' if len(names) == 1 else 's'}"
    inside = f" in {folder}/" if folder else ""
    found = "".join(f" ({name})" for name in names)
    loose = left_out.describe_loose(folder)
    return f"{count}{inside}{found}{f', and {loose}' if loose else ''}; at least 2 are needed"


def explain_no_images(
    label: tuple[str, str],
    places: Mapping[str, str],
    classes: Mapping[tuple[str, str], str],
    left_out: LeftOut,
) -> str:
    """Explain that a class has no images in a split.

    Args:
        label: (split, name of the class).
        places: the folder of each split.
        classes: the path of each class by split and name.
        left_out: what was left out.
    """
    split, name = label
    needed = "every class needs some in train and test" if split else "every class needs some"
    folder = classes.get(label, join(places[split], name))
    found = left_out.describe_class(folder)
    if label not in classes and (loose := left_out.describe_loose(places[split])):
        return f"no images in {folder}/, but {loose}, whose classes are unknown; {needed}"
    alike = [other for where, other in classes if where == split and other != name and other.lower() == name.lower()]
    if alike:
        return f"no images in {folder}/, but a class {alike[0]}; the names must be the same, and {needed}"
    return f"no images in {folder}/{f'; found there: {found}' if found else ''}; {needed}"


def _describe(tree: Tree, base: str) -> str:
    """Describe a folder without splits and without classes."""
    listing = tree.listing(base)
    where = f" in {base}/" if base else ""
    if archives := [name for name in listing.files if is_archive(name)]:
        return f"the archive {archives[0]}{where}, which is not opened: name it as the path, or unpack it"
    if images := sum(map(shows_image, listing.files)):
        return f"{images:,} images without folders{where}"
    if listing.folders:
        return f"the folders {_enumerate(f'{name}/' for name in listing.folders)}{where}"
    return f"no images{where}"


def _enumerate(names: Iterable[str]) -> str:
    shown = list(names)
    more = len(shown) - MAX_NAMED
    return ", ".join(shown[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")

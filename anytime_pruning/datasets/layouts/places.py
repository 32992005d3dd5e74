"""Find the folders of the splits in a tree, which may be wrapped in other folders."""

from collections import defaultdict

from anytime_pruning.datasets.layouts.explain import explain_several
from anytime_pruning.datasets.layouts.names import choose_splits, choose_train, is_test, join
from anytime_pruning.datasets.layouts.tree import Tree
from anytime_pruning.foundation.errors import DataError

# So many folders, each the only one in its parent, may lie around train/ and test/.
MAX_WRAPPERS = 8
# The folder of each split.
Places = dict[str, str]


def unwrap(tree: Tree) -> str:
    """Return the path of the innermost folder that wraps everything, which may be the outermost folder itself."""
    base = ""
    for _ in range(MAX_WRAPPERS):
        folders = tree.listing(base).folders
        if len(folders) != 1:
            break
        base = join(base, folders[0])
    return base


def find_splits(tree: Tree, base: str, with_classes: bool) -> Places | None:
    """Return the folder of each split, which lie in the base or in the folders of the base, or None.

    Of folders that could be splits, those with folders of classes come first: test/ may hold images of unknown classes
    beside a val/ with classes.

    Args:
        tree: the tree.
        base: path of the innermost folder that wraps everything.
        with_classes: whether both folders must have folders of classes.

    Raises:
        DataError: several folders could be meant.
    """
    inner = [join(base, name) for name in tree.listing(base).folders]
    for parents in ([base], inner):
        found: dict[str, list[str]] = defaultdict(list)
        for parent in parents:
            for name in tree.listing(parent).folders:
                found[name].append(join(parent, name))
        sorted_out = [name for name, paths in found.items() if any(tree.listing(path).folders for path in paths)]
        try:
            chosen = choose_splits(sorted_out) or (None if with_classes else choose_splits(found))
        except DataError as error:
            raise DataError(f"{tree.path}: {error}") from None
        if chosen:
            for name in chosen:
                if len(found[name]) > 1:
                    raise DataError(f"{tree.path}: {explain_several(tree, found[name])}")
            return {"train": found[chosen[0]][0], "test": found[chosen[1]][0]}
    return None


def find_class_root(tree: Tree, base: str) -> str:
    """Return the folder whose folders are the classes that `test_frac` divides.

    Without folders inside and without a test/ beside it, train/ is a class: there are images of trains.
    """
    folders = tree.listing(base).folders
    train = choose_train(folders)
    if train and (tree.listing(join(base, train)).folders or any(map(is_test, folders))):
        return join(base, train)
    return base

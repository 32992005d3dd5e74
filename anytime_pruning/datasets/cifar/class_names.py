"""Name the classes of CIFAR in the order of their labels, and find the label of a folder's name."""

from collections.abc import Sequence
from pathlib import Path

from anytime_pruning.foundation.errors import DataError, show

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FINE_LABELS = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
CIFAR100 = tuple(_FINE_LABELS.split())


def labels_of(folders: Sequence[str], class_names: Sequence[str], path: Path) -> list[int]:
    """Return the official label of each class folder.

    Args:
        folders: names of the folders: official names, in upper or lower case and with any separator, or labels as
            numbers.
        class_names: official names in the order of their labels.
        path: where the folders are, for messages.

    Raises:
        DataError: a folder is neither a class nor a label, or a class has no folder.
    """
    labels = {name: label for label, name in enumerate(class_names)}
    if all(folder.isdecimal() and folder.isascii() for folder in folders):
        labels = {folder: int(folder) for folder in folders if int(folder) < len(class_names)}
    names = {folder: folder if folder in labels else _plain(folder) for folder in folders}
    if unknown := [folder for folder, name in names.items() if name not in labels]:
        raise DataError(
            f"{path}: {show(unknown[0])} is no class of this dataset; its folders are called {class_names[0]}, "
            f"{class_names[1]} ... {class_names[-1]}, or 0 ... {len(class_names) - 1}"
        )
    found = [labels[names[folder]] for folder in folders]
    if repeated := [folder for folder, label in zip(folders, found) if found.count(label) > 1]:
        raise DataError(f"{path}: two folders are the class {class_names[labels[names[repeated[0]]]]}")
    if missing := sorted(set(range(len(class_names))) - set(found)):
        raise DataError(f"{path}: no folder of class {class_names[missing[0]]} (label {missing[0]})")
    return found


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_").replace("-", "_")

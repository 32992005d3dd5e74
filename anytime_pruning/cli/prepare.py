"""Put a dataset into the cache: the command `prepare`."""

import argparse

HELP = "download or decode a dataset into the cache"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("dataset", help="name, or a YAML mapping with name, source and the dataset's settings")
    parser.add_argument("--data-dir", default="data", help="folder of downloads and cache (default: data)")


def run(options: argparse.Namespace) -> None:
    """Download or decode one dataset of a study into the cache, and print a description of its images."""
    from anytime_pruning.datasets import load_dataset, parse_dataset
    from anytime_pruning.datasets.cache import cache_path
    from anytime_pruning.foundation.errors import show
    from anytime_pruning.foundation.fields import check_path
    from anytime_pruning.foundation.safe_text import parse_yaml

    dataset = parse_dataset(parse_yaml(f"dataset: {show(options.dataset)}", options.dataset))
    data_dir = check_path("data_dir", options.data_dir)
    arrays = load_dataset(dataset, data_dir)
    print(
        f"{dataset.name}: {len(arrays.train_images)} training and {len(arrays.test_images)} test images, "
        f"{arrays.n_classes} classes, shape {arrays.image_shape}{''.join(f'; {note}' for note in arrays.notes)}\n"
        f"mean {arrays.mean}, std {arrays.std}\ncontent_sha256 {arrays.content_sha256}\n"
        f"{arrays.test_images_in_train} test images are also among the training images\n"
        f"cache {cache_path(dataset, data_dir)}"
    )

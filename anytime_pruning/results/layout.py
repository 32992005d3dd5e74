"""Name every file and folder of a study, so that no other module builds paths by hand."""

from pathlib import Path

from anytime_pruning.foundation.errors import DataError

RESULTS, FIGURES = Path("results"), Path("paper_figures")
# The endings of the files of a figure and of a table. A file that names missing runs stands in place of either.
PICTURE_FILES, TABLE_FILES, MISSING = ("pdf", "png", "csv"), ("md", "html", "tex", "csv"), "missing."
# These files are in a run's folder. metrics.json is written last, so a run is finished if its metrics.json exists.
CONFIG, MEGABATCHES, EPOCHS, LAYERS = "config.yaml", "megabatches.csv", "epochs.csv", "layers.csv"
METRICS = "metrics.json"
# The texts of a run whose checksums metrics.json has, and the tables into which a study's runs are collected.
TEXTS = (CONFIG, MEGABATCHES, EPOCHS, LAYERS)
COLLECTED_TABLES = ("runs", "megabatches", "epochs", "layers")
# This folder holds the checkpoints of an unfinished run.
RESUME = "resume"
# The process that computes the run keeps this file locked.
LOCK = "run.lock"
WEIGHTS = "weights.safetensors"
# A small form of the same weights, which `export` writes: the kept values, and one bit for each weight.
SPARSE_WEIGHTS = "network.sparse.safetensors"
# Weights lie in trees beside the runs. DVC versions `checkpoints`, which holds them as they are. The sparse files in
# `weights` are small enough for git.
WEIGHTS_TREES = {"checkpoints": WEIGHTS, "weights": SPARSE_WEIGHTS}


def runs_dir(study: str) -> Path:
    """Return the folder of a study's runs."""
    return RESULTS / study / "runs"


def run_dir(study: str, name: str) -> Path:
    """Return the folder of one run."""
    return runs_dir(study) / name


def weights_path(study: str, name: str) -> Path:
    """Return the path of a run's final weights as training writes them.

    Weights are in a folder tree beside the runs, so that these large files can be versioned separately.
    """
    return weights_paths(RESULTS / study, name)[0]


def weights_paths(study: Path, name: str | Path) -> list[Path]:
    """Return every place of a run's weights in the trees of a study's folder, as they are first."""
    return [study / tree / name / file for tree, file in WEIGHTS_TREES.items()]


def study_dir(run: Path) -> Path:
    """Return the folder of the study to which a run's folder belongs, or the run's folder itself outside a study."""
    above = [folder for folder in run.parents if folder.name == "runs"]
    return above[0].parent if above else run


def find_weights(run: Path) -> Path:
    """Find the weights of a run in the run's folder, or in one of the trees beside the runs.

    Args:
        run: the run's folder.

    Returns:
        The path of the existing file.

    Raises:
        DataError: the weights are in no place; they are not versioned together with the results.
    """
    study, own = study_dir(run), run / WEIGHTS
    places = [own] if study == run else [own, *weights_paths(study, run.relative_to(study / "runs"))]
    for place in places:
        if place.exists():
            return place
    raise DataError(
        f"{places[:2][-1]}: no such file; fetch the weights, or train them: "
        f"python -m anytime_pruning train --settings {run / CONFIG} --out NEW_FOLDER"
    )

"""Name every file and folder of a study, so that no other module builds paths by hand."""

from pathlib import Path

from anytime_pruning.foundation.errors import DataError

RESULTS = Path("results")
# The files in a run's folder. metrics.json is written last: where it exists, the run is finished.
CONFIG, MEGABATCHES, EPOCHS, LAYERS = "config.yaml", "megabatches.csv", "epochs.csv", "layers.csv"
METRICS = "metrics.json"
# The folder of an unfinished run's checkpoints.
RESUME = "resume"
# The file that the process which computes the run keeps locked.
LOCK = "run.lock"
WEIGHTS = "weights.safetensors"


def runs_dir(study: str) -> Path:
    """Return the folder of a study's runs."""
    return RESULTS / study / "runs"


def run_dir(study: str, name: str) -> Path:
    """Return the folder of one run."""
    return runs_dir(study) / name


def weights_path(study: str, name: str) -> Path:
    """Return the path of a run's final weights.

    Weights lie in a tree beside the runs, so that these large files can be versioned separately.
    """
    return RESULTS / study / "checkpoints" / name / WEIGHTS


def find_weights(run: Path) -> Path:
    """Find the weights of a run: in its folder, or in the tree of checkpoints beside the runs.

    Args:
        run: the run's folder.

    Returns:
        The path of the existing file.

    Raises:
        DataError: neither place holds the weights, which are not versioned with the results.
    """
    places = [run / WEIGHTS]
    parts = run.parts
    if "runs" in parts:
        i = len(parts) - 1 - parts[::-1].index("runs")
        places.append(Path(*parts[:i], "checkpoints", *parts[i + 1 :], WEIGHTS))
    for place in places:
        if place.exists():
            return place
    raise DataError(
        f"{places[-1]}: no such file; fetch the weights, or train them: "
        f"python -m anytime_pruning train --settings {run / CONFIG} --out NEW_FOLDER"
    )

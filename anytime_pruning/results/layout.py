"""Names every file of a study, so that nothing else builds paths by hand. Torch-free."""

from pathlib import Path

from anytime_pruning.foundation.errors import DataError

RESULTS = Path("results")
# What a run writes into its folder; metrics.json comes last and means that the run is done.
CONFIG, MEGABATCHES, EPOCHS, LAYERS = "config.yaml", "megabatches.csv", "epochs.csv", "layers.csv"
METRICS = "metrics.json"
# Folder of its checkpoints while it is not.
RESUME = "resume"
# Held by the process that works on it.
LOCK = "run.lock"
WEIGHTS = "weights.safetensors"


def runs_dir(study: str) -> Path:
    """Folder of a study's runs."""
    return RESULTS / study / "runs"


def run_dir(study: str, name: str) -> Path:
    """Folder of one run."""
    return runs_dir(study) / name


def weights_path(study: str, name: str) -> Path:
    """Final weights of one run, in a tree beside the runs so that large files can be versioned apart."""
    return RESULTS / study / "checkpoints" / name / WEIGHTS


def find_weights(run: Path) -> Path:
    """The weights of a run: in its folder, or in the tree of checkpoints beside the runs.

    Raises:
        DataError: they are in neither; weights are not versioned with the results.
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

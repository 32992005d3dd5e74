"""Test that a tiny run gives the numbers that are stored in the repository.

If these numbers change, stored results are in doubt, and RESULTS_VERSION has to rise. This command then writes
tests/whole/golden.json anew:

    python -m tests.whole.test_golden

On the kind of machine that wrote the file the numbers must be the same to the bit. Vector instructions of another
machine may round differently, so accuracies may differ there; counts, densities and the start of the run must agree.
"""

import csv
import json
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from anytime_pruning import RESULTS_VERSION, run_stream
from anytime_pruning.machine import provenance
from anytime_pruning.settings.run import RunSettings, parse_settings

GOLDEN = Path(__file__).parent / "golden.json"
SETTINGS = {
    "dataset": "digits",
    "model": "resnet20",
    "n_megabatches": 3,
    "train_limit": 120,
    "epochs": 2,
    "lr_milestones": [1],
    "batch_size": 16,
    "lr": 0.05,
    "precision": "float32",
    "execution": {"device": "cpu", "threads": 1},
}
# No rounding can change these columns: they hold the stream, the schedule, counts and whatever follows from density.
EXACT_EVERYWHERE = {
    "megabatches": (
        "t", "density_asked", "density_measured", "kept_count", "prunable_count", "train_count", "valid_count",
        "test_count", "samples",
    ),
    "epochs": ("t", "epoch", "lr", "samples"),
    "layers": ("t", "layer", "total"),
}  # fmt: skip


def compute(data_dir: Path, out_dir: Path) -> dict:
    """Return all numbers of the tiny run except times, the default of every setting, and the machine."""
    settings = SETTINGS | {"execution": SETTINGS["execution"] | {"data_dir": str(data_dir)}}
    run_stream(settings, out_dir)
    content = {}
    for name in ("megabatches", "epochs", "layers"):
        with open(out_dir / f"{name}.csv", encoding="utf-8") as file:
            content[name] = [{k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)]
    hardware = provenance.describe_hardware(torch.device("cpu"))
    defaults = {key: field.default for key, field in RunSettings.model_fields.items() if not field.is_required()}
    return {
        "results_version": RESULTS_VERSION,
        "digest": parse_settings(settings).digest(),
        "defaults": json.loads(json.dumps({k: v for k, v in defaults.items() if k != "execution"})),
        "machine": [torch.__version__.split("+")[0], hardware["processor"], hardware["cpu_capability"]],
        **content,
    }


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def computed(data_dir, tmp_path_factory):
    return compute(data_dir, tmp_path_factory.mktemp("golden"))


def test_the_golden_file_is_of_this_results_version(golden):
    assert golden["results_version"] == RESULTS_VERSION, "RESULTS_VERSION was raised: write golden.json anew"


def test_numbers_have_not_changed(golden, computed):
    """Compare every bit on the kind of machine that wrote the file, and elsewhere only what no rounding can change."""
    same_machine = golden["machine"] == computed["machine"]
    for table, exact in EXACT_EVERYWHERE.items():
        for was, now in zip(golden[table], computed[table], strict=True):
            assert was.keys() == now.keys()
            for column in was if same_machine else exact:
                message = f"{table}.{column} changed at {now}: raise RESULTS_VERSION if that is meant"
                assert now[column] == was[column], message


def test_the_start_is_the_same_on_every_machine(golden, computed):
    """Compare numbers that precede the growth of rounding errors.

    These numbers are the first epoch's loss, and how many weights each layer keeps after the first pruning.
    """
    first, now = golden["epochs"][0], computed["epochs"][0]
    assert float(now["train_loss"]) == pytest.approx(float(first["train_loss"]), rel=0.02)
    for was, row in zip(golden["layers"][:19], computed["layers"][:19], strict=True):
        assert int(row["kept"]) == pytest.approx(int(was["kept"]), rel=0.01, abs=3)


def test_defaults_have_not_changed(golden, computed):
    """Compare defaults: a digest omits settings with their default, so RESULTS_VERSION must rise with any change."""
    for key, value in golden["defaults"].items():
        assert computed["defaults"].get(key) == value, f"default of {key} changed: raise RESULTS_VERSION"


def test_the_digest_has_not_changed(golden, computed):
    assert computed["digest"] == golden["digest"], "stored results would not be found any more: raise RESULTS_VERSION"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        numbers = compute(Path(folder) / "data", Path(folder) / "run")
    GOLDEN.write_text(json.dumps(numbers, indent=1) + "\n")
    sys.stdout.write(f"{GOLDEN} written for RESULTS_VERSION {RESULTS_VERSION}\n")

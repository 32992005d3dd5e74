"""Test that a tiny run gives the numbers that are stored in the repository, one file for each kind of processor.

If these numbers change, stored results are in doubt, and RESULTS_VERSION has to rise. This command then writes the
files of `golden_numbers/` anew:

    python -m tests.whole.golden --narrower

On a kind of processor and with a version of torch for which there is a file, the numbers must be the same to the bit.
Elsewhere, a warning says that only what no rounding can change was compared to the bit, and the start of the run within
a tolerance.
"""

import copy
import json
import warnings

import golden
import pytest
import torch

from anytime_pruning.machine import provenance

FILES = sorted(golden.FOLDER.glob("*-*.json"))
WIDEST = golden.file_of("AMD, AVX512 with bfloat16")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def reference_for(kind, torch_version):
    """Return the stored numbers to compare with, and warn if they are not of this kind or of this version of torch."""
    path = golden.file_of(kind)
    stored = read(path if path.exists() else WIDEST)
    if (stored["kind"], stored["torch"]) != (kind, torch_version):
        warnings.warn(
            f"golden run: no stored numbers are of {kind} with torch {torch_version}; compared within a tolerance with "
            f"those of {stored['kind']} with torch {stored['torch']}; python -m tests.whole.golden writes a file",
            stacklevel=2,
        )
    return stored


def problems(numbers):
    """Return what differs, and then how the stored numbers were made."""
    stored = reference_for(numbers["kind"], numbers["torch"])
    found = list(golden.differences(stored, numbers))
    return [*found, f"the stored numbers were made {stored['made']}"] if found else []


@pytest.fixture(scope="module")
def computed(data_dir, tmp_path_factory):
    return golden.compute(data_dir, tmp_path_factory.mktemp("golden"))


def test_numbers_have_not_changed(computed):
    assert problems(computed) == [], "raise RESULTS_VERSION if that is meant, and write the files anew"


@pytest.mark.parametrize("instructions", golden.SWITCHES)
def test_numbers_of_narrower_kinds_have_not_changed(instructions, data_dir, tmp_path):
    """Switch instructions off, and check that both libraries of torch noticed."""
    capability = torch.backends.cpu.get_cpu_capability()
    if not capability.startswith("AVX") or instructions > capability:
        pytest.skip(f"this processor has {capability} and not {instructions}")
    numbers = golden.compute_narrower(instructions, data_dir, tmp_path)
    assert numbers["kind"] == f"{provenance.maker_of(provenance.processor_name())}, {instructions}"
    assert numbers["onednn"].startswith({"AVX512": "Intel AVX-512 with AVX512BW", "AVX2": "Intel AVX2"}[instructions])
    assert problems(numbers) == [], "raise RESULTS_VERSION if that is meant, and write the files anew"


def test_every_file_is_of_this_results_version_and_says_how_it_was_made():
    kinds = [golden.file_of(kind) for kind in ("AMD, AVX2", "AMD, AVX512", "AMD, AVX512 with bfloat16")]
    assert sorted(kinds) == FILES
    for path in FILES:
        stored = read(path)
        assert golden.file_of(stored["kind"]) == path
        assert stored["results_version"] == golden.RESULTS_VERSION, f"write {path} anew"
        is_narrower = not stored["made"]["on"].endswith(stored["kind"].partition(", ")[2])
        assert bool(stored["made"]["with instructions switched off by"]) == is_narrower


def test_bfloat16_alone_tells_processors_with_it_from_others_and_older_instructions_change_everything():
    older, middle, newest = map(read, FILES[:1] + FILES[2:] + FILES[1:2])
    assert [stored["kind"] for stored in (older, middle, newest)] == [
        "AMD, AVX2",
        "AMD, AVX512",
        "AMD, AVX512 with bfloat16",
    ]
    assert middle["float32"] == newest["float32"]
    assert middle["bfloat16"] != newest["bfloat16"]
    assert older["float32"] != middle["float32"]


def test_an_unknown_kind_is_compared_within_a_tolerance_and_said(computed):
    numbers = computed | {"kind": "Unheard of, SVE", "torch": "99.0"}
    last = numbers["float32"]["epochs"][-1]
    numbers = copy.deepcopy(numbers)
    numbers["float32"]["epochs"][-1] = last | {"train_loss": "77"}
    message = (
        r"^golden run: no stored numbers are of Unheard of, SVE with torch 99\.0; compared within a tolerance with "
        r"those of AMD, AVX512 with bfloat16 with torch [\d.]+; python -m tests\.whole\.golden writes a file$"
    )
    with pytest.warns(UserWarning, match=message):
        assert problems(numbers) == []


def test_another_version_of_torch_is_an_unknown_kind(computed):
    kind = read(FILES[0])["kind"]
    with pytest.warns(UserWarning, match=f"no stored numbers are of {kind} with torch 99.0"):
        assert problems(computed | {"kind": kind, "torch": "99.0"}) == []


@pytest.mark.parametrize(
    ("table", "row", "column", "factor"),
    [
        ("megabatches", 1, "kept_count", 2),
        ("layers", 5, "total", 2),
        ("epochs", 5, "lr", 2),
        ("epochs", 0, "train_loss", 1.1),
        ("epochs", 0, "train_loss", float("nan")),
        ("layers", 12, "kept", 0.9),
    ],
)
@pytest.mark.parametrize("precision", golden.PRECISIONS)
def test_beyond_the_tolerance_an_unknown_kind_fails(precision, table, row, column, factor):
    stored = read(WIDEST)
    changed = copy.deepcopy(stored | {"kind": "Unheard of, SVE"})
    cell = changed[precision][table][row]
    number = factor * float(cell[column])
    cell[column] = str(int(number) if cell[column].isdecimal() else number)
    (problem,) = golden.differences(stored, changed)
    assert problem.startswith(f"{precision}: ")


def test_one_bit_is_a_difference_on_a_known_kind():
    stored = read(WIDEST)
    changed = copy.deepcopy(stored)
    changed["bfloat16"]["epochs"][-1]["valid_loss"] += "1"
    (problem,) = golden.differences(stored, changed)
    assert problem.startswith("bfloat16: epochs.valid_loss was ")
    assert problem.endswith(" at t 3, epoch 2")


def test_defaults_have_not_changed():
    """Compare defaults: a digest omits settings with their default, so RESULTS_VERSION must rise with any change."""
    stored, now = read(golden.FOLDER / "identity.json"), golden.identity()
    for key, value in stored["defaults"].items():
        assert now["defaults"].get(key) == value, f"default of {key} changed: raise RESULTS_VERSION"


def test_the_digest_has_not_changed():
    stored, now = read(golden.FOLDER / "identity.json"), golden.identity()
    assert stored["results_version"] == now["results_version"], "RESULTS_VERSION was raised: write the files anew"
    message = "stored results would not be found any more: raise RESULTS_VERSION"
    assert now["digest"] == stored["digest"], message

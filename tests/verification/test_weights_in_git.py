"""Test that runs whose weights lie in a sparse file are checked like others, to the bit."""

import pytest
from forge import problems_in

from anytime_pruning import load_network
from anytime_pruning.__main__ import main
from anytime_pruning.export.sparse_weights import pack, unpack
from anytime_pruning.results import layout
from anytime_pruning.verification.stored import verify


@pytest.fixture
def packed(run, study):
    """Put the weights of a run into the tree of sparse files, and remove them elsewhere; return the sparse file."""
    _, sparse = layout.weights_paths(study, run.relative_to(study / "runs"))
    assert main(["export", str(run), "--out", str(sparse.parent), "--sparse-only"]) == 0
    layout.find_weights(run).unlink()
    assert [path.name for path in sparse.parent.iterdir()] == [layout.SPARSE_WEIGHTS]
    return sparse


def test_they_are_found_and_tested_again(packed, run):
    assert layout.find_weights(run) == packed
    *_, done = verify([run])
    assert (done.problems, done.counts["with weights"], done.counts["tested again"]) == ([], 1, 1)
    assert load_network(run).training is False


def test_without_testing_they_are_not_read_and_this_is_said(packed, run):
    packed.write_bytes(b"damaged")
    *_, done = verify([run], evaluate=False)
    assert (done.problems, done.counts["with weights"]) == ([], 0)
    assert done.notes == {"runs with sparse weights, which are only read where networks are tested again": 1}


def test_one_changed_value_is_found(packed, run):
    state = unpack(packed.read_bytes())
    next(iter(state.values())).view(-1)[0] += 1
    packed.write_bytes(pack(state, []))
    (problem,) = problems_in(run, evaluate=True)
    assert problem == f"{packed}: holds other weights than those that metrics.json names"


def test_a_damaged_file_is_one_line(packed, run):
    packed.write_bytes(packed.read_bytes()[:-1])
    (problem,) = problems_in(run, evaluate=True)
    assert problem.startswith(f"{packed}: not a safetensors file: ")

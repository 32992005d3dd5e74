"""Test that a run that violates an invariant stops, names the invariant and writes no results."""

import copy
from functools import partial

import pytest
import torch

import anytime_pruning.runs.loop
from anytime_pruning import run_stream
from anytime_pruning.foundation.errors import InvariantError
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.protocols import PruningStep, make_protocol
from anytime_pruning.pruning.protocols.paper import PaperProtocol
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.results import layout
from anytime_pruning.runs import stream_plan
from anytime_pruning.runs.invariants import chance_zeros, check_indices, check_masks, check_weights
from anytime_pruning.stream.megabatches import Megabatch

# Each pair names a function that a run calls, and the module or class in which the run looks for the function.
SPLIT, REPLAY, SAMPLE = ((stream_plan, name) for name in ("split_stream", "replay_parts", "draw_sample"))
MASKS = (PaperProtocol, "choose_masks")


def results_in(folder):
    """Return the names of a run's files without its lock and its checkpoints, which precede the violation."""
    return {path.name for path in folder.iterdir()} - {layout.LOCK, layout.RESUME}


def change_result(monkeypatch, place, name, change, call=2):
    """Let a run get a changed result from its n-th call of one function."""
    original, calls = getattr(place, name), []

    def changed(*args):
        calls.append(1)
        result = original(*args)
        return change(result, *args) if len(calls) == call else result

    monkeypatch.setattr(place, name, changed)


def in_first_layer(change):
    """Return a function that changes the first entry of masks or of another mapping by name."""

    def changed(masks, *args):
        (name, mask), *others = masks.items()
        return {name: change(mask.clone())} | dict(others)

    return changed


def keep_again(mask):
    mask[~mask] = True
    return mask


def keep_one_less(mask):
    mask.view(-1)[mask.view(-1).nonzero()[0]] = False
    return mask


def overlapping(stream, *args):
    return [*stream[:-1], Megabatch(len(stream), stream[-1].train, stream[0].valid)]


def train_on_validation(replayed, settings, arrived):
    return torch.cat([replayed[0], arrived[0].valid[:1]]), replayed[1]


def validate_on_training(replayed, settings, arrived):
    return replayed[0], torch.cat([replayed[1], arrived[0].train[:1]])


def prune_on_validation(sample, settings, arrived, replayed):
    return torch.cat([sample, arrived[0].valid[:1]])


@pytest.mark.parametrize(
    ("target", "change", "call", "message"),
    [
        (
            SPLIT,
            overlapping,
            1,
            "each index in one megabatch: megabatch 3: an index is in two of its parts",
        ),
        (
            SPLIT,
            lambda stream, *args: stream[:-1],
            1,
            "megabatch 2: 60 indices are in the stream, not 90",
        ),
        (
            REPLAY,
            train_on_validation,
            2,
            r"training uses its own part: megabatch 2: index \d+ belongs to another part",
        ),
        (REPLAY, validate_on_training, 2, "validation uses its own part: megabatch 2"),
        (SAMPLE, prune_on_validation, 3, "pruning uses its own part: megabatch 3"),
        (
            MASKS,
            in_first_layer(keep_again),
            2,
            r"masks nest: megabatch 2: \d+ weights of network.conv1.weight are kept that were pruned before",
        ),
        (
            MASKS,
            lambda masks, *args: {},
            2,
            "masks nest: megabatch 2: nothing is masked any more",
        ),
        (
            MASKS,
            lambda masks, *args: dict(list(masks.items())[1:]),
            1,
            "masks fit: megabatch 1",
        ),
        (
            MASKS,
            in_first_layer(keep_one_less),
            2,
            "density asked is density measured: megabatch 2: masks keep 144767 of 267408 weights instead of 144768",
        ),
    ],
)
def test_a_violation_stops_the_run_and_writes_nothing(target, change, call, message, tiny, tmp_path, monkeypatch):
    change_result(monkeypatch, *target, change, call)
    with pytest.raises(InvariantError, match=f"^invariant violated: .*{message}.*; no results were written"):
        run_stream(tiny(epochs=1, method="app"), tmp_path)
    assert results_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("revived", "message"),
    [
        (True, "pruned weights are zero: megabatch 2: 3 pruned weights of network.blocks.8.conv2.weight are not zero"),
        (False, "density asked is density measured: megabatch 2: 144765 weights are not zero, but masks keep 144768"),
    ],
)
def test_weights_after_training_are_looked_at(revived, message, tiny, tmp_path, monkeypatch):
    train = anytime_pruning.runs.loop.Trainer.train_megabatch

    def changed(self, progress, *args):
        result = train(self, progress, *args)
        if progress.t == 2:
            weight = self.model.network.blocks[8].conv2.weight.data.view(-1)
            weight[((weight == 0) if revived else (weight != 0)).nonzero()[:3, 0]] = 1.0 if revived else 0.0
        return result

    monkeypatch.setattr(anytime_pruning.runs.loop.Trainer, "train_megabatch", changed)
    with pytest.raises(InvariantError, match=message):
        run_stream(tiny(epochs=1), tmp_path)
    assert results_in(tmp_path) == set()


def test_what_was_wrong_is_in_no_checkpoint(tiny, tmp_path, monkeypatch):
    """Check that the run resumes once the fault is gone, and ends with the weights of a run without the fault."""
    with monkeypatch.context() as fault:
        change_result(fault, *MASKS, in_first_layer(keep_again), 2)
        with pytest.raises(InvariantError, match="masks nest"):
            run_stream(tiny(epochs=1), tmp_path / "faulty")
    assert run_stream(tiny(epochs=1), tmp_path / "faulty")["resumed"]
    run_stream(tiny(epochs=1), tmp_path / "sound")
    faulty, sound = ((tmp_path / name / layout.WEIGHTS).read_bytes() for name in ("faulty", "sound"))
    assert faulty == sound


def toy_stream(t, train, valid):
    return Megabatch(t, torch.tensor(train), torch.tensor(valid))


def test_an_index_of_no_image_is_found():
    stream = [toy_stream(1, [0, 1], [2]), toy_stream(2, [3, 4], [5])]
    used = [(stream[0].train, stream[0].valid), (torch.tensor([0, 1, 3, 4]), torch.tensor([2, 5]))]
    samples = [stream[0].train, stream[1].train]
    check_indices(stream, used, samples, 6, None)
    check_indices(stream, used, samples, 9, 6)
    for odd in (6, -1):
        with pytest.raises(InvariantError, match=f"training uses its own part: megabatch 2: index {odd} belongs to"):
            check_indices(stream, [used[0], (torch.tensor([0, odd]), used[1][1])], samples, 6, None)
    with pytest.raises(InvariantError, match="megabatch 1: index 3 belongs to another part or has not arrived"):
        check_indices(stream, [(torch.tensor([0, 3]), used[0][1]), used[1]], samples, 6, None)
    for parts in ([0, 0], [0, 6], [0, -1]):
        with pytest.raises(InvariantError, match="each index in one megabatch: megabatch 1"):
            check_indices([toy_stream(1, parts, [2])], used[:1], samples[:1], 6, 3)


def test_the_released_protocol_may_keep_fewer_and_never_more(toy_model):
    weights = prunable_weights(toy_model)
    before = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    fewer = in_first_layer(keep_one_less)(before)
    # The toy model has 51 prunable weights. A selection keeps 51 - int(0.1 * 51) = 46 of them, ties aside.
    for scope in ("global", "local"):
        expected = partial(make_protocol("released").expected_kept, PruningStep(2, 0.9, 0.9, scope))
        with pytest.raises(InvariantError, match="density asked is density measured: megabatch 2: masks keep 50 of 51"):
            check_masks(before, fewer, toy_model, expected, 2)
    nothing = {name: torch.zeros_like(mask) for name, mask in before.items()}
    check_masks(before, nothing, toy_model, expected, 2)
    all_kept = partial(make_protocol("released").expected_kept, PruningStep(2, 1.0, 1.0, "global"))
    check_masks(before, fewer, toy_model, all_kept, 2)


def test_a_zero_by_chance_is_no_violation(toy_model):
    assert [chance_zeros(n) for n in (51, 23_000_000)] == [1, 24]
    model = copy.deepcopy(toy_model)
    masks = in_first_layer(keep_one_less)({n: torch.ones_like(w, dtype=torch.bool) for n, w in weights_of(model)})
    apply_masks(model, masks)
    check_weights(model, masks, 1)
    model[0].weight.data.view(-1)[1] = 0
    check_weights(model, masks, 1)
    model[0].weight.data.view(-1)[2] = 0
    with pytest.raises(InvariantError, match="48 weights are not zero, but masks keep 50"):
        check_weights(model, masks, 1)
    check_weights(model, masks, 1, zeros_at_start=1)


def weights_of(model):
    return prunable_weights(model).items()

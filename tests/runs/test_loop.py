"""Test the loop over megabatches: densities, the order of steps, the images that are read, and equal bits."""

import itertools
import json
from functools import partial

import pytest
import torch
from conftest import read_csv, without_times
from safetensors.torch import load_file

import anytime_pruning.pruning.mask_chooser
import anytime_pruning.runs.job
import anytime_pruning.runs.loop
import anytime_pruning.runs.networks.build
import anytime_pruning.runs.stream_plan
from anytime_pruning import build_model, run_stream
from anytime_pruning.foundation.registry import names
from anytime_pruning.pruning.protocols.paper import PaperProtocol
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners import synflow
from anytime_pruning.pruning.schedules import make_schedule


@pytest.fixture
def tiny(tiny, small):
    """Return a function that makes the settings of a tiny run of a small network."""
    return partial(tiny, model=small)


@pytest.fixture
def watch_masks(monkeypatch):
    """Record the masks of each megabatch in the runs that follow."""
    seen = []
    choose = PaperProtocol.choose_masks

    def watched(*args):
        seen.append(choose(*args))
        return seen[-1]

    monkeypatch.setattr(PaperProtocol, "choose_masks", watched)
    return seen


PRUNED = [method for method in names("method") if make_schedule(method).prunes]
UNPRUNED = [method for method in names("method") if method not in PRUNED]


@pytest.mark.parametrize(
    ("method", "pruner", "scope"),
    [
        *itertools.product(PRUNED, names("pruner"), ["global", "local"]),
        *((method, "snip", "global") for method in UNPRUNED),
    ],
)
def test_density_in_the_network_is_the_scheduled_one_and_masks_nest(
    method, pruner, scope, tiny, tmp_path, watch_masks, monkeypatch
):
    monkeypatch.setattr(synflow.score_synflow, "rounds", 10)  # instead of 100, to save time
    settings = tiny(method=method, pruner=pruner, scope=scope, epochs=1)
    run_stream(settings, tmp_path)
    rows = read_csv(tmp_path / "megabatches.csv")
    for row, asked in zip(rows, make_schedule(method).densities(3, 4.5, 0.8), strict=True):
        assert float(row["density_asked"]) == asked
        assert abs(int(row["kept_count"]) - asked * int(row["prunable_count"])) <= 1
    for before, after in itertools.pairwise(watch_masks):
        assert all(not (after[name] & ~before[name]).any() for name in after)
    weights = load_file(tmp_path / "weights.safetensors")
    assert bool(watch_masks) == make_schedule(method).prunes
    for name, mask in watch_masks[-1].items() if watch_masks else ():
        assert torch.equal(weights[name] != 0, mask)
    final = json.loads((tmp_path / "metrics.json").read_text())["final"]
    assert final["kept_count"] == sum(
        int(weights[name].count_nonzero()) for name in prunable_weights(build_model("small", 10, (1, 8, 8)))
    )


def test_one_shot_pruning_scores_once_and_dense_never(tiny, tmp_path, monkeypatch):
    calls = []
    score = anytime_pruning.pruning.mask_chooser.score
    monkeypatch.setattr(anytime_pruning.pruning.mask_chooser, "score", lambda *args: calls.append(1) or score(*args))
    counts = {}
    for method in ("app", "osp", "dense"):
        calls.clear()
        run_stream(tiny(method=method, epochs=1), tmp_path / method)
        counts[method] = len(calls)
    assert counts == {"app": 3, "osp": 1, "dense": 0}


def test_the_scored_weights_are_the_trained_ones_and_pruning_comes_first(tiny, tmp_path, monkeypatch):
    """Check that no weight changes between training, scoring and training.

    At t > 1 the pruner sees exactly what training on t - 1 left, and training starts from exactly what the pruner
    leaves.
    """
    log = []
    score, train = anytime_pruning.pruning.mask_chooser.score, anytime_pruning.runs.loop.Trainer.train_megabatch

    def copy(model):
        return {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}

    def watched_score(model, *args):
        log.append(("scored", copy(model)))
        return score(model, *args)

    def watched_train(self, *args):
        log.append(("masked", copy(self.model)))
        result = train(self, *args)
        log.append(("trained", copy(self.model)))
        return result

    monkeypatch.setattr(anytime_pruning.pruning.mask_chooser, "score", watched_score)
    monkeypatch.setattr(anytime_pruning.runs.loop.Trainer, "train_megabatch", watched_train)
    run_stream(tiny(epochs=1), tmp_path)
    assert [event for event, _ in log] == ["scored", "masked", "trained"] * 3
    for t in (1, 2):
        trained, scored = log[3 * t - 1][1], log[3 * t][1]
        assert all(torch.equal(trained[name], scored[name]) for name in scored)
    for t in (0, 1, 2):
        scored, masked = log[3 * t][1], log[3 * t + 1][1]
        assert all(torch.equal(masked[name], scored[name] * (masked[name] != 0)) for name in scored)


def test_nothing_beyond_the_current_megabatch_is_read(tiny, tmp_path, monkeypatch):
    """Check that scoring and training see only training parts of M_1 ... M_t, and never a validation part."""
    streams, used = [], []
    split = anytime_pruning.runs.stream_plan.split_stream
    plan = anytime_pruning.stream.images.ImageSet.plan
    evaluated = []

    def watched_split(*args):
        streams.append(split(*args))
        return streams[-1]

    def watched_plan(self, indices, *args):
        if len(self) > 1000:  # Only the training set is this large.
            used.append((len(evaluated), set(indices.tolist()), not torch.is_grad_enabled()))
        return plan(self, indices, *args)

    evaluate = anytime_pruning.runs.loop.evaluate

    def watched_evaluate(*args):
        evaluated.append(1)  # The loop evaluates on the test set after each megabatch.
        return evaluate(*args)

    monkeypatch.setattr(anytime_pruning.runs.stream_plan, "split_stream", watched_split)
    monkeypatch.setattr(anytime_pruning.stream.images.ImageSet, "plan", watched_plan)
    monkeypatch.setattr(anytime_pruning.runs.loop, "evaluate", watched_evaluate)
    run_stream(tiny(epochs=1), tmp_path)
    (stream,) = streams
    # Each megabatch is read for scoring, for training, for validation, and for the two terms of the gaps.
    assert len(used) == 3 * 5
    for t, indices, is_evaluation in used:
        train = set(torch.cat([m.train for m in stream[: t + 1]]).tolist())
        valid = set(torch.cat([m.valid for m in stream[: t + 1]]).tolist())
        assert indices <= (train | valid if is_evaluation else train)
        assert is_evaluation or len(indices) in (len(train), round(0.2 * len(train)))


def test_a_second_run_is_bit_identical(tiny, tmp_path):
    for name in ("one", "two"):
        run_stream(tiny(), tmp_path / name)
    for name in ("megabatches.csv", "epochs.csv", "layers.csv"):
        assert without_times(tmp_path / "one" / name) == without_times(tmp_path / "two" / name)
    one, two = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    run_stream(tiny(seed=1), tmp_path / "other")
    assert (tmp_path / "other" / "weights.safetensors").read_bytes() != one


def test_the_run_that_fills_the_cache_is_bit_identical_to_later_ones(tiny, tmp_path):
    settings = tiny(execution={"device": "cpu", "data_dir": str(tmp_path / "new data")})
    for name in ("first", "later"):
        run_stream(settings, tmp_path / name)
    for name in ("megabatches.csv", "epochs.csv"):
        assert without_times(tmp_path / "first" / name) == without_times(tmp_path / "later" / name)


def test_methods_share_stream_and_initial_weights(tiny, tmp_path, monkeypatch):
    starts, streams = [], []
    build, split = anytime_pruning.runs.networks.build.build_model, anytime_pruning.runs.stream_plan.split_stream

    def watched_build(*args, **kwargs):
        model = build(*args, **kwargs)
        starts.append(model.network.conv1.weight.detach().clone())
        return model

    def watched_split(*args):
        streams.append(split(*args))
        return streams[-1]

    monkeypatch.setattr(anytime_pruning.runs.networks.build, "build_model", watched_build)
    monkeypatch.setattr(anytime_pruning.runs.stream_plan, "split_stream", watched_split)
    for method in ("app", "dense"):
        run_stream(tiny(method=method, epochs=1), tmp_path / method)
    assert torch.equal(*starts)
    assert all(torch.equal(a.train, b.train) for a, b in zip(*streams))


def numbers(settings, folder):
    run_stream(settings, folder)
    return [read_csv(folder / name) for name in ("epochs.csv", "layers.csv", "megabatches.csv")]


@pytest.fixture(scope="module")
def learns(data_dir):
    """Return the settings of a run of ResNet-20 that learns digits."""
    settings = {"dataset": "digits", "model": "resnet20", "n_megabatches": 3, "train_limit": 600, "seed": 1}
    settings |= {"epochs": 2, "lr_milestones": [1], "batch_size": 16, "lr": 0.02}
    return settings | {"execution": {"device": "cpu", "threads": 1, "data_dir": str(data_dir)}}


@pytest.fixture(scope="module")
def slow(learns, tmp_path_factory):
    """Return the numbers of this run in float32 and contiguous feature maps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anytime_pruning.runs.job, "arrange", lambda *args: None)
        return numbers(learns | {"precision": "float32"}, tmp_path_factory.mktemp("slow") / "run")


@pytest.mark.parametrize(("precision", "first_loss"), [("float32", 0.05), ("bfloat16", 0.1)])
def test_the_fast_path_gives_the_numbers_of_the_slow_one(precision, first_loss, learns, slow, tmp_path):
    """Compare a stream in the fast memory format and precision with one in float32 and contiguous feature maps.

    Rounding errors grow from step to step, as any small change does. The stated tolerance is `first_loss` for the loss
    of the first epoch, 10 % for the weights that each layer keeps, and 8 points for the accuracy that the network
    learns, which is 89 %.
    """
    fast = numbers(learns | {"precision": precision}, tmp_path / "fast")
    losses, expected = ([float(row["train_loss"]) for row in rows[0]] for rows in (fast, slow))
    assert losses[0] == pytest.approx(expected[0], rel=first_loss)
    assert losses != expected  # The two runs did take different paths.
    for row, like in zip(fast[1], slow[1], strict=True):
        assert int(row["kept"]) == pytest.approx(int(like["kept"]), rel=0.1)
    for row, like in zip(fast[2], slow[2], strict=True):
        assert row["kept_count"] == like["kept_count"]
    accuracy = float(slow[2][-1]["test_acc_pct"])
    assert accuracy > 80
    assert float(fast[2][-1]["test_acc_pct"]) == pytest.approx(accuracy, abs=8)

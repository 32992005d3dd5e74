"""Test that a run resumes after a stop at any possible moment, and ends with the same bits."""

import csv
import json
import random
import shutil
import signal
import time
from functools import partial

import numpy as np
import pytest
import torch
from conftest import toy_files, write_folder

from anytime_pruning import register, run_stream
from anytime_pruning.datasets import decoding
from anytime_pruning.foundation import signals
from anytime_pruning.foundation.errors import InvariantError, SettingError
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.foundation.signals import Interrupted
from anytime_pruning.foundation.torch_fixes.seeding import generators_restored, seed_generators
from anytime_pruning.machine.randomness import random_states
from anytime_pruning.results.layout import RESUME, WEIGHTS
from anytime_pruning.results.store import render, seal
from anytime_pruning.runs.checkpointing.checkpointer import Checkpointer
from anytime_pruning.runs.checkpointing.files import Checkpoints
from anytime_pruning.training.progress import MegabatchProgress

SECONDS = {"seconds", "prune_seconds"}


@pytest.fixture
def tiny(tiny, small):
    """Return a function that makes the settings of a tiny run of a small network."""
    return partial(tiny, model=small)


@pytest.fixture
def allow(monkeypatch):
    """Return a function that tells a run to stop after a given number of moments at which the run could stop."""

    def allow(count):
        def is_due():
            nonlocal count
            count -= 1
            return count < 0

        monkeypatch.setattr(signals, "is_due", is_due)
        monkeypatch.setattr(signals._state, "signum", signal.SIGTERM)

    return allow


def table_of(folder, name):
    """Return the rows of a CSV file."""
    with open(folder / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows(folder, name):
    """Return the rows of a CSV file without the columns that hold durations."""
    return [{key: value for key, value in row.items() if key not in SECONDS} for row in table_of(folder, name)]


def assert_same(one, other):
    for name in ("megabatches.csv", "epochs.csv", "layers.csv"):
        assert rows(one, name) == rows(other, name)
    assert (one / WEIGHTS).read_bytes() == (other / WEIGHTS).read_bytes()
    final = [json.loads((folder / "metrics.json").read_text())["final"] for folder in (one, other)]
    assert final[0] == final[1]


def run_in_pieces(settings, folder, allow, monkeypatch):
    """Stop a run after every step and every evaluated batch, and return where the run stood at each stop."""
    kept, allowed = [], 1
    for _ in range(1000):
        allow(allowed)
        try:
            run_stream(settings, folder)
        except Interrupted as signal:
            # Pruning and evaluation hold no checkpoint inside. A run without progress must pass more moments at once.
            allowed = allowed + 1 if kept and kept[-1] in (signal.kept, "") else 1
            kept.append(signal.kept)
        else:
            monkeypatch.setattr(signals, "is_due", lambda: False)
            return kept
    raise AssertionError("the run never ends")


class Scaled(torch.nn.Module):
    """Scales by numbers from the generators of Python and numpy, in train mode."""

    def forward(self, x):
        return x * (random.random() + np.random.rand()) if self.training else x  # noqa: NPY002


@pytest.fixture
def dropout_net(forget):
    """Register a network with dropout, batch norm and tied weights.

    The network draws from all generators of the process, has running statistics, and holds one weight under two names.
    """

    @register("model", "dropout_for_test")
    def build(n_classes, image_shape):
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 6, 3),
            torch.nn.BatchNorm2d(6),
            torch.nn.Conv2d(6, 6, 1),
            torch.nn.Conv2d(6, 6, 1),
            torch.nn.Flatten(),
            torch.nn.Dropout(0.5),
            Scaled(),
            torch.nn.Linear(216, n_classes),
        )
        net[3].weight = net[2].weight
        return net


class Unused(torch.nn.Module):
    """Has 40 weights in convolutions, 4 of which no image reaches, so that their scores are zero."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv, self.unused = torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(1, 4, 1)
        self.head = torch.nn.Linear(4, n_classes)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)))


VARIANTS = {
    "app": {"warmup_epochs": 1, "replay": "buffer", "buffer_size": 20},
    "released": {"protocol": "released", "replay": "previous"},
    "rounds": {"pruner": "synflow", "scope": "local", "augment": False},
    "osp": {"method": "osp", "replay": "none", "batch_size": 7, "precision": "bfloat16"},
    "dense": {"method": "dense"},
    "rewind": {"start": "rewind", "rewind_epoch": 1},
    "dash": {"start": "dash", "start_momentum": "reset"},
    "shrink_perturb": {"start": "shrink_perturb"},
    "cold": {"start": "cold", "method": "prune_last"},
    "rigl": {"regrow": "rigl", "regrow_steps": 2},
    "set": {"regrow": "set", "regrow_steps": 2, "method": "osp"},
    "offline": {"method": "offline"},
    # The second density rounds to the weights of the first, so that nothing is chosen.
    "nothing to choose": {"model": "unused_for_test", "tau": 1.01},
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_stopped_after_every_step_it_comes_to_the_same_bits(changes, dropout_net, tiny, tmp_path, allow, monkeypatch):
    monkeypatch.setattr(lookup("pruner", "synflow"), "rounds", 3)
    register("model", "unused_for_test")(lambda n, shape: Unused(n))
    settings = tiny(**{"model": "dropout_for_test", "n_megabatches": 2, "train_limit": 60, **changes})
    run_stream(settings, tmp_path / "whole")
    kept = run_in_pieces(settings, tmp_path / "pieces", allow, monkeypatch)
    assert_same(tmp_path / "whole", tmp_path / "pieces")
    places = {place.split(";")[0] for place in kept}
    assert len(places) > 5 * settings["epochs"]
    assert sum(", step " in place for place in places) >= 3
    assert "kept at megabatch 2, before its test" in places
    assert not (tmp_path / "pieces" / RESUME).exists()
    parts = json.loads((tmp_path / "pieces" / "metrics.json").read_text())["resumed"]
    # A process that was stopped in the middle of pruning leaves nothing in the results.
    assert sum(place.startswith("kept at") for place in kept) <= len(parts) <= len(kept)
    assert all(part["hardware"]["device"] == "cpu" and {"code", "versions", "container"} < set(part) for part in parts)


# For each moment of a run: which parts of its checkpoint count then. What a checkpoint holds must count at some moment.
MOMENTS = {
    "step": (
        "app",
        "megabatch 1, epoch 2, step 2",
        {
            *("model", "statistics", "velocity", "mask", "best", "random/cpu", "random/python", "random/numpy"),
            *("pass/order_state", "pass/losses", "pass/correct", "state/position/current/step"),
            *(f"state/position/{name}" for name in ("epochs", "best_epoch", "best_accuracy", "zero_score_layers")),
            *("state/position/seconds", "state/position/prune_seconds", "state/position/current/seconds"),
            *("seconds", "resumed", "part"),
        },
    ),
    "next epoch": ("app", "megabatch 1, after epoch 1", {"random/training"}),
    "known validation": ("released", "megabatch 1, after epoch 3", {"state/position/validation"}),
    "test": ("app", "megabatch 1, before its test", {"state/position/evaluations"}),
    "later megabatch": (
        "app",
        "megabatch 2, before pruning",
        {"state/position/t", "state/rows/megabatches", "state/rows/epochs", "state/rows/layers"},
    ),
    "started": ("shrink_perturb", "megabatch 2, epoch 1, step 2", {"state/position/is_pruned"}),
    "to go back": ("rewind", "megabatch 1, epoch 2, step 2", {"origin"}),
    "regrown": ("rigl", "megabatch 1, epoch 3, step 2", {"best_mask"}),
}
LISTED = set().union(*(parts for _, _, parts in MOMENTS.values()))
# Values in a checkpoint by which all of it counts: the times are found in the results again, and the first epoch stays
# the best one.
TELLING = {"seconds": 1000.0, "prune_seconds": 1000.0, "zero_score_layers": 7, "best_accuracy": 101.0}


def stop_at(place, monkeypatch):
    """Let a run stop at a place, either when it may be interrupted or after it has written a checkpoint there."""
    seen = []
    begin, write = Checkpointer.__init__, Checkpointer.write

    def is_there():
        return str(seen[-1].progress) == place

    def write_and_stop(self):
        write(self)
        if is_there():
            raise Interrupted(signal.SIGTERM, is_safe=False)

    monkeypatch.setattr(Checkpointer, "__init__", lambda self, options, s: (seen.append(s), begin(self, options, s))[1])
    monkeypatch.setattr(Checkpointer, "write", write_and_stop)
    monkeypatch.setattr(signals, "is_due", is_there)
    monkeypatch.setattr(signals._state, "signum", signal.SIGTERM)


def leaves(content, path=""):
    """Yield the path of each value of a checkpoint's JSON content that is left out as a whole."""
    if isinstance(content, dict) and path not in ("/part", "/state/position/validation"):
        for key, value in content.items():
            yield from leaves(value, f"{path}/{key}")
    elif content is not None:
        yield path[1:]


def group_of(name):
    """Return the part of a checkpoint to which a tensor belongs."""
    group = name.partition("/")[0]
    return "statistics" if group == "model" and "running_" in name else name if group in ("random", "pass") else group


def without(name, tensor):
    """Return another tensor of the same form with which a run can go on."""
    if tensor.dtype == torch.uint8:
        with generators_restored():
            seed_generators(1)
            others = random_states(torch.Generator().manual_seed(1), torch.device("cpu"))
        return others.get(name.removeprefix("random/"), others["training"])
    return tensor / 2 if tensor.is_floating_point() else tensor ^ 1


def changed(content, part, path=""):
    """Return JSON content that tells much, apart from one part, which is as in a run that has just begun."""
    key, fresh = path.rpartition("/")[2], MegabatchProgress().to_json()
    if path == f"/{part}":
        return content | {"t": 99} if part == "part" else fresh[key] if key in fresh else type(content)()
    if isinstance(content, dict) and path != "/part":
        return {name: changed(value, part, f"{path}/{name}") for name, value in content.items()}
    return TELLING.get(key, content)


def outcome(folder):
    """Return all that a run has written, with times only by whether they are those of `TELLING`."""
    metrics = json.loads((folder / "metrics.json").read_text())
    names = ("megabatches.csv", "epochs.csv", "layers.csv")
    times = [
        float(row[key]) > 500
        for name in names
        for row in table_of(folder, name)
        for key in sorted(SECONDS & row.keys())
    ]
    times += [metrics["wall_time_s"] > 500, metrics["cost"]["stream_s"] > 500]
    numbers = [rows(folder, name) for name in names]
    return numbers, times, metrics["final"], metrics["resumed"], (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize(("variant", "place", "parts"), MOMENTS.values(), ids=MOMENTS)
def test_nothing_that_a_checkpoint_holds_can_be_missing(
    variant, place, parts, dropout_net, tiny, tmp_path, monkeypatch
):
    execution = tiny()["execution"] | {"checkpoint_share": 1}
    base = {"model": "dropout_for_test", "n_megabatches": 2, "train_limit": 90, "epochs": 3, "execution": execution}
    settings = tiny(**base | VARIANTS[variant])
    with monkeypatch.context() as patches:
        stop_at(place, patches)
        with pytest.raises(Interrupted):
            run_stream(settings, tmp_path / "stopped")
    read, held = Checkpoints.read, set()

    def outcome_without(part):
        def read_changed(self):
            content, tensors = read(self)
            held.update(leaves(content), map(group_of, tensors))
            content["resumed"] = [content["part"]]
            return changed(content, part), {n: without(n, t) if group_of(n) == part else t for n, t in tensors.items()}

        folder = shutil.copytree(tmp_path / "stopped", tmp_path / str(part).replace("/", " "))
        with monkeypatch.context() as patches:
            patches.setattr(Checkpoints, "read", read_changed)
            try:
                run_stream(settings, folder)
            except InvariantError as error:
                return str(error)
        return outcome(folder)

    whole = outcome_without(None)
    assert not isinstance(whole, str), whole
    assert held <= LISTED
    assert parts <= held
    assert {part for part in parts if outcome_without(part) == whole} == set()


def test_time_adds_up_over_the_parts(tiny, tmp_path, allow, monkeypatch):
    settings = tiny(n_megabatches=1)
    allow(10)
    with pytest.raises(Interrupted):
        run_stream(settings, tmp_path)
    path = max((tmp_path / RESUME).glob("*.json"))
    content = json.loads(path.read_text())
    for part in (content["content"], content["content"]["state"]["position"]):
        part["seconds"] += 1000
    path.write_text(render(seal(content)))
    monkeypatch.setattr(signals, "is_due", lambda: False)
    metrics = run_stream(settings, tmp_path)
    assert metrics["wall_time_s"] > 1000
    assert metrics["cost"]["stream_s"] > 1000


@pytest.mark.parametrize("seconds", [0, 0.2], ids=["fast disk", "slow disk"])
def test_checkpoints_come_every_few_epochs_and_after_each_megabatch(seconds, tiny, tmp_path, monkeypatch):
    """Check that a share of all the time puts off no checkpoint, though writing takes longer than earlier epochs."""
    written = []
    write = Checkpoints.write
    monkeypatch.setattr(Checkpoints, "write", lambda *arguments: (time.sleep(seconds), write(*arguments))[1])
    keep = Checkpointer.write
    monkeypatch.setattr(Checkpointer, "write", lambda self: (written.append(str(self._state.progress)), keep(self))[1])
    execution = tiny()["execution"] | {"checkpoint_epochs": 2, "checkpoint_share": 1}
    run_stream(tiny(n_megabatches=2, epochs=5, execution=execution), tmp_path)
    first = ["megabatch 1, after epoch 2", "megabatch 1, after epoch 4", "megabatch 2, before pruning"]
    assert written == [
        *first,
        "megabatch 2, after epoch 2",
        "megabatch 2, after epoch 4",
        "megabatch 3, before pruning",
    ]


def test_checkpoints_of_epochs_are_put_off_while_they_cost_too_much(tiny, tmp_path, monkeypatch):
    written = []
    keep = Checkpointer.write
    monkeypatch.setattr(Checkpointer, "write", lambda self: (written.append(str(self._state.progress)), keep(self))[1])
    execution = tiny()["execution"] | {"checkpoint_share": 0}
    run_stream(tiny(n_megabatches=2, epochs=3, execution=execution), tmp_path)
    assert written == ["megabatch 1, after epoch 1", "megabatch 2, before pruning", "megabatch 3, before pruning"]


def test_other_settings_do_not_go_on_from_a_checkpoint(tiny, tmp_path, allow, monkeypatch):
    allow(10)
    with pytest.raises(Interrupted):
        run_stream(tiny(), tmp_path)
    monkeypatch.setattr(signals, "is_due", lambda: False)
    before = {path: path.read_bytes() for path in (tmp_path / RESUME).iterdir()}
    with pytest.raises(
        SettingError, match=r"^lr: .*resume/.*json is not allowed: .* with lr 0.05, and this one has its default"
    ):
        run_stream(tiny(lr=0.1), tmp_path)
    # `auto` resolves to one of these precisions. Settings that name the precision are nevertheless other settings.
    for precision in ("float32", "bfloat16"):
        with pytest.raises(
            SettingError, match=rf"^precision: .* with precision its default or none, and this one has '{precision}'"
        ):
            run_stream(tiny(precision=precision), tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / RESUME).iterdir()} == before


def test_other_pixels_of_the_same_files_are_other_images(tiny, tmp_path, allow, monkeypatch):
    """Another release of a decoder may give slightly other pixels."""
    images = write_folder(toy_files(n_train=40, size=8), tmp_path / "images")
    toy = {"name": "toy", "source": "image_folder", "path": str(images), "image_size": 8}

    def with_data_in(name):
        return tiny(dataset=toy, train_limit=None, execution=tiny()["execution"] | {"data_dir": str(tmp_path / name)})

    allow(10)
    with pytest.raises(Interrupted):
        run_stream(with_data_in("here"), tmp_path / "run")
    monkeypatch.setattr(signals, "is_due", lambda: False)
    decode = decoding.decode_image
    with monkeypatch.context() as other:
        other.setattr(decoding, "decode_image", lambda *given: decode(*given) ^ 1)
        with pytest.raises(
            SettingError, match=r"^pixels_sha256: .*json is not allowed: this checkpoint was written by"
        ):
            run_stream(with_data_in("there"), tmp_path / "run")
    assert run_stream(with_data_in("new"), tmp_path / "run")["resumed"]


def test_leftovers_of_killed_processes_are_removed(tiny, tmp_path):
    weights = tmp_path / "weights" / "w.safetensors"
    run_stream(tiny(epochs=1), tmp_path / "run", weights)
    left = [tmp_path / "run" / ".metrics.json.partial-1", tmp_path / "run" / RESUME / ".000007.json.partial-1"]
    left.append(weights.parent / ".w.safetensors.partial-1")
    of_another_run = weights.parent / ".v.safetensors.partial-1"
    for path in (*left, of_another_run):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    run_stream(tiny(epochs=1), tmp_path / "run", weights)
    assert not any(path.exists() for path in left)
    assert not (tmp_path / "run" / RESUME).exists()
    assert of_another_run.exists()

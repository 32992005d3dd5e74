"""Test dynamic sparsity: which weights are exchanged, when, and that results stay consistent."""

import math

import pytest
import torch
from conftest import read_csv
from forge import problems_in
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from anytime_pruning import register, run_stream
from anytime_pruning.export.network import load_network
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.orchestration.checks import check_runs
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.regrowth import Regrowth, exchange
from anytime_pruning.runs.megabatch import regrowing
from anytime_pruning.settings.run import parse_settings

DYNAMIC = {
    "set": {"regrow": "set", "regrow_steps": 2},
    "rigl": {"regrow": "rigl", "regrow_steps": 2},
    "rigl, one shot": {"regrow": "rigl", "regrow_steps": 3, "method": "osp"},
    "rigl at borders, by layer": {"regrow": "rigl", "regrow_steps": 0, "scope": "local"},
    "set, cold": {"regrow": "set", "regrow_steps": 2, "start": "cold"},
}


def ranks(name, gradient):
    return lookup("regrow", name).rank(gradient, torch.Generator().manual_seed(0))


def test_the_smallest_weights_go_and_the_largest_gradients_come():
    weight = tensor([3.0, -0.1, 0.2, -2, 0, 0, 0, 0])
    gradient = tensor([0.0, 0, 0, 0, 1, -9, 3, 0])
    mask = exchange(weight, gradient, weight != 0, ranks("rigl", gradient), 0.5)
    assert mask.int().tolist() == [1, 0, 0, 1, 0, 1, 1, 0]


def test_a_single_weight_may_be_exchanged():
    weight = tensor([3.0, 0.1, 0, 0])
    gradient = tensor([0.0, 0, 1, 2])
    mask = exchange(weight, gradient, weight != 0, ranks("rigl", gradient), 0.5)
    assert mask.int().tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("name", names("regrow"))
def test_each_weight_has_a_rank_on_its_device(name):
    rank = ranks(name, torch.ones(2, 3, device="meta"))
    assert rank.shape == (2, 3)
    assert rank.device == torch.device("meta")
    assert torch.equal(ranks(name, torch.ones(2, 3)), ranks(name, torch.ones(2, 3)))


def test_a_dropped_weight_competes_and_may_stay():
    weight = tensor([3.0, 0.1, 0, 0])
    gradient = tensor([0.0, 8, 2, 1])
    mask = exchange(weight, gradient, weight != 0, ranks("rigl", gradient), 0.5)
    assert mask.int().tolist() == [1, 1, 0, 0]


def test_weights_without_a_gradient_never_come_back():
    weight = tensor([3.0, 2, 1, 0.5, 0, 0, 0, 0])
    gradient = tensor([0.0, 0, 0, 0, 0, 5, 0, 0])
    for name in ("set", "rigl"):
        mask = exchange(weight, gradient, weight != 0, ranks(name, gradient), 1.0)
        assert mask.int().sum() == 4
        assert not mask[tensor([4, 6, 7])].any()
    assert torch.equal(exchange(weight, 0 * gradient, weight != 0, gradient, 1.0), weight != 0)


@given(
    seed=st.integers(0, 10_000),
    density=st.floats(0.05, 0.95),
    share=st.floats(0, 1),
    name=st.sampled_from(["set", "rigl"]),
)
def test_as_many_weights_come_as_go(seed, density, share, name):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(4, 3, 3, 3, generator=generator) < density
    weight = torch.randn(mask.shape, generator=generator) * mask
    gradient = torch.randn(mask.shape, generator=generator)
    after = exchange(weight, gradient, mask, ranks(name, gradient), share)
    assert after.shape == mask.shape
    assert int(after.sum()) == int(mask.sum())
    n_gone, n_dropped = int((mask & ~after).sum()), math.floor(share * int(mask.sum()))
    assert n_gone <= n_dropped
    # If all weights are dropped, only their ranks decide which of them stay.
    if n_gone and n_dropped < int(mask.sum()):
        assert weight[mask & ~after].abs().max() <= weight[mask & after].abs().max()


class Exchanges:
    """Notes the steps at which weights were exchanged, with the share and the masks before and after."""

    def __init__(self, monkeypatch):
        self.shares, self.masks, self.steps = [], [], []
        original, due = regrowing.Regrowing._exchange, regrowing.Regrowing.before_step

        def watched(this, gradient, share, generator):
            state = this._state
            before = {name: mask.clone() for name, mask in state.masks.items()}
            original(this, gradient, share, generator)
            self.shares.append(share)
            self.masks.append((before, dict(state.masks)))
            self.steps.append(self.now)
            velocities = dict(
                zip((n for n, _ in state.trainer.model.named_parameters()), state.trainer.optimizer.velocities)
            )
            for name, weight in prunable_weights(state.trainer.model).items():
                new = state.masks[name] & ~before[name]
                assert not weight[~state.masks[name]].any()
                assert weight[new].all()
                assert new.sum() == 0 or weight[new].abs().max() < 1e-5 * weight.abs().max()
                assert (weight[new].sign() == -gradient[name][new].sign()).all()
                assert not velocities[name][new].any()

        def noted(this, step, n_steps, batch):
            self.now = (this._state.progress.t, step, n_steps)
            due(this, step, n_steps, batch)

        monkeypatch.setattr(regrowing.Regrowing, "_exchange", watched)
        monkeypatch.setattr(regrowing.Regrowing, "before_step", noted)


@pytest.mark.parametrize("changes", DYNAMIC.values(), ids=DYNAMIC)
def test_a_run_exchanges_weights_and_its_results_verify(changes, tiny, tmp_path, monkeypatch):
    seen = Exchanges(monkeypatch)
    settings = parse_settings(tiny(**changes))
    run_stream(settings, tmp_path)
    assert problems_in(tmp_path, evaluate=True) == []
    every = settings.regrow_steps
    assert seen.steps
    for t, step, n_steps in seen.steps:
        assert step < 0.75 * n_steps
        assert (t > 1) if step == 0 else (every and step % every == 0)
    assert {t for t, step, _ in seen.steps if step == 0} == {2, 3}
    for (_, step, n_steps), share in zip(seen.steps, seen.shares):
        assert share == pytest.approx(0.15 * (1 + math.cos(math.pi * step / (0.75 * n_steps))))
    n_moved = 0
    for before, after in seen.masks:
        assert {name: int(mask.sum()) for name, mask in after.items()} == {n: int(m.sum()) for n, m in before.items()}
        n_moved += sum(int((after[name] & ~mask).sum()) for name, mask in before.items())
    assert n_moved > 1000
    densities = [float(row["density_measured"]) for row in read_csv(tmp_path / "megabatches.csv")]
    assert densities == pytest.approx(settings.densities(), abs=1e-4)
    weights = prunable_weights(load_network(tmp_path))
    kept = sum(int(weight.count_nonzero()) for weight in weights.values())
    assert kept / sum(weight.numel() for weight in weights.values()) == pytest.approx(densities[-1], abs=1e-5)


def test_every_exchange_of_a_run_has_a_draw_of_its_own(tiny, tmp_path, monkeypatch):
    purposes, make = [], regrowing.make_generator
    monkeypatch.setattr(regrowing, "make_generator", lambda seed, what: (purposes.append(what), make(seed, what))[1])
    run_stream(tiny(**DYNAMIC["set"]), tmp_path)
    assert len(set(purposes)) == len(purposes) > 3


def test_the_masks_of_the_best_epoch_come_back_with_its_weights(tiny, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(
        "anytime_pruning.runs.loop.check_weights",
        lambda model, masks, t, zeros: kept.append(
            [torch.equal(weight != 0, masks[name]) for name, weight in prunable_weights(model).items()]
        ),
    )
    run_stream(tiny(regrow="rigl", regrow_steps=1, epochs=3, lr=0.3), tmp_path)
    rows = read_csv(tmp_path / "megabatches.csv")
    assert any(row["best_epoch"] != "3" for row in rows)
    assert all(map(all, kept))


def test_gradients_for_the_exchange_change_nothing_else(tiny, tmp_path):
    plain = tiny(method="osp", n_megabatches=2, epochs=1)
    run_stream(plain, tmp_path / "plain")
    # A share that drops not one weight of any layer leaves a run as it is.
    run_stream(plain | {"regrow": "rigl", "regrow_steps": 1, "regrow_frac": 1e-9}, tmp_path / "same")
    for name in ("epochs.csv", "megabatches.csv"):
        rows = [
            [{key: value for key, value in row.items() if "seconds" not in key} for row in read_csv(folder / name)]
            for folder in (tmp_path / "plain", tmp_path / "same")
        ]
        assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regrow": "granet"}, "regrow: 'granet' is not known; allowed: none, rigl, set"),
        (
            {"regrow": "set", "protocol": "released"},
            "regrow: 'set' is not allowed with protocol released",
        ),
        ({"regrow": "set", "regrow_steps": -1}, "regrow_steps: -1 is not allowed"),
        ({"regrow": "set", "regrow_frac": 0}, "regrow_frac: 0 is not allowed"),
        ({"regrow": "set", "regrow_frac": 1.1}, "regrow_frac: 1.1 is not allowed"),
    ],
)
def test_combinations_without_meaning_are_refused(changes, message, tiny):
    with pytest.raises(SettingError) as caught:
        check_runs([parse_settings(tiny(**changes))])
    assert str(caught.value).startswith(message)


class Odd(Regrowth):
    """Ranks as a function says."""

    def __init__(self, change):
        self.change = change

    def rank(self, gradient, generator):
        return self.change(gradient)


@pytest.mark.parametrize(
    ("regrowth", "message"),
    [
        (Odd, r"it is registered as <class .*Odd'>; wanted: an object of a subclass of Regrowth"),
        (
            Odd(lambda gradient: None),
            r"it ranks .*conv.*\.weight by None of type NoneType; wanted: a dense tensor of real",
        ),
        (Odd(lambda gradient: gradient.numpy()), r"it ranks .* of type ndarray; wanted"),
        (
            Odd(lambda gradient: gradient[0]),
            r"it ranks .* by a tensor of shape \[\d+, 3, 3\]; wanted: .*, \[\d+, \d+, 3, 3\]",
        ),
        (Odd(lambda gradient: gradient * 1j), r"it ranks .* by a tensor of type torch\.complex64; wanted"),
    ],
)
def test_a_regrowth_that_gives_no_ranks_is_one_line(regrowth, message, forget, tiny, tmp_path):
    register("regrow", "odd_for_test")(regrowth)
    with pytest.raises(SettingError, match=f"^regrow: 'odd_for_test' is not allowed: {message}") as error:
        run_stream(tiny(regrow="odd_for_test", regrow_steps=1, epochs=1), tmp_path)
    assert "\n" not in str(error.value)

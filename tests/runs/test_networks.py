"""Test how a run looks at its network before training, and how it tells an edited network from a stored one."""

import json
import os
from functools import partial

import pytest
import torch
from forge import forge
from torch import nn
from torch.nn import functional as F

from anytime_pruning import build_model, load_network, register, run_stream, score
from anytime_pruning.__main__ import main
from anytime_pruning.export.identity import network_digest
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.runs.networks.trial import try_out
from anytime_pruning.verification.stored import verify

WANTED = r"; wanted: a tensor of logits, \[2, 10\]"


class Net(nn.Module):
    """Returns its logits in the form that a function gives them."""

    def __init__(self, give, n_classes=10, channels=1):
        super().__init__()
        self.conv, self.head, self.give = nn.Conv2d(channels, 6, 3), nn.Linear(6, n_classes), give

    def forward(self, x):
        return self.give(self, self.head(self.conv(x).relu().mean((2, 3))))


def raise_in_eval(model, logits):
    if not model.training:
        raise KeyError("table of positions")
    return logits


def change_in_place(model, logits):
    factor = torch.sigmoid(logits)
    factor.mul_(2)
    return factor


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda m, x: (x, x) if m.training else x, rf"in train mode returns a tuple of 2{WANTED}; return"),
        (lambda m, x: x if m.training else [x], rf"in eval mode returns a list of 1{WANTED}"),
        (lambda m, x: {"logits": x, "features": x}, rf"returns a dict with 'logits', 'features'{WANTED}"),
        (lambda m, x: None, rf"returns a NoneType{WANTED}"),
        (lambda m, x: x[..., None, None], rf"returns a tensor \[2, 10, 1, 1\]{WANTED}"),
        (lambda m, x: x[:, :7], rf"returns a tensor \[2, 7\]{WANTED}"),
        (lambda m, x: x[0], rf"returns a tensor \[10\]{WANTED}"),
        (lambda m, x: (x > 0).long(), rf"returns numbers of type torch\.int64{WANTED} of floating"),
        (lambda m, x: x / 0, rf"returns logits that are not finite{WANTED} of finite numbers"),
        (raise_in_eval, r"images \[2, 1, 8, 8\] in eval mode raises KeyError: 'table of positions'"),
        (change_in_place, r"in train mode raises RuntimeError: .*modified by an inplace operation"),
    ],
)  # fmt: skip
def test_anything_but_logits_is_refused_in_one_line_before_training(give, message, forget, tiny, tmp_path):
    register("model", "odd_for_test")(lambda n, shape: Net(give))
    with pytest.raises(
        SettingError, match=f"^model: 'odd_for_test' is not allowed: its pass of .*{message}"
    ) as refused:
        run_stream(tiny(model="odd_for_test"), tmp_path)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]


class Squeezed(Net):
    """Loses the dimension of the images where there is one image, unlike a network that keeps it."""

    def __init__(self, n_classes, channels, norm):
        super().__init__(None, n_classes, channels)
        self.norm = norm(6)

    def forward(self, x):
        return self.head(self.norm(self.conv(x).relu().mean((2, 3), keepdim=True).squeeze()))


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        (
            nn.BatchNorm1d,
            r"images \[1, 1, 8, 8\] in eval mode raises ValueError: expected 2D or 3D input \(got 1D input",
        ),
        (nn.LayerNorm, r"images \[1, 1, 8, 8\] in eval mode returns a tensor \[10\]; wanted: .*, \[1, 10\]"),
    ],
)
@pytest.mark.parametrize("method", ["app", "dense"])
def test_a_network_that_fails_for_one_image_is_refused(norm, message, method, forget, tiny, tmp_path):
    register("model", "squeezed_for_test")(lambda n, shape: Squeezed(n, shape[0], norm))
    with pytest.raises(SettingError, match=f"^model: 'squeezed_for_test' is not allowed: its pass of {message}"):
        run_stream(tiny(model="squeezed_for_test", method=method), tmp_path)


def head_alone_frozen():
    model = Net(lambda m, x: x)
    model.head.requires_grad_(False)
    # What can be trained is in front of the point where the gradient ends.
    model.forward = lambda x: model.head(model.conv(x).relu().mean((2, 3)).detach())
    return model


@pytest.mark.parametrize(
    "build",
    [
        lambda: Net(torch.no_grad()(lambda m, x: m.head(x.new_ones(len(x), 6)))),
        lambda: Net(lambda m, x: x.detach()),
        lambda: Net(lambda m, x: x.detach().requires_grad_()),
        lambda: Net(lambda m, x: x).requires_grad_(False),
        head_alone_frozen,
    ],
)
@pytest.mark.parametrize("method", ["app", "dense"])
def test_a_network_that_cannot_be_trained_is_refused(build, method, forget, tiny, tmp_path):
    register("model", "untrainable_for_test")(lambda n, shape: build())
    with pytest.raises(SettingError, match=r"in train mode returns logits that depend on no parameter .* wanted: "):
        run_stream(tiny(model="untrainable_for_test", method=method), tmp_path)


def test_a_network_that_is_frozen_in_part_is_trained(forget, tiny, tmp_path):
    @register("model", "part_frozen_for_test")
    def build(n_classes, image_shape):
        model = Net(lambda m, x: x)
        model.head.requires_grad_(False)
        return model

    assert run_stream(tiny(model="part_frozen_for_test", epochs=1, n_megabatches=2), tmp_path)


class Waiting(nn.Module):
    """Has a lazy layer for the classifier, and another one for odd uses."""

    def __init__(self, use):
        super().__init__()
        self.conv, self.head, self.spare, self.use = nn.Conv2d(1, 6, 3), nn.LazyLinear(10), nn.LazyLinear(3), use

    def forward(self, x):
        return self.use(self, self.conv(x).relu().mean((2, 3)))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda m, x: m.head(x @ torch.ones(5, 5)), r"raises RuntimeError for images \[1, 1, 8, 8\]: mat1 and mat2"),
        (lambda m, x: m.head(x), r"does not reach spare\.weight, .*; remove these layers"),
    ],
)
def test_a_lazy_network_whose_first_pass_fails_is_one_line(use, message, forget):
    register("model", "lazy_for_test")(lambda n, shape: Waiting(use))
    with pytest.raises(
        SettingError, match=f"^model: 'lazy_for_test' is not allowed: its first pass, .* {message}"
    ) as error:
        build_model("lazy_for_test", 10, (1, 8, 8))
    assert "\n" not in str(error.value)
    with pytest.raises(SettingError, match=f"^model: this network is not allowed: its first pass, .* {message}"):
        score(Waiting(use), "magnitude", [(torch.rand(1, 1, 8, 8), torch.zeros(1, dtype=torch.int64))])


@pytest.mark.parametrize("build", [lambda n, shape: Net(lambda m, x: x).double(), lambda n, shape: nn.Conv2d(3, n, 8)])
def test_images_that_a_network_does_not_take_are_refused(build, forget, tiny, tmp_path):
    register("model", "other_images_for_test")(build)
    with pytest.raises(SettingError, match=r"its pass of images \[2, 1, 8, 8\] in train mode raises RuntimeError: "):
        run_stream(tiny(model="other_images_for_test"), tmp_path)


def test_a_builder_that_returns_no_network_is_refused(forget, tiny, tmp_path):
    register("model", "nothing_for_test")(lambda n, shape: None)
    with pytest.raises(SettingError, match=r"its builder returns NoneType, not a torch\.nn\.Module"):
        run_stream(tiny(model="nothing_for_test"), tmp_path)


class Averaging(Net):
    """Keeps a running mean of its logits in one of several places, and subtracts it in eval or in train mode."""

    def __init__(self, place, mode):
        super().__init__(None)
        self.place, self.subtracts_in_training = place, mode == "train"
        if place in ("persistent", "lost"):
            self.register_buffer("mean", torch.zeros(10), persistent=place == "persistent")
        else:
            self.mean = torch.zeros(10) if place == "attribute" else 0.0
            self.generator = torch.Generator().manual_seed(0)

    def forward(self, x):
        logits = self.head(self.conv(x).relu().mean((2, 3)))
        if self.training and self.place == "number":
            self.mean += 1.0
        elif self.training and self.place == "generator":
            self.mean = torch.rand((), generator=self.generator)
        elif self.training:
            self.mean = 0.9 * self.mean + 0.1 * logits.detach().mean(0)
        return logits - self.mean if self.training == self.subtracts_in_training else logits


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("place", ["lost", "attribute", "number", "generator"])
def test_what_training_changes_has_to_be_in_the_state(place, mode, forget, tiny, tmp_path):
    register("model", "averaging_for_test")(lambda n, shape: Averaging(place, mode))
    named = r", such as network\.mean;" if place == "lost" else ";"
    with pytest.raises(
        SettingError, match=rf"state_dict\(\) lacks and a later pass in {mode} mode uses{named} keep it"
    ):
        run_stream(tiny(model="averaging_for_test"), tmp_path)


class Caching(Net):
    """Notes what it sees, and keeps a table that its first pass makes; no logits depend on it."""

    def __init__(self):
        super().__init__(None)
        self.calls = 0
        self.register_buffer("table", None, persistent=False)
        self.register_buffer("seen", torch.zeros(()), persistent=False)

    def forward(self, x):
        if self.table is None:
            self.table = torch.ones(x.shape[-2:])
        self.calls, self.seen = self.calls + 1, x.mean()
        return self.head(self.conv(x * self.table).relu().mean((2, 3)))


@pytest.mark.parametrize("build", [Caching, lambda: Averaging("persistent", "eval")])
def test_what_no_logits_depend_on_need_not_be_in_the_state(build, forget, tiny, tmp_path):
    register("model", "caching_for_test")(lambda n, shape: build())
    run_stream(tiny(model="caching_for_test", epochs=1, n_megabatches=2), tmp_path)
    assert not list(verify([tmp_path], True, None))[-1].problems


def test_a_trial_leaves_the_network_as_it_was_and_tells_the_order_of_calls():
    torch.manual_seed(0)
    model = nn.ModuleDict({"last": nn.Linear(4, 3), "norm": nn.BatchNorm2d(4), "first": nn.Conv2d(1, 4, 3)})
    model.forward = lambda x: model["last"](model["norm"](model["first"](x)).mean((2, 3)))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    assert try_out(model, "net", (1, 8, 8), 3) == ["", "first", "norm", "last"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


class Parts(nn.Module):
    """Has a layer that is never called, one that is used without a call, and one for training alone."""

    def __init__(self, n_classes, channels):
        super().__init__()
        self.seen, self.never = nn.Conv2d(channels, 4, 3), nn.Conv2d(4, 4, 3)
        self.by_hand, self.in_training = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, n_classes)

    def forward(self, x):
        x = F.conv2d(self.seen(x).relu(), self.by_hand.weight)
        return self.head((x + self.in_training(x) if self.training else x).mean((2, 3)))


def test_a_layer_that_no_image_passes_through_is_named(forget, tiny, tmp_path, capsys):
    register("model", "parts_for_test")(lambda n, shape: Parts(n, shape[0]))
    run_stream(tiny(model="parts_for_test", epochs=1, n_megabatches=2), tmp_path / "all")
    said = capsys.readouterr().err
    assert "no image passes through network.never.weight of parts_for_test" in said
    settings = tiny(model="parts_for_test", epochs=1, n_megabatches=2, keep=["classifier", "never"])
    metrics = run_stream(settings, tmp_path / "some")
    assert "no image" not in capsys.readouterr().err
    assert metrics["final"]["prunable_count"] == 36 + 144 + 16


class HeadFirst(nn.Module):
    """Defines its classifier before the linear layer that it calls before the classifier; may be narrow."""

    def __init__(self, n_classes, n_hidden):
        super().__init__()
        self.head, self.hidden = nn.Linear(n_hidden, n_classes), nn.Linear(8, n_hidden)
        self.conv = nn.Conv2d(1, 8, 3)

    def forward(self, x):
        return self.head(self.hidden(self.conv(x).relu().mean((2, 3))).relu())


def test_a_stored_network_has_the_classifier_that_the_run_left_alone(forget, tiny, tmp_path):
    register("model", "head_first_for_test")(lambda n, shape: HeadFirst(n, 16))
    run_stream(tiny(model="head_first_for_test", prunable=["conv", "linear"], epochs=1), tmp_path)
    lines = (tmp_path / "layers.csv").read_text().splitlines()
    layers = {line.split(",")[1] for line in lines[1:]}
    assert layers == {"network.hidden.weight", "network.conv.weight"} == set(prunable_weights(load_network(tmp_path)))
    *_, done = verify([tmp_path])
    assert done.problems == []


def test_a_stored_network_that_does_not_work_here_is_refused_in_one_line(forget, tiny, tmp_path, monkeypatch):
    class Elsewhere(HeadFirst):
        def forward(self, x):
            if "NO_DEVICE_FOR_TEST" in os.environ:
                raise RuntimeError("no\nsuch device")
            return super().forward(x)

    register("model", "head_first_for_test")(lambda n, shape: Elsewhere(n, 16))
    run_stream(tiny(model="head_first_for_test", prunable=["conv", "linear"], epochs=1), tmp_path)
    monkeypatch.setenv("NO_DEVICE_FOR_TEST", "1")
    with pytest.raises(SettingError, match=r"^model: 'head_first_for_test' is .* raises RuntimeError: no such device"):
        load_network(tmp_path)


def test_an_mlp_is_pruned_on_demand_and_stored_settings_say_so(forget, tiny, tmp_path, capsys):
    @register("model", "mlp_for_test")
    def build(n_classes, image_shape):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, n_classes))

    metrics = run_stream(tiny(model="mlp_for_test", prunable="linear", epochs=1), tmp_path)
    assert metrics["final"]["prunable_count"] == 64 * 20
    assert metrics["final"]["kept_count"] == round(0.8**4.5 * 64 * 20)
    assert metrics["final"]["macs_count"] == 64 * 20 + 200
    assert "84.8 % of all parameters can be pruned" in capsys.readouterr().out
    assert not next(iter(list(verify([tmp_path], False, None))[-1:])).problems
    assert int(load_network(tmp_path).network[1].weight.count_nonzero()) == metrics["final"]["kept_count"]


class ZeroStart(nn.Module):
    """Has a convolution of zeros behind a factor of zero, so that it never gets a gradient."""

    def __init__(self, n_classes, channels):
        super().__init__()
        self.conv, self.zero = nn.Conv2d(channels, 6, 3), nn.Conv2d(6, 6, 1, bias=False)
        self.head, self.factor = nn.Linear(6, n_classes), nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.zero.weight)

    def forward(self, x):
        x = self.conv(x).relu()
        return self.head((x + self.factor * self.zero(x)).mean((2, 3)))


@pytest.mark.parametrize("method", ["dense", "app", "osp"])
def test_a_layer_that_is_zero_from_the_start_violates_no_invariant(method, forget, tiny, tmp_path):
    register("model", "zero_for_test")(lambda n, shape: ZeroStart(n, shape[0]))
    metrics = run_stream(tiny(model="zero_for_test", method=method, epochs=1), tmp_path)
    assert metrics["zeros_at_start"] == 36
    assert metrics["final"]["empty_layers"] == 1
    done = list(verify([tmp_path], False, None))[-1]
    assert not done.problems


WIDTH = {"layers": 6}


def of_width(width, n_classes, image_shape):
    convolution = nn.Conv2d(image_shape[0], width, 3)
    return nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, n_classes))


def build_wide(n_classes, image_shape):
    return of_width(WIDTH["layers"], n_classes, image_shape)


def test_an_edited_network_never_gives_the_old_results(forget, tiny, tmp_path, monkeypatch):
    register("model", "edited_for_test")(build_wide)
    settings = tiny(model="edited_for_test", epochs=1)
    stored = run_stream(settings, tmp_path)
    assert run_stream(settings, tmp_path) == stored
    monkeypatch.setitem(WIDTH, "layers", 9)
    with pytest.raises(SettingError, match=r"holds a run with digest .* name another folder"):
        run_stream(settings, tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == stored


def test_a_network_whose_code_hides_a_change_is_told_by_its_structure(forget, tiny, tmp_path):
    """Check a builder that reads a number which no code shows, as from a file or from the environment."""
    hidden = tmp_path / "width.txt"
    hidden.write_text("6", encoding="utf-8")

    @register("model", "hidden_for_test")
    def build(n_classes, image_shape):
        return of_width(int(hidden.read_text(encoding="utf-8")), n_classes, image_shape)

    settings = tiny(model="hidden_for_test", epochs=1)
    stored = run_stream(settings, tmp_path / "run")
    assert len(stored["network_sha256"]) == 64
    assert run_stream(settings, tmp_path / "run") == stored
    load_network(tmp_path / "run")
    hidden.write_text("9", encoding="utf-8")
    for use in (partial(run_stream, settings), load_network):
        with pytest.raises(
            SettingError, match=r"which holds a run of another network of this name: .*\(network_sha256 "
        ):
            use(tmp_path / "run")


def build_with(activation):
    def build(n_classes, image_shape):
        return Net(lambda model, logits: activation(logits))

    return build


def test_weights_are_not_put_into_a_network_that_computes_something_else(forget, tiny, tmp_path, capsys):
    """Check a network whose structure stays, while its code or a part without state changes."""
    register("model", "relu_for_test")(build_with(torch.relu))
    run_stream(tiny(model="relu_for_test", epochs=1, n_megabatches=2), tmp_path)
    before = load_network(tmp_path)
    register("model", "relu_for_test")(build_with(torch.relu))
    assert before.state_dict().keys() == load_network(tmp_path).state_dict().keys()
    register("model", "relu_for_test")(lambda n, shape: Net(lambda model, logits: logits.sigmoid()))
    with pytest.raises(SettingError, match=r"'relu_for_test' is not allowed with .*: it was edited since \(own_code "):
        load_network(tmp_path)
    capsys.readouterr()
    assert main(["export", str(tmp_path), "--sparse-only"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: model: 'relu_for_test' is not allowed with ")
    # Another Python may print the same code otherwise.
    forge(tmp_path, lambda content: content["versions"].update(python="3.99.0"))
    load_network(tmp_path)
    assert "model: 'relu_for_test' may have been edited since" in capsys.readouterr().err


def test_a_buffer_is_part_of_a_networks_structure():
    size = [1]

    def build(n_classes, image_shape):
        network = of_width(6, n_classes, image_shape)
        network.register_buffer("seen", torch.zeros(len(size)))
        return network

    digests = []
    for _ in range(2):
        digests.append(network_digest(build(10, (1, 8, 8))))
        size.append(1)
    assert digests[0] != digests[1]


def test_networks_of_this_project_have_no_digest_of_their_own(tiny, tmp_path):
    metrics = run_stream(tiny(epochs=1, n_megabatches=2), tmp_path)
    assert "network_sha256" not in metrics

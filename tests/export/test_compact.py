"""Test that a network of whole filters becomes smaller and computes the same."""

import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from anytime_pruning import build_model, load_network, make_compact, run_stream
from anytime_pruning.__main__ import main
from anytime_pruning.export import compact
from anytime_pruning.export.describe import count_parameters
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.filter_parameters import find_filter_parameters
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.selections import make_selection

pytest.importorskip("torch_pruning", reason="the extras are not installed (envs/extras.txt)")
SHAPE = (3, 32, 32)


def remove_filters(model, density=0.366, image_shape=SHAPE):
    """Give the batch norms numbers as training does, and remove filters at random."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    find_filter_parameters(model, image_shape)
    scores = {
        name: torch.rand(len(weight)).view(-1, *[1] * (weight.dim() - 1)).expand_as(weight)
        for name, weight in prunable_weights(model).items()
    }
    apply_masks(model, make_selection("filter", "2:4").select(scores, density, "local", None))
    return model.eval()


def assert_same_logits(model, smaller, image_shape=SHAPE):
    images = torch.rand(7, *image_shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected, found = model(images), smaller(images)
    assert expected.std() > 0
    assert torch.allclose(found, expected, 0, 1e-5 * float(expected.abs().amax()))


@pytest.mark.parametrize("name", ["resnet18", "vgg16_bn", "resnet50"])
def test_it_is_smaller_and_computes_the_same(name):
    model = remove_filters(build_model(name, 10, SHAPE))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    smaller = make_compact(model, SHAPE)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert_same_logits(model, smaller)
    assert not smaller.training
    kept = sum(int(parameter.count_nonzero()) for parameter in model.parameters())
    assert count_parameters(smaller) < 1.1 * kept  # nearly all zeros have gone
    # Filters that every layer of a group has lost are gone, so that no filter but a last one is all zeros.
    inner = [layer for where, layer in smaller.named_modules() if where.endswith("0.conv1") and "layer" in where]
    assert all(layer.weight.flatten(1).any(1).all() for layer in inner)


def test_padded_shortcuts_do_not_mislead_it():
    model = remove_filters(build_model("resnet20", 10, SHAPE))
    smaller = make_compact(model, SHAPE)
    assert_same_logits(model, smaller)
    assert count_parameters(smaller) < 0.5 * count_parameters(model)
    for large, small in zip(model.network.blocks, smaller.network.blocks):
        assert small.conv1.out_channels == max(1, int(large.conv1.weight.flatten(1).any(1).sum()))


def test_a_channel_stays_if_one_of_its_layers_writes_to_it():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(3, 6, 3, padding=1, bias=False)
            self.inner = nn.Conv2d(6, 4, 1)
            self.classifier = nn.Linear(4, 5)

        def forward(self, images):
            x = (self.left(images) + self.right(images)).relu()
            return self.classifier(self.inner(x).mean((2, 3)))

    model = Sum().eval()
    with torch.no_grad():
        model.left.weight[:4] = 0
        model.left.bias[:3] = 0
        model.right.weight[1:] = 0
        model.inner.weight[2] = 0  # its bias still writes
    smaller = make_compact(model, SHAPE)
    # Of the channels 0 to 3, the right layer writes to 0 and the left bias to 3.
    assert (smaller.left.out_channels, smaller.right.out_channels, smaller.inner.out_channels) == (4, 4, 4)
    assert_same_logits(model, smaller)


def test_a_layer_that_is_all_zeros_keeps_one_channel():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.zero_()
        model[4].weight[2] = 0
        model[4].bias[2] = 0  # a logit that is always zero is still a logit
    smaller = make_compact(model, SHAPE)
    assert smaller[0].out_channels == 1
    assert smaller(torch.rand(2, *SHAPE)).shape == (2, 5)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize(
    "wrap",
    [
        nn.utils.spectral_norm,
        nn.utils.parametrizations.spectral_norm,
        lambda layer: nn.utils.prune.identity(layer, "weight"),
        lambda layer: nn.utils.parametrizations.spectral_norm(nn.utils.prune.identity(layer, "bias")),
    ],
)
def test_weights_that_are_computed_lose_channels_too(wrap):
    def build():
        torch.manual_seed(0)
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
        return nn.Sequential(wrap(nn.Conv2d(3, 8, 3)), nn.ReLU(), wrap(nn.Conv2d(8, 6, 3)), nn.ReLU(), *head)

    model = build()
    model(torch.rand(2, *SHAPE)).sum().backward()  # leaves tensors that cannot be copied
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("6"):
                parameter[:3] = 0
    model.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    smaller = make_compact(model, SHAPE)
    assert (smaller[0].out_channels, smaller[2].out_channels) == (5, 3)
    assert_same_logits(model, smaller)
    assert set(smaller.state_dict()) == {f"{i}.{kind}" for i in (0, 2, 6) for kind in ("weight", "bias")}
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    model.load_state_dict(build().state_dict())


def test_a_network_that_the_library_cannot_follow_is_one_line(monkeypatch):
    def fail(self, *arguments, **named):
        raise KeyError("no such\nlayer")

    monkeypatch.setattr("torch_pruning.DependencyGraph.build_dependency", fail)
    with pytest.raises(DataError, match=r"^compact: Torch-Pruning cannot follow this network: 'no such") as error:
        make_compact(remove_filters(build_model("resnet20", 10, SHAPE)), SHAPE)
    assert "\n" not in str(error.value)


def test_what_changes_the_logits_is_not_removed(monkeypatch):
    model = remove_filters(build_model("resnet18", 10, SHAPE))
    monkeypatch.setattr(compact, "_used_by", lambda item: iter(()))
    with pytest.raises(DataError, match="no empty channel of this network can be removed without a change"):
        make_compact(model, SHAPE)


def test_a_network_without_empty_channels_is_refused():
    model = build_model("resnet20", 10, SHAPE).eval()
    with pytest.raises(SettingError, match="compact: no channel of this network is empty; allowed: networks of runs"):
        make_compact(model, SHAPE)


@pytest.fixture(scope="module")
def runs(data_dir, tmp_path_factory):
    """Return the folders of a run with whole filters and of one with single weights."""
    root = tmp_path_factory.mktemp("runs")
    settings = {
        "dataset": "digits",
        "model": "resnet20",
        "n_megabatches": 2,
        "train_limit": 60,
        "epochs": 2,
        "lr": 0.05,
    }
    settings |= {"batch_size": 16, "execution": {"device": "cpu", "data_dir": str(data_dir)}}
    for name in ("filter", "unstructured"):
        run_stream(settings | {"selection": name}, root / name)
    return root / "filter", root / "unstructured"


def test_the_command_writes_the_smaller_network(runs, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert main(["export", str(runs[0]), "--compact", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "The compact files hold a smaller dense network with the same logits" in said
    model = load_network(runs[0])
    smaller = make_compact(model, (1, 8, 8))
    assert count_parameters(smaller) < 0.6 * count_parameters(model)
    images = torch.rand(5, 1, 8, 8)
    session = onnxruntime.InferenceSession(str(tmp_path / "network.compact.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(logits), model(images), atol=1e-4)
    stored = load_file(tmp_path / "network.compact.safetensors")
    assert {name: value.shape for name, value in stored.items()} == {
        n: v.shape for n, v in smaller.state_dict().items()
    }
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["network.compact.onnx"] < 0.6 * sizes["network.onnx"]


def test_mistakes_are_one_line_and_nothing_is_written(runs, tmp_path, capsys, monkeypatch):
    assert main(["export", str(runs[1]), "--compact", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: compact: no channel of this network is empty")
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    assert main(["export", str(runs[0]), "--compact", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: torch_pruning is not installed; pip install 'anytime-pruning[export]'"
    assert not (tmp_path / "out").exists()

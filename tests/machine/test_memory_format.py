import copy

import pytest
import torch
from torch import nn

from anytime_pruning import build_model
from anytime_pruning.machine.kernels.memory_format import arrange

CPU = torch.device("cpu")


def formats(model, shape):
    """Return the memory format of the images that each convolution gets."""
    seen = {}

    def look(name):
        def hook(module, inputs):
            contiguous, last = (
                inputs[0].is_contiguous(memory_format=f) for f in (torch.contiguous_format, torch.channels_last)
            )
            seen[name] = "channels_last" if last and not contiguous else "contiguous" if contiguous else "other"

        return hook

    hooks = [m.register_forward_pre_hook(look(n)) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    model(torch.rand(3, *shape))
    for hook in hooks:
        hook.remove()
    return seen


def test_maps_are_channels_last_but_small_ones_with_many_channels():
    model = build_model("resnet18", 10, (3, 32, 32))
    arrange(model, (3, 32, 32), CPU)
    seen = formats(model, (3, 32, 32))
    assert seen["network.layer1.0.conv1"] == seen["network.layer3.1.conv2"] == "channels_last"
    assert seen["network.layer4.1.conv1"] == seen["network.layer4.1.conv2"] == "contiguous"


@pytest.mark.parametrize("n_channels", [1, 3, 6, 15, 16])
def test_a_strided_pointwise_convolution_of_few_channels_gets_contiguous_maps(n_channels):
    """In channels-last, oneDNN writes past its memory here, which may crash this process."""
    strided, plain, wide = (nn.Conv2d(n_channels, 10, kernel, stride) for kernel, stride in ((1, 2), (1, 1), (3, 2)))
    for name, layer in (("strided", strided), ("plain", plain), ("wide", wide)):
        model = nn.Sequential(layer)
        arrange(model, (n_channels, 8, 8), CPU)
        is_unsafe = name == "strided" and n_channels < 16
        # Maps of one channel lie in memory alike in both formats.
        chosen = "contiguous" if is_unsafe or n_channels == 1 else "channels_last"
        assert formats(model, (n_channels, 8, 8)) == {"0": chosen}, name
        images = torch.rand(16, n_channels, 8, 8)
        for _ in range(30):
            (found,) = torch.autograd.grad(model(images).square().sum(), [layer.weight])
        twin = nn.Conv2d(n_channels, 10, layer.kernel_size, layer.stride).double()
        twin.load_state_dict(layer.state_dict())
        (expected,) = torch.autograd.grad(twin(images.double()).square().sum(), [twin.weight])
        assert torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape"), [("resnet20", (1, 8, 8)), ("vgg16_bn", (3, 32, 32)), ("resnet18", (3, 32, 32))]
)
def test_the_network_computes_the_same_but_for_rounding(name, shape):
    plain, arranged = (build_model(name, 10, shape, seed=1).double() for _ in range(2))
    arrange(arranged.float(), shape, CPU)
    arranged.double()
    images = torch.rand(4, *shape, dtype=torch.float64)
    for model in (plain, arranged):
        model.train()
        model(images).square().sum().backward()
    for (key, parameter), (_, other) in zip(plain.named_parameters(), arranged.named_parameters()):
        assert torch.allclose(parameter.grad, other.grad, rtol=1e-6, atol=1e-9), key
    assert plain.state_dict().keys() == arranged.state_dict().keys()
    assert all(torch.allclose(a, b) for a, b in zip(plain.state_dict().values(), arranged.state_dict().values()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_get_images_of_theirs(dtype, capsys):
    """In half precision two formats differ by more than a thousandth, which does not rule the fast one out."""
    model, untouched = (build_model("vgg16_bn", 10, (3, 32, 32), seed=1).eval().to(dtype) for _ in range(2))
    arrange(model, (3, 32, 32), CPU)
    assert formats(copy.deepcopy(model).float(), (3, 32, 32))["network.features.3"] == "channels_last"
    assert capsys.readouterr().err == ""
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), untouched.state_dict().values()))


def test_the_images_of_the_trial_have_the_type_that_the_first_convolution_takes():
    seen = set()
    for conv, other in (("float32", "float64"), ("float64", "float32"), ("float32", "int64")):
        kinds = [getattr(torch, name) for name in (conv, other)]
        model = Wrapped(lambda net, x: net.conv(x).float()).to(kinds[0])
        model.fc.float()
        model.scale = nn.Parameter(torch.ones(1, dtype=kinds[1]), requires_grad=False)
        model.conv.register_forward_pre_hook(lambda module, inputs: seen.add((module.weight.dtype, inputs[0].dtype)))
        arrange(model, (3, 8, 8), CPU)
    assert seen == {(torch.float32, torch.float32), (torch.float64, torch.float64)}


def test_the_trial_leaves_the_network_as_it_was():
    model, untouched = (build_model("resnet20", 10, (1, 8, 8), seed=1).train() for _ in range(2))
    arrange(model, (1, 8, 8), CPU)
    assert model.training
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), untouched.state_dict().values()))


class Viewing(nn.Module):
    """Flatten feature maps with `view`, as many networks do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4 * 36, 2)

    def forward(self, x):
        x = self.conv(x)
        return self.fc(x.view(x.size(0), -1))


def test_a_network_that_needs_contiguous_maps_gets_them_with_one_line(capsys):
    model = Viewing()
    arrange(model, (3, 8, 8), CPU)
    assert "view()" in capsys.readouterr().err
    images = torch.rand(5, 3, 8, 8)
    assert torch.equal(model(images.contiguous(memory_format=torch.channels_last)), model(images))


def test_another_mistake_of_the_network_is_not_hidden():
    with pytest.raises(RuntimeError, match="expected input"):
        arrange(nn.Sequential(nn.Conv2d(1, 2, 3)), (3, 8, 8), CPU)


class Wrapped(nn.Module):
    """Call a convolution in a way of its own."""

    def __init__(self, call, conv=None):
        super().__init__()
        self.conv, self.call, self.fc = conv or nn.Conv2d(3, 4, 3, padding=1), call, nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.call(self, x).mean((2, 3)))


def one_by_one(net, x):
    return torch.stack([net.conv(image) for image in x])


def by_function(net, x):
    return nn.functional.conv2d(x, net.conv.weight, net.conv.bias)


class Gated(nn.Conv2d):
    def forward(self, x, gate, scale=None):
        return super().forward(x) * gate * (1 if scale is None else scale)


CALLS = {
    "by name": Wrapped(lambda net, x: net.conv(input=x)),
    "without a batch": Wrapped(one_by_one),
    "by its weight alone": Wrapped(by_function),
    "with more arguments": Wrapped(lambda net, x: net.conv(x, 0.5, scale=torch.ones(1)), Gated(3, 4, 3)),
}


@pytest.mark.parametrize("how", CALLS)
def test_a_convolution_may_be_called_in_any_way(how, capsys):
    model, images = CALLS[how], torch.rand(3, 3, 8, 8)
    expected = model(images)
    arrange(model, (3, 8, 8), CPU)
    assert torch.allclose(model(images), expected, atol=1e-6)
    assert capsys.readouterr().err == ""


class SecondHead(nn.Module):
    """Have a head that only training uses, which flattens by `view`."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.second = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), nn.Linear(144, 2)

    def forward(self, x):
        x = self.conv(x)
        logits = self.fc(x.mean((2, 3)))
        return logits + self.second(x.view(len(x), -1)) if self.training else logits


class ViewedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, gradient):
        return gradient.view(len(gradient), -1).view(gradient.shape)


class Strided(nn.Module):
    """Read feature maps by their place in memory, which is wrong for other formats without an error."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(36, 2)

    def forward(self, x):
        return self.fc(self.conv(x).as_strided((len(x), 36), (144, 1)))


@pytest.mark.parametrize(
    "model",
    [
        SecondHead(),
        Strided(),
        Strided().half(),
        nn.Sequential(
            nn.Conv2d(3, 4, 3), Wrapped(lambda net, x: net.conv(ViewedGradient.apply(x)), nn.Conv2d(4, 4, 3))
        ),
    ],
    ids=["view in train mode", "strides", "strides in half precision", "view of gradients"],
)
def test_a_network_that_relies_on_contiguous_maps_keeps_them_with_one_line(model, capsys):
    model.train()
    images = torch.rand(3, 3, 8, 8, dtype=next(model.parameters()).dtype, requires_grad=True)
    expected = model(images)
    arrange(model, (3, 8, 8), CPU)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: model: ")
    assert "channels-last" in line
    found = model(images.contiguous(memory_format=torch.channels_last))
    assert torch.equal(found, expected)
    found.sum().backward()


class Restless(nn.Module):
    """Change everything that a forward pass can change."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop, self.fc = (
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.Dropout(0.5),
            nn.Linear(4, 2),
        )
        self.register_buffer("table", None)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        x = self.drop(self.norm(self.conv(x)))
        if self.table is None:
            self.table = torch.linspace(0, 1, x.shape[-1])
        return self.fc((x * self.table).mean((2, 3)))


def test_the_trial_leaves_no_trace():
    model = Restless().train()
    model.drop.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random_state = torch.get_rng_state()
    arrange(model, (3, 8, 8), CPU)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert (model.calls, model.table, model.training, model.drop.training) == (0, None, True, False)
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())

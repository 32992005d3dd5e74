import pytest
import torch
from torch import nn

from anytime_pruning import build_model
from anytime_pruning.machine.memory_format import arrange

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

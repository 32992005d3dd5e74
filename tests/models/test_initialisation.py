"""Test that fresh weights have the distribution that each family of networks is published with."""

import math

import pytest
import torch
from torch import nn

from anytime_pruning.models import build_model


def fan_in(weight):
    return weight[0].numel()


def fan_out(weight):
    return weight.numel() // weight.shape[1]


def normal(deviation):
    return lambda weight: ("normal", deviation(weight))


def uniform(bound):
    return lambda weight: ("uniform", bound(weight) / math.sqrt(3))


def he(fan):
    return normal(lambda weight: math.sqrt(2 / fan(weight)))


# The distributions of the weights of convolutions and of the classifier, and of the biases, by the family's networks.
TORCHS_OWN = uniform(lambda weight: 1 / math.sqrt(fan_in(weight)))
CIFAR = (he(fan_in), he(fan_in), TORCHS_OWN)
TORCHVISION = (he(fan_out), TORCHS_OWN, TORCHS_OWN)
VGG = (he(fan_out), normal(lambda weight: 0.01), None)
FAMILIES = {
    "resnet20": CIFAR,
    "resnet56": CIFAR,
    "resnet18": TORCHVISION,
    "resnet18_imagenet_stem": TORCHVISION,
    "resnet50": TORCHVISION,
    "vgg16_bn": VGG,
}
# The fourth moment over the square of the second.
KURTOSIS = {"normal": 3, "uniform": 1.8}


@pytest.mark.parametrize(("name", "channels"), [*((name, 3) for name in FAMILIES), ("resnet18_imagenet_stem", 1)])
def test_fresh_weights_have_the_published_distribution(name, channels):
    torch.manual_seed(0)
    network = build_model(name, n_classes=100, image_shape=(channels, 32, 32))
    of_convolutions, of_classifier, of_biases = FAMILIES[name]
    seen = set()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            is_convolution = isinstance(module, nn.Conv2d)
            check(module.weight, *(of_convolutions if is_convolution else of_classifier)(module.weight))
            seen.add(type(module))
            if module.bias is not None and of_biases is not None:
                check(module.bias, *of_biases(module.weight))
            elif module.bias is not None:
                assert not module.bias.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all())
            assert not module.bias.any()
    assert seen == {nn.Conv2d, nn.Linear}


def check(values, kind, deviation):
    """Compare the first moments of values with those of a distribution, within six standard errors."""
    scaled, n = values.detach().double().flatten() / deviation, values.numel()
    kurtosis = KURTOSIS[kind]
    assert abs(scaled.mean()) < 6 / math.sqrt(n)
    assert abs(scaled.square().mean() - 1) < 6 * math.sqrt((kurtosis - 1) / n)
    if n > 2_000:
        # The standard error of the fourth moment of a normal distribution is the square root of 96 / n.
        assert abs(scaled.pow(4).mean() - kurtosis) < 6 * math.sqrt(96 / n)
    if kind == "uniform":
        assert scaled.abs().max() <= math.sqrt(3) * (1 + 1e-6)

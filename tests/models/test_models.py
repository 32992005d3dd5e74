import random

import numpy as np
import pytest
import torch
from torch import nn

from anytime_pruning import build_model, register
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.foundation.torch_fixes.seeding import generators_restored
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.pruning.prunable import prunable_weights

# For each network with 1000 classes and the ImageNet stem: the number of parameters that torchvision states, the number
# of convolution layers, and the width of the features.
IMAGENET = {
    "resnet18": (11_689_512, 20, 512),
    "resnet34": (21_797_672, 36, 512),
    "resnet50": (25_557_032, 53, 2048),
    "resnet101": (44_549_160, 104, 2048),
    "wide_resnet50_2": (68_883_240, 53, 2048),
    "wide_resnet101_2": (126_886_696, 104, 2048),
}
STEMS = {"_imagenet_stem": 7 * 7 * 3 * 64, "": 3 * 3 * 3 * 64}
# The number of parameters with ten classes and three channels, and the number of convolution layers.
PUBLISHED = {
    f"{name}{stem}": (count - STEMS["_imagenet_stem"] + STEMS[stem] - 990 * (width + 1), layers)
    for name, (count, layers, width) in IMAGENET.items()
    for stem in STEMS
} | {
    # The paper on residual networks states 0.27, 0.66 and 0.85 million.
    **{f"resnet{6 * n + 2}": (270_896 + (n - 3) * 97_216 - 1174, 6 * n + 1) for n in (3, 7, 9)},
    # As in torchvision, the convolutions of VGG-16-BN have biases. Of its published 138,365,992 parameters, the three
    # linear layers have 123,642,856; one linear layer of 512 x 10 takes their place.
    "vgg16_bn": (138_365_992 - 123_642_856 + 512 * 10 + 10, 13),
}
# One network of each kind of block and stem. The other networks differ only in number of blocks and width.
KINDS = ["resnet20", "resnet18", "resnet50", "resnet18_imagenet_stem", "vgg16_bn"]


def test_published_counts_are_known_for_every_network():
    assert set(PUBLISHED) == set(names("model"))
    assert {name: PUBLISHED[name][0] for name in ("resnet20", "resnet18", "vgg16_bn")} == {
        "resnet20": 269_722,
        "resnet18": 11_173_962,
        "vgg16_bn": 14_728_266,
    }


@pytest.mark.parametrize("name", names("model"))
def test_parameter_count_is_the_published_one(name):
    with torch.device("meta"):
        model = lookup("model", name)(10, (3, 32, 32))
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert (sum(p.numel() for p in model.parameters()), len(convolutions)) == PUBLISHED[name]
    assert sum(w.numel() for w in prunable_weights(model).values()) == sum(c.weight.numel() for c in convolutions)


@pytest.mark.parametrize("name", IMAGENET)
def test_stems_differ_in_stride_and_pooling(name):
    with torch.device("meta"):
        small, large = (lookup("model", f"{name}{stem}")(10, (3, 64, 64)) for stem in ("", "_imagenet_stem"))
    sizes = {}
    for key, network in (("cifar", small), ("imagenet", large)):
        network.layer1.register_forward_hook(lambda *args, key=key: sizes.update({key: tuple(args[2].shape[2:])}))
        network(torch.rand(2, 3, 64, 64, device="meta"))
    assert sizes == {"cifar": (64, 64), "imagenet": (16, 16)}


def pooled_maps(shape):
    """Return the layers that pool in VGG-16 and the shape of the maps that each of them gets."""
    with torch.device("meta"):
        network = lookup("model", "vgg16_bn")(10, shape)
    seen = []
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d):
            module.register_forward_pre_hook(lambda module, x: seen.append((type(module), tuple(x[0].shape[1:]))))
    network(torch.rand(2, *shape, device="meta"))
    return seen


def test_vgg_has_four_max_pools_and_averages_what_they_leave():
    """Check the published form, which lacks the fifth max-pool of torchvision's plan."""
    maps = [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    expected = [*((nn.MaxPool2d, map_) for map_ in maps), (nn.AdaptiveAvgPool2d, (512, 2, 2))]
    assert pooled_maps((3, 32, 32)) == expected


def test_vgg_pools_small_images_less_often():
    assert [map_ for _, map_ in pooled_maps((3, 16, 20))] == [
        (64, 16, 20),
        (128, 8, 10),
        (256, 4, 5),
        (512, 2, 2),
        (512, 1, 1),
    ]
    # An image of 8 x 8 is one pixel after three max-pools.
    assert [map_ for _, map_ in pooled_maps((1, 8, 8))] == [(64, 8, 8), (128, 4, 4), (256, 2, 2), (512, 1, 1)]


def test_vgg_counts_the_operations_of_its_maps():
    """Count 9 * in * out for each pixel of a map, in stages of one size, and add the classifier."""
    with torch.device("meta"):
        network = lookup("model", "vgg16_bn")(10, (3, 32, 32))
        macs = count_macs(network, (3, 32, 32))
    stages = [
        32**2 * (3 * 64 + 64 * 64),
        16**2 * (64 * 128 + 128 * 128),
        8**2 * (128 * 256 + 2 * 256 * 256),
        4**2 * (256 * 512 + 2 * 512 * 512),
        2**2 * (3 * 512 * 512),
    ]
    weights = {name: weight.numel() for name, weight in prunable_weights(network).items()}
    assert macs.total(weights) == 9 * sum(stages) + 512 * 10 == 313_201_664


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (4, 20, 12)])
def test_any_image_size_and_channel_count(name, shape):
    model = build_model(name, 7, shape)
    assert model(torch.rand(2, *shape)).shape == (2, 7)


def take_step(name, side, n_images, lr):
    """Return a network after one step of SGD, its earlier parameters, and its loss before and after."""
    torch.manual_seed(0)
    model = build_model(name, 3, (1, side, side))
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    images, labels = torch.rand(n_images, 1, side, side), torch.arange(n_images) % 3
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=lr).step()
    with torch.no_grad():
        return model, before, float(loss), float(nn.functional.cross_entropy(model(images), labels))


@pytest.mark.parametrize("name", names("model"))
def test_one_training_step_reaches_every_parameter(name):
    side = 32 if name.endswith("imagenet_stem") else 8  # the ImageNet stem would leave one pixel of eight
    model, before, *losses = take_step(name, side, 4, lr=1.0)
    assert all(torch.isfinite(torch.tensor(losses)))
    for key, parameter in model.named_parameters():
        # A bias before batch norm moves only by rounding; every other parameter must move.
        assert not torch.equal(parameter, before[key]) or ("features" in key and key.endswith("bias")), key


@pytest.mark.parametrize("name", KINDS)
def test_a_small_training_step_lowers_the_loss(name):
    *_, before, after = take_step(name, 64 if name.endswith("imagenet_stem") else 8, 12, lr=1e-4)
    assert after < before


def test_normalisation_sits_inside_the_network():
    plain = build_model("resnet20", 10, (1, 8, 8), seed=1).eval()
    normalising = build_model("resnet20", 10, (1, 8, 8), mean=(0.25,), std=(0.5,), seed=1).eval()
    images = torch.rand(2, 1, 8, 8)
    assert torch.allclose(normalising(images), plain((images - 0.25) / 0.5), atol=1e-5)


def test_initial_weights_follow_the_seed_and_leave_the_random_state_alone():
    state = torch.get_rng_state()
    one, same, other = (build_model("resnet20", 10, (1, 8, 8), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    weights = [model.network.conv1.weight for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_unknown_model_lists_the_known():
    with pytest.raises(
        SettingError, match="model: 'alexnet' is not known; allowed: resnet101, resnet101_imagenet_stem, resnet18"
    ):
        build_model("alexnet", 10, (3, 32, 32))


def around(layer):
    return nn.Sequential(nn.Flatten(), layer)


def with_weight(parameter):
    layer = nn.Linear(64, 4)
    layer.weight = parameter
    return around(layer)


@pytest.mark.parametrize(
    "build",
    [
        lambda shared: shared,
        lambda shared: nn.Sequential(shared, nn.Linear(4, 4)),
        lambda shared: around(shared[1]),
        lambda shared: with_weight(shared[1].weight),
        lambda shared: with_weight(nn.Parameter(shared[1].weight.detach())),
        lambda shared: with_weight(nn.Parameter(shared[1].weight.detach()[:2])),
    ],
    ids=["network", "part", "layer", "parameter", "memory", "part of memory"],
)
def test_a_builder_that_returns_the_same_again_is_refused(build, forget):
    shared = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    register("model", "again_for_test")(lambda n, shape: build(shared))
    first = build_model("again_for_test", 4, (1, 8, 8))
    with pytest.raises(SettingError, match=r"^model: 'again_for_test' is not allowed: its builder returned the same"):
        build_model("again_for_test", 4, (1, 8, 8))
    assert first is not None


def test_networks_may_share_what_training_does_not_change(forget):
    activation, table = nn.ReLU(), nn.Parameter(torch.ones(64), requires_grad=False)

    @register("model", "sharing_for_test")
    def build(n_classes, image_shape):
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, n_classes), activation)
        network.table = table
        network.register_buffer("constant", table.detach())
        return network

    networks = [build_model("sharing_for_test", 4, (1, 8, 8)) for _ in range(2)]
    assert networks[0].network[2] is networks[1].network[2]


@pytest.mark.parametrize("draw", [np.random.rand, random.random], ids=["numpy", "Python"])
def test_a_builder_may_draw_by_other_generators(draw, forget):
    @register("model", "drawn_for_test")
    def build(n_classes, image_shape):
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, n_classes))
        nn.init.constant_(network[1].weight, draw())
        return network

    with generators_restored():
        expected = draw()
    one, same, other = (build_model("drawn_for_test", 4, (1, 8, 8), seed=seed).network[1].weight for seed in (1, 1, 2))
    assert draw() == expected
    assert torch.equal(one, same)
    assert not torch.equal(one, other)

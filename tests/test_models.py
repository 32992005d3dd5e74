import pytest
import torch
from torch import nn

from anytime_pruning import build_model
from anytime_pruning.errors import SettingError
from anytime_pruning.masks import prunable_weights
from anytime_pruning.registry import names

# Parameters of the published CIFAR forms at ten classes and three channels, and their convolution layers.
PUBLISHED = {"resnet20": (269_722, 19), "resnet18": (11_173_962, 20), "resnet50": (23_520_842, 53)}
# VGG-16-BN's 13 convolutions have biases here as in torchvision: 14,728,266 with its one linear layer of 512 x 10.
PUBLISHED["vgg16_bn"] = (14_728_266, 13)


@pytest.mark.parametrize("name", names("model"))
def test_parameter_count_is_the_published_one(name):
    model = build_model(name, 10, (3, 32, 32))
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert (sum(p.numel() for p in model.parameters()), len(convolutions)) == PUBLISHED[name]
    assert sum(w.numel() for w in prunable_weights(model).values()) == sum(c.weight.numel() for c in convolutions)


@pytest.mark.parametrize("name", names("model"))
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (4, 20, 12)])
def test_any_image_size_and_channel_count(name, shape):
    model = build_model(name, 7, shape)
    assert model(torch.rand(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("name", names("model"))
def test_one_training_step_lowers_the_loss(name):
    torch.manual_seed(0)
    model = build_model(name, 3, (1, 8, 8))
    images, labels = torch.rand(12, 1, 8, 8), torch.arange(12) % 3
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(2):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


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
    with pytest.raises(SettingError, match="model: 'alexnet' is not known; allowed: resnet18, resnet20"):
        build_model("alexnet", 10, (3, 32, 32))

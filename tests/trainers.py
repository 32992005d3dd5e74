"""Make trainers of ResNet-20 on digits, for tests of training."""

import torch

from anytime_pruning import build_model, select_masks
from anytime_pruning.datasets import load_dataset
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.runs.parts import training_options
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.trainer import Trainer

TRAIN, VALID = torch.arange(60), torch.arange(60, 80)


def build_trainer(settings, data_dir, device="cpu", record=None, channels_last=None):
    """Make a trainer from settings; `channels_last` arranges feature maps as a run does, and None leaves them alone."""
    settings = parse_settings(settings)
    arrays = load_dataset(settings.dataset, data_dir)
    device = torch.device(device)
    data = ImageSet.from_arrays(arrays.train_images, arrays.train_labels, device, 1)
    model = build_model("resnet20", 10, (1, 8, 8), arrays.mean, arrays.std).to(device)
    if channels_last is not None:
        arrange(model, (1, 8, 8), device, channels_last)
    return Trainer(model, data, training_options(settings), make_generator(0, "training"), record)


def half_masks(model, density=0.5):
    """Return masks that keep the largest weights."""
    return select_masks({name: weight.detach().abs() for name, weight in prunable_weights(model).items()}, density)

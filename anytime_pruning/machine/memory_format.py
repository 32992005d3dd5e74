"""Choose the memory format of feature maps for speed; results are mathematically the same, only rounding differs.

The format of the weights does not change, because a convolution computes in the format of its input.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.console import warn

# On a CPU, channels-last is slower for maps of at most 16 pixels with 256 channels or more: the kernels work along a
# row of pixels, and these maps have at most four pixels in a row (oneDNN 3.12, bfloat16 and float32; see benchmarks/).
SMALL_MAP_PIXELS, MANY_CHANNELS = 16, 256
FormatHook = Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]


def arrange(
    model: nn.Module,
    image_shape: tuple[int, int, int],
    device: torch.device,
    channels_last: bool = True,
    small_map_pixels: int = SMALL_MAP_PIXELS,
) -> None:
    """Let a network compute in the fast memory format: channels-last, except for small maps on a CPU.

    Some networks call `view` on feature maps, which works only on contiguous maps. Such a network keeps contiguous
    maps, and a warning says so.

    Args:
        model: maps images [B, C, H, W] to logits; its convolutions get hooks that change the format of their inputs.
        image_shape: (channels, height, width) of the images for a trial forward pass.
        device: the device of the network.
        channels_last: False keeps every map contiguous, to measure the difference.
        small_map_pixels: size up to which maps with many channels stay contiguous on a CPU.

    Raises:
        RuntimeError: the trial fails for a reason other than `view`.
    """
    convert = _choose_format(device, channels_last, small_map_pixels)
    hooks = [module.register_forward_pre_hook(convert) for module in model.modules() if isinstance(module, nn.Conv2d)]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(torch.zeros(2, *image_shape, device=device))
    except RuntimeError as error:
        for hook in hooks:
            hook.remove()
        if "view" not in str(error):
            raise
        model.register_forward_pre_hook(_contiguous)
        warn("model: its calls of view() on feature maps rule out the faster channels-last format; use flatten()")
    finally:
        model.train(was_training)


def _choose_format(device: torch.device, channels_last: bool, small_map_pixels: int) -> FormatHook:
    """Return the hook that changes the format of a convolution's input."""
    if not channels_last:
        return _contiguous
    return partial(_by_map_size, small_map_pixels) if device.type == "cpu" else _channels_last


def _by_map_size(small_map_pixels: int, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    assert isinstance(module, nn.Conv2d)
    height, width = inputs[0].shape[-2:]
    is_small = height * width <= small_map_pixels * module.stride[0] * module.stride[1]
    return (_contiguous if is_small and module.in_channels >= MANY_CHANNELS else _channels_last)(module, inputs)


def _channels_last(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0].contiguous(memory_format=torch.channels_last), *inputs[1:])


def _contiguous(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0].contiguous(), *inputs[1:])

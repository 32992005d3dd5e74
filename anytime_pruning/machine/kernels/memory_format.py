"""Choose the memory format of feature maps for speed; results are mathematically the same, only rounding differs.

The format of the weights does not change, because a convolution computes in the format of its input.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.hooks import RemovableHandle

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import first_line
from anytime_pruning.foundation.torch_fixes.seeding import seed_generators
from anytime_pruning.machine.devices import searching_kernels
from anytime_pruning.machine.memory import is_out_of_memory, working_on
from anytime_pruning.machine.preservation import preserved

# On a CPU, channels-last is slower for maps of at most 16 pixels with 256 channels or more: the kernels work along a
# row of pixels, and these maps have at most four pixels in a row (oneDNN 3.12, bfloat16 and float32; see benchmarks/).
SMALL_MAP_PIXELS, MANY_CHANNELS = 16, 256
# The gradient of a strided 1x1 convolution with fewer input channels than one block of them writes past its workspace
# if maps are channels-last: the process crashes, hangs or goes on with wrong numbers (uxlfoundation/oneDNN#6035, in
# torch 2.13). A block has 8 channels with AVX2 and 16 with AVX512.
BLOCK_CHANNELS = 16
# Two formats round differently, and layers that follow each other let the difference grow. In float16 and bfloat16 it
# grows to two roundings of the largest logit (ResNet-56, ResNet-18 and VGG-16 on a CPU).
TOLERANCE, ROUNDINGS = 1e-3, 16
Format = Callable[[nn.Module, Tensor], Tensor]


@searching_kernels(False)
@working_on("trial")
def arrange(
    model: nn.Module,
    image_shape: tuple[int, int, int],
    device: torch.device,
    channels_last: bool = True,
    small_map_pixels: int = SMALL_MAP_PIXELS,
) -> None:
    """Let a network compute in the fast memory format: channels-last, but on a CPU not where it is slower or unsafe.

    Some networks rely on contiguous maps, such as those that call `view` on them. A trial with and without the fast
    format shows whether a network does. Such a network keeps contiguous maps, and one warning says so. The trial itself
    changes nothing.

    Args:
        model: maps images [B, C, H, W] to logits; its convolutions get hooks that change the format of their inputs.
        image_shape: (channels, height, width) of the images for the trial, which have the type of the weights.
        device: the device of the network.
        channels_last: False keeps every map contiguous, to measure the difference.
        small_map_pixels: size up to which maps with many channels stay contiguous on a CPU.

    Raises:
        Exception: the network fails without the fast format as well; this is what it raised.
    """
    images = torch.rand(2, *image_shape, device=device, generator=torch.Generator(device).manual_seed(0))
    images = images.to(_type_of_weights(model))
    tolerance = max(TOLERANCE, ROUNDINGS * torch.finfo(images.dtype).eps)
    expected = _logits(model, images)
    hooks = _add_hooks(model, _choose_format(device, channels_last, small_map_pixels))
    try:
        problem = None if _agree(expected, _logits(model, images), tolerance) else "its outputs differ"
        _train(model, images)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        problem = first_line(error)
    if problem is None:
        return
    for hook in hooks:
        hook.remove()
    # If the network fails without the hooks, too, the format is not to blame, and the error of this pass says more.
    _train(model, images)
    model.register_forward_pre_hook(partial(_hook, _contiguous), with_kwargs=True)
    if "view" in problem:
        warn("model: its calls of view() on feature maps rule out the faster channels-last format; use flatten()")
    else:
        warn(f"model: it computes without the faster channels-last format: {problem}")


def _type_of_weights(model: nn.Module) -> torch.dtype:
    """Return the type of the first convolution's parameters, or of the first parameter without a convolution."""
    convolutions = (module for module in model.modules() if isinstance(module, nn.Conv2d))
    parameters = chain.from_iterable(module.parameters() for module in (*convolutions, model))
    return next((parameter.dtype for parameter in parameters if parameter.is_floating_point()), torch.float32)


def _logits(model: nn.Module, images: Tensor) -> Any:
    """Return what the network makes of images in eval mode."""
    with preserved(model), torch.no_grad():
        seed_generators(0)
        return model.eval()(images)


def _train(model: nn.Module, images: Tensor) -> None:
    """Run a forward and a backward pass in train mode, in which a network may take other branches."""
    with preserved(model):
        seed_generators(0)
        outputs = [output for output in _tensors(model.train()(images)) if output.requires_grad]
        if outputs:
            # With gradients of its own for each output, torch would first load a package of symbolic mathematics.
            torch.autograd.backward([output.sum() for output in outputs])


def _agree(expected: Any, found: Any, tolerance: float) -> bool:
    """Return whether two outputs are the same but for rounding."""
    for a, b in zip(_tensors(expected), _tensors(found)):
        margin = tolerance * float(a.float().abs().amax()) if a.numel() else 0.0
        if a.shape != b.shape or not torch.allclose(a.float(), b.float(), tolerance, margin, equal_nan=True):
            return False
    return True


def _tensors(output: Any) -> Iterator[Tensor]:
    """Yield the tensors of an output, which may be a tuple or a dictionary."""
    return (leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, Tensor))


def _add_hooks(model: nn.Module, convert: Format) -> list[RemovableHandle]:
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    return [module.register_forward_pre_hook(partial(_hook, convert), with_kwargs=True) for module in convolutions]


def _hook(
    convert: Format, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Convert the batches of feature maps among the arguments of a layer, and pass everything else on as it is."""
    converted = tuple(convert(module, value) if _is_batch_of_maps(value) else value for value in inputs)
    return converted, {
        name: convert(module, value) if _is_batch_of_maps(value) else value for name, value in named.items()
    }


def _is_batch_of_maps(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.dim() == 4


def _choose_format(device: torch.device, channels_last: bool, small_map_pixels: int) -> Format:
    """Return the function that changes the format of a convolution's input."""
    if not channels_last:
        return _contiguous
    return partial(_by_map_size, small_map_pixels) if device.type == "cpu" else _channels_last


def _by_map_size(small_map_pixels: int, module: nn.Module, maps: Tensor) -> Tensor:
    assert isinstance(module, nn.Conv2d)
    height, width = maps.shape[-2:]
    is_small = height * width <= small_map_pixels * module.stride[0] * module.stride[1]
    is_slower = is_small and module.in_channels >= MANY_CHANNELS
    return (_contiguous if is_slower or _is_unsafe(module) else _channels_last)(module, maps)


def _is_unsafe(convolution: nn.Conv2d) -> bool:
    is_strided = max(convolution.stride) > 1 and max(convolution.kernel_size) == 1
    return is_strided and convolution.in_channels // convolution.groups < BLOCK_CHANNELS


def _channels_last(module: nn.Module, maps: Tensor) -> Tensor:
    return maps.contiguous(memory_format=torch.channels_last)


def _contiguous(module: nn.Module, maps: Tensor) -> Tensor:
    return maps.contiguous()

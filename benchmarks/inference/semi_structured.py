"""Compute convolutions by matrix products, so that a GPU's kernels for 2:4 sparsity can compute them."""

import copy
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F
from torch.sparse import to_sparse_semi_structured


class MatrixConvolution(nn.Module):
    """Computes a convolution as one product of its patches with a matrix whose columns are runs of input channels.

    Args:
        convolution: a convolution without groups.
        sparsify: turns the dense matrix, [O, kernel * I], into one of half the size; its kernels need 2:4 along the
            columns, which the selection `n_m` gives along the input channels.

    Raises:
        RuntimeError: the kernels do not take a matrix of this form.
    """

    def __init__(self, convolution: nn.Conv2d, sparsify: Callable[[Tensor], Tensor] = to_sparse_semi_structured):
        super().__init__()
        self.convolution = convolution
        weight = convolution.weight.detach()
        self.matrix = sparsify(weight.movedim(1, -1).reshape(len(weight), -1).contiguous())

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, I, H, W] to maps [B, O, H', W']."""
        layer = self.convolution
        assert not isinstance(layer.padding, str)
        patches = F.unfold(images, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
        count, _, n_places = patches.shape
        patches = patches.view(count, layer.in_channels, -1, n_places).permute(0, 3, 2, 1)
        found = F.linear(patches.reshape(count * n_places, -1), self.matrix, layer.bias)
        height = _size(images.shape[2], layer, 0)
        return found.view(count, height, n_places // height, -1).permute(0, 3, 1, 2).contiguous()


def with_sparse_kernels(
    model: nn.Module, sparsify: Callable[[Tensor], Tensor] = to_sparse_semi_structured
) -> nn.Module:
    """Return a copy of a network whose convolutions of pattern 2:4 are computed by sparse kernels.

    Convolutions with another pattern, with groups, or of a form that the kernels do not take stay as they are.

    Args:
        model: the network, in a precision that the kernels know, such as float16.
        sparsify: as for `MatrixConvolution`.

    Raises:
        RuntimeError: no convolution could be replaced.
    """
    replaced, n_replaced = copy.deepcopy(model), 0
    for where, layer in list(replaced.named_modules()):
        if not isinstance(layer, nn.Conv2d) or layer.groups > 1 or not _is_two_of_four(layer.weight):
            continue
        try:
            computed = MatrixConvolution(layer, sparsify)
        except RuntimeError:
            continue
        replaced.set_submodule(where, computed)
        n_replaced += 1
    if n_replaced == 0:
        raise RuntimeError("no convolution of this network has pattern 2:4 and a form that the sparse kernels take")
    return replaced


def _is_two_of_four(weight: Tensor) -> bool:
    if weight.shape[1] % 4:
        return False
    return bool((weight.movedim(1, -1).reshape(-1, 4).count_nonzero(1) <= 2).all())


def _size(before: int, layer: nn.Conv2d, axis: int) -> int:
    padding = layer.padding[axis]
    assert isinstance(padding, int)
    return (before + 2 * padding - layer.dilation[axis] * (layer.kernel_size[axis] - 1) - 1) // layer.stride[axis] + 1

"""Test that convolutions computed by matrix products give the same, with a GPU's kernels for 2:4 sparsity, too.

This file imports little, because a GPU machine that runs the marked test may lack the packages of the inference table.
"""

import pytest
import torch
from torch import nn

from anytime_pruning import build_model
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.selections import make_selection
from benchmarks.inference.semi_structured import MatrixConvolution, with_sparse_kernels


@pytest.mark.parametrize("changes", [{}, {"stride": 2, "bias": False}, {"padding": (0, 2), "dilation": (2, 1)}])
def test_a_convolution_is_a_matrix_product(changes):
    convolution = nn.Conv2d(
        **{"in_channels": 8, "out_channels": 5, "kernel_size": (3, 2), "padding": 1} | changes
    ).double()
    images = torch.rand(3, 8, 9, 7, dtype=torch.float64)
    computed = MatrixConvolution(convolution, lambda matrix: matrix)
    assert torch.allclose(computed(images), convolution(images))


def test_the_matrix_of_a_pruned_convolution_has_the_pattern_in_its_columns():
    convolution = nn.Conv2d(8, 16, 3)
    score = {"w": convolution.weight.detach().abs()}
    convolution.weight.data *= make_selection("n_m", "2:4").select(score, 0.5, "global", None)["w"]
    seen = []
    MatrixConvolution(convolution, lambda matrix: seen.append(matrix) or matrix)
    assert set(seen[0].reshape(-1, 4).count_nonzero(1).tolist()) == {2}


def test_convolutions_of_the_pattern_are_replaced_and_the_logits_stay():
    model = build_model("resnet20", 10, (3, 32, 32)).eval()
    weights = dict(list(prunable_weights(model).items())[1:])
    scores = {name: weight.detach().abs() for name, weight in weights.items()}
    for name, mask in make_selection("n_m", "2:4").select(scores, 0.5, "local", None).items():
        weights[name].data *= mask
    replaced = with_sparse_kernels(model, lambda matrix: matrix)
    kinds = [type(layer) for layer in replaced.modules()]
    assert kinds.count(MatrixConvolution) == 18
    assert type(replaced.network.conv1) is nn.Conv2d
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(replaced(images), model(images), atol=1e-5)
    with pytest.raises(RuntimeError, match="no convolution of this network has pattern 2:4"):
        with_sparse_kernels(build_model("resnet20", 10, (3, 32, 32)))


def test_convolutions_that_the_kernels_do_not_take_stay():
    def refuse(matrix):
        raise RuntimeError("not a multiple of 64")

    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(8, 8, 1))
    nn.init.zeros_(model[0].weight)
    with pytest.raises(RuntimeError, match="no convolution of this network"):
        with_sparse_kernels(model, refuse)
    only_first = with_sparse_kernels(model, lambda matrix: matrix)
    assert [type(layer) for layer in only_first] == [MatrixConvolution, nn.Conv2d]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_sparse_kernels_give_the_same_on_a_gpu():
    torch.manual_seed(0)
    convolution = nn.Conv2d(64, 128, 3, padding=1, bias=False)
    score = {"w": convolution.weight.detach().abs()}
    convolution.weight.data *= make_selection("n_m", "2:4").select(score, 0.5, "global", None)["w"]
    model = nn.Sequential(convolution).half().cuda()
    images = torch.rand(8, 64, 16, 16, dtype=torch.float16, device="cuda")
    with torch.inference_mode():
        expected, found = model(images), with_sparse_kernels(model)(images)
    assert torch.allclose(found, expected, atol=1e-2, rtol=1e-2)
